//! An authority that agrees on empty blocks, in memory: enough to test the engine.
#![allow(dead_code, reason = "each test file uses its part")]

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use placet_consensus::{Answer, Application, Applied, Environment, Evidence, Fatal};
use placet_protocol::block::{Block, BlockId, CertifiedBlock, Header, body_hash};
use placet_protocol::finality::Validators;
use placet_protocol::genesis::ChainId;
use placet_protocol::signing::{SigningKey, VerifyKey};
use sha2::{Digest as _, Sha256};

pub const CHAIN: ChainId = ChainId([42; 32]);

pub fn key(i: u8) -> SigningKey {
    SigningKey::from_seed(&[i + 1; 32])
}

pub fn public_keys(n: u8) -> Vec<VerifyKey> {
    (0..n).map(|i| key(i).public()).collect()
}

/// Validators from an epoch on.
pub type Sets = BTreeMap<u64, Vec<VerifyKey>>;

pub fn constant(keys: &[VerifyKey]) -> Sets {
    let mut keys = keys.to_vec();
    keys.sort();
    BTreeMap::from([(0, keys)])
}

/// How an authority behaves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Manner {
    #[default]
    Honest,
    /// Proposes blocks with a wrong state.
    WrongState,
    /// Proposes blocks at a wrong height, which its own engine should not send.
    WrongHeight,
    /// Never proposes.
    Silent,
    /// Cannot write the third block.
    FullDisk,
}

#[derive(Default)]
pub struct State {
    pub blocks: Vec<CertifiedBlock>,
    pub evidence: Vec<Evidence>,
    pub received: Vec<(VerifyKey, Bytes)>,
    pub refused: Vec<VerifyKey>,
    pub proposed: u64,
}

pub struct Toy {
    own: VerifyKey,
    sets: Sets,
    length: u64,
    manner: Manner,
    pause: Duration,
    environment: OnceLock<Environment>,
    pub state: Arc<Mutex<State>>,
}

fn state_after(parent: &BlockId) -> [u8; 32] {
    Sha256::digest([&b"toy"[..], &parent.0[..]].concat()).into()
}

impl Toy {
    pub fn new(own: VerifyKey, sets: Sets, length: u64, manner: Manner) -> Self {
        Self {
            own,
            sets,
            length,
            manner,
            pause: Duration::from_millis(100),
            environment: OnceLock::new(),
            state: Arc::default(),
        }
    }

    /// The same authority after a restart: the state is durable.
    pub fn again(&self) -> Self {
        let state = self.state.clone();
        Self { state, ..Self::new(self.own, self.sets.clone(), self.length, self.manner) }
    }

    /// The same with the state of an earlier time.
    pub fn restored(&self, height: usize) -> Self {
        let again = self.again();
        let blocks = self.state.lock().unwrap().blocks[..height].to_vec();
        Self { state: Arc::new(Mutex::new(State { blocks, ..State::default() })), ..again }
    }

    pub fn height(&self) -> u64 {
        self.state.lock().unwrap().blocks.len() as u64
    }

    pub fn ids(&self) -> Vec<BlockId> {
        self.state.lock().unwrap().blocks.iter().map(|b| b.block.header.id(&CHAIN)).collect()
    }

    pub fn environment(&self) -> &Environment {
        self.environment.get().expect("connected")
    }
}

fn parent_of(applied: Applied, ancestors: &[Arc<Block>]) -> Applied {
    ancestors.last().map_or(applied, |block| Applied {
        height: block.header.height,
        id: block.header.id(&CHAIN),
    })
}

impl Application for Toy {
    fn chain(&self) -> ChainId {
        CHAIN
    }
    fn epoch_length(&self) -> u64 {
        self.length
    }
    fn applied(&self) -> Applied {
        let state = self.state.lock().unwrap();
        state.blocks.last().map_or(Applied { height: 0, id: BlockId::genesis(&CHAIN) }, |last| {
            let header = &last.block.header;
            Applied { height: header.height, id: header.id(&CHAIN) }
        })
    }
    fn validators(&self, epoch: u64) -> Option<Vec<VerifyKey>> {
        let known = epoch == 0 || self.height() + 1 >= epoch * self.length;
        let set = self.sets.range(..=epoch).next_back().map(|(_, set)| set.clone());
        set.filter(|_| known)
    }
    fn connect(&self, environment: Environment) {
        assert!(self.environment.set(environment).is_ok(), "connected twice");
    }
    fn propose(&self, ancestors: Vec<Arc<Block>>) -> Answer<'_, Option<Block>> {
        Box::pin(async move {
            let clock = self.environment().clock.clone();
            clock.sleep(self.pause).await;
            if self.manner == Manner::Silent {
                return None;
            }
            self.state.lock().unwrap().proposed += 1;
            let parent = parent_of(self.applied(), &ancestors);
            let wrong_height = u64::from(self.manner == Manner::WrongHeight);
            let mut state = state_after(&parent.id);
            state[0] ^= u8::from(self.manner == Manner::WrongState);
            let header = Header {
                height: parent.height + 1 + wrong_height,
                parent: parent.id,
                time: clock.now_ms() / 1000,
                state,
                body: body_hash(&CHAIN, &[]),
                validators: [0; 32],
                proposer: self.own,
            };
            Some(Block { header, entries: Vec::new() })
        })
    }
    fn verify(
        &self,
        leader: VerifyKey,
        ancestors: Vec<Arc<Block>>,
        block: Arc<Block>,
    ) -> Answer<'_, bool> {
        Box::pin(async move {
            let parent = ancestors.last().map_or(block.header.parent, |b| b.header.id(&CHAIN));
            for pair in ancestors.windows(2) {
                assert_eq!(pair[1].header.parent, pair[0].header.id(&CHAIN), "a chain");
            }
            let right = block.header.parent == parent
                && block.header.proposer == leader
                && block.header.state == state_after(&parent);
            if !right {
                self.state.lock().unwrap().refused.push(leader);
            }
            right
        })
    }
    fn commit(&self, certified: CertifiedBlock) -> Answer<'_, Result<(), Fatal>> {
        Box::pin(async move {
            let applied = self.applied();
            let header = &certified.block.header;
            if header.height <= applied.height {
                return Ok(());
            }
            assert_eq!(header.height, applied.height + 1, "no gaps");
            assert_eq!(header.parent, applied.id, "one chain");
            assert_eq!(header.state, state_after(&applied.id), "an invalid block became final");
            if self.manner == Manner::FullDisk && header.height == 3 {
                return Err(Fatal::new("no space left on device"));
            }
            let validators = self.validators(header.height / self.length).expect("known");
            let validators = Validators::new(validators).expect("a set");
            certified.check(&CHAIN, &validators, self.length).expect("a certificate that holds");
            self.state.lock().unwrap().blocks.push(certified);
            Ok(())
        })
    }
    fn receive(&self, from: VerifyKey, message: Bytes) {
        self.state.lock().unwrap().received.push((from, message));
    }
    fn misbehaviour(&self, evidence: Evidence) {
        self.state.lock().unwrap().evidence.push(evidence);
    }
}
