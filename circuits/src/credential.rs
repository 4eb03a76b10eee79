//! Credentials in-circuit. Spec §4. Twin: `protocol/src/credential.rs`.

use ark_relations::gr1cs::SynthesisError;
use placet_protocol::credential::{IdentityCredential, InvestorCredential};
use placet_protocol::tag::Tag;

use crate::builder::{Builder, Interpreter, Var};
use crate::poseidon::hash;

/// An identity credential of the prover.
pub struct IdentityVar<I: Interpreter> {
    /// 248 bits once NotSanctioned holds.
    pub subject: Var<I>,
    /// See [`IdentityCredential::jurisdiction`].
    pub jurisdiction: Var<I>,
    /// See [`IdentityCredential::risk`].
    pub risk: Var<I>,
    /// See [`IdentityCredential::expires_at`].
    pub expires_at: Var<I>,
    salt: Var<I>,
}

impl<I: Interpreter> IdentityVar<I> {
    /// Allocates all fields but the holder: that is the prover's own key.
    pub fn new(
        builder: &Builder<I>,
        credential: &IdentityCredential,
    ) -> Result<Self, SynthesisError> {
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
        builder: &Builder<I>,
        holder: &Var<I>,
        attestor: &Var<I>,
    ) -> Result<Var<I>, SynthesisError> {
        let inner = hash(
            builder,
            Tag::Identity,
            &[holder, &self.subject, &self.jurisdiction, &self.risk, &self.expires_at, &self.salt],
        )?;
        hash(builder, Tag::Credential, &[attestor, &inner])
    }
}

/// An investor credential of the prover.
pub struct InvestorVar<I: Interpreter> {
    /// See [`InvestorCredential::categories`].
    pub categories: Var<I>,
    /// See [`InvestorCredential::capital`].
    pub capital: Var<I>,
    /// See [`InvestorCredential::expires_at`].
    pub expires_at: Var<I>,
    salt: Var<I>,
}

impl<I: Interpreter> InvestorVar<I> {
    /// Allocates all fields but the holder: that is the prover's own key.
    pub fn new(
        builder: &Builder<I>,
        credential: &InvestorCredential,
    ) -> Result<Self, SynthesisError> {
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
        builder: &Builder<I>,
        holder: &Var<I>,
        attestor: &Var<I>,
    ) -> Result<Var<I>, SynthesisError> {
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
pub fn enforce_trusted<I: Interpreter>(
    gate: &Var<I>,
    id: &Var<I>,
    places: &[Var<I>],
) -> Result<(), SynthesisError> {
    let product = places.iter().fold(gate.clone(), |product, place| product * (id - place));
    product.enforce_equal(&Var::zero())
}
