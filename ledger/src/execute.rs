//! Execution of one block's transactions inside one write transaction. Spec §11.
//!
//! Each transaction checks everything before it writes anything, so a refused one leaves no trace
//! in the block being built. Proofs are verified in one batch for the whole block.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use placet_protocol::block::Entry;
use placet_protocol::genesis::{ChainId, Genesis};
use placet_protocol::statement::ProofBytes;
use placet_protocol::transaction::{
    MAX_SANCTIONS_BYTES, MAX_TRANSACTION_BYTES, Transaction, TransferTransaction,
};
use placet_protocol::transfer::PublicInputs;
use placet_protocol::wire::Wire;
use placet_registry::credentials;
use placet_registry::roots::{NETWORK, Roots, RootsError, Scope, Value};
use placet_registry::store::StoreError;
use redb::WriteTransaction;

use crate::authorities::{self, Sitting};
use crate::conviction;
use crate::proofs::{ProofCheck, Undecided};
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

/// Verdicts on the proofs of a list of entries, by index.
pub(crate) type Verdicts = BTreeMap<usize, bool>;

/// The verdicts on all proofs of a list of entries.
pub(crate) fn verdicts(
    check: &dyn ProofCheck,
    chain: &ChainId,
    entries: &[Entry],
) -> Result<Verdicts, Undecided> {
    let transfers = entries.iter().enumerate().filter_map(|(index, entry)| {
        let Transaction::Transfer(tx) = &entry.transaction else { return None };
        Some((index, (tx.body.public_inputs(chain), tx.proof)))
    });
    let (indices, items): (Vec<_>, Vec<_>) = transfers.unzip();
    judged(check, indices, &items)
}

fn judged(
    check: &dyn ProofCheck,
    indices: Vec<usize>,
    items: &[(PublicInputs, ProofBytes)],
) -> Result<Verdicts, Undecided> {
    let bad = check.bad(items)?;
    let good = |i: usize| bad.binary_search(&i).is_err();
    Ok(indices.into_iter().enumerate().map(|(i, index)| (index, good(i))).collect())
}

/// What is known of a block's transfers before its transactions are executed in order.
struct Known<'a> {
    check: &'a dyn ProofCheck,
    chain: ChainId,
    scrutiny: Scrutiny,
    /// Entries whose form and assertions are as they should be, which no earlier transaction of the
    /// block can change.
    vetted: BTreeSet<usize>,
    /// Whether the proof is good.
    proofs: Verdicts,
}

impl<'a> Known<'a> {
    /// Looks at those transfers that no rule before the proof refuses on the state before the
    /// block, and verifies in one batch what of their proofs is not `known`.
    fn batch(
        check: &'a dyn ProofCheck,
        txn: &WriteTransaction,
        context: &Context<'_>,
        entries: &[Entry],
        scrutiny: Scrutiny,
        known: Verdicts,
    ) -> Result<Self, Failure> {
        let chain = context.chain;
        let mut batch = Self { check, chain, scrutiny, vetted: BTreeSet::new(), proofs: known };
        if scrutiny == Scrutiny::StateOnly {
            return Ok(batch);
        }
        let (mut indices, mut items) = (Vec::new(), Vec::new());
        for (index, entry) in entries.iter().enumerate() {
            let Transaction::Transfer(tx) = &entry.transaction else { continue };
            match check_before_proof(txn, context, entry, tx, 0, scrutiny, false) {
                Ok(_) => {
                    batch.vetted.insert(index);
                    if !batch.proofs.contains_key(&index) {
                        indices.push(index);
                        items.push((tx.body.public_inputs(&chain), tx.proof));
                    }
                }
                Err(Failure::Refused(_)) => {}
                Err(failure) => return Err(failure),
            }
        }
        batch.proofs.append(&mut judged(check, indices, &items)?);
        Ok(batch)
    }

    /// Whether form and assertions of an entry need no second look.
    fn vetted(&self, index: usize) -> bool {
        self.scrutiny == Scrutiny::StateOnly || self.vetted.contains(&index)
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
        let item = (tx.body.public_inputs(&self.chain), tx.proof);
        Ok(self.check.bad(&[item])?.is_empty())
    }
}

