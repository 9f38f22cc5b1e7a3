//! A foreign process: its lines as they come, its end, and never a process left behind.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

/// How long any one thing may take.
pub(crate) const DEADLINE: Duration = Duration::from_secs(20);

pub(crate) struct Process {
    name: String,
    child: Child,
    lines: Receiver<String>,
    /// Lines that came and were not asked for yet.
    unread: VecDeque<String>,
    /// Every line so far, for the report of a failure.
    said: Vec<String>,
}

impl Process {
    /// Starts `command`; what it writes to standard output and standard error is one stream of lines.
    ///
    /// # Panics
    /// If it does not start.
    pub(crate) fn start(name: &str, command: Command) -> Self {
        Self::start_with(name, command, Stdio::null())
    }

    /// The same, and [`say`](Self::say) speaks to it.
    ///
    /// # Panics
    /// If it does not start.
    pub(crate) fn start_listening(name: &str, command: Command) -> Self {
        Self::start_with(name, command, Stdio::piped())
    }

    fn start_with(name: &str, mut command: Command, input: Stdio) -> Self {
        let mut child = command
            .stdin(input)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| {
                panic!("{name} does not start: {error}; run tests/interop/install.sh\n{command:?}")
            });
        let (sender, lines) = channel();
        read_lines(child.stdout.take().expect("piped"), sender.clone());
        read_lines(child.stderr.take().expect("piped"), sender);
        let said = vec![format!("{command:?}")];
        Self {
            name: name.to_owned(),
            child,
            lines,
            unread: VecDeque::new(),
            said,
        }
    }

    /// Writes a line to its standard input.
    ///
    /// # Panics
    /// If it does not listen.
    pub(crate) fn say(&mut self, line: &str) {
        let input = self.child.stdin.as_mut().expect("it was started to listen");
        writeln!(input, "{line}").unwrap_or_else(|error| panic!("{}: {error}", self.name));
    }

    /// Waits for a line that contains `text` and takes it; lines before it stay for later questions.
    ///
    /// # Panics
    /// If the process ends or the deadline passes first.
    pub(crate) fn line_with(&mut self, text: &str) -> String {
        self.line_with_any(&[text]).0
    }

    /// Waits for a line that contains one of `texts`, and says which.
    ///
    /// # Panics
    /// If the process ends or the deadline passes first.
    pub(crate) fn either_of<'a>(&mut self, texts: &[&'a str]) -> &'a str {
        self.line_with_any(texts).1
    }

    fn line_with_any<'a>(&mut self, texts: &[&'a str]) -> (String, &'a str) {
        let found = |line: &String| texts.iter().copied().find(|text| line.contains(text));
        for place in 0..self.unread.len() {
            if let Some(text) = found(&self.unread[place]) {
                let line = self.unread.remove(place);
                return (line.expect("a place in the queue"), text);
            }
        }
        let deadline = Instant::now() + DEADLINE;
        loop {
            match self
                .lines
                .recv_timeout(deadline.saturating_duration_since(Instant::now()))
            {
                Ok(line) => {
                    self.said.push(line.clone());
                    if let Some(text) = found(&line) {
                        return (line, text);
                    }
                    self.unread.push_back(line);
                }
                Err(RecvTimeoutError::Timeout) => {
                    panic!("{}: no line with {texts:?} within {DEADLINE:?}", self.name)
                }
                Err(RecvTimeoutError::Disconnected) => {
                    panic!("{}: ended without a line with {texts:?}", self.name)
                }
            }
        }
    }

    /// Waits until the process ends by itself.
    ///
    /// # Panics
    /// If it does not before the deadline.
    pub(crate) fn wait(&mut self) -> ExitStatus {
        self.wait_within(DEADLINE)
    }

    fn wait_within(&mut self, at_most: Duration) -> ExitStatus {
        let deadline = Instant::now() + at_most;
        loop {
            match self
                .lines
                .recv_timeout(deadline.saturating_duration_since(Instant::now()))
            {
                Ok(line) => self.said.push(line),
                Err(RecvTimeoutError::Timeout) => {
                    panic!("{}: did not end within {at_most:?}", self.name)
                }
                // Both streams are closed: it has ended, or is about to.
                Err(RecvTimeoutError::Disconnected) => break,
            }
        }
        self.child
            .wait()
            .unwrap_or_else(|error| panic!("{}: {error}", self.name))
    }

    /// Waits until the process ends by itself, well.
    ///
    /// # Panics
    /// If it does not before the deadline, or ends with an exit code.
    pub(crate) fn succeed(&mut self) {
        self.succeed_within(DEADLINE);
    }

    /// The same for one that has more to do.
    ///
    /// # Panics
    /// If it does not end before this time has passed, or ends with an exit code.
    pub(crate) fn succeed_within(&mut self, at_most: Duration) {
        let status = self.wait_within(at_most);
        assert!(status.success(), "{}: {status}", self.name);
    }

    /// Ends the process at once, as a crash does.
    pub(crate) fn kill(&mut self) {
        // Fails only if it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
        if thread::panicking() {
            self.said.extend(self.lines.iter());
            eprintln!("--- {}\n{}", self.name, self.said.join("\n"));
        }
    }
}

/// Sends each line on until the stream ends.
fn read_lines(stream: impl Read + Send + 'static, lines: Sender<String>) {
    thread::spawn(move || {
        let mut stream = BufReader::new(stream);
        let mut line = Vec::new();
        while stream
            .read_until(b'\n', &mut line)
            .is_ok_and(|length| length > 0)
        {
            let text = String::from_utf8_lossy(&line)
                .trim_end_matches('\n')
                .to_owned();
            if lines.send(text).is_err() {
                return;
            }
            line.clear();
        }
    });
}
