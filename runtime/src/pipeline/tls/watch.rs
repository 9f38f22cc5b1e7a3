//! Watches the files of certificates and reads them again when they have changed.

use super::{Certificates, CertificatesError};
use notify::{
    Event, EventKind, RecursiveMode, Watcher,
    event::{AccessKind, AccessMode},
};
use std::{
    collections::{BTreeSet, hash_map::DefaultHasher},
    fs,
    hash::{Hash, Hasher},
    io,
    path::{Path, PathBuf},
    sync::mpsc::{self, Receiver, RecvTimeoutError},
    thread,
    time::Duration,
};

/// A certificate and its key are two files: what follows within this time belongs together.
const CALM: Duration = Duration::from_millis(300);

/// The files are watched as long as this is kept.
#[derive(Debug)]
pub struct CertificatesWatch {
    /// Dropping it closes the channel, which ends the thread.
    _watcher: notify::RecommendedWatcher,
}

impl Certificates {
    /// Reads the files again whenever their contents change, and reports how that went, on a thread of its own. Files
    /// that are replaced by renaming, or are reached by links that are, are noticed as well.
    ///
    /// # Errors
    /// The system refuses to watch a directory, or a thread.
    pub fn watch(
        &self,
        report: impl FnMut(Result<(), CertificatesError>) + Send + 'static,
    ) -> io::Result<CertificatesWatch> {
        let (sender, changes) = mpsc::sync_channel(1);
        let mut watcher = notify::recommended_watcher(move |event| {
            if may_be_a_change(&event) {
                // Full: somebody is told already. What it was about is found out by reading.
                let _ = sender.try_send(());
            }
        })
        .map_err(io::Error::other)?;
        for directory in directories(&self.paths()) {
            watcher
                .watch(&directory, RecursiveMode::NonRecursive)
                .map_err(io::Error::other)?;
        }
        // From now on a change is noticed.
        let before = fingerprint(&self.paths());
        let certificates = self.clone();
        thread::Builder::new()
            .name("certificates".into())
            .spawn(move || certificates.follow(&changes, before, report))?;
        Ok(CertificatesWatch { _watcher: watcher })
    }

    fn follow(
        &self,
        changes: &Receiver<()>,
        mut before: u64,
        mut report: impl FnMut(Result<(), CertificatesError>),
    ) {
        while changes.recv().is_ok() {
            loop {
                match changes.recv_timeout(CALM) {
                    Ok(()) => {}
                    Err(RecvTimeoutError::Timeout) => break,
                    Err(RecvTimeoutError::Disconnected) => return,
                }
            }
            let now = fingerprint(&self.paths());
            if now != before {
                before = now;
                report(self.reload());
            }
        }
    }
}

/// Whoever reads a file, as this does itself, changes nothing.
fn may_be_a_change(event: &notify::Result<Event>) -> bool {
    match event.as_ref().map(|event| event.kind) {
        Ok(EventKind::Access(access)) => access == AccessKind::Close(AccessMode::Write),
        _ => true,
    }
}

/// The directories in which a change may replace one of the files: where they stand, and where links lead to.
fn directories(paths: &[PathBuf]) -> BTreeSet<PathBuf> {
    let mut directories = BTreeSet::new();
    for path in paths {
        let real = fs::canonicalize(path).ok();
        for path in [Some(path.clone()), real].into_iter().flatten() {
            match path.parent() {
                Some(parent) if parent != Path::new("") => directories.insert(parent.to_owned()),
                _ => directories.insert(".".into()),
            };
        }
    }
    directories
}

/// Stands for the contents of the files.
fn fingerprint(paths: &[PathBuf]) -> u64 {
    let mut hasher = DefaultHasher::new();
    for path in paths {
        fs::read(path).ok().hash(&mut hasher);
    }
    hasher.finish()
}
