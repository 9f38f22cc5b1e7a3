//! Every driver with real sockets: what clients see, and that one does not harm the other.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod busy;
mod client;
mod construction;
mod flow;
mod full;
mod handle;
mod inline;
mod layered;
mod listeners;
mod load;
mod logs;
mod metrics;
mod plugins;
mod program;
mod serve;
mod shipped;
mod sight;
mod stop;
mod subscriptions;
mod sys;
mod times;
mod transports;

/// A test of each of these functions for each driver.
macro_rules! on_every_driver {
    ($($test:ident)*) => {
        super::on_shipped_drivers! { $($test)* }

        mod async_std {
            $(#[test]
            fn $test() {
                super::$test::<sanderling_tests::async_std::AsyncStd>();
            })*
        }
    };
}
use on_every_driver;
use shipped::on_shipped_drivers;
