//! `cargo xtask bench`: builds what a release ships and lets it take turns with mosquitto and the relay.

use crate::run;
use std::process::ExitCode;

/// What the page says repeats it.
const COMMAND: &str = "cargo xtask bench";

/// Builds, installs mosquitto where it is missing, and runs the report of the load generator.
///
/// # Errors
/// An argument that cannot be one.
pub(crate) fn run(arguments: &[&str]) -> Result<ExitCode, String> {
    let is_plain = |word: &&str| {
        word.bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    if let Some(wrong) = arguments.iter().find(|word| !is_plain(word)) {
        return Err(format!("bench has no option and no scenario {wrong:?}"));
    }
    Ok(match run::succeeds(&line(arguments)) {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    })
}

/// One line for a shell. Both drivers are measured as programs, with every listener they need for a transport.
fn line(arguments: &[&str]) -> String {
    let mut line = String::from(
        "PATH=$PATH:/usr/sbin; { command -v mosquitto >/dev/null || tests/interop/install.sh; } && \
         cargo build --profile dist --locked --package sanderling --package sanderling-bench && \
         program=${CARGO_TARGET_DIR:-target}/dist/sanderling && \
         $program-bench report --docs docs",
    );
    line += &format!(" --command '{COMMAND}' --broker mosquitto --broker relay");
    for driver in ["mio", "tokio"] {
        for (transport, url) in [
            ("", "127.0.0.1:{port}"),
            (
                "@tls",
                "mqtts://127.0.0.1:{port}?cert={certificate}&key={key}",
            ),
            ("@ws", "ws://127.0.0.1:{port}/mqtt"),
        ] {
            line += &format!(
                " --broker \"{driver}{transport}=$program --runtime {driver} --log-level error --listen {url}\""
            );
        }
    }
    for argument in arguments {
        line.push(' ');
        line += argument;
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_drivers_take_part_over_every_transport() {
        let line = line(&["A", "--runs", "5"]);
        assert!(line.ends_with(" A --runs 5"), "{line}");
        for name in [
            "mio=",
            "mio@tls=",
            "mio@ws=",
            "tokio=",
            "tokio@tls=",
            "tokio@ws=",
        ] {
            assert!(
                line.contains(&format!("--broker \"{name}$program ")),
                "{name}"
            );
        }
    }

    #[test]
    fn nothing_that_a_shell_would_obey_is_handed_on() {
        assert!(run(&["A;", "reboot"]).unwrap_err().contains("A;"));
    }
}
