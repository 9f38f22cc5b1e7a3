//! Messages that wait for a session: for its client to come back, or for room in its window or output.
//!
//! When the queue is full, one message is lost for each that comes: the oldest QoS 0 in the queue; if there is none, the
//! new one if that is QoS 0; else the oldest.

use crate::{message::Message, packet::QoS};
use alloc::{boxed::Box, collections::VecDeque, sync::Arc, vec::Vec};
use smallvec::SmallVec;

/// One message in a queue, as its receiver will get it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Queued {
    pub(crate) message: Arc<Message>,
    /// The lower of the message's and the subscription's.
    pub(crate) qos: QoS,
    pub(crate) retain: bool,
    pub(crate) identifiers: Identifiers,
    /// The group it was sent to; 0 for none.
    pub(crate) shared: u32,
}

/// The subscription identifiers that a copy carries; hardly ever more than one.
pub(crate) type Identifiers = SmallVec<[u32; 2]>;

/// First in, first out, over all QoS levels. QoS 0 stands in a list of its own, so that dropping the oldest is cheap.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    /// None while nothing waits, which is nearly always.
    lists: Option<Box<Lists>>,
    arrived: u64,
    bytes: u64,
}

/// What waits, each with its number.
#[derive(Debug, Default)]
struct Lists {
    qos0: VecDeque<(u64, Queued)>,
    acknowledged: VecDeque<(u64, Queued)>,
}

impl Queue {
    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.lists.is_none()
    }

    pub(crate) fn len(&self) -> usize {
        let lists = self.lists.as_deref();
        lists.map_or(0, |lists| lists.qos0.len() + lists.acknowledged.len())
    }

    /// True if a QoS 0 message waits: a new one must not overtake it.
    pub(crate) fn holds_qos0(&self) -> bool {
        let lists = self.lists.as_deref();
        lists.is_some_and(|lists| !lists.qos0.is_empty())
    }

    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    pub(crate) fn push(&mut self, queued: Queued) {
        self.bytes += queued.message.cost_bytes();
        self.arrived += 1;
        let lists = self.lists.get_or_insert_default();
        let list = match queued.qos {
            QoS::AtMostOnce => &mut lists.qos0,
            QoS::AtLeastOnce | QoS::ExactlyOnce => &mut lists.acknowledged,
        };
        list.push_back((self.arrived, queued));
    }

    /// The messages that came after number `arrived`, oldest first, each with its number. The first one ever was 1.
    pub(crate) fn iter_after(&self, arrived: u64) -> impl Iterator<Item = (u64, &Queued)> {
        let after = move |list: &VecDeque<(u64, Queued)>| {
            list.partition_point(|(number, _)| *number <= arrived)
        };
        let lists = self.lists.as_deref().into_iter();
        lists.flat_map(move |lists| {
            let mut qos0 = lists.qos0.range(after(&lists.qos0)..).peekable();
            let others = after(&lists.acknowledged);
            let mut others = lists.acknowledged.range(others..).peekable();
            core::iter::from_fn(move || {
                let qos0_is_older = match (qos0.peek(), others.peek()) {
                    (Some((first, _)), Some((second, _))) => first < second,
                    (first, _) => first.is_some(),
                };
                let next = if qos0_is_older {
                    qos0.next()
                } else {
                    others.next()
                };
                next.map(|(number, queued)| (*number, queued))
            })
        })
    }

    /// The oldest message.
    pub(crate) fn front(&self) -> Option<&Queued> {
        let lists = self.lists.as_deref()?;
        let list = match lists.qos0_is_older() {
            true => &lists.qos0,
            false => &lists.acknowledged,
        };
        list.front().map(|(_, queued)| queued)
    }

    /// Takes the oldest message.
    pub(crate) fn pop(&mut self) -> Option<Queued> {
        let lists = self.lists.as_deref_mut()?;
        let (_, queued) = match lists.qos0_is_older() {
            true => lists.qos0.pop_front(),
            false => lists.acknowledged.pop_front(),
        }?;
        Some(self.account_off(queued))
    }

    /// Takes the message that is to be lost so that a new one of `qos` can come; `None` if that is the new one itself.
    pub(crate) fn pop_victim(&mut self, qos: QoS) -> Option<Queued> {
        let lists = self.lists.as_deref_mut()?;
        let (_, queued) = match lists.qos0.pop_front() {
            Some(oldest) => Some(oldest),
            None if qos == QoS::AtMostOnce => None,
            None => lists.acknowledged.pop_front(),
        }?;
        Some(self.account_off(queued))
    }

    /// Takes out what was sent to groups, as far as it is wanted elsewhere. The caller keeps the accounts of all sessions.
    pub(crate) fn take_shared(&mut self, is_wanted: impl Fn(&Queued) -> bool) -> Vec<Queued> {
        let Some(lists) = self.lists.as_deref_mut() else {
            return Vec::new();
        };
        let mut shared = Vec::new();
        for list in [&mut lists.qos0, &mut lists.acknowledged] {
            list.retain(|(arrived, queued)| {
                let is_taken = queued.shared != 0 && is_wanted(queued);
                if is_taken {
                    shared.push((*arrived, queued.clone()));
                }
                !is_taken
            });
        }
        shared.sort_unstable_by_key(|(arrived, _)| *arrived);
        let shared = shared.into_iter();
        shared.map(|(_, queued)| self.account_off(queued)).collect()
    }

    fn account_off(&mut self, queued: Queued) -> Queued {
        self.bytes -= queued.message.cost_bytes();
        let lists = self.lists.take();
        self.lists = lists.filter(|lists| !lists.is_empty());
        queued
    }
}

