//! Listeners by URL: `mqtts://0.0.0.0:8883?cert=server.pem&key=server.key`.

use super::{Listener, Place};
#[cfg(feature = "tls")]
use crate::{CertificateFiles, ClientCertificates, Issuers, TlsFiles, TlsVersion, UsernameFrom};
use crate::{Proxies, WebSocketOptions};
use fluent_uri::UriRef;
use ipnet::IpNet;
use std::{error::Error, fmt, net::IpAddr, num::NonZeroU32, str::FromStr, time::Duration};

/// What is spoken, by the scheme.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Scheme {
    Mqtt,
    Mqtts,
    Ws,
    Wss,
    Unix,
}

/// The parameters there are, with what they mean in a few words.
pub(super) const PARAMETERS: &[(&str, &str)] = &[
    ("name", "what the listener is called"),
    ("cert", "PEM file of the certificate and its issuers"),
    ("key", "PEM file of the certificate's key"),
    (
        "client-ca",
        "PEM file of those who issue clients' certificates",
    ),
    ("client-cert", "required or optional"),
    ("crl", "PEM file of revoked certificates"),
    (
        "username",
        "subject, cn, dns, email or uri: the name in the certificate that is the user name",
    ),
    ("tls-min", "1.2 or 1.3"),
    ("path", "another path that is served"),
    ("origin", "an origin whose web pages may connect"),
    (
        "proxy",
        "address or network of a proxy that sends PROXY headers",
    ),
    ("anonymous", "true or false"),
    ("mode", "permissions of a Unix socket, such as 660"),
    ("connections-max", "a number"),
    ("packet-bytes-max", "a number"),
    ("keep-alive-max", "seconds"),
    ("receive-maximum", "a number"),
    ("topic-alias-maximum", "a number"),
    ("inflight-max", "a number"),
    ("proxy-deadline", "seconds"),
    ("tls-deadline", "seconds"),
    ("upgrade-deadline", "seconds"),
    ("connect-deadline", "seconds"),
];

impl Listener {
    /// A listener by URL, or plain TCP by `HOST:PORT`.
    ///
    /// The scheme says what is spoken: `mqtt`, `mqtts` (TLS), `ws`, `wss` (WebSocket, without and with TLS) or `unix`.
    /// The path is that of WebSocket, or the file of the Unix socket. The rest are parameters: `name`, `cert`, `key`,
    /// `client-ca`, `client-cert`, `crl`, `username`, `tls-min`, `path`, `origin`, `proxy`, `anonymous`, `mode`,
    /// `connections-max`, `packet-bytes-max`, `keep-alive-max`, `receive-maximum`, `topic-alias-maximum`, `inflight-max`,
    /// `proxy-deadline`, `tls-deadline`, `upgrade-deadline`, `connect-deadline`. Those of files, paths, origins and proxies
    /// may be repeated.
    ///
    /// # Errors
    /// What is not understood, and what would be.
    pub fn parse(text: &str) -> Result<Self, UrlError> {
        if !text.contains("://") {
            return Ok(Self::tcp(text));
        }
        Url::parse(text)?.listener().map_err(|what| UrlError {
            url: text.to_owned(),
            what,
        })
    }
}

/// A URL in its parts.
struct Url {
    scheme: Scheme,
    authority: String,
    has_port: bool,
    path: String,
    parameters: Parameters,
}

