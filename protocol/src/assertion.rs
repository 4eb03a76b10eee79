//! Assertions: an authority's signed verdict on one transaction at one checkpoint. Spec §9.
//!
//! The verdict is over the transaction id *and* the hash of the proof bytes: with the id alone it
//! could be paired with garbage proof bytes to frame its author.

use crate::genesis::{ChainId, Checkpoint};
use crate::signing::{BadSignature, Context, Signature, SigningKey, VerifyKey};
use crate::transaction::TxId;
use crate::wire::{DecodeError, Reader, Wire, Writer};

/// Most assertions beside one transaction: every authority at every checkpoint.
pub const MAX_ASSERTIONS: usize = crate::genesis::MAX_AUTHORITIES * Checkpoint::ALL.len();

/// What an authority found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The checkpoint's conditions hold.
    Approve,
    /// They do not, with a reason from the table of codes; never 0.
    Reject(std::num::NonZeroU16),
}

/// A verdict with everything it depends on; the chain enters the signature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assertion {
    /// The transaction.
    pub transaction: TxId,
    /// SHA-256 of the proof bytes judged.
    pub proof_hash: [u8; 32],
    /// Under which mandate.
    pub checkpoint: Checkpoint,
    /// What was found.
    pub verdict: Verdict,
    /// Height of the block whose state was judged.
    pub judged_at: u64,
    /// Block time with which it was judged, in seconds; not before that block's. Windows depend on
    /// it, so without it nobody could check the verdict again.
    pub judged_time: u64,
    /// Last height at which a block may rely on it.
    pub expires_at: u64,
    /// A rule of the authority's own: it cannot convict its author.
    pub discretionary: bool,
}

impl Wire for Assertion {
    fn write(&self, out: &mut Writer) {
        self.transaction.write(out);
        out.bytes(&self.proof_hash);
        self.checkpoint.write(out);
        out.u16(match self.verdict {
            Verdict::Approve => 0,
            Verdict::Reject(reason) => reason.get(),
        });
        out.u64(self.judged_at);
        out.u64(self.judged_time);
        out.u64(self.expires_at);
        out.bool(self.discretionary);
    }
    fn read(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            transaction: TxId::read(input)?,
            proof_hash: input.array()?,
            checkpoint: Checkpoint::read(input)?,
            verdict: std::num::NonZeroU16::new(input.u16()?)
                .map_or(Verdict::Approve, Verdict::Reject),
            judged_at: input.u64()?,
            judged_time: input.u64()?,
            expires_at: input.u64()?,
            discretionary: input.bool()?,
        })
    }
}

/// An assertion with its author and signature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedAssertion {
    /// The verdict.
    pub assertion: Assertion,
    /// Who gives it.
    pub authority: VerifyKey,
    /// Over the assertion and the chain.
    pub signature: Signature,
}

impl SignedAssertion {
    /// Signs.
    pub fn new(assertion: Assertion, chain: &ChainId, key: &SigningKey) -> Self {
        let signature = key.sign(chain, Context::Assertion, &assertion.to_wire());
        Self { assertion, authority: key.public(), signature }
    }

    /// Verifies; whether the key is a sitting authority with the mandate is for the ledger to say.
    ///
    /// # Errors
    /// [`BadSignature`] if the named authority did not sign this.
    pub fn verify(&self, chain: &ChainId) -> Result<(), BadSignature> {
        let message = self.assertion.to_wire();
        self.authority.verify(chain, Context::Assertion, &message, &self.signature)
    }
}

impl Wire for SignedAssertion {
    fn write(&self, out: &mut Writer) {
        self.assertion.write(out);
        self.authority.write(out);
        self.signature.write(out);
    }
    fn read(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            assertion: Assertion::read(input)?,
            authority: VerifyKey::read(input)?,
            signature: Signature::read(input)?,
        })
    }
}
