//! What one server takes upon itself.

use std::time::Duration;

/// The limits of a server. What is too large is answered with 431 or 413, what is too slow with 408 or the end of its
/// connection.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Limits {
    /// Connections at one time. Who comes when there are so many waits until one ends.
    pub connections_max: usize,
    /// The request line and all headers together, in bytes.
    pub header_bytes_max: usize,
    /// The body of a request, in bytes.
    pub body_bytes_max: usize,
    /// How long a connection may take to send the headers of its next request, idle time included.
    pub header_time_max: Duration,
    /// How long it may take to read the body of a request and to find the answer.
    pub answer_time_max: Duration,
    /// How long a client may take nothing of an answer.
    pub stall_time_max: Duration,
    /// How long requests that are under way are waited for when the server stops.
    pub stop_time_max: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections_max: 128,
            header_bytes_max: 16 << 10,
            body_bytes_max: 4 << 20,
            header_time_max: Duration::from_secs(30),
            answer_time_max: Duration::from_secs(10),
            stall_time_max: Duration::from_secs(10),
            stop_time_max: Duration::from_secs(2),
        }
    }
}
