//! The seam to proof verification: what the ledger asks, and the answer by Groth16.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use placet_params::{Origin, VerifyingKey};
use placet_protocol::field::to_bytes;
use placet_protocol::genesis::{Genesis, NetworkKind};
use placet_protocol::statement::{ProofBytes, Statement};
use placet_protocol::transfer::{PublicInputs, Transfer};
use placet_verifier::{BatchError, OsCoefficients, PreparedVerifyingKey, all_good, verify_batch};
use sha2::{Digest, Sha256};

use crate::recent::Recent;

/// Verification could not take place; says nothing about any proof.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no randomness from the operating system for batch verification; try again")]
pub struct Undecided;

/// Verifies transfers' proofs. The answer depends on nothing but the arguments.
pub trait ProofCheck: Send + Sync {
    /// The indices of the bad ones, ascending.
    ///
    /// # Errors
    /// [`Undecided`] if nothing could be found out.
    fn bad(&self, items: &[(PublicInputs, ProofBytes)]) -> Result<Vec<usize>, Undecided>;

    /// Whether none is bad: for those who need not know which, and who must not pay for finding it.
    ///
    /// # Errors
    /// [`Undecided`] if nothing could be found out.
    fn all_good(&self, items: &[(PublicInputs, ProofBytes)]) -> Result<bool, Undecided> {
        Ok(self.bad(items)?.is_empty())
    }
}

impl<C: ProofCheck + ?Sized> ProofCheck for Arc<C> {
    fn bad(&self, items: &[(PublicInputs, ProofBytes)]) -> Result<Vec<usize>, Undecided> {
        (**self).bad(items)
    }
    fn all_good(&self, items: &[(PublicInputs, ProofBytes)]) -> Result<bool, Undecided> {
        (**self).all_good(items)
    }
}

/// Verdicts that [`CachedCheck`] remembers unless told otherwise.
pub const CACHED_VERDICTS: usize = 65_536;

/// SHA-256 over public inputs and proof bytes in full. A key of less, as a transaction id, would
/// answer for garbage beside a proof that was verified.
type Question = [u8; 32];

fn question(public: &PublicInputs, proof: &ProofBytes) -> Question {
    let mut hasher = Sha256::new();
    hasher.update(b"placet.proof-question.v1");
    for input in Transfer::inputs(public) {
        hasher.update(to_bytes(&input));
    }
    hasher.update(proof.0);
    hasher.finalize().into()
}

/// Questions with the same answer.
type Answers = Recent<Question>;

/// Remembers verdicts. Several threads may ask at once; nobody waits for another's verification.
pub struct CachedCheck<C> {
    inner: C,
    /// Good and bad apart, so that a flood of bad proofs does not displace the good ones.
    answers: Mutex<(Answers, Answers)>,
}

impl<C> std::fmt::Debug for CachedCheck<C> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("CachedCheck")
    }
}

impl<C: ProofCheck> CachedCheck<C> {
    /// Remembers up to [`CACHED_VERDICTS`].
    pub fn new(inner: C) -> Self {
        Self::with_capacity(inner, CACHED_VERDICTS)
    }

    /// Remembers up to `most` verdicts, half of them good ones and half bad.
    pub fn with_capacity(inner: C, most: usize) -> Self {
        let side = || Answers::new(most / 2);
        Self { inner, answers: Mutex::new((side(), side())) }
    }
}

/// What is known of a list of items.
struct Lookup {
    questions: Vec<Question>,
    /// Indices of those that are known to be bad, ascending.
    bad: Vec<usize>,
    /// Indices of those that nothing is known of, ascending.
    open: Vec<usize>,
}

impl Lookup {
    /// Those that nothing is known of.
    fn asked(&self, items: &[(PublicInputs, ProofBytes)]) -> Vec<(PublicInputs, ProofBytes)> {
        self.open.iter().map(|index| items[*index].clone()).collect()
    }
}

impl<C> CachedCheck<C> {
    fn answers(&self) -> MutexGuard<'_, (Answers, Answers)> {
        self.answers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn look_up(&self, items: &[(PublicInputs, ProofBytes)]) -> Lookup {
        let questions: Vec<_> =
            items.iter().map(|(public, proof)| question(public, proof)).collect();
        let (mut bad, mut open) = (Vec::new(), Vec::new());
        let answers = self.answers();
        for (index, question) in questions.iter().enumerate() {
            if answers.1.contains(question) {
                bad.push(index);
            } else if !answers.0.contains(question) {
                open.push(index);
            }
        }
        Lookup { questions, bad, open }
    }
}

