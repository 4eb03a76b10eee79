//! A policy as an issuer publishes it: everything from which the ledger recomputes the proven part,
//! and the part enforced in the open. Spec §5, §9.

use std::collections::BTreeMap;

use crate::credential::{Categories, Jurisdiction, nobody};
use crate::field::{AssetId, AttestorId, RulesRoot};
use crate::genesis::{Checkpoint, MAX_AUTHORITIES};
use crate::keys::PublicKey;
use crate::policy::{Policy, Rule, Rules, TRUSTED_PLACES, TrustedAttestors};
use crate::wire::{DecodeError, Reader, Wire, Writer};

/// Most jurisdictions that a policy can name: every country with as many subdivisions. Everybody
/// builds the tree of the rules.
pub const MAX_RULES: usize = 512;
/// All of the capital, in basis points.
pub const MAX_CAPITAL_BPS: u32 = 10_000;

/// How many distinct authorities must approve, per checkpoint; one not named needs none. The
/// effective number is the smaller of this and the holders of the mandate.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EndorsementRule(BTreeMap<Checkpoint, u8>);

impl EndorsementRule {
    /// A rule from numbers per checkpoint; zeros are dropped. `None` above 64.
    pub fn new(required: BTreeMap<Checkpoint, u8>) -> Option<Self> {
        let required: BTreeMap<_, _> = required.into_iter().filter(|(_, n)| *n > 0).collect();
        required.values().all(|n| usize::from(*n) <= MAX_AUTHORITIES).then_some(Self(required))
    }
    /// Checkpoints with the number of authorities that must approve, in order of checkpoints.
    pub fn iter(&self) -> impl Iterator<Item = (Checkpoint, u8)> + '_ {
        self.0.iter().map(|(checkpoint, n)| (*checkpoint, *n))
    }
    /// The number for one checkpoint.
    pub fn required(&self, checkpoint: Checkpoint) -> u8 {
        self.0.get(&checkpoint).copied().unwrap_or(0)
    }
}

impl Wire for EndorsementRule {
    fn write(&self, out: &mut Writer) {
        for checkpoint in Checkpoint::ALL {
            out.u8(self.required(checkpoint));
        }
    }
    fn read(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let mut required = BTreeMap::new();
        for checkpoint in Checkpoint::ALL {
            required.insert(checkpoint, input.u8()?);
        }
        Self::new(required).ok_or(DecodeError::OutOfRange)
    }
}

/// A currency's code, ISO 4217: three capital letters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Currency([u8; 3]);

/// The text is not a currency code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a currency is three capital letters, as in \"EUR\"")]
pub struct NotACurrency;

impl Currency {
    fn from_letters(letters: [u8; 3]) -> Option<Self> {
        letters.iter().all(u8::is_ascii_uppercase).then_some(Self(letters))
    }
}

impl std::str::FromStr for Currency {
    type Err = NotACurrency;
    fn from_str(text: &str) -> Result<Self, NotACurrency> {
        text.as_bytes().try_into().ok().and_then(Self::from_letters).ok_or(NotACurrency)
    }
}

impl std::fmt::Display for Currency {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(std::str::from_utf8(&self.0).expect("capital letters are ASCII"))
    }
}

impl Wire for Currency {
    fn write(&self, out: &mut Writer) {
        out.bytes(&self.0);
    }
    fn read(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Self::from_letters(input.array()?).ok_or(DecodeError::OutOfRange)
    }
}

/// What an issuer publishes. `count_holders` and the agent's key belong to the asset: no policy
/// changes them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublishedPolicy {
    /// Trusted for identity credentials: at most eight, distinct, in the issuer's order.
    pub identity_attestors: Vec<AttestorId>,
    /// Trusted for investor credentials: at most eight, distinct, in the issuer's order.
    pub investor_attestors: Vec<AttestorId>,
    /// Rules by jurisdiction; one not named is barred.
    pub rules: BTreeMap<Jurisdiction, Rule>,
    /// Highest acceptable risk class.
    pub max_risk: u8,
    /// Price of one smallest unit in minor units of the reference currency.
    pub unit_price: u64,
    /// Share of the capital that a holding may be worth, in basis points, at most 10,000.
    pub capital_bps: u32,
    /// Whether an acquirer must satisfy the capital rule.
    pub capital_rule: bool,
    /// What `unit_price` and the holders' capital are in minor units of; needed by a capital rule.
    pub currency: Option<Currency>,
    /// Most holders at a time; needs an asset that counts them.
    pub max_holders: Option<u64>,
    /// Who must endorse a transfer.
    pub endorsement: EndorsementRule,
}

