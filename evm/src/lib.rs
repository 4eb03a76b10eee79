//! Proofs and roots for contracts of the Ethereum virtual machine: a verifier for `transfer`, and
//! an adapter that a permissioned token (ERC-3643) asks. Spec §12.7.
//!
//! Nothing here talks to a chain. It writes Solidity, and it makes and reads the few fixed messages
//! and calls of the two contracts in `contracts/`.

pub mod word;
pub mod address;
pub mod typed;
pub mod signing;
pub mod proof;
pub mod binding;
pub mod calls;
pub mod message;
pub mod solidity;

pub use address::{Address, AddressError};
pub use binding::TokenTransfer;
pub use proof::{inputs, proof_words};
pub use signing::{QuorumError, Signature, SignatureError, SigningKey, assemble};
pub use solidity::verifier_source;
pub use typed::{Adapter, Digest, Roots, SignerChange};
pub use word::{Word, WordError};
