//! Seed phrases and the keys that follow from them. Spec §3.
//!
//! Every role has one BIP-39 phrase of 24 words, so every role is backed up the same way. Keys
//! are derived by HKDF-SHA-256 from the BIP-39 seed under one label per use.

use bip39::{Language, Mnemonic};
use hkdf::Hkdf;
use placet_protocol::address::Address;
use placet_protocol::field::AttestorId;
use placet_protocol::genesis::ChainId;
use placet_protocol::keys::SecretKey;
use placet_protocol::possession::Possession;
use placet_protocol::sealed::ViewingKey;
use placet_protocol::signing::SigningKey;
use sha2::{Digest, Sha256};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

/// Bytes of entropy behind a phrase of 24 words.
pub const ENTROPY_BYTES: usize = 32;
/// Words of a phrase.
pub const PHRASE_WORDS: usize = 24;

/// Separates our derivations from every other use of a BIP-39 seed.
const SALT: &[u8] = b"placet.seed.v1";

/// Why a phrase was refused. Says nothing about the words themselves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PhraseError {
    /// Not 24 words.
    #[error("a seed phrase has 24 words, this one has {0}")]
    WordCount(usize),
    /// A word that is not in the English list.
    #[error("word {0} is not in the BIP-39 English list: check its spelling")]
    UnknownWord(usize),
    /// All words are known, but they do not belong together.
    #[error("the phrase's checksum does not match: a word is wrong or two are swapped")]
    Checksum,
}

/// The 24 words, kept as their entropy.
#[derive(Clone, PartialEq, Eq, Zeroize, ZeroizeOnDrop)]
pub struct Phrase([u8; ENTROPY_BYTES]);

impl std::fmt::Debug for Phrase {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Phrase(..)")
    }
}

impl Phrase {
    /// The phrase of 32 uniformly random bytes.
    pub fn from_entropy(entropy: [u8; ENTROPY_BYTES]) -> Self {
        Self(entropy)
    }

    /// Parses words separated by white space, in either case.
    pub fn parse(text: &str) -> Result<Self, PhraseError> {
        let lower = Zeroizing::new(text.to_lowercase());
        let words: Zeroizing<String> =
            Zeroizing::new(lower.split_whitespace().collect::<Vec<_>>().join(" "));
        let count = words.split(' ').filter(|word| !word.is_empty()).count();
        if count != PHRASE_WORDS {
            return Err(PhraseError::WordCount(count));
        }
        let mnemonic = Mnemonic::parse_in_normalized(Language::English, &words).map_err(
            |error| match error {
                bip39::Error::UnknownWord(index) => PhraseError::UnknownWord(index + 1),
                bip39::Error::BadWordCount(count) => PhraseError::WordCount(count),
                _ => PhraseError::Checksum,
            },
        )?;
        let (mut all, _) = mnemonic.to_entropy_array();
        let mut entropy = [0u8; ENTROPY_BYTES];
        entropy.copy_from_slice(&all[..ENTROPY_BYTES]);
        all.zeroize();
        Ok(Self(entropy))
    }

    /// The words, separated by single spaces. For the owner's eyes only.
    pub fn words(&self) -> Zeroizing<String> {
        Zeroizing::new(self.mnemonic().words().collect::<Vec<_>>().join(" "))
    }

    /// The entropy, for an encrypted keystore only.
    pub fn entropy(&self) -> &[u8; ENTROPY_BYTES] {
        &self.0
    }

    /// The seed from which keys are derived (BIP-39, without an extra passphrase).
    pub fn seed(&self) -> Seed {
        Seed(self.mnemonic().to_seed_normalized(""))
    }

    fn mnemonic(&self) -> Mnemonic {
        Mnemonic::from_entropy_in(Language::English, &self.0)
            .expect("32 bytes are the entropy of 24 words")
    }
}

/// The BIP-39 seed of a phrase.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct Seed([u8; 64]);

impl std::fmt::Debug for Seed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Seed(..)")
    }
}

impl Seed {
    /// Uniform bytes for one use; distinct labels give independent bytes.
    pub fn derive<const N: usize>(&self, label: &str) -> Zeroizing<[u8; N]> {
        const { assert!(N <= 255 * 32, "HKDF-SHA-256 gives at most 8160 bytes") };
        let mut out = Zeroizing::new([0u8; N]);
        Hkdf::<Sha256>::new(Some(SALT), &self.0)
            .expand(label.as_bytes(), out.as_mut_slice())
            .expect("the length is below HKDF's limit");
        out
    }

    /// The holder's spending key on Baby Jubjub.
    pub fn spending_key(&self) -> SecretKey {
        self.scalar("holder.spending")
    }

