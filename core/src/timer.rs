//! A hierarchical timing wheel: what is due, in order, and when is the next?
//!
//! It reads no clock and calls nobody. The laws: nothing is due early, everything is due in the order of its deadlines
//! rounded up to a millisecond, and equal deadlines in the order of insertion.
//!
//! Each of eight levels has 64 slots; a slot of level 0 is one tick wide, a slot of level n is 64 times as wide as one of
//! level n - 1. A timer stands on the level of the highest group of six bits in which its tick differs from the wheel's
//! position, in the slot which those bits of its tick name. So all timers of one tick share one slot at any time, all
//! slots in use lie ahead of the position, and eight levels hold every deadline there is.
//!
//! ```text
//! level 2   |      slot = bits 12..18 of the tick      |   4.1 s each
//! level 1   |  slot = bits 6..12  |                        64 ms each
//! level 0   |slot = 0..6|                                   1 ms each
//!           ^ position: moves on; a slot it enters is dealt out to the levels below
//! ```

use crate::time::Instant;
use alloc::vec::Vec;
use core::num::NonZeroU32;

const TICK_NANOS: u64 = 1_000_000;
const SLOT_BITS: u32 = 6;
const SLOTS: usize = 1 << SLOT_BITS;
const SLOT_MASK: u64 = SLOTS as u64 - 1;
/// 48 bits: a `u64` of nanoseconds has 45 bits of milliseconds.
const LEVELS: usize = 8;
/// Of so many timers in the first slot the earliest is looked for; of more it is only said when the slot begins.
const LOOKED_THROUGH_MAX: usize = 16;
/// No entry.
const NONE: u32 = u32::MAX;

/// Names one timer. A key whose timer has fired or was cancelled names nothing.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct TimerKey {
    entry: u32,
    /// Odd, and so never 0.
    generation: NonZeroU32,
}

/// Timers with an item each.
///
/// Inserting and cancelling cost the same however many timers there are. A timer is moved at most eight times before it
/// fires, however far time jumps. Memory grows with the most timers at one time and is then used again.
#[derive(Clone, Debug)]
pub struct Wheel<T> {
    entries: Vec<Entry<T>>,
    /// The first unused entry.
    free: u32,
    len: usize,
    /// The latest time seen.
    now: Instant,
    /// The tick up to which everything has fired; its own slot on level 0 may still hold timers that are due.
    position: u64,
    /// For each level a bit for each slot that is not empty.
    occupied: [u64; LEVELS],
    slots: [[Slot; SLOTS]; LEVELS],
}

#[derive(Clone, Debug)]
struct Entry<T> {
    tick: u64,
    /// Even while unused, odd while it stands for a timer.
    generation: u32,
    previous: u32,
    /// The next in the slot, or the next unused one.
    next: u32,
    item: T,
}

/// A queue of entries.
#[derive(Clone, Copy, Debug)]
struct Slot {
    first: u32,
    last: u32,
}

impl<T: Copy> Wheel<T> {
    /// A wheel without timers.
    pub fn new(now: Instant) -> Self {
        Self {
            entries: Vec::new(),
            free: NONE,
            len: 0,
            now,
            position: now.as_millis(),
            occupied: [0; LEVELS],
            slots: [[Slot::EMPTY; SLOTS]; LEVELS],
        }
    }

    /// How many timers are set.
    pub const fn len(&self) -> usize {
        self.len
    }

    /// Whether no timer is set.
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Sets a timer. If `at` has passed already, it is due at once.
    pub fn insert(&mut self, at: Instant, item: T) -> TimerKey {
        let tick = self.tick_of(at);
        let number = self.take_entry(tick, item);
        self.link(number);
        self.len += 1;
        TimerKey {
            entry: number,
            generation: NonZeroU32::new(self.entry(number).generation)
                .expect("the generation of a timer is odd"),
        }
    }

    /// Takes a timer back. `None` if it has fired or was cancelled before.
    pub fn cancel(&mut self, key: TimerKey) -> Option<T> {
        let entry = self.entries.get(key.entry as usize)?;
        // The generation of a key is odd, so an unused entry is never meant.
        if entry.generation != key.generation.get() {
            return None;
        }
        self.unlink(key.entry);
        Some(self.release(key.entry))
    }

    /// Takes out the timer that is due first at `now`, if one is. Call until it returns `None`.
    pub fn pop_due(&mut self, now: Instant) -> Option<T> {
        self.now = self.now.max(now);
        let until = self.now.as_millis();
        loop {
            match self.first_slot() {
                Some((level, slot, begin)) if begin <= until => {
                    self.position = self.position.max(begin);
                    if level == 0 {
                        let number = self.slots[0][slot].first;
                        self.unlink(number);
                        return Some(self.release(number));
                    }
                    self.deal_out(level, slot);
                }
                _ => {
                    self.position = self.position.max(until);
                    return None;
                }
            }
        }
    }

