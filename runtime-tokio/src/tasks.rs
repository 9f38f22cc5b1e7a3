//! The tasks: one keeper for a broker, one acceptor for a listener, one for a connection.

use crate::socket::{Acceptor, Connection, Signal, Stream};
use sanderling_core::id::ConnId;
use sanderling_runtime::{
    Sleep, Wake,
    engine::{ACCEPT_PAUSE, Pulled},
};
use std::{io, net::SocketAddr, sync::Arc};
use tokio::{
    io::Interest,
    sync::Notify,
    task::{self, JoinSet},
    time,
};

type Owner = sanderling_runtime::Owner<Stream>;

/// Wakes the keeper: there is something in the inbox, an earlier deadline, or nothing left to wait for.
#[derive(Clone, Default)]
pub(crate) struct Bell(Arc<Notify>);

impl Wake for Bell {
    fn wake(&self) {
        self.0.notify_one();
    }
}

/// Keeps deadlines and the inbox, until the broker has stopped.
pub(crate) async fn keep(
    owner: Arc<Owner>,
    bell: Bell,
    listeners: Vec<Acceptor>,
) -> io::Result<()> {
    let mut acceptors = JoinSet::new();
    for (number, listener) in (0..).zip(listeners) {
        acceptors.spawn(accept(Arc::clone(&owner), listener, number));
    }
    while let Some(Sleep {
        at_most,
        is_stopping,
    }) = owner.sleep()
    {
        if is_stopping {
            acceptors.shutdown().await;
        }
        match at_most {
            Some(sleep) => {
                // Woken or not: either way it is time for a turn.
                let _ = time::timeout(sleep, bell.0.notified()).await;
            }
            None => bell.0.notified().await,
        }
        owner.turn(|engine, _| engine.read_inbox());
    }
    acceptors.shutdown().await;
    match owner.finish() {
        // A plugin may block while it ends what it has begun.
        Some(finished) => task::spawn_blocking(|| finished.unload())
            .await
            .map_err(io::Error::other)?,
        None => Ok(()),
    }
}

async fn accept(owner: Arc<Owner>, listener: Acceptor, number: u16) {
    loop {
        match listener.accept().await {
            Ok((connection, remote)) => open(&owner, connection, number, remote),
            Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
            // The system has no room for one more connection; what is connected goes on.
            Err(_) => time::sleep(ACCEPT_PAUSE).await,
        }
    }
}

fn open(owner: &Arc<Owner>, connection: Connection, listener: u16, remote: Option<SocketAddr>) {
    let socket = Arc::new(connection);
    let signal = Arc::new(Signal::default());
    let stream = Stream {
        socket: Arc::clone(&socket),
        signal: Arc::clone(&signal),
    };
    let opened = owner.turn(|engine, _| {
        let conn = engine.open(stream, listener, remote);
        // tokio forgets readiness only when a socket would block.
        engine.read_to_the_end(conn);
        conn
    });
    if let Some(conn) = opened {
        tokio::spawn(serve(Arc::clone(owner), conn, socket, signal));
    }
}

/// Waits for a connection's socket, and takes a turn whenever there is news.
async fn serve(owner: Arc<Owner>, conn: ConnId, socket: Arc<Connection>, signal: Arc<Signal>) {
    let (mut may_read, mut output_waits) = (true, false);
    loop {
        let interest = match (may_read, output_waits) {
            (true, true) => Some(Interest::READABLE | Interest::WRITABLE),
            (true, false) => Some(Interest::READABLE),
            (false, true) => Some(Interest::WRITABLE),
            (false, false) => None,
        };
        let readiness = async {
            match interest {
                Some(interest) => socket.ready(interest).await,
                None => std::future::pending().await,
            }
        };
        let (read, write) = tokio::select! {
            news = signal.news() => {
                if news.ended() {
                    return;
                }
                output_waits |= news.output_waits();
                (news.read_again(), false)
            }
            ready = readiness => match ready {
                Ok(ready) => {
                    let ended = ready.is_read_closed() || ready.is_error();
                    let writable = ready.is_writable() || ready.is_write_closed();
                    (may_read && (ready.is_readable() || ended), output_waits && writable)
                }
                // The runtime is shutting down.
                Err(_) => return,
            },
        };
        output_waits &= !write;
        let pulled = owner.turn(|engine, buffer| {
            if write {
                engine.writable(conn);
            }
            read.then(|| engine.pull(conn, buffer))
        });
        match pulled {
            None | Some(Some(Pulled::Ended)) => return,
            Some(Some(Pulled::Later)) => {
                may_read = false;
                // A task that is never out of work would keep its thread from looking at other sockets.
                task::yield_now().await;
            }
            Some(Some(Pulled::Drained)) => may_read = true,
            Some(None) => {}
        }
    }
}
