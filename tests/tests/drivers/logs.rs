//! The log of a broker inside a program: the program's, or none. A log belongs to a process or a thread, so brokers whose
//! log is in question get a process of their own: this test program again.

use super::{
    client::Client,
    serve::{Serve, Served},
};
use sanderling_runtime::{Builder, Handle, Log, Plugin, PluginError};
use std::{
    env,
    io::{self, Read, Write},
    process::{Command, Output},
    sync::{Arc, Mutex},
};
use tracing_subscriber::fmt::MakeWriter;

super::on_every_driver! {
    l7_the_program_chooses_the_log_or_there_is_none
    pl1_a8_what_a_plugin_logs_and_why_it_fails_carries_its_name
}

/// Set in the process of a broker: whether it has a log.
const INSIDE: &str = "SANDERLING_TEST_LOG";
/// Around what the broker says there.
const BEGIN: &str = "the broker begins";
const END: &str = "the broker has ended";

/// Has a name, something to say, and at its end something to complain of.
struct Speaker {
    loads: bool,
}

impl Plugin for Speaker {
    fn name(&self) -> &str {
        "speaker"
    }

    fn load(&mut self, _: &Handle) -> Result<(), PluginError> {
        tracing::warn!("a line of its own");
        match self.loads {
            true => Ok(()),
            false => Err("it has no voice".into()),
        }
    }

    fn unload(&mut self) -> Result<(), PluginError> {
        Err("it goes on speaking".into())
    }
}

fn speaking<D: Serve>(loads: bool) -> io::Result<Served> {
    let builder: Builder<D> = Builder::default();
    let builder = builder.listen("127.0.0.1:0").unwrap();
    D::try_serve(builder.hook(Log::default()).plugin(Speaker { loads }))
}

fn l7_the_program_chooses_the_log_or_there_is_none<D: Serve>() {
    if let Some(wish) = env::var_os(INSIDE) {
        return speak::<D>(wish == "wanted");
    }
    let [unwanted, wanted] = ["unwanted", "wanted"].map(|wish| {
        let Output {
            status,
            stdout,
            stderr,
        } = again(wish);
        let (said, complaints) = [stdout, stderr]
            .map(String::from_utf8)
            .map(Result::unwrap)
            .into();
        assert!(status.success(), "{complaints}");
        let (_, said) = said.split_once(BEGIN).unwrap();
        (
            said.split_once(END).unwrap().0.trim().to_owned(),
            complaints,
        )
    });
    assert_eq!(unwanted, Default::default(), "nothing is said anywhere");
    let said = wanted.0;
    for line in [
        "loading plugin",
        "a line of its own",
        "closed",
        "plugin not unloaded",
    ] {
        assert!(said.contains(line), "{line:?} is missing in\n{said}");
    }
}

/// This test in a process of its own.
fn again(wish: &str) -> Output {
    let test = std::thread::current().name().unwrap().to_owned();
    let mut again = Command::new(env::current_exe().unwrap());
    again.args([&test, "--exact", "--nocapture", "--test-threads=1"]);
    again.env(INSIDE, wish).output().unwrap()
}

/// A broker from its begin to its end, with much to tell. All that is said goes to standard output, in its order.
fn speak<D: Serve>(wanted: bool) {
    println!("\n{BEGIN}");
    if wanted {
        let subscriber = tracing_subscriber::fmt()
            .with_writer(io::stdout)
            .with_ansi(false);
        tracing::subscriber::set_global_default(subscriber.finish()).unwrap();
    }
    let served = speaking::<D>(true).unwrap();
    let mut rude = Client::connect(served.address, "rude");
    rude.stream.write_all(b"\0\0").unwrap();
    let _ = rude.stream.read_to_end(&mut Vec::new());
    drop(rude);
    served.handle.stop();
    served.join();
    println!("\n{END}");
}

/// All that is logged.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Lines {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

/// Plugins are loaded by the thread that starts the broker, so this one's log shows it.
fn pl1_a8_what_a_plugin_logs_and_why_it_fails_carries_its_name<D: Serve>() {
    let lines = Lines::default();
    let subscriber = tracing_subscriber::fmt()
        .with_writer(lines.clone())
        .with_ansi(false);
    let error = tracing::subscriber::with_default(subscriber.finish(), || {
        tracing::warn!("a line of the program");
        speaking::<D>(false).err().expect("it cannot be loaded")
    });
    assert_eq!(
        error.to_string(),
        "plugin speaker cannot be loaded: it has no voice"
    );
    let logged = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
    let line = |what: &str| {
        let mut lines = logged.lines();
        lines
            .find(|line| line.contains(what))
            .unwrap_or_else(|| panic!("{what:?} is missing in\n{logged}"))
    };
    assert!(
        line("a line of its own").contains("plugin{name=\"speaker\"}"),
        "{logged}"
    );
    assert!(line("loading plugin").contains("speaker"), "{logged}");
    assert!(
        !line("a line of the program").contains("speaker"),
        "{logged}"
    );
}
