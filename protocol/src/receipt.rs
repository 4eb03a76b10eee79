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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::assertion::{Assertion, SignedAssertion, Verdict};
    use crate::finality::{Certificate, Round, sign};
    use crate::genesis::{Authority, Checkpoint, NetworkKind, NetworkParams};
    use crate::signing::SigningKey;

    const LENGTH: u64 = 4;

    fn key(n: u8) -> SigningKey {
        SigningKey::from_seed(&[n; 32])
    }

    fn keys(n: std::ops::Range<u8>) -> Vec<SigningKey> {
        n.map(key).collect()
    }

    fn validators(n: std::ops::Range<u8>) -> Validators {
        Validators::new(n.map(|n| key(n).public())).unwrap()
    }

    fn genesis() -> Genesis {
        let authority = |n: u8| Authority {
            name: format!("a{n}"),
            lei: None,
            key: key(n).public(),
            mandates: Checkpoint::ALL.into(),
        };
        Genesis {
            name: "receipts".into(),
            kind: NetworkKind::Dev,
            time: 1_800_000_000,
            authorities: (0..4).map(authority).collect(),
            sanctions_publisher: key(50).public(),
            params: NetworkParams { epoch_length: LENGTH, ..NetworkParams::default() },
            circuits: vec![crate::example::pinned_circuit()],
        }
    }

    fn digest(n: u8) -> EntryDigest {
        let assertion = Assertion {
            transaction: TxId([n; 32]),
            proof_hash: [n; 32],
            checkpoint: Checkpoint::Risk,
            verdict: Verdict::Approve,
            judged_at: 1,
            judged_time: 2,
            expires_at: 3,
            discretionary: false,
        };
        let assertion = SignedAssertion::new(assertion, &genesis().chain_id(), &key(0));
        EntryDigest { transaction: TxId([n; 32]), proof_hash: [n; 32], assertions: vec![assertion] }
    }

    fn header(height: u64, behind: &Validators, body: [u8; 32]) -> Header {
        let chain = genesis().chain_id();
        Header {
            height,
            parent: BlockId([7; 32]),
            time: 1_800_000_000 + height,
            state: [8; 32],
            body,
            validators: behind.hash(&chain),
            proposer: key(0).public(),
        }
    }

    /// Votes of `signers` in an epoch of `by`.
    fn finality(header: &Header, by: &Validators, signers: &[SigningKey]) -> Finality {
        let chain = genesis().chain_id();
        let round =
            Round { epoch: epoch_of(header.height, LENGTH), view: header.height, parent: 0 };
        let (id, context) = (header.id(&chain), [3; 32]);
        let mut signatures: Vec<_> =
            signers.iter().map(|key| sign(&chain, by, &id, &round, &context, key)).collect();
        signatures.sort_by_key(|signature| signature.authority);
        Finality {
            descendants: Vec::new(),
            certificate: Certificate { round, context, signatures },
        }
    }

    fn handoff(height: u64, by: &Validators, next: &Validators, signers: &[SigningKey]) -> Handoff {
        let header = header(height, next, [0; 32]);
        Handoff { finality: finality(&header, by, signers), header, next: next.clone() }
    }

    /// A receipt for the second of five entries at a height, signed by these keys.
    fn receipt(handoffs: Vec<Handoff>, height: u64, signers: &[SigningKey]) -> Receipt {
        let chain = genesis().chain_id();
        let leaves: Vec<_> = (0..5).map(|n| digest(n).leaf()).collect();
        let body = body_hash_of(&chain, 5, hash_tree::root(&leaves));
        let header = header(height, &validators(0..4), body);
        let by = handoffs.last().map_or(validators(0..4), |last| last.next.clone());
        Receipt {
            handoffs,
            finality: finality(&header, &by, signers),
            header,
            entries: 5,
            index: 1,
            path: hash_tree::path(&leaves, 1).unwrap(),
            entry: digest(1),
        }
    }

    fn check(receipt: &Receipt) -> Result<Shown, BadReceipt> {
        assert_eq!(Receipt::from_wire(&receipt.to_wire()).as_ref(), Ok(receipt));
        receipt.check(&genesis())
    }

    #[test]
    fn a_receipt_shows_what_it_is_for() {
        let receipt = receipt(vec![], 9, &keys(0..3));
        let shown = check(&receipt).unwrap();
        assert_eq!((shown.height, shown.time), (9, 1_800_000_009));
        assert_eq!(shown.transaction, TxId([1; 32]));
        assert_eq!(shown.validators, validators(0..4));
        assert_eq!(shown.block, receipt.header.id(&genesis().chain_id()));
    }

    #[test]
    fn handoffs_lead_to_other_validators() {
        let first = handoff(3, &validators(0..4), &validators(2..7), &keys(0..3));
        let second = handoff(11, &validators(2..7), &validators(3..7), &keys(2..6));
        let good = receipt(vec![first.clone(), second.clone()], 13, &keys(3..6));
        assert_eq!(check(&good).map(|shown| shown.validators), Ok(validators(3..7)));
        // The new ones have no say in the epoch that the handoff ends, and the old ones none later.
        let early = receipt(vec![first.clone()], 3, &keys(2..6));
        assert_eq!(check(&early), Err(BadReceipt::Handoff));
        let old = receipt(vec![first.clone()], 5, &keys(0..3));
        assert_eq!(check(&old), Err(BadReceipt::NotFinal(NotFinal::Stranger)));
        let swapped = receipt(vec![second, first], 13, &keys(3..6));
        assert_eq!(check(&swapped), Err(BadReceipt::NotFinal(NotFinal::Stranger)));
    }

    /// The four of the genesis also sit among ten later. A block that three of them voted for and
    /// the others dropped is not final, whatever is left out of the receipt.
    #[test]
    fn a_handoff_that_is_left_out_is_missed() {
        let grown = handoff(3, &validators(0..4), &validators(0..10), &keys(0..3));
        let few = receipt(vec![grown.clone()], 5, &keys(0..3));
        assert_eq!(check(&few), Err(BadReceipt::NotFinal(NotFinal::NoQuorum)));
        let left_out = Receipt { handoffs: Vec::new(), ..few };
        assert_eq!(check(&left_out), Err(BadReceipt::NotFinal(NotFinal::Signature)));
        assert!(check(&receipt(vec![grown], 5, &keys(0..7))).is_ok());
    }

    #[test]
    fn a_handoff_ends_an_epoch_names_its_successors_and_is_final() {
        let later = |handoff| check(&receipt(vec![handoff], 13, &keys(2..6)));
        assert!(later(handoff(3, &validators(0..4), &validators(2..7), &keys(0..3))).is_ok());
        let middle = handoff(2, &validators(0..4), &validators(2..7), &keys(0..3));
        assert_eq!(later(middle), Err(BadReceipt::Handoff));
        let mut usurped = handoff(3, &validators(0..4), &validators(0..4), &keys(0..3));
        usurped.next = validators(2..7);
        assert_eq!(later(usurped), Err(BadReceipt::Handoff));
        let few = handoff(3, &validators(0..4), &validators(2..7), &keys(0..2));
        assert_eq!(later(few), Err(BadReceipt::NotFinal(NotFinal::NoQuorum)));
        // Twice the end of one epoch.
        let (one, two) = (
            handoff(3, &validators(0..4), &validators(2..7), &keys(0..3)),
            handoff(3, &validators(2..7), &validators(2..7), &keys(2..6)),
        );
        let doubled = receipt(vec![one, two], 13, &keys(2..6));
        assert_eq!(check(&doubled), Err(BadReceipt::Handoff));
    }

    #[test]
    fn only_the_entry_at_its_place_is_included() {
        let good = receipt(vec![], 9, &keys(0..3));
        for change in [
            |r: &mut Receipt| r.index = 2,
            |r: &mut Receipt| r.entries = 6,
            |r: &mut Receipt| r.path[0][0] ^= 1,
            |r: &mut Receipt| r.path.truncate(1),
            |r: &mut Receipt| r.entry = digest(2),
            |r: &mut Receipt| r.entry.assertions.clear(),
        ] {
            let mut altered = good.clone();
            change(&mut altered);
            assert_eq!(check(&altered), Err(BadReceipt::NotIncluded));
        }
        let mut other = good;
        other.header.state[0] ^= 1;
        assert_eq!(check(&other), Err(BadReceipt::NotFinal(NotFinal::Signature)));
    }
}
