//! What a witness determines, computed without judging it. Spec §7.

use ark_bn254::Fr;
use ark_ec::{AffineRepr, CurveGroup};
use ark_ff::{AdditiveGroup, Field, PrimeField, Zero};

use crate::credential::TIME_BITS;
use crate::delivery::{Delivery, DeliveryKey, absent_nullifier, no_receipt, settled_nullifier};
use crate::field::{Commitment, HolderId, Nullifier, Subject, fits};
use crate::keys::{KEY_BITS, NullifierKey, Point, Scalar, SharedSecret};
use crate::position::Position;
use crate::transfer::disclosure::disclosure_pads;
use crate::transfer::{Context, HoldersDelta, Mode, PublicInputs, Witness};

/// What the witness determines: the derived values and the outputs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Evaluation {
    /// The prover.
    pub holder: HolderId,
    /// `nk` of the prover for the policy's asset.
    pub nk: NullifierKey,
    /// The commitment of the incoming delivery.
    pub cm_incoming: Commitment,
    /// The position after the transfer.
    pub next: Position,
    /// The delivery made.
    pub made: Delivery,
    /// Its key.
    pub made_key: DeliveryKey,
    /// See [`PublicInputs::nf_position`].
    pub nf_position: Nullifier,
    /// See [`PublicInputs::nf_delivery`].
    pub nf_delivery: Nullifier,
    /// See [`PublicInputs::cm_position`].
    pub cm_position: Commitment,
    /// See [`PublicInputs::cm_delivery`].
    pub cm_delivery: Commitment,
    /// See [`PublicInputs::receipt`].
    pub receipt: Commitment,
    /// See [`PublicInputs::holders_delta`].
    pub holders_delta: HoldersDelta,
    /// See [`PublicInputs::disclosure`].
    pub disclosure: [Fr; 3],
    /// Whether every comparison of times was between values of at most 40 bits.
    pub(super) times_in_range: bool,
}

/// `a < b` for times, or `None` where the difference leaves 41 bits.
fn earlier(a: Fr, b: Fr) -> Option<bool> {
    let offset = Fr::from(1u64 << TIME_BITS);
    let shifted = a - b + offset;
    fits(&shifted, TIME_BITS + 1).then(|| shifted.into_bigint() < offset.into_bigint())
}

/// The scalar `t mod ℓ` of a key's representative bits; bit 251 is 1.
pub(super) fn secret_scalar(bits: &[bool; KEY_BITS]) -> Scalar {
    bits.iter()
        .rev()
        .fold(Scalar::ONE, |acc, bit| acc.double() + if *bit { Scalar::ONE } else { Scalar::ZERO })
}

fn pick(condition: bool, value: Fr) -> Fr {
    if condition { value } else { Fr::from(0u8) }
}

