//! Execution of one block's transactions inside one write transaction. Spec §11.
//!
//! Each transaction checks everything before it writes anything, so a refused one leaves no trace
//! in the block being built. Proofs are verified in one batch for the whole block. A proposer leaves
//! out what is refused; a judge stops at it.

use std::collections::BTreeMap;
use std::sync::Arc;

use placet_protocol::block::Entry;
use placet_protocol::genesis::{ChainId, Genesis};
use placet_protocol::transaction::{
    MAX_SANCTIONS_BYTES, MAX_TRANSACTION_BYTES, Transaction, TransferTransaction,
};
use placet_protocol::wire::Wire;
use placet_registry::credentials;
use placet_registry::roots::{NETWORK, Roots, RootsError, Scope, Value};
use placet_registry::store::StoreError;
use redb::WriteTransaction;

use crate::authorities::{self, Sitting};
use crate::circuits::{self, CircuitMemo};
use crate::conviction;
use crate::memo::RootMemo;
use crate::proofs::{ProofCheck, ProofItem, Undecided};
use crate::refusal::Refusal;
use crate::state::{
    self, AssetMemo, AssetRecord, Journal, Location, NOTE_ROOTS, NOTES, REGISTRY_ROOTS,
    SANCTIONS_ROOTS, TIMES, TRANSACTIONS, has,
};
use crate::transfer::{self, Case, SignatureMemo};
use crate::{asset, registry};

/// The block being executed.
#[derive(Clone, Copy)]
pub(crate) struct Context<'a> {
    /// The chain.
    pub(crate) chain: ChainId,
    /// The genesis.
    pub(crate) genesis: &'a Genesis,
    /// Who sits at the beginning of the block. The batch of proofs relies on it not changing.
    pub(crate) sitting: &'a Sitting,
    /// Decoded assets.
    pub(crate) assets: &'a AssetMemo,
    /// Signatures that were verified before.
    pub(crate) signatures: &'a SignatureMemo,
    /// Keys of circuits.
    pub(crate) circuits: &'a CircuitMemo,
    /// Roots that were computed before.
    pub(crate) roots: &'a RootMemo,
    /// Height of the block.
    pub(crate) height: u64,
    /// Its time.
    pub(crate) time: u64,
}

/// A transaction was refused, or nothing could be found out.
#[derive(Debug)]
pub(crate) enum Failure {
    /// It breaks a rule; nothing was written.
    Refused(Refusal),
    /// The store failed; the whole block is aborted.
    Store(StoreError),
    /// A proof could not be verified; the whole block is aborted.
    Undecided(Undecided),
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl From<Undecided> for Failure {
    fn from(undecided: Undecided) -> Self {
        Self::Undecided(undecided)
    }
}

/// Makes a value current. `urgent` closes the window of all older ones.
pub(crate) fn advance(
    txn: &WriteTransaction,
    roots: Roots,
    scope: &Scope,
    value: &Value,
    time: u64,
    urgent: bool,
) -> Result<(), Failure> {
    let done = if urgent {
        roots.advance_urgently(txn, scope, value, time)
    } else {
        roots.advance(txn, scope, value, time)
    };
    done.map_err(|error| match error {
        RootsError::Store(error) => error.into(),
        // Block time was checked to be monotone.
        RootsError::TimeRunsBackwards => StoreError::Corrupt.into(),
    })
}

/// Verdicts on the proofs of those transfers, by index, that no rule before the proof refuses on the
/// state before the block. Their form and assertions no earlier transaction of the block can change.
pub(crate) type Verdicts = BTreeMap<usize, bool>;

/// Looks at a proposer's transfers, and verifies in one batch the proofs of those that are worth it.
fn verdicts(
    check: &dyn ProofCheck,
    txn: &WriteTransaction,
    context: &Context<'_>,
    entries: &[Entry],
    scrutiny: Scrutiny,
) -> Result<Verdicts, Failure> {
    if scrutiny == Scrutiny::StateOnly {
        return Ok(Verdicts::new());
    }
    let (mut indices, mut items) = (Vec::new(), Vec::new());
    for (index, entry) in entries.iter().enumerate() {
        let Transaction::Transfer(tx) = &entry.transaction else { continue };
        match check_before_proof(txn, context, entry, tx, 0, scrutiny.look(false)) {
            Ok(_) => {
                indices.push(index);
                items.push(proof_item(txn, context, tx)?);
            }
            Err(Failure::Refused(_)) => {}
            Err(failure) => return Err(failure),
        }
    }
    let bad = check.bad(&items)?;
    let good = |i: usize| bad.binary_search(&i).is_err();
    Ok(indices.into_iter().enumerate().map(|(i, index)| (index, good(i))).collect())
}

/// What of a transfer is looked at before its proof, beside the rules on the state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Look {
    /// Its form; nobody has asserted yet.
    Unendorsed,
    /// Its form and all of rule 6.
    Whole,
    /// Of rule 6 what depends on state and signatures; the rest was looked at before.
    Standing,
    /// Of rule 6 what the block itself can change: how many approvals the asset needs.
    Approvals,
}

