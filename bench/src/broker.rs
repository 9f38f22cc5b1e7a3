//! Brokers that the comparison starts itself: each in its own process, on a free loopback port, ended when dropped.

use std::fs::{self, File};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use clap::ValueEnum as _;
use tempfile::TempDir;

use crate::channel::Transport;
use crate::failure::Failure;

/// How long a broker may take until it accepts connections.
const START_MAX: Duration = Duration::from_secs(20);

/// A broker to compare.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum BrokerKind {
    /// Debian's mosquitto, with a configuration written for the run.
    Mosquitto,
    /// The relay of this program.
    Relay,
    /// Any command; `{port}` in it stands for the port to listen on, `{certificate}` and `{key}` for files of TLS.
    Command {
        name: String,
        /// What its clients must use.
        transport: Transport,
        words: Vec<String>,
    },
}

impl BrokerKind {
    /// Reads `mosquitto`, `relay`, `NAME=COMMAND`, `NAME@tls=COMMAND` or `NAME@ws=COMMAND`.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        match text.split_once('=') {
            None if text == "mosquitto" => Ok(Self::Mosquitto),
            None if text == "relay" => Ok(Self::Relay),
            None => Err("write `mosquitto`, `relay`, or NAME=COMMAND with {port} in it".into()),
            Some((name, command)) => {
                let words = split_words(command)?;
                let (name, transport) = match name.split_once('@') {
                    None => (name, Transport::Tcp),
                    Some((name, transport)) => (name, Transport::from_str(transport, true)?),
                };
                if name.is_empty() || words.is_empty() {
                    return Err("write NAME=COMMAND, both not empty".into());
                }
                if !command.contains("{port}") {
                    return Err(format!("the command of `{name}` does not contain {{port}}"));
                }
                Ok(Self::Command {
                    name: name.into(),
                    transport,
                    words,
                })
            }
        }
    }

    /// The name in tables.
    pub(crate) fn name(&self) -> &str {
        match self {
            Self::Mosquitto => "mosquitto",
            Self::Relay => "relay",
            Self::Command { name, .. } => name,
        }
    }

    fn command(
        &self,
        port: u16,
        transport: Transport,
        directory: &Path,
    ) -> Result<Command, Failure> {
        let (certificate, key) = (directory.join("certificate.pem"), directory.join("key.pem"));
        if transport == Transport::Tls {
            write_certificate(&certificate, &key)?;
        }
        match self {
            Self::Mosquitto => {
                let path = directory.join("mosquitto.conf");
                let configuration = mosquitto_configuration(port, transport, &certificate, &key);
                let written = fs::write(&path, configuration);
                written.map_err(Failure::io("configuration of mosquitto"))?;
                let mut command = Command::new("mosquitto");
                command.env("PATH", path_with_sbin()).arg("-c").arg(path);
                Ok(command)
            }
            Self::Relay => {
                let program = std::env::current_exe();
                let mut command = Command::new(program.map_err(Failure::io("own program"))?);
                command.args(["relay", "--port", &port.to_string()]);
                Ok(command)
            }
            Self::Command { words, .. } => {
                let mut words = words.iter().map(|word| {
                    word.replace("{port}", &port.to_string())
                        .replace("{certificate}", &certificate.to_string_lossy())
                        .replace("{key}", &key.to_string_lossy())
                });
                let program = program(&words.next().unwrap_or_default());
                let mut command = Command::new(program.map_err(Failure::io("own directory"))?);
                command.args(words);
                Ok(command)
            }
        }
    }
}

/// Debian keeps servers where not every user looks for programs.
fn path_with_sbin() -> String {
    format!("{}:/usr/sbin", std::env::var("PATH").unwrap_or_default())
}

/// A program named with a `/` is looked for from where the caller is: the broker itself starts in a directory of its own.
fn program(word: &str) -> std::io::Result<PathBuf> {
    match word.contains('/') {
        true => std::path::absolute(word),
        false => Ok(word.into()),
    }
}

/// A certificate for loopback that lives as long as the run.
fn write_certificate(certificate: &Path, key: &Path) -> Result<(), Failure> {
    let names = vec!["localhost".to_owned(), "127.0.0.1".to_owned()];
    let made = rcgen::generate_simple_self_signed(names);
    let made = made.map_err(|error| Failure::Usage(format!("certificate: {error}")))?;
    let written = fs::write(certificate, made.cert.pem())
        .and_then(|()| fs::write(key, made.signing_key.serialize_pem()));
    written.map_err(Failure::io("certificate"))
}

