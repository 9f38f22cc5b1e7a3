//! Every driver with real sockets: what clients see, and that one does not harm the other.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod client;
mod flow;
mod full;
mod handle;
mod inline;
mod listeners;
mod load;
mod plugins;
mod program;
mod serve;
mod stop;
mod subscriptions;

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

/// The same for the drivers that programs ship. The other one has one executor for all tests of a process, which those
/// with much load would keep from each other, and it cannot write within a turn.
macro_rules! on_shipped_drivers {
    ($($test:ident)*) => {
        mod mio {
            $(#[test]
            fn $test() {
                super::$test::<sanderling_mio::Broker>();
            })*
        }

        mod tokio {
            $(#[test]
            fn $test() {
                super::$test::<sanderling_tokio::Broker>();
            })*
        }
    };
}
use on_shipped_drivers;
