//! Every file comes back as it was written; nothing that was cut, altered or inflated is taken for
//! it, and nothing panics.

mod common;

use std::io::Cursor;

use ark_bn254::{Fr, G1Affine, G2Affine};
use ark_ec::{AffineRepr, CurveGroup};
use ark_std::rand::rngs::StdRng;
use ark_std::rand::{Rng, SeedableRng};
use common::{SHAPES, Sample};
use placet_params::transcript::{CeremonyRecord, Contribution, ContributionKind};
use placet_snarkjs::binfile::BinError;
use placet_snarkjs::convert::zkey_from_key;
use placet_snarkjs::r1cs::{R1cs, R1csError};
use placet_snarkjs::wtns::{self, WtnsError};
use placet_snarkjs::zkey::{Zkey, ZkeyError};

/// A file with its reader: the value encoded again, or an error.
struct File {
    bytes: Vec<u8>,
    read: fn(&[u8]) -> Result<Vec<u8>, String>,
    /// Steps in which bytes are altered: reading a key costs milliseconds.
    stride: usize,
}

fn g1(n: u64) -> G1Affine {
    (G1Affine::generator() * Fr::from(n)).into_affine()
}

fn contribution(n: u64, kind: ContributionKind) -> Contribution {
    Contribution {
        delta_after: g1(n),
        g1_s: g1(n + 1),
        g1_sx: g1(n + 2),
        g2_spx: (G2Affine::generator() * Fr::from(n)).into_affine(),
        transcript: [n as u8; 64],
        kind,
    }
}

fn zkey() -> Zkey {
    let sample = Sample::new(SHAPES[0]);
    let mut zkey = zkey_from_key(&sample.key, &sample.circuit).unwrap();
    let participant = |name: &str| ContributionKind::Participant { name: name.into() };
    let beacon = ContributionKind::Beacon {
        name: "beacon".into(),
        hash: (0..=254).collect(),
        iterations_exp: 10,
    };
    zkey.ceremony = CeremonyRecord {
        circuit_hash: [9; 64],
        contributions: vec![
            contribution(3, participant("")),
            contribution(30, participant("Zoë")),
            contribution(300, beacon),
        ],
    };
    zkey
}

fn files() -> Vec<File> {
    let sample = Sample::new(SHAPES[0]);
    vec![
        File {
            bytes: zkey().write(Vec::new()).unwrap(),
            read: |bytes| match Zkey::read(Cursor::new(bytes)) {
                Ok(zkey) => Ok(zkey.write(Vec::new()).unwrap()),
                Err(error) => Err(error.to_string()),
            },
            stride: 7,
        },
        File {
            bytes: sample.circuit.write(Vec::new()).unwrap(),
            read: |bytes| match R1cs::read(Cursor::new(bytes)) {
                Ok(circuit) => Ok(circuit.write(Vec::new()).unwrap()),
                Err(error) => Err(error.to_string()),
            },
            stride: 1,
        },
        File {
            bytes: wtns::write(Vec::new(), &sample.assignment).unwrap(),
            read: |bytes| match wtns::read(Cursor::new(bytes)) {
                Ok(values) => Ok(wtns::write(Vec::new(), &values).unwrap()),
                Err(error) => Err(error.to_string()),
            },
            stride: 1,
        },
    ]
}

/// Where sections begin: the place of their number, and of their contents.
fn sections(bytes: &[u8]) -> Vec<(usize, usize)> {
    let (mut at, mut found) = (12, Vec::new());
    while at < bytes.len() {
        found.push((at, at + 12));
        at += 12 + u64::from_le_bytes(bytes[at + 4..at + 12].try_into().unwrap()) as usize;
    }
    found
}

#[test]
fn what_was_written_is_read_and_written_the_same() {
    for file in files() {
        assert_eq!((file.read)(&file.bytes).unwrap(), file.bytes);
    }
    let zkey = zkey();
    let back = Zkey::read(Cursor::new(zkey.write(Vec::new()).unwrap())).unwrap();
    assert_eq!(back, zkey);
}

#[test]
fn files_on_disk_are_replaced_in_one_step() {
    let directory = tempfile::tempdir().unwrap();
    let sample = Sample::new(SHAPES[0]);
    let path = directory.path().join("circuit.r1cs");
    std::fs::write(&path, b"older").unwrap();
    sample.circuit.save(&path).unwrap();
    assert_eq!(R1cs::load(&path).unwrap(), sample.circuit);
    let path = directory.path().join("witness.wtns");
    wtns::save(&path, &sample.assignment).unwrap();
    assert_eq!(*wtns::load(&path).unwrap(), sample.assignment);
    let path = directory.path().join("key.zkey");
    zkey().save(&path).unwrap();
    assert_eq!(Zkey::load(&path).unwrap(), zkey());
    assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 3, "no temporary files");
}

#[test]
fn truncations_at_and_around_every_border_are_refused() {
    for file in files() {
        for (head, body) in sections(&file.bytes) {
            for end in [head - 1, head, head + 1, head + 4, body - 1, body, body + 1] {
                if end < file.bytes.len() {
                    assert!((file.read)(&file.bytes[..end]).is_err(), "{end} bytes");
                }
            }
        }
        let mut longer = file.bytes.clone();
        longer.push(0);
        assert!((file.read)(&longer).is_err());
        assert!((file.read)(&[]).is_err());
    }
}

