//! Who may call what, and when the plugin does not load.

use super::{Managed, PASSWORD, USER, at_any_port, web::Web};
use crate::{
    client::Client,
    serve::{Serve, in_the_end},
};
use sanderling_core::packet::QoS;
use sanderling_management::{Account, Management, Scope, Token, Tokens};
use sanderling_runtime::Builder;
use serde_json::json;
use std::{
    net::{TcpListener, TcpStream},
    time::{Duration, SystemTime},
};

super::on_shipped_drivers! {
    m14_a60_nothing_loads_without_a_way_to_tell_who_calls
    m14_a60_without_authentication_only_loopback_is_served
    m15_a60_nothing_but_two_probes_is_open
    m16_scopes_are_kept_apart
    m16_what_the_server_writes_needs_two_scopes
    m16_tokens_end_when_they_expire
    m17_guessing_is_slowed_down_and_locks_nobody_out
    m18_a61_pages_of_other_sites_get_nothing
    m19_the_port_is_closed_when_the_broker_has_stopped
}

/// Why a broker with this plugin does not start.
fn refused<D: Serve>(management: Management) -> String {
    let builder = Builder::<D>::default().plugin(management);
    let builder = builder.listen("127.0.0.1:0").unwrap();
    let error = D::try_serve(builder).map(drop).unwrap_err();
    error.to_string()
}

fn m14_a60_nothing_loads_without_a_way_to_tell_who_calls<D: Serve>() {
    let error = refused::<D>(at_any_port().0);
    assert!(
        error.contains("management") && error.contains("no tokens"),
        "{error}"
    );
    let error = refused::<D>(at_any_port().0.tokens(Tokens::default()));
    assert!(error.contains("no tokens"), "{error}");
    // Two wishes that contradict each other.
    let (tokens, _) = Tokens::one_time().unwrap();
    let error = refused::<D>(at_any_port().0.tokens(tokens).without_authentication());
    assert!(error.contains("without authentication"), "{error}");
    // A port that is taken.
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let (tokens, _) = Tokens::one_time().unwrap();
    let error = refused::<D>(Management::new(address).tokens(tokens));
    assert!(error.contains(&address.to_string()), "{error}");
}

fn m14_a60_without_authentication_only_loopback_is_served<D: Serve>() {
    let exposed = TcpListener::bind("0.0.0.0:0").unwrap();
    let error = refused::<D>(Management::on(exposed).without_authentication());
    assert!(error.contains("other machines"), "{error}");
    let (management, address) = at_any_port();
    let builder = Builder::<D>::default().plugin(management.without_authentication());
    let _served = D::serve(builder.listen("127.0.0.1:0").unwrap());
    let web = Web::new(address);
    assert_eq!(web.get("/api/v1/clients").json(200)["items"], json!([]));
    assert_eq!(web.get("/clients").data()["result"], json!([]));
}

fn m15_a60_nothing_but_two_probes_is_open<D: Serve>() {
    let managed = Managed::start::<D>();
    let nobody = Web::new(managed.web);
    for path in ["/livez", "/readyz"] {
        assert_eq!(nobody.probe("GET", path).json(200), json!({"status": "ok"}));
    }
    let document = managed.api().get("/api/v1/openapi.json").json(200);
    let paths = document["paths"].as_object().unwrap();
    assert!(paths.len() > 15, "{}", paths.len());
    for (path, methods) in paths {
        let path = path.replace(['{', '}'], "x");
        for method in methods.as_object().unwrap().keys() {
            if matches!(&*path, "/livez" | "/readyz") {
                continue;
            }
            let answer = nobody.send(&method.to_uppercase(), &path, "", "");
            assert_eq!(answer.problem(401), "unauthorized", "{method} {path}");
            assert!(
                answer.head.contains("www-authenticate: bearer"),
                "{answer:?}"
            );
        }
    }
    for path in ["/api/v1/nothing", "/api/", "/api/v1/clients/x/y"] {
        assert_eq!(nobody.get(path).problem(401), "unauthorized");
        assert_eq!(managed.api().get(path).problem(404), "not_found");
    }
    // A login of the seed's routes is none here.
    let login = nobody.clone().basic(USER, PASSWORD);
    assert_eq!(login.get("/api/v1/clients").problem(401), "unauthorized");
    for wrong in [
        "",
        "x",
        managed
            .token
            .as_str()
            .trim_end_matches(char::is_alphanumeric),
    ] {
        let answer = nobody.clone().bearer(wrong).get("/api/v1/clients");
        assert_eq!(answer.problem(401), "unauthorized");
    }
}

