//! What clients that do not finish their TLS handshakes leave to those who do.
//!
//! The capacity to accept is good clients in a second of the broker's CPU time. Three kinds of run take turns: good clients
//! alone; among half-open handshakes that stand; and among those that are replaced as fast as if the broker ended each
//! after ten seconds. The second shows what it costs to have them, the third what it costs to take them, which at capacity
//! is a part of each second. What is left is the product.

use crate::{
    DRIVERS,
    broker::{Broker, Transport},
    client::{Address, full_handshakes},
    figures::median,
};
use sanderling_tests::peer::{Below, Cut, Link};
use socket2::Socket;
use std::{
    collections::VecDeque,
    io::{Read, Write},
    net::Ipv4Addr,
    process::ExitCode,
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

const RUNS: usize = 9;
/// Good clients in a run, and how many connect at a time.
const GOOD: usize = 3000;
const AT_ONCE: usize = 4;
/// How long a half-open handshake stands until it is replaced: what the broker allows unless somebody says otherwise.
const STANDS: Duration = Duration::from_secs(10);
/// What good clients must be left.
const LEFT_MIN: f64 = 0.95;

/// How far a half-open handshake got.
#[derive(Clone, Copy, Debug)]
enum HalfOpen {
    /// Half of a ClientHello came.
    Hello,
    /// All of it; the broker has answered, and waits.
    Answered,
}

impl HalfOpen {
    fn what(self) -> &'static str {
        match self {
            Self::Hello => "half a ClientHello",
            Self::Answered => "a ClientHello, answered",
        }
    }
}

pub(crate) fn run(half_open: usize) -> ExitCode {
    println!(
        "{half_open} half-open handshakes; CPU of a good client, medians of {RUNS} runs of {GOOD}"
    );
    println!("driver  half-open                   alone  they stand   replacing  is left  bytes");
    let mut enough = true;
    for driver in DRIVERS {
        let left = compare(driver, HalfOpen::Hello, half_open);
        enough &= left >= LEFT_MIN;
        compare(driver, HalfOpen::Answered, half_open);
    }
    match enough {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    }
}

/// Prints a line; the part of the capacity that is left.
fn compare(driver: &str, kind: HalfOpen, half_open: usize) -> f64 {
    // Here they end when this program says so.
    let broker = Broker::start(driver, Transport::Tls, "tls-deadline=3600");
    connect_good(&broker);
    let (mut alone, mut kept, mut replacing) = (Vec::new(), Vec::new(), Vec::new());
    let mut bytes = Vec::new();
    for _ in 0..RUNS {
        let by_themselves = connect_good(&broker).per_client_us;
        let before = broker.resident_bytes();
        let crowd = Crowd::gather(&broker.address, kind, half_open);
        bytes.push((broker.resident_bytes() - before) / half_open as f64);
        let held = connect_good(&broker).per_client_us;
        crowd.replace();
        let replaced = connect_good(&broker);
        crowd.leave();
        alone.push(by_themselves);
        // Of neighbours in time, so that a machine that becomes slower changes nothing.
        kept.push(by_themselves / held);
        replacing.push((replaced.per_client_us - held) * GOOD as f64 / replaced.took_us);
    }
    // What the first crowd leaves behind the others find.
    let bytes = bytes[0];
    let of = |values: Vec<f64>| median(values.into_iter());
    let (alone, kept, replacing) = (of(alone), of(kept), of(replacing));
    let left = kept * (1.0 - replacing);
    println!(
        "{driver:<7} {:<23} {alone:7.1} us  {:8.1} %  {:8.1} %  {:5.1} %  {bytes:5.0}",
        kind.what(),
        kept * 100.0,
        replacing * 100.0,
        left * 100.0
    );
    left
}

struct Good {
    /// CPU time of the broker.
    per_client_us: f64,
    took_us: f64,
}

fn connect_good(broker: &Broker) -> Good {
    let (before, begin) = (broker.cpu_us(), Instant::now());
    thread::scope(|scope| {
        for thread in 0..AT_ONCE {
            scope.spawn(move || {
                for number in 0..GOOD / AT_ONCE {
                    let id = format!("good-{thread}-{number}");
                    broker.address.connect(Below::Tls, &id);
                }
            });
        }
    });
    Good {
        per_client_us: (broker.cpu_us() - before) / GOOD as f64,
        took_us: micros(begin),
    }
}

fn micros(since: Instant) -> f64 {
    since.elapsed().as_secs_f64() * 1e6
}

/// Half-open handshakes, on a thread that replaces them when it is told to.
struct Crowd {
    orders: mpsc::Sender<Order>,
    thread: thread::JoinHandle<()>,
}

enum Order {
    Replace,
    Leave,
}

impl Crowd {
    /// Returns once all are there.
    fn gather(address: &Address, kind: HalfOpen, count: usize) -> Self {
        let (gathered, all) = mpsc::channel();
        let (orders, ordered) = mpsc::channel();
        let address = address.clone();
        let thread = thread::spawn(move || {
            let hello = hello(kind);
            let new = |number| half_open(&address, number, kind, &hello);
            let mut open: VecDeque<_> = (0..count).map(new).collect();
            gathered.send(()).expect("somebody waits");
            if matches!(ordered.recv(), Ok(Order::Leave) | Err(_)) {
                return;
            }
            let mut due = Instant::now();
            for number in 0.. {
                due += STANDS / count as u32;
                if let Ok(Order::Leave) = ordered.try_recv() {
                    return;
                }
                thread::sleep(due.saturating_duration_since(Instant::now()));
                open.pop_front();
                open.push_back(new(number));
            }
        });
        all.recv().expect("the crowd gathers");
        Self { orders, thread }
    }

    fn replace(&self) {
        self.orders
            .send(Order::Replace)
            .expect("the crowd is there");
    }

    fn leave(self) {
        self.orders.send(Order::Leave).expect("the crowd is there");
        self.thread.join().expect("the crowd leaves");
    }
}

/// Each comes from one of many addresses, so that there are ports for all.
fn half_open(address: &Address, number: usize, kind: HalfOpen, hello: &[u8]) -> Socket {
    let host = 2 + (number % 200) as u8;
    let mut socket = address.open_from(Some(Ipv4Addr::new(127, 0, 0, host)));
    socket.write_all(hello).expect("the broker reads");
    if matches!(kind, HalfOpen::Answered) {
        socket.read_exact(&mut [0]).expect("the broker answers");
    }
    socket
}

/// What the client of a half-open handshake sends.
fn hello(kind: HalfOpen) -> Vec<u8> {
    let mut hello = Link::with(Below::Tls, Cut::default(), full_handshakes()).take_wire();
    if matches!(kind, HalfOpen::Hello) {
        hello.truncate(hello.len() / 2);
    }
    hello
}
