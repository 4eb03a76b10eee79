//! The process of one prover: reads its key, then does what it is asked to, line by line.

use std::hint::black_box;
use std::io::{BufRead, Write};
use std::path::PathBuf;
use std::str::FromStr;

use ark_bn254::{Bn254, Fr};
use ark_groth16::Groth16;
use ark_std::UniformRand;
use ark_std::rand::SeedableRng;
use ark_std::rand::rngs::StdRng;
use placet_protocol::statement::ProofBytes;

use super::case::{Case, Circuit, InHand};
use super::engine::{Engine, Prover, Tables};
use super::error::BenchError;
use super::measure::{Stopwatch, peak_kib};
use super::protocol::{Reply, Request, read_proof, write_proof};

/// Proofs in the measured batch.
pub const BATCH: usize = 256;

/// What a process is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Proving.
    Prove(Prover),
    /// Verifying.
    Verify,
}

impl FromStr for Role {
    type Err = BenchError;

    fn from_str(text: &str) -> Result<Self, BenchError> {
        match text {
            "verify" => Ok(Self::Verify),
            _ => text.parse().map(Self::Prove),
        }
    }
}

impl Role {
    /// The name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Prove(prover) => prover.name(),
            Self::Verify => "verify",
        }
    }
}

/// The arguments of such a process.
#[derive(Clone, Debug)]
pub struct Worker {
    /// What it does.
    pub role: Role,
    /// The circuit.
    pub circuit: Circuit,
    /// The proving key's file.
    pub key: PathBuf,
    /// Memory for tables.
    pub tables: Tables,
    /// Whether it runs in valgrind.
    pub counted: bool,
}

/// Nobody listens any more: there is nothing left to do.
struct Gone;

impl Worker {
    /// Answers until it is told to end, or nobody asks any more.
    pub fn run(&self, mut input: impl BufRead, mut output: impl Write) {
        let say = &mut |reply: &Reply| {
            let mut line = serde_json::to_vec(reply).expect("replies always serialize");
            line.push(b'\n');
            output.write_all(&line).and_then(|()| output.flush()).map_err(|_| Gone)
        };
        if let Err(error) = self.serve(&mut input, say) {
            let _ = say(&Reply::Failed { reason: error.to_string() });
        }
    }

    fn watch(&self) -> Stopwatch {
        if self.counted { Stopwatch::wall_only() } else { Stopwatch::start() }
    }

    fn serve(
        &self,
        input: &mut impl BufRead,
        say: &mut impl FnMut(&Reply) -> Result<(), Gone>,
    ) -> Result<(), BenchError> {
        let case = Case::load(self.circuit, &self.key)?;
        let statement = case.statement();
        let mut seed = [0; 32];
        getrandom::fill(&mut seed)?;
        let mut rng = StdRng::from_seed(seed);
        let watch = self.watch();
        let engine = match self.role {
            Role::Prove(prover) => Some(Engine::new(prover, &case, self.tables)?),
            Role::Verify => None,
        };
        let ready = Reply::Ready {
            preparation: watch.elapsed(),
            table_bytes: engine.as_ref().map_or(0, Engine::table_bytes),
            version: None,
        };
        let ahead = match &engine {
            Some(Engine::Ours(ours)) if !self.counted => {
                Some(ours.prepare(&case.values(&statement, 0)?))
            }
            _ => None,
        };
        if say(&ready).is_err() {
            return Ok(());
        }
        let mut line = String::new();
        loop {
            line.clear();
            if !input.read_line(&mut line).is_ok_and(|length| length > 0) {
                return Ok(());
            }
            let reply = match (serde_json::from_str(&line), &engine) {
                (Ok(Request::Prove), Some(engine)) => {
                    let watch = self.watch();
                    let values = case.values(&statement, 1)?;
                    let witness_ms = Some(watch.elapsed().wall_ms);
                    let [r, s] = [(); 2].map(|()| Fr::rand(&mut rng));
                    let proof = engine.prove(&values, r, s)?;
                    Reply::Proof { took: watch.elapsed(), witness_ms, proof: write_proof(&proof) }
                }
                (Ok(Request::Warm), Some(Engine::Ours(ours))) => {
                    let Some(ahead) = &ahead else {
                        return Err(BenchError::Refused {
                            prover: "ours".into(),
                            reason: "nothing is prepared where instructions are counted".into(),
                        });
                    };
                    let watch = self.watch();
                    let values = case.values(&statement, 1)?;
                    let witness_ms = Some(watch.elapsed().wall_ms);
                    let [r, s] = [(); 2].map(|()| Fr::rand(&mut rng));
                    let proof = ours.prove_prepared(ahead, &values, r, s)?;
                    Reply::Proof { took: watch.elapsed(), witness_ms, proof: write_proof(&proof) }
                }
                (Ok(Request::Verify { proofs, rounds }), _) => {
                    verify(&case, &statement, &proofs, rounds)?
                }
                (Ok(Request::End), _) => {
                    let _ = say(&Reply::End { peak_kib: peak_kib(None) });
                    return Ok(());
                }
                _ => Reply::Failed { reason: format!("it does not understand {}", line.trim()) },
            };
            if say(&reply).is_err() {
                return Ok(());
            }
        }
    }
}

