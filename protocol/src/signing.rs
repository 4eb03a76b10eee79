//! Ed25519 signatures with one context per kind of message and the chain they belong to, verified
//! strictly. A signature over one kind, or on one network, is worth nothing for another. Spec §3.

use curve25519_dalek::traits::IsIdentity;
use curve25519_dalek::{EdwardsPoint, Scalar, edwards::CompressedEdwardsY};
use ed25519_dalek::Signer;
use sha2::{Digest, Sha512};

use crate::field::AttestorId;
use crate::genesis::ChainId;
use crate::wire::{DecodeError, Reader, Wire, Writer};

/// Bytes of a signature.
pub const SIGNATURE_BYTES: usize = 64;

/// What a signature is for. The text is part of what is signed and never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Context {
    /// An authority admits an attestor.
    AdmitAttestor,
    /// An attestor shows that it holds the key to be admitted.
    AttestorPossession,
    /// An attestor issues a credential.
    IssueCredential,
    /// An attestor revokes a credential.
    RevokeCredential,
    /// The sanctions publisher publishes a list.
    PublishSanctions,
    /// An issuer registers an asset.
    RegisterAssetIssuer,
    /// A transfer agent takes on an asset.
    RegisterAssetAgent,
    /// An issuer changes a policy.
    SetPolicy,
    /// An issuer allots units.
    MintIssuer,
    /// A transfer agent countersigns an allotment.
    MintAgent,
    /// A transfer agent countersigns a redemption.
    Redeem,
    /// A transfer agent freezes nullifiers.
    Freeze,
    /// A transfer agent releases nullifiers.
    Release,
    /// An issuer or agent pauses or resumes an asset.
    Pause,
    /// An issuer appoints a new signing key of the agent.
    RotateAgentIssuer,
    /// The new signing key of the agent shows possession.
    RotateAgentKey,
    /// An authority's verdict on a transaction.
    Assertion,
    /// A sitting authority approves a change among them.
    ChangeAuthorities,
    /// A sitting authority approves a change among the circuits.
    ChangeCircuits,
    /// A key to be appointed as an authority shows possession.
    AuthorityPossession,
}

impl Context {
    const fn label(self) -> &'static str {
        match self {
            Self::AdmitAttestor => "admit-attestor",
            Self::AttestorPossession => "attestor-possession",
            Self::IssueCredential => "issue-credential",
            Self::RevokeCredential => "revoke-credential",
            Self::PublishSanctions => "publish-sanctions",
            Self::RegisterAssetIssuer => "register-asset-issuer",
            Self::RegisterAssetAgent => "register-asset-agent",
            Self::SetPolicy => "set-policy",
            Self::MintIssuer => "mint-issuer",
            Self::MintAgent => "mint-agent",
            Self::Redeem => "redeem",
            Self::Freeze => "freeze",
            Self::Release => "release",
            Self::Pause => "pause",
            Self::RotateAgentIssuer => "rotate-agent-issuer",
            Self::RotateAgentKey => "rotate-agent-key",
            Self::Assertion => "assertion",
            Self::ChangeAuthorities => "change-authorities",
            Self::ChangeCircuits => "change-circuits",
            Self::AuthorityPossession => "authority-possession",
        }
    }
}

/// A signature does not verify.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the signature does not verify under this key, network and kind of message")]
pub struct BadSignature;

/// The scheme's name, the length-prefixed context, the chain, then the message.
fn signed_bytes(chain: &ChainId, context: Context, message: &[u8]) -> Vec<u8> {
    let label = context.label();
    let mut out = Writer::default();
    out.bytes(b"placet.signature.v1");
    out.u8(u8::try_from(label.len()).expect("labels are short"));
    out.bytes(label.as_bytes());
    out.bytes(&chain.0);
    out.bytes(message);
    out.into_bytes()
}

/// A signature; says nothing until it is verified.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Signature(pub [u8; SIGNATURE_BYTES]);

impl std::fmt::Debug for Signature {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Signature({})", hex::encode(self.0))
    }
}

impl Wire for Signature {
    fn write(&self, out: &mut Writer) {
        out.bytes(&self.0);
    }
    fn read(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self(input.array()?))
    }
}

/// The public key of an attestor, issuer, transfer agent, sanctions publisher or authority:
/// canonically encoded, on the curve, not of small order.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct VerifyKey(ed25519_dalek::VerifyingKey);

