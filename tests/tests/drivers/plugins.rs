//! Plugins: their life, their failures, their place among hooks.

use super::{
    client::{Client, Received},
    serve::{Serve, refuses_in_the_end},
};
use sanderling_core::{
    broker::{Command, Link, Publication},
    hooks::{Context, HookSet, Hooks, Notice, Ruling},
    packet::{Connect, QoS},
    reason::ReasonCode,
};
use sanderling_runtime::{Builder, Handle, HandleError, HookSets, Plugin, PluginError};
use std::{
    sync::{Arc, Mutex},
    thread,
    time::Duration,
};

super::on_every_driver! {
    pl2_l9_plugins_are_loaded_in_order_before_anybody_connects_and_unloaded_after_the_end
    d1_the_hooks_of_plugins_come_after_those_of_the_builder
    d3_a_plugin_that_cannot_be_loaded_stops_the_start_and_those_before_it_are_unloaded
    pl4_an_error_or_a_panic_at_unloading_keeps_nothing_from_ending
    l12_who_does_not_stop_in_time_unloads_nothing_and_is_told_nothing
    l13_to_stop_twice_is_to_stop_once
    pl5_a_plugin_may_use_the_broker_from_a_thread_of_its_own
}

/// What happened, in order.
#[derive(Clone, Default)]
struct Diary(Arc<Mutex<Vec<String>>>);

impl Diary {
    fn write(&self, what: impl Into<String>) {
        self.0.lock().unwrap().push(what.into());
    }

    fn read(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }
}

/// What goes wrong with a plugin.
#[derive(Clone, Copy, Eq, PartialEq)]
enum Fault {
    Nothing,
    Load,
    LoadPanics,
    Unload,
    UnloadPanics,
}

struct Noting {
    name: &'static str,
    fault: Fault,
    diary: Diary,
}

impl Plugin for Noting {
    fn name(&self) -> &str {
        self.name
    }

    fn load(&mut self, handle: &Handle) -> Result<(), PluginError> {
        self.diary.write(format!("load {}", self.name));
        assert_eq!(
            handle.endpoints().len(),
            1,
            "it knows where clients will find it"
        );
        assert_eq!(handle.statistics(), Err(HandleError::NotStarted));
        match self.fault {
            Fault::Load => Err("its file is missing".into()),
            Fault::LoadPanics => panic!("a panic that this test wants"),
            _ => Ok(()),
        }
    }

    fn hooks(&mut self, hooks: &mut HookSets) {
        self.diary.write(format!("hooks {}", self.name));
        hooks.hook(NotingHooks {
            name: self.name,
            diary: self.diary.clone(),
        });
    }

    fn unload(&mut self) -> Result<(), PluginError> {
        self.diary.write(format!("unload {}", self.name));
        match self.fault {
            Fault::Unload => Err("its file is gone".into()),
            Fault::UnloadPanics => panic!("a panic that this test wants"),
            _ => Ok(()),
        }
    }
}

struct NotingHooks {
    name: &'static str,
    diary: Diary,
}

impl Hooks for NotingHooks {
    fn wants(&self) -> HookSet {
        HookSet::ACCEPT | HookSet::CONNECT | HookSet::NOTICE
    }

    fn accept(&mut self, _: &Link, _: &mut Context<'_>) -> bool {
        self.diary.write(format!("accept {}", self.name));
        true
    }

    fn connect(&mut self, _: &Link, _: &Connect<'_>, _: &mut Context<'_>) -> Ruling {
        self.diary.write(format!("connect {}", self.name));
        Ruling::Permit
    }

    fn notice(&mut self, notice: &Notice<'_>, cx: &mut Context<'_>) {
        if matches!(notice, Notice::Stopped) {
            // Calls of the broker work here like anywhere.
            let publication = Box::new(Publication::new("last/words", ""));
            cx.order(Command::Publish(publication)).unwrap();
            assert_eq!(cx.view.sessions_len(), 0);
            self.diary.write(format!("stopped {}", self.name));
        }
    }
}

