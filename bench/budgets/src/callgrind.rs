//! Valgrind's callgrind: runs a case under it, reads what it wrote.
//!
//! The environment is emptied, so that nothing depends on its size; Valgrind itself shows every program the same
//! processor and the same addresses.

use sanderling_budgets::{COUNTED, COUNTED_FUNCTION, Case};
use std::{
    collections::HashMap,
    env, fs,
    process::{self, Command, Output},
};

/// The option that runs one case and nothing else.
pub(crate) const RUN: &str = "--run";

const INSTALL: &str =
    "valgrind is not there: install Debian's package `valgrind`, which has callgrind";
/// How many places `--hot` shows.
const HOTTEST: usize = 30;

/// Instructions in one round of a case.
pub(crate) fn instructions(case: &Case) -> Result<f64, String> {
    Ok(per_round(sum(&run(case)?)?))
}

fn per_round(count: u64) -> f64 {
    count as f64 / f64::from(COUNTED)
}

/// Where the instructions of a round are, by function and by the file the code was written in.
pub(crate) fn hot(case: &Case) -> Result<String, String> {
    let profile = run(case)?;
    let all = per_round(sum(&profile)?);
    let mut text = format!("{all:.0} instructions in a round of {}\n", case.per);
    for (title, kind) in [
        ("by function", Kind::Function),
        ("by source file", Kind::File),
    ] {
        text += &format!("  {title}\n");
        for (place, cost) in places(&profile, kind).into_iter().take(HOTTEST) {
            text += &format!(
                "{:>10.1}{:>6.1} %  {place}\n",
                per_round(cost),
                100.0 * per_round(cost) / all
            );
        }
    }
    Ok(text)
}

/// The compiler and the C library: what the figures hold for.
pub(crate) fn toolchain() -> Result<String, String> {
    let rustc = stdout(Command::new("rustc").arg("--version"))?;
    let rustc: Vec<_> = rustc.split_whitespace().take(2).collect();
    let libc = stdout(Command::new("getconf").arg("GNU_LIBC_VERSION"))?;
    Ok(format!(
        "{} {} {}",
        rustc.join(" "),
        libc.trim(),
        env::consts::ARCH
    ))
}

/// Runs a case under callgrind and returns what callgrind wrote.
fn run(case: &Case) -> Result<String, String> {
    let file = env::temp_dir().join(format!("budget-{}-{}", case.name, process::id()));
    let program = env::current_exe().map_err(|error| format!("own program: {error}"))?;
    let mut command = Command::new("valgrind");
    command
        .env_clear()
        .envs(env::var_os("PATH").map(|path| ("PATH", path)))
        .args(["--tool=callgrind", "--quiet", "--collect-atstart=no"])
        .arg(format!("--toggle-collect=*{COUNTED_FUNCTION}*"))
        .arg(format!("--callgrind-out-file={}", file.display()))
        .arg(program)
        .args([RUN, case.name]);
    stdout(&mut command)?;
    let profile = fs::read_to_string(&file).map_err(|error| format!("{}: {error}", file.display()));
    // It lies among temporary files: whatever happens, it is in nobody's way.
    let _ = fs::remove_file(&file);
    profile
}

pub(crate) fn stdout(command: &mut Command) -> Result<String, String> {
    let name = command.get_program().to_string_lossy().into_owned();
    let Output {
        status,
        stdout,
        stderr,
    } = command.output().map_err(|error| match name.as_str() {
        "valgrind" => INSTALL.to_owned(),
        _ => format!("{name}: {error}"),
    })?;
    match status.success() {
        true => Ok(String::from_utf8_lossy(&stdout).into_owned()),
        false => Err(format!(
            "{name}: {status}\n{}",
            String::from_utf8_lossy(&stderr)
        )),
    }
}

/// The sum over all functions.
fn sum(profile: &str) -> Result<u64, String> {
    let mut lines = profile.lines();
    let sum = lines.find_map(|line| line.strip_prefix("totals: ")?.trim().parse().ok());
    sum.ok_or_else(|| "callgrind wrote no sum".to_owned())
}

/// What to add a cost up by.
#[derive(Clone, Copy, Eq, PartialEq)]
enum Kind {
    Function,
    File,
}

/// The places with their own cost, the dearest first. A name is written where it is met first, as `(7) name`, and `(7)`
/// stands for it after that. A line of costs behind `calls=` is that of the function called.
fn places(profile: &str, kind: Kind) -> Vec<(String, u64)> {
    let (mut names, mut costs) = (HashMap::new(), HashMap::new());
    let (mut function, mut file, mut in_call) = (String::new(), String::new(), false);
    for line in profile.lines() {
        if let Some((key, name)) = line.split_once('=') {
            let is_file = matches!(key, "fl" | "fi" | "fe" | "cfi" | "cfl");
            if is_file || matches!(key, "fn" | "cfn") {
                let name = resolve(&mut names, is_file, name);
                match key {
                    "fn" => function = name,
                    "fl" | "fi" | "fe" => file = name,
                    _ => {}
                }
            }
            in_call |= key == "calls";
        } else if line.starts_with(|c: char| c.is_ascii_digit() || "+-*".contains(c)) {
            let cost = line
                .split_whitespace()
                .nth(1)
                .and_then(|word| word.parse::<u64>().ok());
            if !core::mem::take(&mut in_call) {
                let place = if kind == Kind::File { &file } else { &function };
                *costs.entry(place.clone()).or_insert(0) += cost.unwrap_or(0);
            }
        }
    }
    let mut costs: Vec<_> = costs.into_iter().collect();
    costs.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    costs
}

/// The name that `(7) name` or a later `(7)` stands for.
fn resolve(names: &mut HashMap<(bool, String), String>, is_file: bool, name: &str) -> String {
    let (number, full) = name.split_once(' ').unwrap_or((name, ""));
    let known = names.entry((is_file, number.to_owned()));
    known.or_insert_with(|| short(full)).clone()
}

/// Without the directories in which a compiler or a registry keeps its sources.
fn short(name: &str) -> String {
    let from = ["/library/", "/src/index.", "/registry/src/"]
        .iter()
        .find_map(|mark| name.find(mark));
    from.map_or(name, |at| &name[at + 1..]).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    const PROFILE: &str = "\
fl=(1) a.rs
fn=(1) caller
10 5
cfi=(2) b.rs
cfn=(2) callee
calls=3 0
11 90
fi=(2)
+2 7

fl=(2)
fn=(2)
1 90

fl=(1)
fn=(1)
* 1
totals: 103
";

    #[test]
    fn costs_belong_to_the_function_and_to_the_file_they_stand_in() {
        let places = |kind| places(PROFILE, kind);
        assert_eq!(
            places(Kind::Function),
            [("callee".into(), 90), ("caller".into(), 13)]
        );
        assert_eq!(
            places(Kind::File),
            [("b.rs".into(), 97), ("a.rs".into(), 6)]
        );
        assert_eq!(sum(PROFILE), Ok(103));
    }

    #[test]
    fn nothing_that_callgrind_did_not_write_is_a_sum() {
        assert!(sum("events: Ir\n").is_err());
    }
}
