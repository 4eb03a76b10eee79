//! The adapter, run on the committed bytecode: a token's question, answered from a proof and a
//! quorum's roots, and every way to get a yes that should be a no.

mod common;

use common::{
    ALICE, BOB, CAROL, EVM_CHAIN, OWNER, Outcome, Proven, RELAY, WINDOW, World, account, bytecode,
    error, example, no, ordinary, prove_for, yes,
};
use placet_evm::word::Word;
use placet_evm::{Address, Roots, Signature, SignerChange, SigningKey, TokenTransfer, calls};
use placet_protocol::example::NOW;
use placet_protocol::field::{NoteRoot, PolicyHash, RegistryRoot, SanctionsRoot};
use placet_protocol::transfer::Mode;

const DONE: Outcome = Outcome::Returned(vec![]);

/// A world whose roots are posted.
fn world() -> World {
    let mut world = World::new();
    let roots = world.roots(ordinary().0);
    assert_eq!(world.post(&roots), DONE);
    world
}

/// A world in which Alice may send to Bob.
fn authorised() -> World {
    let mut world = world();
    let transfer = world.transfer();
    assert_eq!(world.authorise(ordinary().1, &transfer), DONE);
    world
}

/// The same roots, later.
fn later(roots: Roots, by: u64) -> Roots {
    Roots { height: roots.height + by, time: roots.time + by, ..roots }
}

#[test]
fn a_proof_permits_one_transfer() {
    let (example, proven) = ordinary();
    let mut world = World::new();
    let roots = world.roots(example);
    assert_eq!(world.can_transfer(account(ALICE), account(BOB), 100), no());
    assert_eq!(world.move_tokens(account(ALICE), account(BOB), 100), error("NotCompliant"));

    assert_eq!(world.post(&roots), DONE);
    println!("gas of postRoots with 3 of 4 signatures, as a transaction: {}", world.machine.gas);
    world.machine.time = NOW + 1;
    assert_eq!(world.post(&later(roots, 1)), DONE);
    println!("gas of postRoots, roots as before: {}", world.machine.gas);
    assert_eq!(world.authorise(proven, &world.transfer()), DONE);
    println!("gas of authorise, as a transaction: {}", world.machine.gas);
    assert_eq!(world.can_transfer(account(ALICE), account(BOB), 100), yes());
    println!("gas of canTransfer, as a transaction: {}", world.machine.gas);

    // Only these two, in this direction, and this amount.
    for (from, to, amount) in [
        (ALICE, BOB, 99),
        (ALICE, BOB, 101),
        (BOB, ALICE, 100),
        (ALICE, CAROL, 100),
        (CAROL, BOB, 100),
    ] {
        assert_eq!(world.can_transfer(account(from), account(to), amount), no());
    }
    assert_eq!(world.move_tokens(account(ALICE), account(BOB), 100), yes());
    println!("gas of the token's transfer, as a transaction: {}", world.machine.gas);
    assert_eq!((world.balance(account(ALICE)), world.balance(account(BOB))), (900, 100));
    assert_eq!(world.can_transfer(account(ALICE), account(BOB), 100), no());
    assert_eq!(world.move_tokens(account(ALICE), account(BOB), 100), error("NotCompliant"));
    assert_eq!(world.balance(account(BOB)), 100);
}

#[test]
fn a_proof_is_used_once_and_so_are_its_nullifiers() {
    let mut world = authorised();
    let transfer = world.transfer();
    let proven = ordinary().1;
    assert_eq!(world.authorise(proven, &transfer), error("NullifierUsed"));
    // Nor after its permission was used.
    assert_eq!(world.move_tokens(account(ALICE), account(BOB), 100), yes());
    assert_eq!(world.authorise(proven, &transfer), error("NullifierUsed"));
    // Nor as another proof of the same: re-randomised, or proven again, or for another transfer.
    let again = prove_for(ordinary().0.clone(), &transfer);
    assert_ne!(again.proof, proven.proof);
    assert_eq!(world.authorise(&again, &transfer), error("NullifierUsed"));
    let other = TokenTransfer { to: account(CAROL), ..transfer };
    let again = prove_for(ordinary().0.clone(), &other);
    assert_eq!(world.authorise(&again, &other), error("NullifierUsed"));
}

/// Adding r gives another word that means the same element; the verifier refuses it.
#[test]
fn a_nullifier_in_another_form_is_not_a_new_one() {
    let mut world = authorised();
    let transfer = world.transfer();
    let mut proven = ordinary().1.clone();
    let order: Word =
        "21888242871839275222246405745257275088548364400416034343698204186575808495617"
            .parse()
            .unwrap();
    for i in [6, 7] {
        let mut carry = 0u16;
        for k in (0..32).rev() {
            carry += u16::from(proven.inputs[i].0[k]) + u16::from(order.0[k]);
            proven.inputs[i].0[k] = carry.to_be_bytes()[1];
            carry >>= 8;
        }
    }
    // The binding hashes the words, so it would have to be another; take the contract's.
    proven.inputs[16] = contract_binding(&mut world, &proven, &transfer);
    assert_eq!(world.move_tokens(account(ALICE), account(BOB), 100), yes());
    assert_eq!(world.authorise(&proven, &transfer), error("ProofRefused"));
}

