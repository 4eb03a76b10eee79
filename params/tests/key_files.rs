//! Key files: what is loaded is what was saved, and everything else is refused for its own reason.

#[path = "support/ceremony.rs"]
mod mini;
#[path = "support/square_chain.rs"]
mod square_chain;

use std::sync::OnceLock;

use ark_bn254::{Fq, Fr, G1Affine, G2Affine};
use ark_ec::AffineRepr;
use mini::ceremony;
use placet_circuits::Circuit;
use placet_params::key::{Element, ProvingPoints, VerifyingPoints};
use placet_params::point::PointDefect;
use placet_params::transcript::Transcript;
use placet_params::{
    CircuitDigest, KeyDefect, KeyPolicy, LoadError, Origin, PinMismatch, ProvingKey,
    TranscriptHash, VerifyingKey,
};
use placet_protocol::genesis::{NetworkKind, PinnedCircuit, Sha256Digest};
use placet_protocol::statement::Statement;
use placet_setup::{SetupSeed, generate};
use sha2::{Digest, Sha256};
use square_chain::SquareChain;

fn key() -> &'static ProvingKey<SquareChain> {
    static KEY: OnceLock<ProvingKey<SquareChain>> = OnceLock::new();
    KEY.get_or_init(|| generate(SetupSeed::from_bytes([1; 32])).unwrap())
}

fn vk() -> &'static VerifyingKey<SquareChain> {
    key().verifying_key()
}

fn load_vk(bytes: &[u8]) -> Result<VerifyingKey<SquareChain>, LoadError> {
    VerifyingKey::from_file_bytes(bytes, &vk().circuit(), KeyPolicy::Dev)
}

fn load_pk(bytes: &[u8]) -> Result<ProvingKey<SquareChain>, LoadError> {
    ProvingKey::from_file_bytes(bytes, &vk().circuit(), KeyPolicy::Dev)
}

/// Bytes before the payload of a development key of [`SquareChain`].
const HEADER: usize = 8 + 2 + 1 + 4 + (4 + 17) + 32 + 1 + 4 + 8 + 32 + 32;

/// Replaces the payload and makes lengths and checksums right again: what an attacker can do.
fn with_payload(file: &[u8], edit: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut payload = file[HEADER..].to_vec();
    edit(&mut payload);
    let mut out = file[..HEADER - 72].to_vec();
    out.extend_from_slice(&(payload.len() as u64).to_le_bytes());
    out.extend_from_slice(&Sha256::digest(&payload));
    let checksum = Sha256::digest(&out);
    out.extend_from_slice(&checksum);
    out.extend_from_slice(&payload);
    out
}

/// Edits the header and makes its checksum right again.
fn with_header(file: &[u8], edit: impl FnOnce(&mut [u8])) -> Vec<u8> {
    let mut out = file.to_vec();
    edit(&mut out[..HEADER - 32]);
    let checksum = Sha256::digest(&out[..HEADER - 32]);
    out[HEADER - 32..HEADER].copy_from_slice(&checksum);
    out
}

#[test]
fn saved_keys_load_and_are_the_same() {
    let dir = tempfile::tempdir().unwrap();
    let (pk_path, vk_path) = (dir.path().join("k.pk"), dir.path().join("k.vk"));
    key().save(&pk_path).unwrap();
    vk().save(&vk_path).unwrap();
    let circuit = vk().circuit();
    let loaded = ProvingKey::<SquareChain>::load(&pk_path, &circuit, KeyPolicy::Dev).unwrap();
    assert!(loaded.points() == key().points());
    assert_eq!(loaded.verifying_key(), vk());
    let loaded = VerifyingKey::<SquareChain>::load(&vk_path, &circuit, KeyPolicy::Dev).unwrap();
    assert_eq!(&loaded, vk());
    assert_eq!(loaded.hash(), vk().hash());
    assert_eq!(with_payload(&vk().to_file_bytes(), |_| {}), vk().to_file_bytes());
}

#[test]
fn a_missing_file_is_an_io_error() {
    let error = VerifyingKey::<SquareChain>::load(
        std::path::Path::new("/nonexistent/key.vk"),
        &vk().circuit(),
        KeyPolicy::Dev,
    )
    .unwrap_err();
    assert!(matches!(error, LoadError::Io(_)));
}