/// Rules 1 to 6 for a transfer; returns its asset.
pub(crate) fn check_before_proof<T: placet_registry::store::Transaction>(
    txn: &T,
    context: &Context<'_>,
    entry: &Entry,
    transfer: &TransferTransaction,
    pending_notes: u64,
    look: Look,
) -> Result<Arc<AssetRecord>, Failure> {
    if matches!(look, Look::Unendorsed | Look::Whole) {
        check_form(&entry.transaction)?;
    }
    let asset = context.assets.asset(txn, transfer.body.asset)?.ok_or(Refusal::UnknownAsset)?;
    let case = Case { context, txn, asset: &asset, transfer, pending_notes };
    for rule in transfer::rules() {
        if let Some(refusal) = rule(&case)? {
            return Err(refusal.into());
        }
    }
    let (tx, assertions) = (&entry.transaction, &entry.assertions);
    match look {
        Look::Unendorsed => {}
        Look::Whole => {
            transfer::check_wording(&context.chain, context.height, tx, assertions)?;
            transfer::check_standing(context, &asset, assertions)?;
        }
        Look::Standing => transfer::check_standing(context, &asset, assertions)?,
        Look::Approvals => transfer::check_approvals(context, &asset, assertions)?,
    }
    Ok(asset)
}

/// What there is to verify about a transfer whose rules before the proof hold: its circuit is known.
pub(crate) fn proof_item<T: placet_registry::store::Transaction>(
    txn: &T,
    context: &Context<'_>,
    transfer: &TransferTransaction,
) -> Result<ProofItem, StoreError> {
    circuits::item(txn, context, transfer)?.ok_or(StoreError::Corrupt)
}

/// Rule 1: size and canonical form. A value built in memory must survive its own encoding.
pub(crate) fn check_form(tx: &Transaction) -> Result<(), Refusal> {
    let bytes = tx.to_wire();
    let limit = match tx {
        Transaction::PublishSanctions(_) => MAX_SANCTIONS_BYTES,
        _ => MAX_TRANSACTION_BYTES,
    };
    if bytes.len() > limit {
        return Err(Refusal::TooLarge);
    }
    match Transaction::from_wire(&bytes) {
        Ok(decoded) if decoded == *tx => Ok(()),
        _ => Err(Refusal::Malformed),
    }
}

/// How closely entries are looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scrutiny {
    /// As in a block.
    Full,
    /// As in a block whose entries' form was looked at before.
    Formed,
    /// A dry run before anybody asserted.
    Unendorsed,
    /// Entries of a block that this ledger found good before: neither form nor signatures of
    /// assertions nor proofs are looked at again.
    StateOnly,
}

impl Scrutiny {
    /// What is looked at of a transfer; `vetted` says that the state before the block was enough
    /// to find form and assertions good.
    fn look(self, vetted: bool) -> Look {
        match self {
            Self::Unendorsed => Look::Unendorsed,
            Self::StateOnly => Look::Approvals,
            _ if vetted => Look::Approvals,
            Self::Full => Look::Whole,
            Self::Formed => Look::Standing,
        }
    }
}

