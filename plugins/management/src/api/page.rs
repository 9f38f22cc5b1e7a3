//! Pages, each of which says where the next one begins.

use super::problem::Problem;
use axum::Json;
use serde::{Deserialize, Deserializer, Serialize, de};
use utoipa::ToSchema;

/// Some of a list.
#[derive(Serialize, ToSchema)]
pub(super) struct Page<T: ToSchema> {
    /// In the order of the list. There may be fewer than the limit, or none, and still more on later pages.
    pub(super) items: Vec<T>,
    /// What to give as `cursor` for the next page; missing on the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) next: Option<String>,
}

/// What a list answers.
pub(super) type Listed<T> = Result<Json<Page<T>>, Problem>;

/// How many items are wanted on a page.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(try_from = "u16")]
pub(super) struct Limit(u16);

impl Limit {
    pub(super) const MAX: u16 = 1000;
    pub(super) const DEFAULT: u16 = 100;

    pub(super) fn get(self) -> usize {
        self.0.into()
    }
}

impl Default for Limit {
    fn default() -> Self {
        Self(Self::DEFAULT)
    }
}

impl TryFrom<u16> for Limit {
    type Error = &'static str;

    fn try_from(limit: u16) -> Result<Self, Self::Error> {
        match limit {
            1..=Self::MAX => Ok(Self(limit)),
            _ => Err("a limit is from 1 to 1000"),
        }
    }
}

/// A cursor that is a number. One beyond all that there are is at the end.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct Number(pub(super) u64);

impl Number {
    /// For what is numbered with 32 bits.
    pub(super) fn short(self) -> u32 {
        u32::try_from(self.0).unwrap_or(u32::MAX)
    }

    pub(super) fn parse(text: &str) -> Option<Self> {
        let is_number = (1..=10).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
        is_number.then(|| text.parse().ok().map(Self)).flatten()
    }
}

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| de::Error::custom("a cursor comes from a page before"))
    }
}
