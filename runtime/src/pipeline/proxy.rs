//! The PROXY protocol, versions 1 and 2: a load balancer says in front of everything else whose connection it passes on.
//!
//! Anybody could write such a header, so it is taken from named addresses only, and a listener that expects it serves
//! nobody else.

use ipnet::IpNet;
use ppp::{v1, v2};
use sanderling_core::broker::{Fault, Layer};
use std::net::{IpAddr, SocketAddr};

/// The longest header of version 1, line end and all.
const V1_BYTES_MAX: usize = 107;
/// What a header of version 2 begins with: signature, version, command, family and length.
const V2_FIXED_BYTES: usize = 16;
/// Addresses and additional fields of a version 2 header. Proxies that pass certificates on need a few KiB.
const V2_REST_BYTES_MAX: usize = 8 << 10;

/// Whose headers of the PROXY protocol are believed.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Proxies(Vec<IpNet>);

impl Proxies {
    /// Proxies with an address in one of these networks. Whoever can open a Unix socket is believed, too.
    pub fn new(networks: impl IntoIterator<Item = IpNet>) -> Self {
        Self(networks.into_iter().collect())
    }

    fn trust(&self, remote: Option<SocketAddr>) -> bool {
        remote.is_none_or(|remote| {
            let ip = remote.ip().to_canonical();
            self.0.iter().any(|network| network.contains(&ip))
        })
    }
}

impl FromIterator<IpAddr> for Proxies {
    fn from_iter<I: IntoIterator<Item = IpAddr>>(addresses: I) -> Self {
        Self(addresses.into_iter().map(IpNet::from).collect())
    }
}

/// The header of one connection, until it is whole.
#[derive(Debug)]
pub(super) struct Proxy {
    is_trusted: bool,
    header: Vec<u8>,
}

impl Proxy {
    pub(super) fn new(proxies: &Proxies, remote: Option<SocketAddr>) -> Self {
        Self {
            is_trusted: proxies.trust(remote),
            header: Vec::new(),
        }
    }

    /// Takes what belongs to the header off the front of `input`. Once that is whole: the address it gives, or none
    /// if the proxy speaks for itself.
    pub(super) fn receive(
        &mut self,
        input: &mut &mut [u8],
    ) -> Result<Option<Option<SocketAddr>>, Fault> {
        if !self.is_trusted {
            return Err(fault("the peer is not one of the proxies that are trusted"));
        }
        loop {
            let missing = match missing(&self.header)? {
                0 => return parse(&self.header).map(Some),
                missing => missing,
            };
            if input.is_empty() {
                return Ok(None);
            }
            let len = missing.min(input.len());
            let (now, later) = core::mem::take(input).split_at_mut(len);
            self.header.extend_from_slice(now);
            *input = later;
        }
    }
}

/// How many bytes certainly belong to the header beside these; 0 if it is whole.
fn missing(header: &[u8]) -> Result<usize, Fault> {
    if header.is_empty() {
        // It is of either version, and the shortest of version 1 is shorter than what version 2 begins with.
        return Ok(1);
    }
    let is_v2 = v2::PROTOCOL_PREFIX.starts_with(&header[..header.len().min(12)]);
    if is_v2 {
        let Some(length) = header.get(14..16) else {
            return Ok(V2_FIXED_BYTES - header.len());
        };
        let rest = usize::from(u16::from_be_bytes([length[0], length[1]]));
        if rest > V2_REST_BYTES_MAX {
            return Err(fault("a header of version 2 that is too long"));
        }
        return Ok(V2_FIXED_BYTES + rest - header.len());
    }
    let prefix = b"PROXY ";
    if !prefix.starts_with(&header[..header.len().min(prefix.len())]) {
        return Err(fault("no header of the PROXY protocol"));
    }
    if header.ends_with(b"\n") {
        return Ok(0);
    }
    if header.len() >= V1_BYTES_MAX {
        return Err(fault("a header of version 1 that is too long"));
    }
    // What follows the line end belongs to the next layer.
    Ok(1)
}

fn parse(header: &[u8]) -> Result<Option<SocketAddr>, Fault> {
    if header.starts_with(b"PROXY ") {
        let header =
            v1::Header::try_from(header).map_err(|_| fault("a malformed header of version 1"))?;
        return Ok(match header.addresses {
            v1::Addresses::Tcp4(a) => Some((a.source_address, a.source_port).into()),
            v1::Addresses::Tcp6(a) => Some((a.source_address, a.source_port).into()),
            v1::Addresses::Unknown => None,
        });
    }
    let header =
        v2::Header::try_from(header).map_err(|_| fault("a malformed header of version 2"))?;
    if header.tlvs().any(|field| field.is_err()) {
        return Err(fault("a malformed field in a header of version 2"));
    }
    if header.command == v2::Command::Local {
        return Ok(None);
    }
    Ok(match header.addresses {
        v2::Addresses::IPv4(a) => Some((a.source_address, a.source_port).into()),
        v2::Addresses::IPv6(a) => Some((a.source_address, a.source_port).into()),
        v2::Addresses::Unix(_) | v2::Addresses::Unspecified => None,
    })
}

