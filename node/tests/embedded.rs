//! Four embedded authorities: what they agree on, what they assert, and that a replica which fell
//! behind comes back to the same state.

#[path = "../../ledger/tests/common/mod.rs"]
mod common;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{SystemTime, UNIX_EPOCH};

use common::{BAD, Scripted, agent_secret, attestor, issuer};
use placet_ledger::{BadTime, ExecuteError, Refusal, TimeBound};
use placet_node::authority::certify;
use placet_node::embedded::DRIFT;
use placet_node::{
    Clock, Embedded, FileError, KeySource, NodeError, SubmitError, dev_network, write_network,
};
use placet_protocol::Fr;
use placet_protocol::assertion::Verdict;
use placet_protocol::field::{AssetId, Commitment, Nullifier, Subject};
use placet_protocol::finality::Validators;
use placet_protocol::genesis::{Checkpoint, NetworkKind, NetworkParams, Sha256Digest};
use placet_protocol::sealed::{SealedDelivery, ViewingKey};
use placet_protocol::statement::ProofBytes;
use placet_protocol::transaction::asset::{AgentKeys, Metadata, Registration, asset_id};
use placet_protocol::transaction::registry::Admission;
use placet_protocol::transaction::{
    AdmitAttestor, EndorsementRule, PublishedPolicy, RegisterAsset, Transaction, TransferBody,
    TransferTransaction,
};
use placet_protocol::transfer::HoldersDelta;

const TIME: u64 = 1_800_000_000;

fn open(dir: &Path) -> Result<Embedded, NodeError> {
    let check = Arc::new(Scripted::default());
    Embedded::open_with(dir, check, KeySource::Stored, Clock::Manual)
}

fn create(dir: &Path) -> Embedded {
    let (genesis, keys) = dev_network(
        "dev",
        TIME,
        NetworkParams::default(),
        vec![placet_protocol::example::pinned_circuit()],
        &[7; 32],
    )
    .unwrap();
    write_network(dir, &genesis, Some(&keys)).unwrap();
    open(dir).unwrap()
}

/// Admits an attestor and registers an asset whose transfers two authorities endorse at each
/// checkpoint.
fn with_asset(network: &Embedded) -> AssetId {
    let admission = Admission { name: "attestor".into(), key: attestor().public() };
    let approvals = network.approvals(&admission);
    let admit = AdmitAttestor::new(admission, approvals, &network.chain(), &attestor());
    network.submit(&Transaction::AdmitAttestor(admit)).unwrap();
    let rule: BTreeMap<_, _> = Checkpoint::ALL.into_iter().map(|c| (c, 2)).collect();
    let registration = Registration {
        issuer: issuer().public(),
        agent: AgentKeys {
            viewing: agent_secret().public(),
            sealing: ViewingKey::from_bytes([15; 32]).public(),
            signing: common::agent().public(),
        },
        metadata: Metadata {
            name: "Note".into(),
            isin: None,
            legend: String::new(),
            document_hash: [0; 32],
            decimals: 0,
        },
        authorised_supply: 1000,
        count_holders: false,
        policy: PublishedPolicy {
            identity_attestors: vec![attestor().public().attestor_id()],
            investor_attestors: Vec::new(),
            rules: BTreeMap::new(),
            max_risk: 1,
            unit_price: 0,
            capital_bps: 0,
            capital_rule: false,
            currency: None,
            max_holders: None,
            endorsement: EndorsementRule::new(rule).unwrap(),
        },
    };
    let chain = network.chain();
    let consent = registration.consent(&chain, &agent_secret(), &common::agent(), &[1; 32]);
    let tx = RegisterAsset::new(registration, consent, &chain, &issuer());
    network.submit(&Transaction::RegisterAsset(tx)).unwrap();
    asset_id(&chain, 0)
}

/// A transfer with values grown from `n`.
fn transfer(network: &Embedded, asset: AssetId, n: u64) -> TransferTransaction {
    let view = network.view().unwrap();
    let roots = view.roots().unwrap();
    let tip = view.tip().unwrap();
    let value = |i: u64| Fr::from(1000 * n + i);
    let body = TransferBody {
        circuit: placet_protocol::example::pinned_circuit().id(),
        asset,
        position_root: roots.notes,
        delivery_root: roots.notes,
        registry_root: roots.registry,
        sanctions_root: roots.sanctions,
        policy: view.policy_hash(asset).unwrap().unwrap(),
        now: tip.time,
        nf_position: Nullifier::new(value(1)),
        nf_delivery: Nullifier::new(value(2)),
        cm_position: Commitment::new(value(3)),
        cm_delivery: Commitment::new(value(4)),
        receipt: Commitment::new(value(5)),
        holders_delta: HoldersDelta::Zero,
        disclosure: [value(6), value(7), value(8)],
        sealed: SealedDelivery::decoy(&network.chain(), &[1; 32], &[2; 32]),
        expiry_height: tip.height + 100,
        redemption: None,
    };
    TransferTransaction { body, proof: ProofBytes([1; 128]) }
}