fn with_plugins<D: Serve>(diary: &Diary, plugins: &[(&'static str, Fault)]) -> Builder<D> {
    let builder = Builder::default().listen("127.0.0.1:0").unwrap();
    plugins.iter().fold(builder, |builder, (name, fault)| {
        builder.plugin(Noting {
            name,
            fault: *fault,
            diary: diary.clone(),
        })
    })
}

/// [L6] [PL3]
fn pl2_l9_plugins_are_loaded_in_order_before_anybody_connects_and_unloaded_after_the_end<
    D: Serve,
>() {
    let diary = Diary::default();
    let builder = with_plugins::<D>(&diary, &[("one", Fault::Nothing), ("two", Fault::Nothing)]);
    let served = D::serve(builder);
    let mut client = Client::connect(served.address, "client");
    client.disconnect();
    assert_eq!(client.receive(), Received::Closed);
    drop(client);
    served.handle.stop();
    served.join();
    assert_eq!(
        diary.read(),
        [
            "load one",
            "hooks one",
            "load two",
            "hooks two",
            "accept one",
            "accept two",
            "connect one",
            "connect two",
            "stopped one",
            "stopped two",
            "unload one",
            "unload two",
        ]
    );
}

/// [L5]
fn d1_the_hooks_of_plugins_come_after_those_of_the_builder<D: Serve>() {
    let diary = Diary::default();
    let builder = with_plugins::<D>(&diary, &[("plugin", Fault::Nothing)]);
    let hook = |name| NotingHooks {
        name,
        diary: diary.clone(),
    };
    let served = D::serve(builder.hook(hook("first")).hook(hook("second")));
    Client::connect(served.address, "client").barrier();
    let connects = diary.read();
    let connects = connects.iter().filter(|what| what.starts_with("connect"));
    assert!(connects.eq(&["connect first", "connect second", "connect plugin"]));
}

fn d3_a_plugin_that_cannot_be_loaded_stops_the_start_and_those_before_it_are_unloaded<D: Serve>() {
    for fault in [Fault::Load, Fault::LoadPanics] {
        let diary = Diary::default();
        let plugins = [
            ("one", Fault::Unload),
            ("two", Fault::Nothing),
            ("bad", fault),
            ("never", Fault::Nothing),
        ];
        let builder = with_plugins::<D>(&diary, &plugins);
        let address = builder.handle();
        let Err(error) = D::try_serve(builder) else {
            panic!("it started");
        };
        let text = error.to_string();
        assert!(text.contains("plugin bad cannot be loaded: "), "{text}");
        assert_eq!(fault == Fault::Load, text.contains("its file is missing"));
        let loaded = ["load one", "hooks one", "load two", "hooks two", "load bad"];
        let unloaded = ["unload two", "unload one"];
        assert_eq!(diary.read(), [&loaded[..], &unloaded[..]].concat());
        // Nothing listens.
        refuses_in_the_end(address.endpoints()[0].socket_addr().unwrap());
    }
}

fn pl4_an_error_or_a_panic_at_unloading_keeps_nothing_from_ending<D: Serve>() {
    let diary = Diary::default();
    let plugins = [
        ("one", Fault::Unload),
        ("two", Fault::UnloadPanics),
        ("three", Fault::Nothing),
    ];
    let served = D::serve(with_plugins::<D>(&diary, &plugins));
    served.handle.stop();
    served.join();
    let ended = diary.read();
    assert_eq!(
        ended[ended.len() - 3..],
        ["unload one", "unload two", "unload three"]
    );
}

fn l12_who_does_not_stop_in_time_unloads_nothing_and_is_told_nothing<D: Serve>() {
    let diary = Diary::default();
    let served = D::serve(with_plugins::<D>(&diary, &[("one", Fault::Nothing)]));
    // It is told the end and does not close its side.
    let deaf = Client::connect(served.address, "deaf");
    served.handle.stop_within(Duration::from_millis(50));
    let error = served.try_join().unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::TimedOut);
    drop(deaf);
    let told = diary.read();
    assert!(
        !told
            .iter()
            .any(|what| what == "stopped one" || what == "unload one"),
        "{told:?}"
    );
}

fn l13_to_stop_twice_is_to_stop_once<D: Serve>() {
    let diary = Diary::default();
    let served = D::serve(with_plugins::<D>(&diary, &[("one", Fault::Nothing)]));
    let handle = served.handle.clone();
    handle.stop();
    handle.stop_within(Duration::ZERO);
    served.join();
    handle.stop();
    let told = diary.read();
    let count = |what: &str| told.iter().filter(|told| **told == what).count();
    assert_eq!((count("stopped one"), count("unload one")), (1, 1));
}

/// Answers what is published to `ask` from a thread of its own.
struct Threaded {
    thread: Option<thread::JoinHandle<()>>,
}

impl Plugin for Threaded {
    fn name(&self) -> &str {
        "threaded"
    }

    fn load(&mut self, handle: &Handle) -> Result<(), PluginError> {
        let handle = handle.clone();
        self.thread = Some(thread::spawn(move || {
            // It begins before the broker does.
            while handle.statistics() == Err(HandleError::NotStarted) {
                thread::yield_now();
            }
            let publication = Publication::new("from/plugin", "ready").retained();
            handle.publish(publication).unwrap();
            while handle.statistics().is_ok() {
                thread::yield_now();
            }
        }));
        Ok(())
    }

    fn unload(&mut self) -> Result<(), PluginError> {
        // Its calls are answered with the end, or it would never end itself.
        self.thread
            .take()
            .unwrap()
            .join()
            .map_err(|_| "it panicked".into())
    }
}

fn pl5_a_plugin_may_use_the_broker_from_a_thread_of_its_own<D: Serve>() {
    let builder = Builder::default().listen("127.0.0.1:0").unwrap();
    let served = D::serve(builder.plugin(Threaded { thread: None }));
    let mut client = Client::connect(served.address, "client");
    client.subscribe("from/plugin", QoS::AtMostOnce);
    assert_eq!(client.receive_payload(), b"ready");
    served.handle.stop();
    assert_eq!(
        client.receive(),
        Received::Disconnect(ReasonCode::SERVER_SHUTTING_DOWN)
    );
    drop(client);
    served.join();
}
