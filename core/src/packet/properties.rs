//! Placeholder.

/// A validated property section.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Properties<'a>(&'a [u8]);

impl Properties<'_> {
    /// No property.
    pub const EMPTY: Self = Self(&[]);
}

/// Owned.
pub struct PropertiesBuf;
/// One.
pub enum Property {}
/// Error.
pub enum PropertyError {}
/// Iterator.
pub struct UserProperties;
