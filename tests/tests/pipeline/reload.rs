//! Certificates that are exchanged while a broker serves.

#[path = "../drivers/serve.rs"]
#[allow(dead_code, reason = "the tests of the drivers use the rest")]
mod serve;

use rustls::pki_types::{CertificateDer, pem::PemObject};
use sanderling_mio::{Broker, Listener};
use sanderling_runtime::Builder;
use sanderling_tests::peer::{Below, Certificates, Cut, Link};
use serve::Serve;
use std::{
    fs,
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    path::Path,
    sync::mpsc::{self, RecvTimeoutError},
    thread,
    time::Duration,
};

const PATIENCE: Duration = Duration::from_secs(20);

fn authority(name: &str) -> Certificates {
    let directory = format!("{name}-{}", std::process::id());
    let made = Certificates::new(Path::new(env!("CARGO_TARGET_TMPDIR")).join(directory));
    issue(&made);
    made
}

/// A new certificate in the same files.
fn issue(made: &Certificates) {
    made.issue("server", |params| {
        params.subject_alt_names = vec![rcgen::SanType::DnsName("localhost".try_into().unwrap())];
    });
}

struct Client {
    socket: TcpStream,
    link: Link,
}

impl Client {
    /// Connects, TLS and MQTT.
    fn connect(address: SocketAddr, made: &Certificates, client_id: &str) -> Self {
        let socket = TcpStream::connect(address).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        let link = Link::with(Below::Tls, Cut::default(), made.client_config(None));
        let mut client = Self { socket, link };
        let mut connect = vec![0x10, 12 + client_id.len() as u8, 0, 4];
        connect.extend(b"MQTT\x04\x02\0\0\0");
        connect.push(client_id.len() as u8);
        connect.extend(client_id.as_bytes());
        assert_eq!(client.ask(&connect, 4), [0x20, 2, 0, 0]);
        client
    }

    /// Sends bytes and awaits an answer of this length.
    fn ask(&mut self, bytes: &[u8], len: usize) -> Vec<u8> {
        self.send(bytes);
        self.answer(len)
    }

    fn send(&mut self, bytes: &[u8]) {
        self.link.send(bytes);
        self.socket.write_all(&self.link.take_wire()).unwrap();
    }

    fn answer(&mut self, len: usize) -> Vec<u8> {
        let mut answer = Vec::new();
        loop {
            self.socket.write_all(&self.link.take_wire()).unwrap();
            answer.extend(self.link.take_plain());
            if answer.len() >= len {
                return answer;
            }
            let mut buffer = [0; 4096];
            let read = self.socket.read(&mut buffer).unwrap();
            assert_ne!(read, 0, "the broker keeps the connection");
            self.link.receive(&buffer[..read]).unwrap();
        }
    }

    /// The certificate that the broker showed.
    fn shown(&self) -> Vec<u8> {
        let tls = self.link.tls().unwrap();
        tls.peer_certificates().unwrap()[0].to_vec()
    }
}

fn on_disk(made: &Certificates) -> Vec<u8> {
    CertificateDer::from_pem_file(made.path("server.pem"))
        .unwrap()
        .to_vec()
}

#[test]
fn a_thousand_connections_survive_ten_exchanges_of_certificates_on_mio() {
    survive_exchanges::<Broker>("reload-mio");
}

#[test]
fn a_thousand_connections_survive_ten_exchanges_of_certificates_on_tokio() {
    survive_exchanges::<sanderling_tokio::Broker>("reload-tokio");
}

