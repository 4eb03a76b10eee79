//! The bytes over which ceremonies are hashed: coordinates big-endian, of an element of the
//! quadratic extension the second component first, and infinity as zeros. Spec §12.4.

use ark_bn254::{Fq, G1Affine, G2Affine};
use ark_ec::AffineRepr;
use ark_ff::PrimeField;

/// x and y of a point of G1.
pub fn g1(point: &G1Affine) -> [u8; 64] {
    let mut out = [0; 64];
    if let Some((x, y)) = point.xy() {
        big_endian(&x, &mut out[..32]);
        big_endian(&y, &mut out[32..]);
    }
    out
}

/// x and y of a point of G2.
pub fn g2(point: &G2Affine) -> [u8; 128] {
    let mut out = [0; 128];
    if let Some((x, y)) = point.xy() {
        for (part, place) in [x.c1, x.c0, y.c1, y.c0].iter().zip(out.chunks_exact_mut(32)) {
            big_endian(part, place);
        }
    }
    out
}

fn big_endian(value: &Fq, out: &mut [u8]) {
    for (limb, place) in value.into_bigint().0.iter().rev().zip(out.chunks_exact_mut(8)) {
        place.copy_from_slice(&limb.to_be_bytes());
    }
}
