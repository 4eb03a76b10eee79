//! What a node remembers beside its ledger, in `node.redb`: transactions it accepted and that still
//! wait, opinions also on those that were refused, evidence, and the offset of a development clock.
//! Nothing here is consensus state; a lost file costs memories, not money.

use std::path::Path;

use placet_protocol::api::{Evidence, Problem};
use placet_protocol::assertion::{MAX_ASSERTIONS, SignedAssertion};
use placet_protocol::gossip::Variant;
use placet_protocol::transaction::{Transaction, TxId};
use placet_protocol::wire::{DecodeError, Reader, Wire, Writer};
use redb::{Database, ReadableDatabase, ReadableTable, ReadableTableMetadata, TableDefinition};

/// Most remembered transactions; the oldest are forgotten first.
pub const MAX_RECORDS: u64 = 100_000;
/// Most pieces of evidence.
const MAX_EVIDENCE: u64 = 10_000;
/// Most against one culprit: more shows nothing new, and must not take the room of others.
const MAX_EVIDENCE_EACH: usize = 100;
/// Longest code and message of a problem, in bytes.
const MAX_TEXT: usize = 2048;

type Bytes = &'static [u8];
/// Variant to transaction.
const WAITING: TableDefinition<'_, Bytes, Bytes> = TableDefinition::new("node.waiting");
/// Transaction id to [`Record`].
const RECORDS: TableDefinition<'_, Bytes, Bytes> = TableDefinition::new("node.records");
/// Number to transaction id, in order of first mention.
const AGES: TableDefinition<'_, u64, Bytes> = TableDefinition::new("node.ages");
/// Key of the evidence to its JSON.
const EVIDENCE: TableDefinition<'_, Bytes, Bytes> = TableDefinition::new("node.evidence");
/// Name to number.
const META: TableDefinition<'_, &str, u64> = TableDefinition::new("node.meta");
const AHEAD: &str = "clock-ahead";

/// The node's own store failed.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database.
    #[error("the node's store failed: {0}; check the disk, then start the node again")]
    Backend(#[source] Box<redb::Error>),
    /// A value that this software never wrote.
    #[error("the node's store is damaged; move node.redb away and start the node again")]
    Corrupt,
}

impl<E: Into<redb::Error>> From<E> for StoreError {
    fn from(error: E) -> Self {
        Self::Backend(Box::new(error.into()))
    }
}

/// What a node remembers of one transaction.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Record {
    /// Why it was refused, if it was.
    pub problem: Option<Problem>,
    /// Everybody's last opinion.
    pub assertions: Vec<SignedAssertion>,
    /// What the node's own rule said in words.
    pub remark: String,
}

impl Wire for Record {
    fn write(&self, out: &mut Writer) {
        out.bool(self.problem.is_some());
        if let Some(problem) = &self.problem {
            out.text(&problem.code);
            out.text(&problem.message);
        }
        out.list(&self.assertions);
        out.text(&self.remark);
    }
    fn read(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let problem = if input.bool()? {
            Some(Problem { code: input.text(MAX_TEXT)?, message: input.text(MAX_TEXT)? })
        } else {
            None
        };
        let assertions = input.list(MAX_ASSERTIONS)?;
        Ok(Self { problem, assertions, remark: input.text(MAX_TEXT)? })
    }
}

/// One thing to remember or forget.
#[derive(Debug)]
pub enum Change {
    /// A transaction waits.
    Wait(Variant, Box<Transaction>),
    /// It waits no longer.
    Done(Variant),
    /// What is known of it.
    Record(TxId, Record),
}

/// The node's own store.
#[derive(Debug)]
pub struct Store(Database);

impl Store {
    /// Opens or begins the store in a file, or in memory without one.
    ///
    /// # Errors
    /// [`StoreError::Backend`].
    pub fn open(path: Option<&Path>) -> Result<Self, StoreError> {
        let store = match path {
            Some(path) => Database::create(path)?,
            None => {
                Database::builder().create_with_backend(redb::backends::InMemoryBackend::new())?
            }
        };
        Self::on(store)
    }

    /// Begins or goes on with a store that the caller opened: simulations have disks of their own.
    ///
    /// # Errors
    /// [`StoreError::Backend`].
    pub fn on(store: Database) -> Result<Self, StoreError> {
        let txn = store.begin_write()?;
        txn.open_table(WAITING)?;
        txn.open_table(RECORDS)?;
        txn.open_table(AGES)?;
        txn.open_table(EVIDENCE)?;
        txn.open_table(META)?;
        txn.commit()?;
        Ok(Self(store))
    }

