//! What the program around the broker orders, from words to commands.

use super::{word::Word, words::Words};
use bytes::Bytes;
use sanderling_core::{
    broker::{Command, Filters, NewSubscription, Publication},
    reason::ReasonCode,
};

/// `publish TOPIC PAYLOAD qos=1 retain`, `subscribe alice a/+ qos=1, b/#` and the other commands, by their names.
///
/// # Errors
/// What of the words is not understood.
pub(super) fn command(words: &[Word]) -> Result<Command, String> {
    let mut words = Words(words.to_vec());
    let name = words.next("a command")?.text;
    match name.as_str() {
        "publish" => Ok(Command::Publish(publication(words)?)),
        "publish_to" => Ok(Command::PublishTo {
            client_id: client_id(&mut words)?,
            matching: words.flag("matching"),
            publication: publication(words)?,
        }),
        "retain" => Ok(Command::Retain(publication(words)?)),
        "subscribe" => Ok(Command::Subscribe {
            client_id: client_id(&mut words)?,
            subscriptions: subscriptions(&words)?,
        }),
        "unsubscribe" => Ok(Command::Unsubscribe {
            client_id: client_id(&mut words)?,
            filters: filters(&words)?,
        }),
        "close" => {
            let client_id = client_id(&mut words)?;
            let reason = match words.0.is_empty() {
                true => ReasonCode::ADMINISTRATIVE_ACTION,
                false => words.reason()?,
            };
            end(words, Command::Close { client_id, reason })
        }
        "end_session" => {
            let client_id = client_id(&mut words)?;
            end(words, Command::EndSession { client_id })
        }
        "clear_retained" => end(words, Command::ClearRetained),
        "statistics" => end(words, Command::Statistics),
        "drain" => end(words, Command::Drain),
        other => Err(format!("{other:?} is no command")),
    }
}

fn end(words: Words, command: Command) -> Result<Command, String> {
    words.end().map(|()| command)
}

fn client_id(words: &mut Words) -> Result<Box<str>, String> {
    Ok(words.next("a client identifier")?.text.into())
}

/// `TOPIC PAYLOAD qos=1 retain` and properties.
pub(super) fn publication(mut words: Words) -> Result<Box<Publication>, String> {
    let topic = words.next("a topic")?.text;
    let payload = Bytes::from(words.next("a payload")?.to_bytes()?);
    let qos = words.qos("qos")?;
    let retain = words.flag("retain");
    let properties = words.properties()?;
    Ok(Box::new(Publication {
        topic,
        payload,
        qos,
        retain,
        properties,
    }))
}

fn subscriptions(words: &Words) -> Result<Vec<NewSubscription>, String> {
    let lists = words.lists().into_iter();
    lists
        .map(|mut list| {
            let filter = list.next("a topic filter")?.text.into();
            let options = list.subscribe_options()?;
            let identifier = list.number("subscription_identifier")?.unwrap_or(0);
            list.end()?;
            Ok(NewSubscription {
                filter,
                options,
                identifier,
            })
        })
        .collect()
}

fn filters(words: &Words) -> Result<Filters, String> {
    if words.0.is_empty() {
        return Ok(Filters::All);
    }
    let lists = words.lists().into_iter();
    let filters = lists.map(|mut list| {
        let filter = list.next("a topic filter")?.text.into();
        list.end()?;
        Ok(filter)
    });
    filters.collect::<Result<_, String>>().map(Filters::These)
}
