//! Transactions: what anyone may send to a network, their ids, and what each does to the trees.
//! Spec §4 to §11.
//!
//! Every signature names its kind and chain. An id covers everything but proof bytes, which anyone
//! can re-randomise, and covers ciphertexts by their hash, so that they can be erased.

pub mod asset;
pub mod authority;
pub mod circuits;
pub mod policy;
pub mod registry;
pub mod signed;
pub mod transfer;
mod weight;

use ark_bn254::Fr;
use sha2::{Digest, Sha256};

pub use asset::{
    FreezeNullifiers, Mint, PauseAsset, RegisterAsset, ReleaseNullifiers, RotateAgentKey, SetPolicy,
};
pub use authority::{AuthorityChange, ChangeAuthorities, ConvictAuthority, NumberedChange};
pub use circuits::{ChangeCircuits, CircuitChange, NewCircuit, NumberedCircuitChange};
pub use policy::{Currency, EndorsementRule, PublishedPolicy};
pub use registry::{AdmitAttestor, IssueCredential, PublishSanctions, RevokeCredential};
pub use signed::{Message, Signed};
pub use transfer::{Leg, Redemption, TransferBody, TransferTransaction, binding};

use crate::credential::tombstone;
use crate::field::Commitment;
use crate::genesis::ChainId;
use crate::statement::ProofBytes;
use crate::wire::{DecodeError, Reader, Wire, Writer};

/// Version byte of every encoded transaction.
pub const TRANSACTION_VERSION: u8 = 1;
/// Longest encoding of any transaction but a sanctions list, in bytes.
pub const MAX_TRANSACTION_BYTES: usize = 128 * 1024;
/// Longest encoding of a sanctions list.
pub const MAX_SANCTIONS_BYTES: usize = registry::MAX_SANCTIONS * 32 + 256;

/// How far one message may move a sequence number. Without a bound the holder of a stolen key could
/// use up all numbers with one message, and nobody could ever answer it.
pub const MAX_SEQUENCE_STEP: u64 = 1 << 20;

/// Why a sequence number does not follow the last one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadSequence {
    /// Not above the last one.
    #[error("the sequence number is not above the last one; sign a new message with a higher one")]
    Replayed,
    /// Above the last one by more than [`MAX_SEQUENCE_STEP`].
    #[error("the sequence number leaps ahead by more than 2^20; sign with the last one plus one")]
    TooFar,
}

/// Whether a message with this sequence number may follow the `last` one of the same sequence, 0
/// before the first. Gaps are fine: a message that was signed and never sent leaves one.
///
/// # Errors
/// [`BadSequence`].
pub fn check_sequence(last: u64, sequence: u64) -> Result<(), BadSequence> {
    match sequence.checked_sub(last) {
        None | Some(0) => Err(BadSequence::Replayed),
        Some(step) if step > MAX_SEQUENCE_STEP => Err(BadSequence::TooFar),
        Some(_) => Ok(()),
    }
}

/// Names a transaction on one chain.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TxId(pub [u8; 32]);

impl std::fmt::Display for TxId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl std::fmt::Debug for TxId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "TxId({self})")
    }
}

/// Text that is no transaction id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a transaction id is written as 64 hexadecimal digits")]
pub struct BadTxId;

impl std::str::FromStr for TxId {
    type Err = BadTxId;
    fn from_str(text: &str) -> Result<Self, BadTxId> {
        hex::decode(text).ok().and_then(|b| b.try_into().ok()).map(Self).ok_or(BadTxId)
    }
}

impl Wire for TxId {
    fn write(&self, out: &mut Writer) {
        out.bytes(&self.0);
    }
    fn read(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self(input.array()?))
    }
}

/// What a transaction does to the registry tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RegistryChange {
    /// A leaf goes into the next free slot.
    Append(Fr),
    /// The leaf in this slot becomes the tombstone.
    Replace {
        /// The slot.
        index: u64,
        /// The new leaf.
        leaf: Fr,
    },
}

