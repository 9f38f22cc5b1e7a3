//! A broker inside an axum application.

use super::support::{Client, DEADLINE, Program, Who, http};
use rustix::process::Signal;
use sanderling_core::{packet::QoS, reason::ReasonCode};
use std::{
    io::{Read, Write},
    net::TcpStream,
};

fn start() -> (Program, Client, String) {
    let program = env!("CARGO_BIN_EXE_axum_app");
    let mut program = Program::start(program, &["127.0.0.1:0"; 2]);
    let (mqtt, web) = (program.url(), program.url());
    let mut client = Client::connect(&mqtt, Who::new("client"));
    client.subscribe("#", QoS::AtMostOnce);
    (program, client, web)
}

#[test]
fn axum_app_a_route_publishes_and_one_shows_statistics() {
    let (program, mut client, web) = start();
    let (status, text) = http(&web, "POST /publish/greetings/hello", "", "wet feet, never");
    assert_eq!(status, 200);
    assert!(text.ends_with("{\"receivers\":1}"), "{text}");
    let message = client.message();
    let seen = (&*message.topic, &*message.payload);
    assert_eq!(seen, ("greetings/hello", "wet feet, never"));

    let (status, text) = http(&web, "GET /statistics", "", "");
    assert_eq!(status, 200);
    for part in [
        "\"connections\":1",
        "\"subscriptions\":1",
        "\"messages_sent\":[1,0,0]",
    ] {
        assert!(text.contains(part), "{part} is not in {text}");
    }
    let (status, text) = http(&web, "POST /publish/no/+/wildcards", "", "");
    assert_eq!(status, 400, "{text}");
    drop(client);
    program.stop();
}

#[test]
fn axum_app_a_request_under_way_is_answered_before_the_broker_stops() {
    let (program, mut client, web) = start();
    let place = web.trim_start_matches("http://");
    let mut slow = TcpStream::connect(place).unwrap();
    slow.set_read_timeout(Some(DEADLINE)).unwrap();
    let head = format!(
        "POST /publish/last HTTP/1.1\r\nHost: {place}\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n"
    );
    slow.write_all(head.as_bytes()).unwrap();
    // The handler waits for the body now.
    let mut answer = [0; 12];
    slow.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"HTTP/1.1 100");
    // One that has been answered and waits for the next request is closed as the end begins.
    let mut idle = TcpStream::connect(place).unwrap();
    idle.set_read_timeout(Some(DEADLINE)).unwrap();
    let head = format!("GET /statistics HTTP/1.1\r\nHost: {place}\r\n\r\n");
    idle.write_all(head.as_bytes()).unwrap();
    idle.read_exact(&mut [0; 12]).unwrap();
    program.signal(Signal::TERM);
    idle.read_to_end(&mut Vec::new()).unwrap();
    slow.write_all(b"words").unwrap();
    assert_eq!(client.message().payload, "words");
    let mut answer = String::new();
    slow.read_to_string(&mut answer).unwrap();
    assert!(answer.contains("200 OK"), "{answer}");
    assert_eq!(client.end(), Some(ReasonCode::SERVER_SHUTTING_DOWN));
    program.ends_well();
}
