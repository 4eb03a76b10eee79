//! A small network for the tests: four authorities, one attestor, an issuer and its agent, and a
//! scripted answer in the place of proof verification.

#![allow(dead_code)] // every test binary uses a part

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use placet_ledger::{Backend, Ledger, ProofCheck, ProofItem, Refusal, TimeBound, Undecided};
use placet_protocol::Fr;
use placet_protocol::assertion::{Assertion, SignedAssertion, Verdict};
use placet_protocol::block::{Block, CertifiedBlock, Entry};
use placet_protocol::credential::{Categories, Jurisdiction};
use placet_protocol::delivery::DeliveryKey;
use placet_protocol::field::{
    AssetId, CredentialInner, Nullifier, OwnerTag, PolicyHash, from_digest_248,
};
use placet_protocol::finality::{self, Certificate, Finality, Round, epoch_of};
use placet_protocol::genesis::{
    Authority, ChainId, Checkpoint, Genesis, NetworkKind, NetworkParams, PinnedCircuit,
    Sha256Digest,
};
use placet_protocol::keys::SecretKey;
use placet_protocol::policy::Rule;
use placet_protocol::sealed::{
    Claims, Credential, DeliveryNote, MintNote, SealedCredential, SealedDelivery, SealedMint,
    ViewingKey,
};
use placet_protocol::signing::SigningKey;
use placet_protocol::statement::ProofBytes;
use placet_protocol::transaction::asset::{
    AgentKeys, Allotment, Metadata, PolicyChange, Registration, asset_id,
};
use placet_protocol::transaction::registry::{Admission, Issue, Revoke, Sanctions, UniquenessTags};
use placet_protocol::transaction::{
    AdmitAttestor, ChangeCircuits, CircuitChange, EndorsementRule, Mint, NumberedCircuitChange,
    PublishedPolicy, RegisterAsset, Signed, Transaction, TransferBody, TransferTransaction,
};
use placet_protocol::transfer::HoldersDelta;

/// Genesis time.
pub const START: u64 = 1_800_000_000;
/// First byte of a proof that the scripted verifier calls bad.
pub const BAD: u8 = 0xbd;

/// Answers by the first byte of the proof, and counts what it was asked.
#[derive(Default)]
pub struct Scripted {
    pub asked: AtomicUsize,
}

impl ProofCheck for Scripted {
    fn bad(&self, items: &[ProofItem]) -> Result<Vec<usize>, Undecided> {
        self.asked.fetch_add(items.len(), Ordering::Relaxed);
        Ok((0..items.len()).filter(|i| items[*i].proof.0[0] == BAD).collect())
    }
}

pub fn key(n: u8) -> SigningKey {
    SigningKey::from_seed(&[n; 32])
}

pub fn authority_keys() -> Vec<SigningKey> {
    (1..=4).map(key).collect()
}
/// A block with the votes of some keys, as if each block took one view.
pub fn certify(ledger: &Ledger, block: Block, signers: &[SigningKey]) -> CertifiedBlock {
    let (chain, height) = (&ledger.chain(), block.header.height);
    let epoch = epoch_of(height, ledger.genesis().params.epoch_length);
    let round = Round { epoch, view: height, parent: height - 1 };
    let (id, context) = (block.header.id(chain), [0; 32]);
    let by = ledger.validators(epoch).unwrap().expect("the epoch has begun");
    let mut signatures: Vec<_> =
        signers.iter().map(|key| finality::sign(chain, &by, &id, &round, &context, key)).collect();
    signatures.sort_by_key(|signature| signature.authority);
    let certificate = Certificate { round, context, signatures };
    CertifiedBlock { block, finality: Finality { descendants: Vec::new(), certificate } }
}

pub fn publisher() -> SigningKey {
    key(10)
}
pub fn attestor() -> SigningKey {
    key(11)
}
pub fn issuer() -> SigningKey {
    key(12)
}
pub fn agent() -> SigningKey {
    key(13)
}
pub fn agent_secret() -> SecretKey {
    SecretKey::from_uniform_bytes(&[14; 64]).unwrap()
}

/// A pin as a network of this kind has it; of a key that nobody loads.
pub fn pinned(kind: NetworkKind) -> PinnedCircuit {
    let ceremony = (kind == NetworkKind::Other).then_some(Sha256Digest([1; 32]));
    PinnedCircuit { transcript: ceremony, ..placet_protocol::example::pinned_circuit() }
}