/// Every connection has something under way whenever certificates are exchanged.
fn survive_exchanges<D: Serve>(name: &str) {
    let made = authority(name);
    let listener = Listener::tcp("127.0.0.1:0").tls(made.server("server"));
    let served = D::serve(Builder::default().listener(listener).unwrap());
    let address = served.address;
    let mut clients: Vec<_> = (0..1000)
        .map(|number| Client::connect(address, &made, &format!("c{number}")))
        .collect();
    let mut newcomers = Vec::new();
    for round in 0..10 {
        issue(&made);
        for client in &mut clients {
            client.send(&[0xc0, 0]);
        }
        served.handle.certificates().reload().unwrap();
        let newcomer = Client::connect(address, &made, &format!("n{round}"));
        assert_eq!(newcomer.shown(), on_disk(&made));
        newcomers.push(newcomer);
        for client in &mut clients {
            assert_eq!(client.answer(2), [0xd0, 0]);
        }
    }
    let statistics = served.handle.statistics().unwrap();
    assert_eq!(statistics.clients_connected, 1010);
    assert_eq!(statistics.sessions_active_current, 1010);
}

#[test]
fn who_reads_the_files_all_the_time_keeps_no_change_from_being_noticed() {
    let made = authority("read");
    let listener = Listener::tcp("127.0.0.1:0").tls(made.server("server"));
    let served = Broker::serve(Builder::default().listener(listener).unwrap());
    let (told, outcomes) = mpsc::channel();
    let watch = served
        .handle
        .certificates()
        .watch(move |outcome| told.send(outcome.is_ok()).unwrap())
        .unwrap();
    thread::scope(|scope| {
        let (ends, has_ended) = mpsc::channel::<()>();
        let path = made.path("server.pem");
        // More often than the time that a change has to be over.
        scope.spawn(move || {
            let often = Duration::from_millis(10);
            while has_ended.recv_timeout(often) == Err(RecvTimeoutError::Timeout) {
                let _ = fs::read(&path);
            }
        });
        issue(&made);
        while !outcomes.recv_timeout(PATIENCE).unwrap() {}
        drop(ends);
    });
    let client = Client::connect(served.address, &made, "a");
    assert_eq!(client.shown(), on_disk(&made));
    drop(watch);
}

#[test]
fn a_broken_file_keeps_the_certificates_before() {
    let made = authority("broken");
    let listener = Listener::tcp("127.0.0.1:0").tls(made.server("server"));
    let broker = Broker::builder()
        .listener(listener)
        .unwrap()
        .start()
        .unwrap();
    let address = broker.local_addrs()[0];
    let before = on_disk(&made);
    let good = fs::read(made.path("server.pem")).unwrap();
    fs::write(made.path("server.pem"), "nonsense").unwrap();
    let handle = broker.handle();
    let error = handle.certificates().reload().unwrap_err();
    assert_eq!(error.path(), made.path("server.pem"));
    assert_eq!(Client::connect(address, &made, "a").shown(), before);
    fs::write(made.path("server.pem"), good).unwrap();
    handle.certificates().reload().unwrap();
    broker.stop();
    broker.join().unwrap();
}

#[test]
fn files_that_change_are_read_again_and_the_outcome_is_told() {
    let made = authority("watched");
    let listener = Listener::tcp("127.0.0.1:0").tls(made.server("server"));
    let broker = Broker::builder()
        .listener(listener)
        .unwrap()
        .start()
        .unwrap();
    let address = broker.local_addrs()[0];
    let (told, outcomes) = mpsc::channel();
    let handle = broker.handle();
    let watch = handle
        .certificates()
        .watch(move |outcome| told.send(outcome.is_ok()).unwrap())
        .unwrap();
    // By renaming, as careful tools do.
    let staged = made.path("staged.pem");
    fs::rename(made.path("server.pem"), &staged).unwrap();
    assert_eq!(
        outcomes.recv_timeout(PATIENCE),
        Ok(false),
        "a file is missing"
    );
    fs::rename(&staged, made.path("server.pem")).unwrap();
    assert_eq!(outcomes.recv_timeout(PATIENCE), Ok(true));
    issue(&made);
    // Certificate and key are two writes; the last word is that they fit.
    while !outcomes.recv_timeout(PATIENCE).unwrap() {}
    assert_eq!(Client::connect(address, &made, "a").shown(), on_disk(&made));
    drop(watch);
    broker.stop();
    broker.join().unwrap();
}
