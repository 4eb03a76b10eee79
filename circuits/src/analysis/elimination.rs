//! Rank, kernel and redundant rows of a sparse matrix over the field of the circuit.
//!
//! Circuits are written in the order in which their wires can be computed, and that order is the
//! whole trick: with columns in order of allocation, nearly every row is already a pivot for the
//! last wire it mentions and is stored untouched. Only assertions about wires that are already
//! determined are reduced, from their last wire down, which costs one pass over the rows they
//! depend on (reverse-mode differentiation of that assertion). Before that, rows with one unknown
//! are peeled off: the constraint of every Boolean is such a row, so bits and all that is made of
//! bits alone disappear first.

use ark_bn254::Fr;
use ark_ff::Field;
use ark_std::UniformRand;
use ark_std::rand::Rng;

use super::matrices::Row;

const UNSET: usize = usize::MAX;

/// The result of an elimination.
///
/// Unknown columns have *positions*: first those peeled, in order of peeling, then the others in
/// the order asked for. The pivot of a row is its highest position.
pub(super) struct Elimination<'a> {
    rows: &'a [Row],
    /// Position by column; `UNSET` for columns that are not unknown.
    position: Vec<usize>,
    /// Column by position.
    column: Vec<usize>,
    /// How many positions were peeled.
    peeled: usize,
    /// Pivot row by position.
    pivots: Vec<Option<Pivot>>,
    /// Positions of pivots whose rows had to be reduced, in order of their making.
    reduced: Vec<usize>,
    /// Rows that are combinations of the pivot rows.
    redundant: Vec<usize>,
}

struct Pivot {
    row: usize,
    /// Inverse of the coefficient at the pivot.
    inverse: Fr,
    /// `None`: the matrix row as it stands.
    reduction: Option<Reduction>,
}

struct Reduction {
    /// What is left of the row, by position.
    terms: Vec<(usize, Fr)>,
    /// Multiples of earlier pivots, by position, that were subtracted.
    subtracted: Vec<(usize, Fr)>,
}

/// A dense vector over positions that knows its highest entry.
struct Workspace {
    values: Vec<Fr>,
    occupied: Vec<u64>,
}

impl Workspace {
    fn new(size: usize) -> Self {
        Self { values: vec![Fr::from(0u8); size], occupied: vec![0; size.div_ceil(64)] }
    }

    fn add(&mut self, position: usize, value: Fr) {
        self.values[position] += value;
        self.occupied[position / 64] |= 1 << (position % 64);
    }

    /// Removes and returns the highest nonzero entry.
    fn pop(&mut self) -> Option<(usize, Fr)> {
        for word in (0..self.occupied.len()).rev() {
            while self.occupied[word] != 0 {
                let bit = 63 - self.occupied[word].leading_zeros() as usize;
                self.occupied[word] &= !(1 << bit);
                let value = std::mem::take(&mut self.values[word * 64 + bit]);
                if value != Fr::from(0u8) {
                    return Some((word * 64 + bit, value));
                }
            }
        }
        None
    }

    fn drain(&mut self) -> Vec<(usize, Fr)> {
        std::iter::from_fn(|| self.pop()).collect()
    }
}

impl<'a> Elimination<'a> {
    /// Eliminates `rows` over the `unknown` columns, which are listed from the ones to be kept
    /// free, where there is a choice, to the ones to be solved for. Other columns are constants.
    pub(super) fn new(rows: &'a [Row], columns: usize, unknown: &[usize]) -> Self {
        let mut this = Self {
            rows,
            position: vec![UNSET; columns],
            column: Vec::with_capacity(unknown.len()),
            peeled: 0,
            pivots: (0..unknown.len()).map(|_| None).collect(),
            reduced: Vec::new(),
            redundant: Vec::new(),
        };
        let used = this.peel(unknown);
        for &column in unknown {
            if this.position[column] == UNSET {
                this.position[column] = this.column.len();
                this.column.push(column);
            }
        }
        let mut workspace = Workspace::new(unknown.len());
        for row in (0..rows.len()).filter(|&row| !used[row]) {
            this.insert(row, &mut workspace);
        }
        this
    }

    /// Takes out rows with one unknown, again and again. Says which rows were used.
    fn peel(&mut self, unknown: &[usize]) -> Vec<bool> {
        let rows = self.rows;
        let mut is_unknown = vec![false; self.position.len()];
        for &column in unknown {
            is_unknown[column] = true;
        }
        let mut rows_of = vec![Vec::new(); self.position.len()];
        let mut left = vec![0usize; rows.len()];
        for (row, terms) in rows.iter().enumerate() {
            for (column, _) in terms.iter().filter(|(column, _)| is_unknown[*column]) {
                rows_of[*column].push(row);
                left[row] += 1;
            }
        }
        let mut used = vec![false; rows.len()];
        let mut queue: std::collections::VecDeque<usize> =
            (0..rows.len()).filter(|&row| left[row] == 1).collect();
        while let Some(row) = queue.pop_front() {
            if left[row] != 1 {
                continue; // another row determined its last unknown first
            }
            let (column, value) = *rows[row]
                .iter()
                .find(|(column, _)| is_unknown[*column] && self.position[*column] == UNSET)
                .expect("one unknown is left in this row");
            self.position[column] = self.column.len();
            self.pivots[self.column.len()] = Some(Pivot::new(row, value, None));
            self.column.push(column);
            used[row] = true;
            for &other in &rows_of[column] {
                left[other] -= 1;
                if left[other] == 1 {
                    queue.push_back(other);
                }
            }
        }
        self.peeled = self.column.len();
        used
    }

