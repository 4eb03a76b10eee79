//! The seam to proof verification: what the ledger asks, and the answer by Groth16.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use placet_params::transcript::Transcript;
use placet_params::{CircuitDigest, Origin, PinMismatch, VerifyingKey};
use placet_protocol::circuit::CircuitId;
use placet_protocol::field::to_bytes;
use placet_protocol::genesis::{Genesis, Sha256Digest};
use placet_protocol::statement::{ProofBytes, Statement};
use placet_protocol::transfer::{PublicInputs, Transfer};
use placet_verifier::{BatchError, OsCoefficients, PreparedVerifyingKey, all_good, verify_batch};
use sha2::{Digest, Sha256};

use crate::recent::Recent;

/// Verification could not take place; says nothing about any proof.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Undecided {
    /// No randomness.
    #[error("no randomness from the operating system for batch verification; try again")]
    Randomness,
    /// The key of a circuit that the state knows is not here or was altered.
    #[error(
        "the verifying key of a circuit that this ledger knows is missing or altered; restore the store, and the network's key files"
    )]
    NoKey,
}

/// A circuit as whoever verifies its proofs needs it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CircuitKey {
    /// Its id: the hash of the key.
    pub id: CircuitId,
    /// Digest of the constraint matrices.
    pub circuit: Sha256Digest,
    /// The key's points as they stand in the ledger's state; none for a circuit of the genesis,
    /// whose key comes from a file.
    pub points: Option<Vec<u8>>,
}

/// A proof, what it claims, and under which key.
#[derive(Clone, Debug)]
pub struct ProofItem {
    /// The circuit that the transfer names.
    pub circuit: Arc<CircuitKey>,
    /// The public inputs.
    pub public: PublicInputs,
    /// The proof.
    pub proof: ProofBytes,
}

/// Verifies transfers' proofs, each under its own circuit's key. The answer depends on nothing but the arguments.
pub trait ProofCheck: Send + Sync {
    /// The indices of the bad ones, ascending.
    ///
    /// # Errors
    /// [`Undecided`] if nothing could be found out.
    fn bad(&self, items: &[ProofItem]) -> Result<Vec<usize>, Undecided>;

    /// Whether none is bad: for those who need not know which, and who must not pay for finding it.
    ///
    /// # Errors
    /// [`Undecided`] if nothing could be found out.
    fn all_good(&self, items: &[ProofItem]) -> Result<bool, Undecided> {
        Ok(self.bad(items)?.is_empty())
    }
}

impl<C: ProofCheck + ?Sized> ProofCheck for Arc<C> {
    fn bad(&self, items: &[ProofItem]) -> Result<Vec<usize>, Undecided> {
        (**self).bad(items)
    }
    fn all_good(&self, items: &[ProofItem]) -> Result<bool, Undecided> {
        (**self).all_good(items)
    }
}

/// Verdicts that [`CachedCheck`] remembers unless told otherwise.
pub const CACHED_VERDICTS: usize = 65_536;

/// SHA-256 over circuit, public inputs and proof bytes in full. A key of less, as a transaction id,
/// would answer for garbage beside a proof that was verified, or for another circuit.
type Question = [u8; 32];

fn question(item: &ProofItem) -> Question {
    let mut hasher = Sha256::new();
    hasher.update(b"placet.proof-question.v2");
    hasher.update(item.circuit.id.0);
    for input in Transfer::inputs(&item.public) {
        hasher.update(to_bytes(&input));
    }
    hasher.update(item.proof.0);
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
    fn asked(&self, items: &[ProofItem]) -> Vec<ProofItem> {
        self.open.iter().map(|index| items[*index].clone()).collect()
    }
}

