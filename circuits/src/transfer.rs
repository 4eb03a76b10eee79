//! The statement `transfer` as a rank-1 constraint system: one block per clause of spec §7, in its
//! order and under its names. Twin: `protocol/src/transfer/`.

use ark_bn254::Fr;
use ark_ff::Field;
use ark_relations::gr1cs::{ConstraintSystemRef, SynthesisError};
use placet_protocol::credential::{JURISDICTION_BITS, TIME_BITS};
use placet_protocol::delivery::DEADLINE_BITS;
use placet_protocol::example;
use placet_protocol::field::to_u64;
use placet_protocol::merkle::Path;
use placet_protocol::position::genesis_rho;
use placet_protocol::sanctions::SUBJECT_BITS;
use placet_protocol::statement::Statement;
use placet_protocol::tag::Tag;
use placet_protocol::transfer::{
    CAPITAL_BITS, CAPITAL_SCALE, Mode, PublicInputs, Transfer, Witness, two_to,
};

use crate::builder::{Builder, Interpreter, Trace, Var, as_field, not, weigh};
use crate::circuit::Circuit;
use crate::credential::{IdentityVar, InvestorVar, enforce_trusted};
use crate::delivery::DeliveryVar;
use crate::keys::KeyVar;
use crate::merkle::{index_bits, root};
use crate::policy::{PolicyVar, RuleVar};
use crate::poseidon::{cells, hash, hash_tagged};
use crate::position::PositionVar;
use crate::values::{self, Assignment};

impl Circuit for Transfer {
    fn build<I: Interpreter>(
        builder: &Builder<I>,
        public: &PublicInputs,
        witness: &Witness,
    ) -> Result<(), SynthesisError> {
        build(builder, public, witness)
    }

    // The two interpretations are named here, so that they are compiled here, with this crate's
    // optimisation, whichever crate proves.
    fn synthesize(
        cs: ConstraintSystemRef<Fr>,
        public: &PublicInputs,
        witness: &Witness,
    ) -> Result<(), SynthesisError> {
        build(&Builder::new(cs), public, witness)
    }

    fn assign(public: &PublicInputs, witness: &Witness) -> Result<Assignment, SynthesisError> {
        values::assign(|builder| build(builder, public, witness))
    }

    fn blank() -> (PublicInputs, Witness) {
        example::blank()
    }
}

/// The public inputs in the statement's order.
struct Public<I: Interpreter> {
    position_root: Var<I>,
    delivery_root: Var<I>,
    registry_root: Var<I>,
    sanctions_root: Var<I>,
    policy: Var<I>,
    now: Var<I>,
    nf_position: Var<I>,
    nf_delivery: Var<I>,
    cm_position: Var<I>,
    cm_delivery: Var<I>,
    receipt: Var<I>,
    holders_delta: Var<I>,
    redeemed: Var<I>,
    disclosure: [Var<I>; 3],
    binding: Var<I>,
}

impl<I: Interpreter> Public<I> {
    fn new(builder: &Builder<I>, public: &PublicInputs) -> Result<Self, SynthesisError> {
        let inputs = Transfer::inputs(public)
            .into_iter()
            .map(|value| builder.public(value))
            .collect::<Result<Vec<_>, _>>()?;
        let [
            position_root,
            delivery_root,
            registry_root,
            sanctions_root,
            policy,
            now,
            nf_position,
            nf_delivery,
            cm_position,
            cm_delivery,
            receipt,
            holders_delta,
            redeemed,
            disclosure_0,
            disclosure_1,
            disclosure_2,
            binding,
        ]: [Var<I>; Transfer::PUBLIC_INPUTS] =
            inputs.try_into().map_err(|_| SynthesisError::ArityMismatch)?;
        Ok(Self {
            position_root,
            delivery_root,
            registry_root,
            sanctions_root,
            policy,
            now,
            nf_position,
            nf_delivery,
            cm_position,
            cm_delivery,
            receipt,
            holders_delta,
            redeemed,
            disclosure: [disclosure_0, disclosure_1, disclosure_2],
            binding,
        })
    }
}

/// Synthesizes and says what was allocated and what each clause costs.
pub fn synthesize_traced(
    cs: ConstraintSystemRef<Fr>,
    public: &PublicInputs,
    witness: &Witness,
) -> Result<Trace, SynthesisError> {
    let builder = Builder::new(cs);
    build(&builder, public, witness)?;
    Ok(builder.into_trace())
}

