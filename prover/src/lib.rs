//! Checks natively, proves with Groth16, verifies its own proof
