//! TLS by rustls: what the options ask for, and what went wrong in words that say what to do.

use super::trust;
use crate::{args::TlsArgs, client::ClientError};
use rustls::{
    AlertDescription, CertificateError, ClientConfig, ClientConnection, Error, PeerIncompatible,
    SupportedProtocolVersion,
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject},
    version::{TLS12, TLS13},
};
use std::{path::Path, sync::Arc};

/// A connection to the server of this name, which has not begun.
pub(in crate::client) fn client(
    args: &TlsArgs,
    host: &str,
) -> Result<ClientConnection, ClientError> {
    let name = ServerName::try_from(host.to_owned()).map_err(|_| {
        ClientError::Tls(format!("{host:?} is no name that a certificate can have"))
    })?;
    let config = config(args)?;
    let mut connection = ClientConnection::new(Arc::new(config), name)
        .map_err(|error| ClientError::Tls(error.to_string()))?;
    connection.set_buffer_limit(None);
    Ok(connection)
}

fn config(args: &TlsArgs) -> Result<ClientConfig, ClientError> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let versions: &[&SupportedProtocolVersion] = match args.tls_version {
        None => &[&TLS13, &TLS12],
        Some(crate::args::TlsVersion::V12) => &[&TLS12],
        Some(crate::args::TlsVersion::V13) => &[&TLS13],
    };
    let verifier = trust::verifier(args, &provider)?;
    let builder = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(versions)
        .map_err(|error| ClientError::Tls(error.to_string()))?
        .dangerous()
        .with_custom_certificate_verifier(verifier);
    let mut config = match (&args.cert, &args.key) {
        (Some(cert), Some(key)) => {
            let chain = certificates(cert)?;
            let secret = PrivateKeyDer::from_pem_file(key)
                .map_err(|error| unusable(key, &format!("no private key can be read: {error}")))?;
            builder
                .with_client_auth_cert(chain, secret)
                .map_err(|error| match error {
                    Error::InconsistentKeys(_) => unusable(
                        key,
                        &format!("it is not the key of the certificate in {}", cert.display()),
                    ),
                    error => unusable(key, &error.to_string()),
                })?
        }
        _ => builder.with_no_client_auth(),
    };
    if let Some(protocol) = &args.tls_alpn {
        config.alpn_protocols = vec![protocol.clone().into_bytes()];
    }
    Ok(config)
}

/// All certificates of a file; there must be some.
pub(super) fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, ClientError> {
    let read = CertificateDer::pem_file_iter(path).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let certificates =
        read.map_err(|error| unusable(path, &format!("no certificate can be read: {error}")))?;
    match certificates.is_empty() {
        true => Err(unusable(
            path,
            "there is no certificate in it; PEM is expected",
        )),
        false => Ok(certificates),
    }
}

pub(super) fn unusable(path: &Path, what: &str) -> ClientError {
    ClientError::Tls(format!("{}: {what}", path.display()))
}

/// What is wrong, in words that follow the name of the server.
pub(super) fn explain(error: &Error) -> String {
    match error {
        Error::InvalidMessage(_) => {
            "does not speak TLS at this port: leave the TLS options out, or choose another port with -p".to_owned()
        }
        Error::InvalidCertificate(error) => certificate(error),
        Error::AlertReceived(alert) => alerted(*alert),
        Error::PeerIncompatible(
            PeerIncompatible::ServerTlsVersionIsDisabledByOurConfig
            | PeerIncompatible::ServerDoesNotSupportTls12Or13,
        ) => "speaks no version of TLS that this client may speak; see --tls-version".to_owned(),
        error => format!("failed at TLS: {error}"),
    }
}

fn certificate(error: &CertificateError) -> String {
    match error {
        CertificateError::UnknownIssuer => {
            "has a certificate that is not trusted: name its CA with --cafile".to_owned()
        }
        CertificateError::BadSignature => {
            "has a certificate with a wrong signature: --cafile names another CA of the same name"
                .to_owned()
        }
        CertificateError::NotValidForNameContext { presented, .. } => {
            let presented: Vec<_> = presented.iter().map(|name| bare(name)).collect();
            format!(
                "has a certificate for {}: connect to it by such a name, or do not check that with --insecure",
                match presented.is_empty() {
                    true => "no name".to_owned(),
                    false => presented.join(", "),
                }
            )
        }
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            "has a certificate that has expired".to_owned()
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            "has a certificate that is not valid yet; check the clocks".to_owned()
        }
        CertificateError::InvalidPurpose | CertificateError::InvalidPurposeContext { .. } => {
            "has a certificate that is not one for servers".to_owned()
        }
        error => format!("has a certificate that is not valid: {error}"),
    }
}

/// `DnsName("localhost")` and `IpAddress(127.0.0.1)` without what the library wraps around them.
fn bare(name: &str) -> &str {
    let inner = name
        .split_once('(')
        .and_then(|(_, rest)| rest.strip_suffix(')'));
    inner.unwrap_or(name).trim_matches('"')
}

fn alerted(alert: AlertDescription) -> String {
    match alert {
        AlertDescription::CertificateRequired => {
            "wants a certificate of this client: give it with --cert and --key".to_owned()
        }
        AlertDescription::BadCertificate
        | AlertDescription::CertificateUnknown
        | AlertDescription::UnsupportedCertificate
        | AlertDescription::UnknownCA
        | AlertDescription::DecryptError => {
            "does not accept this client's certificate: check --cert, or who issued it".to_owned()
        }
        AlertDescription::CertificateExpired => {
            "says that this client's certificate has expired".to_owned()
        }
        AlertDescription::CertificateRevoked => {
            "says that this client's certificate is revoked".to_owned()
        }
        AlertDescription::NoApplicationProtocol => {
            "does not speak the protocol of --tls-alpn".to_owned()
        }
        AlertDescription::ProtocolVersion => {
            "speaks no version of TLS that this client may speak; see --tls-version".to_owned()
        }
        AlertDescription::HandshakeFailure => {
            "refuses the TLS handshake; perhaps it wants a certificate (--cert and --key) or another --tls-version"
                .to_owned()
        }
        alert => format!("ended TLS with the alert {alert:?}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_told_without_their_wrapping() {
        assert_eq!(bare("DnsName(\"localhost\")"), "localhost");
        assert_eq!(bare("IpAddress(127.0.0.1)"), "127.0.0.1");
        assert_eq!(bare("localhost"), "localhost");
    }
}
