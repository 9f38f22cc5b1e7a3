//! Copies that are not sent now: they wait in the queue of their session, or are lost and counted.

use super::{DropCause, state::State};
use crate::{
    message::{Incoming, Message},
    packet::QoS,
    session::{Identifiers, Queued},
};
use alloc::sync::Arc;

/// What one receiver's copy has of its own.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shape<'a> {
    pub(super) qos: QoS,
    pub(super) retain: bool,
    pub(super) identifiers: &'a [u32],
    /// The group it is sent to; 0 for none.
    pub(super) shared: u32,
}

impl Shape<'_> {
    /// The copy, to be kept. `kept` is the message once somebody has kept it.
    pub(super) fn keep(
        self,
        message: &mut Incoming<'_>,
        kept: &mut Option<Arc<Message>>,
    ) -> Queued {
        Queued {
            message: Arc::clone(kept.get_or_insert_with(|| message.keep())),
            qos: self.qos,
            retain: self.retain,
            identifiers: Identifiers::from_slice(self.identifiers),
            shared: self.shared,
        }
    }
}

impl State {
    /// Notes that a copy was lost that was never kept. It is only for hooks that want to know.
    #[cold]
    pub(super) fn lose(
        &mut self,
        number: u32,
        shape: Shape<'_>,
        message: &mut Incoming<'_>,
        kept: &mut Option<Arc<Message>>,
        why: DropCause,
    ) {
        if self.watches.drops {
            self.count_drop(number, shape.keep(message, kept), why);
        } else {
            self.statistics.dropped(shape.qos, why);
            let counted = self.sessions.get_mut(number).count();
            counted.messages_dropped[shape.qos as usize] += 1;
        }
    }

    /// Why a QoS 0 message that cannot be sent now is lost; none if it may wait.
    pub(super) fn why_not_queued(&self, number: u32) -> Option<DropCause> {
        if !self.hot[number as usize].online {
            return (!self.config.queue_qos0).then_some(DropCause::Away);
        }
        let follows_another = self.sessions.get(number).queue.holds_qos0();
        (!follows_another).then_some(DropCause::SlowReader)
    }

    /// Queues one copy; the queue's policy decides what is lost if there is no room. True if the copy stays, and none of
    /// the same message is lost for it.
    pub(super) fn enqueue(&mut self, number: u32, queued: Queued) -> bool {
        let mut replaces_another = false;
        let limits = &self.config.limits;
        let (count_max, bytes_max) = (limits.queue_messages_max as usize, limits.queue_bytes_max);
        let total_max = limits.queue_bytes_total_max;
        let cost = queued.message.cost_bytes();
        loop {
            let queue = &mut self.sessions.get_mut(number).queue;
            let too_many = count_max > 0 && queue.len() >= count_max;
            let too_large = queue.bytes() + cost > bytes_max;
            let total = self.statistics.queued_bytes_current;
            if !too_many && !too_large && total + cost <= total_max {
                queue.push(queued);
                self.statistics.messages_queued_current += 1;
                self.statistics.queued_bytes_current += cost;
                self.hot[number as usize].backlog = true;
                return !replaces_another;
            }
            // A message that fits into no queue, or not beside those of others, must not empty this one first.
            let is_hopeless = cost > bytes_max || total - queue.bytes() + cost > total_max;
            let victim = if is_hopeless {
                None
            } else {
                queue.pop_victim(queued.qos)
            };
            let Some(victim) = victim else {
                self.count_drop(number, queued, DropCause::QueueFull);
                return false;
            };
            replaces_another |= Arc::ptr_eq(&victim.message, &queued.message);
            self.account_unqueued(&victim);
            self.count_drop(number, victim, DropCause::QueueFull);
        }
    }

    pub(super) fn account_unqueued(&mut self, queued: &Queued) {
        self.statistics.messages_queued_current -= 1;
        self.statistics.queued_bytes_current -= queued.message.cost_bytes();
    }
}