impl VerifyKey {
    /// Strict parse.
    ///
    /// # Errors
    /// [`DecodeError::InvalidPoint`] for anything but the canonical encoding of a usable key.
    pub fn from_bytes(bytes: &[u8; 32]) -> Result<Self, DecodeError> {
        let key = ed25519_dalek::VerifyingKey::from_bytes(bytes)
            .map_err(|_| DecodeError::InvalidPoint)?;
        // Decompression accepts a second encoding of a few points; ids hash the bytes.
        let canonical = key.to_edwards().compress().to_bytes() == *bytes;
        if canonical && !key.is_weak() { Ok(Self(key)) } else { Err(DecodeError::InvalidPoint) }
    }

    /// The 32-byte encoding.
    pub fn to_bytes(&self) -> [u8; 32] {
        self.0.to_bytes()
    }

    /// The id under which this key attests: `H(ATTESTOR; key_hi, key_lo)`.
    pub fn attestor_id(&self) -> AttestorId {
        crate::credential::attestor_id(&self.to_bytes())
    }

    /// Strict verification.
    ///
    /// # Errors
    /// [`BadSignature`] if it is not this key's signature over this kind of message on this chain.
    pub fn verify(
        &self,
        chain: &ChainId,
        context: Context,
        message: &[u8],
        signature: &Signature,
    ) -> Result<(), BadSignature> {
        let signature = ed25519_dalek::Signature::from_bytes(&signature.0);
        self.0
            .verify_strict(&signed_bytes(chain, context, message), &signature)
            .map_err(|_| BadSignature)
    }

    /// Verifies a consensus vote by the rules of ZIP 215, as the engine does. A stricter rule here
    /// would let one authority stop everybody else: the engine would take its odd signature into a
    /// certificate that no ledger accepts.
    pub(crate) fn verify_vote(
        &self,
        message: &[u8],
        signature: &Signature,
    ) -> Result<(), BadSignature> {
        let (r, s) = signature.0.split_at(32);
        let s: [u8; 32] = s.try_into().expect("half of 64 bytes");
        let s = Option::<Scalar>::from(Scalar::from_canonical_bytes(s)).ok_or(BadSignature)?;
        let point = CompressedEdwardsY::from_slice(r).ok().and_then(|r| r.decompress());
        let point = point.ok_or(BadSignature)?;
        let hash = Sha512::new().chain_update(r).chain_update(self.to_bytes());
        let k = Scalar::from_bytes_mod_order_wide(&hash.chain_update(message).finalize().into());
        let key = self.0.to_edwards();
        let sum = EdwardsPoint::vartime_double_scalar_mul_basepoint(&k, &-key, &s);
        if (sum - point).mul_by_cofactor().is_identity() { Ok(()) } else { Err(BadSignature) }
    }
}

impl PartialOrd for VerifyKey {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

/// By encoding.
impl Ord for VerifyKey {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.to_bytes().cmp(&other.to_bytes())
    }
}

impl std::fmt::Display for VerifyKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&hex::encode(self.to_bytes()))
    }
}

impl std::fmt::Debug for VerifyKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "VerifyKey({self})")
    }
}

impl std::str::FromStr for VerifyKey {
    type Err = DecodeError;
    fn from_str(text: &str) -> Result<Self, DecodeError> {
        let bytes: [u8; 32] = hex::decode(text)
            .ok()
            .and_then(|bytes| bytes.try_into().ok())
            .ok_or(DecodeError::InvalidPoint)?;
        Self::from_bytes(&bytes)
    }
}

impl serde::Serialize for VerifyKey {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

impl<'de> serde::Deserialize<'de> for VerifyKey {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str> as serde::Deserialize>::deserialize(d)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

impl Wire for VerifyKey {
    fn write(&self, out: &mut Writer) {
        out.bytes(&self.to_bytes());
    }
    fn read(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Self::from_bytes(&input.array()?)
    }
}

/// A secret signing key. Prints nothing and is wiped on drop.
#[derive(Clone)]
pub struct SigningKey(ed25519_dalek::SigningKey);

impl std::fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SigningKey(..)")
    }
}

