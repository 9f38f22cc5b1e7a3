//! A service around the broker: it subscribes clients, keeps a retained message, looks at subscriptions, publishes.
//!
//! ```sh
//! cargo run -p sanderling-examples --bin service -- 127.0.0.1:1883 5
//! mosquitto_sub -i me -t service/motto -v     # and what the service has subscribed it to
//! ```
//!
//! The second argument is the time between two rounds, in seconds.

use sanderling_core::{
    broker::{Command, NewSubscription},
    hooks::{Context, HookSet, Hooks, Notice},
    packet::QoS,
};
use sanderling_examples::{Failure, announce, arguments, on_signal};
use sanderling_mio::{Broker, Handle, HandleError, Publication};
use std::{
    sync::mpsc::{RecvTimeoutError, channel},
    time::Duration,
};

fn main() -> Result<(), Failure> {
    let [address, seconds] = arguments(["127.0.0.1:1883", "5"]);
    let between_rounds = Duration::try_from_secs_f64(seconds.parse()?)?;

    let builder = Broker::builder().hook(Welcome).listen(&address)?;
    // The handle is there before the broker is. What need not be answered waits for the start.
    let motto = Publication::new("service/motto", "wet feet, never");
    builder
        .handle()
        .try_order(Command::Retain(Box::new(motto)))?;
    let broker = builder.start()?;
    let handle = broker.handle();

    let (stop, stopped) = channel();
    on_signal(move || drop(stop))?;
    announce(broker.endpoints());

    // The broker has a thread of its own; this one is ours.
    for number in 1_u64.. {
        match stopped.recv_timeout(between_rounds) {
            Err(RecvTimeoutError::Timeout) => round(&handle, number)?,
            Ok(()) | Err(RecvTimeoutError::Disconnected) => break,
        }
    }
    broker.stop();
    broker.join()?;
    Ok(())
}

/// Lists all subscriptions, then publishes. These calls wait for the broker's answer.
fn round(handle: &Handle, number: u64) -> Result<(), HandleError> {
    // The broker is asked for some clients at a time and serves others meanwhile.
    handle.subscriptions().for_each(|one| {
        let qos = one.options.qos as u8;
        println!(
            "{:?} subscribes to {:?}, QoS {qos}",
            one.client_id, one.filter
        );
        true // false would end the walk
    })?;
    let message = Publication::new("service/rounds", number.to_string()).qos(QoS::AtLeastOnce);
    let receivers = handle.publish(message)?;
    println!("round {number} sent to {receivers} clients");
    Ok(())
}

/// Subscribes whoever connects to what the service has to say.
struct Welcome;

impl Hooks for Welcome {
    fn wants(&self) -> HookSet {
        HookSet::NOTICE
    }

    fn notice(&mut self, notice: &Notice<'_>, cx: &mut Context<'_>) {
        let Notice::Connected { client, .. } = notice else {
            return;
        };
        // What `handle.subscriptions().subscribe(..)` does elsewhere, as an order that is carried out after this event:
        // a hook must not wait for the broker that waits for it.
        let subscribe = Command::Subscribe {
            client_id: client.client_id.into(),
            subscriptions: vec![NewSubscription::new("service/rounds", QoS::AtLeastOnce)],
        };
        if cx.order(subscribe).is_err() {
            eprintln!("{:?} could not be subscribed", client.client_id);
        }
    }
}
