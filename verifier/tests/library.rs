//! The library's verifier is the oracle: the same verdict on good proofs, on every kind of bad one,
//! and in batches, with as many public inputs as `transfer` has.

#[path = "support/simulated.rs"]
mod simulated;

use ark_bn254::{Bn254, Fq, Fq2, Fr, G1Affine, G2Affine, g1, g2};
use ark_ec::{AffineRepr, CurveConfig, CurveGroup};
use ark_ff::{AdditiveGroup, Field, PrimeField, UniformRand};
use ark_groth16::Proof as Points;
use ark_serialize::{CanonicalDeserialize, Compress};
use ark_std::rand::{Rng, RngCore};
use ark_std::test_rng;
use placet_params::point::{PointDefect, decode_finite};
use placet_protocol::statement::{PROOF_BYTES, ProofBytes};
use placet_verifier::{
    BatchError, OsCoefficients, Proof, ProofError, ProofPart, RandomSource, VerifyError, all_good,
    verify_batch,
};
use simulated::{Bare, INPUTS, Simulator, encode};

fn public(rng: &mut impl RngCore) -> Vec<Fr> {
    (0..INPUTS).map(|_| Fr::rand(rng)).collect()
}

/// Inputs and points, good and bad in every way that leaves points of the groups.
fn cases(simulator: &Simulator, rng: &mut impl RngCore) -> Vec<(Vec<Fr>, Points<Bn254>)> {
    let mut out = Vec::new();
    let special = [Fr::ZERO, Fr::ONE, -Fr::ONE, Fr::from(128), Fr::from(129)];
    let mut vanishing = public(rng);
    simulator.vanishing(&mut vanishing);
    let inputs = special.map(|value| vec![value; INPUTS]).into_iter().chain([vanishing]);
    let random: Vec<_> = (0..4).map(|_| public(rng)).collect();
    for inputs in inputs.chain(random) {
        let good = simulator.prove(&inputs, rng);
        // Another first and last input, two swapped, the negative.
        let mut others = vec![inputs.clone(); 4];
        others[0][0] += Fr::ONE;
        others[1][INPUTS - 1] -= Fr::ONE;
        others[2].swap(3, 4);
        others[3].iter_mut().for_each(|value| *value = -*value);
        out.extend(others.into_iter().map(|other| (other, good.clone())));

        let other = simulator.prove(&public(rng), rng);
        let points = |a: G1Affine, b: G2Affine, c: G1Affine| Points { a, b, c };
        let Points { a, b, c } = good;
        let shift = G1Affine::generator();
        out.extend(
            [
                points(a, b, c),
                points(-a, -b, c), // still good: the pairing is bilinear
                points(
                    (a + a).into_affine(),
                    (b * (Fr::from(2).inverse().unwrap())).into_affine(),
                    c,
                ),
                points(-a, b, c),
                points(a, -b, c),
                points(a, b, -c),
                points(c, b, a),
                points(other.a, b, c),
                points(a, other.b, c),
                points(a, b, other.c),
                points((a + shift).into_affine(), b, c),
                points(a, (b + G2Affine::generator()).into_affine(), c),
                points(a, b, (c + shift).into_affine()),
                points(shift, G2Affine::generator(), shift),
            ]
            .map(|proof| (inputs.clone(), proof)),
        );
        out.push((inputs, other));
    }
    out
}

#[test]
fn one_proof_gets_the_librarys_verdict() {
    let mut rng = test_rng();
    let simulator = Simulator::new(&mut rng);
    let (mut accepted, mut refused) = (0, 0);
    for (inputs, points) in cases(&simulator, &mut rng) {
        let expected = simulator.library_accepts(&inputs, &points);
        let verdict = if expected { Ok(()) } else { Err(VerifyError::Invalid) };
        let bytes = encode(&points);
        let proof = Proof::<Bare>::from_bytes(&bytes).unwrap();
        assert_eq!(proof.to_bytes(), bytes);
        assert_eq!(simulator.key.verify(&inputs, &bytes), verdict);
        assert_eq!(simulator.key.verify_decoded(&inputs, &proof), verdict);
        assert_eq!(simulator.key.verify_elements(&inputs, &proof), verdict);
        *(if expected { &mut accepted } else { &mut refused }) += 1;
    }
    assert!(accepted >= 30 && refused >= 100, "{accepted} and {refused}");
}

