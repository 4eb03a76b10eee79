//! What a transfer tells the asset's transfer agent, under pads that only the agent and the holder
//! know. Spec §7, clause Disclosure.

use ark_bn254::Fr;
use ark_ff::{BigInteger, PrimeField};

use crate::field::{Commitment, HolderId, Subject};
use crate::keys::NullifierKey;
use crate::poseidon::cells;
use crate::tag::Tag;

/// The three pads of a transfer: cells 1 to 3 of `H(PAD; nk, cm_position, cm_delivery)`.
pub fn disclosure_pads(
    nk: &NullifierKey,
    cm_position: Commitment,
    cm_delivery: Commitment,
) -> [Fr; 3] {
    let cells = cells(Tag::Pad.field(), &[nk.expose(), cm_position.get(), cm_delivery.get()]);
    [cells[1], cells[2], cells[3]]
}

/// What the transfer agent reads in a transfer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Disclosed {
    /// Units sent.
    pub amount: u64,
    /// The sent delivery's deadline.
    pub deadline: u64,
    /// Locked units after the transfer.
    pub locked: u64,
    /// When that lock ends.
    pub unlock_at: u64,
    /// The receiver.
    pub to: HolderId,
    /// The sender's identity document.
    pub subject: Subject,
}

impl Disclosed {
    /// Opens the disclosure of a verified transfer. `None` if the result does not unpack, which
    /// for a verified transfer means that `nk` is not its sender's.
    pub fn open(
        nk: &NullifierKey,
        cm_position: Commitment,
        cm_delivery: Commitment,
        disclosure: &[Fr; 3],
    ) -> Option<Self> {
        let pads = disclosure_pads(nk, cm_position, cm_delivery);
        let [packed, to, subject] = std::array::from_fn(|i| disclosure[i] - pads[i]);
        let bits = packed.into_bigint();
        if bits.num_bits() > 208 {
            return None;
        }
        let word = |from: usize, width: usize| {
            (0..width).filter(|i| bits.get_bit(from + i)).fold(0u64, |acc, i| acc | 1 << i)
        };
        Some(Self {
            amount: word(0, 64),
            deadline: word(64, 40),
            locked: word(104, 64),
            unlock_at: word(168, 40),
            to: HolderId::new(to),
            subject: Subject::new(subject),
        })
    }
}
