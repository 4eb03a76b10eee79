//! `verification_key.json`, `proof.json` and `public.json`. Spec §12.5.
//!
//! Numbers are texts in decimal, points are projective with `z = 1`. Read strictly: one spelling a
//! number, each below its modulus, points on their curves and in their subgroups, none at
//! infinity.

use std::borrow::Cow;

use ark_bn254::{Bn254, Fq, Fq2, Fq12, Fr, G1Affine, G2Affine};
use ark_ec::AffineRepr;
use ark_ec::pairing::Pairing;
use ark_ec::short_weierstrass::{Affine, SWCurveConfig};
use ark_ff::{BigInt, PrimeField};
use ark_serialize::Compress;
use placet_params::key::VerifyingPoints;
use placet_params::point::{self, PointDefect};
use placet_protocol::statement::{PROOF_BYTES, ProofBytes};
use serde::{Deserialize, Serialize};

use crate::points::checked_point;

/// Largest JSON file that is worth reading, in bytes: a key of some thousand public inputs.
pub const MAX_BYTES: u64 = 1 << 20;
/// The proof system as snarkjs names it.
const PROTOCOL: &str = "groth16";
/// BN254 as snarkjs names it.
const CURVE: &str = "bn128";
/// Decimal digits of the largest number below either modulus.
const MAX_DIGITS: usize = 77;

/// A proof's points, as the Groth16 library holds them.
pub type ProofPoints = ark_groth16::Proof<Bn254>;

/// Why a JSON text is not what it should be.
#[derive(Debug, thiserror::Error)]
pub enum JsonError {
    /// Not JSON, or JSON of another shape.
    #[error("this is not the JSON of a {what}: {source}")]
    Shape {
        /// What it should be.
        what: &'static str,
        /// What the parser says.
        #[source]
        source: serde_json::Error,
    },
    /// Another proof system.
    #[error("the protocol is `{found}`; only {PROTOCOL} can be used")]
    Protocol {
        /// What the text says.
        found: String,
    },
    /// Another curve.
    #[error("the curve is `{found}`; only {CURVE} can be used")]
    Curve {
        /// What the text says.
        found: String,
    },
    /// Not a number in its one spelling, or not below the modulus.
    #[error(
        "{place} is not a decimal number below the modulus, or begins with a zero; another spelling of a valid number is refused, because two spellings would name one thing"
    )]
    Number {
        /// Where.
        place: String,
    },
    /// A list of the wrong length.
    #[error("{place} has {found} entries; {expected} are needed")]
    Length {
        /// Where.
        place: &'static str,
        /// How many there should be.
        expected: usize,
        /// How many there are.
        found: usize,
    },
    /// A point is not acceptable.
    #[error("{place}: {defect}")]
    Point {
        /// Where.
        place: String,
        /// What is wrong with it.
        #[source]
        defect: PointDefect,
    },
    /// A point that is not written with `z = 1`.
    #[error("{place} is not in affine form: its third coordinate must be 1")]
    NotAffine {
        /// Where.
        place: String,
    },
    /// The pairing in a verification key is not that of its points.
    #[error("vk_alphabeta_12 is not the pairing of alpha and beta: the key was altered")]
    AlphaBeta,
}

type Text<'a> = Cow<'a, str>;
type G1Text<'a> = [Text<'a>; 3];
type PairText<'a> = [Text<'a>; 2];
type G2Text<'a> = [PairText<'a>; 3];
type GtText<'a> = [[PairText<'a>; 3]; 2];

// Fields in the order in which snarkjs writes them.

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct KeyText<'a> {
    protocol: Text<'a>,
    curve: Text<'a>,
    #[serde(rename = "nPublic")]
    public_inputs: usize,
    vk_alpha_1: G1Text<'a>,
    vk_beta_2: G2Text<'a>,
    vk_gamma_2: G2Text<'a>,
    vk_delta_2: G2Text<'a>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    vk_alphabeta_12: Option<GtText<'a>>,
    #[serde(rename = "IC")]
    ic: Vec<G1Text<'a>>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ProofText<'a> {
    pi_a: G1Text<'a>,
    pi_b: G2Text<'a>,
    pi_c: G1Text<'a>,
    protocol: Text<'a>,
    curve: Text<'a>,
}

