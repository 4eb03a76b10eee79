//! The two transforms of [`crate::quotient`], eight elements at a time.
//!
//! A vector holds eight neighbours. Both transforms are made of butterflies `(u + wv, u - wv)`, under
//! which bounds grow by addition alone. The one to coefficients takes natural order and gives
//! bit-reversed order: each layer splits blocks in halves, with one twiddle a block. The one to odd
//! places goes back, with one twiddle a place. What lies between both touches single elements, so
//! one recursion over blocks does everything, and small blocks stay in the cache. The layers within
//! vectors work on eight vectors transposed. Source: Longa and Naehrig, "Speeding up the number
//! theoretic transform for faster ideal lattice-based cryptography", 2016.
//!
//! Bounds are in multiples of the modulus, as in [`crate::lanes::fp8`].

use ark_bn254::Fr;
use ark_ff::{BigInt, FftField, Field};
use zeroize::Zeroizing;

use crate::lanes::fp8::{self, Fp8, LIMBS};

type Vector = Fp8<Fr>;

/// Elements of a vector, and vectors of the smallest block.
const WIDTH: usize = 8;

/// Twiddles of one size of domain.
pub struct Fourier {
    /// `ω^-e` with e = rev(b)·n/2 for block b, where rev reads the bits of b as a binary fraction,
    /// lowest first: layers with more blocks use more of them.
    blocks: Vec<[u64; LIMBS]>,
    /// The same for the three layers within vectors: one, two and four vectors each group of eight.
    within: Vec<[Vector; 7]>,
    /// `η^j / n` for each coefficient j, where it lies.
    between: Vec<[Vector; WIDTH]>,
    /// `ω_8`, `ω_8² = ω_4` and `ω_8³`.
    roots: [[u64; LIMBS]; 3],
    /// `ω_2h^j` for the places j of blocks of 2h elements: h / 8 vectors from number h / 8 on.
    places: Vec<Vector>,
}

impl std::fmt::Debug for Fourier {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Fourier({})", self.between.len() * WIDTH * WIDTH)
    }
}

impl Fourier {
    /// For `size` elements, a power of two. `None` if that is less than 64 or more than 2^22, or if
    /// the processor has not the instructions.
    ///
    /// Why 2^22: twiddles and factors are at most 1.13 p (`reduce` of values to 16 p), so a product
    /// of v p is below (1.13 v / 84 + 1) p, which must not exceed 2 p. A transform to coefficients
    /// begins at 32 p and each of its layers adds 2 p.
    pub fn new(size: usize) -> Option<Self> {
        if !fp8::available()
            || !size.is_power_of_two()
            || !(WIDTH * WIDTH..=1 << 22).contains(&size)
        {
            return None;
        }
        let double = Fr::get_root_of_unity(2 * size as u64)?;
        // SAFETY: the processor has the instructions.
        Some(unsafe { Self::tables(size, double) })
    }

