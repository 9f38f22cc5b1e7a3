//! TLS as operators configure it and clients meet it.

use super::{
    pair::{Pair, transport},
    split::stream,
};
use rcgen::{CertificateParams, DnType, SanType, SerialNumber};
use rustls::{ClientConfig, HandshakeKind, ProtocolVersion};
use sanderling_core::broker::{Layer, Stage};
use sanderling_runtime::{
    ClientCertificates, Issuers, Listener, TlsFiles, TlsVersion, Transport, UsernameFrom,
    WebSocketOptions,
};
use sanderling_tests::peer::{Below, Certificates, Cut, Link};
use std::{fs, path::Path, sync::Arc};

/// An authority for one test.
fn authority(name: &str) -> Certificates {
    let directory = format!("{name}-{}", std::process::id());
    let made = Certificates::new(Path::new(env!("CARGO_TARGET_TMPDIR")).join(directory));
    made.issue("server", |params| {
        params.subject_alt_names = vec![dns("localhost")]
    });
    made
}

fn dns(name: &str) -> SanType {
    SanType::DnsName(name.try_into().unwrap())
}

fn secured(files: TlsFiles) -> Transport {
    Listener::tcp("x:1").tls(files).transport().unwrap()
}

/// A handshake and a CONNECT.
fn connected(transport: &Transport, config: Arc<ClientConfig>) -> Pair {
    let mut pair = Pair::new(transport, Link::with(Below::Tls, Cut::default(), config));
    pair.client.send(&stream(&[]));
    pair.talk();
    pair
}

fn mutual(made: &Certificates, username_from: Option<UsernameFrom>, revoked: &[&str]) -> TlsFiles {
    let issuers = Issuers {
        roots: made.path("ca.pem"),
        revoked: revoked.iter().map(|file| made.path(file)).collect(),
        username_from,
    };
    TlsFiles {
        clients: ClientCertificates::Required(issuers),
        ..made.server("server")
    }
}

#[test]
fn t2_both_versions_are_spoken_unless_the_older_is_refused() {
    let made = Certificates::get();
    for (version, expected) in [
        (&rustls::version::TLS12, ProtocolVersion::TLSv1_2),
        (&rustls::version::TLS13, ProtocolVersion::TLSv1_3),
    ] {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let mut roots = rustls::RootCertStore::empty();
        use rustls::pki_types::{CertificateDer, pem::PemObject};
        roots
            .add(CertificateDer::from_pem_file(made.path("ca.pem")).unwrap())
            .unwrap();
        let config = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&[version])
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let config = Arc::new(config);
        let pair = connected(&transport(Below::Tls), Arc::clone(&config));
        assert_eq!(pair.seen.packets.len(), 1);
        assert_eq!(pair.seen.stages, [Stage::Tls, Stage::Connect]);
        assert_eq!(
            pair.client.tls().unwrap().protocol_version(),
            Some(expected)
        );
        let strict = secured(TlsFiles {
            version_min: TlsVersion::V13,
            ..made.server("server")
        });
        let pair = connected(&strict, config);
        assert_eq!(
            pair.seen.fault.is_some(),
            expected == ProtocolVersion::TLSv1_2
        );
    }
}

#[test]
fn a10_bytes_that_are_no_tls_are_a_fault_of_that_layer() {
    for garbage in [
        &b"\x10\x0c\0\x04MQTT\x04\x02\0\0\0\0"[..],
        b"GET / HTTP/1.1\r\n\r\n",
    ] {
        let mut pair = Pair::new(
            &transport(Below::Tls),
            Link::new(Below::Nothing, Cut::default()),
        );
        pair.client.send(garbage);
        pair.talk();
        let fault = pair.seen.fault.unwrap();
        assert_eq!(
            (fault.layer, fault.what),
            (Layer::Tls, "bytes that are no TLS")
        );
        assert!(!pair.received.is_empty(), "an alert is sent");
    }
}

#[test]
fn a10_a_good_bye_right_after_the_hello_ends_it() {
    let mut pair = Pair::new(
        &transport(Below::Tls),
        Link::new(Below::Tls, Cut::default()),
    );
    let hello = pair.client.take_wire();
    let mut raw = Pair::new(
        &transport(Below::Tls),
        Link::new(Below::Nothing, Cut::default()),
    );
    raw.client.send(&hello);
    // An alert record: warning, close_notify.
    raw.client.send(&[21, 3, 3, 0, 2, 1, 0]);
    raw.talk();
    assert!(raw.seen.closed || raw.seen.fault.is_some());
    assert!(raw.seen.packets.is_empty());
}

