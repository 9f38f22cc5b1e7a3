//! What scrapes cost the broker while ten thousand idle clients are connected to it.
//!
//! ```text
//! cargo run --release -p sanderling-tests --example scrapes -- [mio|tokio] [SECONDS]
//! ```
//!
//! The clients are a process of their own. They do what idle clients do: each says PINGREQ once in half its keep alive, a
//! minute. Windows without scrapes and windows with fifty a second take turns, five of each; in each, the CPU time of the
//! broker's threads is divided by the turns it took. Compared are the medians. The threads that serve HTTP are told apart:
//! they share neither the broker's thread nor its lock.

use sanderling_core::packet::{ClientPacket, Connect, Properties, Version};
use sanderling_prometheus::Prometheus;
use sanderling_runtime::{Builder, Driver, Handle};
use std::{
    env,
    error::Error,
    fs,
    io::{self, BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    process::{Child, Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

type Outcome<T> = Result<T, Box<dyn Error>>;

const CLIENTS: usize = 10_000;
const KEEP_ALIVE_S: u16 = 60;
const SCRAPES_PER_SECOND: u32 = 50;
const RUNS: usize = 5;
/// Names of threads, as the system cuts them.
const BROKER: &str = "sanderling";
const HTTP: &str = "prometheus";

fn main() -> Outcome<()> {
    let arguments: Vec<_> = env::args().skip(1).collect();
    if let [role, address] = &arguments[..]
        && role == "clients"
    {
        return clients(address.parse()?);
    }
    let seconds = arguments.get(1).map_or(Ok(10), |text| text.parse())?;
    let window = Duration::from_secs(seconds);
    match arguments.first().map(String::as_str) {
        None | Some("mio") => on_mio(window),
        Some("tokio") => on_tokio(window),
        Some(other) => Err(format!("{other:?} is no driver: mio, tokio").into()),
    }
}

fn on_mio(window: Duration) -> Outcome<()> {
    let (builder, metrics) = prepare::<sanderling_mio::Broker>()?;
    let running = builder.start()?;
    compare(&running.handle(), running.local_addrs()[0], metrics, window)?;
    running.stop();
    Ok(running.join()?)
}

fn on_tokio(window: Duration) -> Outcome<()> {
    let (builder, metrics) = prepare::<sanderling_tokio::Broker>()?;
    let mut threads = tokio::runtime::Builder::new_multi_thread();
    let threads = threads.thread_name(BROKER).enable_all().build()?;
    let running = threads.block_on(async { builder.start() })?;
    compare(&running.handle(), running.local_addrs()[0], metrics, window)?;
    running.handle().stop();
    Ok(threads.block_on(running.join())?)
}

fn prepare<D: Driver>() -> Outcome<(Builder<D>, SocketAddr)> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let metrics = listener.local_addr()?;
    let builder = Builder::default().plugin(Prometheus::on(listener));
    Ok((builder.listen("127.0.0.1:0")?, metrics))
}

/// Measures and prints.
fn compare(
    handle: &Handle,
    broker: SocketAddr,
    metrics: SocketAddr,
    window: Duration,
) -> Outcome<()> {
    let _crowd = Crowd::connect(broker)?;
    println!("{CLIENTS} clients, {SCRAPES_PER_SECOND} scrapes/s, windows of {window:?}");
    println!(
        "{:<10}{:>8}{:>10}{:>14}{:>12}",
        "scrapes", "turns/s", "us/turn", "broker us/s", "http us/s"
    );
    let (mut without, mut with) = (Vec::new(), Vec::new());
    for _ in 0..RUNS {
        without.push(Window::measure(handle, window, None)?);
        with.push(Window::measure(handle, window, Some(metrics))?);
    }
    let (before, after) = (median(&without), median(&with));
    println!(
        "median of {RUNS}: {before:.3} us/turn without, {after:.3} with: {:+.1} %",
        (after / before - 1.0) * 100.0
    );
    Ok(())
}

fn median(windows: &[Window]) -> f64 {
    let mut figures: Vec<_> = windows.iter().map(Window::micros_per_turn).collect();
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}

/// What was used in one window.
struct Window {
    turns: u64,
    broker_ns: u64,
}

impl Window {
    fn measure(handle: &Handle, window: Duration, scraped: Option<SocketAddr>) -> Outcome<Self> {
        let over = Arc::new(AtomicBool::new(false));
        let scraper = scraped.map(|address| {
            let over = Arc::clone(&over);
            thread::spawn(move || scrape_until(address, &over))
        });
        let (turns, broker, http) = (turns(handle)?, cpu_ns(BROKER)?, cpu_ns(HTTP)?);
        thread::sleep(window);
        let (turns, broker_ns) = (self::turns(handle)? - turns, cpu_ns(BROKER)? - broker);
        let http_ns = cpu_ns(HTTP)? - http;
        over.store(true, Ordering::Relaxed);
        if let Some(scraper) = scraper {
            scraper.join().map_err(|_| "the scraper panicked")??;
        }
        let measured = Self { turns, broker_ns };
        let seconds = window.as_secs_f64();
        println!(
            "{:<10}{:>8.0}{:>10.3}{:>14.0}{:>12.0}",
            if scraped.is_some() { "with" } else { "without" },
            turns as f64 / seconds,
            measured.micros_per_turn(),
            broker_ns as f64 / 1000.0 / seconds,
            http_ns as f64 / 1000.0 / seconds,
        );
        Ok(measured)
    }

    fn micros_per_turn(&self) -> f64 {
        self.broker_ns as f64 / 1000.0 / self.turns as f64
    }
}

fn turns(handle: &Handle) -> Outcome<u64> {
    let look = handle.measure_async(|_, measures| measures.turns.count());
    Ok(pollster::block_on(look)?)
}

/// CPU time of all threads of this process whose names begin like this.
fn cpu_ns(name: &str) -> Outcome<u64> {
    let mut sum = 0;
    for task in fs::read_dir("/proc/self/task")? {
        let task = task?.path();
        if fs::read_to_string(task.join("comm"))?.starts_with(name) {
            let times = fs::read_to_string(task.join("schedstat"))?;
            let on_cpu = times.split(' ').next().ok_or("schedstat is empty")?;
            sum += on_cpu.parse::<u64>()?;
        }
    }
    Ok(sum)
}

/// Scrapes by the clock, on one connection, as Prometheus does.
fn scrape_until(address: SocketAddr, over: &AtomicBool) -> io::Result<()> {
    let mut stream = BufReader::new(TcpStream::connect(address)?);
    let period = Duration::from_secs(1) / SCRAPES_PER_SECOND;
    let begun = Instant::now();
    for number in 1.. {
        if over.load(Ordering::Relaxed) {
            break;
        }
        stream
            .get_mut()
            .write_all(b"GET /metrics HTTP/1.1\r\nhost: metrics\r\n\r\n")?;
        let mut len = 0;
        loop {
            let mut line = String::new();
            stream.read_line(&mut line)?;
            if line == "\r\n" {
                break;
            }
            if let Some(value) = line.to_lowercase().strip_prefix("content-length: ") {
                len = value.trim().parse().map_err(io::Error::other)?;
            }
        }
        stream.read_exact(&mut vec![0; len])?;
        thread::sleep((begun + period * number).saturating_duration_since(Instant::now()));
    }
    Ok(())
}

/// The process of the clients; it ends when this is dropped.
struct Crowd(Child);

impl Crowd {
    /// Returns when all are connected.
    fn connect(broker: SocketAddr) -> Outcome<Self> {
        let mut process = Command::new(env::current_exe()?)
            .args(["clients", &broker.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let output = process.stdout.take().ok_or("it has an output")?;
        let crowd = Self(process);
        let mut line = String::new();
        BufReader::new(output).read_line(&mut line)?;
        match line.trim() {
            "connected" => Ok(crowd),
            _ => {
                Err("the clients could not connect; is the limit of open files high enough?".into())
            }
        }
    }
}

impl Drop for Crowd {
    fn drop(&mut self) {
        // Its input ends, and it with it.
        drop(self.0.stdin.take());
        let _ = self.0.wait();
    }
}

/// The process of the clients.
fn clients(broker: SocketAddr) -> Outcome<()> {
    let mut streams = Vec::with_capacity(CLIENTS);
    for number in 0..CLIENTS {
        let mut stream = TcpStream::connect(broker)?;
        stream.set_nodelay(true)?;
        send(
            &mut stream,
            &ClientPacket::Connect(Box::new(connect(&number.to_string()))),
        )?;
        // A CONNACK of 3.1.1.
        stream.read_exact(&mut [0; 4])?;
        streams.push(stream);
    }
    println!("connected");
    let over = Arc::new(AtomicBool::new(false));
    let told = Arc::clone(&over);
    thread::spawn(move || {
        let _ = io::stdin().read(&mut [0]);
        told.store(true, Ordering::Relaxed);
    });
    let period = Duration::from_secs(KEEP_ALIVE_S.into()) / u32::try_from(CLIENTS)?;
    let begun = Instant::now();
    for number in 0_u32.. {
        if over.load(Ordering::Relaxed) {
            break;
        }
        let stream = &mut streams[number as usize % CLIENTS];
        send(stream, &ClientPacket::PingReq)?;
        stream.read_exact(&mut [0; 2])?;
        thread::sleep((begun + period * number).saturating_duration_since(Instant::now()));
    }
    Ok(())
}

fn connect(client_id: &str) -> Connect<'_> {
    Connect {
        version: Version::V311,
        client_id,
        clean_start: true,
        keep_alive_s: 2 * KEEP_ALIVE_S,
        username: None,
        password: None,
        will: None,
        properties: Properties::EMPTY,
    }
}

fn send(stream: &mut TcpStream, packet: &ClientPacket<'_>) -> Outcome<()> {
    let mut bytes = Vec::new();
    packet
        .encode(Version::V311, &mut bytes)
        .map_err(|error| format!("{error:?}"))?;
    Ok(stream.write_all(&bytes)?)
}
