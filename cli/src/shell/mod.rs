//! `placet wallet shell`: one open wallet, line by line. While it waits it follows the ledger and
//! has the next proofs prepared, so that what is asked for leaves at once.
//!
//! Nothing goes over the network when a transfer is asked for, until it is proven: the shell proves
//! against the block it followed last. Lines are not remembered.

mod background;
mod input;
mod words;

use std::io::{IsTerminal, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use clap::{Args, Parser, Subcommand};
use serde_json::json;

pub use background::Background;
use input::{Event, Input, Unreadable};

use crate::app::App;
use crate::data::Name;
use crate::fail::{Exit, Failure, Result};
use crate::output::Report;
use crate::transfer::Proving;
use crate::wallet::{self, Accept, Purpose, Send, Wallet};
use crate::{time, wallet as commands};

/// How often it looks whether it was asked to end.
const GLANCE: Duration = Duration::from_millis(250);

/// How the shell behaves.
#[derive(Args)]
pub struct Habits {
    /// How often to follow the ledger and prepare for it
    #[arg(long, default_value = "10s", value_parser = time::duration, value_name = "DURATION")]
    every: u64,
    /// Forget keys and preparations after so long without a line; the passphrase opens again
    #[arg(long, default_value = "10m", value_parser = time::duration, value_name = "DURATION")]
    idle: u64,
}

/// A line.
#[derive(Parser)]
#[command(no_binary_name = true, disable_help_flag = true, max_term_width = 100)]
#[command(help_template = "{subcommands}")]
struct Line {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Follow the ledger to its newest block, then settle what receivers have accepted
    Sync {
        /// Only follow: leave settling to the next transfer
        #[arg(long)]
        no_settle: bool,
    },
    /// What the wallet holds, per asset
    #[command(visible_alias = "positions")]
    Balance,
    /// Deliveries to and from this wallet
    Deliveries {
        /// Also those that are closed
        #[arg(long)]
        all: bool,
    },
    /// Credentials of this wallet
    Credentials,
    /// Where this wallet receives
    Address,
    /// Send units of an asset; they are yours until the receiver accepts them
    Send(Send),
    /// Accept a delivery: the one that is open, the one that is named, or all
    Accept(Accept),
    /// Take a delivery back after its deadline
    Refund {
        /// The delivery: the beginning of its id; not needed if only one is due
        delivery: Option<String>,
    },
    /// How far the ledger was followed, and what is prepared
    Status,
    /// Wait until everything is prepared
    Wait,
    /// Forget keys and preparations until the passphrase is given again
    Lock,
    /// End
    #[command(visible_alias = "exit")]
    Quit,
}

/// Runs the shell until its input ends.
pub fn run(app: &mut App, name: &Name, habits: &Habits) -> Result<Report> {
    let wallet = unlock(app, name)?;
    let ending = Arc::new(AtomicBool::new(false));
    for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM] {
        // Asked twice, it ends without waiting for what it is doing.
        signal_hook::flag::register_conditional_shutdown(signal, 1, ending.clone())?;
        signal_hook::flag::register(signal, ending.clone())?;
    }
    let (sender, events) = channel();
    let ready = sender.clone();
    let background = Arc::new(Background::start(move || {
        // Whoever would hear it has ended.
        let _ = ready.send(Event::Ready);
    })?);
    let mut shell = Shell {
        name: name.clone(),
        every: Duration::from_secs(habits.every.max(1)),
        idle: Duration::from_secs(habits.idle.max(1)),
        wallet: Some(wallet),
        proving: Proving::ahead(background.clone()),
        background,
        followed: Instant::now(),
        tried: Instant::now(),
        keyless: false,
        used: Instant::now(),
        typed: std::io::stdin().is_terminal() && !app.json,
        failed: None,
        failures: 0,
    };
    if shell.typed {
        app.progress.note("`help` lists the commands, `quit` ends");
    }
    shell.look_ahead(app);
    shell.serve(app, &Input::start(sender)?, &events, &ending);
    // Keys and preparations are wiped here, before anything else is said.
    let Shell { failed, failures, typed, .. } = shell;
    match failed {
        Some(failure) if !typed => Err(failure.with(&format!("lines that failed: {failures}"))),
        _ => Ok(Report::silent()),
    }
}

fn unlock(app: &mut App, name: &Name) -> Result<Wallet> {
    let wallet = Wallet::open(app, name, Purpose::Move);
    app.passphrases.forget();
    wallet
}