/// What execution made of a list of entries.
pub(crate) struct Outcome {
    /// Executed, in order.
    pub(crate) accepted: Vec<Entry>,
    /// Refused, by index in the list given.
    pub(crate) refused: Vec<(usize, Refusal)>,
    /// What follows from those that were executed.
    pub(crate) behind: Behind,
}

/// What a header says of the state behind its block.
pub(crate) struct Behind {
    /// Hash of the state.
    pub(crate) state: [u8; 32],
    /// Hash of the keys that sit.
    pub(crate) validators: [u8; 32],
}

/// Executes entries in order, leaving out what is refused, and makes the new roots current.
pub(crate) fn execute(
    txn: &WriteTransaction,
    context: &Context<'_>,
    previous: &[u8; 32],
    check: &dyn ProofCheck,
    entries: Vec<Entry>,
    scrutiny: Scrutiny,
) -> Result<Outcome, Failure> {
    let proofs = verdicts(check, txn, context, &entries, scrutiny)?;
    let mut run = Run::begin(txn, context, previous, check, scrutiny, proofs);
    let (mut accepted, mut refused) = (Vec::new(), Vec::new());
    for (index, entry) in entries.into_iter().enumerate() {
        match run.step(index, accepted.len(), &entry) {
            Ok(()) => accepted.push(entry),
            Err(Failure::Refused(refusal)) => refused.push((index, refusal)),
            Err(failure) => return Err(failure),
        }
    }
    Ok(Outcome { accepted, refused, behind: run.close()? })
}

/// Executes the entries of a block that is judged, in order and up to the first that is refused:
/// the block is refused with it.
pub(crate) fn follow(
    txn: &WriteTransaction,
    context: &Context<'_>,
    previous: &[u8; 32],
    check: &dyn ProofCheck,
    entries: &[Entry],
    scrutiny: Scrutiny,
    proofs: Verdicts,
) -> Result<Result<Behind, (usize, Refusal)>, Failure> {
    let mut run = Run::begin(txn, context, previous, check, scrutiny, proofs);
    for (index, entry) in entries.iter().enumerate() {
        match run.step(index, index, entry) {
            Ok(()) => {}
            Err(Failure::Refused(refusal)) => return Ok(Err((index, refusal))),
            Err(failure) => return Err(failure),
        }
    }
    Ok(Ok(run.close()?))
}

/// A block's execution under way.
struct Run<'a> {
    txn: &'a WriteTransaction,
    context: &'a Context<'a>,
    check: &'a dyn ProofCheck,
    scrutiny: Scrutiny,
    proofs: Verdicts,
    journal: Journal,
}

impl<'a> Run<'a> {
    fn begin(
        txn: &'a WriteTransaction,
        context: &'a Context<'a>,
        previous: &[u8; 32],
        check: &'a dyn ProofCheck,
        scrutiny: Scrutiny,
        proofs: Verdicts,
    ) -> Self {
        let journal = Journal::new(previous, context.height, context.time);
        Self { txn, context, check, scrutiny, proofs, journal }
    }

    /// Executes the entry with an index in the list given, which is to have a place in the block.
    fn step(&mut self, index: usize, place: usize, entry: &Entry) -> Result<(), Failure> {
        let location = Location {
            height: self.context.height,
            index: u32::try_from(place).expect("blocks are bounded"),
        };
        match &entry.transaction {
            Transaction::Transfer(tx) => self.transfer(index, entry, tx)?,
            tx => self.message(entry, tx)?,
        }
        let id = entry.transaction.id(&self.context.chain);
        Ok(state::record_transaction(self.txn, &mut self.journal, id, location)?)
    }

    fn transfer(
        &mut self,
        index: usize,
        entry: &Entry,
        tx: &TransferTransaction,
    ) -> Result<(), Failure> {
        // A replayed transfer is caught by its nullifiers, which says more.
        let look = self.scrutiny.look(self.proofs.contains_key(&index));
        let pending = self.journal.pending_notes();
        let asset = check_before_proof(self.txn, self.context, entry, tx, pending, look)?;
        if !self.is_good(index, tx)? {
            return Err(Refusal::ProofInvalid.into());
        }
        transfer::apply(self.txn, &mut self.journal, self.context, &asset, &tx.body)
    }

