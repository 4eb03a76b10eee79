//! Transactions of an asset: registration, policy, allotment, and the transfer agent's powers.
//! Spec §5, §6.

use sha2::{Digest, Sha256};

use super::policy::PublishedPolicy;
use super::signed::{Message, Signed};
use crate::credential::TIME_BITS;
use crate::delivery::Delivery;
use crate::field::{AssetId, Commitment, Nullifier, OwnerTag, from_digest_248};
use crate::genesis::{ChainId, MAX_NAME, name_is_valid};
use crate::keys::{PublicKey, SecretKey};
use crate::possession::{BadPossession, Possession};
use crate::sealed::{SealedDelivery, SealedMint, ViewingPublic};
use crate::signing::{BadSignature, Context, Signature, SigningKey, VerifyKey};
use crate::wire::{DecodeError, Reader, Wire, Writer};
use ark_bn254::Fr;

/// Highest authorised supply: sums of two amounts stay below `2^64`.
pub const MAX_SUPPLY: u64 = 1 << 63;
/// Longest legend in bytes.
pub const MAX_LEGEND: usize = 4096;
/// Most decimals of an asset.
pub const MAX_DECIMALS: u8 = 18;
/// Most nullifiers in one freeze or release.
pub const MAX_FREEZE: usize = 1024;

/// The id of a network's `counter`-th asset, counted from 0: low 248 bits of SHA-256.
pub fn asset_id(chain: &ChainId, counter: u64) -> AssetId {
    let mut hasher = Sha256::new();
    hasher.update(b"placet.asset.v1");
    hasher.update(chain.0);
    hasher.update(counter.to_le_bytes());
    AssetId::new(from_digest_248(&hasher.finalize().into()))
}

/// An International Securities Identification Number with a valid check digit.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Isin([u8; 12]);

/// Text that is no ISIN.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an ISIN has two capital letters, nine letters or digits and a check digit that fits them")]
pub struct BadIsin;

impl Isin {
    /// Form and check digit: letters become two digits (A = 10), then Luhn.
    fn is_valid(bytes: &[u8; 12]) -> bool {
        let form = bytes[..2].iter().all(u8::is_ascii_uppercase)
            && bytes[2..11].iter().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit())
            && bytes[11].is_ascii_digit();
        if !form {
            return false;
        }
        let digits: Vec<u32> = bytes
            .iter()
            .flat_map(|byte| match byte {
                b'0'..=b'9' => vec![u32::from(byte - b'0')],
                letter => {
                    let value = u32::from(letter - b'A') + 10;
                    vec![value / 10, value % 10]
                }
            })
            .collect();
        let sum: u32 = digits
            .iter()
            .rev()
            .enumerate()
            .map(|(i, digit)| {
                let weighted = digit * (1 + i as u32 % 2);
                weighted / 10 + weighted % 10
            })
            .sum();
        sum.is_multiple_of(10)
    }
    /// The twelve characters.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).expect("checked to be ASCII")
    }
}

impl std::str::FromStr for Isin {
    type Err = BadIsin;
    fn from_str(text: &str) -> Result<Self, BadIsin> {
        let bytes: [u8; 12] = text.as_bytes().try_into().map_err(|_| BadIsin)?;
        if Self::is_valid(&bytes) { Ok(Self(bytes)) } else { Err(BadIsin) }
    }
}

impl std::fmt::Display for Isin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

impl std::fmt::Debug for Isin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Isin({self})")
    }
}

impl Wire for Isin {
    fn write(&self, out: &mut Writer) {
        out.bytes(&self.0);
    }
    fn read(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let bytes = input.array()?;
        if Self::is_valid(&bytes) { Ok(Self(bytes)) } else { Err(DecodeError::OutOfRange) }
    }
}

