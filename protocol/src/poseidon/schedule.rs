//! The permutation with its partial rounds as a linear recurrence.
//!
//! Between the full rounds only cell 0 passes through an S-box. Call its S-box inputs x_0, x_1, …
//! and outputs y_0, y_1, …. The other t − 1 cells form a linear system that is driven by y and seen
//! through x alone, and it is the same in every round. By Cayley and Hamilton such a system obeys
//!
//! x_r = k_r + Σ b_i·y_(r−i) (i = 1..t) + Σ a_i·x_(r−i) (i = 1..t−1)
//!
//! with the same a and b in all rounds. So a partial round is one sum of 2t − 1 products and one
//! S-box, and the other cells are never computed: the first t values x follow from the S-box
//! outputs z of the full round before, and the t cells behind the last partial round from the last
//! values x and y. The values are those of the rounds as published; only their order differs.
//!
//! All values are written one behind the other, `z_0..z_(t−1), x_0, y_0, x_1, y_1, …, o_0..o_(t−1)`,
//! and each x and each o is a sum over what stands directly before it:
//!
//! | value | reads |
//! |---|---|
//! | x_r, r < t | z_r … z_(t−1), x_0, y_0, …, x_(r−1), y_(r−1) |
//! | x_r, o_0 | y_(r−t), x_(r−t+1), y_(r−t+1), …, x_(r−1), y_(r−1) |
//! | o_i | the same without its first 2i values, and o_0 … o_(i−1) |
//!
//! o_0 is the x that would come next. The first and last coefficients follow by elimination.

use ark_bn254::Fr;
use ark_ff::{Field, Zero};

use super::limbs::{Factor, Limbs, element, fifth_power, limbs, sum_of_products};
use super::{FULL_ROUNDS, Parameters};

/// Full rounds on each side of the partial ones.
const HALF: usize = FULL_ROUNDS / 2;
/// Who learns the S-box inputs.
pub(super) trait Observer {
    /// Whether anyone does.
    const WATCHES: bool;
    /// The next input.
    fn see(&mut self, x: Fr);
}

/// Nobody.
pub(super) struct Nobody;

impl Observer for Nobody {
    const WATCHES: bool = false;
    fn see(&mut self, _: Fr) {}
}

impl Observer for &mut dyn FnMut(Fr) {
    const WATCHES: bool = true;
    fn see(&mut self, x: Fr) {
        self(x);
    }
}

/// A value of the recurrence: the sum of `factors` over what stands directly before it.
#[derive(Debug)]
struct Step {
    factors: Vec<Factor>,
    constant: Limbs,
}

/// Everything of one width that the permutation multiplies with and adds.
#[derive(Debug)]
pub(super) struct Schedule {
    /// The matrix, row by row.
    matrix: Vec<Factor>,
    /// Constants of the first full rounds, cell by cell.
    before: Vec<Limbs>,
    /// x_0 … x_(t−1).
    first: Vec<Step>,
    /// b_t, a_(t−1), b_(t−1), …, a_1, b_1.
    recurrence: Vec<Factor>,
    /// k_t … k_(RP−1), and o_0's.
    constants: Vec<Limbs>,
    /// o_1 … o_(t−1).
    last: Vec<Step>,
    /// Constants of the last full rounds but the first of them, and zeros behind the last one.
    after: Vec<Limbs>,
}