impl<C: ProofCheck> ProofCheck for CachedCheck<C> {
    fn bad(&self, items: &[(PublicInputs, ProofBytes)]) -> Result<Vec<usize>, Undecided> {
        let known = self.look_up(items);
        if known.open.is_empty() {
            return Ok(known.bad);
        }
        let found = self.inner.bad(&known.asked(items))?;
        let Lookup { questions, mut bad, open } = known;
        let mut answers = self.answers();
        for (place, index) in open.into_iter().enumerate() {
            if found.binary_search(&place).is_ok() {
                answers.1.insert(questions[index]);
                bad.push(index);
            } else {
                answers.0.insert(questions[index]);
            }
        }
        bad.sort_unstable();
        Ok(bad)
    }

    fn all_good(&self, items: &[(PublicInputs, ProofBytes)]) -> Result<bool, Undecided> {
        let known = self.look_up(items);
        if !known.bad.is_empty() || known.open.is_empty() {
            return Ok(known.bad.is_empty());
        }
        let good = self.inner.all_good(&known.asked(items))?;
        let mut answers = self.answers();
        match (good, &known.open[..]) {
            (true, open) => {
                for index in open {
                    answers.0.insert(known.questions[*index]);
                }
            }
            (false, [index]) => answers.1.insert(known.questions[*index]),
            // Nobody knows which one it was.
            (false, _) => {}
        }
        Ok(good)
    }
}

/// The key is not the one that the genesis pins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyMismatch {
    /// No pin for the statement.
    #[error("the genesis pins no verifying key for `transfer`; use a complete genesis")]
    NotPinned,
    /// Another circuit.
    #[error(
        "the verifying key is for another circuit than the genesis pins; use the network's key file"
    )]
    Circuit,
    /// Another key.
    #[error("the verifying key is not the one that the genesis pins; use the network's key file")]
    Key,
    /// Made by one machine that may know the trapdoor.
    #[error(
        "the verifying key is a development key, whose maker can forge proofs; only a development \
         network takes one, use a key from a ceremony"
    )]
    Development,
}

/// Groth16 against the key that the genesis pins.
#[derive(Debug)]
pub struct Groth16Check(PreparedVerifyingKey<Transfer>);

impl Groth16Check {
    /// Compares circuit and key with the genesis, and the key's origin with the kind of network.
    ///
    /// # Errors
    /// [`KeyMismatch`] if the genesis pins another, or it is a development key elsewhere.
    pub fn new(genesis: &Genesis, key: &VerifyingKey<Transfer>) -> Result<Self, KeyMismatch> {
        let pin = genesis.circuit(Transfer::NAME).ok_or(KeyMismatch::NotPinned)?;
        if pin.circuit_digest.0 != key.circuit().0 {
            return Err(KeyMismatch::Circuit);
        }
        if pin.verifying_key.0 != key.hash().0 {
            return Err(KeyMismatch::Key);
        }
        if genesis.kind != NetworkKind::Dev && key.origin() == Origin::Dev {
            return Err(KeyMismatch::Development);
        }
        Ok(Self(PreparedVerifyingKey::from(key)))
    }
}

impl ProofCheck for Groth16Check {
    fn bad(&self, items: &[(PublicInputs, ProofBytes)]) -> Result<Vec<usize>, Undecided> {
        let batch: Vec<_> = items.iter().map(|(public, proof)| (public, *proof)).collect();
        match verify_batch(&self.0, &batch, &mut OsCoefficients) {
            Ok(()) => Ok(Vec::new()),
            Err(BatchError::Refused(bad)) => Ok(bad.into_iter().map(|(index, _)| index).collect()),
            Err(BatchError::Randomness(_)) => Err(Undecided),
        }
    }

