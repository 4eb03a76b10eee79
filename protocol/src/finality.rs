//! What makes a block final: votes of more than two thirds of an epoch's validators, in the bytes
//! of the consensus engine, and how anybody checks them without the engine. Spec §9.
//!
//! A vote is for the engine's payload, which binds a block's id to the place at which it was
//! proposed. A block can also become final through a later one of the same epoch; then the headers
//! in between stand for it.

use sha2::{Digest, Sha256};

use crate::block::{BlockId, BlockSignature, Header};
use crate::genesis::{ChainId, Genesis, MAX_AUTHORITIES};
use crate::signing::{SigningKey, VerifyKey};
use crate::wire::{DecodeError, Reader, Wire, Writer};

/// Most headers between a block and the one whose certificate makes it final.
pub const MAX_DESCENDANTS: usize = 16_384;

/// The keys that make the blocks of one epoch final: 1 to [`MAX_AUTHORITIES`], ascending.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Validators(Vec<VerifyKey>);

impl Validators {
    /// From keys in any order; `None` if there are none, too many, or one twice.
    pub fn new(keys: impl IntoIterator<Item = VerifyKey>) -> Option<Self> {
        let mut keys: Vec<_> = keys.into_iter().collect();
        keys.sort_unstable();
        let distinct = keys.is_sorted_by(|a, b| a < b);
        ((1..=MAX_AUTHORITIES).contains(&keys.len()) && distinct).then_some(Self(keys))
    }

    /// The validators of epoch 0.
    pub fn genesis(genesis: &Genesis) -> Self {
        Self::new(genesis.authorities.iter().map(|authority| authority.key))
            .expect("a genesis has 1 to 64 authorities with distinct keys")
    }

    /// Ascending.
    pub fn keys(&self) -> &[VerifyKey] {
        &self.0
    }

    /// Whether a key is among them.
    pub fn contains(&self, key: &VerifyKey) -> bool {
        self.0.binary_search(key).is_ok()
    }

    /// Votes that make a block final: more than two thirds.
    pub fn quorum(&self) -> usize {
        quorum(self.0.len())
    }

    /// What a header says about them.
    pub fn hash(&self, chain: &ChainId) -> [u8; 32] {
        let mut hasher = Sha256::new();
        hasher.update(b"placet.validators.v1");
        hasher.update(chain.0);
        hasher.update(self.to_wire());
        hasher.finalize().into()
    }
}

impl Wire for Validators {
    fn write(&self, out: &mut Writer) {
        out.list(&self.0);
    }
    fn read(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let keys = input.list::<VerifyKey>(MAX_AUTHORITIES)?;
        if keys.is_empty() || !keys.is_sorted_by(|a, b| a < b) {
            return Err(DecodeError::OutOfRange);
        }
        Ok(Self(keys))
    }
}

/// More than two thirds of `n`.
pub const fn quorum(n: usize) -> usize {
    n * 2 / 3 + 1
}

/// The epoch of a height; the genesis, height 0, is in epoch 0.
pub const fn epoch_of(height: u64, epoch_length: u64) -> u64 {
    height / epoch_length
}

/// Whether the block at this height is the last of its epoch, after which validators change.
pub const fn ends_epoch(height: u64, epoch_length: u64) -> bool {
    height % epoch_length == epoch_length - 1
}

/// What the engine votes on: a block and the context in which it was proposed, by its SHA-256.
pub fn payload(chain: &ChainId, block: &BlockId, context: &[u8; 32]) -> [u8; 32] {
    let mut hasher = Sha256::new();
    hasher.update(b"placet.proposal.v1");
    hasher.update(chain.0);
    hasher.update(block.0);
    hasher.update(context);
    hasher.finalize().into()
}

/// The engine's namespace for the votes of an epoch with these validators. It names all of them:
/// what some of them sign together with others never counts as a vote of theirs alone, so that
/// nobody who leaves out a change of validators can pass off too few votes as enough.
pub fn namespace(chain: &ChainId, validators: &Validators) -> Vec<u8> {
    [b"placet.consensus.v1", &chain.0[..], &validators.hash(chain)].concat()
}