#[test]
fn an_altered_byte_is_refused_or_means_something_else() {
    for file in files() {
        for place in (0..file.bytes.len()).step_by(file.stride) {
            for flip in [0x01, 0x80] {
                let mut altered = file.bytes.clone();
                altered[place] ^= flip;
                // No two files say the same; the number of labels alone is not kept.
                match (file.read)(&altered) {
                    Ok(again) => assert!(again != file.bytes || is_label_count(&file, place)),
                    Err(error) => assert!(!error.is_empty()),
                }
            }
        }
    }
}

/// The header of `.r1cs` says how many labels there are in all, which nothing depends on.
fn is_label_count(file: &File, place: usize) -> bool {
    let private_inputs = 24 + 4 + 32 + 3 * 4;
    file.bytes.starts_with(b"r1cs") && (private_inputs..private_inputs + 4 + 8).contains(&place)
}

#[test]
fn giant_counts_and_lengths_are_refused() {
    for file in files() {
        for (head, body) in sections(&file.bytes) {
            for (place, width) in [(8, 4), (head + 4, 8)] {
                let mut altered = file.bytes.clone();
                altered[place..place + width].fill(0xff);
                assert!((file.read)(&altered).is_err(), "{place}");
            }
            // Every aligned number of a header, and the first of every section.
            let is_header = body - head == 12 && head < 200;
            for place in (body..file.bytes.len().min(body + 132)).step_by(4) {
                if is_header || place == body {
                    let mut altered = file.bytes.clone();
                    altered[place..place + 4].fill(0xff);
                    let _ = (file.read)(&altered);
                }
            }
        }
    }
}

#[test]
fn random_damage_never_panics() {
    let mut rng = StdRng::seed_from_u64(5);
    for file in files() {
        for _ in 0..1_200 / file.stride {
            let mut altered = file.bytes.clone();
            for _ in 0..rng.gen_range(1..6) {
                let place = rng.gen_range(0..altered.len());
                altered[place] = rng.r#gen();
            }
            let _ = (file.read)(&altered);
        }
    }
}

#[test]
fn sections_may_come_in_another_order() {
    for file in files() {
        let starts = sections(&file.bytes);
        let mut shuffled = file.bytes[..12].to_vec();
        for (i, (head, _)) in starts.iter().enumerate().rev() {
            let end = starts.get(i + 1).map_or(file.bytes.len(), |next| next.0);
            shuffled.extend_from_slice(&file.bytes[*head..end]);
        }
        assert_eq!((file.read)(&shuffled).unwrap(), file.bytes);
    }
}

#[test]
fn files_of_each_other_and_of_other_curves_are_named() {
    let sample = Sample::new(SHAPES[0]);
    let circuit = sample.circuit.write(Vec::new()).unwrap();
    assert!(matches!(
        Zkey::read(Cursor::new(&circuit)),
        Err(ZkeyError::Container(BinError::NotThisKind { .. }))
    ));
    // The modulus begins behind its length in the first section.
    let mut other = circuit;
    other[12 + 12 + 4] ^= 1;
    assert!(matches!(R1cs::read(Cursor::new(&other)), Err(R1csError::Curve)));
    let mut other = wtns::write(Vec::new(), &sample.assignment).unwrap();
    other[12 + 12 + 4] ^= 1;
    assert!(matches!(wtns::read(Cursor::new(&other)), Err(WtnsError::Curve)));
    let mut two = sample.assignment.clone();
    two[0] = Fr::from(2u8);
    let two = wtns::write(Vec::new(), &two).unwrap();
    assert!(matches!(wtns::read(Cursor::new(&two)), Err(WtnsError::One)));
}

#[test]
fn points_that_would_make_equations_vanish_are_refused() {
    let infinite = |change: fn(&mut Zkey)| {
        let mut zkey = zkey();
        change(&mut zkey);
        Zkey::read(Cursor::new(zkey.write(Vec::new()).unwrap()))
    };
    for change in [
        (|zkey| zkey.alpha_g1 = G1Affine::zero()) as fn(&mut Zkey),
        |zkey| zkey.beta_g2 = G2Affine::zero(),
        |zkey| zkey.gamma_g2 = G2Affine::zero(),
        |zkey| zkey.delta_g1 = G1Affine::zero(),
        |zkey| zkey.delta_g2 = G2Affine::zero(),
    ] {
        assert!(matches!(infinite(change), Err(ZkeyError::Point { section: 2, .. })));
    }
    let refused = infinite(|zkey| zkey.ceremony.contributions[1].g1_s = G1Affine::zero());
    assert!(matches!(refused, Err(ZkeyError::Contribution { index: 2, .. })));
    // In a query it is an honest value: the variable does not occur.
    assert!(infinite(|zkey| zkey.a[4] = G1Affine::zero()).is_ok());
}

#[test]
fn a_wire_twice_in_a_row_is_refused_on_reading_and_merged_on_writing() {
    let row = vec![(Fr::from(2u8), 1), (Fr::from(3u8), 1), (Fr::from(0u8), 0)];
    let matrices = [vec![row.clone()], vec![row.clone()], vec![row.clone()]];
    let merged = R1cs::from_matrices(&matrices, 1, 1);
    assert_eq!(merged.matrices[0][0], [(Fr::from(5u8), 1)]);
    let mut twice = merged;
    twice.matrices[2][0] = row;
    let bytes = twice.write(Vec::new()).unwrap();
    assert!(matches!(R1cs::read(Cursor::new(&bytes)), Err(R1csError::Row { row: 0, .. })));
}
