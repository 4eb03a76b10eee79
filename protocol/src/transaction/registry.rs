//! Transactions of the registry: attestors, credentials, the sanctions list. Spec §4.

use ark_bn254::Fr;

use super::signed::{Message, Signed};
use crate::field::{AttestorId, CredentialInner, Subject, fits};
use crate::genesis::{ChainId, MAX_AUTHORITIES, MAX_NAME, name_is_valid};
use crate::merkle::SANCTIONS_DEPTH;
use crate::sanctions::SUBJECT_BITS;
use crate::sealed::SealedCredential;
use crate::signing::{BadSignature, Context, Signature, SigningKey, VerifyKey};
use crate::wire::{DecodeError, Reader, Wire, Writer};

/// Most subject tags beside one credential.
pub const MAX_SUBJECT_TAGS: usize = 16;
/// Most entries of a sanctions list: one gap more than entries must fit the tree.
pub const MAX_SANCTIONS: usize = (1 << (3 * SANCTIONS_DEPTH)) - 1;

/// An attestor to be admitted: its name in the federation and its key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Admission {
    /// Its name, unique on the network, at most [`MAX_NAME`] bytes.
    pub name: String,
    /// Its signing key, from which its id follows.
    pub key: VerifyKey,
}

impl Admission {
    /// An authority's approval, to be collected in [`AdmitAttestor::approvals`].
    pub fn approve(&self, chain: &ChainId, key: &SigningKey) -> Approval {
        Approval {
            authority: key.public(),
            signature: key.sign(chain, Context::AdmitAttestor, &self.to_wire()),
        }
    }
}

impl Wire for Admission {
    fn write(&self, out: &mut Writer) {
        out.text(&self.name);
        self.key.write(out);
    }
    fn read(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let name = input.text(MAX_NAME)?;
        if !name_is_valid(&name) {
            return Err(DecodeError::OutOfRange);
        }
        Ok(Self { name, key: VerifyKey::read(input)? })
    }
}

/// One authority's signature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Approval {
    /// Who approves.
    pub authority: VerifyKey,
    /// Over the admission.
    pub signature: Signature,
}

impl Wire for Approval {
    fn write(&self, out: &mut Writer) {
        self.authority.write(out);
        self.signature.write(out);
    }
    fn read(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self { authority: VerifyKey::read(input)?, signature: Signature::read(input)? })
    }
}

/// Admits an attestor by a majority of the sitting authorities.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AdmitAttestor {
    /// Whom.
    pub admission: Admission,
    /// The attestor's own signature: it holds the key.
    pub possession: Signature,
    /// Signatures of authorities, in ascending order of their keys, each at most once.
    pub approvals: Vec<Approval>,
}

impl AdmitAttestor {
    /// Signs possession and sorts the approvals.
    pub fn new(
        admission: Admission,
        mut approvals: Vec<Approval>,
        chain: &ChainId,
        key: &SigningKey,
    ) -> Self {
        approvals.sort_by_key(|approval| approval.authority);
        approvals.dedup_by_key(|approval| approval.authority);
        let possession = key.sign(chain, Context::AttestorPossession, &admission.to_wire());
        Self { admission, possession, approvals }
    }

    /// Verifies the attestor's signature and every approval; whether the approving keys are
    /// sitting authorities, and enough of them, is for the ledger to say.
    ///
    /// # Errors
    /// [`BadSignature`] if any of them fails.
    pub fn verify(&self, chain: &ChainId) -> Result<(), BadSignature> {
        let message = self.admission.to_wire();
        let own = &self.admission.key;
        own.verify(chain, Context::AttestorPossession, &message, &self.possession)?;
        self.approvals.iter().try_for_each(|approval| {
            let key = &approval.authority;
            key.verify(chain, Context::AdmitAttestor, &message, &approval.signature)
        })
    }
}

impl Wire for AdmitAttestor {
    fn write(&self, out: &mut Writer) {
        self.admission.write(out);
        self.possession.write(out);
        out.list(&self.approvals);
    }
    fn read(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let admission = Admission::read(input)?;
        let possession = Signature::read(input)?;
        let approvals = input.list::<Approval>(MAX_AUTHORITIES)?;
        if !approvals.is_sorted_by(|a, b| a.authority < b.authority) {
            return Err(DecodeError::OutOfRange);
        }
        Ok(Self { admission, possession, approvals })
    }
}

/// A keyed fingerprint of one identifier of a person; free again after `valid_until`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SubjectTag {
    /// HMAC-SHA-256(federation key, Argon2id(identifier)).
    pub tag: [u8; 32],
    /// Seconds since the Unix epoch.
    pub valid_until: u64,
}

impl Wire for SubjectTag {
    fn write(&self, out: &mut Writer) {
        out.bytes(&self.tag);
        out.u64(self.valid_until);
    }
    fn read(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self { tag: input.array()?, valid_until: input.u64()? })
    }
}

/// What makes one person have one key: beside identity credentials only.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UniquenessTags {
    /// HMAC-SHA-256(federation key, pk.x).
    pub holder: [u8; 32],
    /// One per identifier and document seen; at least one, ascending, distinct tags.
    pub subjects: Vec<SubjectTag>,
}