/// What an asset is, for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Metadata {
    /// At most [`MAX_NAME`] bytes, without control characters.
    pub name: String,
    /// If the security has one.
    pub isin: Option<Isin>,
    /// Restrictive legend, see [`legend_is_valid`].
    pub legend: String,
    /// SHA-256 of the offering document.
    pub document_hash: [u8; 32],
    /// Decimal places between the smallest unit and what people call one unit, at most 18.
    pub decimals: u8,
}

/// A legend: at most [`MAX_LEGEND`] bytes, no control characters but line feeds. Terminals obey
/// control characters, and legends are shown to everybody.
pub fn legend_is_valid(legend: &str) -> bool {
    legend.len() <= MAX_LEGEND && !legend.chars().any(|c| c.is_control() && c != '\n')
}

impl Wire for Metadata {
    fn write(&self, out: &mut Writer) {
        out.text(&self.name);
        out.option(&self.isin);
        out.text(&self.legend);
        out.bytes(&self.document_hash);
        out.u8(self.decimals);
    }
    fn read(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let metadata = Self {
            name: input.text(MAX_NAME)?,
            isin: input.option()?,
            legend: input.text(MAX_LEGEND)?,
            document_hash: input.array()?,
            decimals: input.u8()?,
        };
        let sound = name_is_valid(&metadata.name) && legend_is_valid(&metadata.legend);
        if !sound || metadata.decimals > MAX_DECIMALS {
            return Err(DecodeError::OutOfRange);
        }
        Ok(metadata)
    }
}

/// A transfer agent's keys for one asset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AgentKeys {
    /// The viewing key `agent_pk` on Baby Jubjub, fixed for the asset's life.
    pub viewing: PublicKey,
    /// Where the openings of mints are sealed to, fixed for the asset's life.
    pub sealing: ViewingPublic,
    /// Signs mints, redemptions, freezes; the issuer may rotate it.
    pub signing: VerifyKey,
}

impl Wire for AgentKeys {
    fn write(&self, out: &mut Writer) {
        self.viewing.write(out);
        self.sealing.write(out);
        self.signing.write(out);
    }
    fn read(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            viewing: PublicKey::read(input)?,
            sealing: ViewingPublic::read(input)?,
            signing: VerifyKey::read(input)?,
        })
    }
}

/// A new asset, as issuer and agent agree on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Registration {
    /// Signs policies and mints.
    pub issuer: VerifyKey,
    /// The transfer agent.
    pub agent: AgentKeys,
    /// Name, legend, documents.
    pub metadata: Metadata,
    /// Most units that may be outstanding, 1 to `2^63`.
    pub authorised_supply: u64,
    /// Whether changes in the number of holders are public. Fixed for the asset's life.
    pub count_holders: bool,
    /// The first policy, version 1.
    pub policy: PublishedPolicy,
}

impl Registration {
    /// What both signatures and the proof of possession are bound to.
    pub fn digest(&self) -> [u8; 32] {
        let mut hasher = Sha256::new();
        hasher.update(b"placet.registration.v1");
        hasher.update(self.to_wire());
        hasher.finalize().into()
    }

    /// The agent's consent: its signature and the proof that it holds the viewing key.
    /// `randomness` must be 32 fresh bytes.
    pub fn consent(
        &self,
        chain: &ChainId,
        viewing: &SecretKey,
        signing: &SigningKey,
        randomness: &[u8; 32],
    ) -> AgentConsent {
        AgentConsent {
            possession: Possession::prove(viewing, chain, &self.digest(), randomness),
            signature: signing.sign(chain, Context::RegisterAssetAgent, &self.to_wire()),
        }
    }
}

impl Wire for Registration {
    fn write(&self, out: &mut Writer) {
        self.issuer.write(out);
        self.agent.write(out);
        self.metadata.write(out);
        out.u64(self.authorised_supply);
        out.bool(self.count_holders);
        self.policy.write(out);
    }
    fn read(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let registration = Self {
            issuer: VerifyKey::read(input)?,
            agent: AgentKeys::read(input)?,
            metadata: Metadata::read(input)?,
            authorised_supply: input.u64()?,
            count_holders: input.bool()?,
            policy: PublishedPolicy::read(input)?,
        };
        if !(1..=MAX_SUPPLY).contains(&registration.authorised_supply) {
            return Err(DecodeError::OutOfRange);
        }
        Ok(registration)
    }
}

