//! Lines from standard input, one at a time and only when asked: between two lines the terminal is
//! free for a passphrase.

use std::io::{BufRead, Read};
use std::sync::mpsc::{Receiver, Sender, channel};

use zeroize::{Zeroize, Zeroizing};

/// No line is longer, in bytes.
const MAX_LINE: u64 = 4096;

/// A line that is too long or not text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unreadable;

/// What the shell waits for.
pub enum Event {
    /// A line.
    Line(Result<Zeroizing<String>, Unreadable>),
    /// Standard input has ended.
    End,
    /// Everything is prepared.
    Ready,
}

/// The thread that reads.
pub struct Input(Sender<()>);

impl Input {
    /// Starts it; lines go to `events`. It ends with the process: nothing interrupts a read.
    pub fn start(events: Sender<Event>) -> std::io::Result<Self> {
        let (ask, asked) = channel();
        std::thread::Builder::new().name("input".into()).spawn(move || read(&asked, &events))?;
        Ok(Self(ask))
    }

    /// Asks for the next line.
    pub fn ask(&self) {
        // The thread has ended if standard input has; its last event says so.
        let _ = self.0.send(());
    }
}

fn read(asked: &Receiver<()>, events: &Sender<Event>) {
    while asked.recv().is_ok() {
        let event = match next(&mut std::io::stdin().lock()) {
            Ok(Some(line)) => Event::Line(line),
            Ok(None) | Err(_) => Event::End,
        };
        let last = matches!(event, Event::End);
        if events.send(event).is_err() || last {
            return;
        }
    }
}

/// The next line; `None` at the end. A line that is too long is read to its end: what is left of it
/// is no command.
fn next(from: &mut impl BufRead) -> std::io::Result<Option<Result<Zeroizing<String>, Unreadable>>> {
    // With room for all: growing would leave copies behind.
    let mut line = Zeroizing::new(Vec::with_capacity(MAX_LINE as usize + 1));
    if from.by_ref().take(MAX_LINE + 1).read_until(b'\n', &mut line)? == 0 {
        return Ok(None);
    }
    if line.len() as u64 > MAX_LINE && line.last() != Some(&b'\n') {
        while line.last() != Some(&b'\n') {
            line.zeroize();
            line.clear();
            if from.by_ref().take(MAX_LINE + 1).read_until(b'\n', &mut line)? == 0 {
                break;
            }
        }
        return Ok(Some(Err(Unreadable)));
    }
    Ok(Some(match std::str::from_utf8(&line) {
        Ok(text) => Ok(Zeroizing::new(text.to_owned())),
        Err(_) => Err(Unreadable),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(input: &[u8]) -> Vec<Result<String, Unreadable>> {
        let mut from = std::io::BufReader::with_capacity(7, input);
        std::iter::from_fn(|| next(&mut from).unwrap())
            .map(|line| line.map(|l| l.to_string()))
            .collect()
    }

    #[test]
    fn a_long_line_is_one_line_and_no_command() {
        let long = [&b"send "[..], &[b'1'; 5000], b"\nstatus\n"].concat();
        assert_eq!(lines(&long), [Err(Unreadable), Ok("status\n".into())]);
        let endless = [b'x'; 10_000];
        assert_eq!(lines(&endless), [Err(Unreadable)]);
        let longest = [&[b'y'; 4096][..], b"\nquit"].concat();
        let fits = String::from_utf8(longest[..4097].to_vec()).unwrap();
        assert_eq!(lines(&longest), [Ok(fits), Ok("quit".into())]);
    }

    #[test]
    fn what_is_not_text_ends_nothing() {
        assert_eq!(lines(b"a\n\xff\nb\n"), [Ok("a\n".into()), Err(Unreadable), Ok("b\n".into())]);
        assert_eq!(lines(b""), []);
    }
}