/// `verification_key.json`.
pub fn write_verification_key(key: &VerifyingPoints) -> String {
    pretty(&KeyText {
        protocol: PROTOCOL.into(),
        curve: CURVE.into(),
        public_inputs: key.gamma_abc_g1.len().saturating_sub(1),
        vk_alpha_1: g1_text(&key.alpha_g1),
        vk_beta_2: g2_text(&key.beta_g2),
        vk_gamma_2: g2_text(&key.gamma_g2),
        vk_delta_2: g2_text(&key.delta_g2),
        vk_alphabeta_12: Some(alpha_beta(key)),
        ic: key.gamma_abc_g1.iter().map(g1_text).collect(),
    })
}

/// The points of `verification_key.json`. `vk_alphabeta_12` may be missing, as it follows from the
/// rest; if it is there, it must be right.
pub fn read_verification_key(text: &str) -> Result<VerifyingPoints, JsonError> {
    let key: KeyText<'_> = parse(text, "verification key")?;
    check_names(&key.protocol, &key.curve)?;
    let expected = key.public_inputs.saturating_add(1);
    if key.ic.len() != expected {
        return Err(JsonError::Length { place: "IC", expected, found: key.ic.len() });
    }
    let ic = key.ic.iter().enumerate();
    let points = VerifyingPoints {
        alpha_g1: g1(&key.vk_alpha_1, "vk_alpha_1")?,
        beta_g2: g2(&key.vk_beta_2, "vk_beta_2")?,
        gamma_g2: g2(&key.vk_gamma_2, "vk_gamma_2")?,
        delta_g2: g2(&key.vk_delta_2, "vk_delta_2")?,
        gamma_abc_g1: ic
            .map(|(index, point)| g1(point, &format!("IC[{index}]")))
            .collect::<Result<_, _>>()?,
    };
    match key.vk_alphabeta_12 {
        Some(pairing) if pairing != alpha_beta(&points) => Err(JsonError::AlphaBeta),
        _ => Ok(points),
    }
}

/// `proof.json`.
pub fn write_proof(proof: &ProofPoints) -> String {
    pretty(&ProofText {
        pi_a: g1_text(&proof.a),
        pi_b: g2_text(&proof.b),
        pi_c: g1_text(&proof.c),
        protocol: PROTOCOL.into(),
        curve: CURVE.into(),
    })
}

/// The points of `proof.json`.
pub fn read_proof(text: &str) -> Result<ProofPoints, JsonError> {
    let proof: ProofText<'_> = parse(text, "proof")?;
    check_names(&proof.protocol, &proof.curve)?;
    Ok(ProofPoints {
        a: g1(&proof.pi_a, "pi_a")?,
        b: g2(&proof.pi_b, "pi_b")?,
        c: g1(&proof.pi_c, "pi_c")?,
    })
}

/// `public.json`.
pub fn write_public(inputs: &[Fr]) -> String {
    pretty(&inputs.iter().map(|input| input.into_bigint().to_string()).collect::<Vec<_>>())
}

/// The public inputs of `public.json`, which must be as many as expected.
pub fn read_public(text: &str, expected: usize) -> Result<Vec<Fr>, JsonError> {
    let inputs: Vec<Text<'_>> = parse(text, "list of public inputs")?;
    if inputs.len() != expected {
        let place = "the list of public inputs";
        return Err(JsonError::Length { place, expected, found: inputs.len() });
    }
    let read = |(index, text): (usize, &Text<'_>)| {
        number(text).ok_or_else(|| JsonError::Number { place: format!("public input {index}") })
    };
    inputs.iter().enumerate().map(read).collect()
}

/// The points in the 128 bytes of a proof.
pub fn proof_points(proof: &ProofBytes) -> Result<ProofPoints, JsonError> {
    let (a, rest) = proof.0.split_at(32);
    let (b, c) = rest.split_at(64);
    let at = |place: &str| {
        let place = place.to_owned();
        move |defect| JsonError::Point { place, defect }
    };
    Ok(ProofPoints {
        a: point::decode_finite(a, Compress::Yes).map_err(at("point A"))?,
        b: point::decode_finite(b, Compress::Yes).map_err(at("point B"))?,
        c: point::decode_finite(c, Compress::Yes).map_err(at("point C"))?,
    })
}

/// The 128 bytes of a proof.
pub fn proof_bytes(proof: &ProofPoints) -> ProofBytes {
    let mut out = Vec::with_capacity(PROOF_BYTES);
    point::encode(&proof.a, Compress::Yes, &mut out);
    point::encode(&proof.b, Compress::Yes, &mut out);
    point::encode(&proof.c, Compress::Yes, &mut out);
    ProofBytes(out.try_into().expect("32 + 64 + 32 bytes"))
}

