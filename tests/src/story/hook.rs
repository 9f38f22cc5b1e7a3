//! The hooks of stories: one rule, one hook set.

use super::{order, reason, watch, word::Word, words::Words};
use sanderling_core::{
    broker::Link,
    hooks::{
        AuthRuling, AuthStage, AuthStep, Client, Context, Draft, HookSet, Hooks, Notice, Question,
        Ruling, SubscribeRequest, Verdict,
    },
    packet::{ClientPacket, Connect, QoS},
    reason::ReasonCode,
    topic,
};

/// `publish refuse not_authorized secret/#`: at which hook, what it answers, and about what.
#[derive(Clone, Debug)]
pub(super) struct HookRule {
    at: HookSet,
    answer: HookAnswer,
    /// A topic filter, or for a CONNECT a client identifier; none for everything.
    about: Option<String>,
    /// Of an authentication method.
    password: String,
}

#[derive(Clone, Debug)]
enum HookAnswer {
    Refuse(ReasonCode),
    Ask,
    Grant(QoS),
    /// Wants a password by the authentication method that the rule is about: at once, or when asked `who?`.
    Password,
    /// Changes what was published, as `topic=… payload=… qos=… retain=…` say.
    Edit(Vec<Word>),
    /// Says nothing and hears everything.
    Watch,
}

impl HookRule {
    pub(super) fn parse(words: &[Word]) -> Result<Self, String> {
        if let [word] = words
            && let Some(at) = watched(word)
        {
            return Ok(Self {
                at,
                answer: HookAnswer::Watch,
                about: None,
                password: String::new(),
            });
        }
        if let [at, method, password] = words
            && at.is("authenticate")
        {
            let answer = match password.is("ask") {
                true => HookAnswer::Ask,
                false => HookAnswer::Password,
            };
            return Ok(Self {
                at: HookSet::AUTHENTICATE,
                answer,
                about: Some(method.text.clone()),
                password: password.text.clone(),
            });
        }
        let [at, answer, rest @ ..] = words else {
            return Err("a hook line reads: hook publish refuse not_authorized secret/#".into());
        };
        let at = match at.text.as_str() {
            "accept" => HookSet::ACCEPT,
            "connect" => HookSet::CONNECT,
            "subscribe" => HookSet::SUBSCRIBE,
            "publish" => HookSet::PUBLISH,
            other => return Err(format!("there is no hook {other:?}")),
        };
        let (answer, rest) = match (answer.text.as_str(), rest) {
            ("refuse", rest) if at == HookSet::ACCEPT => {
                (HookAnswer::Refuse(ReasonCode::NOT_AUTHORIZED), rest)
            }
            ("refuse", [code, rest @ ..]) => (HookAnswer::Refuse(reason::parse(code)?), rest),
            ("ask", rest) => (HookAnswer::Ask, rest),
            ("edit", rest) if at == HookSet::PUBLISH => {
                let (fields, rest) = rest.split_at(rest.iter().take_while(is_field).count());
                (HookAnswer::Edit(fields.to_vec()), rest)
            }
            ("grant", [code, rest @ ..]) if at == HookSet::SUBSCRIBE => {
                (HookAnswer::Grant(granted_qos(code)?), rest)
            }
            (other, _) => return Err(format!("{other:?} is no answer of this hook")),
        };
        match rest {
            [] => Ok(Self {
                at,
                answer,
                about: None,
                password: String::new(),
            }),
            [about] => Ok(Self {
                at,
                answer,
                about: Some(about.text.clone()),
                password: String::new(),
            }),
            [_, more, ..] => Err(format!("{more} is one word too many")),
        }
    }

    fn is_about_topic(&self, topic: &str) -> bool {
        self.about
            .as_deref()
            .is_none_or(|filter| filter == topic || topic::matches(filter, topic))
    }

    fn ruling(&self, applies: bool) -> Ruling {
        match self.answer {
            HookAnswer::Refuse(reason) if applies => Ruling::Refuse(reason),
            HookAnswer::Ask if applies => Ruling::Ask,
            _ => Ruling::Permit,
        }
    }
}

/// What `watch` and `watch_all` are told: the first hears what happened, the second also what is being decided, and each
/// single message.
fn watched(word: &Word) -> Option<HookSet> {
    if word.is("watch") {
        return Some(HookSet::NOTICE);
    }
    let all = HookSet::ACCEPT | HookSet::CONNECT | HookSet::SUBSCRIBE | HookSet::PUBLISH;
    let all = all | HookSet::NOTICE | HookSet::DELIVERED | HookSet::ACKED;
    word.is("watch_all").then_some(all)
}

fn is_field(word: &&Word) -> bool {
    word.key.is_some()
}

/// Takes what a hook set is told, in words.
pub type Watcher = Box<dyn FnMut(Vec<Word>) + Send>;

/// A hook set that follows one rule.
pub struct RuleHooks {
    rule: HookRule,
    watcher: Watcher,
}

impl RuleHooks {
    pub(super) fn new(rule: HookRule, watcher: Watcher) -> Self {
        Self { rule, watcher }
    }

    fn is_watching(&self) -> bool {
        matches!(self.rule.answer, HookAnswer::Watch)
    }

    /// Tells that it was asked, if it watches.
    fn tell(&mut self, words: &[&str]) {
        if self.is_watching() {
            (self.watcher)(words.iter().map(Word::plain).collect());
        }
    }
}

impl Hooks for RuleHooks {
    fn wants(&self) -> HookSet {
        self.rule.at
    }

    fn accept(&mut self, _: &Link, _: &mut Context<'_>) -> bool {
        self.tell(&["accept"]);
        self.is_watching()
    }

