//! The layers below MQTT: the same packets whatever the transport and however its bytes are cut, and TLS as operators
//! and clients meet it.

mod pair;
mod reload;
mod split;
mod tls;
