//! Every codec that crosses a trust border: what encodes decodes to the same value and the same
//! bytes; one byte more or less is refused; no bytes make it panic; an altered encoding either is
//! refused or is itself canonical. Invariant 2.

use std::collections::BTreeMap;
use std::num::{NonZeroU16, NonZeroU64};

use placet_protocol::Fr;
use placet_protocol::address::Address;
use placet_protocol::assertion::{Assertion, SignedAssertion, Verdict};
use placet_protocol::block::{
    Block, BlockId, BlockSignature, CertifiedBlock, Entry, EntryDigest, Header, body_hash,
};
use placet_protocol::circuit::{CircuitEntry, CircuitId};
use placet_protocol::credential::{
    Categories, IdentityCredential, InvestorCredential, Jurisdiction,
};
use placet_protocol::delivery::DeliveryKey;
use placet_protocol::field::*;
use placet_protocol::finality::{self, Certificate, Finality, Round, Validators};
use placet_protocol::genesis::*;
use placet_protocol::keys::{PublicKey, SecretKey};
use placet_protocol::policy::Rule;
use placet_protocol::possession::Possession;
use placet_protocol::receipt::{Handoff, Receipt};
use placet_protocol::sealed::*;
use placet_protocol::signing::{Signature, SigningKey, VerifyKey};
use placet_protocol::statement::ProofBytes;
use placet_protocol::transaction::asset::*;
use placet_protocol::transaction::registry::*;
use placet_protocol::transaction::*;
use placet_protocol::transfer::HoldersDelta;
use placet_protocol::wire::Wire;
use proptest::prelude::*;
use sha2::{Digest, Sha256};

/// Values grown from a seed: every call gives another, the same seed the same ones.
struct Grow {
    seed: u64,
    counter: u64,
}