#[test]
fn batches_get_the_librarys_verdicts() {
    let mut rng = test_rng();
    let simulator = Simulator::new(&mut rng);
    let cases = cases(&simulator, &mut rng);
    let good: Vec<bool> =
        cases.iter().map(|(inputs, points)| simulator.library_accepts(inputs, points)).collect();
    // Some good ones with at most two bad ones among them, in random order; then all.
    for round in 0..30 {
        let (mut order, mut bad) = (Vec::new(), 0);
        for _ in 0..rng.gen_range(1..12) {
            let index = rng.gen_range(0..cases.len());
            if good[index] || bad < round % 3 {
                bad += usize::from(!good[index]);
                order.push(index);
            }
        }
        check_batch(&simulator, &cases, &good, &order);
    }
    let only_good: Vec<usize> = (0..cases.len()).filter(|index| good[*index]).collect();
    check_batch(&simulator, &cases, &good, &only_good);
    check_batch(&simulator, &cases, &good, &(0..cases.len()).collect::<Vec<_>>());
}

fn check_batch(
    simulator: &Simulator,
    cases: &[(Vec<Fr>, Points<Bn254>)],
    good: &[bool],
    order: &[usize],
) {
    let items: Vec<_> = order.iter().map(|i| (&cases[*i].0, encode(&cases[*i].1))).collect();
    let refused: Vec<_> = order
        .iter()
        .enumerate()
        .filter(|(_, index)| !good[**index])
        .map(|(place, _)| (place, VerifyError::Invalid))
        .collect();
    let all = refused.is_empty();
    let expected = if all { Ok(()) } else { Err(BatchError::Refused(refused)) };
    assert_eq!(verify_batch(&simulator.key, &items, &mut OsCoefficients), expected);
    assert_eq!(all_good(&simulator.key, &items, &mut OsCoefficients), Ok(all));
}

