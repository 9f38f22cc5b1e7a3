//! Inside core arrows point down: a lower module never names an upper one.

use super::{
    assert_none,
    source::{self, Word},
};
use std::collections::BTreeSet;

/// The modules of core, lowest first. Those of one layer may name each other.
const LAYERS: &[&[&str]] = &[
    &["time", "id", "reason"],
    &["packet"],
    &["codec", "topic"],
    &["message"],
    &[
        "connection",
        "session",
        "retained",
        "shared",
        "hooks",
        "journal",
        "timer",
        "config",
        "stats",
    ],
    &["broker"],
];

/// The arrows that point up, and why they may.
const EXCEPTIONS: &[(&str, &str, &str)] = &[
    (
        "packet",
        "topic",
        "packets carry parsed topic names and filters, so that nobody checks them twice",
    ),
    (
        "connection",
        "broker",
        "a connection keeps the link that its event brought",
    ),
    (
        "hooks",
        "broker",
        "a hook gives the broker's commands and sees the link of a connection",
    ),
];

/// An arrow between two modules.
#[derive(Debug, Eq, Ord, PartialEq, PartialOrd)]
struct Arrow {
    from: String,
    to: String,
    place: String,
}

/// All arrows from one file; its path is relative to `core/src/`.
fn arrows(path: &str, text: &str) -> Vec<Arrow> {
    let module: Vec<_> = path
        .trim_end_matches(".rs")
        .trim_end_matches("/mod")
        .split('/')
        .collect();
    let words = source::words(text);
    let mut named = Vec::new();
    for at in 0..words.len() {
        match words[at].text {
            "crate" => named.extend(names_below(&words[at + 1..])),
            "super" if at < 2 || words[at - 2].text != "super" => {
                let supers = words[at..]
                    .chunks(2)
                    .take_while(|pair| pair[0].text == "super")
                    .count();
                if supers >= module.len() {
                    named.extend(names_below(&words[at + 2 * supers - 1..]));
                }
            }
            _ => {}
        }
    }
    let arrow = |word: Word<'_>| Arrow {
        from: module[0].into(),
        to: word.text.into(),
        place: format!("core/src/{path}:{}", word.line),
    };
    named
        .into_iter()
        .map(arrow)
        .filter(|arrow| arrow.from != arrow.to)
        .collect()
}

/// What `::name` or `::{name::.., name}` names.
fn names_below<'a>(words: &[Word<'a>]) -> Vec<Word<'a>> {
    let [colons, rest @ ..] = words else {
        return Vec::new();
    };
    if colons.text != "::" {
        return Vec::new();
    }
    if rest[0].text != "{" {
        return vec![rest[0]];
    }
    let (mut depth, mut begins, mut names) = (0, false, Vec::new());
    for word in rest {
        match word.text {
            "{" => depth += 1,
            "}" => depth -= 1,
            _ if begins && depth == 1 => names.push(*word),
            _ => {}
        }
        if depth == 0 {
            break;
        }
        begins = matches!(word.text, "{" | ",");
    }
    names
}

fn layer(module: &str) -> Option<usize> {
    LAYERS.iter().position(|modules| modules.contains(&module))
}

fn is_exception(arrow: &Arrow) -> bool {
    EXCEPTIONS
        .iter()
        .any(|&(from, to, _)| arrow.from == from && arrow.to == to)
}

/// What is wrong with an arrow, if anything is.
fn complaint(arrow: &Arrow) -> Option<String> {
    let Arrow { from, to, place } = arrow;
    match (layer(from), layer(to)) {
        (Some(lower), Some(upper)) if lower < upper && !is_exception(arrow) => {
            Some(format!("{place}: {from} names {to}, which is above it"))
        }
        (Some(_), Some(_)) => None,
        (None, _) => Some(format!("{place}: {from} has no layer")),
        (_, None) => Some(format!("{place}: {to} has no layer")),
    }
}

fn arrows_of_core() -> Vec<Arrow> {
    let files = source::rust_under("core/src/");
    let modules = files
        .iter()
        .filter_map(|file| Some((file.path.strip_prefix("core/src/")?, file)));
    let below_root = modules.filter(|(path, _)| *path != "lib.rs");
    below_root
        .flat_map(|(path, file)| arrows(path, &file.text))
        .collect()
}

#[test]
fn lower_modules_of_core_name_no_upper_ones() {
    let arrows = arrows_of_core();
    assert!(arrows.len() > 10, "arrows are found");
    assert_none(arrows.iter().filter_map(complaint).collect());
}

#[test]
fn every_exception_is_needed() {
    let arrows = arrows_of_core();
    let used: BTreeSet<_> = arrows
        .iter()
        .map(|arrow| (&*arrow.from, &*arrow.to))
        .collect();
    for &(from, to, _) in EXCEPTIONS {
        assert!(
            used.contains(&(from, to)),
            "{from} does not name {to} any more"
        );
        assert!(layer(from) < layer(to), "{from} may name {to} anyway");
    }
}

#[test]
fn an_arrow_upwards_is_seen() {
    let up = |path, text| arrows(path, text).iter().filter_map(complaint).count();
    assert_eq!(
        up(
            "time.rs",
            "use crate::{id::ConnId, packet::{QoS, broker}, broker::Broker};"
        ),
        2
    );
    assert_eq!(
        up("topic/index.rs", "fn f(s: &crate::session::Session) {}"),
        1
    );
    assert_eq!(
        up("topic/index.rs", "use super::super::message::Message;"),
        1
    );
    assert_eq!(up("topic/mod.rs", "use super::message::Message;"), 1);
    assert_eq!(
        up(
            "broker/state.rs",
            "use super::session; use crate::packet::QoS;"
        ),
        0
    );
    assert_eq!(up("broker/state.rs", "use crate::nothing::known;"), 1);
}
