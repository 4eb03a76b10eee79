//! The replicated state: tables, records, reads, and the journal through which every write goes
//! into the state hash. Spec §11.
//!
//! All own tables map bytes to bytes, keys in an order that is the same everywhere. Trees, windows
//! and credentials live in tables of the registry crate, inside the same redb transaction.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use placet_protocol::field::{AssetId, AttestorId, Commitment, Nullifier};
use placet_protocol::finality::Validators;
use placet_protocol::merkle::NOTE_DEPTH;
use placet_protocol::signing::VerifyKey;
use placet_protocol::transaction::asset::Registration;
use placet_protocol::transaction::registry::Sanctions;
use placet_protocol::transaction::{TransferBody, TxId};
use placet_protocol::wire::{DecodeError, Reader, Wire, Writer};
use placet_registry::credentials;
use placet_registry::roots::{NETWORK, Roots};
use placet_registry::store::{StoreError, Transaction};
use placet_registry::tree::Tree;
use redb::{ReadableTable, TableDefinition, WriteTransaction};
use sha2::{Digest, Sha256};

/// An own table.
pub(crate) type Table = TableDefinition<'static, &'static [u8], &'static [u8]>;

/// Single values by name.
pub(crate) const META: Table = TableDefinition::new("ledger.meta");
/// Height (big-endian) to the certified block.
pub(crate) const BLOCKS: Table = TableDefinition::new("ledger.blocks");
/// Transaction id to height and index.
pub(crate) const TRANSACTIONS: Table = TableDefinition::new("ledger.transactions");
/// Spent nullifier to the height at which it was spent.
pub(crate) const NULLIFIERS: Table = TableDefinition::new("ledger.nullifiers");
/// Asset id and nullifier to nothing.
pub(crate) const FROZEN: Table = TableDefinition::new("ledger.frozen");
/// Commitment to its index in the note tree.
pub(crate) const COMMITMENTS: Table = TableDefinition::new("ledger.commitments");
/// Asset id to its record.
pub(crate) const ASSETS: Table = TableDefinition::new("ledger.assets");
/// Digest of a registration to the asset id.
pub(crate) const REGISTRATIONS: Table = TableDefinition::new("ledger.registrations");
/// Attestor id to its record.
pub(crate) const ATTESTORS: Table = TableDefinition::new("ledger.attestors");
/// Name of an attestor to its id.
pub(crate) const ATTESTOR_NAMES: Table = TableDefinition::new("ledger.attestor-names");
/// The sanctions list in force.
pub(crate) const SANCTIONS: Table = TableDefinition::new("ledger.sanctions");

/// Key of a sitting authority to its record.
pub(crate) const AUTHORITIES: Table = TableDefinition::new("ledger.authorities");
/// Epoch (big-endian) to its validators; from the last block of the epoch before on.
pub(crate) const VALIDATORS: Table = TableDefinition::new("ledger.validators");
/// Each epoch (big-endian) whose validators are not those of the epoch before, to nothing: receipts
/// look for these, and epochs without a change are many.
pub(crate) const HANDOFFS: Table = TableDefinition::new("ledger.handoffs");
/// Height (big-endian) to the time of the block: verdicts are judged again by it.
pub(crate) const TIMES: Table = TableDefinition::new("ledger.times");

/// Circuit id to its entry.
pub(crate) const CIRCUITS: Table = TableDefinition::new("ledger.circuits");
/// Circuit id to the points of its key; those of the genesis come from key files. Never removed:
/// verdicts on proofs of a circuit that is switched off can be judged again.
pub(crate) const CIRCUIT_KEYS: Table = TableDefinition::new("ledger.circuit-keys");

/// The tables that make up the state; blocks are history, not state.
pub(crate) const STATE_TABLES: [Table; 16] = [
    META,
    TRANSACTIONS,
    NULLIFIERS,
    FROZEN,
    COMMITMENTS,
    ASSETS,
    REGISTRATIONS,
    ATTESTORS,
    ATTESTOR_NAMES,
    SANCTIONS,
    AUTHORITIES,
    VALIDATORS,
    HANDOFFS,
    TIMES,
    CIRCUITS,
    CIRCUIT_KEYS,
];

