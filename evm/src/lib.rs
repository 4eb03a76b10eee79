//! Proofs and roots for contracts of the Ethereum virtual machine: a verifier for `transfer`, and
//! an adapter that a permissioned token (ERC-3643) asks. Spec §12.7.
