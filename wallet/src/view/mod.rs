//! The public state that a wallet keeps for itself by replaying blocks: both trees with all their
//! nodes, the sanctions list, assets with their policies, freezes, and every transfer by the
//! nullifier it spent. Spec §4: a wallet never asks a node for a path, which would tell the leaf.
//!
//! Everything works inside a caller's redb transaction, so that public state and a role's own
//! state advance together or not at all.

mod apply;
mod circuits;

use std::collections::BTreeSet;

use ark_bn254::Fr;
use placet_protocol::block::{BlockId, CertifiedBlock, body_hash};
use placet_protocol::field::{
    AssetId, AttestorId, Commitment, NoteRoot, Nullifier, RegistryRoot, SanctionsRoot, Subject,
    to_bytes,
};
use placet_protocol::finality::{NotFinal, Validators};
use placet_protocol::genesis::{Authority, ChainId, Genesis, MAX_AUTHORITIES};
use placet_protocol::merkle::{NOTE_DEPTH, Path, REGISTRY_DEPTH};
use placet_protocol::policy::Policy;
use placet_protocol::sanctions::SanctionsList;
use placet_protocol::sealed::SealedDelivery;
use placet_protocol::signing::VerifyKey;
use placet_protocol::transaction::asset::{Mint, Registration};
use placet_protocol::transaction::registry::{Admission, Issue, MAX_SANCTIONS, Revoke};
use placet_protocol::wire::{DecodeError, Reader, Wire, Writer};
use placet_registry::credentials::{self, CredentialError};
use placet_registry::store::{StoreError, Transaction as Store};
use placet_registry::tree::{Tree, TreeError};
use redb::{ReadableTable, TableDefinition, WriteTransaction};

pub use apply::apply;
pub use circuits::{Circuits, circuits};

use crate::account::TransferRecord;

type Bytes = &'static [u8; 32];

const NOTES: Tree<NOTE_DEPTH> = Tree::new("view.notes");
/// One record each: `tip`, `chain`, `sanctions`, `sanctions-root`, `authorities`.
const META: TableDefinition<'static, &str, &[u8]> = TableDefinition::new("view.meta");
/// Epoch to who makes its blocks final, where they are others than in the epoch before.
const VALIDATORS: TableDefinition<'static, u64, &[u8]> = TableDefinition::new("view.validators");
/// Leaf of a credential to its index.
const LEAVES: TableDefinition<'static, Bytes, u64> = TableDefinition::new("view.leaves");
/// Attestor id to height and admission.
const ATTESTORS: TableDefinition<'static, Bytes, &[u8]> = TableDefinition::new("view.attestors");
/// Number of an asset, in order of registration, to its state.
const ASSETS: TableDefinition<'static, u64, &[u8]> = TableDefinition::new("view.assets");
/// Asset id to its number.
const ASSET_NUMBERS: TableDefinition<'static, Bytes, u64> =
    TableDefinition::new("view.asset-numbers");
/// Asset and frozen nullifier.
const FROZEN: TableDefinition<'static, (Bytes, Bytes), ()> = TableDefinition::new("view.frozen");
/// Nullifier of a spent position to the transfer that spent it.
const TRANSFERS: TableDefinition<'static, Bytes, &[u8]> = TableDefinition::new("view.transfers");

/// Why a block was not applied.
#[derive(Debug, thiserror::Error)]
pub enum ViewError {
    /// A block that does not follow the newest one here.
    #[error(
        "the node's block {0} does not continue the chain that this wallet knows: the node runs \
         another network, or its history was rewritten; do not trust it"
    )]
    NotNext(u64),
    /// Not shown to be final by the authorities whose turn it is.
    #[error("block {height} is not shown to be final, do not trust this node: {cause}")]
    NotFinal {
        /// Height of the block.
        height: u64,
        /// What its certificate lacks.
        cause: NotFinal,
    },
    /// The body does not belong to the header.
    #[error("block {0} was altered on the way: its content does not match its header")]
    Altered(u64),
    /// A transaction contradicts the state that earlier blocks led to.
    #[error("block {0} contradicts the blocks before it: do not trust this node")]
    Contradiction(u64),
    /// The note tree is full; following the next one needs a later version.
    #[error("the note tree of this network is full: update this program")]
    NotesFull,
    /// The store failed; nothing of the step was kept.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl ViewError {
    /// Whether it is the fault of whoever handed out the block.
    pub fn is_lie(&self) -> bool {
        !matches!(self, Self::NotesFull | Self::Store(_))
    }
}