impl PublishedPolicy {
    /// The trusted attestors in their places.
    ///
    /// # Panics
    /// If there are more than eight of a kind, which neither [`Self::is_sound`] nor the decoder
    /// lets pass.
    pub fn trusted(&self) -> TrustedAttestors {
        TrustedAttestors::new(&self.identity_attestors, &self.investor_attestors)
            .expect("lists are bounded by the decoder")
    }

    /// Puts NOBODY in the place of a dismissed attestor.
    pub fn dismiss(&mut self, attestor: AttestorId) {
        for list in [&mut self.identity_attestors, &mut self.investor_attestors] {
            list.retain(|id| *id != attestor);
        }
    }

    /// The rules with their tree.
    pub fn rules(&self) -> Rules {
        Rules::new(self.rules.clone())
    }

    /// The part proven in zero knowledge, for one asset.
    pub fn proven(&self, asset: AssetId, agent: PublicKey, count_holders: bool) -> Policy {
        self.proven_with(self.rules().root(), asset, agent, count_holders)
    }

    /// As [`Self::proven`] for who knows the root of [`Self::rules`] already.
    pub fn proven_with(
        &self,
        rules_root: RulesRoot,
        asset: AssetId,
        agent: PublicKey,
        count_holders: bool,
    ) -> Policy {
        Policy {
            asset,
            agent,
            attestors: self.trusted(),
            rules_root,
            max_risk: self.max_risk,
            unit_price: self.unit_price,
            capital_bps: self.capital_bps,
            count_holders,
            capital_rule: self.capital_rule,
        }
    }

    /// Whether every bound holds that the encoding demands. A barred rule must be
    /// [`Rule::BARRED`], so that a policy has one encoding per meaning.
    pub fn is_sound(&self) -> bool {
        let lists = [&self.identity_attestors, &self.investor_attestors];
        lists.iter().all(|list| {
            let distinct = list.iter().enumerate().all(|(i, id)| !list[..i].contains(id));
            list.len() <= TRUSTED_PLACES && distinct && !list.contains(&nobody())
        }) && self.rules.len() <= MAX_RULES
            && self.rules.values().all(|rule| rule.allowed)
            && self.capital_bps <= MAX_CAPITAL_BPS
            && (self.currency.is_some() || !self.capital_rule)
    }
}

impl Wire for PublishedPolicy {
    fn write(&self, out: &mut Writer) {
        out.list(&self.identity_attestors);
        out.list(&self.investor_attestors);
        out.u32(u32::try_from(self.rules.len()).expect("there are 4096 jurisdictions"));
        for (jurisdiction, rule) in &self.rules {
            out.u16(jurisdiction.code());
            out.bool(rule.allowed);
            out.u16(rule.any_of.0);
            out.u32(rule.lockup);
            out.u64(rule.max_holding);
        }
        out.u8(self.max_risk);
        out.u64(self.unit_price);
        out.u32(self.capital_bps);
        out.bool(self.capital_rule);
        out.option(&self.currency);
        out.option(&self.max_holders);
        self.endorsement.write(out);
    }
    fn read(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let identity_attestors = input.list(TRUSTED_PLACES)?;
        let investor_attestors = input.list(TRUSTED_PLACES)?;
        let count = input.u32()? as usize;
        if count > MAX_RULES {
            return Err(DecodeError::TooLong);
        }
        let mut rules = BTreeMap::new();
        for _ in 0..count {
            let jurisdiction = Jurisdiction::new(input.u16()?).ok_or(DecodeError::OutOfRange)?;
            if rules.last_key_value().is_some_and(|(last, _)| *last >= jurisdiction) {
                return Err(DecodeError::OutOfRange);
            }
            let rule = Rule {
                allowed: input.bool()?,
                any_of: Categories(input.u16()?),
                lockup: input.u32()?,
                max_holding: input.u64()?,
            };
            rules.insert(jurisdiction, rule);
        }
        let policy = Self {
            identity_attestors,
            investor_attestors,
            rules,
            max_risk: input.u8()?,
            unit_price: input.u64()?,
            capital_bps: input.u32()?,
            capital_rule: input.bool()?,
            currency: input.option()?,
            max_holders: input.option()?,
            endorsement: EndorsementRule::read(input)?,
        };
        if policy.is_sound() { Ok(policy) } else { Err(DecodeError::OutOfRange) }
    }
}
