//! Tests for each driver that programs ship.

/// A test of each of these functions for each of them. The driver for async-std has one executor for all tests of a
/// process, which those with much load would keep from each other, and it cannot write within a turn.
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
pub(crate) use on_shipped_drivers;