/// Rules 1 to 6 for a transfer; returns its asset. `vetted` says that form and assertions were
/// found good before, so that only what state can change is looked at again.
pub(crate) fn check_before_proof<T: placet_registry::store::Transaction>(
    txn: &T,
    context: &Context<'_>,
    entry: &Entry,
    transfer: &TransferTransaction,
    pending_notes: u64,
    scrutiny: Scrutiny,
    vetted: bool,
) -> Result<Arc<AssetRecord>, Failure> {
    if !vetted {
        check_form(&entry.transaction)?;
    }
    let asset = context.assets.asset(txn, transfer.body.asset)?.ok_or(Refusal::UnknownAsset)?;
    let case = Case { context, txn, asset: &asset, transfer, pending_notes };
    for rule in transfer::rules() {
        if let Some(refusal) = rule(&case)? {
            return Err(refusal.into());
        }
    }
    match scrutiny {
        Scrutiny::Unendorsed => {}
        _ if vetted => transfer::check_approvals(context, &asset, &entry.assertions)?,
        _ => transfer::check_endorsement(context, &asset, &entry.transaction, &entry.assertions)?,
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

/// How closely entries are looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scrutiny {
    /// As in a block.
    Full,
    /// A dry run before anybody asserted.
    Unendorsed,
    /// Entries of a block that this ledger found good before: neither form nor signatures of
    /// assertions nor proofs are looked at again.
    StateOnly,
}

/// What execution made of a list of entries.
pub(crate) struct Outcome {
    /// Executed, in order.
    pub(crate) accepted: Vec<Entry>,
    /// Refused, by index in the list given.
    pub(crate) refused: Vec<(usize, Refusal)>,
    /// Hash of the state behind the block.
    pub(crate) state: [u8; 32],
    /// Hash of the keys sitting behind the block.
    pub(crate) validators: [u8; 32],
}

/// Executes entries in order and makes the new roots current.
pub(crate) fn execute(
    txn: &WriteTransaction,
    context: &Context<'_>,
    previous: &[u8; 32],
    check: &dyn ProofCheck,
    entries: Vec<Entry>,
    scrutiny: Scrutiny,
    known: Verdicts,
) -> Result<Outcome, Failure> {
    let mut journal = Journal::new(previous, context.height, context.time);
    let known = Known::batch(check, txn, context, &entries, scrutiny, known)?;
    let mut accepted = Vec::new();
    let mut refused = Vec::new();
    for (index, entry) in entries.into_iter().enumerate() {
        let location = Location {
            height: context.height,
            index: u32::try_from(accepted.len()).expect("blocks are bounded"),
        };
        let done = execute_one(txn, &mut journal, context, &known, index, &entry).and_then(|()| {
            let id = entry.transaction.id(&context.chain);
            Ok(state::record_transaction(txn, &mut journal, id, location)?)
        });
        match done {
            Ok(()) => accepted.push(entry),
            Err(Failure::Refused(refusal)) => refused.push((index, refusal)),
            Err(failure) => return Err(failure),
        }
    }
    journal.append_pending(txn)?;
    advance_roots(txn, context)?;
    journal.put(txn, TIMES, &context.height.to_be_bytes(), &context.time.to_le_bytes())?;
    let validators = authorities::close(txn, &mut journal, context)?.hash(&context.chain);
    let state = journal.finish(txn)?;
    Ok(Outcome { accepted, refused, state, validators })
}

fn execute_one(
    txn: &WriteTransaction,
    journal: &mut Journal,
    context: &Context<'_>,
    known: &Known<'_>,
    index: usize,
    entry: &Entry,
) -> Result<(), Failure> {
    let tx = &entry.transaction;
    if let Transaction::Transfer(transfer) = tx {
        // A replayed transfer is caught by its nullifiers, which says more.
        let (pending, vetted) = (journal.pending_notes(), known.vetted(index));
        let asset =
            check_before_proof(txn, context, entry, transfer, pending, known.scrutiny, vetted)?;
        if !known.is_good(index, transfer)? {
            return Err(Refusal::ProofInvalid.into());
        }
        return transfer::apply(txn, journal, context, &asset, &transfer.body);
    }
    if known.scrutiny != Scrutiny::StateOnly {
        check_form(tx)?;
    }
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
        Transaction::ChangeAuthorities(tx) => authorities::change(txn, journal, context, tx),
        Transaction::ConvictAuthority(tx) => {
            conviction::convict(txn, journal, context, known.check, tx)
        }
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
