//! The HTTP request that asks to speak WebSocket, and the answer to it. [RFC 6455, 4.2]

use super::fault;
use sanderling_core::broker::Fault;
use tungstenite::{
    Error,
    error::ProtocolError,
    handshake::{
        machine::TryParse,
        server::{self, create_response, write_response},
    },
    http::{HeaderMap, HeaderValue, Uri, header},
};

/// What a listener asks of those who speak WebSocket.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct WebSocketOptions {
    /// The paths that are served; `/` stands for every path.
    pub paths: Vec<String>,
    /// Web pages of these origins may connect, such as `https://example.org`, beside those of the host they connect to;
    /// `*` stands for every origin. Clients that are no web pages name no origin and may connect.
    pub origins: Vec<String>,
    /// Bytes of the HTTP request.
    pub request_bytes_max: usize,
    /// Bytes of one frame.
    pub frame_bytes_max: u64,
    /// Frames of one message.
    pub fragments_max: u32,
}

impl Default for WebSocketOptions {
    fn default() -> Self {
        Self {
            paths: vec!["/ws".into(), "/mqtt".into()],
            origins: Vec::new(),
            request_bytes_max: 8 << 10,
            frame_bytes_max: 16 << 20,
            fragments_max: 1 << 16,
        }
    }
}

/// A request on its way.
#[derive(Debug, Default)]
pub(super) struct Request {
    head: Vec<u8>,
}

impl Request {
    /// Takes what belongs to the request off the front of `input`; once it is whole, the answer is in `reply`. True when
    /// WebSocket begins.
    pub(super) fn receive(
        &mut self,
        input: &mut &mut [u8],
        options: &WebSocketOptions,
        reply: &mut Vec<u8>,
    ) -> Result<bool, Fault> {
        let before = self.head.len();
        self.head.extend_from_slice(input);
        // MQTT and TLS would wait for an answer that never comes.
        if self
            .head
            .first()
            .is_some_and(|first| !begins_request(*first))
        {
            return refuse(reply, BAD_REQUEST);
        }
        // The end may have begun in the bytes before.
        let from = before.saturating_sub(END.len() - 1);
        let end = self.head[from..]
            .windows(END.len())
            .position(|window| window == END)
            .map(|at| from + at + END.len());
        let len = end.unwrap_or(self.head.len());
        if len > options.request_bytes_max {
            return refuse(reply, TOO_LARGE);
        }
        super::skip(input, len - before);
        if end.is_none() {
            return Ok(false);
        }
        self.head.truncate(len);
        let answered = answer(&self.head, options, reply);
        self.head = Vec::new();
        match answered {
            Ok(()) => Ok(true),
            Err(refusal) => refuse(reply, refusal),
        }
    }
}

/// A method is text, and empty lines before it are allowed. [RFC 9112, 2.2]
fn begins_request(first: u8) -> bool {
    first.is_ascii_graphic() || matches!(first, b'\r' | b'\n')
}

/// What ends the head of a request.
const END: &[u8] = b"\r\n\r\n";

/// Why a request is refused: the status line, and what is wrong with the request.
#[derive(Clone, Copy, Debug)]
struct Refusal {
    status: &'static str,
    what: &'static str,
}

const TOO_LARGE: Refusal = Refusal {
    status: "431 Request Header Fields Too Large",
    what: "an HTTP request that is longer than this server takes",
};

const BAD_REQUEST: Refusal = Refusal {
    status: "400 Bad Request",
    what: "bytes that are no HTTP request",
};

const NOT_GET: Refusal = Refusal {
    status: "405 Method Not Allowed\r\nAllow: GET",
    what: "an HTTP request other than GET",
};

const NO_UPGRADE: Refusal = Refusal {
    status: "400 Bad Request",
    what: "an HTTP request that does not ask for WebSocket",
};

const BAD_VERSION: Refusal = Refusal {
    status: "426 Upgrade Required\r\nSec-WebSocket-Version: 13",
    what: "a version of WebSocket other than 13",
};

const NOT_FOUND: Refusal = Refusal {
    status: "404 Not Found",
    what: "a path that is not served",
};

