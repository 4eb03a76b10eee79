//! `placet bench`: figures that others can measure again.

mod network;

use clap::Subcommand;

use crate::app::App;
use crate::fail::Result;
use crate::output::Report;

/// What can be measured.
#[derive(Subcommand)]
pub enum Command {
    /// A network of real nodes on this machine: transfers per second and time to finality
    ///
    /// Starts a network of processes in a temporary directory, proves transfers, and sends them: a
    /// few one by one, then as many as possible at once, then again with one node killed. Proving
    /// takes most of the time; the measurement does not contain it.
    Network(network::Network),
}

/// Runs one of them.
pub fn run(app: &App, command: &Command) -> Result<Report> {
    match command {
        Command::Network(arguments) => network::run(app, arguments),
    }
}
