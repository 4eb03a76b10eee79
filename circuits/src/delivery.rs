//! Deliveries in-circuit. Spec §6. Twin: `protocol/src/delivery.rs`.

use ark_relations::gr1cs::SynthesisError;
use placet_protocol::delivery::Delivery;
use placet_protocol::tag::Tag;

use crate::builder::{Builder, Interpreter, Var};
use crate::poseidon::hash;

/// The opening of a delivery. The integers of a committed one were range-checked by the transfer
/// that made it, or by validators who saw the mint.
pub struct DeliveryVar<I: Interpreter> {
    /// Units.
    pub amount: Var<I>,
    /// Until when the units arrive locked.
    pub unlock_at: Var<I>,
    /// From when on the sender may take it back.
    pub deadline: Var<I>,
    /// `H(OWNER; to.x, k)`.
    pub owner_tag: Var<I>,
    /// `H(REFUND; nk, k)`, or zero.
    pub refund_tag: Var<I>,
}

impl<I: Interpreter> DeliveryVar<I> {
    /// Allocates all fields.
    pub fn new(builder: &Builder<I>, delivery: &Delivery) -> Result<Self, SynthesisError> {
        Ok(Self {
            amount: builder.input(delivery.amount)?,
            unlock_at: builder.input(delivery.unlock_at)?,
            deadline: builder.input(delivery.deadline)?,
            owner_tag: builder.input(delivery.owner_tag)?,
            refund_tag: builder.input(delivery.refund_tag)?,
        })
    }

    /// `H(DELIVERY; asset_id, amount, unlock_at, deadline, owner_tag, refund_tag)`.
    pub fn commit(&self, builder: &Builder<I>, asset: &Var<I>) -> Result<Var<I>, SynthesisError> {
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
