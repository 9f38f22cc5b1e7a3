//! Scenarios G and H: many connections, 64 at a time, and what each costs the broker.
//!
//! Every client goes through the same few exchanges, one packet and its answer each. In the report a *delivery* is an
//! answered client: CPU per delivery is CPU per connection. Loopback has about 28,000 ports for one address of a
//! broker, and a process as many sockets as `ulimit -n` says; both bound the number of clients.

use std::io::{ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::sync::atomic::Ordering;
use std::time::Instant;

use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};

use crate::failure::Failure;
use crate::plan::{Plan, Scenario};
use crate::report::{BrokerUse, Report, Resident};
use crate::usage;
use crate::watch::{Reading, Watch, resident_bytes};
use crate::wire::{self, Login, PINGREQ, Version, packet_type};

/// How many clients are at work at the same time.
const AT_A_TIME: usize = 64;

/// What every client does, in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Exchange {
    Connect,
    Subscribe,
    Ping,
}

/// Opens the connections of `plan` and keeps them; in scenario H each subscribes, and all are pinged at the end.
pub(crate) fn run(plan: &Plan, address: SocketAddr, watch: &Watch<'_>) -> Result<Report, Failure> {
    let mut crowd = Crowd {
        poll: Poll::new().map_err(Failure::io("poll"))?,
        address,
        version: plan.version,
        prefix: plan.prefix.clone(),
        login: plan.login.clone(),
        clients: Vec::with_capacity(plan.subscribers),
        refused: 0,
    };
    let resident_before = resident_bytes(watch)?;
    let strace = watch.strace()?;
    let before = Reading::take(watch)?;
    let start = Instant::now();
    let idle = plan.scenario == Scenario::H;
    let opening: &[Exchange] = if idle {
        &[Exchange::Connect, Exchange::Subscribe]
    } else {
        &[Exchange::Connect]
    };
    let mut answered = crowd.work(opening, plan.subscribers, watch)?;
    let resident_after = resident_bytes(watch)?;
    if idle && answered == plan.subscribers {
        answered = crowd.work(&[Exchange::Ping], plan.subscribers, watch)?;
    }
    let seconds = start.elapsed().as_secs_f64();
    let after = Reading::take(watch)?;

    let delivered = answered as u64;
    let calls = strace.map(|strace| strace.finish(delivered)).transpose()?;
    let broker = match (watch.broker_pid, before.broker, after.broker) {
        (Some(pid), Some(before), Some(after)) => {
            let most = usage::resident_bytes_max(pid);
            let most = most.map_err(Failure::io("memory of the broker"))?;
            Some(BrokerUse::new(after.since(before), most, delivered))
        }
        _ => None,
    };
    let unanswered = plan.subscribers as u64 - delivered;
    Ok(Report {
        published: plan.subscribers as u64,
        delivered,
        seconds,
        delivered_per_second: delivered as f64 / seconds,
        generator_cpu_ns_per_delivery: (after.own_ns - before.own_ns) as f64
            / delivered.max(1) as f64,
        broker,
        resident: Resident::of(
            "connection",
            resident_before,
            resident_after,
            plan.subscribers as u64,
        ),
        system_calls: calls,
        refused: crowd.refused,
        stalled: unanswered > 0,
        violations: unanswered + crowd.refused,
        ..Report::of(plan)
    })
}

struct Crowd {
    poll: Poll,
    address: SocketAddr,
    version: Version,
    prefix: String,
    login: Option<Login>,
    clients: Vec<Client>,
    /// CONNACK or SUBACK with an error code.
    refused: u64,
}

struct Client {
    stream: TcpStream,
    received: Vec<u8>,
    /// Exchanges of the present list that are answered.
    done: usize,
    /// The packet of the present exchange is written.
    asked: bool,
}

