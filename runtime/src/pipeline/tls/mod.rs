//! TLS: records are opened and sealed here, by rustls, without any socket. [MQTT 5.0, 4.2 and 5.4]
//!
//! A build without a provider of cryptography has no TLS: its types exist, but no value of them does.

#[cfg(all(feature = "tls", not(any(feature = "aws-lc-rs", feature = "ring"))))]
compile_error!("the feature tls comes with a provider of cryptography: aws-lc-rs or ring");

#[cfg(feature = "tls")]
mod certificates;
#[cfg(feature = "tls")]
mod config;
#[cfg(feature = "tls")]
mod fault;
#[cfg(feature = "tls")]
mod identity;
#[cfg(feature = "tls")]
mod session;
#[cfg(feature = "tls")]
mod watch;
#[cfg(not(feature = "tls"))]
mod without;

#[cfg(feature = "tls")]
pub(crate) use certificates::Server;
#[cfg(feature = "tls")]
pub use certificates::{Certificates, CertificatesError};
#[cfg(feature = "tls")]
pub use config::{
    CertificateFiles, ClientCertificates, Issuers, TlsFiles, TlsVersion, UsernameFrom,
};
#[cfg(feature = "tls")]
pub(super) use session::Session;
#[cfg(feature = "tls")]
pub use watch::CertificatesWatch;
#[cfg(not(feature = "tls"))]
pub(crate) use without::Server;
#[cfg(not(feature = "tls"))]
pub(super) use without::Session;
