//! An own rule as a program: the case as JSON on its standard input, the answer on its standard
//! output. A program that does not end in time is killed with everything it started.

use std::io::{Read, Write};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group};

use super::{Case, MAX_ANSWER, Opinion, Rule};

/// How often an ending program is looked at.
const POLL: Duration = Duration::from_millis(2);

/// Runs the program once for each case.
#[derive(Debug)]
pub struct ProgramRule {
    program: PathBuf,
    arguments: Vec<String>,
    timeout: Duration,
}

impl ProgramRule {
    /// A program that may take `timeout` for a case.
    pub fn new(program: PathBuf, arguments: Vec<String>, timeout: Duration) -> Self {
        Self { program, arguments, timeout }
    }

    fn run(&self, case: &Case) -> std::io::Result<Opinion> {
        let end = Instant::now() + self.timeout;
        let input = serde_json::to_vec(case)?;
        // A group of its own, so that what the program starts dies with it.
        let mut child = Command::new(&self.program)
            .args(&self.arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()?;
        let stdin = child.stdin.take();
        let stdout = child.stdout.take();
        // A case is shorter than a pipe holds; a program that closes its input may do so.
        std::thread::spawn(move || stdin.map(|mut stdin| stdin.write_all(&input)));
        let (send, receive) = mpsc::channel();
        std::thread::spawn(move || {
            let mut answer = Vec::new();
            let read = stdout.map(|out| out.take(MAX_ANSWER as u64 + 1).read_to_end(&mut answer));
            let whole = matches!(read, Some(Ok(_))) && answer.len() <= MAX_ANSWER;
            // Nobody may be waiting any more.
            let _ = send.send(whole.then_some(answer));
        });
        let answer = receive.recv_timeout(end.saturating_duration_since(Instant::now()));
        let Ok(answer) = answer else {
            kill(&mut child);
            return Ok(Opinion::timed_out());
        };
        let Some(answer) = answer else {
            kill(&mut child);
            return Ok(Opinion::failed());
        };
        // It closed its output; now it has to end, and well.
        loop {
            match child.try_wait()? {
                Some(status) if status.success() => return Ok(Opinion::parse(&answer)),
                Some(_) => return Ok(Opinion::failed()),
                None if Instant::now() >= end => {
                    kill(&mut child);
                    return Ok(Opinion::timed_out());
                }
                None => std::thread::sleep(POLL),
            }
        }
    }
}

/// Kills the program and what it started. It was not waited for yet, so its id is still its own.
fn kill(child: &mut Child) {
    if let Some(pid) = i32::try_from(child.id()).ok().and_then(Pid::from_raw) {
        // It may have ended just now.
        let _ = kill_process_group(pid, Signal::KILL);
    }
    let _ = child.kill();
    let _ = child.wait();
}

impl Rule for ProgramRule {
    fn ask(&self, case: &Case) -> Opinion {
        self.run(case).unwrap_or_else(|error| {
            tracing::error!(program = %self.program.display(), %error, "own rule cannot be run");
            Opinion::failed()
        })
    }
}