fn m16_scopes_are_kept_apart<D: Serve>() {
    let tokens = Scope::ALL.map(|scope| Token::generate(scope.name(), &[scope]).unwrap());
    let managed = Managed::start_with::<D>(
        |management| {
            let tokens = tokens.iter();
            tokens.fold(management, |all, (token, _)| all.token(token.clone()))
        },
        |builder| builder,
    );
    let _client = Client::connect(managed.served.address, "c");
    let [reads, publishes, manages] =
        tokens.map(|(_, text)| Web::new(managed.web).bearer(text.as_str()));
    let message = json!({"topic": "t", "payload": "x"});
    assert_eq!(reads.get("/api/v1/clients").status, 200);
    assert_eq!(reads.get("/clients").status, 200);
    for other in [&publishes, &manages] {
        assert_eq!(other.get("/api/v1/clients").problem(403), "forbidden");
        assert_eq!(other.get("/clients").status, 403);
    }
    assert_eq!(publishes.post_json("/api/v1/publish", &message).status, 200);
    assert_eq!(publishes.post_form("/publish", "qos=0&topic=t").status, 200);
    for other in [&reads, &manages] {
        assert_eq!(
            other.post_json("/api/v1/publish", &message).problem(403),
            "forbidden"
        );
        assert_eq!(other.post_form("/publish", "qos=0&topic=t").status, 403);
    }
    for other in [&reads, &publishes] {
        assert_eq!(other.delete("/api/v1/clients/c").problem(403), "forbidden");
        assert_eq!(other.delete("/client/c").status, 403);
        assert_eq!(
            other
                .post_form("/subscribe", "qos=0&topic=t&clientID=c")
                .status,
            403
        );
    }
    assert_eq!(manages.delete("/api/v1/clients/c").status, 204);
}

/// Whoever watches the broker believes `$SYS`.
fn m16_what_the_server_writes_needs_two_scopes<D: Serve>() {
    let (publisher, text) = Token::generate("publisher", &[Scope::Publish]).unwrap();
    let (both, of_both) = Token::generate("both", &[Scope::Publish, Scope::Manage]).unwrap();
    let managed = Managed::start_with::<D>(
        |management| management.token(publisher).token(both),
        |builder| builder,
    );
    let mut client = Client::connect(managed.served.address, "c");
    client.subscribe("t", QoS::AtMostOnce);
    let publisher = Web::new(managed.web).bearer(text.as_str());
    let both = Web::new(managed.web).bearer(of_both.as_str());
    for topic in ["$SYS/broker/clients/connected", "$SYS", "$CONTROL/x"] {
        let message = json!({"topic": topic, "payload": "x"});
        let delivery = json!({"message": message});
        let form = format!("qos=0&topic={topic}");
        let of_session = "/api/v1/sessions/c/publish";
        let refused = publisher.post_json("/api/v1/publish", &message);
        assert_eq!(refused.problem(403), "forbidden", "{topic}");
        let refused = publisher.post_json(of_session, &delivery);
        assert_eq!(refused.problem(403), "forbidden", "{topic}");
        assert_eq!(publisher.post_form("/publish", &form).status, 403);
        assert_eq!(both.post_json("/api/v1/publish", &message).status, 200);
        assert_eq!(both.post_json(of_session, &delivery).status, 200);
        assert_eq!(both.post_form("/publish", &form).status, 200);
    }
    let message = json!({"topic": "$SYSTEM/x", "payload": "x"});
    assert_eq!(publisher.post_json("/api/v1/publish", &message).status, 200);
}

