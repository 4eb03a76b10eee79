//! Sealed boxes of fixed size: what a counterparty or an attestor sends beside the public part of
//! a transaction. Ephemeral X25519, HKDF-SHA256 over both public keys and the context, then
//! ChaCha20-Poly1305. Nothing in a box says for whom it is. Spec §3, §4, §6.

use ark_bn254::Fr;
use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{ChaCha20Poly1305, Key, Nonce};
use hkdf::Hkdf;
use sha2::Sha256;
use x25519_dalek::{PublicKey as DhPublic, StaticSecret};
use zeroize::Zeroizing;

use crate::credential::{IdentityCredential, InvestorCredential};
use crate::delivery::{Delivery, DeliveryKey};
use crate::field::{AttestorId, HolderId, RefundTag};
use crate::genesis::ChainId;
use crate::wire::{DecodeError, Reader, Wire, Writer};

/// Bytes that a box adds to its plaintext: the ephemeral key and the authentication tag.
pub const OVERHEAD: usize = 32 + 16;

/// A box could not be made or opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// The box is for another key, chain or purpose, or it was altered.
    #[error("the sealed box does not open with this key")]
    NotForThisKey,
    /// A key agreement that yields zero: one of the keys is of small order.
    #[error("a viewing key of small order; ask its owner for a new address")]
    WeakKey,
    /// It opened, but the plaintext is malformed: the sender's fault.
    #[error("the sealed box opened, but its content is malformed: {0}")]
    Content(DecodeError),
}

/// The X25519 points of small order in every encoding below `2^255`, from the curve's equation
/// (orders 1, 2, 4 and 8, and their aliases above the prime).
const SMALL_ORDER: [[u8; 32]; 7] = {
    let mut low = [[0u8; 32]; 7];
    low[1][0] = 1;
    low[2] = [
        0xe0, 0xeb, 0x7a, 0x7c, 0x3b, 0x41, 0xb8, 0xae, 0x16, 0x56, 0xe3, 0xfa, 0xf1, 0x9f, 0xc4,
        0x6a, 0xda, 0x09, 0x8d, 0xeb, 0x9c, 0x32, 0xb1, 0xfd, 0x86, 0x62, 0x05, 0x16, 0x5f, 0x49,
        0xb8, 0x00,
    ];
    low[3] = [
        0x5f, 0x9c, 0x95, 0xbc, 0xa3, 0x50, 0x8c, 0x24, 0xb1, 0xd0, 0xb1, 0x55, 0x9c, 0x83, 0xef,
        0x5b, 0x04, 0x44, 0x5c, 0xc4, 0x58, 0x1c, 0x8e, 0x86, 0xd8, 0x22, 0x4e, 0xdd, 0xd0, 0x9f,
        0x11, 0x57,
    ];
    // p - 1, p, p + 1
    let mut i = 4;
    while i < 7 {
        low[i] = [0xff; 32];
        low[i][0] = 0xec + (i as u8 - 4);
        low[i][31] = 0x7f;
        i += 1;
    }
    low
};

/// A public viewing key: canonical, not of small order.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct ViewingPublic([u8; 32]);

impl ViewingPublic {
    /// Checks a key from outside.
    ///
    /// # Errors
    /// [`DecodeError::InvalidPoint`] if it is of small order or not reduced below `2^255 - 19`.
    pub fn from_bytes(bytes: [u8; 32]) -> Result<Self, DecodeError> {
        let reduced = bytes[31] < 0x7f
            || (bytes[31] == 0x7f && (bytes[1..31].iter().any(|b| *b != 0xff) || bytes[0] < 0xed));
        if !reduced || SMALL_ORDER.contains(&bytes) {
            return Err(DecodeError::InvalidPoint);
        }
        Ok(Self(bytes))
    }
    /// The encoding.
    pub fn to_bytes(&self) -> [u8; 32] {
        self.0
    }
}

impl std::fmt::Debug for ViewingPublic {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ViewingPublic({})", hex::encode(self.0))
    }
}

