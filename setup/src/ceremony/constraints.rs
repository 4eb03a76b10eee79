//! A circuit as phase 2 sees it: three sparse matrices, from a built-in circuit or an `.r1cs` file.

use ark_relations::gr1cs::SynthesisError;
use placet_circuits::circuit::{Circuit, Record, matrices, synthesize};
use placet_snarkjs::r1cs::R1cs;

/// The constraints of a built-in circuit, as its exported `.r1cs` file has them.
pub fn constraints_of<C: Circuit>() -> Result<R1cs, SynthesisError> {
    let (public, witness) = C::blank();
    let cs = synthesize::<C>(&public, &witness, Record::Constraints)?;
    let (instance, witnesses) = (cs.num_instance_variables(), cs.num_witness_variables());
    Ok(R1cs::from_matrices(&matrices(&cs)?, instance, witnesses))
}

/// The evaluation domain has `2^power` rows: the smallest that all rows fit, and at least two.
/// `None` if it would be larger than keys can be, 2^24 rows.
pub fn domain_power(circuit: &R1cs) -> Option<u8> {
    let rows = circuit.rows().checked_next_power_of_two()?;
    u8::try_from(rows.trailing_zeros().max(1)).ok().filter(|power| *power <= 24)
}

/// Entries of the three matrices that are not zero: what the initial key's cost depends on.
pub fn entries(circuit: &R1cs) -> usize {
    circuit.matrices.iter().flatten().map(Vec::len).sum()
}

/// Bytes of memory that deriving or verifying a key of this circuit takes, roughly: by row of the
/// domain five lists of points and their encodings, by variable four, and by entry what was
/// measured: 298 to 334 MB in all for 858,685 entries, 30,534 variables and 2^15 rows.
pub fn memory(circuit: &R1cs) -> u64 {
    let rows = circuit.rows().next_power_of_two() as u64;
    700 * rows + 500 * u64::from(circuit.variables) + 330 * entries(circuit) as u64
}
