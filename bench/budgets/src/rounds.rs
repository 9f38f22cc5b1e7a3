//! How often a case is repeated, and which part of a round is counted.

/// Rounds before anything is counted: memory that is kept from one message to the next is there then, and symbols are
/// bound.
const WARM: u32 = 200;
/// Rounds that are counted.
pub const COUNTED: u32 = 1_000;
/// The rounds of one case.
pub struct Rounds<'a> {
    /// Does the work and counts what it costs.
    counter: &'a mut dyn FnMut(&mut dyn FnMut()),
    /// How many are left before the first that is counted.
    warm: u32,
    /// How many of those that are counted have not begun.
    left: u32,
    /// The present one is counted.
    counted: bool,
}

impl<'a> Rounds<'a> {
    /// Rounds whose counted parts `counter` runs.
    pub fn new(counter: &'a mut dyn FnMut(&mut dyn FnMut())) -> Self {
        Self {
            counter,
            warm: WARM,
            left: COUNTED,
            counted: false,
        }
    }

    /// Enough rounds to see that a case works.
    #[cfg(test)]
    pub(crate) fn few(counter: &'a mut dyn FnMut(&mut dyn FnMut())) -> Self {
        Self {
            warm: 1,
            left: 2,
            ..Self::new(counter)
        }
    }

    /// Whether there is one more.
    pub(crate) fn next(&mut self) -> bool {
        self.counted = self.warm == 0;
        let left = match self.counted {
            true => &mut self.left,
            false => &mut self.warm,
        };
        let more = *left > 0;
        *left = left.saturating_sub(1);
        more
    }

    /// Does the part of a round that is counted; what stands around it in a round is not.
    pub(crate) fn count(&mut self, mut work: impl FnMut()) {
        match self.counted {
            true => (self.counter)(&mut work),
            false => work(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_rounds_are_not_counted() {
        let (mut all, mut counted) = (0, 0);
        let mut counter = |work: &mut dyn FnMut()| {
            counted += 1;
            work();
        };
        let mut rounds = Rounds::new(&mut counter);
        while rounds.next() {
            rounds.count(|| all += 1);
        }
        assert_eq!((all, counted), (WARM + COUNTED, COUNTED));
    }
}