impl Wire for ViewingPublic {
    fn write(&self, out: &mut Writer) {
        out.bytes(&self.0);
    }
    fn read(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Self::from_bytes(input.array()?)
    }
}

/// A secret viewing key. Prints nothing and is wiped on drop.
#[derive(Clone)]
pub struct ViewingKey(StaticSecret);

impl std::fmt::Debug for ViewingKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ViewingKey(..)")
    }
}

impl ViewingKey {
    /// The key that 32 uniformly random bytes are.
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(StaticSecret::from(bytes))
    }
    /// The secret, for an encrypted keystore only.
    pub fn to_bytes(&self) -> Zeroizing<[u8; 32]> {
        Zeroizing::new(self.0.to_bytes())
    }
    /// The public key. Clamping makes it a multiple of eight, so it is never of small order.
    pub fn public(&self) -> ViewingPublic {
        ViewingPublic(DhPublic::from(&self.0).to_bytes())
    }
}

/// What a box is for; part of the key derivation, so that no box opens as another kind.
#[derive(Clone, Copy)]
enum Kind {
    Delivery,
    Mint,
    Credential,
}

impl Kind {
    const fn label(self) -> &'static [u8] {
        match self {
            Self::Delivery => b"placet.sealed.v1.delivery",
            Self::Mint => b"placet.sealed.v1.mint",
            Self::Credential => b"placet.sealed.v1.credential",
        }
    }
}

/// One key per box: both public keys salt it, the kind and the chain separate it.
fn cipher(
    secret: &StaticSecret,
    their: &[u8; 32],
    ephemeral: &[u8; 32],
    recipient: &[u8; 32],
    kind: Kind,
    chain: &ChainId,
) -> Result<ChaCha20Poly1305, SealError> {
    let shared = secret.diffie_hellman(&DhPublic::from(*their));
    if !shared.was_contributory() {
        return Err(SealError::WeakKey);
    }
    let salt = [*ephemeral, *recipient].concat();
    let mut key = Zeroizing::new([0u8; 32]);
    Hkdf::<Sha256>::new(Some(&salt), shared.as_bytes())
        .expand(&[kind.label(), &chain.0].concat(), key.as_mut())
        .expect("32 bytes are within HKDF's output");
    Ok(ChaCha20Poly1305::new(&Key::from(*key)))
}

/// The nonce is constant because every box has its own key.
const NONCE: [u8; 12] = [0; 12];

fn seal(
    plaintext: &[u8],
    to: &ViewingPublic,
    kind: Kind,
    chain: &ChainId,
    ephemeral: &[u8; 32],
) -> Result<Vec<u8>, SealError> {
    let secret = StaticSecret::from(*ephemeral);
    let public = DhPublic::from(&secret).to_bytes();
    let body = cipher(&secret, &to.0, &public, &to.0, kind, chain)?
        .encrypt(&Nonce::from(NONCE), Payload { msg: plaintext, aad: &[] })
        .expect("plaintexts are far below the cipher's limit");
    Ok([&public[..], &body].concat())
}

fn open(
    sealed: &[u8],
    key: &ViewingKey,
    kind: Kind,
    chain: &ChainId,
) -> Result<Zeroizing<Vec<u8>>, SealError> {
    let (public, body) = sealed.split_first_chunk::<32>().ok_or(SealError::NotForThisKey)?;
    cipher(&key.0, public, public, &key.public().0, kind, chain)?
        .decrypt(&Nonce::from(NONCE), Payload { msg: body, aad: &[] })
        .map(Zeroizing::new)
        .map_err(|_| SealError::NotForThisKey)
}