/// Every clause, by any interpreter.
fn build<I: Interpreter>(
    b: &Builder<I>,
    public: &PublicInputs,
    witness: &Witness,
) -> Result<(), SynthesisError> {
    let public = Public::new(b, public)?;
    let zero = Var::zero();
    let now = &public.now;

    let policy = b.clause("PolicyOpening", || {
        let policy = PolicyVar::new(b, &witness.policy)?;
        policy.hash(b)?.enforce_equal(&public.policy)?;
        Ok(policy)
    })?;

    let (holder, nk) = b.clause("HolderKey", || {
        let key = KeyVar::new(b, &witness.key_bits)?;
        let holder = key.public_x(b)?;
        // pk is not the identity, whose x is 0; the bits already exclude it, one row says so.
        let _inverse = b.quotient(&Var::one(), &holder)?;
        let shared = key.agree_x(b, &policy.agent[0], &policy.agent[1])?;
        let nk = hash(b, Tag::NullifierKey, &[&shared, &policy.asset])?;
        Ok((holder, nk))
    })?;

    // --- Identity ---

    let (identity, identity_attestor, jurisdiction_bits) = b.clause("IdentityMember", || {
        let identity = IdentityVar::new(b, &witness.identity.credential)?;
        let attestor = b.input(witness.identity.attestor.get())?;
        let jurisdiction = b.bits(&identity.jurisdiction, JURISDICTION_BITS)?;
        let leaf = identity.leaf(b, &holder, &attestor)?;
        let path = &witness.identity.path;
        root(b, &leaf, path, &index_bits(b, path)?)?.enforce_equal(&public.registry_root)?;
        Ok((identity, attestor, jurisdiction))
    })?;
    b.clause("IdentityAttestorTrusted", || {
        enforce_trusted(&Var::one(), &identity_attestor, &policy.identity_attestors)
    })?;
    b.clause("IdentityNotExpired", || b.range(&(&identity.expires_at - now - Fr::ONE), TIME_BITS))?;
    b.clause("RiskAcceptable", || {
        b.range(&identity.risk, 8)?;
        b.range(&(&policy.max_risk - &identity.risk), 8)
    })?;
    b.clause("NotSanctioned", || {
        let (lo, hi) = (b.input(witness.gap.lo)?, b.input(witness.gap.hi)?);
        let leaf = hash(b, Tag::Gap, &[&lo, &hi])?;
        let path = &witness.gap_path;
        root(b, &leaf, path, &index_bits(b, path)?)?.enforce_equal(&public.sanctions_root)?;
        // lo and hi come from a list that validators rebuilt, so lo < hi ≤ 2^248 and neither
        // difference wraps around the modulus unnoticed.
        b.range(&(&identity.subject - &lo - Fr::ONE), SUBJECT_BITS)?;
        b.range(&(&hi - &identity.subject - Fr::ONE), SUBJECT_BITS)
    })?;

    // --- Ownership ---

    let (old, nf_position) = b.clause("PositionMember", || {
        let old = PositionVar::new(b, &witness.position.position)?;
        let genesis = as_field(&b.input_bit(witness.position.genesis)?);
        // The genesis flag only ever adds constraints: it replaces membership by a fixed opening.
        for empty in [&old.balance, &old.in_flight, &old.locked, &old.unlock_at] {
            b.equal_if(&genesis, empty, &zero)?;
        }
        b.equal_if(&genesis, &old.rho, &Var::constant(genesis_rho()))?;
        let leaf = old.commit(b, &policy.asset, &holder, &nk)?;
        let path = &witness.position.path;
        let found = root(b, &leaf, path, &index_bits(b, path)?)?;
        b.equal_if(&not(&genesis), &found, &public.position_root)?;
        let nullifier = old.nullifier(b, &nk)?;
        nullifier.enforce_equal(&public.nf_position)?;
        Ok((old, nullifier))
    })?;

    // The mode of the incoming slot, one-hot; absent is what remains.
    let slot = &witness.incoming;
    let [accept, refund, settle] = b.clause("DeliveryMember", || {
        let mut modes = Vec::new();
        for mode in [Mode::Accept, Mode::Refund, Mode::Settle] {
            modes.push(as_field(&b.input_bit(slot.mode == mode)?));
        }
        let some = &modes[0] + &modes[1] + &modes[2];
        some.mul_equals(&not(&some), &zero)?;
        modes.try_into().map_err(|_| SynthesisError::ArityMismatch)
    })?;
    let back = &refund + &settle;
    let some = &accept + &back;
    let taken_in = &accept + &refund;

    let (incoming, key, taken_receipt) = b.clause("DeliveryMember", || {
        // Amount and times need no range check here: accept, refund and settle open a commitment
        // whose maker's were checked, and an absent delivery moves nothing.
        let incoming = DeliveryVar::new(b, &slot.delivery)?;
        let key = b.input(slot.key.expose())?;
        let cm = incoming.commit(b, &policy.asset)?;
        let receipt = hash(b, Tag::Receipt, &[&key, &cm])?;
        let leaf = b.choose(&settle, &receipt, &cm);
        let found = root(b, &leaf, &slot.path, &index_bits(b, &slot.path)?)?;
        b.equal_if(&some, &found, &public.delivery_root)?;
        // One permutation serves H(DELIVERY_NF; k, cm), H(SETTLED; nk, cm) and
        // H(ABSENT; nk, cm_delivery).
        let tag = &taken_in * Tag::DeliveryNullifier.field()
            + &settle * Tag::Settled.field()
            + not(&some) * Tag::Absent.field();
        let secret = b.choose(&taken_in, &key, &nk);
        let spent = b.choose(&some, &cm, &public.cm_delivery);
        hash_tagged(b, &tag, &[&secret, &spent])?.enforce_equal(&public.nf_delivery)?;
        Ok((incoming, key, receipt))
    })?;

    b.clause("DeliveryAuthorised", || {
        // One permutation serves H(OWNER; pk.x, k) and H(REFUND; nk, k).
        let tag = &back * (Tag::Refund.field() - Tag::Owner.field()) + Tag::Owner.field();
        let party = b.choose(&back, &nk, &holder);
        let expected = hash_tagged(b, &tag, &[&party, &key])?;
        b.equal_if(&accept, &expected, &incoming.owner_tag)?;
        b.equal_if(&back, &expected, &incoming.refund_tag)?;
        let overdue = &refund * (now - &incoming.deadline);
        b.range(&overdue, TIME_BITS)
    })?;
    b.clause("ReceiptOpening", || {
        let none = hash(b, Tag::NoReceipt, &[&nk, &public.cm_delivery])?;
        b.choose(&accept, &taken_receipt, &none).enforce_equal(&public.receipt)
    })?;

    let (out_amount, balance, in_flight) = b.clause("ValueConserved", || {
        let out = b.input(witness.outgoing.amount)?;
        let taken = &taken_in * &incoming.amount;
        let returned = &back * &incoming.amount;
        let balance = &old.balance + taken - &out - &public.redeemed;
        let in_flight = &old.in_flight + &out - returned;
        for amount in [&out, &public.redeemed, &balance, &in_flight] {
            b.range(amount, 64)?;
        }
        Ok((out, balance, in_flight))
    })?;

    let rule = b.clause("JurisdictionAllowed", || RuleVar::new(b, &witness.rule))?;
    let (locked, unlock_at) = b.clause("LockRespected", || {
        let active = b.less_than(now, &old.unlock_at, TIME_BITS)?;
        let policy_lock = now + rule.lockup();
        let policy_later = b.less_than(&incoming.unlock_at, &policy_lock, TIME_BITS)?;
        let arrival_lock = b.choose(&policy_later, &policy_lock, &incoming.unlock_at);
        let arrives_locked = b.less_than(now, &arrival_lock, TIME_BITS)?;
        let locks = &accept * arrives_locked;
        let kept_lock = &active * &old.unlock_at;
        let new_lock = &locks * arrival_lock;
        let new_later = b.less_than(&kept_lock, &new_lock, TIME_BITS)?;
        let unlock_at = b.choose(&new_later, &new_lock, &kept_lock);
        let locked = active * &old.locked + locks * &incoming.amount;
        b.range(&locked, 64)?;
        b.range(&(&balance - &locked), 64)?;
        b.range(&unlock_at, TIME_BITS)?;
        Ok((locked, unlock_at))
    })?;

    // --- Compliance of an acquirer: a refund or a settlement never raises what is held ---

    b.clause("JurisdictionAllowed", || {
        b.equal_if(&accept, &rule.allowed(), &Var::one())?;
        // The children are laid out by the jurisdiction, as the native check does; a jurisdiction
        // that does not fit the index has failed IdentityMember.
        let index = to_u64(&witness.identity.credential.jurisdiction).unwrap_or(0);
        let path = Path { index, siblings: witness.rule_path.siblings };
        let found = root(b, &rule.leaf(), &path, &jurisdiction_bits)?;
        b.equal_if(&accept, &found, &policy.rules_root)
    })?;
    let (investor, category_bits, selective, needed) = b.clause("InvestorEligible", || {
        let investor = InvestorVar::new(b, &witness.investor.credential)?;
        let categories = b.bits(&investor.categories, 16)?;
        // Whether the rule asks for a category at all, and whether the acquirer is in one.
        let selective = not(&b.is_zero(&weigh(rule.any_of()))?);
        let either = &selective + &policy.capital_rule - &selective * &policy.capital_rule;
        let needed = &accept * either;
        Ok((investor, categories, selective, needed))
    })?;
    b.clause("InvestorEligible", || {
        let matches = category_bits
            .iter()
            .zip(rule.any_of())
            .map(|(category, wanted)| as_field(category) * as_field(wanted))
            .fold(Var::zero(), |sum, both| sum + both);
        let none = b.is_zero(&matches)?;
        b.equal_if(&(&accept * &selective), &none, &zero)
    })?;
    let investor_attestor = b.clause("InvestorMember", || {
        let attestor = b.input(witness.investor.attestor.get())?;
        let leaf = investor.leaf(b, &holder, &attestor)?;
        let path = &witness.investor.path;
        let found = root(b, &leaf, path, &index_bits(b, path)?)?;
        b.equal_if(&needed, &found, &public.registry_root)?;
        Ok(attestor)
    })?;
    b.clause("InvestorAttestorTrusted", || {
        enforce_trusted(&needed, &investor_attestor, &policy.investor_attestors)
    })?;
    b.clause("InvestorNotExpired", || {
        b.range(&(&needed * (&investor.expires_at - now - Fr::ONE)), TIME_BITS)
    })?;
    let held = &balance + &in_flight;
    b.clause("CapitalSufficient", || {
        b.range(&investor.capital, 64)?;
        let worth = &held * &policy.unit_price * Fr::from(CAPITAL_SCALE);
        let allowed = &investor.capital * &policy.capital_bps;
        let binds = &accept * &policy.capital_rule;
        b.range(&(binds * (allowed - worth)), CAPITAL_BITS)
    })?;
    b.clause("HoldingWithinLimit", || b.range(&(&accept * (rule.max_holding() - &held)), 64))?;

    // --- Outputs ---

    b.clause("HoldersDelta", || {
        let before = b.is_zero(&(&old.balance + &old.in_flight))?;
        let after = b.is_zero(&held)?;
        policy.count_holders.mul_equals(&(before - after), &public.holders_delta)
    })?;
    b.clause("PositionOpening", || {
        let next = PositionVar {
            balance,
            in_flight,
            locked: locked.clone(),
            unlock_at: unlock_at.clone(),
            rho: nf_position.clone(),
        };
        next.commit(b, &policy.asset, &holder, &nk)?.enforce_equal(&public.cm_position)
    })?;
    let (to, deadline) = b.clause("DeliveryOpening", || {
        let to = b.input(witness.outgoing.to)?;
        let deadline = b.input(witness.outgoing.deadline)?;
        let key = hash(b, Tag::DeliveryKey, &[&nk, &nf_position, &to, &identity.subject])?;
        let made = DeliveryVar {
            amount: out_amount.clone(),
            unlock_at: Var::zero(),
            deadline: deadline.clone(),
            owner_tag: hash(b, Tag::Owner, &[&to, &key])?,
            refund_tag: hash(b, Tag::Refund, &[&nk, &key])?,
        };
        made.commit(b, &policy.asset)?.enforce_equal(&public.cm_delivery)?;
        Ok((to, deadline))
    })?;
    b.clause("DeadlineBounded", || b.range(&(&deadline - now), DEADLINE_BITS))?;
    b.clause("Disclosure", || {
        let pads = cells(
            b,
            &Var::constant(Tag::Pad.field()),
            &[&nk, &public.cm_position, &public.cm_delivery],
        )?;
        let packed =
            &out_amount + &deadline * two_to(64) + &locked * two_to(104) + &unlock_at * two_to(168);
        for (i, message) in [&packed, &to, &identity.subject].into_iter().enumerate() {
            (message + &pads[i + 1]).enforce_equal(&public.disclosure[i])?;
        }
        Ok(())
    })?;
    b.clause("Binding", || {
        // The verifying equation already ties every public input to the proof; a row keeps the
        // input from dropping out of the matrices.
        let _square = &public.binding * &public.binding;
        Ok(())
    })
}
