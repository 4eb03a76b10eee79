//! The key before the first contribution: gamma and delta are the generators, everything else
//! follows from the powers of tau and the circuit. Spec §12.4; byte for byte what snarkjs makes.

use std::io::{Read, Seek};
use std::sync::atomic::{AtomicUsize, Ordering};

use ark_bn254::{Fr, G1Affine, G2Affine, g1};
use ark_ec::short_weierstrass::{Affine, Projective, SWCurveConfig};
use ark_ec::{AffineRepr, CurveGroup};
use ark_ff::{One, Zero};
use blake2::{Blake2b512, Digest};
use placet_params::transcript::{CeremonyRecord, encoding};
use placet_snarkjs::convert::coefficients;
use placet_snarkjs::ptau::{Part, Ptau, PtauError};
use placet_snarkjs::r1cs::{R1cs, Rows};
use placet_snarkjs::zkey::Zkey;
use rayon::prelude::*;

use super::{Stage, Watch, combine, domain_power, tell};

/// From this power on snarkjs's hash of the circuit covers one point more, which only a file of a
/// higher power has.
const HASH_READS_ON: u8 = 15;
/// Points of the quotient that are hashed at once.
const HASHED_AT_ONCE: u64 = 1 << 14;

/// Why there is no initial key.
#[derive(Debug, thiserror::Error)]
pub enum InitialError {
    /// The powers of tau.
    #[error(transparent)]
    Ptau(#[from] PtauError),
    /// Too many rows.
    #[error("the circuit has {rows} rows, more than 2^24; no key of that size can be made")]
    TooLarge {
        /// Constraints and instance variables.
        rows: usize,
    },
}

/// The power of the smallest `.ptau` file that serves a circuit whose domain has `2^power` rows.
pub fn needed_power(power: u8) -> u8 {
    if power >= HASH_READS_ON { power + 1 } else { power }
}

/// Derives the key that the first contributor starts from, in parallel over the variables.
pub fn initial_key<R: Read + Seek>(
    circuit: &R1cs,
    ptau: &mut Ptau<R>,
    watch: Watch<'_>,
) -> Result<Zkey, InitialError> {
    let power = domain_power(circuit).ok_or(InitialError::TooLarge { rows: circuit.rows() })?;
    let needed = needed_power(power);
    if needed > ptau.power() {
        return Err(PtauError::TooSmall { power: ptau.power(), needed }.into());
    }
    let read = |done| tell(watch, Stage::ReadPtau, done, 5);
    read(0);
    let lagrange = ptau.lagrange_g1(Part::LagrangeG1, power)?;
    read(1);
    let with_alpha = ptau.lagrange_g1(Part::LagrangeAlphaG1, power)?;
    let with_beta = ptau.lagrange_g1(Part::LagrangeBetaG1, power)?;
    read(2);
    let lagrange_g2 = ptau.lagrange_g2(power)?;
    read(3);
    // The quotient is interpolated on the places of the double domain that are not in the domain.
    let double = ptau.lagrange_g1(Part::LagrangeG1, power + 1)?;
    let h: Vec<G1Affine> = double.into_iter().skip(1).step_by(2).collect();
    read(4);
    let (alpha_g1, beta_g1) =
        (ptau.g1(Part::AlphaTauG1, 0, 1)?[0], ptau.g1(Part::BetaTauG1, 0, 1)?[0]);
    let beta_g2 = ptau.g2(Part::BetaG2, 0, 1)?[0];
    read(5);

    let columns = Columns::of(circuit);
    let (variables, public) = (circuit.variables as usize, circuit.public_inputs as usize + 1);
    // Work is counted in terms, G2's as three of G1's.
    let all = columns.terms();
    let done = AtomicUsize::new(0);
    let count = |terms: usize| {
        let before = done.fetch_add(terms, Ordering::Relaxed);
        if before / 10_000 != (before + terms) / 10_000 {
            tell(watch, Stage::Points, before + terms, all);
        }
    };
    tell(watch, Stage::Points, 0, all);
    let a = points(variables, |column, sum: &mut Terms<'_, g1::Config>| {
        sum.add(&lagrange, &columns.a[column]);
        count(columns.a[column].len());
    });
    let b1 = points(variables, |column, sum: &mut Terms<'_, g1::Config>| {
        sum.add(&lagrange, &columns.b[column]);
        count(columns.b[column].len());
    });
    let b2 = points(variables, |column, sum: &mut Terms<'_, ark_bn254::g2::Config>| {
        sum.add(&lagrange_g2, &columns.b[column]);
        count(3 * columns.b[column].len());
    });
    let mut ic = points(variables, |column, sum: &mut Terms<'_, g1::Config>| {
        sum.add(&with_beta, &columns.a[column]);
        sum.add(&with_alpha, &columns.b[column]);
        sum.add(&lagrange, &columns.c[column]);
        count(columns.a[column].len() + columns.b[column].len() + columns.c[column].len());
    });
    let c = ic.split_off(public);
    let mut key = Zkey {
        public_inputs: circuit.public_inputs,
        variables: circuit.variables,
        domain_size: 1 << power,
        alpha_g1,
        beta_g1,
        beta_g2,
        gamma_g2: G2Affine::generator(),
        delta_g1: G1Affine::generator(),
        delta_g2: G2Affine::generator(),
        ic,
        coefficients: coefficients(circuit),
        a,
        b1,
        b2,
        c,
        h,
        ceremony: CeremonyRecord::new([0; 64]),
    };
    key.ceremony.circuit_hash = circuit_hash(&key, power, ptau, watch)?;
    Ok(key)
}