/// Defines a box of fixed size around a plaintext of fixed size.
macro_rules! sealed_boxes {
    ($($(#[$doc:meta])* $name:ident($content:ty, $kind:expr, $bytes:expr);)*) => {$(
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq)]
        pub struct $name([u8; $bytes + OVERHEAD]);

        impl $name {
            /// Bytes of the box.
            pub const BYTES: usize = $bytes + OVERHEAD;

            /// Seals for one key. `ephemeral` must be 32 fresh, uniformly random bytes.
            ///
            /// # Errors
            /// [`SealError::WeakKey`] if the recipient's key yields nothing secret.
            pub fn seal(
                content: &$content,
                to: &ViewingPublic,
                chain: &ChainId,
                ephemeral: &[u8; 32],
            ) -> Result<Self, SealError> {
                let plaintext = Zeroizing::new(content.to_wire());
                let sealed = seal(&plaintext, to, $kind, chain, ephemeral)?;
                Ok(Self(sealed.try_into().expect("plaintexts have a fixed length")))
            }

            /// Opens a box sealed for `key` on `chain`.
            ///
            /// # Errors
            /// [`SealError::NotForThisKey`] for everybody else's boxes.
            pub fn open(&self, key: &ViewingKey, chain: &ChainId) -> Result<$content, SealError> {
                let plaintext = open(&self.0, key, $kind, chain)?;
                <$content>::from_wire(&plaintext).map_err(SealError::Content)
            }

            /// SHA-256 of the box: what bindings, ids and blocks commit to, so that the box itself
            /// can be erased.
            pub fn hash(&self) -> [u8; 32] {
                use sha2::Digest;
                Sha256::digest(self.0).into()
            }

            /// The bytes.
            pub fn as_bytes(&self) -> &[u8] {
                &self.0
            }
        }

        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                write!(f, "{}({} bytes)", stringify!($name), Self::BYTES)
            }
        }

        impl Wire for $name {
            fn write(&self, out: &mut Writer) { out.bytes(&self.0); }
            fn read(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
                Ok(Self(input.array()?))
            }
        }
    )*};
}

sealed_boxes! {
    /// A delivery's opening for its receiver.
    SealedDelivery(DeliveryNote, Kind::Delivery, 8 + 8 + 8 + 32 + 32);
    /// A mint's opening for the transfer agent.
    SealedMint(MintNote, Kind::Mint, 32 + 32);
    /// A credential for its holder.
    SealedCredential(Credential, Kind::Credential, 1 + 7 * 32);
}

impl SealedDelivery {
    /// A box that nobody opens, for transfers that send nothing: the same length and distribution
    /// as any other. Both arguments are fresh, uniformly random bytes.
    pub fn decoy(chain: &ChainId, ephemeral: &[u8; 32], recipient: &[u8; 32]) -> Self {
        let nothing = DeliveryNote {
            amount: 0,
            unlock_at: 0,
            deadline: 0,
            key: DeliveryKey::from_parts(Fr::from(0u8)),
            refund_tag: RefundTag::new(Fr::from(0u8)),
        };
        Self::seal(&nothing, &ViewingKey::from_bytes(*recipient).public(), chain, ephemeral)
            .expect("a freshly derived key is never of small order")
    }
}

/// What the receiver needs to rebuild a [`Delivery`]; the asset stands in the transaction.
#[derive(Clone, PartialEq, Eq)]
pub struct DeliveryNote {
    /// Units.
    pub amount: u64,
    /// Until when the units arrive locked, seconds; zero unless minted or seized.
    pub unlock_at: u64,
    /// From when on the sender may take it back, seconds.
    pub deadline: u64,
    /// The secret of the delivery.
    pub key: DeliveryKey,
    /// The sender's refund tag; zero where nobody may take it back.
    pub refund_tag: RefundTag,
}

impl DeliveryNote {
    /// The delivery that this note opens when `to` receives it. Compare its commitment with the
    /// one in the transaction: the sender could have sealed anything.
    pub fn delivery(&self, to: HolderId) -> Delivery {
        Delivery {
            amount: Fr::from(self.amount),
            unlock_at: Fr::from(self.unlock_at),
            deadline: Fr::from(self.deadline),
            owner_tag: self.key.owner_tag(to).get(),
            refund_tag: self.refund_tag.get(),
        }
    }
}

