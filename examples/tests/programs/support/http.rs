//! Requests by HTTP/1.1, each on a connection of its own.

use super::DEADLINE;
use std::{
    io::{Read, Write},
    net::TcpStream,
};

/// Asks `address`, which may begin with `http://`, with these further header lines and this body; the status and all
/// that follows it.
#[track_caller]
pub(crate) fn http(address: &str, request: &str, headers: &str, body: &str) -> (u16, String) {
    let address = address.trim_start_matches("http://");
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    let length = body.len();
    let head = format!(
        "{request} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\nContent-Length: {length}\r\n{headers}\r\n"
    );
    stream.write_all(head.as_bytes()).unwrap();
    stream.write_all(body.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let status = answer.split(' ').nth(1).and_then(|code| code.parse().ok());
    (status.unwrap_or_else(|| panic!("{answer}")), answer)
}
