//! Multiplication in the fields above Fq2, more than twice as fast as the library's, up to the final
//! exponentiation.
//!
//! Values have the library's types, and each function returns exactly what the library's would; the
//! tests compare them. Fq2 = Fq(u), u² = −1; Fq6 = Fq2(v), v³ = ξ
//! = 9 + u; Fq12 = Fq6(w), w² = v.

use ark_bn254::{Config, Fq, Fq2, Fq6, Fq12};
use ark_ec::bn::BnConfig;
use ark_ff::{AdditiveGroup, Field, MontFp, One};

use crate::limbs::{add2, double2, mul2, product2, square2, sub2, xi};

/// 1/2.
const TWO_INVERSE: Fq =
    MontFp!("10944121435919637611123202872628637544348155578648911831344518947322613104292");
/// `(q − 3)/4`, the lowest word first.
const QUARTER: [u64; 4] =
    [0x4f082305b61f3f51, 0x65e05aa45a1c72a3, 0x6e14116da0605617, 0x0c19139cb84c680a];

#[inline]
fn add6(a: &Fq6, b: &Fq6) -> Fq6 {
    Fq6::new(add2(&a.c0, &b.c0), add2(&a.c1, &b.c1), add2(&a.c2, &b.c2))
}

#[inline]
fn sub6(a: &Fq6, b: &Fq6) -> Fq6 {
    Fq6::new(sub2(&a.c0, &b.c0), sub2(&a.c1, &b.c1), sub2(&a.c2, &b.c2))
}

/// A product by v: the coefficients move up by one, and the last comes back with v³ = ξ.
#[inline]
fn v(a: &Fq6) -> Fq6 {
    Fq6::new(xi(&a.c2), a.c0, a.c1)
}

/// `(x + y)(z + t) − p − q`: what Karatsuba leaves to do when `p = xz` and `q = yt` are known.
#[inline]
fn cross2(x: &Fq2, y: &Fq2, z: &Fq2, t: &Fq2, p: &Fq2, q: &Fq2) -> Fq2 {
    sub2(&sub2(&mul2(&add2(x, y), &add2(z, t)), p), q)
}

/// A product in Fq6: six products in Fq2.
fn mul6(a: &Fq6, b: &Fq6) -> Fq6 {
    let p0 = mul2(&a.c0, &b.c0);
    let p1 = mul2(&a.c1, &b.c1);
    let p2 = mul2(&a.c2, &b.c2);
    let p01 = cross2(&a.c0, &a.c1, &b.c0, &b.c1, &p0, &p1);
    let p02 = cross2(&a.c0, &a.c2, &b.c0, &b.c2, &p0, &p2);
    let p12 = cross2(&a.c1, &a.c2, &b.c1, &b.c2, &p1, &p2);
    Fq6::new(add2(&p0, &xi(&p12)), add2(&p01, &xi(&p2)), add2(&p02, &p1))
}

/// `b0 + b1 v`, with what every product by it needs.
struct Sparse6 {
    b0: Fq2,
    b1: Fq2,
    sum: Fq2,
    xi_b1: Fq2,
}

impl Sparse6 {
    fn new(b0: &Fq2, b1: &Fq2) -> Self {
        Self { b0: *b0, b1: *b1, sum: add2(b0, b1), xi_b1: xi(b1) }
    }
}

/// A product by `b0 + b1 v`: five products in Fq2, three reductions.
fn mul6_sparse(a: &Fq6, b: &Sparse6) -> Fq6 {
    let p0 = product2(&a.c0, &b.b0);
    let p1 = product2(&a.c1, &b.b1);
    let p01 = product2(&add2(&a.c0, &a.c1), &b.sum).minus(&p0).minus(&p1);
    Fq6::new(
        p0.plus(&product2(&a.c2, &b.xi_b1)).reduce(),
        p01.reduce(),
        p1.plus(&product2(&a.c2, &b.b0)).reduce(),
    )
}

/// A product in Fq12.
pub fn mul12(a: &Fq12, b: &Fq12) -> Fq12 {
    let low = mul6(&a.c0, &b.c0);
    let high = mul6(&a.c1, &b.c1);
    let both = mul6(&add6(&a.c0, &a.c1), &add6(&b.c0, &b.c1));
    Fq12::new(add6(&low, &v(&high)), sub6(&sub6(&both, &low), &high))
}

/// A square in Fq12: two products in Fq6.
pub fn square12(a: &Fq12) -> Fq12 {
    let cross = mul6(&a.c0, &a.c1);
    let both = mul6(&add6(&a.c0, &a.c1), &add6(&a.c0, &v(&a.c1)));
    Fq12::new(sub6(&sub6(&both, &cross), &v(&cross)), add6(&cross, &cross))
}

