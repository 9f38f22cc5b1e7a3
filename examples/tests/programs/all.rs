//! E5: configuration, hooks, WebSocket, plugins and log in one program.

use super::support::{Client, Program, Who, http};
use sanderling_core::{packet::QoS, reason::ReasonCode};

#[test]
fn e5_configuration_hooks_websocket_plugins_and_log_work_together() {
    let mut program = Program::start(env!("CARGO_BIN_EXE_all"), &["127.0.0.1:0"; 4]);
    let management = program.told("management on ");
    let metrics = program.told("metrics on ");
    let token = program.told("management token: ");
    let (mqtt, ws) = (program.url(), program.url());

    // Configuration.
    let mut plain = Client::connect(&mqtt, Who::new("plain"));
    assert_eq!(plain.keep_alive_s, Some(300));
    assert_eq!(plain.packet_bytes_max, Some(64 << 10));
    // Log.
    let line = program.stderr.expect("connected");
    assert!(line.contains("client=\"plain\""), "{line}");
    // Hooks and WebSocket.
    let mut page = Client::connect(&ws, Who::new("page"));
    plain.subscribe("#", QoS::AtLeastOnce);
    let refused = page.publish("private/a", "no", QoS::AtLeastOnce);
    assert_eq!(refused, ReasonCode::NOT_AUTHORIZED);
    let taken = page.publish("public/a", "yes", QoS::AtLeastOnce);
    assert_eq!(taken, ReasonCode::SUCCESS);
    assert_eq!(plain.message().payload, "yes");
    // Plugins.
    let (place, path) = metrics.rsplit_once('/').unwrap();
    let (status, text) = http(place, &format!("GET /{path}"), "", "");
    assert_eq!(status, 200);
    assert!(text.contains("\nsanderling_"), "{text}");
    let clients = "GET /api/v1/clients";
    let bearer = format!("Authorization: Bearer {token}\r\n");
    let (status, text) = http(&management, clients, &bearer, "");
    assert_eq!(status, 200);
    assert!(
        text.contains("\"plain\"") && text.contains("\"page\""),
        "{text}"
    );
    assert_eq!(http(&management, clients, "", "").0, 401);

    drop((plain, page));
    program.stop();
}
