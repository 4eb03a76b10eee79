//! Applying blocks: every transaction's effect on public state, in order. Spec §4 to §11.
//!
//! Rules that need what a wallet does not have (tags, quotas, proofs) are the ledger's; a quorum
//! of authorities signed that they hold.

use ark_bn254::Fr;
use placet_protocol::block::{Block, CertifiedBlock};
use placet_protocol::field::{AssetId, Commitment, Nullifier, to_bytes};
use placet_protocol::finality::{ends_epoch, epoch_of};
use placet_protocol::genesis::Authority;
use placet_protocol::transaction::asset::{Registration, asset_id};
use placet_protocol::transaction::registry::{Admission, Issue, Revoke};
use placet_protocol::transaction::{AuthorityChange, NumberedChange, Transaction};
use placet_protocol::wire::Wire;
use placet_registry::credentials::{self, CredentialError, Issuance, Pending, Revocation, Urgency};
use placet_registry::tree::TreeError;
use redb::{ReadableTable, WriteTransaction};

use super::{
    ASSET_NUMBERS, ASSETS, ATTESTORS, AssetState, Event, FROZEN, LEAVES, NOTES, Network,
    StoredAttestor, StoredSanctions, TRANSFERS, Tip, VALIDATORS, ViewError, authorities, circuits,
    numbered_asset, open, sanctions, set_meta, tip, validators,
};
use crate::account::TransferRecord;

