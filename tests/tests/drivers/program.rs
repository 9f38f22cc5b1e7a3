//! The program around the broker: handles and hooks.

use super::{
    client::{Client, Received},
    serve::{Serve, Served, start, start_with},
};
use sanderling_core::{
    broker::{Link, Publication},
    hooks::{
        Client as HookClient, Context, Draft, HookSet, Hooks, Notice, Question, Ruling, Verdict,
    },
    packet::{Connect, PropertiesBuf, QoS, Version},
    reason::ReasonCode,
};
use sanderling_runtime::{Answerer, Handle, HandleError, Reply};
use std::{
    sync::mpsc::{Receiver, Sender, channel},
    thread,
};

super::on_every_driver! {
    the_program_publishes_from_many_threads
    answers_come_late_and_hold_only_the_connection_they_are_about
    a_reply_that_is_dropped_refuses
    a_question_that_nobody_answers_is_refused
    a_hook_that_would_wait_for_its_own_broker_is_told
    a_hook_that_panics_refuses_and_the_broker_goes_on
    an_answerer_that_panics_refuses
}

fn message(topic: &str, payload: &'static str) -> Publication {
    Publication {
        topic: topic.into(),
        payload: payload.into(),
        qos: QoS::AtMostOnce,
        retain: false,
        properties: PropertiesBuf::default(),
    }
}

fn the_program_publishes_from_many_threads<D: Serve>() {
    let served = start::<D>();
    let address = served.address;
    let mut client = Client::connect(address, "client");
    client.subscribe("from/program", QoS::AtMostOnce);
    let threads: Vec<_> = (0..4)
        .map(|_| {
            let handle = served.handle.clone();
            thread::spawn(move || {
                for _ in 0..500 {
                    assert_eq!(handle.publish(message("from/program", "hello")), Ok(1));
                }
            })
        })
        .collect();
    for _ in 0..2000 {
        assert_eq!(client.receive_payload(), b"hello");
    }
    for thread in threads {
        thread.join().unwrap();
    }
    assert_eq!(served.handle.publish(message("to/nobody", "")), Ok(0));
    let statistics = served.handle.statistics().unwrap();
    assert_eq!(statistics.messages_sent[0], 2000);
}

/// Asks about every CONNECT and PUBLISH.
struct Asking;

impl Hooks for Asking {
    fn wants(&self) -> HookSet {
        HookSet::CONNECT | HookSet::PUBLISH
    }

    fn connect(&mut self, _: &Link, _: &Connect<'_>, _: &mut Context<'_>) -> Ruling {
        Ruling::Ask
    }

    fn publish(&mut self, _: &HookClient<'_>, _: &mut Draft<'_>, _: &mut Context<'_>) -> Ruling {
        Ruling::Ask
    }
}

/// Gives what is asked to the test.
struct Forward(Sender<(Question, Reply)>);

impl Answerer for Forward {
    fn answer(&mut self, question: Question, reply: Reply) {
        self.0.send((question, reply)).unwrap();
    }
}

fn start_asking<D: Serve>() -> (Served, Receiver<(Question, Reply)>) {
    let (sender, questions) = channel();
    let served = start_with::<D>(|builder| builder.asking_hook(Asking, Forward(sender)));
    (served, questions)
}

fn answers_come_late_and_hold_only_the_connection_they_are_about<D: Serve>() {
    let (served, questions) = start_asking::<D>();
    let address = served.address;
    let mut first = Client::open(address, Version::V5);
    first.say_connect("first");
    let (question, late) = questions.recv().unwrap();
    assert_eq!(question.client_id, "first");

    let mut second = Client::open(address, Version::V5);
    second.say_connect("second");
    questions.recv().unwrap().1.rule(Verdict::Permit);
    assert_eq!(second.receive(), Received::ConnAck(ReasonCode::SUCCESS));
    second.subscribe("#", QoS::AtMostOnce);

    // What is sent meanwhile waits, in order.
    first.publish("a", b"1", QoS::AtLeastOnce, 1);
    first.publish("b", b"2", QoS::AtLeastOnce, 2);
    second.barrier();
    late.rule(Verdict::Permit);
    assert_eq!(first.receive(), Received::ConnAck(ReasonCode::SUCCESS));
    questions.recv().unwrap().1.rule(Verdict::Permit);
    assert_eq!(first.receive(), Received::PubAck(1));
    let refusal = Verdict::Refuse(ReasonCode::QUOTA_EXCEEDED);
    questions.recv().unwrap().1.rule(refusal);
    assert_eq!(first.receive(), Received::PubAck(2));
    assert_eq!(second.receive_payload(), b"1");
    second.barrier();
}

