//! Every story in every world that offers what it needs: one test each. [DESIGN, section 8]

mod worlds;

use sanderling_tests::story::{Direct, Manner, Story, Way, World, tell};
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

/// A test for each story that a real driver can be told, over each way to reach it.
macro_rules! over_sockets {
    ($driver:ident $way:ident $($story:ident)*) => {
        mod $way {
            $(#[test]
            fn $story() {
                super::super::$driver(&super::super::read(stringify!($story)), super::super::ways::$way);
            })*
        }
    };
}

/// How clients reach a broker.
mod ways {
    #![allow(non_upper_case_globals, reason = "they name modules of tests")]
    use sanderling_tests::{peer::Below, story::Way};

    pub(super) const tcp: Way = Way::TCP;
    pub(super) const unix: Way = Way::UNIX;
    pub(super) const tls: Way = Way::tcp(Below::Tls);
    pub(super) const ws: Way = Way::tcp(Below::WebSocket);
    pub(super) const wss: Way = Way::tcp(Below::Both);
}

mod mio {
    for_each_portable_story!(over_sockets over_mio tcp);
    for_each_portable_story!(over_sockets over_mio unix);
    for_each_portable_story!(over_sockets over_mio tls);
    for_each_portable_story!(over_sockets over_mio ws);
    for_each_portable_story!(over_sockets over_mio wss);
}

mod tokio {
    for_each_portable_story!(over_sockets over_tokio tcp);
    for_each_portable_story!(over_sockets over_tokio unix);
    for_each_portable_story!(over_sockets over_tokio tls);
    for_each_portable_story!(over_sockets over_tokio ws);
    for_each_portable_story!(over_sockets over_tokio wss);
}

mod async_std {
    for_each_portable_story!(over_sockets over_async_std tcp);
    for_each_portable_story!(over_sockets over_async_std tls);
}

fn over_mio(story: &Story, way: Way) {
    worlds::over_mio(&story.settings, way, &mut |world| told(story, world));
}

fn over_tokio(story: &Story, way: Way) {
    worlds::over_tokio(&story.settings, way, &mut |world| told(story, world));
}

fn over_async_std(story: &Story, way: Way) {
    worlds::over_async_std(&story.settings, way, &mut |world| told(story, world));
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