impl Url {
    fn parse(text: &str) -> Result<Self, UrlError> {
        let failed = |what: String| UrlError {
            url: text.to_owned(),
            what,
        };
        let uri = UriRef::parse(text)
            .map_err(|error| failed(format!("{error}; write special characters as %XX")))?;
        let scheme = uri
            .scheme()
            .map(|scheme| scheme.as_str().to_ascii_lowercase());
        let scheme = match scheme.as_deref() {
            Some("mqtt" | "tcp") => Scheme::Mqtt,
            Some("mqtts" | "tls" | "ssl") => Scheme::Mqtts,
            Some("ws") => Scheme::Ws,
            Some("wss") => Scheme::Wss,
            Some("unix") => Scheme::Unix,
            _ => {
                let what = "the scheme is one of mqtt, mqtts, ws, wss and unix";
                return Err(failed(what.into()));
            }
        };
        let decoded = |bytes: Result<std::borrow::Cow<'_, str>, Vec<u8>>| {
            bytes
                .map(|text| text.into_owned())
                .map_err(|_| failed("it is not UTF-8".into()))
        };
        let mut parameters = Vec::new();
        if let Some(query) = uri.query() {
            for part in query.split('&').filter(|part| !part.is_empty()) {
                let (key, value) = part
                    .split_once('=')
                    .ok_or_else(|| failed(format!("{part} has no value")))?;
                let pair = (
                    decoded(key.decode().to_string())?,
                    decoded(value.decode().to_string())?,
                );
                parameters.push(pair);
            }
        }
        let authority = uri.authority();
        Ok(Self {
            scheme,
            authority: authority
                .map(|one| one.as_str().to_owned())
                .unwrap_or_default(),
            has_port: authority.is_some_and(|one| one.port().is_some_and(|port| !port.is_empty())),
            path: decoded(uri.path().decode().to_string())?,
            parameters: Parameters(parameters),
        })
    }

    fn listener(mut self) -> Result<Listener, String> {
        let mut listener = Listener::at(self.place()?);
        let parameters = &mut self.parameters;
        listener.name = parameters.take("name")?;
        let proxies =
            parameters.all("proxy", |text| network(text).ok_or("an address or network"))?;
        if !proxies.is_empty() {
            listener.proxies = Some(Proxies::new(proxies));
        }
        if let Some(anonymous) = parameters.parsed("anonymous", "true or false")? {
            listener.anonymous = anonymous;
        }
        let limits = &mut listener.limits;
        limits.connections_max = parameters.parsed("connections-max", "a number")?;
        limits.packet_bytes_max = parameters.parsed("packet-bytes-max", "a number")?;
        limits.keep_alive_max_s = parameters.parsed("keep-alive-max", "seconds, up to 65535")?;
        limits.receive_maximum = parameters.parsed("receive-maximum", "1 to 65535")?;
        limits.topic_alias_maximum = parameters.parsed("topic-alias-maximum", "0 to 65535")?;
        limits.inflight_max = parameters.parsed("inflight-max", "1 to 65535")?;
        limits.proxy_deadline = parameters.seconds("proxy-deadline")?;
        limits.tls_deadline = parameters.seconds("tls-deadline")?;
        limits.upgrade_deadline = parameters.seconds("upgrade-deadline")?;
        limits.connect_deadline = parameters.seconds("connect-deadline")?;
        if matches!(self.scheme, Scheme::Ws | Scheme::Wss) {
            listener.websocket = Some(self.websocket()?);
        }
        if matches!(self.scheme, Scheme::Mqtts | Scheme::Wss) {
            self.secure(&mut listener)?;
        }
        self.parameters.nothing_is_left(self.scheme)?;
        Ok(listener)
    }

    fn place(&mut self) -> Result<Place, String> {
        if self.scheme == Scheme::Unix {
            if !self.authority.is_empty() || !self.path.starts_with('/') {
                return Err("the path of a Unix socket is absolute: unix:///run/mqtt.sock".into());
            }
            let octal = |text: &str| u32::from_str_radix(text, 8).map_err(|_| "an octal number");
            return Ok(Place::Unix {
                path: self.path.clone().into(),
                mode: self.parameters.all("mode", octal)?.pop(),
            });
        }
        if self.authority.contains('@') {
            return Err("a listener has no user".into());
        }
        let default_port = match self.scheme {
            Scheme::Mqtt => "1883",
            Scheme::Mqtts => "8883",
            _ if self.has_port => "",
            _ => return Err("the port is missing".into()),
        };
        if matches!(self.scheme, Scheme::Mqtt | Scheme::Mqtts) && !matches!(&*self.path, "" | "/") {
            return Err("only WebSocket has a path".into());
        }
        Ok(Place::Tcp(match self.has_port {
            true => self.authority.clone(),
            false => format!("{}:{default_port}", self.authority.trim_end_matches(':')),
        }))
    }

    fn websocket(&mut self) -> Result<WebSocketOptions, String> {
        let mut options = WebSocketOptions::default();
        let mut paths = self.parameters.all("path", |text| Ok(text.to_owned()))?;
        if !self.path.is_empty() {
            paths.insert(0, self.path.clone());
        }
        if !paths.is_empty() {
            options.paths = paths;
        }
        options.origins = self.parameters.all("origin", |text| Ok(text.to_owned()))?;
        Ok(options)
    }

    #[cfg(not(feature = "tls"))]
    fn secure(&mut self, _: &mut Listener) -> Result<(), String> {
        Err("this program was built without TLS".into())
    }

    #[cfg(feature = "tls")]
    fn secure(&mut self, listener: &mut Listener) -> Result<(), String> {
        let parameters = &mut self.parameters;
        let chains = parameters.all("cert", |text| Ok(text.to_owned()))?;
        let keys = parameters.all("key", |text| Ok(text.to_owned()))?;
        if chains.is_empty() || chains.len() != keys.len() {
            return Err("TLS needs cert=FILE and key=FILE, as many of one as of the other".into());
        }
        let certificates = chains.into_iter().zip(keys);
        let certificates = certificates.map(|(chain, key)| CertificateFiles {
            chain: chain.into(),
            key: key.into(),
        });
        listener.tls = Some(TlsFiles {
            certificates: certificates.collect(),
            clients: clients(parameters)?,
            version_min: match parameters.take("tls-min")?.as_deref() {
                None | Some("1.2") => TlsVersion::V12,
                Some("1.3") => TlsVersion::V13,
                Some(other) => return Err(format!("tls-min is 1.2 or 1.3, not {other}")),
            },
        });
        Ok(())
    }
}