#[test]
fn every_truncation_of_a_verifying_key_is_refused() {
    let file = vk().to_file_bytes();
    for len in 0..file.len() {
        let error = load_vk(&file[..len]).unwrap_err();
        assert!(matches!(error, LoadError::Truncated), "length {len}: {error:?}");
    }
}

#[test]
fn truncated_proving_keys_are_refused() {
    let file = key().to_file_bytes();
    for len in (0..file.len()).step_by(file.len() / 97).chain([HEADER, file.len() - 1]) {
        let error = load_pk(&file[..len]).unwrap_err();
        assert!(matches!(error, LoadError::Truncated), "length {len}: {error:?}");
    }
}

#[test]
fn trailing_bytes_are_refused() {
    for extra in [1usize, 64, 1000] {
        let mut file = vk().to_file_bytes();
        file.resize(file.len() + extra, 0);
        let found = extra as u64;
        assert!(matches!(load_vk(&file), Err(LoadError::Trailing { extra }) if extra == found));
        let mut file = key().to_file_bytes();
        file.resize(file.len() + extra, 0);
        assert!(matches!(load_pk(&file), Err(LoadError::Trailing { extra }) if extra == found));
    }
}

#[test]
fn every_flipped_bit_of_a_verifying_key_is_refused() {
    let file = vk().to_file_bytes();
    for position in 0..file.len() {
        for bit in [0, 3, 7] {
            let mut altered = file.clone();
            altered[position] ^= 1 << bit;
            let error = load_vk(&altered).unwrap_err();
            let expected = match position {
                0..8 => matches!(error, LoadError::NotAKeyFile),
                8..10 => {
                    matches!(
                        error,
                        LoadError::NewerVersion { .. } | LoadError::UnknownVersion { .. }
                    )
                }
                // Lengths in the header: the file seems to end too early.
                HEADER.. => matches!(error, LoadError::Altered),
                _ => matches!(error, LoadError::Altered | LoadError::Truncated),
            };
            assert!(expected, "byte {position}, bit {bit}: {error:?}");
        }
    }
}

#[test]
fn flipped_bits_all_over_a_proving_key_are_refused() {
    let file = key().to_file_bytes();
    for position in (0..file.len()).step_by(file.len() / 211) {
        let mut altered = file.clone();
        altered[position] ^= 0x10;
        assert!(load_pk(&altered).is_err(), "byte {position}");
    }
}

#[test]
fn other_files_and_newer_versions_are_recognised() {
    assert!(matches!(load_vk(b"{\"json\": 1}"), Err(LoadError::NotAKeyFile)));
    assert!(matches!(load_vk(b""), Err(LoadError::Truncated)));
    let newer = with_header(&vk().to_file_bytes(), |header| header[8] = 2);
    let error = load_vk(&newer).unwrap_err();
    assert!(matches!(error, LoadError::NewerVersion { found: 2 }));
    assert!(error.to_string().contains("update Placet"));
}

#[test]
fn a_key_of_the_other_kind_is_refused() {
    let error = load_vk(&key().to_file_bytes()).unwrap_err();
    assert!(matches!(error, LoadError::WrongKind { .. }));
    assert!(error.to_string().contains("`.vk`"));
    assert!(matches!(load_pk(&vk().to_file_bytes()), Err(LoadError::WrongKind { .. })));
}

#[test]
fn a_key_for_another_circuit_is_refused_and_both_are_named() {
    let other = CircuitDigest([9; 32]);
    let file = vk().to_file_bytes();
    let error = VerifyingKey::<SquareChain>::from_file_bytes(&file, &other, KeyPolicy::Dev);
    let error = error.unwrap_err();
    assert!(matches!(error, LoadError::WrongCircuit { .. }));
    assert!(error.to_string().contains(&other.to_string()));
    assert!(error.to_string().contains(&vk().circuit().to_string()));
    let file = key().to_file_bytes();
    let error = ProvingKey::<SquareChain>::from_file_bytes(&file, &other, KeyPolicy::Dev);
    assert!(matches!(error, Err(LoadError::WrongCircuit { .. })));
}

