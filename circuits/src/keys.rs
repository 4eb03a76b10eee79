//! The holder's keys in-circuit: `pk.x` of `sk·G` and `S.x` of `sk·agent_pk`. Spec §3 and §7,
//! clause HolderKey. Twin: `protocol/src/keys.rs`.
//!
//! The witness is the bits of `t ≡ sk (mod ℓ)` with `2^251 ≤ t < 2^252`. The same bits drive both
//! multiplications, so whichever of the congruent `t` a prover takes, `pk` and `S` are the same:
//! no comparison with ℓ is needed. Both multiplications use signed digits: with `u = ⌊t/2⌋`,
//! `t|1 = 2u + 1 = 2^251 + 2^250 + Σ_{j<250} (2u_j − 1)·2^j`. They run on the birationally
//! equivalent Montgomery curve `v² = u³ + A·u² + u` with incomplete additions (three rows), whose
//! exceptional cases are shown unreachable where they are used. One complete Edwards addition
//! then takes the base away again where `t` is even.

use std::sync::OnceLock;

use ark_bn254::Fr;
use ark_ec::twisted_edwards::{MontCurveConfig, TECurveConfig};
use ark_ec::{AffineRepr, CurveGroup};
use ark_ff::{AdditiveGroup, Field};
use ark_relations::gr1cs::SynthesisError;
use placet_protocol::keys::{KEY_BITS, Point};
use taceo_ark_babyjubjub::EdwardsConfig;
use zeroize::Zeroizing;

use crate::builder::{Bit, Builder, Interpreter, Var, as_field, not};
use crate::slopes;

const EDWARDS_D: Fr = <EdwardsConfig as TECurveConfig>::COEFF_D;
const MONTGOMERY_A: Fr = <EdwardsConfig as MontCurveConfig>::COEFF_A;

/// The bits of the key's representative, lowest first; bit 251 is 1 and not allocated.
pub struct KeyVar<I: Interpreter> {
    bits: Vec<Bit<I>>,
    /// Their values, for hints.
    hints: Zeroizing<[bool; KEY_BITS]>,
}

/// A point on the Montgomery form.
struct Montgomery<I: Interpreter> {
    u: Var<I>,
    v: Var<I>,
}

impl<I: Interpreter> KeyVar<I> {
    /// Allocates the bits.
    pub fn new(builder: &Builder<I>, bits: &[bool; KEY_BITS]) -> Result<Self, SynthesisError> {
        let hints = Zeroizing::new(*bits);
        let bits = bits.iter().map(|bit| builder.input_bit(*bit)).collect::<Result<_, _>>()?;
        Ok(Self { bits, hints })
    }

    /// `pk.x` of `pk = t·G`.
    pub fn public_x(&self, builder: &Builder<I>) -> Result<Var<I>, SynthesisError> {
        let mut sum: Option<Montgomery<I>> = None;
        // Two signed digits a window, lowest first: the window's point is ±1 or ±3 times `base`.
        //
        // Additions are never exceptional: before window i > 0 the sum is a·G with a odd and
        // |a| < 4^i, and the window adds c·G with c even and 4^i ≤ |c|. So a ± c is odd and not
        // zero, and |a ± c| < 4^(i+1) < 3ℓ: only a ± c = ±ℓ could make the points equal or
        // opposite. Below the top window |a ± c| < 2^250 < ℓ. In the top window c = 3·2^250 is
        // fixed and |a| < 2^250, so a ± c lies beyond 2·2^250 > ℓ on its side of zero.
        let inverses = slopes::of_sum(&self.addends());
        let mut inverses = inverses.iter().copied();
        for (window, Window { one, three, high, low }) in windows().iter().enumerate() {
            let addend = if window == WINDOWS - 1 {
                // Bits 250 and 251 of 2^251 + u are always 1.
                Montgomery { u: Var::constant(three.0), v: Var::constant(three.1) }
            } else {
                let (b0, b1) = (self.signed_bit(2 * window), self.signed_bit(2 * window + 1));
                let both = &b0 * &b1;
                // Equal bits mean ±3, different ones ±1; the high bit is the sign.
                let equal = both * Fr::from(2u8) - &b0 - &b1 + Fr::ONE;
                let sign = b1 * Fr::from(2u8) - Fr::ONE;
                let second = b0 * Fr::from(2u8) - Fr::ONE;
                Montgomery { u: equal * (three.0 - one.0) + one.0, v: sign * *high + second * *low }
            };
            sum = Some(match sum {
                None => addend,
                Some(sum) => sum.add_hinted(builder, &addend, inverses.next())?,
            });
        }
        let sum = sum.expect("there are windows");
        let generator = Point::generator();
        let base = [generator.x, generator.y].map(Var::constant);
        self.without_parity(builder, &sum, &base[0], &base[1])
    }