    /// Makes `row` a pivot or finds that it is redundant.
    fn insert(&mut self, row: usize, workspace: &mut Workspace) {
        let top = self.terms(row).max_by_key(|(position, _)| *position);
        match top {
            None => self.redundant.push(row),
            Some((position, _)) if position < self.peeled => self.redundant.push(row),
            Some((position, value)) if self.pivots[position].is_none() => {
                self.pivots[position] = Some(Pivot::new(row, value, None));
            }
            Some(_) => {
                for (position, value) in self.terms(row) {
                    workspace.add(position, value);
                }
                let mut subtracted = Vec::new();
                while let Some((position, value)) = workspace.pop() {
                    if position < self.peeled {
                        workspace.drain();
                        break;
                    }
                    if self.pivots[position].is_some() {
                        subtracted.push((position, self.subtract(position, value, workspace)));
                        continue;
                    }
                    let mut terms = vec![(position, value)];
                    terms.extend(workspace.drain());
                    let reduction = Reduction { terms, subtracted };
                    self.pivots[position] = Some(Pivot::new(row, value, Some(reduction)));
                    self.reduced.push(position);
                    return;
                }
                self.redundant.push(row);
            }
        }
    }

    /// Subtracts the multiple of a pivot row that cancels `value` at its pivot, which has been
    /// taken out of the workspace already. Returns the multiple.
    fn subtract(&self, position: usize, value: Fr, workspace: &mut Workspace) -> Fr {
        let pivot = self.pivots[position].as_ref().expect("asked for at pivots only");
        let multiple = value * pivot.inverse;
        self.for_each_term(pivot, |other, coefficient| {
            if other != position {
                workspace.add(other, -multiple * coefficient);
            }
        });
        multiple
    }

    /// The terms of a row of the matrix, by position.
    fn terms(&self, row: usize) -> impl Iterator<Item = (usize, Fr)> + '_ {
        let by_position = |(column, value): &(usize, Fr)| (self.position[*column], *value);
        self.rows[row].iter().map(by_position).filter(|(position, _)| *position != UNSET)
    }

    fn for_each_term(&self, pivot: &Pivot, mut visit: impl FnMut(usize, Fr)) {
        match &pivot.reduction {
            None => self.terms(pivot.row).for_each(|(position, value)| visit(position, value)),
            Some(reduction) => reduction.terms.iter().for_each(|(p, value)| visit(*p, *value)),
        }
    }

    /// Dimension of the kernel: unknowns minus rank.
    pub(super) fn nullity(&self) -> usize {
        self.pivots.iter().filter(|pivot| pivot.is_none()).count()
    }

    /// A random vector of the kernel, by column. A column is zero in it exactly if it is zero in
    /// the whole kernel, but for a chance of one in the field's size.
    pub(super) fn random_kernel_vector(&self, rng: &mut impl Rng) -> Vec<Fr> {
        let mut vector = vec![Fr::from(0u8); self.position.len()];
        for (position, pivot) in self.pivots.iter().enumerate().skip(self.peeled) {
            vector[self.column[position]] = match pivot {
                None => Fr::rand(rng),
                Some(pivot) => {
                    let mut sum = Fr::from(0u8);
                    self.for_each_term(pivot, |other, value| {
                        if other != position {
                            sum += value * vector[self.column[other]];
                        }
                    });
                    -sum * pivot.inverse
                }
            };
        }
        vector
    }

    /// A random combination of rows that gives zero, by row. A row is zero in it exactly if
    /// deleting that row lowers the rank, but for a chance of one in the field's size.
    pub(super) fn random_dependency(&self, rng: &mut impl Rng) -> Vec<Fr> {
        let mut combination = vec![Fr::from(0u8); self.rows.len()];
        let mut workspace = Workspace::new(self.column.len());
        for &row in &self.redundant {
            let factor = Fr::rand(rng);
            combination[row] = factor;
            for (position, value) in self.terms(row) {
                workspace.add(position, factor * value);
            }
        }
        let mut of_pivots = vec![Fr::from(0u8); self.column.len()];
        while let Some((position, value)) = workspace.pop() {
            of_pivots[position] = -self.subtract(position, value, &mut workspace);
        }
        // A reduced pivot row is its matrix row minus multiples of earlier pivot rows.
        for &position in self.reduced.iter().rev() {
            let pivot = self.pivots[position].as_ref().expect("reduced rows are pivots");
            let reduction = pivot.reduction.as_ref().expect("it was reduced");
            let factor = of_pivots[position];
            for (earlier, multiple) in &reduction.subtracted {
                of_pivots[*earlier] -= factor * multiple;
            }
        }
        for (pivot, factor) in self.pivots.iter().zip(of_pivots) {
            if let Some(pivot) = pivot {
                combination[pivot.row] = factor;
            }
        }
        combination
    }
}