impl Schedule {
    /// Derives everything for the width of `parameters`.
    pub(super) fn new(parameters: &Parameters) -> Self {
        let Parameters { constants, matrix, partial_rounds } = parameters;
        let (t, rounds) = (matrix.len(), *partial_rounds);
        let system = System::new(matrix);
        let offsets = Offsets::new(parameters);

        // Constants are what is left of a value when z and y are zero.
        let step = |value: Fr, factors: Vec<Fr>, window: &[Fr]| Step {
            constant: limbs(&(value - dot(&factors, window))),
            factors: split(&factors),
        };
        let all = offsets.values();
        let step_at = |at: usize, factors: Vec<Fr>| {
            let window = &all[at - factors.len()..at];
            step(all[at], factors, window)
        };
        let recurrence = system.recurrence();
        let flat = |rows: &[Vec<Fr>]| rows.iter().flatten().map(limbs).collect::<Vec<_>>();
        let mut after = flat(&constants[HALF + rounds + 1..]);
        after.resize(HALF * t, [0; 4]);
        Self {
            matrix: split(&matrix.concat()),
            before: flat(&constants[..HALF]),
            first: (0..t).map(|r| step_at(t + 2 * r, system.first(r))).collect(),
            constants: (t..=rounds)
                .map(|r| step_at(t + 2 * r, recurrence.clone()).constant)
                .collect(),
            recurrence: split(&recurrence),
            last: (1..t).map(|i| step_at(t + 2 * rounds + i, system.last(i))).collect(),
            after,
        }
    }

    /// Applies the permutation of width `T`, in which `V` = 2·(`T` + partial rounds) values are
    /// written one behind the other.
    pub(super) fn permute<const T: usize, const V: usize>(
        &self,
        state: &mut [Fr; T],
        mut observer: impl Observer,
    ) {
        let observer = &mut observer;
        let mut cells = [[0; 4]; T];
        for ((cell, x), constant) in cells.iter_mut().zip(&*state).zip(&self.before) {
            *cell = limbs(&(*x + element(constant)));
        }
        for constants in self.before[T..].chunks_exact(T) {
            cells = self.mix(&boxes(&cells, observer), constants);
        }

        let mut values = [Factor::ZERO; V];
        values[..T].copy_from_slice(&boxes(&cells, observer));
        let mut at = T;
        for Step { factors, constant } in &self.first {
            let x = sum_of_products(constant, &values[at - factors.len()..at], factors);
            values[at] = Factor::new(x);
            values[at + 1] = sbox(&x, observer);
            at += 2;
        }
        let terms = 2 * T - 1;
        let (next, constants) = self.constants.split_last().expect("partial rounds exceed t");
        for constant in constants {
            let x = sum_of_products(constant, &values[at - terms..at], &self.recurrence);
            values[at] = Factor::new(x);
            values[at + 1] = sbox(&x, observer);
            at += 2;
        }
        cells[0] = sum_of_products(next, &values[at - terms..at], &self.recurrence);
        for (Step { factors, constant }, i) in self.last.iter().zip(1..) {
            values[at] = Factor::new(cells[i - 1]);
            at += 1;
            cells[i] = sum_of_products(constant, &values[at - factors.len()..at], factors);
        }

        for constants in self.after.chunks_exact(T) {
            cells = self.mix(&boxes(&cells, observer), constants);
        }
        for (out, cell) in state.iter_mut().zip(&cells) {
            *out = element(cell);
        }
    }

    /// The matrix times the cells, plus the next round's constants.
    #[inline(always)]
    fn mix<const T: usize>(&self, cells: &[Factor; T], constants: &[Limbs]) -> [Limbs; T] {
        std::array::from_fn(|i| {
            sum_of_products(&constants[i], cells, &self.matrix[i * T..(i + 1) * T])
        })
    }
}

/// All S-boxes of a full round.
#[inline(always)]
fn boxes<const T: usize>(cells: &[Limbs; T], observer: &mut impl Observer) -> [Factor; T] {
    std::array::from_fn(|i| sbox(&cells[i], observer))
}

#[inline(always)]
fn sbox<O: Observer>(x: &Limbs, observer: &mut O) -> Factor {
    if O::WATCHES {
        observer.see(element(x));
    }
    fifth_power(x)
}

