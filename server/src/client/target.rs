//! Where the broker is and what is spoken there, from single options or from one URL.

use super::ClientError;
use crate::args::ConnectArgs;
use fluent_uri::{
    Uri,
    component::Authority,
    pct_enc::{EStr, Encoder},
};
use sanderling_core::topic::{TopicFilter, TopicName};
use std::path::PathBuf;

const MQTT_PORT: u16 = 1883;
const MQTTS_PORT: u16 = 8883;
const HTTP_PORT: u16 = 80;
const HTTPS_PORT: u16 = 443;
/// The path that is asked for when a URL has none.
const WEBSOCKET_PATH: &str = "/mqtt";

#[derive(Clone, Eq, PartialEq)]
pub(super) struct Target {
    pub(super) place: Place,
    pub(super) has_tls: bool,
    /// What is asked for if WebSocket is spoken: path and query, as they stand in a request.
    pub(super) websocket_path: Option<String>,
    pub(super) username: Option<String>,
    pub(super) password: Option<String>,
    /// Of the URL.
    topic: Option<String>,
}

#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Place {
    /// An IPv6 address without brackets.
    Tcp(String, u16),
    Unix(PathBuf),
}

impl Target {
    pub(super) fn of(args: &ConnectArgs) -> Result<Self, ClientError> {
        let mut target = match (&args.url, &args.unix) {
            (Some(url), _) => {
                // The URL is not shown: there may be a password in it.
                Self::parse(url).map_err(|what| usage(format!("the URL of -L: {what}")))?
            }
            (None, Some(path)) => Self::plain(Place::Unix(path.clone())),
            (None, None) => Self::by_host_and_port(args),
        };
        if args.tls.is_asked_for() && !target.has_tls {
            return Err(usage(match target.place {
                Place::Tcp(..) => "options for TLS are of no use here: write mqtts:// or wss://",
                Place::Unix(_) => "options for TLS are of no use with a Unix socket",
            }));
        }
        for (mine, given, letter) in [
            (&mut target.username, &args.username, "-u"),
            (&mut target.password, &args.password, "-P"),
        ] {
            if mine.is_some() && given.is_some() {
                return Err(usage(format!(
                    "{letter} is given, and the same in the URL of -L"
                )));
            }
            *mine = mine.take().or_else(|| given.clone());
        }
        Ok(target)
    }

    fn plain(place: Place) -> Self {
        Self {
            place,
            has_tls: false,
            websocket_path: None,
            username: None,
            password: None,
            topic: None,
        }
    }

    fn by_host_and_port(args: &ConnectArgs) -> Self {
        let has_tls = args.tls.is_asked_for() || args.port == Some(MQTTS_PORT);
        let port = args.port.unwrap_or(default_port(has_tls, false));
        let host = args.host.as_deref().unwrap_or("localhost");
        Self {
            has_tls,
            ..Self::plain(Place::Tcp(host.to_owned(), port))
        }
    }

    fn parse(url: &str) -> Result<Self, String> {
        // A # begins a fragment in other URLs, but here it is a wildcard at the end of a topic.
        let (url, wildcard) = url.split_at(url.find('#').unwrap_or(url.len()));
        let uri = Uri::parse(url).map_err(|_| {
            "it is no URL; write mqtt://HOST:PORT/TOPIC, and special characters as %XX".to_owned()
        })?;
        let scheme = uri.scheme().as_str().to_ascii_lowercase();
        let (has_tls, has_websocket) = match &*scheme {
            "mqtt" | "tcp" => (false, false),
            "mqtts" | "tls" | "ssl" => (true, false),
            "ws" => (false, true),
            "wss" => (true, true),
            "unix" => return unix(&uri, wildcard),
            _ => return Err("the scheme is one of mqtt, mqtts, ws, wss and unix".to_owned()),
        };
        let authority = uri.authority().ok_or("the host is missing")?;
        let (username, password) = user(&authority)?;
        let mut target = Self {
            has_tls,
            username,
            password,
            ..Self::plain(place(&authority, default_port(has_tls, has_websocket))?)
        };
        if has_websocket {
            if !wildcard.is_empty() {
                return Err("# means nothing in a path".to_owned());
            }
            let path = match uri.path().as_str() {
                "" => WEBSOCKET_PATH,
                path => path,
            };
            let query = uri.query().map(|query| format!("?{query}"));
            target.websocket_path = Some(format!("{path}{}", query.unwrap_or_default()));
        } else {
            if uri.has_query() {
                return Err("in a topic ? is written as %3F".to_owned());
            }
            let path = decoded(uri.path())?;
            let topic = format!("{}{wildcard}", path.strip_prefix('/').unwrap_or(&path));
            target.topic = (!topic.is_empty()).then_some(topic);
        }
        Ok(target)
    }