/// A transfer agent takes on an asset, or a new signing key for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AgentConsent {
    /// Of the viewing key, bound to the registration or rotation.
    pub possession: Possession,
    /// By the signing key.
    pub signature: Signature,
}

impl Wire for AgentConsent {
    fn write(&self, out: &mut Writer) {
        self.possession.write(out);
        self.signature.write(out);
    }
    fn read(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self { possession: Possession::read(input)?, signature: Signature::read(input)? })
    }
}

/// Why the seals of a registration or rotation fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConsentError {
    /// The issuer's or the agent's signature.
    #[error(transparent)]
    Signature(#[from] BadSignature),
    /// The proof of possession.
    #[error(transparent)]
    Possession(#[from] BadPossession),
}

/// Registers an asset; the ledger assigns its id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RegisterAsset {
    /// What is registered.
    pub registration: Registration,
    /// The issuer's signature.
    pub issuer_signature: Signature,
    /// The agent's.
    pub agent_consent: AgentConsent,
}

impl RegisterAsset {
    /// The issuer signs what the agent consented to.
    pub fn new(
        registration: Registration,
        agent_consent: AgentConsent,
        chain: &ChainId,
        issuer: &SigningKey,
    ) -> Self {
        let issuer_signature =
            issuer.sign(chain, Context::RegisterAssetIssuer, &registration.to_wire());
        Self { registration, issuer_signature, agent_consent }
    }

    /// Verifies both signatures and the proof of possession.
    ///
    /// # Errors
    /// The first that fails.
    pub fn verify(&self, chain: &ChainId) -> Result<(), ConsentError> {
        let r = &self.registration;
        let message = r.to_wire();
        r.issuer.verify(chain, Context::RegisterAssetIssuer, &message, &self.issuer_signature)?;
        let consent = &self.agent_consent;
        let signing = &r.agent.signing;
        signing.verify(chain, Context::RegisterAssetAgent, &message, &consent.signature)?;
        Ok(consent.possession.verify(&r.agent.viewing, chain, &r.digest())?)
    }
}

impl Wire for RegisterAsset {
    fn write(&self, out: &mut Writer) {
        self.registration.write(out);
        self.issuer_signature.write(out);
        self.agent_consent.write(out);
    }
    fn read(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            registration: Registration::read(input)?,
            issuer_signature: Signature::read(input)?,
            agent_consent: AgentConsent::read(input)?,
        })
    }
}

/// The issuer changes the policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyChange {
    /// Whose.
    pub asset: AssetId,
    /// One more than the version in force.
    pub version: u64,
    /// Closes the window of older versions at once.
    pub urgent: bool,
    /// The new one.
    pub policy: PublishedPolicy,
}

impl Message for PolicyChange {
    const CONTEXT: Context = Context::SetPolicy;
}

impl Wire for PolicyChange {
    fn write(&self, out: &mut Writer) {
        self.asset.write(out);
        out.u64(self.version);
        out.bool(self.urgent);
        self.policy.write(out);
    }
    fn read(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            asset: AssetId::read(input)?,
            version: input.u64()?,
            urgent: input.bool()?,
            policy: PublishedPolicy::read(input)?,
        })
    }
}

/// See [`PolicyChange`].
pub type SetPolicy = Signed<PolicyChange>;

/// New units for one holder. `deadline` and `refund_tag` of the delivery are zero.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Allotment {
    /// The asset.
    pub asset: AssetId,
    /// Units, not zero.
    pub amount: u64,
    /// Until when they arrive locked, below `2^40`; zero for not at all.
    pub unlock_at: u64,
    /// `H(OWNER; to.x, k)`.
    pub owner_tag: OwnerTag,
    /// For the receiver.
    pub for_receiver: SealedDelivery,
    /// For the transfer agent, who checks it before signing.
    pub for_agent: SealedMint,
}

