//! An asset's policy: the part proven in zero knowledge. Spec §5. Twin: `circuits/src/policy.rs`.

use std::collections::BTreeMap;

use ark_bn254::Fr;

use crate::credential::{Categories, Jurisdiction, nobody};
use crate::field::{AssetId, AttestorId, PolicyHash, RulesRoot};
use crate::keys::PublicKey;
use crate::merkle::{Path, RULES_DEPTH, SparseTree};
use crate::poseidon::hash;
use crate::tag::Tag;

/// Places for attestors trusted with identity, and as many for investor credentials.
pub const TRUSTED_PLACES: usize = 8;
/// Bits of a packed rule: allowed 1, any_of 16, lockup 32, max_holding 64.
pub const RULE_BITS: usize = 1 + 16 + 32 + 64;

/// What one jurisdiction's residents must satisfy to acquire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rule {
    /// Whether residents may acquire at all.
    pub allowed: bool,
    /// At least one of these categories is needed; the empty set means anyone.
    pub any_of: Categories,
    /// Seconds for which an acquired unit stays locked.
    pub lockup: u32,
    /// Most units that one holder may hold, in the asset's smallest unit.
    pub max_holding: u64,
}

impl Rule {
    /// The rule of every jurisdiction that a policy does not name; packs to the empty leaf 0.
    pub const BARRED: Self =
        Self { allowed: false, any_of: Categories(0), lockup: 0, max_holding: 0 };

    /// The leaf: `allowed + any_of·2 + lockup·2^17 + max_holding·2^49`.
    pub fn pack(&self) -> Fr {
        let low =
            u64::from(self.allowed) | u64::from(self.any_of.0) << 1 | u64::from(self.lockup) << 17;
        Fr::from(u128::from(low) | u128::from(self.max_holding) << 49)
    }
}

/// The attestors a policy trusts; free places hold [`nobody`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TrustedAttestors {
    /// Trusted for identity credentials.
    pub identity: [AttestorId; TRUSTED_PLACES],
    /// Trusted for investor credentials.
    pub investor: [AttestorId; TRUSTED_PLACES],
}

impl TrustedAttestors {
    /// Fills the places in order; `None` if a list has more than eight.
    pub fn new(identity: &[AttestorId], investor: &[AttestorId]) -> Option<Self> {
        let fill = |ids: &[AttestorId]| {
            (ids.len() <= TRUSTED_PLACES)
                .then(|| std::array::from_fn(|i| ids.get(i).copied().unwrap_or_else(nobody)))
        };
        Some(Self { identity: fill(identity)?, investor: fill(investor)? })
    }

    /// Puts NOBODY in every place of a dismissed attestor.
    pub fn dismiss(&mut self, attestor: AttestorId) {
        for place in self.identity.iter_mut().chain(&mut self.investor) {
            if *place == attestor {
                *place = nobody();
            }
        }
    }

    /// `H(TRUSTED; i1..i8, v1..v8)`.
    pub fn hash(&self) -> Fr {
        let mut inputs = [Fr::from(0u8); 2 * TRUSTED_PLACES];
        for (input, id) in inputs.iter_mut().zip(self.identity.iter().chain(&self.investor)) {
            *input = id.get();
        }
        hash(Tag::Trusted, inputs)
    }
}

/// A policy as it is proven. The ledger recomputes its hash from published fields.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// The asset.
    pub asset: AssetId,
    /// The transfer agent's viewing key.
    pub agent: PublicKey,
    /// Whom the policy trusts.
    pub attestors: TrustedAttestors,
    /// Root of the tree of jurisdiction rules.
    pub rules_root: RulesRoot,
    /// Highest acceptable risk class.
    pub max_risk: u8,
    /// Price of one smallest unit in minor units of the reference currency, for the capital rule.
    pub unit_price: u64,
    /// Share of the capital that a holding may be worth, in basis points.
    pub capital_bps: u32,
    /// Whether changes in the number of holders are published. Fixed for the asset's life.
    pub count_holders: bool,
    /// Whether an acquirer must satisfy the capital rule.
    pub capital_rule: bool,
}

impl Policy {
    /// Bit 0 `count_holders`, bit 1 `capital_rule`.
    pub fn flags(&self) -> u8 {
        u8::from(self.count_holders) | u8::from(self.capital_rule) << 1
    }

    /// `H(POLICY; asset_id, agent.x, agent.y, attestors, rules_root, max_risk, unit_price,
    /// capital_bps, flags)`.
    pub fn hash(&self) -> PolicyHash {
        PolicyHash::new(hash(
            Tag::Policy,
            [
                self.asset.get(),
                self.agent.x(),
                self.agent.y(),
                self.attestors.hash(),
                self.rules_root.get(),
                Fr::from(self.max_risk),
                Fr::from(self.unit_price),
                Fr::from(self.capital_bps),
                Fr::from(self.flags()),
            ],
        ))
    }
}

/// The jurisdiction rules of one policy with their tree.
#[derive(Clone, Debug)]
pub struct Rules {
    rules: BTreeMap<Jurisdiction, Rule>,
    tree: SparseTree<RULES_DEPTH>,
}

impl Rules {
    /// Builds the tree.
    pub fn new(rules: BTreeMap<Jurisdiction, Rule>) -> Self {
        let tree = SparseTree::from_indexed(
            rules.iter().map(|(jurisdiction, rule)| (jurisdiction.code().into(), rule.pack())),
        );
        Self { rules, tree }
    }

    /// The root.
    pub fn root(&self) -> RulesRoot {
        RulesRoot::new(self.tree.root())
    }

    /// The rule of a jurisdiction; one that is not named is barred.
    pub fn get(&self, jurisdiction: Jurisdiction) -> Rule {
        self.rules.get(&jurisdiction).copied().unwrap_or(Rule::BARRED)
    }

    /// The named rules in order of their code.
    pub fn iter(&self) -> impl Iterator<Item = (Jurisdiction, Rule)> + '_ {
        self.rules.iter().map(|(jurisdiction, rule)| (*jurisdiction, *rule))
    }

    /// The path of a jurisdiction's rule.
    pub fn path(&self, jurisdiction: Jurisdiction) -> Path<RULES_DEPTH> {
        self.tree.path(jurisdiction.code().into())
    }
}
