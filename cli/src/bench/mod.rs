//! `placet bench`: figures that others can measure again.

mod hashing;
mod network;
mod prover;
mod statements;

use clap::{Args, Subcommand};

use crate::app::App;
use crate::fail::Result;
use crate::output::Report;

/// What can be measured.
#[derive(Args)]
pub struct Bench {
    /// Without one: what a transfer costs on this machine, in words
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    /// Our prover beside those of others: the same circuit, the same values, in turns
    ///
    /// Every prover works in a process of its own and makes one proof a round; who begins changes
    /// from round to round. A proof counts only if it verifies.
    Prover(Box<prover::Prover>),
    /// The hash of the protocol beside other implementations, at every width
    Hashing(hashing::Hashing),
    /// A network of real nodes on this machine: transfers per second and time to finality
    ///
    /// Starts a network of processes in a temporary directory, proves transfers, and sends them: a
    /// few one by one, then as many as possible at once, then again with one node killed. Proving
    /// takes most of the time; the measurement does not contain it.
    Network(network::Network),
    /// The process of one prover
    #[command(hide = true)]
    Worker(prover::Process),
}

/// Runs one of them.
pub fn run(app: &App, bench: &Bench) -> Result<Report> {
    match &bench.command {
        None => statements::run(app),
        Some(Command::Prover(arguments)) => prover::run_all(app, arguments),
        Some(Command::Hashing(arguments)) => hashing::run(app, arguments),
        Some(Command::Network(arguments)) => network::run(app, arguments),
        Some(Command::Worker(arguments)) => Ok(prover::work(app, arguments)),
    }
}
