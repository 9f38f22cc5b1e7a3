//! A small HTTP client: one request on each connection.

use crate::serve::in_the_end;
use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::Value;
use std::{
    io::{ErrorKind, Read, Write},
    net::{SocketAddr, TcpStream},
    time::Duration,
};

/// Longer than any answer takes.
const PATIENCE: Duration = Duration::from_secs(30);

/// Where requests go, and what they say of who sends them.
#[derive(Clone)]
pub(super) struct Web {
    address: SocketAddr,
    headers: String,
}

/// What came back.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    /// Names in small letters.
    pub(super) head: String,
    pub(super) body: String,
}

impl Web {
    pub(super) fn new(address: SocketAddr) -> Self {
        Self {
            address,
            headers: String::new(),
        }
    }

    pub(super) fn header(mut self, line: &str) -> Self {
        self.headers.push_str(line);
        self.headers.push_str("\r\n");
        self
    }

    pub(super) fn bearer(self, token: &str) -> Self {
        self.header(&format!("Authorization: Bearer {token}"))
    }

    pub(super) fn basic(self, user: &str, password: &str) -> Self {
        let login = STANDARD.encode(format!("{user}:{password}"));
        self.header(&format!("Authorization: Basic {login}"))
    }

    pub(super) fn get(&self, path: &str) -> Answer {
        self.send("GET", path, "", "")
    }

    pub(super) fn delete(&self, path: &str) -> Answer {
        self.send("DELETE", path, "", "")
    }

    pub(super) fn post_json(&self, path: &str, body: &Value) -> Answer {
        self.send("POST", path, "application/json", &body.to_string())
    }

    pub(super) fn post_form(&self, path: &str, form: &str) -> Answer {
        self.send("POST", path, "application/x-www-form-urlencoded", form)
    }

    pub(super) fn send(&self, method: &str, path: &str, kind: &str, body: &str) -> Answer {
        let mut stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut request = format!(
            "{method} {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n{}",
            self.address, self.headers
        );
        if !kind.is_empty() {
            let len = body.len();
            request.push_str(&format!(
                "Content-Type: {kind}\r\nContent-Length: {len}\r\n"
            ));
        }
        request.push_str("\r\n");
        request.push_str(body);
        // The server may answer and close before it has read all.
        let _ = stream.write_all(request.as_bytes());
        let mut answer = Vec::new();
        match stream.read_to_end(&mut answer) {
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::ConnectionReset => {}
            Err(error) => panic!("{error} after {answer:?}"),
        }
        Answer::parse(&String::from_utf8(answer).unwrap())
    }

    /// Asks whether all is well. On a slow machine a turn of the broker may come too late; then it is asked again.
    #[track_caller]
    pub(super) fn probe(&self, method: &str, path: &str) -> Answer {
        in_the_end(|| match self.send(method, path, "", "") {
            answer if answer.status == 503 => Err(answer),
            answer => Ok(answer),
        })
    }
}

impl Answer {
    fn parse(text: &str) -> Self {
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        let status = head.split(' ').nth(1).unwrap();
        Self {
            status: status.parse().unwrap(),
            head: head.to_lowercase(),
            body: body.to_owned(),
        }
    }

    /// The body, whose status must be this.
    #[track_caller]
    pub(super) fn json(&self, status: u16) -> Value {
        assert_eq!(self.status, status, "{self:?}");
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error} in {self:?}"))
    }

    /// What the seed's envelope holds.
    #[track_caller]
    pub(super) fn data(&self) -> Value {
        let mut envelope = self.json(200);
        assert_eq!(envelope["code"], 0, "{self:?}");
        assert_eq!(envelope["message"], "", "{self:?}");
        envelope["data"].take()
    }

    /// What the seed's envelope says is wrong.
    #[track_caller]
    pub(super) fn wrong(&self) -> String {
        let envelope = self.json(200);
        assert_eq!(envelope["code"], -1, "{self:?}");
        assert_eq!(envelope["data"], serde_json::json!({}), "{self:?}");
        envelope["message"].as_str().unwrap().to_owned()
    }

    /// What the API says is wrong.
    #[track_caller]
    pub(super) fn problem(&self, status: u16) -> String {
        let problem = self.json(status);
        assert!(
            self.head.contains("content-type: application/problem+json"),
            "{self:?}"
        );
        assert_eq!(problem["status"], status);
        problem["code"].as_str().unwrap().to_owned()
    }
}
