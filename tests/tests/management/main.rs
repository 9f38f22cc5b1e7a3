//! The management plugin on both drivers: its two faces, who may call, and what nobody is told.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod access;
mod api;
mod canary;
#[path = "../drivers/client.rs"]
#[allow(dead_code, reason = "the tests of drivers use the rest")]
mod client;
mod document;
mod lists;
mod seed;
mod seed_forms;
#[path = "../drivers/serve.rs"]
#[allow(dead_code, reason = "the tests of drivers use the rest")]
mod serve;
#[path = "../drivers/shipped.rs"]
mod shipped;
mod web;

use client::{Client, Received};
use sanderling_core::{
    packet::{ClientPacket, Connect, Properties, Version},
    reason::ReasonCode,
};
use sanderling_management::{Account, Management, Scope, Secret, Token};
use sanderling_runtime::Builder;
use serve::{Serve, Served};
use shipped::on_shipped_drivers;
use std::net::{SocketAddr, TcpListener};
use web::Web;

/// The login of the tests.
const USER: &str = "keeper";
const PASSWORD: &str = "a password of the tests";
/// Made with little work, so that tests need not do much.
const HASH: &str =
    "$argon2id$v=19$m=8,t=1,p=1$c2FsdCBvZiB0aGUgdGVzdA$s4fvprItYdYRrhD6QRUkOqVaVIxK7YcfcFdfR6GPZm0";

/// A broker and where it is managed.
struct Managed {
    served: Served,
    web: SocketAddr,
    token: Secret,
}

impl Managed {
    fn start<D: Serve>() -> Self {
        Self::start_with::<D>(|management| management, |builder| builder)
    }

    /// With a token for everything, an account, and what is asked for.
    fn start_with<D: Serve>(
        change: impl FnOnce(Management) -> Management,
        make: impl FnOnce(Builder<D>) -> Builder<D>,
    ) -> Self {
        let (token, secret) = Token::generate("tests", &Scope::ALL).unwrap();
        let account = Account::new(USER, HASH).unwrap();
        let (management, web) = at_any_port();
        let management = change(management.token(token).account(account));
        let builder = make(Builder::default()).plugin(management);
        let builder = builder.listen("127.0.0.1:0").unwrap();
        Self {
            served: D::serve(builder),
            web,
            token: secret,
        }
    }

    /// A client whose session stays.
    fn keep(&self, client_id: &str) -> Client {
        let mut client = Client::open(self.served.address, Version::V311);
        client.send(&ClientPacket::Connect(Box::new(Connect {
            clean_start: false,
            ..connect(client_id)
        })));
        assert_eq!(client.receive(), Received::ConnAck(ReasonCode::SUCCESS));
        client
    }

    /// One who has the token.
    fn api(&self) -> Web {
        Web::new(self.web).bearer(self.token.as_str())
    }

    /// One who has the account.
    fn seed(&self) -> Web {
        Web::new(self.web).basic(USER, PASSWORD)
    }
}

fn connect(client_id: &str) -> Connect<'_> {
    Connect {
        version: Version::V311,
        client_id,
        clean_start: true,
        keep_alive_s: 60,
        username: None,
        password: None,
        will: None,
        properties: Properties::EMPTY,
    }
}

/// The plugin at a port that the system chooses, and that.
fn at_any_port() -> (Management, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    (Management::on(listener), address)
}
