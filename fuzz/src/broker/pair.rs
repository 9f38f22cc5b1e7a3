//! Two brokers that differ only in their seeds, and so in the order of their hash maps.

use sanderling_core::{
    broker::{Action, Actions, Broker, Event, Flow, Frame, Seed},
    config::Config,
    hooks::HookChain,
    id::ConnId,
    time::{Instant, WallClock},
};

pub(super) struct Pair {
    first: Broker,
    second: Broker,
    /// What was ordered last.
    pub(super) actions: Actions,
    again: Actions,
}

impl Pair {
    pub(super) fn new(config: Config) -> Self {
        let broker = |config, seed| {
            Broker::new(
                config,
                HookChain::new(),
                Seed([seed; 32]),
                Instant::ORIGIN,
                WallClock(0),
            )
        };
        Self {
            first: broker(config.clone(), 1),
            second: broker(config, 2),
            actions: Actions::new(),
            again: Actions::new(),
        }
    }

    /// Hands the event to both, and returns what they say.
    pub(super) fn handle(&mut self, now: Instant, event: Event<'_>) -> Flow {
        self.actions.clear();
        self.again.clear();
        let flow = self.first.handle(now, event.clone(), &mut self.actions);
        let again = self.second.handle(now, event, &mut self.again);
        assert_eq!(flow, again, "the hash order shows");
        assert_eq!(
            self.actions.list(),
            self.again.list(),
            "the hash order shows"
        );
        for action in self.actions.list() {
            match *action {
                Action::Send { frame, .. } => self.compare(frame),
                Action::Deliver { frame, targets, .. } => {
                    self.compare(frame);
                    assert_eq!(self.actions.targets(targets), self.again.targets(targets));
                }
                _ => {}
            }
        }
        flow
    }

    fn compare(&self, frame: Frame) {
        assert_eq!(
            self.actions.bytes(frame),
            self.again.bytes(frame),
            "the hash order shows"
        );
        assert_eq!(
            self.actions.tail(frame),
            self.again.tail(frame),
            "the hash order shows"
        );
    }

    /// How many sessions there are.
    pub(super) fn sessions(&self) -> usize {
        self.first.view().sessions().count()
    }

    /// What the broker believes that the network has not taken yet.
    pub(super) fn outbound_bytes(&self, conn: ConnId) -> Option<u32> {
        self.first.view().outbound_bytes(conn)
    }
}