/// The library's verification with a prepared key, ours, and ours of a batch; in every round each
/// once, single ones as often as takes some milliseconds.
fn verify(
    case: &Case,
    statement: &InHand,
    proofs: &[String],
    rounds: usize,
) -> Result<Reply, BenchError> {
    const SINGLE: u32 = 8;
    let wires = case.values(statement, 1)?.wires.clone();
    let inputs = &wires[1..case.matrices.instance];
    let points: Vec<_> = proofs.iter().filter_map(|text| read_proof(text)).collect();
    let Some(first) = points.first().filter(|_| points.len() == proofs.len()) else {
        return Ok(Reply::Failed { reason: "it was given no proofs".into() });
    };
    let bytes: Vec<ProofBytes> = proofs
        .iter()
        .filter_map(|text| Some(ProofBytes(hex::decode(text).ok()?.try_into().ok()?)))
        .collect();
    let batch: Vec<ProofBytes> = bytes.iter().cycle().take(BATCH).copied().collect();
    let library = ark_groth16::prepare_verifying_key(&case.points().vk);
    let decoded = case.decoded(first);
    let (mut ark_ms, mut ours_ms, mut batch_ms) = (Vec::new(), Vec::new(), Vec::new());
    let mut all_good = true;
    for round in 0..=rounds {
        let watch = Stopwatch::start();
        for _ in 0..SINGLE {
            all_good &= by_library(&library, black_box(inputs), first);
        }
        let ark = watch.elapsed().wall_ms / f64::from(SINGLE);
        let watch = Stopwatch::start();
        for _ in 0..SINGLE {
            all_good &= case.accepts_decoded(black_box(inputs), &decoded);
        }
        let ours = watch.elapsed().wall_ms / f64::from(SINGLE);
        let watch = Stopwatch::start();
        all_good &= case.accepts_batch(statement, &wires, black_box(&batch));
        // The first round warms up.
        if round > 0 {
            ark_ms.push(ark);
            ours_ms.push(ours);
            batch_ms.push(watch.elapsed().wall_ms);
        }
    }
    match all_good {
        true => Ok(Reply::Verified { ark_ms, ours_ms, batch_ms }),
        false => Ok(Reply::Failed { reason: "a verifier refuses a good proof".into() }),
    }
}

#[allow(clippy::disallowed_methods)] // this is what we compare with; the inputs are as many as the key has
fn by_library(
    key: &ark_groth16::PreparedVerifyingKey<Bn254>,
    inputs: &[Fr],
    proof: &ark_groth16::Proof<Bn254>,
) -> bool {
    Groth16::<Bn254>::verify_proof(key, proof, inputs).unwrap_or(false)
}
