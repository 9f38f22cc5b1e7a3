//! The core in a program without `std`: it starts from C's `main` and needs nothing else of the C library but `abort`.
//! Exit code 0 means that subscriptions were found.
#![no_std]
#![no_main]

extern crate alloc;

/// Set by the test that shows that `std` would be noticed.
#[cfg(counter_example)]
extern crate std;

mod runtime;

use alloc::vec::Vec;
use sanderling_core::{
    packet::QoS,
    topic::{Index, Member, MemberOptions},
};

/// Called by the C runtime's start files.
#[unsafe(no_mangle)]
extern "C" fn main() -> i32 {
    let mut index = Index::new(7);
    for (session, filter) in (0..).zip(["sport/+", "sport/#", "news"]) {
        let options = MemberOptions::new(QoS::AtLeastOnce, false, false);
        index.subscribe(
            filter,
            Member {
                session,
                subscription_id: 0,
                options,
            },
        );
    }
    let mut found = Vec::new();
    index.for_each_match("sport/tennis", |members| {
        found.extend(members.iter().map(|m| m.session))
    });
    found.sort_unstable();
    i32::from(found != [0, 1])
}
