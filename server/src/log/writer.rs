//! Lines are written by a thread of their own: a terminal that is stopped must not stop the broker. What the thread
//! cannot keep up with is counted and left out.

use std::{
    io::{self, Write},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
        mpsc::{Receiver, SyncSender, TrySendError, sync_channel},
    },
    thread,
    time::Duration,
};
use tracing_subscriber::fmt::MakeWriter;

/// Lines that wait to be written.
const WAITING_LINES_MAX: usize = 4096;
/// For the last lines, when the process ends.
const END_DEADLINE: Duration = Duration::from_secs(2);

enum Item {
    Line(Vec<u8>),
    /// Answer when all before is written.
    Barrier(SyncSender<()>),
}

/// Takes lines and never waits.
pub(super) struct Queue {
    items: SyncSender<Item>,
    lost: Arc<AtomicU64>,
}

/// Writes what is waiting when it is dropped.
pub(crate) struct Writer {
    items: SyncSender<Item>,
}

impl Queue {
    /// Starts the thread. `lost_line` makes the line that reports how many are missing.
    pub(super) fn start(
        output: impl Write + Send + 'static,
        lost_line: fn(u64) -> String,
    ) -> io::Result<(Self, Writer)> {
        let (items, waiting) = sync_channel(WAITING_LINES_MAX);
        let lost = Arc::new(AtomicU64::new(0));
        let counter = Arc::clone(&lost);
        thread::Builder::new()
            .name("log".to_owned())
            .spawn(move || write(output, &waiting, &counter, lost_line))?;
        let writer = Writer {
            items: items.clone(),
        };
        Ok((Self { items, lost }, writer))
    }

    fn push(&self, line: &[u8]) {
        if let Err(TrySendError::Full(_)) = self.items.try_send(Item::Line(line.to_vec())) {
            self.lost.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// Nobody is left to be told of a failure to write, so there is none.
fn write(
    mut output: impl Write,
    waiting: &Receiver<Item>,
    lost: &AtomicU64,
    lost_line: fn(u64) -> String,
) {
    for item in waiting {
        match item {
            Item::Line(line) => {
                let _ = output.write_all(&line);
                let missing = lost.swap(0, Ordering::Relaxed);
                if missing > 0 {
                    let _ = output.write_all(lost_line(missing).as_bytes());
                }
            }
            Item::Barrier(reached) => {
                let _ = output.flush();
                let _ = reached.send(());
            }
        }
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        let (reached, wait) = sync_channel(1);
        // A full queue means a standard error that stands still: then the end does not wait for it.
        if self.items.try_send(Item::Barrier(reached)).is_ok() {
            let _ = wait.recv_timeout(END_DEADLINE);
        }
    }
}

/// One line, as the subscriber hands it over: whole, in one call.
pub(super) struct Line<'a>(&'a Queue);

impl Write for Line<'_> {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.0.push(line);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Queue {
    type Writer = Line<'a>;

    fn make_writer(&'a self) -> Line<'a> {
        Line(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Mutex;

    /// An output that stands still while the test holds its gate.
    #[derive(Clone, Default)]
    struct Gated(Arc<Mutex<Vec<u8>>>);

    impl Write for Gated {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn an_output_that_stands_still_costs_lines_but_no_waiting() {
        let output = Gated::default();
        let (queue, writer) =
            Queue::start(output.clone(), |lost| format!("lost {lost}\n")).unwrap();
        let sent = 3 * WAITING_LINES_MAX as u64;
        let gate = output.0.lock().unwrap();
        for _ in 0..sent {
            queue.push(b"line\n");
        }
        let missing = queue.lost.load(Ordering::Relaxed);
        drop(gate);
        assert!(
            missing >= sent - WAITING_LINES_MAX as u64 - 1,
            "{missing} lines lost"
        );

        // The queue is full: make room for the writer's barrier.
        while queue.lost.load(Ordering::Relaxed) > 0 {
            thread::yield_now();
        }
        while queue
            .items
            .try_send(Item::Line(b"last\n".to_vec()))
            .is_err()
        {
            thread::yield_now();
        }
        let (reached, wait) = sync_channel(1);
        queue.items.send(Item::Barrier(reached)).unwrap();
        wait.recv().unwrap();
        drop(writer);
        let written = String::from_utf8(output.0.lock().unwrap().clone()).unwrap();
        assert!(written.contains(&format!("lost {missing}\n")));
        assert_eq!(written.matches("line\n").count() as u64, sent - missing);
        assert!(written.ends_with("last\n"));
    }
}
