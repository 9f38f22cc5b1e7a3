//! Whether what was received is what a story says, and how it is shown if it is not.

use super::word::Word;
use std::fmt::Write;

/// True if `got` is what `expected` says. Of the counters only those that are named matter.
pub(super) fn fits(expected: &[Word], got: &[Word]) -> bool {
    if got.first().is_some_and(|word| word.is("statistics")) {
        return expected.iter().all(|word| got.contains(word));
    }
    let (expected, open) = match expected.split_last() {
        Some((last, rest)) if last.is("..") => (rest, true),
        _ => (expected, false),
    };
    let enough = got.len() == expected.len() || (open && got.len() > expected.len());
    enough
        && expected.iter().zip(got).all(|(expected, got)| {
            expected == got
                || (expected.key.is_some() && expected.key == got.key && expected.text == "*")
        })
}

/// What `name` was to receive and what it did, from the first that differs on.
pub(super) fn difference(name: &str, from: usize, expected: &[String], got: &[String]) -> String {
    let mut text = format!("{name} received something else (- expected, + received):\n");
    for same in &got[..from] {
        let _ = writeln!(text, "    {name}< {same}");
    }
    for missing in &expected[from..] {
        let _ = writeln!(text, "  - {name}< {missing}");
    }
    for extra in &got[from..] {
        let _ = writeln!(text, "  + {name}< {extra}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_expectation_is_complete_unless_it_says_otherwise() {
        let fits = |expected: &str, got: &str| {
            fits(&Word::split(expected).unwrap(), &Word::split(got).unwrap())
        };
        assert!(fits("connack success a=1", "connack success a=1"));
        assert!(!fits("connack success", "connack success a=1"));
        assert!(fits("connack success ..", "connack success a=1"));
        assert!(fits("connack success ..", "connack success"));
        assert!(fits("connack success a=*", "connack success a=1"));
        assert!(!fits("connack success a=*", "connack success b=1"));
        assert!(!fits("connack success a=1 b=2", "connack success a=1"));
        assert!(fits("statistics b=2", "statistics a=1 b=2"));
        assert!(!fits("statistics b=1", "statistics a=1 b=2"));
    }
}