/// A statement with the same number of inputs and another name.
struct Impostor;

impl Statement for Impostor {
    const NAME: &'static str = "test-impostor-xyz";
    const ID: u32 = SquareChain::ID;
    const PUBLIC_INPUTS: usize = 2;
    type Public = ();
    type Witness = ();
    type Violation = square_chain::ChainViolation;
    fn inputs(_: &()) -> Vec<Fr> {
        vec![Fr::from(0u8); 2]
    }
    fn check(_: &(), _: &()) -> Result<(), Self::Violation> {
        Ok(())
    }
}

#[test]
fn a_key_for_another_statement_is_refused() {
    let file = vk().to_file_bytes();
    let error = VerifyingKey::<Impostor>::from_file_bytes(&file, &vk().circuit(), KeyPolicy::Dev);
    assert!(matches!(error, Err(LoadError::WrongStatement { .. })));
    let id = with_header(&file, |header| header[11] ^= 1);
    assert!(matches!(load_vk(&id), Err(LoadError::WrongStatement { .. })));
}

#[test]
fn another_number_of_public_inputs_is_refused() {
    let file = with_header(&vk().to_file_bytes(), |header| header[HEADER - 32 - 44] = 3);
    assert!(matches!(
        load_vk(&file),
        Err(LoadError::Key(KeyDefect::InputCount { expected: 2, found: 3 }))
    ));
    let mut points = vk().points().clone();
    points.gamma_abc_g1.pop();
    let error = VerifyingKey::<SquareChain>::from_parts(points, vk().circuit(), Origin::Dev);
    assert_eq!(error.unwrap_err(), KeyDefect::InputCount { expected: 2, found: 1 });
}

/// A key of the small circuit from a ceremony, its transcript, and what a network pins.
fn of_ceremony(seed: u8) -> (VerifyingKey<SquareChain>, Transcript, PinnedCircuit) {
    let (key, transcript) = ceremony(vk().points().clone(), vk().circuit(), seed);
    let pin = pin(&key, Some(transcript.hash()));
    (key, transcript, pin)
}

fn pin(key: &VerifyingKey<SquareChain>, transcript: Option<TranscriptHash>) -> PinnedCircuit {
    PinnedCircuit {
        statement: SquareChain::NAME.to_owned(),
        circuit_digest: Sha256Digest(key.circuit().0),
        verifying_key: Sha256Digest(key.hash().0),
        transcript: transcript.map(|hash| Sha256Digest(hash.0)),
    }
}

/// What loading a verifying key's file comes to under a policy.
fn judged(file: &[u8], policy: KeyPolicy<'_>) -> Result<(), PinMismatch> {
    match VerifyingKey::<SquareChain>::from_file_bytes(file, &vk().circuit(), policy) {
        Ok(_) => Ok(()),
        Err(LoadError::Pin(mismatch)) => Err(mismatch),
        Err(other) => panic!("{other}"),
    }
}

#[test]
fn a_development_key_loads_on_dev_networks_only() {
    let (_, transcript, honest) = of_ceremony(2);
    let own = pin(vk(), Some(transcript.hash()));
    let file = vk().to_file_bytes();
    for pinned in [&honest, &own] {
        let policy = KeyPolicy::of(NetworkKind::Other, pinned, Some(&transcript)).unwrap();
        assert_eq!(judged(&file, policy), Err(PinMismatch::Development));
        let error = ProvingKey::<SquareChain>::from_file_bytes(
            &key().to_file_bytes(),
            &vk().circuit(),
            policy,
        );
        assert!(matches!(error, Err(LoadError::Pin(PinMismatch::Development))));
    }
    assert!(PinMismatch::Development.to_string().contains("not marked `dev`"));
    let pinned = pin(vk(), None);
    assert_eq!(judged(&file, KeyPolicy::of(NetworkKind::Dev, &pinned, None).unwrap()), Ok(()));
    // Nor does a development network take another development key than its own.
    let other = PinnedCircuit { verifying_key: Sha256Digest([1; 32]), ..pinned };
    let policy = KeyPolicy::of(NetworkKind::Dev, &other, None).unwrap();
    assert!(matches!(judged(&file, policy), Err(PinMismatch::Key { .. })));
}

