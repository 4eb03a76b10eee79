//! A bounded memory of what was found out before: proofs, signatures, blocks. Whoever asks it must
//! be able to find the answer again: what is oldest is forgotten.

use std::collections::{BTreeSet, VecDeque};

/// The last things that were put in, up to a number.
#[derive(Debug)]
pub(crate) struct Recent<K> {
    known: BTreeSet<K>,
    order: VecDeque<K>,
    most: usize,
}

impl<K: Ord + Copy> Recent<K> {
    /// Keeps at most `most`, and at least one.
    pub(crate) fn new(most: usize) -> Self {
        Self { known: BTreeSet::new(), order: VecDeque::new(), most: most.max(1) }
    }

    /// Whether it is remembered.
    pub(crate) fn contains(&self, key: &K) -> bool {
        self.known.contains(key)
    }

    /// Remembers it; something that is remembered already does not become younger.
    pub(crate) fn insert(&mut self, key: K) {
        if !self.known.insert(key) {
            return;
        }
        self.order.push_back(key);
        if self.order.len() > self.most
            && let Some(oldest) = self.order.pop_front()
        {
            self.known.remove(&oldest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_is_forgotten_first_and_memory_is_bounded() {
        let mut recent = Recent::new(3);
        for n in [1, 2, 3, 1, 4] {
            recent.insert(n);
        }
        let remembered: Vec<_> = (0..6).filter(|n| recent.contains(n)).collect();
        assert_eq!(remembered, [2, 3, 4]);
        assert_eq!((recent.known.len(), recent.order.len()), (3, 3));
    }
}
