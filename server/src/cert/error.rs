//! Why certificates were not made: what, where, why, and what to do.

use std::{error::Error, fmt, io, path::PathBuf};

#[derive(Debug)]
pub(crate) enum CertError {
    /// A file is in the way.
    Exists(PathBuf),
    /// The authority's certificate without its key, or the other way round.
    Half { there: PathBuf, missing: PathBuf },
    /// A file that is there cannot be used.
    Unusable { path: PathBuf, what: String },
    /// A file or directory cannot be written.
    Write { path: PathBuf, cause: io::Error },
    /// The library refuses.
    Generate(rcgen::Error),
}

impl Error for CertError {}

impl fmt::Display for CertError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exists(path) => write!(
                f,
                "{} is there already; --force replaces it, --client NAME adds a client, --dir DIR starts elsewhere",
                path.display()
            ),
            Self::Half { there, missing } => write!(
                f,
                "{} is there but {} is missing: without both nothing can be issued; restore it, or start elsewhere \
                 with --dir DIR",
                there.display(),
                missing.display()
            ),
            Self::Unusable { path, what } => write!(f, "cannot use {}: {what}", path.display()),
            Self::Write { path, cause } => write!(f, "cannot write {}: {cause}", path.display()),
            Self::Generate(cause) => write!(f, "cannot make a certificate: {cause}"),
        }
    }
}
