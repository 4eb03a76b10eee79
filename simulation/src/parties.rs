//! Everybody who sends transactions: an attestor, a sanctions publisher, an issuer with its
//! transfer agent, holders. They sign for real; only proofs are simulated.

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroU64;

use ark_bn254::Fr;
use placet_ledger::Ledger;
use placet_protocol::credential::{Categories, IdentityCredential, Jurisdiction};
use placet_protocol::delivery::DeliveryKey;
use placet_protocol::field::{
    AssetId, Commitment, CredentialInner, Nullifier, OwnerTag, PolicyHash, RefundTag, Subject,
    from_digest_248,
};
use placet_protocol::genesis::{
    Authority, ChainId, Checkpoint, Genesis, NetworkKind, NetworkParams,
};
use placet_protocol::keys::SecretKey;
use placet_protocol::policy::Rule;
use placet_protocol::sealed::{
    Claims, Credential, DeliveryNote, MintNote, SealedCredential, SealedDelivery, SealedMint,
    ViewingKey,
};
use placet_protocol::signing::{Signature, SigningKey};
use placet_protocol::statement::{PROOF_BYTES, ProofBytes};
use placet_protocol::transaction::asset::{
    AgentKeys, Allotment, Metadata, PolicyChange, Registration, asset_id,
};
use placet_protocol::transaction::registry::{Admission, Issue, Sanctions};
use placet_protocol::transaction::transfer::sign_redemption;
use placet_protocol::transaction::{
    AdmitAttestor, AuthorityChange, ChangeAuthorities, EndorsementRule, Mint, NumberedChange,
    PublishedPolicy, Redemption, RegisterAsset, Signed, Transaction, TransferBody,
    TransferTransaction,
};
use placet_protocol::transfer::HoldersDelta;
use placet_registry::store::StoreError;
use sha2::{Digest, Sha256};

use crate::proofs;

/// Time of the genesis, seconds since the Unix epoch.
pub const START: u64 = 1_800_000_000;
/// Seconds without a transaction after which there is an empty block.
pub const HEARTBEAT: u64 = 3;

fn key(kind: &str, number: usize) -> SigningKey {
    SigningKey::from_seed(&Sha256::digest(format!("{kind} {number}")).into())
}

/// The key of an authority.
pub fn authority(number: usize) -> SigningKey {
    key("authority", number)
}

/// An authority's entry, with every mandate.
pub fn entry(number: usize) -> Authority {
    Authority {
        name: format!("authority {number}"),
        lei: None,
        key: authority(number).public(),
        mandates: Checkpoint::ALL.into_iter().collect(),
    }
}

/// The genesis of a run.
pub fn genesis(seed: u64, authorities: usize, epoch_length: u64) -> Genesis {
    Genesis {
        name: format!("simulation {seed}"),
        kind: NetworkKind::Dev,
        time: START,
        authorities: (0..authorities).map(entry).collect(),
        sanctions_publisher: key("publisher", 0).public(),
        params: NetworkParams { heartbeat: HEARTBEAT, epoch_length, ..NetworkParams::default() },
        circuits: vec![placet_protocol::example::pinned_circuit()],
    }
}

/// Which asset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asset {
    /// Authorities have to approve of each transfer.
    Endorsed,
    /// Nobody has to.
    Free,
}

/// Makes transactions. Values that must not repeat come from a counter.
#[derive(Clone, Debug)]
pub struct Parties {
    chain: ChainId,
    seed: u64,
    counter: u64,
    quorum: usize,
}

impl Parties {
    /// For the network of a genesis.
    pub fn new(genesis: &Genesis, seed: u64) -> Self {
        let quorum = placet_protocol::finality::quorum(genesis.authorities.len());
        Self { chain: genesis.chain_id(), seed, counter: 0, quorum }
    }

    fn digest(&mut self) -> [u8; 32] {
        self.counter += 1;
        Sha256::digest(format!("value {} {}", self.seed, self.counter)).into()
    }

    /// A value never used before.
    fn fresh(&mut self) -> Fr {
        from_digest_248(&self.digest())
    }

    /// The id that an asset gets; the endorsed one is registered first.
    pub fn asset(&self, asset: Asset) -> AssetId {
        asset_id(&self.chain, asset as u64)
    }

    fn attestor(&self) -> SigningKey {
        key("attestor", 0)
    }

    fn agent_secret(&self) -> SecretKey {
        SecretKey::from_uniform_bytes(&[14; 64]).expect("fixed bytes that are no zero")
    }

    /// The authorities let the attestor in.
    pub fn admission(&self) -> Transaction {
        let admission = Admission { name: "attestor".into(), key: self.attestor().public() };
        let approvals = (0..self.quorum)
            .map(|number| admission.approve(&self.chain, &authority(number)))
            .collect();
        let tx = AdmitAttestor::new(admission, approvals, &self.chain, &self.attestor());
        Transaction::AdmitAttestor(tx)
    }