fn contract_binding(world: &mut World, proven: &Proven, transfer: &TokenTransfer) -> Word {
    let rest =
        [transfer.from.word(), transfer.to.word(), transfer.amount, transfer.deadline.into()];
    let call = calls::call(
        "bindingOf(uint256[17],address,address,uint256,uint64)",
        &[&proven.inputs[..], &rest].concat(),
    );
    let output = world.machine.done(account(RELAY), world.adapter.address, call);
    Word(output.try_into().unwrap())
}

#[test]
fn binding_and_digests_are_the_contracts() {
    let (example, proven) = ordinary();
    let mut world = World::new();
    let transfer = world.transfer();
    let binding = transfer.binding(&example.public);
    assert_eq!(contract_binding(&mut world, proven, &transfer), Word::from(&binding));
    assert_eq!(proven.inputs[16], Word::from(&binding));

    let roots = Roots { oldest: 3, ..world.roots(example) };
    let signature = "rootsDigest((uint64,uint64,uint64,uint256,uint256,uint256,uint256))";
    let call = calls::call(signature, &roots.words());
    let output = world.machine.done(account(RELAY), world.adapter.address, call);
    assert_eq!(output, roots.digest(&world.adapter).0);

    let change = SignerChange { number: 1, signers: world.addresses() };
    let mut words = vec![change.number.into(), Word::from(64), Word::from(4)];
    words.extend(change.signers.iter().map(Address::word));
    let call = calls::call("signersDigest(uint64,address[])", &words);
    let output = world.machine.done(account(RELAY), world.adapter.address, call);
    assert_eq!(output, change.digest(&world.adapter).0);
}

#[test]
fn a_proof_serves_no_other_transfer() {
    let mut world = world();
    let transfer = world.transfer();
    let proven = ordinary().1;
    for (what, other) in [
        ("from", TokenTransfer { from: account(CAROL), ..transfer }),
        ("to", TokenTransfer { to: account(CAROL), ..transfer }),
        ("exchanged", TokenTransfer { from: transfer.to, to: transfer.from, ..transfer }),
        ("amount", TokenTransfer { amount: Word::from(101), ..transfer }),
        ("deadline", TokenTransfer { deadline: transfer.deadline + 1, ..transfer }),
    ] {
        assert_eq!(world.authorise(proven, &other), error("BindingDiffers"), "{what}");
    }
    // A binding that fits the other transfer is another public input.
    let other = TokenTransfer { to: account(CAROL), ..transfer };
    let mut rebound = proven.clone();
    rebound.inputs[16] = Word::from(&other.binding(&proven.public));
    assert_eq!(world.authorise(&rebound, &other), error("ProofRefused"));
    // Nothing of this used anything up.
    assert_eq!(world.authorise(proven, &transfer), DONE);
}

#[test]
fn a_proof_serves_no_other_adapter_token_or_chain() {
    let (example, proven) = ordinary();
    // Another adapter of the same token, with the same signers.
    let mut world = world();
    let second = world.deploy_adapter(world.token);
    world.bind(second);
    world.adapter.address = second;
    assert_eq!(world.post(&world.roots(example)), DONE);
    assert_eq!(world.authorise(proven, &world.transfer()), error("BindingDiffers"));

    // An adapter of another token; the first world's address cannot be had again on one chain, so
    // the message is checked: it differs by the token alone.
    let transfer = world.transfer();
    let other = TokenTransfer { token: account(CAROL), ..transfer };
    assert_ne!(other.binding(&example.public), transfer.binding(&example.public));
    let mut world = World::new();
    let token = world.machine.deploy(account(OWNER), bytecode("TestToken"));
    world.adapter.address = world.deploy_adapter(token);
    world.token = token;
    world.bind(world.adapter.address);
    assert_eq!(world.post(&world.roots(example)), DONE);
    assert_eq!(world.authorise(proven, &world.transfer()), error("BindingDiffers"));

    // Another chain, where everything has the same addresses.
    let mut elsewhere = World::on(EVM_CHAIN + 1);
    let first = World::new();
    assert_eq!(elsewhere.adapter.address, first.adapter.address);
    assert_eq!(elsewhere.post(&elsewhere.roots(example)), DONE);
    assert_eq!(elsewhere.authorise(proven, &elsewhere.transfer()), error("BindingDiffers"));
}

