//! `H(tag; x1..xn)` in-circuit: three rows per S-box, everything else is linear. Spec §2.
//! Twin: `protocol/src/poseidon.rs`.

use ark_relations::gr1cs::SynthesisError;
use placet_protocol::tag::Tag;

use crate::builder::{Builder, Interpreter, Var};

/// The output state of one permutation of `[tag, inputs…]`; the tag may be a variable.
pub fn cells<I: Interpreter>(
    builder: &Builder<I>,
    tag: &Var<I>,
    inputs: &[&Var<I>],
) -> Result<Vec<Var<I>>, SynthesisError> {
    let state: Vec<_> = std::iter::once(tag).chain(inputs.iter().copied()).collect();
    builder.permute(&state)
}

/// `H(tag; inputs)` for a fixed tag.
pub fn hash<I: Interpreter>(
    builder: &Builder<I>,
    tag: Tag,
    inputs: &[&Var<I>],
) -> Result<Var<I>, SynthesisError> {
    hash_tagged(builder, &Var::constant(tag.field()), inputs)
}

/// `H(tag; inputs)` for a tag that is itself computed: two hashes that are never needed together
/// share one permutation.
pub fn hash_tagged<I: Interpreter>(
    builder: &Builder<I>,
    tag: &Var<I>,
    inputs: &[&Var<I>],
) -> Result<Var<I>, SynthesisError> {
    Ok(cells(builder, tag, inputs)?.swap_remove(0))
}