/// The note tree.
pub(crate) const NOTES: Tree<NOTE_DEPTH> = Tree::new("notes.tree");
/// Note roots by age.
pub(crate) const NOTE_ROOTS: Roots = Roots::new("roots.notes");
/// Registry roots by age.
pub(crate) const REGISTRY_ROOTS: Roots = Roots::new("roots.registry");
/// Sanctions roots by age.
pub(crate) const SANCTIONS_ROOTS: Roots = Roots::new("roots.sanctions");
/// Policy hashes by asset and age.
pub(crate) const POLICIES: Roots = Roots::new("roots.policies");

/// Keys of [`META`].
pub(crate) mod meta {
    /// Chain id.
    pub(crate) const CHAIN: &[u8] = b"chain";
    /// Height, time, block id, state hash of the tip.
    pub(crate) const TIP: &[u8] = b"tip";
    /// Number of assets.
    pub(crate) const ASSETS: &[u8] = b"assets";
    /// Number of the last change of the authorities.
    pub(crate) const AUTHORITY_CHANGE: &[u8] = b"authority-change";
    /// Number of the last change of the circuits.
    pub(crate) const CIRCUIT_CHANGE: &[u8] = b"circuit-change";
}

/// Where a ledger stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tip {
    /// Height of the last block; 0 for the genesis.
    pub height: u64,
    /// Its time.
    pub time: u64,
    /// Its id.
    pub block: [u8; 32],
    /// Hash of the state behind it.
    pub state: [u8; 32],
}

impl Wire for Tip {
    fn write(&self, out: &mut Writer) {
        out.u64(self.height);
        out.u64(self.time);
        out.bytes(&self.block);
        out.bytes(&self.state);
    }
    fn read(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            height: input.u64()?,
            time: input.u64()?,
            block: input.array()?,
            state: input.array()?,
        })
    }
}

/// An asset as the ledger keeps it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AssetRecord {
    /// Its id.
    pub id: AssetId,
    /// What was registered; the policy in it is the current one, the agent's signing key too.
    pub registration: Registration,
    /// Version of the policy.
    pub policy_version: u64,
    /// Units ever minted.
    pub minted: u128,
    /// Units ever redeemed.
    pub redeemed: u128,
    /// Holders now; stays 0 where the asset does not count them.
    pub holders: u64,
    /// Whether transfers are stopped.
    pub paused: bool,
    /// Last sequence number of freezes, releases, pauses, rotations.
    pub sequence: u64,
}

impl AssetRecord {
    /// Units in circulation; the turnstile keeps it between 0 and the authorised supply.
    pub fn outstanding(&self) -> u64 {
        u64::try_from(self.minted - self.redeemed).expect("outstanding is at most 2^63")
    }

    /// The policy as it is proven.
    pub fn proven_policy(&self) -> placet_protocol::policy::Policy {
        let r = &self.registration;
        r.policy.proven(self.id, r.agent.viewing, r.count_holders)
    }
}

impl Wire for AssetRecord {
    fn write(&self, out: &mut Writer) {
        self.id.write(out);
        self.registration.write(out);
        out.u64(self.policy_version);
        out.bytes(&self.minted.to_le_bytes());
        out.bytes(&self.redeemed.to_le_bytes());
        out.u64(self.holders);
        out.bool(self.paused);
        out.u64(self.sequence);
    }
    fn read(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            id: AssetId::read(input)?,
            registration: Registration::read(input)?,
            policy_version: input.u64()?,
            minted: u128::from_le_bytes(input.array()?),
            redeemed: u128::from_le_bytes(input.array()?),
            holders: input.u64()?,
            paused: input.bool()?,
            sequence: input.u64()?,
        })
    }
}

/// Most assets that [`AssetMemo`] remembers.
const ASSETS_REMEMBERED: usize = 1024;

/// An asset's stored bytes and what they say.
type Remembered = (Vec<u8>, Arc<AssetRecord>);