impl UniquenessTags {
    /// Sorts the subject tags and drops repeated ones.
    pub fn new(holder: [u8; 32], mut subjects: Vec<SubjectTag>) -> Self {
        subjects.sort();
        subjects.dedup_by_key(|subject| subject.tag);
        Self { holder, subjects }
    }
}

impl Wire for UniquenessTags {
    fn write(&self, out: &mut Writer) {
        out.bytes(&self.holder);
        out.list(&self.subjects);
    }
    fn read(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let holder = input.array()?;
        let subjects = input.list::<SubjectTag>(MAX_SUBJECT_TAGS)?;
        if subjects.is_empty() || !subjects.is_sorted_by(|a, b| a.tag < b.tag) {
            return Err(DecodeError::OutOfRange);
        }
        Ok(Self { holder, subjects })
    }
}

/// An attestor puts a credential into the registry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Issue {
    /// Who issues; validators check the signature by this attestor's admitted key.
    pub attestor: AttestorId,
    /// Above that of every message of the attestor before; at least 1.
    pub sequence: u64,
    /// The commitment, not yet wrapped.
    pub inner: CredentialInner,
    /// With identity credentials.
    pub tags: Option<UniquenessTags>,
    /// The credential for its holder.
    pub sealed: SealedCredential,
}

impl Issue {
    /// The leaf that is appended: wrapped with the id of the authenticated attestor.
    pub fn leaf(&self) -> Fr {
        crate::credential::leaf(self.attestor, self.inner)
    }

    fn write_head(&self, out: &mut Writer) {
        self.attestor.write(out);
        out.u64(self.sequence);
        self.inner.write(out);
        out.option(&self.tags);
    }
}

impl Message for Issue {
    const CONTEXT: Context = Context::IssueCredential;
    fn signed_content(&self) -> Vec<u8> {
        let mut out = Writer::default();
        self.write_head(&mut out);
        out.bytes(&self.sealed.hash());
        out.into_bytes()
    }
}

impl Wire for Issue {
    fn write(&self, out: &mut Writer) {
        self.write_head(out);
        self.sealed.write(out);
    }
    fn read(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            attestor: AttestorId::read(input)?,
            sequence: input.u64()?,
            inner: CredentialInner::read(input)?,
            tags: input.option()?,
            sealed: SealedCredential::read(input)?,
        })
    }
}

/// An attestor takes back a credential it issued.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Revoke {
    /// Who revokes.
    pub attestor: AttestorId,
    /// Above that of every message of the attestor before; at least 1.
    pub sequence: u64,
    /// Index of the leaf in the registry.
    pub leaf: u64,
    /// Closes the window of older roots at once; counts against the attestor's quota.
    pub urgent: bool,
}

impl Message for Revoke {
    const CONTEXT: Context = Context::RevokeCredential;
}

impl Wire for Revoke {
    fn write(&self, out: &mut Writer) {
        self.attestor.write(out);
        out.u64(self.sequence);
        out.u64(self.leaf);
        out.bool(self.urgent);
    }
    fn read(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            attestor: AttestorId::read(input)?,
            sequence: input.u64()?,
            leaf: input.u64()?,
            urgent: input.bool()?,
        })
    }
}

/// The publisher replaces the sanctions list. Validators rebuild the tree from it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sanctions {
    /// One more than the version in force; the first is 1.
    pub version: u64,
    /// Closes the window of older roots at once.
    pub urgent: bool,
    /// Every listed document: ascending, distinct, below `2^248`, not zero.
    pub subjects: Vec<Subject>,
}

impl Sanctions {
    /// Sorts the list and removes repetitions and zero. `None` if it does not fit the tree.
    pub fn new(version: u64, urgent: bool, mut subjects: Vec<Subject>) -> Option<Self> {
        subjects.sort_unstable();
        subjects.dedup();
        subjects.retain(|subject| subject.get() != Fr::from(0u8));
        (subjects.len() <= MAX_SANCTIONS).then_some(Self { version, urgent, subjects })
    }
}

impl Message for Sanctions {
    const CONTEXT: Context = Context::PublishSanctions;
}

impl Wire for Sanctions {
    fn write(&self, out: &mut Writer) {
        out.u64(self.version);
        out.bool(self.urgent);
        out.list(&self.subjects);
    }
    fn read(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let version = input.u64()?;
        let urgent = input.bool()?;
        let subjects = input.list::<Subject>(MAX_SANCTIONS)?;
        let in_range =
            subjects.iter().all(|s| s.get() != Fr::from(0u8) && fits(&s.get(), SUBJECT_BITS));
        if !in_range || !subjects.is_sorted_by(|a, b| a < b) {
            return Err(DecodeError::OutOfRange);
        }
        Ok(Self { version, urgent, subjects })
    }
}

/// See [`Issue`].
pub type IssueCredential = Signed<Issue>;
/// See [`Revoke`].
pub type RevokeCredential = Signed<Revoke>;
/// See [`Sanctions`].
pub type PublishSanctions = Signed<Sanctions>;
