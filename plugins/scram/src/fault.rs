//! Why a client is refused.

use sanderling_core::reason::ReasonCode;

/// Why a client is refused. It learns the kind, and nothing of what it got wrong in its proof.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Fault {
    /// No message of SCRAM, or one out of turn.
    Malformed,
    /// SCRAM, but channel binding, an authorization identity or a mandatory extension.
    Unsupported,
    /// It did not prove who it is.
    Unproven,
    /// The system has no random bytes for a nonce.
    NoRandomness,
}

impl Fault {
    pub(crate) fn reason(self) -> ReasonCode {
        match self {
            Self::Malformed => ReasonCode::PROTOCOL_ERROR,
            Self::Unsupported => ReasonCode::IMPLEMENTATION_SPECIFIC_ERROR,
            Self::Unproven => ReasonCode::NOT_AUTHORIZED,
            Self::NoRandomness => ReasonCode::SERVER_UNAVAILABLE,
        }
    }
}
