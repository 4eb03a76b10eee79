//! Eight field elements in vectors of 52-bit limbs, for processors with AVX-512 IFMA.
//!
//! An element is five limbs of 52 bits in Montgomery form with radix 2^260, one lane each. Values
//! are not kept below the modulus p (either of BN254's, about 2^253.6): 2^260 is 84 p, and every
//! operation states what it takes and gives in multiples of p. Between operations limbs are
//! normal: not negative and below 2^52.
//!
//! A stored element a·2^256 mod p times 16 is that element in radix 2^260, so loading from tables
//! costs shifts alone. Source of the multiplication: Gueron and Krasnov, "Accelerating big integer
//! arithmetic using Intel IFMA extensions", 2016.
//!
//! Everything here is inlined into functions that are compiled for these instructions, and those
//! run only after [`available`] said yes.

use std::arch::x86_64::__m512i;
use std::marker::PhantomData;

use ark_bn254::{Fq, FqConfig, Fr, FrConfig};
use ark_ff::{BigInt, BigInteger, Field, MontConfig, MontFp, PrimeField};

/// Limbs of an element.
pub const LIMBS: usize = 5;
const BITS: u32 = 52;
const MASK: u64 = (1 << BITS) - 1;

/// Whether this processor has the instructions.
pub fn available() -> bool {
    is_x86_feature_detected!("avx512f")
        && is_x86_feature_detected!("avx512dq")
        && is_x86_feature_detected!("avx512ifma")
        && is_x86_feature_detected!("bmi2")
        && is_x86_feature_detected!("adx")
}

/// What the arithmetic has to know of a prime field.
pub trait Modulus: Field {
    /// The modulus p.
    const WORDS: BigInt<4>;
    /// `-1 / p` modulo 2^52.
    const INVERSE: u64;
    /// Sixteen.
    const SIXTEEN: Self;
    /// One sixteenth.
    const SIXTEENTH: Self;
    /// The words of the Montgomery form with radix 2^256.
    fn words(&self) -> [u64; 4];
    /// The element with these words, if they are below the modulus.
    fn from_words(words: [u64; 4]) -> Option<Self>;
}

macro_rules! modulus {
    ($field:ty, $config:ty, $sixteenth:literal) => {
        impl Modulus for $field {
            const WORDS: BigInt<4> = <$field as PrimeField>::MODULUS;
            const SIXTEEN: Self = MontFp!("16");
            const SIXTEENTH: Self = MontFp!($sixteenth);
            const INVERSE: u64 = <$config as MontConfig<4>>::INV & MASK;
            #[inline(always)]
            fn words(&self) -> [u64; 4] {
                self.0.0
            }
            #[inline(always)]
            fn from_words(words: [u64; 4]) -> Option<Self> {
                let words = BigInt(words);
                (words < Self::WORDS).then(|| <$field>::new_unchecked(words))
            }
        }
    };
}
modulus!(
    Fq,
    FqConfig,
    "12312136615409592312513603231707217237391675025980025810262583815737939742328"
);
modulus!(
    Fr,
    FrConfig,
    "20520227692349320520856005386178695395514091625390032197217066424914820464641"
);

/// `factor · p` in limbs; below 2^260 for factors to 84.
const fn multiple<F: Modulus>(factor: u64) -> [u64; LIMBS] {
    let words = F::WORDS.0;
    let mut out = [0; LIMBS];
    let mut carry: u128 = 0;
    let mut limb = 0;
    while limb < LIMBS {
        let bit = limb as u32 * BITS;
        let (word, shift) = ((bit / 64) as usize, bit % 64);
        let mut part = words[word] >> shift;
        if shift > 64 - BITS && word < 3 {
            part |= words[word + 1] << (64 - shift);
        }
        let sum = (part & MASK) as u128 * factor as u128 + carry;
        out[limb] = sum as u64 & MASK;
        carry = sum >> BITS;
        limb += 1;
    }
    assert!(carry == 0, "the multiple fits 260 bits");
    out
}

/// Intrinsics under short names.
pub mod op {
    use std::arch::x86_64::*;

