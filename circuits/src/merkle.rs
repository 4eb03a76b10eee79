//! Merkle membership: 8-ary paths. Spec §2. Twin: `protocol/src/merkle.rs`.

use ark_relations::gr1cs::SynthesisError;
use placet_protocol::merkle::{ARITY, ARITY_BITS, Path};
use placet_protocol::tag::Tag;

use crate::builder::{Bit, Builder, Interpreter, Var, as_field};
use crate::poseidon::hash;

/// The bits of a path's index, lowest first: three per level.
pub fn index_bits<I: Interpreter, const D: usize>(
    builder: &Builder<I>,
    path: &Path<D>,
) -> Result<Vec<Bit<I>>, SynthesisError> {
    (0..ARITY_BITS * D).map(|i| builder.input_bit(path.index >> i & 1 == 1)).collect()
}

/// The root that `leaf` leads to at the index given by `bits`. Per level: the prover shows all
/// eight children, seven rows make the node on the path the one at its place, one permutation
/// hashes them.
pub fn root<I: Interpreter, const D: usize>(
    builder: &Builder<I>,
    leaf: &Var<I>,
    path: &Path<D>,
    bits: &[Bit<I>],
) -> Result<Var<I>, SynthesisError> {
    assert_eq!(bits.len(), ARITY_BITS * D, "three bits a level");
    let mut own = leaf.clone();
    for level in 0..D {
        let assigned = own.value().unwrap_or_default();
        let children = path
            .children(level, assigned)
            .iter()
            .map(|child| builder.input(*child))
            .collect::<Result<Vec<_>, _>>()?;
        let place = &bits[ARITY_BITS * level..ARITY_BITS * (level + 1)];
        enforce_child(builder, &children, place, &own)?;
        own = hash(builder, Tag::Node, &children.iter().collect::<Vec<_>>())?;
    }
    Ok(own)
}

/// `children[place] = own`, seven rows: a tree of selections whose last one is the equality.
fn enforce_child<I: Interpreter>(
    builder: &Builder<I>,
    children: &[Var<I>],
    place: &[Bit<I>],
    own: &Var<I>,
) -> Result<(), SynthesisError> {
    assert_eq!((children.len(), place.len()), (ARITY, ARITY_BITS), "one level of the tree");
    let [low, middle, high] = [0, 1, 2].map(|i| as_field(&place[i]));
    let pairs: Vec<_> =
        children.chunks_exact(2).map(|pair| builder.choose(&low, &pair[1], &pair[0])).collect();
    let halves: Vec<_> =
        pairs.chunks_exact(2).map(|pair| builder.choose(&middle, &pair[1], &pair[0])).collect();
    (&halves[1] - &halves[0]).mul_equals(&high, &(own - &halves[0]))
}
