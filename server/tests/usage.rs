//! The command line: one line for what is wrong, and pages that help.

mod support;

use std::net::TcpListener;
use support::Process;

/// Runs the command, which must fail with `code` and one line on standard error.
#[track_caller]
fn complaint(code: i32, args: &[&str]) -> String {
    let mut process = Process::start(args);
    process.ends_with(code);
    let lines = process.stderr.read_to_end();
    assert_eq!(lines.len(), 1, "{lines:#?}");
    lines[0].clone()
}

#[test]
fn an_unknown_option_is_answered_with_a_suggestion() {
    let line = complaint(2, &["--lisen", "127.0.0.1:0"]);
    assert!(
        line.contains("'--lisen'") && line.contains("'--listen'"),
        "{line}"
    );
}

#[test]
fn a_name_without_address_is_refused_in_one_line() {
    let line = complaint(1, &["--listen", "no-such-host.invalid:1883"]);
    assert!(line.contains("no-such-host.invalid:1883"), "{line}");
}

/// [B1]
#[test]
fn an_address_in_use_is_named_with_the_cause_and_the_remedy() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    for runtime in support::RUNTIMES {
        let line = complaint(1, &["--listen", &address, "--runtime", runtime]);
        for part in [&address, "in use", "--listen"] {
            assert_eq!(line.matches(part).count(), 1, "{part} in {line}");
        }
    }
}

#[test]
fn a_runtime_that_sleeps_by_itself_is_not_told_to_look_for_work() {
    let line = complaint(1, &["--runtime", "tokio", "--busy-poll", "50"]);
    assert!(
        line.contains("--busy-poll") && line.contains("--runtime mio"),
        "{line}"
    );
}

#[test]
fn a_refused_connection_names_the_broker_and_what_to_try() {
    // Bound and closed again: nobody else is given this port so soon.
    let port = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port()
        .to_string();
    for client in [&["pub", "-m", "x"][..], &["sub"]] {
        let line = complaint(
            1,
            &[client, &["-t", "a", "-h", "127.0.0.1", "-p", &port]].concat(),
        );
        for part in [&format!("127.0.0.1:{port}"), "refused", "-h and -p"] {
            assert!(line.contains(part), "{line}");
        }
    }
}

#[test]
fn options_that_a_version_cannot_carry_are_refused_before_connecting() {
    let line = complaint(2, &["pub", "-t", "a", "-n", "-V", "311", "-x", "60"]);
    assert!(line.contains("-x") && line.contains("mqttv5"), "{line}");
    let line = complaint(2, &["pub", "-t", "a", "-n", "-V", "311", "-P", "secret"]);
    assert!(line.contains("-u") && !line.contains("secret"), "{line}");
}

#[test]
fn help_and_version_go_to_standard_output() {
    for (args, part) in [
        (&["--version"][..], "sanderling "),
        (&["-h"], "--listen"),
        (&["--help"], "127.0.0.1:1883"),
        (&["pub", "--help"], "--will-topic"),
        (&["sub", "--help"], "27 -W has passed"),
    ] {
        let mut process = Process::start(args);
        process.stdout.expect(part);
        process.ends_with(0);
        assert!(process.stderr.read_to_end().is_empty());
    }
}
