//! `placet ceremony`: keys whose trapdoor nobody knows. One file in, one file out, nothing goes
//! over a network, and no file is overwritten. Spec §12.4; docs/guides/ceremony.md.

pub(crate) mod files;
mod phase1;
mod phase2;

use clap::Subcommand;

use crate::app::App;
use crate::fail::Result;
use crate::output::Report;

/// Commands of both phases.
#[derive(Subcommand)]
pub enum Command {
    /// Powers of tau of your own; the public ceremony's files need none of this
    #[command(subcommand)]
    Phase1(phase1::Command),
    #[command(flatten)]
    Phase2(phase2::Command),
}

/// Runs one of them.
pub fn run(app: &App, command: &Command) -> Result<Report> {
    match command {
        Command::Phase1(command) => phase1::run(app, command),
        Command::Phase2(command) => phase2::run(app, command),
    }
}
