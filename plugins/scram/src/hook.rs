//! SCRAM as a hook: which connection stands where, and whose it is. [MQTT 5.0, 4.12]
//!
//! ```text
//!              CONNECT                      AUTH: proven
//!   (nothing) ─────────▶ Challenged ────────────────────────▶ Authenticated
//!                             ▲                                    │
//!                             └────────── AUTH, same user ─────────┘
//! ```
//!
//! Whatever else happens, a connection is refused or ended, and nothing is kept of it.

use crate::{
    decoy::Decoys,
    exchange::Exchange,
    fault::Fault,
    message::{ClientFinal, ClientFirst},
    stored_key::StoredKey,
};
use base64::{Engine, engine::general_purpose::STANDARD};
use sanderling_core::{
    broker::Link,
    hooks::{AuthRuling, AuthStage, AuthStep, Context, HookSet, Hooks, Notice, Ruling},
    id::ConnId,
    packet::Connect,
    reason::ReasonCode,
};
use std::{collections::HashMap, fmt, io};

/// The Authentication Method of these clients.
pub const METHOD: &str = "SCRAM-SHA-256";

/// Bytes of the server's nonce. A multiple of 3: no padding in Base64.
const NONCE_BYTES: usize = 24;

/// Authenticates clients of MQTT 5.0 that name the method [`METHOD`].
///
/// Alone it lets a CONNECT without an enhanced authentication in, unless it is [`required`](Self::required). A CONNECT
/// need not have a user name; if it has one, that must be the user who authenticates, so that other hooks can rely on it.
pub struct ScramSha256 {
    lookup: Box<Lookup>,
    decoys: Decoys,
    is_required: bool,
    connections: HashMap<ConnId, Standing>,
}

type Lookup = dyn Fn(&str) -> Option<StoredKey> + Send;

/// Where a connection stands.
enum Standing {
    /// The client's answer is awaited.
    Challenged(Exchange),
    /// It is this user's.
    Authenticated(Box<str>),
}

impl ScramSha256 {
    /// Authenticates the users that `lookup` knows. It is asked for a name prepared with SASLprep, on the broker's
    /// thread: it must not block.
    ///
    /// # Errors
    /// If the system has no random bytes.
    pub fn new(lookup: impl Fn(&str) -> Option<StoredKey> + Send + 'static) -> io::Result<Self> {
        let mut secret = [0; 32];
        getrandom::fill(&mut secret)?;
        Ok(Self {
            lookup: Box::new(lookup),
            decoys: Decoys::new(secret),
            is_required: false,
            connections: HashMap::new(),
        })
    }

    /// Refuses every CONNECT without an enhanced authentication, so every one before MQTT 5.0. Otherwise these are for
    /// other hooks to judge.
    #[must_use]
    pub fn required(mut self) -> Self {
        self.is_required = true;
        self
    }

    /// What users that do not exist are challenged with, so that nobody can tell them from those who do.
    ///
    /// Give what the real keys have: bytes of salt and iterations. Otherwise these are 16 and
    /// [`ITERATIONS_MIN`](crate::ITERATIONS_MIN). Their salts follow from the secret: one that stays the same when the
    /// broker restarts keeps them the same, as those of real users are. Otherwise it is made by [`new`](Self::new).
    #[must_use]
    pub fn decoys(mut self, secret: [u8; 32], salt_bytes: u8, iterations: u32) -> Self {
        self.decoys = Decoys {
            secret,
            salt_bytes,
            iterations,
        };
        self
    }

    /// The next step, given where the connection stood.
    fn advance(&self, step: &AuthStep<'_>, stood: Option<Standing>) -> Result<Step, Fault> {
        let data = step.data.ok_or(Fault::Malformed)?;
        match (step.stage, stood) {
            (AuthStage::Begin, None) => self.challenge(data, step.username),
            (AuthStage::Again, Some(Standing::Authenticated(user))) => {
                self.challenge(data, Some(&user))
            }
            (AuthStage::Continue, Some(Standing::Challenged(exchange))) => {
                let proof = exchange.verify(&ClientFinal::parse(data)?)?;
                let ruling = AuthRuling::Succeed(Some(proof.into()));
                Ok((Standing::Authenticated(exchange.user), ruling))
            }
            _ => Err(Fault::Malformed),
        }
    }

    /// Challenges a client that may be no other user than `expected`.
    fn challenge(&self, data: &[u8], expected: Option<&str>) -> Result<Step, Fault> {
        let first = ClientFirst::parse(data)?;
        if expected.is_some_and(|user| *user != *first.user) {
            return Err(Fault::Unproven);
        }
        // Made for everybody, so that it takes no longer for strangers.
        let decoy = self.decoys.key(&first.user);
        let key = (self.lookup)(&first.user).unwrap_or(decoy);
        let (exchange, challenge) = Exchange::challenge(first, &nonce()?, key);
        let ruling = AuthRuling::Continue(challenge.into());
        Ok((Standing::Challenged(exchange), ruling))
    }
}

/// Where a connection stands now, and what its client is answered.
type Step = (Standing, AuthRuling);

fn nonce() -> Result<String, Fault> {
    let mut bytes = [0; NONCE_BYTES];
    getrandom::fill(&mut bytes).map_err(|_| Fault::NoRandomness)?;
    Ok(STANDARD.encode(bytes))
}

impl Hooks for ScramSha256 {
    fn wants(&self) -> HookSet {
        let wanted = HookSet::AUTHENTICATE | HookSet::NOTICE;
        match self.is_required {
            true => wanted | HookSet::CONNECT,
            false => wanted,
        }
    }

    fn connect(&mut self, _link: &Link, connect: &Connect<'_>, _: &mut Context<'_>) -> Ruling {
        match connect.properties.authentication_method() {
            None if self.is_required => Ruling::Refuse(ReasonCode::NOT_AUTHORIZED),
            _ => Ruling::Permit,
        }
    }

    fn authenticate(
        &mut self,
        _link: &Link,
        step: &AuthStep<'_>,
        _: &mut Context<'_>,
    ) -> AuthRuling {
        if step.method != METHOD {
            return AuthRuling::UnknownMethod;
        }
        let stood = self.connections.remove(&step.conn);
        match self.advance(step, stood) {
            Ok((stands, ruling)) => {
                self.connections.insert(step.conn, stands);
                ruling
            }
            Err(fault) => AuthRuling::Refuse(fault.reason()),
        }
    }

    fn notice(&mut self, notice: &Notice<'_>, _: &mut Context<'_>) {
        if let Notice::Ended { conn, .. } = notice {
            self.connections.remove(conn);
        }
    }
}

impl fmt::Debug for ScramSha256 {
    /// Shows no secret, only how many connections are known.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ScramSha256")
            .field("is_required", &self.is_required)
            .field("connections", &self.connections.len())
            .finish_non_exhaustive()
    }
}