const FORBIDDEN: Refusal = Refusal {
    status: "403 Forbidden",
    what: "a web page of an origin that is not allowed",
};

fn refuse<T>(reply: &mut Vec<u8>, refusal: Refusal) -> Result<T, Fault> {
    let Refusal { status, what } = refusal;
    let len = what.len() + 1;
    let text = format!(
        "HTTP/1.1 {status}\r\nConnection: close\r\nContent-Type: text/plain; charset=utf-8\r\n\
         Content-Length: {len}\r\n\r\n{what}\n"
    );
    reply.extend_from_slice(text.as_bytes());
    Err(fault(what))
}

fn answer(head: &[u8], options: &WebSocketOptions, reply: &mut Vec<u8>) -> Result<(), Refusal> {
    let request = server::Request::try_parse(head)
        .map_err(|error| refusal_of(&error))?
        .ok_or(BAD_REQUEST)?
        .1;
    if !is_served(request.uri(), &options.paths) {
        return Err(NOT_FOUND);
    }
    let mut response = create_response(&request).map_err(|error| refusal_of(&error))?;
    if !is_allowed(request.headers(), &options.origins) {
        return Err(FORBIDDEN);
    }
    if let Some(protocol) = subprotocol(request.headers()) {
        let value = HeaderValue::from_static(protocol);
        response
            .headers_mut()
            .insert(header::SEC_WEBSOCKET_PROTOCOL, value);
    }
    write_response(reply, &response).map_err(|_| BAD_REQUEST)
}

fn refusal_of(error: &Error) -> Refusal {
    match error {
        Error::Protocol(ProtocolError::WrongHttpMethod) => NOT_GET,
        Error::Protocol(ProtocolError::MissingSecWebSocketVersionHeader) => BAD_VERSION,
        Error::Protocol(
            ProtocolError::MissingConnectionUpgradeHeader
            | ProtocolError::MissingUpgradeWebSocketHeader
            | ProtocolError::MissingSecWebSocketKey
            | ProtocolError::InvalidSecWebSocketKey,
        ) => NO_UPGRADE,
        _ => BAD_REQUEST,
    }
}

fn is_served(uri: &Uri, paths: &[String]) -> bool {
    paths.iter().any(|path| path == "/" || path == uri.path())
}

/// A browser says on which page it does what it does. A page of another site may not use the browser's place in the
/// network to get at a broker.
fn is_allowed(headers: &HeaderMap, allowed: &[String]) -> bool {
    let mut origins = headers.get_all(header::ORIGIN).iter();
    let Some(origin) = origins.next() else {
        return true;
    };
    let Ok(origin) = origin.to_str() else {
        return false;
    };
    if origins.next().is_some() {
        return false;
    }
    let is_listed = |one: &String| one == "*" || one.eq_ignore_ascii_case(origin);
    allowed.iter().any(is_listed) || is_of_this_host(origin, headers)
}

fn is_of_this_host(origin: &str, headers: &HeaderMap) -> bool {
    let host = headers
        .get(header::HOST)
        .and_then(|host| host.to_str().ok());
    let Some(host) = host else { return false };
    let (Some((scheme, of)), true) = (origin.split_once("://"), !host.is_empty()) else {
        return false;
    };
    let default_port = match scheme {
        "http" => ":80",
        "https" => ":443",
        _ => return false,
    };
    let bare = |name: &str| -> String {
        let name = name.to_ascii_lowercase();
        name.strip_suffix(default_port).unwrap_or(&name).to_owned()
    };
    bare(of) == bare(host)
}

/// The first offer that means MQTT. [MQTT-6.0.0-3] [MQTT-6.0.0-4]
fn subprotocol(headers: &HeaderMap) -> Option<&'static str> {
    const KNOWN: &[&str] = &["mqtt", "mqttv3.1", "mqttv3.1.1", "mqttv5.0"];
    headers
        .get_all(header::SEC_WEBSOCKET_PROTOCOL)
        .iter()
        .filter_map(|offers| offers.to_str().ok())
        .flat_map(|offers| offers.split(','))
        .find_map(|offer| KNOWN.iter().find(|known| **known == offer.trim()).copied())
}
