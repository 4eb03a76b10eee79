//! The registry of credentials as validators keep it: leaves with their attestors, sequence
//! numbers, revocations and the urgent quota. Spec §4.
//!
//! Signatures are the ledger's business: every call here names an attestor it has authenticated.
//! Afterwards the ledger makes the new root current, with [`crate::roots::Roots::advance`], or
//! after an urgent revocation with [`crate::roots::Roots::advance_urgently`].

use std::collections::BTreeMap;
use std::ops::Range;

use ark_bn254::Fr;
use placet_protocol::credential::{leaf, nobody, tombstone};
use placet_protocol::field::{AttestorId, CredentialInner, RegistryRoot, to_bytes};
use placet_protocol::genesis::NetworkParams;
use placet_protocol::merkle::{Path, REGISTRY_DEPTH};
use placet_protocol::transaction::registry::UniquenessTags;
use placet_protocol::transaction::{self, BadSequence};
use rayon::prelude::*;
use redb::{ReadableTable, Table, TableDefinition, WriteTransaction};

use crate::persons::{self, PersonError};
use crate::store::{StoreError, Transaction, store_errors};
use crate::tree::{Tree, TreeError};

type Bytes = &'static [u8; 32];
/// Index of a leaf to its attestor and [`ISSUED`] or [`REVOKED`].
type RecordTable = TableDefinition<'static, u64, (Bytes, u8)>;
/// Leaf, also a revoked one, to its index.
type LeafTable = TableDefinition<'static, Bytes, u64>;
/// Attestor to the last sequence number it used.
type SequenceTable = TableDefinition<'static, Bytes, u64>;
/// Attestor to the last epoch in which it revoked urgently, and how often.
type UrgentTable = TableDefinition<'static, Bytes, (u64, u32)>;

const TREE: Tree<REGISTRY_DEPTH> = Tree::new("credentials.tree");
const RECORDS: RecordTable = TableDefinition::new("credentials.records");
const LEAVES: LeafTable = TableDefinition::new("credentials.leaves");
const SEQUENCES: SequenceTable = TableDefinition::new("credentials.sequences");
const URGENT: UrgentTable = TableDefinition::new("credentials.urgent");
const ISSUED: u8 = 0;
const REVOKED: u8 = 1;
/// Credentials whose leaves are hashed and appended together in a long list.
const CHUNK: usize = 1 << 15;

/// Why the registry refused a credential or a revocation.
#[derive(Debug, thiserror::Error)]
pub enum CredentialError {
    /// The sequence number is not above the attestor's last one.
    #[error(
        "this message of the attestor was already used, or came after a later one; sign a new \
         message with a higher sequence number"
    )]
    Replayed,
    /// The sequence number is above the attestor's last one by more than 2^20.
    #[error(
        "the sequence number leaps ahead by more than 2^20; sign again with the attestor's last \
         sequence number plus one"
    )]
    SequenceTooFar,
    /// This attestor already issued this very credential, perhaps revoked since.
    #[error("this credential was issued before; issue a new one with a fresh salt")]
    Duplicate,
    /// The filler id of policies is nobody's.
    #[error("the id NOBODY fills free places of policies and never issues")]
    Nobody,
    /// All slots of the registry are used.
    #[error("the registry is full; slots are never reused")]
    Full,
    /// There is no credential at this index.
    #[error("no credential was issued at this index; check the index")]
    NoSuchCredential,
    /// Another attestor issued the credential.
    #[error("only the attestor that issued a credential may revoke it")]
    NotTheIssuer,
    /// The credential was revoked before.
    #[error("this credential is revoked already; nothing is left to do")]
    AlreadyRevoked,
    /// The attestor's urgent revocations of this epoch are used up.
    #[error(
        "the attestor's urgent revocations of this epoch are used up; revoke without urgency, \
         which binds within the root window"
    )]
    QuotaExhausted,
    /// The tags of the person were refused.
    #[error(transparent)]
    Person(PersonError),
    /// The store failed; abort the transaction.
    #[error(transparent)]
    Store(#[from] StoreError),
}

store_errors!(CredentialError);

impl From<PersonError> for CredentialError {
    fn from(error: PersonError) -> Self {
        match error {
            PersonError::Store(error) => Self::Store(error),
            error => Self::Person(error),
        }
    }
}

impl From<TreeError> for CredentialError {
    fn from(error: TreeError) -> Self {
        match error {
            TreeError::Full => Self::Full,
            TreeError::NoSuchLeaf => Self::NoSuchCredential,
            // A leaf is a hash output; the record table and the tree disagree.
            TreeError::EmptyLeaf => Self::Store(StoreError::Corrupt),
            TreeError::Store(error) => Self::Store(error),
        }
    }
}

