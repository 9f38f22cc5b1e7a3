//! Certificates that are exchanged while the broker runs: on SIGHUP, and when their files change.

use super::ServeError;
use crate::signal;
use sanderling_runtime::{Certificates, CertificatesError, CertificatesWatch};
use tracing::{error, info, warn};

/// Reads certificates again when it is time to. Files are watched as long as the result is kept.
pub(super) fn keep_up_to_date(
    certificates: &Certificates,
) -> Result<Option<CertificatesWatch>, ServeError> {
    // Without certificates SIGHUP is heard all the same: it must not end the process.
    let reloaded = certificates.clone();
    signal::on_hangup(move || {
        if !reloaded.paths().is_empty() {
            report(reloaded.reload());
        }
    })
    .map_err(ServeError::System)?;
    if certificates.paths().is_empty() {
        return Ok(None);
    }
    match certificates.watch(report) {
        Ok(watch) => Ok(Some(watch)),
        Err(cause) => {
            warn!(%cause, "certificate files cannot be watched; send SIGHUP when they have changed");
            Ok(None)
        }
    }
}

fn report(reloaded: Result<(), CertificatesError>) {
    match reloaded {
        Ok(()) => info!("certificates read again; new connections use them"),
        Err(cause) => {
            error!(%cause, "certificates cannot be read again; the ones before stay in use")
        }
    }
}
