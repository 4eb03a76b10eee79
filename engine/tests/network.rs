//! Authorities in the deterministic runtime: agreement, faults, epochs.

mod common;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use common::{Manner, Sets, Toy, constant, key, public_keys};
use commonware_codec::varint::UInt;
use commonware_codec::{DecodeExt as _, Encode as _};
use commonware_consensus::simplex::scheme::ed25519::Scheme;
use commonware_consensus::simplex::types::{ConflictingNotarize, Notarize, Proposal, Vote};
use commonware_consensus::types::{Epoch, Round, View};
use commonware_cryptography::sha256::Digest;
use commonware_p2p::{Recipients, Sender as _};
use commonware_parallel::Sequential;
use commonware_runtime::{Runner as _, deterministic};
use commonware_utils::test_rng;
use placet_consensus::Fault;
use placet_consensus::{Application as _, Signing};
use placet_engine::keys;
use placet_engine::record::MARGIN;
use placet_engine::run::Timeouts;
use placet_engine::simulation::{LinkQuality, MemoryRecord, Node, SimulatedNetwork, SimulatedNode};
use placet_protocol::block::BlockId;
use placet_protocol::finality::{Validators, namespace};

const LENGTH: u64 = 20;
const TIMEOUTS: Timeouts =
    Timeouts { leader: Duration::from_millis(500), certification: Duration::from_secs(1) };

/// A network with one authority per key, and what survives their crashes.
struct World {
    network: SimulatedNetwork,
    toys: Vec<Arc<Toy>>,
    records: Vec<MemoryRecord>,
    nodes: Vec<Option<SimulatedNode>>,
}

impl World {
    async fn new(context: deterministic::Context, sets: Sets, manners: &[Manner]) -> Self {
        let keys = public_keys(manners.len() as u8);
        let network = SimulatedNetwork::new(context, &keys).await;
        network.connect_all(LinkQuality::lan()).await;
        let toy = |(key, manner): (_, &Manner)| Toy::new(key, sets.clone(), LENGTH, *manner);
        let toys = keys.into_iter().zip(manners).map(|pair| Arc::new(toy(pair))).collect();
        let records = manners.iter().map(|_| MemoryRecord::default()).collect();
        let nodes = manners.iter().map(|_| None).collect();
        Self { network, toys, records, nodes }
    }

    async fn start_as(&mut self, i: usize, toy: Toy, store: String) {
        self.toys[i] = Arc::new(toy);
        let node = Node {
            key: key(i as u8),
            application: self.toys[i].clone(),
            record: self.records[i].clone(),
            store,
            timeouts: TIMEOUTS,
        };
        self.nodes[i] = Some(self.network.start(node).await);
    }

    async fn start(&mut self, i: usize) {
        self.start_as(i, self.toys[i].again(), format!("n{i}")).await;
    }

    async fn start_all(&mut self) {
        for i in 0..self.toys.len() {
            self.start(i).await;
        }
    }

    async fn crash(&mut self, i: usize) {
        self.nodes[i].take().expect("runs").crash().await;
    }

    async fn pass(&self, seconds: u64) {
        self.network.sleep(Duration::from_secs(seconds)).await;
    }

    /// Waits until a node has committed `height`; panics after ten simulated minutes.
    async fn reach(&self, i: usize, height: u64) {
        for _ in 0..6000 {
            if self.toys[i].height() >= height {
                return;
            }
            self.network.sleep(Duration::from_millis(100)).await;
        }
        panic!("node {i} is at {} and never reached {height}", self.toys[i].height());
    }

    /// Same block at each height everywhere.
    fn agree(&self) -> Vec<BlockId> {
        let longest = self.toys.iter().map(|toy| toy.ids()).max_by_key(Vec::len).unwrap();
        for toy in &self.toys {
            let ids = toy.ids();
            assert_eq!(ids, longest[..ids.len()], "a fork");
        }
        longest
    }

    fn signing(&self, i: usize) -> Signing {
        self.nodes[i].as_ref().expect("runs").status().signing
    }

    /// Whether node `i` signed the certificate of a block.
    fn signed(&self, by: usize, i: usize, height: u64) -> bool {
        let state = self.toys[by].state.lock().unwrap();
        let certificate = &state.blocks[height as usize - 1].finality.certificate;
        certificate.signatures.iter().any(|s| s.authority == key(i as u8).public())
    }
}

