//! What the tests of Sanderling share: stories and the worlds they are told in, and the lists of what the
//! standards and the broker before this one ask for.

#[cfg(feature = "drivers")]
pub mod async_std;
#[cfg(all(doctest, feature = "drivers"))]
pub mod compile;
#[cfg(feature = "drivers")]
pub mod conformance;
pub mod exposition;
#[cfg(feature = "drivers")]
pub mod metrics_page;
#[cfg(feature = "peer")]
pub mod peer;
pub mod repository;
#[cfg(feature = "drivers")]
pub mod requirements;
pub mod sim;
#[cfg(feature = "drivers")]
pub mod story;