/// A fork of the chain after everything was deployed: same contracts, another chain id.
#[test]
fn nothing_signed_or_proven_before_a_fork_serves_on_the_other_side() {
    let (example, proven) = ordinary();
    let mut world = World::new();
    let roots = world.roots(example);
    let signed = calls::post_roots(&roots, &world.signatures(&roots));
    world.machine.evm_chain += 1;
    let adapter = world.adapter.address;
    let outcome = world.machine.call(account(RELAY), adapter, signed);
    assert!(matches!(outcome, Outcome::Reverted(_)), "{outcome:?}");
    let transfer = world.transfer();
    world.adapter.evm_chain += 1;
    assert_eq!(world.post(&roots), DONE);
    assert_eq!(world.authorise(proven, &transfer), error("BindingDiffers"));
}

/// A transfer of Placet's ledger proves the same statement; its binding begins otherwise.
#[test]
fn a_proof_from_the_ledger_serves_no_token() {
    let mut world = world();
    let transfer = world.transfer();
    // The example's own binding stands for any that is not this adapter's.
    let proven = common::prove(ordinary().0);
    assert_eq!(world.authorise(&proven, &transfer), error("BindingDiffers"));
}

#[test]
fn a_wrong_proof_permits_nothing() {
    let mut world = world();
    let transfer = world.transfer();
    let mut wrong = ordinary().1.clone();
    wrong.proof[..2].copy_from_slice(&ordinary().1.proof[6..]);
    assert_eq!(world.authorise(&wrong, &transfer), error("ProofRefused"));
    let mut wrong = ordinary().1.clone();
    wrong.inputs[13] = Word::from(1); // a disclosure, which the adapter does not look at
    assert_eq!(world.authorise(&wrong, &transfer), error("ProofRefused"));
    assert_eq!(world.can_transfer(account(ALICE), account(BOB), 100), no());
}

#[test]
fn what_no_honest_proof_shows_is_refused_before_the_proof() {
    let mut world = world();
    let transfer = world.transfer();
    let honest = ordinary().1;
    let with = |index: usize, word: Word| {
        let mut proven = honest.clone();
        proven.inputs[index] = word;
        proven
    };
    assert_eq!(
        world.authorise(&with(11, Word::from(2)), &transfer),
        error("HoldersDeltaOutOfRange")
    );
    assert_eq!(world.authorise(&with(12, Word::from(1)), &transfer), error("RedemptionRefused"));
    let mut equal = with(7, honest.inputs[6]);
    equal.inputs[16] = contract_binding(&mut world, &equal, &transfer);
    assert_eq!(world.authorise(&equal, &transfer), error("NullifiersEqual"));
    for (from, to) in [(Address::ZERO, account(BOB)), (account(ALICE), Address::ZERO)] {
        let transfer = TokenTransfer { from, to, ..transfer };
        assert_eq!(world.authorise(honest, &transfer), error("ZeroAddress"));
    }
}

#[test]
fn roots_that_nobody_signed_are_unknown() {
    let honest = ordinary().1;
    let mut world = World::new();
    let transfer = world.transfer();
    assert_eq!(world.authorise(honest, &transfer), error("RootsUnknown"));
    let roots = world.roots(ordinary().0);
    // Each of the four values counts, and both note roots.
    for i in 0..5 {
        let mut proven = honest.clone();
        proven.inputs[i] = Word::from(7);
        assert_eq!(world.authorise(&proven, &transfer), error("RootsUnknown"), "input {i}");
    }
    let one = placet_protocol::example::element("another", 0);
    for (height, other) in [
        Roots { note_root: NoteRoot::new(one), ..roots },
        Roots { registry_root: RegistryRoot::new(one), ..roots },
        Roots { sanctions_root: SanctionsRoot::new(one), ..roots },
        Roots { policy: PolicyHash::new(one), ..roots },
    ]
    .into_iter()
    .enumerate()
    {
        let other = Roots { height: height as u64 + 1, ..other };
        assert_eq!(world.post(&other), DONE);
        assert_eq!(world.authorise(honest, &transfer), error("RootsUnknown"), "{height}");
    }
    assert_eq!(world.post(&roots), DONE);
    assert_eq!(world.authorise(honest, &transfer), DONE);
}

#[test]
fn proofs_are_good_for_the_window_and_not_before_their_roots() {
    let proven = ordinary().1;
    let posted = |time: u64| {
        let mut world = World::new();
        world.machine.time = time.max(NOW);
        let roots = Roots { time, ..world.roots(ordinary().0) };
        assert_eq!(world.post(&roots), DONE);
        world
    };
    // `now` of the proof is NOW. Roots of an earlier block cannot be what it was made with.
    let mut world = posted(NOW - 1);
    assert_eq!(world.authorise(proven, &world.transfer()), error("NowOutsideWindow"));
    // The same roots still stood later.
    let mut world = posted(NOW + 100);
    assert_eq!(world.authorise(proven, &world.transfer()), DONE);
    // Age counts from `now`, not from when the roots were last posted.
    let mut world = posted(NOW + WINDOW);
    world.machine.time = NOW + WINDOW + 1;
    let transfer = TokenTransfer { deadline: NOW + WINDOW + 1, ..world.transfer() };
    assert_eq!(world.authorise(proven, &transfer), error("NowOutsideWindow"));
    // On the last second of the window the deadline has passed.
    world.machine.time = NOW + WINDOW;
    assert_eq!(world.authorise(proven, &world.transfer()), error("DeadlineOutsideWindow"));
}

