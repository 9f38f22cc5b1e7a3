//! Publishing, to all who want a message or to one session.

use super::{
    extract::{Body, Path},
    problem::{Code, Problem},
    properties::NewProperties,
    text::{Base64, Brief, Qos, Topic, whole_if_any},
};
use crate::{access::Caller, shared::State};
use axum::{Json, extract::State as Extract, http::StatusCode};
use bytes::Bytes;
use sanderling_core::broker::{Answer, Command, Publication};
use serde::{Deserialize, Serialize};
use tracing::debug;
use utoipa::ToSchema;

/// A message to be published. It has a `payload` or a `payload_base64`; without both it is empty.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewMessage {
    topic: Topic,
    /// What it says, as text.
    payload: Option<String>,
    /// What it says, as bytes.
    payload_base64: Option<Base64>,
    #[serde(default)]
    #[schema(required = false)]
    qos: Qos,
    /// Keep it for those who subscribe later; with an empty payload, remove the one that is kept.
    #[serde(default)]
    #[schema(required = false)]
    retain: bool,
    /// Seconds after which it is not delivered any more.
    #[serde(default, deserialize_with = "whole_if_any")]
    #[schema(maximum = 4_294_967_295u32)]
    expires_in_s: Option<u32>,
    #[serde(default)]
    #[schema(required = false)]
    properties: NewProperties,
}

/// A message for one session.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewDelivery {
    message: NewMessage,
    /// Deliver it only if the session has a subscription that matches, and as that asks for; else in any case.
    #[serde(default)]
    #[schema(required = false)]
    matching: bool,
}

/// What became of a message.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Published {
    /// How many copies were sent or queued.
    receivers: u32,
}

/// Publish a message
///
/// As if a client had, without asking the hooks that judge what clients publish. To `$SYS` and `$CONTROL` it needs the scope
/// `manage` too.
#[utoipa::path(
    post, path = "/api/v1/publish", tag = "messages",
    request_body = NewMessage,
    responses(
        (status = 200, description = "It was routed.", body = Published),
        (status = 409, description = "The message contradicts itself, its topic has too many levels, or there is no room for one more retained message.", body = Problem, content_type = "application/problem+json"),
        (status = 415, description = "The body is no JSON.", body = Problem, content_type = "application/problem+json"),
    ),
    security(("token" = ["publish"])),
)]
pub(super) async fn publish(
    Extract(shared): State,
    caller: Caller,
    Body(message): Body<NewMessage>,
) -> Result<Json<Published>, Problem> {
    let publication = message.publication()?;
    caller.check_topic(&publication.topic)?;
    debug!(by = caller.name(), topic = ?publication.topic, "publishing");
    let command = Command::Publish(Box::new(publication));
    published(shared.calls().order(command).await?)
}

/// Publish a message to one session
///
/// It is not retained. If the client is away it waits in the queue. To `$SYS` and `$CONTROL` it needs the scope `manage` too.
#[utoipa::path(
    post, path = "/api/v1/sessions/{client_id}/publish", tag = "messages",
    params(("client_id" = String, Path, description = "A client identifier.", min_length = 1, max_length = 2048)),
    request_body = NewDelivery,
    responses(
        (status = 200, description = "It was sent or queued; no copy if the session does not want it.", body = Published),
        (status = 404, description = "There is no such session.", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "The message contradicts itself, or its topic has too many levels.", body = Problem, content_type = "application/problem+json"),
        (status = 415, description = "The body is no JSON.", body = Problem, content_type = "application/problem+json"),
    ),
    security(("token" = ["publish"])),
)]
pub(super) async fn publish_to_session(
    Extract(shared): State,
    caller: Caller,
    Path(Brief(client_id)): Path<Brief<String>>,
    Body(NewDelivery { message, matching }): Body<NewDelivery>,
) -> Result<Json<Published>, Problem> {
    let publication = message.publication()?;
    caller.check_topic(&publication.topic)?;
    if publication.retain {
        return Err(Problem::conflict(
            Code::Conflict,
            "a message to one session is not retained",
        ));
    }
    debug!(by = caller.name(), ?client_id, topic = ?publication.topic, "publishing to one session");
    let calls = shared.calls();
    let wanted = client_id.clone();
    if !calls
        .look(move |view| view.session(&wanted).is_some())
        .await?
    {
        return Err(Problem::not_found("there is no such session"));
    }
    let command = Command::PublishTo {
        client_id: client_id.into(),
        publication: Box::new(publication),
        matching,
    };
    published(calls.order(command).await?)
}

impl NewMessage {
    fn publication(self) -> Result<Publication, Problem> {
        let payload = match (self.payload, self.payload_base64) {
            (Some(_), Some(_)) => {
                return Err(Problem::conflict(
                    Code::Conflict,
                    "payload and payload_base64 exclude each other",
                ));
            }
            (Some(text), None) => Bytes::from(text),
            (None, Some(Base64(bytes))) => Bytes::from(bytes),
            (None, None) => Bytes::new(),
        };
        let Some(properties) = self.properties.build(self.expires_in_s) else {
            return Err(Problem::too_large("the properties are too long"));
        };
        Ok(Publication {
            topic: self.topic.0,
            payload,
            qos: self.qos.into(),
            retain: self.retain,
            properties,
        })
    }
}

fn published(answer: Answer) -> Result<Json<Published>, Problem> {
    match answer {
        Answer::Published { receivers } => Ok(Json(Published { receivers })),
        Answer::InvalidTopic(error) => Err(Problem::invalid(format!("the topic name {error}"))),
        Answer::TopicTooDeep => Err(Problem::too_deep()),
        Answer::RetainedFull => Err(Problem::conflict(
            Code::LimitReached,
            "there is no room for one more retained message",
        )),
        Answer::TooLarge => Err(Problem::too_large(
            "the message is longer than a packet can be",
        )),
        other => Err(Problem::new(
            StatusCode::SERVICE_UNAVAILABLE,
            Code::Busy,
            format!("the broker answered {other:?}"),
        )),
    }
}
