//! What the tests of Sanderling share: stories and the worlds they are told in, and the lists of what the
//! standards state.

#[cfg(feature = "drivers")]
pub mod async_std;
#[cfg(feature = "drivers")]
pub mod conformance;
#[cfg(feature = "peer")]
pub mod peer;
pub mod sim;
#[cfg(feature = "drivers")]
pub mod story;