fn refusal(error: SubmitError) -> Refusal {
    match error {
        SubmitError::Refused(refusal) => refusal,
        SubmitError::Node(error) => panic!("{error}"),
    }
}

/// Every replica stands where the proposer stands, by the whole state.
fn assert_agreement(network: &Embedded) {
    let states: Vec<_> = network
        .authorities()
        .iter()
        .map(|authority| {
            let view = authority.ledger().view().unwrap();
            (view.tip().unwrap(), view.full_digest().unwrap())
        })
        .collect();
    assert!(states.iter().all(|state| *state == states[0]));
}

#[test]
fn a_transfer_is_judged_asserted_signed_and_final() {
    let dir = tempfile::tempdir().unwrap();
    let network = create(dir.path());
    let asset = with_asset(&network);
    let tx = Transaction::Transfer(transfer(&network, asset, 1));
    let receipt = network.submit(&tx).unwrap();
    let status = network.view().unwrap().status(receipt.id).unwrap().unwrap();
    assert_eq!(status.location.height, receipt.height);
    // One assertion per mandate: 3 + 4 + 4 + 4.
    assert_eq!(status.entry.assertions.len(), 15);
    assert!(status.entry.assertions.iter().all(|signed| {
        signed.assertion.verdict == Verdict::Approve && signed.verify(&network.chain()).is_ok()
    }));
    let block = network.blocks(receipt.height).unwrap().pop().unwrap();
    assert_eq!(block.finality.certificate.signatures.len(), 4);
    let validators = Validators::genesis(network.genesis());
    let length = network.genesis().params.epoch_length;
    block.check(&network.chain(), &validators, length).unwrap();
    assert_agreement(&network);
}

#[test]
fn a_refused_transaction_changes_nothing_and_has_its_code() {
    let dir = tempfile::tempdir().unwrap();
    let network = create(dir.path());
    let asset = with_asset(&network);
    let tip = network.tip().unwrap();
    let forged =
        TransferTransaction { proof: ProofBytes([BAD; 128]), ..transfer(&network, asset, 1) };
    let error = network.submit(&Transaction::Transfer(forged.clone())).unwrap_err();
    assert_eq!(refusal(error), Refusal::ProofInvalid);
    let error = network.submit_bytes(b"junk").unwrap_err();
    assert_eq!(refusal(error), Refusal::Malformed);
    assert_eq!(network.tip().unwrap(), tip);
    // In one block with good ones, only the forged one is left out.
    let good = [1, 2].map(|n| Transaction::Transfer(transfer(&network, asset, n)));
    let batch = vec![good[0].clone(), Transaction::Transfer(forged), good[1].clone()];
    let answers = network.submit_all(batch).unwrap();
    assert!(answers[0].is_ok() && answers[2].is_ok());
    // It shares its nullifiers with the first, which came before.
    assert_eq!(answers[1], Err(Refusal::NullifierSpent));
    assert_agreement(&network);
}

#[test]
fn authorities_reject_by_checkpoint_with_a_reason() {
    let dir = tempfile::tempdir().unwrap();
    let network = create(dir.path());
    let asset = with_asset(&network);
    let mut stale = transfer(&network, asset, 1);
    stale.body.registry_root = placet_protocol::field::RegistryRoot::new(Fr::from(1u8));
    let tx = Transaction::Transfer(stale);
    let tip = network.tip().unwrap();
    let authority = &network.authorities()[0];
    let bound = TimeBound::Any;
    for signed in authority.judge(&tx, tip.time, bound).unwrap() {
        let expected = match signed.assertion.checkpoint {
            Checkpoint::Identity => Verdict::Reject(Refusal::RegistryRootUnknown.number()),
            _ => Verdict::Approve,
        };
        assert_eq!(signed.assertion.verdict, expected);
        assert_eq!(signed.assertion.judged_at, tip.height);
        assert_eq!(signed.assertion.judged_time, tip.time);
    }
    assert_eq!(refusal(network.submit(&tx).unwrap_err()), Refusal::RegistryRootUnknown);
}

