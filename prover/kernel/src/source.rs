//! What tables are made from, in one hash.

use ark_bn254::{Bn254, Fq, Fq2};
use ark_ec::AffineRepr;
use ark_ff::Field;
use ark_groth16::ProvingKey;
use sha2::{Digest, Sha256};

use crate::kernel::Matrices;

/// SHA-256 over every point of the key and the matrices that the tables depend on. Of another key
/// or circuit it is another one.
pub fn source(key: &ProvingKey<Bn254>, matrices: &Matrices) -> [u8; 32] {
    let mut hash = Sink { hash: Sha256::new(), buffer: Vec::with_capacity(FULL + 256) };
    hash.count(matrices.rows[0].len());
    hash.count(matrices.instance);
    hash.count(matrices.witnesses);
    hash.points(&[key.vk.alpha_g1, key.beta_g1, key.delta_g1]);
    hash.points(&[key.vk.beta_g2, key.vk.gamma_g2, key.vk.delta_g2]);
    for query in [&key.vk.gamma_abc_g1, &key.a_query, &key.b_g1_query, &key.h_query, &key.l_query] {
        hash.points(query);
    }
    hash.points(&key.b_g2_query);
    for row in &matrices.rows[2] {
        hash.count(row.len());
        for (value, wire) in row {
            hash.words(&value.0.0);
            hash.count(*wire);
        }
    }
    hash.finish()
}

/// Bytes that are hashed at once.
const FULL: usize = 1 << 16;

struct Sink {
    hash: Sha256,
    buffer: Vec<u8>,
}

/// The words of the Montgomery form, which this software uses on all processors.
trait Coordinates: Field {
    fn add_to(&self, sink: &mut Sink);
}

impl Coordinates for Fq {
    fn add_to(&self, sink: &mut Sink) {
        sink.words(&self.0.0);
    }
}

impl Coordinates for Fq2 {
    fn add_to(&self, sink: &mut Sink) {
        self.c0.add_to(sink);
        self.c1.add_to(sink);
    }
}

impl Sink {
    fn words(&mut self, words: &[u64; 4]) {
        for word in words {
            self.buffer.extend_from_slice(&word.to_le_bytes());
        }
        if self.buffer.len() >= FULL {
            self.hash.update(&self.buffer);
            self.buffer.clear();
        }
    }

    fn count(&mut self, count: usize) {
        self.buffer.extend_from_slice(&(count as u64).to_le_bytes());
    }

    fn points<G: AffineRepr<BaseField: Coordinates>>(&mut self, points: &[G]) {
        self.count(points.len());
        for point in points {
            // No curve here has a point with both coordinates zero.
            let (x, y) = point.xy().unwrap_or_default();
            x.add_to(self);
            y.add_to(self);
        }
    }

    fn finish(mut self) -> [u8; 32] {
        self.hash.update(&self.buffer);
        self.hash.finalize().into()
    }
}