#[test]
fn no_permission_outlives_the_window() {
    let mut world = world();
    let transfer = world.transfer();
    let example = ordinary().0.clone();
    let late = TokenTransfer { deadline: NOW + WINDOW + 1, ..transfer };
    let proven = prove_for(example.clone(), &late);
    assert_eq!(world.authorise(&proven, &late), error("DeadlineOutsideWindow"));
    let past = TokenTransfer { deadline: NOW - 1, ..transfer };
    let proven = prove_for(example.clone(), &past);
    assert_eq!(world.authorise(&proven, &past), error("DeadlineOutsideWindow"));
    let last = TokenTransfer { deadline: NOW + WINDOW, ..transfer };
    let proven = prove_for(example, &last);
    assert_eq!(world.authorise(&proven, &last), DONE);
}

#[test]
fn an_expired_permission_is_none() {
    let mut world = authorised();
    let deadline = world.transfer().deadline;
    let until = calls::call(
        "permissionUntil(address,address,uint256)",
        &[account(ALICE).word(), account(BOB).word(), Word::from(100)],
    );
    let adapter = world.adapter.address;
    world.machine.time = deadline;
    assert_eq!(world.can_transfer(account(ALICE), account(BOB), 100), yes());
    let said = world.machine.done(account(RELAY), adapter, until.clone());
    assert_eq!(said, Word::from(deadline).0);
    world.machine.time = deadline + 1;
    assert_eq!(world.can_transfer(account(ALICE), account(BOB), 100), no());
    assert_eq!(world.machine.done(account(RELAY), adapter, until), Word::from(0).0);
    assert_eq!(world.move_tokens(account(ALICE), account(BOB), 100), error("NotCompliant"));
    assert_eq!(world.balance(account(ALICE)), 1_000);
}

/// What an urgent revocation is for: nothing that rests on older roots goes on.
#[test]
fn raising_the_oldest_height_ends_proofs_and_permissions() {
    let (example, proven) = ordinary();
    let other = placet_protocol::example::element("revoked", 0);
    let urgent = |world: &World| Roots {
        height: 11,
        oldest: 11,
        registry_root: RegistryRoot::new(other),
        ..world.roots(example)
    };
    // Before the proof comes.
    let mut world = world();
    let revoked = urgent(&world);
    assert_eq!(world.post(&revoked), DONE);
    assert_eq!(world.authorise(proven, &world.transfer()), error("RootsTooOld"));
    // After it came.
    let mut world = authorised();
    assert_eq!(world.post(&revoked), DONE);
    assert_eq!(world.can_transfer(account(ALICE), account(BOB), 100), no());
    assert_eq!(world.move_tokens(account(ALICE), account(BOB), 100), error("NotCompliant"));
    // A later message without the mark does not lower it.
    world.machine.time = NOW + 2;
    assert_eq!(world.post(&Roots { oldest: 0, ..later(revoked, 1) }), DONE);
    assert_eq!(world.can_transfer(account(ALICE), account(BOB), 100), no());
    // And a height that is not there yet shuts out nothing by mistake.
    let wild = Roots { oldest: 99, ..later(revoked, 2) };
    assert_eq!(world.post(&wild), error("OldestAboveHeight"));
}

#[test]
fn roots_only_become_newer_and_are_never_of_the_future() {
    let mut world = world();
    let roots = world.roots(ordinary().0);
    assert_eq!(world.post(&roots), error("HeightNotNewer"), "the same message again");
    assert_eq!(world.post(&Roots { height: 9, ..roots }), error("HeightNotNewer"));
    assert_eq!(world.post(&Roots { height: 11, time: NOW - 1, ..roots }), error("TimeBackwards"));
    assert_eq!(world.post(&Roots { height: 11, time: NOW + 1, ..roots }), error("TimeInTheFuture"));
    world.machine.time = NOW + 1;
    assert_eq!(world.post(&Roots { height: 11, time: NOW + 1, ..roots }), DONE);
    assert_eq!(world.post(&Roots { height: 12, time: NOW + 1, ..roots }), DONE);
}

