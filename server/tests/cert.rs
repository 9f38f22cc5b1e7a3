//! `cert`: what it makes, what it leaves alone, and that the commands which it prints work.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};
use support::{Process, RUNTIMES, Served, folder};

/// Runs `cert` to its good end and returns what it prints.
#[track_caller]
fn cert(directory: &Path, options: &[&str]) -> Vec<String> {
    let mut process = start(directory, options);
    process.ends_with(0);
    process.stdout.read_to_end().to_vec()
}

/// The one line in which `cert` refuses.
#[track_caller]
fn complaint(code: i32, directory: &Path, options: &[&str]) -> String {
    let mut process = start(directory, options);
    process.ends_with(code);
    let lines = process.stderr.read_to_end();
    assert_eq!(lines.len(), 1, "{lines:#?}");
    lines[0].clone()
}

fn start(directory: &Path, options: &[&str]) -> Process {
    let directory = directory.to_str().unwrap();
    Process::start(["cert", "--dir", directory].iter().chain(options))
}

fn content(directory: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut files: Vec<_> = fs::read_dir(directory)
        .unwrap()
        .map(|file| file.unwrap().path())
        .map(|path| (path.clone(), fs::read(path).unwrap()))
        .collect();
    files.sort();
    files
}

#[test]
fn keys_are_pkcs8_that_only_their_owner_reads() {
    let directory = folder("modes").join("not/there yet");
    cert(&directory, &["--client", "pump-7"]);
    for name in ["ca", "server", "pump-7"] {
        let key = directory.join(format!("{name}.key"));
        let text = fs::read_to_string(&key).unwrap();
        assert!(text.starts_with("-----BEGIN PRIVATE KEY-----"), "{name}");
        let mode = fs::metadata(&key).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
        let certificate = fs::read_to_string(directory.join(format!("{name}.pem"))).unwrap();
        assert!(certificate.starts_with("-----BEGIN CERTIFICATE-----"));
    }
}

#[test]
fn the_authority_is_made_once_and_issues_more() {
    let directory = folder("more");
    let first = cert(&directory, &[]);
    assert!(first.iter().any(|line| line.contains("ca.key")));
    let before = content(&directory);
    let then = cert(&directory, &["--client", "pump-7", "--client", "pump-8"]);
    assert!(then.iter().any(|line| line.contains("pump-8.pem")));
    assert!(
        !then.iter().any(|line| line.contains("ca.key")),
        "{then:#?}"
    );
    let after = content(&directory);
    assert!(before.iter().all(|file| after.contains(file)));
    assert_eq!(after.len(), before.len() + 4);
}

#[test]
fn what_is_there_is_replaced_by_force_only_and_the_authority_never() {
    let directory = folder("force");
    cert(&directory, &["--client", "pump-7"]);
    let before = content(&directory);
    for options in [
        &[][..],
        &["--host", "broker.lan"],
        &["--client", "pump-7"],
        &["--client", "pump-8", "--client", "pump-7"],
    ] {
        let line = complaint(1, &directory, options);
        assert!(
            line.contains("is there already") && line.contains("--force"),
            "{line}"
        );
        assert!(content(&directory) == before, "nothing is written");
    }
    let now = cert(&directory, &["--host", "broker.lan", "--force"]);
    assert!(now.iter().any(|line| line.contains("broker.lan")));
    for ((path, old), (_, new)) in before.iter().zip(content(&directory)) {
        let is_server = path.ends_with("server.pem") || path.ends_with("server.key");
        assert_eq!(*old != new, is_server, "{}", path.display());
    }
    let mode = fs::metadata(directory.join("server.key")).unwrap();
    assert_eq!(mode.permissions().mode() & 0o777, 0o600);
}

#[test]
fn an_authority_that_cannot_be_used_is_named_with_the_reason() {
    let (directory, other) = (folder("unusable"), folder("other"));
    cert(&directory, &[]);
    cert(&other, &[]);
    let more = ["--client", "pump-7"];

    fs::copy(other.join("ca.key"), directory.join("ca.key")).unwrap();
    let line = complaint(1, &directory, &more);
    assert!(
        line.contains("ca.key") && line.contains("not the key"),
        "{line}"
    );

    fs::copy(directory.join("server.pem"), directory.join("ca.pem")).unwrap();
    fs::copy(directory.join("server.key"), directory.join("ca.key")).unwrap();
    let line = complaint(1, &directory, &more);
    assert!(line.contains("no certificate of an authority"), "{line}");

    fs::write(directory.join("ca.key"), "nothing").unwrap();
    let line = complaint(1, &directory, &more);
    assert!(line.contains("ca.key"), "{line}");

    fs::remove_file(directory.join("ca.key")).unwrap();
    let line = complaint(1, &directory, &more);
    assert!(line.contains("ca.key is missing"), "{line}");
}

#[test]
fn names_that_make_no_sense_are_refused_before_anything_is_written() {
    let directory = folder("names");
    for options in [
        ["--host", "mqtts://broker"],
        ["--client", "../pump"],
        ["--client", "ca"],
        ["--days", "0"],
        ["--dir", ""],
    ] {
        complaint(2, &directory, &options);
    }
    assert!(content(&directory).is_empty());
}

#[test]
fn the_commands_that_are_printed_work() {
    for (runtime, options) in RUNTIMES.iter().zip([&[][..], &["--client", "pump-7"]]) {
        let directory = folder(&format!("printed {runtime}"));
        let printed = cert(&directory, options);
        let after = |what: &str| {
            let found = printed
                .iter()
                .find_map(|line| line.trim().strip_prefix(what));
            found.unwrap_or_else(|| panic!("{what} is not in {printed:#?}"))
        };
        // The port that is registered may be in use here.
        let url = after("sanderling --listen ").trim_matches('\'');
        let url = url.replace("localhost:8883", "127.0.0.1:0");
        let served = Served::start(runtime, &[url]);
        let port = served.port("mqtts://");
        let subscribe = after("sanderling sub ");
        let mut sub = Process::by_shell("sub", subscribe, &["-p", &port, "-C", "1", "-d"]);
        sub.stderr.expect("received SUBACK");
        let reach = subscribe.strip_suffix("-t '#' -v").unwrap();
        let message = ["-p", &port, "-t", "hello", "-m", "world"];
        Process::by_shell("pub", reach, &message).ends_with(0);
        sub.ends_with(0);
        assert_eq!(sub.stdout.read_to_end(), ["hello world"]);
        served.stop();
    }
}
