//! Seeds that every check runs through the simulator, and the proof that a seed decides everything.
//!
//! A failure names its seed: `cargo xtask simulate --seed N` repeats it, makes it short and tells it in full.

use sanderling_tests::sim::{Chances, FAULTS, INVARIANTS, Plan, STATES, Tally, run};
use std::{
    panic,
    sync::Once,
    thread,
    time::{Duration, Instant},
};

/// Always run, however long it takes. Seeds that once failed come first.
const FIRST: &[u64] = &[10, 90, 131];
/// Run in their order as long as there is time, so that a fast build tries more of them.
const MORE: u64 = 6000;
const TIME: Duration = Duration::from_secs(25);
/// These are run however slow the machine.
const LEAST: u64 = 60;

/// The broker's panics are caught and told as failures; their messages would only drown them.
fn silence_panics_of_the_broker() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let usual = panic::take_hook();
        panic::set_hook(Box::new(move |panic| {
            let is_ours = thread::current()
                .name()
                .is_none_or(|name| name != "simulation");
            if is_ours {
                usual(panic);
            }
        }));
    });
}

/// Runs seeds one after the other in a thread of their own, whose panics are told as failures.
fn simulate(
    seeds: impl Iterator<Item = u64> + Send + 'static,
    chances: Chances,
) -> (Tally, Vec<u64>) {
    silence_panics_of_the_broker();
    let began = Instant::now();
    let runs = move || {
        let mut tally = Tally::default();
        let mut hashes = Vec::new();
        for (number, seed) in (0..).zip(seeds) {
            if number >= LEAST && began.elapsed() > TIME {
                break;
            }
            let outcome = run(&Plan::of(seed), chances).map_err(|failure| failure.to_string())?;
            tally.add(&outcome.tally);
            hashes.push(outcome.trace_hash);
        }
        Ok::<_, String>((tally, hashes))
    };
    let thread = thread::Builder::new().name("simulation".into()).spawn(runs);
    let outcome = thread.expect("a thread").join().expect("panics are caught");
    outcome.unwrap_or_else(|failure| panic!("{failure}"))
}

#[test]
fn no_seed_breaks_a_rule() {
    let (tally, hashes) = simulate(FIRST.iter().copied().chain(0..MORE), Chances::default());
    println!("{} seeds\n{tally}", hashes.len());
    let vacuous = tally.vacuous();
    assert!(vacuous.is_empty(), "never checked: {vacuous:?}");
}

#[test]
fn every_fault_meets_something() {
    let (tally, _) = simulate(0..LEAST, Chances::default());
    for fault in FAULTS {
        let met: u64 = STATES.iter().map(|state| tally.met(fault, state)).sum();
        assert!(met > 0, "{fault} never happens");
    }
}

#[test]
fn a_seed_decides_everything() {
    let simulate = |chances| simulate(2000..2000 + LEAST / 2, chances);
    let first = simulate(Chances::default());
    let again = simulate(Chances::default());
    assert_eq!(first, again, "the same seeds, the same traces");
    let otherwise = Chances {
        hash_seed: 77,
        ..Chances::default()
    };
    assert_eq!(first, simulate(otherwise), "the order of a hash map shows");
}

#[test]
fn i50_the_clock_on_the_wall_changes_nothing() {
    const TEN_YEARS_MS: u64 = 10 * 366 * 24 * 3600 * 1000;
    let simulate = |wall_ms| {
        let chances = Chances {
            wall_ms,
            ..Chances::default()
        };
        simulate(2100..2100 + LEAST / 2, chances)
    };
    let first = simulate(0);
    assert_eq!(first, simulate(TEN_YEARS_MS), "ten years ahead");
    assert_eq!(first, simulate(u64::MAX), "at its end");
}

#[test]
fn invariants_are_listed_once() {
    for (number, (name, _)) in INVARIANTS.iter().enumerate() {
        assert!(
            INVARIANTS[number + 1..]
                .iter()
                .all(|(other, _)| other != name),
            "{name} twice"
        );
    }
}
