//! What a transfer keeps to itself. Spec §7.

use ark_bn254::Fr;
use zeroize::Zeroize;

use crate::credential::{IdentityCredential, InvestorCredential};
use crate::delivery::{Delivery, DeliveryKey};
use crate::field::AttestorId;
use crate::keys::KEY_BITS;
use crate::merkle::{NOTE_DEPTH, Path, REGISTRY_DEPTH, RULES_DEPTH, SANCTIONS_DEPTH};
use crate::policy::{Policy, Rule};
use crate::position::Position;
use crate::sanctions::Gap;

/// How the one incoming slot of a transfer is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Nothing comes in.
    Absent,
    /// A delivery addressed to this holder is taken in.
    Accept,
    /// A delivery that this holder made is taken back after its deadline.
    Refund,
    /// A delivery that this holder made was accepted: it is no longer in flight.
    Settle,
}

/// The identity credential of the prover, and where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdentityOpening {
    /// The credential; its holder must be the prover.
    pub credential: IdentityCredential,
    /// Who vouched.
    pub attestor: AttestorId,
    /// Its path in the registry.
    pub path: Path<REGISTRY_DEPTH>,
}

/// The investor credential of the prover; a filler where none is needed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvestorOpening {
    /// The credential; its holder must be the prover.
    pub credential: InvestorCredential,
    /// Who vouched.
    pub attestor: AttestorId,
    /// Its path in the registry.
    pub path: Path<REGISTRY_DEPTH>,
}

/// The position that is spent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PositionOpening {
    /// Whether it is the virtual, empty one, which needs no membership proof.
    pub genesis: bool,
    /// Its state.
    pub position: Position,
    /// Its path in the note tree; a filler for genesis.
    pub path: Path<NOTE_DEPTH>,
}

/// The incoming slot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Incoming {
    /// How it is used.
    pub mode: Mode,
    /// The delivery; a filler where absent.
    pub delivery: Delivery,
    /// The delivery's key; a filler where absent.
    pub key: DeliveryKey,
    /// Path of the delivery (accept, refund) or of its receipt (settle); a filler where absent.
    pub path: Path<NOTE_DEPTH>,
}

impl Incoming {
    /// An unused slot.
    pub fn absent() -> Self {
        let zero = Fr::from(0u8);
        Self {
            mode: Mode::Absent,
            delivery: Delivery {
                amount: zero,
                unlock_at: zero,
                deadline: zero,
                owner_tag: zero,
                refund_tag: zero,
            },
            key: DeliveryKey::from_parts(zero),
            path: Path::filler(),
        }
    }
}

/// The delivery that is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outgoing {
    /// The receiver's `pk.x`.
    pub to: Fr,
    /// Units, 64 bits; 0 where nothing is sent.
    pub amount: Fr,
    /// From when on the sender may take it back, 40 bits.
    pub deadline: Fr,
}

/// Everything that a transfer keeps to itself. Integers are field elements, so that the native
/// check speaks of exactly what the circuit sees, out-of-range values included.
#[derive(Clone, PartialEq, Eq)]
pub struct Witness {
    /// [`SecretKey::representative_bits`](crate::keys::SecretKey::representative_bits).
    pub key_bits: [bool; KEY_BITS],
    /// The policy that hashes to the public input.
    pub policy: Policy,
    /// The prover's identity.
    pub identity: IdentityOpening,
    /// A gap between sanctioned documents that contains the prover's.
    pub gap: Gap,
    /// The gap's path.
    pub gap_path: Path<SANCTIONS_DEPTH>,
    /// The position that is spent.
    pub position: PositionOpening,
    /// The incoming slot.
    pub incoming: Incoming,
    /// The rule of the prover's jurisdiction; a filler unless accepting.
    pub rule: Rule,
    /// The rule's siblings; its index is the prover's jurisdiction.
    pub rule_path: Path<RULES_DEPTH>,
    /// The prover's investor credential; a filler unless accepting under a rule that needs it.
    pub investor: InvestorOpening,
    /// The delivery that is made.
    pub outgoing: Outgoing,
}

impl std::fmt::Debug for Witness {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Witness(..)")
    }
}

impl Zeroize for Witness {
    fn zeroize(&mut self) {
        self.key_bits.zeroize();
        self.identity.credential.subject = Fr::from(0u8);
        self.identity.credential.salt = Fr::from(0u8);
        self.investor.credential.salt = Fr::from(0u8);
    }
}

impl Drop for Witness {
    fn drop(&mut self) {
        self.zeroize();
    }
}