fn parse<'a, T: Deserialize<'a>>(text: &'a str, what: &'static str) -> Result<T, JsonError> {
    serde_json::from_str(text).map_err(|source| JsonError::Shape { what, source })
}

/// One blank of indentation, as snarkjs does.
fn pretty(value: &impl Serialize) -> String {
    let mut out = Vec::new();
    let formatter = serde_json::ser::PrettyFormatter::with_indent(b" ");
    let mut serializer = serde_json::Serializer::with_formatter(&mut out, formatter);
    value.serialize(&mut serializer).expect("texts and lists always serialize");
    String::from_utf8(out).expect("JSON is UTF-8")
}

fn check_names(protocol: &str, curve: &str) -> Result<(), JsonError> {
    if protocol != PROTOCOL {
        return Err(JsonError::Protocol { found: protocol.to_owned() });
    }
    match curve == CURVE {
        true => Ok(()),
        false => Err(JsonError::Curve { found: curve.to_owned() }),
    }
}

/// A number in its one decimal spelling, below the modulus.
fn number<F: PrimeField<BigInt = BigInt<4>>>(text: &str) -> Option<F> {
    let digits = text.as_bytes();
    let one_spelling = digits == b"0" || digits.first().is_some_and(|first| *first != b'0');
    if !one_spelling || digits.len() > MAX_DIGITS || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let mut limbs = [0u64; 4];
    for digit in digits {
        let mut carry = u128::from(digit - b'0');
        for limb in &mut limbs {
            let value = u128::from(*limb) * 10 + carry;
            *limb = value as u64;
            carry = value >> 64;
        }
        if carry != 0 {
            return None;
        }
    }
    F::from_bigint(BigInt::new(limbs))
}

fn coordinate(text: &str, place: &str) -> Result<Fq, JsonError> {
    number(text).ok_or_else(|| JsonError::Number { place: place.to_owned() })
}

fn pair(text: &PairText<'_>, place: &str) -> Result<Fq2, JsonError> {
    Ok(Fq2::new(coordinate(&text[0], place)?, coordinate(&text[1], place)?))
}

fn g1([x, y, z]: &G1Text<'_>, place: &str) -> Result<G1Affine, JsonError> {
    if z != "1" {
        return Err(JsonError::NotAffine { place: place.to_owned() });
    }
    checked(coordinate(x, place)?, coordinate(y, place)?, place)
}

fn g2([x, y, z]: &G2Text<'_>, place: &str) -> Result<G2Affine, JsonError> {
    if *z != ["1", "0"] {
        return Err(JsonError::NotAffine { place: place.to_owned() });
    }
    checked(pair(x, place)?, pair(y, place)?, place)
}

fn checked<C: SWCurveConfig>(
    x: C::BaseField,
    y: C::BaseField,
    place: &str,
) -> Result<Affine<C>, JsonError> {
    let refuse = |defect| JsonError::Point { place: place.to_owned(), defect };
    let point = checked_point::<C>(x, y).map_err(refuse)?;
    if point.is_zero() {
        return Err(refuse(PointDefect::Infinity));
    }
    match point.is_in_correct_subgroup_assuming_on_curve() {
        true => Ok(point),
        false => Err(refuse(PointDefect::OffSubgroup)),
    }
}

fn text<'a>(value: &Fq) -> Text<'a> {
    value.into_bigint().to_string().into()
}

fn pair_text<'a>(value: &Fq2) -> PairText<'a> {
    [text(&value.c0), text(&value.c1)]
}

fn g1_text<'a>(point: &G1Affine) -> G1Text<'a> {
    [text(&point.x), text(&point.y), "1".into()]
}

fn g2_text<'a>(point: &G2Affine) -> G2Text<'a> {
    [pair_text(&point.x), pair_text(&point.y), ["1".into(), "0".into()]]
}

/// `e(alpha, beta)`: two coefficients over the sextic extension, three over the quadratic each.
fn alpha_beta<'a>(key: &VerifyingPoints) -> GtText<'a> {
    let Fq12 { c0, c1, .. } = Bn254::pairing(key.alpha_g1, key.beta_g2).0;
    [c0, c1].map(|half| [half.c0, half.c1, half.c2].map(|value| pair_text(&value)))
}
