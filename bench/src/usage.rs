//! What a process has used, read from /proc.
//!
//! CPU time is the sum of the first field of `/proc/PID/task/*/schedstat` over all threads: nanoseconds on a CPU, user
//! and system together. A thread that ended between two readings takes its time with it; brokers keep theirs. User and
//! system apart come from `/proc/PID/stat` in clock ticks, coarse. Memory is `VmRSS`, the resident set, and `VmHWM`,
//! the largest so far.

use std::{fs, io};

/// Clock ticks per second in `/proc/PID/stat`: fixed at 100 on every Linux architecture in use.
const TICK_NS: u64 = 10_000_000;

/// CPU time of a process so far.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Cpu {
    /// All threads, user and system, in nanoseconds.
    pub(crate) total_ns: u64,
    /// User part in nanoseconds, in steps of a tick.
    pub(crate) user_ns: u64,
    /// System part in nanoseconds, in steps of a tick.
    pub(crate) system_ns: u64,
}

impl Cpu {
    /// What was used since `earlier`.
    pub(crate) fn since(self, earlier: Self) -> Self {
        Self {
            total_ns: self.total_ns.saturating_sub(earlier.total_ns),
            user_ns: self.user_ns.saturating_sub(earlier.user_ns),
            system_ns: self.system_ns.saturating_sub(earlier.system_ns),
        }
    }
}

/// CPU time of process `pid`.
pub(crate) fn cpu(pid: u32) -> io::Result<Cpu> {
    let mut total_ns = 0;
    for task in fs::read_dir(format!("/proc/{pid}/task"))? {
        match fs::read_to_string(task?.path().join("schedstat")) {
            Ok(text) => total_ns += first_number(&text)?,
            // The thread ended since the directory was listed.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    // The name in parentheses may hold spaces; utime and stime are fields 14 and 15, counted from 1.
    let after_name = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
    let mut fields = after_name
        .split_whitespace()
        .skip(11)
        .map(str::parse::<u64>);
    let mut ticks = || {
        fields
            .next()
            .and_then(Result::ok)
            .ok_or_else(|| unreadable("stat"))
    };
    Ok(Cpu {
        total_ns,
        user_ns: ticks()? * TICK_NS,
        system_ns: ticks()? * TICK_NS,
    })
}

/// CPU time of the calling thread in nanoseconds.
pub(crate) fn own_thread_cpu_ns() -> io::Result<u64> {
    first_number(&fs::read_to_string("/proc/thread-self/schedstat")?)
}

/// The largest resident set of process `pid` so far, in bytes.
pub(crate) fn resident_bytes_max(pid: u32) -> io::Result<u64> {
    status_bytes(pid, "VmHWM:")
}

/// The resident set of process `pid` now, in bytes.
pub(crate) fn resident_bytes(pid: u32) -> io::Result<u64> {
    status_bytes(pid, "VmRSS:")
}

fn status_bytes(pid: u32, name: &str) -> io::Result<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    Ok(1024 * first_number(line.ok_or_else(|| unreadable(name))?)?)
}

fn first_number(text: &str) -> io::Result<u64> {
    let number = text
        .split_whitespace()
        .next()
        .and_then(|word| word.parse().ok());
    number.ok_or_else(|| unreadable("schedstat"))
}

fn unreadable(what: &str) -> io::Error {
    io::Error::new(
        io::ErrorKind::InvalidData,
        format!("cannot read {what} of /proc"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn own_process_uses_cpu_and_memory() {
        let pid = std::process::id();
        let before = cpu(pid).unwrap();
        let mut sum = 0u64;
        // Spin until the clock of the thread moved: no fixed amount of work is enough on every machine.
        let start = own_thread_cpu_ns().unwrap();
        while own_thread_cpu_ns().unwrap() < start + 20_000_000 {
            sum = std::hint::black_box(sum.wrapping_add(1));
        }
        assert!(cpu(pid).unwrap().since(before).total_ns >= 10_000_000);
        assert!(resident_bytes_max(pid).unwrap() > 64 * 1024);
    }
}
