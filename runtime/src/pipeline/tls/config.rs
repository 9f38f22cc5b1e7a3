//! What an operator says about TLS, and how it becomes a rustls configuration.

use super::certificates::CertificatesError;
use rustls::{
    RootCertStore, ServerConfig, SupportedProtocolVersion,
    crypto::CryptoProvider,
    pki_types::{
        CertificateDer, CertificateRevocationListDer, PrivateKeyDer,
        pem::{self, PemObject},
    },
    server::{
        ClientHello, NoClientAuth, ResolvesServerCert, WebPkiClientVerifier,
        danger::ClientCertVerifier,
    },
    sign::CertifiedKey,
};
use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    sync::Arc,
};
use x509_parser::prelude::{FromDer, GeneralName, X509Certificate};

/// The files and choices of one TLS listener.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct TlsFiles {
    /// Certificates to show. A client that asks for a name (SNI) gets the first that is made out to it, any other client
    /// the first of all.
    pub certificates: Vec<CertificateFiles>,
    /// Whether clients have to show certificates.
    pub clients: ClientCertificates,
    /// The oldest version of TLS that is spoken.
    pub version_min: TlsVersion,
}

/// A certificate and its key, in PEM.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct CertificateFiles {
    /// The server's certificate, then those of its issuers up to one that clients know.
    pub chain: PathBuf,
    /// The private key of the first.
    pub key: PathBuf,
}

/// Mutual TLS.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub enum ClientCertificates {
    /// Clients are not asked.
    #[default]
    None,
    /// Clients may show one; if they do, it must be valid.
    Optional(Issuers),
    /// Clients must show a valid one.
    Required(Issuers),
}

/// Who issues clients' certificates, and what they stand for.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Issuers {
    /// Certificates of those who may issue, in PEM.
    pub roots: PathBuf,
    /// Lists of certificates that were revoked, in PEM. With any, each issuer needs one.
    pub revoked: Vec<PathBuf>,
    /// Which of its names is the client's user name.
    pub username_from: Option<UsernameFrom>,
}

/// A name in a certificate. It must be there exactly once, and is compared as it stands.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum UsernameFrom {
    /// The whole subject, such as `C=NL, O=Sanderling, CN=pump-7`.
    Subject,
    /// The subject's common name.
    CommonName,
    /// The alternative name that is a DNS name.
    Dns,
    /// The alternative name that is an email address.
    Email,
    /// The alternative name that is a URI.
    Uri,
}

/// A version of TLS.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum TlsVersion {
    /// 1.2
    #[default]
    V12,
    /// 1.3
    V13,
}

impl ClientCertificates {
    pub(super) fn issuers(&self) -> Option<&Issuers> {
        match self {
            Self::None => None,
            Self::Optional(issuers) | Self::Required(issuers) => Some(issuers),
        }
    }
}

impl TlsFiles {
    /// TLS with this certificate; clients show none.
    pub fn new(chain: impl Into<PathBuf>, key: impl Into<PathBuf>) -> Self {
        Self {
            certificates: vec![CertificateFiles {
                chain: chain.into(),
                key: key.into(),
            }],
            clients: ClientCertificates::None,
            version_min: TlsVersion::default(),
        }
    }

    /// Every file that is read.
    pub(super) fn paths(&self) -> impl Iterator<Item = &Path> {
        let certificates = self.certificates.iter();
        let issuers = self.clients.issuers().into_iter();
        certificates
            .flat_map(|one| [&*one.chain, &*one.key])
            .chain(issuers.flat_map(|one| {
                let revoked = one.revoked.iter().map(|path| &**path);
                std::iter::once(&*one.roots).chain(revoked)
            }))
    }

    /// Reads all files.
    pub(super) fn load(&self, protocol: &[u8]) -> Result<ServerConfig, CertificatesError> {
        let provider = provider();
        let mut keys = Vec::new();
        for files in &self.certificates {
            keys.push(Arc::new(certified_key(files, &provider)?));
        }
        let Some(first) = self.certificates.first() else {
            return Err(CertificatesError::none());
        };
        let verifier = self.verifier(&provider)?;
        let versions: &[&SupportedProtocolVersion] = match self.version_min {
            TlsVersion::V12 => &[&rustls::version::TLS13, &rustls::version::TLS12],
            TlsVersion::V13 => &[&rustls::version::TLS13],
        };
        let unusable = |error: rustls::Error| CertificatesError::tls(&first.chain, error);
        let mut config = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(versions)
            .map_err(unusable)?
            .with_client_cert_verifier(verifier)
            .with_cert_resolver(Arc::new(Names::new(keys)));
        config.alpn_protocols = vec![protocol.to_vec()];
        // A session may be resumed as long as these files are in use: a new list of revoked certificates ends them all.
        config.ticketer = ticketer().map_err(unusable)?;
        config.max_early_data_size = 0;
        Ok(config)
    }