fn m16_tokens_end_when_they_expire<D: Serve>() {
    let (old, of_old) = Token::generate("old", &Scope::ALL).unwrap();
    let (new, of_new) = Token::generate("new", &Scope::ALL).unwrap();
    let now = SystemTime::now();
    let hour = Duration::from_secs(3600);
    let managed = Managed::start_with::<D>(
        |management| {
            management
                .token(old.expires(now - hour))
                .token(new.expires(now + hour))
        },
        |builder| builder,
    );
    let with = |token: &str| Web::new(managed.web).bearer(token).get("/api/v1/clients");
    assert_eq!(with(of_old.as_str()).problem(401), "unauthorized");
    assert_eq!(with(of_new.as_str()).status, 200);
}

fn m17_guessing_is_slowed_down_and_locks_nobody_out<D: Serve>() {
    let managed = Managed::start::<D>();
    let web = Web::new(managed.web);
    // Who was let in once is known.
    assert_eq!(managed.seed().get("/clients").status, 200);
    let statuses = |try_it: &dyn Fn() -> u16| {
        let mut statuses: Vec<_> = (0..40).map(|_| try_it()).collect();
        statuses.dedup();
        statuses
    };
    let password = || web.clone().basic(USER, "guess").get("/clients").status;
    let found = statuses(&password);
    assert!(found.contains(&401) && found.contains(&429), "{found:?}");
    let token = || {
        web.clone()
            .bearer("sanderling_guess")
            .get("/api/v1/clients")
            .status
    };
    let found = statuses(&token);
    assert!(found.contains(&401) && found.contains(&429), "{found:?}");
    assert_eq!(managed.seed().get("/clients").status, 200);
    assert_eq!(managed.api().get("/api/v1/clients").status, 200);
}

fn m18_a61_pages_of_other_sites_get_nothing<D: Serve>() {
    let managed = Managed::start::<D>();
    for line in [
        "Origin: https://evil.example",
        "Origin: null",
        "Sec-Fetch-Site: cross-site",
    ] {
        let elsewhere = managed.seed().header(line);
        let answer = elsewhere.post_form("/publish", "qos=0&topic=t");
        assert_eq!(answer.problem(403), "cross_origin", "{line}");
        assert_eq!(
            managed
                .api()
                .header(line)
                .get("/api/v1/clients")
                .problem(403),
            "cross_origin"
        );
    }
    let here = format!("Origin: http://{}", managed.web);
    assert_eq!(managed.seed().header(&here).get("/clients").status, 200);
    assert!(
        !managed
            .api()
            .get("/api/v1/clients")
            .head
            .contains("access-control")
    );
}

fn m19_the_port_is_closed_when_the_broker_has_stopped<D: Serve>() {
    let managed = Managed::start::<D>();
    let address = managed.web;
    // An idle connection keeps nobody.
    let _idle = TcpStream::connect(address).unwrap();
    managed.served.handle.stop();
    managed.served.join();
    in_the_end(|| TcpListener::bind(address));
}

#[test]
fn a60_accounts_need_a_real_hash() {
    assert!(Account::new("u", "password").is_err());
    assert!(Account::new("u", "$argon2id$v=19$m=8,t=1,p=1$c2FsdHNhbHQ").is_err());
    assert!(Account::with_password("a:b", "x").is_err());
    let shown = format!("{:?}", Account::with_password("u", "hunter2").unwrap());
    assert!(shown.contains("\"u\"") && !shown.contains("argon2") && !shown.contains("hunter2"));
}
