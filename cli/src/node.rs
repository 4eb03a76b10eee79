//! `placet node`: the commands of an operator, which `placet-node` has too.

use placet_node::command::{self, Command, CommandError};

use crate::fail::{Exit, Failure, Result};
use crate::output::Report;

/// Runs one of them.
pub fn run(command: &Command) -> Result<Report> {
    let report = command::run(command).map_err(|error| failure(&error))?;
    Ok(Report::new(report.text, report.json))
}

fn failure(error: &CommandError) -> Failure {
    let exit = match error.code() {
        "passphrase" => Exit::Passphrase,
        "busy" => Exit::Busy,
        "no-answer" => Exit::Network,
        "node" => Exit::Internal,
        _ => Exit::Input,
    };
    Failure::from_error(exit, error.code(), error)
}
