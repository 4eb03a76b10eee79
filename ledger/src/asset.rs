//! The rules of asset transactions: registration, policy, allotment, and the officers' powers.
//! Spec §5, §6.

use placet_protocol::field::AssetId;
use placet_protocol::signing::{BadSignature, VerifyKey};
use placet_protocol::transaction::asset::{
    FreezeNullifiers, Mint, Officer, PauseAsset, RegisterAsset, ReleaseNullifiers, RotateAgentKey,
    SetPolicy, asset_id,
};
use placet_protocol::transaction::policy::PublishedPolicy;
use placet_protocol::transaction::{BadSequence, check_sequence};
use redb::WriteTransaction;

use crate::execute::{Context, Failure, advance};
use crate::refusal::Refusal;
use crate::state::{
    self, AssetRecord, COMMITMENTS, FROZEN, Journal, META, NULLIFIERS, POLICIES, REGISTRATIONS,
    frozen_key, has, meta,
};

/// The asset with this id.
fn known(txn: &WriteTransaction, id: AssetId) -> Result<AssetRecord, Failure> {
    state::asset(txn, id)?.ok_or(Refusal::UnknownAsset.into())
}

/// What the encoding does not demand of a policy.
fn check_policy(
    txn: &WriteTransaction,
    policy: &PublishedPolicy,
    count_holders: bool,
) -> Result<(), Failure> {
    if !policy.is_sound() {
        return Err(Refusal::Malformed.into());
    }
    if policy.max_holders.is_some() && !count_holders {
        return Err(Refusal::PolicyUnenforceable.into());
    }
    for id in policy.identity_attestors.iter().chain(&policy.investor_attestors) {
        if state::attestor(txn, *id)?.is_none_or(|attestor| attestor.dismissed) {
            return Err(Refusal::PolicyAttestorUnknown.into());
        }
    }
    Ok(())
}

pub(crate) fn register(
    txn: &WriteTransaction,
    journal: &mut Journal,
    context: &Context<'_>,
    tx: &RegisterAsset,
) -> Result<(), Failure> {
    let registration = &tx.registration;
    let digest = registration.digest();
    if has(txn, REGISTRATIONS, &digest)? {
        return Err(Refusal::AssetExists.into());
    }
    check_policy(txn, &registration.policy, registration.count_holders)?;
    tx.verify(&context.chain).map_err(|_| Refusal::SignatureInvalid)?;

    let counter: u64 = state::read(txn, META, meta::ASSETS)?.unwrap_or(0);
    let record = AssetRecord {
        id: asset_id(&context.chain, counter),
        registration: registration.clone(),
        policy_version: 1,
        minted: 0,
        redeemed: 0,
        holders: 0,
        paused: false,
        sequence: 0,
    };
    journal.put(txn, META, meta::ASSETS, &(counter + 1).to_le_bytes())?;
    journal.put(txn, REGISTRATIONS, &digest, &record.id.to_bytes())?;
    state::put_asset(txn, journal, &record)?;
    let hash = context.roots.proven(&record).hash().to_bytes();
    advance(txn, POLICIES, &record.id.to_bytes(), &hash, context.time, false)
}

pub(crate) fn set_policy(
    txn: &WriteTransaction,
    journal: &mut Journal,
    context: &Context<'_>,
    tx: &SetPolicy,
) -> Result<(), Failure> {
    let message = &tx.message;
    let mut asset = known(txn, message.asset)?;
    if message.version != asset.policy_version + 1 {
        return Err(Refusal::PolicyVersion.into());
    }
    check_policy(txn, &message.policy, asset.registration.count_holders)?;
    tx.verify(&context.chain, &asset.registration.issuer).map_err(|_| Refusal::SignatureInvalid)?;

    asset.policy_version = message.version;
    asset.registration.policy = message.policy.clone();
    state::put_asset(txn, journal, &asset)?;
    let hash = context.roots.proven(&asset).hash().to_bytes();
    let scope = asset.id.to_bytes();
    advance(txn, POLICIES, &scope, &hash, context.time, message.urgent)?;
    POLICIES.prune(txn, &scope, context.time, context.genesis.params.root_window)?;
    Ok(())
}

pub(crate) fn mint(
    txn: &WriteTransaction,
    journal: &mut Journal,
    context: &Context<'_>,
    tx: &Mint,
) -> Result<(), Failure> {
    let allotment = &tx.allotment;
    let mut asset = known(txn, allotment.asset)?;
    let commitment = allotment.commitment();
    if has(txn, COMMITMENTS, &commitment.to_bytes())? {
        return Err(Refusal::CommitmentExists.into());
    }
    let outstanding = asset.outstanding().checked_add(allotment.amount);
    if outstanding.is_none_or(|sum| sum > asset.registration.authorised_supply) {
        return Err(Refusal::SupplyExceeded.into());
    }
    if state::free_notes(txn, journal.pending_notes())? == 0 {
        return Err(Refusal::NoteTreeFull.into());
    }
    let officers = (&asset.registration.issuer, &asset.registration.agent.signing);
    tx.verify(&context.chain, officers.0, officers.1).map_err(|_| Refusal::SignatureInvalid)?;

    asset.minted += u128::from(allotment.amount);
    state::append_notes(txn, journal, &[commitment])?;
    Ok(state::put_asset(txn, journal, &asset)?)
}

