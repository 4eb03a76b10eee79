//! The ledger's rules for everything but transfers, replay after a reopen, and replicas that
//! execute the same blocks. Spec §4, §5, §6.

mod common;

use std::sync::atomic::Ordering;

use common::{START, World, agent, agent_secret, attestor, issuer, key};
use placet_ledger::{ApplyError, Backend, Refusal};
use placet_protocol::Fr;
use placet_protocol::field::{AssetId, AttestorId, Nullifier};
use placet_protocol::keys::SecretKey;
use placet_protocol::merkle::{REGISTRY_DEPTH, SparseTree};
use placet_protocol::signing::SigningKey;
use placet_protocol::transaction::asset::{Freeze, Officer, Pause, Release, Rotation};
use placet_protocol::transaction::registry::{SubjectTag, UniquenessTags};
use placet_protocol::transaction::{MAX_SEQUENCE_STEP, RotateAgentKey, Signed, Transaction};

#[test]
fn attestors_are_admitted_by_a_majority_once() {
    let mut world = World::open(Backend::Memory);
    let admit = |world: &World, approvals| world.admit("attestor", &attestor(), approvals);
    assert_eq!(world.refusal(admit(&world, 2)), Some(Refusal::NoMajority));
    let tx = admit(&world, 3);
    world.accept(vec![tx.clone()]);
    assert_eq!(world.refusal(tx), Some(Refusal::AlreadyExecuted));
    assert_eq!(world.refusal(admit(&world, 4)), Some(Refusal::AttestorExists));
    // Another key under the same name.
    let same_name = world.admit("attestor", &key(77), 3);
    assert_eq!(world.refusal(same_name), Some(Refusal::AttestorExists));
    // Approvals of somebody else's admission.
    let Transaction::AdmitAttestor(mut forged) = world.admit("second", &key(78), 3) else {
        unreachable!()
    };
    forged.admission.name = "third".into();
    assert_eq!(world.refusal(Transaction::AdmitAttestor(forged)), Some(Refusal::SignatureInvalid));
    assert_eq!(world.ledger.view().unwrap().attestors().unwrap().len(), 1);
}

#[test]
fn credentials_are_issued_and_revoked_by_their_attestor_in_sequence() {
    let mut world = World::memory();
    let issue = world.issue(5, None);
    world.accept(vec![issue.clone()]);
    assert_eq!(world.refusal(issue), Some(Refusal::AlreadyExecuted));
    let late = world.issue(5, None);
    assert_eq!(world.refusal(late), Some(Refusal::SequenceReplayed));
    assert_eq!(world.refusal(world.revoke(6, 9, false)), Some(Refusal::UnknownCredential));
    // A second attestor cannot revoke the first one's leaf.
    world.accept(vec![world.admit("second", &key(77), 3)]);
    let Transaction::RevokeCredential(mut theft) = world.revoke(1, 0, false) else {
        unreachable!()
    };
    theft.message.attestor = key(77).public().attestor_id();
    let theft = Signed::new(theft.message, &world.chain, &key(77));
    assert_eq!(
        world.refusal(Transaction::RevokeCredential(theft)),
        Some(Refusal::NotTheIssuingAttestor)
    );
    // Nor sign for it.
    let Transaction::IssueCredential(forged) = world.issue(6, None) else { unreachable!() };
    let forged = Signed::new(forged.message, &world.chain, &key(77));
    assert_eq!(
        world.refusal(Transaction::IssueCredential(forged)),
        Some(Refusal::SignatureInvalid)
    );
    world.accept(vec![world.revoke(6, 0, false)]);
    assert_eq!(world.refusal(world.revoke(7, 0, false)), Some(Refusal::AlreadyRevoked));
    assert!(world.ledger.view().unwrap().credential(0).unwrap().unwrap().revoked);
}