#[cfg(feature = "tls")]
fn clients(parameters: &mut Parameters) -> Result<ClientCertificates, String> {
    let revoked = parameters.all("crl", |text| Ok(text.into()))?;
    let username_from = match parameters.take("username")?.as_deref() {
        None => None,
        Some("subject") => Some(UsernameFrom::Subject),
        Some("cn") => Some(UsernameFrom::CommonName),
        Some("dns") => Some(UsernameFrom::Dns),
        Some("email") => Some(UsernameFrom::Email),
        Some("uri") => Some(UsernameFrom::Uri),
        Some(other) => {
            return Err(format!(
                "username is subject, cn, dns, email or uri, not {other}"
            ));
        }
    };
    let mode = parameters.take("client-cert")?;
    let Some(roots) = parameters.take("client-ca")? else {
        if mode.is_some() || username_from.is_some() || !revoked.is_empty() {
            return Err("client-cert, crl and username need client-ca=FILE".into());
        }
        return Ok(ClientCertificates::None);
    };
    let issuers = Issuers {
        roots: roots.into(),
        revoked,
        username_from,
    };
    match mode.as_deref() {
        None | Some("required") => Ok(ClientCertificates::Required(issuers)),
        Some("optional") => Ok(ClientCertificates::Optional(issuers)),
        Some(other) => Err(format!("client-cert is required or optional, not {other}")),
    }
}

fn network(text: &str) -> Option<IpNet> {
    let address = text.parse::<IpAddr>().map(IpNet::from);
    address.or_else(|_| text.parse()).ok()
}

/// Parameters that were not looked at yet.
struct Parameters(Vec<(String, String)>);

impl Parameters {
    /// The values of all parameters with this name, and what they should be if one is not.
    fn all<T>(
        &mut self,
        name: &str,
        parse: impl Fn(&str) -> Result<T, &'static str>,
    ) -> Result<Vec<T>, String> {
        let (these, others) = core::mem::take(&mut self.0)
            .into_iter()
            .partition(|(key, _)| key == name);
        self.0 = others;
        let these: Vec<(String, String)> = these;
        these
            .iter()
            .map(|(_, value)| {
                parse(value).map_err(|right| format!("{name} is {right}, not {value:?}"))
            })
            .collect()
    }

    /// The value of a parameter that may come once.
    fn take(&mut self, name: &str) -> Result<Option<String>, String> {
        let mut all = self.all(name, |text| Ok(text.to_owned()))?;
        match all.len() {
            0 | 1 => Ok(all.pop()),
            _ => Err(format!("{name} is given twice")),
        }
    }

    fn parsed<T: FromStr>(&mut self, name: &str, right: &'static str) -> Result<Option<T>, String> {
        let text = self.take(name)?;
        text.map(|text| {
            text.parse()
                .map_err(|_| format!("{name} is {right}, not {text:?}"))
        })
        .transpose()
    }

    /// A deadline: whole seconds, of which there are some.
    fn seconds(&mut self, name: &str) -> Result<Option<Duration>, String> {
        let seconds: Option<NonZeroU32> = self.parsed(name, "seconds, at least 1")?;
        Ok(seconds.map(|seconds| Duration::from_secs(seconds.get().into())))
    }

    fn nothing_is_left(self, scheme: Scheme) -> Result<(), String> {
        let Some((name, _)) = self.0.first() else {
            return Ok(());
        };
        if PARAMETERS.iter().any(|(known, _)| known == name) {
            return Err(format!("{name} means nothing to {scheme:?}").to_lowercase());
        }
        let known: Vec<_> = PARAMETERS.iter().map(|(name, _)| *name).collect();
        Err(format!(
            "{name} is no parameter; there are: {}",
            known.join(", ")
        ))
    }
}

/// Why a URL is no listener.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct UrlError {
    url: String,
    what: String,
}

impl fmt::Display for UrlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot listen on {}: {}", self.url, self.what)
    }
}

