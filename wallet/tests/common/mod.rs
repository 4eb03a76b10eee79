//! A network in memory that makes final blocks out of whatever it is sent, as long as nullifiers
//! are new. Proofs are not verified here: these tests are about following the chain.

#![allow(dead_code, reason = "each test file uses a part")]

pub mod server;

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroU64;

use placet_protocol::address::Address;
use placet_protocol::block::{
    Block, BlockId, CertifiedBlock, Entry, EntryDigest, Header, body_hash,
};
use placet_protocol::credential::{Categories, Document, Jurisdiction};
use placet_protocol::field::{AssetId, Nullifier};
use placet_protocol::finality::{Certificate, Finality, Round, Validators, epoch_of, sign};
use placet_protocol::genesis::{Authority, ChainId, Genesis, NetworkKind, NetworkParams};
use placet_protocol::hash_tree;
use placet_protocol::policy::Rule;
use placet_protocol::receipt::Receipt;
use placet_protocol::signing::SigningKey;
use placet_protocol::statement::{PROOF_BYTES, ProofBytes};
use placet_protocol::tags::{FederationKey, Identifier};
use placet_protocol::transaction::asset::{Metadata, Registration};
use placet_protocol::transaction::registry::Sanctions;
use placet_protocol::transaction::{EndorsementRule, PublishedPolicy, Signed, Transaction, TxId};
use placet_wallet::agent::Agent;
use placet_wallet::attestor::{Attestor, IdentityFindings, InvestorFindings};
use placet_wallet::client::Progress;
use placet_wallet::holder::{Holder, PlanError, Request};
use placet_wallet::issuer::Issuer;
use placet_wallet::network::{Network, NetworkError, Rejection, Status, SubmitError, Submitted};
use placet_wallet::seed::{Phrase, Seed};
use redb::Database;

pub const START: u64 = 1_800_000_000;
/// Blocks of an epoch, in every test.
pub const EPOCH: u64 = 8;
/// France, in every test.
pub const HOME: u16 = 250;

pub struct FakeNetwork {
    pub genesis: Genesis,
    pub keys: Vec<SigningKey>,
    pub chain: ChainId,
    pub blocks: RefCell<Vec<CertifiedBlock>>,
    pub time: Cell<u64>,
    spent: RefCell<BTreeSet<Nullifier>>,
    /// The authorities that sit behind the next block.
    pub sitting: RefCell<Validators>,
    /// The validators of each epoch, fixed with its first certificate.
    voting: RefCell<BTreeMap<u64, Validators>>,
    /// Whether the next submission is executed but its answer lost.
    pub lose_answer: Cell<bool>,
}

impl FakeNetwork {
    pub fn new() -> Self {
        let keys: Vec<SigningKey> = (1..=4).map(|i| SigningKey::from_seed(&[i; 32])).collect();
        let authorities = keys
            .iter()
            .enumerate()
            .map(|(i, key)| Authority {
                name: format!("authority {i}"),
                lei: None,
                key: key.public(),
                mandates: BTreeSet::new(),
            })
            .collect();
        let genesis = Genesis {
            name: "test".into(),
            kind: NetworkKind::Dev,
            time: START,
            authorities,
            sanctions_publisher: SigningKey::from_seed(&[9; 32]).public(),
            params: NetworkParams { epoch_length: EPOCH, ..NetworkParams::default() },
            circuits: vec![placet_protocol::example::pinned_circuit()],
        };
        genesis.validate().unwrap();
        Self {
            chain: genesis.chain_id(),
            sitting: RefCell::new(Validators::genesis(&genesis)),
            voting: RefCell::new(BTreeMap::from([(0, Validators::genesis(&genesis))])),
            genesis,
            keys,
            blocks: RefCell::default(),
            time: Cell::new(START),
            spent: RefCell::default(),
            lose_answer: Cell::new(false),
        }
    }

