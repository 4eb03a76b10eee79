//! Times what is done once per key: the transformation of 2^15 points and a table of 30,000 in each
//! group.
use std::time::Instant;

use ark_bn254::{G1Projective, G2Projective};
use ark_ec::CurveGroup;
use ark_ec::short_weierstrass::{Affine, Projective, SWCurveConfig};
use ark_std::UniformRand;
use ark_std::rand::SeedableRng;
use ark_std::rand::rngs::StdRng;
use placet_kernel::lanes::{G1Stored, G2Stored};
use placet_kernel::msm::Windows;
use placet_kernel::{table, transform};

fn points<C: SWCurveConfig>(first: Projective<C>, count: usize) -> Vec<Affine<C>> {
    let all: Vec<_> =
        std::iter::successors(Some(first), |p| Some(*p + first)).take(count).collect();
    Projective::normalize_batch(&all)
}

fn cpu() -> f64 {
    let t = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    t.tv_sec as f64 * 1e3 + t.tv_nsec as f64 * 1e-6
}

fn timed(what: &str, work: impl FnOnce()) {
    let (wall, used) = (Instant::now(), cpu());
    work();
    println!("{what}: {:.0} ms, {:.0} ms CPU", wall.elapsed().as_secs_f64() * 1e3, cpu() - used);
}

fn main() {
    let rng = &mut StdRng::seed_from_u64(1);
    // Random distances: neighbours of a progression meet on the way.
    let scale = G1Projective::rand(rng);
    let h = points(scale, 1 << 12);
    let h: Vec<_> = (0..(1 << 15) - 1)
        .map(|i| if i < 1 << 12 { h[i] } else { (h[i % (1 << 12)] + h[i >> 12]).into() })
        .collect();
    timed("transform", || drop(transform::transform(&h, &[], &Vec::new(), 0, &|_| {})));
    let windows = Windows { width: 15, stride: 1 };
    let bases = points(G1Projective::rand(rng), 30_000);
    timed("table in G1", || drop(table::build::<G1Stored>(windows, &bases, &|_| {})));
    let bases = points(G2Projective::rand(rng), 30_000);
    timed("table in G2", || drop(table::build::<G2Stored>(windows, &bases, &|_| {})));
}
