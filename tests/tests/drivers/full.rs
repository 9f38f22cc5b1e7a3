//! A broker that runs out of file descriptors. The limit belongs to a process, so the broker gets one of its own: this
//! test program again.

use super::{
    client::Client,
    serve::{Serve, start},
};
use std::{
    env,
    io::{BufRead, BufReader, Read, Write, stdin, stdout},
    net::{SocketAddr, TcpStream},
    process::{Child, Command, Stdio},
};

/// Set in the process of the broker.
const INSIDE: &str = "SANDERLING_TEST_FEW_FILES";
const FILES: usize = 64;

super::on_shipped_drivers! {
    who_is_connected_goes_on_and_others_wait_until_there_is_room
}

/// [L15]
fn who_is_connected_goes_on_and_others_wait_until_there_is_room<D: Serve>() {
    if env::var_os(INSIDE).is_some() {
        return serve_until_the_parent_is_done::<D>();
    }
    let (mut child, address) = serve_with_few_files();
    let mut first = Client::connect(address, "first");
    // The kernel completes them, but the broker cannot accept them all.
    let many: Vec<_> = (0..2 * FILES)
        .map(|_| TcpStream::connect(address).unwrap())
        .collect();
    first.barrier();
    drop(many);
    Client::connect(address, "last").barrier();
    first.barrier();
    drop(first);
    drop(child.stdin.take());
    assert!(child.wait().unwrap().success());
}

fn serve_with_few_files() -> (Child, SocketAddr) {
    let test = std::thread::current().name().unwrap().to_owned();
    let mut child = Command::new("sh")
        .args(["-c", &format!("ulimit -n {FILES}; exec \"$@\""), "sh"])
        .arg(env::current_exe().unwrap())
        .args([&test, "--exact", "--nocapture", "--test-threads=1"])
        .env(INSIDE, "1")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let address = lines
        .find_map(|line| Some(line.unwrap().strip_prefix("serving ")?.parse().unwrap()))
        .unwrap();
    // The pipe must stay open for what the program says at its end.
    std::thread::spawn(move || lines.for_each(drop));
    (child, address)
}

fn serve_until_the_parent_is_done<D: Serve>() {
    let served = start::<D>();
    println!("\nserving {}", served.address);
    stdout().flush().unwrap();
    let _ = stdin().read_to_end(&mut Vec::new());
}
