//! A proving key made ready, and proofs from it.

use ark_bn254::{Bn254, Fr, G1Affine, G1Projective, G2Affine, G2Projective};
use ark_ec::{AffineRepr, CurveGroup};
use ark_ff::{BigInt, PrimeField, Zero};
use ark_groth16::{Proof, ProvingKey};
use rayon::prelude::*;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

#[cfg(target_arch = "x86_64")]
use crate::engine::{AdxG1, AdxG2, IfmaG1, IfmaG2};
use crate::engine::{Arithmetic, Engine, PortableG1, PortableG2};
use crate::lanes::{G1Stored, G2Stored};
use crate::msm::{Sorted, Table, Windows, multiply};
use crate::quotient::Quotient;
use crate::table;
use crate::transform::{Transformed, transform};

/// Rows of a sparse matrix: value and wire of each entry.
pub type Matrix = Vec<Vec<(Fr, usize)>>;

/// The constraints that a key is for. Wires are one, the public inputs, then the witness.
#[derive(Clone, Debug, Default)]
pub struct Matrices {
    /// A, B, C, of as many rows.
    pub rows: [Matrix; 3],
    /// Instance wires: the public inputs and the constant one.
    pub instance: usize,
    /// Witness wires.
    pub witnesses: usize,
}

impl Matrices {
    /// All wires.
    pub fn wires(&self) -> usize {
        self.instance + self.witnesses
    }
}

/// How much memory to spend on tables.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Tables {
    /// The key's points alone.
    None,
    /// Four multiples a point.
    Small,
    /// All multiples: the quickest.
    #[default]
    Full,
}

impl Tables {
    fn windows(self) -> Windows {
        match self {
            Self::None => Windows { width: 12, stride: 22 },
            Self::Small => Windows { width: 14, stride: 5 },
            Self::Full => Windows { width: 15, stride: 1 },
        }
    }
}

/// Why a key and matrices do not make a kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KernelError {
    /// A query has another number of points than the matrices ask for.
    #[error(
        "the proving key has {found} points in query {query}, the circuit asks for {expected}; use the key of this circuit"
    )]
    Size {
        /// Its name in the Groth16 paper's terms.
        query: &'static str,
        /// By the matrices.
        expected: usize,
        /// In the key.
        found: usize,
    },
    /// The field has no domain for so many rows.
    #[error("the circuit has {rows} rows, more than a proof can have; split it")]
    TooLarge {
        /// Constraints and instance wires.
        rows: usize,
    },
}

/// Fixed bases of some wires.
#[derive(Debug)]
struct Query<P> {
    windows: Windows,
    /// The wire of each base; wires whose point is at infinity are left out.
    wires: Vec<u32>,
    points: Vec<P>,
}

/// A proving key made ready: tables of its points, and the matrices.
#[derive(Debug)]
pub struct Kernel {
    arithmetic: Arithmetic,
    matrices: Matrices,
    quotient: Quotient,
    a: Query<G1Stored>,
    b1: Query<G1Stored>,
    b2: Query<G2Stored>,
    /// Bases of the wires, then one of each place of the domain.
    c: Query<G1Stored>,
    alpha_g1: G1Affine,
    beta_g1: G1Affine,
    delta_g1: G1Affine,
    beta_g2: G2Affine,
    delta_g2: G2Affine,
}

/// Sums over all wires of a guess of the assignment.
#[derive(Clone, Debug)]
pub struct Prepared {
    guess: Vec<Fr>,
    sums: WireSums,
}

impl Drop for Prepared {
    fn drop(&mut self) {
        self.guess.zeroize();
        self.sums.zeroize();
    }
}
impl ZeroizeOnDrop for Prepared {}

/// What the wires give to the proof's points.
#[derive(Clone, Copy, Debug, Default, Zeroize)]
struct WireSums {
    a: G1Projective,
    b1: G1Projective,
    b2: G2Projective,
    c: G1Projective,
}