#[test]
fn credentials_of_one_block_are_those_of_several() {
    // Issued, revoked in the block that issued them, and issued behind that.
    let script = |world: &mut World| {
        vec![
            world.sanctions(1, false),
            world.issue(1, None),
            world.issue(2, None),
            world.revoke(3, 1, true),
            world.issue(4, None),
            world.revoke(5, 0, false),
            world.issue(6, None),
        ]
    };
    let [mut one, mut several] = [(); 2].map(|()| World::memory());
    let txs = script(&mut one);
    one.accept(txs);
    for tx in script(&mut several) {
        several.accept(vec![tx]);
    }
    let [one, several] = [&one, &several].map(|world| world.ledger.view().unwrap());
    assert_eq!(one.credentials().unwrap(), 4);
    let leaves = one.registry_leaves(0..9).unwrap();
    assert_eq!(leaves, several.registry_leaves(0..9).unwrap());
    let model = SparseTree::<REGISTRY_DEPTH>::from_leaves(leaves);
    for view in [one, several] {
        assert_eq!(view.roots().unwrap().registry.get(), model.root());
    }
}

#[test]
fn strangers_and_the_filler_id_issue_nothing() {
    let mut world = World::memory();
    let Transaction::IssueCredential(issue) = world.issue(1, None) else { unreachable!() };
    for id in [AttestorId::new(Fr::from(9u8)), placet_protocol::credential::nobody()] {
        let mut message = issue.message.clone();
        message.attestor = id;
        let tx = Transaction::IssueCredential(Signed::new(message, &world.chain, &attestor()));
        assert_eq!(world.refusal(tx), Some(Refusal::UnknownAttestor));
    }
}

#[test]
fn the_urgent_quota_refills_with_the_epoch() {
    let mut world = World::memory();
    for sequence in 1..=4 {
        let issue = world.issue(sequence, None);
        world.accept(vec![issue]);
    }
    world.accept(vec![world.revoke(5, 0, true)]);
    world.accept(vec![world.revoke(6, 1, true)]);
    assert_eq!(world.refusal(world.revoke(7, 2, true)), Some(Refusal::UrgentQuotaExhausted));
    world.accept(vec![world.revoke(7, 2, false)]);
    world.wait(86_400);
    assert_eq!(world.refusal(world.revoke(8, 3, true)), None);
}

#[test]
fn one_person_has_one_live_key() {
    let mut world = World::memory();
    let tags = |holder: u8, valid_until| {
        let subject = SubjectTag { tag: [1; 32], valid_until };
        Some(UniquenessTags::new([holder; 32], vec![subject]))
    };
    let first = world.issue(1, tags(1, START + 1000));
    world.accept(vec![first]);
    let same_key = world.issue(2, tags(1, START + 500));
    world.accept(vec![same_key]);
    let other_key = world.issue(3, tags(2, START + 2000));
    assert_eq!(world.refusal(other_key.clone()), Some(Refusal::SecondKey));
    let stale = world.issue(3, tags(1, START));
    assert_eq!(world.refusal(stale), Some(Refusal::TagValidity));
    let for_ever = world.issue(3, tags(1, START + (1 << 29) + 1));
    assert_eq!(world.refusal(for_ever), Some(Refusal::TagTooLong));
    let longest = world.issue(3, tags(1, START + (1 << 29)));
    assert_eq!(world.refusal(longest), None);
    world.wait(1000);
    world.accept(vec![other_key]);
    let back = world.issue(4, tags(1, START + 5000));
    assert_eq!(world.refusal(back), Some(Refusal::HolderRetired));
}

