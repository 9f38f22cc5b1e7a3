//! The broker under test: a `sanderling` process of its own for each test, or one that runs already.

use std::env;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use crate::process::Process;

/// Which loop drives the broker: the value of its `--runtime`.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Driver {
    Mio,
    Tokio,
}

impl Driver {
    const fn name(self) -> &'static str {
        match self {
            Self::Mio => "mio",
            Self::Tokio => "tokio",
        }
    }
}

pub(crate) struct Broker {
    /// Where clients connect.
    pub(crate) address: SocketAddr,
    /// Ends with the test.
    _process: Option<Process>,
}

impl Broker {
    /// Starts a broker and waits until it says where it listens.
    ///
    /// # Panics
    /// If it does not say so before the deadline.
    pub(crate) fn start(driver: Driver) -> Self {
        if let Ok(address) = env::var("SANDERLING_INTEROP_ADDRESS") {
            let address = address.parse().unwrap_or_else(|error| {
                panic!(
                    "SANDERLING_INTEROP_ADDRESS={address}: {error}; write it like 127.0.0.1:1883"
                )
            });
            return Self {
                address,
                _process: None,
            };
        }
        let served = Served::start(driver, "127.0.0.1:0");
        Self {
            address: served.address,
            _process: Some(served.process),
        }
    }
}

/// A broker with a listener of any kind.
pub(crate) struct Served {
    /// Its output, log and all.
    pub(crate) process: Process,
    /// What clients use.
    pub(crate) url: String,
    /// The address in it.
    pub(crate) address: SocketAddr,
}

impl Served {
    /// Starts a broker and waits until it says where it listens.
    ///
    /// # Panics
    /// If it does not say so before the deadline.
    pub(crate) fn start(driver: Driver, listen: &str) -> Self {
        Self::start_with(driver, listen, &[])
    }

    /// The same with more options.
    ///
    /// # Panics
    /// If it does not say where it listens before the deadline.
    pub(crate) fn start_with(driver: Driver, listen: &str, options: &[&str]) -> Self {
        let mut command = Command::new(binary());
        command.args(["--listen", listen, "--runtime", driver.name()]);
        command.args(options);
        let mut process = Process::start("sanderling", command);
        let said = process.line_with("listening on ");
        let url = said.rsplit(' ').next().unwrap_or_default().trim();
        let (_, place) = url.split_once("://").unwrap_or_default();
        let address = place.split('/').next().unwrap_or_default();
        let address = address
            .parse()
            .unwrap_or_else(|error| panic!("not an address in {said:?}: {error}"));
        Self {
            url: url.to_owned(),
            address,
            process,
        }
    }
}

/// Certificates for all tests, as `sanderling cert` makes them: a server's for this machine and a client's in `ours`, a
/// server's for another name in `other`.
pub(crate) fn certificates() -> &'static Path {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("interop-certificates");
        // What an earlier run left there.
        let _ = fs::remove_dir_all(&folder);
        for (name, options) in [
            ("ours", ["--client", CLIENT]),
            ("other", ["--host", OTHER_HOST]),
        ] {
            let mut command = Command::new(binary());
            command.arg("cert").arg("--dir").arg(folder.join(name));
            command.args(options);
            Process::start("sanderling cert", command).succeed();
        }
        folder
    })
}

/// Whom the client's certificate is made out to.
pub(crate) const CLIENT: &str = "interop-client";
/// Whom the server's certificate in `other` is made out to.
pub(crate) const OTHER_HOST: &str = "other.example";

/// A file of the certificates, such as `ours/ca.pem`.
pub(crate) fn certificate(file: &str) -> String {
    certificates().join(file).display().to_string()
}

/// A listener with TLS by scheme, and more parameters.
pub(crate) fn secured(scheme: &str, more: &str) -> String {
    let (cert, key) = (
        certificate("ours/server.pem"),
        certificate("ours/server.key"),
    );
    format!("{scheme}://127.0.0.1:0?cert={cert}&key={key}{more}")
}

/// The `sanderling` program; built once if it is not there.
fn binary() -> &'static Path {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| {
        if let Some(named) = env::var_os("SANDERLING_INTEROP_BROKER") {
            let named = PathBuf::from(named);
            assert!(
                named.is_file(),
                "SANDERLING_INTEROP_BROKER: there is no file {}",
                named.display()
            );
            return named;
        }
        let target = env::var_os("CARGO_TARGET_DIR").unwrap_or_else(|| "target".into());
        let built = root().join(target).join("release/sanderling");
        if !built.is_file() {
            let build = Command::new(env!("CARGO"))
                .args(["build", "--release", "--package", "sanderling"])
                .current_dir(root())
                .status()
                .unwrap_or_else(|error| panic!("cargo does not start: {error}"));
            assert!(build.success(), "sanderling does not build");
        }
        built
    })
}

/// The folder of the workspace.
pub(crate) fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}
