//! Payloads from the command line, a file or standard input.

use super::{
    ClientError,
    event::{Event, Report},
};
use crate::args::MessageArgs;
use std::{
    fs,
    io::{self, BufRead, BufReader, Read},
    sync::mpsc::{Receiver, SyncSender, sync_channel},
    thread,
};

/// Lines handed over at one time, at most.
const BATCH_LINES_MAX: usize = 1024;

/// The one payload that the options name; none if it is every line of standard input.
pub(super) fn payload(args: &MessageArgs) -> Result<Option<Vec<u8>>, ClientError> {
    if args.lines {
        return Ok(None);
    }
    if let Some(path) = &args.file {
        let content = fs::read(path).map_err(|cause| ClientError::Input {
            path: Some(path.clone()),
            cause,
        })?;
        return Ok(Some(content));
    }
    if args.stdin {
        let mut content = Vec::new();
        match io::stdin().lock().read_to_end(&mut content) {
            Ok(_) => return Ok(Some(content)),
            Err(cause) => return Err(ClientError::Input { path: None, cause }),
        }
    }
    Ok(Some(args.message.clone().unwrap_or_default().into_bytes()))
}

/// Reads standard input on a thread of its own. It hands over what lines there are, then waits for a word on the
/// returned sender: so a slow server slows the source down.
pub(super) fn read_lines(events: SyncSender<Report>) -> Result<SyncSender<()>, ClientError> {
    let (more, wanted) = sync_channel(1);
    thread::Builder::new()
        .name("input".to_owned())
        .spawn(move || {
            let input = BufReader::with_capacity(64 << 10, io::stdin());
            let last = hand_over_lines(input, &events, &wanted);
            // Nobody listens once the main thread has given up.
            let _ = events.send(Report::Other(last));
        })
        .map_err(ClientError::System)?;
    Ok(more)
}

fn hand_over_lines<R: Read>(
    mut input: BufReader<R>,
    events: &SyncSender<Report>,
    wanted: &Receiver<()>,
) -> Event {
    loop {
        let mut batch = Vec::new();
        loop {
            match read_line(&mut input) {
                Ok(Some(line)) => batch.push(line),
                Ok(None) if batch.is_empty() => return Event::InputEnded,
                Ok(None) => break,
                Err(cause) => return Event::InputFailed(cause),
            }
            if batch.len() == BATCH_LINES_MAX || !input.buffer().contains(&b'\n') {
                break;
            }
        }
        let report = Report::Other(Event::Lines(batch));
        if events.send(report).is_err() || wanted.recv().is_err() {
            return Event::InputEnded;
        }
    }
}

/// One line without its line end; none at the end. A last line may lack its newline.
fn read_line(input: &mut impl BufRead) -> io::Result<Option<Vec<u8>>> {
    let mut line = Vec::new();
    if input.read_until(b'\n', &mut line)? == 0 {
        return Ok(None);
    }
    if line.last() == Some(&b'\n') {
        line.pop();
        if line.last() == Some(&b'\r') {
            line.pop();
        }
    }
    Ok(Some(line))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_lose_their_ends_and_keep_everything_else() {
        let (events, received) = sync_channel(8);
        let (more, wanted) = sync_channel(8);
        for _ in 0..8 {
            more.send(()).unwrap();
        }
        let input = BufReader::new(&b"one\ntwo\r\n\n \xff\nlast"[..]);
        let last = hand_over_lines(input, &events, &wanted);
        assert!(matches!(last, Event::InputEnded));
        drop(events);
        let lines: Vec<Vec<u8>> = received
            .into_iter()
            .flat_map(|report| match report {
                Report::Other(Event::Lines(lines)) => lines,
                other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!(lines, [&b"one"[..], b"two", b"", b" \xff", b"last"]);
    }
}