    /// What complaints call the server.
    pub(super) fn peer(&self) -> String {
        match &self.place {
            Place::Tcp(host, port) => format!("{}:{port}", bracketed(host)),
            Place::Unix(path) => path.display().to_string(),
        }
    }

    /// The URL of the WebSocket request, if there is one.
    pub(super) fn websocket_url(&self) -> Option<String> {
        let path = self.websocket_path.as_ref()?;
        let Place::Tcp(host, port) = &self.place else {
            return None;
        };
        let scheme = if self.has_tls { "wss" } else { "ws" };
        let host = bracketed(host);
        Some(match *port == default_port(self.has_tls, true) {
            true => format!("{scheme}://{host}{path}"),
            false => format!("{scheme}://{host}:{port}{path}"),
        })
    }

    /// The topic to publish to: that of -t or of the URL.
    pub(super) fn topic_of(&self, given: Option<&str>) -> Result<String, ClientError> {
        let topic = match (given, &self.topic) {
            (Some(_), Some(_)) => {
                return Err(usage(
                    "the topic is given twice: with -t, and in the URL of -L",
                ));
            }
            (Some(topic), None) => topic,
            (None, Some(topic)) => topic,
            (None, None) => return Err(usage(NO_TOPIC)),
        };
        match TopicName::parse(topic) {
            Ok(_) => Ok(topic.to_owned()),
            Err(error) => Err(usage(format!("the topic {topic:?}: it {error}"))),
        }
    }

    /// The filters to subscribe to: those of -t and that of the URL.
    pub(super) fn filters_of(&self, given: &[String]) -> Result<Vec<String>, ClientError> {
        let filters: Vec<_> = self.topic.iter().chain(given).cloned().collect();
        if filters.is_empty() {
            return Err(usage(NO_TOPIC));
        }
        for filter in &filters {
            if let Err(error) = TopicFilter::parse(filter) {
                return Err(usage(format!("the topic {filter:?}: it {error}")));
            }
        }
        Ok(filters)
    }
}

const NO_TOPIC: &str = "the topic is missing: give it with -t, or as mqtt://HOST/TOPIC";

fn usage(what: impl Into<String>) -> ClientError {
    ClientError::Usage(what.into())
}

fn default_port(has_tls: bool, has_websocket: bool) -> u16 {
    match (has_tls, has_websocket) {
        (false, false) => MQTT_PORT,
        (true, false) => MQTTS_PORT,
        (false, true) => HTTP_PORT,
        (true, true) => HTTPS_PORT,
    }
}

fn unix(uri: &Uri<&str>, wildcard: &str) -> Result<Target, String> {
    let has_host = uri.authority().is_some_and(|one| !one.as_str().is_empty());
    if has_host || uri.has_query() || !wildcard.is_empty() || !uri.path().as_str().starts_with('/')
    {
        return Err("a Unix socket is written unix:///PATH".to_owned());
    }
    Ok(Target::plain(Place::Unix(decoded(uri.path())?.into())))
}

fn place(authority: &Authority<'_>, default_port: u16) -> Result<Place, String> {
    let host = authority.host();
    if host.is_empty() {
        return Err("the host is missing".to_owned());
    }
    let host = host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'))
        .unwrap_or(host);
    let port = authority
        .port_to_u16()
        .map_err(|_| "the port is a number up to 65535".to_owned())?;
    Ok(Place::Tcp(host.to_owned(), port.unwrap_or(default_port)))
}

