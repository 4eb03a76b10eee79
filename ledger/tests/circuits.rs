//! Circuits come and go by height: before, at and after activation and deactivation, on blocks that
//! are not final, for convictions, and on networks with and without ceremonies. Spec §12.8.

#[path = "../../params/tests/support/ceremony.rs"]
mod ceremony;
mod common;

use std::sync::Arc;

use ark_bn254::Fr;
use ark_ec::CurveGroup;
use ceremony::{ceremony, plain_points};
use common::{Scripted, World, authority_keys, genesis};
use placet_ledger::{Backend, BadBlock, Ledger, Refusal, TimeBound};
use placet_params::transcript::ContributionKind;
use placet_params::{CircuitDigest, Origin, VerifyingKey};
use placet_protocol::assertion::{Assertion, SignedAssertion, Verdict};
use placet_protocol::block::{Block, Entry};
use placet_protocol::circuit::{CircuitId, MAX_CIRCUITS};
use placet_protocol::example::pinned_circuit;
use placet_protocol::field::AssetId;
use placet_protocol::genesis::{Checkpoint, Genesis, NetworkKind, PinnedCircuit, Sha256Digest};
use placet_protocol::statement::Statement;
use placet_protocol::transaction::circuits::{CircuitChange, NewCircuit, NumberedCircuitChange};
use placet_protocol::transaction::{ConvictAuthority, Transaction, TransferTransaction};
use placet_protocol::transfer::Transfer;

fn world() -> (World, AssetId) {
    let mut world = World::memory();
    let asset = world.asset("A");
    (world, asset)
}

fn height(world: &World) -> u64 {
    world.ledger.tip().unwrap().height
}

/// A circuit of a development network; `n` tells them apart.
fn circuit(n: u8, activation: u64) -> NewCircuit {
    let mut points = plain_points::<Transfer>();
    points.alpha_g1 = (points.alpha_g1 * Fr::from(n)).into_affine();
    let key: VerifyingKey<Transfer> =
        VerifyingKey::from_parts(points, CircuitDigest([n; 32]), Origin::Dev).unwrap();
    NewCircuit {
        statement: Transfer::NAME.into(),
        circuit_digest: Sha256Digest([n; 32]),
        points: key.to_point_bytes(),
        transcript: None,
        activation,
    }
}

fn add(world: &World, number: u64, new: NewCircuit) -> Transaction {
    world.circuits(number, CircuitChange::Add(new), 3)
}

fn deactivate(world: &World, circuit: CircuitId, height: u64) -> Transaction {
    world.circuits(
        NumberedCircuitChange::UNORDERED,
        CircuitChange::Deactivate { circuit, height },
        3,
    )
}

/// A good transfer but for its circuit.
fn transfer(world: &mut World, asset: AssetId, circuit: CircuitId) -> TransferTransaction {
    let mut transfer = world.transfer(asset);
    transfer.body.circuit = circuit;
    transfer
}

/// What the next block makes of a transfer under a circuit.
fn next(world: &mut World, asset: AssetId, circuit: CircuitId) -> Option<Refusal> {
    let transfer = transfer(world, asset, circuit);
    world.refusal(Transaction::Transfer(transfer))
}

#[test]
fn a_circuit_is_taken_from_its_activation_on() {
    let (mut world, asset) = world();
    let first = pinned_circuit().id();
    let start = height(&world);
    let new = circuit(1, start + 3);
    let id = new.id().unwrap();
    assert_eq!(next(&mut world, asset, id), Some(Refusal::CircuitUnknown));
    world.accept(vec![add(&world, 1, new)]);
    // Height start + 2, the one before; start + 3, the one; start + 4, the one after.
    assert_eq!(next(&mut world, asset, id), Some(Refusal::CircuitNotActive));
    world.wait(1);
    assert_eq!(height(&world) + 1, start + 3);
    for _ in 0..2 {
        // Both circuits prove the statement, side by side.
        let (old, new) = (transfer(&mut world, asset, first), transfer(&mut world, asset, id));
        world.accept(vec![Transaction::Transfer(old), Transaction::Transfer(new)]);
    }
    assert_eq!(height(&world), start + 4);
    let view = world.ledger.view().unwrap();
    assert_eq!(view.circuit_changes().unwrap(), 1);
    let entry = view.circuit(&id).unwrap().unwrap();
    assert_eq!((entry.activation, entry.deactivation), (start + 3, None));
    assert_eq!(view.circuits().unwrap().len(), 2);
}

