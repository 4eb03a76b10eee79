//! One Poseidon permutation per width that the protocol uses: ours, the sponge of
//! ark-crypto-primitives with the same parameters, and light-poseidon.
#![allow(missing_docs)] // the macros of criterion

use std::hint::black_box;

use ark_bn254::Fr;
use ark_crypto_primitives::sponge::poseidon::{PoseidonConfig, PoseidonSponge};
use ark_crypto_primitives::sponge::{CryptographicSponge, FieldBasedCryptographicSponge};
use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use light_poseidon::{Poseidon, PoseidonHasher};
use placet_protocol::poseidon::{FULL_ROUNDS, Parameters, cells};

fn sponge(inputs: usize) -> PoseidonSponge<Fr> {
    let parameters = Parameters::of_width(inputs + 1);
    PoseidonSponge::new(&PoseidonConfig {
        full_rounds: FULL_ROUNDS,
        partial_rounds: parameters.partial_rounds,
        alpha: 5,
        ark: parameters.constants.clone(),
        mds: parameters.matrix.clone(),
        rate: inputs,
        capacity: 1,
    })
}

fn hashing(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("poseidon");
    macro_rules! widths {
        ($($n:literal),*) => {$({
            let inputs: [Fr; $n] = std::array::from_fn(|i| Fr::from(i as u64 + 1));
            group.bench_function(BenchmarkId::new("placet", $n), |bencher| {
                bencher.iter(|| cells(Fr::from(0u8), black_box(&inputs)));
            });
            let fresh = sponge($n);
            group.bench_function(BenchmarkId::new("ark-crypto-primitives", $n), |bencher| {
                bencher.iter(|| {
                    let mut sponge = fresh.clone();
                    sponge.absorb(&black_box(&inputs).as_slice());
                    sponge.squeeze_native_field_elements(1)
                });
            });
            // It has constants for twelve inputs.
            if $n < light_poseidon::MAX_X5_LEN {
                let mut light = Poseidon::<Fr>::new_circom($n).expect("at most twelve inputs");
                group.bench_function(BenchmarkId::new("light-poseidon", $n), |bencher| {
                    bencher.iter(|| light.hash(black_box(&inputs)));
                });
            }
        })*};
    }
    widths!(1, 2, 3, 4, 5, 6, 8, 9, 12, 16);
    group.finish();
}

criterion_group!(benches, hashing);
criterion_main!(benches);