    fn all_good(&self, items: &[(PublicInputs, ProofBytes)]) -> Result<bool, Undecided> {
        let batch: Vec<_> = items.iter().map(|(public, proof)| (public, *proof)).collect();
        all_good(&self.0, &batch, &mut OsCoefficients).map_err(|_| Undecided)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::Ordering;

    use placet_protocol::field::Nullifier;

    use super::*;
    use crate::common::{BAD, Scripted, World};

    fn items(n: u64) -> Vec<(PublicInputs, ProofBytes)> {
        let mut world = World::memory();
        let asset = world.asset("A");
        let transfer = world.transfer(asset);
        let public = transfer.body.public_inputs(&world.chain);
        (0..n)
            .map(|i| {
                let nf_position = Nullifier::new(i.into());
                (PublicInputs { nf_position, ..public.clone() }, transfer.proof)
            })
            .collect()
    }

    fn asked(cache: &CachedCheck<Arc<Scripted>>) -> usize {
        cache.inner.asked.load(Ordering::Relaxed)
    }

    #[test]
    fn a_verdict_is_found_once_and_never_serves_for_other_bytes() {
        let cache = CachedCheck::new(Arc::new(Scripted::default()));
        let good = items(1);
        for _ in 0..3 {
            assert_eq!(cache.bad(&good), Ok(vec![]));
        }
        assert_eq!(asked(&cache), 1);
        // The same statement with garbage for a proof: asked anew, and refused.
        let mut garbage = good.clone();
        garbage[0].1.0[0] = BAD;
        for _ in 0..3 {
            assert_eq!(cache.bad(&garbage), Ok(vec![0]));
        }
        assert_eq!(asked(&cache), 2);
        // Every byte of the proof and every input counts.
        for byte in 0..good[0].1.0.len() {
            let mut other = good.clone();
            other[0].1.0[byte] ^= 0x10;
            let _ = cache.bad(&other);
        }
        let mut other = good.clone();
        other[0].0.binding += placet_protocol::Fr::from(1u8);
        let _ = cache.bad(&other);
        assert_eq!(asked(&cache), 2 + good[0].1.0.len() + 1);
        assert_eq!(cache.bad(&good), Ok(vec![]));
    }

    #[test]
    fn known_and_unknown_questions_mix() {
        let cache = CachedCheck::new(Arc::new(Scripted::default()));
        let mut items = items(6);
        for index in [1, 4] {
            items[index].1.0[0] = BAD;
        }
        assert_eq!(cache.bad(&items[3..5]), Ok(vec![1]));
        assert_eq!(cache.bad(&items), Ok(vec![1, 4]));
        assert_eq!(asked(&cache), 6);
    }

    #[test]
    fn a_batch_is_good_as_a_whole_and_what_that_shows_is_remembered() {
        let cache = CachedCheck::new(Arc::new(Scripted::default()));
        let items = items(6);
        assert_eq!(cache.all_good(&[]), Ok(true));
        assert_eq!(cache.all_good(&items[..4]), Ok(true));
        assert_eq!(asked(&cache), 4);
        assert_eq!(cache.all_good(&items[..3]), Ok(true));
        assert_eq!(cache.bad(&items[..4]), Ok(vec![]));
        assert_eq!(asked(&cache), 4);
        // A batch with a bad one tells nothing of the others, nor which it was.
        let mut mixed = items.clone();
        mixed[5].1.0[0] = BAD;
        for times in 1..=2 {
            assert_eq!(cache.all_good(&mixed), Ok(false));
            assert_eq!(asked(&cache), 4 + 2 * times);
        }
        // Known to be bad, it spoils every batch without another look.
        assert_eq!(cache.all_good(&mixed[5..]), Ok(false));
        assert_eq!(asked(&cache), 9);
        assert_eq!(cache.all_good(&mixed), Ok(false));
        assert_eq!(asked(&cache), 9);
        assert_eq!(cache.all_good(&items), Ok(true));
    }

    #[test]
    fn memory_is_bounded_and_bad_proofs_displace_no_good_ones() {
        let cache = CachedCheck::with_capacity(Arc::new(Scripted::default()), 8);
        let items = items(40);
        assert_eq!(cache.bad(&items[..4]), Ok(vec![]));
        let mut flood = items[4..].to_vec();
        for item in &mut flood {
            item.1.0[0] = BAD;
        }
        assert_eq!(cache.bad(&flood).map(|bad| bad.len()), Ok(36));
        assert_eq!(asked(&cache), 40);
        assert_eq!(cache.bad(&items[..4]), Ok(vec![]));
        assert_eq!(asked(&cache), 40);
        // What was forgotten is found out again.
        assert_eq!(cache.bad(&flood[..1]), Ok(vec![0]));
        assert_eq!(asked(&cache), 41);
    }
}