/// Checks and takes over the sequence number of an officer's message.
fn next_sequence(asset: &mut AssetRecord, sequence: u64) -> Result<(), Failure> {
    check_sequence(asset.sequence, sequence).map_err(|bad| match bad {
        BadSequence::Replayed => Refusal::SequenceReplayed,
        BadSequence::TooFar => Refusal::SequenceTooFar,
    })?;
    asset.sequence = sequence;
    Ok(())
}

/// What freeze and release begin with: the asset with the sequence number taken over, and the
/// agent's signature, checked before up to thousands of look-ups.
fn ordered_by_agent(
    txn: &WriteTransaction,
    id: AssetId,
    sequence: u64,
    verify: impl FnOnce(&VerifyKey) -> Result<(), BadSignature>,
) -> Result<AssetRecord, Failure> {
    let mut asset = known(txn, id)?;
    next_sequence(&mut asset, sequence)?;
    verify(&asset.registration.agent.signing).map_err(|_| Refusal::SignatureInvalid)?;
    Ok(asset)
}

pub(crate) fn freeze(
    txn: &WriteTransaction,
    journal: &mut Journal,
    context: &Context<'_>,
    tx: &FreezeNullifiers,
) -> Result<(), Failure> {
    let message = &tx.message;
    let asset = ordered_by_agent(txn, message.asset, message.sequence, |agent| {
        tx.verify(&context.chain, agent)
    })?;
    // Entries that are spent or frozen are passed over, not refused: a holder who spends the first
    // of a list while it is under way must not shake off the rest.
    let mut effective = Vec::new();
    for nullifier in &message.nullifiers {
        let key = frozen_key(asset.id, *nullifier);
        if !has(txn, FROZEN, &key)? && !has(txn, NULLIFIERS, &nullifier.to_bytes())? {
            effective.push(nullifier);
        }
    }
    if effective.is_empty() {
        return Err(Refusal::AlreadyFrozen.into());
    }

    for nullifier in effective {
        journal.put(txn, FROZEN, &frozen_key(asset.id, *nullifier), &nullifier.to_bytes())?;
    }
    Ok(state::put_asset(txn, journal, &asset)?)
}

pub(crate) fn release(
    txn: &WriteTransaction,
    journal: &mut Journal,
    context: &Context<'_>,
    tx: &ReleaseNullifiers,
) -> Result<(), Failure> {
    let message = &tx.message;
    let asset = ordered_by_agent(txn, message.asset, message.sequence, |agent| {
        tx.verify(&context.chain, agent)
    })?;
    let mut effective = Vec::new();
    for nullifier in &message.nullifiers {
        if has(txn, FROZEN, &frozen_key(asset.id, *nullifier))? {
            effective.push(nullifier);
        }
    }
    if effective.is_empty() {
        return Err(Refusal::NotFrozen.into());
    }

    for nullifier in effective {
        journal.remove(txn, FROZEN, &frozen_key(asset.id, *nullifier))?;
    }
    Ok(state::put_asset(txn, journal, &asset)?)
}

pub(crate) fn pause(
    txn: &WriteTransaction,
    journal: &mut Journal,
    context: &Context<'_>,
    tx: &PauseAsset,
) -> Result<(), Failure> {
    let message = &tx.message;
    let mut asset = known(txn, message.asset)?;
    next_sequence(&mut asset, message.sequence)?;
    if message.paused == asset.paused {
        return Err(Refusal::PauseUnchanged.into());
    }
    let key = match message.by {
        Officer::Issuer => &asset.registration.issuer,
        Officer::Agent => &asset.registration.agent.signing,
    };
    tx.verify(&context.chain, key).map_err(|_| Refusal::SignatureInvalid)?;

    asset.paused = message.paused;
    Ok(state::put_asset(txn, journal, &asset)?)
}

pub(crate) fn rotate(
    txn: &WriteTransaction,
    journal: &mut Journal,
    context: &Context<'_>,
    tx: &RotateAgentKey,
) -> Result<(), Failure> {
    let mut asset = known(txn, tx.rotation.asset)?;
    next_sequence(&mut asset, tx.rotation.sequence)?;
    let (issuer, viewing) = (&asset.registration.issuer, &asset.registration.agent.viewing);
    tx.verify(&context.chain, issuer, viewing).map_err(|_| Refusal::SignatureInvalid)?;

    asset.registration.agent.signing = tx.rotation.signing;
    Ok(state::put_asset(txn, journal, &asset)?)
}