impl From<redb::StorageError> for ViewError {
    fn from(error: redb::StorageError) -> Self {
        Self::Store(error.into())
    }
}

/// The newest block that was applied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tip {
    /// Height; 0 is the genesis.
    pub height: u64,
    /// Time in seconds since the Unix epoch.
    pub time: u64,
    /// Id.
    pub id: BlockId,
}

impl Wire for Tip {
    fn write(&self, out: &mut Writer) {
        out.u64(self.height);
        out.u64(self.time);
        out.bytes(&self.id.0);
    }
    fn read(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self { height: input.u64()?, time: input.u64()?, id: BlockId(input.array()?) })
    }
}

/// An asset as the chain shows it now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AssetState {
    /// Its id.
    pub id: AssetId,
    /// Keys, metadata, supply limit; the policy and the agent's signing key are the current ones.
    pub registration: Registration,
    /// Version of the current policy, from 1.
    pub version: u64,
    /// Highest sequence number of freezes, releases, pauses and rotations.
    pub sequence: u64,
    /// Whether transfers are stopped.
    pub paused: bool,
    /// Number of holders, where the asset counts them.
    pub holders: u64,
    /// Units outstanding.
    pub supply: u64,
}

impl AssetState {
    /// The current policy as it is proven.
    pub fn policy(&self) -> Policy {
        let registration = &self.registration;
        registration.policy.proven(self.id, registration.agent.viewing, registration.count_holders)
    }
}

impl Wire for AssetState {
    fn write(&self, out: &mut Writer) {
        self.id.write(out);
        self.registration.write(out);
        out.u64(self.version);
        out.u64(self.sequence);
        out.bool(self.paused);
        out.u64(self.holders);
        out.u64(self.supply);
    }
    fn read(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            id: AssetId::read(input)?,
            registration: Registration::read(input)?,
            version: input.u64()?,
            sequence: input.u64()?,
            paused: input.bool()?,
            holders: input.u64()?,
            supply: input.u64()?,
        })
    }
}

/// An attestor as authorities admitted it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AttestorState {
    /// Its id.
    pub id: AttestorId,
    /// Its name.
    pub name: String,
    /// Its signing key.
    pub key: VerifyKey,
    /// Height at which it was admitted.
    pub admitted_at: u64,
}

/// The sitting authorities.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Authorities {
    /// Number of the last change among them; 0 while they are those of the genesis.
    pub changes: u64,
    /// In order of keys.
    pub sitting: Vec<Authority>,
}

impl Authorities {
    fn genesis(genesis: &Genesis) -> Self {
        let mut sitting = genesis.authorities.clone();
        sitting.sort_by_key(|authority| authority.key);
        Self { changes: 0, sitting }
    }

    /// Their keys; `None` if there are none or too many, which no ledger lets happen.
    pub fn keys(&self) -> Option<Validators> {
        Validators::new(self.sitting.iter().map(|authority| authority.key))
    }
}

impl Wire for Authorities {
    fn write(&self, out: &mut Writer) {
        out.u64(self.changes);
        out.list(&self.sitting);
    }
    fn read(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self { changes: input.u64()?, sitting: input.list(MAX_AUTHORITIES)? })
    }
}