const fn fault(what: &'static str) -> Fault {
    Fault {
        layer: Layer::Proxy,
        what,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trusting() -> Proxy {
        Proxy::new(&Proxies::new([]), None)
    }

    /// What becomes of bytes, one by one as in one piece: the address, and what is left for the next layer.
    fn told(bytes: &[u8]) -> Result<(Option<SocketAddr>, Vec<u8>), &'static str> {
        let whole = told_in(bytes, bytes.len().max(1));
        assert_eq!(told_in(bytes, 1), whole);
        whole
    }

    fn told_in(bytes: &[u8], len: usize) -> Result<(Option<SocketAddr>, Vec<u8>), &'static str> {
        let mut proxy = trusting();
        for (number, piece) in bytes.chunks(len).enumerate() {
            let mut piece = piece.to_vec();
            let mut input = &mut piece[..];
            if let Some(remote) = proxy.receive(&mut input).map_err(|fault| fault.what)? {
                let mut rest = input.to_vec();
                rest.extend(bytes.iter().skip((number + 1) * len));
                return Ok((remote, rest));
            }
        }
        Err("incomplete")
    }

    fn v2(command: u8, family: u8, rest: &[u8]) -> Vec<u8> {
        let mut bytes = v2::PROTOCOL_PREFIX.to_vec();
        bytes.extend([0x20 | command, family]);
        bytes.extend((rest.len() as u16).to_be_bytes());
        bytes.extend(rest);
        bytes
    }

    fn remote(text: &str) -> Option<SocketAddr> {
        Some(text.parse().unwrap())
    }

    #[test]
    fn version_1_gives_the_address_and_leaves_the_rest() {
        let (from, rest) = told(b"PROXY TCP4 192.0.2.7 198.51.100.1 4711 1883\r\nabc").unwrap();
        assert_eq!((from, &rest[..]), (remote("192.0.2.7:4711"), &b"abc"[..]));
        let (from, _) = told(b"PROXY TCP6 2001:db8::7 2001:db8::1 4711 1883\r\n").unwrap();
        assert_eq!(from, remote("[2001:db8::7]:4711"));
        let (from, rest) = told(b"PROXY UNKNOWN\r\nabc").unwrap();
        assert_eq!((from, &rest[..]), (None, &b"abc"[..]));
    }

    #[test]
    fn version_2_gives_the_address_and_leaves_the_rest() {
        let addresses = [192, 0, 2, 7, 198, 51, 100, 1, 0x12, 0x67, 0x07, 0x5b];
        let mut bytes = v2(1, 0x11, &addresses);
        bytes.extend(b"abc");
        let (from, rest) = told(&bytes).unwrap();
        assert_eq!((from, &rest[..]), (remote("192.0.2.7:4711"), &b"abc"[..]));
        let mut addresses = [0; 36];
        addresses[..4].copy_from_slice(&[0x20, 0x01, 0x0d, 0xb8]);
        addresses[15] = 7;
        addresses[32..34].copy_from_slice(&4711_u16.to_be_bytes());
        let (from, _) = told(&v2(1, 0x21, &addresses)).unwrap();
        assert_eq!(from, remote("[2001:db8::7]:4711"));
    }

    #[test]
    fn a_proxy_may_speak_for_itself() {
        assert_eq!(told(&v2(0, 0, &[])).unwrap().0, None);
        assert_eq!(told(&v2(1, 0, &[4, 0, 1, 42])).unwrap().0, None);
        assert_eq!(told(&v2(1, 0x31, &[0; 216])).unwrap().0, None);
    }

    #[test]
    fn a11_lies_about_lengths_are_faults() {
        let addresses = [192, 0, 2, 7, 198, 51, 100, 1, 0x12, 0x67, 0x07, 0x5b];
        let with_field = |field: &[u8]| v2(1, 0x11, &[&addresses[..], field].concat());
        assert!(told(&with_field(&[4, 0, 0])).is_ok());
        assert!(told(&with_field(&[4, 0, 1, 42])).is_ok());
        assert!(told(&with_field(&[4, 0, 9, 42])).is_err());
        assert!(told(&with_field(&[4, 0])).is_err());
        assert!(told(&v2(1, 0x11, &addresses[..11])).is_err());
        assert!(told(&v2(1, 0x11, &vec![0; V2_REST_BYTES_MAX + 1])).is_err());
    }

    #[test]
    fn a11_what_is_no_header_is_a_fault_as_soon_as_it_shows() {
        let mut proxy = trusting();
        let mut mqtt = [0x10];
        assert!(proxy.receive(&mut &mut mqtt[..]).is_err());
        let endless = [&b"PROXY UNKNOWN "[..], &[b'x'; 100]].concat();
        assert!(told(&endless).is_err());
        assert!(told(b"PROXY TCP4 nonsense\r\n").is_err());
        assert!(told(b"PROXY TCP4 192.0.2.7 198.51.100.1 70000 1883\r\n").is_err());
    }

    #[test]
    fn a11_only_named_proxies_are_trusted() {
        let proxies = Proxies::new(["10.0.0.0/8".parse().unwrap(), "fd00::/8".parse().unwrap()]);
        let is_trusted = |from: &str| proxies.trust(remote(from));
        assert!(is_trusted("10.1.2.3:1"));
        assert!(is_trusted("[fd00::5]:1"));
        assert!(is_trusted("[::ffff:10.1.2.3]:1"));
        assert!(!is_trusted("192.0.2.1:1"));
        assert!(!is_trusted("[::1]:1"));
        assert!(proxies.trust(None));
    }
}
