//! Malformed packets over real sockets, to each driver: the answer is the same as without any, byte for byte, however the
//! bytes come, and one client after the other breaks its connection without harm to the broker.

mod worlds;

use sanderling_core::packet::Version;
use sanderling_tests::{
    conformance::{Row, Stage},
    peer::Below,
    story::{Direct, Manner, Settings, Way, World},
};
use worlds::Visit;

/// The rows that a client may send, of both versions.
fn rows() -> Vec<Row> {
    let rows = Row::parse(include_str!("../../core/tests/codec_malformed.txt"));
    let mut rows = rows.unwrap_or_else(|wrong| panic!("{wrong}"));
    rows.retain(|row| row.stage != Stage::Server);
    for version in [Version::V311, Version::V5] {
        let of_it = rows.iter().filter(|row| row.version == version);
        assert!(of_it.count() > 40, "{version:?}");
    }
    rows
}

fn send_all(over: impl FnOnce(&Settings, Way, Visit<'_>), way: Way) {
    let settings = Settings::default();
    over(&settings, way, &mut |world| {
        for row in rows() {
            let mut direct = Direct::new(&settings, Manner::Prompt, 1);
            let answer = |world: &mut dyn World| {
                let answer = row.send(world);
                answer.unwrap_or_else(|wrong| panic!("{wrong}"))
            };
            assert_eq!(answer(world), answer(&mut direct), "{}", row.name);
        }
    });
}

/// [T10]
#[test]
fn on_mio() {
    send_all(worlds::over_mio, Way::TCP);
}

/// [T10]
#[test]
fn on_tokio() {
    send_all(worlds::over_tokio, Way::TCP);
}

/// [T10]
#[test]
fn on_async_std() {
    send_all(worlds::over_async_std, Way::TCP);
}

#[test]
fn on_mio_in_frames_under_tls() {
    send_all(worlds::over_mio, Way::tcp(Below::Both));
}

#[test]
fn on_tokio_in_frames_under_tls() {
    send_all(worlds::over_tokio, Way::tcp(Below::Both));
}
