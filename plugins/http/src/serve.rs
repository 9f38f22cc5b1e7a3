//! What the thread does: it accepts connections until it is told to stop, then waits for what is under way.

use crate::{Limits, answer::answer, patient::Patient};
use axum::Router;
use hyper::{server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use std::{net::SocketAddr, pin::pin, sync::Arc, time::Duration};
use tokio::{
    net::{TcpListener, TcpStream},
    select,
    sync::{OwnedSemaphorePermit, Semaphore, watch},
    task::JoinSet,
    time::{sleep, timeout},
};
use tracing::{debug, error, warn};

/// Becomes true when the server stops, or whoever could say so is gone.
pub(crate) type Stopping = watch::Receiver<bool>;

/// After a connection could not be accepted, mostly because there are too many open files.
const PAUSE: Duration = Duration::from_millis(100);

/// Serves until told to stop, and a little longer those who are being served.
pub(crate) async fn serve(
    listener: TcpListener,
    router: Router,
    limits: Limits,
    mut stopping: Stopping,
) {
    let mut connections = JoinSet::new();
    let room = Arc::new(Semaphore::new(limits.connections_max));
    loop {
        select! {
            () = told(&mut stopping) => break,
            Some(ended) = connections.join_next() => tell(ended),
            (stream, remote, permit) = accept(&listener, &room) => {
                let one = connection(stream, remote, router.clone(), limits, stopping.clone());
                connections.spawn(async {
                    one.await;
                    drop(permit);
                });
            }
        }
    }
    drop(listener);
    let rest = async {
        while let Some(ended) = connections.join_next().await {
            tell(ended);
        }
    };
    if timeout(limits.stop_time_max, rest).await.is_err() {
        warn!("stopped before every request was answered");
    }
}

/// Waits until the server is to stop.
async fn told(stopping: &mut Stopping) {
    // An error says that nobody is left who could tell.
    let _ = stopping.wait_for(|stop| *stop).await;
}

/// The next connection, when there is room for it.
async fn accept(
    listener: &TcpListener,
    room: &Arc<Semaphore>,
) -> (TcpStream, SocketAddr, OwnedSemaphorePermit) {
    let permit = Arc::clone(room).acquire_owned().await;
    let permit = permit.expect("nobody closes it");
    loop {
        match listener.accept().await {
            Ok((stream, remote)) => return (stream, remote, permit),
            Err(error) => {
                warn!(%error, "connection not accepted");
                sleep(PAUSE).await;
            }
        }
    }
}

/// One connection, from its first request to its last.
async fn connection(
    stream: TcpStream,
    remote: SocketAddr,
    router: Router,
    limits: Limits,
    mut stopping: Stopping,
) {
    // Answers are written whole; without it the peer waits for no reason.
    let _ = stream.set_nodelay(true);
    let service = service_fn(|request| answer(router.clone(), limits, remote, request));
    let stream = TokioIo::new(Patient::new(stream, limits.stall_time_max));
    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        .header_read_timeout(limits.header_time_max)
        .max_header_size(limits.header_bytes_max);
    let mut served = pin!(builder.serve_connection(stream, service));
    let outcome = select! {
        outcome = served.as_mut() => outcome,
        () = told(&mut stopping) => {
            served.as_mut().graceful_shutdown();
            served.await
        }
    };
    if let Err(error) = outcome {
        debug!(%remote, %error, "connection failed");
    }
}

/// A handler that panics ends its connection, and nothing else.
fn tell(ended: Result<(), tokio::task::JoinError>) {
    if let Err(error) = ended {
        error!(%error, "a handler failed");
    }
}
