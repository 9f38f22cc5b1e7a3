//! The server as programs meet it: what it serves, what it bounds, how it ends.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use axum::{
    Router,
    body::{Body, Bytes},
    extract::ConnectInfo,
    http::StatusCode,
    routing::{get, post},
};
use sanderling_http::{Limits, Server};
use std::{
    io::{self, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

/// Longer than anything here takes, unless it hangs.
const PATIENCE: Duration = Duration::from_secs(20);
/// Short enough to be waited for.
const SHORT: Duration = Duration::from_millis(100);

fn anywhere() -> SocketAddr {
    ([127, 0, 0, 1], 0).into()
}

fn start(limits: Limits, router: Router) -> Server {
    Server::start_within(limits, "test", anywhere(), router).unwrap()
}

fn connect(server: &Server) -> TcpStream {
    let stream = TcpStream::connect(server.local_addr()).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream
}

/// What `bind` gives once the port is free, which may take a moment on a slow machine.
#[track_caller]
fn once_free<T>(mut bind: impl FnMut() -> io::Result<T>) -> T {
    let begun = Instant::now();
    loop {
        match bind() {
            Ok(bound) => return bound,
            Err(error) if begun.elapsed() > PATIENCE => panic!("{error}"),
            Err(_) => thread::yield_now(),
        }
    }
}

/// All that comes until the end of the connection.
fn rest(mut stream: TcpStream) -> String {
    let mut bytes = Vec::new();
    match stream.read_to_end(&mut bytes) {
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::ConnectionReset => {}
        Err(error) => panic!("{error} after {bytes:?}"),
    }
    String::from_utf8(bytes).unwrap()
}

/// Sends this and reads until the end. What cannot be sent because the server has answered early is not sent.
fn exchange(server: &Server, request: &[u8]) -> String {
    let mut stream = connect(server);
    let _ = stream.write_all(request);
    rest(stream)
}

fn status(answer: &str) -> u16 {
    let code = answer.split(' ').nth(1).unwrap_or_default();
    code.parse()
        .unwrap_or_else(|_| panic!("no status in {answer:?}"))
}

const GET: &[u8] = b"GET / HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n";

#[test]
fn serves_a_router_and_tells_it_who_asks() {
    let who = |ConnectInfo(remote): ConnectInfo<SocketAddr>| async move { remote.ip().to_string() };
    let mut server = Server::start("test", anywhere(), Router::new().route("/", get(who))).unwrap();
    let answer = exchange(&server, GET);
    assert_eq!(status(&answer), 200);
    assert!(answer.ends_with("\r\n\r\n127.0.0.1"), "{answer}");
    let nothing = exchange(
        &server,
        b"GET /x HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n",
    );
    assert_eq!(status(&nothing), 404);
    server.stop();
    server.stop();
}

#[test]
fn a_taken_port_is_an_error_and_a_stopped_server_frees_its_port() {
    let taken = TcpListener::bind(anywhere()).unwrap();
    let address = taken.local_addr().unwrap();
    let error = Server::start("test", address, Router::new()).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
    drop(taken);
    let mut server = once_free(|| Server::start("test", address, Router::new()));
    // An idle connection is in nobody's way.
    let idle = connect(&server);
    server.stop();
    assert_eq!(rest(idle), "");
    once_free(|| TcpListener::bind(address));
}

#[test]
fn headers_and_bodies_have_a_size() {
    let limits = limits(|limits| {
        limits.header_bytes_max = 1000;
        limits.body_bytes_max = 1000;
    });
    let length = async |body: Bytes| body.len().to_string();
    let raw = async |body: Body| match axum::body::to_bytes(body, usize::MAX).await {
        Ok(body) => Ok(body.len().to_string()),
        Err(_) => Err(StatusCode::BAD_REQUEST),
    };
    let router = Router::new()
        .route("/", post(length))
        .route("/raw", post(raw));
    let server = start(limits, router);
    let post = |path: &str, header: &str, body: &str| {
        let head =
            format!("POST {path} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n{header}\r\n");
        exchange(&server, format!("{head}\r\n{body}").as_bytes())
    };
    let just = "x".repeat(1000);
    assert!(post("/", "Content-Length: 1000", &just).ends_with("\r\n\r\n1000"));
    assert_eq!(status(&post("/", "Content-Length: 1001", &just)), 413);
    let chunked = format!("3e8\r\n{just}\r\n1\r\nx\r\n0\r\n\r\n");
    assert_eq!(
        status(&post("/", "Transfer-Encoding: chunked", &chunked)),
        413
    );
    assert_eq!(
        status(&post("/raw", "Transfer-Encoding: chunked", &chunked)),
        400
    );
    assert_eq!(status(&post("/", &format!("A: {just}"), "")), 431);
}

#[test]
fn headers_bodies_and_answers_have_a_time() {
    let header_limit = limits(|limits| limits.header_time_max = SHORT);
    let server = start(header_limit, Router::new());
    let unfinished = exchange(&server, b"GET / HTTP/1.1\r\nHost: ");
    assert!(unfinished.is_empty() || status(&unfinished) == 408);
    // A server of its own, so that a header that comes late is not what ends these.
    let answer_limit = limits(|limits| limits.answer_time_max = SHORT);
    let never = async || std::future::pending::<()>().await;
    let length = async |body: Bytes| body.len().to_string();
    let router = Router::new().route("/", get(never).post(length));
    let server = start(answer_limit, router);
    assert_eq!(status(&exchange(&server, GET)), 408);
    let head = b"POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 9\r\n\r\nhalf";
    assert_eq!(status(&exchange(&server, head)), 408);
}

#[test]
fn who_takes_nothing_of_an_answer_is_left() {
    let limits = limits(|limits| {
        limits.connections_max = 1;
        limits.stall_time_max = SHORT;
    });
    let much = async || vec![0; 64 << 20];
    let router = Router::new().route("/", get(async || "here"));
    let server = start(limits, router.route("/much", get(much)));
    let mut lazy = connect(&server);
    lazy.write_all(b"GET /much HTTP/1.1\r\nHost: test\r\n\r\n")
        .unwrap();
    // There is room for one: this is answered when that one was left.
    assert!(exchange(&server, GET).ends_with("here"));
}

#[test]
fn one_too_many_waits_until_another_has_ended() {
    let limits = limits(|limits| limits.connections_max = 1);
    let server = start(limits, Router::new().route("/", get(async || "here")));
    let mut first = connect(&server);
    first
        .write_all(b"GET / HTTP/1.1\r\nHost: test\r\n\r\n")
        .unwrap();
    let mut byte = [0];
    first.read_exact(&mut byte).unwrap();
    let mut second = connect(&server);
    second.write_all(GET).unwrap();
    second.set_read_timeout(Some(SHORT)).unwrap();
    assert!(second.read_exact(&mut byte).is_err());
    second.set_read_timeout(Some(PATIENCE)).unwrap();
    drop(first);
    assert_eq!(status(&rest(second)), 200);
}

#[test]
fn a_handler_that_panics_ends_its_connection_only() {
    let panics = async || -> () { panic!("on purpose") };
    let router = Router::new().route("/", get(async || "here"));
    let server = start(Limits::default(), router.route("/panic", get(panics)));
    assert_eq!(
        exchange(&server, b"GET /panic HTTP/1.1\r\nHost: test\r\n\r\n"),
        ""
    );
    assert_eq!(status(&exchange(&server, GET)), 200);
}

#[test]
fn what_is_under_way_at_the_end_is_answered() {
    let (begun, has_begun) = mpsc::channel();
    let (go_on, may_go_on) = tokio::sync::watch::channel(false);
    let slow = async move || {
        begun.send(()).unwrap();
        may_go_on.clone().wait_for(|go_on| *go_on).await.unwrap();
        "in the end"
    };
    let limits = limits(|limits| limits.stop_time_max = PATIENCE);
    let mut server = start(limits, Router::new().route("/", get(slow)));
    let mut stream = connect(&server);
    stream
        .write_all(b"GET / HTTP/1.1\r\nHost: test\r\n\r\n")
        .unwrap();
    has_begun.recv().unwrap();
    let address = server.local_addr();
    let stopping = thread::spawn(move || server.stop());
    // Nobody new is let in from now on.
    while TcpStream::connect(address).is_ok() {
        thread::yield_now();
    }
    go_on.send(true).unwrap();
    assert!(rest(stream).ends_with("in the end"));
    stopping.join().unwrap();
}

#[test]
fn what_takes_too_long_at_the_end_is_not_waited_for() {
    let (begun, has_begun) = mpsc::channel();
    let never = async move || {
        begun.send(()).unwrap();
        std::future::pending::<()>().await
    };
    let limits = limits(|limits| limits.stop_time_max = SHORT);
    let mut server = start(limits, Router::new().route("/", get(never)));
    let mut stream = connect(&server);
    stream.write_all(GET).unwrap();
    has_begun.recv().unwrap();
    server.stop();
    assert_eq!(rest(stream), "");
}

fn limits(change: impl FnOnce(&mut Limits)) -> Limits {
    let mut limits = Limits::default();
    change(&mut limits);
    limits
}