/// A product by `c0 + (c3 + c4 v) w`, the form of every line.
pub fn mul_by_line(f: &Fq12, c0: &Fq2, c3: &Fq2, c4: &Fq2) -> Fq12 {
    let low = Fq6::new(mul2(&f.c0.c0, c0), mul2(&f.c0.c1, c0), mul2(&f.c0.c2, c0));
    let high = mul6_sparse(&f.c1, &Sparse6::new(c3, c4));
    let both = mul6_sparse(&add6(&f.c0, &f.c1), &Sparse6::new(&add2(c0, c3), c4));
    Fq12::new(add6(&low, &v(&high)), sub6(&sub6(&both, &low), &high))
}

/// A product by `1 + (c3 + c4 v) w`: a line that was divided by its first coefficient.
pub fn mul_by_monic_line(f: &Fq12, c3: &Fq2, c4: &Fq2) -> Fq12 {
    let line = Sparse6::new(c3, c4);
    let low = mul6_sparse(&f.c0, &line);
    let high = mul6_sparse(&f.c1, &line);
    Fq12::new(add6(&f.c0, &v(&high)), add6(&f.c1, &low))
}

/// `(a + b y)²` where y² = ξ.
#[inline]
fn square4(a: &Fq2, b: &Fq2) -> (Fq2, Fq2) {
    let low = square2(a);
    let high = square2(b);
    (add2(&low, &xi(&high)), sub2(&sub2(&square2(&add2(a, b)), &low), &high))
}

/// A square of an element of the cyclotomic subgroup, after Granger and Scott (2009/565).
fn cyclotomic_square(f: &Fq12) -> Fq12 {
    let (g, h) = (&f.c0, &f.c1);
    let (a0, a1) = square4(&g.c0, &h.c1);
    let (b0, b1) = square4(&h.c0, &g.c2);
    let (c0, c1) = square4(&g.c1, &h.c2);
    // 3s − 2x and 3s + 2x.
    let minus = |s: &Fq2, x: &Fq2| add2(&double2(&sub2(s, x)), s);
    let plus = |s: &Fq2, x: &Fq2| add2(&double2(&add2(s, x)), s);
    Fq12::new(
        Fq6::new(minus(&a0, &g.c0), minus(&b0, &g.c1), minus(&c0, &g.c2)),
        Fq6::new(plus(&xi(&c1), &h.c0), plus(&a1, &h.c1), plus(&b1, &h.c2)),
    )
}

/// The inverse of an element of the cyclotomic subgroup.
fn conjugate(f: &Fq12) -> Fq12 {
    Fq12::new(f.c0, -f.c1)
}

/// `f` to the power of x, the parameter of the curve, in the cyclotomic subgroup. Signed windows:
/// the odd powers up to 7 are made once.
fn power_of_x(f: &Fq12) -> Fq12 {
    let square = cyclotomic_square(f);
    let mut odd = [*f; 4];
    for i in 1..4 {
        odd[i] = mul12(&odd[i - 1], &square);
    }
    let mut out = Fq12::one();
    for digit in signed_digits(Config::X[0]).into_iter().rev() {
        out = cyclotomic_square(&out);
        let power = &odd[usize::from(digit.unsigned_abs() / 2)];
        match digit.signum() {
            1 => out = mul12(&out, power),
            -1 => out = mul12(&out, &conjugate(power)),
            _ => {}
        }
    }
    out
}

/// Digits, the lowest first, that are zero or odd between −7 and 7, so that `Σ digit_i 2^i = n`.
fn signed_digits(n: u64) -> Vec<i8> {
    let mut rest = i128::from(n);
    let mut digits = Vec::with_capacity(65);
    while rest != 0 {
        let digit = match rest & 15 {
            even if even % 2 == 0 => 0,
            odd if odd < 8 => odd,
            odd => odd - 16,
        };
        digits.push(digit as i8);
        rest = (rest - digit) >> 1;
    }
    digits
}

fn frobenius(f: &Fq12, power: usize) -> Fq12 {
    let mut out = *f;
    out.frobenius_map_in_place(power);
    out
}

/// What takes the value of a Miller loop to the pairing: the power `(q¹² − 1)/r`, times the fixed
/// exponent of Fuentes-Castañeda, Knapp and Rodríguez-Henríquez ("Faster hashing to G2") that the
/// library has too. Zero, which no Miller loop over checked points gives, has no image.
pub fn final_exponentiation(f: &Fq12) -> Option<Fq12> {
    let inverse = f.inverse()?;
    let f = mul12(&conjugate(f), &inverse);
    let f = mul12(&frobenius(&f, 2), &f);

    // With z the curve's parameter: a = f^(−2z), b = f^(−6z), c = f^(6z²), d = f^(12z³).
    let a = conjugate(&cyclotomic_square(&power_of_x(&f)));
    let b = mul12(&cyclotomic_square(&a), &a);
    let c = conjugate(&power_of_x(&b));
    let d = power_of_x(&cyclotomic_square(&c));
    // e = f^(12z³ + 6z² + 6z), and the four powers of q that make up the exponent.
    let e = mul12(&mul12(&d, &c), &conjugate(&b));
    let g = mul12(&e, &a);
    let by_1 = mul12(&mul12(&e, &c), &f);
    let by_q = frobenius(&g, 1);
    let by_q2 = frobenius(&e, 2);
    let by_q3 = frobenius(&mul12(&g, &conjugate(&f)), 3);
    Some(mul12(&mul12(&by_1, &by_q), &mul12(&by_q2, &by_q3)))
}