/// Anything a network executes.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(clippy::large_enum_variant)] // transfers are the common case; boxing them gains nothing
pub enum Transaction {
    /// Authorities admit an attestor.
    AdmitAttestor(AdmitAttestor),
    /// An attestor issues a credential.
    IssueCredential(IssueCredential),
    /// An attestor revokes a credential.
    RevokeCredential(RevokeCredential),
    /// The publisher replaces the sanctions list.
    PublishSanctions(PublishSanctions),
    /// Issuer and agent register an asset.
    RegisterAsset(RegisterAsset),
    /// The issuer changes a policy.
    SetPolicy(SetPolicy),
    /// Issuer and agent allot units.
    Mint(Mint),
    /// A hidden transfer.
    Transfer(TransferTransaction),
    /// The agent freezes nullifiers.
    FreezeNullifiers(FreezeNullifiers),
    /// The agent releases nullifiers.
    ReleaseNullifiers(ReleaseNullifiers),
    /// Issuer or agent pauses or resumes an asset.
    PauseAsset(PauseAsset),
    /// The issuer appoints a new signing key of the agent.
    RotateAgentKey(RotateAgentKey),
    /// The authorities appoint or dismiss one.
    ChangeAuthorities(ChangeAuthorities),
    /// A wrong assertion costs its author the mandates.
    ConvictAuthority(ConvictAuthority),
    /// The authorities add or deactivate a circuit.
    ChangeCircuits(ChangeCircuits),
}

impl Transaction {
    /// Stable name of the kind.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::AdmitAttestor(_) => "admit-attestor",
            Self::IssueCredential(_) => "issue-credential",
            Self::RevokeCredential(_) => "revoke-credential",
            Self::PublishSanctions(_) => "publish-sanctions",
            Self::RegisterAsset(_) => "register-asset",
            Self::SetPolicy(_) => "set-policy",
            Self::Mint(_) => "mint",
            Self::Transfer(_) => "transfer",
            Self::FreezeNullifiers(_) => "freeze-nullifiers",
            Self::ReleaseNullifiers(_) => "release-nullifiers",
            Self::PauseAsset(_) => "pause-asset",
            Self::RotateAgentKey(_) => "rotate-agent-key",
            Self::ChangeAuthorities(_) => "change-authorities",
            Self::ConvictAuthority(_) => "convict-authority",
            Self::ChangeCircuits(_) => "change-circuits",
        }
    }

    const fn number(&self) -> u8 {
        match self {
            Self::AdmitAttestor(_) => 1,
            Self::IssueCredential(_) => 2,
            Self::RevokeCredential(_) => 3,
            Self::PublishSanctions(_) => 4,
            Self::RegisterAsset(_) => 5,
            Self::SetPolicy(_) => 6,
            Self::Mint(_) => 7,
            Self::Transfer(_) => 8,
            Self::FreezeNullifiers(_) => 9,
            Self::ReleaseNullifiers(_) => 10,
            Self::PauseAsset(_) => 11,
            Self::RotateAgentKey(_) => 12,
            Self::ChangeAuthorities(_) => 13,
            Self::ConvictAuthority(_) => 14,
            Self::ChangeCircuits(_) => 15,
        }
    }

    /// SHA-256 over the chain and everything but proof bytes, ciphertexts by their hash.
    pub fn id(&self, chain: &ChainId) -> TxId {
        let mut out = Writer::default();
        out.bytes(b"placet.transaction.v1");
        out.bytes(&chain.0);
        out.u8(self.number());
        match self {
            Self::IssueCredential(tx) => {
                out.bytes(&tx.message.signed_content());
                tx.signature.write(&mut out);
            }
            Self::Mint(tx) => tx.write_erasable(&mut out),
            Self::Transfer(tx) => tx.body.write_erasable(&mut out),
            other => other.write_content(&mut out),
        }
        TxId(Sha256::digest(out.into_bytes()).into())
    }

    /// The proof of a transfer.
    pub fn proof(&self) -> Option<&ProofBytes> {
        match self {
            Self::Transfer(tx) => Some(&tx.proof),
            _ => None,
        }
    }

    /// SHA-256 of the proof bytes; of nothing where there is no proof.
    pub fn proof_hash(&self) -> [u8; 32] {
        Sha256::digest(self.proof().map_or(&[][..], |proof| &proof.0)).into()
    }

    /// The leaves that execution appends to the note tree, in order: for a transfer position,
    /// delivery, receipt; for a mint its delivery.
    pub fn note_leaves(&self) -> Vec<Commitment> {
        match self {
            Self::Transfer(tx) => tx.body.leaves().to_vec(),
            Self::Mint(tx) => vec![tx.allotment.commitment()],
            _ => Vec::new(),
        }
    }

    /// What execution does to the registry tree.
    pub fn registry_change(&self) -> Option<RegistryChange> {
        match self {
            Self::IssueCredential(tx) => Some(RegistryChange::Append(tx.message.leaf())),
            Self::RevokeCredential(tx) => {
                Some(RegistryChange::Replace { index: tx.message.leaf, leaf: tombstone() })
            }
            _ => None,
        }
    }

    fn write_content(&self, out: &mut Writer) {
        match self {
            Self::AdmitAttestor(tx) => tx.write(out),
            Self::IssueCredential(tx) => tx.write(out),
            Self::RevokeCredential(tx) => tx.write(out),
            Self::PublishSanctions(tx) => tx.write(out),
            Self::RegisterAsset(tx) => tx.write(out),
            Self::SetPolicy(tx) => tx.write(out),
            Self::Mint(tx) => tx.write(out),
            Self::Transfer(tx) => tx.write(out),
            Self::FreezeNullifiers(tx) => tx.write(out),
            Self::ReleaseNullifiers(tx) => tx.write(out),
            Self::PauseAsset(tx) => tx.write(out),
            Self::RotateAgentKey(tx) => tx.write(out),
            Self::ChangeAuthorities(tx) => tx.write(out),
            Self::ConvictAuthority(tx) => tx.write(out),
            Self::ChangeCircuits(tx) => tx.write(out),
        }
    }
}

