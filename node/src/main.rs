//! `placet-node`: a node of an authority without the rest of `placet`, and without any prover.

use std::process::ExitCode;

use clap::Parser;
use placet_node::command::{self, Command};

/// A node of an authority
#[derive(Parser)]
#[command(name = "placet-node", version, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Command,
    /// Print JSON
    #[arg(long, global = true)]
    json: bool,
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    match command::run(&cli.command) {
        Ok(report) => {
            if cli.json {
                println!("{}", report.json);
            } else {
                println!("{}", report.text);
            }
            ExitCode::SUCCESS
        }
        Err(error) => {
            if cli.json {
                let message = error.to_string();
                eprintln!("{}", serde_json::json!({ "code": error.code(), "message": message }));
            } else {
                eprintln!("error: {error}");
            }
            ExitCode::FAILURE
        }
    }
}
