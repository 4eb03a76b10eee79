//! Execution of one block's transactions inside one write transaction. Spec §11.
//!
//! Each transaction checks everything before it writes anything, so a refused one leaves no trace
//! in the block being built. Proofs are verified in one batch for the whole block.

use std::collections::BTreeMap;

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

use crate::proofs::{ProofCheck, Undecided};
use crate::refusal::Refusal;
use crate::state::{
    self, AssetRecord, Journal, Location, NOTE_ROOTS, NOTES, REGISTRY_ROOTS, SANCTIONS_ROOTS,
    TRANSACTIONS, has,
};
use crate::transfer::{self, Case};
use crate::{asset, registry};

/// The block being executed.
#[derive(Clone, Copy)]
pub(crate) struct Context<'a> {
    /// The chain.
    pub(crate) chain: ChainId,
    /// The genesis.
    pub(crate) genesis: &'a Genesis,
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

/// What is known of a block's transfers before its transactions are executed in order.
struct Proofs<'a> {
    check: &'a dyn ProofCheck,
    chain: ChainId,
    /// Whether the proof is good, by index of the entry. In the batch are only entries whose form
    /// and assertions are as they should be, which no earlier transaction of the block can change.
    known: BTreeMap<usize, bool>,
}

impl<'a> Proofs<'a> {
    /// Verifies in one batch the proofs of those transfers that no rule before the proof refuses
    /// on the state before the block.
    fn batch(
        check: &'a dyn ProofCheck,
        txn: &WriteTransaction,
        context: &Context<'_>,
        entries: &[Entry],
        endorsement: Endorsement,
    ) -> Result<Self, Failure> {
        let mut candidates = Vec::new();
        for (index, entry) in entries.iter().enumerate() {
            let Transaction::Transfer(tx) = &entry.transaction else { continue };
            match check_before_proof(txn, context, entry, tx, endorsement, false) {
                Ok(_) => {
                    candidates.push((index, (tx.body.public_inputs(&context.chain), tx.proof)));
                }
                Err(Failure::Refused(_)) => {}
                Err(failure) => return Err(failure),
            }
        }
        let (indices, items): (Vec<_>, Vec<_>) = candidates.into_iter().unzip();
        let bad = check.bad(&items)?;
        let known = indices.iter().enumerate().map(|(i, index)| (*index, !bad.contains(&i)));
        Ok(Self { check, chain: context.chain, known: known.collect() })
    }

    /// Whether the entry was in the batch.
    fn vetted(&self, index: usize) -> bool {
        self.known.contains_key(&index)
    }

    /// Whether the proof is good; one that an earlier transaction of the block made worth a look
    /// is verified alone.
    fn is_good(&self, index: usize, tx: &TransferTransaction) -> Result<bool, Failure> {
        if let Some(known) = self.known.get(&index) {
            return Ok(*known);
        }
        let item = (tx.body.public_inputs(&self.chain), tx.proof);
        Ok(self.check.bad(&[item])?.is_empty())
    }
}

/// Rules 1 to 6 for a transfer; returns its asset. `vetted` says that form and assertions were
/// found good before, so that only what state can change is looked at again.
fn check_before_proof(
    txn: &WriteTransaction,
    context: &Context<'_>,
    entry: &Entry,
    transfer: &TransferTransaction,
    endorsement: Endorsement,
    vetted: bool,
) -> Result<AssetRecord, Failure> {
    if !vetted {
        check_form(&entry.transaction)?;
    }
    let asset = state::asset(txn, transfer.body.asset)?.ok_or(Refusal::UnknownAsset)?;
    let case = Case { context, txn, asset: &asset, transfer };
    for rule in transfer::rules() {
        if let Some(refusal) = rule(&case)? {
            return Err(refusal.into());
        }
    }
    match endorsement {
        Endorsement::NotYet => {}
        Endorsement::Required if vetted => {
            transfer::check_approvals(context, &asset, &entry.assertions)?;
        }
        Endorsement::Required => {
            transfer::check_endorsement(context, &asset, &entry.transaction, &entry.assertions)?;
        }
    }
    Ok(asset)
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

/// Whether assertions are demanded: not where an authority is about to write them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Endorsement {
    /// As in a block.
    Required,
    /// A dry run before anybody asserted.
    NotYet,
}