#[test]
fn only_a_quorum_of_distinct_signers_posts_roots() {
    let mut world = World::new();
    let roots = world.roots(ordinary().0);
    let digest = roots.digest(&world.adapter);
    let all: Vec<Signature> = world.signers.iter().map(|key| key.sign(&digest)).collect();
    let stranger = SigningKey::from_bytes(&[9; 32]).unwrap();
    // The stranger's signature at its place in the order.
    let mut with_stranger: Vec<(Address, Signature)> =
        world.addresses().into_iter().zip(all.clone()).take(2).collect();
    with_stranger.push((stranger.address(), stranger.sign(&digest)));
    with_stranger.sort_by_key(|(address, _)| *address);
    let with_stranger: Vec<Signature> = with_stranger.into_iter().map(|(_, s)| s).collect();
    let negated = |signature: Signature| {
        let order: Word =
            "0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141".parse().unwrap();
        let mut s = [0u8; 32];
        let mut borrow = 0i32;
        for i in (0..32).rev() {
            let value = i32::from(order.0[i]) - i32::from(signature.s[i]) - borrow;
            s[i] = u8::try_from(value.rem_euclid(256)).unwrap();
            borrow = i32::from(value < 0);
        }
        Signature { s, v: 55 - signature.v, ..signature }
    };
    let v = |signature: Signature, v: u8| Signature { v, ..signature };
    let other = later(roots, 1).digest(&world.adapter);

    let adapter = world.adapter.address;
    let mut post = |signatures: &[Signature]| {
        let call = calls::post_roots(&roots, signatures);
        world.machine.call(account(RELAY), adapter, call)
    };
    assert_eq!(post(&[]), error("QuorumMissing"));
    assert_eq!(post(&all[..2]), error("QuorumMissing"));
    assert_eq!(post(&[all[0], all[0], all[1]]), error("SignaturesNotAscending"), "one twice");
    assert_eq!(post(&[all[0], all[1], all[1]]), error("SignaturesNotAscending"), "one twice");
    assert_eq!(post(&[all[0], negated(all[0]), all[1]]), error("SignatureMalformed"), "both forms");
    assert_eq!(post(&[all[1], all[0], all[2]]), error("SignaturesNotAscending"), "order");
    assert_eq!(post(&with_stranger), error("NotASigner"));
    assert_eq!(post(&[all[0], all[1], negated(all[2])]), error("SignatureMalformed"), "high s");
    for wrong in [0, 1, 26, 29, 255] {
        assert_eq!(post(&[all[0], all[1], v(all[2], wrong)]), error("SignatureMalformed"), "v");
    }
    let nobody = Signature { r: [0; 32], s: [0; 32], v: 27 };
    assert_eq!(post(&[nobody, all[0], all[1]]), error("SignatureMalformed"), "nobody");
    // A signature over other roots is somebody else's over these.
    let over_other = signing_key(2).sign(&other);
    let outcome = post(&[all[0], all[1], over_other]);
    assert!(
        [error("NotASigner"), error("SignaturesNotAscending")].contains(&outcome),
        "{outcome:?}"
    );
    // A good quorum is not mended by a bad one more.
    assert_eq!(post(&[all[0], all[1], all[2], nobody]), error("SignatureMalformed"));
    assert_eq!(post(&all[..3]), DONE);
}

fn signing_key(index: usize) -> SigningKey {
    common::signing_keys().remove(index)
}

#[test]
fn signers_change_by_their_quorum_in_numbered_steps() {
    let mut world = world();
    let adapter = world.adapter.address;
    let mut next: Vec<SigningKey> =
        (11..=12).map(|i| SigningKey::from_bytes(&[i; 32]).unwrap()).collect();
    next.sort_by_key(SigningKey::address);
    let addresses: Vec<Address> = next.iter().map(SigningKey::address).collect();
    let signed = |by: &[SigningKey], change: &SignerChange, world: &World| {
        let digest = change.digest(&world.adapter);
        let signatures: Vec<_> = by.iter().map(|key| key.sign(&digest)).collect();
        calls::change_signers(change, &signatures)
    };
    let change = |number: u64, signers: Vec<Address>| SignerChange { number, signers };
    let first = change(1, addresses.clone());
    let good = signed(&world.signers[..3], &first, &world);

    let few = signed(&world.signers[..2], &first, &world);
    assert_eq!(world.machine.call(account(RELAY), adapter, few), error("QuorumMissing"));
    let jump = signed(&world.signers[..3], &change(2, addresses.clone()), &world);
    assert_eq!(world.machine.call(account(RELAY), adapter, jump), error("NotTheNextChange"));
    for (list, refused) in [
        (vec![], "TooManySigners"),
        ((1..=65).map(account).collect(), "TooManySigners"),
        (vec![addresses[1], addresses[0]], "SignersNotAscending"),
        (vec![addresses[0], addresses[0]], "SignersNotAscending"),
        (vec![Address::ZERO, addresses[0]], "SignersNotAscending"),
    ] {
        let call = signed(&world.signers[..3], &change(1, list), &world);
        assert_eq!(world.machine.call(account(RELAY), adapter, call), error(refused));
    }
    let strangers = signed(&next, &first, &world);
    assert_eq!(world.machine.call(account(RELAY), adapter, strangers), error("QuorumMissing"));

    assert_eq!(world.machine.call(account(RELAY), adapter, good.clone()), DONE);
    println!("gas of changeSigners, as a transaction: {}", world.machine.gas);
    assert_eq!(world.machine.call(account(RELAY), adapter, good), error("NotTheNextChange"));
    // Those who left sign no more, those who came do.
    let roots = later(world.roots(ordinary().0), 1);
    world.machine.time = NOW + 1;
    assert_eq!(world.post(&roots), error("NotASigner"));
    let digest = roots.digest(&world.adapter);
    let signatures: Vec<_> = next.iter().map(|key| key.sign(&digest)).collect();
    let call = calls::post_roots(&roots, &signatures);
    assert_eq!(world.machine.call(account(RELAY), adapter, call), DONE);
    // And nobody sits because of an older list: back to the first signers, then to others.
    let back = signed(&next, &change(2, world.addresses()), &world);
    assert_eq!(world.machine.call(account(RELAY), adapter, back), DONE);
    let call = calls::post_roots(&later(roots, 1), &signatures);
    world.machine.time = NOW + 2;
    let outcome = world.machine.call(account(RELAY), adapter, call);
    assert!(matches!(outcome, Outcome::Reverted(_)));
    assert_eq!(world.post(&later(roots, 1)), DONE);
}