    /// Whether the proof is good; one that an earlier transaction of the block made worth a look
    /// is verified alone.
    fn is_good(&self, index: usize, tx: &TransferTransaction) -> Result<bool, Failure> {
        if self.scrutiny == Scrutiny::StateOnly {
            return Ok(true);
        }
        if let Some(known) = self.proofs.get(&index) {
            return Ok(*known);
        }
        Ok(self.check.all_good(&[proof_item(self.txn, self.context, tx)?])?)
    }

    fn message(&mut self, entry: &Entry, tx: &Transaction) -> Result<(), Failure> {
        let (txn, context, journal) = (self.txn, self.context, &mut self.journal);
        if matches!(self.scrutiny, Scrutiny::Full | Scrutiny::Unendorsed) {
            check_form(tx)?;
        }
        check_unendorsed(entry)?;
        if has(txn, TRANSACTIONS, &tx.id(&context.chain).0)? {
            return Err(Refusal::AlreadyExecuted.into());
        }
        match tx {
            Transaction::Transfer(_) => unreachable!("handled above"),
            Transaction::AdmitAttestor(tx) => registry::admit(txn, journal, context, tx),
            Transaction::IssueCredential(tx) => registry::issue(txn, journal, context, tx),
            Transaction::RevokeCredential(tx) => registry::revoke(txn, journal, context, tx),
            Transaction::PublishSanctions(tx) => {
                registry::publish_sanctions(txn, journal, context, tx)
            }
            Transaction::RegisterAsset(tx) => asset::register(txn, journal, context, tx),
            Transaction::SetPolicy(tx) => asset::set_policy(txn, journal, context, tx),
            Transaction::Mint(tx) => asset::mint(txn, journal, context, tx),
            Transaction::FreezeNullifiers(tx) => asset::freeze(txn, journal, context, tx),
            Transaction::ReleaseNullifiers(tx) => asset::release(txn, journal, context, tx),
            Transaction::PauseAsset(tx) => asset::pause(txn, journal, context, tx),
            Transaction::RotateAgentKey(tx) => asset::rotate(txn, journal, context, tx),
            Transaction::ChangeAuthorities(tx) => authorities::change(txn, journal, context, tx),
            Transaction::ChangeCircuits(tx) => circuits::change(txn, journal, context, tx),
            Transaction::ConvictAuthority(tx) => {
                conviction::convict(txn, journal, context, self.check, tx)
            }
        }
    }

    /// Makes the new roots current and hashes what was written.
    fn close(mut self) -> Result<Behind, Failure> {
        let (txn, context) = (self.txn, self.context);
        self.journal.append_pending(txn)?;
        advance_roots(txn, context)?;
        let (height, time) = (context.height.to_be_bytes(), context.time.to_le_bytes());
        self.journal.put(txn, TIMES, &height, &time)?;
        let validators = authorities::close(txn, &mut self.journal, context)?.hash(&context.chain);
        Ok(Behind { state: self.journal.finish(txn)?, validators })
    }
}

/// Only transfers are endorsed.
pub(crate) fn check_unendorsed(entry: &Entry) -> Result<(), Refusal> {
    if entry.assertions.is_empty() { Ok(()) } else { Err(Refusal::AssertionInvalid) }
}

/// The roots behind the block become current, and what no window reaches any more is forgotten.
fn advance_roots(txn: &WriteTransaction, context: &Context<'_>) -> Result<(), Failure> {
    let (time, params) = (context.time, &context.genesis.params);
    let notes = placet_protocol::field::to_bytes(&NOTES.root(txn)?);
    advance(txn, NOTE_ROOTS, &NETWORK, &notes, time, false)?;
    let registry = credentials::root(txn)?.to_bytes();
    advance(txn, REGISTRY_ROOTS, &NETWORK, &registry, time, false)?;
    NOTE_ROOTS.prune(txn, &NETWORK, time, params.note_window)?;
    REGISTRY_ROOTS.prune(txn, &NETWORK, time, params.root_window)?;
    SANCTIONS_ROOTS.prune(txn, &NETWORK, time, params.root_window)?;
    Ok(())
}