    macro_rules! wrap {
        ($($name:ident($($arg:ident: $ty:ty),*) -> $out:ty = $body:expr;)*) => {$(
            /// The instruction of this name.
            #[inline(always)]
            pub fn $name($($arg: $ty),*) -> $out {
                // SAFETY: inlined only into code that runs after `available` said yes, which
                // compares all the features these intrinsics ask for; they touch no memory.
                unsafe { $body }
            }
        )*};
    }
    wrap! {
        broadcast(x: u64) -> __m512i = _mm512_set1_epi64(x as i64);
        madd_low(sum: __m512i, a: __m512i, b: __m512i) -> __m512i = _mm512_madd52lo_epu64(sum, a, b);
        madd_high(sum: __m512i, a: __m512i, b: __m512i) -> __m512i = _mm512_madd52hi_epu64(sum, a, b);
        add(a: __m512i, b: __m512i) -> __m512i = _mm512_add_epi64(a, b);
        sub(a: __m512i, b: __m512i) -> __m512i = _mm512_sub_epi64(a, b);
        and(a: __m512i, b: __m512i) -> __m512i = _mm512_and_si512(a, b);
        or(a: __m512i, b: __m512i) -> __m512i = _mm512_or_si512(a, b);
        product_low(a: __m512i, b: __m512i) -> __m512i = _mm512_mullo_epi64(a, b);
        carry(a: __m512i) -> __m512i = _mm512_srai_epi64::<52>(a);
        select(mask: u8, a: __m512i, b: __m512i) -> __m512i = _mm512_mask_blend_epi64(mask, a, b);
        zero() -> __m512i = _mm512_setzero_si512();
        negate_where(mask: u8, a: __m512i) -> __m512i = _mm512_mask_sub_epi64(a, mask, _mm512_setzero_si512(), a);
        interleave_low(a: __m512i, b: __m512i) -> __m512i = _mm512_unpacklo_epi64(a, b);
        interleave_high(a: __m512i, b: __m512i) -> __m512i = _mm512_unpackhi_epi64(a, b);
        even_quarters(a: __m512i, b: __m512i) -> __m512i = _mm512_shuffle_i64x2::<0x88>(a, b);
        odd_quarters(a: __m512i, b: __m512i) -> __m512i = _mm512_shuffle_i64x2::<0xdd>(a, b);
    }
    /// Shift of every lane to the left.
    #[inline(always)]
    pub fn shl<const BY: u32>(a: __m512i) -> __m512i {
        // SAFETY: as above.
        unsafe { _mm512_slli_epi64::<BY>(a) }
    }
    /// Shift of every lane to the right, zeros from the left.
    #[inline(always)]
    pub fn shr<const BY: u32>(a: __m512i) -> __m512i {
        // SAFETY: as above.
        unsafe { _mm512_srli_epi64::<BY>(a) }
    }
    /// The eight lanes.
    #[inline(always)]
    pub fn lanes(a: __m512i) -> [u64; 8] {
        // SAFETY: both are 64 bytes without padding or invalid values.
        unsafe { std::mem::transmute(a) }
    }
    /// Eight lanes.
    #[inline(always)]
    pub fn vector(lanes: [u64; 8]) -> __m512i {
        // SAFETY: both are 64 bytes without padding or invalid values.
        unsafe { std::mem::transmute(lanes) }
    }
}

/// An array whose element `i` is an expression of `i`. Closures, as `array::from_fn` takes them, are
/// functions of their own, which the compiler does not always compile for the caller's instructions.
macro_rules! each {
    ($i:ident of 4 => $e:expr) => { $crate::lanes::fp8::each!($i in [0, 1, 2, 3] => $e) };
    ($i:ident of 5 => $e:expr) => { $crate::lanes::fp8::each!($i in [0, 1, 2, 3, 4] => $e) };
    ($i:ident of 8 => $e:expr) => { $crate::lanes::fp8::each!($i in [0, 1, 2, 3, 4, 5, 6, 7] => $e) };
    ($i:ident of 10 => $e:expr) => {
        $crate::lanes::fp8::each!($i in [0, 1, 2, 3, 4, 5, 6, 7, 8, 9] => $e)
    };
    ($i:ident in [$($value:literal),*] => $e:expr) => {
        [$({ const $i: usize = $value; $e }),*]
    };
}
pub(crate) use each;

