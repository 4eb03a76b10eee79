//! Trying transactions before they are in a block: the dry run of a mempool, and an authority's
//! judgement of a transfer. Spec §9, §11.

use placet_protocol::block::Entry;
use placet_protocol::genesis::Checkpoint;
use placet_protocol::transaction::{Transaction, TransferTransaction};
use placet_protocol::wire::Wire;
use placet_registry::store::StoreError;
use redb::ReadTransaction;

use crate::authorities::Sitting;
use crate::circuits;
use crate::execute::{Context, Failure, Look, Scrutiny, check_before_proof, proof_item};
use crate::ledger::{ExecuteError, Ledger, LedgerError, TimeBound, fatal};
use crate::proofs::ProofItem;
use crate::refusal::Refusal;
use crate::state;
use crate::transfer::{self, Case};

/// Why a transaction does not pass a dry run.
#[derive(Debug, thiserror::Error)]
pub enum CheckError {
    /// It breaks a rule.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// It could not be tried.
    #[error(transparent)]
    Execute(#[from] ExecuteError),
}

/// What a replica finds about one transfer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Judgement {
    /// Height of the block whose state was judged.
    pub height: u64,
    /// Block time with which it was judged.
    pub time: u64,
    /// For each checkpoint the first reason to reject, or none.
    pub verdicts: [(Checkpoint, Option<Refusal>); Checkpoint::ALL.len()],
}

impl Ledger {
    /// Tries a transaction on the tip in a block at `time`, without assertions, and forgets it.
    /// Waits while an execution is held, but for transfers.
    ///
    /// # Errors
    /// [`CheckError::Refused`] with the rule it breaks.
    pub fn check(&self, tx: &Transaction, time: u64, bound: TimeBound) -> Result<(), CheckError> {
        let entry = Entry { transaction: tx.clone(), assertions: Vec::new() };
        if let Transaction::Transfer(transfer) = tx {
            return self.check_transfer(&entry, transfer, time, bound);
        }
        let executed = self.run(vec![entry], time, bound, Scrutiny::Unendorsed)?;
        match executed.refused().first() {
            Some((_, refusal)) => Err(CheckError::Refused(*refusal)),
            None => Ok(()),
        }
    }

    /// Tries a transfer on a view: a flood of bad proofs must not keep blocks from being written.
    fn check_transfer(
        &self,
        entry: &Entry,
        transfer: &TransferTransaction,
        time: u64,
        bound: TimeBound,
    ) -> Result<(), CheckError> {
        let txn = self.read().map_err(ExecuteError::from)?;
        let tip = state::tip(&txn).map_err(LedgerError::from).map_err(ExecuteError::from)?;
        self.check_time(&tip, time, bound).map_err(ExecuteError::from)?;
        let sitting = Sitting::load(&txn).map_err(LedgerError::from).map_err(ExecuteError::from)?;
        let context = self.context(&sitting, tip.height + 1, time);
        match check_before_proof(&txn, &context, entry, transfer, 0, Look::Unendorsed) {
            Ok(_) => {}
            Err(Failure::Refused(refusal)) => return Err(refusal.into()),
            Err(failure) => return Err(ExecuteError::from(fatal(failure)).into()),
        }
        let item = proof_item(&txn, &context, transfer).map_err(LedgerError::from);
        let item = item.map_err(ExecuteError::from)?;
        let bad =
            self.proofs().bad(&[item]).map_err(LedgerError::from).map_err(ExecuteError::from)?;
        if bad.is_empty() { Ok(()) } else { Err(Refusal::ProofInvalid.into()) }
    }

    /// What there is to verify about a transfer in the block behind the tip.
    ///
    /// # Errors
    /// [`CheckError::Refused`] if such a block does not take its circuit's proofs.
    pub fn proof_item(&self, transfer: &TransferTransaction) -> Result<ProofItem, CheckError> {
        let failed = |error: StoreError| ExecuteError::from(LedgerError::from(error));
        let txn = self.read().map_err(ExecuteError::from)?;
        let height = state::tip(&txn).map_err(failed)?.height + 1;
        let entry = circuits::entry(&txn, &transfer.body.circuit).map_err(failed)?;
        if let Some(refusal) = circuits::refusal(entry.as_ref(), height) {
            return Err(refusal.into());
        }
        let sitting = Sitting::load(&txn).map_err(failed)?;
        let context = self.context(&sitting, height, 0);
        Ok(proof_item(&txn, &context, transfer).map_err(failed)?)
    }

    /// Decodes strictly and tries, as [`Self::check`].
    ///
    /// # Errors
    /// As [`Self::check`]; bytes that are no transaction are [`Refusal::Malformed`].
    pub fn check_bytes(
        &self,
        bytes: &[u8],
        time: u64,
        bound: TimeBound,
    ) -> Result<Transaction, CheckError> {
        if bytes.len() > placet_protocol::transaction::MAX_SANCTIONS_BYTES {
            return Err(Refusal::TooLarge.into());
        }
        let tx = Transaction::from_wire(bytes).map_err(|_| Refusal::Malformed)?;
        self.check(&tx, time, bound)?;
        Ok(tx)
    }

    /// Judges a transfer for an authority. Unlike execution it tries every rule, so that each
    /// mandate gets its own answer.
    ///
    /// # Errors
    /// [`ExecuteError`] if nothing could be found out.
    pub fn judge(
        &self,
        tx: &TransferTransaction,
        time: u64,
        bound: TimeBound,
    ) -> Result<Judgement, ExecuteError> {
        let txn = self.read()?;
        let tip = state::tip(&txn).map_err(LedgerError::from)?;
        self.check_time(&tip, time, bound)?;
        let sitting = Sitting::load(&txn).map_err(LedgerError::from)?;
        let findings = self.findings(&txn, &self.context(&sitting, tip.height + 1, time), tx)?;
        let verdict = |checkpoint: Checkpoint| {
            findings.iter().copied().find(|refusal| refusal.checkpoints().contains(&checkpoint))
        };
        let verdicts = Checkpoint::ALL.map(|checkpoint| (checkpoint, verdict(checkpoint)));
        Ok(Judgement { height: tip.height, time, verdicts })
    }

    fn findings(
        &self,
        txn: &ReadTransaction,
        context: &Context<'_>,
        tx: &TransferTransaction,
    ) -> Result<Vec<Refusal>, LedgerError> {
        let Some(asset) = self.assets.asset(txn, tx.body.asset)? else {
            return Ok(vec![Refusal::UnknownAsset]);
        };
        let case = Case { context, txn, asset: &asset, transfer: tx, pending_notes: 0 };
        let mut findings = Vec::new();
        for rule in transfer::rules() {
            findings.extend(rule(&case)?);
        }
        // Without its key nobody can say anything of a proof; the rule above has refused it.
        if let Some(item) = circuits::item(txn, context, tx)?
            && !self.proofs().bad(&[item])?.is_empty()
        {
            findings.push(Refusal::ProofInvalid);
        }
        Ok(findings)
    }
}
