//! Short lives of a broker, see `tests/src/sim/fuzz.rs`: a configuration by its number, then steps of four bytes. They were
//! found by trying; what each is named after came up in it when it was written.

use super::Seed;

pub(super) fn seeds() -> impl Iterator<Item = Seed> {
    SIMULATION.iter().map(|&(name, plan, steps)| Seed {
        target: "simulation",
        name,
        bytes: [&plan.to_le_bytes()[..], steps.as_flattened()].concat(),
    })
}

/// Name, configuration, steps.
type Life = (&'static str, u64, &'static [[u8; 4]]);

const SIMULATION: &[Life] = &[
    ("nothing", 0, &[]),
    (
        "a-proxy-tells-where-a-client-comes-from",
        512,
        &[[0, 0, 0, 0], [33, 75, 15, 0]],
    ),
    ("a-session-expires", 323, &[[0, 1, 42, 218]]),
    ("a-hook-publishes", 783, &[[0, 2, 56, 153]]),
    ("a-message-cannot-be-retained", 491, &[[23, 0, 99, 6]]),
    ("a-client-that-takes-no-answers", 2089, &[[1, 1, 126, 142]]),
    (
        "a-queue-is-full",
        2089,
        &[[2, 0, 163, 106], [2, 0, 147, 81]],
    ),
    ("a-verdict-comes-too-late", 376, &[[0, 2, 226, 96]]),
    (
        "two-connections-want-the-same-session",
        774,
        &[
            [1, 0, 95, 65],
            [11, 0, 235, 243],
            [0, 0, 120, 221],
            [0, 0, 90, 113],
        ],
    ),
    (
        "sent-again-after-a-reconnect",
        2146,
        &[[1, 0, 122, 35], [2, 0, 103, 4], [1, 0, 117, 181]],
    ),
    (
        "too-large-for-a-client",
        2146,
        &[[2, 0, 235, 125], [2, 0, 103, 4], [1, 0, 117, 181]],
    ),
    (
        "an-alias-for-a-topic",
        45,
        &[
            [1, 0, 115, 139],
            [2, 0, 179, 152],
            [23, 0, 80, 13],
            [1, 0, 82, 237],
        ],
    ),
    (
        "a-will-has-waited",
        1552,
        &[[0, 2, 41, 61], [10, 2, 92, 105], [21, 1, 27, 224]],
    ),
    (
        "an-authentication-of-too-many-steps",
        1808,
        &[[2, 1, 237, 44]],
    ),
    (
        "a-client-authenticates-again",
        270,
        &[[1, 2, 232, 196], [7, 2, 88, 240]],
    ),
    (
        "a-qos-2-message-is-repeated",
        2630,
        &[
            [0, 2, 118, 206],
            [2, 0, 40, 35],
            [1, 0, 203, 146],
            [25, 1, 200, 177],
        ],
    ),
    (
        "a-message-of-a-group-goes-to-another-member",
        2291,
        &[[1, 1, 207, 160], [2, 1, 140, 36], [1, 1, 64, 168]],
    ),
    (
        "a-message-expires-in-a-queue",
        2828,
        &[
            [0, 2, 94, 115],
            [2, 2, 132, 186],
            [0, 2, 130, 142],
            [23, 0, 42, 1],
        ],
    ),
    (
        "a-pubrel-is-sent-again-by-the-retry-timer",
        1223,
        &[
            [0, 2, 49, 157],
            [2, 0, 199, 36],
            [2, 2, 24, 111],
            [1, 0, 205, 23],
            [5, 2, 133, 236],
            [20, 2, 163, 253],
        ],
    ),
];
