//! Times sums over tables against arkworks' own: CPU time of this thread, best of some rounds.
use ark_bn254::{Fr, G1Projective, G2Projective};
use ark_ec::{CurveGroup, VariableBaseMSM};
use ark_ff::PrimeField;
use ark_std::UniformRand;
use ark_std::rand::SeedableRng;
use ark_std::rand::rngs::StdRng;
use placet_kernel::Arithmetic;
use placet_kernel::msm::{Sorted, Table, Windows, multiply_g1, multiply_g2};
use placet_kernel::table;
use std::hint::black_box;

fn cpu() -> f64 {
    let t = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    t.tv_sec as f64 * 1e3 + t.tv_nsec as f64 * 1e-6
}

fn main() {
    let rng = &mut StdRng::seed_from_u64(1);
    let n: usize = std::env::args().nth(1).map_or(30_000, |n| n.parse().unwrap());
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
    let time = |name: &str, f: &dyn Fn()| {
        let mut best = f64::MAX;
        for _ in 0..7 {
            let t = cpu();
            f();
            best = best.min(cpu() - t);
        }
        println!("{name}: {best:.1} ms");
    };
    for width in [13, 14, 15, 16] {
        let windows = Windows { width, stride: 1 };
        let t1 = table::build(windows, &bases, &|_| {});
        let t2 = table::build(windows, &bases2, &|_| {});
        let table = Table { windows, points: &t1[..] };
        let table2 = Table { windows, points: &t2[..] };
        let sorted = Sorted::new(windows, n, bigints.iter().copied().enumerate());
        println!("width {width}: {} adds", n * windows.digits());
        time("sort", &|| drop(Sorted::new(windows, n, bigints.iter().copied().enumerate())));
        for arithmetic in Arithmetic::available() {
            time(&format!("{arithmetic:?} g1"), &|| {
                let _ = black_box(multiply_g1(arithmetic, &table, &sorted));
            });
            time(&format!("{arithmetic:?} g2"), &|| {
                let _ = black_box(multiply_g2(arithmetic, &table2, &sorted));
            });
        }
    }
    time("ark g1", &|| {
        let _ = G1Projective::msm(&bases, &scalars);
    });
    time("ark g2", &|| {
        let _ = G2Projective::msm(&bases2, &scalars);
    });
}