impl Allotment {
    /// The delivery, as validators rebuild it.
    pub fn delivery(&self) -> Delivery {
        Delivery {
            amount: Fr::from(self.amount),
            unlock_at: Fr::from(self.unlock_at),
            deadline: Fr::from(0u8),
            owner_tag: self.owner_tag.get(),
            refund_tag: Fr::from(0u8),
        }
    }

    /// The commitment that is appended.
    pub fn commitment(&self) -> Commitment {
        self.delivery().commit(self.asset)
    }

    fn write_head(&self, out: &mut Writer) {
        self.asset.write(out);
        out.u64(self.amount);
        out.u64(self.unlock_at);
        self.owner_tag.write(out);
    }

    /// What issuer and agent sign: the ciphertexts by hash.
    fn signed_content(&self) -> Vec<u8> {
        let mut out = Writer::default();
        self.write_head(&mut out);
        out.bytes(&self.for_receiver.hash());
        out.bytes(&self.for_agent.hash());
        out.into_bytes()
    }

    /// The issuer's signature.
    pub fn sign_as_issuer(&self, chain: &ChainId, key: &SigningKey) -> Signature {
        key.sign(chain, Context::MintIssuer, &self.signed_content())
    }

    /// The agent's signature. Call it only after the opening in `for_agent` was checked against
    /// `owner_tag`, and its receiver lifted to a key.
    pub fn sign_as_agent(&self, chain: &ChainId, key: &SigningKey) -> Signature {
        key.sign(chain, Context::MintAgent, &self.signed_content())
    }
}

impl Wire for Allotment {
    fn write(&self, out: &mut Writer) {
        self.write_head(out);
        self.for_receiver.write(out);
        self.for_agent.write(out);
    }
    fn read(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let allotment = Self {
            asset: AssetId::read(input)?,
            amount: input.u64()?,
            unlock_at: input.u64()?,
            owner_tag: OwnerTag::read(input)?,
            for_receiver: SealedDelivery::read(input)?,
            for_agent: SealedMint::read(input)?,
        };
        if allotment.amount == 0 || allotment.unlock_at >> TIME_BITS != 0 {
            return Err(DecodeError::OutOfRange);
        }
        Ok(allotment)
    }
}

/// An allotment with both signatures.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mint {
    /// What is minted.
    pub allotment: Allotment,
    /// By the issuer.
    pub issuer_signature: Signature,
    /// By the transfer agent.
    pub agent_signature: Signature,
}

impl Mint {
    /// Verifies both signatures.
    ///
    /// # Errors
    /// [`BadSignature`] if either fails.
    pub fn verify(
        &self,
        chain: &ChainId,
        issuer: &VerifyKey,
        agent: &VerifyKey,
    ) -> Result<(), BadSignature> {
        let message = self.allotment.signed_content();
        issuer.verify(chain, Context::MintIssuer, &message, &self.issuer_signature)?;
        agent.verify(chain, Context::MintAgent, &message, &self.agent_signature)
    }

    /// What the transaction id covers: the ciphertexts by hash.
    pub(super) fn write_erasable(&self, out: &mut Writer) {
        out.bytes(&self.allotment.signed_content());
        self.issuer_signature.write(out);
        self.agent_signature.write(out);
    }
}

impl Wire for Mint {
    fn write(&self, out: &mut Writer) {
        self.allotment.write(out);
        self.issuer_signature.write(out);
        self.agent_signature.write(out);
    }
    fn read(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            allotment: Allotment::read(input)?,
            issuer_signature: Signature::read(input)?,
            agent_signature: Signature::read(input)?,
        })
    }
}

