//! From an accepted network connection to the first byte of MQTT: who is let in, and how long each layer may take.

use super::{Action, Actions, Broker, Close, Fault, Flow, Identity, Lag, Link, Stage, state::Due};
use crate::{
    config::Limits,
    connection::{Connection, Phase},
    hooks::{ClientData, End, Refusal},
    id::ConnId,
    reason::ReasonCode,
};
use alloc::sync::Arc;
use core::{net::SocketAddr, time::Duration};

const PACKET_LATE: Refusal = Refusal {
    reason: ReasonCode::UNSPECIFIED_ERROR,
    what: "a packet that was begun and not sent to its end in time",
    rule: "limit packet_deadline",
};

const OUTPUT_LATE: Refusal = Refusal {
    reason: ReasonCode::UNSPECIFIED_ERROR,
    what: "none of the waiting output was taken in time",
    rule: "limit output_deadline",
};

impl Broker {
    /// A network connection: let in or closed at once. One that comes by way of a proxy is judged when that has told
    /// where it comes from.
    pub(super) fn on_opened(
        &mut self,
        conn: ConnId,
        link: Link,
        stage: Stage,
        actions: &mut Actions,
    ) -> Flow {
        let has_room = self.has_room(&link) && !self.state.draining;
        self.state.connections.open(Connection {
            id: conn,
            link,
            phase: phase_at(stage),
            timer: None,
            outbound_bytes: 0,
            since: self.state.now,
            authentication: None,
            data: ClientData::default(),
        });
        self.state.statistics.connections_opened += 1;
        self.state.statistics.connections_current += 1;
        if has_room && (stage == Stage::Proxy || self.is_accepted(conn)) {
            self.wait_for(conn, stage);
        } else {
            self.turn_away(conn, actions);
        }
        Flow::Continue
    }

    fn is_accepted(&mut self, conn: ConnId) -> bool {
        self.ask_hooks(conn, |hooks, state, cx| hooks.accept(state.link(conn), cx))
    }

    fn has_room(&self, link: &Link) -> bool {
        let config = &self.state.config;
        let own = config.listener(link.listener);
        let own_max = own.and_then(|own| own.limits.connections_max);
        let connections = &self.state.connections;
        connections.len() < config.limits.connections_max
            && own_max.is_none_or(|max| connections.len_of(link.listener) < max)
    }

    /// A proxy has told where the client comes from: now it is known whom to let in.
    pub(super) fn on_announced(
        &mut self,
        conn: ConnId,
        remote: Option<SocketAddr>,
        stage: Stage,
        actions: &mut Actions,
    ) -> Flow {
        let Some(connection) = self.opening(conn) else {
            return Flow::Continue;
        };
        if remote.is_some() {
            connection.link.remote = remote;
            connection.link.is_announced = true;
        }
        if self.is_accepted(conn) {
            self.on_progressed(conn, stage)
        } else {
            self.turn_away(conn, actions);
            Flow::Continue
        }
    }

    /// A certificate says who the peer is.
    pub(super) fn on_identified(&mut self, conn: ConnId, identity: Arc<Identity>) -> Flow {
        if let Some(connection) = self.opening(conn) {
            connection.link.identity = Some(identity);
        }
        Flow::Continue
    }

    /// A layer has done its part; the next one has its own time.
    pub(super) fn on_progressed(&mut self, conn: ConnId, stage: Stage) -> Flow {
        if let Some(connection) = self.opening(conn) {
            let Phase::Opening(before) = connection.phase else {
                unreachable!("a connection that opens is in this phase");
            };
            assert!(before < stage, "contract: {stage:?} comes after {before:?}");
            connection.phase = phase_at(stage);
            self.wait_for(conn, stage);
        }
        Flow::Continue
    }

    /// A layer cannot go on. It has said so itself, so there is nothing to add.
    pub(super) fn on_faulted(&mut self, conn: ConnId, fault: Fault, actions: &mut Actions) -> Flow {
        let Some(connection) = self.state.connections.get(conn) else {
            panic!("contract: a fault of connection {conn}, which is not open");
        };
        if !matches!(connection.phase, Phase::Closing) {
            self.state.statistics.protocol_errors += 1;
            self.end(conn, End::Faulted(fault), actions);
        }
        Flow::Continue
    }

    /// A peer keeps half a packet, or our output, for too long.
    pub(super) fn on_lagged(&mut self, conn: ConnId, lag: Lag, actions: &mut Actions) -> Flow {
        let Some(connection) = self.state.connections.get(conn) else {
            panic!("contract: connection {conn} lags, and is not open");
        };
        if !matches!(connection.phase, Phase::Closing) {
            let refusal = match lag {
                Lag::Packet => PACKET_LATE,
                Lag::Output => OUTPUT_LATE,
            };
            self.refuse(conn, refusal, actions);
        }
        Flow::Continue
    }

    /// The connection, while layers below MQTT are at work. Facts about one that ends are ignored.
    fn opening(&mut self, conn: ConnId) -> Option<&mut Connection> {
        let Some(connection) = self.state.connections.get_mut(conn) else {
            panic!("contract: progress of connection {conn}, which is not open");
        };
        match connection.phase {
            Phase::Opening(_) => Some(connection),
            Phase::Closing => None,
            _ => panic!("contract: connection {conn} speaks MQTT already"),
        }
    }

    /// Closes a connection that nobody is told of.
    fn turn_away(&mut self, conn: ConnId, actions: &mut Actions) {
        if let Some(connection) = self.state.connections.get_mut(conn) {
            connection.phase = Phase::Closing;
            let timer = connection.timer.take();
            self.state.cancel_timer(timer);
        }
        actions.push(Action::Close {
            conn,
            how: Close::Abort,
        });
    }

    fn wait_for(&mut self, conn: ConnId, stage: Stage) {
        let at = self.state.now + deadline(self.state.limits(conn), stage);
        let timer = self.state.set_timer(at, Due::Connect(conn));
        if let Some(connection) = self.state.connections.get_mut(conn) {
            let former = connection.timer.replace(timer);
            self.state.cancel_timer(former);
        }
    }
}

fn phase_at(stage: Stage) -> Phase {
    match stage {
        Stage::Connect => Phase::AwaitConnect,
        stage => Phase::Opening(stage),
    }
}

fn deadline(limits: &Limits, stage: Stage) -> Duration {
    match stage {
        Stage::Proxy => limits.proxy_deadline,
        Stage::Tls => limits.tls_deadline,
        Stage::Upgrade => limits.upgrade_deadline,
        Stage::Connect => limits.connect_deadline,
    }
}

/// What was not done in time.
pub(super) const fn late(stage: Stage) -> Refusal {
    let (what, rule) = match stage {
        Stage::Proxy => (
            "no complete header of the PROXY protocol in time",
            "limit proxy_deadline",
        ),
        Stage::Tls => ("no complete TLS handshake in time", "limit tls_deadline"),
        Stage::Upgrade => (
            "no complete WebSocket handshake in time",
            "limit upgrade_deadline",
        ),
        Stage::Connect => ("no complete CONNECT in time", "limit connect_deadline"),
    };
    Refusal {
        reason: ReasonCode::MAXIMUM_CONNECT_TIME,
        what,
        rule,
    }
}
