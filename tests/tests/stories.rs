//! Every story in every world that offers what it needs: one test each. [DESIGN, section 8]

use sanderling_tests::story::{Direct, Manner, Story, World, tell};
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
