//! The load generator against its own relay: a clean run is valid, and a relay that drops, repeats or swaps messages is
//! found out. So a run that says "valid" means something.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Output, Stdio};

use serde_json::Value;

const PROGRAM: &str = env!("CARGO_BIN_EXE_sanderling-bench");

/// A relay in its own process, ended with the test.
struct Relay {
    child: Child,
    port: String,
}

impl Relay {
    fn start(options: &[&str]) -> Self {
        let mut command = Command::new(PROGRAM);
        command
            .args(["relay", "--port", "0"])
            .args(options)
            .stdout(Stdio::piped());
        let mut child = command.spawn().expect("the relay starts");
        let mut line = String::new();
        let output = child.stdout.take().expect("a pipe");
        BufReader::new(output)
            .read_line(&mut line)
            .expect("a line from the relay");
        let (_, port) = line
            .trim()
            .rsplit_once(':')
            .expect("the relay says where it listens");
        Self {
            port: port.into(),
            child,
        }
    }

    fn load(&self, options: &[&str]) -> Output {
        let mut command = Command::new(PROGRAM);
        command
            .args(["load", "--port", &self.port, "--json", "-"])
            .args(options);
        command.output().expect("the load generator starts")
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.child.kill().expect("the relay runs until now");
        self.child.wait().expect("the relay ends");
    }
}

fn report(output: &Output) -> Value {
    let text = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    serde_json::from_str(&text).unwrap_or_else(|_| panic!("no report: {text}\n{errors}"))
}

/// A run of 4 pairs over a relay that spoils every 100th message of a publisher. The last message of each is whole.
fn spoiled(fault: &str, options: &[&str]) -> (Value, Option<i32>) {
    let relay = Relay::start(&["--fault", fault, "--fault-every", "100"]);
    let mut all = vec![
        "--scenario",
        "pairs",
        "--publishers",
        "4",
        "--subscribers",
        "4",
    ];
    all.extend(["--messages", "4040", "--qos", "0"]);
    all.extend(options);
    let output = relay.load(&all);
    (report(&output), output.status.code())
}

#[test]
fn a_clean_relay_is_valid_in_every_shape_and_version() {
    let relay = Relay::start(&[]);
    let shapes: [(&[&str], u64); 5] = [
        (&["--scenario", "A", "--messages", "20000"], 20_000),
        (&["--scenario", "B", "--messages", "20000"], 20_000),
        (&["--scenario", "C", "--messages", "200"], 40_000),
        (&["--scenario", "all", "--messages", "3001"], 30_010),
        (
            &[
                "--scenario",
                "pairs",
                "--messages",
                "3001",
                "--topics",
                "7",
                "--in-flight",
                "1",
            ],
            3_001,
        ),
    ];
    for (options, delivered) in shapes {
        // The relay decides once where a publisher's messages go, which suits `--topics` too: all go to one subscriber.
        for version in ["311", "5"] {
            let output = relay.load(&[options, &["--version", version]].concat());
            let report = report(&output);
            assert_eq!(output.status.code(), Some(0), "{options:?}: {report}");
            assert_eq!(report["delivered"], delivered, "{options:?}: {report}");
            assert_eq!(report["violations"], 0, "{options:?}: {report}");
        }
    }
}

#[test]
fn dropped_messages_are_lost() {
    let (report, status) = spoiled("drop", &[]);
    assert_eq!(status, Some(1), "{report}");
    assert_eq!(report["faults_by_qos"][0]["lost"], 4 * 10, "{report}");
    assert_eq!(report["violations"], 40, "{report}");
}

#[test]
fn dropped_messages_are_counted_and_forgiven_when_that_is_said() {
    let (report, status) = spoiled("drop", &["--allow-loss"]);
    assert_eq!(status, Some(0), "{report}");
    assert_eq!(report["faults_by_qos"][0]["lost"], 40, "{report}");
}

#[test]
fn repeated_messages_are_duplicates() {
    let (report, status) = spoiled("duplicate", &["--allow-loss"]);
    assert_eq!(status, Some(1), "{report}");
    assert_eq!(report["faults_by_qos"][0]["duplicated"], 40, "{report}");
    assert_eq!(report["delivered"], 4080, "{report}");
}

#[test]
fn swapped_messages_are_out_of_order_and_not_lost() {
    let (report, status) = spoiled("reorder", &["--allow-loss"]);
    assert_eq!(status, Some(1), "{report}");
    let faults = &report["faults_by_qos"][0];
    assert_eq!(
        (&faults["reordered"], &faults["lost"]),
        (&40.into(), &0.into()),
        "{report}"
    );
}

