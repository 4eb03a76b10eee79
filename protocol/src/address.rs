//! Addresses: where a holder receives. Bech32m of the key's x coordinate and the X25519 viewing
//! key, human-readable part `placet`. Spec §3.

use bech32::primitives::decode::CheckedHrpstring;
use bech32::{Bech32m, Hrp};

use crate::field::HolderId;
use crate::keys::PublicKey;
use crate::sealed::ViewingPublic;
use crate::wire::{DecodeError, Reader, Wire, Writer};

/// The human-readable part.
pub const HRP: &str = "placet";
/// Bytes behind the text: `pk.x`, then the viewing key.
pub const ADDRESS_BYTES: usize = 32 + 32;

/// Why text is not an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// Not bech32m, or the checksum fails.
    #[error("not an address, or mistyped: the checksum does not match; copy it again")]
    Checksum,
    /// Another human-readable part.
    #[error("not a Placet address: it must begin with `placet1`")]
    Prefix,
    /// The payload is not 64 bytes.
    #[error("not a Placet address: it does not hold two 32-byte keys")]
    Length,
    /// A key that nobody can hold safely.
    #[error("the address holds an invalid key; ask its owner for a new one")]
    Key,
}

/// A holder's address: both keys checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Address {
    key: PublicKey,
    viewing: ViewingPublic,
}

impl Address {
    /// Puts two checked keys together.
    pub fn from_parts(key: PublicKey, viewing: ViewingPublic) -> Self {
        Self { key, viewing }
    }
    /// The holder's public key.
    pub fn key(&self) -> PublicKey {
        self.key
    }
    /// `pk.x`.
    pub fn holder(&self) -> HolderId {
        self.key.holder()
    }
    /// Where sealed deliveries and credentials are encrypted to.
    pub fn viewing(&self) -> ViewingPublic {
        self.viewing
    }
}

/// `pk.x` and the viewing key, 64 bytes; both checked.
impl Wire for Address {
    fn write(&self, out: &mut Writer) {
        self.holder().write(out);
        self.viewing.write(out);
    }
    fn read(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let holder = HolderId::read(input)?;
        let key = PublicKey::from_holder(holder).map_err(|_| DecodeError::InvalidPoint)?;
        Ok(Self { key, viewing: ViewingPublic::read(input)? })
    }
}

impl std::fmt::Display for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let hrp = Hrp::parse(HRP).expect("the constant is a valid human-readable part");
        let text = bech32::encode::<Bech32m>(hrp, &self.to_wire())
            .expect("64 bytes are within the code's length");
        f.write_str(&text)
    }
}

impl std::str::FromStr for Address {
    type Err = AddressError;
    fn from_str(text: &str) -> Result<Self, AddressError> {
        let parsed = CheckedHrpstring::new::<Bech32m>(text).map_err(|_| AddressError::Checksum)?;
        if !parsed.hrp().to_string().eq_ignore_ascii_case(HRP) {
            return Err(AddressError::Prefix);
        }
        let bytes: Vec<u8> = parsed.byte_iter().collect();
        if bytes.len() != ADDRESS_BYTES {
            return Err(AddressError::Length);
        }
        let address = Self::from_wire(&bytes).map_err(|_| AddressError::Key)?;
        // Padding bits that are not zero would give one address several spellings.
        if address.to_string().eq_ignore_ascii_case(text) {
            Ok(address)
        } else {
            Err(AddressError::Checksum)
        }
    }
}

impl serde::Serialize for Address {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

impl<'de> serde::Deserialize<'de> for Address {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str> as serde::Deserialize>::deserialize(d)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::SecretKey;
    use crate::sealed::ViewingKey;

    fn address() -> Address {
        let key = SecretKey::from_uniform_bytes(&[5; 64]).unwrap().public();
        Address::from_parts(key, ViewingKey::from_bytes([6; 32]).public())
    }

    #[test]
    fn text_round_trips_in_both_cases_and_mixed_case_is_refused() {
        let text = address().to_string();
        assert!(text.starts_with("placet1"));
        assert_eq!(text.parse(), Ok(address()));
        assert_eq!(text.to_uppercase().parse(), Ok(address()));
        let mixed = format!("P{}", &text[1..]);
        assert_eq!(mixed.parse::<Address>(), Err(AddressError::Checksum));
    }

    #[test]
    fn one_wrong_letter_is_refused() {
        let mut text = address().to_string().into_bytes();
        text[20] = if text[20] == b'q' { b'p' } else { b'q' };
        let text = String::from_utf8(text).unwrap();
        assert_eq!(text.parse::<Address>(), Err(AddressError::Checksum));
    }

    #[test]
    fn another_prefix_length_or_a_bad_key_is_refused() {
        let encode = |hrp: &str, bytes: &[u8]| {
            bech32::encode::<Bech32m>(Hrp::parse(hrp).unwrap(), bytes).unwrap()
        };
        let good = address().to_wire();
        assert_eq!(encode("other", &good).parse::<Address>(), Err(AddressError::Prefix));
        assert_eq!(encode("placet", &good[..63]).parse::<Address>(), Err(AddressError::Length));
        let mut no_holder = good.clone();
        no_holder[..32].fill(0);
        assert_eq!(encode("placet", &no_holder).parse::<Address>(), Err(AddressError::Key));
        let mut low_order = good;
        low_order[32..].fill(0);
        assert_eq!(encode("placet", &low_order).parse::<Address>(), Err(AddressError::Key));
    }
}
