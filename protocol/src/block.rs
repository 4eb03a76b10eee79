//! Blocks: transactions with their assertions and the hash of the state they lead to. What makes
//! them final is in [`crate::finality`]. Spec §9, §11.

use sha2::{Digest, Sha256};

use crate::assertion::{MAX_ASSERTIONS, SignedAssertion};
use crate::finality::{Finality, NotFinal, Validators};
use crate::genesis::ChainId;
use crate::hash_tree;
use crate::signing::{Signature, VerifyKey};
use crate::transaction::{Transaction, TxId};
use crate::wire::{DecodeError, Reader, Wire, Writer};

/// Most transactions in a block.
pub const MAX_BLOCK_TRANSACTIONS: usize = 4096;
/// Most transfers in a block: each has a proof, and whoever judges a block has to verify all of them
/// before the vote.
pub const MAX_BLOCK_TRANSFERS: usize = 512;
/// Most that all transactions of a block may weigh together, see [`Transaction::weight`]: at most 512
/// messages, fewer heavy ones. Whoever judges a block executes them while nobody else can.
pub const MAX_BLOCK_WEIGHT: usize = 8192;
/// Longest encoding of a block's list of entries, in bytes: room for the longest sanctions list
/// and as much again.
pub const MAX_BLOCK_BYTES: usize = 16 * 1024 * 1024;

/// SHA-256 of a header with its chain.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BlockId(pub [u8; 32]);

impl std::fmt::Display for BlockId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl std::fmt::Debug for BlockId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "BlockId({self})")
    }
}

impl BlockId {
    /// The parent of block 1: the genesis stands for block 0.
    pub fn genesis(chain: &ChainId) -> Self {
        Self(chain.0)
    }
}

/// What the authorities sign.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// One more than the parent's; the genesis has 0.
    pub height: u64,
    /// The block before.
    pub parent: BlockId,
    /// Seconds since the Unix epoch; not before the parent's.
    pub time: u64,
    /// Hash of the state behind this block.
    pub state: [u8; 32],
    /// Hash of the body.
    pub body: [u8; 32],
    /// Hash of the authorities' keys behind this block, see [`Validators::hash`]. Those behind the
    /// last block of an epoch make the blocks of the next one final.
    pub validators: [u8; 32],
    /// Who proposed it.
    pub proposer: VerifyKey,
}

impl Header {
    /// The block's id.
    pub fn id(&self, chain: &ChainId) -> BlockId {
        let mut hasher = Sha256::new();
        hasher.update(b"placet.block.v1");
        hasher.update(chain.0);
        hasher.update(self.to_wire());
        BlockId(hasher.finalize().into())
    }
}

impl Wire for Header {
    fn write(&self, out: &mut Writer) {
        out.u64(self.height);
        out.bytes(&self.parent.0);
        out.u64(self.time);
        out.bytes(&self.state);
        out.bytes(&self.body);
        out.bytes(&self.validators);
        self.proposer.write(out);
    }
    fn read(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            height: input.u64()?,
            parent: BlockId(input.array()?),
            time: input.u64()?,
            state: input.array()?,
            body: input.array()?,
            validators: input.array()?,
            proposer: VerifyKey::read(input)?,
        })
    }
}

/// A transaction with the assertions on which its execution relies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The transaction.
    pub transaction: Transaction,
    /// Verdicts of authorities, approving or not, in the order in which they came.
    pub assertions: Vec<SignedAssertion>,
}

impl Wire for Entry {
    fn write(&self, out: &mut Writer) {
        self.transaction.write(out);
        out.list(&self.assertions);
    }
    fn read(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let transaction = Transaction::read(input)?;
        // Only transfers are endorsed.
        let most = match transaction {
            Transaction::Transfer(_) => MAX_ASSERTIONS,
            _ => 0,
        };
        Ok(Self { transaction, assertions: input.list(most)? })
    }
}

/// What is left of a block while entries are put into it, apart from bytes.
struct Room {
    entries: usize,
    transfers: usize,
    weight: usize,
}

impl Room {
    const WHOLE: Self = Self {
        entries: MAX_BLOCK_TRANSACTIONS,
        transfers: MAX_BLOCK_TRANSFERS,
        weight: MAX_BLOCK_WEIGHT,
    };

    /// Whether there is room for one more; if so, less is left.
    fn take(&mut self, transaction: &Transaction) -> bool {
        let transfers = usize::from(matches!(transaction, Transaction::Transfer(_)));
        let left = (|| {
            Some(Self {
                entries: self.entries.checked_sub(1)?,
                transfers: self.transfers.checked_sub(transfers)?,
                weight: self.weight.checked_sub(transaction.weight())?,
            })
        })();
        let fits = left.is_some();
        *self = left.unwrap_or(Self { entries: 0, transfers: 0, weight: 0 });
        fits
    }
}

