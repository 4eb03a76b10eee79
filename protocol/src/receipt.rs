//! Receipts: everything that shows one transaction to be final, for somebody who has the genesis and
//! nothing else. Spec §9.

use crate::block::{BlockId, EntryDigest, Header, MAX_BLOCK_TRANSACTIONS, body_hash_of};
use crate::finality::{Finality, NotFinal, Validators, ends_epoch, epoch_of};
use crate::genesis::Genesis;
use crate::hash_tree;
use crate::transaction::TxId;
use crate::wire::{DecodeError, Reader, Wire, Writer};

/// Most handoffs in a receipt.
pub const MAX_HANDOFFS: usize = 4096;
/// Longest path in the tree of a body.
const MAX_PATH: usize = MAX_BLOCK_TRANSACTIONS.ilog2() as usize;

/// The end of an epoch after which other keys validate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Handoff {
    /// Header of the epoch's last block.
    pub header: Header,
    /// Shows that it is final.
    pub finality: Finality,
    /// Who validates from then on.
    pub next: Validators,
}

impl Wire for Handoff {
    fn write(&self, out: &mut Writer) {
        self.header.write(out);
        self.finality.write(out);
        self.next.write(out);
    }
    fn read(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            header: Header::read(input)?,
            finality: Finality::read(input)?,
            next: Validators::read(input)?,
        })
    }
}

/// Shows that a transaction is final.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// The changes of validators up to the block's epoch, oldest first. Epochs at whose end nothing
    /// changed are left out.
    pub handoffs: Vec<Handoff>,
    /// Header of the transaction's block.
    pub header: Header,
    /// Shows that it is final.
    pub finality: Finality,
    /// Number of the block's entries.
    pub entries: u32,
    /// The transaction's place among them, from 0.
    pub index: u32,
    /// Siblings in the tree of the body, from the bottom to the top.
    pub path: Vec<[u8; 32]>,
    /// The transaction, and on whose word it was executed.
    pub entry: EntryDigest,
}

/// What a receipt shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shown {
    /// The transaction.
    pub transaction: TxId,
    /// Its block.
    pub block: BlockId,
    /// Height of the block.
    pub height: u64,
    /// Time of the block, seconds since the Unix epoch.
    pub time: u64,
    /// The validators whose votes made it final.
    pub validators: Validators,
}

/// Why a receipt shows nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadReceipt {
    /// A header without the votes that it needs.
    #[error(transparent)]
    NotFinal(#[from] NotFinal),
    /// A handoff in the middle of an epoch, out of order, or to keys that its header does not name.
    #[error(
        "a change of validators in the receipt does not hold; ask another node for the receipt"
    )]
    Handoff,
    /// The transaction is not in the block.
    #[error("the transaction is not in the receipt's block; ask another node for the receipt")]
    NotIncluded,
}

impl Receipt {
    /// Checks everything against the genesis. Nobody is asked and no clock is read.
    ///
    /// # Errors
    /// [`BadReceipt`].
    pub fn check(&self, genesis: &Genesis) -> Result<Shown, BadReceipt> {
        let (chain, length) = (genesis.chain_id(), genesis.params.epoch_length);
        let mut validators = Validators::genesis(genesis);
        let mut since = 0;
        for handoff in &self.handoffs {
            let epoch = epoch_of(handoff.header.height, length);
            handoff.finality.check(&chain, &handoff.header, &validators, length)?;
            let sound = ends_epoch(handoff.header.height, length)
                && epoch >= since
                && handoff.header.validators == handoff.next.hash(&chain);
            if !sound {
                return Err(BadReceipt::Handoff);
            }
            validators = handoff.next.clone();
            since = epoch + 1;
        }
        if epoch_of(self.header.height, length) < since {
            return Err(BadReceipt::Handoff);
        }
        self.finality.check(&chain, &self.header, &validators, length)?;
        let (index, entries) = (self.index as usize, self.entries as usize);
        let root = hash_tree::root_from_path(self.entry.leaf(), index, entries, &self.path)
            .ok_or(BadReceipt::NotIncluded)?;
        if body_hash_of(&chain, entries, root) != self.header.body {
            return Err(BadReceipt::NotIncluded);
        }
        Ok(Shown {
            transaction: self.entry.transaction,
            block: self.header.id(&chain),
            height: self.header.height,
            time: self.header.time,
            validators,
        })
    }
}

impl Wire for Receipt {
    fn write(&self, out: &mut Writer) {
        out.list(&self.handoffs);
        self.header.write(out);
        self.finality.write(out);
        out.u32(self.entries);
        out.u32(self.index);
        out.u8(u8::try_from(self.path.len()).expect("paths are short"));
        for sibling in &self.path {
            out.bytes(sibling);
        }
        self.entry.write(out);
    }
    fn read(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let handoffs = input.list(MAX_HANDOFFS)?;
        let header = Header::read(input)?;
        let finality = Finality::read(input)?;
        let (entries, index) = (input.u32()?, input.u32()?);
        if entries as usize > MAX_BLOCK_TRANSACTIONS || index >= entries {
            return Err(DecodeError::OutOfRange);
        }
        let length = usize::from(input.u8()?);
        if length > MAX_PATH {
            return Err(DecodeError::TooLong);
        }
        let path = (0..length).map(|_| input.array()).collect::<Result<_, _>>()?;
        let entry = EntryDigest::read(input)?;
        Ok(Self { handoffs, header, finality, entries, index, path, entry })
    }
}
