//! Questions that hooks leave open: each ends once, by a verdict, by its deadline, or with its connection.

use super::{Judged, Model, Phase, publish::Draft, time::Deadline, violated};
use crate::sim::{tally::Tally, wire::Turn};
use sanderling_core::{
    codec::decode_again,
    hooks::Verdict,
    id::{ConnId, Ticket},
    packet::{ClientPacket, QoS, Version},
    reason::ReasonCode,
};

/// An open question.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    pub(super) conn: ConnId,
    pub(super) hook: u16,
    pub(super) subject: Subject,
    pub(super) packet: Vec<u8>,
    pub(super) version: Version,
    /// Then the answer is no.
    pub(super) by: Deadline,
}

/// What is asked about, and what was decided before.
#[derive(Clone, Debug)]
pub(super) enum Subject {
    Connect {
        worst: ReasonCode,
    },
    Publish(Draft),
    /// A step of an enhanced authentication.
    Step,
    Subscribe {
        granted: Vec<Result<QoS, ReasonCode>>,
    },
}

impl Model {
    /// A hook asks: there must be a question to it, and the connection is held.
    pub(super) fn open_ticket(
        &mut self,
        id: ConnId,
        hook: u16,
        subject: Subject,
        packet: Vec<u8>,
        turn: &mut Turn,
    ) -> Judged {
        let entropy = self.conn(id).link.entropy;
        let mut consults = turn.consults.iter();
        let at = consults.position(|(_, asks, about)| *asks == hook && *about == entropy);
        let Some(at) = at else {
            violated!(
                "R04",
                "hook {hook} asks about {id}, and nobody is consulted"
            );
        };
        let (ticket, ..) = turn.consults.remove(at);
        if self.tickets.contains_key(&ticket) {
            violated!("R04", "question {ticket} is open already");
        }
        let by = self.deadline_in(self.config.limits.verdict_deadline);
        let version = self.conn(id).version;
        self.conn(id).held = Some(ticket);
        self.tickets.insert(
            ticket,
            Asked {
                conn: id,
                hook,
                subject,
                packet,
                version,
                by,
            },
        );
        Ok(())
    }

    pub(super) fn on_ruled(
        &mut self,
        ticket: Ticket,
        verdict: Verdict,
        turn: &mut Turn,
        tally: &mut Tally,
    ) -> Judged {
        let Some(asked) = self.tickets.remove(&ticket) else {
            tally.check("R04");
            tally.sometimes("a verdict that comes too late");
            return Ok(());
        };
        self.rule(asked, verdict, turn, tally)
    }

    /// The chain goes on behind the set that answered.
    pub(super) fn rule(
        &mut self,
        asked: Asked,
        verdict: Verdict,
        turn: &mut Turn,
        tally: &mut Tally,
    ) -> Judged {
        tally.check("R04");
        let id = asked.conn;
        let from = asked.hook + 1;
        let bytes = asked.packet.clone().into();
        let now_ms = self.now_ms;
        let conn = self.conn(id);
        conn.held = None;
        // It could not be heard.
        conn.heard_ms = now_ms;
        match (asked.subject, decode_again(&bytes, asked.version)) {
            (Subject::Step, ClientPacket::Connect(_) | ClientPacket::Auth(_)) => {
                self.rule_on_step(id, asked.packet, verdict, turn, tally)?;
            }
            (Subject::Connect { worst }, ClientPacket::Connect(connect)) => {
                let worst = match verdict {
                    Verdict::Permit => worst,
                    Verdict::Refuse(reason) => worst.max(refusal(reason)),
                    Verdict::Grant(_) | Verdict::Authenticate(_) | Verdict::Replace(_) => {
                        worst.max(ReasonCode::NOT_AUTHORIZED)
                    }
                };
                self.conn(id).phase = Phase::AwaitConnect;
                self.judge_connect(id, &connect, from, worst, turn, tally)?;
            }
            (Subject::Publish(mut draft), ClientPacket::Publish(publish)) => match verdict {
                Verdict::Permit => self.judge_publish(id, &publish, from, draft, turn, tally)?,
                Verdict::Replace(publication) => {
                    tally.sometimes("a verdict replaces a message");
                    draft.replace(&publication);
                    self.judge_publish(id, &publish, from, draft, turn, tally)?;
                }
                Verdict::Refuse(_) | Verdict::Grant(_) | Verdict::Authenticate(_) => {
                    self.refuse_publish(id, &publish, turn, tally)?;
                }
            },
            (Subject::Subscribe { mut granted }, ClientPacket::Subscribe(subscribe)) => {
                match verdict {
                    Verdict::Permit => {}
                    Verdict::Authenticate(_) | Verdict::Replace(_) => {
                        let refused = Err(ReasonCode::NOT_AUTHORIZED);
                        granted.iter_mut().for_each(|one| *one = one.and(refused));
                    }
                    Verdict::Refuse(reason) => {
                        granted
                            .iter_mut()
                            .for_each(|one| *one = one.and(Err(refusal(reason))));
                    }
                    Verdict::Grant(answers) => {
                        let mut answers = answers.into_iter();
                        for one in &mut granted {
                            let answer = answers.next().unwrap_or(Err(ReasonCode::NOT_AUTHORIZED));
                            *one = one.and(answer);
                        }
                    }
                }
                self.judge_subscribe(id, &subscribe, granted, from, turn, tally)?;
            }
            (subject, packet) => violated!("R04", "{subject:?} is asked about {packet:?}"),
        }
        self.expect_resume(id, turn, tally)
    }

    /// A connection that is free again is read from again.
    pub(super) fn expect_resume(
        &mut self,
        id: ConnId,
        turn: &mut Turn,
        tally: &mut Tally,
    ) -> Judged {
        let conn = self.conn(id);
        let is_free = match conn.phase {
            Phase::Live => conn.held.is_none(),
            Phase::Authenticating => true,
            _ => false,
        };
        let at = turn.resumes.iter().position(|resumed| *resumed == id);
        // Some answers of this event may come later than this.
        let is_throttled = at.is_none() && self.throttles(id, tally);
        let is_free = is_free && !is_throttled && !self.must_throttle(id);
        match (is_free, at) {
            (true, Some(at)) => {
                turn.resumes.remove(at);
                Ok(())
            }
            (false, None) => Ok(()),
            (is_free, _) => violated!(
                "R04",
                "{id} is free: {is_free}, and is resumed: {}",
                !is_free
            ),
        }
    }
}

/// A hook's "no" is never taken for a success.
pub(super) fn refusal(reason: ReasonCode) -> ReasonCode {
    match reason {
        ReasonCode::SUCCESS => ReasonCode::UNSPECIFIED_ERROR,
        reason => reason,
    }
}
