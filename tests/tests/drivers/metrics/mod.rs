//! Metrics: what a scrape tells is what clients have done.

mod own;
mod seed;
mod serving;

use super::{
    client::Client,
    serve::{Serve, Served},
};
use sanderling_core::packet::{Connect, Properties, Version};
use sanderling_prometheus::Prometheus;
use sanderling_runtime::Builder;
use sanderling_tests::exposition::Scrape;
use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    time::Duration,
};

/// A broker with metrics.
pub(crate) struct Measured {
    pub(crate) served: Served,
    pub(crate) metrics: SocketAddr,
    /// PINGREQs that were answered.
    pings: u64,
}

pub(crate) fn measured<D: Serve>(make: impl FnOnce(Builder<D>) -> Builder<D>) -> Measured {
    let (metrics, address) = metrics_somewhere();
    let builder = make(Builder::default().listen("127.0.0.1:0").unwrap());
    Measured {
        served: D::serve(builder.plugin(metrics)),
        metrics: address,
        pings: 0,
    }
}

/// Metrics at a port that the system chose.
pub(crate) fn metrics_somewhere() -> (Prometheus, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    (Prometheus::on(listener), address)
}

impl Measured {
    pub(crate) fn connect(&self, client_id: &str) -> Client {
        Client::connect(self.served.address, client_id)
    }

    /// A scrape that knows all that was done before. `witness` pings: figures that know of the last ping know of all
    /// that came before, however many scrapes share older ones.
    pub(crate) fn scrape(&mut self, witness: &mut Client) -> Scrape {
        witness.barrier();
        self.pings += 1;
        loop {
            let scrape = scrape(self.metrics);
            let pings = scrape.value("mqtt_packets_sent_total", &[("type", "PINGRESP")]);
            if pings == Some(self.pings as f64) {
                return scrape;
            }
        }
    }
}

/// The figures of now, or of a moment ago.
pub(crate) fn scrape(metrics: SocketAddr) -> Scrape {
    let answer = get(metrics, "GET /metrics", "");
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
    assert!(
        head.contains("content-type: text/plain; version=0.0.4"),
        "{head}"
    );
    Scrape::parse(body).unwrap()
}

/// One request and its answer, until the connection ends.
pub(crate) fn get(metrics: SocketAddr, request: &str, headers: &str) -> String {
    let mut stream = TcpStream::connect(metrics).unwrap();
    stream
        .set_read_timeout(Some(Duration::from_secs(20)))
        .unwrap();
    write!(
        stream,
        "{request} HTTP/1.1\r\nhost: metrics\r\nconnection: close\r\n{headers}\r\n"
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

/// A 3.1.1 client whose session outlives its connection.
pub(crate) fn persistent(client_id: &str) -> Connect<'_> {
    Connect {
        version: Version::V311,
        client_id,
        clean_start: false,
        keep_alive_s: 60,
        username: None,
        password: None,
        will: None,
        properties: Properties::EMPTY,
    }
}
