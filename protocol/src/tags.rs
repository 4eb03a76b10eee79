//! Tags by which a ledger keeps one person to one key without learning who the person is.
//! Spec §4, "One person, one key".
//!
//! A subject tag is `HMAC-SHA-256(federation key, Argon2id(identifier))`, a holder tag
//! `HMAC-SHA-256(federation key, pk.x)`, each over a label of its own. Identifiers have little
//! entropy: outsiders lack the federation key, and an attestor who has it still pays Argon2id for
//! every guess. Both are deterministic, so that two attestors who see one person get one tag.

use argon2::{Algorithm, Argon2, Params, Version};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::credential::Document;
use crate::field::HolderId;

/// Memory of Argon2id in KiB: 64 MiB, the second recommended option of RFC 9106 §4, above the
/// 19 MiB that OWASP's password storage cheat sheet asks for at least.
pub const ARGON2_MEMORY_KIB: u32 = 64 * 1024;
/// Passes of Argon2id over its memory; RFC 9106 §4, second recommended option.
pub const ARGON2_PASSES: u32 = 3;
/// Lanes of Argon2id; RFC 9106 §4, second recommended option. Part of the function's definition,
/// whether or not they run in parallel.
pub const ARGON2_LANES: u32 = 4;
/// The salt. It is fixed because every attestor of every network must get the same result; the
/// federation key keeps networks apart.
pub const ARGON2_SALT: &[u8] = b"placet.identifier.v1";

const SUBJECT_LABEL: &[u8] = b"placet.subject-tag.v1";
const HOLDER_LABEL: &[u8] = b"placet.holder-tag.v1";

/// Why an identifier has no tag.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IdentifierError {
    /// The country is not three letters.
    #[error("write the country as ISO 3166-1 alpha-3, three letters")]
    Country,
    /// The type of document is not lower-case words joined by hyphens, at most 255 bytes.
    #[error("write the document type in lower-case letters and hyphens, as in passport")]
    Kind,
    /// The number has no letter or digit, or more than 255.
    #[error("the number needs between 1 and 255 letters or digits")]
    Number,
    /// Not 20 letters and digits, or the check digits do not match.
    #[error(
        "an LEI has 20 letters and digits and check digits that match; check for a typing error"
    )]
    Lei,
}

/// What identifies a person or an entity to those who trade: a document number or an LEI.
///
/// A natural person's national identifier is the document that carries it (`national-id`,
/// `tax-id`, `passport`), chosen in the order of priority used in transaction reporting; the card
/// seen and the identifier then give one tag.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Identifier<'a> {
    /// A natural person's document, or the registration document of an entity without an LEI.
    Document(&'a Document),
    /// The legal entity identifier of ISO 17442.
    Lei(&'a str),
}

impl std::fmt::Debug for Identifier<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Identifier(..)")
    }
}

impl Identifier<'_> {
    /// The parts that are hashed, normalised and each with a one-byte length prefix.
    fn encode(&self) -> Result<Zeroizing<Vec<u8>>, IdentifierError> {
        let parts = match self {
            Self::Document(document) => {
                let country = document.country.to_ascii_uppercase();
                if country.len() != 3 || !country.bytes().all(|b| b.is_ascii_uppercase()) {
                    return Err(IdentifierError::Country);
                }
                let kind = document.kind.to_ascii_lowercase();
                let word = |b: u8| b.is_ascii_lowercase() || b == b'-';
                if !(1..=255).contains(&kind.len()) || !kind.bytes().all(word) {
                    return Err(IdentifierError::Kind);
                }
                let number = Zeroizing::new(document.normalised_number());
                if !(1..=255).contains(&number.len()) {
                    return Err(IdentifierError::Number);
                }
                vec![Zeroizing::new("document".into()), country.into(), kind.into(), number]
            }
            Self::Lei(lei) => {
                let lei = Zeroizing::new(lei.to_ascii_uppercase());
                if !is_lei(&lei) {
                    return Err(IdentifierError::Lei);
                }
                vec![Zeroizing::new("lei".into()), lei]
            }
        };
        let mut out = Zeroizing::new(Vec::with_capacity(parts.iter().map(|p| p.len() + 1).sum()));
        for part in &parts {
            out.push(u8::try_from(part.len()).expect("every part was bounded above"));
            out.extend_from_slice(part.as_bytes());
        }
        Ok(out)
    }
}

/// ISO 17442: 18 letters and digits and two check digits, 1 modulo 97 (ISO 7064, MOD 97-10).
fn is_lei(lei: &str) -> bool {
    let bytes = lei.as_bytes();
    if bytes.len() != 20 || !bytes[18..].iter().all(u8::is_ascii_digit) {
        return false;
    }
    let remainder = bytes.iter().try_fold(0u32, |sum, byte| match byte {
        b'0'..=b'9' => Some((sum * 10 + u32::from(byte - b'0')) % 97),
        b'A'..=b'Z' => Some((sum * 100 + u32::from(byte - b'A') + 10) % 97),
        _ => None,
    });
    remainder == Some(1)
}

/// The secret that a network's attestors share. Prints nothing and is wiped on drop.
#[derive(Clone, PartialEq, Eq, Zeroize, ZeroizeOnDrop)]
pub struct FederationKey([u8; 32]);

impl std::fmt::Debug for FederationKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("FederationKey(..)")
    }
}