    /// Makes all changes durable in one step.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn save(&self, changes: &[Change]) -> Result<(), StoreError> {
        if changes.is_empty() {
            return Ok(());
        }
        let txn = self.0.begin_write()?;
        {
            let mut waiting = txn.open_table(WAITING)?;
            let mut records = txn.open_table(RECORDS)?;
            let mut ages = txn.open_table(AGES)?;
            for change in changes {
                match change {
                    Change::Wait(variant, tx) => {
                        waiting.insert(&variant.to_wire()[..], &tx.to_wire()[..])?;
                    }
                    Change::Done(variant) => {
                        waiting.remove(&variant.to_wire()[..])?;
                    }
                    Change::Record(id, record) => {
                        if records.insert(&id.0[..], &record.to_wire()[..])?.is_none() {
                            let last = ages.last()?.map_or(0, |(number, _)| number.value());
                            ages.insert(last + 1, &id.0[..])?;
                        }
                    }
                }
            }
            while records.len()? > MAX_RECORDS {
                let Some((_, id)) = ages.pop_first()? else { break };
                records.remove(id.value())?;
            }
        }
        txn.commit()?;
        Ok(())
    }

    /// Every transaction that waits.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn waiting(&self) -> Result<Vec<Transaction>, StoreError> {
        let table = self.0.begin_read()?.open_table(WAITING)?;
        let mut found = Vec::new();
        for row in table.iter()? {
            let (_, tx) = row?;
            found.push(Transaction::from_wire(tx.value()).map_err(|_| StoreError::Corrupt)?);
        }
        Ok(found)
    }

    /// What is known of a transaction.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn record(&self, id: TxId) -> Result<Option<Record>, StoreError> {
        let table = self.0.begin_read()?.open_table(RECORDS)?;
        let row = table.get(&id.0[..])?;
        row.map(|row| Record::from_wire(row.value()).map_err(|_| StoreError::Corrupt)).transpose()
    }

    /// Remembers evidence; `true` if it is new and there is room, for all and for its culprit.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn accuse(&self, evidence: &Evidence) -> Result<bool, StoreError> {
        let mut key = evidence.culprit.to_bytes().to_vec();
        key.extend(evidence.epoch.to_be_bytes());
        key.extend(evidence.view.to_be_bytes());
        key.extend(evidence.kind.as_bytes());
        let json = serde_json::to_vec(evidence).map_err(|_| StoreError::Corrupt)?;
        let txn = self.0.begin_write()?;
        let new = {
            let mut table = txn.open_table(EVIDENCE)?;
            let culprit = evidence.culprit.to_bytes();
            let mut against = 0;
            for row in table.range(&culprit[..]..)?.take(MAX_EVIDENCE_EACH) {
                against += usize::from(row?.0.value().starts_with(&culprit));
            }
            let room = against < MAX_EVIDENCE_EACH
                && table.len()? < MAX_EVIDENCE
                && table.get(&key[..])?.is_none();
            if room {
                table.insert(&key[..], &json[..])?;
            }
            room
        };
        txn.commit()?;
        Ok(new)
    }

    /// All evidence.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn evidence(&self) -> Result<Vec<Evidence>, StoreError> {
        let table = self.0.begin_read()?.open_table(EVIDENCE)?;
        let mut found = Vec::new();
        for row in table.iter()? {
            let (_, json) = row?;
            found.push(serde_json::from_slice(json.value()).map_err(|_| StoreError::Corrupt)?);
        }
        Ok(found)
    }

    /// Seconds by which a development clock is ahead.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn clock_ahead(&self) -> Result<u64, StoreError> {
        let table = self.0.begin_read()?.open_table(META)?;
        Ok(table.get(AHEAD)?.map_or(0, |row| row.value()))
    }

    /// Remembers the offset.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn set_clock_ahead(&self, seconds: u64) -> Result<(), StoreError> {
        let txn = self.0.begin_write()?;
        txn.open_table(META)?.insert(AHEAD, seconds)?;
        txn.commit()?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use placet_protocol::signing::SigningKey;

    #[test]
    fn memories_survive_and_are_replaced() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("node.redb");
        let id = TxId([1; 32]);
        let problem = Problem { code: "expired".into(), message: "late".into() };
        let refused = Record { problem: Some(problem), ..Record::default() };
        {
            let store = Store::open(Some(&path)).unwrap();
            store.save(&[Change::Record(id, Record::default())]).unwrap();
            store.save(&[Change::Record(id, refused.clone())]).unwrap();
            store.set_clock_ahead(77).unwrap();
        }
        let store = Store::open(Some(&path)).unwrap();
        assert_eq!(store.record(id).unwrap(), Some(refused));
        assert_eq!(store.record(TxId([2; 32])).unwrap(), None);
        assert_eq!(store.clock_ahead().unwrap(), 77);
    }

    #[test]
    fn evidence_is_kept_once() {
        let store = Store::open(None).unwrap();
        let evidence = Evidence {
            culprit: SigningKey::from_seed(&[1; 32]).public(),
            kind: "conflicting-finalize".into(),
            epoch: 1,
            view: 2,
            proof: "00".into(),
        };
        assert!(store.accuse(&evidence).unwrap());
        assert!(!store.accuse(&evidence).unwrap());
        assert_eq!(store.evidence().unwrap(), vec![evidence]);
    }

    #[test]
    fn one_culprit_leaves_room_for_evidence_against_others() {
        let store = Store::open(None).unwrap();
        let mut culprits: Vec<_> =
            (1..=3).map(|n| SigningKey::from_seed(&[n; 32]).public()).collect();
        culprits.sort();
        let evidence = |culprit: usize, view| Evidence {
            culprit: culprits[culprit],
            kind: "nullify-finalize".into(),
            epoch: 1,
            view,
            proof: "00".into(),
        };
        // The one in the middle, with neighbours on both sides.
        assert!(store.accuse(&evidence(0, 0)).unwrap());
        assert!(store.accuse(&evidence(2, 0)).unwrap());
        for view in 0..MAX_EVIDENCE_EACH as u64 {
            assert!(store.accuse(&evidence(1, view)).unwrap());
        }
        assert!(!store.accuse(&evidence(1, MAX_EVIDENCE_EACH as u64)).unwrap());
        assert!(store.accuse(&evidence(0, 1)).unwrap());
        assert!(store.accuse(&evidence(2, 1)).unwrap());
        assert_eq!(store.evidence().unwrap().len(), MAX_EVIDENCE_EACH + 4);
    }
}
