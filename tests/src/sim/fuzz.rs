//! A run from bytes: what a fuzzer makes up chooses seed, configuration and steps, and the model is the judge.

use super::{
    dice::mix,
    plan::{Kind, Plan, Step},
    run::run,
    tally::Tally,
    world::Chances,
};

/// More steps show nothing new and take long.
const STEPS_MAX: usize = 400;

impl Plan {
    /// The plan in these bytes: eight that choose configuration, clients and hooks, then four for each step: what
    /// happens, to which client, and two that its details are drawn from.
    pub fn from_bytes(bytes: &[u8]) -> Self {
        let (seed, steps) = bytes.split_first_chunk().unwrap_or((&[0; 8], &[]));
        let plan = Self::of(u64::from_le_bytes(*seed));
        let steps = steps.chunks_exact(4).take(STEPS_MAX);
        let steps = steps.map(|step| Step {
            kind: Kind::ALL[usize::from(step[0]) % Kind::ALL.len()],
            client: usize::from(step[1]) % plan.personas.len(),
            dice: mix(u64::from(u16::from_le_bytes([step[2], step[3]]))),
        });
        plan.with_steps(steps.collect())
    }
}

/// Carries out the plan in these bytes.
///
/// # Panics
/// A rule was broken.
pub fn judge(bytes: &[u8]) -> Tally {
    match run(&Plan::from_bytes(bytes), Chances::default()) {
        Ok(outcome) => outcome.tally,
        Err(failure) => panic!("{failure}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_bytes_are_a_plan() {
        assert_eq!(Plan::from_bytes(b"").steps(), []);
        let bytes: Vec<u8> = (0..=255).cycle().take(5000).collect();
        assert_eq!(Plan::from_bytes(&bytes).steps().len(), STEPS_MAX);
        assert_eq!(Plan::from_bytes(&bytes[..21]).steps().len(), 3);
    }

    #[test]
    fn what_bytes_choose_is_judged() {
        let connect = [0, 0, 1, 0];
        let tally = judge(&[&[0; 8][..], &connect].concat());
        assert!(tally.events > 2);
    }
}
