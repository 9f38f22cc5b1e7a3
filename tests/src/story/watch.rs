//! What hooks are told, in words, as `watch<` lines show it.

use super::{reason, word::Word};
use sanderling_core::hooks::{Client, Delivery, End, Notice, SessionEnd};

/// A notice: `connected alice`, `ended alice disconnected success`, `dropped alice a/b qos=0 slow_reader`.
pub(super) fn describe(notice: &Notice<'_>) -> Vec<Word> {
    match notice {
        Notice::Connected {
            client,
            session_present,
        } => {
            let mut words = vec![Word::plain("connected"), Word::plain(client.client_id)];
            words.extend(session_present.then(|| Word::plain("session_present")));
            words
        }
        Notice::Ended { client_id, end, .. } => {
            let who = client_id.unwrap_or("nobody");
            [Word::plain("ended"), Word::plain(who)]
                .into_iter()
                .chain(ending(end))
                .collect()
        }
        Notice::SessionCreated { client } => ["session_created", client.client_id]
            .map(Word::plain)
            .to_vec(),
        Notice::SessionResumed { client } => ["session_resumed", client.client_id]
            .map(Word::plain)
            .to_vec(),
        Notice::SessionEnded { session, why } => {
            let why = match why {
                SessionEnd::Normal => "normal",
                SessionEnd::Conflict => "conflict",
                SessionEnd::Expired => "expired",
            };
            ["session_ended", session.client_id(), why]
                .map(Word::plain)
                .to_vec()
        }
        Notice::Subscribed {
            client,
            entry,
            granted,
        } => vec![
            Word::plain("subscribed"),
            Word::plain(client.client_id),
            Word::plain(entry.filter),
            Word::pair("qos", granted),
        ],
        Notice::Unsubscribed { client, filter } => ["unsubscribed", client.client_id, filter]
            .map(Word::plain)
            .to_vec(),
        Notice::Dropped {
            client_id,
            topic,
            qos,
            why,
            ..
        } => {
            vec![
                Word::plain("dropped"),
                Word::plain(client_id),
                Word::plain(topic),
                Word::pair("qos", qos),
                Word::plain(why.name()),
            ]
        }
        Notice::Delivered { client, delivery } => told("delivered", client, delivery),
        Notice::Acked { client, delivery } => told("acked", client, delivery),
        Notice::Stopped => vec![Word::plain("stopped")],
    }
}

fn ending(end: &End) -> Vec<Word> {
    let (how, reason) = match end {
        End::Disconnected(reason) => ("disconnected", Some(*reason)),
        End::PeerClosed => ("peer_closed", None),
        End::Failed => ("failed", None),
        End::Malformed(error) => ("malformed", Some(error.reason())),
        End::Faulted(_) => ("faulted", None),
        End::Refused(refusal) => ("refused", Some(refusal.reason)),
        End::ConnectRefused(reason) => ("connect_refused", Some(*reason)),
        End::TakenOver => ("taken_over", None),
        End::Closed(reason) => ("closed", Some(*reason)),
        End::Drained => ("drained", None),
    };
    let reason = reason.map(|reason| Word::plain(reason::name(reason)));
    [Word::plain(how)].into_iter().chain(reason).collect()
}

/// `delivered alice a/b qos=1 id=1 dup retain`.
fn told(what: &'static str, client: &Client<'_>, delivery: &Delivery<'_>) -> Vec<Word> {
    let mut words = vec![
        Word::plain(what),
        Word::plain(client.client_id),
        Word::plain(delivery.topic),
        Word::pair("qos", delivery.qos),
    ];
    words.extend(delivery.packet_id.map(|id| Word::pair("id", id.get())));
    words.extend(delivery.dup.then(|| Word::plain("dup")));
    words.extend(delivery.retain.then(|| Word::plain("retain")));
    words
}
