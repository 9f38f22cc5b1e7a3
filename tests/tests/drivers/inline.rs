//! Clients inside the program.

use super::{
    client::{Client, Received},
    serve::{Serve, Served, start, start_with},
};
use sanderling_core::{
    broker::{Link, NewSubscription, Publication},
    config::{Config, Limits},
    hooks::{Client as HookClient, Context, HookSet, Hooks, Ruling, SubscribeRequest},
    packet::{Connect, PropertiesBuf, Property, QoS},
    reason::ReasonCode,
};
use sanderling_runtime::{
    HandleError, Inline, InlineError, InlineOptions, RequestError, Requester,
};
use std::{thread, time::Duration};

super::on_every_driver! {
    an_inline_client_gets_what_it_has_subscribed_to
    each_qos_is_acknowledged_as_messages_are_taken
    who_takes_nothing_is_sent_no_more_than_waits
    an_inline_session_goes_on
    an_inline_client_may_lose_its_session_to_another
    hooks_are_not_asked_about_inline_clients
    a_wrong_filter_is_refused_and_the_client_goes_on
    questions_are_answered
    questions_that_nobody_answers
    the_end_of_the_broker_ends_inline_clients
    publishing_waits_for_the_broker
}

fn wait<R>(future: impl Future<Output = R>) -> R {
    pollster::block_on(future)
}

fn inline(served: &Served, client_id: &str) -> Inline {
    wait(served.handle.inline(InlineOptions::new(client_id))).unwrap()
}

fn message(topic: &str, payload: &'static str) -> Publication {
    Publication::new(topic, payload)
}

fn an_inline_client_gets_what_it_has_subscribed_to<D: Serve>() {
    let served = start::<D>();
    served
        .handle
        .publish(message("a/kept", "kept").retained())
        .unwrap();
    let mut inline = inline(&served, "inside");
    assert_eq!(inline.client_id(), "inside");
    assert!(!inline.session_present());
    assert_eq!(
        wait(inline.subscribe("a/#", QoS::AtLeastOnce)),
        Ok(QoS::AtLeastOnce)
    );
    let kept = inline.recv().unwrap();
    assert_eq!(
        (&*kept.topic, &*kept.payload, kept.retain),
        ("a/kept", &b"kept"[..], true)
    );

    let mut outside = Client::connect(served.address, "outside");
    outside.publish("a/b", b"hello", QoS::AtLeastOnce, 7);
    assert_eq!(outside.receive(), Received::PubAck(7));
    let hello = inline.recv().unwrap();
    assert_eq!((&*hello.topic, &*hello.payload), ("a/b", &b"hello"[..]));
    assert_eq!((hello.qos, hello.retain), (QoS::AtLeastOnce, false));

    wait(inline.unsubscribe("a/#")).unwrap();
    assert_eq!(wait(inline.publish(message("a/b", "unheard"))), Ok(0));
    assert_eq!(inline.try_recv(), None);

    // It is a client like others, and gone when it is dropped.
    let info = served.handle.client("inside").unwrap().unwrap();
    assert!(info.is_connected && info.listener.is_none() && info.remote_addr.is_none());
    drop(inline);
    let is_gone = || served.handle.client("inside").unwrap().is_none();
    while !is_gone() {
        thread::yield_now();
    }
}

fn each_qos_is_acknowledged_as_messages_are_taken<D: Serve>() {
    let served = start::<D>();
    let mut inline = inline(&served, "inside");
    wait(inline.subscribe("t", QoS::ExactlyOnce)).unwrap();
    for qos in [QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce] {
        assert_eq!(wait(inline.publish(message("t", "x").qos(qos))), Ok(1));
    }
    let inflight = || {
        served
            .handle
            .client("inside")
            .unwrap()
            .unwrap()
            .inflight_len
    };
    assert_eq!(inflight(), 2);
    let taken: Vec<_> = (0..3).map(|_| inline.recv().unwrap().qos).collect();
    assert_eq!(taken, [QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce]);
    while inflight() > 0 {
        thread::yield_now();
    }
    // And so forth, with the same few packet identifiers.
    for number in 0..200_u32 {
        let payload = number.to_string();
        let publication = Publication::new("t", payload.clone()).qos(QoS::ExactlyOnce);
        wait(inline.publish(publication)).unwrap();
        assert_eq!(inline.recv().unwrap().payload, payload);
    }
}

