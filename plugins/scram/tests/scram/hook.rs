//! The hook by itself: who is challenged, who succeeds, and what is forgotten.

use crate::scram::{Answer, Challenge, Scram};
use sanderling_core::{
    broker::{Broker, Link, Seed},
    config::Config,
    hooks::{AuthRuling, AuthStage, AuthStep, HookChain, Hooks},
    id::ConnId,
    reason::ReasonCode,
    time::{Instant, WallClock},
};
use sanderling_scram::{ITERATIONS_MIN, METHOD, ScramSha256, StoredKey};

const LINK: Link = Link::new(0, None, [0; 16]);
const FIRST: ConnId = ConnId {
    slot: 1,
    generation: 0,
};
const SECOND: ConnId = ConnId {
    slot: 2,
    generation: 0,
};

const UNPROVEN: AuthRuling = AuthRuling::Refuse(ReasonCode::NOT_AUTHORIZED);
const OUT_OF_TURN: AuthRuling = AuthRuling::Refuse(ReasonCode::PROTOCOL_ERROR);

/// Knows alice and bob, who have the same password.
fn hook() -> ScramSha256 {
    let key = StoredKey::derive("wonderland", *b"sixteen bytes of", ITERATIONS_MIN).unwrap();
    ScramSha256::new(move |user| matches!(user, "alice" | "bob").then(|| key.clone())).unwrap()
}

fn step(hook: &mut ScramSha256, conn: ConnId, stage: AuthStage, data: &str) -> AuthRuling {
    named_step(hook, conn, stage, data, None)
}

fn named_step(
    hook: &mut ScramSha256,
    conn: ConnId,
    stage: AuthStage,
    data: &str,
    username: Option<&str>,
) -> AuthRuling {
    let step = AuthStep {
        conn,
        client_id: "",
        username,
        stage,
        method: METHOD,
        data: Some(data.as_bytes()),
    };
    ask(hook, &step)
}

/// Asks the hook with surroundings that it does not look at.
fn ask(hook: &mut ScramSha256, step: &AuthStep<'_>) -> AuthRuling {
    let now = Instant::ORIGIN;
    let chain = HookChain::new();
    let mut broker = Broker::new(Config::default(), chain, Seed([0; 32]), now, WallClock(0));
    broker.lend_context(|cx| hook.authenticate(&LINK, step, cx))
}

fn challenge(ruling: AuthRuling) -> String {
    match ruling {
        AuthRuling::Continue(data) => String::from_utf8(data).unwrap(),
        other => panic!("a challenge was expected, not {other:?}"),
    }
}

/// Up to the client's answer, which is not given yet.
fn begin(hook: &mut ScramSha256, conn: ConnId, stage: AuthStage, client: &Scram) -> Answer {
    client.answer(&challenge(step(hook, conn, stage, &client.first())))
}

fn authenticate(hook: &mut ScramSha256, conn: ConnId, stage: AuthStage, client: &Scram) -> Answer {
    let answer = begin(hook, conn, stage, client);
    let ruling = step(hook, conn, AuthStage::Continue, &answer.message);
    let proof = answer.server_proof.clone().into_bytes();
    assert_eq!(ruling, AuthRuling::Succeed(Some(proof)));
    answer
}

#[test]
fn whoever_knows_the_password_succeeds() {
    let mut hook = hook();
    let (alice, bob) = (
        Scram::new("alice", "wonderland"),
        Scram::new("bob", "wonderland"),
    );
    authenticate(&mut hook, FIRST, AuthStage::Begin, &alice);
    authenticate(&mut hook, SECOND, AuthStage::Begin, &bob);
}

#[test]
fn a_wrong_password_is_refused() {
    let mut hook = hook();
    let answer = begin(
        &mut hook,
        FIRST,
        AuthStage::Begin,
        &Scram::new("alice", "Wonderland"),
    );
    let ruling = step(&mut hook, FIRST, AuthStage::Continue, &answer.message);
    assert_eq!(ruling, UNPROVEN);
    assert!(is_forgotten(&hook), "{hook:?}");
}

#[test]
fn an_unknown_user_is_challenged_like_any_other() {
    let mut hook = hook();
    let mut challenge_of = |conn, user| {
        let first = Scram::new(user, "wonderland").first();
        let challenge = challenge(step(&mut hook, conn, AuthStage::Begin, &first));
        Challenge::parse(&challenge)
    };
    let known = challenge_of(FIRST, "alice");
    let unknown = challenge_of(SECOND, "mallory");
    assert_eq!(known.iterations, unknown.iterations);
    assert_eq!(known.salt.len(), unknown.salt.len());
    assert_eq!(known.nonce.len(), unknown.nonce.len());

    let mut other = self::hook().decoys([7; 32], 16, ITERATIONS_MIN);
    let first = Scram::new("mallory", "wonderland");
    let salts: Vec<_> = [FIRST, SECOND]
        .map(|conn| challenge(step(&mut other, conn, AuthStage::Begin, &first.first())))
        .map(|challenge| Challenge::parse(&challenge).salt)
        .into();
    assert_eq!(salts[0], salts[1], "a user's salt does not change");
    assert_ne!(salts[0], unknown.salt, "it follows from the secret");
}