/// The cells behind cell 0 during the partial rounds: `s' = inner·s + input·y`,
/// `x' = corner·y + output·s`.
struct System {
    /// The matrix's first row: x_0 over z.
    row: Vec<Fr>,
    /// Its other rows: s_0 over z.
    rows: Vec<Vec<Fr>>,
    /// `output·inner^k` for k from 0 to t − 1.
    seen: Vec<Vec<Fr>>,
    /// `inner^k·input` for k from 0 to t − 1.
    driven: Vec<Vec<Fr>>,
    /// Powers 0 to t − 1 of `inner`.
    powers: Vec<Vec<Vec<Fr>>>,
    /// What y_(r−k) adds to x_r, for k from 0 to t; 0 for k = 0.
    response: Vec<Fr>,
}

impl System {
    fn new(matrix: &[Vec<Fr>]) -> Self {
        let t = matrix.len();
        let column = |k: usize, rows: &[Vec<Fr>]| rows.iter().map(|row| row[k]).collect::<Vec<_>>();
        let (row, rows_below) = (matrix[0].clone(), matrix[1..].to_vec());
        let inner: Vec<Vec<Fr>> = rows_below.iter().map(|row| row[1..].to_vec()).collect();
        let (input, output) = (column(0, &rows_below), row[1..].to_vec());

        let unit = |i: usize| (0..t - 1).map(|j| Fr::from(u8::from(i == j))).collect();
        let mut powers: Vec<Vec<Vec<Fr>>> = vec![(0..t - 1).map(unit).collect()];
        for k in 1..t {
            let next = powers[k - 1].iter().map(|row| times(row, &inner)).collect();
            powers.push(next);
        }
        let seen: Vec<Vec<Fr>> = powers.iter().map(|power| times(&output, power)).collect();
        let driven = powers.iter().map(|power| power.iter().map(|row| dot(row, &input)).collect());
        let response = [Fr::zero(), row[0]];
        let response =
            response.into_iter().chain(seen[..t - 1].iter().map(|row| dot(row, &input))).collect();
        Self {
            row,
            seen: seen.clone(),
            driven: driven.collect(),
            powers,
            rows: rows_below,
            response,
        }
    }

    fn width(&self) -> usize {
        self.row.len()
    }

    /// What y does to x over `distance` rounds; nothing backwards.
    fn response(&self, distance: isize) -> Fr {
        usize::try_from(distance).map_or(Fr::zero(), |distance| self.response[distance])
    }

    /// The factors of x_r for r below t.
    fn first(&self, r: usize) -> Vec<Fr> {
        let t = self.width();
        // x_r over z, with all y zero.
        let over_z = |r: usize| match r {
            0 => self.row.clone(),
            _ => times(&self.seen[r - 1], &self.rows),
        };
        let own = over_z(r);
        let earlier: Vec<Vec<Fr>> = (0..r).map(over_z).collect();
        // Such a sum of x_0 … x_(r−1) that it agrees with x_r in z_0 … z_(r−1).
        let equations: Vec<Vec<Fr>> =
            (0..r).map(|c| earlier.iter().map(|row| row[c]).chain([own[c]]).collect()).collect();
        let of_x = solve(equations);
        let mut factors: Vec<Fr> = (r..t)
            .map(|c| own[c] - of_x.iter().zip(&earlier).map(|(f, row)| *f * row[c]).sum::<Fr>())
            .collect();
        for k in 0..r {
            factors.push(of_x[k]);
            let known: Fr = (k..r).map(|j| of_x[j] * self.response[j - k]).sum();
            factors.push(self.response[r - k] - known);
        }
        factors
    }

    /// b_t, a_(t−1), b_(t−1), …, a_1, b_1.
    fn recurrence(&self) -> Vec<Fr> {
        let t = self.width();
        // `output·inner^(t−1)` as a sum of the lower powers: the k-th unknown is that of power k.
        let equations: Vec<Vec<Fr>> =
            (0..t - 1).map(|c| self.seen.iter().map(|row| row[c]).collect()).collect();
        let of_x = solve(equations);
        let a = |i: usize| of_x[t - 1 - i];
        let mut factors = Vec::new();
        for k in (1..=t).rev() {
            if k < t {
                factors.push(a(k));
            }
            let known: Fr = (1..k).map(|i| a(i) * self.response[k - i]).sum();
            factors.push(self.response[k] - known);
        }
        factors
    }

