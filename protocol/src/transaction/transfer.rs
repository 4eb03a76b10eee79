//! The hidden transfer as a transaction, and the `binding` that ties a proof to it. Every transfer
//! has the same length and shape. Spec §7, §11.

use std::num::NonZeroU64;

use ark_bn254::Fr;
use sha2::{Digest, Sha256};

use crate::circuit::CircuitId;
use crate::field::{
    AssetId, Commitment, NoteRoot, Nullifier, PolicyHash, RegistryRoot, SanctionsRoot,
    from_digest_248, to_bytes,
};
use crate::genesis::{ChainId, END_OF_TIME};
use crate::sealed::SealedDelivery;
use crate::signing::{BadSignature, Context, SIGNATURE_BYTES, Signature, SigningKey, VerifyKey};
use crate::statement::ProofBytes;
use crate::transfer::{HoldersDelta, PublicInputs};
use crate::wire::{DecodeError, Reader, Wire, Writer};

/// What a binding says of one leg. None of it depends on the binding, so parties of a bundle
/// exchange it, check each other's openings, then prove.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leg {
    /// The circuit and key under which the leg is proven; it names the statement too.
    pub circuit: CircuitId,
    /// The asset.
    pub asset: AssetId,
    /// Spends the old position.
    pub nf_position: Nullifier,
    /// Spends what comes in.
    pub nf_delivery: Nullifier,
    /// The new position.
    pub cm_position: Commitment,
    /// The delivery made.
    pub cm_delivery: Commitment,
    /// The receipt.
    pub receipt: Commitment,
    /// Units redeemed.
    pub redeemed: u64,
    /// SHA-256 of the sealed delivery.
    pub ciphertext: [u8; 32],
}

impl Wire for Leg {
    fn write(&self, out: &mut Writer) {
        self.circuit.write(out);
        self.asset.write(out);
        self.nf_position.write(out);
        self.nf_delivery.write(out);
        self.cm_position.write(out);
        self.cm_delivery.write(out);
        self.receipt.write(out);
        out.u64(self.redeemed);
        out.bytes(&self.ciphertext);
    }
    fn read(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            circuit: CircuitId::read(input)?,
            asset: AssetId::read(input)?,
            nf_position: Nullifier::read(input)?,
            nf_delivery: Nullifier::read(input)?,
            cm_position: Commitment::read(input)?,
            cm_delivery: Commitment::read(input)?,
            receipt: Commitment::read(input)?,
            redeemed: input.u64()?,
            ciphertext: input.array()?,
        })
    }
}

/// SHA-256 truncated to 248 bits over chain, expiry height and the legs in order. Spec §7.
pub fn binding(chain: &ChainId, expiry_height: u64, legs: &[Leg]) -> Fr {
    let mut out = Writer::default();
    out.bytes(b"placet.binding.v1");
    out.bytes(&chain.0);
    out.u64(expiry_height);
    out.list(legs);
    from_digest_248(&Sha256::digest(out.into_bytes()).into())
}

/// Units taken out of circulation with the transfer agent's consent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Redemption {
    /// Units.
    pub amount: NonZeroU64,
    /// The agent's signature over the binding.
    pub signature: Signature,
}

/// A transfer, everything but its proof. What the ledger knows or recomputes (the binding) is
/// left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TransferBody {
    /// The circuit and key under which the proof is to be judged.
    pub circuit: CircuitId,
    /// The asset.
    pub asset: AssetId,
    /// Root under which the spent position is a leaf.
    pub position_root: NoteRoot,
    /// Root under which the incoming delivery or receipt is a leaf.
    pub delivery_root: NoteRoot,
    /// Root of the registry.
    pub registry_root: RegistryRoot,
    /// Root of the sanctions tree.
    pub sanctions_root: SanctionsRoot,
    /// Hash of the policy that was proven.
    pub policy: PolicyHash,
    /// Seconds since the Unix epoch, below `2^40 - 2^22`.
    pub now: u64,
    /// Spends the old position.
    pub nf_position: Nullifier,
    /// Spends what comes in.
    pub nf_delivery: Nullifier,
    /// The new position.
    pub cm_position: Commitment,
    /// The delivery made.
    pub cm_delivery: Commitment,
    /// The receipt.
    pub receipt: Commitment,
    /// Change in the number of holders.
    pub holders_delta: HoldersDelta,
    /// For the transfer agent.
    pub disclosure: [Fr; 3],
    /// For the receiver of the delivery, or a decoy.
    pub sealed: SealedDelivery,
    /// Last height at which a block may hold it.
    pub expiry_height: u64,
    /// If units leave circulation.
    pub redemption: Option<Redemption>,
}

impl TransferBody {
    /// Units redeemed; 0 for none.
    pub fn redeemed(&self) -> u64 {
        self.redemption.map_or(0, |redemption| redemption.amount.get())
    }

    /// What the binding says of this transfer.
    pub fn leg(&self) -> Leg {
        Leg {
            circuit: self.circuit,
            asset: self.asset,
            nf_position: self.nf_position,
            nf_delivery: self.nf_delivery,
            cm_position: self.cm_position,
            cm_delivery: self.cm_delivery,
            receipt: self.receipt,
            redeemed: self.redeemed(),
            ciphertext: self.sealed.hash(),
        }
    }

