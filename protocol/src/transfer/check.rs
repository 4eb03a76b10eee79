//! The native check: every clause with its own error. Spec §7.

use ark_bn254::Fr;

use crate::credential::{self, Categories, JURISDICTION_BITS, TIME_BITS};
use crate::delivery::DEADLINE_BITS;
use crate::field::{fits, to_u64};
use crate::keys::SecretKey;
use crate::merkle::Path;
use crate::position::Position;
use crate::sanctions::SUBJECT_BITS;
use crate::transfer::evaluate::secret_scalar;
use crate::transfer::{Evaluation, Mode, PublicInputs, Witness};

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

/// Checks every clause in the order of spec §7; the first violated one is the error.
pub fn check(public: &PublicInputs, witness: &Witness) -> Result<(), Violation> {
    use Violation as V;
    let ensure = |holds: bool, violation: V| if holds { Ok(()) } else { Err(violation) };
    let now = Fr::from(public.now);
    let one = Fr::from(1u8);
    let policy = &witness.policy;
    let evaluation = witness.evaluate(public.now, public.redeemed);

    ensure(policy.hash() == public.policy, V::PolicyOpening)?;
    // The in-circuit multiplication has no satisfying witness for 0, 1, -1 and -2.
    ensure(SecretKey::from_scalar(secret_scalar(&witness.key_bits)).is_ok(), V::HolderKey)?;

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
