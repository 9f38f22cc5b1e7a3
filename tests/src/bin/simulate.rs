//! `cargo xtask simulate`: repeats one seed with its trace, runs a range of seeds, or explores for some minutes.

use sanderling_tests::sim::{Chances, Failure, Plan, Tally, lost, page, run, run_traced, shrink};
use std::{
    env, fs,
    io::Write,
    ops::Range,
    panic,
    process::ExitCode,
    time::{Duration, Instant, SystemTime},
};

const USAGE: &str = "\
simulate --seed N            one seed; a failure is made short and told in full
simulate --seeds A..B        all seeds from A to B - 1
simulate --first A..B        the same, until one fails
simulate --minutes M         fresh seeds, until one fails or the time is over
simulate --hashes A..B       a number for all that happens in these seeds, whatever the chances
simulate --grid FILE         the seeds that are always run, compared with a page that counts what meets what
simulate --write-grid FILE   the same, to write that page
";

/// The seeds that are always run.
const ALWAYS: Range<u64> = 0..16_000;

/// Runs that making a failure short may take.
const SHRINK_RUNS_MAX: usize = 3000;

/// After so many failures no more are looked for.
const FAILURES_MAX: usize = 20;

fn main() -> ExitCode {
    // A panic of the broker is caught and told as a failure.
    panic::set_hook(Box::new(|_| {}));
    let arguments: Vec<String> = env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let outcome = match arguments[..] {
        ["--seed", seed] => number(seed).map(|seed| explore(seed..seed + 1, None).is_ok()),
        ["--seeds", range] => seeds(range).map(|range| explore(range, None).is_ok()),
        ["--first", range] => seeds(range).map(first_failure),
        ["--minutes", minutes] => number(minutes).map(|minutes| {
            let time = Duration::from_secs(minutes * 60);
            explore(fresh_seed()..u64::MAX, Some(time)).is_ok()
        }),
        ["--hashes", range] => seeds(range).map(hashes),
        ["--grid", file] => compare_grid(file),
        ["--write-grid", file] => write_grid(file),
        _ => Err(format!("{arguments:?} is no command. These are:\n{USAGE}")),
    };
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(complaint) => {
            eprintln!("simulate: {complaint}");
            ExitCode::from(2)
        }
    }
}

fn number(text: &str) -> Result<u64, String> {
    text.parse().map_err(|_| format!("{text:?} is no number"))
}

fn seeds(text: &str) -> Result<Range<u64>, String> {
    let Some((from, to)) = text.split_once("..") else {
        return Err(format!("{text:?} is no range; one reads 0..1500"));
    };
    Ok(number(from)?..number(to)?)
}

/// A seed that was hardly ever used before.
fn fresh_seed() -> u64 {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    now.map_or(0, |now| now.as_micros() as u64)
}

/// Tells the first failure in a line. False if there is one.
fn first_failure(mut seeds: Range<u64>) -> bool {
    let failure = seeds.find_map(|seed| run(&Plan::of(seed), Chances::default()).err());
    if let Some(failure) = &failure {
        println!("{failure}");
    }
    failure.is_none()
}

/// Prints a line that must be the same wherever it is printed. False if a seed fails, or does not decide everything.
fn hashes(seeds: Range<u64>) -> bool {
    let otherwise = Chances {
        hash_seed: 77,
        wall_ms: 10 * 366 * 24 * 3600 * 1000,
    };
    let mut all = 0_u64;
    for seed in seeds.clone() {
        let plan = Plan::of(seed);
        let runs = [Chances::default(), Chances::default(), otherwise];
        let hashes = runs.map(|chances| run(&plan, chances).map(|outcome| outcome.trace_hash));
        let [Ok(first), Ok(again), Ok(otherwise)] = hashes else {
            println!("seed {seed} fails");
            return false;
        };
        if first != again || first != otherwise {
            println!("seed {seed} gives {first:016x}, then {again:016x}, then {otherwise:016x}");
            return false;
        }
        all = all.rotate_left(1) ^ first;
    }
    println!("seeds {}..{}: {all:016x}", seeds.start, seeds.end);
    true
}

fn compare_grid(file: &str) -> Result<bool, String> {
    let known = fs::read_to_string(file).map_err(|error| format!("{file}: {error}"))?;
    let Ok(tally) = explore(ALWAYS, None) else {
        return Ok(false);
    };
    let lost = lost(&known, &tally);
    lost.iter().for_each(|lost| println!("FAILED: {lost}"));
    Ok(lost.is_empty())
}

fn write_grid(file: &str) -> Result<bool, String> {
    let Ok(tally) = explore(ALWAYS, None) else {
        return Ok(false);
    };
    fs::write(file, page(&tally)).map_err(|error| format!("{file}: {error}"))?;
    Ok(true)
}

/// Runs seeds one after the other, and tells what was seen and what failed.
///
/// # Errors
/// How many seeds failed.
fn explore(seeds: Range<u64>, time: Option<Duration>) -> Result<Tally, usize> {
    let began = Instant::now();
    let mut told = began;
    let mut tally = Tally::default();
    let mut runs = 0_u64;
    let mut failures: Vec<Box<Failure>> = Vec::new();
    for seed in seeds {
        if time.is_some_and(|time| began.elapsed() >= time) {
            break;
        }
        match run(&Plan::of(seed), Chances::default()) {
            Ok(outcome) => tally.add(&outcome.tally),
            Err(failure) => {
                println!("\r{failure}");
                failures.push(failure);
                if failures.len() == FAILURES_MAX {
                    break;
                }
            }
        }
        runs += 1;
        if told.elapsed() >= Duration::from_secs(1) {
            told = Instant::now();
            let per_second = runs as f64 / began.elapsed().as_secs_f64();
            print!(
                "\r{runs} seeds, {per_second:.0} a second, {} events, last {seed}",
                tally.events
            );
            let _ = std::io::stdout().flush();
        }
    }
    let seconds = began.elapsed().as_secs_f64();
    println!("\r{runs} seeds in {seconds:.1} s\n\n{tally}");
    let vacuous = tally.vacuous();
    if !vacuous.is_empty() {
        println!("never checked: {}", vacuous.join(", "));
    }
    let Some(first) = failures.first() else {
        return Ok(tally);
    };
    let seeds: Vec<_> = failures
        .iter()
        .map(|failure| format!("{} ({})", failure.seed, failure.rule))
        .collect();
    println!("\nFAILED: {}", seeds.join(", "));
    tell(first);
    Err(failures.len())
}

/// Makes a failure short and tells it.
fn tell(failure: &Failure) {
    println!("making seed {} short ...", failure.seed);
    let plan = Plan::of(failure.seed);
    let short = shrink(&plan, failure, SHRINK_RUNS_MAX);
    println!(
        "{} of {} steps are left",
        short.steps().len(),
        plan.steps().len()
    );
    match run_traced(&short, Chances::default()) {
        Err(failure) => println!("{failure}"),
        Ok(_) => println!("the short list does not fail; the seed does"),
    }
}