#[test]
fn sanctions_lists_come_in_order_from_the_publisher() {
    let mut world = World::memory();
    let skipped = world.sanctions(2, false);
    assert_eq!(world.refusal(skipped), Some(Refusal::SanctionsVersion));
    let Transaction::PublishSanctions(list) = world.sanctions(1, false) else { unreachable!() };
    let forged = Signed::new(list.message.clone(), &world.chain, &attestor());
    assert_eq!(
        world.refusal(Transaction::PublishSanctions(forged)),
        Some(Refusal::SignatureInvalid)
    );
    let mut unsorted = list.message.clone();
    unsorted.subjects.push(unsorted.subjects[0]);
    let unsorted = Signed::new(unsorted, &world.chain, &common::publisher());
    assert_eq!(world.refusal(Transaction::PublishSanctions(unsorted)), Some(Refusal::Malformed));
    world.accept(vec![Transaction::PublishSanctions(list)]);
    let again = world.sanctions(1, false);
    assert_eq!(world.refusal(again), Some(Refusal::SanctionsVersion));
    let view = world.ledger.view().unwrap();
    let list = view.sanctions().unwrap();
    assert_eq!((list.version, list.subjects.len()), (1, 1));
    let rebuilt = placet_protocol::sanctions::SanctionsList::new(list.subjects).unwrap().root();
    assert_eq!(view.roots().unwrap().sanctions, rebuilt);
}

#[test]
fn registrations_need_both_parties_the_viewing_key_and_an_enforceable_policy() {
    let mut world = World::memory();
    let good = world.registration("A");
    let tx = world.register(good.clone());
    // The agent's own randomness makes another transaction of the same registration.
    let consent = good.consent(&world.chain, &common::agent_secret(), &agent(), &[9; 32]);
    let again = Transaction::RegisterAsset(placet_protocol::transaction::RegisterAsset::new(
        good.clone(),
        consent,
        &world.chain,
        &issuer(),
    ));
    assert_ne!(tx.id(&world.chain), again.id(&world.chain));
    world.accept(vec![tx]);
    assert_eq!(world.refusal(again), Some(Refusal::AssetExists));

    let Transaction::RegisterAsset(mut forged) = world.register(world.registration("B")) else {
        unreachable!()
    };
    forged.registration.authorised_supply += 1;
    assert_eq!(world.refusal(Transaction::RegisterAsset(forged)), Some(Refusal::SignatureInvalid));
    // A viewing key whose secret the agent does not hold.
    let mut stolen = world.registration("C");
    stolen.agent.viewing =
        placet_protocol::keys::SecretKey::from_uniform_bytes(&[44; 64]).unwrap().public();
    assert_eq!(world.refusal(world.register(stolen)), Some(Refusal::SignatureInvalid));
    let mut uncounted = world.registration("D");
    uncounted.count_holders = false;
    assert_eq!(world.refusal(world.register(uncounted)), Some(Refusal::PolicyUnenforceable));
    let mut stranger = world.registration("E");
    stranger.policy.investor_attestors.push(AttestorId::new(Fr::from(3u8)));
    assert_eq!(world.refusal(world.register(stranger)), Some(Refusal::PolicyAttestorUnknown));
}

#[test]
fn policies_change_by_the_issuer_version_by_version() {
    let mut world = World::memory();
    let asset = world.asset("A");
    let before = world.ledger.view().unwrap().asset(asset).unwrap().unwrap();
    assert_eq!(
        world.refusal(world.set_policy(asset, 3, false, |_| ())),
        Some(Refusal::PolicyVersion)
    );
    let Transaction::SetPolicy(change) = world.set_policy(asset, 2, false, |p| p.max_risk = 1)
    else {
        unreachable!()
    };
    let forged = Signed::new(change.message.clone(), &world.chain, &agent());
    assert_eq!(world.refusal(Transaction::SetPolicy(forged)), Some(Refusal::SignatureInvalid));
    world.accept(vec![Transaction::SetPolicy(change)]);
    let view = world.ledger.view().unwrap();
    let after = view.asset(asset).unwrap().unwrap();
    assert_eq!((after.policy_version, after.registration.policy.max_risk), (2, 1));
    assert_eq!(after.registration.agent, before.registration.agent);
    assert_eq!(after.registration.count_holders, before.registration.count_holders);
    assert_eq!(view.policy_hash(asset).unwrap(), Some(after.proven_policy().hash()));
}

