//! A program that runs, as its terminal sees it.

use super::DEADLINE;
use rustix::process::{Pid, Signal, kill_process};
use std::{
    io::{BufRead, BufReader, Read},
    process::{Child, Command, Stdio},
    sync::mpsc::{Receiver, RecvTimeoutError, channel},
    thread,
    time::Instant,
};

/// An example that runs. It is killed when it is dropped.
pub(crate) struct Program {
    child: Child,
    pub(crate) stdout: Lines,
    pub(crate) stderr: Lines,
}

impl Program {
    /// Starts one of the examples: `program` is the path of its binary.
    pub(crate) fn start(program: &str, arguments: &[&str]) -> Self {
        let mut child = Command::new(program)
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        Self {
            stdout: Lines::of(child.stdout.take().unwrap()),
            stderr: Lines::of(child.stderr.take().unwrap()),
            child,
        }
    }

    /// What it says next of itself after these words on standard output.
    #[track_caller]
    pub(crate) fn told(&mut self, words: &str) -> String {
        let line = self.stdout.expect(words);
        let (_, what) = line.split_once(words).unwrap();
        what.trim().to_owned()
    }

    /// The URL of its next listener.
    #[track_caller]
    pub(crate) fn url(&mut self) -> String {
        self.told("listening on ")
    }

    /// Asks it to stop, as `kill` or Ctrl-C do.
    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Waits for its end, which is a good one.
    #[track_caller]
    pub(crate) fn ends_well(mut self) {
        // Both outputs end with the process, and can be waited for with a deadline.
        self.stdout.read_to_end();
        self.stderr.read_to_end();
        let status = self.child.wait().unwrap();
        assert!(status.success(), "{status}: {:#?}", self.stderr.seen);
    }

    /// Asks it to stop and waits for its good end.
    #[track_caller]
    pub(crate) fn stop(self) {
        self.signal(Signal::TERM);
        self.ends_well();
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The lines of one output as they come.
pub(crate) struct Lines {
    lines: Receiver<String>,
    seen: Vec<String>,
}

impl Lines {
    fn of(output: impl Read + Send + 'static) -> Self {
        let (sender, lines) = channel();
        thread::spawn(move || {
            let lines = BufReader::new(output).lines();
            for line in lines.map_while(Result::ok) {
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        Self {
            lines,
            seen: Vec::new(),
        }
    }

    #[track_caller]
    fn next(&mut self, until: Instant) -> Option<String> {
        let left = until.saturating_duration_since(Instant::now());
        match self.lines.recv_timeout(left) {
            Ok(line) => {
                self.seen.push(line.clone());
                Some(line)
            }
            Err(RecvTimeoutError::Disconnected) => None,
            Err(RecvTimeoutError::Timeout) => panic!("no more lines came: {:#?}", self.seen),
        }
    }

    /// Reads on to a line with `text` in it.
    #[track_caller]
    pub(crate) fn expect(&mut self, text: &str) -> String {
        let until = Instant::now() + DEADLINE;
        while let Some(line) = self.next(until) {
            if line.contains(text) {
                return line;
            }
        }
        panic!("no line with {text:?}: {:#?}", self.seen);
    }

    #[track_caller]
    fn read_to_end(&mut self) {
        let until = Instant::now() + DEADLINE;
        while self.next(until).is_some() {}
    }
}
