//! The 32-byte words that the machine computes with, and the hash that names things there.

use ark_bn254::Fr;
use ark_ff::{BigInteger, PrimeField};
use placet_protocol::field;
use sha3::{Digest as _, Keccak256};

/// Bytes of a word.
pub const WORD_BYTES: usize = 32;

/// Why text is not a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WordError {
    /// Neither decimal digits nor `0x` with hexadecimal digits.
    #[error("not a number; write decimal digits, or 0x and hexadecimal digits")]
    NotANumber,
    /// 2^256 or more.
    #[error("the number is 2^256 or more; write a smaller one")]
    TooLarge,
}

/// An unsigned integer below 2^256, big-endian: `uint256` and `bytes32` of contracts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Word(pub [u8; WORD_BYTES]);

impl Word {
    /// `0x` and 64 hexadecimal digits.
    pub fn to_hex(self) -> String {
        format!("0x{}", hex::encode(self.0))
    }

    /// The number in base 10.
    pub fn to_decimal(self) -> String {
        let mut digits = Vec::new();
        let mut rest = self.0;
        while rest != [0; WORD_BYTES] {
            let mut remainder = 0u32;
            for byte in &mut rest {
                let value = remainder << 8 | u32::from(*byte);
                *byte = u8::try_from(value / 10).expect("the remainder was below 10");
                remainder = value % 10;
            }
            digits.push(char::from_digit(remainder, 10).expect("below 10"));
        }
        if digits.is_empty() { "0".to_owned() } else { digits.iter().rev().collect() }
    }
}

impl From<u64> for Word {
    fn from(value: u64) -> Self {
        let mut word = [0; WORD_BYTES];
        word[WORD_BYTES - 8..].copy_from_slice(&value.to_be_bytes());
        Self(word)
    }
}

impl From<&Fr> for Word {
    /// The canonical integer of a field element.
    fn from(value: &Fr) -> Self {
        let mut bytes = field::to_bytes(value);
        bytes.reverse();
        Self(bytes)
    }
}

/// The canonical integer of a coordinate.
pub(crate) fn coordinate(value: &ark_bn254::Fq) -> Word {
    let bytes = value.into_bigint().to_bytes_be();
    Word(bytes.try_into().expect("a coordinate has 32 bytes"))
}

impl std::str::FromStr for Word {
    type Err = WordError;

    /// Decimal digits, or `0x` and at most 64 hexadecimal digits.
    fn from_str(text: &str) -> Result<Self, WordError> {
        let (digits, base) = match text.strip_prefix("0x") {
            Some(digits) => (digits, 16),
            None => (text, 10),
        };
        if digits.is_empty() || !digits.chars().all(|digit| digit.is_digit(base)) {
            return Err(WordError::NotANumber);
        }
        let mut word = [0u8; WORD_BYTES];
        for digit in digits.chars() {
            let mut carry = digit.to_digit(base).expect("checked above");
            for byte in word.iter_mut().rev() {
                let value = u32::from(*byte) * base + carry;
                *byte = value.to_be_bytes()[3];
                carry = value >> 8;
            }
            if carry != 0 {
                return Err(WordError::TooLarge);
            }
        }
        Ok(Self(word))
    }
}

/// Ethereum's Keccak-256, which pads otherwise than SHA-3.
pub fn keccak256(parts: &[&[u8]]) -> [u8; 32] {
    let mut hash = Keccak256::new();
    for part in parts {
        hash.update(part);
    }
    hash.finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keccak_is_that_of_ethereum() {
        // The empty code hash and the selector of ERC-20's `transfer`, as EIP-1052 and EIP-20 have.
        let empty = "c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470";
        assert_eq!(hex::encode(keccak256(&[])), empty);
        let selector = &keccak256(&[b"transfer(address,uint256)"])[..4];
        assert_eq!(hex::encode(selector), "a9059cbb");
    }

    #[test]
    fn numbers_are_read_and_written() {
        for text in
            ["0", "7", "256", "18446744073709551616", "340282366920938463463374607431768211456"]
        {
            assert_eq!(text.parse::<Word>().unwrap().to_decimal(), text);
        }
        assert_eq!("0xff".parse::<Word>().unwrap(), Word::from(255));
        let most = format!("0x{}", "f".repeat(64));
        assert_eq!(most.parse::<Word>().unwrap().to_hex(), most);
        let decimal = most.parse::<Word>().unwrap().to_decimal();
        assert_eq!(decimal.parse::<Word>().unwrap().to_hex(), most);
        assert_eq!(format!("{decimal}0").parse::<Word>(), Err(WordError::TooLarge));
        assert_eq!(format!("{most}0").parse::<Word>(), Err(WordError::TooLarge));
        for text in ["", "0x", "-1", "1.5", "0xg", "１"] {
            assert_eq!(text.parse::<Word>(), Err(WordError::NotANumber), "{text}");
        }
    }

    #[test]
    fn field_elements_are_big_endian() {
        let minus_one = Word::from(&-Fr::from(1u8));
        let expected =
            "21888242871839275222246405745257275088548364400416034343698204186575808495616";
        assert_eq!(minus_one.to_decimal(), expected);
    }
}
