//! `placet demo --export DIR`: one real transfer of the demo as files that others can check, its
//! witness included. The person is invented, so is her secret key; no command writes the witness of
//! a wallet.

use std::path::{Path, PathBuf};

use placet_protocol::transaction::{Transaction, TransferTransaction};
use placet_protocol::wire::Wire;
use placet_wallet::holder::Prepared;
use serde_json::{Value, json};

use super::stage::Stage;
use crate::export::{Force, Set, Written, of_statement};
use crate::fail::Result;

/// The bytes of the transaction, as a block holds them.
const TRANSACTION: &str = "transfer.bin";
/// The genesis of the demo's network: a proof is bound to it.
const GENESIS: &str = "genesis.json";

/// Files that exist already are somebody's.
const NEW_FILES: Force = Force { force: false };

/// Where the files go.
pub struct Export {
    directory: PathBuf,
}

/// What was written.
pub struct Exported {
    transaction: String,
    files: Vec<Written>,
}

impl Export {
    /// To this directory.
    ///
    /// # Errors
    /// If one of the files is there: said before the demo begins, not after its first minute.
    pub fn new(directory: &Path) -> Result<Self> {
        let export = Self { directory: directory.to_owned() };
        Set::in_directory(directory).allowed(&NEW_FILES, false)?;
        NEW_FILES.allows(&[&directory.join(TRANSACTION), &directory.join(GENESIS)])?;
        Ok(export)
    }

    /// Writes the files of a transfer that was just proven.
    pub fn write(
        &self,
        stage: &Stage,
        prepared: &Prepared,
        transaction: &TransferTransaction,
    ) -> Result<Exported> {
        let _working = stage.progress.spinner("exporting the transfer");
        let (circuit, assignment) = of_statement(&prepared.public, &prepared.witness)?;
        let mut files = Set::in_directory(&self.directory).write(
            stage.prover.verifying_key(),
            &transaction.proof,
            &prepared.public,
            (&circuit, &assignment),
            None,
            &NEW_FILES,
        )?;
        let transaction = Transaction::Transfer(transaction.clone());
        let genesis = stage.chain.node().genesis();
        let text = serde_json::to_vec_pretty(genesis).map_err(super::stage::fault)?;
        let path = self.directory.join(TRANSACTION);
        files.push(NEW_FILES.write(&path, &transaction.to_wire())?);
        files.push(NEW_FILES.write(&self.directory.join(GENESIS), &text)?);
        Ok(Exported { transaction: transaction.id(&genesis.chain_id()).to_string(), files })
    }
}

impl Exported {
    /// For scripts.
    pub fn json(&self) -> Value {
        let files: Vec<_> = self.files.iter().map(Written::json).collect();
        json!({ "transaction": self.transaction, "files": files })
    }

    /// For people: what can be done with the files.
    pub fn text(&self) -> String {
        let lines: Vec<_> = self.files.iter().map(Written::line).collect();
        format!(
            "{}\nanyone can check it: snarkjs groth16 verify verification_key.json public.json proof.json",
            lines.join("\n")
        )
    }
}
