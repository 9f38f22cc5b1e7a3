//! Whom a client's certificate stands for.

use super::{config::UsernameFrom, fault::fault};
use bytes::Bytes;
use rustls::pki_types::CertificateDer;
use sanderling_core::broker::{Fault, Identity};
use x509_parser::prelude::{FromDer, GeneralName, X509Certificate};

/// The certificate, and the user name if one is taken from it. A name that is missing or ambiguous ends the connection:
/// nobody is to be taken for somebody else.
pub(super) fn of(
    certificate: &CertificateDer<'_>,
    username_from: Option<UsernameFrom>,
) -> Result<Identity, Fault> {
    let username = match username_from {
        Some(from) => Some(username(certificate, from)?),
        None => None,
    };
    Ok(Identity {
        username,
        certificate: Bytes::copy_from_slice(certificate),
    })
}

fn username(certificate: &CertificateDer<'_>, from: UsernameFrom) -> Result<Box<str>, Fault> {
    let (_, certificate) = X509Certificate::from_der(certificate)
        .map_err(|_| fault("the client's certificate cannot be read"))?;
    let mut names = match from {
        UsernameFrom::Subject => vec![certificate.subject().to_string()],
        UsernameFrom::CommonName => common_names(&certificate),
        UsernameFrom::Dns | UsernameFrom::Email | UsernameFrom::Uri => {
            alternative_names(&certificate, from)
        }
    };
    match (names.pop(), names.is_empty()) {
        (Some(name), true) if !name.is_empty() => Ok(name.into()),
        (_, false) => Err(fault(
            "the client's certificate has several names of the kind that is the user name",
        )),
        _ => Err(fault(
            "the client's certificate has no name of the kind that is the user name",
        )),
    }
}

fn common_names(certificate: &X509Certificate<'_>) -> Vec<String> {
    certificate
        .subject()
        .iter_common_name()
        // One that is no text counts as one without content.
        .map(|name| name.as_str().unwrap_or_default().to_owned())
        .collect()
}

fn alternative_names(certificate: &X509Certificate<'_>, from: UsernameFrom) -> Vec<String> {
    let extension = certificate.subject_alternative_name().ok().flatten();
    let names = extension
        .iter()
        .flat_map(|names| &names.value.general_names);
    names
        .filter_map(|name| match (from, name) {
            (UsernameFrom::Dns, GeneralName::DNSName(name))
            | (UsernameFrom::Email, GeneralName::RFC822Name(name))
            | (UsernameFrom::Uri, GeneralName::URI(name)) => Some((*name).to_owned()),
            _ => None,
        })
        .collect()
}
