//! A holder's one position per asset. Spec §6. Twin: `circuits/src/position.rs`.

use ark_bn254::Fr;

use crate::field::{AssetId, Commitment, HolderId, Nullifier};
use crate::keys::NullifierKey;
use crate::poseidon::hash;
use crate::tag::Tag;

/// `rho` of the virtual, empty position that every holder's first one replaces: the ASCII bytes
/// of "placet.genesis" read as a big-endian integer.
pub const GENESIS_RHO: u128 = 0x706c_6163_6574_2e67_656e_6573_6973;

/// [`GENESIS_RHO`] as a field element.
pub fn genesis_rho() -> Fr {
    Fr::from(GENESIS_RHO)
}

/// The state of a position; with the holder's keys it opens the commitment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    /// Units at the holder's disposal, 64 bits.
    pub balance: Fr,
    /// Units sent and neither settled nor taken back, 64 bits. They still count as held.
    pub in_flight: Fr,
    /// Units of the balance that do not move before `unlock_at`, 64 bits.
    pub locked: Fr,
    /// When the lock ends, 40 bits.
    pub unlock_at: Fr,
    /// The nullifier of the position that this one replaced.
    pub rho: Fr,
}

impl Position {
    /// The virtual, empty position.
    pub fn genesis() -> Self {
        let zero = Fr::from(0u8);
        Self { balance: zero, in_flight: zero, locked: zero, unlock_at: zero, rho: genesis_rho() }
    }

    /// `H(POSITION; asset_id, pk.x, nk, balance, in_flight, locked, unlock_at, rho)`.
    pub fn commit(&self, asset: AssetId, holder: HolderId, nk: &NullifierKey) -> Commitment {
        Commitment::new(hash(
            Tag::Position,
            [
                asset.get(),
                holder.get(),
                nk.expose(),
                self.balance,
                self.in_flight,
                self.locked,
                self.unlock_at,
                self.rho,
            ],
        ))
    }

    /// `nf = H(NF; nk, rho)`: depends on the chain alone, not on amounts.
    pub fn nullifier(&self, nk: &NullifierKey) -> Nullifier {
        nullifier_after(nk, self.rho)
    }
}

/// The nullifier of the position with this `rho`. Applied to a nullifier it gives the next one of
/// the chain, which is how an agent watches and freezes.
pub fn nullifier_after(nk: &NullifierKey, rho: Fr) -> Nullifier {
    Nullifier::new(hash(Tag::PositionNullifier, [nk.expose(), rho]))
}