/// The matrices by variable: row and coefficient.
struct Columns {
    a: Vec<Vec<(u32, Fr)>>,
    b: Vec<Vec<(u32, Fr)>>,
    c: Vec<Vec<(u32, Fr)>>,
}

impl Columns {
    fn of(circuit: &R1cs) -> Self {
        let turn = |rows: &Rows| {
            let mut columns = vec![Vec::new(); circuit.variables as usize];
            for (number, row) in (0u32..).zip(rows) {
                for (value, column) in row {
                    columns[*column].push((number, *value));
                }
            }
            columns
        };
        let [a, b, c] = &circuit.matrices;
        let (mut a, b, c) = (turn(a), turn(b), turn(c));
        let constraints = circuit.constraints() as u32;
        for (number, column) in (constraints..).zip(&mut a[..=circuit.public_inputs as usize]) {
            column.push((number, Fr::one()));
        }
        Self { a, b, c }
    }

    /// How many terms the whole key is computed from.
    fn terms(&self) -> usize {
        let count = |columns: &[Vec<_>]| columns.iter().map(Vec::len).sum::<usize>();
        2 * count(&self.a) + 5 * count(&self.b) + count(&self.c)
    }
}

/// One column's terms.
struct Terms<'a, C: SWCurveConfig> {
    points: &'a mut Vec<Affine<C>>,
    scalars: &'a mut Vec<Fr>,
}

impl<C: SWCurveConfig> Terms<'_, C> {
    fn add(&mut self, points: &[Affine<C>], column: &[(u32, Fr)]) {
        for (row, value) in column {
            if !value.is_zero() {
                self.points.push(points[*row as usize]);
                self.scalars.push(*value);
            }
        }
    }
}

/// One point for each variable.
fn points<C: SWCurveConfig<ScalarField = Fr>>(
    variables: usize,
    collect: impl Fn(usize, &mut Terms<'_, C>) + Sync,
) -> Vec<Affine<C>> {
    let gather = |column| {
        let (mut points, mut scalars) = (Vec::new(), Vec::new());
        collect(column, &mut Terms { points: &mut points, scalars: &mut scalars });
        (points, scalars)
    };
    // Short columns side by side; the few long ones after each other, each by all threads.
    let mut sums: Vec<Option<Projective<C>>> = (0..variables)
        .into_par_iter()
        .map(|column| {
            let (points, scalars) = gather(column);
            (points.len() < combine::LONG).then(|| combine::sum_alone(&points, &scalars))
        })
        .collect();
    for (column, sum) in sums.iter_mut().enumerate().filter(|(_, sum)| sum.is_none()) {
        let (points, scalars) = gather(column);
        *sum = Some(combine::sum(&points, &scalars));
    }
    let sums: Vec<_> = sums.into_iter().flatten().collect();
    Projective::normalize_batch(&sums)
}

/// BLAKE2b-512 over everything that depends on the circuit, in snarkjs's order.
fn circuit_hash<R: Read + Seek>(
    key: &Zkey,
    power: u8,
    ptau: &mut Ptau<R>,
    watch: Watch<'_>,
) -> Result<[u8; 64], InitialError> {
    let mut hash = Blake2b512::new();
    hash.update(encoding::g1(&key.alpha_g1));
    hash.update(encoding::g1(&key.beta_g1));
    hash.update(encoding::g2(&key.beta_g2));
    hash.update(encoding::g2(&key.gamma_g2));
    hash.update(encoding::g1(&key.delta_g1));
    hash.update(encoding::g2(&key.delta_g2));
    let list = |hash: &mut Blake2b512, points: &[G1Affine]| {
        hash.update((points.len() as u32).to_be_bytes());
        points.iter().for_each(|point| hash.update(encoding::g1(point)));
    };
    list(&mut hash, &key.ic);
    // `τ^(i+n) - τ^i`, n-1 of them; of domains larger than snarkjs hashes at once, n.
    let n = 1u64 << power;
    hash.update((n as u32 - 1).to_be_bytes());
    let covered = if power >= HASH_READS_ON { n } else { n - 1 };
    let mut at = 0;
    while at < covered {
        tell(watch, Stage::HashKey, at as usize, covered as usize);
        let count = HASHED_AT_ONCE.min(covered - at);
        let high = ptau.g1(Part::TauG1, n + at, count)?;
        let low = ptau.g1(Part::TauG1, at, count)?;
        let differences: Vec<_> =
            high.iter().zip(&low).map(|(high, low)| high.into_group() - low).collect();
        for point in Projective::normalize_batch(&differences) {
            hash.update(encoding::g1(&point));
        }
        at += count;
    }
    list(&mut hash, &key.c);
    list(&mut hash, &key.a);
    list(&mut hash, &key.b1);
    hash.update((key.b2.len() as u32).to_be_bytes());
    key.b2.iter().for_each(|point| hash.update(encoding::g2(point)));
    tell(watch, Stage::HashKey, covered as usize, covered as usize);
    Ok(hash.finalize().into())
}
