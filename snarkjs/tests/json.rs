//! The JSON of keys, proofs and public inputs: one spelling, everything checked.

mod common;

use std::sync::OnceLock;

use ark_bn254::{Fq2, Fr, G2Affine};
use common::{SHAPES, Sample};
use placet_params::point::PointDefect;
use placet_snarkjs::json::{
    JsonError, ProofPoints, proof_bytes, proof_points, read_proof, read_public,
    read_verification_key, write_proof, write_public, write_verification_key,
};
use serde_json::{Value, json};

const FR: &str = "21888242871839275222246405745257275088548364400416034343698204186575808495617";
const FQ: &str = "21888242871839275222246405745257275088696311157297823662689037894645226208583";

fn sample() -> &'static (Sample, ProofPoints) {
    static SAMPLE: OnceLock<(Sample, ProofPoints)> = OnceLock::new();
    SAMPLE.get_or_init(|| {
        let sample = Sample::new(SHAPES[1]);
        let proof = sample.prove(&sample.key);
        (sample, proof)
    })
}

fn altered<T>(
    text: &str,
    read: fn(&str) -> Result<T, JsonError>,
    change: impl FnOnce(&mut Value),
) -> Result<T, JsonError> {
    let mut value: Value = serde_json::from_str(text).unwrap();
    change(&mut value);
    read(&value.to_string())
}

fn proof_with(change: impl FnOnce(&mut Value)) -> Result<ProofPoints, JsonError> {
    altered(&write_proof(&sample().1), read_proof, change)
}

#[test]
fn what_was_written_is_read() {
    let (sample, proof) = sample();
    assert_eq!(read_proof(&write_proof(proof)).unwrap(), *proof);
    assert_eq!(proof_points(&proof_bytes(proof)).unwrap(), *proof);
    let key = &sample.key.vk;
    assert_eq!(read_verification_key(&write_verification_key(key)).unwrap(), *key);
    let inputs = [sample.public(), &[Fr::from(0u8), -Fr::from(1u8)]].concat();
    let text = write_public(&inputs);
    assert_eq!(read_public(&text, inputs.len()).unwrap(), inputs);
    assert!(text.contains("\"0\""), "{text}");
}

#[test]
fn numbers_have_one_spelling_below_the_modulus() {
    let read = |text: &str| read_public(&json!([text]).to_string(), 1);
    assert_eq!(read("0").unwrap(), [Fr::from(0u8)]);
    let largest = format!("{}6", &FR[..FR.len() - 1]);
    assert_eq!(read(&largest).unwrap(), [-Fr::from(1u8)]);
    let longer = "1".repeat(78);
    let longest = "9".repeat(77);
    for text in
        [FR, FQ, "", "00", "01", "-1", "+1", " 1", "1 ", "1.0", "0x1", "1e3", &longer, &longest]
    {
        assert!(matches!(read(text), Err(JsonError::Number { .. })), "{text}");
    }
    // A number of JSON is no text: readers round it.
    assert!(matches!(read_public("[1]", 1), Err(JsonError::Shape { .. })));
    assert!(matches!(proof_with(|p| p["pi_a"][0] = FQ.into()), Err(JsonError::Number { .. })));
}

#[test]
fn lists_have_the_right_length() {
    let (sample, _) = sample();
    let text = write_public(sample.public());
    for expected in [0, 2, 4, usize::MAX] {
        assert!(matches!(read_public(&text, expected), Err(JsonError::Length { found: 3, .. })));
    }
    let key = write_verification_key(&sample.key.vk);
    let read = |change: fn(&mut Value)| altered(&key, read_verification_key, change);
    let shorter = read(|key| drop(key["IC"].as_array_mut().unwrap().pop()));
    assert!(matches!(shorter, Err(JsonError::Length { place: "IC", .. })));
    let other = read(|key| key["nPublic"] = json!(u64::MAX));
    assert!(matches!(other, Err(JsonError::Length { place: "IC", .. })));
    let pair = proof_with(|p| drop(p["pi_a"].as_array_mut().unwrap().pop()));
    assert!(matches!(pair, Err(JsonError::Shape { .. })));
}

#[test]
fn another_proof_system_curve_or_shape_is_refused() {
    assert!(matches!(
        proof_with(|p| p["protocol"] = "plonk".into()),
        Err(JsonError::Protocol { found }) if found == "plonk"
    ));
    assert!(matches!(proof_with(|p| p["curve"] = "bls12381".into()), Err(JsonError::Curve { .. })));
    for change in [
        (|p| p["more"] = 1.into()) as fn(&mut Value),
        |p| p["pi_b"] = p["pi_a"].clone(),
        |p| drop(p.as_object_mut().unwrap().remove("protocol")),
        |p| *p = json!([]),
    ] {
        assert!(matches!(proof_with(change), Err(JsonError::Shape { .. })));
    }
    let text = write_proof(&sample().1);
    let twice = text.replacen("\"pi_a\"", "\"curve\": \"bn128\", \"pi_a\"", 1);
    assert!(matches!(read_proof(&twice), Err(JsonError::Shape { .. })));
    assert!(read_proof(&format!("{text} {{}}")).is_err(), "trailing text");
    for end in 0..text.len() {
        assert!(read_proof(&text[..end]).is_err(), "{end}");
    }
}

#[test]
fn points_are_affine_finite_on_their_curve_and_in_their_subgroup() {
    // As snarkjs writes the point at infinity.
    for (place, infinity) in
        [("pi_a", json!(["0", "1", "0"])), ("pi_b", json!([["0", "0"], ["1", "0"], ["0", "0"]]))]
    {
        let refused = proof_with(|p| p[place] = infinity);
        assert!(matches!(refused, Err(JsonError::NotAffine { .. })), "{place}");
    }
    let zero = proof_with(|p| p["pi_c"] = json!(["0", "0", "1"]));
    assert!(matches!(zero, Err(JsonError::Point { defect: PointDefect::Infinity, .. })));
    let off = proof_with(|p| p["pi_a"] = json!(["1", "3", "1"]));
    assert!(matches!(off, Err(JsonError::Point { defect: PointDefect::OffCurve, .. })));
    let scaled = proof_with(|p| p["pi_a"][2] = "2".into());
    assert!(matches!(scaled, Err(JsonError::NotAffine { .. })));
    let stray = (1u64..)
        .filter_map(|x| G2Affine::get_point_from_x_unchecked(Fq2::from(x), false))
        .find(|point| !point.is_in_correct_subgroup_assuming_on_curve())
        .unwrap();
    let stray = write_proof(&ProofPoints { b: stray, ..sample().1.clone() });
    assert!(matches!(
        read_proof(&stray),
        Err(JsonError::Point { defect: PointDefect::OffSubgroup, .. })
    ));
}

#[test]
fn the_pairing_in_a_key_may_be_missing_but_not_wrong() {
    let key = &sample().0.key.vk;
    let text = write_verification_key(key);
    let without = altered(&text, read_verification_key, |key| {
        key.as_object_mut().unwrap().remove("vk_alphabeta_12");
    });
    assert_eq!(without.unwrap(), *key);
    let wrong = altered(&text, read_verification_key, |key| {
        key["vk_alphabeta_12"][1][2][0] = "5".into();
    });
    assert!(matches!(wrong, Err(JsonError::AlphaBeta)));
}