#[test]
fn a_mint_needs_both_signatures_and_a_new_delivery() {
    let mut world = World::memory();
    let asset = world.asset("A");
    let mint = world.mint(asset, 10);
    world.accept(vec![mint.clone()]);
    assert_eq!(world.refusal(mint), Some(Refusal::AlreadyExecuted));
    let Transaction::Mint(good) = world.mint(asset, 10) else { unreachable!() };
    for (by_issuer, by_agent) in [(agent(), agent()), (issuer(), issuer())] {
        let mut forged = good.clone();
        forged.issuer_signature = forged.allotment.sign_as_issuer(&world.chain, &by_issuer);
        forged.agent_signature = forged.allotment.sign_as_agent(&world.chain, &by_agent);
        assert_eq!(world.refusal(Transaction::Mint(forged)), Some(Refusal::SignatureInvalid));
    }
    world.accept(vec![Transaction::Mint(good.clone())]);
    // The same delivery with another ciphertext is another transaction, and refused.
    let mut twin = good.allotment;
    let decoy = [8; 32];
    twin.for_receiver =
        placet_protocol::sealed::SealedDelivery::decoy(&world.chain, &decoy, &decoy);
    let twin = placet_protocol::transaction::Mint {
        issuer_signature: twin.sign_as_issuer(&world.chain, &issuer()),
        agent_signature: twin.sign_as_agent(&world.chain, &agent()),
        allotment: twin,
    };
    assert_eq!(world.refusal(Transaction::Mint(twin)), Some(Refusal::CommitmentExists));
    let unknown = world.mint(AssetId::new(Fr::from(1u8)), 1);
    assert_eq!(world.refusal(unknown), Some(Refusal::UnknownAsset));
}

#[test]
fn officers_act_in_sequence_within_their_powers() {
    let mut world = World::memory();
    let asset = world.asset("A");
    let list = vec![Nullifier::new(Fr::from(5u8))];
    let chain = world.chain;
    let freeze = |sequence, by: &SigningKey| {
        let message = Freeze::new(asset, sequence, list.clone());
        Transaction::FreezeNullifiers(Signed::new(message, &chain, by))
    };
    let release = |sequence, by: &SigningKey| {
        let message = Release::new(asset, sequence, list.clone());
        Transaction::ReleaseNullifiers(Signed::new(message, &chain, by))
    };
    let pause = |sequence, paused, by, key: &SigningKey| {
        let message = Pause { asset, sequence, paused, by };
        Transaction::PauseAsset(Signed::new(message, &chain, key))
    };
    assert_eq!(world.refusal(freeze(1, &issuer())), Some(Refusal::SignatureInvalid));
    assert_eq!(world.refusal(release(1, &agent())), Some(Refusal::NotFrozen));
    world.accept(vec![freeze(1, &agent())]);
    assert_eq!(world.refusal(freeze(2, &agent())), Some(Refusal::AlreadyFrozen));
    world.accept(vec![release(2, &agent())]);
    // The old freeze, replayed by anybody.
    assert_eq!(world.refusal(freeze(1, &agent())), Some(Refusal::AlreadyExecuted));
    assert_eq!(world.refusal(freeze(2, &agent())), Some(Refusal::SequenceReplayed));
    assert_eq!(
        world.refusal(pause(3, true, Officer::Issuer, &agent())),
        Some(Refusal::SignatureInvalid)
    );
    assert_eq!(
        world.refusal(pause(3, false, Officer::Issuer, &issuer())),
        Some(Refusal::PauseUnchanged)
    );
    let rotate = |sequence, by: &SigningKey, new: &SigningKey| {
        let message = Rotation { asset, sequence, signing: new.public() };
        let consent = message.consent(&chain, &agent_secret(), new, &[1; 32]);
        Transaction::RotateAgentKey(RotateAgentKey::new(message, consent, &chain, by))
    };
    assert_eq!(world.refusal(rotate(3, &agent(), &key(60))), Some(Refusal::SignatureInvalid));
    world.accept(vec![rotate(3, &issuer(), &key(60))]);
    assert_eq!(world.refusal(freeze(4, &agent())), Some(Refusal::SignatureInvalid));
    world.accept(vec![freeze(4, &key(60))]);
}

