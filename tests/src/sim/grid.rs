//! The grid of faults and states as a committed figure: what was once met by the seeds that are always run stays met.

use super::tally::{FAULTS, STATES, Tally};
use std::fmt::Write;

const HEAD: &str = "\
# Which fault met which state

The seeds that every check runs, counted: how often a fault (column) hit a connection in a state (row). A zero is a
meeting that cannot happen, or one that the simulator does not try yet. The check fails when a number becomes zero.

```
cargo xtask simulate --grid         run them and compare
cargo xtask simulate --write-grid   run them and write this page
```
";

/// The page.
pub fn page(tally: &Tally) -> String {
    let mut text = format!("{HEAD}\n| |");
    let mut rule = String::from("| --- |");
    for fault in FAULTS {
        let _ = write!(text, " {fault} |");
        rule += " ---: |";
    }
    let _ = writeln!(text, "\n{rule}");
    for state in STATES {
        let _ = write!(text, "| {state} |");
        for fault in FAULTS {
            let _ = write!(text, " {} |", tally.met(fault, state));
        }
        text.push('\n');
    }
    text
}

/// The meetings that a page counts and that do not happen any more.
pub fn lost(page: &str, tally: &Tally) -> Vec<String> {
    let rows = page.lines().filter(|line| line.starts_with("| "));
    let mut rows = rows.map(|row| row.split('|').map(str::trim).collect::<Vec<_>>());
    let faults = rows.next().unwrap_or_default();
    let mut lost = Vec::new();
    for row in rows.filter(|row| !row.contains(&"---")) {
        let state = row.get(1).copied().unwrap_or_default();
        for (fault, count) in faults.iter().zip(&row).skip(2) {
            let was_met = count.parse::<u64>().is_ok_and(|count| count > 0);
            if was_met && tally.met_by_name(fault, state) == 0 {
                lost.push(format!("{fault} does not meet \"{state}\" any more"));
            }
        }
    }
    lost
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_loses_nothing_of_itself_and_a_lost_meeting_is_named() {
        let mut tally = Tally::default();
        tally.fault("reset", "idle");
        let page = page(&tally);
        assert_eq!(lost(&page, &tally), [""; 0]);
        let lost = lost(&page, &Tally::default());
        assert_eq!(lost, ["reset does not meet \"idle\" any more"]);
    }
}
