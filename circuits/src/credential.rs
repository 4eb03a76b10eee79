//! Credentials in-circuit. Spec §4. Twin: `protocol/src/credential.rs`.

use ark_bn254::Fr;
use ark_r1cs_std::eq::EqGadget;
use ark_r1cs_std::fields::fp::FpVar;
use ark_relations::gr1cs::SynthesisError;
use placet_protocol::credential::{IdentityCredential, InvestorCredential};
use placet_protocol::tag::Tag;

use crate::builder::Builder;
use crate::poseidon::hash;

/// An identity credential of the prover.
pub struct IdentityVar {
    /// 248 bits once NotSanctioned holds.
    pub subject: FpVar<Fr>,
    /// See [`IdentityCredential::jurisdiction`].
    pub jurisdiction: FpVar<Fr>,
    /// See [`IdentityCredential::risk`].
    pub risk: FpVar<Fr>,
    /// See [`IdentityCredential::expires_at`].
    pub expires_at: FpVar<Fr>,
    salt: FpVar<Fr>,
}

impl IdentityVar {
    /// Allocates all fields but the holder: that is the prover's own key.
    pub fn new(builder: &Builder, credential: &IdentityCredential) -> Result<Self, SynthesisError> {
        Ok(Self {
            subject: builder.input(credential.subject)?,
            jurisdiction: builder.input(credential.jurisdiction)?,
            risk: builder.input(credential.risk)?,
            expires_at: builder.input(credential.expires_at)?,
            salt: builder.input(credential.salt)?,
        })
    }

    /// The registry leaf of this credential, held by `holder` and vouched for by `attestor`.
    pub fn leaf(
        &self,
        builder: &Builder,
        holder: &FpVar<Fr>,
        attestor: &FpVar<Fr>,
    ) -> Result<FpVar<Fr>, SynthesisError> {
        let inner = hash(
            builder,
            Tag::Identity,
            &[holder, &self.subject, &self.jurisdiction, &self.risk, &self.expires_at, &self.salt],
        )?;
        hash(builder, Tag::Credential, &[attestor, &inner])
    }
}

/// An investor credential of the prover.
pub struct InvestorVar {
    /// See [`InvestorCredential::categories`].
    pub categories: FpVar<Fr>,
    /// See [`InvestorCredential::capital`].
    pub capital: FpVar<Fr>,
    /// See [`InvestorCredential::expires_at`].
    pub expires_at: FpVar<Fr>,
    salt: FpVar<Fr>,
}

impl InvestorVar {
    /// Allocates all fields but the holder: that is the prover's own key.
    pub fn new(builder: &Builder, credential: &InvestorCredential) -> Result<Self, SynthesisError> {
        Ok(Self {
            categories: builder.input(credential.categories)?,
            capital: builder.input(credential.capital)?,
            expires_at: builder.input(credential.expires_at)?,
            salt: builder.input(credential.salt)?,
        })
    }

    /// The registry leaf of this credential, held by `holder` and vouched for by `attestor`.
    pub fn leaf(
        &self,
        builder: &Builder,
        holder: &FpVar<Fr>,
        attestor: &FpVar<Fr>,
    ) -> Result<FpVar<Fr>, SynthesisError> {
        let inner = hash(
            builder,
            Tag::Investor,
            &[holder, &self.categories, &self.capital, &self.expires_at, &self.salt],
        )?;
        hash(builder, Tag::Credential, &[attestor, &inner])
    }
}

/// `gate · Π (id − place) = 0`: where the gate is 1, `id` is one of the eight. Eight rows and one
/// for the gate.
pub fn enforce_trusted(
    gate: &FpVar<Fr>,
    id: &FpVar<Fr>,
    places: &[FpVar<Fr>],
) -> Result<(), SynthesisError> {
    let product = places.iter().fold(gate.clone(), |product, place| product * (id - place));
    product.enforce_equal(&FpVar::Constant(Fr::from(0u8)))
}
