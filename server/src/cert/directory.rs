//! The files: what is there, and how more are written.

use super::CertError;
use crate::args::Host;
use std::{
    fs::{self, OpenOptions},
    io::{self, ErrorKind, Write},
    net::IpAddr,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};
use x509_parser::{extensions::GeneralName, pem::parse_x509_pem};

pub(super) struct Directory {
    path: PathBuf,
    /// As the user wrote it.
    written: String,
    replaces: bool,
}

impl Directory {
    pub(super) fn new(written: &str, replaces: bool) -> Self {
        Self {
            path: PathBuf::from(written),
            written: written.trim_end_matches('/').to_owned(),
            replaces,
        }
    }

    /// A file as the user would write it.
    pub(super) fn file(&self, name: &str) -> String {
        format!("{}/{name}", self.written)
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    pub(super) fn create(&self) -> Result<(), CertError> {
        fs::create_dir_all(&self.path).map_err(|cause| CertError::Write {
            path: self.path.clone(),
            cause,
        })
    }

    pub(super) fn exists(&self, name: &str) -> bool {
        fs::symlink_metadata(self.path(name)).is_ok()
    }

    /// True if there is a certificate of this name with its key.
    pub(super) fn has(&self, name: &str) -> bool {
        self.exists(&format!("{name}.pem")) && self.exists(&format!("{name}.key"))
    }

    /// Complains if a certificate of this name would replace a file that must stay.
    pub(super) fn check_free(&self, name: &str) -> Result<(), CertError> {
        for file in [format!("{name}.pem"), format!("{name}.key")] {
            if !self.replaces && self.exists(&file) {
                return Err(CertError::Exists(self.path(&file)));
            }
        }
        Ok(())
    }

    pub(super) fn half(&self, there: &str, missing: &str) -> CertError {
        CertError::Half {
            there: self.path(there),
            missing: self.path(missing),
        }
    }

    pub(super) fn read(&self, name: &str) -> Result<String, CertError> {
        let path = self.path(name);
        fs::read_to_string(&path).map_err(|cause| CertError::Unusable {
            path,
            what: match cause.kind() {
                ErrorKind::InvalidData => "it is no text; PEM is expected".to_owned(),
                _ => cause.to_string(),
            },
        })
    }

    /// Writes a file; a key only its owner may read. Where one is replaced, whoever reads it sees the old or the new one
    /// whole.
    pub(super) fn write(&self, name: &str, text: &str) -> Result<(), CertError> {
        let path = self.path(name);
        self.put(&path, text).map_err(|cause| CertError::Write {
            path: path.clone(),
            cause,
        })
    }

    fn put(&self, path: &Path, text: &str) -> io::Result<()> {
        let is_key = path.extension().is_some_and(|one| one == "key");
        let is_replaced = self.replaces && path.exists();
        let mut beside = path.as_os_str().to_owned();
        if is_replaced {
            beside.push(".new");
            match fs::remove_file(&beside) {
                Err(cause) if cause.kind() != ErrorKind::NotFound => return Err(cause),
                _ => {}
            }
        }
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(if is_key { 0o600 } else { 0o644 })
            .open(&beside)?;
        file.write_all(text.as_bytes())?;
        match is_replaced {
            true => fs::rename(&beside, path),
            false => Ok(()),
        }
    }

    /// What a certificate that is there is made out to.
    pub(super) fn hosts_of(&self, name: &str) -> Result<Vec<Host>, CertError> {
        let file = format!("{name}.pem");
        let text = self.read(&file)?;
        let unusable = || CertError::Unusable {
            path: self.path(&file),
            what: "there is no certificate in it; --force with --host replaces it".to_owned(),
        };
        let (_, pem) = parse_x509_pem(text.as_bytes()).map_err(|_| unusable())?;
        let certificate = pem.parse_x509().map_err(|_| unusable())?;
        let names = certificate.subject_alternative_name();
        let names = names.map_err(|_| unusable())?.ok_or_else(unusable)?;
        Ok(names.value.general_names.iter().filter_map(host).collect())
    }
}

fn host(name: &GeneralName<'_>) -> Option<Host> {
    match name {
        GeneralName::DNSName(name) => Some(Host::Name((*name).to_owned())),
        GeneralName::IPAddress(bytes) => {
            let v4 = <[u8; 4]>::try_from(*bytes).map(IpAddr::from);
            let v6 = <[u8; 16]>::try_from(*bytes).map(IpAddr::from);
            v4.or(v6).ok().map(Host::Address)
        }
        _ => None,
    }
}
