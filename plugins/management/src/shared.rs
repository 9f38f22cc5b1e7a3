//! What all requests share.

use crate::{
    access::{Caller, Keys},
    api::Pulse,
    calls::{Calls, Trouble},
    roll::Roll,
};
use axum::{extract::FromRequestParts, http::request::Parts};
use sanderling_runtime::{Endpoint, Handle};
use std::{convert::Infallible, sync::Arc};

/// What all requests share.
pub(crate) struct Shared {
    pub(crate) handle: Handle,
    pub(crate) roll: Roll,
    pub(crate) keys: Keys,
    pub(crate) show_passwords: bool,
    pub(crate) pulse: Pulse,
    /// The OpenAPI document.
    pub(crate) document: bytes::Bytes,
}

/// As handlers get it.
pub(crate) type State = axum::extract::State<Arc<Shared>>;

impl Shared {
    /// The way to the broker for a request that begins now.
    pub(crate) fn calls(&self) -> Calls {
        Calls::begin(&self.handle)
    }

    /// The listener with this number.
    pub(crate) fn endpoint(&self, listener: u16) -> Option<&Endpoint> {
        self.handle.endpoints().get(usize::from(listener))
    }
}

/// Who sends the request, as the check before the handler found.
impl<S: Sync> FromRequestParts<S> for Caller {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        let caller = parts.extensions.get::<Self>();
        Ok(caller.cloned().expect("every request is checked before"))
    }
}

impl Trouble {
    /// What those are told who asked.
    pub(crate) const fn text(self) -> &'static str {
        match self {
            Self::Busy => "the broker gave no answer in time; try again later",
            Self::Stopped => "the broker has stopped",
        }
    }
}