/// A version byte, the kind's number, the content.
impl Wire for Transaction {
    fn write(&self, out: &mut Writer) {
        out.u8(TRANSACTION_VERSION);
        out.u8(self.number());
        self.write_content(out);
    }
    fn read(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        if input.u8()? != TRANSACTION_VERSION {
            return Err(DecodeError::UnknownTag);
        }
        Ok(match input.u8()? {
            1 => Self::AdmitAttestor(Wire::read(input)?),
            2 => Self::IssueCredential(Wire::read(input)?),
            3 => Self::RevokeCredential(Wire::read(input)?),
            4 => Self::PublishSanctions(Wire::read(input)?),
            5 => Self::RegisterAsset(Wire::read(input)?),
            6 => Self::SetPolicy(Wire::read(input)?),
            7 => Self::Mint(Wire::read(input)?),
            8 => Self::Transfer(Wire::read(input)?),
            9 => Self::FreezeNullifiers(Wire::read(input)?),
            10 => Self::ReleaseNullifiers(Wire::read(input)?),
            11 => Self::PauseAsset(Wire::read(input)?),
            12 => Self::RotateAgentKey(Wire::read(input)?),
            13 => Self::ChangeAuthorities(Wire::read(input)?),
            14 => Self::ConvictAuthority(Wire::read(input)?),
            15 => Self::ChangeCircuits(Wire::read(input)?),
            _ => return Err(DecodeError::UnknownTag),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sequence_numbers_rise_in_bounded_steps() {
        for last in [0, 1, 77, u64::MAX - MAX_SEQUENCE_STEP] {
            assert_eq!(check_sequence(last, last + 1), Ok(()));
            assert_eq!(check_sequence(last, last + MAX_SEQUENCE_STEP), Ok(()));
            assert_eq!(check_sequence(last, last), Err(BadSequence::Replayed));
            assert_eq!(check_sequence(last, 0), Err(BadSequence::Replayed));
        }
        assert_eq!(check_sequence(5, 6 + MAX_SEQUENCE_STEP), Err(BadSequence::TooFar));
        assert_eq!(check_sequence(0, u64::MAX), Err(BadSequence::TooFar));
        assert_eq!(check_sequence(u64::MAX, u64::MAX), Err(BadSequence::Replayed));
    }
}
