//! A third driver, for async-std: proof that runtimes are pluggable. It uses the public API of core and runtime only.
//!
//! async-std is discontinued, so no program ships this. Each connection has a task that reads and one that writes; whoever
//! has news takes the broker for a turn.

use async_std::{
    channel::{Receiver, Sender, bounded},
    future::timeout,
    io::{ReadExt, WriteExt},
    net::{TcpListener, TcpStream},
    task::{self, JoinHandle},
};
use sanderling_core::{broker::CloseCause, id::ConnId};
use sanderling_runtime::{
    Driver, Endpoint, Engine, Handle, ListeningSocket, Setup, Sleep, Wake,
    engine::{ACCEPT_PAUSE, Socket},
};
use std::{
    io::{self, IoSlice},
    net::{Shutdown, SocketAddr},
    sync::Arc,
};

/// A broker on async-std's threads; `Builder::<AsyncStd>::default()` begins one.
#[derive(Debug)]
pub enum AsyncStd {}

/// A broker that runs.
#[derive(Debug)]
pub struct Running {
    /// Where clients find it.
    pub endpoints: Vec<Endpoint>,
    /// The way in for the program around it.
    pub handle: Handle,
    keeper: JoinHandle<io::Result<()>>,
}

impl Running {
    /// Waits until it has stopped.
    ///
    /// # Errors
    /// It did not stop in the time it was given.
    pub fn join(self) -> io::Result<()> {
        task::block_on(self.keeper)
    }
}

impl Driver for AsyncStd {
    type Running = Running;
    type Options = ();

    fn start(setup: Setup, (): ()) -> io::Result<Running> {
        let endpoints = setup.endpoints();
        let (bell, rung) = bounded(1);
        let bell = Bell(bell);
        setup.inbox.attach(bell.clone());
        let handle = setup.handle.clone();
        let (engine, sockets) = Engine::new(setup)?;
        let owner = Arc::new(Owner::new(engine, bell));
        // TCP is all that this driver listens on.
        let listeners = sockets.into_iter().filter_map(|socket| match socket {
            ListeningSocket::Tcp(socket) => Some(TcpListener::from(socket)),
            _ => None,
        });
        let acceptors = (0..)
            .zip(listeners)
            .map(|(number, listener)| task::spawn(accept(Arc::clone(&owner), listener, number)))
            .collect();
        let keeper = task::spawn(keep(owner, rung, acceptors));
        Ok(Running {
            endpoints,
            handle,
            keeper,
        })
    }
}

type Owner = sanderling_runtime::Owner<Bells>;

/// Wakes a task. Ringing twice before it looks is ringing once.
#[derive(Clone)]
struct Bell(Sender<()>);

impl Wake for Bell {
    fn wake(&self) {
        // Full: it rings already. Closed: nobody is left to hear it.
        let _ = self.0.try_send(());
    }
}

/// The engine's side of a connection: it rings, and the tasks do the rest. Dropping it ends them.
struct Bells {
    read_again: Bell,
    output: Bell,
    shut_down: bool,
}

impl Socket for Bells {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        Err(io::ErrorKind::WouldBlock.into())
    }

    fn write(&mut self, _: &[IoSlice<'_>]) -> io::Result<usize> {
        Err(io::ErrorKind::WouldBlock.into())
    }

    fn shut_down_writing(&mut self) {
        self.shut_down = true;
        self.output.wake();
    }

    fn output_waits(&mut self) {
        self.output.wake();
    }

    fn read_again(&mut self) {
        self.read_again.wake();
    }
}

async fn keep(
    owner: Arc<Owner>,
    rung: Receiver<()>,
    mut acceptors: Vec<JoinHandle<()>>,
) -> io::Result<()> {
    while let Some(Sleep {
        at_most,
        is_stopping,
    }) = owner.sleep()
    {
        if is_stopping {
            close(&mut acceptors).await;
        }
        // Woken or not: either way it is time for a turn.
        let _ = match at_most {
            Some(sleep) => timeout(sleep, rung.recv()).await.is_ok(),
            None => rung.recv().await.is_ok(),
        };
        owner.turn(|engine, _| engine.read_inbox());
    }
    close(&mut acceptors).await;
    match owner.finish() {
        Some(finished) => task::spawn_blocking(|| finished.unload()).await,
        None => Ok(()),
    }
}

async fn close(acceptors: &mut Vec<JoinHandle<()>>) {
    for acceptor in acceptors.drain(..) {
        acceptor.cancel().await;
    }
}

async fn accept(owner: Arc<Owner>, listener: TcpListener, number: u16) {
    loop {
        match listener.accept().await {
            Ok((stream, remote)) => open(&owner, stream, number, remote),
            Err(_) => task::sleep(ACCEPT_PAUSE).await,
        }
    }
}

fn open(owner: &Arc<Owner>, stream: TcpStream, listener: u16, remote: SocketAddr) {
    let ((read_again, again), (output, waits)) = (bounded(1), bounded(1));
    let (read_again, output) = (Bell(read_again), Bell(output));
    let bells = Bells {
        read_again,
        output,
        shut_down: false,
    };
    if let Some(conn) = owner.turn(|engine, _| engine.open(bells, listener, Some(remote))) {
        task::spawn(read(Arc::clone(owner), conn, stream.clone(), again));
        task::spawn(write(Arc::clone(owner), conn, stream, waits));
    }
}

async fn read(owner: Arc<Owner>, conn: ConnId, mut stream: TcpStream, again: Receiver<()>) {
    let mut buffer = vec![0; 16 << 10];
    loop {
        let mut more = match stream.read(&mut buffer).await {
            Ok(len @ 1..) => owner.turn(|engine, _| engine.receive(conn, &mut buffer[..len])),
            end => {
                let cause = if end.is_ok() {
                    CloseCause::PeerClosed
                } else {
                    CloseCause::Failed
                };
                owner.turn(|engine, _| engine.ended(conn, cause));
                return;
            }
        };
        while more == Some(false) && again.recv().await.is_ok() {
            more = owner.turn(|engine, _| engine.receive(conn, &mut []));
        }
    }
}

async fn write(owner: Arc<Owner>, conn: ConnId, mut stream: TcpStream, waits: Receiver<()>) {
    while waits.recv().await.is_ok() {
        let output = || owner.turn(|engine, _| engine.output(conn)).flatten();
        while let Some(bytes) = output().filter(|bytes| !bytes.is_empty()) {
            if stream.write_all(&bytes).await.is_err() {
                owner.turn(|engine, _| engine.ended(conn, CloseCause::Failed));
                return;
            }
            owner.turn(|engine, _| engine.written(conn, bytes.len()));
        }
        let shut_down = owner.turn(|engine, _| engine.socket(conn).is_some_and(|s| s.shut_down));
        if shut_down == Some(true) {
            let _ = stream.shutdown(Shutdown::Write);
        }
    }
    // The reader learns of the end from the socket.
    let _ = stream.shutdown(Shutdown::Both);
}
