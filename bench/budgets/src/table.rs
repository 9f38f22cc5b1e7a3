//! The committed table: a line for each case, instructions, allocations and bytes kept, and how far a figure may be from
//! it.

use std::fmt;

/// Above the budget by more than this share fails; a compiler moves this much without anybody's doing.
const RISE_MAX: f64 = 0.01;
/// Below the budget by more than this share fails as well: the table is to be true, so that the next rise is seen.
const FALL_MAX: f64 = 0.03;
/// Less than this is never a difference.
const INSTRUCTIONS_MIN: f64 = 5.0;
/// Allocations repeat exactly, but for what grows once in many rounds.
const ALLOCATIONS_MIN: f64 = 0.01;
/// So do bytes.
const BYTES_MIN: f64 = 1.0;

const ABOUT: &str = "\
# What the hot paths cost: instructions, allocations, and bytes of the heap that are kept; each for one message, packet
# or lookup as the case says.
# `cargo xtask budgets` compares and fails on a difference; `cargo xtask budgets --write` writes this file. What each
# case does: `cargo xtask budgets --list`. Figures hold for one toolchain; a newer one needs a new table.
";

/// What one unit of a case costs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Cost {
    pub(crate) instructions: f64,
    pub(crate) allocations: f64,
    /// Bytes of the heap that are still there when it is done.
    pub(crate) bytes: f64,
}

/// The cases with their costs, and what compiled them.
#[derive(Debug)]
pub(crate) struct Table {
    toolchain: String,
    rows: Vec<(String, Cost)>,
}

impl Table {
    pub(crate) const fn new(toolchain: String) -> Self {
        Self {
            toolchain,
            rows: Vec::new(),
        }
    }

    pub(crate) fn add(&mut self, case: &str, cost: Cost) {
        self.rows.push((case.to_owned(), cost));
    }

    /// Reads what [`fmt::Display`] writes.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let mut table = Self::new(String::new());
        for (number, line) in (1..).zip(text.lines()) {
            let words: Vec<_> = line.split_whitespace().collect();
            match words[..] {
                [] => {}
                [first, ..] if first.starts_with('#') => {}
                ["toolchain", ..] => table.toolchain = words[1..].join(" "),
                [case, instructions, allocations, bytes] => {
                    let number_of = |word: &str| {
                        let value = word.parse::<f64>();
                        value.map_err(|_| {
                            format!("line {number} of the table: {word:?} is no number")
                        })
                    };
                    let cost = Cost {
                        instructions: number_of(instructions)?,
                        allocations: number_of(allocations)?,
                        bytes: number_of(bytes)?,
                    };
                    table.add(case, cost);
                }
                _ => return Err(format!("line {number} of the table is no case: {line:?}")),
            }
        }
        Ok(table)
    }

    #[cfg(test)]
    pub(crate) fn names(&self) -> Vec<&str> {
        self.rows.iter().map(|(name, _)| name.as_str()).collect()
    }

    #[cfg(test)]
    pub(crate) fn cost(&self, case: &str) -> Option<Cost> {
        let row = self.rows.iter().find(|(name, _)| name == case);
        row.map(|(_, cost)| *cost)
    }

    /// Figures of another compiler or C library cannot be compared.
    pub(crate) fn check_toolchain(&self, toolchain: &str) -> Result<(), String> {
        match self.toolchain == toolchain {
            true => Ok(()),
            false => Err(format!(
                "the table was made with {}, but this is {toolchain}: measure the commit before yours with --write, \
                 then yours",
                self.toolchain
            )),
        }
    }

    /// One line about a case, and whether it keeps to its budget.
    pub(crate) fn judge(&self, case: &str, cost: Cost) -> (String, bool) {
        let line = line(case, cost);
        let Some((_, budget)) = self.rows.iter().find(|(name, _)| name == case) else {
            return (format!("{line}  is not in the table"), false);
        };
        let more = cost.instructions - budget.instructions;
        let share = more / budget.instructions.max(1.0);
        let rose = share > RISE_MAX && more > INSTRUCTIONS_MIN;
        let fell = share < -FALL_MAX && more < -INSTRUCTIONS_MIN;
        let allocates = (cost.allocations - budget.allocations).abs() > ALLOCATIONS_MIN;
        let keeps = (cost.bytes - budget.bytes).abs() > BYTES_MIN;
        let verdict = match (rose || fell, allocates, keeps) {
            (false, false, false) => return (line, true),
            (true, _, _) => format!("{:+.1} instructions ({:+.1} %)", more, 100.0 * share),
            (false, true, _) => {
                let more = cost.allocations - budget.allocations;
                format!("{more:+.3} allocations")
            }
            (false, false, true) => format!("{:+.1} bytes", cost.bytes - budget.bytes),
        };
        (
            format!("{line}  BUDGET {}: {verdict}", figures(*budget)),
            false,
        )
    }
}

