//! From options to a running broker, and to its end.

use super::{ServeError, certificates, listen, management, metrics, open_files};
use crate::{
    args::{LogFormat, Runtime, ServeArgs},
    log, signal,
};
use sanderling_core::config::Config;
use sanderling_runtime::{Builder, CertificatesWatch, Driver, Endpoint, Handle, Log};
use sanderling_sys::Sys;
use std::{
    io::{self, Write},
    time::Duration,
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
    let busy_poll = Duration::from_micros(args.busy_poll.into());
    let builder = sanderling_mio::Broker::builder();
    let builder = builder.driver_options(sanderling_mio::Options { busy_poll });
    let (builder, told) = prepare(builder, args)?;
    let running = builder.start().map_err(ServeError::Driver)?;
    let _watch = begin(&running.handle(), running.endpoints(), &told, args.log)?;
    running.join().map_err(ServeError::Driver)
}

fn on_tokio(args: &ServeArgs) -> Result<(), ServeError> {
    if args.busy_poll > 0 {
        return Err(ServeError::BusyPoll);
    }
    let (builder, told) = prepare(sanderling_tokio::Broker::builder(), args)?;
    let mut threads = tokio::runtime::Builder::new_multi_thread();
    let threads = threads.enable_all().build().map_err(ServeError::System)?;
    threads.block_on(async {
        let running = builder.start().map_err(ServeError::Driver)?;
        let _watch = begin(&running.handle(), running.endpoints(), &told, args.log)?;
        running.join().await.map_err(ServeError::Driver)
    })
}

/// What every driver is given, and what is to be told of the plugins.
fn prepare<D: Driver>(
    builder: Builder<D>,
    args: &ServeArgs,
) -> Result<(Builder<D>, Vec<String>), ServeError> {
    let mut builder = builder.config(Config::default()).hook(Log::default());
    for listener in listen::listeners(&args.listen)? {
        builder = builder.listener(listener).map_err(ServeError::Listen)?;
    }
    let mut told = Vec::new();
    // Plugins with servers of their own: each says where, by `web::Place`, and what is told of it.
    if let Some(managed) = management::prepare(args)? {
        builder = builder.plugin(managed.plugin);
        told.extend(managed.told);
    }
    if let Some(measured) = metrics::prepare(args)? {
        builder = builder.plugin(measured.plugin);
        told.push(measured.told);
    }
    let interval = Duration::from_secs(args.sys_interval.into());
    builder = builder.plugin(Sys::new().interval(interval));
    Ok((builder, told))
}

/// What happens once clients can connect: first signals are heard and files watched, then it is told. Files are watched
/// as long as the result is kept.
fn begin(
    handle: &Handle,
    endpoints: &[Endpoint],
    told: &[String],
    format: LogFormat,
) -> Result<Option<CertificatesWatch>, ServeError> {
    let stopped = handle.clone();
    signal::on_first(move || {
        info!("stopping");
        stopped.stop();
    })
    .map_err(ServeError::System)?;
    let watch = certificates::keep_up_to_date(&handle.certificates())?;
    announce(endpoints, told, format);
    Ok(watch)
}

/// Says where clients can connect, and what is to be told of plugins: on standard output, because programs that start the broker wait for these lines.
fn announce(endpoints: &[Endpoint], told: &[String], format: LogFormat) {
    let mut output = io::stdout().lock();
    for endpoint in endpoints {
        if !endpoint.is_local() {
            warn!(
                address = %endpoint,
                "listening without authentication: whoever can reach this address can read and write every topic"
            );
        }
        // Perhaps nobody reads it.
        let _ = writeln!(output, "listening on {endpoint}");
        if format == LogFormat::Json {
            info!(address = %endpoint, version = env!("CARGO_PKG_VERSION"), "listening");
        }
    }
    for line in told {
        let _ = writeln!(output, "{line}");
    }
    let _ = output.flush();
}
