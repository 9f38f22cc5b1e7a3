//! What calls of the management API cost the broker: a steady load with many idle clients, by turns without calls and with
//! 50 a second. Linux only, because it reads `/proc`.
//!
//! ```text
//! cargo build --release -p sanderling
//! cargo run -p sanderling-tests --example management_cost -- [mio|tokio [PATH...]]
//! ```
//!
//! Without paths those of a page that shows the broker are called, one after the other.
//!
//! A turn is counted when a thread of the broker goes to sleep: it wakes for events, handles them, and sleeps again. The
//! thread that speaks HTTP is no part of the broker and is shown beside it.

mod figures;

use figures::{median, raise_limit};
use std::{
    env, fs,
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpStream},
    path::Path,
    process::{Child, Command, ExitCode, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    thread,
    time::{Duration, Instant},
};

const IDLE: usize = 10_000;
const CALLS_PER_SECOND: u32 = 50;
const MESSAGES_PER_SECOND: u32 = 2000;
/// How long one run is measured.
const RUN: Duration = Duration::from_secs(8);
const RUNS: usize = 5;
/// What may be added to the CPU of a turn.
const RISE_MAX: f64 = 0.10;
/// The name of the thread that speaks HTTP.
const HTTP: &str = "management";

/// What is called unless something else is named.
const PATHS: [&str; 7] = [
    "/api/v1/clients",
    "/api/v1/sessions",
    "/api/v1/subscriptions?matches=load",
    "/api/v1/statistics",
    "/api/v1/sessions/idle-77",
    "/clients?page=100",
    "/sessions?page=3",
];

fn main() -> ExitCode {
    let driver = env::args().nth(1).unwrap_or_else(|| "mio".to_owned());
    raise_limit();
    let broker = Broker::start(&driver);
    let _idle: Vec<_> = (0..IDLE)
        .map(|n| connect(broker.mqtt, &format!("idle-{n}")))
        .collect();
    let paths: Vec<_> = env::args().skip(2).collect();
    let load = Load::start(
        &broker,
        match paths.is_empty() {
            true => PATHS.map(ToOwned::to_owned).to_vec(),
            false => paths,
        },
    );
    run(&broker, &load, false);
    println!("{driver}: {IDLE} idle clients, {MESSAGES_PER_SECOND} messages a second");
    println!("calls/s  turns/s  CPU of a turn  CPU of the broker  of the HTTP thread");
    let (mut without, mut with) = (Vec::new(), Vec::new());
    for _ in 0..RUNS {
        without.push(run(&broker, &load, false).tell());
        with.push(run(&broker, &load, true).tell());
    }
    let per_turn = |runs: &[Run]| median(runs.iter().map(Run::turn_us));
    let in_all = |runs: &[Run]| median(runs.iter().map(Run::broker_ms));
    let rise = per_turn(&with) / per_turn(&without) - 1.0;
    let more = in_all(&with) / in_all(&without) - 1.0;
    println!(
        "medians of {RUNS}: a turn {:.2} us without calls, {:.2} us with: {:+.1} %; the broker in all {:+.1} %",
        per_turn(&without),
        per_turn(&with),
        rise * 100.0,
        more * 100.0
    );
    match rise < RISE_MAX {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    }
}

struct Broker {
    child: Child,
    mqtt: SocketAddr,
    web: SocketAddr,
    token: String,
}

impl Broker {
    fn start(driver: &str) -> Self {
        let target = env::var("CARGO_TARGET_DIR").unwrap_or_else(|_| "target".into());
        let program = Path::new(&target).join("release/sanderling");
        let mut child = Command::new(&program)
            .args(["--listen", "127.0.0.1:0", "--management", "127.0.0.1:0"])
            .args(["--runtime", driver, "--log-level", "error"])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{}: {error}; build it first", program.display()));
        let output = child.stdout.take().expect("it is piped");
        let mut lines = BufReader::new(output).lines();
        let mut last_word = || {
            let line = lines.next().expect("a line").expect("text");
            line.rsplit([' ', '/'])
                .next()
                .unwrap_or_default()
                .to_owned()
        };
        Self {
            mqtt: last_word().parse().expect("an address"),
            web: last_word().parse().expect("an address"),
            token: last_word(),
            child,
        }
    }