#[test]
fn a_change_of_signers_is_no_message_about_roots_and_of_no_other_adapter() {
    let mut world = world();
    let second = world.deploy_adapter(world.token);
    let change = SignerChange { number: 1, signers: vec![account(1)] };
    let digest = change.digest(&world.adapter);
    let signatures: Vec<_> = world.signers[..3].iter().map(|key| key.sign(&digest)).collect();
    let call = calls::change_signers(&change, &signatures);
    let outcome = world.machine.call(account(RELAY), second, call.clone());
    assert!(matches!(outcome, Outcome::Reverted(ref error) if !error.is_empty()), "{outcome:?}");
    let adapter = world.adapter.address;
    assert_eq!(world.machine.call(account(RELAY), adapter, call), DONE);
}

#[test]
fn one_permission_at_a_time_for_one_transfer() {
    let mut world = world();
    let first = world.transfer();
    // A second holder's proof for the same three, while the first permission lives.
    let second = prove_for(example(Mode::Absent, true), &first);
    assert_eq!(world.authorise(ordinary().1, &first), DONE);
    let note =
        Roots { note_root: NoteRoot::new(word_of(&second)), ..later(world.roots(ordinary().0), 1) };
    world.machine.time = NOW + 1;
    assert_eq!(world.post(&note), DONE);
    assert_eq!(world.authorise(&second, &first), error("PermissionExists"));
    // Its nullifiers are still good: once the first is used the second serves.
    assert_eq!(world.move_tokens(account(ALICE), account(BOB), 100), yes());
    assert_eq!(world.authorise(&second, &first), DONE);
    assert_eq!(world.move_tokens(account(ALICE), account(BOB), 100), yes());
    assert_eq!(world.move_tokens(account(ALICE), account(BOB), 100), error("NotCompliant"));
    assert_eq!(world.balance(account(BOB)), 200);
}

#[test]
fn a_permission_that_lasts_longer_takes_the_place_of_one_about_to_end() {
    let mut world = world();
    let long = world.transfer();
    // Somebody hands in one for the same three that ends with this very block.
    let short = TokenTransfer { deadline: NOW + 1, ..long };
    let squatter = prove_for(example(Mode::Absent, true), &short);
    let note = Roots {
        note_root: NoteRoot::new(word_of(&squatter)),
        ..later(world.roots(ordinary().0), 1)
    };
    world.machine.time = NOW + 1;
    assert_eq!(world.post(&note), DONE);
    assert_eq!(world.authorise(&squatter, &short), DONE);
    assert_eq!(world.authorise(ordinary().1, &long), DONE);
    world.machine.time = NOW + 2;
    assert_eq!(world.move_tokens(account(ALICE), account(BOB), 100), yes());
    assert_eq!(world.move_tokens(account(ALICE), account(BOB), 100), error("NotCompliant"));
}

fn word_of(proven: &Proven) -> ark_bn254::Fr {
    proven.public.position_root.get()
}

/// The genesis example's note tree is another one, and shows that the position root of a proof
/// without a position counts all the same.
#[test]
fn a_holder_without_a_position_proves_too() {
    let mut world = World::new();
    let transfer = world.transfer();
    let proven = prove_for(example(Mode::Absent, true), &transfer);
    let roots = Roots { note_root: proven.public.position_root, ..world.roots(ordinary().0) };
    assert_eq!(world.post(&roots), DONE);
    assert_eq!(world.authorise(&proven, &transfer), DONE);
}

