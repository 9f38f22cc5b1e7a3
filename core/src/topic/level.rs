//! Cutting a topic into levels, eight bytes at a time.
//!
//! A level of at most eight bytes, which is nearly every level, becomes one word: it is found, hashed and compared with
//! a few instructions. The law: two levels are equal exactly if their [`Level`]s are.

#![expect(
    clippy::arithmetic_side_effects,
    reason = "positions within a topic of at most 65,535 bytes, and shifts below 64"
)]

const ONES: u64 = u64::from_le_bytes([1; 8]);
const HIGHS: u64 = u64::from_le_bytes([0x80; 8]);
const SLASHES: u64 = u64::from_le_bytes([b'/'; 8]);
const HASHES: u64 = u64::from_le_bytes([b'#'; 8]);
/// The bit in which `+` differs from `#`.
const PLUS_OR_HASH: u64 = u64::from_le_bytes([b'+' ^ b'#'; 8]);

/// In the last byte of a word that a level leaves room in, plus the level's length. UTF-8 has no such byte, so a word of
/// this kind is no word of eight bytes, nor of another length.
const SHORT: u64 = 0xF8;

/// One level of a topic name or filter path.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Level<'a> {
    /// The first eight bytes, the first of them lowest. If there are fewer: zeros, and the last byte tells how many.
    pub(super) word: u64,
    /// All after the first eight bytes.
    pub(super) tail: &'a [u8],
}

impl Level<'_> {
    pub(super) const PLUS: Level<'static> = Level::short(b'+' as u64, 1);
    pub(super) const HASH: Level<'static> = Level::short(b'#' as u64, 1);

    #[inline]
    const fn short(word: u64, len: u64) -> Self {
        Level {
            word: word | (SHORT + len) << 56,
            tail: &[],
        }
    }
}

/// A topic name or filter path to be cut at any of its levels.
#[derive(Clone, Copy)]
pub(super) struct Levels<'a> {
    bytes: &'a [u8],
    /// The last eight bytes; if there are fewer, zeros before them.
    last: u64,
}

impl<'a> Levels<'a> {
    #[inline]
    pub(super) fn new(topic: &'a str) -> Self {
        let bytes = topic.as_bytes();
        let last = match bytes.last_chunk() {
            Some(&last) => u64::from_le_bytes(last),
            None => bytes
                .iter()
                .fold(0, |last, &byte| last >> 8 | u64::from(byte) << 56),
        };
        Self { bytes, last }
    }

    /// The level that begins at byte `from`, and where the next one begins; `None` behind the last level.
    #[inline]
    pub(super) fn at(&self, from: usize) -> Option<(Level<'a>, usize)> {
        let rest = self.bytes.get(from..)?;
        let (word, after) = match rest.split_first_chunk() {
            Some((&first, after)) => (u64::from_le_bytes(first), Some(after)),
            // Taken out of the last eight bytes, since a copy of unknown length is slow.
            None => (
                self.last
                    .checked_shr(64 - 8 * rest.len() as u32)
                    .unwrap_or(0),
                None,
            ),
        };
        let marks = zeros(word ^ SLASHES);
        if marks != 0 {
            let len = marks.trailing_zeros() / 8;
            let before = (1 << (8 * len)) - 1;
            return Some((
                Level::short(word & before, u64::from(len)),
                from + len as usize + 1,
            ));
        }
        let Some(after) = after else {
            return Some((Level::short(word, rest.len() as u64), from + rest.len() + 1));
        };
        let tail = after.split(|&byte| byte == b'/').next().unwrap_or_default();
        Some((Level { word, tail }, from + 8 + tail.len() + 1))
    }
}

/// All levels in order.
pub(super) struct Walk<'a> {
    levels: Levels<'a>,
    from: usize,
}

/// The levels of `topic` in order.
pub(super) fn levels(topic: &str) -> Walk<'_> {
    Walk {
        levels: Levels::new(topic),
        from: 0,
    }
}

impl<'a> Iterator for Walk<'a> {
    type Item = Level<'a>;

    fn next(&mut self) -> Option<Level<'a>> {
        let (level, next) = self.levels.at(self.from)?;
        self.from = next;
        Some(level)
    }
}

/// Whether `+`, `#` or U+0000 is among the bytes.
pub(super) fn any_special(bytes: &[u8]) -> bool {
    let special = |&chunk: &[u8; 8]| {
        let word = u64::from_le_bytes(chunk);
        zeros(word) | zeros((word & !PLUS_OR_HASH) ^ (HASHES & !PLUS_OR_HASH))
    };
    let (chunks, rest) = bytes.as_chunks();
    let marks = chunks.iter().fold(0, |marks, chunk| marks | special(chunk));
    let in_rest = match bytes.last_chunk() {
        Some(last) => special(last) != 0,
        None => rest.iter().any(|byte| matches!(byte, b'+' | b'#' | 0)),
    };
    marks != 0 || in_rest
}

/// Marks the high bit of zero bytes. The lowest mark is true; those above it may not be.
#[inline]
const fn zeros(word: u64) -> u64 {
    word.wrapping_sub(ONES) & !word & HIGHS
}

#[cfg(test)]
#[expect(clippy::indexing_slicing, reason = "a test may fail")]
mod tests {
    use super::*;
    use alloc::{string::String, vec::Vec};
    use proptest::prelude::*;

    /// Short strings in which every kind of byte and every length around eight is frequent.
    fn text() -> impl Strategy<Value = String> {
        let character =
            prop::sample::select("//ab+#*,\"$.\0\u{1}\u{80}é/".chars().collect::<Vec<_>>());
        prop::collection::vec(character, 0..30).prop_map(|all| all.into_iter().collect())
    }

    fn bytes_of(level: Level<'_>) -> Vec<u8> {
        let word = level.word.to_le_bytes();
        let len = word[7].checked_sub(0xF8).map_or(8, usize::from);
        assert!(
            len == 8 || word[len..7].iter().all(|&byte| byte == 0),
            "zeros fill the word"
        );
        assert!(len == 8 || level.tail.is_empty());
        [&word[..len], level.tail].concat()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(20_000))]

        #[test]
        fn levels_are_what_lies_between_slashes(text in text()) {
            let expected: Vec<_> = text.split('/').map(|level| level.as_bytes().to_vec()).collect();
            let cut: Vec<_> = levels(&text).collect();
            prop_assert_eq!(cut.iter().map(|&level| bytes_of(level)).collect::<Vec<_>>(), expected);
        }

        #[test]
        fn special_bytes_are_found_wherever_they_are(text in text()) {
            prop_assert_eq!(any_special(text.as_bytes()), text.contains(['+', '#', '\0']));
        }
    }
}