/// What execution made of a list of entries.
pub(crate) struct Outcome {
    /// Executed, in order.
    pub(crate) accepted: Vec<Entry>,
    /// Refused, by index in the list given.
    pub(crate) refused: Vec<(usize, Refusal)>,
    /// Hash of the state behind the block.
    pub(crate) state: [u8; 32],
}

/// Executes entries in order and makes the new roots current.
pub(crate) fn execute(
    txn: &WriteTransaction,
    context: &Context<'_>,
    previous: &[u8; 32],
    check: &dyn ProofCheck,
    entries: Vec<Entry>,
    endorsement: Endorsement,
) -> Result<Outcome, Failure> {
    let mut journal = Journal::new(previous, context.height, context.time);
    let proofs = Proofs::batch(check, txn, context, &entries, endorsement)?;
    let mut accepted = Vec::new();
    let mut refused = Vec::new();
    for (index, entry) in entries.into_iter().enumerate() {
        let location = Location {
            height: context.height,
            index: u32::try_from(accepted.len()).expect("blocks are bounded"),
        };
        let done = execute_one(txn, &mut journal, context, &proofs, index, &entry, endorsement)
            .and_then(|()| {
                let id = entry.transaction.id(&context.chain);
                Ok(state::record_transaction(txn, &mut journal, id, location)?)
            });
        match done {
            Ok(()) => accepted.push(entry),
            Err(Failure::Refused(refusal)) => refused.push((index, refusal)),
            Err(failure) => return Err(failure),
        }
    }
    advance_roots(txn, context)?;
    let state = journal.finish(txn)?;
    Ok(Outcome { accepted, refused, state })
}

fn execute_one(
    txn: &WriteTransaction,
    journal: &mut Journal,
    context: &Context<'_>,
    proofs: &Proofs<'_>,
    index: usize,
    entry: &Entry,
    endorsement: Endorsement,
) -> Result<(), Failure> {
    let tx = &entry.transaction;
    if let Transaction::Transfer(transfer) = tx {
        // A replayed transfer is caught by its nullifiers, which says more.
        let vetted = proofs.vetted(index);
        let asset = check_before_proof(txn, context, entry, transfer, endorsement, vetted)?;
        if !proofs.is_good(index, transfer)? {
            return Err(Refusal::ProofInvalid.into());
        }
        return transfer::apply(txn, journal, context, asset, &transfer.body);
    }
    check_form(tx)?;
    // Only transfers are endorsed.
    if !entry.assertions.is_empty() {
        return Err(Refusal::AssertionInvalid.into());
    }
    if has(txn, TRANSACTIONS, &tx.id(&context.chain).0)? {
        return Err(Refusal::AlreadyExecuted.into());
    }
    match tx {
        Transaction::Transfer(_) => unreachable!("handled above"),
        Transaction::AdmitAttestor(tx) => registry::admit(txn, journal, context, tx),
        Transaction::IssueCredential(tx) => registry::issue(txn, journal, context, tx),
        Transaction::RevokeCredential(tx) => registry::revoke(txn, journal, context, tx),
        Transaction::PublishSanctions(tx) => registry::publish_sanctions(txn, journal, context, tx),
        Transaction::RegisterAsset(tx) => asset::register(txn, journal, context, tx),
        Transaction::SetPolicy(tx) => asset::set_policy(txn, journal, context, tx),
        Transaction::Mint(tx) => asset::mint(txn, journal, context, tx),
        Transaction::FreezeNullifiers(tx) => asset::freeze(txn, journal, context, tx),
        Transaction::ReleaseNullifiers(tx) => asset::release(txn, journal, context, tx),
        Transaction::PauseAsset(tx) => asset::pause(txn, journal, context, tx),
        Transaction::RotateAgentKey(tx) => asset::rotate(txn, journal, context, tx),
    }
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