/// Decoded assets, by their stored bytes: decoding checks the points of four keys, which would cost
/// more than the rest of a transfer's rules. What it answers is always what the bytes say.
#[derive(Default)]
pub(crate) struct AssetMemo(Mutex<BTreeMap<AssetId, Remembered>>);

impl AssetMemo {
    /// The asset as it stands in the state.
    pub(crate) fn asset(
        &self,
        txn: &impl Transaction,
        id: AssetId,
    ) -> Result<Option<Arc<AssetRecord>>, StoreError> {
        let Some(bytes) = get(txn, ASSETS, &id.to_bytes())? else { return Ok(None) };
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&id).cloned();
        if let Some((stored, record)) = known
            && stored == bytes
        {
            return Ok(Some(record));
        }
        let record = AssetRecord::from_wire(&bytes).map_err(|_| StoreError::Corrupt)?;
        let record = Arc::new(record);
        self.remember(bytes, record.clone());
        Ok(Some(record))
    }

    /// Takes in a record with its encoding.
    pub(crate) fn remember(&self, bytes: Vec<u8>, record: Arc<AssetRecord>) {
        let mut assets = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if assets.len() >= ASSETS_REMEMBERED && !assets.contains_key(&record.id) {
            assets.clear();
        }
        assets.insert(record.id, (bytes, record));
    }
}

/// An attestor as the ledger keeps it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AttestorRecord {
    /// Its name in the federation.
    pub name: String,
    /// Its signing key.
    pub key: VerifyKey,
    /// Height of the block that admitted it.
    pub admitted_at: u64,
    /// Whether it was dismissed since.
    pub dismissed: bool,
}

impl AttestorRecord {
    /// Its id.
    pub fn id(&self) -> AttestorId {
        self.key.attestor_id()
    }
}

impl Wire for AttestorRecord {
    fn write(&self, out: &mut Writer) {
        out.text(&self.name);
        self.key.write(out);
        out.u64(self.admitted_at);
        out.bool(self.dismissed);
    }
    fn read(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            name: input.text(placet_protocol::genesis::MAX_NAME)?,
            key: VerifyKey::read(input)?,
            admitted_at: input.u64()?,
            dismissed: input.bool()?,
        })
    }
}

/// Where a transaction was executed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Location {
    /// Height of the block.
    pub height: u64,
    /// Place in the block, from 0.
    pub index: u32,
}

impl Wire for Location {
    fn write(&self, out: &mut Writer) {
        out.u64(self.height);
        out.u32(self.index);
    }
    fn read(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self { height: input.u64()?, index: input.u32()? })
    }
}

/// The value behind a key.
pub(crate) fn get(
    txn: &impl Transaction,
    table: Table,
    key: &[u8],
) -> Result<Option<Vec<u8>>, StoreError> {
    let Some(table) = txn.table(table)? else { return Ok(None) };
    Ok(table.get(key)?.map(|value| value.value().to_vec()))
}

/// The decoded value behind a key.
pub(crate) fn read<T: Wire>(
    txn: &impl Transaction,
    table: Table,
    key: &[u8],
) -> Result<Option<T>, StoreError> {
    get(txn, table, key)?
        .map(|bytes| T::from_wire(&bytes).map_err(|_| StoreError::Corrupt))
        .transpose()
}

/// Whether a key is there.
pub(crate) fn has(txn: &impl Transaction, table: Table, key: &[u8]) -> Result<bool, StoreError> {
    Ok(get(txn, table, key)?.is_some())
}

/// Every decoded value, in order of keys.
pub(crate) fn all<T: Wire>(txn: &impl Transaction, table: Table) -> Result<Vec<T>, StoreError> {
    let Some(table) = txn.table(table)? else { return Ok(Vec::new()) };
    let mut values = Vec::new();
    for entry in table.iter()? {
        let (_, value) = entry?;
        values.push(T::from_wire(value.value()).map_err(|_| StoreError::Corrupt)?);
    }
    Ok(values)
}