/// A square root in Fq2 with two powers in Fq instead of the library's three and more. The
/// caller checks the result: for a non-square it is no root of anything, or there is none.
pub fn sqrt2(a: &Fq2) -> Option<Fq2> {
    if a.c1 == Fq::ZERO {
        return a.sqrt();
    }
    // |a| = c0² + c1² is a square in Fq iff a is one in Fq2.
    let norm = a.c0.square() + a.c1.square();
    let length = norm.sqrt()?;
    // (x + y u)² = a with x² = (c0 ± length)/2 and x y = c1/2. One sign gives a square, the other
    // does not, as their product is −c1²/4 and −1 is no square.
    let half = TWO_INVERSE;
    let square = (a.c0 + length) * half;
    // square^((q−3)/4): times square it is ± a root of ±square; their product is the sign.
    let power = square.pow(QUARTER);
    let root = power * square;
    let other = power * a.c1 * half;
    Some(if root.square() == square { Fq2::new(root, other) } else { Fq2::new(-other, root) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use ark_ec::bn::Bn;
    use ark_ec::pairing::{MillerLoopOutput, Pairing};
    use ark_ff::{CyclotomicMultSubgroup, UniformRand, Zero};
    use ark_std::test_rng;

    /// Random elements, and those with zeros, ones and minus ones in every place.
    fn samples<F: Field<BasePrimeField = Fq>>() -> Vec<F> {
        let mut rng = test_rng();
        let mut out: Vec<F> = (0..20).map(|_| F::rand(&mut rng)).collect();
        let degree = F::extension_degree() as usize;
        for value in [Fq::ZERO, Fq::ONE, -Fq::ONE] {
            for place in 0..degree {
                let rest = [Fq::ZERO, -Fq::ONE, Fq::rand(&mut rng)];
                out.extend(rest.map(|rest| {
                    let parts = (0..degree).map(|i| if i == place { value } else { rest });
                    F::from_base_prime_field_elems(parts).unwrap()
                }));
            }
        }
        out
    }

    #[test]
    fn products_and_squares_are_the_librarys() {
        let twelves = samples::<Fq12>();
        for a in &twelves {
            assert_eq!(square12(a), a.square());
            for b in &twelves {
                assert_eq!(mul12(a, b), *a * b);
            }
        }
    }

    #[test]
    fn products_by_lines_are_products() {
        let (twos, twelves) = (samples::<Fq2>(), samples::<Fq12>());
        for (i, f) in twelves.iter().enumerate() {
            let [a, b, c] = [0, 1, 2].map(|k| twos[(7 * i + k) % twos.len()]);
            let line = |first| {
                let high = Fq6::new(b, c, Fq2::ZERO);
                Fq12::new(Fq6::new(first, Fq2::ZERO, Fq2::ZERO), high)
            };
            assert_eq!(mul_by_line(f, &a, &b, &c), *f * line(a));
            assert_eq!(mul_by_monic_line(f, &b, &c), *f * line(Fq2::ONE));
        }
    }

    #[test]
    fn the_final_exponentiation_is_the_librarys() {
        assert_eq!(final_exponentiation(&Fq12::zero()), None);
        for f in samples::<Fq12>().into_iter().filter(|f| !f.is_zero()) {
            let library = Bn::<Config>::final_exponentiation(MillerLoopOutput(f)).unwrap().0;
            assert_eq!(final_exponentiation(&f), Some(library));
            assert_eq!(cyclotomic_square(&library), library.square());
            assert_eq!(power_of_x(&library), library.cyclotomic_exp(Config::X));
        }
    }

    #[test]
    fn digits_are_sparse_and_sum_to_the_number() {
        for n in [0, 1, 7, 8, 9, 15, 16, Config::X[0], u64::MAX, u64::MAX - 6] {
            let digits = signed_digits(n);
            let sum: i128 = digits.iter().enumerate().map(|(i, d)| i128::from(*d) << i).sum();
            assert_eq!(sum, i128::from(n));
            assert!(digits.iter().all(|d| *d == 0 || d % 2 != 0 && d.abs() < 8));
        }
        let products = signed_digits(Config::X[0]).iter().filter(|d| **d != 0).count();
        assert!(products <= 14, "{products}");
    }

    #[test]
    fn roots_of_squares_are_found_and_nothing_else_has_one() {
        assert_eq!(TWO_INVERSE.double(), Fq::ONE);
        for a in samples::<Fq2>() {
            let root = sqrt2(&a.square()).unwrap();
            assert!(root == a || root == -a);
            let found = sqrt2(&a).filter(|root| root.square() == a);
            assert_eq!(found.is_some(), a.sqrt().is_some());
        }
    }
}
