//! Proofs of several circuits in one list, each verified under its own key: real verification, of
//! proofs that whoever knows a key's trapdoor makes at once. Spec §11.7, §12.8.

mod common;

use std::sync::Arc;

use ark_bn254::{Fr, G1Affine, G2Affine};
use ark_ec::{AffineRepr, CurveGroup};
use common::World;
use placet_ledger::{
    Backend, CachedCheck, CircuitKey, Groth16Check, Ledger, ProofCheck, ProofItem, TimeBound,
    Undecided,
};
use placet_params::key::VerifyingPoints;
use placet_params::{CircuitDigest, Origin, VerifyingKey};
use placet_protocol::block::Entry;
use placet_protocol::field::AssetId;
use placet_protocol::genesis::{Genesis, NetworkKind, PinnedCircuit, Sha256Digest};
use placet_protocol::statement::{ProofBytes, Statement};
use placet_protocol::transaction::Transaction;
use placet_protocol::transaction::circuits::{CircuitChange, NewCircuit};
use placet_protocol::transfer::{PublicInputs, Transfer};
use placet_verifier::Proof;

/// A key whose trapdoor is a small number.
struct Trapdoor {
    alpha: Fr,
    beta: Fr,
    gamma: Fr,
    delta: Fr,
    digest: u8,
}

fn g1(scalar: Fr) -> G1Affine {
    (G1Affine::generator() * scalar).into_affine()
}

fn g2(scalar: Fr) -> G2Affine {
    (G2Affine::generator() * scalar).into_affine()
}

impl Trapdoor {
    fn new(n: u8) -> Self {
        let at = |place: u64| Fr::from(1000 * u64::from(n) + place);
        Self { alpha: at(1), beta: at(2), gamma: at(3), delta: at(4), digest: n }
    }

    fn input(place: usize) -> Fr {
        Fr::from(u64::try_from(place).unwrap() + 5)
    }

    fn key(&self) -> VerifyingKey<Transfer> {
        let points = VerifyingPoints {
            alpha_g1: g1(self.alpha),
            beta_g2: g2(self.beta),
            gamma_g2: g2(self.gamma),
            delta_g2: g2(self.delta),
            gamma_abc_g1: (0..=Transfer::PUBLIC_INPUTS).map(|i| g1(Self::input(i))).collect(),
        };
        VerifyingKey::from_parts(points, CircuitDigest([self.digest; 32]), Origin::Dev).unwrap()
    }

    /// A proof of whatever is claimed: the last point is solved for.
    fn prove(&self, public: &PublicInputs, random: u64) -> ProofBytes {
        let (a, b) = (Fr::from(random), Fr::from(random + 1));
        let inputs = Transfer::inputs(public);
        let sum = inputs
            .iter()
            .enumerate()
            .fold(Self::input(0), |sum, (place, input)| sum + *input * Self::input(place + 1));
        let c = (a * b - self.alpha * self.beta - self.gamma * sum) / self.delta;
        let points = ark_groth16::Proof { a: g1(a), b: g2(b), c: g1(c) };
        Proof::<Transfer>::from_points(&points).unwrap().to_bytes()
    }

    fn pin(&self) -> PinnedCircuit {
        PinnedCircuit {
            statement: Transfer::NAME.into(),
            circuit_digest: Sha256Digest([self.digest; 32]),
            verifying_key: Sha256Digest(self.key().hash().0),
            transcript: None,
        }
    }

    fn genesis(&self) -> Genesis {
        Genesis { circuits: vec![self.pin()], ..common::genesis(NetworkKind::Dev) }
    }

    /// As a ledger hands it over: with points, if it came by transaction.
    fn circuit(&self, by_transaction: bool) -> Arc<CircuitKey> {
        Arc::new(CircuitKey {
            id: self.pin().id(),
            circuit: Sha256Digest([self.digest; 32]),
            points: by_transaction.then(|| self.key().to_point_bytes()),
        })
    }

    fn new_circuit(&self, activation: u64) -> NewCircuit {
        NewCircuit {
            statement: Transfer::NAME.into(),
            circuit_digest: Sha256Digest([self.digest; 32]),
            points: self.key().to_point_bytes(),
            transcript: None,
            activation,
        }
    }
}

/// Different claims.
fn claims(n: u64) -> Vec<PublicInputs> {
    let mut world = World::memory();
    let asset = world.asset("A");
    let transfer = world.transfer(asset);
    let public = transfer.body.public_inputs(&world.chain);
    (0..n).map(|i| PublicInputs { binding: Fr::from(i), ..public.clone() }).collect()
}

