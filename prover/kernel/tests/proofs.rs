//! Proofs equal those of ark-groth16 for the same randomness.

mod support;

use ark_bn254::{Bn254, Fr};
use ark_ff::{One, Zero};
use ark_groth16::Groth16;
use ark_groth16::r1cs_to_qap::LibsnarkReduction;
use ark_std::UniformRand;
use ark_std::rand::SeedableRng;
use ark_std::rand::rngs::StdRng;
use placet_kernel::{Arithmetic, Kernel, Tables};
use support::{Random, key};

fn reference(
    system: &Random,
    key: &ark_groth16::ProvingKey<Bn254>,
    r: Fr,
    s: Fr,
) -> ark_groth16::Proof<Bn254> {
    Groth16::<Bn254, LibsnarkReduction>::create_proof_with_reduction_and_matrices(
        key,
        r,
        s,
        &system.matrices.rows,
        system.matrices.instance,
        system.matrices.rows[0].len(),
        &system.wires,
    )
    .unwrap()
}

#[test]
fn equal_the_reference() {
    let mut rng = StdRng::seed_from_u64(1);
    for (rows, public) in [(1, 1), (6, 1), (7, 1), (60, 3), (300, 17)] {
        let system = Random::new(rows, public, &mut rng);
        let key = key(&system, &mut rng);
        for tables in [Tables::None, Tables::Small, Tables::Full] {
            let mut kernel =
                Kernel::new(&key, system.matrices.clone(), tables, &|_, _| {}).unwrap();
            for arithmetic in Arithmetic::available() {
                kernel.set_arithmetic(arithmetic);
                let random = (Fr::rand(&mut rng), Fr::rand(&mut rng));
                for (r, s) in [random, (Fr::zero(), Fr::zero()), (Fr::one(), -Fr::one())] {
                    let expected = reference(&system, &key, r, s);
                    assert_eq!(kernel.prove(&system.wires, r, s), expected, "{rows} {tables:?}");
                }
            }
        }
    }
}

#[test]
fn prepared_proofs_equal_cold_ones_whatever_was_guessed() {
    let mut rng = StdRng::seed_from_u64(2);
    let system = Random::new(200, 4, &mut rng);
    let key = key(&system, &mut rng);
    let kernel = Kernel::new(&key, system.matrices.clone(), Tables::Small, &|_, _| {}).unwrap();
    let (left, right) = (system.rows(0), system.rows(1));
    let (r, s) = (Fr::rand(&mut rng), Fr::rand(&mut rng));
    let expected = reference(&system, &key, r, s);
    let wrong: Vec<Fr> = system.wires.iter().map(|_| Fr::rand(&mut rng)).collect();
    let mut near = system.wires.clone();
    near[5] += Fr::one();
    for guess in [system.wires.clone(), near, wrong, vec![Fr::zero(); system.wires.len()]] {
        let prepared = kernel.prepare(&guess);
        let proof = kernel.prove_prepared(&prepared, &system.wires, &left, &right, r, s);
        assert_eq!(proof.unwrap(), expected);
    }
}

#[test]
fn keys_of_another_size_are_refused() {
    let mut rng = StdRng::seed_from_u64(3);
    let system = Random::new(20, 2, &mut rng);
    let good = key(&system, &mut rng);
    for spoil in 0..5 {
        let mut key = good.clone();
        match spoil {
            0 => drop(key.a_query.pop()),
            1 => drop(key.b_g1_query.pop()),
            2 => drop(key.b_g2_query.pop()),
            3 => drop(key.l_query.pop()),
            _ => drop(key.h_query.pop()),
        }
        assert!(Kernel::new(&key, system.matrices.clone(), Tables::None, &|_, _| {}).is_err());
    }
}
