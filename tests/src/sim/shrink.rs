//! A failing plan is made short: steps are left out as long as the same rule is broken.

use super::{
    plan::{Plan, Step},
    run::{Failure, run},
    world::Chances,
};

/// Leaves out steps of a failing plan, runs of them first and then one by one, in at most `runs_max` runs.
pub fn shrink(plan: &Plan, failure: &Failure, runs_max: usize) -> Plan {
    let fails = |steps: &[Step]| {
        let outcome = run(&plan.with_steps(steps.to_vec()), Chances::default());
        outcome.is_err_and(|found| found.rule == failure.rule)
    };
    let mut runs = 0;
    let mut steps = plan.steps.clone();
    if let Some(step) = failure.step {
        steps.truncate(step + 1);
    }
    let mut size = steps.len().div_ceil(2);
    while size > 0 {
        let mut at = 0;
        let before = steps.len();
        while at < steps.len() && runs < runs_max {
            let end = (at + size).min(steps.len());
            let rest: Vec<_> = steps[..at].iter().chain(&steps[end..]).copied().collect();
            runs += 1;
            if fails(&rest) {
                steps = rest;
            } else {
                at = end;
            }
        }
        if runs >= runs_max {
            break;
        }
        // Single steps are tried until none can go.
        if size > 1 {
            size /= 2;
        } else if steps.len() == before {
            break;
        }
    }
    plan.with_steps(steps)
}
