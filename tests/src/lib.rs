//! What the tests of Sanderling share: stories and the worlds they are told in, and the lists of what the
//! standards state.

pub mod async_std;
pub mod conformance;
pub mod peer;
pub mod sim;
pub mod story;
