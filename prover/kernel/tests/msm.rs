//! Sums over tables equal arkworks' own, for every arithmetic, stride and kind of scalar.

use ark_bn254::{Fr, G1Affine, G1Projective, G2Affine, G2Projective};
use ark_ec::short_weierstrass::{Affine, Projective, SWCurveConfig};
use ark_ec::{CurveGroup, VariableBaseMSM};
use ark_ff::{Field, One, PrimeField, Zero};
use ark_std::UniformRand;
use ark_std::rand::rngs::StdRng;
use ark_std::rand::{Rng, SeedableRng};
use placet_kernel::Arithmetic;
use placet_kernel::msm::{Sorted, Table, Windows, multiply_g1, multiply_g2};
use placet_kernel::table;

fn g1(windows: Windows, bases: &[G1Affine], scalars: &[Fr]) {
    let expected = G1Projective::msm(bases, scalars).unwrap();
    let points = table::build(windows, bases, &|_| {});
    let sorted = sorted(windows, scalars);
    for arithmetic in Arithmetic::available() {
        let found = multiply_g1(arithmetic, &Table { windows, points: &points[..] }, &sorted);
        assert_eq!(expected, found, "{arithmetic:?} {windows:?}");
    }
}

fn g2(windows: Windows, bases: &[G2Affine], scalars: &[Fr]) {
    let expected = G2Projective::msm(bases, scalars).unwrap();
    let points = table::build(windows, bases, &|_| {});
    let sorted = sorted(windows, scalars);
    for arithmetic in Arithmetic::available() {
        let found = multiply_g2(arithmetic, &Table { windows, points: &points[..] }, &sorted);
        assert_eq!(expected, found, "{arithmetic:?} {windows:?}");
    }
}

fn sorted(windows: Windows, scalars: &[Fr]) -> Sorted {
    let scalars: Vec<_> = scalars.iter().map(|scalar| scalar.into_bigint()).collect();
    Sorted::new(windows, scalars.len(), scalars.into_iter().enumerate())
}

fn bases<P: SWCurveConfig<ScalarField = Fr>>(n: usize, rng: &mut StdRng) -> Vec<Affine<P>> {
    let points: Vec<_> = (0..n).map(|_| Projective::<P>::rand(rng)).collect();
    Projective::normalize_batch(&points)
}

const WINDOWS: [Windows; 5] = [
    Windows { width: 7, stride: 1 },
    Windows { width: 8, stride: 3 },
    Windows { width: 5, stride: 51 },
    Windows { width: 15, stride: 1 },
    Windows { width: 16, stride: 2 },
];

#[test]
fn random_scalars() {
    let rng = &mut StdRng::seed_from_u64(1);
    for windows in WINDOWS {
        for n in [1, 2, 7, 300] {
            let scalars: Vec<Fr> = (0..n).map(|_| Fr::rand(rng)).collect();
            g1(windows, &bases(n, rng), &scalars);
            g2(windows, &bases(n, rng), &scalars);
        }
    }
}

#[test]
fn scalars_at_the_edges() {
    let rng = &mut StdRng::seed_from_u64(2);
    let edges = [
        Fr::zero(),
        Fr::one(),
        -Fr::one(),
        Fr::from(2u8),
        -Fr::from(2u8),
        (-Fr::one()) / Fr::from(2u8),
        (Fr::one() - Fr::from(2u8)) / Fr::from(2u8) + Fr::one(),
        Fr::from(1u64 << 14),
        Fr::from((1u64 << 14) + 1),
        Fr::from(u64::MAX),
        Fr::from(2u8).pow([253]),
        Fr::from(2u8).pow([128]) - Fr::one(),
    ];
    for windows in WINDOWS {
        let n = 64;
        let scalars: Vec<Fr> = (0..n).map(|i| edges[i % edges.len()]).collect();
        g1(windows, &bases(n, rng), &scalars);
        g2(windows, &bases(n, rng), &scalars);
        for edge in edges {
            g1(windows, &bases(9, rng), &[edge; 9]);
        }
    }
}

#[test]
fn equal_and_opposite_bases() {
    let rng = &mut StdRng::seed_from_u64(3);
    for windows in WINDOWS {
        let few: Vec<G1Affine> = bases(3, rng);
        let few2: Vec<G2Affine> = bases(3, rng);
        let n = 50;
        // The same few bases and their opposites under the same few scalars: doublings and sums at
        // infinity in most buckets.
        let scalars: Vec<Fr> = (0..n).map(|i| Fr::from(1 + (i as u64 % 2) * 77_777)).collect();
        let signs: Vec<bool> = (0..n).map(|_| rng.r#gen()).collect();
        let pick: Vec<usize> = (0..n).map(|_| rng.r#gen_range(0..3)).collect();
        let one: Vec<G1Affine> =
            (0..n).map(|i| if signs[i] { -few[pick[i]] } else { few[pick[i]] }).collect();
        let two: Vec<G2Affine> =
            (0..n).map(|i| if signs[i] { -few2[pick[i]] } else { few2[pick[i]] }).collect();
        g1(windows, &one, &scalars);
        g2(windows, &two, &scalars);
        g1(windows, &[few[0], -few[0]], &[Fr::from(5u8); 2]);
        g2(windows, &[few2[0], -few2[0]], &[Fr::from(5u8); 2]);
        // A base and its shift by one digit meet in one bucket.
        let shifted = (few[0] * Fr::from(2u8).pow([u64::from(windows.width)])).into_affine();
        g1(windows, &[few[0], shifted], &[Fr::from(1u64 << windows.width), Fr::one()]);
    }
}

/// Many blocks of equal bases in a pool of many threads: while one thread waits for others in the
/// midst of an exceptional sum, it takes up another block.
#[test]
fn equal_bases_on_many_threads() {
    let rng = &mut StdRng::seed_from_u64(4);
    let windows = Windows { width: 12, stride: 1 };
    let n = 2_000;
    let half: Vec<G1Affine> = bases(n / 2, rng);
    let twice: Vec<G1Affine> = half.iter().flat_map(|base| [*base, *base]).collect();
    let scalars: Vec<Fr> = (0..n / 2).map(|_| Fr::rand(rng)).flat_map(|x| [x, x]).collect();
    let pool = rayon::ThreadPoolBuilder::new().num_threads(8).build().unwrap();
    pool.install(|| (0..20).for_each(|_| g1(windows, &twice, &scalars)));
}
