use ark_bn254::Fq;
use placet_kernel::lanes::fp8::Fp8;
use std::time::Instant;
#[target_feature(enable = "avx512f,avx512dq,avx512ifma,bmi2,adx")]
fn chain(n: usize) -> Fp8<Fq> {
    let x = Fp8::<Fq>::from_elements([Fq::from(7u64); 8]);
    let mut y = x;
    for _ in 0..n {
        y = y.mul(x);
    }
    y
}
#[target_feature(enable = "avx512f,avx512dq,avx512ifma,bmi2,adx")]
fn many(n: usize, a: &[Fp8<Fq>], b: &mut [Fp8<Fq>]) {
    for _ in 0..n {
        for (b, a) in b.iter_mut().zip(a) {
            *b = b.mul(*a);
        }
    }
}
#[target_feature(enable = "avx512f,avx512dq,avx512ifma,bmi2,adx")]
fn sq(n: usize, b: &mut [Fp8<Fq>]) {
    for _ in 0..n {
        for b in b.iter_mut() {
            *b = b.square();
        }
    }
}
#[target_feature(enable = "avx512f,avx512dq,avx512ifma,bmi2,adx")]
fn red(n: usize, b: &mut [Fp8<Fq>]) {
    for _ in 0..n {
        for b in b.iter_mut() {
            *b = b.reduce();
        }
    }
}
#[target_feature(enable = "avx512f,avx512dq,avx512ifma,bmi2,adx")]
fn subs(n: usize, a: &[Fp8<Fq>], b: &mut [Fp8<Fq>]) {
    for _ in 0..n {
        for (b, a) in b.iter_mut().zip(a) {
            *b = a.sub::<16>(*b);
        }
    }
}
fn main() {
    // clock: dependent adds
    let t = Instant::now();
    let mut x = 1u64;
    for _ in 0..1_000_000_000u64 / 4 {
        x = std::hint::black_box(x.wrapping_mul(3));
    }
    println!(
        "~4-5 cycles each (imul 3 + store/load): {:.2} ns {x}",
        t.elapsed().as_secs_f64() * 4.0
    );
    let n = 1_000_00;
    let t = Instant::now();
    let y = unsafe { chain(n * 16) };
    println!("chain {:.1} ns {:?}", t.elapsed().as_secs_f64() * 1e9 / n as f64 / 16.0, unsafe {
        y.elements()[0]
    });
    let a = vec![y; 16];
    let mut b = vec![y; 16];
    for _ in 0..3 {
        let t = Instant::now();
        unsafe { many(n, &a, &mut b) };
        let m = t.elapsed().as_secs_f64() * 1e9 / n as f64 / 16.0;
        let t = Instant::now();
        unsafe { sq(n, &mut b) };
        let s = t.elapsed().as_secs_f64() * 1e9 / n as f64 / 16.0;
        let t = Instant::now();
        unsafe { red(n, &mut b) };
        let r = t.elapsed().as_secs_f64() * 1e9 / n as f64 / 16.0;
        let t = Instant::now();
        unsafe { subs(n, &a, &mut b) };
        let u = t.elapsed().as_secs_f64() * 1e9 / n as f64 / 16.0;
        println!("many {m:.1} sq {s:.1} reduce {r:.1} sub {u:.1} ns");
    }
    println!("{:?}", unsafe { b[3].elements()[0] });
}