    /// `S.x` of `S = t·other`. The caller guarantees that `other` is in the prime-order subgroup
    /// and not the identity: here, because the policy hash commits to a key that validators
    /// checked.
    pub fn agree_x(
        &self,
        builder: &Builder<I>,
        x: &Var<I>,
        y: &Var<I>,
    ) -> Result<Var<I>, SynthesisError> {
        // y ≠ 1 and x ≠ 0 for every point of odd order but the identity.
        let u = builder.quotient(&(y + Fr::ONE), &not(y))?;
        let v = builder.quotient(&u, x)?;
        let base = Montgomery { u, v };
        let mut sum = base.double(builder)?.add(builder, &base)?;
        // Invariant before step j: sum = m·Q with m = 2⌊t/2^(j+2)⌋ + 1, so m is odd and
        // 3 ≤ m < 2^251. sum = ±Q would need m ≡ ±1 (mod ℓ): impossible, since ℓ ± 1 is even and
        // 2ℓ − 1 > 2^251. The one other case is a step that ends in the identity, 2m ± 1 = ℓ: its
        // second slope leaves 0 = 2·v(sum), and v ≠ 0 in a subgroup of odd order, so it has no
        // satisfying witness and no step begins at the identity. That refuses
        // t ∈ {2ℓ−2, …, 2ℓ+1}, keys that the native side calls degenerate.
        let inverses = self.ladder_inverses(&sum, &base);
        let mut inverses = inverses.iter().copied();
        for j in (0..250).rev() {
            let hints = [inverses.next(), inverses.next()];
            let sign = self.signed_bit(j) * Fr::from(2u8) - Fr::ONE;
            let addend = Montgomery { u: base.u.clone(), v: sign * &base.v };
            sum = sum.double_and_add(builder, &addend, hints)?;
        }
        self.without_parity(builder, &sum, x, y)
    }

    /// The points that [`Self::public_x`] adds up.
    fn addends(&self) -> Zeroizing<Vec<(Fr, Fr)>> {
        let addends = windows().iter().enumerate().map(|(window, Window { one, three, .. })| {
            let bits = self.hints.get(2 * window + 1..2 * window + 3);
            let [low, high] = bits.and_then(|bits| bits.try_into().ok()).unwrap_or([true, true]);
            let (u, v) = if low == high { *three } else { *one };
            (u, if high { v } else { -v })
        });
        Zeroizing::new(addends.collect())
    }

    /// The inverses that the steps of [`Self::agree_x`] need, two each.
    fn ladder_inverses(&self, sum: &Montgomery<I>, base: &Montgomery<I>) -> Zeroizing<Vec<Fr>> {
        let value = |point: &Montgomery<I>| point.u.value().zip(point.v.value());
        let signs = self.hints[1..].iter().rev().copied();
        value(sum)
            .zip(value(base))
            .map(|(sum, base)| slopes::of_ladder(sum, base, signs))
            .unwrap_or_default()
    }

    /// Bit j of `u = ⌊t/2⌋` for j below 250: its digit is `2u_j − 1`.
    fn signed_bit(&self, j: usize) -> Var<I> {
        as_field(&self.bits[j + 1])
    }

    /// The Edwards x of `sum − (1 − t_0)·base`. The addition is complete: a is a square and d is
    /// not, so the denominator never vanishes for points on the curve.
    fn without_parity(
        &self,
        builder: &Builder<I>,
        sum: &Montgomery<I>,
        base_x: &Var<I>,
        base_y: &Var<I>,
    ) -> Result<Var<I>, SynthesisError> {
        // v ≠ 0: the sum is (t|1)·base with t|1 odd, and neither ℓ nor 3ℓ lies in range.
        // u ≠ −1: at −1 the curve equation asks for a root of A − 2 = d, which has none.
        let x1 = builder.quotient(&sum.u, &sum.v)?;
        let y1 = builder.quotient(&(&sum.u - Fr::ONE), &(&sum.u + Fr::ONE))?;
        let odd = as_field(&self.bits[0]);
        let x2 = (&odd - Fr::ONE) * base_x;
        let y2 = &odd + not(&odd) * base_y;
        let (a, b) = (&x1 * &y2, &x2 * &y1);
        let product = &a * &b;
        builder.quotient(&(a + b), &(product * EDWARDS_D + Fr::ONE))
    }
}