#[test]
fn a_circuit_is_taken_up_to_before_its_deactivation() {
    let (mut world, asset) = world();
    let id = pinned_circuit().id();
    let end = height(&world) + 3;
    // In the very block that decides it, and in the next.
    let first = transfer(&mut world, asset, id);
    world.accept(vec![deactivate(&world, id, end), Transaction::Transfer(first)]);
    let last = transfer(&mut world, asset, id);
    world.accept(vec![Transaction::Transfer(last)]);
    assert_eq!(height(&world) + 1, end);
    for _ in 0..2 {
        assert_eq!(next(&mut world, asset, id), Some(Refusal::CircuitDeactivated));
        world.wait(1);
    }
    assert_eq!(world.ledger.view().unwrap().circuit(&id).unwrap().unwrap().deactivation, Some(end));
}

#[test]
fn a_deactivation_is_brought_forward_never_put_off_or_undone() {
    let (mut world, asset) = world();
    let id = pinned_circuit().id();
    let start = height(&world);
    world.accept(vec![deactivate(&world, id, start + 100)]);
    for later in [start + 101, u64::MAX] {
        let tx = deactivate(&world, id, later);
        assert_eq!(world.refusal(tx), Some(Refusal::CircuitHeight));
    }
    // The kill switch: the next block.
    let soonest = height(&world) + 2;
    world.accept(vec![deactivate(&world, id, soonest)]);
    assert_eq!(next(&mut world, asset, id), Some(Refusal::CircuitDeactivated));
    // Nothing brings it back.
    let tx = deactivate(&world, id, soonest + 50);
    assert_eq!(world.refusal(tx), Some(Refusal::CircuitHeight));
    // One that is deactivated before its activation is never taken.
    let start = height(&world);
    let stillborn = circuit(1, start + 3);
    let id = stillborn.id().unwrap();
    world.accept(vec![add(&world, 1, stillborn.clone())]);
    world.accept(vec![deactivate(&world, id, start + 3)]);
    assert_eq!(next(&mut world, asset, id), Some(Refusal::CircuitDeactivated));
    world.wait(1);
    assert_eq!(next(&mut world, asset, id), Some(Refusal::CircuitDeactivated));
    let again = NewCircuit { activation: start + 50, ..stillborn };
    let again = add(&world, 2, again);
    assert_eq!(world.refusal(again), Some(Refusal::CircuitKnown));
}

#[test]
fn a_deactivation_whose_height_has_passed_works_from_the_next_block_on() {
    for late in [0, 1, 5, 6] {
        let (mut world, asset) = world();
        let id = pinned_circuit().id();
        let named = height(&world) + 1;
        let switch = deactivate(&world, id, named);
        // Somebody makes blocks while the approvals travel.
        for _ in 0..late {
            world.wait(1);
        }
        let last = transfer(&mut world, asset, id);
        let at = height(&world) + 1;
        world.accept(vec![switch, Transaction::Transfer(last)]);
        let entry = world.ledger.view().unwrap().circuit(&id).unwrap().unwrap();
        assert_eq!(entry.deactivation, Some(at + 1), "the past stays as it was");
        assert_eq!(next(&mut world, asset, id), Some(Refusal::CircuitDeactivated));
    }
}

#[test]
fn no_change_approved_before_stands_in_the_way_of_a_deactivation() {
    let (mut world, asset) = world();
    let id = pinned_circuit().id();
    let soon = height(&world) + 10;
    let switch = deactivate(&world, id, soon);
    for number in [1, 2] {
        let n = u8::try_from(number).unwrap();
        world.accept(vec![add(&world, number, circuit(n, soon + 100))]);
    }
    world.accept(vec![switch]);
    assert_eq!(world.ledger.view().unwrap().circuit_changes().unwrap(), 2);
    // Nor does a deactivation burn the number of an addition.
    world.accept(vec![add(&world, 3, circuit(3, soon + 100))]);
    for number in [1, 3, 4] {
        let change = CircuitChange::Deactivate { circuit: id, height: soon - 1 };
        let tx = world.circuits(number, change, 3);
        assert_eq!(world.refusal(tx), Some(Refusal::CircuitChangeNumber));
    }
    let tx = transfer(&mut world, asset, id);
    world.accept(vec![Transaction::Transfer(tx)]);
}

