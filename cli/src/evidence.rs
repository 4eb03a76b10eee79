//! `placet verify` and `placet audit`: what can be checked without trusting any node.

use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;
use placet_ledger::{ApplyError, Backend, CommitError, Groth16Check, Ledger};
use placet_node::export::{Blocks, ExportError};
use placet_protocol::finality::{Validators, ends_epoch};
use placet_protocol::genesis::Genesis;
use placet_protocol::receipt::Receipt;
use placet_protocol::transaction::{Transaction, TxId};
use placet_protocol::wire::Wire;
use serde_json::json;

use crate::app::App;
use crate::fail::{Exit, Failure, Result};
use crate::inspect::describe;
use crate::nodes::genesis_file;
use crate::output::{Report, fields};
use crate::{keyfiles, time};

/// Longest receipt that is read: an entry in the chain of validators' changes has kilobytes.
const MAX_RECEIPT: u64 = 64 << 20;

/// What to verify.
#[derive(Args)]
pub struct Verify {
    /// The receipt, as `placet wallet receipt` writes it
    #[arg(long, value_name = "FILE")]
    receipt: PathBuf,
    /// The genesis of the network
    #[arg(long, value_name = "FILE")]
    genesis: PathBuf,
    /// The transaction that it should be about
    #[arg(long, value_name = "ID")]
    transaction: Option<TxId>,
}

/// What to audit.
#[derive(Args)]
pub struct Audit {
    /// The genesis of the network
    #[arg(long, value_name = "FILE")]
    genesis: PathBuf,
    /// The verifying key that the genesis pins, with its transcript beside it where the network is
    /// not for development
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
    /// All blocks from the first on, as `placet node export` writes them
    blocks: PathBuf,
    /// Fail unless the chain has at least this many blocks
    #[arg(long, value_name = "HEIGHT")]
    height: Option<u64>,
}

