//! CPU time of the parts: transforms and scalar multiplication of field elements.
use ark_bn254::{Fq, Fq2, Fr};
use ark_std::UniformRand;
use ark_std::rand::SeedableRng;
use ark_std::rand::rngs::StdRng;
use placet_kernel::quotient::Quotient;
use std::time::Instant;

fn main() {
    let rng = &mut StdRng::seed_from_u64(1);
    let a: Vec<Fr> = (0..1 << 15).map(|_| Fr::rand(rng)).collect();
    let b = a.clone();
    let q = Quotient::new(1 << 15).unwrap();
    for _ in 0..5 {
        for arithmetic in placet_kernel::Arithmetic::available() {
            let t = Instant::now();
            let odd = q.odd_products(arithmetic, &a, &b);
            println!("odd products {arithmetic:?} {:?} {}", t.elapsed(), odd[7]);
        }
    }
    let x: Vec<Fq> = (0..64).map(|_| Fq::rand(rng)).collect();
    let mut y = x.clone();
    let t = Instant::now();
    for _ in 0..20_000 {
        for (y, x) in y.iter_mut().zip(&x) {
            *y *= x;
        }
    }
    println!("fq mul {:.1} ns {}", t.elapsed().as_secs_f64() * 1e9 / 64.0 / 20_000.0, y[3]);
    let x: Vec<Fq2> = (0..64).map(|_| Fq2::rand(rng)).collect();
    let mut y = x.clone();
    let t = Instant::now();
    for _ in 0..20_000 {
        for (y, x) in y.iter_mut().zip(&x) {
            *y *= x;
        }
    }
    println!("fq2 mul {:.1} ns {}", t.elapsed().as_secs_f64() * 1e9 / 64.0 / 20_000.0, y[3]);
}
