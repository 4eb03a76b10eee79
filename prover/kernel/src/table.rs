//! Multiples of fixed bases.

use ark_ec::CurveGroup;
use ark_ec::short_weierstrass::{Affine, Projective};
use ark_ff::Field;
use rayon::prelude::*;

use crate::jacobian::Jacobian;
use crate::lanes::{Coordinate, Stored};
use crate::msm::Windows;

/// Bases doubled between two reports of progress and normalised at once.
const CHUNK: usize = 1024;

/// The table of finite bases, as [`crate::msm::Table`] reads it. Calls `progress` with the number
/// of points done since the call before. Some seconds for tens of thousands of bases at stride 1.
///
/// # Panics
/// If a base is the point at infinity.
pub fn build<P: Stored>(
    windows: Windows,
    bases: &[Affine<P::Curve>],
    progress: &(dyn Fn(usize) + Sync),
) -> Vec<P> {
    let finite = |point: &Affine<P::Curve>| P::from_affine(point).expect("bases are finite");
    let shift = windows.width as usize * windows.stride;
    let mut points: Vec<P> = Vec::with_capacity(bases.len() * windows.multiples());
    points.par_extend(bases.par_iter().map(finite));
    progress(bases.len());
    for multiple in 1..windows.multiples() {
        let before = &points[(multiple - 1) * bases.len()..];
        let next: Vec<P> = before
            .par_chunks(CHUNK)
            .flat_map_iter(|chunk| {
                progress(chunk.len());
                shifted(chunk, shift)
            })
            .collect();
        points.extend_from_slice(&next);
    }
    points
}

/// `2^doublings` times each point.
fn shifted<P: Stored>(points: &[P], doublings: usize) -> Vec<P> {
    let one = Coordinate::<P>::ONE;
    let mut points: Vec<Jacobian<Coordinate<P>>> = points
        .iter()
        .map(|point| {
            let (x, y) = point.coordinates();
            Jacobian { x, y, z: one }
        })
        .collect();
    P::double(&mut points, doublings);
    let points: Vec<Projective<P::Curve>> =
        points.iter().map(|&Jacobian { x, y, z }| Projective { x, y, z }).collect();
    // The group has odd prime order, so no multiple by a power of two is at infinity.
    let finite = |point: &Affine<P::Curve>| P::from_affine(point).expect("multiples are finite");
    Projective::normalize_batch(&points).iter().map(finite).collect()
}