    /// What its threads have used so far.
    fn usage(&self) -> Usage {
        let mut usage = Usage::default();
        let tasks = fs::read_dir(format!("/proc/{}/task", self.child.id())).expect("its threads");
        for task in tasks.flatten() {
            let read = |file| fs::read_to_string(task.path().join(file)).unwrap_or_default();
            let schedstat = read("schedstat");
            let cpu_ns = schedstat.split(' ').next().and_then(|ns| ns.parse().ok());
            let cpu_ns: u64 = cpu_ns.unwrap_or(0);
            if read("comm").trim() == HTTP {
                usage.http_ns += cpu_ns;
                continue;
            }
            usage.broker_ns += cpu_ns;
            let status = read("status");
            let slept = status
                .lines()
                .find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"));
            usage.turns += slept
                .and_then(|count| count.trim().parse::<u64>().ok())
                .unwrap_or(0);
        }
        usage
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[derive(Clone, Copy, Default)]
struct Usage {
    broker_ns: u64,
    http_ns: u64,
    turns: u64,
}

/// A client that is connected, of 3.1.1 and without keep alive.
fn connect(address: SocketAddr, client_id: &str) -> TcpStream {
    let mut stream = TcpStream::connect(address).expect("a connection");
    let id_len = u8::try_from(client_id.len()).expect("a short identifier");
    let mut packet = vec![0x10, 12 + id_len, 0, 4];
    packet.extend_from_slice(b"MQTT\x04\x02\x00\x00\x00");
    packet.push(id_len);
    packet.extend_from_slice(client_id.as_bytes());
    stream.write_all(&packet).expect("CONNECT");
    let mut answer = [0; 4];
    stream.read_exact(&mut answer).expect("CONNACK");
    assert_eq!(answer, [0x20, 2, 0, 0]);
    stream
}

/// Who publishes, who subscribes, and who calls, while the program runs.
struct Load {
    calls: Arc<AtomicU64>,
    is_calling: Arc<AtomicBool>,
}

impl Load {
    fn start(broker: &Broker, paths: Vec<String>) -> Self {
        let mut subscriber = connect(broker.mqtt, "subscriber");
        subscriber
            .write_all(b"\x82\x09\x00\x01\x00\x04load\x00")
            .expect("SUBSCRIBE");
        let mut suback = [0; 5];
        subscriber.read_exact(&mut suback).expect("SUBACK");
        thread::spawn(move || {
            let mut bytes = [0; 65536];
            while subscriber.read(&mut bytes).is_ok_and(|len| len > 0) {}
        });
        let mut publisher = connect(broker.mqtt, "publisher");
        publisher.set_nodelay(true).expect("a socket option");
        thread::spawn(move || {
            let message = [b"\x30\x46\x00\x04load".as_slice(), &[b'x'; 64]].concat();
            every(MESSAGES_PER_SECOND, || {
                publisher.write_all(&message).is_ok()
            });
        });
        let load = Self {
            calls: Arc::default(),
            is_calling: Arc::default(),
        };
        let (calls, is_calling) = (Arc::clone(&load.calls), Arc::clone(&load.is_calling));
        let (web, token) = (broker.web, broker.token.clone());
        thread::spawn(move || {
            let mut paths = paths.iter().cycle();
            every(CALLS_PER_SECOND, || {
                if is_calling.load(Relaxed) {
                    call(web, &token, paths.next().expect("they begin again"));
                    calls.fetch_add(1, Relaxed);
                }
                true
            });
        });
        load
    }
}

/// Does it so often a second, as long as it says true. What is late is made up for.
fn every(per_second: u32, mut act: impl FnMut() -> bool) {
    let begin = Instant::now();
    let mut due = begin;
    while act() {
        due += Duration::from_secs(1) / per_second;
        thread::sleep(due.saturating_duration_since(Instant::now()));
    }
}

fn call(address: SocketAddr, token: &str, path: &str) {
    let mut stream = TcpStream::connect(address).expect("the management API");
    let request = format!(
        "GET {path} HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {token}\r\nConnection: close\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).expect("a request");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    assert!(answer.starts_with("HTTP/1.1 200"), "{path}: {answer}");
}

/// What was used in one run.
struct Run {
    usage: Usage,
    calls: u64,
    seconds: f64,
}

fn run(broker: &Broker, load: &Load, with_calls: bool) -> Run {
    load.is_calling.store(with_calls, Relaxed);
    // What is under way comes to its end before the clock starts.
    thread::sleep(Duration::from_millis(500));
    let (before, calls, begin) = (broker.usage(), load.calls.load(Relaxed), Instant::now());
    thread::sleep(RUN);
    let after = broker.usage();
    load.is_calling.store(false, Relaxed);
    Run {
        usage: Usage {
            broker_ns: after.broker_ns - before.broker_ns,
            http_ns: after.http_ns - before.http_ns,
            turns: after.turns - before.turns,
        },
        calls: load.calls.load(Relaxed) - calls,
        seconds: begin.elapsed().as_secs_f64(),
    }
}

impl Run {
    fn turn_us(&self) -> f64 {
        self.usage.broker_ns as f64 / self.usage.turns as f64 / 1e3
    }

    /// In each second.
    fn broker_ms(&self) -> f64 {
        self.usage.broker_ns as f64 / self.seconds / 1e6
    }

    fn tell(self) -> Self {
        println!(
            "{:7.1}  {:7.0}  {:10.2} us  {:12.2} ms/s  {:12.2} ms/s",
            self.calls as f64 / self.seconds,
            self.usage.turns as f64 / self.seconds,
            self.turn_us(),
            self.broker_ms(),
            self.usage.http_ns as f64 / self.seconds / 1e6
        );
        self
    }
}