    pub fn certify(&self, block: Block, signers: usize) -> CertifiedBlock {
        self.certify_by(block, &self.keys[..signers])
    }

    pub fn certify_by(&self, block: Block, signers: &[SigningKey]) -> CertifiedBlock {
        let height = block.header.height;
        let epoch = epoch_of(height, EPOCH);
        let round = Round { epoch, view: height % EPOCH, parent: height / 2 };
        let id = block.header.id(&self.chain);
        let mut voting = self.voting.borrow_mut();
        let by = &*voting.entry(epoch).or_insert_with(|| self.sitting.borrow().clone());
        let mut signatures: Vec<_> =
            signers.iter().map(|key| sign(&self.chain, by, &id, &round, &[0; 32], key)).collect();
        signatures.sort_by_key(|signature| signature.authority);
        let certificate = Certificate { round, context: [0; 32], signatures };
        CertifiedBlock { block, finality: Finality { descendants: Vec::new(), certificate } }
    }

    /// The block that holds `transactions`, not yet appended.
    pub fn next_block(&self, transactions: Vec<Transaction>) -> Block {
        let blocks = self.blocks.borrow();
        let parent = blocks
            .last()
            .map_or(BlockId::genesis(&self.chain), |last| last.block.header.id(&self.chain));
        let entries: Vec<Entry> = transactions
            .into_iter()
            .map(|transaction| Entry { transaction, assertions: Vec::new() })
            .collect();
        let header = Header {
            height: blocks.len() as u64 + 1,
            parent,
            time: self.time.get(),
            state: [0; 32],
            body: body_hash(&self.chain, &entries),
            validators: self.sitting.borrow().hash(&self.chain),
            proposer: self.keys[0].public(),
        };
        Block { header, entries }
    }

    pub fn append(&self, transactions: Vec<Transaction>) -> u64 {
        let block = self.certify(self.next_block(transactions), 3);
        self.blocks.borrow_mut().push(block);
        self.blocks.borrow().len() as u64
    }

    /// The receipt of a transaction that is in a block.
    pub fn receipt(&self, id: TxId) -> Option<Receipt> {
        let blocks = self.blocks.borrow();
        let (block, index) = blocks.iter().find_map(|block| {
            let mut entries = block.block.entries.iter();
            Some((block, entries.position(|entry| entry.transaction.id(&self.chain) == id)?))
        })?;
        let entries: Vec<_> =
            block.block.entries.iter().map(|entry| EntryDigest::new(&self.chain, entry)).collect();
        let leaves: Vec<_> = entries.iter().map(EntryDigest::leaf).collect();
        Some(Receipt {
            handoffs: Vec::new(),
            header: block.block.header,
            finality: block.finality.clone(),
            entries: entries.len() as u32,
            index: index as u32,
            path: hash_tree::path(&leaves, index).unwrap(),
            entry: entries[index].clone(),
        })
    }

    /// Moves time and makes an empty block.
    pub fn advance(&self, seconds: u64) {
        self.time.set(self.time.get() + seconds);
        self.append(Vec::new());
    }

    pub fn ok(&self, transaction: Transaction) {
        self.submit(&transaction).unwrap();
    }
}

