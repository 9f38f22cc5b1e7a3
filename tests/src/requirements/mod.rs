//! Requirements: every row of behaviour that the broker carries over from the one before it, what shows it, and the
//! table of both. The rows stand in `tests/requirements.txt`, one a line:
//!
//! ```text
//! L13 | a second stop does nothing and is fine
//! ```
//!
//! What shows a row is not listed but found: a story whose comments name it in brackets, a test whose name begins with
//! it (`l13_…`, `c1_c3_…`, `r1_to_r3_…`) or whose documentation names it in brackets. Attacks have two digits: `a05_…`
//! is one, `a5_…` is a row.

mod check;
mod found;
mod number;
mod row;
mod table;

pub use check::{complaints, one_sided, strangers};
pub use found::{Driver, Shown};
pub use row::Requirement;
pub use table::table;