impl Grow {
    fn bytes(&mut self) -> [u8; 32] {
        self.counter += 1;
        let mut hasher = Sha256::new();
        hasher.update(self.seed.to_le_bytes());
        hasher.update(self.counter.to_le_bytes());
        hasher.finalize().into()
    }
    fn u64(&mut self) -> u64 {
        u64::from_le_bytes(self.bytes()[..8].try_into().unwrap())
    }
    fn below(&mut self, bound: u64) -> u64 {
        self.u64() % bound
    }
    fn flag(&mut self) -> bool {
        self.below(2) == 1
    }
    fn field(&mut self) -> Fr {
        from_digest_248(&self.bytes())
    }
    fn list<T>(&mut self, least: u64, most: u64, mut item: impl FnMut(&mut Self) -> T) -> Vec<T> {
        let count = least + self.below(most - least + 1);
        (0..count).map(|_| item(self)).collect()
    }
    fn some<T>(&mut self, item: impl FnOnce(&mut Self) -> T) -> Option<T> {
        if self.flag() { Some(item(self)) } else { None }
    }
    fn text(&mut self) -> String {
        format!("name {}", self.below(1000))
    }
    fn chain(&mut self) -> ChainId {
        ChainId(self.bytes())
    }
    fn signing(&mut self) -> SigningKey {
        SigningKey::from_seed(&self.bytes())
    }
    fn verify(&mut self) -> VerifyKey {
        self.signing().public()
    }
    fn signature(&mut self) -> Signature {
        Signature([self.bytes(), self.bytes()].concat().try_into().unwrap())
    }
    fn secret(&mut self) -> SecretKey {
        let bytes: [u8; 64] = [self.bytes(), self.bytes()].concat().try_into().unwrap();
        SecretKey::from_uniform_bytes(&bytes).unwrap()
    }
    fn public(&mut self) -> PublicKey {
        self.secret().public()
    }
    fn viewing(&mut self) -> ViewingPublic {
        ViewingKey::from_bytes(self.bytes()).public()
    }
    fn attestor(&mut self) -> AttestorId {
        AttestorId::new(self.field())
    }
    fn asset(&mut self) -> AssetId {
        AssetId::new(self.field())
    }
    fn nullifier(&mut self) -> Nullifier {
        Nullifier::new(self.field())
    }
    fn commitment(&mut self) -> Commitment {
        Commitment::new(self.field())
    }
    fn checkpoint(&mut self) -> Checkpoint {
        Checkpoint::ALL[self.below(7) as usize]
    }
    fn address(&mut self) -> Address {
        Address::from_parts(self.public(), self.viewing())
    }
    fn note(&mut self) -> DeliveryNote {
        DeliveryNote {
            amount: self.u64(),
            unlock_at: self.u64(),
            deadline: self.u64(),
            key: DeliveryKey::from_parts(self.field()),
            refund_tag: RefundTag::new(self.field()),
        }
    }
    fn mint_note(&mut self) -> MintNote {
        MintNote { to: HolderId::new(self.field()), key: DeliveryKey::from_parts(self.field()) }
    }
    fn credential(&mut self) -> Credential {
        let claims = if self.flag() {
            Claims::Identity(IdentityCredential {
                holder: self.field(),
                subject: self.field(),
                jurisdiction: self.field(),
                risk: self.field(),
                expires_at: self.field(),
                salt: self.field(),
            })
        } else {
            Claims::Investor(InvestorCredential {
                holder: self.field(),
                categories: self.field(),
                capital: self.field(),
                expires_at: self.field(),
                salt: self.field(),
            })
        };
        Credential { attestor: self.attestor(), claims }
    }
    fn sealed_delivery(&mut self) -> SealedDelivery {
        let (note, to, chain) = (self.note(), self.viewing(), self.chain());
        SealedDelivery::seal(&note, &to, &chain, &self.bytes()).unwrap()
    }
    fn sealed_mint(&mut self) -> SealedMint {
        let (note, to, chain) = (self.mint_note(), self.viewing(), self.chain());
        SealedMint::seal(&note, &to, &chain, &self.bytes()).unwrap()
    }
    fn sealed_credential(&mut self) -> SealedCredential {
        let (credential, to, chain) = (self.credential(), self.viewing(), self.chain());
        SealedCredential::seal(&credential, &to, &chain, &self.bytes()).unwrap()
    }
    fn authority(&mut self) -> Authority {
        Authority {
            name: format!("authority {}", self.u64()),
            lei: self.some(|g| format!("{:020}", g.u64())),
            key: self.verify(),
            mandates: self.list(0, 7, Self::checkpoint).into_iter().collect(),
        }
    }
    fn params(&mut self) -> NetworkParams {
        let root_window = 60 + self.below(3541);
        NetworkParams {
            root_window,
            note_window: root_window + self.below(80_000),
            heartbeat: 1 + self.below(root_window / 4),
            urgent_quota: self.below(100) as u32,
            urgent_epoch: 1 + self.below(80_000),
            epoch_length: 4 + self.below(1000),
        }
    }
    fn circuit_entry(&mut self) -> CircuitEntry {
        CircuitEntry {
            id: CircuitId(self.bytes()),
            statement: self.text(),
            circuit_digest: Sha256Digest(self.bytes()),
            transcript: self.some(|g| Sha256Digest(g.bytes())),
            activation: self.u64(),
            deactivation: self.some(Self::u64),
        }
    }
    fn genesis(&mut self) -> Genesis {
        let kind = if self.flag() { NetworkKind::Dev } else { NetworkKind::Other };
        let ceremony = kind == NetworkKind::Other;
        Genesis {
            name: self.text(),
            kind,
            time: self.below(END_OF_TIME),
            authorities: self.list(1, 7, Self::authority),
            sanctions_publisher: self.verify(),
            params: self.params(),
            circuits: vec![PinnedCircuit {
                statement: "transfer".into(),
                circuit_digest: Sha256Digest(self.bytes()),
                verifying_key: Sha256Digest(self.bytes()),
                transcript: ceremony.then(|| Sha256Digest(self.bytes())),
            }],
        }
    }
    fn policy(&mut self) -> PublishedPolicy {
        let rule = |g: &mut Self| Rule {
            allowed: true,
            any_of: Categories(g.u64() as u16),
            lockup: g.u64() as u32,
            max_holding: g.u64(),
        };
        let rules =
            self.list(0, 9, |g| (Jurisdiction::new(g.below(4096) as u16).unwrap(), rule(g)));
        let endorsement: BTreeMap<_, _> =
            self.list(0, 9, |g| (g.checkpoint(), g.below(65) as u8)).into_iter().collect();
        PublishedPolicy {
            identity_attestors: self.list(0, 8, Self::attestor),
            investor_attestors: self.list(0, 8, Self::attestor),
            rules: rules.into_iter().collect(),
            max_risk: self.u64() as u8,
            unit_price: self.u64(),
            capital_bps: self.below(10_001) as u32,
            capital_rule: self.flag(),
            currency: Some("EUR".parse().unwrap()),
            max_holders: self.some(Self::u64),
            endorsement: EndorsementRule::new(endorsement).unwrap(),
        }
    }
    fn registration(&mut self) -> Registration {
        Registration {
            issuer: self.verify(),
            agent: AgentKeys {
                viewing: self.public(),
                sealing: self.viewing(),
                signing: self.verify(),
            },
            metadata: Metadata {
                name: self.text(),
                isin: self.some(|_| "US0378331005".parse().unwrap()),
                legend: self.text(),
                document_hash: self.bytes(),
                decimals: self.below(19) as u8,
            },
            authorised_supply: 1 + self.below(MAX_SUPPLY),
            count_holders: self.flag(),
            policy: self.policy(),
        }
    }
    fn transfer(&mut self) -> TransferTransaction {
        let deltas = [HoldersDelta::Minus, HoldersDelta::Zero, HoldersDelta::Plus];
        let body = TransferBody {
            circuit: CircuitId(self.bytes()),
            asset: self.asset(),
            position_root: NoteRoot::new(self.field()),
            delivery_root: NoteRoot::new(self.field()),
            registry_root: RegistryRoot::new(self.field()),
            sanctions_root: SanctionsRoot::new(self.field()),
            policy: PolicyHash::new(self.field()),
            now: self.below(END_OF_TIME),
            nf_position: self.nullifier(),
            nf_delivery: self.nullifier(),
            cm_position: self.commitment(),
            cm_delivery: self.commitment(),
            receipt: self.commitment(),
            holders_delta: deltas[self.below(3) as usize],
            disclosure: [self.field(), self.field(), self.field()],
            sealed: self.sealed_delivery(),
            expiry_height: self.u64(),
            redemption: self.some(|g| Redemption {
                amount: NonZeroU64::new(1 + g.below(1 << 63)).unwrap(),
                signature: g.signature(),
            }),
        };
        let proof: Vec<u8> = (0..4).flat_map(|_| self.bytes()).collect();
        TransferTransaction { body, proof: ProofBytes(proof.try_into().unwrap()) }
    }
    fn admit(&mut self) -> AdmitAttestor {
        let admission = Admission { name: self.text(), key: self.verify() };
        let chain = self.chain();
        let approvals = self.list(0, 5, |g| admission.approve(&chain, &g.signing()));
        AdmitAttestor::new(admission, approvals, &chain, &self.signing())
    }
    fn signed<T: Message>(&mut self, message: T) -> Signed<T> {
        let (chain, key) = (self.chain(), self.signing());
        Signed::new(message, &chain, &key)
    }
    fn transaction(&mut self, kind: u64) -> Transaction {
        match kind {
            0 => Transaction::AdmitAttestor(self.admit()),
            1 => {
                let tags = self.some(|g| {
                    let holder = g.bytes();
                    let subjects =
                        g.list(1, 4, |g| SubjectTag { tag: g.bytes(), valid_until: g.u64() });
                    UniquenessTags::new(holder, subjects)
                });
                let issue = Issue {
                    attestor: self.attestor(),
                    sequence: self.u64(),
                    inner: CredentialInner::new(self.field()),
                    tags,
                    sealed: self.sealed_credential(),
                };
                Transaction::IssueCredential(self.signed(issue))
            }
            2 => {
                let revoke = Revoke {
                    attestor: self.attestor(),
                    sequence: self.u64(),
                    leaf: self.u64(),
                    urgent: self.flag(),
                };
                Transaction::RevokeCredential(self.signed(revoke))
            }
            3 => {
                let subjects = self.list(0, 9, |g| Subject::new(g.field()));
                let list = Sanctions::new(self.u64(), self.flag(), subjects).unwrap();
                Transaction::PublishSanctions(self.signed(list))
            }
            4 => {
                let (registration, chain) = (self.registration(), self.chain());
                let (secret, key, issuer) = (self.secret(), self.signing(), self.signing());
                let consent = registration.consent(&chain, &secret, &key, &self.bytes());
                Transaction::RegisterAsset(RegisterAsset::new(
                    registration,
                    consent,
                    &chain,
                    &issuer,
                ))
            }
            5 => {
                let change = PolicyChange {
                    asset: self.asset(),
                    version: self.u64(),
                    urgent: self.flag(),
                    policy: self.policy(),
                };
                Transaction::SetPolicy(self.signed(change))
            }
            6 => Transaction::Mint(Mint {
                allotment: Allotment {
                    asset: self.asset(),
                    amount: 1 + self.below(u64::MAX),
                    unlock_at: self.below(1 << 40),
                    owner_tag: OwnerTag::new(self.field()),
                    for_receiver: self.sealed_delivery(),
                    for_agent: self.sealed_mint(),
                },
                issuer_signature: self.signature(),
                agent_signature: self.signature(),
            }),
            7 => Transaction::Transfer(self.transfer()),
            8 => {
                let list = self.list(1, 5, Self::nullifier);
                let freeze = Freeze::new(self.asset(), self.u64(), list);
                Transaction::FreezeNullifiers(self.signed(freeze))
            }
            9 => {
                let list = self.list(1, 5, Self::nullifier);
                let release = Release::new(self.asset(), self.u64(), list);
                Transaction::ReleaseNullifiers(self.signed(release))
            }
            10 => {
                let pause = Pause {
                    asset: self.asset(),
                    sequence: self.u64(),
                    paused: self.flag(),
                    by: if self.flag() { Officer::Issuer } else { Officer::Agent },
                };
                Transaction::PauseAsset(self.signed(pause))
            }
            11 => {
                let (chain, issuer, key) = (self.chain(), self.signing(), self.signing());
                let rotation =
                    Rotation { asset: self.asset(), sequence: self.u64(), signing: key.public() };
                let consent = rotation.consent(&chain, &self.secret(), &key, &self.bytes());
                let tx = RotateAgentKey::new(rotation, consent, &chain, &issuer);
                Transaction::RotateAgentKey(tx)
            }
            12 => {
                let change = if self.flag() {
                    AuthorityChange::Appoint(self.authority())
                } else {
                    AuthorityChange::Dismiss(self.verify())
                };
                let change = NumberedChange { number: self.u64(), change };
                let (chain, key) = (self.chain(), self.signing());
                let approvals = self.list(0, 4, |g| change.approve(&chain, &g.signing()));
                let possession = self.some(|_| change.possession(&chain, &key));
                let tx = ChangeAuthorities::new(change, possession, approvals);
                Transaction::ChangeAuthorities(tx)
            }
            14 => {
                let change = if self.flag() {
                    CircuitChange::Add(NewCircuit {
                        statement: self.text(),
                        circuit_digest: Sha256Digest(self.bytes()),
                        points: self.list(0, 40, |g| g.below(256) as u8),
                        transcript: self.some(|g| g.list(0, 90, |g| g.below(256) as u8)),
                        activation: self.u64(),
                    })
                } else {
                    CircuitChange::Deactivate {
                        circuit: CircuitId(self.bytes()),
                        height: self.u64(),
                    }
                };
                let change = NumberedCircuitChange { number: self.u64(), change };
                let chain = self.chain();
                let approvals = self.list(0, 4, |g| change.approve(&chain, &g.signing()));
                Transaction::ChangeCircuits(ChangeCircuits::new(change, approvals))
            }
            _ => {
                let (transfer, assertion) = (self.transfer(), self.assertion());
                Transaction::ConvictAuthority(ConvictAuthority { transfer, assertion })
            }
        }
    }
    fn assertion(&mut self) -> SignedAssertion {
        let assertion = Assertion {
            transaction: TxId(self.bytes()),
            proof_hash: self.bytes(),
            checkpoint: self.checkpoint(),
            verdict: NonZeroU16::new(self.below(3) as u16)
                .map_or(Verdict::Approve, Verdict::Reject),
            judged_at: self.u64(),
            judged_time: self.u64(),
            expires_at: self.u64(),
            discretionary: self.flag(),
        };
        let (chain, key) = (self.chain(), self.signing());
        SignedAssertion::new(assertion, &chain, &key)
    }
    fn block(&mut self) -> CertifiedBlock {
        let entries = self.list(0, 3, |g| {
            let kind = g.below(15);
            let transaction = g.transaction(kind);
            let most = if transaction.proof().is_some() { 3 } else { 0 };
            Entry { transaction, assertions: g.list(0, most, Self::assertion) }
        });
        let chain = self.chain();
        let header = Header {
            height: self.u64(),
            parent: BlockId(self.bytes()),
            time: self.u64(),
            state: self.bytes(),
            body: body_hash(&chain, &entries),
            validators: self.bytes(),
            proposer: self.verify(),
        };
        let finality = self.finality(header);
        CertifiedBlock { block: Block { header, entries }, finality }
    }
    fn finality(&mut self, header: Header) -> Finality {
        let chain = self.chain();
        let round = Round { epoch: self.u64(), view: self.u64(), parent: self.u64() };
        let context = self.bytes();
        let (id, by) = (header.id(&chain), self.validators());
        let mut signatures: Vec<BlockSignature> =
            self.list(0, 4, |g| finality::sign(&chain, &by, &id, &round, &context, &g.signing()));
        signatures.sort_by_key(|signature| signature.authority);
        let descendants = self.list(0, 2, |_| header);
        Finality { descendants, certificate: Certificate { round, context, signatures } }
    }
    fn validators(&mut self) -> Validators {
        Validators::new(self.list(1, 5, Self::verify)).unwrap()
    }
    fn receipt(&mut self) -> Receipt {
        let CertifiedBlock { block, finality } = self.block();
        let next = self.validators();
        let handoff = Handoff { header: block.header, finality: finality.clone(), next };
        let entry = EntryDigest {
            transaction: TxId(self.bytes()),
            proof_hash: self.bytes(),
            assertions: self.list(0, 2, Self::assertion),
        };
        let entries = 1 + self.below(4096) as u32;
        Receipt {
            handoffs: vec![handoff],
            header: block.header,
            finality,
            entries,
            index: self.below(u64::from(entries)) as u32,
            path: self.list(0, 12, Self::bytes),
            entry,
        }
    }
    fn possession(&mut self) -> Possession {
        let (secret, chain) = (self.secret(), self.chain());
        Possession::prove(&secret, &chain, &self.bytes(), &self.bytes())
    }
    fn leg(&mut self) -> Leg {
        self.transfer().body.leg()
    }
}