/// Whether a block may hold these entries: their number, that of the transfers among them, what
/// they weigh, and the length of their encoding. Spec §13.5.
pub fn entries_fit(entries: &[Entry]) -> bool {
    let mut room = Room::WHOLE;
    if !entries.iter().all(|entry| room.take(&entry.transaction)) {
        return false;
    }
    let mut left = MAX_BLOCK_BYTES - 4;
    entries.iter().all(|entry| {
        let rest = left.checked_sub(entry.to_wire().len());
        left = rest.unwrap_or(0);
        rest.is_some()
    })
}

/// What a body's hash says about one entry. The id covers ciphertexts by hash, so an erased one
/// leaves it checkable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EntryDigest {
    /// The transaction.
    pub transaction: TxId,
    /// SHA-256 of its proof bytes.
    pub proof_hash: [u8; 32],
    /// The assertions beside it.
    pub assertions: Vec<SignedAssertion>,
}

impl EntryDigest {
    /// Of an entry.
    pub fn new(chain: &ChainId, entry: &Entry) -> Self {
        Self {
            transaction: entry.transaction.id(chain),
            proof_hash: entry.transaction.proof_hash(),
            assertions: entry.assertions.clone(),
        }
    }

    /// The leaf of the body's tree.
    pub fn leaf(&self) -> [u8; 32] {
        hash_tree::leaf(&self.to_wire())
    }
}

impl Wire for EntryDigest {
    fn write(&self, out: &mut Writer) {
        self.transaction.write(out);
        out.bytes(&self.proof_hash);
        out.list(&self.assertions);
    }
    fn read(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            transaction: TxId::read(input)?,
            proof_hash: input.array()?,
            assertions: input.list(MAX_ASSERTIONS)?,
        })
    }
}

/// The hash of a body: of the number of entries and the root of the tree over their digests.
pub fn body_hash(chain: &ChainId, entries: &[Entry]) -> [u8; 32] {
    let leaves: Vec<_> =
        entries.iter().map(|entry| EntryDigest::new(chain, entry).leaf()).collect();
    body_hash_of(chain, leaves.len(), hash_tree::root(&leaves))
}

/// The hash of a body whose tree has this root.
pub fn body_hash_of(chain: &ChainId, entries: usize, root: [u8; 32]) -> [u8; 32] {
    let mut out = Writer::default();
    out.bytes(b"placet.body.v1");
    out.bytes(&chain.0);
    out.u32(u32::try_from(entries).expect("bodies are bounded"));
    out.bytes(&root);
    Sha256::digest(out.into_bytes()).into()
}

/// A block without what makes it final.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block {
    /// What is signed.
    pub header: Header,
    /// What is executed, in order.
    pub entries: Vec<Entry>,
}

impl Wire for Block {
    fn write(&self, out: &mut Writer) {
        self.header.write(out);
        out.list(&self.entries);
    }
    fn read(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let header = Header::read(input)?;
        let before = input.remaining();
        let count = input.u32()? as usize;
        if count > MAX_BLOCK_TRANSACTIONS {
            return Err(DecodeError::TooLong);
        }
        let (mut room, mut entries) = (Room::WHOLE, Vec::new());
        for _ in 0..count {
            let entry = Entry::read(input)?;
            // At once: decoding what is refused later would cost as well.
            if !room.take(&entry.transaction) || before - input.remaining() > MAX_BLOCK_BYTES {
                return Err(DecodeError::TooLong);
            }
            entries.push(entry);
        }
        Ok(Self { header, entries })
    }
}

/// An authority's signature on a block id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BlockSignature {
    /// Who signs.
    pub authority: VerifyKey,
    /// Over the id.
    pub signature: Signature,
}

impl Wire for BlockSignature {
    fn write(&self, out: &mut Writer) {
        self.authority.write(out);
        self.signature.write(out);
    }
    fn read(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self { authority: VerifyKey::read(input)?, signature: Signature::read(input)? })
    }
}

/// A block with what makes it final.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertifiedBlock {
    /// The block.
    pub block: Block,
    /// The votes, perhaps for a later block.
    pub finality: Finality,
}

impl CertifiedBlock {
    /// Checks that the block is final; whether its entries are those of its header, and whether it
    /// follows another block, is for the caller to check.
    ///
    /// # Errors
    /// [`NotFinal`].
    pub fn check(
        &self,
        chain: &ChainId,
        validators: &Validators,
        epoch_length: u64,
    ) -> Result<(), NotFinal> {
        self.finality.check(chain, &self.block.header, validators, epoch_length)
    }
}