#[test]
fn a_ceremony_key_must_be_the_pinned_one() {
    let (key, transcript, honest) = of_ceremony(2);
    let file = key.to_file_bytes();
    let load = |pin: &PinnedCircuit, transcript: &Transcript| {
        judged(&file, KeyPolicy::of(NetworkKind::Other, pin, Some(transcript)).unwrap())
    };
    assert_eq!(load(&honest, &transcript), Ok(()));
    let altered = |change: &dyn Fn(&mut PinnedCircuit)| {
        let mut pin = honest.clone();
        change(&mut pin);
        load(&pin, &transcript).unwrap_err()
    };
    let error = altered(&|pin| pin.transcript = Some(Sha256Digest([5; 32])));
    assert!(matches!(error, PinMismatch::OtherTranscript { .. }));
    assert_eq!(altered(&|pin| pin.transcript = None), PinMismatch::Unvouched);
    let error = altered(&|pin| pin.verifying_key = Sha256Digest([8; 32]));
    assert!(matches!(error, PinMismatch::Key { .. }));
    let error = altered(&|pin| pin.circuit_digest = Sha256Digest([0; 32]));
    assert!(matches!(error, PinMismatch::Circuit { .. }));
    assert_eq!(altered(&|pin| pin.statement.push('x')), PinMismatch::Statement);
    // The transcript of another ceremony, and none.
    let (_, other, _) = of_ceremony(3);
    assert!(matches!(load(&honest, &other), Err(PinMismatch::OtherTranscript { .. })));
    let error = KeyPolicy::of(NetworkKind::Other, &honest, None).unwrap_err();
    assert_eq!(error, PinMismatch::TranscriptMissing);
}

#[test]
fn relabelling_a_development_key_does_not_help() {
    // Its maker writes the pinned transcript's hash into the header: the pinned key hash decides.
    let (_, transcript, honest) = of_ceremony(2);
    let origin = Origin::Ceremony { transcript: transcript.hash() };
    let relabelled =
        VerifyingKey::<SquareChain>::from_parts(vk().points().clone(), vk().circuit(), origin);
    let relabelled = relabelled.unwrap();
    let file = relabelled.to_file_bytes();
    let policy = KeyPolicy::of(NetworkKind::Other, &honest, Some(&transcript)).unwrap();
    assert!(matches!(judged(&file, policy), Err(PinMismatch::Key { .. })));
    // Whoever writes the genesis too pins the relabelled key with somebody's transcript: the
    // transcript is of another key.
    let lying = pin(&relabelled, Some(transcript.hash()));
    let policy = KeyPolicy::of(NetworkKind::Other, &lying, Some(&transcript)).unwrap();
    assert!(matches!(judged(&file, policy), Err(PinMismatch::Transcript(_))));
}

#[test]
fn a_pinned_key_is_loaded_with_the_transcript_beside_it() {
    let dir = tempfile::tempdir().unwrap();
    let (key, transcript, honest) = of_ceremony(2);
    let path = dir.path().join(format!("{}.vk", key.circuit()));
    let beside = dir.path().join(placet_params::transcript::file_name(&key.circuit()));
    key.save(&path).unwrap();
    let load = || VerifyingKey::<SquareChain>::load_pinned(&path, NetworkKind::Other, &honest);
    let missing = load().unwrap_err();
    assert!(matches!(missing, LoadError::Pin(PinMismatch::TranscriptMissing)), "{missing}");
    std::fs::write(&beside, of_ceremony(3).1.to_bytes()).unwrap();
    let other = load().unwrap_err();
    assert!(matches!(other, LoadError::Pin(PinMismatch::OtherTranscript { .. })), "{other}");
    std::fs::write(&beside, b"nothing").unwrap();
    assert!(matches!(load().unwrap_err(), LoadError::Transcript(_)));
    std::fs::write(&beside, transcript.to_bytes()).unwrap();
    assert_eq!(load().unwrap(), (key, Some(transcript)));
    // A development network needs none.
    let path = dir.path().join("dev.vk");
    vk().save(&path).unwrap();
    let pinned = pin(vk(), None);
    let dev = VerifyingKey::<SquareChain>::load_pinned(&path, NetworkKind::Dev, &pinned).unwrap();
    assert_eq!(dev, (vk().clone(), None));
}