impl Network for FakeNetwork {
    fn genesis(&self) -> Result<Genesis, NetworkError> {
        Ok(self.genesis.clone())
    }
    fn status(&self) -> Result<Status, NetworkError> {
        let blocks = self.blocks.borrow();
        Ok(match blocks.last() {
            Some(last) => Status {
                height: last.block.header.height,
                time: last.block.header.time,
                id: last.block.header.id(&self.chain),
            },
            None => Status { height: 0, time: START, id: BlockId::genesis(&self.chain) },
        })
    }
    fn blocks(&self, from: u64, max: usize) -> Result<Vec<CertifiedBlock>, NetworkError> {
        let blocks = self.blocks.borrow();
        Ok(blocks.iter().skip(from as usize - 1).take(max).cloned().collect())
    }
    fn submit(&self, transaction: &Transaction) -> Result<Submitted, SubmitError> {
        if let Transaction::Transfer(transfer) = transaction {
            let mut spent = self.spent.borrow_mut();
            let fresh = [transfer.body.nf_position, transfer.body.nf_delivery]
                .into_iter()
                .all(|nullifier| spent.insert(nullifier));
            if !fresh {
                return Err(SubmitError::Rejected(Rejection {
                    code: "nullifier-spent".into(),
                    message: "spent before".into(),
                    opinions: Vec::new(),
                }));
            }
        }
        self.time.set(self.time.get() + 5);
        let height = self.append(vec![transaction.clone()]);
        if self.lose_answer.take() {
            return Err(SubmitError::Network(NetworkError::Unreachable));
        }
        Ok(Submitted { id: transaction.id(&self.chain), height })
    }
}

pub fn memory() -> Database {
    Database::builder().create_with_backend(redb::backends::InMemoryBackend::new()).unwrap()
}

pub fn seed(byte: u8) -> Seed {
    Phrase::from_entropy([byte; 32]).seed()
}

pub fn quiet(_: Progress) {}

/// Different on every call, the same in every run.
pub fn random<const N: usize>() -> [u8; N] {
    thread_local!(static COUNTER: Cell<u64> = const { Cell::new(0) });
    let counter = COUNTER.get();
    COUNTER.set(counter + 1);
    let mut out = [0u8; N];
    for (i, chunk) in out.chunks_mut(16).enumerate() {
        let word = u128::from(counter) << 64 | i as u128 | 1 << 120;
        chunk.copy_from_slice(&word.to_le_bytes()[..chunk.len()]);
    }
    out
}

/// One asset, one attestor for everything, some investors.
pub struct World {
    pub network: FakeNetwork,
    pub attestor: Attestor,
    pub issuer: Issuer,
    pub agent: Agent,
    pub holders: Vec<Holder>,
    pub asset: AssetId,
}

pub fn document(number: usize) -> Document {
    Document { country: "FRA".into(), kind: "passport".into(), number: format!("P{number:05}") }
}

pub fn permissive(attestor: &Attestor) -> PublishedPolicy {
    let rule = Rule { allowed: true, any_of: Categories(0), lockup: 0, max_holding: 1_000_000 };
    PublishedPolicy {
        identity_attestors: vec![attestor.id()],
        investor_attestors: vec![attestor.id()],
        rules: BTreeMap::from([(Jurisdiction::new(HOME).unwrap(), rule)]),
        max_risk: 3,
        unit_price: 100,
        capital_bps: 1_000,
        capital_rule: false,
        currency: None,
        max_holders: None,
        endorsement: EndorsementRule::default(),
    }
}

impl World {
    /// A world with `count` holders, without credentials.
    pub fn bare(count: usize) -> Self {
        let network = FakeNetwork::new();
        let genesis = network.genesis.clone();
        let federation = FederationKey::from_bytes([77; 32]);
        let mut attestor =
            Attestor::with_database(memory(), &genesis, &seed(200), federation).unwrap();
        let mut issuer = Issuer::with_database(memory(), &genesis, &seed(201)).unwrap();
        let mut agent = Agent::with_database(memory(), &genesis, &seed(202)).unwrap();
        network.ok(attestor.admit(attestor.admission("KYC"), Vec::new()));
        let sanctions = Sanctions::new(1, false, vec![document(9_999).subject().unwrap()]).unwrap();
        let publisher = SigningKey::from_seed(&[9; 32]);
        let signed = Signed::new(sanctions, &genesis.chain_id(), &publisher);
        network.ok(Transaction::PublishSanctions(signed));
        let registration = Registration {
            issuer: issuer.key(),
            agent: agent.keys(),
            metadata: Metadata {
                name: "Bond".into(),
                isin: None,
                legend: String::new(),
                document_hash: [0; 32],
                decimals: 0,
            },
            authorised_supply: 1_000_000_000,
            count_holders: true,
            policy: permissive(&attestor),
        };
        let consent = agent.consent(&registration, &random()).unwrap();
        network.ok(issuer.register(registration, consent).unwrap());
        attestor.sync(&network, &mut quiet).unwrap();
        issuer.sync(&network, &mut quiet).unwrap();
        agent.sync(&network, &mut quiet).unwrap();
        let asset = agent.assets().unwrap()[0].id;
        let holders = (0..count)
            .map(|i| Holder::with_database(memory(), &genesis, &seed(1 + i as u8)).unwrap())
            .collect();
        Self { network, attestor, issuer, agent, holders, asset }
    }

