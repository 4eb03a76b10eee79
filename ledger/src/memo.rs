//! Roots of trees that transactions bring along: of a policy's rules, of a sanctions list. Building
//! one costs far more than all other rules, and the same transaction is looked at many times: on
//! admission, whenever the state changes, in a proposal, in a block, and when that is final. So each
//! root is computed once, and before the store is locked. What is remembered is a function of the
//! hashed bytes alone.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, PoisonError};

use placet_protocol::block::Entry;
use placet_protocol::field::{RulesRoot, SanctionsRoot, Subject};
use placet_protocol::policy::Policy;
use placet_protocol::sanctions::{ListError, SanctionsList};
use placet_protocol::transaction::{PublishedPolicy, Transaction};
use placet_protocol::wire::{Wire, Writer};
use sha2::{Digest, Sha256};

use crate::ledger::Ledger;
use crate::state::AssetRecord;

/// Most roots that are remembered, of each kind. A block has at most 512 of them.
const REMEMBERED: usize = 8192;

/// Roots by the hash of what they are computed from; the oldest is forgotten first.
#[derive(Debug)]
struct Roots<R> {
    known: BTreeMap<[u8; 32], R>,
    order: VecDeque<[u8; 32]>,
}

impl<R: Copy> Roots<R> {
    const EMPTY: Self = Self { known: BTreeMap::new(), order: VecDeque::new() };

    fn put(&mut self, key: [u8; 32], root: R) {
        if self.known.insert(key, root).is_some() {
            return;
        }
        self.order.push_back(key);
        if self.order.len() > REMEMBERED
            && let Some(oldest) = self.order.pop_front()
        {
            self.known.remove(&oldest);
        }
    }
}

/// What a replica remembers.
#[derive(Debug)]
pub(crate) struct RootMemo {
    rules: Mutex<Roots<RulesRoot>>,
    sanctions: Mutex<Roots<SanctionsRoot>>,
}

impl Default for RootMemo {
    fn default() -> Self {
        Self { rules: Mutex::new(Roots::EMPTY), sanctions: Mutex::new(Roots::EMPTY) }
    }
}

/// The root behind a key, computed if it is not remembered. Nothing is locked meanwhile.
fn remembered<R: Copy, E>(
    roots: &Mutex<Roots<R>>,
    key: [u8; 32],
    compute: impl FnOnce() -> Result<R, E>,
) -> Result<R, E> {
    let lock = || roots.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(root) = lock().known.get(&key) {
        return Ok(*root);
    }
    let root = compute()?;
    lock().put(key, root);
    Ok(root)
}

impl RootMemo {
    fn rules_root(&self, policy: &PublishedPolicy) -> RulesRoot {
        let mut out = Writer::default();
        for (jurisdiction, rule) in &policy.rules {
            out.u16(jurisdiction.code());
            out.bool(rule.allowed);
            out.u16(rule.any_of.0);
            out.u32(rule.lockup);
            out.u64(rule.max_holding);
        }
        let key = Sha256::digest(out.into_bytes()).into();
        let root = remembered(&self.rules, key, || {
            Ok::<_, std::convert::Infallible>(policy.rules().root())
        });
        let Ok(root) = root;
        root
    }

    /// An asset's policy as it is proven.
    pub(crate) fn proven(&self, asset: &AssetRecord) -> Policy {
        let registration = &asset.registration;
        let (agent, policy) = (registration.agent.viewing, &registration.policy);
        let rules = self.rules_root(policy);
        policy.proven_with(rules, asset.id, agent, registration.count_holders)
    }

    /// The root of the tree of gaps between these subjects.
    pub(crate) fn sanctions_root(&self, subjects: &[Subject]) -> Result<SanctionsRoot, ListError> {
        let mut hasher = Sha256::new();
        for subject in subjects {
            hasher.update(subject.to_wire());
        }
        let key = hasher.finalize().into();
        remembered(
            &self.sanctions,
            key,
            || Ok(SanctionsList::new(subjects.iter().copied())?.root()),
        )
    }
}

impl Ledger {
    /// Computes what execution will ask the memo for, while nothing is locked.
    pub(crate) fn prepare(&self, entries: &[Entry]) {
        for entry in entries {
            match &entry.transaction {
                Transaction::RegisterAsset(tx) if tx.registration.policy.is_sound() => {
                    self.roots.rules_root(&tx.registration.policy);
                }
                Transaction::SetPolicy(tx) if tx.message.policy.is_sound() => {
                    self.roots.rules_root(&tx.message.policy);
                }
                // Only the publisher makes this replica build a tree that large.
                Transaction::PublishSanctions(tx)
                    if tx.verify(&self.chain(), &self.genesis().sanctions_publisher).is_ok() =>
                {
                    // What is no list is refused when it is executed.
                    let _ = self.roots.sanctions_root(&tx.message.subjects);
                }
                Transaction::ChangeCircuits(tx) => self.prepare_circuit(tx),
                _ => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;
    use crate::common::World;

    #[test]
    fn a_root_is_computed_once_and_memory_is_bounded() {
        let roots = Mutex::new(Roots::EMPTY);
        let computed = Cell::new(0);
        let ask = |n: usize| {
            let mut key = [0; 32];
            key[..8].copy_from_slice(&n.to_le_bytes());
            let compute = || {
                computed.set(computed.get() + 1);
                Ok::<_, ()>(n)
            };
            assert_eq!(remembered(&roots, key, compute), Ok(n));
        };
        (0..=REMEMBERED).for_each(ask);
        assert_eq!(computed.get(), REMEMBERED + 1);
        assert_eq!(roots.lock().unwrap().known.len(), REMEMBERED);
        assert_eq!(roots.lock().unwrap().order.len(), REMEMBERED);
        ask(REMEMBERED);
        assert_eq!(computed.get(), REMEMBERED + 1);
        // The oldest was forgotten, and is found again.
        ask(0);
        assert_eq!(computed.get(), REMEMBERED + 2);
        // What failed is not remembered.
        assert_eq!(remembered(&roots, [9; 32], || Err(7)), Err(7));
        assert_eq!(remembered(&roots, [9; 32], || Ok::<_, ()>(8)), Ok(8));
    }

    #[test]
    fn every_remembered_root_is_that_of_the_whole_tree() {
        let mut world = World::memory();
        let asset = world.asset("A");
        let record = world.ledger.view().unwrap().asset(asset).unwrap().unwrap();
        let memo = &world.ledger.roots;
        assert!(!memo.rules.lock().unwrap().known.is_empty());
        assert_eq!(memo.proven(&record), record.proven_policy());
        assert_eq!(memo.proven(&record), record.proven_policy());
        // Everything in a rule counts, and every rule.
        let mut other = record.clone();
        let first = *other.registration.policy.rules.keys().next().unwrap();
        other.registration.policy.rules.get_mut(&first).unwrap().lockup ^= 1;
        assert_ne!(memo.proven(&other), memo.proven(&record));
        assert_eq!(memo.proven(&other), other.proven_policy());
        other.registration.policy.rules.remove(&first);
        assert_eq!(memo.proven(&other), other.proven_policy());
        let subject = |n: u64| Subject::new(ark_bn254::Fr::from(n));
        for list in [vec![], vec![subject(3)], vec![subject(3), subject(5)]] {
            let root = SanctionsList::new(list.iter().copied()).unwrap().root();
            assert_eq!(memo.sanctions_root(&list), Ok(root));
            assert_eq!(memo.sanctions_root(&list), Ok(root));
        }
    }
}
