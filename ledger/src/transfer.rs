//! The rules for a transfer, in the order of spec §11: cheap before expensive. A list of small
//! functions, so that execution stops at the first that fails and an authority judges all of them.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use ark_bn254::Fr;
use placet_protocol::assertion::{SignedAssertion, Verdict};
use placet_protocol::genesis::{ChainId, Checkpoint};
use placet_protocol::transaction::{Transaction as Tx, TransferBody, TransferTransaction};
use placet_protocol::transfer::HoldersDelta;
use placet_protocol::wire::Wire;
use placet_registry::roots::NETWORK;
use placet_registry::store::{StoreError, Transaction};
use redb::WriteTransaction;
use sha2::{Digest, Sha256};

use crate::authorities::Sitting;
use crate::circuits;
use crate::execute::{Context, Failure};
use crate::recent::Recent;
use crate::refusal::Refusal;
use crate::state::{
    self, AssetRecord, COMMITMENTS, FROZEN, Journal, NOTE_ROOTS, NULLIFIERS, POLICIES,
    REGISTRY_ROOTS, SANCTIONS_ROOTS, frozen_key, has,
};

/// What a rule sees.
pub(crate) struct Case<'a, T> {
    /// The chain and the block.
    pub(crate) context: &'a Context<'a>,
    /// The state.
    pub(crate) txn: &'a T,
    /// The asset.
    pub(crate) asset: &'a AssetRecord,
    /// The transfer.
    pub(crate) transfer: &'a TransferTransaction,
    /// Leaves of earlier transactions of the block, not yet in the note tree.
    pub(crate) pending_notes: u64,
}

type Rule<T> = fn(&Case<'_, T>) -> Result<Option<Refusal>, StoreError>;

/// A refusal unless a condition holds.
fn unless(holds: bool, refusal: Refusal) -> Result<Option<Refusal>, StoreError> {
    Ok((!holds).then_some(refusal))
}

/// Every rule but endorsement and proof, cheapest first within what the spec's order allows.
pub(crate) fn rules<T: Transaction>() -> [Rule<T>; 14] {
    [
        not_expired,
        circuit_active,
        not_paused,
        now_in_window,
        policy_in_force,
        note_roots_known,
        registry_root_fresh,
        sanctions_root_fresh,
        nullifiers_unspent,
        nullifiers_not_frozen,
        commitments_new,
        holders_within_maximum,
        supply_within_bounds,
        redemption_signed,
    ]
}

fn body<'a, T>(case: &Case<'a, T>) -> &'a TransferBody {
    &case.transfer.body
}

// The rules that are functions of the transfer, a height and a time alone: conviction judges by the
// same ones.

/// Whether a block of this height comes too late.
pub(crate) fn expired(body: &TransferBody, height: u64) -> bool {
    height > body.expiry_height
}

/// Whether `now` is within the window before a block time.
pub(crate) fn now_is_within(body: &TransferBody, time: u64, window: u64) -> bool {
    (time.saturating_sub(window)..=time).contains(&body.now)
}

/// Whether the transfer spends the same thing twice.
pub(crate) fn nullifiers_equal(body: &TransferBody) -> bool {
    body.nf_position == body.nf_delivery
}

/// Whether a leaf is zero. No hash output is known to be: only a forged witness leads here.
pub(crate) fn has_empty_leaf(body: &TransferBody) -> bool {
    body.leaves().iter().any(|leaf| leaf.get() == Fr::from(0u8))
}

/// Whether a leaf occurs twice in the transfer.
pub(crate) fn commitments_doubled(body: &TransferBody) -> bool {
    let leaves = body.leaves();
    BTreeSet::from(leaves).len() != leaves.len()
}

fn not_expired<T: Transaction>(case: &Case<'_, T>) -> Result<Option<Refusal>, StoreError> {
    unless(!expired(body(case), case.context.height), Refusal::Expired)
}

fn circuit_active<T: Transaction>(case: &Case<'_, T>) -> Result<Option<Refusal>, StoreError> {
    let entry = circuits::entry(case.txn, &body(case).circuit)?;
    Ok(circuits::refusal(entry.as_ref(), case.context.height))
}

fn not_paused<T: Transaction>(case: &Case<'_, T>) -> Result<Option<Refusal>, StoreError> {
    unless(!case.asset.paused, Refusal::AssetPaused)
}

fn now_in_window<T: Transaction>(case: &Case<'_, T>) -> Result<Option<Refusal>, StoreError> {
    let window = case.context.genesis.params.root_window;
    unless(now_is_within(body(case), case.context.time, window), Refusal::NowOutsideWindow)
}

