//! Lines from standard input, one at a time and only when asked: between two lines the terminal is
//! free for a passphrase.

use std::io::{BufRead, Read};
use std::sync::mpsc::{Receiver, Sender, channel};

use zeroize::Zeroizing;

/// No line is longer, in bytes.
const MAX_LINE: u64 = 4096;

/// What the shell waits for.
pub enum Event {
    /// A line.
    Line(Zeroizing<String>),
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
        let mut line = Zeroizing::new(String::with_capacity(MAX_LINE as usize + 1));
        let read = std::io::stdin().lock().by_ref().take(MAX_LINE).read_line(&mut line);
        let event = match read {
            Ok(length) if length > 0 => Event::Line(line),
            _ => Event::End,
        };
        let last = matches!(event, Event::End);
        if events.send(event).is_err() || last {
            return;
        }
    }
}
