//! The statement `transfer`: public inputs, witness, and the native check with one error variant
//! per clause. Spec §7. Twin: `circuits/src/transfer.rs`.

use ark_bn254::Fr;
use ark_ec::{AffineRepr, CurveGroup};
use ark_ff::{AdditiveGroup, BigInteger, Field, PrimeField, Zero};
use zeroize::Zeroize;

use crate::credential::{
    self, Categories, IdentityCredential, InvestorCredential, JURISDICTION_BITS, TIME_BITS,
};
use crate::delivery::{
    DEADLINE_BITS, Delivery, DeliveryKey, absent_nullifier, no_receipt, settled_nullifier,
};
use crate::field::{
    AttestorId, Commitment, HolderId, NoteRoot, Nullifier, PolicyHash, RegistryRoot, SanctionsRoot,
    Subject, fits, to_u64,
};
use crate::keys::{KEY_BITS, NullifierKey, Point, Scalar, SecretKey, SharedSecret};
use crate::merkle::{NOTE_DEPTH, Path, REGISTRY_DEPTH, RULES_DEPTH, SANCTIONS_DEPTH};
use crate::policy::{Policy, Rule};
use crate::poseidon::cells;
use crate::position::Position;
use crate::sanctions::{Gap, SUBJECT_BITS};
use crate::statement::Statement;
use crate::tag::Tag;

/// Change in the number of holders that a transfer publishes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HoldersDelta {
    /// A holder left. On the wire `r - 1`.
    Minus,
    /// Nothing changed, or the policy does not count.
    Zero,
    /// A holder came.
    Plus,
}

impl HoldersDelta {
    /// -1, 0 or 1.
    pub fn signed(self) -> i64 {
        match self {
            Self::Minus => -1,
            Self::Zero => 0,
            Self::Plus => 1,
        }
    }
    /// The public input: `r - 1`, 0 or 1.
    pub fn field(self) -> Fr {
        match self {
            Self::Minus => -Fr::from(1u8),
            Self::Zero => Fr::from(0u8),
            Self::Plus => Fr::from(1u8),
        }
    }
    /// Strict inverse of [`Self::field`].
    pub fn from_field(value: Fr) -> Option<Self> {
        [Self::Minus, Self::Zero, Self::Plus].into_iter().find(|delta| delta.field() == value)
    }
}

/// The public inputs, in the order of the statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicInputs {
    /// Root under which the spent position is a leaf.
    pub position_root: NoteRoot,
    /// Root under which the incoming delivery or receipt is a leaf.
    pub delivery_root: NoteRoot,
    /// Root of the registry of credentials.
    pub registry_root: RegistryRoot,
    /// Root of the sanctions tree.
    pub sanctions_root: SanctionsRoot,
    /// The policy in force.
    pub policy: PolicyHash,
    /// Seconds since the Unix epoch; validators keep it below `2^40 - 2^22`.
    pub now: u64,
    /// Spends the old position.
    pub nf_position: Nullifier,
    /// Spends the incoming delivery or receipt, or says invisibly that there is none.
    pub nf_delivery: Nullifier,
    /// The new position.
    pub cm_position: Commitment,
    /// The delivery made; one of amount 0 where nothing is sent.
    pub cm_delivery: Commitment,
    /// The receipt of an acceptance, or a filler.
    pub receipt: Commitment,
    /// Change in the number of holders.
    pub holders_delta: HoldersDelta,
    /// Units taken out of circulation; needs the agent's signature.
    pub redeemed: u64,
    /// Encrypted to the transfer agent: amounts, receiver, subject.
    pub disclosure: [Fr; 3],
    /// Ties the proof to its transaction, 248 bits of SHA-256.
    pub binding: Fr,
}

/// What the public inputs take from the ledger rather than from the witness.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Context {
    /// Root under which the spent position is a leaf.
    pub position_root: NoteRoot,
    /// Root under which the incoming delivery or receipt is a leaf.
    pub delivery_root: NoteRoot,
    /// Root of the registry of credentials.
    pub registry_root: RegistryRoot,
    /// Root of the sanctions tree.
    pub sanctions_root: SanctionsRoot,
    /// Seconds since the Unix epoch.
    pub now: u64,
    /// Units to take out of circulation.
    pub redeemed: u64,
}

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

