//! A proving key made ready, and proofs from it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use ark_bn254::{Bn254, Fr, G1Affine, G1Projective, G2Affine, G2Projective};
use ark_ec::short_weierstrass::Affine;
use ark_ec::{AffineRepr, CurveGroup};
use ark_ff::{BigInt, PrimeField};
use ark_groth16::{Proof, ProvingKey};
use rayon::prelude::*;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::engine::Arithmetic;
use crate::lanes::{G1Stored, G2Stored, Signed};
use crate::msm::{Sorted, Table, Windows, multiply_g1, multiply_g2, wipe};
use crate::points::{Plain, Points};
use crate::quotient::Quotient;
use crate::source::source;
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
    /// All of them, from small to large.
    pub const ALL: [Self; 3] = [Self::None, Self::Small, Self::Full];

    /// Its name on command lines and in the names of files.
    pub const fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Small => "small",
            Self::Full => "full",
        }
    }

    pub(crate) fn windows(self) -> Windows {
        match self {
            Self::None => Windows { width: 12, stride: 22 },
            Self::Small => Windows { width: 14, stride: 5 },
            Self::Full => Windows { width: 15, stride: 1 },
        }
    }
}

impl std::str::FromStr for Tables {
    type Err = UnknownTables;

    fn from_str(name: &str) -> Result<Self, UnknownTables> {
        Self::ALL.into_iter().find(|tables| tables.name() == name).ok_or(UnknownTables)
    }
}

impl std::fmt::Display for Tables {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

/// A name that no kind of tables has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("tables are none, small or full")]
pub struct UnknownTables;

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
    /// There are more table entries than can be counted.
    #[error(
        "the circuit has {wires} wires, too many for tables of this kind; ask for smaller ones"
    )]
    TooManyWires {
        /// Wires of the circuit.
        wires: usize,
    },
    /// A row names a wire that is not there, or the matrices differ in rows.
    #[error("the matrices of the circuit contradict each other; build them again")]
    Matrices,
    /// A point is at infinity that is not in a key of any circuit.
    #[error(
        "query {query} of the proving key has a point at infinity; get the key again from its source"
    )]
    Infinity {
        /// Its name in the Groth16 paper's terms.
        query: &'static str,
    },
}

/// What was prepared belongs to another kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("this was prepared by another kernel; prepare it again with this one")]
pub struct OtherKernel;

/// Fixed bases of some wires.
#[derive(Debug)]
pub(crate) struct Query<P> {
    /// The wire of each base, rising; wires whose point is at infinity are left out.
    pub(crate) wires: Vec<u32>,
    /// Multiples of the bases.
    pub(crate) points: Points<P>,
}

/// The tables of a key: what is worth a file.
#[derive(Debug)]
pub(crate) struct Queries {
    pub(crate) a: Query<G1Stored>,
    pub(crate) b1: Query<G1Stored>,
    pub(crate) b2: Query<G2Stored>,
    /// Bases of the wires, then one of each place of the domain.
    pub(crate) c: Query<G1Stored>,
}

/// A proving key made ready: tables of its points, and the matrices.
#[derive(Debug)]
pub struct Kernel {
    arithmetic: Arithmetic,
    matrices: Arc<Matrices>,
    quotient: Quotient,
    tables: Tables,
    source: [u8; 32],
    queries: Queries,
    /// Nobody else has this one.
    identity: Arc<()>,
    alpha_g1: G1Affine,
    beta_g1: G1Affine,
    delta_g1: G1Affine,
    beta_g2: G2Affine,
    delta_g2: G2Affine,
}

/// Sums over all wires of a guess of the assignment. As secret as the guess.
#[derive(Clone)]
pub struct Prepared {
    guess: Vec<Fr>,
    sums: WireSums,
    kernel: Arc<()>,
}

impl std::fmt::Debug for Prepared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Prepared")
    }
}

impl Drop for Prepared {
    fn drop(&mut self) {
        self.guess.zeroize();
        self.sums.zeroize();
    }
}
impl ZeroizeOnDrop for Prepared {}

/// What the wires give to the proof's points.
#[derive(Clone, Copy, Default, Zeroize)]
struct WireSums {
    a: G1Projective,
    b1: G1Projective,
    b2: G2Projective,
    c: G1Projective,
}

