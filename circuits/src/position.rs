//! Positions in-circuit. Spec §6. Twin: `protocol/src/position.rs`.

use ark_bn254::Fr;
use ark_r1cs_std::fields::fp::FpVar;
use ark_relations::gr1cs::SynthesisError;
use placet_protocol::position::Position;
use placet_protocol::tag::Tag;

use crate::builder::Builder;
use crate::poseidon::hash;

/// The opening of a position. The integers of a committed one were range-checked by the transfer
/// that made it, and are zero in the genesis position.
pub struct PositionVar {
    /// Units at the holder's disposal.
    pub balance: FpVar<Fr>,
    /// Units sent and neither settled nor taken back.
    pub in_flight: FpVar<Fr>,
    /// Units that do not move before `unlock_at`.
    pub locked: FpVar<Fr>,
    /// When the lock ends.
    pub unlock_at: FpVar<Fr>,
    /// The nullifier of the position before.
    pub rho: FpVar<Fr>,
}

impl PositionVar {
    /// Allocates all fields.
    pub fn new(builder: &Builder, position: &Position) -> Result<Self, SynthesisError> {
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
        builder: &Builder,
        asset: &FpVar<Fr>,
        holder: &FpVar<Fr>,
        nk: &FpVar<Fr>,
    ) -> Result<FpVar<Fr>, SynthesisError> {
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
    pub fn nullifier(
        &self,
        builder: &Builder,
        nk: &FpVar<Fr>,
    ) -> Result<FpVar<Fr>, SynthesisError> {
        hash(builder, Tag::PositionNullifier, &[nk, &self.rho])
    }
}