#[test]
fn changes_are_numbered_and_need_a_quorum_of_sitting_authorities() {
    let (mut world, _) = world();
    let soon = height(&world) + 10;
    for number in [0, 2, u64::MAX] {
        let tx = add(&world, number, circuit(1, soon));
        assert_eq!(world.refusal(tx), Some(Refusal::CircuitChangeNumber));
    }
    let change = || CircuitChange::Add(circuit(1, soon));
    let few = world.circuits(1, change(), 2);
    assert_eq!(world.refusal(few), Some(Refusal::NoQuorum));
    // Somebody else's word does not count, nor does a word on another change.
    let Transaction::ChangeCircuits(good) = world.circuits(1, change(), 3) else { panic!() };
    let mut stranger = good.clone();
    let key = common::key(77);
    stranger.approvals.push(good.change.approve(&world.chain, &key));
    stranger.approvals.sort_by_key(|approval| approval.authority);
    assert_eq!(world.refusal(Transaction::ChangeCircuits(stranger)), Some(Refusal::NoQuorum));
    let mut other = good.clone();
    other.change.change = CircuitChange::Add(circuit(1, soon + 1));
    assert_eq!(world.refusal(Transaction::ChangeCircuits(other)), Some(Refusal::SignatureInvalid));
    let tx = Transaction::ChangeCircuits(good);
    world.accept(vec![tx.clone()]);
    assert_eq!(world.refusal(tx), Some(Refusal::AlreadyExecuted));
    assert_eq!(world.ledger.view().unwrap().circuit_changes().unwrap(), 1);
}

#[test]
fn a_key_that_is_known_does_not_come_back_under_another_digest() {
    // A genesis that pins a key without its points, as every genesis does.
    let pinned = circuit(1, 0);
    let pin = PinnedCircuit {
        statement: Transfer::NAME.into(),
        circuit_digest: pinned.circuit_digest,
        verifying_key: Sha256Digest(pinned.id().unwrap().0),
        transcript: None,
    };
    let genesis = Genesis { circuits: vec![pin], ..genesis(NetworkKind::Dev) };
    let mut world = World::of(genesis, Backend::Memory);
    let soon = height(&world) + 10;
    world.accept(vec![add(&world, 1, circuit(2, soon))]);
    for n in [1, 2] {
        let again = NewCircuit { circuit_digest: Sha256Digest([9; 32]), ..circuit(n, soon) };
        let tx = add(&world, 2, again);
        assert_eq!(world.refusal(tx), Some(Refusal::CircuitKnown));
    }
}

#[test]
fn what_is_added_must_be_a_key_of_a_known_statement_and_come_later() {
    let (mut world, _) = world();
    let soon = height(&world) + 2;
    let mut refusal = |change: &dyn Fn(&mut NewCircuit)| {
        let mut new = circuit(1, soon);
        change(&mut new);
        let tx = add(&world, 1, new);
        world.refusal(tx)
    };
    assert_eq!(refusal(&|_| ()), None);
    assert_eq!(refusal(&|new| new.activation = soon - 1), Some(Refusal::CircuitHeight));
    assert_eq!(refusal(&|new| new.activation = 0), Some(Refusal::CircuitHeight));
    let other = |new: &mut NewCircuit| new.statement = "ballot".into();
    assert_eq!(refusal(&other), Some(Refusal::CircuitStatement));
    for cut in [0, 1, 64, 1000] {
        let short = |new: &mut NewCircuit| new.points.truncate(cut);
        assert_eq!(refusal(&short), Some(Refusal::CircuitKey));
    }
    assert_eq!(refusal(&|new| new.points.push(0)), Some(Refusal::CircuitKey));
    assert_eq!(refusal(&|new| new.points[5] ^= 1), Some(Refusal::CircuitKey));
    // All zero is off the curve or at infinity, and neither will do.
    assert_eq!(refusal(&|new| new.points.fill(0)), Some(Refusal::CircuitKey));
    let claimed = |new: &mut NewCircuit| new.transcript = Some(vec![1; 100]);
    assert_eq!(refusal(&claimed), Some(Refusal::CircuitTranscript));
    let unknown = deactivate(&world, CircuitId([9; 32]), soon);
    assert_eq!(world.refusal(unknown), Some(Refusal::CircuitUnknown));
}