#[test]
fn every_proof_is_verified_under_the_key_of_its_own_circuit() {
    let [one, two] = [1, 2].map(Trapdoor::new);
    let check = Groth16Check::new(&one.genesis(), &one.key(), None).unwrap();
    let circuits = [one.circuit(false), two.circuit(true)];
    let item = |circuit: usize, maker: &Trapdoor, public: &PublicInputs| ProofItem {
        circuit: circuits[circuit].clone(),
        public: public.clone(),
        proof: maker.prove(public, 77),
    };
    let claims = claims(8);
    // By turns, so that a place within a key's proofs is not the place in the list.
    let makers = [&one, &two];
    let mut items: Vec<_> =
        claims.iter().enumerate().map(|(i, claim)| item(i % 2, makers[i % 2], claim)).collect();
    assert_eq!(check.bad(&items), Ok(vec![]));
    assert_eq!(check.all_good(&items), Ok(true));
    // Good proofs, each under the other's key.
    items[3] = item(1, &one, &claims[3]);
    items[6] = item(0, &two, &claims[6]);
    assert_eq!(check.bad(&items), Ok(vec![3, 6]));
    assert_eq!(check.all_good(&items), Ok(false));
    assert_eq!(check.all_good(&items[3..4]), Ok(false));
    assert_eq!(check.all_good(&items[6..7]), Ok(false));
    // And one of another claim.
    items[4].proof = one.prove(&claims[0], 78);
    assert_eq!(check.bad(&items), Ok(vec![3, 4, 6]));
}

#[test]
fn without_the_very_key_nothing_is_decided() {
    let [one, two, three] = [1, 2, 3].map(Trapdoor::new);
    let claim = &claims(1)[0];
    let asked = |circuit: CircuitKey, maker: &Trapdoor| {
        let check = Groth16Check::new(&one.genesis(), &one.key(), None).unwrap();
        let proof = maker.prove(claim, 5);
        let items = [ProofItem { circuit: Arc::new(circuit), public: claim.clone(), proof }];
        (check.bad(&items), check.all_good(&items))
    };
    let good = CircuitKey::clone(&two.circuit(true));
    assert_eq!(asked(good.clone(), &two), (Ok(vec![]), Ok(true)));
    let undecided = (Err(Undecided::NoKey), Err(Undecided::NoKey));
    let points = three.key().to_point_bytes();
    // A good key, but another's: who altered the store holds its trapdoor.
    let swapped = CircuitKey { points: Some(points), ..good.clone() };
    assert_eq!(asked(swapped, &three), undecided);
    let circuit = Sha256Digest([9; 32]);
    assert_eq!(asked(CircuitKey { circuit, ..good.clone() }, &two), undecided);
    assert_eq!(asked(CircuitKey { points: None, ..good.clone() }, &two), undecided);
    let short = CircuitKey { points: Some(vec![0; 64]), ..good };
    assert_eq!(asked(short, &two), undecided);
}

/// A transfer with a good proof under a key, or under another circuit's name.
fn entry(world: &mut World, asset: AssetId, named: &Trapdoor, maker: &Trapdoor) -> Entry {
    let mut transfer = world.transfer(asset);
    transfer.body.circuit = named.pin().id();
    transfer.proof = maker.prove(&transfer.body.public_inputs(&world.chain), 9);
    world.entry(Transaction::Transfer(transfer))
}

#[test]
fn a_ledger_that_is_opened_again_verifies_under_the_keys_of_its_state() {
    let [one, two] = [1, 2].map(Trapdoor::new);
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("ledger.redb");
    let open = || {
        let check = Groth16Check::new(&one.genesis(), &one.key(), None).unwrap();
        let check = CachedCheck::new(check);
        Ledger::open(Backend::File(&path), one.genesis(), Arc::new(check)).unwrap()
    };
    // The world makes transactions and blocks with scripted proofs; the ledger in the file judges.
    let mut world = World::of(one.genesis(), Backend::Memory);
    world.accept(vec![world.admit("attestor", &common::attestor(), 3)]);
    let asset = world.asset("A");
    let height = world.ledger.tip().unwrap().height;
    let new = two.new_circuit(height + 2);
    world.accept(vec![world.circuits(1, CircuitChange::Add(new), 3)]);
    let entries = vec![
        entry(&mut world, asset, &two, &two),
        entry(&mut world, asset, &one, &one),
        entry(&mut world, asset, &two, &one),
        entry(&mut world, asset, &one, &two),
    ];
    for block in world.blocks() {
        open().apply(&block).unwrap();
    }
    for _ in 0..2 {
        let ledger = open();
        let executed = ledger.execute(entries.clone(), world.time(), TimeBound::Any).unwrap();
        let refused: Vec<_> =
            executed.refused().iter().map(|(index, why)| (*index, *why)).collect();
        let bad = placet_ledger::Refusal::ProofInvalid;
        assert_eq!(refused, [(2, bad), (3, bad)]);
    }
}