#[test]
fn the_issuer_alone_does_not_become_the_agent() {
    let mut world = World::memory();
    let asset = world.asset("A");
    let chain = world.chain;
    let own = SecretKey::from_uniform_bytes(&[77; 64]).unwrap();
    let rotate = |viewing: &SecretKey| {
        let message = Rotation { asset, sequence: 1, signing: key(60).public() };
        let consent = message.consent(&chain, viewing, &key(60), &[1; 32]);
        RotateAgentKey::new(message, consent, &chain, &issuer())
    };
    let alone = Transaction::RotateAgentKey(rotate(&own));
    assert_eq!(world.refusal(alone), Some(Refusal::SignatureInvalid));
    // Nor with what the agent signed when it took on the asset, or on another rotation.
    let mut reused = rotate(&own);
    let registration = world.registration("A");
    let first = registration.consent(&chain, &agent_secret(), &agent(), &[1; 32]);
    reused.agent_consent.possession = first.possession;
    let reused = Transaction::RotateAgentKey(reused);
    assert_eq!(world.refusal(reused), Some(Refusal::SignatureInvalid));
    let mut other = rotate(&agent_secret());
    let message = Rotation { sequence: 2, ..other.rotation.clone() };
    let consent = message.consent(&chain, &agent_secret(), &key(60), &[1; 32]);
    other.agent_consent.possession = consent.possession;
    let other = Transaction::RotateAgentKey(other);
    assert_eq!(world.refusal(other), Some(Refusal::SignatureInvalid));
    // With the agent it works, though the agent's old signing key signs nothing.
    world.accept(vec![Transaction::RotateAgentKey(rotate(&agent_secret()))]);
}

#[test]
fn signatures_come_before_lookups() {
    let mut world = World::memory();
    let asset = world.asset("A");
    let chain = world.chain;
    let list = vec![Nullifier::new(Fr::from(5u8))];
    let freeze = |sequence, by: &SigningKey| {
        let message = Freeze::new(asset, sequence, list.clone());
        Transaction::FreezeNullifiers(Signed::new(message, &chain, by))
    };
    let release = Release::new(asset, 1, list.clone());
    let release = Transaction::ReleaseNullifiers(Signed::new(release, &chain, &issuer()));
    assert_eq!(world.refusal(release), Some(Refusal::SignatureInvalid), "nothing is frozen");
    world.accept(vec![freeze(1, &agent())]);
    assert_eq!(
        world.refusal(freeze(2, &issuer())),
        Some(Refusal::SignatureInvalid),
        "all is frozen"
    );
    let Transaction::PublishSanctions(list) = world.sanctions(9, false) else { unreachable!() };
    let forged = Signed::new(list.message, &chain, &attestor());
    let forged = Transaction::PublishSanctions(forged);
    assert_eq!(world.refusal(forged), Some(Refusal::SignatureInvalid), "the version is wrong");
}

#[test]
fn one_message_cannot_use_up_all_sequence_numbers() {
    let mut world = World::memory();
    let asset = world.asset("A");
    let chain = world.chain;
    let pause = |sequence, paused, by, key: &SigningKey| {
        let message = Pause { asset, sequence, paused, by };
        Transaction::PauseAsset(Signed::new(message, &chain, key))
    };
    // Whoever stole the agent's key, or the attestor's, cannot silence everybody for good.
    for sequence in [u64::MAX, MAX_SEQUENCE_STEP + 1] {
        let theft = pause(sequence, true, Officer::Agent, &agent());
        assert_eq!(world.refusal(theft), Some(Refusal::SequenceTooFar));
        let issue = world.issue(sequence, None);
        assert_eq!(world.refusal(issue), Some(Refusal::SequenceTooFar));
    }
    world.accept(vec![pause(MAX_SEQUENCE_STEP, true, Officer::Agent, &agent())]);
    world.accept(vec![pause(MAX_SEQUENCE_STEP + 1, false, Officer::Issuer, &issuer())]);
    let issue = world.issue(MAX_SEQUENCE_STEP, None);
    world.accept(vec![issue]);
    assert_eq!(world.refusal(world.revoke(u64::MAX, 0, true)), Some(Refusal::SequenceTooFar));
    world.accept(vec![world.revoke(MAX_SEQUENCE_STEP + 1, 0, true)]);
}