#[test]
fn a_ledger_knows_a_bounded_number_of_circuits() {
    let (mut world, _) = world();
    let soon = height(&world) + 100;
    let many = u8::try_from(MAX_CIRCUITS).unwrap();
    for n in 1..many {
        world.accept(vec![add(&world, n.into(), circuit(n, soon))]);
    }
    let tx = add(&world, many.into(), circuit(many, soon));
    assert_eq!(world.refusal(tx), Some(Refusal::TooManyCircuits));
}

fn propose(world: &World, on: &[Arc<Block>], entries: Vec<Entry>) -> (Arc<Block>, Vec<Refusal>) {
    let (time, proposer) = (world.time(), authority_keys()[0].public());
    let made = world.ledger.propose_on(on, entries, time, TimeBound::Any, proposer).unwrap();
    (Arc::new(made.block), made.refused.into_iter().map(|(_, refusal)| refusal).collect())
}

#[test]
fn the_kill_switch_works_on_blocks_that_are_not_final() {
    let (mut world, asset) = world();
    let id = pinned_circuit().id();
    let entry = |world: &mut World| {
        let transfer = transfer(world, asset, id);
        world.entry(Transaction::Transfer(transfer))
    };
    let [early, late] = [entry(&mut world), entry(&mut world)];
    let switch = deactivate(&world, id, height(&world) + 2);
    let (parent, refused) = propose(&world, &[], vec![world.entry(switch), early]);
    // The block with the switch still takes the circuit; the next does not.
    assert_eq!((parent.entries.len(), refused), (2, vec![]));
    let on = std::slice::from_ref(&parent);
    let (child, refused) = propose(&world, on, vec![late.clone()]);
    assert_eq!((child.entries.len(), refused), (0, vec![Refusal::CircuitDeactivated]));
    // On the committed state it would be fine, and a leader who puts it in is found out.
    let (fork, refused) = propose(&world, &[], vec![late.clone()]);
    assert_eq!((fork.entries.len(), refused), (1, vec![]));
    let mut lie = Block { header: child.header, entries: vec![late] };
    lie.header.body = placet_protocol::block::body_hash(&world.chain, &lie.entries);
    let other = Ledger::open(Backend::Memory, world.ledger.genesis().clone(), world.proofs.clone());
    let other = other.unwrap();
    for block in world.blocks() {
        other.apply(&block).unwrap();
    }
    let refusal = Refusal::CircuitDeactivated;
    let verdict = other.verify_on(on, &lie, TimeBound::Any).unwrap();
    assert_eq!(verdict, Err(BadBlock::Refused { index: 0, refusal }));
    assert_eq!(other.verify_on(&[], &fork, TimeBound::Any).unwrap(), Ok(()));
    assert_eq!(other.verify_on(on, &child, TimeBound::Any).unwrap(), Ok(()));
}

#[test]
fn a_circuit_that_is_added_and_active_on_blocks_that_are_not_final_is_taken_there_and_only_there() {
    let (mut world, asset) = world();
    let new = circuit(1, height(&world) + 2);
    let id = new.id().unwrap();
    let transfer = transfer(&mut world, asset, id);
    let transfer = world.entry(Transaction::Transfer(transfer));
    let (parent, _) = propose(&world, &[], vec![world.entry(add(&world, 1, new))]);
    let (child, refused) = propose(&world, std::slice::from_ref(&parent), vec![transfer.clone()]);
    assert_eq!((child.entries.len(), refused), (1, vec![]));
    // Having seen its key on one branch does not make another branch take it.
    let (_, refused) = propose(&world, &[], vec![transfer]);
    assert_eq!(refused, vec![Refusal::CircuitUnknown]);
}