/// The tip.
pub(crate) fn tip(txn: &impl Transaction) -> Result<Tip, StoreError> {
    read(txn, META, meta::TIP)?.ok_or(StoreError::Corrupt)
}

/// An asset.
pub(crate) fn asset(
    txn: &impl Transaction,
    id: AssetId,
) -> Result<Option<AssetRecord>, StoreError> {
    read(txn, ASSETS, &id.to_bytes())
}

/// An attestor, also a dismissed one.
pub(crate) fn attestor(
    txn: &impl Transaction,
    id: AttestorId,
) -> Result<Option<AttestorRecord>, StoreError> {
    read(txn, ATTESTORS, &id.to_bytes())
}

/// The sanctions list in force; before the first, version 0 and empty.
pub(crate) fn sanctions(txn: &impl Transaction) -> Result<Sanctions, StoreError> {
    let none = Sanctions { version: 0, urgent: false, subjects: Vec::new() };
    Ok(read(txn, SANCTIONS, b"current")?.unwrap_or(none))
}

/// The validators of an epoch; `None` before the last block of the epoch before.
pub(crate) fn validators(
    txn: &impl Transaction,
    epoch: u64,
) -> Result<Option<Validators>, StoreError> {
    read(txn, VALIDATORS, &epoch.to_be_bytes())
}

/// The epochs up to this one whose validators are not those of the epoch before, in order; at most
/// `most` of them.
pub(crate) fn handoffs(
    txn: &impl Transaction,
    up_to: u64,
    most: usize,
) -> Result<Vec<u64>, StoreError> {
    let Some(table) = txn.table(HANDOFFS)? else { return Ok(Vec::new()) };
    let last = up_to.to_be_bytes();
    let mut epochs = Vec::new();
    for entry in table.range::<&[u8]>(..=&last[..])?.take(most) {
        let (key, _) = entry?;
        epochs.extend(height_behind(Some(key.value().to_vec()))?);
    }
    Ok(epochs)
}

/// The height at which a nullifier was spent.
pub(crate) fn spent(
    txn: &impl Transaction,
    nullifier: Nullifier,
) -> Result<Option<u64>, StoreError> {
    height_behind(get(txn, NULLIFIERS, &nullifier.to_bytes())?)
}

/// A stored height or index.
pub(crate) fn height_behind(bytes: Option<Vec<u8>>) -> Result<Option<u64>, StoreError> {
    bytes
        .map(|bytes| bytes.try_into().map(u64::from_be_bytes).map_err(|_| StoreError::Corrupt))
        .transpose()
}

/// Key of a frozen nullifier.
pub(crate) fn frozen_key(asset: AssetId, nullifier: Nullifier) -> Vec<u8> {
    [asset.to_bytes(), nullifier.to_bytes()].concat()
}

/// Collects every write of a block, in order, for the state hash. Writes of the registry crate are
/// functions of the transaction and the state before; the roots they lead to enter at the end.
pub(crate) struct Journal {
    hasher: Sha256,
    /// Leaves that the block appends to the note tree, all at its end: hashing them together costs
    /// a fraction of hashing them one transaction at a time.
    notes: Vec<Commitment>,
    /// Credentials of the block that are not in the registry's tree yet, for the same reason.
    pub(crate) credentials: credentials::Pending,
}

impl Journal {
    /// Begins a block on a state.
    pub(crate) fn new(previous: &[u8; 32], height: u64, time: u64) -> Self {
        let mut hasher = Sha256::new();
        hasher.update(b"placet.state.v1");
        hasher.update(previous);
        hasher.update(height.to_le_bytes());
        hasher.update(time.to_le_bytes());
        Self { hasher, notes: Vec::new(), credentials: credentials::Pending::default() }
    }

    fn record(&mut self, part: &[u8]) {
        self.hasher.update((part.len() as u64).to_le_bytes());
        self.hasher.update(part);
    }