impl Wire for DeliveryNote {
    fn write(&self, out: &mut Writer) {
        out.u64(self.amount);
        out.u64(self.unlock_at);
        out.u64(self.deadline);
        out.field(&self.key.expose());
        self.refund_tag.write(out);
    }
    fn read(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            amount: input.u64()?,
            unlock_at: input.u64()?,
            deadline: input.u64()?,
            key: DeliveryKey::from_parts(input.field()?),
            refund_tag: RefundTag::read(input)?,
        })
    }
}

/// What the transfer agent checks before it countersigns a mint, and learns the holder from.
#[derive(Clone, PartialEq, Eq)]
pub struct MintNote {
    /// The receiver; must lift to a point of the subgroup.
    pub to: HolderId,
    /// The secret of the delivery.
    pub key: DeliveryKey,
}

impl Wire for MintNote {
    fn write(&self, out: &mut Writer) {
        self.to.write(out);
        out.field(&self.key.expose());
    }
    fn read(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self { to: HolderId::read(input)?, key: DeliveryKey::from_parts(input.field()?) })
    }
}

/// A credential of either schema with the attestor that vouches for it.
#[derive(Clone, PartialEq, Eq)]
pub struct Credential {
    /// Who vouches.
    pub attestor: AttestorId,
    /// What is said.
    pub claims: Claims,
}

/// What is sealed is private: it prints nothing.
macro_rules! print_nothing {
    ($($name:ident)*) => {$(
        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(concat!(stringify!($name), "(..)"))
            }
        }
    )*};
}
print_nothing! { DeliveryNote MintNote Credential Claims }

/// The two schemas.
#[derive(Clone, PartialEq, Eq)]
pub enum Claims {
    /// Who the holder is.
    Identity(IdentityCredential),
    /// What kind of investor the holder is.
    Investor(InvestorCredential),
}

impl Credential {
    /// The leaf that the ledger holds for it.
    pub fn leaf(&self) -> Fr {
        let inner = match &self.claims {
            Claims::Identity(credential) => credential.inner(),
            Claims::Investor(credential) => credential.inner(),
        };
        crate::credential::leaf(self.attestor, inner)
    }
}

