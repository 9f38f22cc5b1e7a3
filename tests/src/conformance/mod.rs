//! Conformance: every numbered statement of MQTT 3.1.1 and 5.0, what proves it, and the table of both. The statements
//! stand in `tests/conformance/`, one a line:
//!
//! ```text
//! 3.1.2-3 | reserved connect flag not 0: close | rows story:malformed_connect
//! 4.2-1   | an ordered byte stream             | none: about the network, which is TCP
//! ```
//!
//! Proofs are `story:NAME`, told to a broker; `rows`, the lines of `core/tests/codec_malformed.txt` with this rule, or
//! `rows:ID`, those with another one, sent to a broker; `test:FILE::FUNCTION`, run where it is. What cannot be proven
//! has a reason after `none:`, and what binds the client alone says `client`.

mod check;
mod evidence;
mod row;
mod statement;
mod table;

pub use check::{complaints, gaps, strangers};
pub use evidence::Evidence;
pub use row::{Row, Stage};
pub use statement::{Proof, Standing, Statement};
pub use table::table;