#[test]
fn points_of_a_transaction_are_read_strictly() {
    let bytes = vk().to_point_bytes();
    let read = |bytes: &[u8]| {
        VerifyingKey::<SquareChain>::from_point_bytes(bytes, vk().circuit(), Origin::Dev)
    };
    assert_eq!(&read(&bytes).unwrap(), vk());
    let longer = [&bytes[..], &[0]].concat();
    assert!(matches!(read(&longer), Err(LoadError::Trailing { extra: 1 })));
    assert!(matches!(read(&bytes[..bytes.len() - 1]), Err(LoadError::Truncated)));
    assert!(matches!(read(&[]), Err(LoadError::Truncated)));
    let mut altered = bytes.clone();
    altered[3] ^= 1;
    assert!(matches!(read(&altered), Err(LoadError::Key(_))));
}

/// Loads a verifying key after overwriting bytes at an offset of its payload.
fn defect_at(offset: usize, bytes: &[u8]) -> KeyDefect {
    let file = with_payload(&vk().to_file_bytes(), |payload| {
        payload[offset..offset + bytes.len()].copy_from_slice(bytes);
    });
    match load_vk(&file) {
        Err(LoadError::Key(defect)) => defect,
        other => panic!("{other:?}"),
    }
}

#[test]
fn infinity_in_a_verifying_key_is_refused_in_each_place() {
    let infinity = |len: usize| {
        let mut bytes = vec![0u8; len];
        bytes[len - 1] = 0x40;
        bytes
    };
    let places = [
        (0, 64, Element::Alpha, 0),
        (64, 128, Element::Beta, 0),
        (192, 128, Element::Gamma, 0),
        (320, 128, Element::Delta, 0),
        (448, 64, Element::PublicInputs, 0),
        (512, 64, Element::PublicInputs, 1),
        (576, 64, Element::PublicInputs, 2),
    ];
    for (offset, len, element, index) in places {
        let defect = PointDefect::Infinity;
        let found = defect_at(offset, &infinity(len));
        assert_eq!(found, KeyDefect::Point { element, index, defect });
    }
}

#[test]
fn points_off_the_curve_and_non_canonical_coordinates_are_refused() {
    // (1, 3) does not satisfy y^2 = x^3 + 3.
    let mut off = [0u8; 64];
    (off[0], off[32]) = (1, 3);
    let at = |defect| KeyDefect::Point { element: Element::PublicInputs, index: 1, defect };
    assert_eq!(defect_at(512, &off), at(PointDefect::OffCurve));
    assert_eq!(defect_at(512, &[0xff; 64]), at(PointDefect::NotCanonical));
    // The generator is (1, 2); x + p is the same point written in another way.
    let mut alias = [0u8; 64];
    let modulus = <Fq as ark_ff::PrimeField>::MODULUS.0;
    for (chunk, limb) in alias.chunks_exact_mut(8).zip(modulus) {
        chunk.copy_from_slice(&limb.to_le_bytes());
    }
    alias[0] += 1;
    alias[32] = 2;
    assert_eq!(defect_at(512, &alias), at(PointDefect::NotCanonical));
    // A flag that contradicts y, and infinity with coordinates.
    let mut flagged = [0u8; 64];
    (flagged[0], flagged[32], flagged[63]) = (1, 2, 0x80);
    assert_eq!(defect_at(512, &flagged), at(PointDefect::NotCanonical));
    flagged[63] = 0x40;
    assert_eq!(defect_at(512, &flagged), at(PointDefect::NotCanonical));
}

/// On the twist, outside of the subgroup of prime order.
fn off_subgroup() -> G2Affine {
    (1u64..)
        .filter_map(|x| {
            G2Affine::get_point_from_x_unchecked(ark_bn254::Fq2::new(x.into(), 0u64.into()), true)
        })
        .find(|point| !point.is_in_correct_subgroup_assuming_on_curve())
        .unwrap()
}

