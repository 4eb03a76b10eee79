//! `placet evm`: contracts that check proofs on a chain of the Ethereum virtual machine, what
//! authorities sign for them, and proofs for token transfers. Spec §12.7.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use placet_circuits::circuit::blank_shape;
use placet_evm::message::{Content, Message, combine};
use placet_evm::solidity::{SOURCES, VERIFIER_FILE, verifier_source};
use placet_evm::typed::{Adapter, Roots, SignerChange};
use placet_evm::{Address, Word, calls, inputs, proof_words, signing};
use placet_params::{CircuitDigest, KeyPolicy, Origin, VerifyingKey};
use placet_protocol::circuit::CircuitId;
use placet_protocol::field::AssetId;
use placet_protocol::statement::Statement;
use placet_protocol::transaction::{Transaction, TxId};
use placet_protocol::transfer::Transfer;
use placet_wallet::files::{Existing, write_atomically};
use serde_json::json;

use crate::app::App;
use crate::chain::Chain;
use crate::data::Name;
use crate::fail::{Exit, Failure, Result};
use crate::output::Report;
use crate::{keyfiles, lookup, time};

mod follow;
mod key;
mod prove;

/// Commands on contracts of the Ethereum virtual machine.
#[derive(Subcommand)]
pub enum Command {
    /// Write the Solidity sources of the verifier of a key, and of the adapter for a token
    Verifier {
        /// New directory for the sources
        #[arg(long, value_name = "DIR")]
        out: PathBuf,
        /// A verifying key, as in DATA/network/*.vk
        #[arg(long, value_name = "FILE", required_unless_present = "development")]
        key: Option<PathBuf>,
        /// The development key of this machine, whose proofs anybody here can forge
        #[arg(long, conflicts_with = "key")]
        development: bool,
    },
    /// Make an authority's key for signatures that contracts check
    Keygen {
        /// New file for the key, encrypted under a passphrase
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
    },
    /// Sign the roots behind a final block, for an adapter
    ///
    /// All authorities must sign the same block: agree on its height beforehand. The chain is
    /// followed and checked up to that block and the roots are taken from there.
    SignRoots {
        #[command(flatten)]
        signer: Signer,
        /// Height of the block; the newest one without it
        #[arg(long)]
        height: Option<u64>,
        /// Roots of blocks below this height, and permissions that rest on them, end at once; for
        /// revocations that cannot wait
        #[arg(long, value_name = "HEIGHT", default_value_t = 0)]
        oldest: u64,
    },
    /// Sign a change of an adapter's signers
    SignSigners {
        #[command(flatten)]
        signer: Signer,
        /// Number of the change: one more than the adapter's `signersNumber`
        #[arg(long)]
        number: u64,
        /// One of the signers afterwards; repeat for all
        #[arg(long = "member", value_name = "ADDRESS", required = true)]
        members: Vec<Address>,
    },
    /// Combine signed messages into the call that hands them to the adapter
    Roots {
        /// One of the adapter's present signers; repeat for all
        #[arg(long = "member", value_name = "ADDRESS", required = true)]
        members: Vec<Address>,
        /// What `sign-roots` or `sign-signers` wrote, by more than two thirds of them
        #[arg(required = true, value_name = "FILE")]
        messages: Vec<PathBuf>,
    },
    /// Prove to an adapter that a token transfer may be done, with a wallet's credential
    ///
    /// Nothing is sent. The proof shows the nullifier of the wallet's present position, so that
    /// whoever reads both ledgers can tell which later transfer there is by the same holder.
    Prove {
        /// The wallet
        #[arg(long, short, default_value = "default", env = "PLACET_WALLET", value_name = "NAME")]
        wallet: Name,
        #[command(flatten)]
        target: Target,
        /// Address of the token
        #[arg(long, value_name = "ADDRESS")]
        token: Address,
        /// Who sends
        #[arg(long, value_name = "ADDRESS")]
        from: Address,
        /// Who receives
        #[arg(long, value_name = "ADDRESS")]
        to: Address,
        /// The token's smallest units
        #[arg(long, value_name = "UNITS")]
        amount: Word,
        /// How long the permission is good; the adapter's window is the most
        #[arg(long = "for", default_value = "10m", value_parser = time::duration, value_name = "DURATION")]
        duration: u64,
    },
    /// The call by which the verifier contract checks the proof of a transfer on Placet's ledger
    Calldata {
        /// Id of a transfer that is final
        #[arg(value_name = "ID")]
        transaction: TxId,
    },
}

