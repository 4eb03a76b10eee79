//! Baby Jubjub keys against iden3's own implementation, named in `data/babyjub.json`: the same
//! scalars give the same points, so keys are readable by circom and iden3 tools. Spec §3.

use std::str::FromStr;

use ark_ff::{AdditiveGroup, Field, PrimeField};
use placet_protocol::Fr;
use placet_protocol::field::{AssetId, HolderId};
use placet_protocol::keys::{NullifierKey, PublicKey, Scalar, SecretKey};
use placet_protocol::poseidon::hash;
use placet_protocol::tag::Tag;
use serde_json::Value;

fn file() -> Value {
    serde_json::from_str(include_str!("data/babyjub.json")).unwrap()
}

fn coordinate(value: &Value) -> Fr {
    Fr::from_str(value.as_str().unwrap()).unwrap()
}

fn scalar(value: &Value) -> Scalar {
    Scalar::from_str(value.as_str().unwrap()).unwrap()
}

/// Whether the statement can prove a key; the other four scalars are refused at the door.
fn is_degenerate(scalar: Scalar) -> bool {
    [Scalar::ZERO, Scalar::ONE, -Scalar::ONE, -Scalar::from(2u8)].contains(&scalar)
}

#[test]
fn the_subgroup_has_the_published_order() {
    assert_eq!(Scalar::MODULUS.to_string(), file()["sub_order"].as_str().unwrap());
}

#[test]
fn public_keys_equal_multiples_of_base8() {
    let file = file();
    let mut compared = 0;
    for point in file["points"].as_array().unwrap() {
        let scalar = scalar(&point["scalar"]);
        let (x, y) = (coordinate(&point["x"]), coordinate(&point["y"]));
        // Every point of the file is a valid public key, also where its scalar is refused.
        let published = PublicKey::from_coordinates(x, y).unwrap();
        assert_eq!(PublicKey::from_holder(HolderId::new(x)), Ok(published));
        match SecretKey::from_scalar(scalar) {
            Ok(secret) => {
                assert!(!is_degenerate(scalar));
                assert_eq!(secret.public(), published);
                compared += 1;
            }
            Err(_) => assert!(is_degenerate(scalar), "a good scalar was refused"),
        }
    }
    assert!(compared >= 15);
}

#[test]
fn shared_secrets_equal_the_published_ones() {
    let file = file();
    let asset = AssetId::new(Fr::from(7u8));
    let mut compared = 0;
    for case in file["agreements"].as_array().unwrap() {
        let keys = [scalar(&case["secret"]), scalar(&case["other"])];
        let [Ok(secret), Ok(other)] = keys.map(SecretKey::from_scalar) else { continue };
        // S.x is visible only through what is derived from it.
        let nk = NullifierKey::derive(&secret.agree(&other.public()), asset);
        let expected = hash(Tag::NullifierKey, [coordinate(&case["shared_x"]), asset.get()]);
        assert_eq!(nk.expose(), expected);
        compared += 1;
    }
    assert!(compared >= 5);
}