#[test]
fn messages_for_another_network_are_refused() {
    let mut world = World::memory();
    let asset = world.asset("A");
    let elsewhere = placet_protocol::genesis::ChainId([1; 32]);
    let freeze = Freeze::new(asset, 1, vec![Nullifier::new(Fr::from(5u8))]);
    let tx = Transaction::FreezeNullifiers(Signed::new(freeze, &elsewhere, &agent()));
    assert_eq!(world.refusal(tx), Some(Refusal::SignatureInvalid));
}

#[test]
fn only_transfers_carry_assertions() {
    let mut world = World::memory();
    let asset = world.asset("A");
    let mint = world.mint(asset, 1);
    let mut entry = world.entry(mint.clone());
    entry.assertions.push(world.approve(&mint, 0, placet_protocol::genesis::Checkpoint::Risk));
    let time = world.time();
    assert_eq!(world.try_entry(entry, time), Some(Refusal::AssertionInvalid));
}

/// A history with a bit of everything.
fn history(world: &mut World) -> AssetId {
    world.accept(vec![world.admit("attestor", &attestor(), 4)]);
    let asset = world.asset("A");
    let tags =
        UniquenessTags::new([3; 32], vec![SubjectTag { tag: [1; 32], valid_until: START + 9000 }]);
    let (one, two) = (world.issue(1, Some(tags)), world.issue(2, None));
    world.accept(vec![one, two]);
    let (mint, list) = (world.mint(asset, 100), world.sanctions(1, false));
    world.accept(vec![mint, list, world.revoke(3, 1, true)]);
    world.wait(10);
    let pair = [world.transfer(asset), world.transfer(asset)].map(Transaction::Transfer);
    world.accept(pair.to_vec());
    let freeze = Freeze::new(asset, 1, vec![Nullifier::new(Fr::from(5u8))]);
    let freeze = Transaction::FreezeNullifiers(Signed::new(freeze, &world.chain, &agent()));
    world.accept(vec![freeze, world.set_policy(asset, 2, false, |p| p.max_risk = 2)]);
    world.wait(200);
    asset
}

#[test]
fn replicas_that_execute_the_same_blocks_have_the_same_state() {
    let mut world = World::open(Backend::Memory);
    history(&mut world);
    let replica = World::open(Backend::Memory);
    let empty = replica.ledger.view().unwrap().full_digest().unwrap();
    for block in world.blocks() {
        replica.ledger.apply(&block).unwrap();
    }
    assert_eq!(replica.ledger.tip().unwrap(), world.ledger.tip().unwrap());
    let digest = |world: &World| world.ledger.view().unwrap().full_digest().unwrap();
    assert_eq!(digest(&replica), digest(&world));
    assert_ne!(digest(&replica), empty);
}