    /// A credential is issued.
    pub fn issue(&mut self, sequence: u64) -> Transaction {
        let attestor = self.attestor().public().attestor_id();
        let credential = Credential {
            attestor,
            claims: Claims::Identity(IdentityCredential {
                holder: Fr::from(1u8),
                subject: Fr::from(2u8),
                jurisdiction: Fr::from(3u8),
                risk: Fr::from(4u8),
                expires_at: Fr::from(5u8),
                salt: self.fresh(),
            }),
        };
        let to = ViewingKey::from_bytes([9; 32]).public();
        let randomness = self.digest();
        let sealed = SealedCredential::seal(&credential, &to, &self.chain, &randomness)
            .expect("the viewing key is an honest one");
        let inner = CredentialInner::new(self.fresh());
        let issue = Issue { attestor, sequence, inner, tags: None, sealed };
        Transaction::IssueCredential(Signed::new(issue, &self.chain, &self.attestor()))
    }

    /// A new sanctions list.
    pub fn sanctions(&mut self, version: u64) -> Transaction {
        let subject = Subject::new(self.fresh());
        let list = Sanctions::new(version, false, vec![subject]).expect("one subject fits");
        Transaction::PublishSanctions(Signed::new(list, &self.chain, &key("publisher", 0)))
    }

    fn policy(&self, asset: Asset) -> PublishedPolicy {
        let rule = Rule { allowed: true, any_of: Categories(0), lockup: 0, max_holding: 1000 };
        let france = Jurisdiction::new(250).expect("a code of three digits");
        let rules = BTreeMap::from([(france, rule)]);
        let endorsement = match asset {
            Asset::Endorsed => {
                BTreeMap::from([(Checkpoint::Ownership, 2), (Checkpoint::Identity, 2)])
            }
            Asset::Free => BTreeMap::new(),
        };
        PublishedPolicy {
            identity_attestors: vec![self.attestor().public().attestor_id()],
            investor_attestors: Vec::new(),
            rules,
            max_risk: 50,
            unit_price: 100,
            capital_bps: 1000,
            capital_rule: false,
            currency: None,
            max_holders: None,
            endorsement: EndorsementRule::new(endorsement).expect("small numbers"),
        }
    }

    /// Issuer and agent register an asset.
    pub fn registration(&self, asset: Asset) -> Transaction {
        let registration = Registration {
            issuer: key("issuer", 0).public(),
            agent: AgentKeys {
                viewing: self.agent_secret().public(),
                sealing: ViewingKey::from_bytes([15; 32]).public(),
                signing: key("agent", 0).public(),
            },
            metadata: Metadata {
                name: format!("{asset:?} shares"),
                isin: None,
                legend: "Not registered".into(),
                document_hash: [0; 32],
                decimals: 0,
            },
            authorised_supply: 1_000_000,
            count_holders: false,
            policy: self.policy(asset),
        };
        let (secret, agent) = (self.agent_secret(), key("agent", 0));
        let consent = registration.consent(&self.chain, &secret, &agent, &[1; 32]);
        let tx = RegisterAsset::new(registration, consent, &self.chain, &key("issuer", 0));
        Transaction::RegisterAsset(tx)
    }

    /// The issuer changes nothing but the version of a policy, at once.
    pub fn policy_change(&self, asset: Asset, version: u64) -> Transaction {
        let mut policy = self.policy(asset);
        policy.unit_price += version;
        let message = PolicyChange { asset: self.asset(asset), version, urgent: false, policy };
        Transaction::SetPolicy(Signed::new(message, &self.chain, &key("issuer", 0)))
    }

    /// Issuer and agent allot units.
    pub fn mint(&mut self, asset: Asset, amount: u64) -> Transaction {
        let secret = DeliveryKey::from_parts(self.fresh());
        let to = self.agent_secret().public().holder();
        let refund_tag = RefundTag::new(Fr::from(0u8));
        let note = DeliveryNote { amount, unlock_at: 0, deadline: 0, key: secret, refund_tag };
        let viewing = ViewingKey::from_bytes([9; 32]).public();
        let (for_receiver, for_agent) = (self.digest(), self.digest());
        let for_receiver = SealedDelivery::seal(&note, &viewing, &self.chain, &for_receiver)
            .expect("the viewing key is an honest one");
        let mint = MintNote { to, key: secret };
        let for_agent = SealedMint::seal(&mint, &viewing, &self.chain, &for_agent)
            .expect("the viewing key is an honest one");
        let asset = self.asset(asset);
        let owner_tag = OwnerTag::new(self.fresh());
        let allotment =
            Allotment { asset, amount, unlock_at: 0, owner_tag, for_receiver, for_agent };
        Transaction::Mint(Mint {
            issuer_signature: allotment.sign_as_issuer(&self.chain, &key("issuer", 0)),
            agent_signature: allotment.sign_as_agent(&self.chain, &key("agent", 0)),
            allotment,
        })
    }