/// Whether key and matrices fit, and the domain of the rows.
fn check(
    key: &ProvingKey<Bn254>,
    matrices: &Matrices,
    tables: Tables,
) -> Result<Quotient, KernelError> {
    let rows = matrices.rows[0].len() + matrices.instance;
    let quotient = Quotient::new(rows).ok_or(KernelError::TooLarge { rows })?;
    let wires = matrices.wires();
    if (wires + quotient.size()).saturating_mul(tables.windows().multiples()) > Signed::LIMIT {
        return Err(KernelError::TooManyWires { wires });
    }
    let equal = matrices.rows.iter().all(|matrix| matrix.len() == matrices.rows[0].len());
    let inside = |row: &Vec<(Fr, usize)>| row.iter().all(|(_, wire)| *wire < wires);
    if !equal || !matrices.rows.iter().all(|matrix| matrix.par_iter().all(inside)) {
        return Err(KernelError::Matrices);
    }
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
    // Powers of a secret that is not zero, times others.
    if key.h_query.iter().any(AffineRepr::is_zero) {
        return Err(KernelError::Infinity { query: "H" });
    }
    Ok(quotient)
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
        matrices: impl Into<Arc<Matrices>>,
        tables: Tables,
        progress: &(dyn Fn(u64, u64) + Sync),
    ) -> Result<Self, KernelError> {
        let matrices = matrices.into();
        let quotient = check(key, &matrices, tables)?;
        let queries = Queries::build(key, &matrices, tables, &quotient, progress)?;
        let source = source(key, &matrices);
        Ok(Self::assemble(key, matrices, tables, source, quotient, queries))
    }

    /// From tables that somebody else has, if key and matrices fit. `tables_of` is given the hash of
    /// what the tables are made from, and the places of the domain.
    pub(crate) fn with_queries<E: From<KernelError>>(
        key: &ProvingKey<Bn254>,
        matrices: Arc<Matrices>,
        tables: Tables,
        queries: impl FnOnce([u8; 32], usize) -> Result<Queries, E>,
    ) -> Result<Self, E> {
        let quotient = check(key, &matrices, tables)?;
        let source = source(key, &matrices);
        let queries = queries(source, quotient.size())?;
        Ok(Self::assemble(key, matrices, tables, source, quotient, queries))
    }

    fn assemble(
        key: &ProvingKey<Bn254>,
        matrices: Arc<Matrices>,
        tables: Tables,
        source: [u8; 32],
        quotient: Quotient,
        queries: Queries,
    ) -> Self {
        Self {
            arithmetic: Arithmetic::best(),
            matrices,
            quotient,
            tables,
            source,
            queries,
            identity: Arc::new(()),
            alpha_g1: key.vk.alpha_g1,
            beta_g1: key.beta_g1,
            delta_g1: key.delta_g1,
            beta_g2: key.vk.beta_g2,
            delta_g2: key.vk.delta_g2,
        }
    }

    /// Uses other instructions than the best, for comparison.
    pub fn set_arithmetic(&mut self, arithmetic: Arithmetic) {
        self.arithmetic = arithmetic;
    }

    /// The constraints.
    pub fn matrices(&self) -> &Matrices {
        &self.matrices
    }

    /// How large its tables are.
    pub fn tables(&self) -> Tables {
        self.tables
    }

    /// The hash of the key and matrices it was made from; see [`source()`].
    pub fn source(&self) -> [u8; 32] {
        self.source
    }

    /// Places of the domain.
    pub(crate) fn places(&self) -> usize {
        self.quotient.size()
    }

    pub(crate) fn queries(&self) -> &Queries {
        &self.queries
    }

    /// Bytes of the tables.
    pub fn memory(&self) -> u64 {
        let Queries { a, b1, b2, c } = &self.queries;
        let g1 = [a, b1, c].map(|query| query.points.len()).iter().sum::<usize>();
        (g1 * size_of::<G1Stored>() + b2.points.len() * size_of::<G2Stored>()) as u64
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
        Prepared { guess: guess.to_vec(), sums, kernel: self.identity.clone() }
    }

    /// As [`Self::prove_rows`]: adds to what was prepared only the wires that differ from the guess.
    ///
    /// # Errors
    /// If another kernel prepared it.
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
    ) -> Result<Proof<Bn254>, OtherKernel> {
        if !Arc::ptr_eq(&prepared.kernel, &self.identity) {
            return Err(OtherKernel);
        }
        assert_eq!(wires.len(), self.matrices.wires(), "one value each wire");
        // With room for all: growing would leave copies behind.
        let mut changes = Zeroizing::new(Vec::with_capacity(wires.len()));
        changes.extend(
            (0..)
                .zip(wires.iter().zip(&prepared.guess))
                .filter(|(_, (now, guess))| now != guess)
                .map(|(wire, (now, guess))| (wire, (*now - guess).into_bigint())),
        );
        Ok(self.finish(prepared.sums, &changes, wires, [left, right], r, s))
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
        // Behind the constraints one row each instance wire: x_i · 0 = 0.
        let left = Zeroizing::new([left, &wires[..self.matrices.instance]].concat());
        let odd = self.quotient.odd_products(self.arithmetic, &left, right);
        let WireSums { a, b1, b2, c } = self.wire_sums(changes, &odd);

        let a = a + known.a + self.alpha_g1 + self.delta_g1 * r;
        let b1 = b1 + known.b1 + self.beta_g1 + self.delta_g1 * s;
        let b2 = b2 + known.b2 + self.beta_g2 + self.delta_g2 * s;
        let c = c + known.c + a * s + b1 * r - self.delta_g1 * (r * s);
        Proof { a: a.into_affine(), b: b2.into_affine(), c: c.into_affine() }
    }

    /// Sums over wires with these scalars, and in c over the odd places.
    fn wire_sums(&self, scalars: &[(u32, BigInt<4>)], odd: &[BigInt<4>]) -> WireSums {
        let windows = self.tables.windows();
        let sorted = |wires: &[u32]| Sorted::new(windows, wires.len(), bases_of(scalars, wires));
        let g1 = |query: &Query<G1Stored>, sorted: &Sorted| {
            let table = Table { windows, points: &query.points[..] };
            multiply_g1(self.arithmetic, &table, sorted)
        };
        let g2 = |query: &Query<G2Stored>, sorted: &Sorted| {
            let table = Table { windows, points: &query.points[..] };
            multiply_g2(self.arithmetic, &table, sorted)
        };
        let Queries { a, b1, b2, c } = &self.queries;
        let of_b = || {
            let sorted_b2 = sorted(&b2.wires);
            rayon::join(
                || g2(b2, &sorted_b2),
                || match b1.wires[..] == b2.wires[..] {
                    true => g1(b1, &sorted_b2),
                    false => g1(b1, &sorted(&b1.wires)),
                },
            )
        };
        let of_c = || {
            // Without values at the odd places their bases are left out.
            let bases = c.points.len() / windows.multiples();
            let more = odd.iter().enumerate().map(|(i, x)| (c.wires.len() + i, *x));
            g1(c, &Sorted::new(windows, bases, bases_of(scalars, &c.wires).chain(more)))
        };
        let ((b2, b1), (c, a)) =
            rayon::join(of_b, || rayon::join(of_c, || g1(a, &sorted(&a.wires))));
        wipe(self.arithmetic);
        WireSums { a, b1, b2, c }
    }
}

