//! The commands of an operator: `placet-node …`, and the same as `placet node …`.

mod export;
mod init;
mod keys;
mod status;

use std::path::PathBuf;

use clap::Subcommand;

use crate::config::{Config, ConfigError};
use crate::export::ExportError;
use crate::keys::KeyError;
use crate::service::{self, ServiceError, StopWith};

/// The configuration that is taken if none is named.
const CONFIG: &str = "node.toml";

/// A node of an authority, or an observer's.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Make a key and a configuration, and print the public key for the genesis and the peers
    Init(init::Init),
    /// Run the node until it is told to stop
    Run {
        /// The node's configuration
        #[arg(long, value_name = "FILE", default_value = CONFIG)]
        config: PathBuf,
        /// Also stop when standard input is closed, so as not to outlive what started the node
        #[arg(long)]
        stop_with_stdin: bool,
    },
    /// Ask a running node where it stands
    Status(status::StatusOf),
    /// Write blocks to a file that `placet audit` verifies
    Export(export::Export),
    /// The node's key
    #[command(subcommand)]
    Keys(keys::Command),
}

/// What a command found, in plain words and for scripts.
#[derive(Debug)]
pub struct Report {
    /// For people; without a line break at its end.
    pub text: String,
    /// For scripts.
    pub json: serde_json::Value,
}

/// Why a command did not do what it was asked to. Every message says what to do.
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    /// The configuration.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The key.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The node.
    #[error(transparent)]
    Service(#[from] ServiceError),
    /// Blocks.
    #[error(transparent)]
    Export(#[from] ExportError),
    /// A file that cannot be read or written.
    #[error("cannot access {path}: {source}")]
    Io {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Something is there already.
    #[error("{0} is there already and was not touched; choose another directory")]
    Exists(PathBuf),
    /// Two passphrases that differ.
    #[error("the two passphrases differ; type the same one twice")]
    PassphrasesDiffer,
    /// No terminal.
    #[error("a passphrase cannot be asked here; give it in a file")]
    NoTerminal,
    /// A request or approval.
    #[error(transparent)]
    Request(#[from] placet_protocol::request::BadFile),
    /// A circuit that no network would take.
    #[error("the circuit of the request must not be approved: {0}; have the request made again")]
    Circuit(&'static str),
    /// Another network's request.
    #[error("the request is for another network than the genesis; ask for the right one")]
    OtherNetwork,
    /// A name or LEI that no network takes.
    #[error(
        "the name must be 1 to 64 characters, the LEI 20 capital letters and digits; correct it"
    )]
    Name,
    /// An unknown checkpoint.
    #[error(
        "a mandate is one of identity, sanctions, jurisdiction, accreditation, capital, risk, \
         ownership; correct it"
    )]
    Mandate,
    /// The configuration could not be written.
    #[error("a path in the configuration is not text; choose another directory")]
    NotText,
    /// A node does not answer.
    #[error("{url} does not answer: {problem}; is the node running and its API reachable?")]
    NoAnswer {
        /// Whom was asked.
        url: String,
        /// What happened.
        problem: String,
    },
    /// A node answers something else.
    #[error("{0} answers something that is no answer of a node; check the address")]
    Garbage(String),
}

impl CommandError {
    /// Stable code for scripts.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Config(_) => "config",
            Self::Key(KeyError::Passphrase(_)) => "passphrase",
            Self::Service(ServiceError::Key(KeyError::Passphrase(_))) => "passphrase",
            Self::Key(KeyError::InUse(_))
            | Self::Service(ServiceError::Key(KeyError::InUse(_))) => "busy",
            Self::Key(_) | Self::PassphrasesDiffer | Self::NoTerminal => "key",
            Self::Service(ServiceError::Config(_)) => "config",
            Self::Service(_) => "node",
            Self::Export(_) => "export",
            Self::Io { .. } | Self::NotText => "file",
            Self::Exists(_) => "exists",
            Self::Request(_)
            | Self::OtherNetwork
            | Self::Name
            | Self::Mandate
            | Self::Circuit(_) => "request",
            Self::NoAnswer { .. } | Self::Garbage(_) => "no-answer",
        }
    }
}

fn io(path: &std::path::Path) -> impl FnOnce(std::io::Error) -> CommandError {
    let path = path.to_owned();
    move |source| CommandError::Io { path, source }
}

/// Does what a command says. [`Command::Run`] returns when the node has stopped.
///
/// # Errors
/// [`CommandError`].
pub fn run(command: &Command) -> Result<Report, CommandError> {
    match command {
        Command::Init(init) => init.run(),
        Command::Run { config, stop_with_stdin } => {
            let config = Config::read(config)?;
            crate::log::begin(&config.log);
            let stop_with =
                if *stop_with_stdin { StopWith::StandardInput } else { StopWith::Signals };
            service::run(&config, stop_with)?;
            let json = serde_json::json!({ "stopped": true });
            Ok(Report { text: "the node has stopped".to_owned(), json })
        }
        Command::Status(status) => status.run(),
        Command::Export(export) => export.run(),
        Command::Keys(command) => keys::run(command),
    }
}