impl<C> CachedCheck<C> {
    fn answers(&self) -> MutexGuard<'_, (Answers, Answers)> {
        self.answers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn look_up(&self, items: &[ProofItem]) -> Lookup {
        let questions: Vec<_> = items.iter().map(question).collect();
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
    fn bad(&self, items: &[ProofItem]) -> Result<Vec<usize>, Undecided> {
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

    fn all_good(&self, items: &[ProofItem]) -> Result<bool, Undecided> {
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
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyMismatch {
    /// No pin for the statement.
    #[error("the genesis pins no verifying key for `transfer`; use a complete genesis")]
    NotPinned,
    /// Another key, or one without its ceremony where one is needed.
    #[error(transparent)]
    Pin(#[from] PinMismatch),
}

/// A key, ready for use.
type Prepared = Arc<PreparedVerifyingKey<Transfer>>;

/// Groth16 against the key that the genesis pins, and those that the ledger learned since.
pub struct Groth16Check {
    /// Keys by circuit. An id is the hash of its key, so they are the same on every branch. A key
    /// takes megabytes and long to prepare: of threads that miss one at once, one prepares it and
    /// the others wait, while the keys of other circuits stay at hand.
    keys: Mutex<BTreeMap<CircuitId, Arc<OnceLock<Prepared>>>>,
}

impl std::fmt::Debug for Groth16Check {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Groth16Check")
    }
}

impl Groth16Check {
    /// Compares circuit and key with the genesis and, unless the network is for development,
    /// verifies that the pinned transcript vouches for the key.
    ///
    /// # Errors
    /// [`KeyMismatch`] if the genesis pins another, or the key comes from no verified ceremony
    /// where it must.
    pub fn new(
        genesis: &Genesis,
        key: &VerifyingKey<Transfer>,
        transcript: Option<&Transcript>,
    ) -> Result<Self, KeyMismatch> {
        let pin = genesis.circuit(Transfer::NAME).ok_or(KeyMismatch::NotPinned)?;
        placet_params::policy::accept(genesis.kind, pin, key, transcript)?;
        let prepared = Arc::new(PreparedVerifyingKey::from(key));
        Ok(Self { keys: Mutex::new(BTreeMap::from([(pin.id(), Arc::new(prepared.into()))])) })
    }

    /// The key of a circuit. The ledger checked the points when it took them in, so they make a key
    /// again; if the store was tampered with since, nothing is decided.
    fn key(&self, circuit: &CircuitKey) -> Result<Prepared, Undecided> {
        let keys = || self.keys.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = keys().get(&circuit.id).and_then(|place| place.get()) {
            return Ok(known.clone());
        }
        let points = circuit.points.as_ref().ok_or(Undecided::NoKey)?;
        let digest = CircuitDigest(circuit.circuit.0);
        // The origin says nothing about a proof; who may be in the state, the ledger has decided.
        let key = VerifyingKey::<Transfer>::from_point_bytes(points, digest, Origin::Dev)
            .map_err(|_| Undecided::NoKey)?;
        if key.hash().0 != circuit.id.0 {
            return Err(Undecided::NoKey);
        }
        let place = keys().entry(circuit.id).or_default().clone();
        Ok(place.get_or_init(|| Arc::new(PreparedVerifyingKey::from(&key))).clone())
    }

    /// The items by circuit, each with its index.
    fn groups<'a>(&self, items: &'a [ProofItem]) -> Result<Vec<Group<'a>>, Undecided> {
        let mut groups: BTreeMap<CircuitId, Group<'a>> = BTreeMap::new();
        for (index, item) in items.iter().enumerate() {
            let group = match groups.entry(item.circuit.id) {
                Entry::Occupied(group) => group.into_mut(),
                Entry::Vacant(place) => place.insert(Group {
                    key: self.key(&item.circuit)?,
                    indices: Vec::new(),
                    batch: Vec::new(),
                }),
            };
            group.indices.push(index);
            group.batch.push((&item.public, item.proof));
        }
        Ok(groups.into_values().collect())
    }
}

/// Proofs under one key.
struct Group<'a> {
    key: Prepared,
    /// Places in the list of all.
    indices: Vec<usize>,
    batch: Vec<(&'a PublicInputs, ProofBytes)>,
}

impl ProofCheck for Groth16Check {
    fn bad(&self, items: &[ProofItem]) -> Result<Vec<usize>, Undecided> {
        let mut bad = Vec::new();
        for group in self.groups(items)? {
            match verify_batch(&group.key, &group.batch, &mut OsCoefficients) {
                Ok(()) => {}
                Err(BatchError::Refused(refused)) => {
                    bad.extend(refused.into_iter().map(|(place, _)| group.indices[place]));
                }
                Err(BatchError::Randomness(_)) => return Err(Undecided::Randomness),
            }
        }
        bad.sort_unstable();
        Ok(bad)
    }

    fn all_good(&self, items: &[ProofItem]) -> Result<bool, Undecided> {
        for group in self.groups(items)? {
            let good = all_good(&group.key, &group.batch, &mut OsCoefficients);
            if !good.map_err(|_| Undecided::Randomness)? {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Barrier;
    use std::sync::atomic::Ordering;

    use ark_bn254::{G1Affine, G2Affine};
    use ark_ec::AffineRepr;
    use placet_params::key::VerifyingPoints;
    use placet_protocol::field::Nullifier;

    use super::*;
    use crate::common::{BAD, Scripted, World};

    fn items(n: u64) -> Vec<ProofItem> {
        let mut world = World::memory();
        let asset = world.asset("A");
        let transfer = world.transfer(asset);
        let public = transfer.body.public_inputs(&world.chain);
        let circuit = Arc::new(CircuitKey {
            id: transfer.body.circuit,
            circuit: Sha256Digest([0; 32]),
            points: None,
        });
        (0..n)
            .map(|i| {
                let nf_position = Nullifier::new(i.into());
                let public = PublicInputs { nf_position, ..public.clone() };
                ProofItem { circuit: circuit.clone(), public, proof: transfer.proof }
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
        garbage[0].proof.0[0] = BAD;
        for _ in 0..3 {
            assert_eq!(cache.bad(&garbage), Ok(vec![0]));
        }
        assert_eq!(asked(&cache), 2);
        // Every byte of the proof and every input counts.
        for byte in 0..good[0].proof.0.len() {
            let mut other = good.clone();
            other[0].proof.0[byte] ^= 0x10;
            let _ = cache.bad(&other);
        }
        let mut other = good.clone();
        other[0].public.binding += placet_protocol::Fr::from(1u8);
        let _ = cache.bad(&other);
        // And so does the circuit: a verdict under one key says nothing about another.
        let mut other = good.clone();
        let id = CircuitId([9; 32]);
        other[0].circuit = Arc::new(CircuitKey { id, ..(*good[0].circuit).clone() });
        let _ = cache.bad(&other);
        assert_eq!(asked(&cache), 2 + good[0].proof.0.len() + 2);
        assert_eq!(cache.bad(&good), Ok(vec![]));
    }

    #[test]
    fn known_and_unknown_questions_mix() {
        let cache = CachedCheck::new(Arc::new(Scripted::default()));
        let mut items = items(6);
        for index in [1, 4] {
            items[index].proof.0[0] = BAD;
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
        mixed[5].proof.0[0] = BAD;
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
            item.proof.0[0] = BAD;
        }
        assert_eq!(cache.bad(&flood).map(|bad| bad.len()), Ok(36));
        assert_eq!(asked(&cache), 40);
        assert_eq!(cache.bad(&items[..4]), Ok(vec![]));
        assert_eq!(asked(&cache), 40);
        // What was forgotten is found out again.
        assert_eq!(cache.bad(&flood[..1]), Ok(vec![0]));
        assert_eq!(asked(&cache), 41);
    }

    #[test]
    fn threads_that_miss_a_key_at_once_share_what_one_prepares() {
        let points = VerifyingPoints {
            alpha_g1: G1Affine::generator(),
            beta_g2: G2Affine::generator(),
            gamma_g2: G2Affine::generator(),
            delta_g2: G2Affine::generator(),
            gamma_abc_g1: vec![G1Affine::generator(); Transfer::PUBLIC_INPUTS + 1],
        };
        let digest = CircuitDigest([1; 32]);
        let key = VerifyingKey::<Transfer>::from_parts(points, digest, Origin::Dev).unwrap();
        let circuit = CircuitKey {
            id: CircuitId(key.hash().0),
            circuit: Sha256Digest(digest.0),
            points: Some(key.to_point_bytes()),
        };
        let check = Groth16Check { keys: Mutex::default() };
        let together = Barrier::new(4);
        let ask = || {
            together.wait();
            check.key(&circuit).unwrap()
        };
        let found: Vec<Prepared> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..4).map(|_| scope.spawn(ask)).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        assert!(found.iter().all(|prepared| Arc::ptr_eq(prepared, &found[0])));
        // What is known needs no points; what is not, leaves nothing behind.
        let known = CircuitKey { points: None, ..circuit.clone() };
        assert!(check.key(&known).is_ok_and(|prepared| Arc::ptr_eq(&prepared, &found[0])));
        let other = CircuitKey { id: CircuitId([9; 32]), ..circuit.clone() };
        assert!(check.key(&other).is_err());
        assert_eq!(check.keys.lock().unwrap().len(), 1);
    }
}
