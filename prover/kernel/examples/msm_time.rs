//! Times sums over tables against arkworks' own.
use ark_bn254::{Fr, G1Projective, G2Projective};
use ark_ec::{CurveGroup, VariableBaseMSM};
use ark_ff::PrimeField;
use ark_std::UniformRand;
use ark_std::rand::SeedableRng;
use ark_std::rand::rngs::StdRng;
use placet_kernel::engine::*;
use placet_kernel::msm::{Sorted, Table, Windows, multiply};
use placet_kernel::table;
use std::time::Instant;

fn main() {
    let rng = &mut StdRng::seed_from_u64(1);
    let n = 30_000;
    let windows = Windows { width: 15, stride: 1 };
    let g = G1Projective::rand(rng);
    let h = G2Projective::rand(rng);
    let points: Vec<_> = (0..n)
        .scan(g, |p, _| {
            *p += g;
            Some(*p)
        })
        .collect();
    let points2: Vec<_> = (0..n)
        .scan(h, |p, _| {
            *p += h;
            Some(*p)
        })
        .collect();
    let bases = G1Projective::normalize_batch(&points);
    let bases2 = G2Projective::normalize_batch(&points2);
    let scalars: Vec<Fr> = (0..n).map(|_| Fr::rand(rng)).collect();
    let bigints: Vec<_> = scalars.iter().map(|s| s.into_bigint()).collect();
    let t = Instant::now();
    let t1 = table::build(windows, &bases, &|_| {});
    let t2 = table::build(windows, &bases2, &|_| {});
    println!("tables {:?}", t.elapsed());
    let table = Table { windows, points: &t1[..] };
    let table2 = Table { windows, points: &t2[..] };
    let time = |name: &str, f: &dyn Fn()| {
        let mut best = f64::MAX;
        for _ in 0..7 {
            let t = Instant::now();
            f();
            best = best.min(t.elapsed().as_secs_f64() * 1e3);
        }
        println!("{name}: {best:.1} ms");
    };
    let sorted = Sorted::new(windows, n, bigints.iter().copied().enumerate());
    time("sort", &|| drop(Sorted::new(windows, n, bigints.iter().copied().enumerate())));
    time("ark g1", &|| drop(G1Projective::msm(&bases, &scalars)));
    time("portable g1", &|| drop(multiply::<PortableG1>(&table, &sorted)));
    time("adx g1", &|| drop(multiply::<AdxG1>(&table, &sorted)));
    time("ifma g1", &|| drop(multiply::<IfmaG1>(&table, &sorted)));
    time("ark g2", &|| drop(G2Projective::msm(&bases2, &scalars)));
    time("portable g2", &|| drop(multiply::<PortableG2>(&table2, &sorted)));
    time("adx g2", &|| drop(multiply::<AdxG2>(&table2, &sorted)));
    time("ifma g2", &|| drop(multiply::<IfmaG2>(&table2, &sorted)));
}