fn who_takes_nothing_is_sent_no_more_than_waits<D: Serve>() {
    let config = Config {
        limits: Limits {
            outbound_bytes_max: 2000,
            queue_messages_max: 50,
            ..Limits::default()
        },
        ..Config::default()
    };
    let served = start_with::<D>(|builder| builder.config(config));
    let options = InlineOptions {
        messages_max: 5,
        ..InlineOptions::new("slow")
    };
    let mut inline = wait(served.handle.inline(options)).unwrap();
    wait(inline.subscribe("t", QoS::AtLeastOnce)).unwrap();
    for number in 0..100_u32 {
        let publication = Publication::new("t", number.to_string()).qos(QoS::AtLeastOnce);
        served.handle.publish(publication).unwrap();
    }
    let info = served.handle.client("slow").unwrap().unwrap();
    assert_eq!((info.inflight_len, info.queue_len), (5, 50));
    assert_eq!(info.statistics.messages_dropped[1], 45);
    let first: Vec<_> = (0..5).map(|_| inline.recv().unwrap().payload).collect();
    assert_eq!(first, ["0", "1", "2", "3", "4"]);
    // The oldest of the queue were lost.
    let rest: Vec<_> = (0..50).map(|_| inline.recv().unwrap().payload).collect();
    assert_eq!((&rest[0][..], &rest[49][..]), (&b"50"[..], &b"99"[..]));

    // Messages of QoS 0 are lost when there is no room; what is asked meanwhile is answered all the same.
    for number in 0..1000_u32 {
        let publication = Publication::new("t", number.to_string());
        served.handle.publish(publication).unwrap();
    }
    wait(inline.subscribe("other", QoS::AtMostOnce)).unwrap();
    let statistics = served.handle.session_statistics("slow").unwrap().unwrap();
    let mut taken = 0;
    while inline.try_recv().is_some() {
        taken += 1;
        let everybody_else = served.handle.statistics();
        assert!(everybody_else.is_ok());
    }
    assert!(taken >= 5 && taken as u64 + statistics.messages_dropped[0] >= 1000);
}

fn an_inline_session_goes_on<D: Serve>() {
    let served = start::<D>();
    let options = InlineOptions {
        clean_start: false,
        session_expiry_s: 1000,
        ..InlineOptions::new("inside")
    };
    let first = wait(served.handle.inline(options.clone())).unwrap();
    wait(first.subscribe("t", QoS::AtLeastOnce)).unwrap();
    drop(first);
    let is_connected = || {
        served
            .handle
            .client("inside")
            .unwrap()
            .unwrap()
            .is_connected
    };
    while is_connected() {
        thread::yield_now();
    }
    served
        .handle
        .publish(message("t", "later").qos(QoS::AtLeastOnce))
        .unwrap();
    let mut second = wait(served.handle.inline(options)).unwrap();
    assert!(second.session_present());
    assert_eq!(second.recv().unwrap().payload, "later");
}

fn an_inline_client_may_lose_its_session_to_another<D: Serve>() {
    let served = start::<D>();
    let mut inline = inline(&served, "mine");
    wait(inline.subscribe("t", QoS::AtLeastOnce)).unwrap();
    served
        .handle
        .publish(message("t", "before").qos(QoS::AtLeastOnce))
        .unwrap();
    Client::connect(served.address, "mine").barrier();
    // What came before the end is there.
    assert_eq!(inline.recv().unwrap().payload, "before");
    assert_eq!(inline.recv(), None);
    let ended = InlineError::Ended(Some(ReasonCode::SESSION_TAKEN_OVER));
    assert_eq!(wait(inline.subscribe("t", QoS::AtMostOnce)), Err(ended));
}

/// Refuses everything.
struct No;

impl Hooks for No {
    fn wants(&self) -> HookSet {
        HookSet::ACCEPT | HookSet::CONNECT | HookSet::SUBSCRIBE
    }

    fn accept(&mut self, _: &Link, _: &mut Context<'_>) -> bool {
        false
    }

    fn connect(&mut self, _: &Link, _: &Connect<'_>, _: &mut Context<'_>) -> Ruling {
        Ruling::Refuse(ReasonCode::NOT_AUTHORIZED)
    }

