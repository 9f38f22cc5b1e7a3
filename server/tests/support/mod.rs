//! Runs the real command and waits for its lines, with a deadline instead of sleeps.

#![allow(dead_code, reason = "each test program uses a part")]
#![allow(
    clippy::unwrap_used,
    reason = "a test may panic, and this is part of tests"
)]

use std::{
    fs,
    io::{BufRead, BufReader, Read, Write},
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Child, ChildStdin, Command, ExitStatus, Stdio},
    sync::mpsc::{Receiver, RecvTimeoutError, channel},
    thread,
    time::{Duration, Instant},
};

/// Long, because it passes only when a test fails.
pub(crate) const DEADLINE: Duration = Duration::from_secs(60);

/// A running command. It is killed when it is dropped.
pub(crate) struct Process {
    child: Child,
    stdin: Option<ChildStdin>,
    pub(crate) stdout: Lines,
    pub(crate) stderr: Lines,
}

/// The lines of one output as they come.
pub(crate) struct Lines {
    lines: Receiver<String>,
    seen: Vec<String>,
}

impl Process {
    /// Starts `sanderling` with these arguments.
    pub(crate) fn start<I: AsRef<std::ffi::OsStr>>(args: impl IntoIterator<Item = I>) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_sanderling"));
        command.args(args);
        Self::spawn(command)
    }

    /// Starts a subcommand with arguments as a user types them, and more.
    pub(crate) fn by_shell(subcommand: &str, typed: &str, more: &[&str]) -> Self {
        let mut command = Command::new("sh");
        let line = format!("exec \"$0\" {subcommand} {typed} \"$@\"");
        let program = env!("CARGO_BIN_EXE_sanderling");
        command.args(["-c", &line, program]).args(more);
        Self::spawn(command)
    }

    fn spawn(mut command: Command) -> Self {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        Self {
            stdin: child.stdin.take(),
            stdout: Lines::of(child.stdout.take().unwrap()),
            stderr: Lines::of(child.stderr.take().unwrap()),
            child,
        }
    }

    /// Its process id.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Sends a signal by name, such as `TERM`.
    pub(crate) fn signal(&self, signal: rustix::process::Signal) {
        let id = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(id, signal).unwrap();
    }

    /// Writes to standard input, then ends it.
    pub(crate) fn feed(&mut self, bytes: &[u8]) {
        self.stdin.take().unwrap().write_all(bytes).unwrap();
    }

    /// Writes to standard input and leaves it open.
    pub(crate) fn write(&mut self, bytes: &[u8]) {
        self.stdin.as_mut().unwrap().write_all(bytes).unwrap();
    }

    /// Waits for the end.
    pub(crate) fn wait(&mut self) -> ExitStatus {
        drop(self.stdin.take());
        // Both outputs end with the process: that can be waited for with a deadline.
        self.stdout.read_to_end();
        self.stderr.read_to_end();
        self.child.wait().unwrap()
    }

    /// Waits for the end and asserts its status.
    #[track_caller]
    pub(crate) fn ends_with(&mut self, code: i32) {
        let status = self.wait();
        let (stdout, stderr) = (self.stdout.tail(), self.stderr.tail());
        assert_eq!(
            status.code(),
            Some(code),
            "{status}\nstdout: {stdout:#?}\nstderr: {stderr:#?}"
        );
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Lines {
    fn of(output: impl Read + Send + 'static) -> Self {
        let (sender, lines) = channel();
        thread::spawn(move || {
            for line in BufReader::new(output).split(b'\n') {
                let line = String::from_utf8_lossy(&line.unwrap()).into_owned();
                if sender.send(line).is_err() {
                    break;
                }
            }
        });
        Self {
            lines,
            seen: Vec::new(),
        }
    }

    /// The next line; none at the end.
    #[track_caller]
    pub(crate) fn next(&mut self) -> Option<String> {
        match self.lines.recv_timeout(DEADLINE) {
            Ok(line) => {
                self.seen.push(line.clone());
                Some(line)
            }
            Err(RecvTimeoutError::Disconnected) => None,
            Err(RecvTimeoutError::Timeout) => panic!("no line came; before: {:#?}", self.tail()),
        }
    }

    /// The last lines, shortened, for a complaint.
    fn tail(&self) -> Vec<String> {
        let from = self.seen.len().saturating_sub(20);
        self.seen[from..]
            .iter()
            .map(|line| line.chars().take(500).collect())
            .collect()
    }

    /// Reads on until a line contains `text`, and returns that line.
    #[track_caller]
    pub(crate) fn expect(&mut self, text: &str) -> String {
        let start = Instant::now();
        while start.elapsed() < DEADLINE {
            match self.next() {
                Some(line) if line.contains(text) => return line,
                Some(_) => {}
                None => break,
            }
        }
        panic!("no line with {text:?}, but {:#?}", self.tail());
    }

    /// Every line, from the first to the end of the output.
    #[track_caller]
    pub(crate) fn read_to_end(&mut self) -> &[String] {
        while self.next().is_some() {}
        &self.seen
    }
}

/// A broker on a free port of this machine.
pub(crate) struct Broker {
    pub(crate) process: Process,
    pub(crate) address: SocketAddr,
}

impl Broker {
    /// Starts one on this runtime with more options.
    #[track_caller]
    pub(crate) fn start(runtime: &str, options: &[&str]) -> Self {
        let fixed = ["--listen", "127.0.0.1:0", "--runtime", runtime];
        let mut process = Process::start(fixed.iter().chain(options));
        let line = process.stdout.expect("listening on mqtt://");
        let address = line
            .strip_prefix("listening on mqtt://")
            .unwrap()
            .parse()
            .unwrap();
        Self { process, address }
    }

    /// Starts `pub` or `sub` against it.
    pub(crate) fn client(&self, command: &str, options: &[&str]) -> Process {
        let port = self.address.port().to_string();
        let fixed = [command, "-h", "127.0.0.1", "-p", &port];
        Process::start(fixed.iter().chain(options))
    }

    /// Starts `sub` and waits until it is subscribed.
    #[track_caller]
    pub(crate) fn subscriber(&self, options: &[&str]) -> Process {
        let mut sub = self.client("sub", &[options, &["-d"]].concat());
        sub.stderr.expect("received SUBACK");
        sub
    }

    /// Runs `pub` to its good end.
    #[track_caller]
    pub(crate) fn publish(&self, options: &[&str]) {
        self.client("pub", options).ends_with(0);
    }

    /// Asks it to stop and asserts that it does so well.
    #[track_caller]
    pub(crate) fn stop(mut self) {
        self.process.signal(rustix::process::Signal::TERM);
        self.process.ends_with(0);
    }
}

/// A broker with listeners of all kinds.
pub(crate) struct Served {
    pub(crate) process: Process,
    /// Where it listens, in the order of the listeners.
    pub(crate) urls: Vec<String>,
}

impl Served {
    /// Starts one, and waits until it has told of each listener.
    #[track_caller]
    pub(crate) fn start(runtime: &str, listeners: &[String]) -> Self {
        let mut args = vec!["--runtime", runtime];
        for listener in listeners {
            args.extend(["--listen", listener]);
        }
        let mut process = Process::start(args);
        let told = listeners.iter().map(|_| {
            let line = process.stdout.expect("listening on ");
            line.rsplit(' ').next().unwrap().to_owned()
        });
        let urls = told.collect();
        Self { process, urls }
    }

    /// The port of the first listener whose URL begins so.
    #[track_caller]
    pub(crate) fn port(&self, scheme: &str) -> String {
        let url = self.urls.iter().find(|url| url.starts_with(scheme));
        port(url.unwrap())
    }

    /// The port of the last listener.
    #[track_caller]
    pub(crate) fn last_port(&self) -> String {
        port(self.urls.last().unwrap())
    }

    /// Asks it to stop and asserts that it does so well.
    #[track_caller]
    pub(crate) fn stop(mut self) {
        self.process.signal(rustix::process::Signal::TERM);
        self.process.ends_with(0);
    }
}

fn port(url: &str) -> String {
    let (_, place) = url.split_once("://").unwrap();
    let (_, port) = place.split('/').next().unwrap().rsplit_once(':').unwrap();
    port.to_owned()
}

/// Has `cert` make certificates in this folder.
#[track_caller]
pub(crate) fn certificates(folder: &Path, options: &[&str]) {
    let fixed = ["cert", "--dir", folder.to_str().unwrap()];
    Process::start(fixed.iter().chain(options)).ends_with(0);
}

/// An empty folder for one test.
pub(crate) fn folder(name: &str) -> PathBuf {
    let program = std::env::current_exe().unwrap();
    let program = program.file_stem().unwrap().to_string_lossy().into_owned();
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"))
        .join(program)
        .join(name);
    // What an earlier run left there.
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    folder
}

/// The runtimes that every test of the service is run on.
pub(crate) const RUNTIMES: [&str; 2] = ["mio", "tokio"];