/// Eight elements of the field `F`.
#[derive(Clone, Copy)]
pub struct Fp8<F>(pub(super) [__m512i; LIMBS], PhantomData<F>);

/// A sum of products before its reduction: ten limbs of up to 63 bits with sign.
#[derive(Clone, Copy)]
pub struct Wide<F>([__m512i; 2 * LIMBS], PhantomData<F>);

/// Brings limbs of up to 63 bits with sign into the normal form of the same value, which must not
/// be negative and stay below 2^260.
#[inline(always)]
fn normal(mut limbs: [__m512i; LIMBS]) -> [__m512i; LIMBS] {
    let mask = op::broadcast(MASK);
    for i in 0..LIMBS - 1 {
        limbs[i + 1] = op::add(limbs[i + 1], op::carry(limbs[i]));
        limbs[i] = op::and(limbs[i], mask);
    }
    limbs
}

impl<F: Modulus> Fp8<F> {
    #[inline(always)]
    fn of(limbs: [__m512i; LIMBS]) -> Self {
        Self(limbs, PhantomData)
    }

    /// One in every lane; below p.
    #[inline(always)]
    pub fn one() -> Self {
        Self::from_elements([F::ONE; 8])
    }

    /// The same element in all lanes, from what [`limbs`] gave; below p.
    #[inline(always)]
    pub fn all(limbs: [u64; LIMBS]) -> Self {
        Self::of(each!(I of 5 => op::broadcast(limbs[I])))
    }

    /// Zero in every lane.
    #[inline(always)]
    pub fn zero() -> Self {
        Self::of([op::zero(); LIMBS])
    }

    /// `other` in the lanes of `mask`, `self` in the rest.
    #[inline(always)]
    pub fn select(self, mask: u8, other: Self) -> Self {
        Self::of(each!(I of 5 => op::select(mask, self.0[I], other.0[I])))
    }

    /// From eight elements in radix 2^256; at most 16 p.
    #[inline(always)]
    pub fn from_words(elements: [[u64; 4]; 8]) -> Self {
        Self::from_columns_16(each!(W of 4 => op::vector(each!(LANE of 8 => elements[LANE][W]))))
    }

    /// From eight elements in radix 2^256, one word a vector: multiplies by 16 while it splits.
    /// At most 16 p.
    #[inline(always)]
    pub fn from_columns_16(w: [__m512i; 4]) -> Self {
        let mask = op::broadcast(MASK);
        Self::of([
            op::and(op::shl::<4>(w[0]), mask),
            op::and(op::or(op::shr::<48>(w[0]), op::shl::<16>(w[1])), mask),
            op::and(op::or(op::shr::<36>(w[1]), op::shl::<28>(w[2])), mask),
            op::and(op::or(op::shr::<24>(w[2]), op::shl::<40>(w[3])), mask),
            op::shr::<12>(w[3]),
        ])
    }

    /// From what [`Self::columns`] gave.
    #[inline(always)]
    pub fn from_columns(w: [__m512i; 4]) -> Self {
        let mask = op::broadcast(MASK);
        Self::of([
            op::and(w[0], mask),
            op::and(op::or(op::shr::<52>(w[0]), op::shl::<12>(w[1])), mask),
            op::and(op::or(op::shr::<40>(w[1]), op::shl::<24>(w[2])), mask),
            op::and(op::or(op::shr::<28>(w[2]), op::shl::<36>(w[3])), mask),
            op::shr::<16>(w[3]),
        ])
    }

    /// Four words of 64 bits, one a vector, still in radix 2^260. Takes values below 2^256, which
    /// is 5 p.
    #[inline(always)]
    pub fn columns(self) -> [__m512i; 4] {
        let l = self.0;
        [
            op::or(l[0], op::shl::<52>(l[1])),
            op::or(op::shr::<12>(l[1]), op::shl::<40>(l[2])),
            op::or(op::shr::<24>(l[2]), op::shl::<28>(l[3])),
            op::or(op::shr::<36>(l[3]), op::shl::<16>(l[4])),
        ]
    }

    /// The sum of operands together below 84 p.
    #[inline(always)]
    pub fn add(self, other: Self) -> Self {
        Self::of(normal(each!(I of 5 => op::add(self.0[I], other.0[I]))))
    }