/// A row of the table.
pub(crate) fn line(case: &str, cost: Cost) -> String {
    format!("{case:<24}{}", figures(cost))
}

fn figures(cost: Cost) -> String {
    format!(
        "{:>12.1}{:>12.3}{:>10.1}",
        cost.instructions, cost.allocations, cost.bytes
    )
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{ABOUT}toolchain {}", self.toolchain)?;
        writeln!(
            f,
            "\n# {:<22}{:>12}{:>12}{:>10}",
            "case", "instructions", "allocations", "bytes"
        )?;
        for (case, cost) in &self.rows {
            writeln!(f, "{}", line(case, *cost))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cost(instructions: f64, allocations: f64) -> Cost {
        Cost {
            instructions,
            allocations,
            bytes: 0.0,
        }
    }

    fn table() -> Table {
        let mut table = Table::new("rustc 1".into());
        table.add("route", cost(1_000.0, 0.0));
        table.add("small", cost(20.0, 1.0));
        table
    }

    #[test]
    fn a_table_reads_back_as_it_was_written() {
        let read = Table::parse(&table().to_string()).unwrap();
        assert_eq!(
            (read.rows, read.toolchain),
            (table().rows, table().toolchain)
        );
    }

    #[test]
    fn a_rise_and_a_large_fall_are_seen_and_noise_is_not() {
        for (instructions, within) in [
            (1_000.0, true),
            (1_009.0, true),
            (1_011.0, false),
            (975.0, true),
            (965.0, false),
        ] {
            let (line, judged) = table().judge("route", cost(instructions, 0.0));
            assert_eq!(judged, within, "{line}");
        }
        // One per cent of little is nothing.
        assert!(table().judge("small", cost(24.0, 1.0)).1);
    }

    #[test]
    fn an_allocation_is_seen() {
        let (line, within) = table().judge("route", cost(1_000.0, 1.0));
        assert!(!within && line.contains("+1.000 allocations"), "{line}");
        assert!(table().judge("route", cost(1_000.0, 0.004)).1);
    }

    #[test]
    fn bytes_are_seen_whether_they_are_more_or_less() {
        for (bytes, within) in [(0.0, true), (0.5, true), (8.0, false), (-8.0, false)] {
            let cost = Cost {
                bytes,
                ..cost(1_000.0, 0.0)
            };
            let (line, judged) = table().judge("route", cost);
            assert_eq!(judged, within, "{line}");
        }
    }

    #[test]
    fn an_unknown_case_and_another_toolchain_are_refused() {
        assert!(!table().judge("new", cost(1.0, 0.0)).1);
        assert!(table().check_toolchain("rustc 1").is_ok());
        assert!(
            table()
                .check_toolchain("rustc 2")
                .unwrap_err()
                .contains("rustc 1")
        );
    }

    #[test]
    fn a_damaged_table_is_told_by_its_line() {
        let complaint = |text| Table::parse(text).unwrap_err();
        assert!(complaint("# x\nroute 12").contains("line 2"));
        assert!(complaint("route 1 many 0").contains("\"many\""));
    }
}
