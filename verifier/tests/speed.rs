//! How fast, against ark-groth16 with a prepared key, in one process and one round after the other.
//! Prints medians and ratios and asserts nothing about time:
//! `cargo test -p placet-verifier --test speed -- --ignored --nocapture`.

#[path = "support/simulated.rs"]
mod simulated;

use std::hint::black_box;
use std::time::{Duration, Instant};

use ark_bn254::{Bn254, Fr};
use ark_ff::UniformRand;
use ark_serialize::{CanonicalDeserialize, CanonicalSerialize};
use ark_std::test_rng;
use placet_protocol::statement::ProofBytes;
use placet_verifier::{OsCoefficients, Proof, verify_batch};
use simulated::{INPUTS, Simulator, encode};

/// Prints the median of each run, divided by `per`, and the speed of all against the first.
fn compare(runs: &mut [(&str, u32, &mut dyn FnMut())]) {
    let mut times = vec![Vec::new(); runs.len()];
    for _ in 0..11 {
        for ((_, per, run), times) in runs.iter_mut().zip(&mut times) {
            let begin = Instant::now();
            run();
            times.push(begin.elapsed() / *per);
        }
    }
    times.iter_mut().for_each(|times| times.sort());
    let median = |times: &[Duration]| times[times.len() / 2];
    let first = median(&times[0]).as_secs_f64();
    for ((name, ..), times) in runs.iter().zip(&times) {
        let ratio = first / median(times).as_secs_f64();
        println!(
            "{name:<48} median {:>9.1?}, least {:>9.1?}: {ratio:.2}x",
            median(times),
            times[0]
        );
    }
}

#[test]
#[ignore = "measures; run it with --nocapture"]
fn against_ark() {
    let mut rng = test_rng();
    let simulator = Simulator::new(&mut rng);
    let proofs: Vec<(Vec<Fr>, ark_groth16::Proof<Bn254>, ProofBytes)> = (0..256)
        .map(|_| {
            let public: Vec<Fr> = (0..INPUTS).map(|_| Fr::rand(&mut rng)).collect();
            let proof = simulator.prove(&public, &mut rng);
            let bytes = encode(&proof);
            (public, proof, bytes)
        })
        .collect();
    let items: Vec<_> = proofs.iter().map(|(public, _, bytes)| (public, *bytes)).collect();
    let decoded: Vec<_> =
        proofs.iter().map(|(.., bytes)| Proof::from_bytes(bytes).unwrap()).collect();
    let key = &simulator.key;
    let one_core = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
    let ark = |sample: &mut dyn Iterator<Item = usize>| {
        sample.for_each(|i| assert!(simulator.library_accepts(&proofs[i].0, &proofs[i].1)));
    };
    let batch =
        |size: usize| assert_eq!(verify_batch(key, &items[..size], &mut OsCoefficients), Ok(()));
    one_core.install(|| {
        println!("one core, {INPUTS} public inputs, time for each proof:");
        compare(&mut [
            ("ark-groth16, points already decoded", 8, &mut || ark(&mut (0..8))),
            ("ark-groth16, from bytes", 8, &mut || {
                (0..8).for_each(|i| {
                    let mut bytes = Vec::new();
                    proofs[i].1.serialize_compressed(&mut bytes).unwrap();
                    let proof = ark_groth16::Proof::deserialize_compressed(&bytes[..]).unwrap();
                    assert!(simulator.library_accepts(&proofs[i].0, &proof));
                });
            }),
            ("ours, points already decoded", 32, &mut || {
                (0..32).for_each(|i| key.verify_decoded(&proofs[i].0, &decoded[i]).unwrap());
            }),
            ("ours, from bytes", 32, &mut || {
                (0..32).for_each(|i| key.verify(&proofs[i].0, &proofs[i].2).unwrap());
            }),
            ("ours, batch of 16, from bytes", 16, &mut || batch(16)),
            ("ours, batch of 64, from bytes", 64, &mut || batch(64)),
            ("ours, batch of 256, from bytes", 256, &mut || batch(256)),
            ("decoding alone", 32, &mut || {
                (0..32).for_each(|i| {
                    drop(black_box(Proof::<simulated::Bare>::from_bytes(&proofs[i].2)))
                });
            }),
        ]);
    });
    println!("all cores ({}):", rayon::current_num_threads());
    compare(&mut [
        ("ark-groth16, points already decoded", 8, &mut || ark(&mut (0..8))),
        ("ours, batch of 256, from bytes", 256, &mut || batch(256)),
    ]);
    let begin = Instant::now();
    black_box(Simulator::new(&mut rng));
    println!("making a key, with its tables: {:.1?}", begin.elapsed());
}