fn wrong(code: &str, error: &(dyn std::error::Error + 'static)) -> Failure {
    Failure::from_error(Exit::Evidence, code, error)
}

/// Checks a receipt against a genesis: signatures, the chain of validators, inclusion.
pub fn verify(arguments: &Verify) -> Result<Report> {
    let genesis = genesis_file(&arguments.genesis)?;
    let receipt = read_receipt(&arguments.receipt)?;
    let shown = receipt.check(&genesis).map_err(|error| wrong("receipt", &error))?;
    if let Some(expected) = arguments.transaction
        && expected != shown.transaction
    {
        return Err(Failure::new(
            Exit::Evidence,
            "other-transaction",
            format!("the receipt is about transaction {}", shown.transaction),
            "ask for the receipt of the right one",
        ));
    }
    let signers = receipt.finality.certificate.signatures.len();
    let validators = shown.validators.keys().len();
    let text = format!(
        "the transaction is final\n{}",
        fields(&[
            ("transaction", shown.transaction.to_string()),
            ("block", shown.block.to_string()),
            ("height", shown.height.to_string()),
            ("time", time::format(shown.time)),
            ("signed by", format!("{signers} of {validators} authorities")),
            ("network", format!("{} ({})", genesis.name, genesis.chain_id())),
        ])
    );
    let json = json!({
        "transaction": shown.transaction.to_string(), "block": shown.block.to_string(),
        "height": shown.height, "time": shown.time, "signatures": signers,
        "validators": validators, "chain": genesis.chain_id().to_string(),
        "handoffs": receipt.handoffs.len(),
    });
    Ok(Report::new(text, json))
}

fn read_receipt(path: &Path) -> Result<Receipt> {
    let failed = |error: std::io::Error| Failure::file(path, &error);
    let short = std::fs::metadata(path).map_err(failed)?.len() <= MAX_RECEIPT;
    let bytes = if short { std::fs::read(path).map_err(failed)? } else { Vec::new() };
    Receipt::from_wire(&bytes).map_err(|_| {
        Failure::new(
            Exit::Evidence,
            "receipt",
            format!("{} is no receipt", path.display()),
            "ask for it again: `placet wallet receipt ID --out FILE`",
        )
    })
}

/// Writes the receipt of a transaction.
pub fn receipt(app: &mut App, id: TxId, out: Option<&Path>) -> Result<Report> {
    let chain = app.chain()?;
    let receipt = chain.receipt(id)?.ok_or_else(|| {
        Failure::input(
            "not-found",
            format!("transaction {id} is not final"),
            "check the id; a transaction that waits has no receipt yet",
        )
    })?;
    if let Some(path) = out {
        placet_wallet::files::write_atomically(
            path,
            &receipt.to_wire(),
            placet_wallet::files::Existing::Refuse,
        )
        .map_err(|error| Failure::file(path, &error))?;
    }
    let mut content = describe::receipt(&receipt);
    if let Some(path) = out {
        describe::merge(&mut content, json!({ "file": path.display().to_string() }));
    }
    Ok(Report::new(describe::render(&content, 0), content))
}

/// What an audit counts.
#[derive(Default)]
struct Tally {
    blocks: u64,
    transactions: u64,
    transfers: u64,
    assertions: u64,
    changes: u64,
    handoffs: u64,
    circuits: u64,
}

/// Executes a whole chain again: every certificate, proof, assertion, state hash and change of the
/// authorities.
pub fn audit(app: &App, arguments: &Audit) -> Result<Report> {
    let genesis = genesis_file(&arguments.genesis)?;
    let (key, transcript) = keyfiles::verifying_file(&arguments.key, &genesis)?;
    let check = Groth16Check::new(&genesis, &key, transcript.as_ref())
        .map_err(|error| Failure::from_error(Exit::Input, "verifying-key", &error))?;
    let path = &arguments.blocks;
    let file = File::open(path).map_err(|error| Failure::file(path, &error))?;
    let size = file.metadata().map_err(|error| Failure::file(path, &error))?.len();
    let mut blocks =
        Blocks::open(BufReader::with_capacity(1 << 20, file)).map_err(|error| cut(&error))?;
    if Blocks::chain(&blocks) != genesis.chain_id() {
        return Err(Failure::new(
            Exit::Evidence,
            "wrong-network",
            "the blocks are of another network than the genesis",
            "use the genesis of the network whose blocks they are",
        ));
    }
    if blocks.first() != 1 {
        return Err(Failure::new(
            Exit::Evidence,
            "incomplete",
            format!("the file begins with block {}", blocks.first()),
            "an audit needs every block from 1 on: export them all",
        ));
    }
    let scratch = tempfile::Builder::new().prefix("placet-audit-").tempdir()?;
    let store = scratch.path().join("ledger.redb");
    let ledger = Ledger::open(Backend::File(&store), genesis.clone(), Arc::new(check))
        .map_err(|error| Failure::internal(&error))?;
    let tally = execute(app, &genesis, &ledger, &mut blocks, size)?;
    if arguments.height.is_some_and(|height| tally.blocks < height) {
        return Err(Failure::new(
            Exit::Evidence,
            "incomplete",
            format!("the chain in the file has {} blocks only", tally.blocks),
            "export the rest too",
        ));
    }
    report(&genesis, &ledger, &tally)
}

fn cut(error: &ExportError) -> Failure {
    let code = match error {
        ExportError::Truncated => "truncated",
        ExportError::Order { .. } => "reordered",
        _ => "blocks",
    };
    wrong(code, error)
}

fn execute(
    app: &App,
    genesis: &Genesis,
    ledger: &Ledger,
    blocks: &mut Blocks<BufReader<File>>,
    size: u64,
) -> Result<Tally> {
    let task = app.progress.bar("verifying the chain");
    let mut tally = Tally::default();
    let mut validators = Validators::genesis(genesis);
    let mut read = 0;
    for block in blocks {
        let block = block.map_err(|error| cut(&error))?;
        let height = block.block.header.height;
        ledger.apply(&block).map_err(|error| {
            let code = match &error {
                ApplyError::NotNext => "not-next",
                ApplyError::Body => "altered",
                ApplyError::Commit(CommitError::NotFinal(_)) => "not-final",
                ApplyError::Commit(_) => "state",
                _ => "block",
            };
            wrong(code, &error).with(&format!("in block {height}"))
        })?;
        tally.blocks += 1;
        for entry in &block.block.entries {
            tally.transactions += 1;
            tally.assertions += entry.assertions.len() as u64;
            match entry.transaction {
                Transaction::Transfer(_) => tally.transfers += 1,
                Transaction::ChangeCircuits(_) => tally.circuits += 1,
                Transaction::ChangeAuthorities(_) | Transaction::ConvictAuthority(_) => {
                    tally.changes += 1;
                }
                _ => {}
            }
        }
        let length = genesis.params.epoch_length;
        if ends_epoch(height, length) {
            let next = ledger
                .validators(height / length + 1)
                .map_err(|error| Failure::internal(&error))?;
            if let Some(next) = next
                && next != validators
            {
                validators = next;
                tally.handoffs += 1;
            }
        }
        read += block.to_wire().len() as u64 + 4;
        task.at(read, size);
    }
    Ok(tally)
}

fn report(genesis: &Genesis, ledger: &Ledger, tally: &Tally) -> Result<Report> {
    let tip = ledger.tip().map_err(|error| Failure::internal(&error))?;
    let view = ledger.view().map_err(|error| Failure::internal(&error))?;
    let sitting = view.authorities()?.authorities().len();
    let text = format!(
        "the chain holds: every certificate, proof, assertion and state hash was verified\n{}",
        fields(&[
            ("network", format!("{} ({})", genesis.name, genesis.chain_id())),
            ("blocks", tally.blocks.to_string()),
            ("transactions", tally.transactions.to_string()),
            ("transfers with proof", tally.transfers.to_string()),
            ("assertions", tally.assertions.to_string()),
            ("changes of authorities", tally.changes.to_string()),
            ("changes of validators", tally.handoffs.to_string()),
            ("changes of circuits", tally.circuits.to_string()),
            ("authorities now", sitting.to_string()),
            ("last block", hex::encode(tip.block)),
            ("time", time::format(tip.time)),
            ("state", hex::encode(tip.state)),
        ])
    );
    let json = json!({
        "chain": genesis.chain_id().to_string(), "blocks": tally.blocks,
        "transactions": tally.transactions, "transfers": tally.transfers,
        "assertions": tally.assertions, "authority_changes": tally.changes,
        "validator_changes": tally.handoffs, "circuit_changes": tally.circuits,
        "authorities": sitting,
        "block": hex::encode(tip.block), "time": tip.time, "state": hex::encode(tip.state),
    });
    Ok(Report::new(text, json))
}
