//! Prints the verifier contract of the key that the tests use. Its seed is known to everybody, so
//! that its proofs are worth nothing.

use placet_protocol::transfer::Transfer;
use placet_setup::{SetupSeed, generate};

fn main() -> Result<(), placet_setup::SetupError> {
    let key = generate::<Transfer>(SetupSeed::from_bytes([0x45; 32]))?;
    print!("{}", placet_evm::verifier_source(key.verifying_key()));
    Ok(())
}