/// Same as for everybody: no authentication, no log, nothing on disk, no delay, no limit on queues. Nor on messages in
/// flight: at the default of 20 it closes the connection of a QoS 2 publisher that keeps more open. It stays the user
/// it is, who can read what was written for the run.
fn mosquitto_configuration(
    port: u16,
    transport: Transport,
    certificate: &Path,
    key: &Path,
) -> String {
    let layer = match transport {
        Transport::Tcp => String::new(),
        // It does not start with nothing but WebSocket listeners.
        Transport::Ws => {
            let socket = certificate.with_file_name("socket");
            format!("protocol websockets\nlistener 0 {}\n", socket.display())
        }
        Transport::Tls => {
            let (certificate, key) = (certificate.display(), key.display());
            format!("certfile {certificate}\nkeyfile {key}\n")
        }
    };
    format!(
        "user root\n\
         listener {port} 127.0.0.1\n\
         {layer}\
         allow_anonymous true\n\
         persistence false\n\
         log_dest none\n\
         connection_messages false\n\
         set_tcp_nodelay true\n\
         max_inflight_messages 0\n\
         max_queued_messages 0\n\
         max_queued_bytes 0\n\
         sys_interval 0\n"
    )
}

/// A broker that runs. Dropping it ends its process, and only that one.
pub(crate) struct RunningBroker {
    child: Child,
    pub(crate) address: SocketAddr,
    output: PathBuf,
    _directory: TempDir,
}

impl RunningBroker {
    /// Starts a broker and waits until it accepts connections.
    pub(crate) fn start(kind: &BrokerKind, transport: Transport) -> Result<Self, Failure> {
        let name = kind.name();
        let doing = |what: &str| format!("{what} of broker {name}");
        let directory = TempDir::new().map_err(Failure::io("temporary directory"))?;
        let output = directory.path().join("output");
        let file = File::create(&output).map_err(Failure::io(doing("output file")))?;
        let same = file
            .try_clone()
            .map_err(Failure::io(doing("output file")))?;
        let port = free_port()?;
        let child = kind
            .command(port, transport, directory.path())?
            .current_dir(directory.path())
            .stdin(Stdio::null())
            .stdout(file)
            .stderr(same)
            .spawn()
            .map_err(Failure::io(doing("start")))?;
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let mut running = Self {
            child,
            address,
            output,
            _directory: directory,
        };
        running.wait_until_ready(name)?;
        Ok(running)
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The last lines that the broker wrote, to explain a failure.
    pub(crate) fn last_output(&self) -> String {
        let text = fs::read(&self.output).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        let lines: Vec<_> = text.lines().collect();
        lines[lines.len().saturating_sub(5)..].join("\n")
    }

    fn wait_until_ready(&mut self, name: &str) -> Result<(), Failure> {
        let since = Instant::now();
        while TcpStream::connect(self.address).is_err() {
            if let Ok(Some(status)) = self.child.try_wait() {
                let output = self.last_output();
                return Err(Failure::Broker(format!(
                    "broker {name} ended: {status}\n{output}"
                )));
            }
            if since.elapsed() > START_MAX {
                let output = self.last_output();
                let address = self.address;
                return Err(Failure::Broker(format!(
                    "broker {name} does not listen on {address} after 20 s\n{output}"
                )));
            }
            // Another program starts: all one can do is ask again.
            thread::sleep(Duration::from_millis(5));
        }
        Ok(())
    }
}

impl Drop for RunningBroker {
    fn drop(&mut self) {
        // Either it has ended already or it ends now.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A port that nobody listens on now. Somebody may take it before the broker does; then the broker says so and ends.
fn free_port() -> Result<u16, Failure> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
        .and_then(|listener| listener.local_addr())
        .map(|address| address.port())
        .map_err(Failure::io("a free loopback port"))
}

/// Splits a command at white space; single and double quotes keep it together. There is no shell.
fn split_words(command: &str) -> Result<Vec<String>, String> {
    let (mut words, mut word, mut quote) = (Vec::new(), None::<String>, None);
    for character in command.chars() {
        match (quote, character) {
            (Some(open), _) if open == character => quote = None,
            (None, '\'' | '"') => {
                quote = Some(character);
                word.get_or_insert_default();
            }
            (None, _) if character.is_whitespace() => words.extend(word.take()),
            _ => word.get_or_insert_default().push(character),
        }
    }
    if quote.is_some() {
        return Err(format!("a quote in `{command}` is not closed"));
    }
    words.extend(word);
    Ok(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_split_like_a_shell_does_it_with_quotes() {
        let words = split_words("  ./broker --listen '127.0.0.1:{port}' \"a b\"c ''").unwrap();
        assert_eq!(
            words,
            ["./broker", "--listen", "127.0.0.1:{port}", "a bc", ""]
        );
        assert!(split_words("broker 'open").is_err());
    }

    #[test]
    fn a_command_needs_a_name_and_a_port() {
        assert_eq!(BrokerKind::parse("mosquitto"), Ok(BrokerKind::Mosquitto));
        assert_eq!(BrokerKind::parse("x=b {port}").unwrap().name(), "x");
        let BrokerKind::Command {
            name, transport, ..
        } = BrokerKind::parse("x@tls=b {port}").unwrap()
        else {
            panic!("a command");
        };
        assert_eq!((name.as_str(), transport), ("x", Transport::Tls));
        for wrong in ["nothing", "x=", "=b {port}", "x=b", "x@udp=b {port}"] {
            assert!(BrokerKind::parse(wrong).is_err(), "{wrong}");
        }
    }
}