#[test]
fn replicas_that_lag_or_are_lost_come_back_to_the_same_state() {
    let dir = tempfile::tempdir().unwrap();
    let store = |i: usize| dir.path().join(format!("authority-{i}/ledger.redb"));
    let (asset, tip, tx);
    {
        let network = create(dir.path());
        asset = with_asset(&network);
        tx = Transaction::Transfer(transfer(&network, asset, 1));
    }
    // As if the process had died between the commits of two replicas.
    let old = std::fs::read(store(0)).unwrap();
    {
        let network = open(dir.path()).unwrap();
        network.submit(&tx).unwrap();
        network.advance_time(50).unwrap();
        tip = network.tip().unwrap();
    }
    std::fs::write(store(0), &old).unwrap();
    std::fs::write(store(2), std::fs::read(store(0)).unwrap()).unwrap();
    std::fs::remove_file(store(3)).unwrap();
    let network = open(dir.path()).unwrap();
    assert_eq!(network.tip().unwrap(), tip);
    assert_agreement(&network);
    assert_eq!(refusal(network.submit(&tx).unwrap_err()), Refusal::NullifierSpent);
    let next = Transaction::Transfer(transfer(&network, asset, 2));
    assert_eq!(network.submit(&next).unwrap().height, tip.height + 1);
}

#[test]
fn replicas_with_two_histories_are_not_opened() {
    let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    create(one.path()).advance_time(1).unwrap();
    create(two.path()).advance_time(2).unwrap();
    let store = |dir: &Path| dir.join("authority-1/ledger.redb");
    std::fs::copy(store(two.path()), store(one.path())).unwrap();
    assert!(matches!(open(one.path()), Err(NodeError::Diverged(1))));
}

#[test]
fn time_moves_by_argument_on_a_development_network_only() {
    let dir = tempfile::tempdir().unwrap();
    let network = create(dir.path());
    network.advance_time(77).unwrap();
    assert_eq!(network.tip().unwrap().time, TIME + 77);
    network.heartbeat().unwrap();
    assert_eq!(network.tip().unwrap().height, 1);
    drop(network);
    let check = Arc::new(Scripted::default());
    let network = Embedded::open_with(dir.path(), check, KeySource::Stored, Clock::System).unwrap();
    assert!(matches!(network.advance_time(1), Err(NodeError::ManualClock)));

    let other = tempfile::tempdir().unwrap();
    let (mut genesis, keys) = dev_network(
        "prod",
        TIME,
        NetworkParams::default(),
        vec![placet_protocol::example::pinned_circuit()],
        &[7; 32],
    )
    .unwrap();
    genesis.kind = NetworkKind::Other;
    genesis.circuits[0].transcript = Some(Sha256Digest([1; 32]));
    let plain = write_network(other.path(), &genesis, Some(&keys));
    assert!(matches!(plain, Err(FileError::PlainKeys)));
    write_network(other.path(), &genesis, None).unwrap();
    let open = |source, clock| {
        Embedded::open_with(other.path(), Arc::new(Scripted::default()), source, clock)
    };
    assert!(matches!(open(KeySource::Stored, Clock::Manual), Err(NodeError::ManualClock)));
    let stored = open(KeySource::Stored, Clock::System);
    assert!(matches!(stored, Err(NodeError::File(FileError::PlainKeys))));
    assert!(open(KeySource::Given(Vec::new()), Clock::System).is_err());
    assert!(open(KeySource::Given(keys.authorities), Clock::System).is_ok());
}

#[test]
fn sanctions_lists_are_published_in_order() {
    let dir = tempfile::tempdir().unwrap();
    let network = create(dir.path());
    let before = network.view().unwrap().roots().unwrap().sanctions;
    for n in 1..=2u64 {
        network.publish_sanctions(vec![Subject::new(Fr::from(n))], false).unwrap();
        assert_eq!(network.view().unwrap().sanctions().unwrap().version, n);
    }
    assert_ne!(network.view().unwrap().roots().unwrap().sanctions, before);
    assert_eq!(network.blocks(1).unwrap().len(), 2);
}

#[test]
fn a_network_is_not_overwritten_and_keys_are_private() {
    let dir = tempfile::tempdir().unwrap();
    create(dir.path());
    let (genesis, keys) = dev_network(
        "dev",
        TIME,
        NetworkParams::default(),
        vec![placet_protocol::example::pinned_circuit()],
        &[8; 32],
    )
    .unwrap();
    assert!(write_network(dir.path(), &genesis, Some(&keys)).is_err());
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let key = dir.path().join("authority-0/signing.key");
        assert_eq!(std::fs::metadata(key).unwrap().permissions().mode() & 0o077, 0);
    }
}

