//! Known answers for `H` at every width, from independent implementations named in
//! `data/poseidon.json`, and agreement with arkworks' own permutation. Spec §2.

use std::str::FromStr;

use ark_crypto_primitives::sponge::poseidon::{PoseidonConfig, PoseidonSponge};
use ark_crypto_primitives::sponge::{CryptographicSponge, FieldBasedCryptographicSponge};
use placet_protocol::Fr;
use placet_protocol::poseidon::{FULL_ROUNDS, MAX_INPUTS, Parameters, cells, hash};
use placet_protocol::tag::Tag;
use serde_json::Value;

/// One published permutation: `[tag, inputs]` goes in, `cells` comes out.
struct Vector {
    tag: Fr,
    inputs: Vec<Fr>,
    cells: Vec<Fr>,
}

fn vectors() -> Vec<Vector> {
    let file: Value = serde_json::from_str(include_str!("data/poseidon.json")).unwrap();
    let number = |value: &Value| Fr::from_str(value.as_str().unwrap()).unwrap();
    let numbers = |value: &Value| value.as_array().unwrap().iter().map(number).collect();
    let cases = file["cases"].as_array().unwrap().iter();
    cases
        .map(|case| Vector {
            tag: number(&case["tag"]),
            inputs: numbers(&case["inputs"]),
            cells: numbers(&case["cells"]),
        })
        .collect()
}

/// [`cells`] with the arity as a value.
fn cells_of(tag: Fr, inputs: &[Fr]) -> Vec<Fr> {
    macro_rules! by_arity {
        ($($n:literal)*) => { match inputs.len() {
            $($n => cells::<$n>(tag, inputs.try_into().unwrap()),)*
            n => panic!("no vector has {n} inputs"),
        }};
    }
    by_arity!(1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16)
}

#[test]
fn every_width_equals_circomlib() {
    let vectors = vectors();
    for n in 1..=MAX_INPUTS {
        let of_width: Vec<_> = vectors.iter().filter(|v| v.inputs.len() == n).collect();
        assert!(of_width.len() >= 4, "width {} has too few vectors", n + 1);
        for vector in of_width {
            let ours = cells_of(vector.tag, &vector.inputs);
            assert_eq!(ours, vector.cells, "width {} tag {}", n + 1, vector.tag);
        }
    }
}

#[test]
fn the_published_hash_of_one_and_two_is_ours() {
    // The value that circomlib's own test and most ports quote for poseidon([1, 2]).
    let published = Fr::from_str(
        "7853200120776062878684798364095072458815029376092732009249414926327459813530",
    );
    let ours = cells(Fr::from(0u8), &[Fr::from(1u8), Fr::from(2u8)])[0];
    assert_eq!(Ok(ours), published);
}

#[test]
fn the_permutation_equals_the_sponge_of_arkworks() {
    for vector in vectors() {
        let rate = vector.inputs.len();
        let parameters = Parameters::of_width(rate + 1);
        let mut sponge = PoseidonSponge::new(&PoseidonConfig::new(
            FULL_ROUNDS,
            parameters.partial_rounds,
            5,
            parameters.matrix.clone(),
            parameters.constants.clone(),
            rate,
            1,
        ));
        // Absorbing exactly the rate fills the state; squeezing runs the one permutation.
        sponge.state[0] = vector.tag;
        sponge.absorb(&vector.inputs);
        let squeezed = sponge.squeeze_native_field_elements(rate);
        let ours = cells_of(vector.tag, &vector.inputs);
        assert_eq!(sponge.state, ours);
        assert_eq!(squeezed, ours[1..]);
    }
}

#[test]
fn the_tag_separates_domains_and_the_arity() {
    let one = Fr::from(1u8);
    let zero = Fr::from(0u8);
    assert_ne!(hash(Tag::Owner, [one, one]), hash(Tag::Refund, [one, one]));
    assert_ne!(hash(Tag::Owner, [one]), hash(Tag::Owner, [one, zero]));
}

#[test]
fn light_poseidon_agrees_on_all_inputs_it_takes() {
    use light_poseidon::{Poseidon, PoseidonHasher};

    let known: Vec<_> = vectors()
        .into_iter()
        .filter(|vector| vector.inputs.len() < light_poseidon::MAX_X5_LEN)
        .collect();
    for vector in &known {
        let domain = Poseidon::<Fr>::with_domain_tag_circom(vector.inputs.len(), vector.tag);
        let theirs = domain.unwrap().hash(&vector.inputs).unwrap();
        assert_eq!(cells_of(vector.tag, &vector.inputs)[0], theirs);
    }
    let widths: std::collections::BTreeSet<_> = known.iter().map(|v| v.inputs.len()).collect();
    assert_eq!(Vec::from_iter(widths), Vec::from_iter(1..=12));
}