impl Pivot {
    fn new(row: usize, value: Fr, reduction: Option<Reduction>) -> Self {
        let inverse = value.inverse().expect("zeros are not stored");
        Self { row, inverse, reduction }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ark_std::rand::{SeedableRng, rngs::StdRng};

    /// Dense textbook elimination, the oracle.
    fn dense_rank(rows: &[Row], columns: usize, unknown: &[usize]) -> usize {
        let mut dense: Vec<Vec<Fr>> = rows
            .iter()
            .map(|row| {
                let mut full = vec![Fr::from(0u8); columns];
                row.iter().for_each(|(column, value)| full[*column] = *value);
                unknown.iter().map(|column| full[*column]).collect()
            })
            .collect();
        let mut rank = 0;
        for column in 0..unknown.len() {
            let Some(found) = (rank..dense.len()).find(|&r| dense[r][column] != Fr::from(0u8))
            else {
                continue;
            };
            dense.swap(rank, found);
            let pivot = dense[rank].clone();
            let inverse = pivot[column].inverse().expect("not zero");
            for row in &mut dense[rank + 1..] {
                let factor = row[column] * inverse;
                row.iter_mut().zip(&pivot).for_each(|(value, p)| *value -= factor * p);
            }
            rank += 1;
        }
        rank
    }

    /// Sparse matrices with dependent rows, small entries and a few columns held fixed.
    fn random_matrix(rng: &mut StdRng) -> (Vec<Row>, usize, Vec<usize>) {
        let columns = rng.gen_range(1..14);
        let mut rows: Vec<Row> = (0..rng.gen_range(0..14))
            .map(|_| {
                let mut row = Vec::new();
                for column in 0..columns {
                    if rng.gen_bool(0.25) {
                        row.push((column, Fr::from(rng.gen_range(1u64..3))));
                    }
                }
                row
            })
            .collect();
        for _ in 0..rng.gen_range(0..3) {
            if let Some(row) = rows.first().cloned() {
                let twice = row.iter().map(|(column, value)| (*column, *value + value));
                rows.push(twice.collect());
            }
        }
        let mut unknown: Vec<usize> = (0..columns).filter(|_| rng.gen_bool(0.8)).collect();
        if rng.gen_bool(0.5) {
            unknown.reverse();
        }
        (rows, columns, unknown)
    }

    #[test]
    fn rank_kernel_and_dependencies_agree_with_dense_elimination() {
        let mut rng = StdRng::seed_from_u64(7);
        let mut ranks = std::collections::BTreeSet::new();
        for _ in 0..3_000 {
            let (rows, columns, unknown) = random_matrix(&mut rng);
            let elimination = Elimination::new(&rows, columns, &unknown);
            let rank = dense_rank(&rows, columns, &unknown);
            ranks.insert(rank);
            assert_eq!(unknown.len() - elimination.nullity(), rank);

            let kernel = elimination.random_kernel_vector(&mut rng);
            for row in &rows {
                assert_eq!(row.iter().map(|(c, v)| *v * kernel[*c]).sum::<Fr>(), Fr::from(0u8));
            }
            for &column in &unknown {
                let mut pinned = rows.clone();
                pinned.push(vec![(column, Fr::from(1u8))]);
                let moves = dense_rank(&pinned, columns, &unknown) > rank;
                assert_eq!(kernel[column] != Fr::from(0u8), moves, "column {column}");
            }

            let dependency = elimination.random_dependency(&mut rng);
            for &column in &unknown {
                let at = |row: &Row| {
                    row.iter().find(|(c, _)| *c == column).map_or(Fr::from(0u8), |(_, v)| *v)
                };
                let sum: Fr = rows.iter().zip(&dependency).map(|(row, y)| at(row) * y).sum();
                assert_eq!(sum, Fr::from(0u8));
            }
            for (row, y) in dependency.iter().enumerate() {
                let mut fewer = rows.clone();
                fewer.remove(row);
                let load_bearing = dense_rank(&fewer, columns, &unknown) < rank;
                assert_eq!(*y == Fr::from(0u8), load_bearing, "row {row}");
            }
        }
        assert!(ranks.len() > 8, "the generator covers many ranks: {ranks:?}");
    }
}