/// What every wallet proves against. One rule for all wallets, so that the choice of an anchor
/// tells nothing about who made a transfer: the newest block that was followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Anchor {
    /// The newest block.
    pub height: u64,
    /// Its time, which is the transfer's `now`.
    pub time: u64,
    /// Root of the note tree behind it.
    pub notes: NoteRoot,
    /// Root of the registry behind it.
    pub registry: RegistryRoot,
    /// Root of the sanctions list in force.
    pub sanctions: SanctionsRoot,
}

/// What a block did, for the role that follows.
#[derive(Debug)]
pub enum Event<'a> {
    /// A credential went into the registry.
    Issued {
        /// Its leaf.
        index: u64,
        /// The message.
        issue: &'a Issue,
    },
    /// A credential was revoked.
    Revoked {
        /// The message.
        revoke: &'a Revoke,
    },
    /// An asset was registered.
    Registered {
        /// The asset.
        asset: &'a AssetState,
    },
    /// Units were minted.
    Minted {
        /// The transaction.
        mint: &'a Mint,
        /// The delivery.
        cm: Commitment,
        /// Its leaf.
        leaf: u64,
        /// Height of the block.
        height: u64,
    },
    /// A transfer was executed.
    Transferred {
        /// Its public part.
        record: &'a TransferRecord,
        /// The box for its receiver.
        sealed: &'a SealedDelivery,
    },
}

/// Which network is followed and who makes its blocks final.
#[derive(Clone, Debug)]
pub struct Network {
    /// The chain.
    pub chain: ChainId,
    /// Tip before block 1.
    pub start: Tip,
    /// The authorities of the genesis.
    first: Authorities,
    /// The circuits of the genesis.
    circuits: Circuits,
    epoch_length: u64,
}

impl Network {
    /// From a genesis that the user trusts.
    pub fn new(genesis: &Genesis) -> Self {
        let chain = genesis.chain_id();
        Self {
            chain,
            start: Tip { height: 0, time: genesis.time, id: BlockId::genesis(&chain) },
            first: Authorities::genesis(genesis),
            circuits: Circuits::genesis(genesis),
            epoch_length: genesis.params.epoch_length,
        }
    }

    /// Checks that a block follows `tip` and is final by the votes of `validators`.
    fn check(
        &self,
        tip: &Tip,
        validators: &Validators,
        certified: &CertifiedBlock,
    ) -> Result<(), ViewError> {
        let header = &certified.block.header;
        let height = header.height;
        if height != tip.height + 1 || header.parent != tip.id || header.time < tip.time {
            return Err(ViewError::NotNext(height));
        }
        if body_hash(&self.chain, &certified.block.entries) != header.body {
            return Err(ViewError::Altered(height));
        }
        certified
            .check(&self.chain, validators, self.epoch_length)
            .map_err(|cause| ViewError::NotFinal { height, cause })
    }
}

/// Who sits behind the newest block followed.
pub fn authorities(txn: &impl Store, network: &Network) -> Result<Authorities, StoreError> {
    Ok(meta(txn, "authorities")?.unwrap_or_else(|| network.first.clone()))
}

/// Who makes the blocks of an epoch final; for one that has not begun, who would by now.
pub fn validators(
    txn: &impl Store,
    network: &Network,
    epoch: u64,
) -> Result<Validators, StoreError> {
    if let Some(table) = txn.table(VALIDATORS)?
        && let Some(entry) = table.range(..=epoch)?.next_back()
    {
        return decode(entry?.1.value());
    }
    network.first.keys().ok_or(StoreError::Corrupt)
}

/// The newest block followed; the genesis before the first.
pub fn tip(txn: &impl Store, network: &Network) -> Result<Tip, StoreError> {
    Ok(meta(txn, "tip")?.unwrap_or(network.start))
}

/// The chain that was followed so far; `None` in a new store.
pub fn chain(txn: &impl Store) -> Result<Option<ChainId>, StoreError> {
    meta(txn, "chain")
}

