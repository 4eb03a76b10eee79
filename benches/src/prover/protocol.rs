//! What the measuring process and the provers' processes say to each other: one JSON value a line.

use ark_bn254::Bn254;
use placet_protocol::statement::{PROOF_BYTES, ProofBytes};
use placet_snarkjs::json;
use serde::{Deserialize, Serialize};

use super::measure::Sample;

/// What is asked of a prover.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "kebab-case")]
pub enum Request {
    /// One proof from the statement in hand.
    Prove,
    /// One proof after preparation; only ours can.
    Warm,
    /// Measure verification with these proofs, as hexadecimal.
    Verify {
        /// All of them are of the statement.
        proofs: Vec<String>,
        /// How often.
        rounds: usize,
    },
    /// Say how much memory it took, and end.
    End,
}

/// What a prover answers.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "kebab-case")]
pub enum Reply {
    /// Before the first request.
    Ready {
        /// What was done once for the key.
        preparation: Sample,
        /// Bytes of tables.
        table_bytes: u64,
        /// The version, where the measuring process cannot know it.
        version: Option<String>,
    },
    /// A proof.
    Proof {
        /// From the statement in hand, or for other software from the values of all wires.
        took: Sample,
        /// The part of `took.wall_ms` that computed the values of all wires.
        witness_ms: Option<f64>,
        /// 128 bytes as hexadecimal, or the text of a `proof.json`.
        proof: String,
    },
    /// Times of verification, a value a round.
    Verified {
        /// ark-groth16 with a prepared key, one proof, in milliseconds.
        ark_ms: Vec<f64>,
        /// Ours, one proof whose points are decoded.
        ours_ms: Vec<f64>,
        /// Ours, 256 proofs as bytes in one batch; of all of them.
        batch_ms: Vec<f64>,
    },
    /// The last words.
    End {
        /// Most memory it held, in KiB.
        peak_kib: Option<u64>,
    },
    /// It does not work.
    Failed {
        /// Why.
        reason: String,
    },
}

/// A proof as a prover said it; `None` if it is none.
pub fn read_proof(text: &str) -> Option<ark_groth16::Proof<Bn254>> {
    if text.trim_start().starts_with('{') {
        return json::read_proof(text).ok();
    }
    let bytes: [u8; PROOF_BYTES] = hex::decode(text).ok()?.try_into().ok()?;
    json::proof_points(&ProofBytes(bytes)).ok()
}

/// A proof in 128 bytes as hexadecimal.
pub fn write_proof(points: &ark_groth16::Proof<Bn254>) -> String {
    hex::encode(json::proof_bytes(points).0)
}