    /// `self - other + K·p`, for `other` of at most K p and a result below 84 p.
    #[inline(always)]
    pub fn sub<const K: u64>(self, other: Self) -> Self {
        let above = const { multiple::<F>(K) };
        Self::of(normal(each!(
            I of 5 => op::sub(op::add(self.0[I], op::broadcast(above[I])), other.0[I])
        )))
    }

    /// The limbs.
    #[inline(always)]
    pub fn raw(self) -> [__m512i; LIMBS] {
        self.0
    }

    /// The value of limbs with sign plus `K·p`, which together must lie in 0 to 84 p.
    #[inline(always)]
    pub fn from_signed<const K: u64>(limbs: [__m512i; LIMBS]) -> Self {
        let above = const { multiple::<F>(K) };
        Self::of(normal(each!(I of 5 => op::add(limbs[I], op::broadcast(above[I])))))
    }

    /// Takes a value v p below 84 p; gives the same element, at most (1 + v/128) p and below 2.5 p.
    #[inline(always)]
    pub fn reduce(self) -> Self {
        // The quotient by p from the top limb alone; 84·2^208 is a little below 2^260/p·2^208, so
        // it is at most one and a half too small and never too large.
        let quotient = op::madd_high(op::zero(), self.0[LIMBS - 1], op::broadcast(84));
        let p = const { multiple::<F>(1) };
        Self::of(normal(each!(
            I of 5 => op::sub(self.0[I], op::product_low(quotient, op::broadcast(p[I])))
        )))
    }

    /// The product of values a p and b p: at most (ab/84 + 1) p.
    #[inline(always)]
    pub fn mul(self, other: Self) -> Self {
        self.wide_mul(other).montgomery()
    }

    /// The square of a value a p: at most (a²/84 + 1) p.
    #[inline(always)]
    pub fn square(self) -> Self {
        self.wide_square().montgomery()
    }

    /// The product without its reduction.
    #[inline(always)]
    pub fn wide_mul(self, other: Self) -> Wide<F> {
        let (a, b) = (self.0, other.0);
        let mut t = [op::zero(); 2 * LIMBS];
        for i in 0..LIMBS {
            for j in 0..LIMBS {
                t[i + j] = op::madd_low(t[i + j], a[i], b[j]);
            }
            for j in 0..LIMBS {
                t[i + j + 1] = op::madd_high(t[i + j + 1], a[i], b[j]);
            }
        }
        Wide(t, PhantomData)
    }

    /// The square without its reduction.
    #[inline(always)]
    pub fn wide_square(self) -> Wide<F> {
        let a = self.0;
        let mut t = [op::zero(); 2 * LIMBS];
        for i in 0..LIMBS {
            for j in i + 1..LIMBS {
                t[i + j] = op::madd_low(t[i + j], a[i], a[j]);
                t[i + j + 1] = op::madd_high(t[i + j + 1], a[i], a[j]);
            }
        }
        let mut t = each!(I of 10 => op::add(t[I], t[I]));
        for i in 0..LIMBS {
            t[2 * i] = op::madd_low(t[2 * i], a[i], a[i]);
            t[2 * i + 1] = op::madd_high(t[2 * i + 1], a[i], a[i]);
        }
        Wide(t, PhantomData)
    }

    /// The eight integers below p that the elements are. Takes any value below 84 p.
    #[inline(always)]
    pub fn integers(self) -> [BigInt<4>; 8] {
        let mut wide = [op::zero(); 2 * LIMBS];
        wide[..LIMBS].copy_from_slice(&self.0);
        let columns = Wide::<F>(wide, PhantomData).montgomery().columns();
        let words = each!(W of 4 => op::lanes(columns[W]));
        each!(LANE of 8 => canonical::<F>(each!(W of 4 => words[W][LANE])))
    }

    /// Element k of each of eight vectors, as vector k.
    #[inline(always)]
    pub fn transpose(rows: [Self; 8]) -> [Self; 8] {
        let limbs = each!(LIMB of 5 => transpose(each!(ROW of 8 => rows[ROW].0[LIMB])));
        each!(COLUMN of 8 => Self::of(each!(LIMB of 5 => limbs[LIMB][COLUMN])))
    }

