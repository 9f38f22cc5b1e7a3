//! What was made, and the commands that work with it.

use super::{authority::Authority, directory::Directory};
use crate::args::Host;
use std::{
    fmt::{self, Write},
    net::IpAddr,
};
use time::OffsetDateTime;

/// One certificate.
pub(super) enum Made {
    Server(Vec<Host>),
    /// One that was there.
    ServerBefore(Vec<Host>),
    Client(String),
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => f.write_str(name),
            Self::Address(address) => address.fmt(f),
        }
    }
}

pub(super) fn text(
    directory: &Directory,
    authority: &Authority,
    until: OffsetDateTime,
    made: &[Made],
) -> String {
    let mut text = String::new();
    let until = until.date();
    let mut tell = |file: &str, what: &str| {
        // A string takes everything.
        let _ = writeln!(text, "{:24} {what}", directory.file(file));
    };
    if authority.is_new {
        tell("ca.pem", "the authority, for everybody who connects");
        tell("ca.key", "its key: whoever has it can issue more");
    }
    let mut hosts: &[Host] = &[];
    let mut client = None;
    for one in made {
        match one {
            Made::ServerBefore(those) => hosts = those,
            Made::Server(those) => {
                hosts = those;
                let names: Vec<_> = those.iter().map(ToString::to_string).collect();
                let what = format!("the server {}, until {until}", names.join(", "));
                tell("server.pem", &what);
                tell("server.key", "its key");
            }
            Made::Client(name) => {
                client.get_or_insert(name);
                tell(&format!("{name}.pem"), &format!("a client, until {until}"));
                tell(&format!("{name}.key"), "its key");
            }
        }
    }
    let place = Place::of(hosts);
    commands(&mut text, directory, &place, client.map(String::as_str));
    text
}

fn commands(text: &mut String, directory: &Directory, place: &Place, client: Option<&str>) {
    let encoded = |name: &str| percent_encoded(&directory.file(name));
    let quoted = |name: &str| shell_quoted(&directory.file(name));
    let mut url = format!(
        "mqtts://{}:8883?cert={}&key={}",
        place.listen,
        encoded("server.pem"),
        encoded("server.key")
    );
    let mut subscribe = format!(
        "sanderling sub -h {} --cafile {}",
        place.connect,
        quoted("ca.pem")
    );
    let what = match client {
        None => "TLS",
        Some(name) => {
            let _ = write!(url, "&client-ca={}&username=cn", encoded("ca.pem"));
            let pair = (
                quoted(&format!("{name}.pem")),
                quoted(&format!("{name}.key")),
            );
            let _ = write!(subscribe, " --cert {} --key {}", pair.0, pair.1);
            "TLS, for clients with a certificate"
        }
    };
    let _ = write!(
        text,
        "\nServe with {what}, and subscribe:\n  sanderling --listen '{url}'\n  {subscribe} -t '#' -v\n"
    );
}

/// Where a server with these names can listen, and where its clients find it.
struct Place {
    listen: String,
    connect: String,
}

impl Place {
    fn of(hosts: &[Host]) -> Self {
        if let Some(local) = hosts.iter().find(|host| is_loopback(host)) {
            return Self {
                listen: in_url(local),
                connect: local.to_string(),
            };
        }
        let is_v6 = |host: &Host| matches!(host, Host::Address(IpAddr::V6(_)));
        let listen = match hosts.iter().all(is_v6) {
            true => "[::]",
            false => "0.0.0.0",
        };
        Self {
            listen: listen.to_owned(),
            connect: hosts.first().map(ToString::to_string).unwrap_or_default(),
        }
    }
}

fn is_loopback(host: &Host) -> bool {
    match host {
        Host::Name(name) => name.eq_ignore_ascii_case("localhost"),
        Host::Address(address) => address.is_loopback(),
    }
}

fn in_url(host: &Host) -> String {
    match host {
        Host::Address(IpAddr::V6(address)) => format!("[{address}]"),
        host => host.to_string(),
    }
}

/// For the value of a parameter in a URL.
fn percent_encoded(text: &str) -> String {
    let mut encoded = String::new();
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => {
                encoded.push(byte.into());
            }
            _ => {
                let _ = write!(encoded, "%{byte:02X}");
            }
        }
    }
    encoded
}

/// For a shell, which takes most names as they are.
fn shell_quoted(text: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_.@/:+".contains(c);
    match text.chars().all(is_plain) {
        true => text.to_owned(),
        false => format!("'{}'", text.replace('\'', r"'\''")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(hosts: &[&str]) -> (String, String) {
        let hosts: Vec<_> = hosts
            .iter()
            .map(|text| match text.parse() {
                Ok(address) => Host::Address(address),
                Err(_) => Host::Name((*text).to_owned()),
            })
            .collect();
        let Place { listen, connect } = Place::of(&hosts);
        (listen, connect)
    }

    #[test]
    fn a_server_of_this_machine_listens_for_this_machine_only() {
        let own = |listen: &str, connect: &str| (listen.to_owned(), connect.to_owned());
        assert_eq!(place(&["localhost", "::1"]), own("localhost", "localhost"));
        assert_eq!(place(&["broker.lan", "::1"]), own("[::1]", "::1"));
        assert_eq!(place(&["broker.lan"]), own("0.0.0.0", "broker.lan"));
        assert_eq!(place(&["2001:db8::7"]), own("[::]", "2001:db8::7"));
    }

    #[test]
    fn odd_names_of_directories_survive_shells_and_urls() {
        assert_eq!(percent_encoded("my certs/é.pem"), "my%20certs/%C3%A9.pem");
        assert_eq!(shell_quoted("certs/ca.pem"), "certs/ca.pem");
        assert_eq!(shell_quoted("it's"), r"'it'\''s'");
    }
}