fn simulate<F: Future<Output = T>, T>(
    seed: u64,
    run: impl FnOnce(deterministic::Context) -> F,
) -> T {
    let config =
        deterministic::Config::new().with_seed(seed).with_timeout(Some(Duration::from_secs(3600)));
    deterministic::Runner::new(config).start(run)
}

const HONEST: [Manner; 4] = [Manner::Honest; 4];

#[test]
fn four_agree_across_epochs_and_the_same_seed_gives_the_same_run() {
    let run = |seed| {
        simulate(seed, |context| async move {
            let mut world = World::new(context, constant(&public_keys(4)), &HONEST).await;
            let lossy = LinkQuality {
                latency: Duration::from_millis(20),
                jitter: Duration::from_millis(10),
                delivered: 97,
            };
            world.network.connect_all(lossy).await;
            world.start_all().await;
            for i in 0..4 {
                world.reach(i, 3 * LENGTH + 5).await;
            }
            let status = world.nodes[0].as_ref().unwrap().status();
            assert!(status.running && status.epoch >= 3 && status.height >= 3 * LENGTH);
            assert_eq!(status.peers.len(), 3);
            assert!(status.leader.is_some() && status.view > 0);
            assert_eq!(status.signing, Signing::Yes);
            (world.agree(), world.network.context().auditor().state())
        })
    };
    let (first, state) = run(7);
    assert_eq!(run(7), (first.clone(), state), "a seed determines the run");
    assert_ne!(run(8).0, first, "another seed, another run");
}

#[test]
fn one_of_four_may_fail_and_catches_up_and_two_of_four_halt() {
    simulate(1, |context| async move {
        let mut world = World::new(context, constant(&public_keys(4)), &HONEST).await;
        world.start_all().await;
        world.reach(0, 10).await;
        world.crash(3).await;
        let left = world.toys[3].height();
        world.reach(0, left + 3 * LENGTH).await;
        assert_eq!(world.toys[3].height(), left);
        world.start(3).await;
        world.reach(3, left + 3 * LENGTH).await;
        // It takes part again: the others go on without a fourth.
        world.crash(2).await;
        let height = world.toys[0].height();
        world.reach(0, height + LENGTH).await;
        // Two of four: no progress, and nothing is lost.
        world.crash(1).await;
        world.pass(5).await;
        let halted = world.toys[0].height();
        world.pass(60).await;
        assert_eq!(world.toys[0].height(), halted, "final without a quorum");
        world.start(1).await;
        world.start(2).await;
        for i in 0..4 {
            world.reach(i, halted + LENGTH).await;
        }
        world.agree();
        for toy in &world.toys {
            assert!(toy.state.lock().unwrap().evidence.is_empty(), "a restart is no fault");
        }
    });
}

#[test]
fn a_partition_halts_the_smaller_side_only() {
    simulate(2, |context| async move {
        let mut world = World::new(context, constant(&public_keys(4)), &HONEST).await;
        world.start_all().await;
        world.reach(0, 10).await;
        world.network.partition(&[key(0).public()]).await;
        world.pass(5).await;
        let alone = world.toys[0].height();
        world.reach(1, alone + 2 * LENGTH).await;
        assert_eq!(world.toys[0].height(), alone);
        world.network.connect_all(LinkQuality::lan()).await;
        world.reach(0, alone + 2 * LENGTH).await;
        world.agree();
    });
}

#[test]
fn an_invalid_block_is_never_final() {
    for (manner, reaches_others) in [(Manner::WrongState, true), (Manner::WrongHeight, false)] {
        simulate(3, |context| async move {
            let manners = [manner, Manner::Honest, Manner::Honest, Manner::Honest];
            let mut world = World::new(context, constant(&public_keys(4)), &manners).await;
            world.start_all().await;
            for i in 0..4 {
                world.reach(i, LENGTH + 5).await;
            }
            let liar = key(0).public();
            assert!(world.toys[0].state.lock().unwrap().proposed > 2, "it had its turns");
            let state = world.toys[1].state.lock().unwrap();
            assert_eq!(state.refused.contains(&liar), reaches_others);
            assert!(state.refused.iter().all(|leader| *leader == liar));
            assert!(state.blocks.iter().all(|b| b.block.header.proposer != liar));
            drop(state);
            world.agree();
        });
    }
}