impl Queries {
    fn build(
        key: &ProvingKey<Bn254>,
        matrices: &Matrices,
        tables: Tables,
        quotient: &Quotient,
        progress: &(dyn Fn(u64, u64) + Sync),
    ) -> Result<Self, KernelError> {
        let windows = tables.windows();
        let (a, b1, b2) = (finite(&key.a_query), finite(&key.b_g1_query), finite(&key.b_g2_query));
        let bases = a.len() + b1.len() + b2.len() + matrices.wires() + quotient.size();
        let expected = 2 * quotient.size() + windows.multiples() * bases;
        let done = AtomicUsize::new(0);
        let report = |points: usize| {
            let before = done.fetch_add(points, Ordering::Relaxed);
            progress((before + points) as u64, expected as u64);
        };
        let Transformed { odd, wires } =
            transform(&key.h_query, &key.l_query, &matrices.rows[2], matrices.instance, &report);
        if odd.iter().any(AffineRepr::is_zero) {
            return Err(KernelError::Infinity { query: "H" });
        }
        let c = finite(&wires);
        let queries = Self {
            a: Query::build(tables, &key.a_query, a, &[], &report),
            b1: Query::build(tables, &key.b_g1_query, b1, &[], &report),
            b2: Query::build(tables, &key.b_g2_query, b2, &[], &report),
            c: Query::build(tables, &wires, c, &odd, &report),
        };
        // Some wires have no point.
        let rest = expected.saturating_sub(done.load(Ordering::Relaxed));
        if rest > 0 {
            report(rest);
        }
        Ok(queries)
    }
}

impl<P: Plain> Query<P> {
    fn build(
        tables: Tables,
        points: &[Affine<P::Curve>],
        wires: Vec<u32>,
        more: &[Affine<P::Curve>],
        report: &(dyn Fn(usize) + Sync),
    ) -> Self {
        let mut bases: Vec<_> = wires.iter().map(|wire| points[*wire as usize]).collect();
        bases.extend_from_slice(more);
        let points = table::build(tables.windows(), &bases, report);
        Self { points: Points::Owned(points), wires }
    }
}

/// The numbers of the points that are not at infinity.
fn finite<G: AffineRepr>(points: &[G]) -> Vec<u32> {
    (0..points.len() as u32).filter(|wire| !points[*wire as usize].is_zero()).collect()
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
