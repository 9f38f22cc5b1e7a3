//! Operations on a timer wheel, see [`wheel`](crate::wheel()).

use super::Seed;

pub(super) fn seeds() -> impl Iterator<Item = Seed> {
    WHEEL.iter().map(|&(name, start, operations)| Seed {
        target: "wheel",
        name,
        bytes: [&start[..], operations.as_flattened()].concat(),
    })
}

const ADVANCE: u8 = 0;
const SET: u8 = 1;
const ADVANCE_TO_NEXT: u8 = 2;
const POP: u8 = 4;
const SET_IN_THE_PAST: u8 = 5;
const CANCEL: u8 = 7;

/// A power of two a little less, as many milliseconds, and a power of two and as many milliseconds.
const LESS: u8 = 64;
const MILLIS: u8 = 128;
const MORE_MILLIS: u8 = 192;

/// In `ADVANCE_TO_NEXT`: exactly then.
const THEN: u8 = 128;

/// Name, the beginning of time, operations of what, how far, and exactly how far.
type Operations = (&'static str, [u8; 2], &'static [[u8; 3]]);

const WHEEL: &[Operations] = &[
    ("nothing", [0, 0], &[]),
    (
        "one-timer",
        [30, 5],
        &[[SET, MILLIS, 7], [ADVANCE, MILLIS, 6], [ADVANCE, MILLIS, 1]],
    ),
    (
        "equal-deadlines-in-order",
        [0, 0],
        &[
            [SET, MILLIS, 9],
            [SET, MILLIS, 9],
            [SET, MILLIS, 8],
            [SET, MILLIS, 9],
            [ADVANCE, MILLIS, 9],
        ],
    ),
    (
        "equal-deadlines-set-at-different-times",
        [0, 0],
        &[
            [SET, MORE_MILLIS + 28, 100],
            [ADVANCE, MILLIS, 100],
            [SET, 28, 0],
            [ADVANCE, 28, 0],
        ],
    ),
    (
        "a-deadline-that-has-passed",
        [40, 0],
        &[
            [SET_IN_THE_PAST, 30, 0],
            [SET, 0, 0],
            [SET_IN_THE_PAST, 0, 0],
            [POP, 0, 0],
            [POP, 0, 0],
        ],
    ),
    (
        "cancelled-first-middle-and-last",
        [0, 0],
        &[
            [SET, MILLIS, 1],
            [SET, MILLIS, 2],
            [SET, MILLIS, 3],
            [CANCEL, 0, 1],
            [CANCEL, 0, 0],
            [CANCEL, 0, 2],
            [CANCEL, 0, 2],
        ],
    ),
    (
        "cancelled-after-it-fired-and-its-place-was-used-again",
        [0, 0],
        &[
            [SET, MILLIS, 1],
            [ADVANCE, MILLIS, 1],
            [SET, MILLIS, 5],
            [CANCEL, 0, 0],
            [CANCEL, 0, 1],
        ],
    ),
    (
        "every-level",
        [0, 0],
        &[
            [SET, 20, 0],
            [SET, 26, 0],
            [SET, 32, 0],
            [SET, 38, 0],
            [SET, 44, 0],
            [SET, 50, 0],
            [SET, 56, 0],
            [SET, 62, 0],
        ],
    ),
    (
        "just-below-every-level",
        [LESS + 26, 1],
        &[
            [SET, LESS + 26, 1],
            [SET, LESS + 32, 1],
            [SET, LESS + 38, 1],
            [SET, LESS + 44, 1],
            [ADVANCE, LESS + 32, 2],
            [SET, LESS + 26, 0],
        ],
    ),
    (
        "a-leap-over-many-levels",
        [0, 0],
        &[
            [SET, MILLIS, 3],
            [SET, 34, 0],
            [SET, 45, 9],
            [ADVANCE, 60, 0],
            [SET, MILLIS, 1],
        ],
    ),
    (
        "called-a-little-early-and-a-little-late",
        [0, 0],
        &[
            [SET, 31, 77],
            [ADVANCE_TO_NEXT, 0, THEN - 1],
            [ADVANCE_TO_NEXT, 0, THEN],
            [SET, 31, 77],
            [ADVANCE_TO_NEXT, 0, THEN + 1],
        ],
    ),
    (
        "popped-one-by-one-with-new-ones-between",
        [0, 0],
        &[
            [SET, MILLIS, 1],
            [SET, MILLIS, 1],
            [SET, MILLIS, 2],
            [ADVANCE, 0, 0],
            [POP, 0, 0],
            [SET_IN_THE_PAST, MILLIS, 1],
            [POP, 0, 0],
            [POP, 0, 0],
        ],
    ),
    (
        "the-end-of-time",
        [63, 255],
        &[
            [SET, 63, 255],
            [SET, 0, 0],
            [ADVANCE, 63, 255],
            [SET, 63, 1],
        ],
    ),
    (
        "more-in-one-slot-than-are-looked-through",
        [0, 0],
        &[
            [SET, 37, 1],
            [SET, 37, 2],
            [SET, 37, 3],
            [SET, 37, 4],
            [SET, 37, 5],
            [SET, 37, 6],
            [SET, 37, 7],
            [SET, 37, 8],
            [SET, 37, 9],
            [SET, 37, 10],
            [SET, 37, 11],
            [SET, 37, 12],
            [SET, 37, 13],
            [SET, 37, 14],
            [SET, 37, 15],
            [SET, 37, 16],
            [SET, 37, 17],
            [ADVANCE_TO_NEXT, 0, THEN],
            [ADVANCE_TO_NEXT, 0, THEN],
        ],
    ),
];
