//! A broker under any driver, as a test needs it.

use sanderling_runtime::{Builder, Driver, Handle};
use sanderling_tests::async_std::AsyncStd;
use std::{
    fmt::Debug,
    io::{self, ErrorKind},
    net::{SocketAddr, TcpStream},
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

/// Long, because it passes only when a test fails.
const PATIENCE: Duration = Duration::from_secs(20);

/// A broker that runs; it is stopped and waited for when this is dropped.
pub(crate) struct Served {
    pub(crate) address: SocketAddr,
    pub(crate) handle: Handle,
    join: Option<Box<dyn FnOnce() -> io::Result<()>>>,
}

impl Served {
    /// Waits until the broker has stopped.
    pub(crate) fn join(self) {
        self.try_join().unwrap();
    }

    /// The same, to see whether it stopped in the time it was given.
    pub(crate) fn try_join(mut self) -> io::Result<()> {
        self.join.take().map_or(Ok(()), |join| join())
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        self.handle.stop();
        if let Some(join) = self.join.take().filter(|_| !thread::panicking()) {
            join().unwrap();
        }
    }
}

/// A driver, with what differs between those with threads and those with tasks.
pub(crate) trait Serve: Driver + Sized + 'static {
    fn try_serve(builder: Builder<Self>) -> io::Result<Served>;

    fn serve(builder: Builder<Self>) -> Served {
        Self::try_serve(builder).unwrap()
    }
}

/// A broker with default values on a port of its own.
pub(crate) fn start<D: Serve>() -> Served {
    start_with::<D>(|builder| builder)
}

/// The same, at this address.
#[track_caller]
pub(crate) fn start_at<D: Serve>(address: SocketAddr) -> Served {
    let builder = in_the_end(|| Builder::default().listen(&address.to_string()));
    D::serve(builder)
}

pub(crate) fn start_with<D: Serve>(make: impl FnOnce(Builder<D>) -> Builder<D>) -> Served {
    let builder = make(Builder::default());
    D::serve(builder.listen("127.0.0.1:0").unwrap())
}

/// Tries again until it succeeds.
///
/// A port may stay taken for a moment: a process that another test begins holds a copy of each socket until it runs its
/// own program.
#[track_caller]
pub(crate) fn in_the_end<T, E: Debug>(mut attempt: impl FnMut() -> Result<T, E>) -> T {
    let begun = Instant::now();
    loop {
        match attempt() {
            Ok(outcome) => return outcome,
            Err(error) if begun.elapsed() > PATIENCE => panic!("{error:?}"),
            Err(_) => thread::yield_now(),
        }
    }
}

/// Waits until nobody listens there.
#[track_caller]
pub(crate) fn refuses_in_the_end(address: SocketAddr) {
    in_the_end(|| match TcpStream::connect_timeout(&address, PATIENCE) {
        Err(error) if error.kind() == ErrorKind::ConnectionRefused => Ok(()),
        other => Err((address, other)),
    });
}

impl Serve for sanderling_mio::Broker {
    fn try_serve(builder: Builder<Self>) -> io::Result<Served> {
        let running = builder.start()?;
        Ok(Served {
            address: running.local_addrs()[0],
            handle: running.handle(),
            join: Some(Box::new(move || running.join())),
        })
    }
}

impl Serve for sanderling_tokio::Broker {
    fn try_serve(builder: Builder<Self>) -> io::Result<Served> {
        let mut runtime = tokio::runtime::Builder::new_multi_thread();
        let runtime = Arc::new(runtime.worker_threads(2).enable_all().build().unwrap());
        let running = runtime.block_on(async { builder.start() })?;
        Ok(Served {
            address: running.local_addrs()[0],
            handle: running.handle(),
            join: Some(Box::new(move || runtime.block_on(running.join()))),
        })
    }
}

impl Serve for AsyncStd {
    fn try_serve(builder: Builder<Self>) -> io::Result<Served> {
        let running = builder.start()?;
        Ok(Served {
            address: running.endpoints[0].socket_addr().expect("TCP"),
            handle: running.handle.clone(),
            join: Some(Box::new(move || running.join())),
        })
    }
}
