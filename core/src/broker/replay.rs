//! Retained messages on their way to new subscriptions, and all other work that is cut into steps. [MQTT 5.0, 3.3.1.3]
//!
//! Work too long for one event is a chore: its session stands in `runnable`, and `Timer(now)` asks the driver to call
//! again. A chore that waits for room is not in the list; the acknowledgement or `Flushed` that makes room goes on with it.

use super::{Actions, state::State};
use crate::{
    retained::{Replay, Step},
    session::{Identifiers, Queued},
};

/// Sessions that are served in one event.
const SESSIONS_PER_STEP: usize = 64;

impl State {
    /// Sends a connected session the retained messages it is owed, one step and as far as there is room.
    pub(super) fn replay(&mut self, number: u32, actions: &mut Actions) {
        let mut budget = self.config.limits.replay_step_max.max(1);
        while self.sessions.get_mut(number).replay().is_some() {
            if !self.may_replay(number) {
                self.hot[number as usize].backlog = true;
                return;
            }
            if actions.is_crowded() {
                self.carry_on_later(number);
                self.hot[number as usize].backlog = true;
                return;
            }
            let Some(replay) = self.sessions.get_mut(number).replay() else {
                return;
            };
            match self.retained.next(replay, self.now, &mut budget) {
                Step::Message(message) => {
                    let qos = message.qos.min(replay.granted);
                    let identifiers = identifiers(replay);
                    let queued = Queued {
                        message,
                        qos,
                        retain: true,
                        identifiers,
                        shared: 0,
                    };
                    self.send_retained(number, queued, actions);
                }
                Step::Pause => {
                    self.carry_on_later(number);
                    self.hot[number as usize].backlog = true;
                    return;
                }
                Step::End => {
                    self.sessions.get_mut(number).end_replay();
                }
            }
        }
        self.statistics.retained_current = u32::try_from(self.retained.len()).unwrap_or(u32::MAX);
    }

    /// The session has more to do than this event has time for.
    pub(super) fn carry_on_later(&mut self, number: u32) {
        let session = self.sessions.get_mut(number);
        if !session.runnable {
            session.runnable = true;
            self.runnable.push_back(number);
        }
        self.wake_now();
    }

    /// One step for each of the sessions that wait for their turn.
    pub(super) fn carry_on(&mut self, actions: &mut Actions) {
        for _ in 0..self.runnable.len().min(SESSIONS_PER_STEP) {
            if actions.is_crowded() {
                return;
            }
            let Some(number) = self.runnable.pop_front() else {
                return;
            };
            // The number may belong to another session by now, which has no part in this.
            let Some(session) = self.sessions.look_up(number) else {
                continue;
            };
            if core::mem::take(&mut session.runnable) {
                self.pump(number, actions);
            }
        }
    }
}

fn identifiers(replay: &Replay) -> Identifiers {
    let identifier = Some(replay.identifier).filter(|&identifier| identifier != 0);
    identifier.into_iter().collect()
}