    #[target_feature(enable = "avx512f,avx512dq,avx512ifma,bmi2,adx")]
    fn tables(size: usize, eta: Fr) -> Self {
        let invertible = "neither a root of unity nor a power of two is zero";
        let (vectors, bits) = (size / WIDTH, size.ilog2());
        let omega = eta.square();
        let powers = |step: Fr, first: Fr, count: usize| -> Vec<Fr> {
            std::iter::successors(Some(first), |power| Some(*power * step)).take(count).collect()
        };
        let backward = powers(omega.inverse().expect(invertible), Fr::ONE, size / 2);
        let block = |b: usize| backward[reversed(b, bits - 1)];
        let gather = |element: &dyn Fn(usize) -> Fr| {
            Vector::from_elements(std::array::from_fn(element)).reduce()
        };
        let within = (0..vectors / WIDTH).map(|group| {
            let of = |blocks: usize, k: usize| {
                gather(&|lane| block(blocks * (group * WIDTH + lane) + k))
            };
            [of(1, 0), of(2, 0), of(2, 1), of(4, 0), of(4, 1), of(4, 2), of(4, 3)]
        });
        let scaled = powers(eta, Fr::from(size as u64).inverse().expect(invertible), size);
        let between = (0..vectors / WIDTH).map(|group| {
            let of = |k: usize| {
                gather(&|lane| scaled[reversed((group * WIDTH + lane) * WIDTH + k, bits)])
            };
            std::array::from_fn(of)
        });
        let eighth = omega.pow([size as u64 / 8]);
        let mut places = vec![Vector::zero(); vectors];
        let mut half = WIDTH;
        while half < size {
            let root = omega.pow([(size / (2 * half)) as u64]);
            let twiddles = powers(root, Fr::ONE, half);
            for (k, eight) in twiddles.chunks_exact(WIDTH).enumerate() {
                places[half / WIDTH + k] = gather(&|lane| eight[lane]);
            }
            half *= 2;
        }
        Self {
            blocks: (0..vectors / 2).map(|b| fp8::limbs(block(b))).collect(),
            within: within.collect(),
            between: between.collect(),
            roots: [eighth, eighth.square(), eighth.square() * eighth].map(fp8::limbs),
            places,
        }
    }

    /// The products, at all odd places, of the two polynomials with these values at the even ones.
    /// Values that are missing at the end are zero.
    ///
    /// # Panics
    /// If there are more values than places.
    pub fn odd_products(&self, left: &[Fr], right: &[Fr]) -> Zeroizing<Vec<BigInt<4>>> {
        // SAFETY: the processor has the instructions, since `new` made this.
        let odd = |values: &[Fr]| unsafe { self.to_odd(values) };
        let (left, right) = rayon::join(|| odd(left), || odd(right));
        // SAFETY: as before.
        unsafe { products(&left.0, &right.0) }
    }

    #[target_feature(enable = "avx512f,avx512dq,avx512ifma,bmi2,adx")]
    fn to_odd(&self, values: &[Fr]) -> Secret {
        let size = self.between.len() * WIDTH * WIDTH;
        assert!(values.len() <= size, "one value each place");
        let mut vectors = Vec::with_capacity(size / WIDTH);
        let chunks = values.chunks_exact(WIDTH);
        let mut last = [Fr::from(0u8); WIDTH];
        last[..chunks.remainder().len()].copy_from_slice(chunks.remainder());
        for chunk in chunks {
            // At most 16 p.
            vectors.push(Vector::from_elements(chunk.try_into().expect("eight")));
        }
        if vectors.len() < size / WIDTH {
            vectors.push(Vector::from_elements(last));
        }
        vectors.resize(size / WIDTH, Vector::zero());
        let mut vectors = Secret(vectors);
        let (lower, upper) = vectors.0.split_at_mut(size / WIDTH / 2);
        if size > WIDTH * WIDTH {
            // The first layer's twiddle is one. From 16 p to 32 p.
            for (u, v) in lower.iter_mut().zip(&mut *upper) {
                (*u, *v) = (u.add(*v), u.sub::<16>(*v));
            }
            self.block(lower, 0);
            self.block(upper, 1);
            self.join(lower, upper);
        } else {
            self.block(&mut vectors.0, 0);
        }
        vectors
    }

    /// Everything that happens within a block: its number among those of its size.
    #[target_feature(enable = "avx512f,avx512dq,avx512ifma,bmi2,adx")]
    fn block(&self, block: &mut [Vector], number: usize) {
        if let Ok(group) = <&mut [Vector; WIDTH]>::try_from(&mut *block) {
            return self.group(group, number);
        }
        let half = block.len() / 2;
        let (lower, upper) = block.split_at_mut(half);
        split(lower, upper, self.blocks[number]);
        self.block(lower, 2 * number);
        self.block(upper, 2 * number + 1);
        self.join(lower, upper);
    }

