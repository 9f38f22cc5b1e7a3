//! Where and with what figures were taken, in a few words.

use std::fs;
use std::process::Command;
use std::thread;

/// The processor's model and how many cores of it this process may use.
pub(crate) fn processor() -> String {
    let text = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = text
        .lines()
        .find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    let model = model.map_or("an unnamed processor", |(_, model)| model.trim());
    let cores = thread::available_parallelism().map_or(0, usize::from);
    format!("{model}, {cores} cores")
}

/// The kernel's version.
pub(crate) fn kernel() -> String {
    let release = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    format!("Linux {}", release.trim())
}

/// The commit that is checked out, if this is a checkout.
pub(crate) fn commit() -> Option<String> {
    first_line(Command::new("git").args(["rev-parse", "--short", "HEAD"]))
}

/// What mosquitto calls itself.
pub(crate) fn mosquitto() -> Option<String> {
    first_line(Command::new("mosquitto").arg("-h"))
}

/// Today in UTC, as `2026-11-28`.
pub(crate) fn date() -> Option<String> {
    first_line(Command::new("date").args(["--utc", "+%Y-%m-%d"]))
}

/// Whether system calls can be counted.
pub(crate) fn has_strace() -> bool {
    first_line(Command::new("strace").arg("-V")).is_some()
}

fn first_line(command: &mut Command) -> Option<String> {
    let output = command.output().ok()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.lines().next().map(|line| line.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_machine_has_a_processor_and_a_kernel() {
        assert!(processor().ends_with("cores") && !processor().contains("0 cores"));
        assert!(kernel().len() > "Linux ".len());
    }
}