/// The engine's variable-length integer: seven bits a byte, least significant first.
fn varint(mut value: u64, out: &mut Vec<u8>) {
    while value >= 0x80 {
        out.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// A place in the engine's course.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Round {
    /// Epoch.
    pub epoch: u64,
    /// View within the epoch.
    pub view: u64,
    /// View of the parent of what is voted on.
    pub parent: u64,
}

impl Wire for Round {
    fn write(&self, out: &mut Writer) {
        out.u64(self.epoch);
        out.u64(self.view);
        out.u64(self.parent);
    }
    fn read(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self { epoch: input.u64()?, view: input.u64()?, parent: input.u64()? })
    }
}

/// The bytes that one of `validators` signs to make a payload final: the finalize vote of
/// commonware's simplex, release 2026.10.
pub fn vote(
    chain: &ChainId,
    validators: &Validators,
    round: &Round,
    payload: &[u8; 32],
) -> Vec<u8> {
    let namespace = [&namespace(chain, validators)[..], b"_FINALIZE"].concat();
    let mut out = Vec::with_capacity(160);
    varint(namespace.len() as u64, &mut out);
    out.extend(namespace);
    for number in [round.epoch, round.view, round.parent] {
        varint(number, &mut out);
    }
    out.extend(payload);
    out
}

/// A finalize vote on a block in an epoch with these validators.
pub fn sign(
    chain: &ChainId,
    validators: &Validators,
    block: &BlockId,
    round: &Round,
    context: &[u8; 32],
    key: &SigningKey,
) -> BlockSignature {
    let message = vote(chain, validators, round, &payload(chain, block, context));
    BlockSignature { authority: key.public(), signature: key.sign_vote(&message) }
}

/// Finalize votes on one payload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificate {
    /// Where the vote took place.
    pub round: Round,
    /// SHA-256 of the context in which the engine proposed the block.
    pub context: [u8; 32],
    /// In ascending order of keys, each at most once.
    pub signatures: Vec<BlockSignature>,
}

impl Wire for Certificate {
    fn write(&self, out: &mut Writer) {
        self.round.write(out);
        out.bytes(&self.context);
        out.list(&self.signatures);
    }
    fn read(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let round = Round::read(input)?;
        let context = input.array()?;
        let signatures = input.list::<BlockSignature>(MAX_AUTHORITIES)?;
        if !signatures.is_sorted_by(|a, b| a.authority < b.authority) {
            return Err(DecodeError::OutOfRange);
        }
        Ok(Self { round, context, signatures })
    }
}

/// Why a block is not shown to be final.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotFinal {
    /// A header that does not follow the one before it.
    #[error("the headers behind the block do not form a chain; take the block from somebody else")]
    Unlinked,
    /// A header or vote of another epoch, whose validators may be others.
    #[error("the block is certified in another epoch than its own; take it from somebody else")]
    Epoch,
    /// A signer twice, or out of order.
    #[error("the signatures on the block are not in order; take it from somebody else")]
    Order,
    /// A signer that is no validator.
    #[error("a key that signed the block is no validator of its epoch; take it from somebody else")]
    Stranger,
    /// Too few signers.
    #[error("too few validators signed the block; collect more signatures")]
    NoQuorum,
    /// A signature that fails.
    #[error("a signature on the block is not valid; take it from somebody else")]
    Signature,
}

/// Shows that a header is final.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finality {
    /// The headers behind it, ascending, up to the one that the votes are for; empty if they are
    /// for the header itself. At most [`MAX_DESCENDANTS`].
    pub descendants: Vec<Header>,
    /// The votes.
    pub certificate: Certificate,
}