/// Why a list of credentials was not issued to its end.
#[derive(Debug, thiserror::Error)]
#[error("credential {place} of the list, counted from 0: {error}")]
pub struct RefusedIssuance {
    /// The place in the list of the one that was refused; those before it are issued.
    pub place: usize,
    /// Why.
    #[source]
    pub error: CredentialError,
}

/// A credential to be put into the registry by an authenticated attestor.
#[derive(Clone, Copy, Debug)]
pub struct Issuance<'a> {
    /// The attestor.
    pub attestor: AttestorId,
    /// Above every sequence number the attestor used before, by 1 to
    /// [`transaction::MAX_SEQUENCE_STEP`].
    pub sequence: u64,
    /// The commitment to the credential.
    pub inner: CredentialInner,
    /// With identity credentials: the tags of the person and of the key.
    pub tags: Option<&'a UniquenessTags>,
}

/// A credential to be revoked by an authenticated attestor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Revocation {
    /// The attestor.
    pub attestor: AttestorId,
    /// As in [`Issuance::sequence`].
    pub sequence: u64,
    /// Index of the credential.
    pub index: u64,
    /// How soon it must bind.
    pub urgency: Urgency,
}

/// How soon a revocation must bind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Urgency {
    /// Within the root window; proofs in flight survive.
    Ordinary,
    /// At once. Closes the window for everybody's proofs in flight, hence the quota.
    Urgent(Quota),
}

/// How many urgent revocations an attestor may make.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quota {
    /// Urgent revocations per attestor and epoch.
    pub per_epoch: u32,
    /// Seconds of an epoch; 0 counts as 1.
    pub epoch_seconds: u64,
}

impl Default for Quota {
    /// That of a genesis which sets no other.
    fn default() -> Self {
        let params = NetworkParams::default();
        Self { per_epoch: params.urgent_quota, epoch_seconds: params.urgent_epoch }
    }
}

/// What the registry remembers of a leaf.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record {
    /// Index of the leaf.
    pub index: u64,
    /// Who issued it.
    pub attestor: AttestorId,
    /// Whether it was revoked.
    pub revoked: bool,
}

/// Number of credentials ever issued.
pub fn len(txn: &impl Transaction) -> Result<u64, StoreError> {
    TREE.len(txn)
}

/// The present root.
pub fn root(txn: &impl Transaction) -> Result<RegistryRoot, StoreError> {
    TREE.root(txn).map(RegistryRoot::new)
}

/// The path of a leaf. Wallets keep their own paths; asking a node for one reveals the leaf.
///
/// # Errors
/// [`CredentialError::NoSuchCredential`].
pub fn path(txn: &impl Transaction, index: u64) -> Result<Path<REGISTRY_DEPTH>, CredentialError> {
    Ok(TREE.path(txn, index)?)
}

/// The leaves of a range of indices, cut off at [`len`]; revoked ones are TOMBSTONE.
pub fn leaves(txn: &impl Transaction, range: Range<u64>) -> Result<Vec<Fr>, StoreError> {
    TREE.leaves(txn, range)
}

/// What is known of the leaf at `index`.
pub fn record(txn: &impl Transaction, index: u64) -> Result<Option<Record>, StoreError> {
    let Some(table) = txn.table(RECORDS)? else { return Ok(None) };
    let Some(entry) = table.get(index)? else { return Ok(None) };
    let (attestor, state) = entry.value();
    decode_record(index, attestor, state).map(Some)
}

/// Everything one attestor issued, in order of issue.
pub fn issued_by(txn: &impl Transaction, attestor: AttestorId) -> Result<Vec<Record>, StoreError> {
    let mut records = Vec::new();
    if let Some(table) = txn.table(RECORDS)? {
        for entry in table.iter()? {
            let (index, value) = entry?;
            let (bytes, state) = value.value();
            let record = decode_record(index.value(), bytes, state)?;
            if record.attestor == attestor {
                records.push(record);
            }
        }
    }
    Ok(records)
}

/// The last sequence number an attestor used; 0 before its first message.
pub fn last_sequence(txn: &impl Transaction, attestor: AttestorId) -> Result<u64, StoreError> {
    let Some(table) = txn.table(SEQUENCES)? else { return Ok(0) };
    Ok(table.get(&attestor.to_bytes())?.map_or(0, |entry| entry.value()))
}

/// Wraps and appends a credential at block time `now` and returns its index.
///
/// # Errors
/// [`CredentialError`]; unless it is `Store`, nothing was written.
pub fn issue(
    txn: &WriteTransaction,
    issuance: &Issuance<'_>,
    now: u64,
) -> Result<u64, CredentialError> {
    let mut pending = Pending::default();
    let index = pending.issue(txn, issuance, now)?;
    pending.append(txn)?;
    Ok(index)
}