#[test]
fn a_leader_that_declines_costs_its_turn_and_nothing_else() {
    simulate(4, |context| async move {
        let manners = [Manner::Silent, Manner::Honest, Manner::Honest, Manner::Honest];
        let mut world = World::new(context, constant(&public_keys(4)), &manners).await;
        world.start_all().await;
        for i in 0..4 {
            world.reach(i, 2 * LENGTH).await;
        }
        let state = world.toys[1].state.lock().unwrap();
        assert!(state.blocks.iter().all(|b| b.block.header.proposer != key(0).public()));
        assert!(state.evidence.is_empty());
    });
}

#[test]
fn authorities_join_and_leave_at_epochs() {
    simulate(5, |context| async move {
        let sorted = |range: std::ops::Range<usize>| {
            let mut keys = public_keys(5)[range].to_vec();
            keys.sort();
            keys
        };
        // Four, then five, then the last four.
        let sets = Sets::from([(0, sorted(0..4)), (2, sorted(0..5)), (4, sorted(1..5))]);
        let mut world = World::new(context, sets, &[Manner::Honest; 5]).await;
        for i in 0..4 {
            world.start(i).await;
        }
        world.reach(0, LENGTH + 2).await;
        // The fifth follows before it sits.
        world.start(4).await;
        world.reach(4, LENGTH + 5).await;
        assert_eq!(world.signing(4), Signing::NotSitting);
        world.reach(4, 3 * LENGTH).await;
        assert_eq!(world.signing(4), Signing::Yes);
        world.reach(4, 6 * LENGTH).await;
        world.reach(0, 6 * LENGTH).await;
        assert_eq!(world.signing(0), Signing::NotSitting, "it learned of its removal");
        assert!(world.toys[4].state.lock().unwrap().proposed > 0, "it leads");
        let later = 4 * LENGTH..6 * LENGTH;
        assert!(later.clone().all(|height| !world.signed(1, 0, height)));
        assert!(later.clone().any(|height| world.signed(1, 4, height)));
        world.agree();
        // A newcomer follows from the genesis on, through all changes.
        world.crash(4).await;
        let fresh = world.toys[4].restored(0);
        world.start_as(4, fresh, "n4-fresh".to_owned()).await;
        world.reach(4, 6 * LENGTH).await;
        world.agree();
    });
}

#[test]
fn who_lost_its_votes_is_silent_until_a_fresh_epoch() {
    simulate(6, |context| async move {
        let mut world = World::new(context, constant(&public_keys(4)), &HONEST).await;
        world.start_all().await;
        world.reach(3, LENGTH + 3).await;
        world.crash(3).await;
        // The store is gone, the record beside the key and the state are not.
        world.start_as(3, world.toys[3].again(), "n3-new".to_owned()).await;
        world.pass(1).await;
        let Signing::RecordLost { resumes } = world.signing(3) else {
            panic!("it may vote after it lost its votes: {:?}", world.signing(3))
        };
        assert_eq!(resumes, 3);
        let restarted = world.toys[0].height() + 2;
        // Not before an epoch that began after the loss was noticed.
        let mut waited = 1;
        while world.signing(3) != Signing::Yes {
            assert!(waited < 600, "it never votes again");
            world.pass(1).await;
            waited += 1;
        }
        assert!(waited > MARGIN);
        let resumes = world.nodes[3].as_ref().expect("runs").status().epoch;
        world.reach(3, resumes * LENGTH + 8).await;
        assert!((restarted..resumes * LENGTH).all(|height| !world.signed(0, 3, height)));
        let voting = resumes * LENGTH..world.toys[0].height();
        assert!({ voting }.any(|height| world.signed(0, 3, height)));
        // The same when an older copy of the store comes back.
        world.crash(3).await;
        world.start_as(3, world.toys[3].again(), "n3".to_owned()).await;
        world.pass(1).await;
        assert!(matches!(world.signing(3), Signing::RecordLost { .. }));
        world.agree();
    });
}

#[test]
fn a_restored_state_is_brought_up_from_the_store() {
    simulate(9, |context| async move {
        let mut world = World::new(context, constant(&public_keys(4)), &HONEST).await;
        world.start_all().await;
        world.reach(3, 2 * LENGTH + 3).await;
        world.crash(3).await;
        let height = world.toys[3].height();
        let older = world.toys[3].restored(5);
        // Alone: what it brings up is its own.
        world.network.partition(&[key(3).public()]).await;
        world.start_as(3, older, "n3".to_owned()).await;
        world.reach(3, height - 1).await;
        world.network.connect_all(LinkQuality::lan()).await;
        world.reach(3, height + LENGTH).await;
        world.agree();
    });
}

