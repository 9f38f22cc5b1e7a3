//! From options to a running broker, and to its end.

use super::{ServeError, listen, open_files};
use crate::{
    args::{LogFormat, Runtime, ServeArgs},
    log::{self, Log},
    signal,
};
use sanderling_core::config::Config;
use sanderling_runtime::{Builder, Driver, Handle};
use std::{
    io::{self, Write},
    net::SocketAddr,
};
use tracing::{info, warn};

/// Serves until a signal.
pub(crate) fn serve(args: &ServeArgs) -> Result<(), ServeError> {
    let _written_to_the_end = log::start(args.log, args.log_level).map_err(ServeError::System)?;
    open_files::raise_limit();
    match args.runtime {
        Runtime::Mio => on_mio(args),
        Runtime::Tokio => on_tokio(args),
    }
}

fn on_mio(args: &ServeArgs) -> Result<(), ServeError> {
    let builder = prepare(sanderling_mio::Broker::builder(), args)?;
    let running = builder.start().map_err(ServeError::Driver)?;
    begin(running.handle(), running.local_addrs(), args.log)?;
    running.join().map_err(ServeError::Driver)
}

fn on_tokio(args: &ServeArgs) -> Result<(), ServeError> {
    let builder = prepare(sanderling_tokio::Broker::builder(), args)?;
    let mut threads = tokio::runtime::Builder::new_multi_thread();
    let threads = threads.enable_all().build().map_err(ServeError::System)?;
    threads.block_on(async {
        let running = builder.start().map_err(ServeError::Driver)?;
        begin(running.handle(), running.local_addrs(), args.log)?;
        running.join().await.map_err(ServeError::Driver)
    })
}

/// What every driver is given.
fn prepare<D: Driver>(builder: Builder<D>, args: &ServeArgs) -> Result<Builder<D>, ServeError> {
    let mut builder = builder.config(Config::default()).hook(Log::new());
    for address in listen::addresses(&args.listen)? {
        let address = address.to_string();
        let listening = builder.listen(&address);
        builder = listening.map_err(|cause| ServeError::Bind { address, cause })?;
    }
    Ok(builder)
}

/// What happens once clients can connect: first signals are heard, then it is told.
fn begin(handle: Handle, addresses: &[SocketAddr], format: LogFormat) -> Result<(), ServeError> {
    signal::on_first(move || {
        info!("stopping");
        handle.stop();
    })
    .map_err(ServeError::System)?;
    announce(addresses, format);
    Ok(())
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