#[test]
fn replicas_and_those_who_come_later_agree_on_every_change() {
    let (mut world, asset) = world();
    let id = pinned_circuit().id();
    let start = height(&world);
    let new = circuit(1, start + 3);
    let other = new.id().unwrap();
    world.accept(vec![add(&world, 1, new), deactivate(&world, id, start + 3)]);
    let tx = transfer(&mut world, asset, id);
    world.accept(vec![Transaction::Transfer(tx)]);
    let tx = transfer(&mut world, asset, other);
    world.accept(vec![Transaction::Transfer(tx)]);
    world.wait(1);
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("late.redb");
    let genesis = world.ledger.genesis().clone();
    let open = || {
        let proofs = Arc::new(Scripted::default());
        Ledger::open(Backend::File(&path), genesis.clone(), proofs).unwrap()
    };
    // Block by block, closed and opened again in between.
    for block in world.blocks() {
        open().apply(&block).unwrap();
    }
    let late = open();
    assert_eq!(late.tip().unwrap(), world.ledger.tip().unwrap());
    let (late, here) = (late.view().unwrap(), world.ledger.view().unwrap());
    assert_eq!(late.circuits().unwrap(), here.circuits().unwrap());
    assert_eq!(late.full_digest().unwrap(), here.full_digest().unwrap());
}

/// A verdict of the first authority on the present state.
fn verdict(
    world: &World,
    tx: &TransferTransaction,
    reject: Option<Refusal>,
) -> impl Fn(&World) -> Option<Refusal> + use<> {
    let transfer = Transaction::Transfer(tx.clone());
    let tip = world.ledger.tip().unwrap();
    let assertion = Assertion {
        transaction: transfer.id(&world.chain),
        proof_hash: transfer.proof_hash(),
        checkpoint: Checkpoint::Risk,
        verdict: reject.map_or(Verdict::Approve, |refusal| Verdict::Reject(refusal.number())),
        judged_at: tip.height,
        judged_time: tip.time,
        expires_at: tip.height + 10,
        discretionary: false,
    };
    let assertion = SignedAssertion::new(assertion, &world.chain, &authority_keys()[0]);
    let evidence = ConvictAuthority { transfer: tx.clone(), assertion };
    move |world| {
        let entry = world.entry(Transaction::ConvictAuthority(evidence.clone()));
        let executed = world.ledger.execute(vec![entry], world.time(), TimeBound::Any).unwrap();
        executed.refused().first().map(|(_, refusal)| *refusal)
    }
}

#[test]
fn verdicts_are_judged_again_by_the_height_that_they_judged() {
    const CONVICTS: Option<Refusal> = None;
    const RIGHT: Option<Refusal> = Some(Refusal::AssertionWasRight);
    let (mut world, asset) = world();
    let id = pinned_circuit().id();
    let start = height(&world);
    let later = circuit(1, start + 3);
    let (good, pending) =
        (transfer(&mut world, asset, id), transfer(&mut world, asset, later.id().unwrap()));
    let unknown = transfer(&mut world, asset, CircuitId([9; 32]));
    let reasons = [Refusal::CircuitUnknown, Refusal::CircuitNotActive, Refusal::CircuitDeactivated];
    let mut cases = Vec::new();
    // While the first circuit was active, and the other unknown.
    cases.push((verdict(&world, &good, None), RIGHT));
    cases.push((verdict(&world, &pending, None), CONVICTS));
    cases.push((verdict(&world, &unknown, None), CONVICTS));
    for reason in reasons {
        cases.push((verdict(&world, &good, Some(reason)), CONVICTS));
        cases.push((verdict(&world, &pending, Some(reason)), RIGHT));
        cases.push((verdict(&world, &unknown, Some(reason)), RIGHT));
    }
    world.accept(vec![add(&world, 1, later), deactivate(&world, id, start + 3)]);
    // For the height before both changes bind.
    cases.push((verdict(&world, &good, None), RIGHT));
    cases.push((verdict(&world, &pending, None), CONVICTS));
    cases.push((verdict(&world, &pending, Some(Refusal::CircuitNotActive)), RIGHT));
    world.wait(1);
    // For the height at which they bind.
    cases.push((verdict(&world, &good, None), CONVICTS));
    cases.push((verdict(&world, &good, Some(Refusal::CircuitDeactivated)), RIGHT));
    cases.push((verdict(&world, &good, Some(Refusal::ProofInvalid)), CONVICTS));
    cases.push((verdict(&world, &pending, None), RIGHT));
    cases.push((verdict(&world, &pending, Some(Refusal::CircuitNotActive)), CONVICTS));
    world.wait(1);
    world.wait(1);
    for (index, (outcome, expected)) in cases.into_iter().enumerate() {
        assert_eq!(outcome(&world), expected, "case {index}");
    }
    // Of a proof under a circuit that nobody knows, nobody can say anything.
    let open = verdict(&world, &unknown, Some(Refusal::ProofInvalid));
    world.wait(1);
    assert_eq!(open(&world), Some(Refusal::EvidenceUndecidable));
}