#[test]
fn alpn_is_mqtt_and_nobody_has_to_use_it() {
    let config = |protocols: &[&[u8]]| {
        let mut config = (*Certificates::get().client_config(None)).clone();
        config.alpn_protocols = protocols.iter().map(|one| one.to_vec()).collect();
        Arc::new(config)
    };
    let transport = transport(Below::Tls);
    let pair = connected(&transport, config(&[b"h2", b"mqtt"]));
    assert_eq!(
        pair.client.tls().unwrap().alpn_protocol(),
        Some(&b"mqtt"[..])
    );
    let pair = connected(&transport, config(&[]));
    assert_eq!(pair.seen.packets.len(), 1);
    let pair = connected(&transport, config(&[b"h2"]));
    assert_eq!(
        pair.seen.fault.unwrap().what,
        "no application protocol in common (ALPN)"
    );
    // Its alert comes after the hello of the server.
    let told = pair.complaint.unwrap();
    assert!(told.contains("alert"), "{told}");
}

#[test]
fn of_several_certificates_the_client_gets_the_one_it_asks_for() {
    let made = authority("sni");
    made.issue("wild", |params| {
        params.subject_alt_names = vec![dns("*.example.org")]
    });
    made.issue("other", |params| {
        params.subject_alt_names = vec![dns("mqtt.example.net")]
    });
    let files = TlsFiles {
        certificates: ["server", "wild", "other"]
            .into_iter()
            .flat_map(|name| made.server(name).certificates)
            .collect(),
        ..made.server("server")
    };
    let transport = secured(files);
    let shown = |name: &str| {
        let config = made.client_config(None);
        let name = name.to_owned().try_into().unwrap();
        let client = rustls::ClientConnection::new(config, name).unwrap();
        let mut pair = Pair::new(&transport, Link::of(client));
        pair.client.send(&stream(&[]));
        pair.talk();
        pair.seen.packets.len() == 1
    };
    for name in ["localhost", "a.example.org", "MQTT.example.net"] {
        assert!(shown(name), "{name}");
    }
    assert!(!shown("a.b.example.org"), "a wildcard is one label");
    assert!(
        !shown("unknown.example.net"),
        "it gets the first, which is not made out to it"
    );
}

#[test]
fn t2_mutual_tls_lets_in_whom_the_issuer_vouches_for() {
    let made = authority("mutual");
    made.issue("pump", |params| {
        params.distinguished_name.push(DnType::CommonName, "pump-7");
    });
    let strangers = authority("strangers");
    strangers.issue("pump", |_| {});
    let transport = secured(mutual(&made, Some(UsernameFrom::CommonName), &[]));

    let pair = connected(&transport, made.client_config(Some("pump")));
    let identity = pair.seen.identity.unwrap();
    assert_eq!(identity.username.as_deref(), Some("pump-7"));
    assert!(!identity.certificate.is_empty());
    assert_eq!(pair.seen.packets.len(), 1);

    let pair = connected(&transport, made.client_config(None));
    assert_eq!(
        pair.seen.fault.unwrap().what,
        "the client presented no certificate"
    );

    let mut config = (*made.client_config(None)).clone();
    let theirs = strangers.client_config(Some("pump"));
    config.client_auth_cert_resolver = Arc::clone(&theirs.client_auth_cert_resolver);
    let pair = connected(&transport, Arc::new(config));
    assert!(pair.seen.fault.is_some() && pair.seen.packets.is_empty());
}

#[test]
fn a_certificate_may_be_optional() {
    let made = authority("optional");
    made.issue("pump", |params| {
        params.distinguished_name.push(DnType::CommonName, "pump-7");
    });
    let TlsFiles { clients, .. } = mutual(&made, Some(UsernameFrom::CommonName), &[]);
    let ClientCertificates::Required(issuers) = clients else {
        unreachable!()
    };
    let transport = secured(TlsFiles {
        clients: ClientCertificates::Optional(issuers),
        ..made.server("server")
    });
    let pair = connected(&transport, made.client_config(None));
    assert_eq!((pair.seen.identity, pair.seen.packets.len()), (None, 1));
    let pair = connected(&transport, made.client_config(Some("pump")));
    assert!(pair.seen.identity.is_some());
}

