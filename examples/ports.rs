//! Two ports: MQTT as it is, and under TLS. Clients of both share sessions and subscriptions.
//!
//! ```sh
//! cargo run -- cert     # makes an authority and a server's certificate in certs/
//! cargo run -p sanderling-examples --bin ports -- 127.0.0.1:1883 127.0.0.1:8883 certs
//! cargo run -- sub -h localhost --cafile certs/ca.pem -t '#' -v
//! cargo run -- pub -t hello -m world
//! ```

use sanderling_examples::{Failure, announce, arguments, on_signal};
use sanderling_mio::{Broker, Listener};
use sanderling_runtime::TlsFiles;
use std::path::Path;

fn main() -> Result<(), Failure> {
    let [plain, tls, certificates] = arguments(["127.0.0.1:1883", "127.0.0.1:8883", "certs"]);
    let certificates = Path::new(&certificates);
    let files = TlsFiles::new(
        certificates.join("server.pem"),
        certificates.join("server.key"),
    );
    // With names, hooks can be for the clients of one listener only (`hook_on`), and metrics tell them apart.
    let broker = Broker::builder()
        .listener(Listener::tcp(plain).named("plain"))?
        .listener(Listener::tcp(tls).named("tls").tls(files))?
        .start()?;
    let handle = broker.handle();
    on_signal(move || handle.stop())?;
    announce(broker.endpoints());
    broker.join()?;
    Ok(())
}