fn user(authority: &Authority<'_>) -> Result<(Option<String>, Option<String>), String> {
    let Some(user) = authority.userinfo() else {
        return Ok((None, None));
    };
    Ok(match user.split_once(':') {
        Some((name, password)) => (Some(decoded(name)?), Some(decoded(password)?)),
        None => (Some(decoded(user)?), None),
    })
}

fn decoded<E: Encoder>(part: &EStr<E>) -> Result<String, String> {
    let text = part.decode().to_string();
    text.map(|text| text.into_owned())
        .map_err(|_| "there is something in it that is not UTF-8".to_owned())
}

fn bracketed(host: &str) -> String {
    match host.contains(':') {
        true => format!("[{host}]"),
        false => host.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(url: &str) -> Target {
        Target::parse(url).unwrap_or_else(|what| panic!("{url}: {what}"))
    }

    #[test]
    fn a_url_says_all_about_the_broker() {
        let target = parsed("mqtts://bob:s%3Acret@broker.lan:8884/home/%23");
        assert!(target.place == Place::Tcp("broker.lan".into(), 8884) && target.has_tls);
        assert_eq!(target.username.as_deref(), Some("bob"));
        assert_eq!(target.password.as_deref(), Some("s:cret"));
        assert_eq!(target.filters_of(&[]).unwrap(), ["home/#"]);
        assert_eq!(parsed("mqtt://h/+/#").filters_of(&[]).unwrap(), ["+/#"]);
        assert_eq!(parsed("mqtt://h/a%20b").topic_of(None).unwrap(), "a b");
    }

    #[test]
    fn each_scheme_has_its_port() {
        for (url, port) in [
            ("mqtt://[::1]", MQTT_PORT),
            ("mqtts://[::1]/t", MQTTS_PORT),
            ("ws://[::1]", HTTP_PORT),
            ("wss://[::1]/x", HTTPS_PORT),
            ("WSS://[::1]:9", 9),
        ] {
            let target = parsed(url);
            assert!(target.place == Place::Tcp("::1".into(), port), "{url}");
            assert_eq!(target.peer(), format!("[::1]:{port}"));
        }
    }

    #[test]
    fn websocket_keeps_its_path_as_it_is_written() {
        for (url, asked) in [
            ("ws://h", "ws://h/mqtt"),
            ("ws://h/", "ws://h/"),
            ("ws://h:80/a%20b?c=d", "ws://h/a%20b?c=d"),
            ("wss://u:p@h:80/x", "wss://h:80/x"),
        ] {
            assert_eq!(parsed(url).websocket_url().as_deref(), Some(asked));
        }
    }

    #[test]
    fn a_unix_socket_is_a_path() {
        let target = parsed("unix:///run/mqtt%20x.sock");
        assert!(target.place == Place::Unix("/run/mqtt x.sock".into()));
        assert_eq!(target.peer(), "/run/mqtt x.sock");
    }

    #[test]
    fn what_is_wrong_is_told_without_the_password() {
        for (url, part) in [
            ("http://u:s3cret@h", "mqtt, mqtts, ws, wss and unix"),
            ("mqtt://u:s3cret@", "host is missing"),
            ("mqtt://u:s3cret@h:99999", "65535"),
            ("mqtt://u:s3cret@h/a b", "%XX"),
            ("mqtt://u:s3cret@h/a?b", "%3F"),
            ("ws://u:s3cret@h/a#b", "#"),
            ("unix://run/x", "unix:///PATH"),
            ("nonsense", "no URL"),
        ] {
            let Err(what) = Target::parse(url) else {
                panic!("{url} is taken");
            };
            assert!(what.contains(part) && !what.contains("s3cret"), "{what}");
        }
    }

    #[test]
    fn a_topic_has_one_place() {
        let target = parsed("mqtt://h/a");
        assert!(target.topic_of(Some("b")).is_err());
        assert_eq!(target.filters_of(&["b".into()]).unwrap(), ["a", "b"]);
        assert!(parsed("mqtt://h/+").topic_of(None).is_err());
        assert!(parsed("ws://h/a").topic_of(None).is_err());
        assert!(parsed("mqtt://h/").filters_of(&[]).is_err());
    }
}
