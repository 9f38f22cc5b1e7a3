//! What the program around the broker orders, and hooks: messages, subscriptions, endings.

use super::{dice::Dice, packets};
use sanderling_core::{
    broker::{Command, Filters, NewSubscription, Publication},
    packet::PropertiesBuf,
    reason::ReasonCode,
};

/// Why a connection is closed from outside, as far as DISCONNECT can say so.
const REASONS: &[ReasonCode] = &[
    ReasonCode::ADMINISTRATIVE_ACTION,
    ReasonCode::SERVER_BUSY,
    ReasonCode::NOT_AUTHORIZED,
];

/// Any command, mostly a message. Only this one has `text` in it.
pub(super) fn command(dice: &mut Dice, client_id: &str, text: String, shares: bool) -> Command {
    let client_id = client_id.into();
    match dice.below(20) {
        0 | 1 => Command::PublishTo {
            client_id,
            publication: Box::new(publication(dice, text, shares)),
            matching: dice.chance(50),
        },
        2 => Command::Retain(Box::new(publication(dice, text, shares))),
        3 => match dice.chance(30) {
            true => Command::ClearRetained,
            false => {
                let nothing = publication(dice, String::new(), shares);
                Command::Retain(Box::new(nothing))
            }
        },
        4 => Command::Close {
            client_id,
            reason: dice.one(REASONS),
        },
        5 => Command::EndSession { client_id },
        6 | 7 => Command::Subscribe {
            client_id,
            subscriptions: (0..1 + dice.below(3))
                .map(|_| subscription(dice, shares))
                .collect(),
        },
        8 => Command::Unsubscribe {
            client_id,
            filters: match dice.chance(30) {
                true => Filters::All,
                false => Filters::These(
                    (0..1 + dice.below(3))
                        .map(|_| packets::any_filter(dice, shares).as_str().into())
                        .collect(),
                ),
            },
        },
        _ => Command::Publish(Box::new(publication(dice, text, shares))),
    }
}

pub(super) fn publication(dice: &mut Dice, text: String, shares: bool) -> Publication {
    let properties = match dice.chance(70) {
        true => PropertiesBuf::new(),
        false => packets::message_properties(dice),
    };
    Publication {
        topic: packets::any_topic(dice, shares).into(),
        payload: text.into_bytes().into(),
        qos: packets::any_qos(dice),
        retain: dice.chance(20),
        properties,
    }
}

fn subscription(dice: &mut Dice, shares: bool) -> NewSubscription {
    let filter = packets::any_filter(dice, shares);
    NewSubscription {
        filter: filter.as_str().into(),
        options: packets::any_options(dice, filter),
        identifier: dice.one(&[0, 0, 1, 2]),
    }
}
