//! Who may call, and what: bearer tokens with scopes, and accounts for HTTP Basic.
//!
//! Nothing that would let somebody in is kept: of a token its SHA-256, of a password a slow hash.

mod account;
mod bucket;
mod credentials;
mod keys;
mod token;
mod token_file;

pub use account::{Account, AccountError};
pub(crate) use keys::{Caller, Denial, Keys};
pub use token::{Scope, Secret, Token};
pub use token_file::{Tokens, TokensError};
