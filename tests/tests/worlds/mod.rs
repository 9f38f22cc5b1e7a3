//! A broker under each driver, and the clients that reach it.

use sanderling_runtime::Builder;
use sanderling_tests::{
    async_std::AsyncStd,
    story::{Heard, Settings, Socket, Way},
};

/// What is done with a broker while it runs.
pub(crate) type Visit<'a> = &'a mut dyn FnMut(&mut Socket);

/// Under the driver with one thread and one loop.
pub(crate) fn over_mio(settings: &Settings, way: Way, visit: Visit<'_>) {
    let (builder, heard) = Heard::of(settings, way, sanderling_mio::Broker::builder());
    let running = builder.start().expect("the broker starts");
    let endpoint = running.endpoints()[0].clone();
    visit(&mut Socket::new(endpoint, way, running.handle(), heard));
    running.stop();
    running.join().expect("the broker stops in order");
}

/// Under the driver in a tokio runtime, with tasks on two threads.
pub(crate) fn over_tokio(settings: &Settings, way: Way, visit: Visit<'_>) {
    let mut runtime = ::tokio::runtime::Builder::new_multi_thread();
    let runtime = runtime
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime");
    let (builder, heard) = Heard::of(settings, way, sanderling_tokio::Broker::builder());
    let running = runtime
        .block_on(async { builder.start() })
        .expect("the broker starts");
    let endpoint = running.endpoints()[0].clone();
    visit(&mut Socket::new(endpoint, way, running.handle(), heard));
    running.stop();
    runtime
        .block_on(running.join())
        .expect("the broker stops in order");
}

/// Under the driver that needs nothing but the public API.
pub(crate) fn over_async_std(settings: &Settings, way: Way, visit: Visit<'_>) {
    let (builder, heard) = Heard::of(settings, way, Builder::<AsyncStd>::default());
    let running = builder.start().expect("the broker starts");
    let endpoint = running.endpoints[0].clone();
    visit(&mut Socket::new(
        endpoint,
        way,
        running.handle.clone(),
        heard,
    ));
    running.handle.stop();
    running.join().expect("the broker stops in order");
}