#[test]
fn a_refused_transfer_is_not_put_before_the_authorities() {
    let dir = tempfile::tempdir().unwrap();
    drop(create(dir.path()));
    let check = Arc::new(Scripted::default());
    let network =
        Embedded::open_with(dir.path(), check.clone(), KeySource::Stored, Clock::Manual).unwrap();
    let asset = with_asset(&network);
    let stale = (0..5).map(|n| {
        let mut stale = transfer(&network, asset, n + 1);
        stale.body.registry_root = placet_protocol::field::RegistryRoot::new(Fr::from(1u8));
        Transaction::Transfer(stale)
    });
    let answers = network.submit_all(stale.collect()).unwrap();
    assert_eq!(answers, vec![Err(Refusal::RegistryRootUnknown); 5]);
    assert_eq!(check.asked.load(Ordering::Relaxed), 0);
    // A forged proof is looked at once, and named.
    let forged =
        TransferTransaction { proof: ProofBytes([BAD; 128]), ..transfer(&network, asset, 1) };
    let answers = network.submit_all(vec![Transaction::Transfer(forged)]).unwrap();
    assert_eq!(answers, vec![Err(Refusal::ProofInvalid)]);
    assert_eq!(check.asked.load(Ordering::Relaxed), 1);
}

#[test]
fn replicas_left_unlevel_by_a_failed_commit_go_on() {
    let dir = tempfile::tempdir().unwrap();
    let network = create(dir.path());
    // As `finish` does, but the commits of the first two replicas fail.
    let authorities = network.authorities();
    let certified = {
        let executed = authorities[0].execute(Vec::new(), TIME + 5, TimeBound::Any).unwrap();
        let block = executed.block(authorities[0].public());
        let signatures = authorities.iter().map(|a| a.sign(&block).unwrap()).collect();
        certify(block, signatures, network.genesis().params.epoch_length)
    };
    for authority in &authorities[2..] {
        authority.ledger().apply(&certified).unwrap();
    }
    with_asset(&network);
    assert_eq!(network.tip().unwrap().height, 3);
    assert_eq!(network.blocks(1).unwrap()[0], certified);
    assert_agreement(&network);
}

#[test]
fn with_the_systems_clock_nobody_moves_or_stops_time() {
    let dir = tempfile::tempdir().unwrap();
    let now = || SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let start = now();
    let params = NetworkParams::default();
    let (genesis, keys) = dev_network(
        "dev",
        start - 1000,
        params,
        vec![placet_protocol::example::pinned_circuit()],
        &[7; 32],
    )
    .unwrap();
    write_network(dir.path(), &genesis, Some(&keys)).unwrap();
    let check = Arc::new(Scripted::default());
    let network = Embedded::open_with(dir.path(), check, KeySource::Stored, Clock::System).unwrap();
    with_asset(&network);
    assert!((start..=now()).contains(&network.tip().unwrap().time));
    // A proposer that lies finds no authority that executes its block.
    let (clock, authority) = (now(), &network.authorities()[1]);
    let bound = TimeBound::Within { earliest: clock - DRIFT, latest: clock + DRIFT };
    let error = authority.execute(Vec::new(), clock + DRIFT + 1, bound).unwrap_err();
    assert!(matches!(error, ExecuteError::Time(BadTime::AheadOfClock)));
}

#[test]
fn plain_keys_are_read_on_development_networks_only() {
    let dir = tempfile::tempdir().unwrap();
    let (mut genesis, keys) = dev_network(
        "prod",
        TIME,
        NetworkParams::default(),
        vec![placet_protocol::example::pinned_circuit()],
        &[7; 32],
    )
    .unwrap();
    genesis.kind = NetworkKind::Other;
    genesis.circuits[0].transcript = Some(Sha256Digest([1; 32]));
    write_network(dir.path(), &genesis, None).unwrap();
    let seed = hex::encode(*keys.publisher.to_seed());
    std::fs::write(dir.path().join("sanctions-publisher.key"), seed).unwrap();
    let check = Arc::new(Scripted::default());
    let source = KeySource::Given(keys.authorities);
    let network = Embedded::open_with(dir.path(), check, source, Clock::System).unwrap();
    let error = network.publish_sanctions(Vec::new(), false).unwrap_err();
    assert!(matches!(error, SubmitError::Node(NodeError::File(FileError::PlainKeys))), "{error}");
}
