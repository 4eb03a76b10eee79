//! Credentials: what an attestor says about a holder, committed to in the registry. Spec §4.
//! Twin: `circuits/src/credential.rs`.

use ark_bn254::Fr;
use sha2::{Digest, Sha256};

use crate::field::{AttestorId, CredentialInner, HolderId, Subject, from_digest_248};
use crate::poseidon::hash;
use crate::tag::Tag;

/// The leaf of a revoked credential.
pub const TOMBSTONE: u64 = 1;
/// The attestor id that fills free places in policies. It is no hash output anybody knows a key
/// for, and the ledger never admits it.
pub const NOBODY: u64 = 0;
/// Jurisdictions are 12 bits: ISO 3166-1 numeric, 1000 to 4095 reserved for subdivisions.
pub const JURISDICTION_BITS: u32 = 12;
/// Times are seconds since the Unix epoch, below `2^40`.
pub const TIME_BITS: u32 = 40;

/// The id in free places of a policy.
pub fn nobody() -> AttestorId {
    AttestorId::new(Fr::from(NOBODY))
}

/// The leaf that replaces a revoked credential.
pub fn tombstone() -> Fr {
    Fr::from(TOMBSTONE)
}

/// `attestor_id = H(ATTESTOR; key_hi, key_lo)`: the Ed25519 public key as two 128-bit halves,
/// big-endian.
pub fn attestor_id(key: &[u8; 32]) -> AttestorId {
    let half = |bytes: &[u8]| {
        Fr::from(u128::from_be_bytes(bytes.try_into().expect("halves are 16 bytes")))
    };
    AttestorId::new(hash(Tag::Attestor, [half(&key[..16]), half(&key[16..])]))
}

/// The leaf that validators append: `H(CREDENTIAL; attestor_id, inner)`.
pub fn leaf(attestor: AttestorId, inner: CredentialInner) -> Fr {
    hash(Tag::Credential, [attestor.get(), inner.get()])
}

/// Who a holder is, as an attestor saw it. Fields are field elements here so that checks speak of
/// exactly what the circuit sees; [`IdentityCredential::new`] takes typed values.
#[derive(Clone, PartialEq, Eq)]
pub struct IdentityCredential {
    /// The holder's key, x coordinate.
    pub holder: Fr,
    /// The screened identity document, 248 bits.
    pub subject: Fr,
    /// Residence or place of organisation, 12 bits.
    pub jurisdiction: Fr,
    /// Risk class, 8 bits; higher is riskier.
    pub risk: Fr,
    /// First second at which it is no longer valid, 40 bits.
    pub expires_at: Fr,
    /// Hides the other fields, uniformly random.
    pub salt: Fr,
}

/// Prints nothing: the fields tell who holds what.
impl std::fmt::Debug for IdentityCredential {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("IdentityCredential(..)")
    }
}

impl IdentityCredential {
    /// A credential from typed values.
    pub fn new(
        holder: HolderId,
        subject: Subject,
        jurisdiction: Jurisdiction,
        risk: u8,
        expires_at: u64,
        salt: Fr,
    ) -> Self {
        Self {
            holder: holder.get(),
            subject: subject.get(),
            jurisdiction: Fr::from(jurisdiction.code()),
            risk: Fr::from(risk),
            expires_at: Fr::from(expires_at),
            salt,
        }
    }

    /// `inner = H(IDENTITY; holder, subject, jurisdiction, risk, expires_at, salt)`.
    pub fn inner(&self) -> CredentialInner {
        CredentialInner::new(hash(
            Tag::Identity,
            [self.holder, self.subject, self.jurisdiction, self.risk, self.expires_at, self.salt],
        ))
    }
}

/// What kind of investor a holder is, as an attestor saw it.
#[derive(Clone, PartialEq, Eq)]
pub struct InvestorCredential {
    /// The holder's key, x coordinate.
    pub holder: Fr,
    /// Set of [`CATEGORIES`] bits, 16 bits.
    pub categories: Fr,
    /// Capital in minor units of the policy's reference currency, 64 bits.
    pub capital: Fr,
    /// First second at which it is no longer valid, 40 bits.
    pub expires_at: Fr,
    /// Hides the other fields, uniformly random.
    pub salt: Fr,
}

/// Prints nothing: the fields tell who holds what.
impl std::fmt::Debug for InvestorCredential {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("InvestorCredential(..)")
    }
}

impl InvestorCredential {
    /// A credential from typed values.
    pub fn new(
        holder: HolderId,
        categories: Categories,
        capital: u64,
        expires_at: u64,
        salt: Fr,
    ) -> Self {
        Self {
            holder: holder.get(),
            categories: Fr::from(categories.0),
            capital: Fr::from(capital),
            expires_at: Fr::from(expires_at),
            salt,
        }
    }

