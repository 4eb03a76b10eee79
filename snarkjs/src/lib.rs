//! The files of snarkjs, read strictly and written as it writes them: `.r1cs`, `.wtns`, `.zkey`,
//! `.ptau`, and the JSON of verifying keys, proofs and public inputs. Spec §12.5.
