//! The only source of chance: a 64-bit state and the SplitMix64 step. Two dice with the same seed roll alike on every
//! machine, in every build.

/// A seeded sequence of numbers.
#[derive(Clone, Debug)]
pub(super) struct Dice(u64);

impl Dice {
    pub(super) const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next number; all 64 bits are good.
    pub(super) const fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        mix(self.0)
    }

    /// A number below `bound`, which is not 0.
    pub(super) fn below(&mut self, bound: usize) -> usize {
        (self.roll() % bound as u64) as usize
    }

    /// True in so many of a hundred cases.
    pub(super) fn chance(&mut self, percent: u32) -> bool {
        self.roll() % 100 < u64::from(percent)
    }

    /// One of the choices, which are not none.
    pub(super) fn one<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len())]
    }

    /// A number from 1 to `max`, small ones as likely as large ones.
    pub(super) fn magnitude(&mut self, max: u64) -> u64 {
        let bits = 64 - max.leading_zeros();
        let top = 1u64 << self.below(bits.max(1) as usize);
        (top + self.roll() % top).min(max)
    }
}

/// Scatters a number over 64 bits.
pub(super) const fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// A number for a text, the same everywhere.
pub(super) fn digest(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xCBF2_9CE4_8422_2325, |hash, &byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01B3)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_rolls_the_same() {
        let rolls = |seed| {
            let mut dice = Dice::new(seed);
            [dice.roll(), dice.roll(), dice.roll()]
        };
        assert_eq!(rolls(7), rolls(7));
        assert_ne!(rolls(7), rolls(8));
        assert_eq!(
            rolls(0)[0],
            0xE220_A839_7B1D_CDAF,
            "the published first value"
        );
    }

    #[test]
    fn magnitudes_stay_in_their_range() {
        let mut dice = Dice::new(1);
        for max in [1, 2, 1000, 86_400_000] {
            for _ in 0..200 {
                assert!((1..=max).contains(&dice.magnitude(max)));
            }
        }
    }
}
