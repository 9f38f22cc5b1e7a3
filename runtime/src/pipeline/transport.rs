//! What the clients of one listener speak below MQTT.

use super::{Layers, Proxies, WebSocketOptions, tls};
use std::{net::SocketAddr, sync::Arc};

/// The layers of a listener. None at all for plain TCP.
#[derive(Clone, Debug, Default)]
pub struct Transport {
    /// Who must announce clients with a header of the PROXY protocol.
    pub(crate) proxies: Option<Arc<Proxies>>,
    pub(crate) tls: Option<Arc<tls::Server>>,
    pub(crate) websocket: Option<Arc<WebSocketOptions>>,
}

impl Transport {
    /// The layers of a new connection from `remote`; none if it speaks MQTT at once.
    pub fn layers(&self, remote: Option<SocketAddr>) -> Option<Box<Layers>> {
        let has_any = self.proxies.is_some() || self.tls.is_some() || self.websocket.is_some();
        has_any.then(|| Box::new(Layers::new(self, remote)))
    }
}