impl<I: Interpreter> Montgomery<I> {
    /// Sum of points with different u: three rows.
    fn add(&self, builder: &Builder<I>, other: &Self) -> Result<Self, SynthesisError> {
        self.add_hinted(builder, other, None)
    }

    /// As [`Self::add`], with what may be the inverse of `other.u - self.u`.
    fn add_hinted(
        &self,
        builder: &Builder<I>,
        other: &Self,
        inverse: Option<Fr>,
    ) -> Result<Self, SynthesisError> {
        let run = &other.u - &self.u;
        let slope = builder.quotient_hinted(&(&other.v - &self.v), &run, inverse)?;
        self.chord(builder, &slope, &other.u)
    }

    /// Twice a point with v ≠ 0: four rows.
    fn double(&self, builder: &Builder<I>) -> Result<Self, SynthesisError> {
        let square = &self.u * &self.u;
        let numerator = square * Fr::from(3u8) + &self.u * (MONTGOMERY_A.double()) + Fr::ONE;
        let slope = builder.quotient(&numerator, &(&self.v * Fr::from(2u8)))?;
        self.chord(builder, &slope, &self.u)
    }

    /// `2·self + other` as `(self + other) + self`, five rows: the v of the inner sum is never
    /// needed. Source: Eisenträger, Lauter, Montgomery, "Fast elliptic curve arithmetic and
    /// improved Weil pairing evaluation", 2003.
    /// `hints` may be the inverses of both slopes' denominators.
    fn double_and_add(
        &self,
        builder: &Builder<I>,
        other: &Self,
        hints: [Option<Fr>; 2],
    ) -> Result<Self, SynthesisError> {
        let run = &self.u - &other.u;
        let first = builder.quotient_hinted(&(&self.v - &other.v), &run, hints[0])?;
        let inner = &first * &first - &self.u - &other.u - MONTGOMERY_A;
        let rise = &self.v * Fr::from(2u8);
        let second = builder.quotient_hinted(&rise, &(&self.u - &inner), hints[1])? - &first;
        self.chord(builder, &second, &inner)
    }

    /// The third point on the line with this slope through `self` and a point with `other_u`,
    /// mirrored: two rows.
    fn chord(
        &self,
        builder: &Builder<I>,
        slope: &Var<I>,
        other_u: &Var<I>,
    ) -> Result<Self, SynthesisError> {
        let u = slope * slope - MONTGOMERY_A - &self.u - other_u;
        let v_value = slope
            .value()
            .zip(self.u.value().zip(u.value()))
            .zip(self.v.value())
            .map(|((slope, (from, to)), v)| slope * (from - to) - v);
        let v = builder.derived(v_value)?;
        (&self.u - &u).mul_equals(slope, &(&v + &self.v))?;
        Ok(Self { u, v })
    }
}

/// Windows of two signed digits in [`KeyVar::public_x`].
const WINDOWS: usize = 126;

/// What one window adds.
struct Window {
    /// `4^i·G` for window i.
    one: (Fr, Fr),
    /// `3·4^i·G`.
    three: (Fr, Fr),
    /// Half the sum of both v.
    high: Fr,
    /// Half their difference.
    low: Fr,
}

/// All windows; computed once.
fn windows() -> &'static [Window] {
    static TABLE: OnceLock<Vec<Window>> = OnceLock::new();
    TABLE.get_or_init(|| {
        let half = Fr::from(2u8).inverse().expect("2 is invertible");
        let first = Point::generator().into_group();
        std::iter::successors(Some(first), |base| Some(base.double().double()))
            .take(WINDOWS)
            .map(|base| {
                let one = to_montgomery(base);
                let three = to_montgomery(base + base.double());
                let (high, low) = ((three.1 + one.1) * half, (three.1 - one.1) * half);
                Window { one, three, high, low }
            })
            .collect()
    })
}

/// Montgomery coordinates of a constant point that is not the identity.
fn to_montgomery(point: impl CurveGroup<Affine = Point>) -> (Fr, Fr) {
    let point = point.into_affine();
    let invert = |x: Fr| x.inverse().expect("a multiple of the generator below ℓ");
    let u = (Fr::ONE + point.y) * invert(Fr::ONE - point.y);
    (u, u * invert(point.x))
}
