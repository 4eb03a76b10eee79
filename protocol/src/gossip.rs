//! What authorities tell each other outside of the agreement on blocks: transactions, assertions,
//! and requests for what was lost. Spec §9.
//!
//! A message says nothing about who sent it; the connection does. Whatever it holds is checked
//! again by whoever receives it.

use crate::assertion::{MAX_ASSERTIONS, SignedAssertion};
use crate::transaction::{Transaction, TxId};
use crate::wire::{DecodeError, Reader, Wire, Writer};

/// Version byte of every message.
pub const GOSSIP_VERSION: u8 = 1;
/// Most transactions that one message asks for.
pub const MAX_WANTED: usize = 256;

/// A transaction together with the bytes of its proof, which its id does not cover.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Variant {
    /// The transaction.
    pub transaction: TxId,
    /// SHA-256 of its proof bytes.
    pub proof_hash: [u8; 32],
}

impl Wire for Variant {
    fn write(&self, out: &mut Writer) {
        self.transaction.write(out);
        out.bytes(&self.proof_hash);
    }
    fn read(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self { transaction: TxId::read(input)?, proof_hash: input.array()? })
    }
}

/// A message between authorities.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(clippy::large_enum_variant)] // transactions are the common case
pub enum Gossip {
    /// A transaction that waits, with assertions on it that the sender knows.
    Transaction {
        /// The transaction.
        transaction: Transaction,
        /// At most [`MAX_ASSERTIONS`], of any authority.
        assertions: Vec<SignedAssertion>,
    },
    /// Assertions, at most [`MAX_ASSERTIONS`], on any transactions.
    Assertions(Vec<SignedAssertion>),
    /// The sender lacks these, at most [`MAX_WANTED`]; answered by [`Self::Transaction`] each.
    Request(Vec<Variant>),
}

impl Wire for Gossip {
    fn write(&self, out: &mut Writer) {
        out.u8(GOSSIP_VERSION);
        match self {
            Self::Transaction { transaction, assertions } => {
                out.u8(0);
                transaction.write(out);
                out.list(assertions);
            }
            Self::Assertions(assertions) => {
                out.u8(1);
                out.list(assertions);
            }
            Self::Request(wanted) => {
                out.u8(2);
                out.list(wanted);
            }
        }
    }
    fn read(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        if input.u8()? != GOSSIP_VERSION {
            return Err(DecodeError::UnknownTag);
        }
        match input.u8()? {
            0 => Ok(Self::Transaction {
                transaction: Transaction::read(input)?,
                assertions: input.list(MAX_ASSERTIONS)?,
            }),
            1 => Ok(Self::Assertions(input.list(MAX_ASSERTIONS)?)),
            2 => Ok(Self::Request(input.list(MAX_WANTED)?)),
            _ => Err(DecodeError::UnknownTag),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::assertion::{Assertion, Verdict};
    use crate::field::Subject;
    use crate::genesis::{ChainId, Checkpoint};
    use crate::signing::SigningKey;
    use crate::transaction::registry::Sanctions;
    use crate::transaction::signed::Signed;

    const CHAIN: ChainId = ChainId([1; 32]);

    fn samples() -> Vec<Gossip> {
        let key = SigningKey::from_seed(&[2; 32]);
        let list = Sanctions::new(1, false, vec![Subject::new(ark_bn254::Fr::from(7u8))]).unwrap();
        let transaction = Transaction::PublishSanctions(Signed::new(list, &CHAIN, &key));
        let assertion = Assertion {
            transaction: transaction.id(&CHAIN),
            proof_hash: [3; 32],
            checkpoint: Checkpoint::Risk,
            verdict: Verdict::Approve,
            judged_at: 4,
            judged_time: 5,
            expires_at: 6,
            discretionary: false,
        };
        let wanted = Variant { transaction: assertion.transaction, proof_hash: [3; 32] };
        let assertions = vec![SignedAssertion::new(assertion, &CHAIN, &key)];
        vec![
            Gossip::Transaction { transaction, assertions: assertions.clone() },
            Gossip::Assertions(assertions),
            Gossip::Request(vec![wanted; 2]),
        ]
    }

    #[test]
    fn messages_have_one_strict_encoding() {
        for message in samples() {
            let bytes = message.to_wire();
            assert_eq!(Gossip::from_wire(&bytes), Ok(message));
            assert_eq!(Gossip::from_wire(&[&bytes[..], &[0]].concat()), Err(DecodeError::Trailing));
            for end in 0..bytes.len() {
                assert!(Gossip::from_wire(&bytes[..end]).is_err());
            }
            for place in [0, 1] {
                let mut other = bytes.clone();
                other[place] ^= 0x40;
                assert!(Gossip::from_wire(&other).is_err());
            }
        }
    }

    #[test]
    fn lists_are_bounded() {
        let wanted = Variant { transaction: TxId([1; 32]), proof_hash: [2; 32] };
        let most = Gossip::Request(vec![wanted; MAX_WANTED]);
        assert_eq!(Gossip::from_wire(&most.to_wire()), Ok(most));
        let more = Gossip::Request(vec![wanted; MAX_WANTED + 1]);
        assert_eq!(Gossip::from_wire(&more.to_wire()), Err(DecodeError::TooLong));
    }
}