#[test]
fn a_refused_transaction_leaves_no_trace_in_a_block() {
    let mut world = World::memory();
    let asset = world.asset("A");
    let replica = World::open(Backend::Memory);
    for block in world.blocks() {
        replica.ledger.apply(&block).unwrap();
    }
    // Refused ones of every kind between two accepted ones.
    let good = [world.mint(asset, 1), world.mint(asset, 2)];
    let bad = vec![
        world.mint(asset, 5000),
        world.admit("attestor", &attestor(), 3),
        world.revoke(1, 7, true),
        world.set_policy(asset, 9, false, |_| ()),
        world.sanctions(4, true),
        world.issue(0, None),
        world.register(world.registration("A")),
    ];
    let mut txs = vec![good[0].clone()];
    txs.extend(bad.clone());
    txs.push(good[1].clone());
    let entries: Vec<_> = txs.into_iter().map(|tx| world.entry(tx)).collect();
    let time = world.time();
    let refused = world.block(entries, time);
    assert_eq!(refused.iter().map(|(i, _)| *i).collect::<Vec<_>>(), (1..=7).collect::<Vec<_>>());
    // The replica sees only the block, without the refused ones, and agrees.
    let last = world.blocks().pop().unwrap();
    assert_eq!(last.block.entries.len(), 2);
    replica.ledger.apply(&last).unwrap();
    assert_eq!(
        replica.ledger.view().unwrap().full_digest().unwrap(),
        world.ledger.view().unwrap().full_digest().unwrap()
    );
}

#[test]
fn a_reopened_ledger_refuses_replayed_messages_and_another_genesis() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("ledger.redb");
    let (issue, revoke, transfer, tip);
    {
        let mut world = World::file(&path);
        world.accept(vec![world.admit("attestor", &attestor(), 3)]);
        let asset = world.asset("A");
        issue = world.issue(1, None);
        world.accept(vec![issue.clone()]);
        revoke = world.revoke(2, 0, false);
        world.accept(vec![revoke.clone()]);
        transfer = Transaction::Transfer(world.transfer(asset));
        world.accept(vec![transfer.clone()]);
        tip = world.ledger.tip().unwrap();
    }
    let mut world = World::file(&path);
    assert_eq!(world.ledger.tip().unwrap(), tip);
    assert_eq!(world.refusal(issue), Some(Refusal::AlreadyExecuted));
    assert_eq!(world.refusal(revoke), Some(Refusal::AlreadyExecuted));
    assert_eq!(world.refusal(transfer), Some(Refusal::NullifierSpent));
    // The same commitment in a fresh message: the sequence number is what refuses a re-signed one.
    let fresh = world.issue(2, None);
    assert_eq!(world.refusal(fresh), Some(Refusal::SequenceReplayed));
    drop(world);
    let mut other = common::genesis(placet_protocol::genesis::NetworkKind::Dev);
    other.name = "other".into();
    let proofs = std::sync::Arc::new(common::Scripted::default());
    let error = placet_ledger::Ledger::open(Backend::File(&path), other, proofs).unwrap_err();
    assert!(matches!(error, placet_ledger::LedgerError::OtherNetwork));
}

#[test]
fn a_final_block_is_compared_before_it_is_executed() {
    let mut world = World::open(Backend::Memory);
    history(&mut world);
    let blocks = world.blocks();
    let replica = World::open(Backend::Memory);
    let early = replica.ledger.apply(&blocks[1]).unwrap_err();
    assert!(matches!(early, ApplyError::NotNext), "{early}");
    // Up to the block with the transfers.
    let with_proofs = blocks
        .iter()
        .position(|block| {
            let entries = &block.block.entries;
            entries.iter().any(|entry| matches!(entry.transaction, Transaction::Transfer(_)))
        })
        .unwrap();
    for block in &blocks[..with_proofs] {
        replica.ledger.apply(block).unwrap();
    }
    let good = &blocks[with_proofs];
    // The certificate covers the header only: whoever passes a block on may change its body.
    let mut altered = good.clone();
    altered.block.entries.pop();
    let error = replica.ledger.apply(&altered).unwrap_err();
    assert!(matches!(error, ApplyError::Body), "{error}");
    assert_eq!(replica.proofs.asked.load(Ordering::Relaxed), 0);
    replica.ledger.apply(good).unwrap();
    let again = replica.ledger.apply(good).unwrap_err();
    assert!(matches!(again, ApplyError::NotNext), "{again}");
}