    /// `inner = H(INVESTOR; holder, categories, capital, expires_at, salt)`.
    pub fn inner(&self) -> CredentialInner {
        CredentialInner::new(hash(
            Tag::Investor,
            [self.holder, self.categories, self.capital, self.expires_at, self.salt],
        ))
    }
}

/// A jurisdiction code below 4096.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Jurisdiction(u16);

impl Jurisdiction {
    /// `None` above 12 bits.
    pub fn new(code: u16) -> Option<Self> {
        (code < 1 << JURISDICTION_BITS).then_some(Self(code))
    }
    /// The code.
    pub fn code(self) -> u16 {
        self.0
    }
}

/// A set of investor categories. Sets, not a ladder: a French professional client is not a US
/// accredited investor.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Categories(pub u16);

/// The table of investor categories, spec §4. The number is the bit.
pub const CATEGORIES: [(&str, u32); 10] = [
    ("retail", 0),
    ("us-accredited-501a", 1),
    ("us-qualified-purchaser", 2),
    ("us-qib", 3),
    ("eu-professional", 4),
    ("eu-qualified-investor", 5),
    ("uk-high-net-worth", 6),
    ("uk-self-certified-sophisticated", 7),
    ("ch-qualified-investor", 8),
    ("sg-accredited", 9),
];

impl Categories {
    /// The set of the named categories; the first unknown name is the error.
    pub fn from_names<'a>(names: impl IntoIterator<Item = &'a str>) -> Result<Self, &'a str> {
        let mut set = 0;
        for name in names {
            let (_, bit) = CATEGORIES.iter().find(|(known, _)| *known == name).ok_or(name)?;
            set |= 1 << bit;
        }
        Ok(Self(set))
    }

    /// Names of the bits that are set and known.
    pub fn names(self) -> Vec<&'static str> {
        CATEGORIES.iter().filter(|(_, bit)| self.0 >> bit & 1 == 1).map(|(name, _)| *name).collect()
    }
}

/// An identity document as it is screened. Prints nothing: it identifies a person.
#[derive(Clone, PartialEq, Eq)]
pub struct Document {
    /// Issuing country, ISO 3166-1 alpha-3, upper case.
    pub country: String,
    /// Document type, lower case, as in `passport` or `national-id`.
    pub kind: String,
    /// The number; normalised before it is hashed.
    pub number: String,
}

impl std::fmt::Debug for Document {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Document(..)")
    }
}

impl Document {
    /// The number in upper case with everything but `A-Z` and `0-9` removed.
    pub fn normalised_number(&self) -> String {
        self.number
            .chars()
            .map(|c| c.to_ascii_uppercase())
            .filter(|c| c.is_ascii_uppercase() || c.is_ascii_digit())
            .collect()
    }

    /// Low 248 bits of SHA-256 over the scheme's name, country, type and normalised number, each
    /// with a one-byte length prefix. `None` if a part is empty or longer than 255 bytes, or the
    /// number has letters or digits outside of ASCII: dropping them would make one subject of
    /// several documents.
    pub fn subject(&self) -> Option<Subject> {
        if self.number.chars().any(|c| c.is_alphanumeric() && !c.is_ascii()) {
            return None;
        }
        let mut hasher = Sha256::new();
        hasher.update(b"placet.subject.v1");
        let country = self.country.to_ascii_uppercase();
        let kind = self.kind.to_ascii_lowercase();
        for part in [country, kind, self.normalised_number()] {
            let len = u8::try_from(part.len()).ok().filter(|len| *len > 0)?;
            hasher.update([len]);
            hasher.update(part.as_bytes());
        }
        Some(Subject::new(from_digest_248(&hasher.finalize().into())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn document(number: &str) -> Document {
        Document { country: "fra".into(), kind: "Passport".into(), number: number.into() }
    }

    #[test]
    fn one_document_written_in_several_ways_is_one_subject() {
        let subject = document("12 ab-34567").subject();
        assert!(subject.is_some());
        assert_eq!(subject, document("12AB34567").subject());
        assert_ne!(subject, document("12AB34568").subject());
    }

    #[test]
    fn numbers_that_would_lose_letters_are_refused() {
        // The first letter is Cyrillic.
        assert_eq!(document("А123456").subject(), None);
        assert_eq!(document("--").subject(), None);
    }

    #[test]
    fn parts_cannot_run_into_each_other() {
        let mut shifted = document("B1");
        shifted.kind = "passportb".into();
        shifted.number = "1".into();
        assert_ne!(document("B1").subject(), shifted.subject());
    }

    #[test]
    fn the_ids_of_free_places_and_tombstones_are_no_hashes() {
        assert_ne!(attestor_id(&[0; 32]), nobody());
        assert_ne!(leaf(nobody(), CredentialInner::new(Fr::from(0u8))), tombstone());
    }
}
