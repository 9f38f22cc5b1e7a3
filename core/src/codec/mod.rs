//! Control packets as bytes, in both directions and all three versions. It does no IO and knows no broker.

mod ack;
mod check;
mod connect;
mod decode;
mod encode;
mod error;
mod fixed_header;
mod ping;
mod properties;
mod publish;
mod read;
mod reasons;
mod rule;
mod subscribe;
mod write;

pub use ack::put_ack;
pub use decode::{DecodeLimits, Decoded, FromClient, FromServer, decode_again};
pub use encode::EncodeError;
pub use error::{DecodeError, DecodeErrorKind};
pub use ping::put_pingresp;
pub use publish::{PublishForm, publish_len, put_publish};
pub use subscribe::{put_suback, put_unsuback};