    /// When to call [`pop_due`](Self::pop_due) next: never later than the first timer is due. It is exact while few
    /// timers are close to the first, else it may be earlier; calling then does no harm and brings the exact time closer.
    pub fn next_deadline(&self) -> Option<Instant> {
        let (level, slot, begin) = self.first_slot()?;
        if level == 0 {
            return Some(Instant::from_millis(begin));
        }
        let mut earliest = u64::MAX;
        let mut number = self.slots[level][slot].first;
        for _ in 0..LOOKED_THROUGH_MAX {
            if number == NONE {
                return Some(Instant::from_millis(earliest));
            }
            let entry = self.entry(number);
            earliest = earliest.min(entry.tick);
            number = entry.next;
        }
        Some(Instant::from_millis(begin))
    }

    /// The tick at which a deadline fires: rounded up, but no later than the present if it has passed.
    fn tick_of(&self, at: Instant) -> u64 {
        let tick = at.as_nanos().div_ceil(TICK_NANOS);
        let tick = if at <= self.now {
            tick.min(self.now.as_millis())
        } else {
            tick
        };
        tick.max(self.position)
    }

    /// The slot with the earliest timers: its level, its number, and its first tick.
    ///
    /// A slot of a lower level begins before any of a higher one, and within a level none in use lies behind the position.
    #[inline]
    fn first_slot(&self) -> Option<(usize, usize, u64)> {
        let level = self.occupied.iter().position(|&slots| slots != 0)?;
        let slot = self.occupied[level].trailing_zeros();
        let shift = SLOT_BITS * level as u32;
        let begin = (self.position >> shift & !SLOT_MASK | u64::from(slot)) << shift;
        Some((level, slot as usize, begin))
    }

    /// Moves the timers of a slot that the position has entered to the levels below, in order.
    fn deal_out(&mut self, level: usize, slot: usize) {
        let mut number = self.slots[level][slot].first;
        self.slots[level][slot] = Slot::EMPTY;
        self.occupied[level] &= !(1 << slot);
        while number != NONE {
            let next = self.entry(number).next;
            self.link(number);
            number = next;
        }
    }

    /// Where a timer for `tick` stands.
    fn place(&self, tick: u64) -> (usize, usize) {
        let differing = (tick ^ self.position) | 1;
        let level = differing.ilog2() / SLOT_BITS;
        let slot = tick >> (SLOT_BITS * level) & SLOT_MASK;
        (level as usize, slot as usize)
    }

    /// Puts an entry at the end of its slot.
    fn link(&mut self, number: u32) {
        let (level, slot) = self.place(self.entry(number).tick);
        self.occupied[level] |= 1 << slot;
        let slot = &mut self.slots[level][slot];
        let previous = slot.last;
        slot.last = number;
        if previous == NONE {
            slot.first = number;
        } else {
            self.entry_mut(previous).next = number;
        }
        let entry = self.entry_mut(number);
        entry.previous = previous;
        entry.next = NONE;
    }

    /// Takes an entry out of its slot.
    fn unlink(&mut self, number: u32) {
        let &Entry {
            tick,
            previous,
            next,
            ..
        } = self.entry(number);
        let (level, slot) = self.place(tick);
        if next == NONE {
            self.slots[level][slot].last = previous;
        } else {
            self.entry_mut(next).previous = previous;
        }
        if previous == NONE {
            self.slots[level][slot].first = next;
        } else {
            self.entry_mut(previous).next = next;
        }
        if self.slots[level][slot].first == NONE {
            self.occupied[level] &= !(1 << slot);
        }
    }

    fn take_entry(&mut self, tick: u64, item: T) -> u32 {
        if self.free == NONE {
            let number = u32::try_from(self.entries.len()).unwrap_or(NONE);
            assert!(number != NONE, "timers are numbered with 32 bits");
            self.entries.push(Entry {
                tick,
                generation: 1,
                previous: NONE,
                next: NONE,
                item,
            });
            return number;
        }
        let number = self.free;
        let entry = self.entry_mut(number);
        let next = entry.next;
        *entry = Entry {
            tick,
            generation: entry.generation.wrapping_add(1),
            item,
            ..*entry
        };
        self.free = next;
        number
    }

    fn release(&mut self, number: u32) -> T {
        let free = self.free;
        let entry = self.entry_mut(number);
        entry.generation = entry.generation.wrapping_add(1);
        entry.next = free;
        let item = entry.item;
        self.free = number;
        self.len -= 1;
        item
    }

    #[inline]
    fn entry(&self, number: u32) -> &Entry<T> {
        &self.entries[number as usize]
    }

    #[inline]
    fn entry_mut(&mut self, number: u32) -> &mut Entry<T> {
        &mut self.entries[number as usize]
    }
}

impl Slot {
    const EMPTY: Self = Self {
        first: NONE,
        last: NONE,
    };
}
