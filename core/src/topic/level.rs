//! Cutting a topic into levels, eight bytes at a time.
//!
//! A level of at most eight bytes, which is nearly every level, becomes one word: it is found, hashed and compared with
//! a few instructions. The law: two levels are equal exactly if their [`Level`]s are.

const ONES: u64 = u64::from_le_bytes([1; 8]);
const HIGHS: u64 = u64::from_le_bytes([0x80; 8]);
const SLASHES: u64 = u64::from_le_bytes([b'/'; 8]);
const HASHES: u64 = u64::from_le_bytes([b'#'; 8]);
/// The bit in which `+` differs from `#`.
const PLUS_OR_HASH: u64 = u64::from_le_bytes([b'+' ^ b'#'; 8]);

/// One level of a topic name or filter path.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Level<'a> {
    /// The first eight bytes, the first of them lowest, with zeros where the level is shorter.
    pub(super) word: u64,
    /// In bytes.
    pub(super) len: usize,
    /// All after the first eight bytes.
    pub(super) tail: &'a [u8],
}

impl Level<'_> {
    pub(super) const PLUS: Level<'static> = Level {
        word: b'+' as u64,
        len: 1,
        tail: &[],
    };
    pub(super) const HASH: Level<'static> = Level {
        word: b'#' as u64,
        len: 1,
        tail: &[],
    };
}

/// A topic name or filter path to be cut at any of its levels.
#[derive(Clone, Copy)]
pub(super) struct Levels<'a> {
    bytes: &'a [u8],
    /// The last eight bytes, if there are so many.
    last: Option<u64>,
}

impl<'a> Levels<'a> {
    pub(super) fn new(topic: &'a str) -> Self {
        let bytes = topic.as_bytes();
        Self {
            bytes,
            last: bytes.last_chunk().map(|&last| u64::from_le_bytes(last)),
        }
    }

    /// The level that begins at byte `from`, and where the next one begins; `None` behind the last level.
    #[inline]
    pub(super) fn at(&self, from: usize) -> Option<(Level<'a>, usize)> {
        let rest = self.bytes.get(from..)?;
        let word = match rest.first_chunk() {
            Some(&first) => u64::from_le_bytes(first),
            None => self.end_word(rest),
        };
        let level = cut(rest, word);
        Some((level, from + level.len + 1))
    }

    /// The last few bytes as a word. Taken out of the last eight if possible, since a copy of unknown length is slow.
    #[inline]
    fn end_word(&self, rest: &[u8]) -> u64 {
        match self.last {
            Some(last) => last.checked_shr(64 - 8 * rest.len() as u32).unwrap_or(0),
            None => rest
                .iter()
                .rev()
                .fold(0, |word, &byte| word << 8 | u64::from(byte)),
        }
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

/// The first level of `rest`, whose first eight bytes are `word`.
#[inline]
fn cut<'a>(rest: &'a [u8], word: u64) -> Level<'a> {
    let marks = zeros(word ^ SLASHES);
    if marks != 0 {
        let first = marks & marks.wrapping_neg();
        let len = (first.trailing_zeros() / 8) as usize;
        return Level {
            word: word & ((first >> 7) - 1),
            len,
            tail: &[],
        };
    }
    match rest.get(8..) {
        Some(tail) if !tail.is_empty() => {
            let tail = until_slash(tail);
            Level {
                word,
                len: 8 + tail.len(),
                tail,
            }
        }
        _ => Level {
            word,
            len: rest.len(),
            tail: &[],
        },
    }
}

#[inline]
fn until_slash(bytes: &[u8]) -> &[u8] {
    let end = bytes
        .iter()
        .position(|&byte| byte == b'/')
        .unwrap_or(bytes.len());
    &bytes[..end]
}

/// Marks the high bit of zero bytes. The lowest mark is true; those above it may not be.
#[inline]
const fn zeros(word: u64) -> u64 {
    word.wrapping_sub(ONES) & !word & HIGHS
}

#[cfg(test)]
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
        let mut bytes = level.word.to_le_bytes()[..level.len.min(8)].to_vec();
        bytes.extend_from_slice(level.tail);
        bytes
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(20_000))]

        #[test]
        fn levels_are_what_lies_between_slashes(text in text()) {
            let expected: Vec<_> = text.split('/').map(|level| level.as_bytes().to_vec()).collect();
            let cut: Vec<_> = levels(&text).collect();
            prop_assert_eq!(cut.iter().map(|&level| bytes_of(level)).collect::<Vec<_>>(), expected.clone());
            for (level, expected) in cut.iter().zip(expected) {
                prop_assert_eq!(level.len, expected.len());
                let beyond = level.word.checked_shr(8 * level.len as u32).unwrap_or(0);
                prop_assert!(level.len > 8 || beyond == 0, "zeros fill the word");
            }
        }

        #[test]
        fn special_bytes_are_found_wherever_they_are(text in text()) {
            prop_assert_eq!(any_special(text.as_bytes()), text.contains(['+', '#', '\0']));
        }
    }
}