    fn verifier(
        &self,
        provider: &Arc<CryptoProvider>,
    ) -> Result<Arc<dyn ClientCertVerifier>, CertificatesError> {
        let Some(issuers) = self.clients.issuers() else {
            return Ok(Arc::new(NoClientAuth));
        };
        let mut roots = RootCertStore::empty();
        for certificate in read_all::<CertificateDer<'static>>(&issuers.roots)? {
            roots
                .add(certificate)
                .map_err(|error| CertificatesError::tls(&issuers.roots, error))?;
        }
        let mut revoked = Vec::new();
        for path in &issuers.revoked {
            revoked.extend(read_all::<CertificateRevocationListDer<'static>>(path)?);
        }
        let mut builder =
            WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(provider))
                .with_crls(revoked);
        if matches!(self.clients, ClientCertificates::Optional(_)) {
            builder = builder.allow_unauthenticated();
        }
        let path = issuers.revoked.first().unwrap_or(&issuers.roots);
        builder
            .build()
            .map_err(|error| CertificatesError::unusable(path, error.to_string()))
    }
}

/// All cryptography comes from here.
fn provider() -> Arc<CryptoProvider> {
    #[cfg(feature = "aws-lc-rs")]
    let provider = rustls::crypto::aws_lc_rs::default_provider();
    #[cfg(all(feature = "ring", not(feature = "aws-lc-rs")))]
    let provider = rustls::crypto::ring::default_provider();
    Arc::new(provider)
}

fn ticketer() -> Result<Arc<dyn rustls::server::ProducesTickets>, rustls::Error> {
    #[cfg(feature = "aws-lc-rs")]
    let ticketer = rustls::crypto::aws_lc_rs::Ticketer::new();
    #[cfg(all(feature = "ring", not(feature = "aws-lc-rs")))]
    let ticketer = rustls::crypto::ring::Ticketer::new();
    ticketer
}

fn certified_key(
    files: &CertificateFiles,
    provider: &CryptoProvider,
) -> Result<CertifiedKey, CertificatesError> {
    let chain = read_all::<CertificateDer<'static>>(&files.chain)?;
    let key = PrivateKeyDer::from_pem_file(&files.key)
        .map_err(|error| CertificatesError::pem(&files.key, "private key", error))?;
    CertifiedKey::from_der(chain, key, provider).map_err(|error| match error {
        rustls::Error::InconsistentKeys(_) => CertificatesError::unusable(
            &files.key,
            format!(
                "the key does not belong to the certificate in {}",
                files.chain.display()
            ),
        ),
        error => CertificatesError::tls(&files.key, error),
    })
}

/// Everything of one kind in a file; there must be something.
fn read_all<T: PemObject + Kind>(path: &Path) -> Result<Vec<T>, CertificatesError> {
    let failed = |error| CertificatesError::pem(path, T::NAME, error);
    let items = T::pem_file_iter(path)
        .and_then(Iterator::collect::<Result<Vec<T>, _>>)
        .map_err(failed)?;
    if items.is_empty() {
        return Err(failed(pem::Error::NoItemsFound));
    }
    Ok(items)
}

/// What a kind of PEM item is called in complaints.
trait Kind {
    const NAME: &'static str;
}

impl Kind for CertificateDer<'_> {
    const NAME: &'static str = "certificate";
}

impl Kind for CertificateRevocationListDer<'_> {
    const NAME: &'static str = "certificate revocation list";
}

/// Finds the certificate for the name that a client asks for.
#[derive(Debug)]
struct Names {
    by_name: HashMap<String, Arc<CertifiedKey>>,
    first: Arc<CertifiedKey>,
}

impl Names {
    fn new(keys: Vec<Arc<CertifiedKey>>) -> Self {
        let mut by_name = HashMap::new();
        for key in &keys {
            for name in names_of(key) {
                by_name.entry(name).or_insert_with(|| Arc::clone(key));
            }
        }
        let first = keys.into_iter().next();
        Self {
            by_name,
            first: first.expect("a listener without certificates is refused"),
        }
    }

    fn find(&self, name: &str) -> Option<&Arc<CertifiedKey>> {
        let name = name.to_ascii_lowercase();
        self.by_name.get(&name).or_else(|| {
            // A wildcard stands for one label, the first.
            let (_, parent) = name.split_once('.')?;
            self.by_name.get(&format!("*.{parent}"))
        })
    }
}

impl ResolvesServerCert for Names {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let found = hello.server_name().and_then(|name| self.find(name));
        Some(Arc::clone(found.unwrap_or(&self.first)))
    }
}

/// The DNS names that a certificate is made out to.
fn names_of(key: &CertifiedKey) -> Vec<String> {
    let parsed = key
        .cert
        .first()
        .and_then(|certificate| X509Certificate::from_der(certificate).ok());
    let Some((_, certificate)) = parsed else {
        return Vec::new();
    };
    let extension = certificate.subject_alternative_name().ok().flatten();
    let names = extension
        .iter()
        .flat_map(|names| &names.value.general_names);
    names
        .filter_map(|name| match name {
            GeneralName::DNSName(name) => Some(name.to_ascii_lowercase()),
            _ => None,
        })
        .collect()
}
