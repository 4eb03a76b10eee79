//! Questions to the committed state. Each answer is a consistent view; several questions that must
//! agree are asked of one [`View`].

use std::ops::Range;

use placet_protocol::Fr;
use placet_protocol::block::{CertifiedBlock, Entry};
use placet_protocol::circuit::{CircuitEntry, CircuitId};
use placet_protocol::field::{
    AssetId, AttestorId, Commitment, NoteRoot, Nullifier, PolicyHash, RegistryRoot, SanctionsRoot,
    Subject, to_bytes,
};
use placet_protocol::finality::Validators;
use placet_protocol::genesis::ChainId;
use placet_protocol::transaction::registry::Sanctions;
use placet_protocol::transaction::{Transaction, TxId};
use placet_protocol::wire::Wire;
use placet_registry::credentials::{self, Record};
use placet_registry::persons;
use placet_registry::roots::NETWORK;
use placet_registry::store::StoreError;
use redb::{ReadTransaction, ReadableTable};
use sha2::{Digest, Sha256};

use crate::authorities::{self, Sitting};
use crate::circuits;
use crate::ledger::{Ledger, LedgerError};
use crate::refusal::Refusal;
use crate::state::{
    self, ASSETS, ATTESTORS, AssetRecord, AttestorRecord, BLOCKS, COMMITMENTS, FROZEN, Location,
    NOTE_ROOTS, NOTES, POLICIES, REGISTRY_ROOTS, SANCTIONS_ROOTS, STATE_TABLES, TRANSACTIONS, Tip,
};

/// The roots that a new transfer should use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CurrentRoots {
    /// Of the note tree.
    pub notes: NoteRoot,
    /// Of the registry.
    pub registry: RegistryRoot,
    /// Of the sanctions tree.
    pub sanctions: SanctionsRoot,
}

/// An executed transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    /// Where it was executed.
    pub location: Location,
    /// Time of the block.
    pub time: u64,
    /// The transaction with the assertions on which its execution relied.
    pub entry: Entry,
}

/// A ciphertext as it stands in a block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ciphertext {
    /// Its transaction.
    pub transaction: TxId,
    /// `transfer`, `mint` (what is sealed to the receiver) or `credential`.
    pub kind: &'static str,
    /// The sealed box.
    pub bytes: Vec<u8>,
}

/// The state behind one block; later commits do not change it.
pub struct View {
    pub(crate) txn: ReadTransaction,
    pub(crate) chain: ChainId,
    pub(crate) epoch_length: u64,
}

impl std::fmt::Debug for View {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("View")
    }
}

impl Ledger {
    /// The committed state now.
    ///
    /// # Errors
    /// [`LedgerError::Store`].
    pub fn view(&self) -> Result<View, LedgerError> {
        let epoch_length = self.genesis().params.epoch_length;
        Ok(View { txn: self.read()?, chain: self.chain(), epoch_length })
    }

    /// Height, time, block id and state hash of the tip.
    ///
    /// # Errors
    /// [`LedgerError::Store`].
    pub fn tip(&self) -> Result<Tip, LedgerError> {
        Ok(self.view()?.tip()?)
    }

    /// The block at a height; the genesis has none.
    ///
    /// # Errors
    /// [`LedgerError::Store`].
    pub fn block(&self, height: u64) -> Result<Option<CertifiedBlock>, LedgerError> {
        Ok(self.view()?.block(height)?)
    }
}

impl View {
    /// Height, time, block id and state hash.
    pub fn tip(&self) -> Result<Tip, StoreError> {
        state::tip(&self.txn)
    }

    /// The block at a height.
    pub fn block(&self, height: u64) -> Result<Option<CertifiedBlock>, StoreError> {
        state::read(&self.txn, BLOCKS, &height.to_be_bytes())
    }

    /// Where a transaction was executed, and on whose word.
    pub fn status(&self, id: TxId) -> Result<Option<Status>, StoreError> {
        let Some(location) = state::read::<Location>(&self.txn, TRANSACTIONS, &id.0)? else {
            return Ok(None);
        };
        let block = self.block(location.height)?.ok_or(StoreError::Corrupt)?.block;
        let time = block.header.time;
        let entry = block.entries.into_iter().nth(location.index as usize);
        Ok(Some(Status { location, time, entry: entry.ok_or(StoreError::Corrupt)? }))
    }

    /// An asset with its policy, supply and number of holders.
    pub fn asset(&self, id: AssetId) -> Result<Option<AssetRecord>, StoreError> {
        state::asset(&self.txn, id)
    }

    /// Every asset, in order of ids.
    pub fn assets(&self) -> Result<Vec<AssetRecord>, StoreError> {
        state::all(&self.txn, ASSETS)
    }

