//! The certificates in use, and how they are exchanged for others while connections go on.

use super::config::{TlsFiles, UsernameFrom};
use arc_swap::ArcSwap;
use rustls::{ServerConfig, pki_types::pem};
use std::{
    error::Error,
    fmt, io,
    path::{Path, PathBuf},
    sync::Arc,
};

/// What the connections of one listener are secured with.
#[derive(Debug)]
pub(crate) struct Server {
    files: TlsFiles,
    /// What is spoken on top, for ALPN.
    protocol: &'static [u8],
    /// New connections take it as it is; those that have begun keep theirs.
    current: ArcSwap<ServerConfig>,
}

impl Server {
    pub(crate) fn load(
        files: TlsFiles,
        protocol: &'static [u8],
    ) -> Result<Arc<Self>, CertificatesError> {
        let current = ArcSwap::from_pointee(files.load(protocol)?);
        Ok(Arc::new(Self {
            files,
            protocol,
            current,
        }))
    }

    pub(super) fn config(&self) -> Arc<ServerConfig> {
        self.current.load_full()
    }

    pub(super) fn username_from(&self) -> Option<UsernameFrom> {
        self.files
            .clients
            .issuers()
            .and_then(|one| one.username_from)
    }

    fn reload(&self) -> Result<(), CertificatesError> {
        self.current
            .store(Arc::new(self.files.load(self.protocol)?));
        Ok(())
    }
}

/// The certificates of all listeners of a broker.
#[derive(Clone, Debug, Default)]
pub struct Certificates {
    servers: Arc<[Arc<Server>]>,
}

impl Certificates {
    pub(crate) fn of(servers: impl Iterator<Item = Arc<Server>>) -> Self {
        Self {
            servers: servers.collect(),
        }
    }

    /// Reads all files again. New connections are secured with what they contain; those that there are go on.
    ///
    /// # Errors
    /// What is wrong with the files of a listener. That listener keeps what it has; the others have the new ones.
    pub fn reload(&self) -> Result<(), CertificatesError> {
        let outcomes: Vec<_> = self.servers.iter().map(|server| server.reload()).collect();
        outcomes.into_iter().collect()
    }

    /// Every file that [`reload`](Self::reload) reads.
    pub fn paths(&self) -> Vec<PathBuf> {
        let paths = self.servers.iter().flat_map(|server| server.files.paths());
        let mut paths: Vec<_> = paths.map(Path::to_owned).collect();
        paths.sort();
        paths.dedup();
        paths
    }
}

/// What is wrong with a file of certificates or keys.
#[derive(Debug)]
pub struct CertificatesError {
    path: PathBuf,
    what: String,
}

impl CertificatesError {
    pub(super) fn none() -> Self {
        Self::unusable(Path::new(""), "TLS needs a certificate and its key".into())
    }

    pub(super) fn unusable(path: &Path, what: String) -> Self {
        Self {
            path: path.to_owned(),
            what,
        }
    }

    pub(super) fn tls(path: &Path, error: rustls::Error) -> Self {
        Self::unusable(path, error.to_string())
    }

    pub(super) fn pem(path: &Path, kind: &str, error: pem::Error) -> Self {
        let what = match error {
            pem::Error::Io(error) => match error.kind() {
                io::ErrorKind::NotFound => "there is no such file".into(),
                io::ErrorKind::PermissionDenied => {
                    "it may not be read by the user that the broker runs as".into()
                }
                _ => error.to_string(),
            },
            pem::Error::NoItemsFound => format!("there is no {kind} in it; PEM is expected"),
            error => format!("it is no valid PEM: {error}"),
        };
        Self::unusable(path, what)
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl fmt::Display for CertificatesError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.path.as_os_str().is_empty() {
            true => f.write_str(&self.what),
            false => write!(f, "{}: {}", self.path.display(), self.what),
        }
    }
}

impl Error for CertificatesError {}