impl Error for UrlError {}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(url: &str) -> Listener {
        Listener::parse(url).unwrap_or_else(|error| panic!("{error}"))
    }

    fn complaint(url: &str) -> String {
        Listener::parse(url).unwrap_err().to_string()
    }

    fn tcp(listener: &Listener) -> &str {
        match &listener.place {
            Place::Tcp(address) => address,
            _ => panic!("an address is expected"),
        }
    }

    #[test]
    fn a_host_and_port_is_plain_tcp() {
        assert_eq!(tcp(&parsed("localhost:1884")), "localhost:1884");
        assert_eq!(tcp(&parsed("mqtt://[::1]:1884")), "[::1]:1884");
        assert_eq!(tcp(&parsed("mqtt://[::1]")), "[::1]:1883");
    }

    #[test]
    fn websocket_has_paths_and_origins() {
        let listener = parsed("ws://0.0.0.0:8080/broker?path=/mqtt&origin=https://example.org");
        let options = listener.websocket.unwrap();
        assert_eq!(options.paths, ["/broker", "/mqtt"]);
        assert_eq!(options.origins, ["https://example.org"]);
        let options = parsed("ws://0.0.0.0:8080").websocket.unwrap();
        assert_eq!(options.paths, ["/ws", "/mqtt"]);
    }

    #[cfg(feature = "tls")]
    #[test]
    fn tls_names_its_files() {
        let listener = parsed(
            "mqtts://0.0.0.0?cert=a.pem&key=a.key&cert=b%20c.pem&key=b.key&client-ca=ca.pem\
             &client-cert=optional&crl=x.pem&username=cn&tls-min=1.3",
        );
        assert_eq!(tcp(&listener), "0.0.0.0:8883");
        let files = listener.tls.unwrap();
        assert_eq!(files.certificates[1].chain.to_str(), Some("b c.pem"));
        assert_eq!(files.version_min, TlsVersion::V13);
        let ClientCertificates::Optional(issuers) = files.clients else {
            panic!("clients may show certificates");
        };
        assert_eq!(issuers.username_from, Some(UsernameFrom::CommonName));
        assert_eq!(issuers.revoked.len(), 1);
    }

    #[test]
    fn a_unix_socket_is_a_file() {
        let listener = parsed("unix:///run/mqtt%20x.sock?mode=660&name=local");
        assert!(matches!(
            listener.place,
            Place::Unix { ref path, mode: Some(0o660) } if path.to_str() == Some("/run/mqtt x.sock")
        ));
        assert_eq!(listener.name.as_deref(), Some("local"));
    }

    #[test]
    fn limits_and_proxies_are_a_listeners_own() {
        let listener =
            parsed("mqtt://h:1?connections-max=7&proxy=10.0.0.0/8&proxy=::1&anonymous=false");
        assert_eq!(listener.limits.connections_max, Some(7));
        assert!(listener.proxies.is_some() && !listener.anonymous);
    }

    #[test]
    fn each_stage_has_a_deadline() {
        let listener = parsed(
            "mqtt://h:1?proxy-deadline=1&tls-deadline=2&upgrade-deadline=3&connect-deadline=4",
        );
        let limits = listener.limits;
        let deadlines = [
            limits.proxy_deadline,
            limits.tls_deadline,
            limits.upgrade_deadline,
            limits.connect_deadline,
        ];
        assert_eq!(
            deadlines,
            [1, 2, 3, 4].map(|s| Some(Duration::from_secs(s)))
        );
    }

    #[test]
    fn what_is_not_understood_is_named_with_what_would_be() {
        for (url, part) in [
            ("http://h:1", "mqtt, mqtts, ws, wss and unix"),
            (
                "mqtt://h:1?certt=x",
                "certt is no parameter; there are: name, cert",
            ),
            ("mqtt://h:1?cert=x", "cert means nothing to mqtt"),
            ("mqtt://h:1/path", "only WebSocket has a path"),
            ("ws://h/ws", "port is missing"),
            ("unix://run/mqtt.sock", "absolute"),
            ("mqtt://h:1?name=a&name=b", "name is given twice"),
            ("mqtt://h:1?proxy=everybody", "address or network"),
            ("mqtt://h:1?anonymous=maybe", "true or false"),
            ("mqtt://h:1?anonymous", "anonymous has no value"),
            ("mqtt://h:1?connect-deadline=0", "seconds, at least 1"),
            ("mqtt://u@h:1", "no user"),
            ("mqtt://h:1?name=a b", "%XX"),
        ] {
            let complaint = complaint(url);
            assert!(complaint.contains(part), "{complaint}");
        }
    }

    #[cfg(feature = "tls")]
    #[test]
    fn tls_without_files_is_refused() {
        assert!(complaint("mqtts://h").contains("cert=FILE and key=FILE"));
        assert!(complaint("wss://h:1?cert=x").contains("as many"));
        assert!(complaint("mqtts://h?cert=x&key=y&username=cn").contains("client-ca"));
    }
}
