//! How many system calls a broker makes, counted by strace: a run for itself, since it slows the broker down many times.

use std::fs;
use std::io::{self, BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use serde::Serialize;
use tempfile::NamedTempFile;

use crate::failure::Failure;

/// System calls of a broker during a run.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct SystemCalls {
    pub(crate) per_delivery: f64,
    /// The most frequent first.
    pub(crate) by_name: Vec<(String, f64)>,
}

/// strace, attached to a broker.
pub(crate) struct Strace {
    child: Child,
    summary: NamedTempFile,
}

impl Strace {
    /// Attaches to all threads of a process, and returns when it has them.
    pub(crate) fn attach(pid: u32) -> Result<Self, Failure> {
        let summary = NamedTempFile::new().map_err(Failure::io("temporary file"))?;
        let mut child = Command::new("strace")
            .args(["-f", "-c", "-p", &pid.to_string(), "-o"])
            .arg(summary.path())
            .stdin(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(Failure::io("strace, which counts system calls"))?;
        let mut line = String::new();
        let said = child.stderr.take().map(BufReader::new);
        let read = said.map_or(Ok(0), |mut said| said.read_line(&mut line));
        read.map_err(Failure::io("strace"))?;
        let strace = Self { child, summary };
        match line.contains("attached") {
            true => Ok(strace),
            false => Err(Failure::Usage(format!(
                "strace cannot watch the broker: {}",
                line.trim()
            ))),
        }
    }

    /// Detaches, and tells what was called for each of `deliveries`.
    pub(crate) fn finish(mut self, deliveries: u64) -> Result<SystemCalls, Failure> {
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
        let pid = pid.ok_or_else(|| Failure::Usage("strace has no process identifier".into()))?;
        let interrupted = kill_process(pid, Signal::INT).map_err(io::Error::from);
        interrupted.map_err(Failure::io("strace"))?;
        self.child.wait().map_err(Failure::io("strace"))?;
        let text = fs::read_to_string(self.summary.path()).map_err(Failure::io("strace"))?;
        Ok(SystemCalls::of(&text, deliveries))
    }
}

impl Drop for Strace {
    fn drop(&mut self) {
        // Either it has ended already or it ends now; what it watches goes on.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl SystemCalls {
    /// Reads strace's table: share of time, seconds, microseconds for each call, calls, errors if any, name.
    fn of(table: &str, deliveries: u64) -> Self {
        let mut by_name: Vec<(String, f64)> = Vec::new();
        for line in table.lines() {
            let words: Vec<_> = line.split_whitespace().collect();
            if let [_, _, _, calls, .., name] = words[..]
                && let Ok(calls) = calls.parse::<u64>()
                && name != "total"
            {
                by_name.push((name.into(), calls as f64 / deliveries.max(1) as f64));
            }
        }
        by_name.sort_by(|a, b| b.1.total_cmp(&a.1));
        Self {
            per_delivery: by_name.iter().map(|(_, calls)| calls).sum(),
            by_name,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_of_strace_is_read() {
        let table = "\
% time     seconds  usecs/call     calls    errors syscall
------ ----------- ----------- --------- --------- ----------------
 60.00    0.000600           6       100           write
 40.00    0.000400           2       200        50 read
------ ----------- ----------- --------- --------- ----------------
100.00    0.001000           3       300        50 total
";
        let calls = SystemCalls::of(table, 100);
        assert_eq!(calls.by_name, [("read".into(), 2.0), ("write".into(), 1.0)]);
        assert_eq!(calls.per_delivery, 3.0);
    }
}
