//! The `placet` command. This file is the story: read the command line, run one command of one
//! family, print its report or say what failed and what to do.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::parser::ValueSource;
use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};

mod fail;
mod output;
mod time;
mod amount;
mod progress;
mod secret;
mod data;
mod keyfiles;
mod tables;
mod local;
mod nodes;
mod chain;
mod app;
mod lookup;
mod refusals;
mod authorities;
mod devnet;
mod bench;
mod evidence;
mod node;
mod network;
mod person;
mod control;
mod attestor;
mod issuer;
mod asset;
mod agent;
mod wallet;
mod transfer;
mod shell;
mod circuit;
mod evm;
mod ceremony;
mod circuits;
mod genesis;
mod export;
mod import;
mod inspect;
mod demo;

use app::{App, Options};
use fail::{Exit, Failure, Result};
use output::Report;

/// Hidden transfers of regulated securities, proven eligible without saying who or how much
#[derive(Parser)]
#[command(name = "placet", version, after_help = fail::EXIT_CODES, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    options: Options,
}

#[derive(Subcommand)]
enum Command {
    /// Show the whole product in one run: real proofs, a real sanctions list, invented people
    ///
    /// The demo makes a network of its own and touches no data directory: PLACET_DATA does not
    /// matter, and --data is refused.
    Demo {
        /// Keep the demo's network in this new directory instead of a temporary one
        #[arg(long, value_name = "DIR")]
        keep: Option<PathBuf>,
        /// Leave one transfer in this directory, as files with which snarkjs checks it and, its
        /// witness included, proves it again
        #[arg(long, value_name = "DIR")]
        export: Option<PathBuf>,
    },
    /// The network of a data directory: embedded in it, or running elsewhere
    #[command(subcommand)]
    Network(network::Command),
    /// A development network of real nodes on this machine
    #[command(subcommand)]
    Devnet(devnet::Command),
    /// An investor's wallet
    #[command(subcommand)]
    Wallet(wallet::Command),
    /// A provider of credentials
    #[command(subcommand)]
    Attestor(attestor::Command),
    /// The keys of an issuer
    #[command(subcommand)]
    Issuer(issuer::Command),
    /// Assets: registered and minted by their issuer, shown to everybody
    #[command(subcommand)]
    Asset(asset::Command),
    /// The transfer agent, who keeps the register of holders
    #[command(subcommand)]
    Agent(agent::Command),
    /// A node of an authority, or one that follows: make it, run it, ask it, its key
    #[command(subcommand)]
    Node(placet_node::command::Command),
    /// Check a receipt, offline: that a transaction is final, by the authorities' signatures
    Verify(evidence::Verify),
    /// Check a whole chain from a file of blocks, offline: every certificate, proof and state
    Audit(evidence::Audit),
    /// Measure: what a transfer costs here, our prover beside others, a network
    Bench(bench::Bench),
    /// Measure the circuits
    #[command(subcommand)]
    Circuit(circuit::Command),
    /// Make keys whose trapdoor nobody knows, together with others
    #[command(subcommand)]
    Ceremony(ceremony::Command),
    /// Tables of proving keys, which make proofs faster: list, build, remove
    #[command(subcommand)]
    Tables(tables::Command),
    /// Which circuits the network takes proofs of: list, add, switch off
    #[command(subcommand)]
    Circuits(circuits::Command),
    /// Write keys, proofs and the circuit as files for snarkjs
    #[command(subcommand)]
    Export(export::Command),
    /// Take over keys and proofs that snarkjs made
    #[command(subcommand)]
    Import(import::Command),
    /// Check proofs in contracts of the Ethereum virtual machine, and permit token transfers by them
    #[command(subcommand)]
    Evm(evm::Command),
    /// Say what a file, a text or a data directory is, and what is in it
    Inspect(inspect::Inspect),
    /// Print a script that completes `placet` commands in a shell
    Completions {
        /// Which shell
        shell: clap_complete::Shell,
    },
}

fn main() -> ExitCode {
    let read = Cli::command().try_get_matches().and_then(|matches| {
        let named = matches.value_source("data") == Some(ValueSource::CommandLine);
        Ok((Cli::from_arg_matches(&matches)?, named))
    });
    let (cli, data_named) = match read {
        Ok(read) => read,
        Err(error) => return misread(&error),
    };
    let json = cli.options.json;
    match run(cli, data_named).and_then(|report| report.print(json)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            failure.print(json);
            failure.exit_code()
        }
    }
}

/// `data_named` says whether `--data` was written, and not only set in the environment.
fn run(cli: Cli, data_named: bool) -> Result<Report> {
    if data_named && matches!(cli.command, Command::Demo { .. }) {
        return Err(Failure::new(
            Exit::Usage,
            "usage",
            "the demo makes a network of its own and takes no --data",
            "`placet demo --keep DIR` makes it in a new directory and leaves it there",
        ));
    }
    let mut app = App::new(cli.options)?;
    match &cli.command {
        Command::Demo { keep, export } => {
            demo::run(keep.as_deref(), export.as_deref(), app.json, app.tables, app.progress)
        }
        Command::Network(command) => network::run(&mut app, command),
        Command::Devnet(command) => devnet::run(&app, command),
        Command::Node(command) => node::run(command),
        Command::Verify(arguments) => evidence::verify(arguments),
        Command::Audit(arguments) => evidence::audit(&app, arguments),
        Command::Wallet(command) => wallet::run(&mut app, command),
        Command::Attestor(command) => attestor::run(&mut app, command),
        Command::Issuer(command) => issuer::run(&mut app, command),
        Command::Asset(command) => asset::run(&mut app, command),
        Command::Agent(command) => agent::run(&mut app, command),
        Command::Bench(command) => bench::run(&app, command),
        Command::Circuit(command) => circuit::run(&app, command),
        Command::Ceremony(command) => ceremony::run(&app, command),
        Command::Tables(command) => tables::run(&mut app, command),
        Command::Circuits(command) => circuits::run(&mut app, command),
        Command::Export(command) => export::run(&mut app, command),
        Command::Import(command) => import::run(&app, command),
        Command::Evm(command) => evm::run(&mut app, command),
        Command::Inspect(what) => inspect::run(&app, what),
        Command::Completions { shell } => Ok(completions(*shell)),
    }
}

fn completions(shell: clap_complete::Shell) -> Report {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "placet", &mut script);
    let script = String::from_utf8_lossy(&script).trim_end().to_owned();
    let json = serde_json::json!({ "shell": shell.to_string(), "script": script });
    Report::new(script, json)
}

/// `--help` and `--version` are no failures. A command that cannot be read is, and a script that
/// asked for JSON gets it in JSON too.
fn misread(error: &clap::Error) -> ExitCode {
    if !error.use_stderr() {
        // A closed pipe means that the reader has seen enough.
        let _ = error.print();
        return ExitCode::SUCCESS;
    }
    if !std::env::args_os().any(|argument| argument == "--json") {
        let _ = error.print();
        return (Exit::Usage as u8).into();
    }
    let text = error.to_string();
    let first: Vec<_> = text.lines().take_while(|line| !line.is_empty()).map(str::trim).collect();
    let message = match error.kind() {
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => "no command was given".to_owned(),
        _ => first.join(" ").trim_start_matches("error: ").to_owned(),
    };
    let failure = Failure::new(Exit::Usage, "usage", message, "run the command with --help");
    failure.print(true);
    failure.exit_code()
}