/// The violated clause of spec §7. One variant per clause, one clause per variant; `Binding` has
/// none because no witness can violate it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Violation {
    /// The policy fields do not hash to the policy in force.
    #[error("the policy is not the one in force")]
    PolicyOpening,
    /// The secret key is one of the four degenerate scalars.
    #[error("the holder's key is degenerate")]
    HolderKey,
    /// No such identity credential of this holder is in the registry.
    #[error("the identity credential is not in the registry: never issued, or revoked")]
    IdentityMember,
    /// The identity credential's attestor is not one that the policy trusts.
    #[error("the policy does not trust the attestor of the identity credential")]
    IdentityAttestorTrusted,
    /// The identity credential is past its expiry.
    #[error("the identity credential has expired")]
    IdentityNotExpired,
    /// The holder's risk class is above the policy's limit.
    #[error("the holder's risk class is above what the policy accepts")]
    RiskAcceptable,
    /// The holder's document is on the sanctions list.
    #[error("the identity document is on the sanctions list")]
    NotSanctioned,
    /// The position is not in the note tree, or its nullifier is not its own.
    #[error("the position is not in the note tree")]
    PositionMember,
    /// The delivery or receipt is not in the note tree, or its nullifier is not its own.
    #[error("the delivery or its receipt is not in the note tree")]
    DeliveryMember,
    /// The delivery is not this holder's to accept, refund or settle, or not yet.
    #[error("the delivery may not be accepted, refunded or settled by this holder now")]
    DeliveryAuthorised,
    /// The receipt does not belong to what was accepted.
    #[error("the receipt does not belong to the delivery")]
    ReceiptOpening,
    /// More goes out than comes in, or an amount is out of range.
    #[error("the balance does not cover the amount, or an amount is out of range")]
    ValueConserved,
    /// Locked units would move.
    #[error("locked units would move before their lock ends")]
    LockRespected,
    /// The policy bars the holder's jurisdiction.
    #[error("the policy bars the holder's jurisdiction")]
    JurisdictionAllowed,
    /// The holder is in none of the categories that the rule asks for.
    #[error("the holder is in none of the investor categories that the rule asks for")]
    InvestorEligible,
    /// No such investor credential of this holder is in the registry.
    #[error("the investor credential is not in the registry: never issued, or revoked")]
    InvestorMember,
    /// The investor credential's attestor is not one that the policy trusts.
    #[error("the policy does not trust the attestor of the investor credential")]
    InvestorAttestorTrusted,
    /// The investor credential is past its expiry.
    #[error("the investor credential has expired")]
    InvestorNotExpired,
    /// The holding would be worth more than the allowed share of the holder's capital.
    #[error("the holding would exceed the allowed share of the holder's capital")]
    CapitalSufficient,
    /// The holding would exceed the jurisdiction's limit.
    #[error("the holding, including what is in flight, would exceed the limit")]
    HoldingWithinLimit,
    /// The published change in the number of holders is wrong.
    #[error("the change in the number of holders is wrong")]
    HoldersDelta,
    /// The new position's commitment does not open.
    #[error("the new position's commitment does not open")]
    PositionOpening,
    /// The new delivery's commitment does not open.
    #[error("the new delivery's commitment does not open")]
    DeliveryOpening,
    /// The deadline is in the past or too far away.
    #[error("the deadline must lie between now and 2^22 seconds from now")]
    DeadlineBounded,
    /// The disclosure to the transfer agent is wrong.
    #[error("the disclosure to the transfer agent is wrong")]
    Disclosure,
}

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
    times_in_range: bool,
}

/// `a < b` for times, or `None` where the difference leaves 41 bits.
fn earlier(a: Fr, b: Fr) -> Option<bool> {
    let offset = Fr::from(1u64 << TIME_BITS);
    let shifted = a - b + offset;
    fits(&shifted, TIME_BITS + 1).then(|| shifted.into_bigint() < offset.into_bigint())
}

fn pick(condition: bool, value: Fr) -> Fr {
    if condition { value } else { Fr::from(0u8) }
}

