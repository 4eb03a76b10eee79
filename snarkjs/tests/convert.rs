//! Keys in both directions: what one software's key proves, the other's accepts.

mod common;

use ark_bn254::{Fr, G1Affine, G1Projective};
use ark_ec::{AffineRepr, CurveGroup};
use ark_ff::{Field, One, Zero};
use ark_poly::{EvaluationDomain, Radix2EvaluationDomain};
use common::{SHAPES, Sample, verifies};
use placet_snarkjs::convert::{
    ConvertError, check_circuit, coefficients, key_from_zkey, zkey_from_key,
};
use placet_snarkjs::zkey::{Matrix, Zkey};

/// What snarkjs's prover computes, by the definition: C is A·B row by row, the products at the odd
/// places of the double domain multiply H. Without blinding, so it says nothing about secrecy.
fn prove_as_snarkjs(zkey: &Zkey, assignment: &[Fr]) -> ark_groth16::Proof<ark_bn254::Bn254> {
    let n = zkey.domain_size as usize;
    let (mut a, mut b) = (vec![Fr::zero(); n], vec![Fr::zero(); n]);
    for entry in &zkey.coefficients {
        let rows = if entry.matrix == Matrix::A { &mut a } else { &mut b };
        rows[entry.row as usize] += entry.value * assignment[entry.column as usize];
    }
    let c: Vec<Fr> = a.iter().zip(&b).map(|(a, b)| *a * b).collect();
    let domain = Radix2EvaluationDomain::<Fr>::new(n).unwrap();
    let eta = Radix2EvaluationDomain::<Fr>::new(2 * n).unwrap().group_gen();
    let odd = domain.get_coset(eta).unwrap();
    let [a, b, c] = [a, b, c].map(|values| odd.fft(&domain.ifft(&values)));
    let combine = |points: &[G1Affine], scalars: &[Fr]| -> G1Projective {
        assert_eq!(points.len(), scalars.len());
        points.iter().zip(scalars).map(|(point, scalar)| *point * scalar).sum()
    };
    let quotient: Vec<Fr> = (0..n).map(|i| a[i] * b[i] - c[i]).collect();
    let private = &assignment[zkey.public_inputs as usize + 1..];
    let b2 = zkey.b2.iter().zip(assignment).map(|(point, scalar)| *point * scalar);
    ark_groth16::Proof {
        a: (combine(&zkey.a, assignment) + zkey.alpha_g1).into_affine(),
        b: (b2.sum::<ark_bn254::G2Projective>() + zkey.beta_g2).into_affine(),
        c: (combine(&zkey.c, private) + combine(&zkey.h, &quotient)).into_affine(),
    }
}

/// H as a ceremony makes it, from a trapdoor that this test knows.
fn lagrange(n: usize, tau: Fr, over_delta: Fr) -> Vec<G1Affine> {
    let double = Radix2EvaluationDomain::<Fr>::new(2 * n).unwrap();
    let all = double.evaluate_all_lagrange_coefficients(tau);
    let odd = all.iter().skip(1).step_by(2);
    odd.map(|value| (G1Affine::generator() * (*value * over_delta)).into_affine()).collect()
}

#[test]
fn a_converted_key_proves_in_both_ways_of_computing_and_both_proofs_verify() {
    for shape in SHAPES {
        let sample = Sample::new(shape);
        let zkey = zkey_from_key(&sample.key, &sample.circuit).unwrap();
        check_circuit(&zkey, &sample.circuit).unwrap();
        let theirs = prove_as_snarkjs(&zkey, &sample.assignment);
        assert!(verifies(&sample.key.vk, sample.public(), &theirs));
        let ours = sample.prove(&key_from_zkey(&zkey));
        assert!(verifies(&sample.key.vk, sample.public(), &ours));
        let mut other = sample.public().to_vec();
        other[0] += Fr::one();
        assert!(!verifies(&sample.key.vk, &other, &theirs));
    }
}

#[test]
fn a_witness_that_is_false_gives_a_proof_that_does_not_verify() {
    let sample = Sample::new(SHAPES[1]);
    let zkey = zkey_from_key(&sample.key, &sample.circuit).unwrap();
    let mut assignment = sample.assignment.clone();
    *assignment.last_mut().unwrap() += Fr::one();
    let proof = prove_as_snarkjs(&zkey, &assignment);
    assert!(!verifies(&sample.key.vk, sample.public(), &proof));
}

#[test]
fn there_and_back_again_is_the_same_key() {
    for shape in SHAPES {
        let sample = Sample::new(shape);
        let zkey = zkey_from_key(&sample.key, &sample.circuit).unwrap();
        let back = key_from_zkey(&zkey);
        assert_eq!(back, sample.key);
        assert_eq!(zkey_from_key(&back, &sample.circuit).unwrap(), zkey);
    }
}

#[test]
fn a_ceremonys_h_becomes_powers_of_tau_times_the_vanishing_polynomial() {
    let (tau, over_delta) = (Fr::from(987_654_321u64), Fr::from(55u64));
    for n in [2usize, 8, 64] {
        let mut zkey = {
            let sample = Sample::new(SHAPES[0]);
            zkey_from_key(&sample.key, &sample.circuit).unwrap()
        };
        zkey.h = lagrange(n, tau, over_delta);
        let vanishing = tau.pow([n as u64]) - Fr::one();
        let expected: Vec<G1Affine> = (0..n as u64 - 1)
            .map(|j| {
                let scalar = tau.pow([j]) * vanishing * over_delta;
                (G1Affine::generator() * scalar).into_affine()
            })
            .collect();
        assert_eq!(key_from_zkey(&zkey).h_query, expected, "{n} rows");
    }
}

#[test]
fn a_key_of_another_circuit_is_named() {
    let sample = Sample::new(SHAPES[1]);
    let zkey = zkey_from_key(&sample.key, &sample.circuit).unwrap();

    let other = Sample::new(common::Random { seed: 99, ..SHAPES[1] });
    assert!(matches!(
        check_circuit(&zkey, &other.circuit),
        Err(ConvertError::Coefficients { row: 0 })
    ));

    let mut altered = zkey.clone();
    altered.coefficients[5].value += Fr::one();
    let row = altered.coefficients[5].row;
    assert_eq!(check_circuit(&altered, &sample.circuit), Err(ConvertError::Coefficients { row }));

    let mut missing = zkey.clone();
    let last = missing.coefficients.pop().unwrap();
    assert_eq!(
        check_circuit(&missing, &sample.circuit),
        Err(ConvertError::Coefficients { row: last.row })
    );

    let mut more = zkey.clone();
    more.variables += 1;
    assert!(matches!(
        check_circuit(&more, &sample.circuit),
        Err(ConvertError::Size { what: "variables", .. })
    ));

    let mut short = sample.key.clone();
    short.h_query.pop();
    assert!(matches!(
        zkey_from_key(&short, &sample.circuit),
        Err(ConvertError::Size { what: "points in query H", .. })
    ));
}

#[test]
fn the_order_of_coefficients_and_their_splitting_do_not_matter() {
    let sample = Sample::new(SHAPES[2]);
    let mut zkey = zkey_from_key(&sample.key, &sample.circuit).unwrap();
    assert_eq!(zkey.coefficients, coefficients(&sample.circuit));
    zkey.coefficients.reverse();
    let mut half = zkey.coefficients[3];
    half.value /= Fr::from(2u8);
    zkey.coefficients[3] = half;
    zkey.coefficients.push(half);
    assert_eq!(check_circuit(&zkey, &sample.circuit), Ok(()));
}
