//! A world of real sockets: a broker that runs under a driver, connections to it over any transport, and its handle.

use super::{
    hook::{self, Watcher},
    render,
    script::Need,
    setting::Settings,
    word::Word,
    world::{Ending, Peer, Received, World},
};
use crate::peer::{Below, Certificates, Cut, Link};
use sanderling_core::{
    broker::{Answer, Command},
    hooks::{Question, Verdict},
};
use sanderling_runtime::{
    Address, Answerer, Builder, Driver, Endpoint, Handle, Listener, Reply, WebSocketOptions,
};
use socket2::SockRef;
use std::{
    collections::VecDeque,
    io::{self, ErrorKind, Read, Write},
    net::{Shutdown, TcpStream},
    os::{fd::OwnedFd, unix::net::UnixStream},
    sync::{
        atomic::{AtomicU32, Ordering},
        mpsc::{Receiver, Sender, channel},
    },
    time::Duration,
};

/// How long something that must come may take. Reached only by a story that fails.
const PATIENCE: Duration = Duration::from_secs(60);

/// How clients reach a broker.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Way {
    /// Over a Unix socket instead of TCP.
    pub unix: bool,
    /// What is spoken below MQTT.
    pub below: Below,
}

impl Way {
    /// Plain TCP.
    pub const TCP: Self = Self::tcp(Below::Nothing);
    /// A Unix socket.
    pub const UNIX: Self = Self {
        unix: true,
        below: Below::Nothing,
    };

    /// TCP with this below MQTT.
    pub const fn tcp(below: Below) -> Self {
        Self { unix: false, below }
    }

    /// A listener for clients that come this way.
    fn listener(self) -> Listener {
        let mut listener = if self.unix {
            static NUMBER: AtomicU32 = AtomicU32::new(0);
            let number = NUMBER.fetch_add(1, Ordering::Relaxed);
            // The path of a Unix socket is short.
            let name = format!("sanderling-{}-{number}.sock", std::process::id());
            Listener::unix(std::env::temp_dir().join(name))
        } else {
            Listener::tcp("127.0.0.1:0")
        };
        if self.below.has_tls() {
            listener = listener.tls(Certificates::get().server("server"));
        }
        if self.below.has_websocket() {
            listener = listener.websocket(WebSocketOptions::default());
        }
        listener
    }
}

/// Clients of the broker at one place, and the program around it.
#[derive(Debug)]
pub struct Socket {
    endpoint: Endpoint,
    below: Below,
    handle: Handle,
    heard: Heard,
    open: VecDeque<Reply>,
    answers: Vec<Vec<Word>>,
    /// By [`Peer`]; none once it ended.
    streams: Vec<Option<Stream>>,
}

/// A client's connection and what it speaks below MQTT.
#[derive(Debug)]
struct Stream {
    socket: TcpStream,
    link: Link,
}

/// What the hooks of a story leave open, and what they are told.
#[derive(Debug)]
pub struct Heard(Receiver<FromHook>);

#[derive(Debug)]
enum FromHook {
    Asked(Box<(Question, Reply)>),
    Told(Vec<Word>),
}

impl Heard {
    /// A driver's builder with the broker that a story wants, on a free port, and what will be heard of its hooks.
    ///
    /// # Panics
    /// There is no free port.
    pub fn of<D: Driver>(settings: &Settings, way: Way, builder: Builder<D>) -> (Builder<D>, Self) {
        let (sender, receiver) = channel();
        let builder = builder
            .config(settings.config.clone())
            .listener(way.listener())
            .expect("there is a free port");
        let watcher = || -> Watcher {
            let sender = sender.clone();
            // After the story's end nobody listens.
            Box::new(move |words| drop(sender.send(FromHook::Told(words))))
        };
        let builder = settings.hooks(watcher).fold(builder, |builder, hooks| {
            builder.asking_hook(hooks, Asked(sender.clone()))
        });
        (builder, Self(receiver))
    }
}

struct Asked(Sender<FromHook>);

impl Answerer for Asked {
    fn answer(&mut self, question: Question, reply: Reply) {
        // After the story's end nobody listens, and the reply that comes back refuses.
        let _ = self.0.send(FromHook::Asked(Box::new((question, reply))));
    }
}

impl Socket {
    /// The world around the broker that listens there.
    pub fn new(endpoint: Endpoint, way: Way, handle: Handle, heard: Heard) -> Self {
        Self {
            endpoint,
            below: way.below,
            handle,
            heard,
            open: VecDeque::new(),
            answers: Vec::new(),
            streams: Vec::new(),
        }
    }
}

impl Stream {
    fn flush(&mut self) {
        // A connection that the broker has closed is noticed when it is read.
        let _ = self.socket.write_all(&self.link.take_wire());
    }
}