    /// The eight elements. Takes any value below 84 p.
    #[inline(always)]
    pub fn elements(self) -> [F; 8] {
        let columns = self.reduce().columns();
        let words = each!(W of 4 => op::lanes(columns[W]));
        each!(LANE of 8 => element(each!(W of 4 => words[W][LANE])))
    }

    /// From eight elements; at most 16 p.
    #[inline(always)]
    pub fn from_elements(elements: [F; 8]) -> Self {
        Self::from_words(each!(LANE of 8 => elements[LANE].words()))
    }
}

/// The integer modulo p.
#[inline(always)]
fn canonical<F: Modulus>(words: [u64; 4]) -> BigInt<4> {
    let mut words = BigInt(words);
    while words >= F::WORDS {
        words.sub_with_borrow(&F::WORDS);
    }
    words
}

/// An element in radix 2^260, below p.
pub fn limbs<F: Modulus>(element: F) -> [u64; LIMBS] {
    let words = (element * F::SIXTEEN).words();
    let word = |i: usize| words.get(i).copied().unwrap_or(0);
    std::array::from_fn(|limb| {
        let bit = limb * BITS as usize;
        let (at, shift) = (bit / 64, bit % 64);
        let wide = u128::from(word(at)) | u128::from(word(at + 1)) << 64;
        (wide >> shift) as u64 & MASK
    })
}

/// The element whose words in radix 2^260 these are; takes any value below 2^256.
#[inline(always)]
pub fn element<F: Modulus>(words: [u64; 4]) -> F {
    let words = canonical::<F>(words);
    // Read in radix 2^256, x·2^260 stands for 16 x.
    F::from_words(words.0).expect("below the modulus") * F::SIXTEENTH
}

impl<F: Modulus> Wide<F> {
    /// The difference.
    #[inline(always)]
    pub fn sub(self, other: Self) -> Self {
        Self(each!(I of 10 => op::sub(self.0[I], other.0[I])), PhantomData)
    }

    /// Divides by the radix modulo p. A value w p² gives one of at most (w/84 + 1) p.
    #[inline(always)]
    pub fn montgomery(self) -> Fp8<F> {
        Fp8::of(normal(self.fold()))
    }

    /// As [`Self::montgomery`] plus `K·p`, for values not below -84 K p².
    #[inline(always)]
    pub fn montgomery_above<const K: u64>(self) -> Fp8<F> {
        Fp8::from_signed::<K>(self.fold())
    }

    #[inline(always)]
    fn fold(self) -> [__m512i; LIMBS] {
        let mut t = self.0;
        let p = const { multiple::<F>(1) };
        let inverse = op::broadcast(F::INVERSE);
        for i in 0..LIMBS {
            let m = op::madd_low(op::zero(), t[i], inverse);
            for j in 0..LIMBS {
                t[i + j] = op::madd_low(t[i + j], m, op::broadcast(p[j]));
            }
            for j in 0..LIMBS {
                t[i + j + 1] = op::madd_high(t[i + j + 1], m, op::broadcast(p[j]));
            }
            t[i + 1] = op::add(t[i + 1], op::carry(t[i]));
        }
        [t[5], t[6], t[7], t[8], t[9]]
    }
}

/// Transposes eight rows of eight words.
#[inline(always)]
pub fn transpose(r: [__m512i; 8]) -> [__m512i; 8] {
    let even = quarters(each!(I of 4 => op::interleave_low(r[2 * I], r[2 * I + 1])));
    let odd = quarters(each!(I of 4 => op::interleave_high(r[2 * I], r[2 * I + 1])));
    [even[0], odd[0], even[1], odd[1], even[2], odd[2], even[3], odd[3]]
}

/// Words 0, 2, 4, 6 of four interleaved pairs of rows, for all eight rows.
#[inline(always)]
fn quarters(h: [__m512i; 4]) -> [__m512i; 4] {
    let (a, b) = (op::even_quarters(h[0], h[1]), op::even_quarters(h[2], h[3]));
    let (c, d) = (op::odd_quarters(h[0], h[1]), op::odd_quarters(h[2], h[3]));
    [
        op::even_quarters(a, b),
        op::even_quarters(c, d),
        op::odd_quarters(a, b),
        op::odd_quarters(c, d),
    ]
}