#[test]
fn points_outside_of_the_subgroup_are_refused() {
    let mut bytes = Vec::new();
    placet_params::point::encode(&off_subgroup(), ark_serialize::Compress::No, &mut bytes);
    let defect = PointDefect::OffSubgroup;
    assert_eq!(
        defect_at(192, &bytes),
        KeyDefect::Point { element: Element::Gamma, index: 0, defect }
    );
    let mut points = key().points().clone();
    points.b_g2_query[3] = off_subgroup();
    let error = rebuild(points).unwrap_err();
    assert_eq!(error, KeyDefect::Point { element: Element::BInG2, index: 3, defect });
}

fn rebuild(points: ProvingPoints) -> Result<ProvingKey<SquareChain>, KeyDefect> {
    ProvingKey::from_parts(points, vk().circuit(), Origin::Dev)
}

#[test]
fn query_lengths_that_contradict_each_other_are_refused() {
    let edits: [fn(&mut ProvingPoints); 5] = [
        |points| points.a_query.truncate(10),
        |points| points.b_g1_query.push(G1Affine::generator()),
        |points| points.b_g2_query.truncate(1),
        |points| points.h_query.push(G1Affine::generator()),
        |points| points.l_query.clear(),
    ];
    for edit in edits {
        let mut points = key().points().clone();
        edit(&mut points);
        assert_eq!(rebuild(points).unwrap_err(), KeyDefect::QueryLengths);
    }
}

#[test]
fn a_proving_key_with_points_of_another_key_is_refused() {
    let other = generate::<SquareChain>(SetupSeed::from_bytes([2; 32])).unwrap();
    let mut points = key().points().clone();
    points.delta_g1 = other.points().delta_g1;
    assert_eq!(rebuild(points).unwrap_err(), KeyDefect::Inconsistent);
    let mut points = key().points().clone();
    points.vk = VerifyingPoints { ..other.points().vk.clone() };
    assert_eq!(rebuild(points).unwrap_err(), KeyDefect::Inconsistent);
    for edit in [
        |points: &mut ProvingPoints| points.beta_g1 = G1Affine::zero(),
        |points: &mut ProvingPoints| points.delta_g1 = G1Affine::zero(),
    ] {
        let mut points = key().points().clone();
        edit(&mut points);
        let error = rebuild(points).unwrap_err();
        assert!(matches!(error, KeyDefect::Point { defect: PointDefect::Infinity, .. }));
    }
}

#[test]
fn counts_chosen_by_an_attacker_allocate_nothing() {
    // The two counts stand behind the verifying key's points: 448 + 3 * 64.
    for (variables, quotient) in [(u32::MAX, u32::MAX), (u32::MAX, 0), (0, 0), (3, u32::MAX)] {
        let file = with_payload(&key().to_file_bytes(), |payload| {
            payload[640..644].copy_from_slice(&variables.to_le_bytes());
            payload[644..648].copy_from_slice(&quotient.to_le_bytes());
        });
        assert!(matches!(load_pk(&file), Err(LoadError::Key(KeyDefect::QueryLengths))));
    }
    let file = with_header(&key().to_file_bytes(), |header| header[HEADER - 72 + 7] = 0xff);
    assert!(matches!(load_pk(&file), Err(LoadError::Truncated)));
    let file = with_payload(&vk().to_file_bytes(), |payload| payload.truncate(100));
    assert!(matches!(load_vk(&file), Err(LoadError::Malformed)));
}

#[test]
fn random_bytes_never_panic() {
    // A linear congruential stream: reproducible, and enough to reach every branch of the header.
    let mut state = 0x9e37_79b9_7f4a_7c15u64;
    let file = key().to_file_bytes();
    for round in 0..2000usize {
        let mut bytes = file[..(round * 37) % 400].to_vec();
        for byte in &mut bytes {
            state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            if state >> 60 == 0 {
                *byte = (state >> 32) as u8;
            }
        }
        assert!(load_pk(&bytes).is_err());
        assert!(load_vk(&bytes).is_err());
    }
}

#[test]
fn the_circuit_of_the_test_keys_is_the_one_they_name() {
    let (public, witness) = SquareChain::blank();
    let shape = placet_circuits::circuit::shape::<SquareChain>(&public, &witness).unwrap();
    assert_eq!(CircuitDigest(shape.digest), vk().circuit());
    assert_eq!(shape.public_inputs, SquareChain::PUBLIC_INPUTS);
}