/// On its curve, but outside of the group; of order `h`, the cofactor, or a divisor.
fn outside(rng: &mut impl RngCore) -> G2Affine {
    std::iter::repeat_with(|| {
        let x = Fq2::rand(rng);
        G2Affine::get_point_from_x_unchecked(x, rng.r#gen())
    })
    .flatten()
    .map(|point| point.mul_bigint(Fr::MODULUS).into_affine())
    .find(|point| !point.is_zero())
    .unwrap()
}

#[test]
fn a_b_outside_of_its_group_is_named_alone_and_in_batches_and_harms_no_other() {
    let mut rng = test_rng();
    let simulator = Simulator::new(&mut rng);
    let error = VerifyError::Malformed(ProofError::Point {
        part: ProofPart::B,
        defect: PointDefect::OffSubgroup,
    });
    let proofs: Vec<_> = (0..9)
        .map(|_| {
            let inputs = public(&mut rng);
            let proof = simulator.prove(&inputs, &mut rng);
            (inputs, proof)
        })
        .collect();
    let stray = outside(&mut rng);
    assert!(stray.mul_bigint(g2::Config::COFACTOR).into_affine().is_zero());
    for place in [0, 4, 8] {
        let mut broken = proofs.clone();
        broken[place].1.b = (broken[place].1.b + stray).into_affine();
        let items: Vec<_> = broken.iter().map(|(inputs, proof)| (inputs, encode(proof))).collect();
        let (inputs, bytes) = &items[place];
        assert_eq!(simulator.key.verify(inputs, bytes), Err(error));
        assert!(Proof::<Bare>::from_bytes(bytes).is_err());
        let verdict = verify_batch(&simulator.key, &items, &mut OsCoefficients);
        assert_eq!(verdict, Err(BatchError::Refused(vec![(place, error)])));
        assert_eq!(all_good(&simulator.key, &items, &mut OsCoefficients), Ok(false));
    }
}

/// A generator that is stuck at one byte.
struct Constant(u8);

impl RandomSource for Constant {
    fn fill(&mut self, bytes: &mut [u8]) -> Result<(), getrandom::Error> {
        bytes.fill(self.0);
        Ok(())
    }
}

#[test]
fn errors_that_cancel_are_found() {
    let mut rng = test_rng();
    let simulator = Simulator::new(&mut rng);
    let mut proofs: Vec<_> = (0..6)
        .map(|_| {
            let inputs = public(&mut rng);
            let proof = simulator.prove(&inputs, &mut rng);
            (inputs, proof)
        })
        .collect();
    // In C of two proofs, in A of two proofs with one B, and between an input and another proof's.
    let shift = G1Affine::generator();
    proofs[0].1.c = (proofs[0].1.c + shift).into_affine();
    proofs[1].1.c = (proofs[1].1.c - shift).into_affine();
    proofs[3] = proofs[2].clone();
    proofs[2].1.a = (proofs[2].1.a + shift).into_affine();
    proofs[3].1.a = (proofs[3].1.a - shift).into_affine();
    proofs[4].0[5] += Fr::ONE;
    proofs[5].0[5] -= Fr::ONE;
    let items: Vec<_> = proofs.iter().map(|(inputs, proof)| (inputs, encode(proof))).collect();
    let expected = BatchError::Refused((0..6).map(|i| (i, VerifyError::Invalid)).collect());
    for byte in 0..20 {
        let verdict = verify_batch(&simulator.key, &items, &mut OsCoefficients);
        assert_eq!(verdict, Err(expected.clone()));
        let verdict = verify_batch(&simulator.key, &items, &mut Constant(byte));
        assert_eq!(verdict, Err(expected.clone()), "without any randomness");
    }
}

#[test]
fn verdicts_do_not_depend_on_the_number_of_threads_nor_on_where_the_bad_ones_are() {
    let mut rng = test_rng();
    let simulator = Simulator::new(&mut rng);
    let proofs: Vec<_> = (0..5)
        .map(|_| {
            let inputs = public(&mut rng);
            let proof = encode(&simulator.prove(&inputs, &mut rng));
            (inputs, proof)
        })
        .collect();
    let mut other = proofs[0].0.clone();
    other[3] += Fr::ONE;
    for threads in [1, 2, 3, 7] {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        for count in [5, 9, 17, 300] {
            let remainder = count / 16 * 16 % count; // the first of the last part
            let many = (0..count).filter(|place| place % 7 == 2).collect();
            let mut wheres = vec![vec![], vec![0], vec![count - 1], vec![remainder], many];
            if count < 20 {
                wheres.push((0..count).collect());
            }
            for broken in wheres {
                let items: Vec<_> = (0..count)
                    .map(|place| {
                        let (inputs, proof) = &proofs[place % proofs.len()];
                        (if broken.contains(&place) { &other } else { inputs }, *proof)
                    })
                    .collect();
                let refused: Vec<_> =
                    broken.iter().map(|place| (*place, VerifyError::Invalid)).collect();
                let expected =
                    if broken.is_empty() { Ok(()) } else { Err(BatchError::Refused(refused)) };
                pool.install(|| {
                    let verdict = verify_batch(&simulator.key, &items, &mut OsCoefficients);
                    assert_eq!(verdict, expected, "{threads} threads, {count} proofs");
                    let all = all_good(&simulator.key, &items, &mut OsCoefficients);
                    assert_eq!(all, Ok(broken.is_empty()), "{threads} threads, {count} proofs");
                });
            }
        }
    }
}

#[test]
fn with_inputs_and_bytes_both_wrong_alone_and_batch_name_the_same_error() {
    let mut rng = test_rng();
    let simulator = Simulator::new(&mut rng);
    let inputs = public(&mut rng);
    let bytes = encode(&simulator.prove(&inputs, &mut rng));
    let short = inputs[1..].to_vec();
    let mut stray = simulator.prove(&inputs, &mut rng);
    stray.b = (stray.b + outside(&mut rng)).into_affine();
    let error = VerifyError::InputCount { expected: INPUTS, found: INPUTS - 1 };
    for wrong in [ProofBytes([0xff; PROOF_BYTES]), ProofBytes([0; PROOF_BYTES]), encode(&stray)] {
        assert_eq!(simulator.key.verify(&short, &wrong), Err(error));
        assert!(matches!(simulator.key.verify(&inputs, &wrong), Err(VerifyError::Malformed(_))));
        for others in 0..3 {
            let mut items = vec![(&inputs, bytes); others];
            items.push((&short, wrong));
            let verdict = verify_batch(&simulator.key, &items, &mut OsCoefficients);
            assert_eq!(verdict, Err(BatchError::Refused(vec![(others, error)])));
        }
    }
}

#[test]
fn a_wrong_number_of_inputs_is_refused_whatever_they_are() {
    let mut rng = test_rng();
    let simulator = Simulator::new(&mut rng);
    // The proof is good for inputs that end in zeros, which must not be left out.
    let mut inputs = public(&mut rng);
    inputs[INPUTS - 2..].fill(Fr::ZERO);
    let bytes = encode(&simulator.prove(&inputs, &mut rng));
    let proof = Proof::<Bare>::from_bytes(&bytes).unwrap();
    assert_eq!(simulator.key.verify(&inputs, &bytes), Ok(()));
    for found in [0, 1, INPUTS - 2, INPUTS - 1, INPUTS + 1, 3 * INPUTS] {
        let mut other = inputs.clone();
        other.resize(found, Fr::ZERO);
        let error = VerifyError::InputCount { expected: INPUTS, found };
        assert_eq!(simulator.key.verify(&other, &bytes), Err(error));
        assert_eq!(simulator.key.verify_decoded(&other, &proof), Err(error));
        assert_eq!(simulator.key.verify_elements(&other, &proof), Err(error));
        let items = [(&inputs, bytes), (&other, bytes)];
        let verdict = verify_batch(&simulator.key, &items, &mut OsCoefficients);
        assert_eq!(verdict, Err(BatchError::Refused(vec![(1, error)])));
        assert_eq!(all_good(&simulator.key, &items, &mut OsCoefficients), Ok(false));
        assert_eq!(all_good(&simulator.key, &items[1..], &mut OsCoefficients), Ok(false));
    }
}

/// What decoding of a proof must answer, by the library and the checks of `params`. The subgroup
/// of B is looked at last.
fn reference(bytes: &ProofBytes) -> Result<(), ProofError> {
    let refuse = |part| move |defect| ProofError::Point { part, defect };
    let g1 = |bytes: &[u8], part| match decode_finite::<g1::Config>(bytes, Compress::Yes) {
        Ok(_) => Ok(()),
        Err(defect) => Err(refuse(part)(defect)),
    };
    g1(&bytes.0[..32], ProofPart::A)?;
    let b = decode_finite::<g2::Config>(&bytes.0[32..96], Compress::Yes).map(|_| ());
    if b != Err(PointDefect::OffSubgroup) {
        b.map_err(refuse(ProofPart::B))?;
    }
    g1(&bytes.0[96..], ProofPart::C)?;
    b.map_err(refuse(ProofPart::B))
}

#[test]
fn bytes_are_decoded_as_by_the_library() {
    let mut rng = test_rng();
    let simulator = Simulator::new(&mut rng);
    let inputs = public(&mut rng);
    let honest = encode(&simulator.prove(&inputs, &mut rng));
    let mut all = vec![honest];
    for bit in 0..PROOF_BYTES * 8 {
        let mut altered = honest;
        altered.0[bit / 8] ^= 1 << (bit % 8);
        all.push(altered);
    }
    // The words of B: small, at the modulus and around it, all ones, with every pair of flags.
    let modulus = Fq::MODULUS;
    let mut words: Vec<[u8; 32]> = vec![[0; 32], [0xff; 32]];
    for shift in [0u64, 1, 2, 3] {
        for sign in [1, -1i64] {
            let mut limbs = modulus.0;
            limbs[0] = limbs[0].wrapping_add_signed(sign * shift as i64);
            words.push(std::array::from_fn(|i| limbs[i / 8].to_le_bytes()[i % 8]));
        }
        words.push(std::array::from_fn(|i| if i == 0 { shift as u8 } else { 0 }));
    }
    for low in &words {
        for high in &words {
            for flags in [0x00, 0x40, 0x80, 0xc0] {
                let mut altered = honest;
                altered.0[32..64].copy_from_slice(low);
                altered.0[64..96].copy_from_slice(high);
                altered.0[95] = altered.0[95] & 0x3f | flags;
                all.push(altered);
            }
        }
    }
    for _ in 0..200 {
        let mut altered = honest;
        rng.fill_bytes(&mut altered.0[32..96]);
        altered.0[63] &= 0x1f;
        altered.0[95] &= 0x9f;
        all.push(altered);
    }
    let (mut outside, mut accepted) = (0, 0);
    for bytes in all {
        let expected = reference(&bytes);
        let found = Proof::<Bare>::from_bytes(&bytes);
        assert_eq!(found.as_ref().map(|_| ()).map_err(|error| *error), expected);
        assert_eq!(
            found.is_ok(),
            Points::<Bn254>::deserialize_compressed(&bytes.0[..]).is_ok_and(|points| !points
                .a
                .is_zero()
                && !points.b.is_zero()
                && !points.c.is_zero(),)
        );
        if let Ok(proof) = found {
            assert_eq!(proof.to_bytes(), bytes);
            accepted += 1;
        }
        outside += usize::from(matches!(
            expected,
            Err(ProofError::Point { defect: PointDefect::OffSubgroup, .. })
        ));
        assert_eq!(simulator.key.verify(&inputs, &bytes).is_ok(), bytes == honest);
    }
    assert!(outside > 100 && accepted > 100, "{outside} and {accepted}");
}
