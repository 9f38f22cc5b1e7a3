//! Counts the allocations of the cases named on the command line: a line with name and number in one round for each.

use allocation_counter::measure;
use sanderling_budgets::{COUNTED, Rounds, named};
use std::{env, process::ExitCode};

fn main() -> ExitCode {
    let names: Vec<String> = env::args().skip(1).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    match named(&names) {
        Ok(cases) => {
            for case in cases {
                let mut allocations = 0;
                (case.run)(&mut Rounds::new(&mut |work| {
                    allocations += measure(work).count_total
                }));
                println!("{} {}", case.name, allocations as f64 / f64::from(COUNTED));
            }
            ExitCode::SUCCESS
        }
        Err(complaint) => {
            eprintln!("allocations: {complaint}");
            ExitCode::from(2)
        }
    }
}
