//! Deliveries in-circuit. Spec §6. Twin: `protocol/src/delivery.rs`.

use ark_bn254::Fr;
use ark_r1cs_std::fields::fp::FpVar;
use ark_relations::gr1cs::SynthesisError;
use placet_protocol::delivery::Delivery;
use placet_protocol::tag::Tag;

use crate::builder::Builder;
use crate::poseidon::hash;

/// The opening of a delivery. The integers of a committed one were range-checked by the transfer
/// that made it, or by validators who saw the mint.
pub struct DeliveryVar {
    /// Units.
    pub amount: FpVar<Fr>,
    /// Until when the units arrive locked.
    pub unlock_at: FpVar<Fr>,
    /// From when on the sender may take it back.
    pub deadline: FpVar<Fr>,
    /// `H(OWNER; to.x, k)`.
    pub owner_tag: FpVar<Fr>,
    /// `H(REFUND; nk, k)`, or zero.
    pub refund_tag: FpVar<Fr>,
}

impl DeliveryVar {
    /// Allocates all fields.
    pub fn new(builder: &Builder, delivery: &Delivery) -> Result<Self, SynthesisError> {
        Ok(Self {
            amount: builder.input(delivery.amount)?,
            unlock_at: builder.input(delivery.unlock_at)?,
            deadline: builder.input(delivery.deadline)?,
            owner_tag: builder.input(delivery.owner_tag)?,
            refund_tag: builder.input(delivery.refund_tag)?,
        })
    }

    /// `H(DELIVERY; asset_id, amount, unlock_at, deadline, owner_tag, refund_tag)`.
    pub fn commit(
        &self,
        builder: &Builder,
        asset: &FpVar<Fr>,
    ) -> Result<FpVar<Fr>, SynthesisError> {
        hash(
            builder,
            Tag::Delivery,
            &[
                asset,
                &self.amount,
                &self.unlock_at,
                &self.deadline,
                &self.owner_tag,
                &self.refund_tag,
            ],
        )
    }
}