    /// Every circuit, in order of ids.
    pub fn circuits(&self) -> Result<Vec<CircuitEntry>, StoreError> {
        circuits::all(&self.txn)
    }

    /// A circuit, also one that is switched off.
    pub fn circuit(&self, id: &CircuitId) -> Result<Option<CircuitEntry>, StoreError> {
        circuits::entry(&self.txn, id)
    }

    /// Number of the last change of the circuits; 0 before the first.
    pub fn circuit_changes(&self) -> Result<u64, StoreError> {
        circuits::last_change(&self.txn)
    }

    /// Why a block of this height does not take a circuit's proofs of transfers; `None` if it does.
    pub fn circuit_refusal(
        &self,
        id: &CircuitId,
        height: u64,
    ) -> Result<Option<Refusal>, StoreError> {
        Ok(circuits::refusal(self.circuit(id)?.as_ref(), height))
    }

    /// An attestor, also a dismissed one.
    pub fn attestor(&self, id: AttestorId) -> Result<Option<AttestorRecord>, StoreError> {
        state::attestor(&self.txn, id)
    }

    /// Every attestor ever admitted, in order of ids.
    pub fn attestors(&self) -> Result<Vec<AttestorRecord>, StoreError> {
        state::all(&self.txn, ATTESTORS)
    }

    /// The last sequence number an attestor used; 0 before its first message.
    pub fn attestor_sequence(&self, id: AttestorId) -> Result<u64, StoreError> {
        credentials::last_sequence(&self.txn, id)
    }

    /// What the registry remembers of a leaf.
    pub fn credential(&self, index: u64) -> Result<Option<Record>, StoreError> {
        credentials::record(&self.txn, index)
    }

    /// Number of credentials ever issued.
    pub fn credentials(&self) -> Result<u64, StoreError> {
        credentials::len(&self.txn)
    }

    /// The roots that a new transfer should use.
    pub fn roots(&self) -> Result<CurrentRoots, StoreError> {
        let (sanctions, _) =
            SANCTIONS_ROOTS.current(&self.txn, &NETWORK)?.ok_or(StoreError::Corrupt)?;
        Ok(CurrentRoots {
            notes: NoteRoot::new(NOTES.root(&self.txn)?),
            registry: credentials::root(&self.txn)?,
            sanctions: SanctionsRoot::from_bytes(&sanctions).map_err(|_| StoreError::Corrupt)?,
        })
    }

    /// The hash of an asset's policy in force.
    pub fn policy_hash(&self, asset: AssetId) -> Result<Option<PolicyHash>, StoreError> {
        match POLICIES.current(&self.txn, &asset.to_bytes())? {
            None => Ok(None),
            Some((value, _)) => {
                PolicyHash::from_bytes(&value).map(Some).map_err(|_| StoreError::Corrupt)
            }
        }
    }

    /// The height at which a nullifier was spent.
    pub fn spent(&self, nullifier: Nullifier) -> Result<Option<u64>, StoreError> {
        state::spent(&self.txn, nullifier)
    }

    /// The index of a commitment in the note tree.
    pub fn note_index(&self, commitment: Commitment) -> Result<Option<u64>, StoreError> {
        state::height_behind(state::get(&self.txn, COMMITMENTS, &commitment.to_bytes())?)
    }

    /// Number of leaves in the note tree.
    pub fn notes(&self) -> Result<u64, StoreError> {
        NOTES.len(&self.txn)
    }

    /// Leaves of the note tree by index, cut off at its end.
    pub fn commitments(&self, range: Range<u64>) -> Result<Vec<Commitment>, StoreError> {
        Ok(NOTES.leaves(&self.txn, range)?.into_iter().map(Commitment::new).collect())
    }

    /// Leaves of the registry tree by index, cut off at its end.
    pub fn registry_leaves(&self, range: Range<u64>) -> Result<Vec<Fr>, StoreError> {
        credentials::leaves(&self.txn, range)
    }

    /// The ciphertexts of the block at a height, in order; none beyond the tip.
    pub fn ciphertexts(&self, height: u64) -> Result<Vec<Ciphertext>, StoreError> {
        let Some(block) = self.block(height)? else { return Ok(Vec::new()) };
        let mut found = Vec::new();
        for entry in &block.block.entries {
            let tx = &entry.transaction;
            let mut add = |kind, bytes: &[u8]| {
                found.push(Ciphertext {
                    transaction: tx.id(&self.chain),
                    kind,
                    bytes: bytes.to_vec(),
                });
            };
            match tx {
                Transaction::Transfer(tx) => add("transfer", tx.body.sealed.as_bytes()),
                Transaction::Mint(tx) => add("mint", tx.allotment.for_receiver.as_bytes()),
                Transaction::IssueCredential(tx) => add("credential", tx.message.sealed.as_bytes()),
                _ => {}
            }
        }
        Ok(found)
    }

