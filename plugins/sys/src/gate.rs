//! Who may read `$SYS`.

use sanderling_core::{
    broker::View,
    hooks::Client,
    topic::{TopicFilter, path_of},
};
use std::collections::HashSet;

/// The administrators.
#[derive(Clone, Debug)]
pub(crate) struct Gate {
    /// Connections of this machine are.
    pub(crate) local: bool,
    /// So are users with these names.
    pub(crate) usernames: HashSet<String>,
}

impl Default for Gate {
    fn default() -> Self {
        Self {
            local: true,
            usernames: HashSet::new(),
        }
    }
}

impl Gate {
    /// True if a client may read.
    pub(crate) fn is_open_to(&self, client: &Client<'_>) -> bool {
        let is_named = client
            .username
            .is_some_and(|name| self.usernames.contains(name));
        is_named || (self.local && client.link.is_local()) || client.link.is_inline()
    }
}

/// True if a filter matches topics of the server, as a shared one or not. A wildcard in the first level matches no topic
/// that begins with `$`. [MQTT-4.7.2-1]
pub(crate) fn is_about_server(filter: TopicFilter<'_>) -> bool {
    filter.path().split('/').next() == Some("$SYS")
}

/// The subscriptions of a session that only administrators may have.
pub(crate) fn subscriptions_about_server(view: View<'_>, client_id: &str) -> Vec<Box<str>> {
    let Some(session) = view.session(client_id) else {
        return Vec::new();
    };
    let filters = session.subscriptions().map(|one| one.filter);
    filters
        .filter(|filter| path_of(filter).split('/').next() == Some("$SYS"))
        .map(Into::into)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[allow(clippy::unwrap_used, reason = "a test may panic")]
    fn filters_about_the_server_are_told_from_others() {
        let is_about_server = |filter| is_about_server(TopicFilter::parse(filter).unwrap());
        for filter in ["$SYS", "$SYS/#", "$SYS/+/clients", "$share/g/$SYS/#"] {
            assert!(is_about_server(filter), "{filter}");
        }
        for filter in [
            "#",
            "+/broker",
            "a/$SYS",
            "$SYSTEM/#",
            "$share/$SYS/a",
            "$share/g/+/a",
        ] {
            assert!(!is_about_server(filter), "{filter}");
        }
    }
}