pub fn genesis(kind: NetworkKind) -> Genesis {
    let authorities = authority_keys()
        .iter()
        .enumerate()
        .map(|(i, key)| Authority {
            name: format!("authority-{i}"),
            lei: None,
            key: key.public(),
            // The last one has no mandate for ownership.
            mandates: Checkpoint::ALL
                .into_iter()
                .filter(|c| i < 3 || *c != Checkpoint::Ownership)
                .collect(),
        })
        .collect();
    Genesis {
        name: "test".into(),
        kind,
        time: START,
        authorities,
        sanctions_publisher: publisher().public(),
        params: NetworkParams { urgent_quota: 2, ..NetworkParams::default() },
        circuits: vec![pinned(kind)],
    }
}

pub struct World {
    pub ledger: Ledger,
    pub chain: ChainId,
    pub proofs: Arc<Scripted>,
    /// Who signs blocks; the first proposes them.
    pub validators: Vec<SigningKey>,
    counter: u64,
}

impl World {
    pub fn open(backend: Backend<'_>) -> Self {
        Self::of(genesis(NetworkKind::Dev), backend)
    }

    pub fn of(genesis: Genesis, backend: Backend<'_>) -> Self {
        let proofs = Arc::new(Scripted::default());
        let ledger = Ledger::open(backend, genesis, proofs.clone()).unwrap();
        // After a reopen fresh values must not repeat old ones.
        let counter = ledger.tip().unwrap().height * 1000;
        let validators = authority_keys()[..3].to_vec();
        Self { chain: ledger.chain(), ledger, proofs, validators, counter }
    }

    /// A ledger in memory with an attestor admitted.
    pub fn memory() -> Self {
        let mut world = Self::open(Backend::Memory);
        world.accept(vec![world.admit("attestor", &attestor(), 3)]);
        world
    }

    /// The same with short epochs.
    pub fn with_epochs_of(epoch_length: u64) -> Self {
        let mut genesis = genesis(NetworkKind::Dev);
        genesis.params.epoch_length = epoch_length;
        let mut world = Self::of(genesis, Backend::Memory);
        world.accept(vec![world.admit("attestor", &attestor(), 3)]);
        world
    }

    pub fn file(path: &Path) -> Self {
        Self::open(Backend::File(path))
    }

    /// A value never used before.
    pub fn fresh(&mut self) -> Fr {
        self.counter += 1;
        let mut digest = [7u8; 32];
        digest[8..16].copy_from_slice(&self.counter.to_be_bytes());
        from_digest_248(&digest)
    }

    pub fn time(&self) -> u64 {
        self.ledger.tip().unwrap().time
    }

    pub fn admit(&self, name: &str, key: &SigningKey, approvals: usize) -> Transaction {
        let admission = Admission { name: name.into(), key: key.public() };
        let approvals = authority_keys()[..approvals]
            .iter()
            .map(|authority| admission.approve(&self.chain, authority))
            .collect();
        Transaction::AdmitAttestor(AdmitAttestor::new(admission, approvals, &self.chain, key))
    }

    pub fn issue(&mut self, sequence: u64, tags: Option<UniquenessTags>) -> Transaction {
        let credential = Credential {
            attestor: attestor().public().attestor_id(),
            claims: Claims::Identity(placet_protocol::credential::IdentityCredential {
                holder: Fr::from(1u8),
                subject: Fr::from(2u8),
                jurisdiction: Fr::from(3u8),
                risk: Fr::from(4u8),
                expires_at: Fr::from(5u8),
                salt: self.fresh(),
            }),
        };
        let to = ViewingKey::from_bytes([9; 32]).public();
        let issue = Issue {
            attestor: attestor().public().attestor_id(),
            sequence,
            inner: CredentialInner::new(self.fresh()),
            tags,
            sealed: SealedCredential::seal(&credential, &to, &self.chain, &[5; 32]).unwrap(),
        };
        Transaction::IssueCredential(Signed::new(issue, &self.chain, &attestor()))
    }

    pub fn revoke(&self, sequence: u64, leaf: u64, urgent: bool) -> Transaction {
        let revoke = Revoke { attestor: attestor().public().attestor_id(), sequence, leaf, urgent };
        Transaction::RevokeCredential(Signed::new(revoke, &self.chain, &attestor()))
    }