/// The properties of one codec at one value.
fn holds<T: Wire + PartialEq + std::fmt::Debug>(value: &T, junk: &[u8], place: u64, bit: u8) {
    let bytes = value.to_wire();
    let back = T::from_wire(&bytes);
    assert_eq!(back.as_ref(), Ok(value), "round trip");
    assert_eq!(back.unwrap().to_wire(), bytes, "same bytes");
    let mut longer = bytes.clone();
    longer.push(0);
    assert!(T::from_wire(&longer).is_err(), "a trailing byte");
    assert!(T::from_wire(&bytes[..bytes.len() - 1]).is_err(), "the last byte missing");
    let cut = place as usize % bytes.len();
    assert!(T::from_wire(&bytes[..cut]).is_err(), "truncated");
    let mut altered = bytes.clone();
    altered[cut] ^= 1 << (bit % 8);
    for candidate in [&altered[..], junk, &[&bytes[..cut], junk].concat()] {
        if let Ok(other) = T::from_wire(candidate) {
            assert_eq!(other.to_wire(), candidate, "whatever decodes re-encodes to the same bytes");
        }
    }
}

macro_rules! codec_tests {
    ($($name:ident: $grow:expr;)*) => {
        proptest! {
            #![proptest_config(ProptestConfig::with_cases(48))]
            $(
                #[test]
                fn $name(
                    seed: u64,
                    junk in proptest::collection::vec(any::<u8>(), 0..300),
                    place: u64,
                    bit: u8,
                ) {
                    let grow: fn(&mut Grow) -> _ = $grow;
                    holds(&grow(&mut Grow { seed, counter: 0 }), &junk, place, bit);
                }
            )*
        }
    };
}