fn policy_in_force<T: Transaction>(case: &Case<'_, T>) -> Result<Option<Refusal>, StoreError> {
    let (time, window) = (case.context.time, case.context.genesis.params.root_window);
    let policy = body(case).policy.to_bytes();
    let scope = case.asset.id.to_bytes();
    let accepted = POLICIES.accepts(case.txn, &scope, &policy, time, window)?;
    unless(accepted, Refusal::PolicyNotInForce)
}

fn note_roots_known<T: Transaction>(case: &Case<'_, T>) -> Result<Option<Refusal>, StoreError> {
    let (time, window) = (case.context.time, case.context.genesis.params.note_window);
    for root in [body(case).position_root, body(case).delivery_root] {
        if !NOTE_ROOTS.accepts(case.txn, &NETWORK, &root.to_bytes(), time, window)? {
            return Ok(Some(Refusal::NoteRootUnknown));
        }
    }
    Ok(None)
}

fn registry_root_fresh<T: Transaction>(case: &Case<'_, T>) -> Result<Option<Refusal>, StoreError> {
    let (time, window) = (case.context.time, case.context.genesis.params.root_window);
    let root = body(case).registry_root.to_bytes();
    let accepted = REGISTRY_ROOTS.accepts(case.txn, &NETWORK, &root, time, window)?;
    unless(accepted, Refusal::RegistryRootUnknown)
}

fn sanctions_root_fresh<T: Transaction>(case: &Case<'_, T>) -> Result<Option<Refusal>, StoreError> {
    let (time, window) = (case.context.time, case.context.genesis.params.root_window);
    let root = body(case).sanctions_root.to_bytes();
    let accepted = SANCTIONS_ROOTS.accepts(case.txn, &NETWORK, &root, time, window)?;
    unless(accepted, Refusal::SanctionsRootUnknown)
}

fn nullifiers_unspent<T: Transaction>(case: &Case<'_, T>) -> Result<Option<Refusal>, StoreError> {
    if nullifiers_equal(body(case)) {
        return Ok(Some(Refusal::NullifiersEqual));
    }
    for nullifier in [body(case).nf_position, body(case).nf_delivery] {
        if has(case.txn, NULLIFIERS, &nullifier.to_bytes())? {
            return Ok(Some(Refusal::NullifierSpent));
        }
    }
    Ok(None)
}

fn nullifiers_not_frozen<T: Transaction>(
    case: &Case<'_, T>,
) -> Result<Option<Refusal>, StoreError> {
    for nullifier in [body(case).nf_position, body(case).nf_delivery] {
        if has(case.txn, FROZEN, &frozen_key(case.asset.id, nullifier))? {
            return Ok(Some(Refusal::NullifierFrozen));
        }
    }
    Ok(None)
}

fn commitments_new<T: Transaction>(case: &Case<'_, T>) -> Result<Option<Refusal>, StoreError> {
    let leaves = body(case).leaves();
    if has_empty_leaf(body(case)) {
        return Ok(Some(Refusal::ProofInvalid));
    }
    if commitments_doubled(body(case)) {
        return Ok(Some(Refusal::CommitmentExists));
    }
    for leaf in leaves {
        if has(case.txn, COMMITMENTS, &leaf.to_bytes())? {
            return Ok(Some(Refusal::CommitmentExists));
        }
    }
    let free = state::free_notes(case.txn, case.pending_notes)?;
    unless(free >= leaves.len() as u64, Refusal::NoteTreeFull)
}

fn holders_within_maximum<T: Transaction>(
    case: &Case<'_, T>,
) -> Result<Option<Refusal>, StoreError> {
    let holders = case.asset.holders;
    match body(case).holders_delta {
        HoldersDelta::Zero => Ok(None),
        HoldersDelta::Minus => unless(holders > 0, Refusal::HolderCount),
        HoldersDelta::Plus => {
            let maximum = case.asset.registration.policy.max_holders.unwrap_or(u64::MAX);
            unless(holders < maximum, Refusal::TooManyHolders)
        }
    }
}

fn supply_within_bounds<T: Transaction>(case: &Case<'_, T>) -> Result<Option<Refusal>, StoreError> {
    unless(body(case).redeemed() <= case.asset.outstanding(), Refusal::SupplyExceeded)
}

fn redemption_signed<T: Transaction>(case: &Case<'_, T>) -> Result<Option<Refusal>, StoreError> {
    let agent = &case.asset.registration.agent.signing;
    let verdict = case.transfer.verify_redemption(&case.context.chain, agent);
    unless(verdict.is_ok(), Refusal::RedemptionUnsigned)
}

