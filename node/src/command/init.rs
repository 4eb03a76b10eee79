//! `init`: a key and a configuration for a new node.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use clap::Args;
use zeroize::Zeroizing;

use super::{CONFIG, CommandError, Report, io};
use crate::config::{Api, Config, Consensus, Limits, Log, Passphrase};
use crate::keys;

/// The key's file.
const KEY: &str = "authority.key";

/// A new node.
#[derive(Debug, Args)]
pub struct Init {
    /// Directory for key, configuration and data; made if it is missing
    #[arg(value_name = "DIR")]
    dir: PathBuf,
    /// The network's genesis; it may come later
    #[arg(long, value_name = "FILE", default_value = "genesis.json")]
    genesis: PathBuf,
    /// The verifying key that the genesis pins; it may come later. Beside it, under the same name
    /// with the extension `transcript`, lies the transcript of its ceremony
    #[arg(long, value_name = "FILE", default_value = "transfer.vk")]
    verifying_key: PathBuf,
    /// Where to listen for the other nodes
    #[arg(long, value_name = "IP:PORT", default_value = "0.0.0.0:7700")]
    listen: SocketAddr,
    /// Where to answer over HTTP
    #[arg(long, value_name = "IP:PORT", default_value = "127.0.0.1:7780")]
    api: SocketAddr,
    /// A file with the passphrase in its first line, which the node reads too; else it is asked
    #[arg(long, value_name = "FILE")]
    passphrase_file: Option<PathBuf>,
}

/// A path as it is written into a configuration of `dir`: relative ones stay with the program's
/// directory, so they are made absolute unless they are in `dir`.
fn placed(path: &Path, default: &str) -> Result<PathBuf, CommandError> {
    if path == Path::new(default) {
        return Ok(path.to_owned());
    }
    std::path::absolute(path).map_err(io(path))
}

/// Asks for a new passphrase, twice.
pub(super) fn new_passphrase(file: Option<&Path>) -> Result<Zeroizing<String>, CommandError> {
    if let Some(file) = file {
        let passphrase = Passphrase::File(file.to_owned());
        return Ok(passphrase.read()?);
    }
    let ask = |prompt| {
        rpassword::prompt_password(prompt).map(Zeroizing::new).map_err(|_| CommandError::NoTerminal)
    };
    let first = ask("New passphrase for the node's key: ")?;
    let second = ask("The same again: ")?;
    if first == second { Ok(first) } else { Err(CommandError::PassphrasesDiffer) }
}

impl Init {
    pub(super) fn run(&self) -> Result<Report, CommandError> {
        let config_path = self.dir.join(CONFIG);
        let key_path = self.dir.join(KEY);
        for path in [&config_path, &key_path] {
            if path.exists() {
                return Err(CommandError::Exists(path.clone()));
            }
        }
        let passphrase = new_passphrase(self.passphrase_file.as_deref())?;
        let source = match &self.passphrase_file {
            Some(file) => Passphrase::File(std::path::absolute(file).map_err(io(file))?),
            None => Passphrase::Prompt,
        };
        let config = Config {
            genesis: placed(&self.genesis, "genesis.json")?,
            verifying_key: placed(&self.verifying_key, "transfer.vk")?,
            data: "data".into(),
            key: KEY.into(),
            passphrase: source,
            dev_clock: false,
            consensus: Consensus { listen: self.listen, ..Consensus::default() },
            api: Api { listen: self.api, ..Api::default() },
            limits: Limits::default(),
            checkpoint: None,
            log: Log::default(),
            peers: Vec::new(),
            observers: Vec::new(),
        };
        let text = config.to_toml().map_err(|_| CommandError::NotText)?;
        std::fs::create_dir_all(&self.dir).map_err(io(&self.dir))?;
        let key = keys::generate()?;
        keys::save(&key_path, &key, &passphrase, false)?;
        std::fs::write(&config_path, text).map_err(io(&config_path))?;
        let public = key.public().to_string();
        let text = format!(
            "public key     {public}\nconfiguration  {}\n\nGive the public key to whoever writes \
             the genesis, and to the operators of the other nodes for their [[peers]].",
            config_path.display()
        );
        let json = serde_json::json!({ "key": public, "config": config_path });
        Ok(Report { text, json })
    }
}
