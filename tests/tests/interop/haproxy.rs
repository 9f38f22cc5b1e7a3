//! HAProxy in front of the broker: clients connect to it, and it announces them with the PROXY protocol.

use std::fs;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{self, Command};
use std::sync::atomic::{AtomicU32, Ordering};

use crate::process::Process;

pub(crate) struct Haproxy {
    /// Where clients connect.
    pub(crate) address: SocketAddr,
    configuration: PathBuf,
    _process: Process,
}

/// How often another port is tried.
const TRIES: usize = 10;

impl Haproxy {
    /// Starts one in front of this address, which sends a header as its option `header` says.
    ///
    /// # Panics
    /// If it does not start.
    pub(crate) fn start(behind: SocketAddr, header: &str) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("haproxy-{}-{number}.cfg", process::id());
        let configuration = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        for _ in 0..TRIES {
            // It cannot say which port it got, so a free one is looked for first.
            let address = TcpListener::bind("127.0.0.1:0").and_then(|one| one.local_addr());
            let address = address.expect("a free port");
            let text = format!(
                "defaults\n  mode tcp\n  timeout connect 10s\n  timeout client 1m\n  timeout server 1m\n\
                 frontend clients\n  bind {address}\n  default_backend broker\n\
                 backend broker\n  server one {behind} {header}\n"
            );
            fs::write(&configuration, text).expect("a file of the target folder");
            let mut command = Command::new("/usr/sbin/haproxy");
            // A master tells when its worker listens, and its worker ends with it.
            command.arg("-W").arg("-f").arg(&configuration);
            let mut process = Process::start("haproxy", command);
            if process.either_of(&["Loading success", "cannot bind"]) == "Loading success" {
                return Self {
                    address,
                    configuration,
                    _process: process,
                };
            }
        }
        panic!("haproxy found no port in {TRIES} tries");
    }
}

impl Drop for Haproxy {
    fn drop(&mut self) {
        // It stays with the other products of the build.
        let _ = fs::remove_file(&self.configuration);
    }
}
