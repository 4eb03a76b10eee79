//! Receipts from the store: what shows a transaction to be final to somebody who has the genesis
//! and nothing else. Spec §9.

use placet_protocol::block::EntryDigest;
use placet_protocol::finality::epoch_of;
use placet_protocol::hash_tree;
use placet_protocol::receipt::{Handoff, MAX_HANDOFFS, Receipt};
use placet_protocol::transaction::TxId;
use placet_registry::store::StoreError;

use crate::query::View;
use crate::state::{self, Location, TRANSACTIONS};

impl View {
    /// The receipt of a transaction; `None` unless it is final here.
    pub fn receipt(&self, id: TxId) -> Result<Option<Receipt>, StoreError> {
        let Some(location) = state::read::<Location>(&self.txn, TRANSACTIONS, &id.0)? else {
            return Ok(None);
        };
        let (chain, length) = (self.chain, self.epoch_length);
        let certified = self.block(location.height)?.ok_or(StoreError::Corrupt)?;
        let entries = &certified.block.entries;
        let index = location.index as usize;
        let entry = EntryDigest::new(&chain, entries.get(index).ok_or(StoreError::Corrupt)?);
        let leaves: Vec<_> =
            entries.iter().map(|entry| EntryDigest::new(&chain, entry).leaf()).collect();
        Ok(Some(Receipt {
            handoffs: self.handoffs(epoch_of(location.height, length), length)?,
            header: certified.block.header,
            finality: certified.finality,
            entries: u32::try_from(entries.len()).map_err(|_| StoreError::Corrupt)?,
            index: location.index,
            path: hash_tree::path(&leaves, index).ok_or(StoreError::Corrupt)?,
            entry,
        }))
    }

    /// The ends of epochs before this one after which other keys validate. The cost grows with the
    /// number of such changes, not with the age of the chain.
    fn handoffs(&self, epoch: u64, length: u64) -> Result<Vec<Handoff>, StoreError> {
        // One more than a receipt holds tells the reader, who refuses it, that there are too many.
        let epochs = state::handoffs(&self.txn, epoch, MAX_HANDOFFS + 1)?;
        let handoff = |epoch: u64| {
            let end = epoch.checked_mul(length).and_then(|first| first.checked_sub(1));
            let last = self.block(end.ok_or(StoreError::Corrupt)?)?.ok_or(StoreError::Corrupt)?;
            let next = self.validators(epoch)?.ok_or(StoreError::Corrupt)?;
            Ok(Handoff { header: last.block.header, finality: last.finality, next })
        };
        epochs.into_iter().map(handoff).collect()
    }
}
