//! The management API of the command: where it is, and the tokens that open it.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use std::{
    fs,
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    os::unix::fs::PermissionsExt,
    thread,
    time::{Duration, Instant},
};
use support::{DEADLINE, Process, RUNTIMES, folder};

const LISTEN: [&str; 2] = ["--listen", "127.0.0.1:0"];
/// Long, because it passes only when a test fails.
const PATIENCE: Duration = Duration::from_secs(20);

/// The status of a request.
fn status(url: &str, path: &str, token: &str) -> u16 {
    let address = url.strip_prefix("http://").unwrap();
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    let request = format!(
        "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\nAuthorization: Bearer {token}\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer.split(' ').nth(1).unwrap().parse().unwrap()
}

/// The status of a probe. On a slow machine a turn of the broker may come too late; then it is asked again.
fn probe(url: &str, path: &str) -> u16 {
    let begun = Instant::now();
    loop {
        let status = status(url, path, "");
        if status != 503 || begun.elapsed() > PATIENCE {
            return status;
        }
        thread::yield_now();
    }
}

fn last_word(line: &str) -> String {
    line.rsplit(' ').next().unwrap().to_owned()
}

#[test]
fn b1_a_token_is_made_at_each_start_and_stands_in_no_log() {
    for runtime in RUNTIMES {
        for format in ["text", "json"] {
            let options = [
                "--management",
                "127.0.0.1:0",
                "--runtime",
                runtime,
                "--log",
                format,
            ];
            let mut process = Process::start(
                LISTEN
                    .iter()
                    .chain(&options)
                    .chain(&["--log-level", "trace"]),
            );
            let url = last_word(&process.stdout.expect("management on http://127.0.0.1:"));
            let token = last_word(&process.stdout.expect("management token"));
            assert_eq!(status(&url, "/api/v1/clients", &token), 200);
            assert_eq!(status(&url, "/clients", &token), 200);
            assert_eq!(status(&url, "/api/v1/clients", "sanderling_other"), 401);
            assert_eq!(probe(&url, "/readyz"), 200);
            process.signal(rustix::process::Signal::TERM);
            process.ends_with(0);
            let lines = process.stderr.read_to_end();
            assert!(
                lines.iter().all(|line| !line.contains(&token)),
                "{lines:#?}"
            );
        }
    }
}

#[test]
fn a60_the_first_token_of_a_file_is_told_once() {
    let file = folder("tokens").join("tokens.toml");
    let name = file.display().to_string();
    let options = ["--management", "127.0.0.1:0", "--management-tokens", &name];
    let mut process = Process::start(LISTEN.iter().chain(&options));
    let url = last_word(&process.stdout.expect("management on"));
    let token = last_word(&process.stdout.expect("management token, told only now"));
    assert_eq!(status(&url, "/api/v1/clients", &token), 200);
    process.signal(rustix::process::Signal::TERM);
    process.ends_with(0);
    let text = fs::read_to_string(&file).unwrap();
    assert!(!text.contains(&token) && text.contains("sha256"), "{text}");
    assert_eq!(
        fs::metadata(&file).unwrap().permissions().mode() & 0o777,
        0o600
    );

    let mut again = Process::start(LISTEN.iter().chain(&options));
    let url = last_word(&again.stdout.expect("management on"));
    assert_eq!(status(&url, "/api/v1/clients", &token), 200);
    again.signal(rustix::process::Signal::TERM);
    again.ends_with(0);
    let lines = again.stdout.read_to_end();
    assert!(
        lines.iter().all(|line| !line.contains("token")),
        "{lines:?}"
    );

    fs::write(
        &file,
        "[[token]]\nname = \"x\"\nscopes = [\"all\"]\nsha256 = \"\"\n",
    )
    .unwrap();
    let line = complaint(1, &options);
    assert!(
        line.contains(&name) && line.contains("line 3") && line.contains("`all`"),
        "{line}"
    );
    fs::set_permissions(&file, fs::Permissions::from_mode(0o622)).unwrap();
    assert!(complaint(1, &options).contains("chmod 600"));
}

#[track_caller]
fn complaint(code: i32, options: &[&str]) -> String {
    let mut process = Process::start(LISTEN.iter().chain(options));
    process.ends_with(code);
    let lines = process.stderr.read_to_end();
    lines.last().unwrap().clone()
}

#[test]
fn b1_a_port_that_was_asked_for_and_is_taken_is_named() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let line = complaint(1, &["--management", &address]);
    for part in [&*address, "in use", "--management"] {
        assert!(line.contains(part), "{part} in {line}");
    }
}

#[test]
fn wishes_that_contradict_each_other_are_refused() {
    let line = complaint(2, &["--management", "127.0.0.1:0", "--no-management"]);
    assert!(line.contains("--no-management"), "{line}");
    let line = complaint(2, &["--management", "8081"]);
    assert!(line.contains("HOST:PORT"), "{line}");
}
