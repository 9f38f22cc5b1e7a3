//! Hooks: who may connect, what they may subscribe to and publish, and a log of what happened.
//!
//! ```sh
//! cargo run -p sanderling-examples --bin hooks -- 127.0.0.1:1883
//! mosquitto_sub -u radio -P static -t '#' -q 2 -v     # gets everything with QoS 0
//! mosquitto_pub -u sensor -P ice -t a -m hello
//! ```

use sanderling_core::{
    broker::{Command, Link},
    hooks::{Client, Context, Draft, HookSet, Hooks, Notice, Ruling, SubscribeRequest},
    packet::{Connect, QoS},
    reason::ReasonCode,
};
use sanderling_examples::{Failure, announce, arguments, log_to_stderr, on_signal};
use sanderling_mio::Broker;
use tracing::info;

fn main() -> Result<(), Failure> {
    let [address] = arguments(["127.0.0.1:1883"]);
    log_to_stderr();
    // Several hook sets may follow one another. A decision needs the consent of all of them.
    let broker = Broker::builder()
        .hook(Access)
        .hook(Diary)
        .listen(&address)?
        .start()?;
    let handle = broker.handle();
    on_signal(move || handle.stop())?;
    announce(broker.endpoints());
    broker.join()?;
    Ok(())
}

/// What somebody may do.
struct User {
    name: &'static str,
    /// In the clear, because this is an example. Keep hashes: see `plugins/scram`.
    password: &'static str,
    /// The highest QoS of its subscriptions; none if it may not subscribe.
    subscribes: Option<QoS>,
    publishes: bool,
}

#[rustfmt::skip]
const USERS: &[User] = &[
    User { name: "keeper", password: "krill", subscribes: Some(QoS::ExactlyOnce), publishes: true },
    User { name: "radio", password: "static", subscribes: Some(QoS::AtMostOnce), publishes: true },
    User { name: "ledger", password: "ink", subscribes: Some(QoS::AtLeastOnce), publishes: true },
    User { name: "sensor", password: "ice", subscribes: None, publishes: true },
    User { name: "screen", password: "glass", subscribes: Some(QoS::ExactlyOnce), publishes: false },
];

fn user(name: Option<&str>) -> Option<&'static User> {
    USERS.iter().find(|user| Some(user.name) == name)
}

/// Decides. Hooks run inside the broker's turn, so everybody waits for them: a table in memory is fine, a database is
/// not. For that, answer `Ruling::Ask` and have `Workers` find the verdict on their own threads.
struct Access;

impl Hooks for Access {
    /// Methods that are not named here are not called.
    fn wants(&self) -> HookSet {
        HookSet::CONNECT | HookSet::SUBSCRIBE | HookSet::PUBLISH
    }

    /// 5.0 clients are told 0x86, older ones return code 4.
    fn connect(&mut self, _: &Link, connect: &Connect<'_>, _: &mut Context<'_>) -> Ruling {
        let known = user(connect.username)
            .is_some_and(|user| connect.password == Some(user.password.as_bytes()));
        match known {
            true => Ruling::Permit,
            false => Ruling::Refuse(ReasonCode::BAD_USER_NAME_OR_PASSWORD),
        }
    }

    /// One SUBSCRIBE may ask for several filters; each has an answer of its own.
    fn subscribe(
        &mut self,
        client: &Client<'_>,
        requests: &mut [SubscribeRequest<'_>],
        _: &mut Context<'_>,
    ) -> Ruling {
        let highest = user(client.username).and_then(|user| user.subscribes);
        for request in requests {
            request.granted = match (request.granted, highest) {
                (Ok(qos), Some(highest)) => Ok(qos.min(highest)),
                (Ok(_), None) => Err(ReasonCode::NOT_AUTHORIZED),
                (refused, _) => refused,
            };
        }
        Ruling::Permit
    }

    /// Before 5.0 MQTT has no way to say no to a message: those clients get their acknowledgement all the same.
    fn publish(
        &mut self,
        client: &Client<'_>,
        draft: &mut Draft<'_>,
        cx: &mut Context<'_>,
    ) -> Ruling {
        if !user(client.username).is_some_and(|user| user.publishes) {
            // Whoever tries in spite of it is sent away. The order is obeyed after this event.
            let close = Command::Close {
                client_id: client.client_id.into(),
                reason: ReasonCode::NOT_AUTHORIZED,
            };
            // Refused only if hooks give very many orders in one event.
            let _ = cx.order(close);
            return Ruling::Refuse(ReasonCode::NOT_AUTHORIZED);
        }
        match draft.qos() {
            QoS::ExactlyOnce => Ruling::Refuse(ReasonCode::NOT_AUTHORIZED),
            QoS::AtMostOnce | QoS::AtLeastOnce => Ruling::Permit,
        }
    }
}

/// Observes. A slow terminal would hold the broker up here; a busy one logs through a queue and a thread.
struct Diary;

impl Hooks for Diary {
    /// Deliveries are extra because there are so many.
    fn wants(&self) -> HookSet {
        HookSet::NOTICE | HookSet::DELIVERED
    }

    fn notice(&mut self, notice: &Notice<'_>, _: &mut Context<'_>) {
        match notice {
            Notice::Delivered { client, delivery } => info!(
                client = client.client_id,
                topic = delivery.topic,
                qos = delivery.qos as u8,
                "delivered"
            ),
            Notice::Ended { client_id, end, .. } => {
                info!(client = client_id, reason = %end, "closed");
            }
            Notice::Stopped => info!("stopped"),
            _ => {}
        }
    }
}
