//! The rules for a transfer, in the order of spec §11: cheap before expensive. A list of small
//! functions, so that execution stops at the first that fails and an authority judges all of them.

use std::collections::BTreeSet;

use ark_bn254::Fr;
use placet_protocol::assertion::{SignedAssertion, Verdict};
use placet_protocol::genesis::{Checkpoint, Genesis};
use placet_protocol::transaction::{Transaction as Tx, TransferBody, TransferTransaction};
use placet_protocol::transfer::HoldersDelta;
use placet_registry::roots::NETWORK;
use placet_registry::store::{StoreError, Transaction};
use redb::WriteTransaction;

use crate::execute::{Context, Failure};
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
}

type Rule<T> = fn(&Case<'_, T>) -> Result<Option<Refusal>, StoreError>;

/// A refusal unless a condition holds.
fn unless(holds: bool, refusal: Refusal) -> Result<Option<Refusal>, StoreError> {
    Ok((!holds).then_some(refusal))
}

/// Every rule but endorsement and proof, cheapest first within what the spec's order allows.
pub(crate) fn rules<T: Transaction>() -> [Rule<T>; 13] {
    [
        not_expired,
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

fn not_expired<T: Transaction>(case: &Case<'_, T>) -> Result<Option<Refusal>, StoreError> {
    unless(case.context.height <= body(case).expiry_height, Refusal::Expired)
}

fn not_paused<T: Transaction>(case: &Case<'_, T>) -> Result<Option<Refusal>, StoreError> {
    unless(!case.asset.paused, Refusal::AssetPaused)
}

fn now_in_window<T: Transaction>(case: &Case<'_, T>) -> Result<Option<Refusal>, StoreError> {
    let time = case.context.time;
    let earliest = time.saturating_sub(case.context.genesis.params.root_window);
    unless((earliest..=time).contains(&body(case).now), Refusal::NowOutsideWindow)
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
    let (position, delivery) = (body(case).nf_position, body(case).nf_delivery);
    if position == delivery {
        return Ok(Some(Refusal::NullifiersEqual));
    }
    for nullifier in [position, delivery] {
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
    // No hash output is known to be zero: only a forged witness leads here.
    if leaves.iter().any(|leaf| leaf.get() == Fr::from(0u8)) {
        return Ok(Some(Refusal::ProofInvalid));
    }
    if BTreeSet::from(leaves).len() != leaves.len() {
        return Ok(Some(Refusal::CommitmentExists));
    }
    for leaf in leaves {
        if has(case.txn, COMMITMENTS, &leaf.to_bytes())? {
            return Ok(Some(Refusal::CommitmentExists));
        }
    }
    unless(state::free_notes(case.txn)? >= leaves.len() as u64, Refusal::NoteTreeFull)
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
    genesis: &Genesis,
    asset: &AssetRecord,
    checkpoint: Checkpoint,
) -> usize {
    let required = asset.registration.policy.endorsement.required(checkpoint);
    usize::from(required).min(genesis.mandated(checkpoint))
}

/// Rule 6: every assertion is what it says, and enough of them approve.
pub(crate) fn check_endorsement(
    context: &Context<'_>,
    asset: &AssetRecord,
    transfer: &Tx,
    assertions: &[SignedAssertion],
) -> Result<(), Refusal> {
    let id = transfer.id(&context.chain);
    let proof_hash = transfer.proof_hash();
    let mut seen = BTreeSet::new();
    for signed in assertions {
        let said = &signed.assertion;
        let mandated = context
            .genesis
            .authority(&signed.authority)
            .is_some_and(|authority| authority.mandates.contains(&said.checkpoint));
        let applies = mandated
            && said.transaction == id
            && said.proof_hash == proof_hash
            && said.judged_at < context.height
            && context.height <= said.expires_at
            && seen.insert((signed.authority, said.checkpoint));
        if !applies {
            return Err(Refusal::AssertionInvalid);
        }
    }
    check_approvals(context, asset, assertions)?;
    // Signatures last: they cost most.
    if assertions.iter().any(|signed| signed.verify(&context.chain).is_err()) {
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
            signed.assertion.checkpoint == checkpoint
                && signed.assertion.verdict == Verdict::Approve
        });
        approvals.count() >= approvals_needed(context.genesis, asset, checkpoint)
    });
    if enough { Ok(()) } else { Err(Refusal::EndorsementMissing) }
}

/// Executes a transfer whose rules, endorsement and proof all hold.
pub(crate) fn apply(
    txn: &WriteTransaction,
    journal: &mut Journal,
    context: &Context<'_>,
    mut asset: AssetRecord,
    body: &TransferBody,
) -> Result<(), Failure> {
    state::spend(txn, journal, body, context.height)?;
    state::append_notes(txn, journal, &body.leaves())?;
    asset.redeemed += u128::from(body.redeemed());
    if asset.registration.count_holders {
        // The rules kept the sum within range.
        asset.holders = asset.holders.saturating_add_signed(body.holders_delta.signed());
    }
    if body.redeemed() > 0 || body.holders_delta != HoldersDelta::Zero {
        state::put_asset(txn, journal, &asset)?;
    }
    Ok(())
}