impl Wire for CertifiedBlock {
    fn write(&self, out: &mut Writer) {
        self.block.write(out);
        self.finality.write(out);
    }
    fn read(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self { block: Block::read(input)?, finality: Finality::read(input)? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::credential::{Categories, Jurisdiction};
    use crate::field::{AssetId, Subject};
    use crate::policy::Rule;
    use crate::signing::SigningKey;
    use crate::transaction::asset::PolicyChange;
    use crate::transaction::policy::{EndorsementRule, MAX_RULES, PublishedPolicy};
    use crate::transaction::registry::{MAX_SANCTIONS, Sanctions};
    use crate::transaction::signed::Signed;

    #[test]
    fn a_block_has_a_bounded_length() {
        let (chain, key) = (ChainId([1; 32]), SigningKey::from_seed(&[2; 32]));
        let subject = |n: usize| Subject::new(ark_bn254::Fr::from(n as u64));
        let list = Sanctions::new(1, false, (0..MAX_SANCTIONS).map(subject).collect()).unwrap();
        let transaction = Transaction::PublishSanctions(Signed::new(list, &chain, &key));
        let entry = Entry { transaction, assertions: Vec::new() };
        let block = |entries: Vec<Entry>| {
            let header = Header {
                height: 1,
                parent: BlockId::genesis(&chain),
                time: 0,
                state: [0; 32],
                body: [0; 32],
                validators: [0; 32],
                proposer: key.public(),
            };
            Block { header, entries }
        };
        let one = block(vec![entry.clone()]);
        assert!(entries_fit(&one.entries));
        assert_eq!(Block::from_wire(&one.to_wire()), Ok(one));
        // Two of the longest lists are too much, by their weight and just so by their bytes.
        let two = block(vec![entry.clone(), entry]);
        assert!(!entries_fit(&two.entries));
        assert_eq!(Block::from_wire(&two.to_wire()), Err(DecodeError::TooLong));
    }

    /// A policy with this many rules for an asset.
    fn policy(rules: usize, chain: &ChainId, key: &SigningKey) -> Transaction {
        let code = |n: usize| Jurisdiction::new(u16::try_from(n).unwrap()).unwrap();
        let rule = Rule { allowed: true, any_of: Categories(0), lockup: 0, max_holding: 1 };
        let policy = PublishedPolicy {
            identity_attestors: Vec::new(),
            investor_attestors: Vec::new(),
            rules: (0..rules).map(|n| (code(n), rule)).collect(),
            max_risk: 0,
            unit_price: 0,
            capital_bps: 0,
            capital_rule: false,
            currency: None,
            max_holders: None,
            endorsement: EndorsementRule::default(),
        };
        let asset = AssetId::new(ark_bn254::Fr::from(1u8));
        let change = PolicyChange { asset, version: 2, policy, urgent: false };
        Transaction::SetPolicy(Signed::new(change, chain, key))
    }

    #[test]
    fn heavy_messages_fill_a_block_long_before_it_is_full_of_bytes() {
        let (chain, key) = (ChainId([1; 32]), SigningKey::from_seed(&[2; 32]));
        let entries = |transaction: &Transaction, count| {
            vec![Entry { transaction: transaction.clone(), assertions: Vec::new() }; count]
        };
        // As many nodes as the tree of the rules has, and what every message costs.
        let heavy = policy(MAX_RULES, &chain, &key);
        assert_eq!(heavy.weight(), 16 + 512 + 64 + 8 + 1);
        assert_eq!(policy(0, &chain, &key).weight(), 16);
        let most = MAX_BLOCK_WEIGHT / heavy.weight();
        assert_eq!(most, 13);
        assert!(entries_fit(&entries(&heavy, most)));
        assert!(!entries_fit(&entries(&heavy, most + 1)));
        let light = policy(0, &chain, &key);
        assert!(entries_fit(&entries(&light, 512)));
        assert!(!entries_fit(&entries(&light, 513)));
        // The decoder says the same, and takes no more rules than that.
        let wire = |entries: Vec<Entry>| {
            let mut out = Writer::default();
            out.bytes(&[0; 8 + 32 + 8 + 32 + 32 + 32]);
            key.public().write(&mut out);
            out.list(&entries);
            out.into_bytes()
        };
        assert!(Block::from_wire(&wire(entries(&heavy, most))).is_ok());
        let too_many = Block::from_wire(&wire(entries(&heavy, most + 1)));
        assert_eq!(too_many.err(), Some(DecodeError::TooLong));
        let beyond = policy(MAX_RULES + 1, &chain, &key).to_wire();
        assert_eq!(Transaction::from_wire(&beyond), Err(DecodeError::TooLong));
    }

    #[test]
    fn only_transfers_have_assertions_beside_them() {
        let (chain, key) = (ChainId([1; 32]), SigningKey::from_seed(&[2; 32]));
        let mut out = Writer::default();
        policy(1, &chain, &key).write(&mut out);
        let mut without = out.into_bytes();
        let mut with = without.clone();
        without.extend(0u32.to_le_bytes());
        with.extend(1u32.to_le_bytes());
        assert!(Entry::from_wire(&without).is_ok());
        // Refused before the assertion is read.
        assert_eq!(Entry::from_wire(&with), Err(DecodeError::TooLong));
    }
}
