//! Identifiers that no two calls share, on any machine.

use std::{
    collections::hash_map::DefaultHasher,
    hash::{Hash, Hasher},
    sync::{
        LazyLock,
        atomic::{AtomicU32, Ordering},
    },
    time::{SystemTime, UNIX_EPOCH},
};

/// 24 lower-case hexadecimal digits for 12 bytes: the time in seconds (4), the machine (3), the process (2) and a counter
/// (3), each with its highest byte first. Those made one after the other are in order. They can be guessed: use them as
/// names, not as secrets.
pub fn random_id() -> String {
    static MACHINE: LazyLock<u32> = LazyLock::new(|| {
        let mut hasher = DefaultHasher::new();
        gethostname::gethostname().hash(&mut hasher);
        hasher.finish() as u32
    });
    static COUNTER: LazyLock<AtomicU32> = LazyLock::new(|| {
        let mut start = [0; 4];
        // Where there is no randomness, it begins with zero.
        let _ = getrandom::fill(&mut start);
        AtomicU32::new(u32::from_ne_bytes(start))
    });
    let seconds = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs() as u32);
    let counter = COUNTER.fetch_add(1, Ordering::Relaxed);
    format!(
        "{seconds:08x}{:06x}{:04x}{:06x}",
        *MACHINE & 0xff_ffff,
        std::process::id() & 0xffff,
        counter & 0xff_ffff
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn a7_identifiers_are_24_digits_and_all_different() {
        let ids: HashSet<_> = (0..10_000).map(|_| random_id()).collect();
        assert_eq!(ids.len(), 10_000);
        let is_digit = |digit: char| digit.is_ascii_digit() || ('a'..='f').contains(&digit);
        assert!(
            ids.iter()
                .all(|id| id.len() == 24 && id.chars().all(is_digit))
        );
    }
}
