//! Merkle trees over SHA-256 as in RFC 6962 §2.1: for block bodies, where no circuit looks. Leaves
//! and inner nodes are hashed under different prefixes.

use sha2::{Digest, Sha256};

/// The hash of a leaf's content.
pub fn leaf(content: &[u8]) -> [u8; 32] {
    Sha256::new().chain_update([0]).chain_update(content).finalize().into()
}

fn node(left: &[u8; 32], right: &[u8; 32]) -> [u8; 32] {
    Sha256::new().chain_update([1]).chain_update(left).chain_update(right).finalize().into()
}

/// Where a list of at least two is split: at the largest power of two below its length.
fn split(len: usize) -> usize {
    1 << (usize::BITS - 1 - (len - 1).leading_zeros())
}

/// The root over leaf hashes; of none, the hash of nothing.
pub fn root(leaves: &[[u8; 32]]) -> [u8; 32] {
    match leaves {
        [] => Sha256::digest([]).into(),
        [leaf] => *leaf,
        _ => {
            let (left, right) = leaves.split_at(split(leaves.len()));
            node(&root(left), &root(right))
        }
    }
}

/// The siblings of the leaf at `index`, from the bottom to the top; `None` beyond the last leaf.
pub fn path(leaves: &[[u8; 32]], index: usize) -> Option<Vec<[u8; 32]>> {
    if index >= leaves.len() {
        return None;
    }
    if leaves.len() == 1 {
        return Some(Vec::new());
    }
    let at = split(leaves.len());
    let (left, right) = leaves.split_at(at);
    let (mut path, sibling) = if index < at {
        (path(left, index)?, root(right))
    } else {
        (path(right, index - at)?, root(left))
    };
    path.push(sibling);
    Some(path)
}

/// The root to which a leaf at `index` of `len` leads; `None` if the path has not the length that
/// this place demands.
pub fn root_from_path(
    leaf: [u8; 32],
    index: usize,
    len: usize,
    path: &[[u8; 32]],
) -> Option<[u8; 32]> {
    if index >= len {
        return None;
    }
    if len == 1 {
        return path.is_empty().then_some(leaf);
    }
    let (sibling, below) = path.split_last()?;
    let at = split(len);
    Some(if index < at {
        node(&root_from_path(leaf, index, at, below)?, sibling)
    } else {
        node(sibling, &root_from_path(leaf, index - at, len - at, below)?)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn leaves(n: u8) -> Vec<[u8; 32]> {
        (0..n).map(|i| leaf(&[i])).collect()
    }

    /// The inputs and roots of the test tree that Certificate Transparency implementations share.
    #[test]
    fn roots_are_those_of_certificate_transparency() {
        let inputs: [&[u8]; 8] = [
            &[],
            &[0x00],
            &[0x10],
            &[0x20, 0x21],
            &[0x30, 0x31],
            &[0x40, 0x41, 0x42, 0x43],
            &[0x50, 0x51, 0x52, 0x53, 0x54, 0x55, 0x56, 0x57],
            &[
                0x60, 0x61, 0x62, 0x63, 0x64, 0x65, 0x66, 0x67, 0x68, 0x69, 0x6a, 0x6b, 0x6c, 0x6d,
                0x6e, 0x6f,
            ],
        ];
        let leaves: Vec<_> = inputs.iter().map(|input| leaf(input)).collect();
        let roots = [
            (0, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
            (1, "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"),
            (2, "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"),
            (3, "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77"),
            (8, "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"),
        ];
        for (n, expected) in roots {
            assert_eq!(hex::encode(root(&leaves[..n])), expected, "{n} leaves");
        }
    }

    #[test]
    fn every_leaf_has_a_path_and_no_other_place_takes_it() {
        for n in 1..=20u8 {
            let leaves = leaves(n);
            let len = usize::from(n);
            for index in 0..len {
                let path = path(&leaves, index).unwrap();
                let there = |leaf, index, len| root_from_path(leaf, index, len, &path);
                assert_eq!(there(leaves[index], index, len), Some(root(&leaves)));
                for other in (0..len).filter(|other| *other != index) {
                    assert_ne!(there(leaves[index], other, len), Some(root(&leaves)));
                }
                assert_ne!(there(leaf(b"else"), index, len), Some(root(&leaves)));
                assert_eq!(there(leaves[index], len, len), None);
                let longer = [&path[..], &[[0; 32]]].concat();
                assert_eq!(root_from_path(leaves[index], index, len, &longer), None);
            }
            assert_eq!(path(&leaves, len), None);
        }
    }
}