    /// The binding of this transfer alone. It covers neither the proof nor any signature.
    pub fn binding(&self, chain: &ChainId) -> Fr {
        binding(chain, self.expiry_height, &[self.leg()])
    }

    /// The public inputs against which the proof is verified.
    pub fn public_inputs(&self, chain: &ChainId) -> PublicInputs {
        PublicInputs {
            position_root: self.position_root,
            delivery_root: self.delivery_root,
            registry_root: self.registry_root,
            sanctions_root: self.sanctions_root,
            policy: self.policy,
            now: self.now,
            nf_position: self.nf_position,
            nf_delivery: self.nf_delivery,
            cm_position: self.cm_position,
            cm_delivery: self.cm_delivery,
            receipt: self.receipt,
            holders_delta: self.holders_delta,
            redeemed: self.redeemed(),
            disclosure: self.disclosure,
            binding: self.binding(chain),
        }
    }

    /// The three leaves that this transfer appends, in order.
    pub fn leaves(&self) -> [Commitment; 3] {
        [self.cm_position, self.cm_delivery, self.receipt]
    }

    fn write_head(&self, out: &mut Writer) {
        self.circuit.write(out);
        self.asset.write(out);
        self.position_root.write(out);
        self.delivery_root.write(out);
        self.registry_root.write(out);
        self.sanctions_root.write(out);
        self.policy.write(out);
        out.u64(self.now);
        self.nf_position.write(out);
        self.nf_delivery.write(out);
        self.cm_position.write(out);
        self.cm_delivery.write(out);
        self.receipt.write(out);
        out.field(&self.holders_delta.field());
        for word in &self.disclosure {
            out.field(word);
        }
    }

    fn write_tail(&self, out: &mut Writer) {
        out.u64(self.expiry_height);
        out.u64(self.redeemed());
        out.bytes(&self.redemption.map_or([0; SIGNATURE_BYTES], |r| r.signature.0));
    }

    /// What the transaction id covers: the ciphertext by hash.
    pub(super) fn write_erasable(&self, out: &mut Writer) {
        self.write_head(out);
        out.bytes(&self.sealed.hash());
        self.write_tail(out);
    }
}

/// The agent's signature on a redemption, over the binding that the wallet asks it to sign. The
/// agent recomputes it from the transfer it is shown.
pub fn sign_redemption(binding: &Fr, chain: &ChainId, agent: &SigningKey) -> Signature {
    agent.sign(chain, Context::Redeem, &to_bytes(binding))
}

/// A slot of constant size: without a redemption, amount and signature are zero bytes.
impl Wire for TransferBody {
    fn write(&self, out: &mut Writer) {
        self.write_head(out);
        self.sealed.write(out);
        self.write_tail(out);
    }
    fn read(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            circuit: CircuitId::read(input)?,
            asset: AssetId::read(input)?,
            position_root: NoteRoot::read(input)?,
            delivery_root: NoteRoot::read(input)?,
            registry_root: RegistryRoot::read(input)?,
            sanctions_root: SanctionsRoot::read(input)?,
            policy: PolicyHash::read(input)?,
            now: match input.u64()? {
                now if now < END_OF_TIME => now,
                _ => return Err(DecodeError::OutOfRange),
            },
            nf_position: Nullifier::read(input)?,
            nf_delivery: Nullifier::read(input)?,
            cm_position: Commitment::read(input)?,
            cm_delivery: Commitment::read(input)?,
            receipt: Commitment::read(input)?,
            holders_delta: HoldersDelta::from_field(input.field()?)
                .ok_or(DecodeError::OutOfRange)?,
            disclosure: [input.field()?, input.field()?, input.field()?],
            sealed: SealedDelivery::read(input)?,
            expiry_height: input.u64()?,
            redemption: match (NonZeroU64::new(input.u64()?), Signature::read(input)?) {
                (Some(amount), signature) => Some(Redemption { amount, signature }),
                (None, Signature(zeros)) if zeros == [0; SIGNATURE_BYTES] => None,
                (None, _) => return Err(DecodeError::OutOfRange),
            },
        })
    }
}

/// A transfer with its proof.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TransferTransaction {
    /// Everything that the id and the binding cover.
    pub body: TransferBody,
    /// The proof; anyone can re-randomise it, so nothing is keyed on it.
    pub proof: ProofBytes,
}

impl TransferTransaction {
    /// Verifies the agent's signature on the redemption; true at once where there is none.
    ///
    /// # Errors
    /// [`BadSignature`] if units are redeemed and the agent did not sign this binding.
    pub fn verify_redemption(
        &self,
        chain: &ChainId,
        agent: &VerifyKey,
    ) -> Result<(), BadSignature> {
        match &self.body.redemption {
            None => Ok(()),
            Some(redemption) => {
                let message = to_bytes(&self.body.binding(chain));
                agent.verify(chain, Context::Redeem, &message, &redemption.signature)
            }
        }
    }
}

impl Wire for TransferTransaction {
    fn write(&self, out: &mut Writer) {
        self.body.write(out);
        self.proof.write(out);
    }
    fn read(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self { body: TransferBody::read(input)?, proof: ProofBytes::read(input)? })
    }
}