impl FederationKey {
    /// Wraps 32 uniformly random bytes.
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The bytes, for an encrypted keystore only.
    pub fn expose(&self) -> &[u8; 32] {
        &self.0
    }

    fn tag(&self, label: &[u8], message: &[u8; 32]) -> [u8; 32] {
        let mut mac =
            Hmac::<Sha256>::new_from_slice(&self.0).expect("HMAC takes keys of any length");
        mac.update(label);
        mac.update(message);
        mac.finalize().into_bytes().into()
    }
}

/// `HMAC(federation key, label ‖ Argon2id(identifier))`: stands for a person, an entity or a
/// document without naming it. Takes about a tenth of a second and 64 MiB by design.
///
/// # Errors
/// [`IdentifierError`] names the part of the identifier that is malformed.
pub fn subject_tag(
    key: &FederationKey,
    identifier: &Identifier<'_>,
) -> Result<[u8; 32], IdentifierError> {
    let encoded = identifier.encode()?;
    let params = Params::new(ARGON2_MEMORY_KIB, ARGON2_PASSES, ARGON2_LANES, Some(32))
        .expect("the constants are in Argon2's ranges");
    let mut stretched = Zeroizing::new([0u8; 32]);
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
        .hash_password_into(&encoded, ARGON2_SALT, &mut *stretched)
        .expect("identifier, salt and output have lengths that Argon2 takes");
    Ok(key.tag(SUBJECT_LABEL, &stretched))
}

/// `HMAC(federation key, label ‖ pk.x)`: stands for a holder's key and cannot be linked to it
/// without the federation key.
pub fn holder_tag(key: &FederationKey, holder: HolderId) -> [u8; 32] {
    key.tag(HOLDER_LABEL, &holder.to_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use ark_bn254::Fr;

    fn document(number: &str) -> Document {
        Document { country: "FRA".into(), kind: "passport".into(), number: number.into() }
    }

    fn key(byte: u8) -> FederationKey {
        FederationKey::from_bytes([byte; 32])
    }

    #[test]
    fn one_document_has_one_tag_however_it_is_written() {
        let tag =
            |number: &str| subject_tag(&key(1), &Identifier::Document(&document(number))).unwrap();
        assert_eq!(tag("12-ab 345"), tag("12AB345"));
        assert_ne!(tag("12AB345"), tag("12AB346"));
    }

    #[test]
    fn tags_equal_an_independent_implementation() {
        // Python's hmac and argon2-cffi 25.1.0.
        let key = FederationKey::from_bytes(std::array::from_fn(|i| i as u8));
        let document = document("12AB345");
        assert_eq!(
            subject_tag(&key, &Identifier::Document(&document)).map(hex::encode).unwrap(),
            "261e182ececf4ffb15529794d20cb8b61c0b8c2e3c8057d892bee69b3245e073"
        );
        assert_eq!(
            subject_tag(&key, &Identifier::Lei("506700GE1G29325QX363")).map(hex::encode).unwrap(),
            "bda037efbcf4743f0f7099ce9d035ccb7af3087b3d8a47fa001988abe7498b32"
        );
        assert_eq!(
            hex::encode(holder_tag(&key, HolderId::new(Fr::from(5u8)))),
            "bafa1a5788526f91bfffe22f32fe052f8e8d63e6c1792775eb519a5745932194"
        );
    }

    #[test]
    fn networks_do_not_share_tags() {
        let holder = HolderId::new(Fr::from(5u8));
        assert_ne!(holder_tag(&key(1), holder), holder_tag(&key(2), holder));
        let document = document("X1");
        let identifier = Identifier::Document(&document);
        assert_ne!(subject_tag(&key(1), &identifier), subject_tag(&key(2), &identifier));
    }

    #[test]
    fn leis_are_checked() {
        // GLEIF's own LEI and two of published examples.
        for good in ["506700GE1G29325QX363", "529900T8BM49AURSDO55", "7LTWFZYICNSX8D621K86"] {
            assert!(is_lei(good), "{good}");
        }
        for bad in ["506700GE1G29325QX364", "506700EG1G29325QX363", "506700GE1G29325QX36", ""] {
            assert_eq!(subject_tag(&key(1), &Identifier::Lei(bad)), Err(IdentifierError::Lei));
        }
    }

    #[test]
    fn malformed_identifiers_are_refused() {
        let refused = |country: &str, kind: &str, number: &str| {
            let document =
                Document { country: country.into(), kind: kind.into(), number: number.into() };
            subject_tag(&key(1), &Identifier::Document(&document)).unwrap_err()
        };
        assert_eq!(refused("FR", "passport", "1"), IdentifierError::Country);
        assert_eq!(refused("FRA", "", "1"), IdentifierError::Kind);
        assert_eq!(refused("FRA", "pass port", "1"), IdentifierError::Kind);
        assert_eq!(refused("FRA", "passport", "--"), IdentifierError::Number);
        assert_eq!(refused("FRA", "passport", &"1".repeat(256)), IdentifierError::Number);
    }

    #[test]
    fn secrets_and_identifiers_print_nothing() {
        let document = document("SECRET77");
        let text = format!("{:?} {:?}", key(0xab), Identifier::Document(&document));
        assert_eq!(text, "FederationKey(..) Identifier(..)");
    }
}