/// Which adapter.
#[derive(Args)]
pub struct Target {
    /// Chain id of the Ethereum virtual machine's chain (EIP-155)
    #[arg(long, value_name = "ID")]
    evm_chain: u64,
    /// Address of the adapter
    #[arg(long, value_name = "ADDRESS")]
    adapter: Address,
    /// The asset on Placet's ledger: its name, its id, or the beginning of its id
    #[arg(long)]
    asset: String,
    /// The circuit that the adapter's verifier is for; without it the one of the genesis
    #[arg(long, value_name = "ID")]
    circuit: Option<CircuitId>,
}

/// Who signs, and for which adapter.
#[derive(Args)]
pub struct Signer {
    #[command(flatten)]
    target: Target,
    /// The authority's key, as `placet evm keygen` made it
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
    /// New file for the signed message
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

/// Runs one of them.
pub fn run(app: &mut App, command: &Command) -> Result<Report> {
    match command {
        Command::Verifier { out, key, .. } => verifier(app, out, key.as_deref()),
        Command::Keygen { out } => key::generate(app, out),
        Command::SignRoots { signer, height, oldest } => sign_roots(app, signer, *height, *oldest),
        Command::SignSigners { signer, number, members } => {
            sign_signers(app, signer, *number, members)
        }
        Command::Roots { members, messages } => roots(members, messages),
        Command::Prove { wallet, target, token, from, to, amount, duration } => {
            let wish = prove::Wish {
                token: *token,
                from: *from,
                to: *to,
                amount: *amount,
                duration: *duration,
            };
            prove::run(app, wallet, target, &wish)
        }
        Command::Calldata { transaction } => calldata(app, *transaction),
    }
}

fn verifier(app: &App, out: &Path, key: Option<&Path>) -> Result<Report> {
    let key = match key {
        None => keyfiles::development(app.progress)?.1,
        Some(path) => {
            let shape = blank_shape::<Transfer>().map_err(|error| Failure::internal(&error))?;
            // Whatever its origin: it is printed, and deploying is somebody's decision.
            VerifyingKey::<Transfer>::load(path, &CircuitDigest(shape.digest), KeyPolicy::Dev)
                .map_err(|error| Failure::from_error(Exit::Input, "verifying-key", &error))?
        }
    };
    std::fs::create_dir(out).map_err(|error| Failure::file(out, &error))?;
    let source = verifier_source(&key);
    let files = SOURCES.into_iter().chain([(VERIFIER_FILE, source.as_str())]);
    for (name, text) in files {
        write(&out.join(name), text)?;
    }
    let circuit = key.hash().to_string();
    let (origin, note) = match key.origin() {
        Origin::Dev => (
            json!("development"),
            "\na development key: whoever made it can forge proofs, so nothing of value may depend on it",
        ),
        Origin::Ceremony { transcript } => (json!(transcript.to_string()), ""),
    };
    let text = format!(
        "the sources are in {}\ncircuit {circuit}\ncompare it with what the network's genesis pins, then compile with solc {}{note}",
        out.display(),
        placet_evm::solidity::SOLC_VERSION,
    );
    let json = json!({
        "directory": out.display().to_string(), "circuit": circuit, "origin": origin,
        "statement": Transfer::NAME,
    });
    Ok(Report::new(text, json))
}

/// The adapter that is meant, with what it serves of this network.
fn adapter(chain: &Chain, target: &Target, asset: AssetId) -> Result<Adapter> {
    let circuit = match target.circuit {
        Some(circuit) => circuit,
        None => match chain.genesis().circuit(Transfer::NAME) {
            Some(pin) => pin.id(),
            None => {
                return Err(Failure::input(
                    "circuit",
                    "the genesis pins no circuit for `transfer`",
                    "name the adapter's circuit with --circuit",
                ));
            }
        },
    };
    Ok(Adapter {
        evm_chain: target.evm_chain,
        address: target.adapter,
        chain: chain.id(),
        asset,
        circuit,
    })
}

fn sign_roots(app: &mut App, signer: &Signer, height: Option<u64>, oldest: u64) -> Result<Report> {
    let key = key::load(app, &signer.key)?;
    let chain = app.chain()?;
    let seen = follow::at(app, &chain, height)?;
    let anchor = seen.anchor;
    if anchor.height == 0 {
        return Err(Failure::input(
            "no-block",
            "there is no block yet whose roots could be signed",
            "wait for the first one",
        ));
    }
    if oldest > anchor.height {
        return Err(Failure::input(
            "oldest",
            format!("--oldest {oldest} is above the block at height {}", anchor.height),
            "name that height or a lower one",
        ));
    }
    let asset = lookup::asset(&seen.client.read()?, &signer.target.asset)?;
    let roots = Roots {
        height: anchor.height,
        time: anchor.time,
        oldest,
        note_root: anchor.notes,
        registry_root: anchor.registry,
        sanctions_root: anchor.sanctions,
        policy: asset.policy().hash(),
    };
    let adapter = adapter(&chain, &signer.target, asset.id)?;
    signed(&Message::sign(adapter, Content::Roots(roots), &key), &signer.out)
}

fn sign_signers(
    app: &mut App,
    signer: &Signer,
    number: u64,
    members: &[Address],
) -> Result<Report> {
    let members = signing::ascending(members.to_vec())
        .map_err(|error| Failure::from_error(Exit::Input, "signers", &error))?;
    let key = key::load(app, &signer.key)?;
    let chain = app.chain()?;
    let public = chain.public(app)?;
    let asset = lookup::asset(&public.read()?, &signer.target.asset)?;
    let adapter = adapter(&chain, &signer.target, asset.id)?;
    let change = SignerChange { number, signers: members };
    signed(&Message::sign(adapter, Content::Signers(change), &key), &signer.out)
}

fn signed(message: &Message, out: &Path) -> Result<Report> {
    write(out, &message.to_json())?;
    let signer = message.signer().map_err(|error| Failure::internal(&error))?;
    let (what, mut json) = match &message.content {
        Content::Roots(roots) => (
            format!("the roots behind block {}", roots.height),
            json!({ "height": roots.height, "time": roots.time, "oldest": roots.oldest }),
        ),
        Content::Signers(change) => (
            format!("change {} of the signers", change.number),
            json!({ "number": change.number, "members": change.signers }),
        ),
    };
    json["signer"] = json!(signer);
    json["file"] = json!(out.display().to_string());
    Ok(Report::new(format!("{signer} signed {what}: {}", out.display()), json))
}

fn roots(members: &[Address], files: &[PathBuf]) -> Result<Report> {
    let mut messages = Vec::with_capacity(files.len());
    for path in files {
        let bytes = read(path, placet_evm::message::MAX_BYTES as u64)?;
        let message = Message::from_json(&bytes)
            .map_err(|error| Failure::from_error(Exit::Input, "message", &error))
            .map_err(|failure| failure.with(&path.display().to_string()))?;
        messages.push(message);
    }
    let call = combine(&messages, members)
        .map_err(|error| Failure::from_error(Exit::Evidence, "quorum", &error))?;
    let to = messages.first().map(|message| message.adapter.address);
    let calldata = format!("0x{}", hex::encode(&call));
    let json = json!({ "to": to, "calldata": calldata, "signatures": messages.len() });
    Ok(Report::new(calldata, json))
}

fn calldata(app: &mut App, id: TxId) -> Result<Report> {
    let chain = app.chain()?;
    let unknown = || {
        Failure::input(
            "not-found",
            format!("there is no final transfer {id}"),
            "write the id of a transfer, 64 hexadecimal digits",
        )
    };
    let receipt = chain.receipt(id)?.ok_or_else(unknown)?;
    let public = chain.public(app)?;
    let block = chain.block(&public, receipt.header.height)?.ok_or_else(unknown)?;
    let own = chain.id();
    let transfer = block
        .block
        .entries
        .iter()
        .filter(|entry| entry.transaction.id(&own) == id)
        .find_map(|entry| match &entry.transaction {
            Transaction::Transfer(transfer) => Some(transfer),
            _ => None,
        })
        .ok_or_else(unknown)?;
    let proof = proof_words(&transfer.proof)
        .map_err(|error| Failure::from_error(Exit::Evidence, "proof", &error))?;
    let call = calls::verify(&proof, &inputs(&transfer.body.public_inputs(&own)));
    let calldata = format!("0x{}", hex::encode(call));
    let circuit = transfer.body.circuit.to_string();
    let text = format!("{calldata}\n\nfor a verifier of circuit {circuit}");
    Ok(Report::new(text, json!({ "circuit": circuit, "calldata": calldata })))
}

/// Reads a file that is at most so long.
fn read(path: &Path, most: u64) -> Result<Vec<u8>> {
    let failed = |error: std::io::Error| Failure::file(path, &error);
    if std::fs::metadata(path).map_err(failed)?.len() > most {
        return Err(Failure::input(
            "file",
            format!("{} is longer than {most} bytes", path.display()),
            "name another file",
        ));
    }
    std::fs::read(path).map_err(failed)
}

fn write(path: &Path, text: &str) -> Result<()> {
    write_atomically(path, text.as_bytes(), Existing::Refuse)
        .map_err(|error| Failure::file(path, &error))
}
