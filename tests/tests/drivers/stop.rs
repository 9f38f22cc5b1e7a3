//! How a broker ends.

use super::{
    client::{Client, Received},
    serve::{Serve, refuses_in_the_end, start, start_at},
};
use sanderling_core::reason::ReasonCode;
use sanderling_runtime::HandleError;
use std::{io::Read, net::TcpStream};

super::on_every_driver! {
    clients_are_told_and_nobody_is_accepted_any_more
    clients_that_do_not_close_their_side_do_not_keep_a_broker_from_stopping
    a_port_that_a_stopped_broker_had_is_free_at_once
}

fn clients_are_told_and_nobody_is_accepted_any_more<D: Serve>() {
    let served = start::<D>();
    let address = served.address;
    let mut client = Client::connect(address, "told");
    let handle = served.handle.clone();
    served.handle.stop();
    assert_eq!(
        client.receive(),
        Received::Disconnect(ReasonCode::SERVER_SHUTTING_DOWN)
    );
    assert_eq!(client.receive(), Received::Closed);
    drop(client);
    served.join();
    assert_eq!(handle.statistics(), Err(HandleError::Stopped));
    refuses_in_the_end(address);
}

fn clients_that_do_not_close_their_side_do_not_keep_a_broker_from_stopping<D: Serve>() {
    let served = start::<D>();
    let address = served.address;
    let mut deaf = Client::connect(address, "deaf");
    let mut silent = TcpStream::connect(address).unwrap();
    served.handle.stop();
    served.join();
    assert_eq!(
        deaf.receive(),
        Received::Disconnect(ReasonCode::SERVER_SHUTTING_DOWN)
    );
    let mut nothing = Vec::new();
    let _ = silent.read_to_end(&mut nothing);
    assert!(nothing.is_empty());
}

fn a_port_that_a_stopped_broker_had_is_free_at_once<D: Serve>() {
    let served = start::<D>();
    let address = served.address;
    let client = Client::connect(address, "client");
    served.handle.stop();
    served.join();
    drop(client);
    let again = start_at::<D>(address);
    assert_eq!(again.address, address);
    Client::connect(address, "client").barrier();
}
