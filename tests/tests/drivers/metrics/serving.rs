//! How metrics are served: to whom, where, from when to when, and what it costs.

use super::{get, measured, metrics_somewhere, scrape};
use crate::serve::{Serve, in_the_end};
use sanderling_prometheus::Prometheus;
use sanderling_runtime::{Builder, Handle, Plugin, PluginError};
use sanderling_tests::exposition::Scrape;
use std::{
    net::{SocketAddr, TcpListener, TcpStream},
    sync::mpsc::{Sender, channel},
    thread,
    time::Instant,
};

crate::on_shipped_drivers! {
    scrapes_at_the_same_time_share_one_look
    a_scrape_needs_the_token_and_the_path
    d3_an_address_in_use_stops_the_start
    pl4_the_port_is_free_once_the_broker_has_stopped
    l1_a_scrape_before_the_start_is_answered_after_it
}

fn scrapes_at_the_same_time_share_one_look<D: Serve>() {
    const SCRAPERS: usize = 4;
    const SCRAPES: usize = 25;
    let measured = measured::<D>(|builder| builder);
    let begun = Instant::now();
    // Nobody but scrapers makes the broker take a turn, so a look is told from another by the number of turns before.
    let scraper = |metrics: SocketAddr| {
        move || -> Vec<u64> {
            let turns =
                |scrape: &Scrape| scrape.value("sanderling_turn_duration_seconds_count", &[]);
            (0..SCRAPES)
                .map(|_| turns(&scrape(metrics)).unwrap() as u64)
                .collect()
        }
    };
    let threads: Vec<_> = (0..SCRAPERS)
        .map(|_| thread::spawn(scraper(measured.metrics)))
        .collect();
    let mut looks: Vec<_> = threads
        .into_iter()
        .flat_map(|thread| thread.join().unwrap())
        .collect();
    assert_eq!(looks.len(), SCRAPERS * SCRAPES);
    looks.sort_unstable();
    looks.dedup();
    let periods = begun.elapsed().as_millis() / 100 + 1;
    assert!(
        looks.len() as u128 <= periods,
        "{} looks in {periods} tenths of a second",
        looks.len()
    );
}

fn a_scrape_needs_the_token_and_the_path<D: Serve>() {
    let (metrics, address) = metrics_somewhere();
    let metrics = metrics.path("/figures").token("canary");
    assert!(!format!("{metrics:?}").contains("canary"));
    let _served = D::serve(
        Builder::default()
            .listen("127.0.0.1:0")
            .unwrap()
            .plugin(metrics),
    );
    let status = |request: &str, headers: &str| {
        let answer = get(address, request, headers);
        assert!(!answer.contains("canary"));
        answer.split(' ').nth(1).unwrap().to_owned()
    };
    let right = "authorization: Bearer canary\r\n";
    assert_eq!(status("GET /figures", right), "200");
    assert_eq!(status("HEAD /figures", right), "200");
    assert_eq!(status("GET /figures", ""), "401");
    assert_eq!(
        status("GET /figures", "authorization: Bearer canarx\r\n"),
        "401"
    );
    assert_eq!(
        status("GET /figures", "authorization: Basic canary\r\n"),
        "401"
    );
    assert_eq!(status("POST /figures", right), "405");
    assert_eq!(status("GET /metrics", right), "404");
    assert_eq!(status("GET /", right), "404");
}

fn d3_an_address_in_use_stops_the_start<D: Serve>() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let metrics = Prometheus::new(taken.local_addr().unwrap());
    let builder = Builder::default().listen("127.0.0.1:0").unwrap();
    let Err(error) = D::try_serve(builder.plugin(metrics)) else {
        panic!("it started");
    };
    let (text, address) = (error.to_string(), taken.local_addr().unwrap().to_string());
    assert!(
        text.contains("plugin prometheus cannot be loaded: ") && text.contains(&address),
        "{text}"
    );
    let builder = Builder::default().listen("127.0.0.1:0").unwrap();
    assert!(D::try_serve(builder.plugin(metrics_somewhere().0.path("metrics"))).is_err());
}

fn pl4_the_port_is_free_once_the_broker_has_stopped<D: Serve>() {
    let measured = measured::<D>(|builder| builder);
    let address = measured.metrics;
    // A connection that says nothing does not keep it from ending.
    let _silent = TcpStream::connect(address).unwrap();
    measured.served.handle.stop();
    measured.served.join();
    in_the_end(|| TcpListener::bind(address));
}

/// Scrapes while it is being loaded, before the broker runs.
struct Eager(SocketAddr, Sender<String>);

impl Plugin for Eager {
    fn name(&self) -> &str {
        "eager"
    }

    fn load(&mut self, _: &Handle) -> Result<(), PluginError> {
        let (metrics, answers) = (self.0, self.1.clone());
        thread::spawn(move || answers.send(get(metrics, "GET /metrics", "")).unwrap());
        Ok(())
    }
}

fn l1_a_scrape_before_the_start_is_answered_after_it<D: Serve>() {
    let (told, answers) = channel();
    let _measured = {
        let (metrics, address) = metrics_somewhere();
        let eager = Eager(address, told);
        D::serve(
            Builder::default()
                .listen("127.0.0.1:0")
                .unwrap()
                .plugin(metrics)
                .plugin(eager),
        )
    };
    let answer = answers.recv().unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
}