impl Finality {
    /// Checks that `header` is final by the votes of its epoch's `validators`.
    ///
    /// # Errors
    /// [`NotFinal`] with the first thing that is wrong.
    pub fn check(
        &self,
        chain: &ChainId,
        header: &Header,
        validators: &Validators,
        epoch_length: u64,
    ) -> Result<(), NotFinal> {
        let epoch = epoch_of(header.height, epoch_length);
        let mut last = header;
        for next in &self.descendants {
            let follows =
                last.height.checked_add(1) == Some(next.height) && next.parent == last.id(chain);
            if !follows {
                return Err(NotFinal::Unlinked);
            }
            last = next;
        }
        let certificate = &self.certificate;
        if epoch_of(last.height, epoch_length) != epoch || certificate.round.epoch != epoch {
            return Err(NotFinal::Epoch);
        }
        let signers = &certificate.signatures;
        if !signers.is_sorted_by(|a, b| a.authority < b.authority) {
            return Err(NotFinal::Order);
        }
        if !signers.iter().all(|signer| validators.contains(&signer.authority)) {
            return Err(NotFinal::Stranger);
        }
        if signers.len() < validators.quorum() {
            return Err(NotFinal::NoQuorum);
        }
        let payload = payload(chain, &last.id(chain), &certificate.context);
        let message = vote(chain, validators, &certificate.round, &payload);
        let valid = |s: &BlockSignature| s.authority.verify_vote(&message, &s.signature).is_ok();
        if signers.iter().all(valid) { Ok(()) } else { Err(NotFinal::Signature) }
    }
}

