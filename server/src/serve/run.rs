//! From options to a running broker, and to its end.

use super::{ServeError, listen, open_files};
use crate::{
    args::{LogFormat, Runtime, ServeArgs},
    log::{self, Log},
    signal,
};
use sanderling_core::config::Config;
use sanderling_mio::ListenError;
use std::{
    io::{self, Write},
    net::SocketAddr,
};
use tracing::{info, warn};

/// Serves until a signal.
pub(crate) fn serve(args: &ServeArgs) -> Result<(), ServeError> {
    let _written_to_the_end = log::start(args.log, args.log_level).map_err(ServeError::System)?;
    open_files::raise_limit();
    let addresses = listen::addresses(&args.listen)?;
    match args.runtime {
        Runtime::Mio => on_mio(&addresses, args.log),
    }
}

fn on_mio(addresses: &[SocketAddr], format: LogFormat) -> Result<(), ServeError> {
    let mut builder = sanderling_mio::Broker::builder()
        .config(Config::default())
        .hook(Log::new());
    for address in addresses {
        builder = builder
            .listen(&address.to_string())
            .map_err(|cause| bind(*address, cause))?;
    }
    let running = builder.start().map_err(ServeError::Driver)?;
    let handle = running.handle();
    signal::on_first(move || {
        info!("stopping");
        handle.stop();
    })
    .map_err(ServeError::System)?;
    announce(running.local_addrs(), format);
    running.join().map_err(ServeError::Driver)
}

/// Says where clients can connect: on standard output, because programs that start the broker wait for these lines.
fn announce(addresses: &[SocketAddr], format: LogFormat) {
    let mut output = io::stdout().lock();
    for address in addresses {
        if !address.ip().is_loopback() {
            warn!(
                %address,
                "listening without authentication: whoever can reach this address can read and write every topic"
            );
        }
        // Perhaps nobody reads it.
        let _ = writeln!(output, "listening on mqtt://{address}");
        if format == LogFormat::Json {
            info!(%address, version = env!("CARGO_PKG_VERSION"), "listening");
        }
    }
    let _ = output.flush();
}

fn bind(address: SocketAddr, cause: ListenError) -> ServeError {
    ServeError::Bind {
        address: address.to_string(),
        cause,
    }
}
