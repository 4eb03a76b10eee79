//! Value on its way: deliveries, and the receipts that accepting them leaves. Spec §6.
//! Twin: `circuits/src/delivery.rs`.

use ark_bn254::Fr;

use crate::field::{AssetId, Commitment, HolderId, Nullifier, OwnerTag, RefundTag, Subject};
use crate::keys::NullifierKey;
use crate::poseidon::hash;
use crate::tag::Tag;

/// A deadline is less than `2^22` seconds (about 48 days) after the transfer.
pub const DEADLINE_BITS: u32 = 22;

/// The opening of a delivery, without its asset.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Delivery {
    /// Units, 64 bits.
    pub amount: Fr,
    /// Until when the units arrive locked, 40 bits; zero unless minted or seized.
    pub unlock_at: Fr,
    /// From when on the sender may take it back, 40 bits.
    pub deadline: Fr,
    /// `H(OWNER; to.x, k)`.
    pub owner_tag: Fr,
    /// `H(REFUND; nk, k)` with the sender's `nk`; zero where nobody may take it back.
    pub refund_tag: Fr,
}

/// Prints nothing: the fields tell who holds what.
impl std::fmt::Debug for Delivery {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Delivery(..)")
    }
}

impl Delivery {
    /// `H(DELIVERY; asset_id, amount, unlock_at, deadline, owner_tag, refund_tag)`.
    pub fn commit(&self, asset: AssetId) -> Commitment {
        Commitment::new(hash(
            Tag::Delivery,
            [
                asset.get(),
                self.amount,
                self.unlock_at,
                self.deadline,
                self.owner_tag,
                self.refund_tag,
            ],
        ))
    }
}

/// The secret of a delivery: whoever knows it and owns it may accept.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct DeliveryKey(Fr);

impl std::fmt::Debug for DeliveryKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("DeliveryKey(..)")
    }
}

impl DeliveryKey {
    /// `k = H(K; nk, nf_position, to.x, subject)`. The spent position makes it unique among
    /// deliveries that exist; receiver and document make it differ between two attempts from one
    /// position, so that whoever saw the first learns nothing about the second.
    pub fn derive(
        nk: &NullifierKey,
        nf_position: Nullifier,
        to: HolderId,
        subject: Subject,
    ) -> Self {
        Self(hash(Tag::DeliveryKey, [nk.expose(), nf_position.get(), to.get(), subject.get()]))
    }
    /// A key from outside: drawn at random for a mint, or received in a ciphertext.
    pub fn from_parts(value: Fr) -> Self {
        Self(value)
    }
    /// The field element; whoever has it can tie the delivery to its parties.
    pub fn expose(&self) -> Fr {
        self.0
    }
    /// `H(OWNER; to.x, k)`.
    pub fn owner_tag(&self, to: HolderId) -> OwnerTag {
        OwnerTag::new(hash(Tag::Owner, [to.get(), self.0]))
    }
    /// `H(REFUND; nk, k)`.
    pub fn refund_tag(&self, nk: &NullifierKey) -> RefundTag {
        RefundTag::new(hash(Tag::Refund, [nk.expose(), self.0]))
    }
    /// `H(DELIVERY_NF; k, cm)`: shared by accept and refund, so that only one happens.
    pub fn nullifier(&self, cm: Commitment) -> Nullifier {
        Nullifier::new(hash(Tag::DeliveryNullifier, [self.0, cm.get()]))
    }
    /// `H(RECEIPT; k, cm)`.
    pub fn receipt(&self, cm: Commitment) -> Commitment {
        Commitment::new(hash(Tag::Receipt, [self.0, cm.get()]))
    }
}

/// `H(SETTLED; nk, cm)`: spends a receipt.
pub fn settled_nullifier(nk: &NullifierKey, cm: Commitment) -> Nullifier {
    Nullifier::new(hash(Tag::Settled, [nk.expose(), cm.get()]))
}

/// `H(ABSENT; nk, cm_delivery)` with the delivery made: stands where nothing came in.
pub fn absent_nullifier(nk: &NullifierKey, cm_delivery: Commitment) -> Nullifier {
    Nullifier::new(hash(Tag::Absent, [nk.expose(), cm_delivery.get()]))
}

/// `H(NO_RECEIPT; nk, cm_delivery)` with the delivery made: stands where nothing was accepted.
pub fn no_receipt(nk: &NullifierKey, cm_delivery: Commitment) -> Commitment {
    Commitment::new(hash(Tag::NoReceipt, [nk.expose(), cm_delivery.get()]))
}