/// The effective number of approvals at a checkpoint: a dismissal cannot strand an asset.
pub(crate) fn approvals_needed(
    sitting: &Sitting,
    asset: &AssetRecord,
    checkpoint: Checkpoint,
) -> usize {
    let required = asset.registration.policy.endorsement.required(checkpoint);
    usize::from(required).min(sitting.mandated(checkpoint))
}

/// Most signatures that [`SignatureMemo`] remembers.
const SIGNATURES_REMEMBERED: usize = 65_536;

/// Assertions whose signatures were verified, by the hash of all of their bytes: an authority meets
/// each of them when it arrives, when it proposes a block, and when it judges one.
pub(crate) struct SignatureMemo(Mutex<Recent<[u8; 32]>>);

impl Default for SignatureMemo {
    fn default() -> Self {
        Self(Mutex::new(Recent::new(SIGNATURES_REMEMBERED)))
    }
}

impl SignatureMemo {
    /// Whether the signature holds on this chain, of which the whole memo is.
    pub(crate) fn holds(&self, chain: &ChainId, signed: &SignedAssertion) -> bool {
        let memo = || self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let question = Sha256::digest(signed.to_wire()).into();
        if memo().contains(&question) {
            return true;
        }
        let holds = signed.verify(chain).is_ok();
        if holds {
            memo().insert(question);
        }
        holds
    }
}

/// The part of rule 6 that no state can change: every assertion is about this transfer with this
/// proof, in force at this height, and none is there twice.
pub(crate) fn check_wording(
    chain: &ChainId,
    height: u64,
    transfer: &Tx,
    assertions: &[SignedAssertion],
) -> Result<(), Refusal> {
    let (id, proof_hash) = (transfer.id(chain), transfer.proof_hash());
    let mut seen = BTreeSet::new();
    let sound = assertions.iter().all(|signed| {
        let said = &signed.assertion;
        said.transaction == id
            && said.proof_hash == proof_hash
            && said.judged_at < height
            && height <= said.expires_at
            && seen.insert((signed.authority, said.checkpoint))
    });
    if sound { Ok(()) } else { Err(Refusal::AssertionInvalid) }
}

/// The rest of rule 6: authors with a mandate, enough approvals, good signatures.
pub(crate) fn check_standing(
    context: &Context<'_>,
    asset: &AssetRecord,
    assertions: &[SignedAssertion],
) -> Result<(), Refusal> {
    let mandated = |signed: &SignedAssertion| {
        let author = context.sitting.authority(&signed.authority);
        author.is_some_and(|author| author.mandates.contains(&signed.assertion.checkpoint))
    };
    if !assertions.iter().all(mandated) {
        return Err(Refusal::AssertionInvalid);
    }
    check_approvals(context, asset, assertions)?;
    // Signatures last: they cost most.
    if !assertions.iter().all(|signed| context.signatures.holds(&context.chain, signed)) {
        return Err(Refusal::AssertionInvalid);
    }
    Ok(())
}

/// The part of rule 6 that depends on the asset: enough assertions approve.
pub(crate) fn check_approvals(
    context: &Context<'_>,
    asset: &AssetRecord,
    assertions: &[SignedAssertion],
) -> Result<(), Refusal> {
    let enough = Checkpoint::ALL.into_iter().all(|checkpoint| {
        let approvals = assertions.iter().filter(|signed| {
            // A rule of one's own can only reject: what convicts nobody must not approve either.
            signed.assertion.checkpoint == checkpoint
                && signed.assertion.verdict == Verdict::Approve
                && !signed.assertion.discretionary
        });
        approvals.count() >= approvals_needed(context.sitting, asset, checkpoint)
    });
    if enough { Ok(()) } else { Err(Refusal::EndorsementMissing) }
}

/// Executes a transfer whose rules, endorsement and proof all hold.
pub(crate) fn apply(
    txn: &WriteTransaction,
    journal: &mut Journal,
    context: &Context<'_>,
    asset: &AssetRecord,
    body: &TransferBody,
) -> Result<(), Failure> {
    state::spend(txn, journal, body, context.height)?;
    state::append_notes(txn, journal, &body.leaves())?;
    if body.redeemed() == 0 && body.holders_delta == HoldersDelta::Zero {
        return Ok(());
    }
    let mut asset = asset.clone();
    asset.redeemed += u128::from(body.redeemed());
    if asset.registration.count_holders {
        // The rules kept the sum within range.
        asset.holders = asset.holders.saturating_add_signed(body.holders_delta.signed());
    }
    state::put_asset(txn, journal, &asset)?;
    context.assets.remember(asset.to_wire(), Arc::new(asset));
    Ok(())
}