#[test]
fn permissions_serve_transfer_from_and_are_used_by_forced_transfers() {
    let mut world = authorised();
    let token = world.token;
    let approve =
        calls::call("approve(address,uint256)", &[account(CAROL).word(), Word::from(500)]);
    world.machine.done(account(ALICE), token, approve);
    let words = |from: u8, to: u8| [account(from).word(), account(to).word(), Word::from(100)];
    let pull = |from, to| calls::call("transferFrom(address,address,uint256)", &words(from, to));
    // The spender is nobody's business; the owner and the receiver are.
    let to_carol = world.machine.call(account(CAROL), token, pull(ALICE, CAROL));
    assert_eq!(to_carol, error("NotCompliant"));
    assert_eq!(world.machine.call(account(CAROL), token, pull(ALICE, BOB)), yes());
    let again = world.machine.call(account(CAROL), token, pull(ALICE, BOB));
    assert_eq!(again, error("NotCompliant"));

    let force = calls::call("forcedTransfer(address,address,uint256)", &words(ALICE, BOB));
    let owner = account(OWNER);
    assert_eq!(world.machine.call(owner, token, force.clone()), error("NoPermission"));
    let mut world = authorised();
    assert_eq!(world.machine.call(owner, token, force.clone()), DONE);
    assert_eq!(world.machine.call(owner, token, force), error("NoPermission"));
    assert_eq!(world.balance(account(BOB)), 100);
}

#[test]
fn a_transfer_that_enters_again_finds_nothing_left() {
    let mut world = world();
    let token = world.token;
    let receiver = world.machine.deploy(account(OWNER), bytecode("ReenteringReceiver"));
    let transfer = TokenTransfer { to: receiver, ..world.transfer() };
    let proven = prove_for(ordinary().0.clone(), &transfer);
    assert_eq!(world.authorise(&proven, &transfer), DONE);
    let hooks = calls::call("setHooks(bool)", &[Word::from(1)]);
    world.machine.done(account(OWNER), token, hooks);
    let approve = calls::call("approve(address,uint256)", &[receiver.word(), Word::from(500)]);
    world.machine.done(account(ALICE), token, approve);
    assert_eq!(world.move_tokens(account(ALICE), receiver, 100), error("NoPermission"));
    assert_eq!(world.balance(receiver), 0, "neither of the two happened");
    // Without the second attempt the permission is still there.
    let hooks = calls::call("setHooks(bool)", &[Word::from(0)]);
    world.machine.done(account(OWNER), token, hooks);
    assert_eq!(world.move_tokens(account(ALICE), receiver, 100), yes());
}

#[test]
fn zero_amounts_and_transfers_to_oneself_are_no_exceptions() {
    let mut world = world();
    for (to, amount) in [(BOB, 0), (ALICE, 100), (ALICE, 0)] {
        let outcome = world.move_tokens(account(ALICE), account(to), amount);
        assert_eq!(outcome, error("NotCompliant"), "{amount}");
    }
    let transfer = TokenTransfer { to: account(ALICE), amount: Word::from(0), ..world.transfer() };
    let proven = prove_for(ordinary().0.clone(), &transfer);
    assert_eq!(world.authorise(&proven, &transfer), DONE);
    assert_eq!(world.move_tokens(account(ALICE), account(ALICE), 0), yes());
    assert_eq!(world.move_tokens(account(ALICE), account(ALICE), 0), error("NotCompliant"));
    assert_eq!(world.balance(account(ALICE)), 1_000);
}

#[test]
fn mints_and_burns_are_the_tokens_business() {
    let mut world = World::new();
    let burn = calls::call("burn(address,uint256)", &[account(ALICE).word(), Word::from(400)]);
    let token = world.token;
    assert_eq!(world.machine.call(account(OWNER), token, burn), DONE);
    world.mint(account(BOB), 5);
    assert_eq!((world.balance(account(ALICE)), world.balance(account(BOB))), (600, 5));
    assert_eq!(world.can_transfer(Address::ZERO, account(BOB), 7), yes());
    assert_eq!(world.can_transfer(account(ALICE), Address::ZERO, 7), no());
    assert_eq!(world.can_transfer(Address::ZERO, Address::ZERO, 7), no());
}

#[test]
fn only_the_token_tells_the_adapter_anything() {
    let mut world = authorised();
    let (adapter, token) = (world.adapter.address, world.token);
    for call in tellings(token) {
        for from in [account(ALICE), account(OWNER), account(RELAY)] {
            let outcome = world.machine.call(from, adapter, call.clone());
            assert_eq!(outcome, error("NotTheToken"), "{}", hex::encode(&call[..4]));
        }
    }
    assert_eq!(world.can_transfer(account(ALICE), account(BOB), 100), yes(), "still there");
}

/// Everything that a token says to its adapter.
fn tellings(token: Address) -> [Vec<u8>; 5] {
    let three = [account(ALICE).word(), account(BOB).word(), Word::from(100)];
    let two = [account(BOB).word(), Word::from(100)];
    [
        calls::call("transferred(address,address,uint256)", &three),
        calls::call("created(address,uint256)", &two),
        calls::call("destroyed(address,uint256)", &two),
        calls::call("unbindToken(address)", &[token.word()]),
        calls::call("bindToken(address)", &[token.word()]),
    ]
}

