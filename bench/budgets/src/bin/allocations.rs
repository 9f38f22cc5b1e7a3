//! Counts the allocations of the cases named on the command line, and the bytes that are kept: a line for each, with the
//! name and what there is of both in one round.

use allocation_counter::measure;
use sanderling_budgets::{COUNTED, Rounds, named};
use std::{env, process::ExitCode};

fn main() -> ExitCode {
    let names: Vec<String> = env::args().skip(1).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    match named(&names) {
        Ok(cases) => {
            for case in cases {
                let (mut allocations, mut bytes) = (0, 0);
                (case.run)(&mut Rounds::new(&mut |work| {
                    let taken = measure(work);
                    allocations += taken.count_total;
                    bytes += taken.bytes_current;
                }));
                let rounds = f64::from(COUNTED);
                println!(
                    "{} {} {}",
                    case.name,
                    allocations as f64 / rounds,
                    bytes as f64 / rounds
                );
            }
            ExitCode::SUCCESS
        }
        Err(complaint) => {
            eprintln!("allocations: {complaint}");
            ExitCode::from(2)
        }
    }
}