impl Crowd {
    /// Takes clients `0..count` through `exchanges`, some at a time. Returns how many came through.
    fn work(
        &mut self,
        exchanges: &[Exchange],
        count: usize,
        watch: &Watch<'_>,
    ) -> Result<usize, Failure> {
        let mut events = Events::with_capacity(1024);
        let (mut begun, mut finished) = (0, 0);
        while finished < count {
            while begun < count && begun - finished < AT_A_TIME {
                finished += usize::from(self.begin(begun, exchanges)?);
                begun += 1;
            }
            if finished == begun {
                continue;
            }
            match self.poll.poll(&mut events, Some(watch.stall)) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                result => result.map_err(Failure::io("poll"))?,
            }
            if watch.interrupted.load(Ordering::Relaxed) {
                return Err(Failure::Interrupted);
            }
            if events.is_empty() {
                return Ok(finished);
            }
            for event in events.iter() {
                let index = event.token().0;
                if self.clients[index].done < exchanges.len() {
                    finished += usize::from(self.proceed(index, exchanges)?);
                }
            }
        }
        Ok(finished)
    }

    /// Opens client `index`, or lets an open one start over with a new list of exchanges, which may end at once: true.
    fn begin(&mut self, index: usize, exchanges: &[Exchange]) -> Result<bool, Failure> {
        if let Some(client) = self.clients.get_mut(index) {
            (client.done, client.asked) = (0, false);
            return self.proceed(index, exchanges);
        }
        let doing = || format!("connection {index}");
        let mut stream = TcpStream::connect(self.address).map_err(Failure::io(doing()))?;
        let interest = Interest::READABLE | Interest::WRITABLE;
        let registered = self
            .poll
            .registry()
            .register(&mut stream, Token(index), interest);
        registered.map_err(Failure::io(doing()))?;
        self.clients.push(Client {
            stream,
            received: Vec::new(),
            done: 0,
            asked: false,
        });
        Ok(false)
    }

    /// Writes and reads as far as the socket of client `index` allows. True if it came through.
    fn proceed(&mut self, index: usize, exchanges: &[Exchange]) -> Result<bool, Failure> {
        while let Some(exchange) = exchanges.get(self.clients[index].done) {
            if !self.clients[index].asked && !self.ask(index, *exchange)? {
                return Ok(false);
            }
            if !self.answered(index, *exchange)? {
                return Ok(false);
            }
            self.clients[index].asked = false;
            self.clients[index].done += 1;
        }
        Ok(true)
    }

    /// Writes the packet of `exchange`; false while the connection is not open yet.
    fn ask(&mut self, index: usize, exchange: Exchange) -> Result<bool, Failure> {
        let packet = match exchange {
            Exchange::Connect => {
                let client_id = format!("{}-{index}", self.prefix);
                wire::encode_connect(self.version, &client_id, self.login.as_ref())
            }
            Exchange::Subscribe => {
                let filter = format!("{}/{index:05}", self.prefix);
                wire::encode_subscribe(self.version, &[filter], 0)
            }
            Exchange::Ping => PINGREQ.to_vec(),
        };
        let client = &mut self.clients[index];
        match client.stream.write(&packet) {
            Ok(written) if written == packet.len() => client.asked = true,
            Ok(_) => {
                return Err(Failure::Broker(format!(
                    "connection {index} takes no packet"
                )));
            }
            Err(error)
                if matches!(
                    error.kind(),
                    ErrorKind::WouldBlock | ErrorKind::NotConnected
                ) =>
            {
                let failed = client.stream.take_error().map_err(Failure::io("socket"))?;
                if let Some(error) = failed {
                    return Err(Failure::Io {
                        doing: format!("connection {index}"),
                        error,
                    });
                }
            }
            Err(error) => {
                return Err(Failure::Io {
                    doing: format!("connection {index}"),
                    error,
                });
            }
        }
        Ok(client.asked)
    }

    /// Reads the answer to `exchange`; false while it has not come.
    fn answered(&mut self, index: usize, exchange: Exchange) -> Result<bool, Failure> {
        let wrong = |what: String| Failure::Broker(format!("connection {index}: {what}"));
        let client = &mut self.clients[index];
        loop {
            let frame = wire::next_frame(&client.received);
            if let Some(frame) = frame.map_err(|error| wrong(error.to_string()))? {
                let code = match (exchange, frame.packet_type()) {
                    (Exchange::Connect, packet_type::CONNACK) => {
                        wire::connack(frame, self.version).map(|connack| connack.code)
                    }
                    (Exchange::Subscribe, packet_type::SUBACK) => {
                        let codes = wire::suback_codes(frame, self.version);
                        codes.map(|codes| codes.first().copied().unwrap_or(0x80))
                    }
                    (Exchange::Ping, packet_type::PINGRESP) => Ok(0),
                    (_, other) => return Err(wrong(format!("unexpected packet type {other}"))),
                };
                self.refused += u64::from(code.map_err(|error| wrong(error.to_string()))? != 0);
                client.received.clear();
                return Ok(true);
            }
            let mut chunk = [0; 256];
            match client.stream.read(&mut chunk) {
                Ok(0) => return Err(wrong("the broker closed it".into())),
                Ok(count) => client.received.extend_from_slice(&chunk[..count]),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(false),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(wrong(error.to_string())),
            }
        }
    }
}