impl Witness {
    /// Evaluates the transfer without judging it. Comparisons that leave their range count as
    /// false; [`check`] refuses them.
    pub fn evaluate(&self, now: u64, redeemed: u64) -> Evaluation {
        let secret = self.key_bits.iter().rev().fold(Scalar::ONE, |acc, bit| {
            acc.double() + if *bit { Scalar::ONE } else { Scalar::ZERO }
        });
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

/// The statement `transfer`.
#[derive(Debug)]
pub struct Transfer;

impl Statement for Transfer {
    const NAME: &'static str = "transfer";
    const ID: u32 = 1;
    const PUBLIC_INPUTS: usize = 17;
    type Public = PublicInputs;
    type Witness = Witness;
    type Violation = Violation;

    fn inputs(public: &PublicInputs) -> Vec<Fr> {
        vec![
            public.position_root.get(),
            public.delivery_root.get(),
            public.registry_root.get(),
            public.sanctions_root.get(),
            public.policy.get(),
            Fr::from(public.now),
            public.nf_position.get(),
            public.nf_delivery.get(),
            public.cm_position.get(),
            public.cm_delivery.get(),
            public.receipt.get(),
            public.holders_delta.field(),
            Fr::from(public.redeemed),
            public.disclosure[0],
            public.disclosure[1],
            public.disclosure[2],
            public.binding,
        ]
    }

    fn check(public: &PublicInputs, witness: &Witness) -> Result<(), Violation> {
        check(public, witness)
    }
}

/// Checks every clause in the order of spec §7; the first violated one is the error.
pub fn check(public: &PublicInputs, witness: &Witness) -> Result<(), Violation> {
    use Violation as V;
    let ensure = |holds: bool, violation: V| if holds { Ok(()) } else { Err(violation) };
    let now = Fr::from(public.now);
    let one = Fr::from(1u8);
    let policy = &witness.policy;
    let evaluation = witness.evaluate(public.now, public.redeemed);

    ensure(policy.hash() == public.policy, V::PolicyOpening)?;
    ensure(key_is_provable(&witness.key_bits), V::HolderKey)?;

    // Identity.
    let identity = &witness.identity;
    let credential = &identity.credential;
    let leaf = credential::leaf(identity.attestor, credential.inner());
    ensure(
        credential.holder == evaluation.holder.get()
            && fits(&credential.jurisdiction, JURISDICTION_BITS)
            && identity.path.root(leaf) == public.registry_root.get(),
        V::IdentityMember,
    )?;
    ensure(policy.attestors.identity.contains(&identity.attestor), V::IdentityAttestorTrusted)?;
    ensure(fits(&(credential.expires_at - now - one), TIME_BITS), V::IdentityNotExpired)?;
    ensure(
        fits(&credential.risk, 8) && fits(&(Fr::from(policy.max_risk) - credential.risk), 8),
        V::RiskAcceptable,
    )?;
    ensure(
        witness.gap_path.root(witness.gap.leaf()) == public.sanctions_root.get()
            && fits(&(credential.subject - witness.gap.lo - one), SUBJECT_BITS)
            && fits(&(witness.gap.hi - credential.subject - one), SUBJECT_BITS),
        V::NotSanctioned,
    )?;

    // Ownership.
    let old = &witness.position;
    let cm_old = old.position.commit(policy.asset, evaluation.holder, &evaluation.nk);
    let spends_something_real = if old.genesis {
        old.position == Position::genesis()
    } else {
        old.path.root(cm_old.get()) == public.position_root.get()
    };
    ensure(
        spends_something_real && evaluation.nf_position == public.nf_position,
        V::PositionMember,
    )?;
    let incoming = &witness.incoming;
    let mode = incoming.mode;
    let leaf = match mode {
        Mode::Settle => incoming.key.receipt(evaluation.cm_incoming).get(),
        _ => evaluation.cm_incoming.get(),
    };
    ensure(
        (mode == Mode::Absent || incoming.path.root(leaf) == public.delivery_root.get())
            && evaluation.nf_delivery == public.nf_delivery,
        V::DeliveryMember,
    )?;
    let authorised = match mode {
        Mode::Absent => true,
        Mode::Accept => {
            incoming.delivery.owner_tag == incoming.key.owner_tag(evaluation.holder).get()
        }
        Mode::Refund | Mode::Settle => {
            incoming.delivery.refund_tag == incoming.key.refund_tag(&evaluation.nk).get()
        }
    };
    let due = mode != Mode::Refund || fits(&(now - incoming.delivery.deadline), TIME_BITS);
    ensure(authorised && due, V::DeliveryAuthorised)?;
    ensure(evaluation.receipt == public.receipt, V::ReceiptOpening)?;
    let next = &evaluation.next;
    ensure(
        [next.balance, next.in_flight, witness.outgoing.amount].iter().all(|v| fits(v, 64)),
        V::ValueConserved,
    )?;
    ensure(
        evaluation.times_in_range
            && fits(&next.locked, 64)
            && fits(&(next.balance - next.locked), 64)
            && fits(&next.unlock_at, TIME_BITS),
        V::LockRespected,
    )?;

    // Compliance of an acquirer. A filler credential still has the shape of one.
    ensure(
        fits(&witness.investor.credential.categories, 16)
            && fits(&witness.investor.credential.capital, 64),
        V::InvestorMember,
    )?;
    if mode == Mode::Accept {
        check_acquirer(public, witness, &evaluation)?;
    }

    // Outputs.
    ensure(evaluation.holders_delta == public.holders_delta, V::HoldersDelta)?;
    ensure(evaluation.cm_position == public.cm_position, V::PositionOpening)?;
    ensure(evaluation.cm_delivery == public.cm_delivery, V::DeliveryOpening)?;
    ensure(fits(&(witness.outgoing.deadline - now), DEADLINE_BITS), V::DeadlineBounded)?;
    ensure(evaluation.disclosure == public.disclosure, V::Disclosure)
}

/// The clauses that bind on acceptance only: a refund or a settlement never raises what is held.
fn check_acquirer(
    public: &PublicInputs,
    witness: &Witness,
    evaluation: &Evaluation,
) -> Result<(), Violation> {
    use Violation as V;
    let ensure = |holds: bool, violation: V| if holds { Ok(()) } else { Err(violation) };
    let policy = &witness.policy;
    let rule = &witness.rule;
    let index = to_u64(&witness.identity.credential.jurisdiction).unwrap_or(u64::MAX);
    let rule_path = Path { index, siblings: witness.rule_path.siblings };
    ensure(
        rule.allowed && rule_path.root(rule.pack()) == policy.rules_root.get(),
        V::JurisdictionAllowed,
    )?;

    let investor = &witness.investor;
    let credential = &investor.credential;
    if rule.any_of != Categories::default() || policy.capital_rule {
        let leaf = credential::leaf(investor.attestor, credential.inner());
        let one = Fr::from(1u8);
        ensure(
            credential.holder == evaluation.holder.get()
                && investor.path.root(leaf) == public.registry_root.get(),
            V::InvestorMember,
        )?;
        ensure(policy.attestors.investor.contains(&investor.attestor), V::InvestorAttestorTrusted)?;
        ensure(
            fits(&(credential.expires_at - Fr::from(public.now) - one), TIME_BITS),
            V::InvestorNotExpired,
        )?;
    }
    let categories = to_u64(&credential.categories).unwrap_or(0);
    ensure(
        rule.any_of == Categories::default() || categories & u64::from(rule.any_of.0) != 0,
        V::InvestorEligible,
    )?;
    let held = evaluation.next.balance + evaluation.next.in_flight;
    if policy.capital_rule {
        let worth = held * Fr::from(policy.unit_price) * Fr::from(CAPITAL_SCALE);
        let allowed = credential.capital * Fr::from(policy.capital_bps);
        ensure(fits(&(allowed - worth), CAPITAL_BITS), V::CapitalSufficient)?;
    }
    ensure(fits(&(Fr::from(rule.max_holding) - held), 64), V::HoldingWithinLimit)
}

/// Basis points in one.
pub const CAPITAL_SCALE: u64 = 10_000;
/// `capital · capital_bps` is below `2^96`, so a non-negative difference is too. The other side is
/// below `2^143`, so the difference never wraps around the modulus.
pub const CAPITAL_BITS: u32 = 96;

/// Whether the in-circuit scalar multiplication has a satisfying witness for these bits: the four
/// scalars 0, 1, -1 and -2 modulo ℓ have none.
fn key_is_provable(bits: &[bool; KEY_BITS]) -> bool {
    let secret = bits
        .iter()
        .rev()
        .fold(Scalar::ONE, |acc, bit| acc.double() + if *bit { Scalar::ONE } else { Scalar::ZERO });
    SecretKey::from_scalar(secret).is_ok()
}