impl Kernel {
    /// Makes a key ready. `progress` is called with the parts of the work that are done and all
    /// parts, in points.
    ///
    /// # Errors
    /// If the key is not of these matrices' size. That its points are those of this circuit cannot
    /// be seen; verify a proof.
    pub fn new(
        key: &ProvingKey<Bn254>,
        matrices: Matrices,
        tables: Tables,
        progress: &(dyn Fn(u64, u64) + Sync),
    ) -> Result<Self, KernelError> {
        let rows = matrices.rows[0].len() + matrices.instance;
        let quotient = Quotient::new(rows).ok_or(KernelError::TooLarge { rows })?;
        let wires = matrices.wires();
        for (query, expected, found) in [
            ("A", wires, key.a_query.len()),
            ("B in G1", wires, key.b_g1_query.len()),
            ("B in G2", wires, key.b_g2_query.len()),
            ("L", matrices.witnesses, key.l_query.len()),
            ("H", quotient.size() - 1, key.h_query.len()),
        ] {
            if expected != found {
                return Err(KernelError::Size { query, expected, found });
            }
        }
        let windows = tables.windows();
        let finite = |points: &[G1Affine]| -> Vec<u32> {
            (0..points.len() as u32).filter(|wire| !points[*wire as usize].is_zero()).collect()
        };
        let (a, b) = (finite(&key.a_query), finite(&key.b_g1_query));
        let b2: Vec<u32> =
            (0..wires as u32).filter(|w| !key.b_g2_query[*w as usize].is_zero()).collect();
        let expected = 2 * quotient.size()
            + windows.multiples() * (a.len() + b.len() + b2.len() + wires + quotient.size());
        let done = std::sync::atomic::AtomicUsize::new(0);
        let report = |points: usize| {
            let before = done.fetch_add(points, std::sync::atomic::Ordering::Relaxed);
            progress((before + points) as u64, expected as u64);
        };
        let Transformed { odd, wires: of_wires } =
            transform(&key.h_query, &key.l_query, &matrices.rows[2], matrices.instance, &report);
        let c = finite(&of_wires);
        fn pick<G: Copy>(points: &[G], wires: &[u32]) -> Vec<G> {
            wires.iter().map(|wire| points[*wire as usize]).collect()
        }
        let in_g1 = |points: &[G1Affine], wires: Vec<u32>, more: &[G1Affine]| {
            let bases = [pick(points, &wires), more.to_vec()].concat();
            Query { windows, points: table::build(windows, &bases, &report), wires }
        };
        // The odd places may hold a point at infinity only in a key for no circuit.
        Ok(Self {
            arithmetic: Arithmetic::best(),
            a: in_g1(&key.a_query, a, &[]),
            b1: in_g1(&key.b_g1_query, b, &[]),
            c: in_g1(&of_wires, c, &odd),
            b2: Query {
                windows,
                points: table::build(windows, &pick(&key.b_g2_query, &b2), &report),
                wires: b2,
            },
            quotient,
            matrices,
            alpha_g1: key.vk.alpha_g1,
            beta_g1: key.beta_g1,
            delta_g1: key.delta_g1,
            beta_g2: key.vk.beta_g2,
            delta_g2: key.vk.delta_g2,
        })
    }

    /// Uses other instructions than the best, for comparison.
    pub fn set_arithmetic(&mut self, arithmetic: Arithmetic) {
        self.arithmetic = arithmetic;
    }

    /// The constraints.
    pub fn matrices(&self) -> &Matrices {
        &self.matrices
    }

    /// Bytes of the tables.
    pub fn memory(&self) -> u64 {
        let g1 = [&self.a, &self.b1, &self.c].map(|query| query.points.len()).iter().sum::<usize>();
        (g1 * size_of::<G1Stored>() + self.b2.points.len() * size_of::<G2Stored>()) as u64
    }

    /// A proof from the values of all wires. If they do not satisfy the constraints it proves
    /// nothing.
    ///
    /// # Panics
    /// If there is another number of values than wires.
    pub fn prove(&self, wires: &[Fr], r: Fr, s: Fr) -> Proof<Bn254> {
        let rows = |matrix: usize| -> Zeroizing<Vec<Fr>> {
            let rows = self.matrices.rows[matrix].par_iter().with_min_len(256);
            Zeroizing::new(rows.map(|row| evaluate(row, wires)).collect())
        };
        let (left, right) = rayon::join(|| rows(0), || rows(1));
        self.prove_rows(wires, &left, &right, r, s)
    }

    /// As [`Self::prove`], where the values of the rows of A and B are known already.
    ///
    /// # Panics
    /// If there is another number of values than wires or rows.
    pub fn prove_rows(
        &self,
        wires: &[Fr],
        left: &[Fr],
        right: &[Fr],
        r: Fr,
        s: Fr,
    ) -> Proof<Bn254> {
        self.finish(
            WireSums::default(),
            &Zeroizing::new(numbered(wires)),
            wires,
            [left, right],
            r,
            s,
        )
    }

    /// Everything that can be done before the last values of an assignment are known: sums over all
    /// wires with the values of a guess.
    ///
    /// # Panics
    /// If there is another number of values than wires.
    pub fn prepare(&self, guess: &[Fr]) -> Prepared {
        assert_eq!(guess.len(), self.matrices.wires(), "one value each wire");
        let scalars = Zeroizing::new(numbered(guess));
        let sums = self.wire_sums(&scalars, &[]);
        Prepared { guess: guess.to_vec(), sums }
    }

    /// As [`Self::prove_rows`]: adds to what was prepared only the wires that differ from the guess.
    ///
    /// # Panics
    /// If there is another number of values than wires or rows.
    pub fn prove_prepared(
        &self,
        prepared: &Prepared,
        wires: &[Fr],
        left: &[Fr],
        right: &[Fr],
        r: Fr,
        s: Fr,
    ) -> Proof<Bn254> {
        let changes: Zeroizing<Vec<(u32, BigInt<4>)>> = Zeroizing::new(
            (0..)
                .zip(wires.iter().zip(&prepared.guess))
                .filter(|(_, (now, guess))| now != guess)
                .map(|(wire, (now, guess))| (wire, (*now - guess).into_bigint()))
                .collect(),
        );
        self.finish(prepared.sums, &changes, wires, [left, right], r, s)
    }

