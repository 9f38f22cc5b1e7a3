//! One run from its first step to its end, whatever end that is.

use super::{
    model::Violation,
    plan::Plan,
    tally::Tally,
    world::{Chances, Judged, World},
};
use std::{
    fmt,
    panic::{AssertUnwindSafe, catch_unwind},
};

/// A run without fault.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Outcome {
    /// What was seen.
    pub tally: Tally,
    /// Stands for every event and every order of the run.
    pub trace_hash: u64,
}

/// A run in which a rule was broken.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Failure {
    /// The seed that repeats it.
    pub seed: u64,
    /// The invariant; see [`INVARIANTS`](super::INVARIANTS).
    pub rule: &'static str,
    /// What happened.
    pub what: String,
    /// The step in which it happened; none after the last.
    pub step: Option<usize>,
    /// Every event and order, if asked for.
    pub trace: Vec<String>,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for line in &self.trace {
            writeln!(f, "{line}")?;
        }
        write!(f, "seed {} breaks {}: {}", self.seed, self.rule, self.what)
    }
}

/// Carries a plan out.
///
/// # Errors
/// The first rule that was broken.
pub fn run(plan: &Plan, chances: Chances) -> Result<Outcome, Box<Failure>> {
    carry_out(plan, chances, false)
}

/// The same, with the trace of a failure in words.
///
/// # Errors
/// The first rule that was broken.
pub fn run_traced(plan: &Plan, chances: Chances) -> Result<Outcome, Box<Failure>> {
    carry_out(plan, chances, true)
}

fn carry_out(plan: &Plan, chances: Chances, verbose: bool) -> Result<Outcome, Box<Failure>> {
    let mut world = World::new(plan.clone(), chances, verbose);
    let began_ms = world.now_ms;
    let mut at = None;
    world.trace.note(|| format!("{:#?}", plan.config));
    for (number, persona) in plan.personas.iter().enumerate() {
        world.trace.note(|| format!("client {number}: {persona:?}"));
    }
    let judged = catch_unwind(AssertUnwindSafe(|| live(&mut world, plan, &mut at)));
    let violation = match judged {
        Ok(Ok(())) => {
            let mut tally = world.tally;
            tally.check("I64");
            tally.simulated_ms = world.now_ms - began_ms;
            return Ok(Outcome {
                tally,
                trace_hash: world.trace.hash(),
            });
        }
        Ok(Err(violation)) => violation,
        Err(panic) => {
            let said = panic.downcast_ref::<String>().cloned();
            let said = said.or_else(|| panic.downcast_ref::<&str>().map(ToString::to_string));
            Violation::new("I64", format!("panics: {}", said.unwrap_or_default()))
        }
    };
    Err(Box::new(Failure {
        seed: plan.seed,
        rule: violation.rule,
        what: violation.what,
        step: at,
        trace: world.trace.into_lines(),
    }))
}

fn live(world: &mut World, plan: &Plan, at: &mut Option<usize>) -> Judged {
    for (number, step) in plan.steps.iter().enumerate() {
        *at = Some(number);
        world
            .trace
            .note(|| format!("step {number}: {:?}, client {}", step.kind, step.client));
        world.step(*step)?;
    }
    *at = None;
    world.heal()
}