/// A Unix socket is read and written like one of TCP.
fn connect(address: &Address) -> io::Result<TcpStream> {
    match address {
        Address::Ip(address) => {
            let socket = TcpStream::connect(address)?;
            socket.set_nodelay(true)?;
            Ok(socket)
        }
        Address::Unix(path) => Ok(TcpStream::from(OwnedFd::from(UnixStream::connect(path)?))),
    }
}

impl Socket {
    /// A client whose handshakes are over speaks MQTT at once, as stories want it.
    fn shake_hands(&mut self, Peer(peer): Peer) {
        while let Some(stream) = &mut self.streams[peer] {
            stream.flush();
            if stream.link.is_open() {
                return;
            }
            let mut plain = Vec::new();
            if self.receive(Peer(peer), &mut plain) == Received::Nothing {
                return;
            }
        }
    }
}

impl World for Socket {
    fn offers(&self, need: Need) -> bool {
        matches!(need, Need::Hooks | Need::Commands)
    }

    fn is_immediate(&self) -> bool {
        false
    }

    fn open(&mut self) -> Peer {
        // A broker that has stopped refuses: for the client that is a connection that is closed at once.
        let stream = connect(&self.endpoint.address).ok().map(|socket| {
            let patience = socket.set_read_timeout(Some(PATIENCE));
            patience.expect("more than zero");
            // Odd frames, and many: whatever a story says is cut and joined.
            let cut = Cut {
                frame_bytes: [0, 1, 3, 7][self.streams.len() % 4],
                fragments: self.streams.len() % 3,
                chatty: self.streams.len().is_multiple_of(2),
            };
            Stream {
                socket,
                link: Link::new(self.below, cut),
            }
        });
        self.streams.push(stream);
        let peer = Peer(self.streams.len() - 1);
        self.shake_hands(peer);
        peer
    }

    fn send(&mut self, Peer(peer): Peer, bytes: &[u8]) {
        if let Some(stream) = &mut self.streams[peer] {
            stream.link.send(bytes);
            stream.flush();
        }
    }

    fn end(&mut self, Peer(peer): Peer, how: Ending) {
        let Some(Stream {
            socket: mut stream, ..
        }) = self.streams[peer].take()
        else {
            return;
        };
        // Any of this may fail if the broker was faster.
        match how {
            Ending::Close => {
                let _ = stream.shutdown(Shutdown::Write);
                // The broker closes its side, too, when it has noticed.
                let _ = io::copy(&mut stream, &mut io::sink());
            }
            Ending::Reset => {
                let _ = SockRef::from(&stream).set_linger(Some(Duration::ZERO));
            }
        }
    }

    fn receive(&mut self, Peer(peer): Peer, bytes: &mut Vec<u8>) -> Received {
        let Some(stream) = &mut self.streams[peer] else {
            return Received::Closed;
        };
        let mut buffer = [0; 4096];
        match stream.socket.read(&mut buffer) {
            Ok(length) if length > 0 => {
                let received = stream.link.receive(&buffer[..length]);
                received.expect("the broker speaks what it should");
                bytes.extend(stream.link.take_plain());
                stream.flush();
                Received::Bytes
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => Received::Bytes,
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                Received::Nothing
            }
            // Dropped, so that a broker that waits for the client's end sees it.
            Ok(_) | Err(_) => {
                self.streams[peer] = None;
                Received::Closed
            }
        }
    }

    fn command(&mut self, command: Command) {
        let answer = match command {
            Command::Drain => {
                self.handle.stop();
                Answer::Drained
            }
            command => match self.handle.order(command) {
                Ok(answer) => answer,
                Err(error) => panic!("the broker does not answer: {error}"),
            },
        };
        self.answers.push(render::answer(&answer));
    }

    fn rule(&mut self, verdict: Verdict) -> bool {
        let Some(reply) = self.open.pop_front() else {
            return false;
        };
        reply.rule(verdict);
        true
    }

    fn heard(&mut self, count: usize) -> Vec<(&'static str, Vec<Word>)> {
        let answers = self.answers.drain(..).map(|words| ("server", words));
        let mut heard: Vec<_> = answers.collect();
        while heard.len() < count
            && let Ok(from_hook) = self.heard.0.recv_timeout(PATIENCE)
        {
            heard.push(take(from_hook, &mut self.open));
        }
        // One too many shows, if not here, then in the next step.
        heard.extend(
            self.heard
                .0
                .try_iter()
                .map(|from_hook| take(from_hook, &mut self.open)),
        );
        heard
    }
}

fn take(from_hook: FromHook, open: &mut VecDeque<Reply>) -> (&'static str, Vec<Word>) {
    match from_hook {
        FromHook::Told(words) => ("watch", words),
        FromHook::Asked(asked) => {
            let (question, reply) = *asked;
            open.push_back(reply);
            ("hook", hook::describe(&question))
        }
    }
}