#[test]
fn an_adapter_that_is_not_bound_answers_nothing_and_takes_nothing() {
    let mut world = authorised();
    let adapter = world.adapter.address;
    let bound = calls::call("isTokenBound(address)", &[world.token.word()]);
    let foreign = calls::call("isTokenBound(address)", &[account(CAROL).word()]);
    let which = calls::call("getTokenBound()", &[]);
    assert_eq!(world.machine.call(account(BOB), adapter, bound.clone()), yes());
    assert_eq!(world.machine.call(account(BOB), adapter, foreign), no());
    assert_eq!(world.machine.done(account(BOB), adapter, which.clone()), world.token.word().0);

    // The token's owner points it elsewhere.
    world.bind(Address::ZERO);
    assert_eq!(world.machine.call(account(BOB), adapter, bound), no());
    assert_eq!(world.machine.done(account(BOB), adapter, which), Address::ZERO.word().0);
    assert_eq!(world.can_transfer(account(ALICE), account(BOB), 100), no());
    assert_eq!(world.can_transfer(Address::ZERO, account(BOB), 100), no());
    assert_eq!(world.authorise(ordinary().1, &world.transfer()), error("NotBound"));
    // And back: what was used stays used.
    world.bind(adapter);
    assert_eq!(world.can_transfer(account(ALICE), account(BOB), 100), yes());
    assert_eq!(world.authorise(ordinary().1, &world.transfer()), error("NullifierUsed"));
}

/// An account stands for the token here, so that it can say what no token does.
#[test]
fn a_token_binds_itself_once_and_nothing_else() {
    let mut world = World::new();
    let token = account(0xE0);
    let adapter = world.deploy_adapter(token);
    let [transferred, created, destroyed, unbind, bind] = tellings(token);
    for call in [&transferred, &created, &destroyed, &unbind] {
        assert_eq!(world.machine.call(token, adapter, call.clone()), error("NotBound"));
    }
    for name in ["bindToken(address)", "unbindToken(address)"] {
        let foreign = calls::call(name, &[account(CAROL).word()]);
        assert_eq!(world.machine.call(account(CAROL), adapter, foreign), error("NotTheToken"));
    }
    let foreign = calls::call("bindToken(address)", &[account(CAROL).word()]);
    assert_eq!(world.machine.call(token, adapter, foreign), error("NotTheToken"));
    assert_eq!(world.machine.call(token, adapter, bind.clone()), DONE);
    assert_eq!(world.machine.call(token, adapter, bind), error("AlreadyBound"));
    let foreign = calls::call("unbindToken(address)", &[account(CAROL).word()]);
    assert_eq!(world.machine.call(token, adapter, foreign), error("NotTheToken"));
    assert_eq!(world.machine.call(token, adapter, created), DONE);
    assert_eq!(world.machine.call(token, adapter, destroyed), DONE);
    assert_eq!(world.machine.call(token, adapter, transferred), error("NoPermission"));
    assert_eq!(world.machine.call(token, adapter, unbind), DONE);
}

#[test]
fn an_adapter_is_not_deployed_with_parameters_that_make_no_sense() {
    let mut world = World::new();
    let (verifier, token, adapter) = (world.verifier, world.token, world.adapter);
    let signers = world.addresses();
    let mut deploy = |verifier: Address, token: Address, window: u64, signers: &[Address]| {
        let arguments = calls::constructor(verifier, token, &adapter, window, signers);
        let code = [bytecode("PlacetCompliance"), arguments].concat();
        world.machine.deployment(account(OWNER), code)
    };
    assert_eq!(deploy(verifier, token, 59, &signers), error("WindowOutOfRange"));
    assert_eq!(deploy(verifier, token, 86_401, &signers), error("WindowOutOfRange"));
    assert_eq!(deploy(account(77), token, WINDOW, &signers), error("NoVerifier"));
    assert_eq!(deploy(verifier, Address::ZERO, WINDOW, &signers), error("ZeroAddress"));
    assert_eq!(deploy(verifier, token, WINDOW, &[]), error("TooManySigners"));
    let twice = [signers[0], signers[0]];
    assert_eq!(deploy(verifier, token, WINDOW, &twice), error("SignersNotAscending"));
    let zero = [Address::ZERO];
    assert_eq!(deploy(verifier, token, WINDOW, &zero), error("SignersNotAscending"));
    let reversed: Vec<Address> = signers.iter().rev().copied().collect();
    assert_eq!(deploy(verifier, token, WINDOW, &reversed), error("SignersNotAscending"));
    // Something that has code and is no verifier.
    assert!(matches!(deploy(token, token, WINDOW, &signers), Outcome::Reverted(_)));
    assert!(matches!(deploy(verifier, token, 60, &signers), Outcome::Returned(_)));
}