/// [`issue`] for many, in order; leaves and tree are hashed over all threads. Returns the indices.
///
/// # Errors
/// That of the first credential that is refused, with its place in the list. Those before it are
/// issued.
pub fn issue_all(
    txn: &WriteTransaction,
    issuances: &[Issuance<'_>],
    now: u64,
) -> Result<Range<u64>, RefusedIssuance> {
    let refused = |place: usize| move |error| RefusedIssuance { place, error };
    let start = len(txn).map_err(|error| refused(0)(error.into()))?;
    let mut place = 0;
    let mut chunks = issuances.chunks(CHUNK);
    let mut hashed = chunks.next().map(with_leaves);
    while let Some((chunk, leaves)) = hashed.take() {
        let (next, ahead) = (chunks.next(), &mut hashed);
        // Leaves of the next chunk are hashed while this one is written, which takes one thread.
        rayon::in_place_scope(|scope| {
            if let Some(next) = next {
                scope.spawn(move |_| *ahead = Some(with_leaves(next)));
            }
            let index = start + place as u64;
            let (entered, ending) = enter_all(txn, chunk, &leaves, index, now);
            TREE.append_batch(txn, &leaves[..entered])
                .map_err(|error| refused(place)(error.into()))?;
            place += entered;
            ending.map_err(refused(place))
        })?;
    }
    Ok(start..start + place as u64)
}

fn with_leaves<'a, 'b>(chunk: &'a [Issuance<'b>]) -> (&'a [Issuance<'b>], Vec<Fr>) {
    let leaf = |issuance: &Issuance<'_>| leaf(issuance.attestor, issuance.inner);
    (chunk, chunk.par_iter().map(leaf).collect())
}

/// Enters credentials with their leaves from `index` on, up to the first that is refused. Returns
/// how many, and the refusal.
fn enter_all(
    txn: &WriteTransaction,
    issuances: &[Issuance<'_>],
    leaves: &[Fr],
    index: u64,
    now: u64,
) -> (usize, Result<(), CredentialError>) {
    let mut tables = match Tables::open(txn) {
        Ok(tables) => tables,
        Err(error) => return (0, Err(error.into())),
    };
    let mut ending = Ok(());
    let mut entered = 0;
    for (issuance, leaf) in issuances.iter().zip(leaves) {
        ending = tables.enter(txn, issuance, leaf, index + entered as u64, now);
        if ending.is_err() {
            break;
        }
        entered += 1;
    }
    (entered, tables.close().map_err(CredentialError::from).and(ending))
}

/// Issued credentials whose leaves are not in the tree yet, so that those of a whole block are
/// appended together. Before [`Pending::append`] neither [`root`] nor [`len`], [`path`], [`leaves`]
/// and [`revoke`] know of them.
#[derive(Debug, Default)]
pub struct Pending {
    leaves: Vec<Fr>,
}

impl Pending {
    /// [`issue`], but for the tree.
    ///
    /// # Errors
    /// [`CredentialError`]; unless it is `Store`, nothing was written.
    pub fn issue(
        &mut self,
        txn: &WriteTransaction,
        issuance: &Issuance<'_>,
        now: u64,
    ) -> Result<u64, CredentialError> {
        let leaf = leaf(issuance.attestor, issuance.inner);
        let index = len(txn)? + self.leaves.len() as u64;
        let mut tables = Tables::open(txn)?;
        tables.enter(txn, issuance, &leaf, index, now)?;
        tables.close()?;
        self.leaves.push(leaf);
        Ok(index)
    }

    /// Appends the leaves; nothing is pending behind it.
    pub fn append(&mut self, txn: &WriteTransaction) -> Result<(), StoreError> {
        let leaves = std::mem::take(&mut self.leaves);
        TREE.append_batch(txn, &leaves).map(drop).map_err(|error| match error {
            TreeError::Store(error) => error,
            // There was room for each, and a leaf is a hash output.
            TreeError::Full | TreeError::EmptyLeaf | TreeError::NoSuchLeaf => StoreError::Corrupt,
        })
    }
}

/// The tables that an issuance writes, beside the persons' and the tree. To be closed, also behind
/// a refusal.
struct Tables<'t> {
    records: Table<'t, u64, (Bytes, u8)>,
    leaves: Table<'t, Bytes, u64>,
    sequences: Table<'t, Bytes, u64>,
    /// Last sequence numbers of attestors seen since the opening; written once at the end.
    last: BTreeMap<[u8; 32], u64>,
}