impl Lists {
    fn is_empty(&self) -> bool {
        self.qos0.is_empty() && self.acknowledged.is_empty()
    }

    fn qos0_is_older(&self) -> bool {
        match (self.qos0.front(), self.acknowledged.front()) {
            (Some((first, _)), Some((second, _))) => first < second,
            (first, _) => first.is_some(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::{Incoming, Payload};
    use alloc::{borrow::Cow, string::ToString};

    #[test]
    fn comes_out_in_the_order_it_went_in() {
        let mut queue = Queue::default();
        for (number, qos) in [1, 0, 2, 0, 1].into_iter().enumerate() {
            queue.push(queued(number, qos));
        }
        let numbers: Vec<_> = core::iter::from_fn(|| queue.pop())
            .map(|queued| queued.message.topic().to_string())
            .collect();
        assert_eq!(numbers, ["0", "1", "2", "3", "4"]);
        assert_eq!(queue.bytes(), 0);
    }

    #[test]
    fn a_walk_goes_on_where_it_was_whatever_has_left_meanwhile() {
        let mut queue = Queue::default();
        for (number, qos) in [1, 0, 2, 0, 1, 0].into_iter().enumerate() {
            queue.push(queued(number, qos));
        }
        let numbers = |queue: &Queue, after| -> Vec<u64> {
            queue.iter_after(after).map(|(number, _)| number).collect()
        };
        assert_eq!(numbers(&queue, 0), [1, 2, 3, 4, 5, 6]);
        queue.pop();
        queue.pop_victim(QoS::AtMostOnce);
        queue.pop_victim(QoS::AtMostOnce);
        assert_eq!(numbers(&queue, 0), [3, 5, 6]);
        assert_eq!(numbers(&queue, 3), [5, 6]);
        assert_eq!(numbers(&queue, 4), [5, 6]);
        assert_eq!(numbers(&queue, 6), [0; 0]);
    }

    #[test]
    fn f6_the_oldest_qos_0_goes_first_then_the_new_one_then_the_front() {
        let mut queue = Queue::default();
        for (number, qos) in [1, 0, 2, 0].into_iter().enumerate() {
            queue.push(queued(number, qos));
        }
        let mut victim = |qos| {
            queue
                .pop_victim(qos)
                .map(|queued| queued.message.topic().to_string())
        };
        assert_eq!(victim(QoS::AtLeastOnce).as_deref(), Some("1"));
        assert_eq!(victim(QoS::AtMostOnce).as_deref(), Some("3"));
        assert_eq!(victim(QoS::AtMostOnce), None);
        assert_eq!(victim(QoS::ExactlyOnce).as_deref(), Some("0"));
    }

    fn queued(number: usize, qos: u8) -> Queued {
        let qos = QoS::from_bits(qos).unwrap();
        let mut message = Incoming {
            topic: &alloc::format!("{number}"),
            payload: Payload::Borrowed(&[]),
            properties: Cow::Borrowed(&[]),
            qos,
            retain: false,
            expires: None,
        };
        Queued {
            message: message.keep(),
            qos,
            retain: false,
            identifiers: Identifiers::new(),
            shared: 0,
        }
    }
}
