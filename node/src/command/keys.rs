//! `keys`: the node's key, and what it signs by hand.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use clap::Subcommand;
use placet_protocol::genesis::{Authority, Checkpoint, Genesis, name_is_valid};
use placet_protocol::request::Request;
use placet_protocol::signing::SigningKey;
use placet_protocol::transaction::{AuthorityChange, NumberedChange};

use super::init::new_passphrase;
use super::{CONFIG, CommandError, Report, io};
use crate::config::Config;
use crate::keys;

/// The node's key.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Print the public key
    Show {
        /// The node's configuration
        #[arg(long, value_name = "FILE", default_value = CONFIG)]
        config: PathBuf,
    },
    /// Say whether the key sits in the genesis, and with which mandates
    Check {
        /// The node's configuration
        #[arg(long, value_name = "FILE", default_value = CONFIG)]
        config: PathBuf,
    },
    /// Encrypt the key with another passphrase
    ChangePassphrase {
        /// The node's configuration
        #[arg(long, value_name = "FILE", default_value = CONFIG)]
        config: PathBuf,
        /// A file with the new passphrase in its first line; else it is asked
        #[arg(long, value_name = "FILE")]
        new_passphrase_file: Option<PathBuf>,
    },
    /// Ask the sitting authorities to appoint this key, in a file for them to approve
    Request {
        /// The node's configuration
        #[arg(long, value_name = "FILE", default_value = CONFIG)]
        config: PathBuf,
        /// Name of the authority
        #[arg(long)]
        name: String,
        /// Its legal entity identifier
        #[arg(long)]
        lei: Option<String>,
        /// A checkpoint that it is to judge; may be repeated, none for a validator only
        #[arg(long = "mandate", value_name = "CHECKPOINT")]
        mandates: Vec<String>,
        /// One more than the number of the last change of the authorities
        #[arg(long)]
        number: u64,
        /// Where to write the request
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
    },
    /// Approve a request to admit an attestor or to change the authorities
    Approve {
        /// The node's configuration
        #[arg(long, value_name = "FILE", default_value = CONFIG)]
        config: PathBuf,
        /// The request
        #[arg(value_name = "REQUEST")]
        request: PathBuf,
        /// Where to write the approval
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
    },
}

/// The configuration with its genesis and key.
fn load(path: &Path) -> Result<(Config, Genesis, SigningKey), CommandError> {
    let config = Config::read(path)?;
    let genesis = config.load_genesis()?;
    let key =
        keys::load(&config.key, genesis.kind, || config.passphrase().map_err(CommandError::from))?;
    Ok((config, genesis, key))
}

/// Writes JSON to a new file.
fn write(path: &Path, value: &impl serde::Serialize) -> Result<(), CommandError> {
    let mut text =
        serde_json::to_vec_pretty(value).map_err(|error| io(path)(std::io::Error::other(error)))?;
    text.push(b'\n');
    let mut file = std::fs::File::create_new(path).map_err(io(path))?;
    std::io::Write::write_all(&mut file, &text).map_err(io(path))
}

pub(super) fn run(command: &Command) -> Result<Report, CommandError> {
    match command {
        Command::Show { config } => {
            let (_, _, key) = load(config)?;
            let public = key.public().to_string();
            let json = serde_json::json!({ "key": public });
            Ok(Report { text: public, json })
        }
        Command::Check { config } => {
            let (_, genesis, key) = load(config)?;
            let own = genesis.authority(&key.public());
            let mandates: Vec<_> = own
                .map(|own| own.mandates.iter().map(|mandate| mandate.name()).collect())
                .unwrap_or_default();
            let text = match own {
                Some(own) => {
                    format!("{} sits in the genesis, with {}", own.name, mandates.join(", "))
                }
                None => "the key does not sit in the genesis; the node follows until it is \
                         appointed"
                    .to_owned(),
            };
            let name = own.map(|own| own.name.clone());
            let key = key.public().to_string();
            let json = serde_json::json!({ "key": key, "name": name, "mandates": mandates });
            Ok(Report { text, json })
        }
        Command::ChangePassphrase { config, new_passphrase_file } => {
            let (config, _, key) = load(config)?;
            let passphrase = new_passphrase(new_passphrase_file.as_deref())?;
            keys::save(&config.key, &key, &passphrase, true)?;
            let text = "the key has another passphrase; keep the old one as long as a backup of \
                        the old file exists";
            let json = serde_json::json!({ "key": key.public().to_string() });
            Ok(Report { text: text.to_owned(), json })
        }
        Command::Request { config, name, lei, mandates, number, out } => {
            let (_, genesis, key) = load(config)?;
            if !name_is_valid(name) {
                return Err(CommandError::Name);
            }
            let mandates = mandates
                .iter()
                .map(|mandate| mandate.parse::<Checkpoint>())
                .collect::<Result<BTreeSet<_>, _>>()
                .map_err(|_| CommandError::Mandate)?;
            let authority =
                Authority { name: name.clone(), lei: lei.clone(), key: key.public(), mandates };
            let change = AuthorityChange::Appoint(authority);
            let change = NumberedChange { number: *number, change };
            let chain = genesis.chain_id();
            let possession = change.possession(&chain, &key);
            let request =
                Request::change(&chain, change, Some(possession)).ok_or(CommandError::Name)?;
            // What others will refuse is not written.
            let json = serde_json::to_vec(&request)
                .map_err(|error| io(out)(std::io::Error::other(error)))?;
            Request::from_json(&json)?;
            write(out, &request)?;
            let text = format!(
                "{} asks to appoint {name}; send it to the sitting authorities",
                out.display()
            );
            let json = serde_json::json!({ "request": request, "file": out });
            Ok(Report { text, json })
        }
        Command::Approve { config, request, out } => {
            let (_, genesis, key) = load(config)?;
            let text = std::fs::read(request).map_err(io(request))?;
            let asked = Request::from_json(&text)?;
            if asked.chain() != genesis.chain_id() {
                return Err(CommandError::OtherNetwork);
            }
            let approval = asked.approve(&key);
            write(out, &approval)?;
            let text = format!(
                "{} approves {}; give it to whoever sends the transaction",
                out.display(),
                request.display()
            );
            let json = serde_json::json!({ "approval": approval, "file": out });
            Ok(Report { text, json })
        }
    }
}