    /// Writes a value.
    pub(crate) fn put(
        &mut self,
        txn: &WriteTransaction,
        table: Table,
        key: &[u8],
        value: &[u8],
    ) -> Result<(), StoreError> {
        for part in [b"put", redb::TableHandle::name(&table).as_bytes(), key, value] {
            self.record(part);
        }
        txn.open_table(table)?.insert(key, value)?;
        Ok(())
    }

    /// Removes a value.
    pub(crate) fn remove(
        &mut self,
        txn: &WriteTransaction,
        table: Table,
        key: &[u8],
    ) -> Result<(), StoreError> {
        for part in [b"remove", redb::TableHandle::name(&table).as_bytes(), key] {
            self.record(part);
        }
        txn.open_table(table)?.remove(key)?;
        Ok(())
    }

    /// Records a change that the registry crate makes.
    pub(crate) fn note(&mut self, what: &[u8], content: &[u8]) {
        self.record(what);
        self.record(content);
    }

    /// Number of note leaves that wait for the end of the block.
    pub(crate) fn pending_notes(&self) -> u64 {
        self.notes.len() as u64
    }

    /// Appends the block's note leaves, and the credentials that wait.
    pub(crate) fn append_pending(&mut self, txn: &WriteTransaction) -> Result<(), StoreError> {
        self.credentials.append(txn)?;
        let leaves: Vec<_> = self.notes.drain(..).map(|leaf| leaf.get()).collect();
        NOTES.append_batch(txn, &leaves).map(drop).map_err(|error| match error {
            placet_registry::tree::TreeError::Store(error) => error,
            _ => StoreError::Corrupt,
        })
    }

    /// The state hash, the present roots included.
    pub(crate) fn finish(mut self, txn: &impl Transaction) -> Result<[u8; 32], StoreError> {
        let notes = placet_protocol::field::to_bytes(&NOTES.root(txn)?);
        let registry = credentials::root(txn)?.to_bytes();
        let sanctions = SANCTIONS_ROOTS.current(txn, &NETWORK)?.ok_or(StoreError::Corrupt)?.0;
        for root in [notes, registry, sanctions] {
            self.record(&root);
        }
        Ok(self.hasher.finalize().into())
    }
}

/// Writes what every executed transaction leaves behind.
pub(crate) fn record_transaction(
    txn: &WriteTransaction,
    journal: &mut Journal,
    id: TxId,
    location: Location,
) -> Result<(), StoreError> {
    journal.put(txn, TRANSACTIONS, &id.0, &location.to_wire())
}

/// Writes an asset's record.
pub(crate) fn put_asset(
    txn: &WriteTransaction,
    journal: &mut Journal,
    asset: &AssetRecord,
) -> Result<(), StoreError> {
    journal.put(txn, ASSETS, &asset.id.to_bytes(), &asset.to_wire())
}

/// Marks a transfer's nullifiers as spent.
pub(crate) fn spend(
    txn: &WriteTransaction,
    journal: &mut Journal,
    body: &TransferBody,
    height: u64,
) -> Result<(), StoreError> {
    for nullifier in [body.nf_position, body.nf_delivery] {
        journal.put(txn, NULLIFIERS, &nullifier.to_bytes(), &height.to_be_bytes())?;
    }
    Ok(())
}

/// Gives note leaves their indices and keeps them for the end of the block. The caller has checked
/// that they are new, not zero, and that they fit.
pub(crate) fn append_notes(
    txn: &WriteTransaction,
    journal: &mut Journal,
    leaves: &[Commitment],
) -> Result<(), StoreError> {
    let first = NOTES.len(txn)? + journal.pending_notes();
    for (index, leaf) in (first..).zip(leaves) {
        journal.put(txn, COMMITMENTS, &leaf.to_bytes(), &index.to_be_bytes())?;
    }
    journal.notes.extend(leaves);
    Ok(())
}

/// Free slots of the note tree, beside those for leaves that wait for the end of the block.
pub(crate) fn free_notes(txn: &impl Transaction, pending: u64) -> Result<u64, StoreError> {
    Ok((Tree::<NOTE_DEPTH>::CAPACITY - NOTES.len(txn)?).saturating_sub(pending))
}