impl<'t> Tables<'t> {
    fn open(txn: &'t WriteTransaction) -> Result<Self, StoreError> {
        let (records, leaves) = (open(txn, RECORDS)?, open(txn, LEAVES)?);
        Ok(Self { records, leaves, sequences: open(txn, SEQUENCES)?, last: BTreeMap::new() })
    }

    /// Checks a credential that is to stand at `index` and writes everything but its leaf and,
    /// before [`Tables::close`], the sequence number.
    fn enter(
        &mut self,
        txn: &WriteTransaction,
        issuance: &Issuance<'_>,
        leaf: &Fr,
        index: u64,
        now: u64,
    ) -> Result<(), CredentialError> {
        if issuance.attestor == nobody() {
            return Err(CredentialError::Nobody);
        }
        let attestor = issuance.attestor.to_bytes();
        let last = match self.last.get(&attestor) {
            Some(last) => *last,
            None => self.sequences.get(&attestor)?.map_or(0, |entry| entry.value()),
        };
        check_sequence(last, issuance.sequence)?;
        let key = to_bytes(leaf);
        if index >= Tree::<REGISTRY_DEPTH>::CAPACITY {
            let known = self.leaves.get(&key)?.is_some();
            return Err(if known { CredentialError::Duplicate } else { CredentialError::Full });
        }
        // One search for looking and writing; what was there before is put back.
        let before = self.leaves.insert(&key, index)?.map(|entry| entry.value());
        if let Some(before) = before {
            self.leaves.insert(&key, before)?;
            return Err(CredentialError::Duplicate);
        }
        if let Some(tags) = issuance.tags
            && let Err(error) = persons::bind(txn, tags, now)
        {
            self.leaves.remove(&key)?;
            return Err(error.into());
        }
        self.records.insert(index, (&attestor, ISSUED))?;
        self.last.insert(attestor, issuance.sequence);
        Ok(())
    }

    fn close(mut self) -> Result<(), StoreError> {
        for (attestor, sequence) in &self.last {
            self.sequences.insert(attestor, *sequence)?;
        }
        Ok(())
    }
}

/// Replaces a credential by TOMBSTONE at block time `now`.
///
/// # Errors
/// [`CredentialError`]; unless it is `Store`, nothing was written.
pub fn revoke(
    txn: &WriteTransaction,
    revocation: &Revocation,
    now: u64,
) -> Result<(), CredentialError> {
    let &Revocation { attestor, sequence, index, urgency } = revocation;
    check_sequence(last_sequence(txn, attestor)?, sequence)?;
    let record = record(txn, index)?.ok_or(CredentialError::NoSuchCredential)?;
    if record.attestor != attestor {
        return Err(CredentialError::NotTheIssuer);
    }
    if record.revoked {
        return Err(CredentialError::AlreadyRevoked);
    }
    if let Urgency::Urgent(quota) = urgency {
        let epoch = now / quota.epoch_seconds.max(1);
        let mut table = open(txn, URGENT)?;
        let last = table.get(&attestor.to_bytes())?.map(|entry| entry.value());
        let used = last.filter(|(last, _)| *last == epoch).map_or(0, |(_, used)| used);
        if used >= quota.per_epoch {
            return Err(CredentialError::QuotaExhausted);
        }
        // The last check writes too; nothing behind it refuses.
        table.insert(&attestor.to_bytes(), (epoch, used + 1))?;
    }

    TREE.replace(txn, index, tombstone())?;
    open(txn, RECORDS)?.insert(index, (&attestor.to_bytes(), REVOKED))?;
    open(txn, SEQUENCES)?.insert(&attestor.to_bytes(), sequence)?;
    Ok(())
}

fn check_sequence(last: u64, sequence: u64) -> Result<(), CredentialError> {
    transaction::check_sequence(last, sequence).map_err(|bad| match bad {
        BadSequence::Replayed => CredentialError::Replayed,
        BadSequence::TooFar => CredentialError::SequenceTooFar,
    })
}

fn decode_record(index: u64, attestor: &[u8; 32], state: u8) -> Result<Record, StoreError> {
    let attestor = AttestorId::from_bytes(attestor).map_err(|_| StoreError::Corrupt)?;
    match state {
        ISSUED | REVOKED => Ok(Record { index, attestor, revoked: state == REVOKED }),
        _ => Err(StoreError::Corrupt),
    }
}

fn open<'t, K: redb::Key + 'static, V: redb::Value + 'static>(
    txn: &'t WriteTransaction,
    definition: TableDefinition<'static, K, V>,
) -> Result<redb::Table<'t, K, V>, StoreError> {
    Ok(txn.open_table(definition)?)
}
