//! The broker under test: a `sanderling` process of its own for each test, or one that runs already.

use std::env;
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
        let mut command = Command::new(binary());
        command.args(["--listen", "127.0.0.1:0", "--runtime", driver.name()]);
        let mut process = Process::start("sanderling", command);
        let said = process.line_with("listening on mqtt://");
        let address = said.rsplit("mqtt://").next().unwrap_or_default().trim();
        let address = address
            .parse()
            .unwrap_or_else(|error| panic!("not an address in {said:?}: {error}"));
        Self {
            address,
            _process: Some(process),
        }
    }
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