    /// A transfer against the state of a ledger; with `redeemed` units taken out of circulation.
    ///
    /// # Errors
    /// If the store of the ledger fails.
    pub fn transfer(
        &mut self,
        ledger: &Ledger,
        asset: Asset,
        redeemed: u64,
    ) -> Result<TransferTransaction, StoreError> {
        let view = ledger.view().map_err(|_| StoreError::Corrupt)?;
        let (roots, tip) = (view.roots()?, view.tip()?);
        let id = self.asset(asset);
        let policy = view.policy_hash(id)?.unwrap_or(PolicyHash::new(Fr::from(0u8)));
        let mut body = TransferBody {
            circuit: placet_protocol::example::pinned_circuit().id(),
            asset: id,
            position_root: roots.notes,
            delivery_root: roots.notes,
            registry_root: roots.registry,
            sanctions_root: roots.sanctions,
            policy,
            now: tip.time,
            nf_position: Nullifier::new(self.fresh()),
            nf_delivery: Nullifier::new(self.fresh()),
            cm_position: Commitment::new(self.fresh()),
            cm_delivery: Commitment::new(self.fresh()),
            receipt: Commitment::new(self.fresh()),
            holders_delta: HoldersDelta::Zero,
            disclosure: [self.fresh(), self.fresh(), self.fresh()],
            sealed: SealedDelivery::decoy(&self.chain, &[1; 32], &[2; 32]),
            expiry_height: tip.height + 500,
            redemption: None,
        };
        if let Some(amount) = NonZeroU64::new(redeemed) {
            body.redemption = Some(Redemption { amount, signature: Signature([0; 64]) });
            let binding = body.binding(&self.chain);
            let signature = sign_redemption(&binding, &self.chain, &key("agent", 0));
            body.redemption = Some(Redemption { amount, signature });
        }
        Ok(self.prove(body))
    }

    fn prove(&self, body: TransferBody) -> TransferTransaction {
        let proof = proofs::proof(&body.public_inputs(&self.chain));
        TransferTransaction { body, proof }
    }

    /// Another transfer that spends the same position.
    pub fn rival(&mut self, first: &TransferTransaction) -> TransferTransaction {
        let mut body = first.body.clone();
        body.nf_delivery = Nullifier::new(self.fresh());
        body.cm_position = Commitment::new(self.fresh());
        body.cm_delivery = Commitment::new(self.fresh());
        body.receipt = Commitment::new(self.fresh());
        self.prove(body)
    }

    /// The same transaction, id and all, with bytes that are no proof of it.
    pub fn garbage(&mut self, tx: &TransferTransaction) -> TransferTransaction {
        let digest = self.digest();
        let mut proof = [0; PROOF_BYTES];
        proof.chunks_exact_mut(32).for_each(|chunk| chunk.copy_from_slice(&digest));
        TransferTransaction { body: tx.body.clone(), proof: ProofBytes(proof) }
    }

    fn change(
        &self,
        number: u64,
        change: AuthorityChange,
        new: Option<&SigningKey>,
        sitting: &BTreeSet<usize>,
    ) -> Transaction {
        let change = NumberedChange { number, change };
        let approvals = sitting
            .iter()
            .take(placet_protocol::finality::quorum(sitting.len()))
            .map(|number| change.approve(&self.chain, &authority(*number)))
            .collect();
        let possession = new.map(|key| change.possession(&self.chain, key));
        Transaction::ChangeAuthorities(ChangeAuthorities::new(change, possession, approvals))
    }

    /// The sitting authorities appoint another.
    pub fn appointment(&self, number: u64, new: usize, sitting: &BTreeSet<usize>) -> Transaction {
        let change = AuthorityChange::Appoint(entry(new));
        self.change(number, change, Some(&authority(new)), sitting)
    }

    /// The sitting authorities dismiss one of them.
    pub fn dismissal(&self, number: u64, old: usize, sitting: &BTreeSet<usize>) -> Transaction {
        let change = AuthorityChange::Dismiss(authority(old).public());
        self.change(number, change, None, sitting)
    }

    /// A transaction that nobody can execute: a sanctions list signed by somebody else.
    pub fn forgery(&mut self) -> Transaction {
        let list = Sanctions::new(1 << 30, false, vec![Subject::new(self.fresh())])
            .expect("one subject fits");
        Transaction::PublishSanctions(Signed::new(list, &self.chain, &key("nobody", 0)))
    }
}
