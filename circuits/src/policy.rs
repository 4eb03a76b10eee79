//! Policies and jurisdiction rules in-circuit. Spec §5. Twin: `protocol/src/policy.rs`.

use ark_bn254::Fr;
use ark_relations::gr1cs::SynthesisError;
use placet_protocol::field::AttestorId;
use placet_protocol::policy::{Policy, RULE_BITS, Rule};
use placet_protocol::tag::Tag;

use crate::builder::{Bit, Builder, Interpreter, Var, as_field, weigh};
use crate::poseidon::hash;

/// The opening of the policy in force.
pub struct PolicyVar<I: Interpreter> {
    /// The asset.
    pub asset: Var<I>,
    /// The transfer agent's viewing key; validators checked it when the asset was registered.
    pub agent: [Var<I>; 2],
    /// Trusted for identity.
    pub identity_attestors: Vec<Var<I>>,
    /// Trusted for investor credentials.
    pub investor_attestors: Vec<Var<I>>,
    /// Root of the jurisdiction rules.
    pub rules_root: Var<I>,
    /// 8 bits: validators recompute the hash from a published byte.
    pub max_risk: Var<I>,
    /// 64 bits, likewise.
    pub unit_price: Var<I>,
    /// 32 bits, likewise.
    pub capital_bps: Var<I>,
    /// Whether holders are counted.
    pub count_holders: Var<I>,
    /// Whether the capital rule binds.
    pub capital_rule: Var<I>,
}

impl<I: Interpreter> PolicyVar<I> {
    /// Allocates the fields; the two flags are boolean.
    pub fn new(builder: &Builder<I>, policy: &Policy) -> Result<Self, SynthesisError> {
        let places = |ids: &[AttestorId]| {
            ids.iter().map(|id| builder.input(id.get())).collect::<Result<Vec<_>, _>>()
        };
        Ok(Self {
            asset: builder.input(policy.asset.get())?,
            agent: [builder.input(policy.agent.x())?, builder.input(policy.agent.y())?],
            identity_attestors: places(&policy.attestors.identity)?,
            investor_attestors: places(&policy.attestors.investor)?,
            rules_root: builder.input(policy.rules_root.get())?,
            max_risk: builder.input(Fr::from(policy.max_risk))?,
            unit_price: builder.input(Fr::from(policy.unit_price))?,
            capital_bps: builder.input(Fr::from(policy.capital_bps))?,
            count_holders: as_field(&builder.input_bit(policy.count_holders)?),
            capital_rule: as_field(&builder.input_bit(policy.capital_rule)?),
        })
    }

    /// `H(POLICY; …)`.
    pub fn hash(&self, builder: &Builder<I>) -> Result<Var<I>, SynthesisError> {
        let trusted: Vec<_> =
            self.identity_attestors.iter().chain(&self.investor_attestors).collect();
        let attestors = hash(builder, Tag::Trusted, &trusted)?;
        let flags = &self.count_holders + &self.capital_rule * Fr::from(2u8);
        hash(
            builder,
            Tag::Policy,
            &[
                &self.asset,
                &self.agent[0],
                &self.agent[1],
                &attestors,
                &self.rules_root,
                &self.max_risk,
                &self.unit_price,
                &self.capital_bps,
                &flags,
            ],
        )
    }
}

/// A packed rule, taken apart: its fields are sums of its own bits, so no other rule has this leaf.
pub struct RuleVar<I: Interpreter> {
    bits: Vec<Bit<I>>,
}

impl<I: Interpreter> RuleVar<I> {
    /// Allocates the bits of the packed rule.
    pub fn new(builder: &Builder<I>, rule: &Rule) -> Result<Self, SynthesisError> {
        let packed = u128::from(rule.allowed)
            | u128::from(rule.any_of.0) << 1
            | u128::from(rule.lockup) << 17
            | u128::from(rule.max_holding) << 49;
        let bits = (0..RULE_BITS)
            .map(|i| builder.input_bit(packed >> i & 1 == 1))
            .collect::<Result<_, _>>()?;
        Ok(Self { bits })
    }

    /// The leaf.
    pub fn leaf(&self) -> Var<I> {
        weigh(&self.bits)
    }
    /// Whether residents may acquire.
    pub fn allowed(&self) -> Var<I> {
        as_field(&self.bits[0])
    }
    /// The 16 bits of the category mask.
    pub fn any_of(&self) -> &[Bit<I>] {
        &self.bits[1..17]
    }
    /// Seconds, 32 bits.
    pub fn lockup(&self) -> Var<I> {
        weigh(&self.bits[17..49])
    }
    /// Units, 64 bits.
    pub fn max_holding(&self) -> Var<I> {
        weigh(&self.bits[49..])
    }
}
