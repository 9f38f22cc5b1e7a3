//! The hot paths of Sanderling as pieces of work that can be repeated and counted.
//!
//! Two programs count: `budgets` instructions, under Valgrind, and `allocations` allocations. They are apart because the
//! allocator that counts would add to the instructions.

mod cases;
mod rounds;
mod world;

pub use cases::{CASES, Case};
pub use rounds::{COUNTED, Rounds};

/// The name callgrind looks for; the function below bears it.
pub const COUNTED_FUNCTION: &str = "run_and_be_counted";

/// Does the work in a stack frame that callgrind can find: neither inlined nor made for one caller.
#[inline(never)]
pub fn run_and_be_counted(work: &mut dyn FnMut()) {
    std::hint::black_box(work)();
}

/// The cases with these names.
///
/// # Errors
/// A name that no case has.
pub fn named(names: &[&str]) -> Result<Vec<&'static Case>, String> {
    let find = |name: &&str| {
        let case = CASES.iter().find(|case| case.name == *name);
        case.ok_or_else(|| format!("no case is named {name:?}; --list shows all"))
    };
    names.iter().map(find).collect()
}
