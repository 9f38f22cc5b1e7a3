//! The report: it goes through many scenarios, and a page and plots come out.

use std::process::Command;

const PROGRAM: &str = env!("CARGO_BIN_EXE_sanderling-bench");

#[test]
fn some_scenarios_are_compared_and_what_cannot_be_done_is_told() {
    let other = format!("other={PROGRAM} relay --port {{port}}");
    let output = Command::new(PROGRAM)
        .args([
            "report", "C", "E", "--quick", "--broker", "relay", "--broker", &other,
        ])
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(
        text.contains("C: fan-out") && text.contains("| relay |"),
        "{text}{errors}"
    );
    assert!(errors.contains("E: other"), "{errors}");
    assert_eq!(output.status.code(), Some(1), "E was not done");
}

#[test]
fn an_unknown_scenario_is_answered_with_the_known_ones() {
    let output = Command::new(PROGRAM)
        .args(["report", "Z", "--broker", "relay"])
        .output()
        .unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2));
    assert!(
        errors.contains("no scenario is named Z") && errors.contains("A-tls"),
        "{errors}"
    );
}