    /// The holder's X25519 viewing key, which opens deliveries and credentials.
    pub fn viewing_key(&self) -> ViewingKey {
        ViewingKey::from_bytes(*self.derive("holder.viewing"))
    }

    /// The holder's address: both public keys.
    pub fn address(&self) -> Address {
        Address::from_parts(self.spending_key().public(), self.viewing_key().public())
    }

    /// Shows an attestor, in an identification session, that this holder controls the key of its
    /// address: answers the attestor's fresh `challenge`. `random` must be 32 fresh bytes.
    pub fn answer(
        &self,
        chain: &ChainId,
        attestor: AttestorId,
        challenge: &[u8; 32],
        random: &[u8; 32],
    ) -> Possession {
        let message = identification(attestor, challenge);
        Possession::prove(&self.spending_key(), chain, &message, random)
    }

    /// A transfer agent's viewing key on Baby Jubjub.
    pub fn agent_key(&self) -> SecretKey {
        self.scalar("agent.viewing")
    }

    /// An agent's X25519 key, to which issuers seal the openings of mints.
    pub fn agent_sealing_key(&self) -> ViewingKey {
        ViewingKey::from_bytes(*self.derive("agent.sealing"))
    }

    /// The Ed25519 signing key of an attestor, an issuer or an agent.
    pub fn signing_key(&self) -> SigningKey {
        SigningKey::from_seed(&self.derive("signing"))
    }

    /// The next label is tried after a degenerate scalar, which nobody will ever see.
    fn scalar(&self, label: &str) -> SecretKey {
        (0u32..)
            .find_map(|attempt| {
                SecretKey::from_uniform_bytes(&self.derive(&format!("{label}.{attempt}"))).ok()
            })
            .expect("four scalars of 2^251 are refused")
    }
}

/// What a holder proves possession over in an identification session. The label keeps the answer
/// from serving as an agent's consent to a registration; the attestor's id keeps one attestor from
/// passing another's challenge on, to have the holder's key certified for somebody else.
pub(crate) fn identification(attestor: AttestorId, challenge: &[u8; 32]) -> [u8; 32] {
    let mut hasher = Sha256::new();
    hasher.update(b"placet.identification.v1");
    hasher.update(attestor.to_bytes());
    hasher.update(challenge);
    hasher.finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Trezor's BIP-39 vector for entropy 0x00 × 32, without its passphrase.
    const ZERO: &str = "abandon abandon abandon abandon abandon abandon abandon abandon abandon \
        abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon \
        abandon abandon abandon art";

    #[test]
    fn phrases_follow_bip_39() {
        let phrase = Phrase::from_entropy([0; 32]);
        assert_eq!(phrase.words().as_str(), ZERO);
        assert_eq!(Phrase::parse(ZERO), Ok(phrase.clone()));
        assert_eq!(Phrase::parse(&format!("  {}\n", ZERO.to_uppercase())), Ok(phrase));
        let other = Phrase::from_entropy([0x80; 32]);
        assert_eq!(Phrase::parse(&other.words()), Ok(other));
    }

    #[test]
    fn broken_phrases_are_refused_with_the_reason() {
        assert_eq!(Phrase::parse("abandon art"), Err(PhraseError::WordCount(2)));
        assert_eq!(Phrase::parse(""), Err(PhraseError::WordCount(0)));
        let typo = ZERO.replacen("abandon", "abandom", 3).replacen("abandom", "abandon", 2);
        assert_eq!(Phrase::parse(&typo), Err(PhraseError::UnknownWord(3)));
        let wrong = ZERO.replace("art", "able");
        assert_eq!(Phrase::parse(&wrong), Err(PhraseError::Checksum));
    }

    #[test]
    fn keys_are_a_function_of_the_phrase_and_differ_by_use() {
        let seed = Phrase::from_entropy([7; 32]).seed();
        let again = Phrase::from_entropy([7; 32]).seed();
        assert_eq!(seed.spending_key().public(), again.spending_key().public());
        assert_eq!(seed.viewing_key().to_bytes(), again.viewing_key().to_bytes());
        assert_ne!(seed.spending_key().public(), seed.agent_key().public());
        assert_ne!(seed.viewing_key().to_bytes(), seed.agent_sealing_key().to_bytes());
        let other = Phrase::from_entropy([8; 32]).seed();
        assert_ne!(seed.spending_key().public(), other.spending_key().public());
        assert_ne!(seed.signing_key().public(), other.signing_key().public());
    }

    #[test]
    fn debug_output_hides_the_secret() {
        let phrase = Phrase::from_entropy([7; 32]);
        assert_eq!(format!("{phrase:?} {:?}", phrase.seed()), "Phrase(..) Seed(..)");
    }
}
