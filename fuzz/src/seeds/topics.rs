//! Operations on topics, see [`topics`](crate::topics()).

use super::Seed;

pub(super) fn seeds() -> impl Iterator<Item = Seed> {
    TOPICS.iter().map(|&(name, text)| Seed {
        target: "topics",
        name,
        bytes: text.as_bytes().to_vec(),
    })
}

const TOPICS: &[(&str, &str)] = &[
    (
        "literal",
        "s1a/b/c\ns2a/b\np1a/b/c\np1a/b\nu1a/b/c\np1a/b/c",
    ),
    (
        "plus-on-each-level",
        "s1+/b/c\ns2a/+/c\ns3a/b/+\ns4+/+/+\np1a/b/c\np1a/b/d\np1x/b/c",
    ),
    (
        "hash-matches-its-parent",
        "s1sport/#\np1sport\np1sport/tennis\np1sports\nu1sport/#\np1sport",
    ),
    ("hash-alone", "s1#\np1a\np1/\np1$SYS/a\nu1#\np1a"),
    (
        "dollar-hides-from-wildcards",
        "s1+/a\ns2#\ns3$SYS/#\ns4$SYS/+\np1$SYS/a\np1SYS/a",
    ),
    (
        "empty-levels",
        "s1/\ns2//\ns3+/+\ns4/+\ns5+/\np1/\np1//\np1a/\np1/a",
    ),
    (
        "replaced-subscription",
        "s1a/+\ns1a/+\np1a/b\nu1a/+\nu1a/+\np1a/b",
    ),
    (
        "share",
        "s1$share/g/a/+\ns2a/b\np1a/b\nu1$share/h/a/+\np1a/b",
    ),
    (
        "bad-shares",
        "s1$share\ns1$share/\ns1$share/g\ns1$share/g/\ns1$share//a\ns1$share/+/a\ns1$share/g/#/a",
    ),
    (
        "bad-wildcards",
        "s1a+\ns1+a\ns1a/#/b\ns1#/\ns1a#\ns1##\ns1++\np1a/+\np1#",
    ),
    (
        "levels-around-eight-bytes",
        "s11234567/x\ns212345678/x\ns3123456789/x\np11234567/x\np112345678/x\np1123456789/x",
    ),
    (
        "long-levels-with-one-beginning",
        "s1temperature-inside\ns2temperature-outside\np1temperature-inside\nu1temperature-inside\np1temperature-inside",
    ),
    (
        "not-ascii",
        "s1zeit/höhe/+\np1zeit/höhe/ü\np1zeit/ho\u{308}he/ü\np1\u{FEFF}\np1😀/#",
    ),
    ("null", "s1a/\0/b\np1a\0b\ns1+/\0"),
    (
        "one-session-many-filters",
        "s1a/b\ns1a/+\ns1+/b\ns1#\ns1a/#\ns1+/+\np1a/b\nu1a/+\np1a/b\nu1#\np1a/b",
    ),
    (
        "many-sessions-one-filter",
        "sAx\nsBx\nsCx\nsDx\nsEx\nsFx\nsGx\nsHx\nuAx\nuHx\np1x\nsAx\np1x",
    ),
    (
        "depth",
        "s1a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a\ns2a/+/a/+/a/+/a/+/a/+/a/+/a/+/a/+\np1a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a\np1a/a",
    ),
];
