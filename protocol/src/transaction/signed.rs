//! A message with one signature over its kind, its chain and its content.

use crate::genesis::ChainId;
use crate::signing::{BadSignature, Context, Signature, SigningKey, VerifyKey};
use crate::wire::{DecodeError, Reader, Wire, Writer};

/// A message that somebody signs.
pub trait Message: Wire {
    /// What the signature is for.
    const CONTEXT: Context;

    /// What is signed. The encoding, except where a ciphertext is replaced by its hash so that it
    /// can be erased later.
    fn signed_content(&self) -> Vec<u8> {
        self.to_wire()
    }
}

/// A message and its signature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signed<T> {
    /// What is said.
    pub message: T,
    /// By whoever the message or the ledger's state names.
    pub signature: Signature,
}

impl<T: Message> Signed<T> {
    /// Signs.
    pub fn new(message: T, chain: &ChainId, key: &SigningKey) -> Self {
        let signature = key.sign(chain, T::CONTEXT, &message.signed_content());
        Self { message, signature }
    }

    /// Verifies.
    ///
    /// # Errors
    /// [`BadSignature`] if `key` did not sign this message for this chain.
    pub fn verify(&self, chain: &ChainId, key: &VerifyKey) -> Result<(), BadSignature> {
        key.verify(chain, T::CONTEXT, &self.message.signed_content(), &self.signature)
    }
}

impl<T: Wire> Wire for Signed<T> {
    fn write(&self, out: &mut Writer) {
        self.message.write(out);
        self.signature.write(out);
    }
    fn read(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self { message: T::read(input)?, signature: Signature::read(input)? })
    }
}