/// Checks one block, applies it, and tells `follower` what it did, in order.
///
/// # Errors
/// [`ViewError`], or the follower's error; abort the transaction then.
pub fn apply<E: From<ViewError>>(
    txn: &WriteTransaction,
    network: &Network,
    certified: &CertifiedBlock,
    follower: &mut dyn FnMut(&Event<'_>) -> Result<(), E>,
) -> Result<(), E> {
    let tip = tip(txn, network).map_err(ViewError::from)?;
    let epoch = epoch_of(certified.block.header.height, network.epoch_length);
    let making = validators(txn, network, epoch).map_err(ViewError::from)?;
    network.check(&tip, &making, certified)?;
    let block = &certified.block;
    let first = NOTES.len(txn).map_err(ViewError::from)?;
    let mut leaves = Leaves { first, notes: Vec::new(), credentials: Pending::default() };
    for entry in &block.entries {
        apply_entry(txn, network, block, &entry.transaction, &mut leaves, follower)?;
    }
    leaves.credentials.append(txn).map_err(ViewError::from)?;
    NOTES.append_batch(txn, &leaves.notes).map_err(|error| match error {
        TreeError::Full => ViewError::NotesFull,
        TreeError::Store(error) => ViewError::Store(error),
        TreeError::EmptyLeaf | TreeError::NoSuchLeaf => {
            ViewError::Contradiction(block.header.height)
        }
    })?;
    let header = &block.header;
    let sitting = authorities(txn, network).map_err(ViewError::from)?.keys();
    let sitting = sitting
        .filter(|sitting| sitting.hash(&network.chain) == header.validators)
        .ok_or(ViewError::Contradiction(header.height))?;
    if ends_epoch(header.height, network.epoch_length) && sitting != making {
        let mut table = open(txn, VALIDATORS).map_err(ViewError::from)?;
        table.insert(epoch + 1, sitting.to_wire().as_slice()).map_err(ViewError::from)?;
    }
    let next = Tip { height: header.height, time: header.time, id: header.id(&network.chain) };
    set_meta(txn, "tip", &next).map_err(ViewError::from)?;
    Ok(())
}

/// Leaves of a block's trees, collected and appended together.
struct Leaves {
    /// Index of the block's first note leaf.
    first: u64,
    notes: Vec<Fr>,
    credentials: Pending,
}

/// Applies one transaction, but for appending its leaves.
fn apply_entry<E: From<ViewError>>(
    txn: &WriteTransaction,
    network: &Network,
    block: &Block,
    transaction: &Transaction,
    leaves: &mut Leaves,
    follower: &mut dyn FnMut(&Event<'_>) -> Result<(), E>,
) -> Result<(), E> {
    let height = block.header.height;
    let leaf = leaves.first + leaves.notes.len() as u64;
    leaves.notes.extend(transaction.note_leaves().iter().map(Commitment::get));
    match transaction {
        Transaction::AdmitAttestor(tx) => admit(txn, &tx.admission, height)?,
        Transaction::IssueCredential(tx) => {
            let issue = &tx.message;
            let index = append_credential(txn, &mut leaves.credentials, issue, block)?;
            follower(&Event::Issued { index, issue })?;
        }
        Transaction::RevokeCredential(tx) => {
            // The credential may be one of this block.
            leaves.credentials.append(txn).map_err(ViewError::from)?;
            replace_credential(txn, &tx.message, block)?;
            follower(&Event::Revoked { revoke: &tx.message })?;
        }
        Transaction::PublishSanctions(tx) => {
            let stored = StoredSanctions {
                version: tx.message.version,
                subjects: tx.message.subjects.clone(),
            };
            set_meta(txn, "sanctions", &stored).map_err(ViewError::from)?;
            let root = sanctions(txn).map_err(ViewError::from)?.1.root();
            set_meta(txn, "sanctions-root", &root).map_err(ViewError::from)?;
        }
        Transaction::RegisterAsset(tx) => {
            let asset = register(txn, network, &tx.registration)?;
            follower(&Event::Registered { asset: &asset })?;
        }
        Transaction::SetPolicy(tx) => {
            let change = &tx.message;
            update(txn, change.asset, height, |state| {
                state.version = change.version;
                state.registration.policy = change.policy.clone();
                Some(())
            })?;
        }
        Transaction::Mint(mint) => {
            let allotment = &mint.allotment;
            update(txn, allotment.asset, height, |state| {
                state.supply = state.supply.checked_add(allotment.amount)?;
                Some(())
            })?;
            follower(&Event::Minted { mint, cm: allotment.commitment(), leaf, height })?;
        }
        Transaction::Transfer(tx) => {
            let body = &tx.body;
            update(txn, body.asset, height, |state| {
                state.supply = state.supply.checked_sub(body.redeemed())?;
                state.holders = state.holders.checked_add_signed(body.holders_delta.signed())?;
                Some(())
            })?;
            let record = TransferRecord {
                asset: body.asset,
                height,
                nf_position: body.nf_position,
                nf_delivery: body.nf_delivery,
                cm_position: body.cm_position,
                cm_delivery: body.cm_delivery,
                receipt: body.receipt,
                redeemed: body.redeemed(),
                disclosure: body.disclosure,
                first_leaf: leaf,
            };
            insert_transfer(txn, &record)?;
            follower(&Event::Transferred { record: &record, sealed: &body.sealed })?;
        }
        Transaction::FreezeNullifiers(tx) => {
            let list = &tx.message;
            set_frozen(txn, list.asset, &list.nullifiers, true)?;
            sequence(txn, list.asset, list.sequence, height)?;
        }
        Transaction::ReleaseNullifiers(tx) => {
            let list = &tx.message;
            set_frozen(txn, list.asset, &list.nullifiers, false)?;
            sequence(txn, list.asset, list.sequence, height)?;
        }
        Transaction::PauseAsset(tx) => {
            let pause = &tx.message;
            update(txn, pause.asset, height, |state| {
                state.paused = pause.paused;
                state.sequence = pause.sequence;
                Some(())
            })?;
        }
        Transaction::RotateAgentKey(tx) => {
            let rotation = &tx.rotation;
            update(txn, rotation.asset, height, |state| {
                state.registration.agent.signing = rotation.signing;
                state.sequence = rotation.sequence;
                Some(())
            })?;
        }
        Transaction::ChangeAuthorities(tx) => {
            change_authorities(txn, network, &tx.change)?;
        }
        Transaction::ChangeCircuits(tx) => {
            let known = circuits(txn).map_err(ViewError::from)?;
            let changed =
                known.after(&tx.change, height).ok_or(ViewError::Contradiction(height))?;
            set_meta(txn, "circuits", &changed).map_err(ViewError::from)?;
        }
        Transaction::ConvictAuthority(tx) => {
            // It votes on until it is dismissed.
            let mut sitting = authorities(txn, network).map_err(ViewError::from)?;
            let convict = |authority: &&mut Authority| authority.key == tx.assertion.authority;
            if let Some(convict) = sitting.sitting.iter_mut().find(convict) {
                convict.mandates.clear();
            }
            set_meta(txn, "authorities", &sitting).map_err(ViewError::from)?;
        }
    }
    Ok(())
}

fn change_authorities(
    txn: &WriteTransaction,
    network: &Network,
    numbered: &NumberedChange,
) -> Result<(), ViewError> {
    let mut authorities = authorities(txn, network)?;
    let key = numbered.change.key();
    let sitting = &mut authorities.sitting;
    sitting.retain(|authority| authority.key != key);
    if let AuthorityChange::Appoint(authority) = &numbered.change {
        sitting.push(authority.clone());
        sitting.sort_by_key(|authority| authority.key);
    }
    authorities.changes = numbered.number;
    Ok(set_meta(txn, "authorities", &authorities)?)
}

fn admit(txn: &WriteTransaction, admission: &Admission, admitted_at: u64) -> Result<(), ViewError> {
    let id = admission.key.attestor_id();
    let mut table = open(txn, ATTESTORS)?;
    let stored = StoredAttestor { admission: admission.clone(), admitted_at };
    table.insert(&id.to_bytes(), stored.to_wire().as_slice())?;
    Ok(())
}

fn append_credential(
    txn: &WriteTransaction,
    pending: &mut Pending,
    issue: &Issue,
    block: &Block,
) -> Result<u64, ViewError> {
    // Tags are the ledger's business: a wallet has nothing to check them against.
    let issuance = Issuance {
        attestor: issue.attestor,
        sequence: issue.sequence,
        inner: issue.inner,
        tags: None,
    };
    let index =
        pending.issue(txn, &issuance, block.header.time).map_err(|error| refused(error, block))?;
    open(txn, LEAVES)?.insert(&to_bytes(&issue.leaf()), index)?;
    Ok(index)
}

fn replace_credential(
    txn: &WriteTransaction,
    revoke: &Revoke,
    block: &Block,
) -> Result<(), ViewError> {
    // Quotas are the ledger's business too.
    let revocation = Revocation {
        attestor: revoke.attestor,
        sequence: revoke.sequence,
        index: revoke.leaf,
        urgency: Urgency::Ordinary,
    };
    credentials::revoke(txn, &revocation, block.header.time).map_err(|error| refused(error, block))
}

fn refused(error: CredentialError, block: &Block) -> ViewError {
    match error {
        CredentialError::Store(error) => ViewError::Store(error),
        _ => ViewError::Contradiction(block.header.height),
    }
}

fn register(
    txn: &WriteTransaction,
    network: &Network,
    registration: &Registration,
) -> Result<AssetState, ViewError> {
    let mut table = open(txn, ASSETS)?;
    let number = table.last()?.map_or(0, |(number, _)| number.value() + 1);
    let asset = AssetState {
        id: asset_id(&network.chain, number),
        registration: registration.clone(),
        version: 1,
        sequence: 0,
        paused: false,
        holders: 0,
        supply: 0,
    };
    table.insert(number, asset.to_wire().as_slice())?;
    open(txn, ASSET_NUMBERS)?.insert(&asset.id.to_bytes(), number)?;
    Ok(asset)
}

/// Changes an asset's state; `None` from `change` means that the block contradicts it.
fn update(
    txn: &WriteTransaction,
    asset: AssetId,
    height: u64,
    change: impl FnOnce(&mut AssetState) -> Option<()>,
) -> Result<(), ViewError> {
    let contradiction = || ViewError::Contradiction(height);
    let (number, mut state) = numbered_asset(txn, asset)?.ok_or_else(contradiction)?;
    change(&mut state).ok_or_else(contradiction)?;
    open(txn, ASSETS)?.insert(number, state.to_wire().as_slice())?;
    Ok(())
}

fn sequence(
    txn: &WriteTransaction,
    asset: AssetId,
    sequence: u64,
    height: u64,
) -> Result<(), ViewError> {
    update(txn, asset, height, |state| {
        state.sequence = sequence;
        Some(())
    })
}

fn set_frozen(
    txn: &WriteTransaction,
    asset: AssetId,
    nullifiers: &[Nullifier],
    frozen: bool,
) -> Result<(), ViewError> {
    let mut table = open(txn, FROZEN)?;
    let asset = asset.to_bytes();
    for nullifier in nullifiers {
        let nullifier = nullifier.to_bytes();
        if frozen {
            table.insert((&asset, &nullifier), ())?;
        } else {
            table.remove((&asset, &nullifier))?;
        }
    }
    Ok(())
}

fn insert_transfer(txn: &WriteTransaction, record: &TransferRecord) -> Result<(), ViewError> {
    let mut table = open(txn, TRANSFERS)?;
    let before = table.insert(&record.nf_position.to_bytes(), record.to_wire().as_slice())?;
    match before {
        None => Ok(()),
        Some(_) => Err(ViewError::Contradiction(record.height)),
    }
}
