//! Transactions of which a node has only heard, and whom to ask for them. Spec §9.
//!
//! Every peer has its own share, so that one who speaks of transactions that do not exist cannot
//! keep the node from asking for those that do.

use std::collections::BTreeMap;

use placet_protocol::gossip::Variant;
use placet_protocol::signing::VerifyKey;

/// Most transactions that are wanted.
pub(crate) const MAX_WANTED_AT_ONCE: usize = 8192;

/// One that is lacking.
pub(crate) struct Lack {
    from: VerifyKey,
    /// When to ask next, in milliseconds of the node's clock.
    pub(crate) ask_at: u64,
    /// How often somebody was asked.
    pub(crate) tries: u32,
}

impl Lack {
    /// Who spoke of it.
    pub(crate) fn from(&self) -> VerifyKey {
        self.from
    }
}

/// All that are lacking.
#[derive(Default)]
pub(crate) struct Wanted {
    lacks: BTreeMap<Variant, Lack>,
    /// How many are from each peer; none is zero.
    shares: BTreeMap<VerifyKey, usize>,
}

impl Wanted {
    /// Notes that `from` spoke of a variant, one of `peers` who may; nothing if somebody did before
    /// or the peer's share is used up.
    pub(crate) fn hear(&mut self, variant: Variant, from: VerifyKey, peers: usize, ask_at: u64) {
        let share = self.shares.get(&from).copied().unwrap_or(0);
        let full = self.lacks.len() >= MAX_WANTED_AT_ONCE
            || share >= (MAX_WANTED_AT_ONCE / peers.max(1)).max(1);
        if full || self.lacks.contains_key(&variant) {
            return;
        }
        self.lacks.insert(variant, Lack { from, ask_at, tries: 0 });
        self.shares.insert(from, share + 1);
    }

    /// No longer lacking, or given up.
    pub(crate) fn remove(&mut self, variant: &Variant) {
        let Some(lack) = self.lacks.remove(variant) else { return };
        match self.shares.get_mut(&lack.from) {
            Some(share) if *share > 1 => *share -= 1,
            _ => drop(self.shares.remove(&lack.from)),
        }
    }

    /// Whether somebody is to be asked for it.
    pub(crate) fn contains(&self, variant: &Variant) -> bool {
        self.lacks.contains_key(variant)
    }

    /// All, in order.
    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = (&Variant, &mut Lack)> {
        self.lacks.iter_mut()
    }
}

#[cfg(test)]
mod tests {
    use placet_protocol::signing::SigningKey;
    use placet_protocol::transaction::TxId;

    use super::*;

    fn variant(n: usize) -> Variant {
        let mut id = [0; 32];
        id[..8].copy_from_slice(&(n as u64).to_be_bytes());
        Variant { transaction: TxId(id), proof_hash: [1; 32] }
    }

    #[test]
    fn a_peer_that_speaks_of_everything_leaves_the_others_their_share() {
        let peer = |n: u8| SigningKey::from_seed(&[n; 32]).public();
        let (flood, honest) = (peer(1), peer(2));
        let share = MAX_WANTED_AT_ONCE / 4;
        let mut wanted = Wanted::default();
        for n in 0..=MAX_WANTED_AT_ONCE {
            wanted.hear(variant(n), flood, 4, 7);
            wanted.hear(variant(n), flood, 4, 7);
        }
        assert_eq!(wanted.iter_mut().count(), share);
        assert!(wanted.contains(&variant(share - 1)) && !wanted.contains(&variant(share)));
        // Another may speak of more, and of the same without taking it over.
        wanted.hear(variant(share), honest, 4, 7);
        wanted.hear(variant(0), honest, 4, 9);
        assert!(wanted.contains(&variant(share)));
        let (_, first) = wanted.iter_mut().next().unwrap();
        assert_eq!((first.from(), first.ask_at, first.tries), (flood, 7, 0));
        // What comes makes room in the same share, once.
        wanted.remove(&variant(0));
        wanted.remove(&variant(0));
        wanted.hear(variant(share + 1), flood, 4, 7);
        wanted.hear(variant(share + 2), flood, 4, 7);
        assert!(wanted.contains(&variant(share + 1)) && !wanted.contains(&variant(share + 2)));
        // Whatever the number of peers, all together are bounded.
        let mut wanted = Wanted::default();
        for n in 0..=MAX_WANTED_AT_ONCE {
            wanted.hear(variant(n), honest, 0, 7);
        }
        assert_eq!(wanted.iter_mut().count(), MAX_WANTED_AT_ONCE);
    }
}
