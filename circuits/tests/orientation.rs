//! Which side of a product stands in A and which in B changes nothing but the cost: a column of B
//! is a point in G1 and one in G2, a column of A one in G1. How far are the rows as written from
//! what turning rows round can reach? Decision 28.

use placet_circuits::circuit::{Circuit, Record, matrices, synthesize};
use placet_protocol::transfer::Transfer;

/// The columns of both sides of every row, and which side stands in B.
struct Sides {
    rows: Vec<[Vec<usize>; 2]>,
    right: Vec<usize>,
    /// Per column the rows that have it on their B side.
    uses: Vec<usize>,
}

impl Sides {
    fn of_transfer() -> Self {
        let (public, witness) = Transfer::blank();
        let cs = synthesize::<Transfer>(&public, &witness, Record::Constraints).unwrap();
        let columns = cs.num_instance_variables() + cs.num_witness_variables();
        let [a, b, _] = matrices(&cs).unwrap();
        let set = |row: &Vec<(_, usize)>| {
            let mut columns: Vec<usize> = row.iter().map(|(_, column)| *column).collect();
            columns.sort_unstable();
            columns.dedup();
            columns
        };
        let rows: Vec<_> = a.iter().zip(&b).map(|(a, b)| [set(a), set(b)]).collect();
        let mut uses = vec![0; columns];
        rows.iter().flat_map(|row| &row[1]).for_each(|column| uses[*column] += 1);
        Self { right: vec![1; rows.len()], rows, uses }
    }

    fn columns(&self) -> usize {
        self.uses.iter().filter(|uses| **uses > 0).count()
    }

    /// Columns that stand on both sides of some row: B has them either way.
    fn unavoidable(&self) -> Vec<bool> {
        let mut both = vec![false; self.uses.len()];
        for [a, b] in &self.rows {
            a.iter().filter(|column| b.binary_search(column).is_ok()).for_each(|c| both[*c] = true);
        }
        both
    }

    /// Columns that B loses, less those that it gains, if the row is turned round.
    fn gain(&self, row: usize) -> isize {
        let (from, to) = (&self.rows[row][self.right[row]], &self.rows[row][1 - self.right[row]]);
        let only = |x: &[usize], y: &[usize], uses: usize| {
            x.iter().filter(|c| self.uses[**c] == uses && y.binary_search(c).is_err()).count()
        };
        only(from, to, 1) as isize - only(to, from, 0) as isize
    }

    fn turn(&mut self, row: usize) {
        let (from, to) = (self.right[row], 1 - self.right[row]);
        self.rows[row][from].iter().for_each(|column| self.uses[*column] -= 1);
        self.rows[row][to].iter().for_each(|column| self.uses[*column] += 1);
        self.right[row] = to;
    }

    /// First turns the rows whose A side is in B anyway, then whatever helps. A row that neither
    /// helps nor harms is turned in some passes, which leads out of dead ends: two rows that share
    /// a column only gain together.
    fn improve(&mut self) {
        let both = self.unavoidable();
        for row in 0..self.rows.len() {
            let [free, costly] = [0, 1].map(|side| self.rows[row][side].iter().all(|c| both[*c]));
            if free && !costly {
                self.turn(row);
            }
        }
        for pass in 0..24usize {
            for row in 0..self.rows.len() {
                let gain = self.gain(row);
                if gain > 0 || (gain == 0 && pass % 3 == 1 && (row * 7 + pass) % 3 == 0) {
                    self.turn(row);
                }
            }
        }
    }
}

#[test]
fn few_columns_of_b_could_be_spared() {
    let mut sides = Sides::of_transfer();
    let written = sides.columns();
    let unavoidable = sides.unavoidable().into_iter().filter(|both| *both).count();
    sides.improve();
    let found = sides.columns();
    println!("columns of B: {written} as written, {found} found, {unavoidable} on both sides");
    assert!(unavoidable <= found, "a column on both sides of a row cannot leave B");
    assert!(written <= unavoidable + ALLOWED, "{} columns too many", written - unavoidable);
}

/// Columns of B beyond those on both sides of a row. All of them together are the most that
/// turning rows round could save: for `transfer` as it is pinned, 24.
const ALLOWED: usize = 24;
