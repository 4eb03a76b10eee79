//! A prover's process, seen from the measuring one.

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Seek, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use super::error::BenchError;
use super::protocol::{Reply, Request};

/// A child that answers requests. Ends with this value.
pub struct Process {
    name: String,
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    errors: File,
}

/// Starts a program on the first `threads` processors that this process may use: the child gets
/// the mask of the thread that starts it. Where the system has no such masks, only the pools that
/// ask `RAYON_NUM_THREADS` are limited.
pub fn start_on(threads: usize, command: &mut Command) -> std::io::Result<Child> {
    command.env("RAYON_NUM_THREADS", threads.to_string());
    std::thread::scope(|scope| {
        let starter = scope.spawn(|| {
            limit_this_thread(threads);
            command.spawn()
        });
        starter.join().expect("starting a process does not panic")
    })
}

#[cfg(target_os = "linux")]
fn limit_this_thread(threads: usize) {
    use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
    let Ok(allowed) = sched_getaffinity(None) else { return };
    let mut chosen = CpuSet::new();
    let free = (0..CpuSet::MAX_CPU).filter(|cpu| allowed.is_set(*cpu));
    free.take(threads).for_each(|cpu| chosen.set(cpu));
    // Without the mask the child is faster than asked for, and its processor time shows it.
    let _ = sched_setaffinity(None, &chosen);
}

#[cfg(not(target_os = "linux"))]
fn limit_this_thread(_: usize) {}

impl Process {
    /// Starts a program; `remedy` says what to install if it is not there.
    pub fn start(
        name: &str,
        threads: usize,
        command: &mut Command,
        remedy: &'static str,
    ) -> Result<Self, BenchError> {
        let program = command.get_program().to_string_lossy().into_owned();
        let failed = |source| BenchError::Start { program, source, remedy };
        let mut begin = || {
            let errors = tempfile::tempfile()?;
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(errors.try_clone()?);
            Ok((start_on(threads, command)?, errors))
        };
        let (mut child, errors) = begin().map_err(failed)?;
        let input = child.stdin.take().expect("it is piped");
        let output = BufReader::new(child.stdout.take().expect("it is piped"));
        Ok(Self { name: name.to_owned(), child, input, output, errors })
    }

    /// Its id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// The next thing it says.
    pub fn hear(&mut self) -> Result<Reply, BenchError> {
        let mut line = String::new();
        let heard = self.output.read_line(&mut line);
        if heard.is_ok_and(|length| length > 0) {
            return match serde_json::from_str(&line) {
                Ok(Reply::Failed { reason }) => Err(self.gave_up(reason)),
                Ok(reply) => Ok(reply),
                Err(_) => Err(self.gave_up(format!("it says {}", line.trim()))),
            };
        }
        let mut text = Vec::new();
        let _ = self.errors.rewind().and_then(|()| self.errors.read_to_end(&mut text));
        let text = String::from_utf8_lossy(&text);
        let tail: Vec<&str> = text.lines().rev().take(3).collect();
        let reason: Vec<&str> = tail.into_iter().rev().collect();
        Err(self.gave_up(match reason.is_empty() {
            true => "its process ended without a word".to_owned(),
            false => reason.join(" / "),
        }))
    }

    /// Says something without waiting for the answer.
    pub fn tell(&mut self, request: &Request) -> Result<(), BenchError> {
        let mut line = serde_json::to_vec(request).expect("requests always serialize");
        line.push(b'\n');
        // If it is gone, reading says why.
        let _ = self.input.write_all(&line).and_then(|()| self.input.flush());
        Ok(())
    }

    /// Asks and waits for the answer.
    pub fn ask(&mut self, request: &Request) -> Result<Reply, BenchError> {
        self.tell(request)?;
        self.hear()
    }

    /// An error in its name.
    pub fn gave_up(&self, reason: impl Into<String>) -> BenchError {
        BenchError::Worker { prover: self.name.clone(), reason: reason.into() }
    }

    /// Asks it to end, and says how much memory it took.
    pub fn end(mut self) -> Result<Option<u64>, BenchError> {
        let reply = self.ask(&Request::End)?;
        let _ = self.child.wait();
        match reply {
            Reply::End { peak_kib } => Ok(peak_kib),
            _ => Err(self.gave_up("it does not end")),
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