/// Both schemas have the same length, so that a box does not tell which it holds.
impl Wire for Credential {
    fn write(&self, out: &mut Writer) {
        let (kind, fields) = match &self.claims {
            Claims::Identity(c) => {
                (1, [c.holder, c.subject, c.jurisdiction, c.risk, c.expires_at, c.salt])
            }
            Claims::Investor(c) => {
                (2, [c.holder, c.categories, c.capital, c.expires_at, c.salt, Fr::from(0u8)])
            }
        };
        out.u8(kind);
        self.attestor.write(out);
        for field in fields {
            out.field(&field);
        }
    }
    fn read(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let kind = input.u8()?;
        let attestor = AttestorId::read(input)?;
        let mut f = [Fr::from(0u8); 6];
        for field in &mut f {
            *field = input.field()?;
        }
        let claims = match kind {
            1 => Claims::Identity(IdentityCredential {
                holder: f[0],
                subject: f[1],
                jurisdiction: f[2],
                risk: f[3],
                expires_at: f[4],
                salt: f[5],
            }),
            2 if f[5] == Fr::from(0u8) => Claims::Investor(InvestorCredential {
                holder: f[0],
                categories: f[1],
                capital: f[2],
                expires_at: f[3],
                salt: f[4],
            }),
            2 => return Err(DecodeError::OutOfRange),
            _ => return Err(DecodeError::UnknownTag),
        };
        Ok(Self { attestor, claims })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHAIN: ChainId = ChainId([3; 32]);

    fn note() -> DeliveryNote {
        DeliveryNote {
            amount: 25,
            unlock_at: 0,
            deadline: 1_800_000_000,
            key: DeliveryKey::from_parts(Fr::from(77u8)),
            refund_tag: RefundTag::new(Fr::from(78u8)),
        }
    }

    #[test]
    fn a_box_opens_for_its_key_chain_and_kind_only() {
        let key = ViewingKey::from_bytes([1; 32]);
        let sealed = SealedDelivery::seal(&note(), &key.public(), &CHAIN, &[2; 32]).unwrap();
        assert_eq!(sealed.open(&key, &CHAIN), Ok(note()));
        let other = ViewingKey::from_bytes([9; 32]);
        assert_eq!(sealed.open(&other, &CHAIN), Err(SealError::NotForThisKey));
        assert_eq!(sealed.open(&key, &ChainId([4; 32])), Err(SealError::NotForThisKey));
        assert!(open(&sealed.0, &key, Kind::Credential, &CHAIN).is_err());
        for place in [0, 31, 32, SealedDelivery::BYTES - 1] {
            let mut altered = sealed.clone();
            altered.0[place] ^= 1;
            assert!(altered.open(&key, &CHAIN).is_err());
        }
    }

    #[test]
    fn a_decoy_has_the_length_of_a_delivery_and_opens_for_nobody_else() {
        let decoy = SealedDelivery::decoy(&CHAIN, &[1; 32], &[2; 32]);
        assert_eq!(decoy.as_bytes().len(), SealedDelivery::BYTES);
        let key = ViewingKey::from_bytes([1; 32]);
        assert_eq!(decoy.open(&key, &CHAIN), Err(SealError::NotForThisKey));
    }

    #[test]
    fn keys_of_small_order_and_unreduced_keys_are_refused() {
        let probe = ViewingKey::from_bytes([1; 32]);
        for bytes in SMALL_ORDER {
            assert_eq!(ViewingPublic::from_bytes(bytes), Err(DecodeError::InvalidPoint));
            // The table is right: agreement with each of its points is zero.
            let shared = probe.0.diffie_hellman(&DhPublic::from(bytes));
            assert!(!shared.was_contributory());
        }
        let mut high = probe.public().to_bytes();
        high[31] |= 0x80;
        assert_eq!(ViewingPublic::from_bytes(high), Err(DecodeError::InvalidPoint));
        let mut above = [0xff; 32];
        above[0] = 0xf5;
        above[31] = 0x7f;
        assert_eq!(ViewingPublic::from_bytes(above), Err(DecodeError::InvalidPoint));
    }

    #[test]
    fn an_ephemeral_key_of_small_order_is_refused() {
        let key = ViewingKey::from_bytes([1; 32]);
        let forged = SealedDelivery([0; SealedDelivery::BYTES]);
        assert_eq!(forged.open(&key, &CHAIN), Err(SealError::WeakKey));
    }

    #[test]
    fn sealed_content_prints_nothing() {
        assert_eq!(format!("{:?}", note()), "DeliveryNote(..)");
        let mint = MintNote { to: HolderId::new(Fr::from(5u8)), key: note().key };
        assert_eq!(format!("{mint:?}"), "MintNote(..)");
    }

    #[test]
    fn both_credential_schemas_have_one_length() {
        let f = |n: u8| Fr::from(n);
        let identity = Credential {
            attestor: AttestorId::new(f(9)),
            claims: Claims::Identity(IdentityCredential {
                holder: f(1),
                subject: f(2),
                jurisdiction: f(3),
                risk: f(4),
                expires_at: f(5),
                salt: f(6),
            }),
        };
        let investor = Credential {
            attestor: AttestorId::new(f(9)),
            claims: Claims::Investor(InvestorCredential {
                holder: f(1),
                categories: f(2),
                capital: f(3),
                expires_at: f(4),
                salt: f(5),
            }),
        };
        let key = ViewingKey::from_bytes([1; 32]);
        for credential in [identity, investor] {
            let sealed =
                SealedCredential::seal(&credential, &key.public(), &CHAIN, &[2; 32]).unwrap();
            assert_eq!(sealed.open(&key, &CHAIN), Ok(credential));
        }
    }
}
