//! Files that snarkjs 0.7.6 made, in `tests/data`: `.ci/clients/snarkjs PLACET --update` made them
//! from the genuine powers of tau of 2^8, with one contribution and a beacon. Our prover proves with
//! their key, and snarkjs verifies that proof in `.ci/clients/snarkjs`.

mod common;

use std::path::PathBuf;

use ark_bn254::{Bn254, Fr};
use ark_groth16::Groth16;
use ark_groth16::r1cs_to_qap::LibsnarkReduction;
use common::verifies;
use placet_kernel::file::{file_name, open, ready};
use placet_kernel::{Matrices, Tables};
use placet_snarkjs::convert::{check_circuit, key_from_zkey, verifying_from_zkey, zkey_from_key};
use placet_snarkjs::r1cs::R1cs;
use placet_snarkjs::zkey::Zkey;
use placet_snarkjs::{json, wtns};

fn data(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(name)
}

fn text(name: &str) -> String {
    std::fs::read_to_string(data(name)).unwrap()
}

#[test]
fn every_file_is_read_and_written_as_snarkjs_does() {
    let bytes = |name: &str| std::fs::read(data(name)).unwrap();
    let circuit = R1cs::load(&data("small.r1cs")).unwrap();
    assert_eq!(circuit.write(Vec::new()).unwrap(), bytes("small.r1cs"));
    let values = wtns::load(&data("small.wtns")).unwrap();
    assert_eq!(wtns::write(Vec::new(), &values).unwrap(), bytes("small.wtns"));
    assert_eq!(circuit.first_violated(&values), None);
    // Sections may stand in another order, so the length and the meaning are compared.
    let zkey = Zkey::load(&data("small.zkey")).unwrap();
    let again = zkey.write(Vec::new()).unwrap();
    assert_eq!(again.len(), bytes("small.zkey").len());
    assert_eq!(Zkey::read(std::io::Cursor::new(again)).unwrap(), zkey);

    let key = verifying_from_zkey(&zkey);
    assert_eq!(json::write_verification_key(&key), text("verification_key.json"));
    let proof = json::read_proof(&text("proof.json")).unwrap();
    assert_eq!(json::write_proof(&proof), text("proof.json"));
    let public = json::read_public(&text("public.json"), 2).unwrap();
    assert_eq!(json::write_public(&public), text("public.json"));
    assert_eq!(public, values[1..3]);
    assert!(verifies(&key, &public, &proof));
}

#[test]
fn the_record_of_their_ceremony_holds() {
    let zkey = Zkey::load(&data("small.zkey")).unwrap();
    assert_eq!(zkey.ceremony.contributions.len(), 2);
    assert_eq!(zkey.ceremony.verify_closed().unwrap(), zkey.delta_g1);
}

#[test]
fn our_prover_proves_with_their_key() {
    let circuit = R1cs::load(&data("small.r1cs")).unwrap();
    let values = wtns::load(&data("small.wtns")).unwrap();
    let zkey = Zkey::load(&data("small.zkey")).unwrap();
    check_circuit(&zkey, &circuit).unwrap();
    let key = key_from_zkey(&zkey);
    // Not secret: the proof is compared with the one that snarkjs verifies.
    let blinding = [Fr::from(3u8), Fr::from(5u8)];
    let proof = Groth16::<Bn254, LibsnarkReduction>::create_proof_with_reduction_and_matrices(
        &key,
        blinding[0],
        blinding[1],
        &circuit.matrices,
        circuit.public_inputs as usize + 1,
        circuit.constraints(),
        &values,
    )
    .unwrap();
    let theirs = json::read_verification_key(&text("verification_key.json")).unwrap();
    assert!(verifies(&theirs, &values[1..3], &proof));
    assert!(!verifies(&theirs, &[values[2], values[1]], &proof));

    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(data("proof_of_placet.json"), json::write_proof(&proof)).unwrap();
    }
    assert_eq!(json::read_proof(&text("proof_of_placet.json")).unwrap(), proof);

    let matrices = std::sync::Arc::new(Matrices {
        rows: circuit.matrices.clone(),
        instance: circuit.public_inputs as usize + 1,
        witnesses: values.len() - circuit.public_inputs as usize - 1,
    });
    let directory = tempfile::tempdir().unwrap();
    for tables in Tables::ALL {
        let path = directory.path().join(file_name("theirs", tables));
        for _ in ["built", "mapped"] {
            let kernel = ready(&path, &key, &matrices, tables, &|_| {}).unwrap();
            assert_eq!(kernel.prove(&values, blinding[0], blinding[1]), proof, "{tables}");
        }
        assert!(open(&path, &key, &matrices, tables).is_ok(), "the second one was mapped");
    }

    // What the way through our key loses is one point of H; what it proves stays the same.
    let back = zkey_from_key(&key, &circuit).unwrap();
    assert_ne!(back.h, zkey.h);
    assert_eq!(key_from_zkey(&back), key);
}