    /// A layer to places: joins two halves.
    #[target_feature(enable = "avx512f,avx512dq,avx512ifma,bmi2,adx")]
    fn join(&self, lower: &mut [Vector], upper: &mut [Vector]) {
        let half = lower.len();
        let twiddles = &self.places[half..2 * half];
        for ((u, v), w) in lower.iter_mut().zip(upper).zip(twiddles) {
            let product = v.mul(*w);
            (*u, *v) = (u.add(product), u.sub::<2>(product));
        }
    }

    /// The block of eight vectors.
    #[target_feature(enable = "avx512f,avx512dq,avx512ifma,bmi2,adx")]
    fn group(&self, group: &mut [Vector; WIDTH], number: usize) {
        for (half, first) in [(4, number), (2, 2 * number), (1, 4 * number)] {
            for (k, block) in group.chunks_exact_mut(2 * half).enumerate() {
                let (lower, upper) = block.split_at_mut(half);
                split(lower, upper, self.blocks[first + k]);
            }
        }
        let mut t = Vector::transpose(*group);
        let w = &self.within[number];
        for (half, first) in [(4, 0), (2, 1), (1, 3)] {
            for block in 0..4 / half {
                for k in 2 * half * block..2 * half * block + half {
                    let product = t[k + half].mul(w[first + block]);
                    (t[k], t[k + half]) = (t[k].add(product), t[k].sub::<2>(product));
                }
            }
        }
        let between = &self.between[number];
        for k in 0..WIDTH {
            t[k] = t[k].mul(between[k]);
        }
        // Below 2 p from here: then 4 p, 8 p, 16 p.
        for k in [0, 2, 4, 6] {
            (t[k], t[k + 1]) = (t[k].add(t[k + 1]), t[k].sub::<2>(t[k + 1]));
        }
        let [one, two, three] = [0, 1, 2].map(|i| self.roots[i]);
        for k in [0, 4] {
            (t[k], t[k + 2]) = (t[k].add(t[k + 2]), t[k].sub::<4>(t[k + 2]));
            let product = t[k + 3].mul(Vector::all(two));
            (t[k + 1], t[k + 3]) = (t[k + 1].add(product), t[k + 1].sub::<2>(product));
        }
        (t[0], t[4]) = (t[0].add(t[4]), t[0].sub::<8>(t[4]));
        for (k, root) in [(1, one), (2, two), (3, three)] {
            let product = t[k + 4].mul(Vector::all(root));
            (t[k], t[k + 4]) = (t[k].add(product), t[k].sub::<2>(product));
        }
        *group = Vector::transpose(t);
        for half in [1, 2, 4] {
            for block in group.chunks_exact_mut(2 * half) {
                let (lower, upper) = block.split_at_mut(half);
                self.join(lower, upper);
            }
        }
    }
}

/// A layer to coefficients: splits a block in halves. Adds 2 p to the bound.
#[target_feature(enable = "avx512f,avx512dq,avx512ifma,bmi2,adx")]
fn split(lower: &mut [Vector], upper: &mut [Vector], twiddle: [u64; LIMBS]) {
    let w = Vector::all(twiddle);
    for (u, v) in lower.iter_mut().zip(upper) {
        let product = v.mul(w);
        (*u, *v) = (u.add(product), u.sub::<2>(product));
    }
}

#[target_feature(enable = "avx512f,avx512dq,avx512ifma,bmi2,adx")]
fn products(left: &[Vector], right: &[Vector]) -> Zeroizing<Vec<BigInt<4>>> {
    let mut out = Zeroizing::new(Vec::with_capacity(left.len() * WIDTH));
    for (a, b) in left.iter().zip(right) {
        out.extend_from_slice(&a.mul(*b).integers());
    }
    out
}

/// Vectors that are wiped when they are done with.
struct Secret(Vec<Vector>);

impl Drop for Secret {
    fn drop(&mut self) {
        self.0.fill(Vector::zero());
        std::hint::black_box(&self.0);
    }
}

/// The lowest `bits` bits in reverse.
fn reversed(index: usize, bits: u32) -> usize {
    index.reverse_bits() >> (usize::BITS - bits)
}
