//! Addresses of accounts and contracts, with the checksum of EIP-55.

use crate::word::{WORD_BYTES, Word, keccak256};

/// Bytes of an address.
pub const ADDRESS_BYTES: usize = 20;

/// Why text is not an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// Not `0x` and 40 hexadecimal digits.
    #[error("an address is 0x and 40 hexadecimal digits")]
    Form,
    /// Letters of both cases that are not the checksum.
    #[error("the checksum of the address is wrong; copy it again")]
    Checksum,
}

/// An account or contract.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Address(pub [u8; ADDRESS_BYTES]);

impl Address {
    /// The address that nobody has.
    pub const ZERO: Self = Self([0; ADDRESS_BYTES]);

    /// As the low bytes of a word, which is how contracts are handed addresses.
    pub fn word(&self) -> Word {
        let mut word = [0; WORD_BYTES];
        word[WORD_BYTES - ADDRESS_BYTES..].copy_from_slice(&self.0);
        Word(word)
    }
}

impl std::fmt::Display for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let digits = hex::encode(self.0);
        let hash = hex::encode(keccak256(&[digits.as_bytes()]));
        f.write_str("0x")?;
        for (digit, weight) in digits.chars().zip(hash.chars()) {
            let upper = weight >= '8'; // a hexadecimal digit of 8 or more
            let digit = if upper { digit.to_ascii_uppercase() } else { digit };
            std::fmt::Write::write_char(f, digit)?;
        }
        Ok(())
    }
}

impl std::fmt::Debug for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Display::fmt(self, f)
    }
}

impl std::str::FromStr for Address {
    type Err = AddressError;

    /// Letters of one case have no checksum; letters of both must be it.
    fn from_str(text: &str) -> Result<Self, AddressError> {
        let digits = text.strip_prefix("0x").ok_or(AddressError::Form)?;
        let bytes = hex::decode(digits).map_err(|_| AddressError::Form)?;
        let address = Self(bytes.try_into().map_err(|_| AddressError::Form)?);
        let mixed = digits.bytes().any(|b| b.is_ascii_lowercase())
            && digits.bytes().any(|b| b.is_ascii_uppercase());
        if mixed && address.to_string() != text {
            return Err(AddressError::Checksum);
        }
        Ok(address)
    }
}

impl serde::Serialize for Address {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> serde::Deserialize<'de> for Address {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <String as serde::Deserialize>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checksums_are_those_of_eip_55() {
        // The examples of EIP-55.
        for text in [
            "0x52908400098527886E0F7030069857D2E4169EE7",
            "0xde709f2102306220921060314715629080e2fb77",
            "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed",
            "0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359",
            "0xdbF03B407c01E7cD3CBea99509d93f8DDDC8C6FB",
            "0xD1220A0cf47c7B9Be7A2E6BA89F429762e7b9aDb",
        ] {
            assert_eq!(text.parse::<Address>().unwrap().to_string(), text);
            let lower = text.to_ascii_lowercase();
            assert_eq!(lower.parse::<Address>().unwrap().to_string(), text);
        }
        let wrong = "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAeD";
        assert_eq!(wrong.parse::<Address>(), Err(AddressError::Checksum));
        for text in ["", "0x", "52908400098527886E0F7030069857D2E4169EE7", "0x52908400098527886E"] {
            assert_eq!(text.parse::<Address>(), Err(AddressError::Form), "{text}");
        }
    }
}