#[test]
fn a_state_of_another_chain_stops_the_node() {
    simulate(10, |context| async move {
        let mut world = World::new(context, constant(&public_keys(4)), &HONEST).await;
        world.start_all().await;
        world.reach(3, 15).await;
        world.crash(3).await;
        let other = world.toys[3].restored(9);
        {
            let mut state = other.state.lock().unwrap();
            state.blocks.last_mut().unwrap().block.header.time += 1;
        }
        world.start_as(3, other, "n3-other".to_owned()).await;
        let end = world.nodes[3].take().unwrap().wait().await.expect("nobody kills it");
        let reason = end.expect_err("it goes on with another state").to_string();
        assert!(reason.contains("another chain"), "{reason}");
    });
}

#[test]
fn a_node_that_cannot_commit_stops_and_the_others_go_on() {
    simulate(13, |context| async move {
        let manners = [Manner::FullDisk, Manner::Honest, Manner::Honest, Manner::Honest];
        let mut world = World::new(context, constant(&public_keys(4)), &manners).await;
        world.start_all().await;
        let node = world.nodes[0].take().unwrap();
        let status = node.watch();
        let end = node.wait().await.expect("nobody kills it");
        let reason = end.expect_err("it goes on without its state").to_string();
        assert!(reason.contains("no space left"), "{reason}");
        assert!(!status.borrow().running);
        assert_eq!(world.toys[0].height(), 2);
        world.reach(1, LENGTH).await;
        world.agree();
    });
}

#[test]
fn gossip_reaches_everybody_or_the_one() {
    simulate(11, |context| async move {
        let mut world = World::new(context, constant(&public_keys(4)), &HONEST).await;
        world.start_all().await;
        world.reach(0, 2).await;
        let network = world.toys[0].environment().network.clone();
        network.broadcast(Bytes::from_static(b"all"));
        network.send(key(2).public(), Bytes::from_static(b"one"));
        let too_long = vec![0; placet_consensus::MAX_GOSSIP_BYTES + 1];
        network.broadcast(Bytes::from(too_long));
        world.pass(5).await;
        let heard = |i: usize| {
            let state = world.toys[i].state.lock().unwrap();
            assert!(state.received.iter().all(|(from, _)| *from == key(0).public()));
            state.received.iter().map(|(_, message)| message.clone()).collect::<Vec<_>>()
        };
        assert_eq!(heard(0).len(), 0);
        assert_eq!(heard(1), [&b"all"[..]]);
        assert_eq!(heard(2), [&b"all"[..], b"one"]);
        assert_eq!(world.toys[0].applied().height, world.toys[0].height());
    });
}

#[test]
fn who_votes_twice_is_convicted() {
    simulate(12, |context| async move {
        let mut world = World::new(context, constant(&public_keys(4)), &HONEST).await;
        for i in 0..3 {
            world.start(i).await;
        }
        world.reach(0, 3).await;
        // The fourth is no node, but somebody with its key.
        let culprit = key(3);
        let validators = Validators::new(public_keys(4)).unwrap();
        let scheme = Scheme::signer(
            &namespace(&common::CHAIN, &validators),
            keys::set(validators.keys()),
            keys::private(&culprit),
        )
        .unwrap();
        let mut votes = world.network.channels(&culprit.public()).await.votes.0;
        let view = world.nodes[0].as_ref().unwrap().status().view + 2;
        for payload in [[1; 32], [2; 32]] {
            let round = Round::new(Epoch::zero(), View::new(view));
            let proposal = Proposal::new(round, View::new(view - 1), Digest(payload));
            let vote = Vote::Notarize(Notarize::sign(&scheme, proposal).unwrap());
            // The epoch's number goes before what is sent.
            let message = [&UInt(0u64).encode()[..], &vote.encode()[..]].concat();
            votes.send(Recipients::All, message, true);
        }
        world.reach(0, 10).await;
        for toy in &world.toys[..3] {
            let state = toy.state.lock().unwrap();
            let [evidence] = &state.evidence[..] else {
                panic!("{} pieces of evidence", state.evidence.len())
            };
            assert_eq!(evidence.culprit, culprit.public());
            assert_eq!((evidence.epoch, evidence.view), (0, view));
            assert_eq!(evidence.kind, Fault::ConflictingNotarize);
            let proof = ConflictingNotarize::<Scheme, Digest>::decode(evidence.proof.clone());
            assert!(proof.unwrap().verify(&mut test_rng(), &scheme, &Sequential));
        }
        world.agree();
    });
}
