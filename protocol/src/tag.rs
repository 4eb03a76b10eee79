//! The table of domain tags: the first state element of every Poseidon permutation. Spec §2.
//!
//! Small, distinct, never reused. Tag 0 is left to circomlib compatibility and is never used here.

/// What a hash is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Tag {
    /// Inner node of any Merkle tree.
    Node = 1,
    /// Leaf of the registry.
    Credential = 2,
    /// Inner commitment of an identity credential.
    Identity = 3,
    /// Inner commitment of an investor credential.
    Investor = 4,
    /// An attestor's id.
    Attestor = 5,
    /// A gap between two sanctioned documents.
    Gap = 6,
    /// The attestors a policy trusts.
    Trusted = 7,
    /// The proven part of a policy.
    Policy = 8,
    /// A position.
    Position = 9,
    /// A delivery.
    Delivery = 10,
    /// The receipt that accepting a delivery leaves.
    Receipt = 11,
    /// Stands in the receipt's place where nothing was accepted.
    NoReceipt = 12,
    /// The nullifier key of a holder for one asset.
    NullifierKey = 13,
    /// A position's nullifier.
    PositionNullifier = 14,
    /// A delivery's nullifier, for accept and refund alike.
    DeliveryNullifier = 15,
    /// The nullifier of a settlement.
    Settled = 16,
    /// Stands in the delivery nullifier's place where nothing came in.
    Absent = 17,
    /// The secret of a delivery.
    DeliveryKey = 18,
    /// Who may accept a delivery.
    Owner = 19,
    /// Who may take a delivery back.
    Refund = 20,
    /// The disclosure pads for the transfer agent.
    Pad = 21,
    /// An asset's id.
    Asset = 22,
}

impl Tag {
    /// The tag as a field element.
    pub fn field(self) -> ark_bn254::Fr {
        ark_bn254::Fr::from(self as u8)
    }
}