#[test]
fn a10_the_user_name_is_one_name_exactly() {
    let made = authority("names");
    let issue = |name: &str, describe: fn(&mut CertificateParams)| made.issue(name, describe);
    issue("full", |params| {
        params
            .distinguished_name
            .push(DnType::OrganizationName, "Sanderling");
        params.distinguished_name.push(DnType::CommonName, "pump 7");
        params.subject_alt_names = vec![
            dns("pump-7.example.org"),
            SanType::Rfc822Name("pump-7@example.org".try_into().unwrap()),
            SanType::URI("spiffe://example.org/pump/7".try_into().unwrap()),
        ];
    });
    issue("bare", |_| {});
    issue("two", |params| {
        params.distinguished_name.push(DnType::CommonName, "pump-7");
        params.subject_alt_names = vec![dns("a.example.org"), dns("b.example.org")];
    });
    let username = |name: &str, from| {
        let transport = secured(mutual(&made, Some(from), &[]));
        let pair = connected(&transport, made.client_config(Some(name)));
        match pair.seen.fault {
            None => Ok(pair.seen.identity.unwrap().username.clone().unwrap()),
            Some(fault) => Err(fault.what),
        }
    };
    for (from, name) in [
        (UsernameFrom::Subject, "O=Sanderling, CN=pump 7"),
        (UsernameFrom::CommonName, "pump 7"),
        (UsernameFrom::Dns, "pump-7.example.org"),
        (UsernameFrom::Email, "pump-7@example.org"),
        (UsernameFrom::Uri, "spiffe://example.org/pump/7"),
    ] {
        assert_eq!(username("full", from).as_deref(), Ok(name));
        assert!(username("bare", from).unwrap_err().contains("no name"));
    }
    assert!(
        username("two", UsernameFrom::Dns)
            .unwrap_err()
            .contains("several")
    );
}

#[test]
fn a_revoked_certificate_is_refused_and_without_a_list_nobody_knows() {
    let made = authority("revoked");
    for number in [7, 8] {
        made.issue(&format!("pump-{number}"), |params| {
            params.serial_number = Some(SerialNumber::from(number as u64));
        });
    }
    made.revoke("list", &[7]);
    let transport = secured(mutual(&made, None, &["list.crl"]));
    let pair = connected(&transport, made.client_config(Some("pump-7")));
    assert_eq!(
        pair.seen.fault.unwrap().what,
        "the client's certificate is revoked"
    );
    let pair = connected(&transport, made.client_config(Some("pump-8")));
    assert_eq!(pair.seen.packets.len(), 1);
}

#[test]
fn sessions_are_resumed_and_no_early_data_is_taken() {
    let mut config = (*Certificates::get().client_config(None)).clone();
    config.enable_early_data = true;
    let config = Arc::new(config);
    let transport = transport(Below::Tls);
    let kind = |pair: &Pair| pair.client.tls().unwrap().handshake_kind().unwrap();
    let first = connected(&transport, Arc::clone(&config));
    assert_eq!(kind(&first), HandshakeKind::Full);
    let second = connected(&transport, config);
    assert_eq!(kind(&second), HandshakeKind::Resumed);
    assert!(!second.client.tls().unwrap().is_early_data_accepted());
}

#[test]
fn t4_websocket_over_tls_asks_for_certificates_too() {
    let made = authority("wss");
    made.issue("pump", |_| {});
    let transport = Listener::tcp("x:1")
        .tls(mutual(&made, None, &[]))
        .websocket(WebSocketOptions::default())
        .transport()
        .unwrap();
    let connect = |name| {
        let config = made.client_config(name);
        let mut pair = Pair::new(&transport, Link::with(Below::Both, Cut::default(), config));
        pair.client.send(&stream(&[]));
        pair.talk();
        pair.seen
    };
    assert!(connect(None).fault.is_some());
    let seen = connect(Some("pump"));
    assert_eq!(seen.packets.len(), 1);
    assert_eq!(seen.stages, [Stage::Tls, Stage::Upgrade, Stage::Connect]);
}

#[test]
fn a_file_that_cannot_be_used_is_named_with_the_reason() {
    let made = authority("files");
    made.issue("other", |_| {});
    fs::write(made.path("empty.pem"), "").unwrap();
    fs::write(
        made.path("broken.pem"),
        "-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n",
    )
    .unwrap();
    let complaint = |chain: &str, key: &str| {
        let files = TlsFiles::new(made.path(chain), made.path(key));
        let listener = Listener::tcp("x:1").tls(files);
        listener.transport().unwrap_err().to_string()
    };
    for (chain, key, file, reason) in [
        (
            "none.pem",
            "server.key",
            "none.pem",
            "there is no such file",
        ),
        (
            "server.pem",
            "none.key",
            "none.key",
            "there is no such file",
        ),
        (
            "empty.pem",
            "server.key",
            "empty.pem",
            "no certificate in it",
        ),
        ("broken.pem", "server.key", "broken.pem", "no valid PEM"),
        (
            "server.pem",
            "server.pem",
            "server.pem",
            "no private key in it",
        ),
        (
            "server.pem",
            "other.key",
            "other.key",
            "does not belong to the certificate",
        ),
    ] {
        let complaint = complaint(chain, key);
        assert!(
            complaint.contains(file) && complaint.contains(reason),
            "{complaint}"
        );
    }
    let directory = complaint(".", "server.key");
    assert!(directory.contains("directory"), "{directory}");
}
