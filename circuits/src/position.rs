//! Positions in-circuit. Spec §6. Twin: `protocol/src/position.rs`.

use ark_relations::gr1cs::SynthesisError;
use placet_protocol::position::Position;
use placet_protocol::tag::Tag;

use crate::builder::{Builder, Interpreter, Var};
use crate::poseidon::hash;

/// The opening of a position. The integers of a committed one were range-checked by the transfer
/// that made it, and are zero in the genesis position.
pub struct PositionVar<I: Interpreter> {
    /// Units at the holder's disposal.
    pub balance: Var<I>,
    /// Units sent and neither settled nor taken back.
    pub in_flight: Var<I>,
    /// Units that do not move before `unlock_at`.
    pub locked: Var<I>,
    /// When the lock ends.
    pub unlock_at: Var<I>,
    /// The nullifier of the position before.
    pub rho: Var<I>,
}

impl<I: Interpreter> PositionVar<I> {
    /// Allocates all fields.
    pub fn new(builder: &Builder<I>, position: &Position) -> Result<Self, SynthesisError> {
        Ok(Self {
            balance: builder.input(position.balance)?,
            in_flight: builder.input(position.in_flight)?,
            locked: builder.input(position.locked)?,
            unlock_at: builder.input(position.unlock_at)?,
            rho: builder.input(position.rho)?,
        })
    }

    /// `H(POSITION; asset_id, pk.x, nk, balance, in_flight, locked, unlock_at, rho)`.
    pub fn commit(
        &self,
        builder: &Builder<I>,
        asset: &Var<I>,
        holder: &Var<I>,
        nk: &Var<I>,
    ) -> Result<Var<I>, SynthesisError> {
        hash(
            builder,
            Tag::Position,
            &[
                asset,
                holder,
                nk,
                &self.balance,
                &self.in_flight,
                &self.locked,
                &self.unlock_at,
                &self.rho,
            ],
        )
    }

    /// `nf = H(NF; nk, rho)`.
    pub fn nullifier(&self, builder: &Builder<I>, nk: &Var<I>) -> Result<Var<I>, SynthesisError> {
        hash(builder, Tag::PositionNullifier, &[nk, &self.rho])
    }
}
