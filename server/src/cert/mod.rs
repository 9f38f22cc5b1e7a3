//! `sanderling cert`: an authority for development, and certificates of servers and clients that it issues.
//!
//! ```text
//! ca.pem  ca.key            made once, never replaced
//! server.pem  server.key    for the broker
//! NAME.pem  NAME.key        for the client of that name
//! ```

mod authority;
mod directory;
mod error;
mod report;

pub(crate) use error::CertError;

use crate::args::{CertArgs, Host};
use authority::Authority;
use directory::Directory;
use rcgen::{CertificateParams, DnType, ExtendedKeyUsagePurpose, KeyUsagePurpose, SanType};
use report::Made;
use std::net::{Ipv4Addr, Ipv6Addr};

/// A common name has 64 characters at most.
const COMMON_NAME_MAX: usize = 64;

/// Makes what `args` ask for; the answer is for whoever asked. Before anything is written it is known that nothing is
/// in the way.
pub(crate) fn make(args: &CertArgs) -> Result<String, CertError> {
    let directory = Directory::new(&args.dir, args.force);
    let makes_server =
        args.clients.is_empty() || !args.hosts.is_empty() || !directory.has("server");
    if makes_server {
        directory.check_free("server")?;
    }
    for client in &args.clients {
        directory.check_free(client)?;
    }
    let authority = Authority::open_or_make(&directory, args.days)?;
    let until = authority.until(args.days);
    let mut made = Vec::new();
    if makes_server {
        let hosts = hosts(args);
        issue(&directory, &authority, "server", &server(&hosts, until)?)?;
        made.push(Made::Server(hosts));
    } else {
        made.push(Made::ServerBefore(directory.hosts_of("server")?));
    }
    for name in &args.clients {
        issue(&directory, &authority, name, &client(name, until))?;
        made.push(Made::Client(name.clone()));
    }
    Ok(report::text(&directory, &authority, until, &made))
}

fn hosts(args: &CertArgs) -> Vec<Host> {
    match args.hosts.is_empty() {
        true => vec![
            Host::Name("localhost".to_owned()),
            Host::Address(Ipv4Addr::LOCALHOST.into()),
            Host::Address(Ipv6Addr::LOCALHOST.into()),
        ],
        false => args.hosts.clone(),
    }
}

fn issue(
    directory: &Directory,
    authority: &Authority,
    name: &str,
    params: &CertificateParams,
) -> Result<(), CertError> {
    let (certificate, key) = authority.issue(params)?;
    directory.write(&format!("{name}.key"), &key)?;
    directory.write(&format!("{name}.pem"), &certificate)
}

fn server(hosts: &[Host], until: time::OffsetDateTime) -> Result<CertificateParams, CertError> {
    let mut params = leaf(ExtendedKeyUsagePurpose::ServerAuth, until);
    for host in hosts {
        params.subject_alt_names.push(match host {
            Host::Address(address) => SanType::IpAddress(*address),
            Host::Name(name) => {
                SanType::DnsName(name.as_str().try_into().map_err(CertError::Generate)?)
            }
        });
    }
    // For people who read it: clients look at the alternative names.
    let first = hosts.first().map(ToString::to_string).unwrap_or_default();
    if (1..=COMMON_NAME_MAX).contains(&first.len()) {
        params.distinguished_name.push(DnType::CommonName, first);
    }
    Ok(params)
}

fn client(name: &str, until: time::OffsetDateTime) -> CertificateParams {
    let mut params = leaf(ExtendedKeyUsagePurpose::ClientAuth, until);
    params.distinguished_name.push(DnType::CommonName, name);
    params
}

fn leaf(purpose: ExtendedKeyUsagePurpose, until: time::OffsetDateTime) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.not_before = authority::begin();
    params.not_after = until;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![purpose];
    params.use_authority_key_identifier_extension = true;
    params
}