impl SigningKey {
    /// The key that grows from 32 uniformly random bytes.
    pub fn from_seed(seed: &[u8; 32]) -> Self {
        Self(ed25519_dalek::SigningKey::from_bytes(seed))
    }
    /// The seed, for an encrypted keystore only.
    pub fn to_seed(&self) -> zeroize::Zeroizing<[u8; 32]> {
        zeroize::Zeroizing::new(self.0.to_bytes())
    }
    /// The public key.
    pub fn public(&self) -> VerifyKey {
        VerifyKey(self.0.verifying_key())
    }
    /// Signs one kind of message for one chain.
    pub fn sign(&self, chain: &ChainId, context: Context, message: &[u8]) -> Signature {
        Signature(self.0.sign(&signed_bytes(chain, context, message)).to_bytes())
    }
    /// Signs a consensus vote, whose encoding begins with the length of its namespace, 60: what
    /// [`Self::sign`] signs begins with a letter.
    pub(crate) fn sign_vote(&self, message: &[u8]) -> Signature {
        Signature(self.0.sign(message).to_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHAIN: ChainId = ChainId([7; 32]);

    #[test]
    fn a_signature_holds_for_its_chain_context_message_and_key_only() {
        let key = SigningKey::from_seed(&[1; 32]);
        let signature = key.sign(&CHAIN, Context::Freeze, b"list");
        let public = key.public();
        assert!(public.verify(&CHAIN, Context::Freeze, b"list", &signature).is_ok());
        assert!(public.verify(&CHAIN, Context::Release, b"list", &signature).is_err());
        assert!(public.verify(&ChainId([8; 32]), Context::Freeze, b"list", &signature).is_err());
        assert!(public.verify(&CHAIN, Context::Freeze, b"lisp", &signature).is_err());
        let other = SigningKey::from_seed(&[2; 32]).public();
        assert!(other.verify(&CHAIN, Context::Freeze, b"list", &signature).is_err());
    }

    #[test]
    fn weak_and_non_canonical_keys_are_refused() {
        let mut identity = [0u8; 32];
        identity[0] = 1;
        assert_eq!(VerifyKey::from_bytes(&identity), Err(DecodeError::InvalidPoint));
        // y = p + 1 is the identity again, in a second encoding.
        let mut alias = [0xff; 32];
        alias[0] = 0xee;
        alias[31] = 0x7f;
        assert_eq!(VerifyKey::from_bytes(&alias), Err(DecodeError::InvalidPoint));
    }

    #[test]
    fn votes_are_judged_by_zip_215() {
        let key = SigningKey::from_seed(&[1; 32]);
        let public = key.public();
        let plain = key.sign_vote(b"vote");
        assert_eq!(public.verify_vote(b"vote", &plain), Ok(()));
        assert_eq!(public.verify_vote(b"note", &plain), Err(BadSignature));
        let other = SigningKey::from_seed(&[2; 32]).public();
        assert_eq!(other.verify_vote(b"vote", &plain), Err(BadSignature));
        // s + l is the same number in a second encoding.
        let mut alias = plain;
        let order = [
            0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9,
            0xde, 0x14, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
        ];
        let mut carry = 0;
        for (byte, add) in alias.0[32..].iter_mut().zip(order) {
            let sum = u16::from(*byte) + add + carry;
            *byte = (sum & 0xff) as u8;
            carry = sum >> 8;
        }
        assert_eq!(public.verify_vote(b"vote", &alias), Err(BadSignature));
        // A component of order eight in R: the engine takes it, so must we; `verify_strict` and
        // the cofactorless rule would not.
        let torsion = curve25519_dalek::constants::EIGHT_TORSION[1];
        let r = Scalar::from(77u64);
        let point = (EdwardsPoint::mul_base(&r) + torsion).compress();
        let hash = Sha512::new().chain_update(point.as_bytes()).chain_update(public.to_bytes());
        let k = Scalar::from_bytes_mod_order_wide(&hash.chain_update(b"vote").finalize().into());
        let s = r + k * key.0.to_scalar();
        let mut odd = Signature([0; 64]);
        odd.0[..32].copy_from_slice(point.as_bytes());
        odd.0[32..].copy_from_slice(s.as_bytes());
        assert_eq!(public.verify_vote(b"vote", &odd), Ok(()));
        assert_eq!(public.verify_vote(b"veto", &odd), Err(BadSignature));
        let strict = ed25519_dalek::Signature::from_bytes(&odd.0);
        assert!(public.0.verify_strict(b"vote", &strict).is_err());
    }

    #[test]
    fn labels_are_distinct() {
        let labels = [
            Context::AdmitAttestor,
            Context::AttestorPossession,
            Context::IssueCredential,
            Context::RevokeCredential,
            Context::PublishSanctions,
            Context::RegisterAssetIssuer,
            Context::RegisterAssetAgent,
            Context::SetPolicy,
            Context::MintIssuer,
            Context::MintAgent,
            Context::Redeem,
            Context::Freeze,
            Context::Release,
            Context::Pause,
            Context::RotateAgentIssuer,
            Context::RotateAgentKey,
            Context::Assertion,
            Context::ChangeAuthorities,
            Context::AuthorityPossession,
        ]
        .map(Context::label);
        let distinct: std::collections::BTreeSet<_> = labels.iter().collect();
        assert_eq!(distinct.len(), labels.len());
    }
}