    /// The factors of o_i for i from 1 to t − 1.
    fn last(&self, i: usize) -> Vec<Fr> {
        let t = self.width();
        let rounds = t - i;
        // From `rounds` before the end: x behind q of them, and o_j, over the cells there.
        let mut known: Vec<&[Fr]> = (0..rounds).map(|q| self.seen[q].as_slice()).collect();
        known.extend((1..i).map(|j| self.powers[rounds][j - 1].as_slice()));
        let own = &self.powers[rounds][i - 1];
        let equations: Vec<Vec<Fr>> =
            (0..t - 1).map(|c| known.iter().map(|row| row[c]).chain([own[c]]).collect()).collect();
        let of_known = solve(equations);
        let (of_x, of_o) = of_known.split_at(rounds);
        let mut factors = Vec::new();
        for k in 0..rounds {
            // y of round k, then x of the round behind it.
            let distance = rounds - k;
            let by_x: Fr =
                (0..rounds).map(|q| of_x[q] * self.response(q as isize + 1 - k as isize)).sum();
            let by_o: Fr = (1..i).map(|j| of_o[j - 1] * self.driven[distance - 1][j - 1]).sum();
            factors.push(self.driven[distance - 1][i - 1] - by_x - by_o);
            factors.push(of_x[k]);
        }
        factors.extend(of_o);
        factors
    }
}

/// All values when z and every y are zero.
struct Offsets {
    x: Vec<Fr>,
    out: Vec<Fr>,
}

impl Offsets {
    fn new(parameters: &Parameters) -> Self {
        let Parameters { constants, matrix, partial_rounds } = parameters;
        let mut state = constants[HALF].clone();
        let mut x = Vec::new();
        for constants in &constants[HALF + 1..=HALF + partial_rounds] {
            x.push(std::mem::replace(&mut state[0], Fr::zero()));
            state = matrix.iter().zip(constants).map(|(row, c)| dot(row, &state) + c).collect();
        }
        Self { x, out: state }
    }

    /// In the order in which the permutation writes them.
    fn values(&self) -> Vec<Fr> {
        let mut values = vec![Fr::zero(); self.out.len()];
        values.extend(self.x.iter().flat_map(|x| [*x, Fr::zero()]));
        values.extend(&self.out);
        values
    }
}

fn split(elements: &[Fr]) -> Vec<Factor> {
    elements.iter().map(|x| Factor::new(limbs(x))).collect()
}

fn dot(a: &[Fr], b: &[Fr]) -> Fr {
    a.iter().zip(b).map(|(a, b)| *a * b).sum()
}

/// A row times a matrix.
fn times(row: &[Fr], matrix: &[Vec<Fr>]) -> Vec<Fr> {
    (0..matrix[0].len()).map(|c| row.iter().zip(matrix).map(|(x, row)| *x * row[c]).sum()).collect()
}

/// Solves a square system; each row is an equation's coefficients and right-hand side.
///
/// # Panics
/// If there is no unique solution. The systems depend on the parameters of the width alone, and a
/// test derives every width.
fn solve(mut rows: Vec<Vec<Fr>>) -> Vec<Fr> {
    let n = rows.len();
    for i in 0..n {
        let pivot = (i..n).find(|&r| !rows[r][i].is_zero()).expect("the system is regular");
        rows.swap(i, pivot);
        let inverse = rows[i][i].inverse().expect("a pivot is not zero");
        rows[i].iter_mut().for_each(|x| *x *= inverse);
        let row = rows[i].clone();
        for (_, other) in rows.iter_mut().enumerate().filter(|(r, _)| *r != i) {
            let factor = other[i];
            other.iter_mut().zip(&row).skip(i).for_each(|(x, y)| *x -= factor * y);
        }
    }
    rows.into_iter().map(|row| row[n]).collect()
}