codec_tests! {
    field_elements: |g| g.nullifier();
    public_keys: |g| g.public();
    verify_keys: |g| g.verify();
    viewing_keys: |g| g.viewing();
    signatures: |g| g.signature();
    addresses: |g| g.address();
    possessions: |g| g.possession();
    chain_ids: |g| g.chain();
    checkpoints: |g| g.checkpoint();
    authorities: |g| g.authority();
    network_params: |g| g.params();
    geneses: |g| g.genesis();
    circuit_entries: |g| g.circuit_entry();
    delivery_notes: |g| g.note();
    mint_notes: |g| g.mint_note();
    credentials: |g| g.credential();
    sealed_deliveries: |g| g.sealed_delivery();
    sealed_mints: |g| g.sealed_mint();
    sealed_credentials: |g| g.sealed_credential();
    policies: |g| g.policy();
    registrations: |g| g.registration();
    legs: |g| g.leg();
    admissions: |g| g.transaction(0);
    issues: |g| g.transaction(1);
    revocations: |g| g.transaction(2);
    sanctions_lists: |g| g.transaction(3);
    asset_registrations: |g| g.transaction(4);
    policy_changes: |g| g.transaction(5);
    mints: |g| g.transaction(6);
    transfers: |g| g.transaction(7);
    freezes: |g| g.transaction(8);
    releases: |g| g.transaction(9);
    pauses: |g| g.transaction(10);
    rotations: |g| g.transaction(11);
    authority_changes: |g| g.transaction(12);
    convictions: |g| g.transaction(13);
    circuit_changes: |g| g.transaction(14);
    assertions: |g| g.assertion();
    blocks: |g| g.block();
    receipts: |g| g.receipt();
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn every_transfer_has_the_same_length(seed: u64) {
        let mut grow = Grow { seed, counter: 0 };
        let (one, two) = (grow.transaction(7).to_wire(), grow.transaction(7).to_wire());
        prop_assert_eq!((one.len(), two.len()), (866, 866));
    }

    #[test]
    fn an_id_covers_everything_but_the_proof(seed: u64, place: u64, bit in 0u8..8) {
        let mut grow = Grow { seed, counter: 0 };
        let chain = grow.chain();
        let transfer = grow.transfer();
        let id = Transaction::Transfer(transfer.clone()).id(&chain);
        let mut other = transfer.clone();
        other.proof.0[place as usize % 128] ^= 1 << bit;
        prop_assert_eq!(Transaction::Transfer(other).id(&chain), id);

        let mut bytes = Transaction::Transfer(transfer).to_wire();
        let body = bytes.len() - 128;
        bytes[place as usize % body] ^= 1 << bit;
        if let Ok(altered) = Transaction::from_wire(&bytes) {
            prop_assert_ne!(altered.id(&chain), id);
        }
        prop_assert_ne!(grow.transaction(7).id(&grow.chain()), id);
    }

    #[test]
    fn a_binding_covers_what_the_spec_lists_and_the_chain(seed: u64) {
        let mut grow = Grow { seed, counter: 0 };
        let (chain, leg) = (grow.chain(), grow.leg());
        let base = binding(&chain, 7, std::slice::from_ref(&leg));
        let other = grow.leg();
        let variants = [
            Leg { circuit: other.circuit, ..leg.clone() },
            Leg { asset: other.asset, ..leg.clone() },
            Leg { nf_position: other.nf_position, ..leg.clone() },
            Leg { nf_delivery: other.nf_delivery, ..leg.clone() },
            Leg { cm_position: other.cm_position, ..leg.clone() },
            Leg { cm_delivery: other.cm_delivery, ..leg.clone() },
            Leg { receipt: other.receipt, ..leg.clone() },
            Leg { redeemed: leg.redeemed ^ 1, ..leg.clone() },
            Leg { ciphertext: other.ciphertext, ..leg.clone() },
        ];
        for variant in variants {
            prop_assert_ne!(binding(&chain, 7, &[variant]), base);
        }
        prop_assert_ne!(binding(&chain, 8, std::slice::from_ref(&leg)), base);
        prop_assert_ne!(binding(&grow.chain(), 7, std::slice::from_ref(&leg)), base);
        prop_assert_ne!(binding(&chain, 7, &[leg, other]), base);
        prop_assert!(fits(&base, 248));
    }
}

#[test]
fn every_kind_of_transaction_is_told_apart() {
    let mut grow = Grow { seed: 1, counter: 0 };
    let kinds: std::collections::BTreeSet<_> =
        (0..15).map(|kind| grow.transaction(kind).kind()).collect();
    assert_eq!(kinds.len(), 15);
}