/// Binds a new store to its network: the chain, and the circuits of the genesis.
pub fn begin(txn: &WriteTransaction, network: &Network) -> Result<(), StoreError> {
    set_meta(txn, "chain", &network.chain)?;
    set_meta(txn, "circuits", &network.circuits)
}

/// The anchor that all wallets use. See [`Anchor`].
pub fn anchor(txn: &impl Store, network: &Network) -> Result<Anchor, StoreError> {
    let tip = tip(txn, network)?;
    Ok(Anchor {
        height: tip.height,
        time: tip.time,
        notes: NoteRoot::new(NOTES.root(txn)?),
        registry: credentials::root(txn)?,
        sanctions: sanctions_root(txn)?,
    })
}

/// Version and content of the sanctions list in force; version 0 is the empty list.
pub fn sanctions(txn: &impl Store) -> Result<(u64, SanctionsList), StoreError> {
    let stored: Option<StoredSanctions> = meta(txn, "sanctions")?;
    let StoredSanctions { version, subjects } = stored.unwrap_or_default();
    let list = SanctionsList::new(subjects).map_err(|_| StoreError::Corrupt)?;
    Ok((version, list))
}

/// Root of the sanctions list in force, without building its tree.
fn sanctions_root(txn: &impl Store) -> Result<SanctionsRoot, StoreError> {
    match meta(txn, "sanctions-root")? {
        Some(root) => Ok(root),
        None => Ok(sanctions(txn)?.1.root()),
    }
}

/// Every asset in order of registration.
pub fn assets(txn: &impl Store) -> Result<Vec<AssetState>, StoreError> {
    let Some(table) = txn.table(ASSETS)? else { return Ok(Vec::new()) };
    let mut assets = Vec::new();
    for entry in table.iter()? {
        assets.push(decode(entry?.1.value())?);
    }
    Ok(assets)
}

/// One asset.
pub fn asset(txn: &impl Store, id: AssetId) -> Result<Option<AssetState>, StoreError> {
    Ok(numbered_asset(txn, id)?.map(|(_, state)| state))
}

/// Every attestor that was admitted, in order of ids.
pub fn attestors(txn: &impl Store) -> Result<Vec<AttestorState>, StoreError> {
    let Some(table) = txn.table(ATTESTORS)? else { return Ok(Vec::new()) };
    let mut attestors = Vec::new();
    for entry in table.iter()? {
        let (id, stored) = entry?;
        let id = AttestorId::from_bytes(id.value()).map_err(|_| StoreError::Corrupt)?;
        let StoredAttestor { admission: Admission { name, key }, admitted_at } =
            decode(stored.value())?;
        attestors.push(AttestorState { id, name, key, admitted_at });
    }
    Ok(attestors)
}

/// Whether the agent froze a nullifier of the asset.
pub fn is_frozen(
    txn: &impl Store,
    asset: AssetId,
    nullifier: Nullifier,
) -> Result<bool, StoreError> {
    let Some(table) = txn.table(FROZEN)? else { return Ok(false) };
    Ok(table.get((&asset.to_bytes(), &nullifier.to_bytes()))?.is_some())
}

/// Every nullifier of the asset that is frozen now, in order.
pub fn frozen(txn: &impl Store, asset: AssetId) -> Result<BTreeSet<Nullifier>, StoreError> {
    let Some(table) = txn.table(FROZEN)? else { return Ok(BTreeSet::new()) };
    let asset = asset.to_bytes();
    let mut frozen = BTreeSet::new();
    for entry in table.range((&asset, &[0; 32])..=(&asset, &[0xff; 32]))? {
        let key = entry?.0;
        let nullifier = Nullifier::from_bytes(key.value().1).map_err(|_| StoreError::Corrupt)?;
        frozen.insert(nullifier);
    }
    Ok(frozen)
}

