//! Options of `cert`.

use clap::{Args, builder::NonEmptyStringValueParser, value_parser};
use rustls::pki_types::DnsName;
use std::net::IpAddr;

const EXAMPLES: &str = "\
Examples:
  sanderling cert                                  TLS for this machine, in certs/
  sanderling cert --host broker.lan --host 10.0.0.5     a server with other names
  sanderling cert --client pump-7                  one more client, from the authority that is there

Exit status: 0 all was made; 1 it was not; 2 the command line is wrong";

/// Make certificates for trying out TLS: an authority, a server, clients.
///
/// The authority is made once; when its files are there, it issues more. It is meant for development and for networks
/// of your own: whoever trusts it trusts everything that its key, ca.key, can sign. At the end the commands are printed
/// that work with what was made.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES, after_long_help = EXAMPLES)]
pub(crate) struct CertArgs {
    /// Where the files are put
    #[arg(long, value_name = "DIR", default_value = "certs", value_parser = NonEmptyStringValueParser::new())]
    pub(crate) dir: String,
    /// A name or address of the server; may be given many times [default: localhost, 127.0.0.1 and ::1]
    #[arg(long = "host", value_name = "NAME|IP", value_parser = parse_host)]
    pub(crate) hosts: Vec<Host>,
    /// Make a certificate for a client of this name, too; may be given many times
    #[arg(long = "client", value_name = "NAME", value_parser = parse_client)]
    pub(crate) clients: Vec<String>,
    /// How long certificates are valid, at most as long as the authority
    #[arg(long, value_name = "DAYS", default_value_t = 825, value_parser = value_parser!(u16).range(1..=36_500))]
    pub(crate) days: u16,
    /// Replace files that are there; never those of the authority
    #[arg(long)]
    pub(crate) force: bool,
}

/// What a server is called.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Host {
    Name(String),
    Address(IpAddr),
}

fn parse_host(text: &str) -> Result<Host, String> {
    if let Ok(address) = text.parse() {
        return Ok(Host::Address(address));
    }
    match DnsName::try_from(text) {
        Ok(_) if !text.ends_with('.') => Ok(Host::Name(text.to_owned())),
        _ => Err("a host is a name such as broker.example.org, or an IP address".to_owned()),
    }
}

/// It becomes the common name, which has 64 characters at most, and the name of files.
fn parse_client(text: &str) -> Result<String, String> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_.@".contains(c);
    if text.is_empty() || text.len() > 64 || !text.chars().all(is_plain) {
        return Err("a client's name has up to 64 letters, digits and -_.@".to_owned());
    }
    if text.starts_with(['-', '.']) {
        return Err("a client's name begins with a letter or digit".to_owned());
    }
    if matches!(text.to_ascii_lowercase().as_str(), "ca" | "server") {
        return Err(format!("{text} is the name of other files"));
    }
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_a_name_or_an_address() {
        assert_eq!(
            parse_host("::1"),
            Ok(Host::Address(IpAddr::from([0, 0, 0, 0, 0, 0, 0, 1])))
        );
        assert_eq!(
            parse_host("broker.lan"),
            Ok(Host::Name("broker.lan".into()))
        );
        for wrong in [
            "",
            "a b",
            "*.lan",
            "broker.lan.",
            "mqtts://broker",
            "[::1]",
            "broker:8883",
        ] {
            assert!(parse_host(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_client_cannot_name_files_elsewhere_or_of_others() {
        assert!(parse_client("pump-7@plant.example_1").is_ok());
        for wrong in [
            "",
            "../x",
            "a/b",
            ".hidden",
            "-d",
            "ca",
            "Server",
            "a b",
            &"x".repeat(65),
        ] {
            assert!(parse_client(wrong).is_err(), "{wrong}");
        }
    }
}
