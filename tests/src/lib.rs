//! What the tests of Sanderling share: stories and the worlds they are told in.

pub mod async_std;
pub mod story;