impl Wire for Finality {
    fn write(&self, out: &mut Writer) {
        out.list(&self.descendants);
        self.certificate.write(out);
    }
    fn read(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            descendants: input.list(MAX_DESCENDANTS)?,
            certificate: Certificate::read(input)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHAIN: ChainId = ChainId([3; 32]);
    const LENGTH: u64 = 10;

    fn keys() -> Vec<SigningKey> {
        (0..4).map(|i| SigningKey::from_seed(&[i; 32])).collect()
    }

    fn validators() -> Validators {
        Validators::new(keys().iter().map(SigningKey::public)).unwrap()
    }

    fn header(height: u64, parent: BlockId) -> Header {
        Header {
            height,
            parent,
            time: 7,
            state: [1; 32],
            body: [2; 32],
            validators: validators().hash(&CHAIN),
            proposer: keys()[0].public(),
        }
    }

    fn certify(header: &Header, epoch: u64, signers: &[SigningKey]) -> Certificate {
        let round = Round { epoch, view: 300, parent: 299 };
        let id = header.id(&CHAIN);
        let mut signatures: Vec<_> = signers
            .iter()
            .map(|key| sign(&CHAIN, &validators(), &id, &round, &[9; 32], key))
            .collect();
        signatures.sort_by_key(|signature| signature.authority);
        Certificate { round, context: [9; 32], signatures }
    }

    fn check(header: &Header, finality: &Finality) -> Result<(), NotFinal> {
        finality.check(&CHAIN, header, &validators(), LENGTH)
    }

    #[test]
    fn a_quorum_makes_a_block_and_its_ancestors_of_the_epoch_final() {
        let first = header(12, BlockId([0; 32]));
        let second = header(13, first.id(&CHAIN));
        let third = header(14, second.id(&CHAIN));
        let own = Finality { descendants: vec![], certificate: certify(&first, 1, &keys()[..3]) };
        assert_eq!(check(&first, &own), Ok(()));
        let through =
            Finality { descendants: vec![second, third], certificate: certify(&third, 1, &keys()) };
        assert_eq!(check(&first, &through), Ok(()));
        assert_eq!(Finality::from_wire(&through.to_wire()), Ok(through.clone()));
        let mut gap = through.clone();
        gap.descendants.remove(0);
        assert_eq!(check(&first, &gap), Err(NotFinal::Unlinked));
        // The certificate is for the third block, not for the first or second.
        let mut short = through;
        short.descendants.pop();
        assert_eq!(check(&first, &short), Err(NotFinal::Signature));
    }

    #[test]
    fn each_defect_of_a_certificate_has_its_own_error() {
        let block = header(12, BlockId([0; 32]));
        let good = |signers: &[SigningKey], epoch| Finality {
            descendants: vec![],
            certificate: certify(&block, epoch, signers),
        };
        assert_eq!(check(&block, &good(&keys()[..2], 1)), Err(NotFinal::NoQuorum));
        assert_eq!(check(&block, &good(&keys(), 2)), Err(NotFinal::Epoch));
        let stranger = SigningKey::from_seed(&[77; 32]);
        let strangers = [&keys()[..3], &[stranger]].concat();
        assert_eq!(check(&block, &good(&strangers, 1)), Err(NotFinal::Stranger));
        let mut doubled = good(&keys()[..3], 1);
        let twice = doubled.certificate.signatures[0].clone();
        doubled.certificate.signatures.insert(0, twice);
        assert_eq!(check(&block, &doubled), Err(NotFinal::Order));
        for alter in [
            |f: &mut Finality| f.certificate.context[0] ^= 1,
            |f: &mut Finality| f.certificate.round.view += 1,
            |f: &mut Finality| f.certificate.round.parent += 1,
            |f: &mut Finality| f.certificate.signatures[1].signature.0[40] ^= 1,
        ] {
            let mut altered = good(&keys()[..3], 1);
            alter(&mut altered);
            assert_eq!(check(&block, &altered), Err(NotFinal::Signature));
        }
        let other = header(13, BlockId([0; 32]));
        assert_eq!(check(&other, &good(&keys(), 1)), Err(NotFinal::Signature));
    }

    #[test]
    fn a_certificate_of_the_next_epoch_says_nothing_about_this_one() {
        let last = header(19, BlockId([0; 32]));
        let next = header(20, last.id(&CHAIN));
        assert!(ends_epoch(19, LENGTH) && !ends_epoch(20, LENGTH));
        let finality =
            Finality { descendants: vec![next], certificate: certify(&next, 2, &keys()) };
        assert_eq!(check(&last, &finality), Err(NotFinal::Epoch));
    }

    /// Four keys validate, and later ten do, the four among them. Three votes of the four are a
    /// quorum of the four but nothing among ten, where seven others can drop the block.
    #[test]
    fn votes_within_a_larger_set_are_no_quorum_of_a_smaller_one() {
        let ten = Validators::new((0..10).map(|i| SigningKey::from_seed(&[i; 32]).public()));
        let ten = ten.unwrap();
        let block = header(12, BlockId([0; 32]));
        let (id, round) = (block.id(&CHAIN), Round { epoch: 1, view: 300, parent: 299 });
        let mut signatures: Vec<_> =
            keys()[..3].iter().map(|key| sign(&CHAIN, &ten, &id, &round, &[9; 32], key)).collect();
        signatures.sort_by_key(|signature| signature.authority);
        let certificate = Certificate { round, context: [9; 32], signatures };
        let finality = Finality { descendants: Vec::new(), certificate };
        let among_ten = finality.check(&CHAIN, &block, &ten, LENGTH);
        assert_eq!(among_ten, Err(NotFinal::NoQuorum));
        assert_eq!(check(&block, &finality), Err(NotFinal::Signature));
    }

    #[test]
    fn a_vote_is_encoded_as_the_engine_does() {
        let round = Round { epoch: 1, view: 300, parent: 127 };
        let bytes = vote(&CHAIN, &validators(), &round, &[5; 32]);
        let mut expected = vec![92];
        expected.extend(b"placet.consensus.v1");
        expected.extend([3; 32]);
        expected.extend(validators().hash(&CHAIN));
        expected.extend(b"_FINALIZE");
        expected.extend([1, 0xac, 0x02, 127]);
        expected.extend([5; 32]);
        assert_eq!(bytes, expected);
    }
}
