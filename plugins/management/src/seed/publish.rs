//! Publishing a message.

use super::{
    envelope::{self, Failure},
    fields::Fields,
};
use crate::{access::Caller, shared::State};
use axum::{extract::State as Extract, response::IntoResponse};
use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use sanderling_core::{
    broker::{Answer, Command, Publication},
    packet::QoS,
    topic::TopicName,
};
use tracing::debug;

pub(super) const WRONG_TOPIC: &str = "invalid topic filter";

/// The fields `qos`, `topic`, `payload` and `retain`; or, instead of `payload`, `payload_base64` for what is no text.
pub(super) async fn publish(
    Extract(shared): State,
    caller: Caller,
    form: Fields,
) -> Result<impl IntoResponse, Failure> {
    let publication = publication(&form)?;
    caller.check_topic(&publication.topic)?;
    debug!(by = caller.name(), topic = ?publication.topic, "publishing");
    let command = Command::Publish(Box::new(publication));
    match shared.calls().order(command).await? {
        Answer::InvalidTopic(_) | Answer::TopicTooDeep => Err(Failure::Wrong(WRONG_TOPIC)),
        Answer::TooLarge => Err(Failure::Wrong("message too large")),
        _ => Ok(envelope::done()),
    }
}

fn publication(form: &Fields) -> Result<Publication, Failure> {
    let qos = qos(form)?;
    let topic = form.text("topic");
    if TopicName::parse(topic).is_err() {
        return Err(Failure::Wrong(WRONG_TOPIC));
    }
    let mut publication = Publication::new(topic, payload(form)?).qos(qos);
    publication.retain = !form.get("retain").is_empty();
    Ok(publication)
}

fn payload(form: &Fields) -> Result<Bytes, Failure> {
    let (payload, encoded) = (form.get("payload"), form.get("payload_base64"));
    if str::from_utf8(payload).is_err() {
        return Err(Failure::Wrong("invalid utf-8 string"));
    }
    match (payload, encoded) {
        (payload, []) => Ok(Bytes::copy_from_slice(payload)),
        ([], encoded) => match STANDARD.decode(encoded) {
            Ok(payload) => Ok(payload.into()),
            Err(_) => Err(Failure::Wrong("invalid base64 string")),
        },
        _ => Err(Failure::Wrong(
            "payload and payload_base64 exclude each other",
        )),
    }
}

pub(super) fn qos(form: &Fields) -> Result<QoS, Failure> {
    match form.get("qos") {
        b"0" => Ok(QoS::AtMostOnce),
        b"1" => Ok(QoS::AtLeastOnce),
        b"2" => Ok(QoS::ExactlyOnce),
        _ => Err(Failure::Wrong(
            "invalid Qos,only support qos0 | qos1 | qos2",
        )),
    }
}
