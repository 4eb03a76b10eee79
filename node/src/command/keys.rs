//! `keys`: the node's key, and what it signs by hand.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use clap::Subcommand;
use placet_params::transcript::Transcript;
use placet_params::{CircuitDigest, Origin, VerifyingKey};
use placet_protocol::genesis::{Authority, Checkpoint, Genesis, NetworkKind, name_is_valid};
use placet_protocol::request::Request;
use placet_protocol::signing::SigningKey;
use placet_protocol::transaction::{
    AuthorityChange, CircuitChange, NumberedChange, NumberedCircuitChange,
};
use placet_protocol::transfer::Transfer;

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

/// What an approval of a change of the circuits is for, after a look at what this node can judge of
/// it: a key's points, and that its transcript vouches for them.
fn describe_circuits(
    kind: NetworkKind,
    numbered: &NumberedCircuitChange,
) -> Result<String, CommandError> {
    let new = match &numbered.change {
        CircuitChange::Deactivate { circuit, height } => {
            return Ok(format!(
                "switches off circuit {circuit} from height {height}, or from the block after the \
                 one that holds it if that is later; nobody can undo this, and the approval does \
                 not lapse\n"
            ));
        }
        CircuitChange::Add(new) => new,
    };
    let id = new.id().ok_or(CommandError::Circuit("its statement is unknown to this program"))?;
    let transcript = match (kind, &new.transcript) {
        (NetworkKind::Dev, None) => None,
        (NetworkKind::Other, Some(bytes)) => Some(
            Transcript::from_bytes(bytes)
                .map_err(|_| CommandError::Circuit("its transcript cannot be read"))?,
        ),
        _ => return Err(CommandError::Circuit("a transcript is missing, or out of place")),
    };
    let origin = transcript
        .as_ref()
        .map_or(Origin::Dev, |transcript| Origin::Ceremony { transcript: transcript.hash() });
    let digest = CircuitDigest(new.circuit_digest.0);
    let key = VerifyingKey::<Transfer>::from_point_bytes(&new.points, digest, origin)
        .map_err(|_| CommandError::Circuit("its points are no verifying key"))?;
    let vouched = transcript.as_ref().is_none_or(|transcript| transcript.verify(&key).is_ok());
    if !vouched || key.hash().0 != id.0 {
        return Err(CommandError::Circuit("its transcript does not vouch for its key"));
    }
    let ceremony = transcript.map_or("a development key".to_owned(), |transcript| {
        format!("the ceremony of transcript {}", transcript.hash())
    });
    Ok(format!(
        "change {}: adds circuit {id} of `{}` from height {}, with {ceremony}\nthis looked at the \
         key's points and at the ceremony's steps only: before you hand the approval on, run \
         `placet circuits check`, which derives the key from circuit and powers of tau\n",
        numbered.number, new.statement, new.activation
    ))
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
            let about = match asked.as_circuits() {
                Some(change) => describe_circuits(genesis.kind, &change)?,
                None => String::new(),
            };
            let approval = asked.approve(&key);
            write(out, &approval)?;
            let text = format!(
                "{about}{} approves {}; give it to whoever sends the transaction",
                out.display(),
                request.display()
            );
            let json = serde_json::json!({ "approval": approval, "file": out });
            Ok(Report { text, json })
        }
    }
}

#[cfg(test)]
mod tests {
    use placet_protocol::circuit::CircuitId;
    use placet_protocol::genesis::Sha256Digest;
    use placet_protocol::transaction::circuits::NewCircuit;

    use super::*;

    #[test]
    fn who_approves_reads_what_it_is_for_and_a_key_that_is_none_is_not_approved() {
        let id = CircuitId([8; 32]);
        let about = |kind, number, change| {
            describe_circuits(kind, &NumberedCircuitChange { number, change })
        };
        let change = CircuitChange::Deactivate { circuit: id, height: 9 };
        let text = about(NetworkKind::Dev, 0, change).unwrap();
        assert!(text.contains(&id.to_string()) && text.contains("height 9"), "{text}");
        let new = NewCircuit {
            statement: "transfer".into(),
            circuit_digest: Sha256Digest([4; 32]),
            points: vec![5; 1600],
            transcript: None,
            activation: 77,
        };
        for (kind, transcript, why) in [
            (NetworkKind::Dev, None, "points"),
            (NetworkKind::Dev, Some(vec![1]), "out of place"),
            (NetworkKind::Other, None, "missing"),
            (NetworkKind::Other, Some(vec![1]), "cannot be read"),
        ] {
            let new = NewCircuit { transcript, ..new.clone() };
            let error = about(kind, 1, CircuitChange::Add(new)).unwrap_err().to_string();
            assert!(error.contains(why), "{error}");
        }
    }
}