    /// A world whose holders have identities.
    pub fn new(count: usize) -> Self {
        let mut world = Self::bare(count);
        for i in 0..count {
            world.identify(i, START + 10_000_000);
        }
        world.sync();
        world
    }

    pub fn address(&self, i: usize) -> Address {
        self.holders[i].address()
    }

    pub fn identify(&mut self, i: usize, expires_at: u64) {
        let document = document(i);
        let findings = IdentityFindings {
            to: self.address(i),
            screened: &document,
            person: Identifier::Document(&document),
            documents: &[],
            bound_until: expires_at,
            jurisdiction: Jurisdiction::new(HOME).unwrap(),
            risk: 1,
            expires_at,
            reference: "case",
        };
        let tx = self.attestor.issue_identity(&findings, &random()).unwrap();
        self.network.ok(tx);
    }

    pub fn accredit(&mut self, i: usize, categories: u16, capital: u64) {
        let findings = InvestorFindings {
            to: self.address(i),
            categories: Categories(categories),
            capital,
            expires_at: START + 10_000_000,
            reference: "",
        };
        let tx = self.attestor.issue_investor(&findings, &random()).unwrap();
        self.network.ok(tx);
    }

    pub fn sync(&mut self) {
        self.attestor.sync(&self.network, &mut quiet).unwrap();
        self.issuer.sync(&self.network, &mut quiet).unwrap();
        self.agent.sync(&self.network, &mut quiet).unwrap();
        for holder in &mut self.holders {
            holder.sync(&self.network, &mut quiet).unwrap();
        }
    }

    pub fn mint(&mut self, to: usize, amount: u64, unlock_at: u64) {
        let amount = NonZeroU64::new(amount).unwrap();
        let address = self.address(to);
        let allotment =
            self.issuer.allot(self.asset, &address, amount, unlock_at, &random()).unwrap();
        let (receiver, signature) = self.agent.countersign_mint(&allotment).unwrap();
        assert_eq!(receiver, address.holder());
        self.network.ok(self.issuer.mint(allotment, signature));
        self.sync();
    }

    /// Plans, "proves", countersigns and submits; everybody follows.
    pub fn act(&mut self, i: usize, request: &Request) -> Result<(), PlanError> {
        let draft = self.holders[i].plan(request)?;
        let chain = *self.holders[i].chain();
        let mut prepared = draft.prepare(&chain, &random()).unwrap();
        if request.redeem > 0 {
            let (review, signature) = self.agent.countersign_redemption(&prepared.body).unwrap();
            assert_eq!(review.amount.get(), request.redeem);
            prepared = prepared.countersigned(signature);
        }
        let transaction = prepared.with_proof(ProofBytes([0; PROOF_BYTES]));
        self.holders[i].submit(&self.network, transaction).unwrap();
        self.sync();
        Ok(())
    }

    pub fn update_policy(&mut self, change: impl FnOnce(&mut PublishedPolicy)) {
        let mut policy = self.issuer.assets().unwrap()[0].registration.policy.clone();
        change(&mut policy);
        self.network.ok(self.issuer.set_policy(self.asset, policy, false).unwrap());
        self.sync();
    }
}
