//! Every story in every world that offers what it needs: one test each. [DESIGN, section 8]

use sanderling_runtime::Builder;
use sanderling_tests::{
    async_std::AsyncStd,
    story::{Direct, Heard, Manner, Socket, Story, World, tell},
};
use std::{fs, path::PathBuf};

include!(concat!(env!("OUT_DIR"), "/stories.rs"));

/// A test for each story.
macro_rules! by_hand {
    ($($story:ident)*) => {
        /// Each event is performed at once.
        mod prompt {
            $(#[test]
            fn $story() {
                super::tell_by_hand(stringify!($story), super::Manner::Prompt);
            })*
        }

        /// Byte by byte, performed once a step.
        mod gathered {
            $(#[test]
            fn $story() {
                super::tell_by_hand(stringify!($story), super::Manner::Gathered);
            })*
        }

        /// The same actions, whatever the seed.
        mod same_actions {
            $(#[test]
            fn $story() {
                super::tell_twice(stringify!($story));
            })*
        }
    };
}

for_each_story!(by_hand);

/// A test for each story that a real driver can be told.
macro_rules! over_sockets {
    ($driver:ident $($story:ident)*) => {
        mod $driver {
            $(#[test]
            fn $story() {
                super::$driver(&super::read(stringify!($story)));
            })*
        }
    };
}

for_each_portable_story!(over_sockets over_mio);
for_each_portable_story!(over_sockets over_tokio);
for_each_portable_story!(over_sockets over_async_std);

/// Over TCP to the driver with one thread and one loop.
fn over_mio(story: &Story) {
    let (builder, heard) = Heard::of(&story.settings, sanderling_mio::Broker::builder());
    let running = builder.start().expect("the broker starts");
    let address = running.local_addrs()[0];
    told(story, &mut Socket::new(address, running.handle(), heard));
    running.stop();
    running.join().expect("the broker stops in order");
}

/// Over TCP to the driver in a tokio runtime, with tasks on two threads.
fn over_tokio(story: &Story) {
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    let runtime = runtime
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime");
    let (builder, heard) = Heard::of(&story.settings, sanderling_tokio::Broker::builder());
    let running = runtime
        .block_on(async { builder.start() })
        .expect("the broker starts");
    let address = running.local_addrs()[0];
    told(story, &mut Socket::new(address, running.handle(), heard));
    running.stop();
    runtime
        .block_on(running.join())
        .expect("the broker stops in order");
}

/// Over TCP to the driver that needs nothing but the public API.
fn over_async_std(story: &Story) {
    let (builder, heard) = Heard::of(&story.settings, Builder::<AsyncStd>::default());
    let running = builder.start().expect("the broker starts");
    let address = running.local_addrs[0];
    told(
        story,
        &mut Socket::new(address, running.handle.clone(), heard),
    );
    running.handle.stop();
    running.join();
}

fn tell_by_hand(name: &str, manner: Manner) {
    let story = read(name);
    told(&story, &mut Direct::new(&story.settings, manner, 1));
}

/// Same events, same actions: neither the hash seed nor a second run makes a difference.
fn tell_twice(name: &str) {
    let story = read(name);
    let [first, second] = [3, 200].map(|seed| {
        let mut world = Direct::new(&story.settings, Manner::Prompt, seed);
        told(&story, &mut world);
        world.trace().to_vec()
    });
    assert!(!first.is_empty());
    assert_eq!(first, second);
}

fn told(story: &Story, world: &mut dyn World) {
    if let Err(failure) = tell(story, world) {
        panic!("{failure}");
    }
}

fn read(name: &str) -> Story {
    let file = format!("tests/stories/{name}.txt");
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("stories")
        .join(format!("{name}.txt"));
    let text = fs::read_to_string(path).expect("the file that was listed");
    Story::parse(&file, &text).unwrap_or_else(|error| panic!("{error}"))
}