impl Witness {
    /// Evaluates the transfer without judging it. Comparisons that leave their range count as
    /// false; [`check`](super::check) refuses them.
    pub fn evaluate(&self, now: u64, redeemed: u64) -> Evaluation {
        let secret = secret_scalar(&self.key_bits);
        let holder = HolderId::new((Point::generator() * secret).into_affine().x);
        let shared = (self.policy.agent.point() * secret).into_affine().x;
        let nk = NullifierKey::derive(&SharedSecret::from_x(shared), self.policy.asset);

        let old = &self.position.position;
        let incoming = &self.incoming;
        let mode = incoming.mode;
        let (accept, back) = (mode == Mode::Accept, matches!(mode, Mode::Refund | Mode::Settle));
        let taken_in = matches!(mode, Mode::Accept | Mode::Refund);
        let now = Fr::from(now);

        let nf_position = old.nullifier(&nk);
        let cm_incoming = incoming.delivery.commit(self.policy.asset);
        let active = earlier(now, old.unlock_at);
        let policy_lock = now + Fr::from(self.rule.lockup);
        let policy_later = earlier(incoming.delivery.unlock_at, policy_lock);
        let arrival_lock =
            if policy_later == Some(true) { policy_lock } else { incoming.delivery.unlock_at };
        let arrives_locked = earlier(now, arrival_lock);
        let kept_lock = pick(active == Some(true), old.unlock_at);
        let locks = accept && arrives_locked == Some(true);
        let new_lock = pick(locks, arrival_lock);
        let new_later = earlier(kept_lock, new_lock);
        let times_in_range =
            [active, policy_later, arrives_locked, new_later].iter().all(Option::is_some);

        let next = Position {
            balance: old.balance + pick(taken_in, incoming.delivery.amount)
                - self.outgoing.amount
                - Fr::from(redeemed),
            in_flight: old.in_flight + self.outgoing.amount - pick(back, incoming.delivery.amount),
            locked: pick(active == Some(true), old.locked) + pick(locks, incoming.delivery.amount),
            unlock_at: if new_later == Some(true) { new_lock } else { kept_lock },
            rho: nf_position.get(),
        };
        let holders_delta = if self.policy.count_holders {
            let before = (old.balance + old.in_flight).is_zero();
            let after = (next.balance + next.in_flight).is_zero();
            match (before, after) {
                (true, false) => HoldersDelta::Plus,
                (false, true) => HoldersDelta::Minus,
                _ => HoldersDelta::Zero,
            }
        } else {
            HoldersDelta::Zero
        };

        let made_key = DeliveryKey::derive(
            &nk,
            nf_position,
            HolderId::new(self.outgoing.to),
            Subject::new(self.identity.credential.subject),
        );
        let made = Delivery {
            amount: self.outgoing.amount,
            unlock_at: Fr::from(0u8),
            deadline: self.outgoing.deadline,
            owner_tag: made_key.owner_tag(HolderId::new(self.outgoing.to)).get(),
            refund_tag: made_key.refund_tag(&nk).get(),
        };
        let cm_position = next.commit(self.policy.asset, holder, &nk);
        let cm_delivery = made.commit(self.policy.asset);
        let nf_delivery = match mode {
            Mode::Absent => absent_nullifier(&nk, cm_delivery),
            Mode::Accept | Mode::Refund => incoming.key.nullifier(cm_incoming),
            Mode::Settle => settled_nullifier(&nk, cm_incoming),
        };
        let receipt = match mode {
            Mode::Accept => incoming.key.receipt(cm_incoming),
            _ => no_receipt(&nk, cm_delivery),
        };
        let pads = disclosure_pads(&nk, cm_position, cm_delivery);
        let messages = [
            self.outgoing.amount
                + self.outgoing.deadline * two_to(64)
                + next.locked * two_to(104)
                + next.unlock_at * two_to(168),
            self.outgoing.to,
            self.identity.credential.subject,
        ];
        let disclosure = std::array::from_fn(|i| messages[i] + pads[i]);
        Evaluation {
            holder,
            nk,
            cm_incoming,
            next,
            made,
            made_key,
            nf_position,
            nf_delivery,
            cm_position,
            cm_delivery,
            receipt,
            holders_delta,
            disclosure,
            times_in_range,
        }
    }

    /// The public inputs that this witness leads to, right or wrong; `binding` is left at zero.
    pub fn public_inputs(&self, context: &Context) -> PublicInputs {
        let evaluation = self.evaluate(context.now, context.redeemed);
        PublicInputs {
            position_root: context.position_root,
            delivery_root: context.delivery_root,
            registry_root: context.registry_root,
            sanctions_root: context.sanctions_root,
            policy: self.policy.hash(),
            now: context.now,
            nf_position: evaluation.nf_position,
            nf_delivery: evaluation.nf_delivery,
            cm_position: evaluation.cm_position,
            cm_delivery: evaluation.cm_delivery,
            receipt: evaluation.receipt,
            holders_delta: evaluation.holders_delta,
            redeemed: context.redeemed,
            disclosure: evaluation.disclosure,
            binding: Fr::from(0u8),
        }
    }
}

/// `2^bits` as a field element.
pub fn two_to(bits: u32) -> Fr {
    Fr::from(2u8).pow([u64::from(bits)])
}