/// Defines the agent's two lists of nullifiers, which differ in meaning only.
macro_rules! nullifier_lists {
    ($($(#[$doc:meta])* $name:ident, $context:expr;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub struct $name {
            /// Whose.
            pub asset: AssetId,
            /// Above that of every freeze, release, pause or rotation of the asset before, by 1 to
            /// [`super::MAX_SEQUENCE_STEP`].
            pub sequence: u64,
            /// At least one; ascending, distinct.
            pub nullifiers: Vec<Nullifier>,
        }

        impl $name {
            /// Sorts the list and removes repetitions.
            pub fn new(asset: AssetId, sequence: u64, mut nullifiers: Vec<Nullifier>) -> Self {
                nullifiers.sort_unstable();
                nullifiers.dedup();
                Self { asset, sequence, nullifiers }
            }
        }

        impl Message for $name {
            const CONTEXT: Context = $context;
        }

        impl Wire for $name {
            fn write(&self, out: &mut Writer) {
                self.asset.write(out);
                out.u64(self.sequence);
                out.list(&self.nullifiers);
            }
            fn read(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
                let asset = AssetId::read(input)?;
                let sequence = input.u64()?;
                let nullifiers = input.list::<Nullifier>(MAX_FREEZE)?;
                if nullifiers.is_empty() || !nullifiers.is_sorted_by(|a, b| a < b) {
                    return Err(DecodeError::OutOfRange);
                }
                Ok(Self { asset, sequence, nullifiers })
            }
        }
    )*};
}

nullifier_lists! {
    /// The agent freezes a position's next nullifiers, or a delivery's.
    Freeze, Context::Freeze;
    /// The agent releases nullifiers it froze.
    Release, Context::Release;
}

/// See [`Freeze`].
pub type FreezeNullifiers = Signed<Freeze>;
/// See [`Release`].
pub type ReleaseNullifiers = Signed<Release>;

/// Who acts on an asset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Officer {
    /// The issuer.
    Issuer,
    /// The transfer agent.
    Agent,
}

/// Issuer or agent stops all transfers of an asset, or lets them go on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pause {
    /// Which asset.
    pub asset: AssetId,
    /// As in [`Freeze::sequence`].
    pub sequence: u64,
    /// The state from now on.
    pub paused: bool,
    /// Whose key signed.
    pub by: Officer,
}

impl Message for Pause {
    const CONTEXT: Context = Context::Pause;
}

impl Wire for Pause {
    fn write(&self, out: &mut Writer) {
        self.asset.write(out);
        out.u64(self.sequence);
        out.bool(self.paused);
        out.u8(match self.by {
            Officer::Issuer => 0,
            Officer::Agent => 1,
        });
    }
    fn read(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            asset: AssetId::read(input)?,
            sequence: input.u64()?,
            paused: input.bool()?,
            by: match input.u8()? {
                0 => Officer::Issuer,
                1 => Officer::Agent,
                _ => return Err(DecodeError::UnknownTag),
            },
        })
    }
}

/// See [`Pause`].
pub type PauseAsset = Signed<Pause>;

/// Issuer and agent replace the agent's signing key. The viewing key never changes: it is how the
/// agent consents even when its signing key was stolen or lost.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rotation {
    /// Which asset.
    pub asset: AssetId,
    /// As in [`Freeze::sequence`].
    pub sequence: u64,
    /// The new key.
    pub signing: VerifyKey,
}

impl Rotation {
    /// What the proof of possession is bound to.
    pub fn digest(&self) -> [u8; 32] {
        let mut hasher = Sha256::new();
        hasher.update(b"placet.rotation.v1");
        hasher.update(self.to_wire());
        hasher.finalize().into()
    }

    /// The agent's consent: the new key's signature and the proof that it comes from whoever holds
    /// the asset's viewing key. `randomness` must be 32 fresh bytes.
    pub fn consent(
        &self,
        chain: &ChainId,
        viewing: &SecretKey,
        new: &SigningKey,
        randomness: &[u8; 32],
    ) -> AgentConsent {
        AgentConsent {
            possession: Possession::prove(viewing, chain, &self.digest(), randomness),
            signature: new.sign(chain, Context::RotateAgentKey, &self.to_wire()),
        }
    }
}

