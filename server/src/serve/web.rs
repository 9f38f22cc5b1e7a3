//! Where the HTTP servers of plugins listen.
//!
//! Who starts the command without `--listen` gets all that it usually serves, on loopback. A usual port that somebody
//! else has is then no reason not to serve MQTT; one that was asked for is.

use super::ServeError;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use tracing::warn;

/// Where one server is to listen.
pub(super) struct Place<'a> {
    /// What is served there, in words.
    pub(super) what: &'static str,
    /// The option that says where.
    pub(super) option: &'static str,
    /// Its value.
    pub(super) asked: Option<&'a str>,
    /// The usual port.
    pub(super) port: u16,
    /// It was asked for in another way, so that it is wanted at the usual port.
    pub(super) is_wanted: bool,
    /// It is served even if nobody asks for it.
    pub(super) is_usual: bool,
}

impl Place<'_> {
    /// Listens there; none if it is not to be served.
    pub(super) fn listen(&self) -> Result<Option<TcpListener>, ServeError> {
        let usual = SocketAddr::from((Ipv4Addr::LOCALHOST, self.port));
        let (address, is_wanted) = match self.asked {
            Some(asked) => (asked.to_owned(), true),
            None if self.is_wanted => (usual.to_string(), true),
            None if self.is_usual => (usual.to_string(), false),
            None => return Ok(None),
        };
        match TcpListener::bind(&address) {
            Ok(listener) => {
                self.warn_of_exposure(&listener);
                Ok(Some(listener))
            }
            Err(cause) if is_wanted => Err(ServeError::Web {
                option: self.option,
                address,
                cause,
            }),
            Err(cause) => {
                let (what, option) = (self.what, self.option);
                warn!(
                    "no {what}: cannot listen on {address}: {cause}; choose another with {option}"
                );
                Ok(None)
            }
        }
    }

    fn warn_of_exposure(&self, listener: &TcpListener) {
        let Ok(address) = listener.local_addr() else {
            return;
        };
        if !address.ip().is_loopback() {
            let what = self.what;
            warn!(%address, "{what} can be reached from other machines, and speaks without TLS: whoever listens on the way reads tokens");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(asked: Option<&str>, port: u16) -> Place<'_> {
        Place {
            what: "tests",
            option: "--tests",
            asked,
            port,
            is_wanted: false,
            is_usual: true,
        }
    }

    #[test]
    fn b1_a_usual_port_that_is_taken_is_no_reason_to_stop_and_one_that_was_asked_for_is() {
        let taken = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = taken.local_addr().unwrap();
        assert!(place(None, address.port()).listen().unwrap().is_none());
        let asked = address.to_string();
        let error = place(Some(&asked), 0).listen().unwrap_err().to_string();
        assert!(
            error.contains(&asked) && error.contains("--tests"),
            "{error}"
        );
        let wanted = Place {
            is_wanted: true,
            ..place(None, address.port())
        };
        assert!(wanted.listen().is_err());
    }

    #[test]
    fn b1_with_listeners_of_ones_own_nothing_else_is_served() {
        let unusual = Place {
            is_usual: false,
            ..place(None, 0)
        };
        assert!(unusual.listen().unwrap().is_none());
        let asked = place(Some("127.0.0.1:0"), 1).listen().unwrap();
        assert!(asked.is_some());
    }
}