    pub fn sanctions(&mut self, version: u64, urgent: bool) -> Transaction {
        let subject = placet_protocol::field::Subject::new(self.fresh());
        let list = Sanctions::new(version, urgent, vec![subject]).unwrap();
        Transaction::PublishSanctions(Signed::new(list, &self.chain, &publisher()))
    }

    pub fn policy(&self) -> PublishedPolicy {
        let rule = Rule { allowed: true, any_of: Categories(0), lockup: 0, max_holding: 1000 };
        let rules = BTreeMap::from([(Jurisdiction::new(250).unwrap(), rule)]);
        let endorsement = BTreeMap::from([(Checkpoint::Ownership, 2), (Checkpoint::Identity, 3)]);
        PublishedPolicy {
            identity_attestors: vec![attestor().public().attestor_id()],
            investor_attestors: Vec::new(),
            rules,
            max_risk: 50,
            unit_price: 100,
            capital_bps: 1000,
            capital_rule: false,
            currency: None,
            max_holders: Some(2),
            endorsement: EndorsementRule::new(endorsement).unwrap(),
        }
    }

    pub fn registration(&self, name: &str) -> Registration {
        Registration {
            issuer: issuer().public(),
            agent: AgentKeys {
                viewing: agent_secret().public(),
                sealing: ViewingKey::from_bytes([15; 32]).public(),
                signing: agent().public(),
            },
            metadata: Metadata {
                name: name.into(),
                isin: None,
                legend: "Not registered".into(),
                document_hash: [0; 32],
                decimals: 0,
            },
            authorised_supply: 1000,
            count_holders: true,
            policy: self.policy(),
        }
    }

    pub fn register(&self, registration: Registration) -> Transaction {
        let consent = registration.consent(&self.chain, &agent_secret(), &agent(), &[1; 32]);
        let tx = RegisterAsset::new(registration, consent, &self.chain, &issuer());
        Transaction::RegisterAsset(tx)
    }

    /// Registers an asset and returns its id.
    pub fn asset(&mut self, name: &str) -> AssetId {
        let counter = self.ledger.view().unwrap().assets().unwrap().len() as u64;
        self.accept(vec![self.register(self.registration(name))]);
        asset_id(&self.chain, counter)
    }

    pub fn set_policy(
        &self,
        asset: AssetId,
        version: u64,
        urgent: bool,
        change: impl FnOnce(&mut PublishedPolicy),
    ) -> Transaction {
        let mut policy = self.policy();
        change(&mut policy);
        let message = PolicyChange { asset, version, urgent, policy };
        Transaction::SetPolicy(Signed::new(message, &self.chain, &issuer()))
    }

    pub fn mint(&mut self, asset: AssetId, amount: u64) -> Transaction {
        let secret = DeliveryKey::from_parts(self.fresh());
        let to = agent_secret().public().holder();
        let note = DeliveryNote {
            amount,
            unlock_at: 0,
            deadline: 0,
            key: secret,
            refund_tag: placet_protocol::field::RefundTag::new(Fr::from(0u8)),
        };
        let viewing = ViewingKey::from_bytes([9; 32]).public();
        let allotment = Allotment {
            asset,
            amount,
            unlock_at: 0,
            owner_tag: OwnerTag::new(self.fresh()),
            for_receiver: SealedDelivery::seal(&note, &viewing, &self.chain, &[2; 32]).unwrap(),
            for_agent: SealedMint::seal(
                &MintNote { to, key: secret },
                &viewing,
                &self.chain,
                &[3; 32],
            )
            .unwrap(),
        };
        Transaction::Mint(Mint {
            issuer_signature: allotment.sign_as_issuer(&self.chain, &issuer()),
            agent_signature: allotment.sign_as_agent(&self.chain, &agent()),
            allotment,
        })
    }

    /// A transfer that every rule lets pass now; its proof is what the script calls good.
    pub fn transfer(&mut self, asset: AssetId) -> TransferTransaction {
        let view = self.ledger.view().unwrap();
        let roots = view.roots().unwrap();
        let tip = view.tip().unwrap();
        let policy = view.policy_hash(asset).unwrap();
        let body = TransferBody {
            circuit: placet_protocol::example::pinned_circuit().id(),
            asset,
            position_root: roots.notes,
            delivery_root: roots.notes,
            registry_root: roots.registry,
            sanctions_root: roots.sanctions,
            policy: policy.unwrap_or(PolicyHash::new(Fr::from(0u8))),
            now: tip.time,
            nf_position: Nullifier::new(self.fresh()),
            nf_delivery: Nullifier::new(self.fresh()),
            cm_position: placet_protocol::field::Commitment::new(self.fresh()),
            cm_delivery: placet_protocol::field::Commitment::new(self.fresh()),
            receipt: placet_protocol::field::Commitment::new(self.fresh()),
            holders_delta: HoldersDelta::Zero,
            disclosure: [self.fresh(), self.fresh(), self.fresh()],
            sealed: SealedDelivery::decoy(&self.chain, &[1; 32], &[2; 32]),
            expiry_height: tip.height + 1000,
            redemption: None,
        };
        TransferTransaction { body, proof: ProofBytes([1; 128]) }
    }

