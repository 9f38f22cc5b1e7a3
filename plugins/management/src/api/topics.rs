//! Topic filters that somebody subscribes to.

use super::{
    extract::Query,
    page::{Limit, Listed, Page},
};
use crate::{
    calls::{Calls, Piece, Trouble},
    shared::State,
};
use axum::{Json, extract::State as Extract};
use sanderling_core::broker::View;
use serde::{Deserialize, Deserializer, Serialize, de};
use utoipa::{IntoParams, ToSchema};

/// A topic filter in use.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct TopicInUse {
    filter: String,
    /// Sessions that subscribe to it, or share it.
    subscribers: usize,
}

/// Which filters are wanted.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct ListTopics {
    /// Items on the page, at most.
    #[serde(default)]
    #[param(value_type = u16, minimum = 1, maximum = 1000, default = 100)]
    limit: Limit,
    /// `next` of the page before.
    #[serde(default)]
    #[param(value_type = String, pattern = r"^([0-9]{1,10}|s[^\u0000]*)$", required = false)]
    cursor: Cursor,
}

/// Where a page begins: single filters come first, shared ones after.
#[derive(Clone, Debug)]
enum Cursor {
    Single(u32),
    Shared(Option<Box<str>>),
}

/// List the topic filters in use
///
/// Single ones first, then shared ones (`$share/...`). A filter that is in use all the time is on one page.
#[utoipa::path(
    get, path = "/api/v1/topics", tag = "topics",
    params(ListTopics),
    responses((status = 200, description = "A page of filters.", body = Page<TopicInUse>)),
    security(("token" = ["read"])),
)]
pub(super) async fn list_topics(
    Extract(shared): State,
    Query(ListTopics { limit, cursor }): Query<ListTopics>,
) -> Listed<TopicInUse> {
    let calls = shared.calls();
    let found = match cursor {
        Cursor::Single(from) => {
            let found = single(&calls, from, limit.get()).await?;
            match found.next {
                Some(_) => found,
                None => Piece {
                    next: Some(Cursor::Shared(None)),
                    ..found
                },
            }
        }
        Cursor::Shared(after) => shared_ones(&calls, after, limit.get()).await?,
    };
    let next = match found.next {
        // Nobody shares anything: the page of it would be empty.
        Some(Cursor::Shared(None)) if !calls.look(has_shared).await? => None,
        next => next,
    };
    Ok(Json(Page {
        items: found.rows,
        next: next.map(|cursor| cursor.to_text()),
    }))
}

fn has_shared(view: View<'_>) -> bool {
    view.shared_after(None).next().is_some()
}

async fn single(
    calls: &Calls,
    from: u32,
    limit: usize,
) -> Result<Piece<Cursor, TopicInUse>, Trouble> {
    let piece = |view: View<'_>, from: u32, wanted: usize| {
        let filters = view.filters_from(from);
        let placed = filters.map(|(number, filter, len)| (number + 1, (filter, len)));
        Piece::of(placed, wanted, |(filter, subscribers)| {
            Some(TopicInUse {
                filter,
                subscribers,
            })
        })
    };
    let found = calls.walk(from, limit, piece, |_| false).await?;
    Ok(Piece {
        rows: found.rows,
        next: found.next.map(Cursor::Single),
    })
}

async fn shared_ones(
    calls: &Calls,
    after: Option<Box<str>>,
    limit: usize,
) -> Result<Piece<Cursor, TopicInUse>, Trouble> {
    let piece = |view: View<'_>, after: Option<Box<str>>, wanted: usize| {
        let groups = view.shared_after(after.as_deref());
        let placed = groups.map(|(filter, len)| (Some(filter.into()), (filter, len)));
        Piece::of(placed, wanted, |(filter, subscribers)| {
            Some(TopicInUse {
                filter: filter.into(),
                subscribers,
            })
        })
    };
    let found = calls.walk(after, limit, piece, |_| false).await?;
    Ok(Piece {
        rows: found.rows,
        next: found.next.map(Cursor::Shared),
    })
}

impl Default for Cursor {
    fn default() -> Self {
        Self::Single(0)
    }
}

impl Cursor {
    fn to_text(&self) -> String {
        match self {
            Self::Single(number) => number.to_string(),
            Self::Shared(after) => {
                let after = after.as_deref().unwrap_or_default();
                format!("s{after}")
            }
        }
    }

    fn parse(text: &str) -> Option<Self> {
        let Some(after) = text.strip_prefix('s') else {
            return Some(Self::Single(super::page::Number::parse(text)?.short()));
        };
        Some(Self::Shared((!after.is_empty()).then(|| after.into())))
    }
}

impl<'de> Deserialize<'de> for Cursor {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| de::Error::custom("a cursor comes from a page before"))
    }
}