    fn subscribe(
        &mut self,
        _: &HookClient<'_>,
        _: &mut [SubscribeRequest<'_>],
        _: &mut Context<'_>,
    ) -> Ruling {
        Ruling::Refuse(ReasonCode::NOT_AUTHORIZED)
    }
}

fn hooks_are_not_asked_about_inline_clients<D: Serve>() {
    let served = start_with::<D>(|builder| builder.hook(No));
    let inline = inline(&served, "inside");
    assert_eq!(
        wait(inline.subscribe("#", QoS::ExactlyOnce)),
        Ok(QoS::ExactlyOnce)
    );
}

fn a_wrong_filter_is_refused_and_the_client_goes_on<D: Serve>() {
    let served = start::<D>();
    let mut inline = inline(&served, "inside");
    let refused = Err(InlineError::Refused(ReasonCode::TOPIC_FILTER_INVALID));
    assert_eq!(wait(inline.subscribe("a#", QoS::AtMostOnce)), refused);
    let identified = NewSubscription {
        identifier: 9,
        ..NewSubscription::new("a", QoS::AtMostOnce)
    };
    wait(inline.subscribe_with(identified)).unwrap();
    wait(inline.publish(message("a", "x"))).unwrap();
    let message = inline.recv().unwrap();
    let identifiers: Vec<_> = message
        .properties
        .as_properties()
        .subscription_identifiers()
        .collect();
    assert_eq!(identifiers, [9]);
    let wrong = wait(inline.publish(Publication::new("a/+", "")));
    assert!(matches!(wrong, Err(HandleError::InvalidTopic(_))));
}

/// Answers questions to `sum` with their length, from outside.
fn answering(served: &Served) -> thread::JoinHandle<()> {
    let mut inline = inline(served, "answers");
    wait(inline.subscribe("sum", QoS::AtLeastOnce)).unwrap();
    thread::spawn(move || {
        while let Some(question) = inline.recv() {
            let properties = question.properties.as_properties();
            let Some(topic) = properties.response_topic() else {
                return;
            };
            let data = properties.correlation_data().unwrap();
            let mut back = PropertiesBuf::new();
            back.push(Property::CorrelationData(data)).unwrap();
            let answer = Publication {
                properties: back,
                ..Publication::new(topic, question.payload.len().to_string())
            };
            wait(inline.publish(answer)).unwrap();
        }
    })
}

fn requester(served: &Served) -> Requester {
    wait(served.handle.requester()).unwrap()
}

fn questions_are_answered<D: Serve>() {
    let served = start::<D>();
    let answers = answering(&served);
    let requester = requester(&served);
    assert!(
        requester
            .response_topic()
            .starts_with("sanderling/response/")
    );
    let ask = |payload: &'static str| wait(requester.request(message("sum", payload)));
    assert_eq!(ask("four").unwrap().payload, "4");
    thread::scope(|scope| {
        for payload in ["a", "bb", "ccc", "dddd"] {
            let ask = &ask;
            scope.spawn(move || {
                for _ in 0..100 {
                    assert_eq!(ask(payload).unwrap().payload, payload.len().to_string());
                }
            });
        }
    });
    let within = requester.request_within(message("sum", "xyz"), Duration::from_secs(20));
    assert_eq!(within.unwrap().payload, "3");
    // What is no question ends the one who answers.
    served.handle.publish(message("sum", "")).unwrap();
    answers.join().unwrap();
}

fn questions_that_nobody_answers<D: Serve>() {
    let served = start::<D>();
    let requester = requester(&served);
    let nobody = wait(requester.request(message("sum", "")));
    assert_eq!(nobody, Err(RequestError::NobodyListens));
    let mut deaf = Client::connect(served.address, "deaf");
    deaf.subscribe("sum", QoS::AtMostOnce);
    let late = requester.request_within(message("sum", ""), Duration::from_millis(20));
    assert_eq!(late, Err(RequestError::TimedOut));
    let mut own = PropertiesBuf::new();
    own.push(Property::ResponseTopic("mine")).unwrap();
    let question = Publication {
        properties: own,
        ..message("sum", "")
    };
    assert!(matches!(
        wait(requester.request(question)),
        Err(RequestError::Properties(_))
    ));
    // One that is waited for ends with the broker.
    thread::scope(|scope| {
        let asking = scope.spawn(|| wait(requester.request(message("sum", "last"))));
        while !matches!(deaf.receive(), Received::Publish { payload, .. } if payload == b"last") {}
        served.handle.stop();
        let outcome = asking.join().unwrap();
        assert!(
            matches!(outcome, Err(RequestError::Ended(_))),
            "{outcome:?}"
        );
    });
}

fn the_end_of_the_broker_ends_inline_clients<D: Serve>() {
    let served = start::<D>();
    let mut inline = inline(&served, "inside");
    let handle = served.handle.clone();
    let waiting = thread::spawn(move || inline.recv());
    served.handle.stop();
    served.join();
    assert_eq!(waiting.join().unwrap(), None);
    let outcome = wait(handle.inline(InlineOptions::new("late")));
    assert_eq!(outcome.unwrap_err(), InlineError::Stopped);
}

fn publishing_waits_for_the_broker<D: Serve>() {
    let served = start::<D>();
    let mut client = Client::connect(served.address, "client");
    client.subscribe("t", QoS::AtLeastOnce);
    let threads: Vec<_> = (0..4)
        .map(|number| {
            let inline = inline(&served, &format!("publisher {number}"));
            thread::spawn(move || {
                for _ in 0..500 {
                    assert_eq!(wait(inline.publish(message("t", "x"))), Ok(1));
                }
            })
        })
        .collect();
    for _ in 0..2000 {
        assert_eq!(client.receive_payload(), b"x");
    }
    for thread in threads {
        thread.join().unwrap();
    }
}