    /// Approval by one authority at one checkpoint.
    pub fn approve(&self, tx: &Transaction, authority: usize, at: Checkpoint) -> SignedAssertion {
        let height = self.ledger.tip().unwrap().height;
        let assertion = Assertion {
            transaction: tx.id(&self.chain),
            proof_hash: tx.proof_hash(),
            checkpoint: at,
            verdict: Verdict::Approve,
            judged_at: height,
            judged_time: self.time(),
            expires_at: height + 10,
            discretionary: false,
        };
        SignedAssertion::new(assertion, &self.chain, &authority_keys()[authority])
    }

    /// The transaction with every approval that the test policy asks for.
    pub fn entry(&self, transaction: Transaction) -> Entry {
        let mut assertions = Vec::new();
        if let Transaction::Transfer(_) = &transaction {
            for authority in 0..3 {
                assertions.push(self.approve(&transaction, authority, Checkpoint::Identity));
                assertions.push(self.approve(&transaction, authority, Checkpoint::Ownership));
            }
        }
        Entry { transaction, assertions }
    }

    /// Any time on a development network, and this one on others.
    fn bound(&self, time: u64) -> TimeBound {
        match self.ledger.genesis().kind {
            NetworkKind::Dev => TimeBound::Any,
            NetworkKind::Other => TimeBound::Until { latest: time },
        }
    }

    /// A change of the circuits with the approvals of the first `approvals` authorities.
    pub fn circuits(&self, number: u64, change: CircuitChange, approvals: usize) -> Transaction {
        let change = NumberedCircuitChange { number, change };
        let approvals = authority_keys()[..approvals]
            .iter()
            .map(|authority| change.approve(&self.chain, authority))
            .collect();
        Transaction::ChangeCircuits(ChangeCircuits::new(change, approvals))
    }

    /// Executes and commits a block, whatever of it is accepted; returns what was refused.
    pub fn block(&mut self, entries: Vec<Entry>, time: u64) -> Vec<(usize, Refusal)> {
        let executed = self.ledger.execute(entries, time, self.bound(time)).unwrap();
        let refused = executed.refused().to_vec();
        let block = executed.block(self.validators[0].public());
        let certified = certify(&self.ledger, block, &self.validators);
        self.ledger.commit(executed, &certified).unwrap();
        refused
    }

    /// Commits transactions that must all be accepted, at the present time.
    pub fn accept(&mut self, txs: Vec<Transaction>) {
        let entries = txs.into_iter().map(|tx| self.entry(tx)).collect();
        let time = self.time();
        assert_eq!(self.block(entries, time), Vec::new());
    }

    /// Tries one transaction, endorsed, at the present time; nothing is committed.
    pub fn refusal(&mut self, tx: Transaction) -> Option<Refusal> {
        let time = self.time();
        self.refusal_at(tx, time)
    }

    pub fn refusal_at(&mut self, tx: Transaction, time: u64) -> Option<Refusal> {
        let entry = self.entry(tx);
        self.try_entry(entry, time)
    }

    pub fn try_entry(&mut self, entry: Entry, time: u64) -> Option<Refusal> {
        let executed = self.ledger.execute(vec![entry], time, self.bound(time)).unwrap();
        executed.refused().first().map(|(_, refusal)| *refusal)
    }

    /// Lets time pass by an empty block.
    pub fn wait(&mut self, seconds: u64) {
        let time = self.time() + seconds;
        self.block(Vec::new(), time);
    }

    /// Every block from the first on.
    pub fn blocks(&self) -> Vec<CertifiedBlock> {
        (1..=self.ledger.tip().unwrap().height)
            .map(|height| self.ledger.block(height).unwrap().unwrap())
            .collect()
    }
}