/// The transfer that spent a position's nullifier.
pub fn transfer(
    txn: &impl Store,
    nf_position: Nullifier,
) -> Result<Option<TransferRecord>, StoreError> {
    let Some(table) = txn.table(TRANSFERS)? else { return Ok(None) };
    table.get(&nf_position.to_bytes())?.map(|entry| decode(entry.value())).transpose()
}

/// The path of a leaf of the note tree.
///
/// # Errors
/// [`StoreError::Corrupt`] if there is no such leaf: callers learnt the index from the chain.
pub fn note_path(txn: &impl Store, leaf: u64) -> Result<Path<NOTE_DEPTH>, StoreError> {
    NOTES.path(txn, leaf).map_err(|error| match error {
        TreeError::Store(error) => error,
        _ => StoreError::Corrupt,
    })
}

/// The index of a credential's leaf, revoked or not.
pub fn credential_index(txn: &impl Store, leaf: Fr) -> Result<Option<u64>, StoreError> {
    let Some(table) = txn.table(LEAVES)? else { return Ok(None) };
    Ok(table.get(&to_bytes(&leaf))?.map(|entry| entry.value()))
}

/// Whether the credential in a slot was revoked.
pub fn is_revoked(txn: &impl Store, index: u64) -> Result<bool, StoreError> {
    Ok(credentials::record(txn, index)?.is_some_and(|record| record.revoked))
}

/// The path of a credential's slot.
///
/// # Errors
/// [`StoreError::Corrupt`] if there is no such slot: callers learnt the index from the chain.
pub fn credential_path(txn: &impl Store, index: u64) -> Result<Path<REGISTRY_DEPTH>, StoreError> {
    credentials::path(txn, index).map_err(|error| match error {
        CredentialError::Store(error) => error,
        _ => StoreError::Corrupt,
    })
}

fn numbered_asset(txn: &impl Store, id: AssetId) -> Result<Option<(u64, AssetState)>, StoreError> {
    let Some(numbers) = txn.table(ASSET_NUMBERS)? else { return Ok(None) };
    let Some(number) = numbers.get(&id.to_bytes())?.map(|entry| entry.value()) else {
        return Ok(None);
    };
    let table = txn.table(ASSETS)?.ok_or(StoreError::Corrupt)?;
    let state = table.get(number)?.ok_or(StoreError::Corrupt)?;
    Ok(Some((number, decode(state.value())?)))
}

struct StoredAttestor {
    admission: Admission,
    admitted_at: u64,
}

impl Wire for StoredAttestor {
    fn write(&self, out: &mut Writer) {
        self.admission.write(out);
        out.u64(self.admitted_at);
    }
    fn read(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self { admission: Admission::read(input)?, admitted_at: input.u64()? })
    }
}

#[derive(Default)]
struct StoredSanctions {
    version: u64,
    subjects: Vec<Subject>,
}

impl Wire for StoredSanctions {
    fn write(&self, out: &mut Writer) {
        out.u64(self.version);
        out.list(&self.subjects);
    }
    fn read(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self { version: input.u64()?, subjects: input.list(MAX_SANCTIONS)? })
    }
}

fn open<'t, K: redb::Key + 'static, V: redb::Value + 'static>(
    txn: &'t WriteTransaction,
    definition: TableDefinition<'static, K, V>,
) -> Result<redb::Table<'t, K, V>, StoreError> {
    Ok(txn.open_table(definition)?)
}

fn decode<T: Wire>(bytes: &[u8]) -> Result<T, StoreError> {
    T::from_wire(bytes).map_err(|_| StoreError::Corrupt)
}

fn meta<T: Wire>(txn: &impl Store, key: &str) -> Result<Option<T>, StoreError> {
    let Some(table) = txn.table(META)? else { return Ok(None) };
    table.get(key)?.map(|entry| decode(entry.value())).transpose()
}

fn set_meta(txn: &WriteTransaction, key: &str, value: &impl Wire) -> Result<(), StoreError> {
    open(txn, META)?.insert(key, value.to_wire().as_slice())?;
    Ok(())
}