fn a_reply_that_is_dropped_refuses<D: Serve>() {
    let (served, questions) = start_asking::<D>();
    let mut client = Client::open(served.address, Version::V5);
    client.say_connect("client");
    drop(questions.recv().unwrap());
    assert_eq!(
        client.receive(),
        Received::ConnAck(ReasonCode::NOT_AUTHORIZED)
    );
    assert_eq!(client.receive(), Received::Closed);
}

fn a_question_that_nobody_answers_is_refused<D: Serve>() {
    let served = start_with::<D>(|builder| builder.hook(Asking));
    let mut client = Client::open(served.address, Version::V5);
    client.say_connect("client");
    assert_eq!(
        client.receive(),
        Received::ConnAck(ReasonCode::NOT_AUTHORIZED)
    );
}

/// Calls the broker that calls it.
struct Echo(Receiver<Handle>, Sender<Result<u32, HandleError>>);

impl Hooks for Echo {
    fn wants(&self) -> HookSet {
        HookSet::PUBLISH
    }

    fn publish(&mut self, _: &HookClient<'_>, _: &mut Draft<'_>, _: &mut Context<'_>) -> Ruling {
        let handle = self.0.recv().unwrap();
        let waits = handle.publish(message("echo", "waits"));
        self.1.send(waits).unwrap();
        handle
            .try_publish(message("echo", "does not wait"))
            .unwrap();
        Ruling::Permit
    }
}

fn a_hook_that_would_wait_for_its_own_broker_is_told<D: Serve>() {
    let (handles, handle) = channel();
    let (sender, results) = channel();
    let served = start_with::<D>(|builder| builder.hook(Echo(handle, sender)));
    handles.send(served.handle.clone()).unwrap();
    let mut client = Client::connect(served.address, "client");
    client.subscribe("echo", QoS::AtMostOnce);
    client.publish("a", b"", QoS::AtMostOnce, 0);
    assert_eq!(results.recv().unwrap(), Err(HandleError::WouldDeadlock));
    assert_eq!(client.receive_payload(), b"does not wait");
}

/// Panics at every message to `bad` and at the second notice.
struct Clumsy {
    notices: Sender<()>,
    count: usize,
}

impl Hooks for Clumsy {
    fn wants(&self) -> HookSet {
        HookSet::PUBLISH | HookSet::NOTICE
    }

    fn publish(
        &mut self,
        _: &HookClient<'_>,
        publish: &mut Draft<'_>,
        _: &mut Context<'_>,
    ) -> Ruling {
        assert_ne!(publish.topic(), "bad", "a panic that this test wants");
        Ruling::Permit
    }

    fn notice(&mut self, _: &Notice<'_>, _: &mut Context<'_>) {
        self.notices.send(()).unwrap();
        self.count += 1;
        assert!(self.count < 2, "a panic that this test wants");
    }
}

fn a_hook_that_panics_refuses_and_the_broker_goes_on<D: Serve>() {
    let (notices, noticed) = channel();
    let served = start_with::<D>(|builder| builder.hook(Clumsy { notices, count: 0 }));
    let mut client = Client::connect(served.address, "client");
    client.subscribe("#", QoS::AtMostOnce);
    for id in [1, 3] {
        client.publish("bad", b"", QoS::AtLeastOnce, id);
        assert_eq!(client.receive(), Received::PubAck(id));
        client.publish("good", b"through", QoS::AtLeastOnce, id + 1);
        assert_eq!(client.receive(), Received::PubAck(id + 1));
        assert_eq!(client.receive_payload(), b"through");
    }
    let mut other = Client::connect(served.address, "other");
    other.barrier();
    assert_eq!(noticed.try_iter().count(), 2);
}

/// Panics at every question.
struct Speechless;

impl Answerer for Speechless {
    fn answer(&mut self, _: Question, _: Reply) {
        panic!("a panic that this test wants");
    }
}

fn an_answerer_that_panics_refuses<D: Serve>() {
    let served = start_with::<D>(|builder| builder.asking_hook(Asking, Speechless));
    for _ in 0..2 {
        let mut client = Client::open(served.address, Version::V5);
        client.say_connect("client");
        let refused = Received::ConnAck(ReasonCode::NOT_AUTHORIZED);
        assert_eq!(client.receive(), refused);
    }
}
