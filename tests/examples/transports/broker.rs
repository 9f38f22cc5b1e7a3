//! The command as a process of its own, and what the system says of it.

use crate::client::Address;
use sanderling_tests::peer::{Below, Certificates};
use std::{
    env, fs,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

/// A way to the broker.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Transport {
    Tcp,
    Unix,
    Tls,
    Ws,
    Wss,
}

impl Transport {
    pub(crate) const ALL: [Self; 5] = [Self::Tcp, Self::Unix, Self::Tls, Self::Ws, Self::Wss];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Unix => "unix",
            Self::Tls => "tls",
            Self::Ws => "ws",
            Self::Wss => "wss",
        }
    }

    pub(crate) fn below(self) -> Below {
        match self {
            Self::Tcp | Self::Unix => Below::Nothing,
            Self::Tls => Below::Tls,
            Self::Ws => Below::WebSocket,
            Self::Wss => Below::Both,
        }
    }

    fn url(self, parameters: &str) -> String {
        let scheme = match self {
            Self::Tcp => "mqtt",
            Self::Unix => return format!("unix://{}", socket_file().display()),
            Self::Tls => "mqtts",
            Self::Ws => "ws",
            Self::Wss => "wss",
        };
        let path = match self.below().has_websocket() {
            true => "/mqtt",
            false => "",
        };
        let mut url = format!("{scheme}://127.0.0.1:0{path}?{parameters}");
        if self.below().has_tls() {
            let file = |name| Certificates::get().path(name).display().to_string();
            url += &format!("&cert={}&key={}", file("server.pem"), file("server.key"));
        }
        url
    }
}

/// Where the broker listens that is reached by a file.
fn socket_file() -> PathBuf {
    env::temp_dir().join(format!("sanderling-{}.sock", std::process::id()))
}

/// Ended when it is dropped.
pub(crate) struct Broker {
    child: Child,
    pub(crate) address: Address,
}

impl Broker {
    /// With one listener, whose URL has these parameters.
    pub(crate) fn start(driver: &str, transport: Transport, parameters: &str) -> Self {
        let target = env::var("CARGO_TARGET_DIR").unwrap_or_else(|_| "target".into());
        let program = Path::new(&target).join("release/sanderling");
        let mut child = Command::new(&program)
            .args(["--listen", &transport.url(parameters)])
            .args(["--runtime", driver, "--log-level", "error"])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{}: {error}; build it first", program.display()));
        let output = child.stdout.take().expect("it is piped");
        let line = BufReader::new(output).lines().next();
        let line = line.expect("where it listens").expect("text");
        let address = match transport {
            Transport::Unix => Address::Unix(socket_file()),
            _ => Address::Tcp(([127, 0, 0, 1], port(&line)).into()),
        };
        Self { child, address }
    }

    /// User and system time of its threads.
    pub(crate) fn cpu_us(&self) -> f64 {
        let tasks = fs::read_dir(format!("/proc/{}/task", self.child.id())).expect("its threads");
        let ns: u64 = tasks
            .flatten()
            .filter_map(|task| {
                let text = fs::read_to_string(task.path().join("schedstat")).ok()?;
                text.split(' ').next()?.parse::<u64>().ok()
            })
            .sum();
        ns as f64 / 1e3
    }

    /// Its resident set.
    pub(crate) fn resident_bytes(&self) -> f64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id()));
        let status = status.expect("it runs");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kib = line.and_then(|line| line.split_whitespace().next()?.parse::<f64>().ok());
        kib.expect("its resident set") * 1024.0
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
        // Killed, it leaves the file behind; other transports have none.
        let _ = fs::remove_file(socket_file());
    }
}

fn port(line: &str) -> u16 {
    let rest = line.split_once("127.0.0.1:").map(|(_, rest)| rest);
    let digits = rest.and_then(|rest| rest.split(|c: char| !c.is_ascii_digit()).next());
    let port = digits.and_then(|digits| digits.parse().ok());
    port.unwrap_or_else(|| panic!("no port: {line}"))
}