    /// The proof from sums over wires and the `changes` that they lack.
    fn finish(
        &self,
        known: WireSums,
        changes: &[(u32, BigInt<4>)],
        wires: &[Fr],
        [left, right]: [&[Fr]; 2],
        r: Fr,
        s: Fr,
    ) -> Proof<Bn254> {
        let constraints = self.matrices.rows[0].len();
        assert_eq!(wires.len(), self.matrices.wires(), "one value each wire");
        assert_eq!((left.len(), right.len()), (constraints, constraints), "one value each row");
        let padded = |rows: &[Fr], instance: &[Fr]| {
            let mut values = Zeroizing::new(Vec::with_capacity(self.quotient.size()));
            values.extend_from_slice(rows);
            values.extend_from_slice(instance);
            values.resize(self.quotient.size(), Fr::zero());
            values
        };
        // Behind the constraints one row each instance wire: x_i · 0 = 0.
        let mut left = padded(left, &wires[..self.matrices.instance]);
        let mut right = padded(right, &[]);
        let odd = self.quotient.odd_products(&mut left, &mut right);
        let WireSums { a, b1, b2, c } = self.wire_sums(changes, &odd);

        let a = a + known.a + self.alpha_g1 + self.delta_g1 * r;
        let b1 = b1 + known.b1 + self.beta_g1 + self.delta_g1 * s;
        let b2 = b2 + known.b2 + self.beta_g2 + self.delta_g2 * s;
        let c = c + known.c + a * s + b1 * r - self.delta_g1 * (r * s);
        Proof { a: a.into_affine(), b: b2.into_affine(), c: c.into_affine() }
    }

    /// Sums over wires with these scalars, and in c over the odd places.
    fn wire_sums(&self, scalars: &[(u32, BigInt<4>)], odd: &[Fr]) -> WireSums {
        match self.arithmetic {
            #[cfg(target_arch = "x86_64")]
            Arithmetic::Ifma => self.wire_sums_by::<IfmaG1, IfmaG2>(scalars, odd),
            #[cfg(target_arch = "x86_64")]
            Arithmetic::Adx => self.wire_sums_by::<AdxG1, AdxG2>(scalars, odd),
            _ => self.wire_sums_by::<PortableG1, PortableG2>(scalars, odd),
        }
    }

    fn wire_sums_by<G1, G2>(&self, scalars: &[(u32, BigInt<4>)], odd: &[Fr]) -> WireSums
    where
        G1: Engine<Point = G1Stored>,
        G2: Engine<Point = G2Stored>,
    {
        let g1 = |query: &Query<G1Stored>, odd: &[Fr]| {
            let table = query.table();
            let more =
                odd.iter().enumerate().map(|(i, x)| (query.wires.len() + i, x.into_bigint()));
            let scalars = bases_of(scalars, &query.wires).chain(more);
            multiply::<G1>(&table, &Sorted::new(query.windows, table.bases(), scalars))
        };
        let g2 = |query: &Query<G2Stored>| {
            let table = query.table();
            let scalars = bases_of(scalars, &query.wires);
            multiply::<G2>(&table, &Sorted::new(query.windows, table.bases(), scalars))
        };
        let ((b2, a), (c, b1)) = rayon::join(
            || rayon::join(|| g2(&self.b2), || g1(&self.a, &[])),
            || rayon::join(|| g1(&self.c, odd), || g1(&self.b1, &[])),
        );
        WireSums { a, b1, b2, c }
    }
}

impl<P> Query<P> {
    fn table(&self) -> Table<'_, P> {
        Table { windows: self.windows, points: &self.points }
    }
}

/// The scalars of wires that have a base, with the base's number. Both lists are in rising order of
/// wires.
fn bases_of<'s>(
    scalars: &'s [(u32, BigInt<4>)],
    wires: &'s [u32],
) -> impl Iterator<Item = (usize, BigInt<4>)> + Clone + 's {
    let mut base = 0;
    scalars.iter().filter_map(move |(wire, scalar)| {
        while base < wires.len() && wires[base] < *wire {
            base += 1;
        }
        (wires.get(base) == Some(wire)).then_some((base, *scalar))
    })
}

/// Each value with the number of its wire.
fn numbered(values: &[Fr]) -> Vec<(u32, BigInt<4>)> {
    (0..).zip(values.iter().map(|value| value.into_bigint())).collect()
}

fn evaluate(row: &[(Fr, usize)], wires: &[Fr]) -> Fr {
    let one = Fr::from(1u8);
    row.iter()
        .map(|(value, wire)| if *value == one { wires[*wire] } else { wires[*wire] * value })
        .sum()
}
