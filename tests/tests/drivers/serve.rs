//! A broker under any driver, as a test needs it.

use sanderling_runtime::{Builder, Driver, Handle};
use sanderling_tests::async_std::AsyncStd;
use std::{net::SocketAddr, sync::Arc};

/// A broker that runs; it is stopped and waited for when this is dropped.
pub(crate) struct Served {
    pub(crate) address: SocketAddr,
    pub(crate) handle: Handle,
    join: Option<Box<dyn FnOnce()>>,
}

impl Served {
    /// Waits until the broker has stopped.
    pub(crate) fn join(mut self) {
        self.wait();
    }

    fn wait(&mut self) {
        if let Some(join) = self.join.take() {
            join();
        }
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        self.handle.stop();
        if !std::thread::panicking() {
            self.wait();
        }
    }
}

/// A driver, with what differs between those with threads and those with tasks.
pub(crate) trait Serve: Driver + Sized + 'static {
    fn serve(builder: Builder<Self>) -> Served;
}

/// A broker with default values on a port of its own.
pub(crate) fn start<D: Serve>() -> Served {
    start_with::<D>(|builder| builder)
}

/// The same, at this address.
pub(crate) fn start_at<D: Serve>(address: SocketAddr) -> Served {
    D::serve(Builder::default().listen(&address.to_string()).unwrap())
}

pub(crate) fn start_with<D: Serve>(make: impl FnOnce(Builder<D>) -> Builder<D>) -> Served {
    let builder = make(Builder::default());
    D::serve(builder.listen("127.0.0.1:0").unwrap())
}

impl Serve for sanderling_mio::Broker {
    fn serve(builder: Builder<Self>) -> Served {
        let running = builder.start().unwrap();
        Served {
            address: running.local_addrs()[0],
            handle: running.handle(),
            join: Some(Box::new(move || running.join().unwrap())),
        }
    }
}

impl Serve for sanderling_tokio::Broker {
    fn serve(builder: Builder<Self>) -> Served {
        let mut runtime = tokio::runtime::Builder::new_multi_thread();
        let runtime = Arc::new(runtime.worker_threads(2).enable_all().build().unwrap());
        let running = runtime.block_on(async { builder.start() }).unwrap();
        Served {
            address: running.local_addrs()[0],
            handle: running.handle(),
            join: Some(Box::new(move || runtime.block_on(running.join()).unwrap())),
        }
    }
}

impl Serve for AsyncStd {
    fn serve(builder: Builder<Self>) -> Served {
        let running = builder.start().unwrap();
        Served {
            address: running.endpoints[0].socket_addr().expect("TCP"),
            handle: running.handle.clone(),
            join: Some(Box::new(move || running.join())),
        }
    }
}