struct Shell {
    name: Name,
    every: Duration,
    idle: Duration,
    /// `None` while it is locked.
    wallet: Option<Wallet>,
    proving: Proving,
    background: Arc<Background>,
    /// When the ledger was followed last.
    followed: Instant,
    /// When that was tried last.
    tried: Instant,
    /// Whether key files could not be used: they are not read again until the wallet is.
    keyless: bool,
    /// When the last line came.
    used: Instant,
    /// Whether a person types.
    typed: bool,
    /// The first line that failed.
    failed: Option<Failure>,
    failures: usize,
}

/// Whether the shell goes on.
#[derive(PartialEq, Eq)]
enum Next {
    Line,
    End,
}

impl Shell {
    fn serve(&mut self, app: &mut App, input: &Input, events: &Receiver<Event>, end: &AtomicBool) {
        while !end.load(Ordering::Relaxed) {
            self.prompt();
            input.ask();
            let Some(line) = self.next_line(app, events, end) else { return };
            self.used = Instant::now();
            let done = match line {
                Ok(line) => self.obey(app, &line),
                Err(Unreadable) => Err(usage(
                    "the line is too long or not text",
                    "type a command of at most 4096 bytes; nothing of this line was done",
                )),
            };
            match done {
                Ok(Next::Line) => {}
                Ok(Next::End) => return,
                Err(failure) => {
                    failure.print(app.json);
                    self.failures += 1;
                    self.failed.get_or_insert(failure);
                }
            }
            self.look_ahead(app);
            self.used = Instant::now();
        }
    }

    fn prompt(&self) {
        if self.typed {
            let locked = if self.wallet.is_none() { " (locked)" } else { "" };
            eprint!("{}{locked}> ", self.name);
            // Whoever closed standard error needs no prompt.
            let _ = std::io::stderr().flush();
        }
    }

    /// The next line; follows the ledger meanwhile, and locks when none comes.
    fn next_line(
        &mut self,
        app: &mut App,
        events: &Receiver<Event>,
        end: &AtomicBool,
    ) -> Option<std::result::Result<zeroize::Zeroizing<String>, Unreadable>> {
        while !end.load(Ordering::Relaxed) {
            match events.recv_timeout(GLANCE) {
                Ok(Event::Line(line)) => return Some(line),
                Ok(Event::End) | Err(RecvTimeoutError::Disconnected) => return None,
                Ok(Event::Ready) => self.say_ready(app),
                Err(RecvTimeoutError::Timeout) => {}
            }
            if self.wallet.is_some() && self.used.elapsed() >= self.idle {
                self.lock();
                if self.typed {
                    app.progress.note("\rlocked: nothing was typed for long");
                    self.prompt();
                }
            }
            if self.wallet.is_some() && self.tried.elapsed() >= self.every {
                // What stands against it is said when it is needed.
                let _ = self.follow();
                self.look_ahead(app);
            }
        }
        None
    }

    fn say_ready(&self, app: &App) {
        if let (true, Some(about)) = (self.typed, self.background.standing().about) {
            let rounded = round(about);
            app.progress.note(&format!("\rready: a send will take about {rounded} ms"));
            self.prompt();
        }
    }

    /// Follows the ledger without a word.
    fn follow(&mut self) -> Result<()> {
        self.tried = Instant::now();
        let Some(wallet) = &mut self.wallet else { return Ok(()) };
        wallet.chain.freshen()?;
        wallet.follow(&mut |_| {})?;
        self.followed = Instant::now();
        Ok(())
    }

    /// Has prepared what could be asked for now. Fails in silence: a proof then takes its full time,
    /// and what stands against it is said there.
    fn look_ahead(&mut self, app: &App) {
        let Some(wallet) = &self.wallet else { return };
        let mut random = zeroize::Zeroizing::new([0u8; 32]);
        if getrandom::fill(random.as_mut_slice()).is_err() {
            return;
        }
        if self.keyless {
            return;
        }
        let Ok((circuit, prover)) = self.proving.choose(wallet) else {
            self.keyless = true;
            return;
        };
        match wallet.holder.guesses(circuit.id, &random) {
            Ok(guesses) => self.background.prepare(&prover, guesses),
            Err(error) => app.progress.note(&format!("nothing was prepared: {error}")),
        }
    }

    fn lock(&mut self) {
        self.wallet = None;
        self.background.clear();
    }