impl Wire for Rotation {
    fn write(&self, out: &mut Writer) {
        self.asset.write(out);
        out.u64(self.sequence);
        self.signing.write(out);
    }
    fn read(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            asset: AssetId::read(input)?,
            sequence: input.u64()?,
            signing: VerifyKey::read(input)?,
        })
    }
}

/// A rotation that the issuer signed and the agent consented to. The issuer alone cannot become
/// the agent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RotateAgentKey {
    /// What changes.
    pub rotation: Rotation,
    /// By the issuer.
    pub issuer_signature: Signature,
    /// Of the fixed viewing key and the new signing key.
    pub agent_consent: AgentConsent,
}

impl RotateAgentKey {
    /// The issuer signs what the agent consented to.
    pub fn new(
        rotation: Rotation,
        agent_consent: AgentConsent,
        chain: &ChainId,
        issuer: &SigningKey,
    ) -> Self {
        let issuer_signature = issuer.sign(chain, Context::RotateAgentIssuer, &rotation.to_wire());
        Self { rotation, issuer_signature, agent_consent }
    }

    /// Verifies both signatures and the proof of possession of the asset's viewing key.
    ///
    /// # Errors
    /// The first that fails.
    pub fn verify(
        &self,
        chain: &ChainId,
        issuer: &VerifyKey,
        viewing: &PublicKey,
    ) -> Result<(), ConsentError> {
        let message = self.rotation.to_wire();
        issuer.verify(chain, Context::RotateAgentIssuer, &message, &self.issuer_signature)?;
        let (key, consent) = (&self.rotation.signing, &self.agent_consent);
        key.verify(chain, Context::RotateAgentKey, &message, &consent.signature)?;
        Ok(consent.possession.verify(viewing, chain, &self.rotation.digest())?)
    }
}

impl Wire for RotateAgentKey {
    fn write(&self, out: &mut Writer) {
        self.rotation.write(out);
        self.issuer_signature.write(out);
        self.agent_consent.write(out);
    }
    fn read(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            rotation: Rotation::read(input)?,
            issuer_signature: Signature::read(input)?,
            agent_consent: AgentConsent::read(input)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn isins_are_checked() {
        // Apple and a French government bond, from public registers.
        for good in ["US0378331005", "FR0000571218"] {
            assert_eq!(good.parse::<Isin>().unwrap().as_str(), good);
        }
        for bad in ["US0378331006", "US037833100", "us0378331005", "0S0378331005", ""] {
            assert_eq!(bad.parse::<Isin>(), Err(BadIsin));
        }
    }

    #[test]
    fn asset_ids_depend_on_chain_and_counter() {
        let (a, b) = (ChainId([1; 32]), ChainId([2; 32]));
        assert_ne!(asset_id(&a, 0), asset_id(&a, 1));
        assert_ne!(asset_id(&a, 0), asset_id(&b, 0));
    }

    #[test]
    fn texts_for_people_command_no_terminal() {
        let metadata = |name: &str, legend: &str| Metadata {
            name: name.into(),
            isin: None,
            legend: legend.into(),
            document_hash: [0; 32],
            decimals: 0,
        };
        let good = metadata("Näme", "Not registered.\nNot for sale – ever.");
        assert_eq!(Metadata::from_wire(&good.to_wire()), Ok(good));
        for bad in ["\x1b[2J", "a\rb", "\t", "\u{9b}2J", "\x7f", "\0"] {
            assert!(!legend_is_valid(bad));
            let legend = metadata("A", bad);
            assert_eq!(Metadata::from_wire(&legend.to_wire()), Err(DecodeError::OutOfRange));
            let name = metadata(&format!("A{bad}"), "");
            assert_eq!(Metadata::from_wire(&name.to_wire()), Err(DecodeError::OutOfRange));
        }
        let name = metadata("two\nlines", "");
        assert_eq!(Metadata::from_wire(&name.to_wire()), Err(DecodeError::OutOfRange));
    }
}
