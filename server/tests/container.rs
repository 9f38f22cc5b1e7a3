//! The container: what its recipe says of this repository is so. It is not built here, that needs the network.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use support::Process;

const RECIPE: &str = include_str!("../../Dockerfile");
const WORKSPACE: &str = include_str!("../../Cargo.toml");

/// What follows this word at the beginning of a line, with the lines that continue it.
fn after(word: &str) -> String {
    let joined = RECIPE.replace("\\\n", " ");
    let line = joined.lines().find_map(|line| line.strip_prefix(word));
    line.unwrap_or_else(|| panic!("no {word}")).to_owned()
}

/// The strings of an array.
fn strings(array: &str) -> Vec<&str> {
    array.split('"').skip(1).step_by(2).collect()
}

#[test]
fn b2_the_command_takes_the_options_of_the_container_and_serves_every_port() {
    let command = after("CMD ");
    let exposed = after("EXPOSE ");
    let exposed: Vec<_> = exposed.split_whitespace().collect();
    assert_eq!(exposed, ["1883", "8080", "8081", "8082"]);
    let mut options = strings(&command)
        .into_iter()
        .map(str::to_owned)
        .collect::<Vec<_>>();
    for port in exposed {
        let everywhere = format!("0.0.0.0:{port}");
        let option = options.iter_mut().find(|one| one.contains(&everywhere));
        let option = option.unwrap_or_else(|| panic!("nobody listens on {port}"));
        // Here only this machine may come, by a port of the test's own.
        *option = option.replace(&everywhere, "127.0.0.1:0");
    }
    let mut process = Process::start(options);
    for told in [
        "listening on mqtt://127.0.0.1:",
        "listening on ws://127.0.0.1:",
        "management on http://127.0.0.1:",
        "metrics on http://127.0.0.1:",
    ] {
        process.stdout.expect(told);
    }
    process.signal(rustix::process::Signal::TERM);
    process.ends_with(0);
}

#[test]
fn b2_the_container_is_built_from_what_is_here_and_runs_without_rights() {
    let version = WORKSPACE
        .lines()
        .find_map(|line| line.strip_prefix("rust-version = "))
        .unwrap()
        .trim_matches('"');
    assert!(after("FROM ").starts_with(&format!("rust:{version}-")));
    let build = after("RUN cargo build ");
    let options: Vec<_> = build.split_whitespace().collect();
    assert_eq!(
        options,
        ["--profile", "dist", "--locked", "--package", "sanderling"]
    );
    assert!(WORKSPACE.contains("\n[profile.dist]\n"));
    assert!(after("COPY --from=build ").contains("/target/dist/sanderling "));
    assert_ne!(after("USER "), "root");
}