/// A network that is not for development, with a key from a ceremony.
fn grown_up() -> Genesis {
    let (key, transcript) =
        ceremony::<Transfer>(plain_points::<Transfer>(), CircuitDigest([1; 32]), 1);
    let pin = PinnedCircuit {
        statement: Transfer::NAME.into(),
        circuit_digest: Sha256Digest(key.circuit().0),
        verifying_key: Sha256Digest(key.hash().0),
        transcript: Some(Sha256Digest(transcript.hash().0)),
    };
    Genesis { circuits: vec![pin], ..genesis(NetworkKind::Other) }
}

#[test]
fn outside_of_development_a_circuit_comes_with_its_ceremony() {
    let mut world = World::of(grown_up(), Backend::Memory);
    let soon = height(&world) + 5;
    let (key, transcript) =
        ceremony::<Transfer>(plain_points::<Transfer>(), CircuitDigest([2; 32]), 2);
    let (_, others) = ceremony::<Transfer>(plain_points::<Transfer>(), CircuitDigest([2; 32]), 3);
    let honest = NewCircuit {
        statement: Transfer::NAME.into(),
        circuit_digest: Sha256Digest(key.circuit().0),
        points: key.to_point_bytes(),
        transcript: Some(transcript.to_bytes()),
        activation: soon,
    };
    let with = |transcript| NewCircuit { transcript, ..honest.clone() };
    let refused = Some(Refusal::CircuitTranscript);
    for transcript in [
        None,
        Some(Vec::new()),
        Some(others.to_bytes()),
        Some([&transcript.to_bytes()[..], &[0]].concat()),
        Some(transcript.to_bytes()[..500].to_vec()),
    ] {
        let tx = add(&world, 1, with(transcript));
        assert_eq!(world.refusal(tx), refused);
    }
    // Every byte of a transcript counts; a sample of them.
    for place in (0..transcript.to_bytes().len()).step_by(97) {
        let mut altered = transcript.to_bytes();
        altered[place] ^= 1;
        let tx = add(&world, 1, with(Some(altered)));
        let refusal = world.refusal(tx);
        // Which powers of tau it was, and how contributors call themselves, are no part of the
        // proofs of knowledge: whoever alters them makes another transcript, for which the
        // authorities would have to sign anew, as this test does.
        let hearsay = (90..155).contains(&place) || (612..620).contains(&place);
        assert!(refusal == refused || (hearsay && refusal.is_none()), "byte {place}: {refusal:?}");
    }
    // One with a beacon that takes too long for a transaction.
    let mut slow = transcript.clone();
    let last = slow.record.contributions.last_mut().unwrap();
    let ContributionKind::Beacon { iterations_exp, .. } = &mut last.kind else { panic!() };
    *iterations_exp = 21;
    let tx = add(&world, 1, with(Some(slow.to_bytes())));
    assert_eq!(world.refusal(tx), refused);
    // A key whose trapdoor somebody knows, with a transcript of somebody's ceremony.
    let mut forged = honest.clone();
    forged.points = VerifyingKey::<Transfer>::from_parts(
        plain_points::<Transfer>(),
        CircuitDigest([2; 32]),
        Origin::Dev,
    )
    .unwrap()
    .to_point_bytes();
    let tx = add(&world, 1, forged);
    assert_eq!(world.refusal(tx), refused);
    world.accept(vec![add(&world, 1, honest.clone())]);
    let entry = world.ledger.view().unwrap().circuit(&honest.id().unwrap()).unwrap().unwrap();
    assert_eq!(entry.transcript, Some(Sha256Digest(transcript.hash().0)));
    assert_eq!(entry.id.0, key.hash().0);
}
