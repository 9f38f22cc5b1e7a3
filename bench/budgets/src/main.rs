//! What the hot paths cost in instructions, allocations and bytes kept, against a committed table,
//! `bench/budgets/budgets.txt`.
//!
//! Every case runs in a process of its own under Valgrind's callgrind, which counts while one function runs and at no
//! other time. Such counts hardly depend on the machine, so they say at once what a change costs. `cargo xtask budgets`
//! builds this program as the release is built and runs it.

mod callgrind;
mod table;

use sanderling_budgets::{CASES, Case, Rounds, named, run_and_be_counted};
use std::{
    collections::HashMap,
    env, fs,
    path::PathBuf,
    process::{Command, ExitCode},
};
use table::{Cost, Table};

const USAGE: &str = "\
budgets                  compare all cases with the table
budgets --write          measure all cases and write the table
budgets --only CASE...   compare some of the cases
budgets --hot CASE...    show where the instructions of some cases go
budgets --list           say what the cases are

Exit status: 0 the table is true; 1 a case costs more or less than it says; 2 it could not be found out";

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match command(&arguments) {
        Ok(code) => code,
        Err(complaint) => {
            eprintln!("budgets: {complaint}");
            ExitCode::from(2)
        }
    }
}

fn command(arguments: &[&str]) -> Result<ExitCode, String> {
    match *arguments {
        [] => compare(CASES.iter().collect()),
        ["--only", ref names @ ..] if !names.is_empty() => compare(named(names)?),
        ["--write"] => write(),
        ["--hot", ref names @ ..] if !names.is_empty() => hot(&named(names)?),
        // What this program asks of itself under callgrind.
        [callgrind::RUN, name] => {
            (named(&[name])?[0].run)(&mut Rounds::new(&mut run_and_be_counted));
            Ok(ExitCode::SUCCESS)
        }
        ["--list"] => {
            for case in CASES {
                println!("{:<24}{}", case.name, case.what);
            }
            Ok(ExitCode::SUCCESS)
        }
        ["--help" | "help"] => {
            println!("{USAGE}");
            Ok(ExitCode::SUCCESS)
        }
        _ => Err(format!(
            "{arguments:?} is no command line. These are:\n{USAGE}"
        )),
    }
}

fn compare(cases: Vec<&'static Case>) -> Result<ExitCode, String> {
    let path = table_path();
    let doing = |error| format!("{}: {error}", path.display());
    let text = fs::read_to_string(&path).map_err(doing)?;
    let budgets = Table::parse(&text)?;
    budgets.check_toolchain(&callgrind::toolchain()?)?;
    let mut is_true = true;
    let mut measured = Measured::default();
    for case in cases {
        let cost = measured.cost(case)?;
        let (line, within) = budgets.judge(case.name, cost);
        println!("{line}");
        is_true &= within;
    }
    if !is_true {
        println!(
            "\nA figure above its budget has to come down again, or the table has to say so: \
             `cargo xtask budgets --write` rewrites it, `cargo xtask budgets --hot CASE` shows where the instructions go."
        );
    }
    Ok(ExitCode::from(u8::from(!is_true)))
}

fn write() -> Result<ExitCode, String> {
    let mut table = Table::new(callgrind::toolchain()?);
    let mut measured = Measured::default();
    for case in CASES {
        let cost = measured.cost(case)?;
        println!("{}", table::line(case.name, cost));
        table.add(case.name, cost);
    }
    let path = table_path();
    let written = fs::write(&path, table.to_string());
    written.map_err(|error| format!("{}: {error}", path.display()))?;
    Ok(ExitCode::SUCCESS)
}

fn hot(cases: &[&'static Case]) -> Result<ExitCode, String> {
    for case in cases {
        println!("{}: {}\n{}", case.name, case.what, callgrind::hot(case)?);
    }
    Ok(ExitCode::SUCCESS)
}

/// What was found out so far: one round of a case, by name.
#[derive(Default)]
struct Measured(HashMap<&'static str, Cost>);

impl Measured {
    /// What one unit of a case costs.
    fn cost(&mut self, case: &'static Case) -> Result<Cost, String> {
        let all = self.round(case)?;
        let less = case
            .less
            .map(|name| self.round(named(&[name])?[0]))
            .transpose()?;
        let left =
            |of: fn(&Cost) -> f64| (of(&all) - less.as_ref().map_or(0.0, of)) / f64::from(case.per);
        Ok(Cost {
            instructions: left(|cost| cost.instructions),
            allocations: left(|cost| cost.allocations),
            bytes: left(|cost| cost.bytes),
        })
    }

    fn round(&mut self, case: &'static Case) -> Result<Cost, String> {
        if let Some(known) = self.0.get(case.name) {
            return Ok(*known);
        }
        let (allocations, bytes) = memory(case)?;
        let cost = Cost {
            instructions: callgrind::instructions(case)?,
            allocations,
            bytes,
        };
        self.0.insert(case.name, cost);
        Ok(cost)
    }
}

/// Asks the program beside this one: allocations, and bytes kept.
fn memory(case: &Case) -> Result<(f64, f64), String> {
    let program = env::current_exe().map_err(|error| format!("own program: {error}"))?;
    let line =
        callgrind::stdout(Command::new(program.with_file_name("allocations")).arg(case.name))?;
    let mut numbers = line.split_whitespace().skip(1).map(str::parse);
    match (numbers.next(), numbers.next()) {
        (Some(Ok(allocations)), Some(Ok(bytes))) => Ok((allocations, bytes)),
        _ => Err(format!("no number of allocations and bytes: {line:?}")),
    }
}

/// Beside the manifest; cargo says where that is when it runs this program.
fn table_path() -> PathBuf {
    let package =
        env::var_os("CARGO_MANIFEST_DIR").map_or_else(|| "bench/budgets".into(), PathBuf::from);
    package.join("budgets.txt")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Instructions for each packet.
    const PLAIN_TCP_PAYS_MAX: f64 = 40.0;

    #[test]
    fn every_case_stands_in_the_table_and_nothing_else_does() {
        let table = Table::parse(include_str!("../budgets.txt")).unwrap();
        let names: Vec<_> = CASES.iter().map(|case| case.name).collect();
        assert_eq!(table.names(), names);
    }

    #[test]
    fn plain_tcp_pays_nothing_for_layers() {
        let table = Table::parse(include_str!("../budgets.txt")).unwrap();
        let [codec, pipeline] =
            ["lend-publish", "pipeline-publish"].map(|case| table.cost(case).unwrap());
        assert!(pipeline.instructions <= codec.instructions + PLAIN_TCP_PAYS_MAX);
        assert_eq!(pipeline.allocations, codec.allocations);
    }

    #[test]
    fn an_unknown_case_is_answered_with_how_to_find_the_known_ones() {
        let complaint = command(&["--only", "no-such-case"]).unwrap_err();
        assert!(complaint.contains("\"no-such-case\"") && complaint.contains("--list"));
    }
}
