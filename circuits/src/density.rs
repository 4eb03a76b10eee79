//! How dense the matrices of a circuit are, and so what a proof costs: every column that a query
//! uses is a point of the proving key and a term of a multi-scalar multiplication.

use ark_bn254::Fr;
use ark_ff::Zero;
use ark_relations::gr1cs::Matrix;

/// Finite points of the queries of a Groth16 proving key, and non-zero entries of the matrices
/// that they come from. Depends on the shape alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Density {
    /// Non-zero entries of A, B and C in the rows of constraints, equal columns of a row added up.
    pub entries: [usize; 3],
    /// Points of query A, in G1: columns with an entry in A, and the instance variables, each of
    /// which has a row of its own behind the constraints.
    pub a: usize,
    /// Points of query B, in G1 and once more in G2: columns with an entry in B. A term in G2
    /// costs about as much as three in G1.
    pub b: usize,
    /// Points of query L, in G1: witness variables with an entry anywhere.
    pub l: usize,
    /// Points of query H, in G1: one fewer than the evaluation domain has places.
    pub h: usize,
}

impl Density {
    /// Counts. `instance` is the number of instance variables, the constant one included: their
    /// columns come first. A column at or behind `instance + witnesses` is not counted.
    pub fn of(matrices: &[Matrix<Fr>; 3], instance: usize, witnesses: usize) -> Self {
        let columns = instance + witnesses;
        let mut entries = [0; 3];
        let mut used = [(); 3].map(|()| vec![false; columns]);
        for ((matrix, entries), used) in matrices.iter().zip(&mut entries).zip(&mut used) {
            for row in matrix {
                for column in non_zero(row) {
                    *entries += 1;
                    if let Some(used) = used.get_mut(column) {
                        *used = true;
                    }
                }
            }
        }
        used[0].iter_mut().take(instance).for_each(|used| *used = true);
        let count = |used: &[bool]| used.iter().filter(|used| **used).count();
        let rows = (matrices[0].len() + instance).next_power_of_two();
        Self {
            entries,
            a: count(&used[0]),
            b: count(&used[1]),
            l: (instance..columns).filter(|column| used.iter().any(|used| used[*column])).count(),
            h: rows - 1,
        }
    }
}

/// The columns of a row whose entries do not add up to zero.
fn non_zero(row: &[(Fr, usize)]) -> Vec<usize> {
    let mut row: Vec<_> = row.iter().map(|(coefficient, column)| (*column, *coefficient)).collect();
    row.sort_by_key(|(column, _)| *column);
    row.dedup_by(|later, kept| {
        let same = later.0 == kept.0;
        if same {
            kept.1 += later.1;
        }
        same
    });
    row.into_iter().filter(|(_, sum)| !sum.is_zero()).map(|(column, _)| column).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_columns_count_once_and_cancelled_ones_not_at_all() {
        let entry = |coefficient: i64, column: usize| (Fr::from(coefficient), column);
        // Instance variables 0 and 1, witness variables 2 to 5; nothing mentions 5.
        let matrices = [
            vec![vec![entry(1, 2), entry(3, 2)], vec![entry(1, 3), entry(1, 4), entry(-1, 3)]],
            vec![vec![entry(1, 0)], vec![entry(1, 2)]],
            vec![vec![], vec![entry(1, 3), entry(0, 4)]],
        ];
        let density = Density::of(&matrices, 2, 4);
        assert_eq!(density, Density { entries: [2, 2, 1], a: 4, b: 2, l: 3, h: 3 });
    }
}