#[test]
fn an_unknown_user_is_refused_whatever_the_password() {
    let mut hook = hook();
    let answer = begin(
        &mut hook,
        FIRST,
        AuthStage::Begin,
        &Scram::new("mallory", "wonderland"),
    );
    let ruling = step(&mut hook, FIRST, AuthStage::Continue, &answer.message);
    assert_eq!(ruling, UNPROVEN);
}

#[test]
fn an_answer_of_before_is_refused() {
    let mut hook = hook();
    let client = Scram::new("alice", "wonderland");
    let former = authenticate(&mut hook, FIRST, AuthStage::Begin, &client);
    let _ = begin(&mut hook, SECOND, AuthStage::Begin, &client);
    let ruling = step(&mut hook, SECOND, AuthStage::Continue, &former.message);
    assert_eq!(ruling, UNPROVEN);
}

#[test]
fn a_right_proof_of_another_header_or_nonce_is_refused() {
    let mut hook = hook();
    let client = Scram::new("alice", "wonderland");
    for (header, tail, is_right) in [
        ("biws", "", true),
        ("eSws", "", false),
        ("biws", "x", false),
    ] {
        let first = step(&mut hook, FIRST, AuthStage::Begin, &client.first());
        let challenge = challenge(first);
        let nonce = Challenge::parse(&challenge).nonce;
        let answer = client.prove(&challenge, &format!("c={header},r={nonce}{tail}"));
        let ruling = step(&mut hook, FIRST, AuthStage::Continue, &answer.message);
        assert_eq!(ruling != UNPROVEN, is_right, "{header} {tail}");
        hook = self::hook();
    }
}

#[test]
fn an_answer_counts_once_and_in_turn() {
    let mut hook = hook();
    let client = Scram::new("alice", "wonderland");
    let ruling = step(&mut hook, FIRST, AuthStage::Again, &client.first());
    assert_eq!(ruling, OUT_OF_TURN, "nobody was authenticated before");
    let answer = authenticate(&mut hook, FIRST, AuthStage::Begin, &client);
    let ruling = step(&mut hook, FIRST, AuthStage::Continue, &answer.message);
    assert_eq!(ruling, OUT_OF_TURN, "the exchange is over");
}

#[test]
fn the_user_may_authenticate_again_and_nobody_else() {
    let mut hook = hook();
    let alice = Scram::new("alice", "wonderland");
    authenticate(&mut hook, FIRST, AuthStage::Begin, &alice);
    authenticate(&mut hook, FIRST, AuthStage::Again, &alice);
    authenticate(&mut hook, FIRST, AuthStage::Again, &alice);
    let bob = Scram::new("bob", "wonderland").first();
    assert_eq!(step(&mut hook, FIRST, AuthStage::Again, &bob), UNPROVEN);
    assert!(is_forgotten(&hook), "{hook:?}");
}

#[test]
fn the_user_name_of_connect_is_that_of_the_user() {
    let first = Scram::new("alice", "wonderland").first();
    for (username, is_challenged) in [(None, true), (Some("alice"), true), (Some("bob"), false)] {
        let ruling = named_step(&mut hook(), FIRST, AuthStage::Begin, &first, username);
        match is_challenged {
            true => assert!(matches!(ruling, AuthRuling::Continue(_)), "{ruling:?}"),
            false => assert_eq!(ruling, UNPROVEN),
        }
    }
}

#[test]
fn nonces_differ() {
    let mut hook = hook();
    let first = Scram::new("alice", "wonderland").first();
    let nonces = [FIRST, SECOND]
        .map(|conn| challenge(step(&mut hook, conn, AuthStage::Begin, &first)))
        .map(|challenge| Challenge::parse(&challenge).nonce);
    assert_ne!(nonces[0], nonces[1]);
}

#[test]
fn a_message_is_needed_and_other_methods_are_not_ours() {
    let mut hook = hook();
    let mut begin = AuthStep {
        conn: FIRST,
        client_id: "",
        username: None,
        stage: AuthStage::Begin,
        method: METHOD,
        data: None,
    };
    assert_eq!(ask(&mut hook, &begin), OUT_OF_TURN);
    begin.method = "SCRAM-SHA-1";
    assert_eq!(ask(&mut hook, &begin), AuthRuling::UnknownMethod);
}

fn is_forgotten(hook: &ScramSha256) -> bool {
    format!("{hook:?}").contains("connections: 0")
}