    /// The sitting authorities.
    pub fn authorities(&self) -> Result<Sitting, StoreError> {
        Sitting::load(&self.txn)
    }

    /// Number of the last change of the authorities; the next one carries one more.
    pub fn authority_changes(&self) -> Result<u64, StoreError> {
        authorities::last_change(&self.txn)
    }

    /// The validators of an epoch; `None` while the last block of the epoch before is not
    /// committed.
    pub fn validators(&self, epoch: u64) -> Result<Option<Validators>, StoreError> {
        state::validators(&self.txn, epoch)
    }

    /// The nullifiers that an asset's agent has frozen, in order.
    pub fn frozen(&self, asset: AssetId) -> Result<Vec<Nullifier>, StoreError> {
        let prefix = asset.to_bytes();
        let Some(table) = placet_registry::store::Transaction::table(&self.txn, FROZEN)? else {
            return Ok(Vec::new());
        };
        let mut frozen = Vec::new();
        for entry in table.range(&prefix[..]..)? {
            let (key, value) = entry?;
            if !key.value().starts_with(&prefix) {
                break;
            }
            frozen.push(Nullifier::from_wire(value.value()).map_err(|_| StoreError::Corrupt)?);
        }
        Ok(frozen)
    }

    /// The sanctions list in force; version 0 and empty before the first.
    pub fn sanctions(&self) -> Result<Sanctions, StoreError> {
        state::sanctions(&self.txn)
    }

    /// The subjects of the list in force.
    pub fn sanctioned(&self) -> Result<Vec<Subject>, StoreError> {
        Ok(self.sanctions()?.subjects)
    }

    /// A digest of the whole state, read back from the store: for audits and tests, as it walks
    /// everything. Replicas that executed the same blocks have the same.
    pub fn full_digest(&self) -> Result<[u8; 32], StoreError> {
        let mut hasher = Sha256::new();
        let mut part = |bytes: &[u8]| {
            hasher.update((bytes.len() as u64).to_le_bytes());
            hasher.update(bytes);
        };
        let txn = &self.txn;
        for table in STATE_TABLES {
            part(redb::TableHandle::name(&table).as_bytes());
            let Some(rows) = placet_registry::store::Transaction::table(txn, table)? else {
                continue;
            };
            for entry in rows.iter()? {
                let (key, value) = entry?;
                part(key.value());
                part(value.value());
            }
        }
        for leaf in NOTES.leaves(txn, 0..u64::MAX)? {
            part(&to_bytes(&leaf));
        }
        for (index, leaf) in (0..).zip(credentials::leaves(txn, 0..u64::MAX)?) {
            part(&to_bytes(&leaf));
            let record = credentials::record(txn, index)?.ok_or(StoreError::Corrupt)?;
            part(&record.attestor.to_bytes());
            part(&[record.revoked.into()]);
        }
        for attestor in self.attestors()? {
            part(&credentials::last_sequence(txn, attestor.id())?.to_le_bytes());
        }
        let scopes = self.assets()?.into_iter().map(|asset| (POLICIES, asset.id.to_bytes()));
        let network = [NOTE_ROOTS, REGISTRY_ROOTS, SANCTIONS_ROOTS].map(|r| (r, NETWORK));
        for (roots, scope) in network.into_iter().chain(scopes) {
            if let Some((value, since)) = roots.current(txn, &scope)? {
                part(&value);
                part(&since.to_le_bytes());
            }
            for old in roots.superseded(txn, &scope)? {
                part(&old.value);
                part(&old.since.to_le_bytes());
                part(&old.at.to_le_bytes());
            }
        }
        // Persons have no listing: every tag that ever came stands in a block.
        for height in 1..=self.tip()?.height {
            let block = self.block(height)?.ok_or(StoreError::Corrupt)?;
            for entry in &block.block.entries {
                let Transaction::IssueCredential(tx) = &entry.transaction else {
                    continue;
                };
                let Some(tags) = &tx.message.tags else { continue };
                let holder = persons::holder(txn, &tags.holder)?.ok_or(StoreError::Corrupt)?;
                part(&holder.live_until.to_le_bytes());
                part(&[holder.retired.into()]);
                for subject in &tags.subjects {
                    let record = persons::subject(txn, &subject.tag)?.ok_or(StoreError::Corrupt)?;
                    part(&record.holder);
                    part(&record.valid_until.to_le_bytes());
                }
            }
        }
        Ok(hasher.finalize().into())
    }
}