#[test]
fn a_repeat_of_the_very_last_message_is_seen() {
    let relay = Relay::start(&["--fault", "duplicate", "--fault-every", "500"]);
    let output = relay.load(&[
        "--scenario",
        "A",
        "--publishers",
        "1",
        "--subscribers",
        "1",
        "--messages",
        "500",
    ]);
    assert_eq!(report(&output)["faults_by_qos"][0]["duplicated"], 1);
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn a_lost_last_message_ends_the_run_as_stalled() {
    let relay = Relay::start(&["--fault", "drop", "--fault-every", "500"]);
    let options = [
        "--scenario",
        "A",
        "--publishers",
        "1",
        "--subscribers",
        "1",
        "--messages",
        "500",
    ];
    let output = relay.load(&[&options[..], &["--stall", "6"]].concat());
    let stalled = report(&output);
    assert_eq!(stalled["stalled"], true, "{stalled}");
    assert_eq!(stalled["faults_by_qos"][0]["lost"], 1, "{stalled}");
    assert_eq!(output.status.code(), Some(1));

    let output = relay.load(&[&options[..], &["--stall", "6", "--allow-loss"]].concat());
    let forgiven = report(&output);
    assert_eq!(
        (&forgiven["gave_up"], &forgiven["stalled"]),
        (&1.into(), &false.into())
    );
    assert_eq!(output.status.code(), Some(0), "{forgiven}");
}

#[test]
fn nobody_there_and_wrong_options_are_failures_of_their_own() {
    let relay = Relay::start(&[]);
    let output = relay.load(&["--scenario", "A", "--payload", "4"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("--payload must be at least 12"));
    // The relay knows QoS 0 only and closes the connection of a publisher at QoS 1.
    let output = relay.load(&["--scenario", "D", "--messages", "100"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("the broker closed"));
}

#[test]
fn a_comparison_starts_ends_and_measures_brokers() {
    let directory = tempfile::tempdir().unwrap();
    let json = directory.path().join("comparison.json");
    let other = format!("copy={PROGRAM} relay --port {{port}}");
    let output = Command::new(PROGRAM)
        .args([
            "compare",
            "--scenario",
            "A",
            "--messages",
            "20000",
            "--runs",
            "2",
        ])
        .args(["--broker", "relay", "--broker", &other, "--json"])
        .arg(&json)
        .output()
        .unwrap();
    let table = String::from_utf8_lossy(&output.stdout);
    assert_eq!(
        output.status.code(),
        Some(0),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    assert!(
        table.contains("| relay |") && table.contains("| copy |"),
        "{table}"
    );
    let comparison: Value = serde_json::from_slice(&std::fs::read(&json).unwrap()).unwrap();
    assert_eq!(comparison["brokers"][0]["ratio"]["median"], 1.0);
    assert_eq!(comparison["runs"].as_array().unwrap().len(), 4);
    for run in comparison["runs"].as_array().unwrap() {
        assert!(
            run["report"]["broker"]["cpu_ns_per_delivery"]
                .as_f64()
                .unwrap()
                > 0.0,
            "{run}"
        );
        assert!(
            run["report"]["broker"]["resident_bytes_max"]
                .as_u64()
                .unwrap()
                > 100_000,
            "{run}"
        );
    }
}

#[test]
fn a_program_with_a_slash_is_found_from_where_the_caller_is() {
    let directory = tempfile::tempdir().unwrap();
    std::os::unix::fs::symlink(PROGRAM, directory.path().join("broker")).unwrap();
    let output = Command::new(PROGRAM)
        .current_dir(&directory)
        .args([
            "compare",
            "--scenario",
            "A",
            "--messages",
            "2000",
            "--runs",
            "1",
        ])
        .args(["--broker", "here=./broker relay --port {port}"])
        .output()
        .unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{errors}");
}

#[test]
fn the_relay_is_left_out_where_it_cannot_take_part() {
    let other = format!("other={PROGRAM} relay --port {{port}}");
    let compare = |brokers: &[&str]| {
        let mut command = Command::new(PROGRAM);
        command.args([
            "compare",
            "--scenario",
            "E",
            "--messages",
            "100",
            "--runs",
            "1",
        ]);
        brokers.iter().for_each(|broker| {
            command.args(["--broker", broker]);
        });
        let output = command.output().unwrap();
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    let errors = compare(&["relay"]);
    assert!(errors.contains("no broker is left"), "{errors}");
    // The other one is tried, though it is a relay too and fails.
    let errors = compare(&["relay", &other]);
    assert!(
        errors.contains("relay: left out") && errors.contains("other: "),
        "{errors}"
    );
}

#[test]
fn a_broker_that_does_not_start_is_a_failure_with_its_output() {
    let output = Command::new(PROGRAM)
        .args(["compare", "--scenario", "A", "--runs", "1"])
        .args([
            "--broker",
            &format!("broken={PROGRAM} relay --no-such-option {{port}}"),
        ])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2));
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(
        errors.contains("broker broken ended") && errors.contains("--no-such-option"),
        "{errors}"
    );
}

#[test]
fn every_connection_is_opened_and_answers_a_ping() {
    let relay = Relay::start(&[]);
    let pid = relay.child.id().to_string();
    for (scenario, version) in [("G", "311"), ("H", "5")] {
        let options = [
            "--scenario",
            scenario,
            "--version",
            version,
            "--subscribers",
            "300",
        ];
        let output = relay.load(&[&options[..], &["--broker-pid", &pid]].concat());
        let report = report(&output);
        assert_eq!(output.status.code(), Some(0), "{report}");
        assert_eq!(report["delivered"], 300, "{report}");
        assert!(
            report["resident"]["bytes_each"].as_f64().is_some(),
            "{report}"
        );
    }
}

/// Mosquitto plays the broker where the relay cannot. The step `interop` installs it and runs these tests again.
fn compare_with_mosquitto(options: &[&str]) -> Option<Value> {
    // Where Debian keeps it, not every user looks for programs.
    let path = format!("{}:/usr/sbin", std::env::var("PATH").unwrap_or_default());
    let missing = Command::new("mosquitto")
        .env("PATH", path)
        .arg("-h")
        .stdout(Stdio::null())
        .status()
        .is_err();
    if missing {
        eprintln!("mosquitto is not installed: not tried");
        return None;
    }
    let directory = tempfile::tempdir().expect("a temporary directory");
    let json = directory.path().join("comparison.json");
    let output = Command::new(PROGRAM)
        .args(["compare", "--runs", "1", "--broker", "mosquitto", "--json"])
        .arg(&json)
        .args(options)
        .output()
        .expect("the comparison runs");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{options:?}: {errors}");
    let written = std::fs::read(&json).expect("what was compared");
    let comparison: Value = serde_json::from_slice(&written).expect("JSON");
    Some(comparison["runs"][0]["report"].clone())
}

#[test]
fn every_transport_carries_every_qos() {
    for transport in ["tls", "ws"] {
        for qos in ["0", "2"] {
            let options = ["--scenario", "pairs", "--messages", "2000", "--qos", qos];
            let transport = ["--transport", transport, "--payload", "3000"];
            // Each WebSocket handshake takes mosquitto a fifth of a second.
            let clients = ["--publishers", "3", "--subscribers", "3"];
            if let Some(report) =
                compare_with_mosquitto(&[&options[..], &transport, &clients].concat())
            {
                assert_eq!(report["delivered"], 2_000, "{report}");
            }
        }
    }
}

#[test]
fn a_group_gets_each_message_once() {
    for version in ["311", "5"] {
        let options = [
            "--scenario",
            "K",
            "--messages",
            "3000",
            "--version",
            version,
        ];
        if let Some(report) = compare_with_mosquitto(&options) {
            assert_eq!(report["delivered"], 3_000, "{report}");
        }
    }
}

#[test]
fn retained_messages_are_stored_and_replayed() {
    for version in ["311", "5"] {
        let options = [
            "--scenario",
            "R",
            "--messages",
            "3001",
            "--version",
            version,
        ];
        if let Some(report) = compare_with_mosquitto(&options) {
            assert_eq!(report["delivered"], 3_001, "{report}");
            assert_eq!(report["phases"][0]["count"], 3_001, "{report}");
            assert_eq!(report["resident"]["of"], "retained message", "{report}");
        }
    }
}

#[test]
fn filters_are_weighed() {
    let options = ["--scenario", "J", "--messages", "3000"];
    if let Some(report) = compare_with_mosquitto(&options) {
        assert_eq!(report["phases"][0]["count"], 100_000, "{report}");
        assert!(
            report["resident"]["bytes_each"].as_f64().unwrap() > 0.0,
            "{report}"
        );
    }
}

#[test]
fn who_reads_gets_everything_though_others_do_not_read() {
    let relay = Relay::start(&[]);
    let options = [
        "--scenario",
        "S",
        "--messages",
        "40",
        "--publishers",
        "2",
        "--stalled",
        "50",
    ];
    let output = relay.load(&options);
    let whole = report(&output);
    assert_eq!(output.status.code(), Some(0), "{whole}");
    assert_eq!(whole["delivered"], 4_000, "{whole}");
}
