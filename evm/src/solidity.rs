//! Writes the verifier contract for one verifying key. The template is
//! `contracts/PlacetVerifier.sol.template`: all its logic is there to read, the key's points and
//! the number of inputs are put in here.

use std::fmt::Write as _;

use placet_params::{Origin, VerifyingKey};
use placet_protocol::statement::Statement;

use crate::proof::{g1, g2};
use crate::word::Word;

/// Version of the compiler that the contracts are for.
pub const SOLC_VERSION: &str = "0.8.37";
/// File name of the verifier.
pub const VERIFIER_FILE: &str = "PlacetVerifier.sol";

/// The other sources, by file name: what an adapter needs besides the verifier.
pub const SOURCES: [(&str, &str); 2] = [
    ("ICompliance.sol", include_str!("../contracts/ICompliance.sol")),
    ("PlacetCompliance.sol", include_str!("../contracts/PlacetCompliance.sol")),
];

const TEMPLATE: &str = include_str!("../contracts/PlacetVerifier.sol.template");

/// `PlacetVerifier.sol` for a key.
pub fn verifier_source<S: Statement>(key: &VerifyingKey<S>) -> String {
    let points = key.points();
    // Three of the four pairings stand on the other side of the equation: their points of G2 are
    // written negated, once, so that nothing of a proof has to be.
    let mut constants = String::new();
    let mut constant = |name: &str, word: Word| {
        writeln!(
            constants,
            "    uint256 private constant {name} =\n        {};",
            word.to_decimal()
        )
        .expect("writing into a string cannot fail");
    };
    let [x, y] = g1(&points.alpha_g1);
    constant("ALPHA_X", x);
    constant("ALPHA_Y", y);
    for (name, point) in [
        ("NEG_BETA", -points.beta_g2),
        ("NEG_GAMMA", -points.gamma_g2),
        ("NEG_DELTA", -points.delta_g2),
    ] {
        for (part, word) in ["X_IM", "X_RE", "Y_IM", "Y_RE"].iter().zip(g2(&point)) {
            constant(&format!("{name}_{part}"), word);
        }
    }
    for (i, point) in points.gamma_abc_g1.iter().enumerate() {
        let [x, y] = g1(point);
        constant(&format!("IC{i}_X"), x);
        constant(&format!("IC{i}_Y"), y);
    }
    let mut sum = String::new();
    for i in 0..S::PUBLIC_INPUTS {
        let point = i + 1;
        writeln!(
            sum,
            "        if (!_addProduct(io, IC{point}_X, IC{point}_Y, inputs[{i}])) return false;"
        )
        .expect("writing into a string cannot fail");
    }
    TEMPLATE
        .replace("{{SOLC}}", SOLC_VERSION)
        .replace("{{STATEMENT}}", S::NAME)
        .replace("{{ORIGIN}}", &origin(key.origin()))
        .replace("{{DIGEST}}", &key.circuit().to_string())
        .replace("{{CIRCUIT}}", &Word(key.hash().0).to_hex())
        .replace("{{INPUTS}}", &S::PUBLIC_INPUTS.to_string())
        .replace("{{CONSTANTS}}\n", &constants)
        .replace("{{SUM}}\n", &sum)
}

/// What a reader of the contract must know of the key, as lines of its notice.
fn origin(origin: Origin) -> String {
    match origin {
        Origin::Dev => {
            "A DEVELOPMENT KEY: one machine made it and could forge proofs. Do not deploy\n\
                        /// this where anything has a value."
                .to_owned()
        }
        Origin::Ceremony { transcript } => {
            format!("The key names the ceremony with transcript\n/// {transcript}.")
        }
    }
}
