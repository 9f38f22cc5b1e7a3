//! What rustls finds wrong with a client, in words for those who read the log. None of them come from the client.

use rustls::{
    AlertDescription, CertificateError, Error, InvalidMessage, PeerIncompatible, PeerMisbehaved,
};
use sanderling_core::broker::{Fault, Layer};

/// The keys are worn out, or the connection has closed.
pub(super) const CANNOT_SEAL: Fault = fault("nothing more can be sealed");

pub(super) const fn fault(what: &'static str) -> Fault {
    Fault {
        layer: Layer::Tls,
        what,
    }
}

pub(super) fn of(error: &Error) -> Fault {
    fault(match error {
        Error::InvalidMessage(message) => invalid(message),
        Error::NoCertificatesPresented => "the client presented no certificate",
        Error::DecryptError => "a record that cannot be decrypted",
        Error::PeerIncompatible(incompatible) => incompatible_with(incompatible),
        Error::PeerMisbehaved(misbehaviour) => misbehaving(misbehaviour),
        Error::AlertReceived(alert) => alerted(*alert),
        Error::InvalidCertificate(error) => invalid_certificate(error),
        Error::NoApplicationProtocol => "no application protocol in common (ALPN)",
        Error::PeerSentOversizedRecord => "a record that is too long",
        Error::InappropriateMessage { .. } | Error::InappropriateHandshakeMessage { .. } => {
            "a message out of its place"
        }
        _ => "the handshake failed",
    })
}

fn invalid(message: &InvalidMessage) -> &'static str {
    match message {
        InvalidMessage::InvalidContentType | InvalidMessage::UnknownProtocolVersion => {
            "bytes that are no TLS"
        }
        InvalidMessage::MessageTooLarge | InvalidMessage::HandshakePayloadTooLarge => {
            "a message that is too long"
        }
        _ => "a malformed message",
    }
}

fn incompatible_with(incompatible: &PeerIncompatible) -> &'static str {
    match incompatible {
        PeerIncompatible::Tls12NotOffered
        | PeerIncompatible::Tls12NotOfferedOrEnabled
        | PeerIncompatible::SupportedVersionsExtensionRequired => "no version of TLS in common",
        PeerIncompatible::NoCipherSuitesInCommon => "no cipher suite in common",
        PeerIncompatible::NoKxGroupsInCommon => "no key exchange in common",
        PeerIncompatible::NoSignatureSchemesInCommon
        | PeerIncompatible::NoCertificateRequestSignatureSchemesInCommon => {
            "no signature scheme in common"
        }
        _ => "the client lacks what is required",
    }
}

fn misbehaving(misbehaviour: &PeerMisbehaved) -> &'static str {
    match misbehaviour {
        PeerMisbehaved::TooManyEmptyFragments
        | PeerMisbehaved::TooManyKeyUpdateRequests
        | PeerMisbehaved::TooManyRenegotiationRequests
        | PeerMisbehaved::TooManyWarningAlertsReceived => "too many messages that say nothing",
        _ => "the client broke a rule of TLS",
    }
}

fn alerted(alert: AlertDescription) -> &'static str {
    match alert {
        AlertDescription::UnknownCA => "the client does not trust who issued the certificate",
        AlertDescription::BadCertificate
        | AlertDescription::CertificateUnknown
        | AlertDescription::UnsupportedCertificate => "the client does not accept the certificate",
        AlertDescription::CertificateExpired => "the client says the certificate has expired",
        AlertDescription::CertificateRevoked => "the client says the certificate is revoked",
        AlertDescription::HandshakeFailure
        | AlertDescription::InsufficientSecurity
        | AlertDescription::ProtocolVersion => "the client finds no parameters in common",
        AlertDescription::UserCanceled => "the client gave up",
        _ => "the client sent a fatal alert",
    }
}

fn invalid_certificate(error: &CertificateError) -> &'static str {
    match error {
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            "the client's certificate has expired"
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            "the client's certificate is not valid yet"
        }
        CertificateError::Revoked => "the client's certificate is revoked",
        CertificateError::UnknownRevocationStatus
        | CertificateError::ExpiredRevocationList
        | CertificateError::ExpiredRevocationListContext { .. } => {
            "whether the client's certificate is revoked cannot be told"
        }
        CertificateError::UnknownIssuer => "the client's certificate comes from an unknown issuer",
        CertificateError::BadSignature => "the client's certificate has a wrong signature",
        CertificateError::InvalidPurpose | CertificateError::InvalidPurposeContext { .. } => {
            "the client's certificate is not one for clients"
        }
        _ => "the client's certificate is not valid",
    }
}