    /// Does what a line says.
    fn obey(&mut self, app: &mut App, line: &str) -> Result<Next> {
        let words = words::split(line).ok_or_else(|| usage("a quote is left open", "close it"))?;
        if words.is_empty() {
            if self.wallet.is_some() {
                self.follow()?;
                if self.typed {
                    self.status()?.print(app.json)?;
                }
            }
            return Ok(Next::Line);
        }
        let command = match Line::try_parse_from(words) {
            Ok(line) => line.command,
            Err(error) if !error.use_stderr() => {
                let text = error.to_string();
                Report::new(text.trim_end(), json!({ "help": text })).print(app.json)?;
                return Ok(Next::Line);
            }
            Err(error) => return Err(unreadable(&error)),
        };
        match command {
            Command::Quit => return Ok(Next::End),
            Command::Lock => {
                self.lock();
                let report = Report::new("locked", json!({ "locked": true }));
                return report.print(app.json).map(|()| Next::Line);
            }
            _ => {}
        }
        if self.wallet.is_none() {
            self.wallet = Some(unlock(app, &self.name)?);
            self.followed = Instant::now();
            self.keyless = false;
        }
        // The timer has failed for a while: now its reason is told.
        if self.followed.elapsed() > 2 * self.every {
            self.follow()?;
        }
        self.execute(app, command)?.print(app.json)?;
        Ok(Next::Line)
    }

    fn execute(&mut self, app: &mut App, command: Command) -> Result<Report> {
        if let Command::Status | Command::Wait = command {
            if matches!(command, Command::Wait) {
                self.background.wait();
            }
            return self.status();
        }
        let Self { wallet, proving, followed, keyless, .. } = self;
        let wallet = wallet.as_mut().ok_or_else(|| usage("the wallet is locked", "unlock it"))?;
        match command {
            Command::Sync { no_settle } => {
                wallet.chain.freshen()?;
                wallet.sync(app)?;
                *followed = Instant::now();
                *keyless = false;
                commands::sync(app, wallet, proving, !no_settle)
            }
            Command::Balance => commands::balance(wallet),
            Command::Deliveries { all } => commands::deliveries(wallet, all),
            Command::Credentials => commands::credentials(wallet),
            Command::Address => commands::address(app, &self.name),
            Command::Send(wish) => wallet::send(app, wallet, proving, &wish),
            Command::Accept(wish) => wallet::accept(app, wallet, proving, &wish),
            Command::Refund { delivery } => {
                wallet::refund(app, wallet, proving, delivery.as_deref())
            }
            Command::Status | Command::Wait | Command::Lock | Command::Quit => Ok(Report::silent()),
        }
    }

    fn status(&self) -> Result<Report> {
        let standing = self.background.standing();
        let height = match &self.wallet {
            Some(wallet) => Some(wallet.holder.anchor()?.height),
            None => None,
        };
        let about = standing.about.map(round);
        let mut text = match height {
            Some(height) => format!("at block {height}; "),
            None => "locked; ".to_owned(),
        };
        text += &match (standing.ready, standing.wanted, about) {
            (_, 0, _) => "nothing to prepare".to_owned(),
            (ready, wanted, Some(about)) if ready == wanted => {
                format!("ready: a send will take about {about} ms")
            }
            (ready, wanted, _) => format!("prepared: {ready} of {wanted}"),
        };
        let json = json!({
            "height": height, "locked": height.is_none(), "prepared": standing.ready,
            "wanted": standing.wanted, "about_ms": about,
        });
        Ok(Report::new(text, json))
    }
}

/// Two digits are enough for people, and say no more than they should.
fn round(time: Duration) -> u64 {
    let ms = time.as_millis().max(1) as u64;
    let unit = 10u64.pow(ms.ilog10().saturating_sub(1));
    ms.div_ceil(unit) * unit
}

fn usage(message: &str, help: &str) -> Failure {
    Failure::new(Exit::Usage, "usage", message, help)
}

/// A line that is no command.
fn unreadable(error: &clap::Error) -> Failure {
    let text = error.to_string();
    let first: Vec<_> = text.lines().take_while(|line| !line.is_empty()).map(str::trim).collect();
    usage(first.join(" ").trim_start_matches("error: "), "`help` lists the commands")
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_grammar_of_lines_is_sound_and_all_of_it_is_in_the_help() {
        Line::command().debug_assert();
        let help = Line::command().render_help().to_string();
        for word in ["sync", "balance", "positions", "send", "accept", "refund", "lock", "quit"] {
            assert!(help.contains(word), "{word} is not in\n{help}");
        }
    }

    #[test]
    fn times_are_rounded_up_to_two_digits() {
        let rounded = |ms| round(Duration::from_millis(ms));
        assert_eq!([0, 7, 99, 101, 456, 1234].map(rounded), [1, 7, 99, 110, 460, 1300]);
    }
}