    fn connect(&mut self, _: &Link, connect: &Connect<'_>, _: &mut Context<'_>) -> Ruling {
        self.tell(&["connect", connect.client_id]);
        let about = self.rule.about.as_deref();
        self.rule
            .ruling(about.is_none_or(|id| id == connect.client_id))
    }

    fn authenticate(&mut self, _: &Link, step: &AuthStep<'_>, _: &mut Context<'_>) -> AuthRuling {
        if self.rule.about.as_deref() != Some(step.method) {
            return AuthRuling::UnknownMethod;
        }
        match (&self.rule.answer, step.data) {
            (HookAnswer::Ask, _) => AuthRuling::Ask,
            (_, Some(data)) if data == self.rule.password.as_bytes() => {
                AuthRuling::Succeed(Some(b"welcome".to_vec()))
            }
            (_, Some(data)) if step.stage == AuthStage::Continue && data != b"again" => {
                AuthRuling::Refuse(ReasonCode::NOT_AUTHORIZED)
            }
            _ => AuthRuling::Continue(b"who?".to_vec()),
        }
    }

    fn subscribe(
        &mut self,
        client: &Client<'_>,
        requests: &mut [SubscribeRequest<'_>],
        _: &mut Context<'_>,
    ) -> Ruling {
        let mut applies = false;
        for request in requests {
            if !self.rule.is_about_topic(request.entry.filter.as_str()) {
                continue;
            }
            applies = true;
            match self.rule.answer {
                HookAnswer::Refuse(reason) => request.granted = Err(reason),
                HookAnswer::Grant(qos) => request.granted = Ok(qos),
                HookAnswer::Watch => {
                    let filter = request.entry.filter.as_str();
                    self.tell(&["subscribe", client.client_id, filter]);
                }
                HookAnswer::Ask | HookAnswer::Password | HookAnswer::Edit(_) => {}
            }
        }
        match self.rule.answer {
            HookAnswer::Ask if applies => Ruling::Ask,
            _ => Ruling::Permit,
        }
    }

    fn publish(
        &mut self,
        client: &Client<'_>,
        draft: &mut Draft<'_>,
        _: &mut Context<'_>,
    ) -> Ruling {
        self.tell(&["arrived", client.client_id, draft.topic()]);
        let applies = self.rule.is_about_topic(draft.topic());
        if applies && let HookAnswer::Edit(fields) = &self.rule.answer {
            edit(draft, fields);
        }
        self.rule.ruling(applies)
    }

    fn notice(&mut self, notice: &Notice<'_>, _: &mut Context<'_>) {
        (self.watcher)(watch::describe(notice));
    }
}

fn edit(draft: &mut Draft<'_>, fields: &[Word]) {
    for word in fields {
        let text = &*word.text;
        match word.key.as_deref() {
            Some("topic") => draft.set_topic(text).expect("the story's topic is valid"),
            Some("payload") => draft.set_payload(text.to_owned()),
            Some("qos") => draft.set_qos(match text {
                "0" => QoS::AtMostOnce,
                "1" => QoS::AtLeastOnce,
                _ => QoS::ExactlyOnce,
            }),
            Some("retain") => draft.set_retain(text == "1"),
            other => panic!("{other:?} is nothing that a hook edits"),
        }
    }
}

/// A question in words, as `hook<` lines show it: `publish alice secret/x`.
pub(super) fn describe(question: &Question) -> Vec<Word> {
    let client_id = Word::plain(&question.client_id);
    match question.packet() {
        ClientPacket::Connect(_) => vec![Word::plain("connect"), client_id],
        ClientPacket::Publish(publish) => {
            vec![
                Word::plain("publish"),
                client_id,
                Word::plain(publish.topic),
            ]
        }
        ClientPacket::Subscribe(subscribe) => {
            let filters = subscribe
                .entries
                .iter()
                .map(|entry| Word::plain(entry.filter));
            [Word::plain("subscribe"), client_id]
                .into_iter()
                .chain(filters)
                .collect()
        }
        ClientPacket::Auth(_) => vec![Word::plain("auth"), client_id],
        _ => vec![Word::plain("a question about another packet")],
    }
}

/// `permit`, `refuse not_authorized`, `grant granted_qos_1 not_authorized`, `replace a/b "x" qos=1`, `continue "who?"` or
/// `succeed`.
pub(super) fn verdict(words: &[Word]) -> Result<Verdict, String> {
    match words {
        [word] if word.is("permit") => Ok(Verdict::Permit),
        [word, code] if word.is("refuse") => Ok(Verdict::Refuse(reason::parse(code)?)),
        [word, data] if word.is("continue") => Ok(Verdict::Authenticate(AuthRuling::Continue(
            data.text.clone().into_bytes(),
        ))),
        [word] if word.is("succeed") => Ok(Verdict::Authenticate(AuthRuling::Succeed(None))),
        [word, message @ ..] if word.is("replace") => {
            Ok(Verdict::Replace(order::publication(Words(message.to_vec()))?))
        }
        [word, codes @ ..] if word.is("grant") => {
            let granted = codes.iter().map(|code| {
                let reason = reason::parse(code)?;
                Ok(QoS::from_bits(reason.0).ok_or(reason))
            });
            Ok(Verdict::Grant(granted.collect::<Result<_, String>>()?))
        }
        _ => Err(
            "a verdict is: permit, refuse REASON, grant CODE…, replace TOPIC PAYLOAD, continue DATA, or succeed".into(),
        ),
    }
}

fn granted_qos(code: &Word) -> Result<QoS, String> {
    QoS::from_bits(reason::parse(code)?.0).ok_or_else(|| format!("{code} is no granted QoS"))
}
