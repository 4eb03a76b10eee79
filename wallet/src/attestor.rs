//! The attestor: checks who a holder is, issues credentials, takes them back. Spec §4.
//!
//! Sequence numbers are written before they are used, so that a number is never used twice, even
//! by a process that is killed. What was issued is kept in sealed records: the ledger has only
//! commitments, so these records cannot be rebuilt from the chain. Back them up.

use std::path::Path;

use placet_protocol::address::Address;
use placet_protocol::credential::{
    Categories, Document, IdentityCredential, InvestorCredential, Jurisdiction, TIME_BITS,
};
use placet_protocol::field::{AttestorId, from_digest_248};
use placet_protocol::genesis::{ChainId, Genesis};
use placet_protocol::possession::{BadPossession, Possession};
use placet_protocol::sealed::{Claims, Credential, SealError, SealedCredential};
use placet_protocol::signing::{SigningKey, VerifyKey};
use placet_protocol::tags::{FederationKey, Identifier, IdentifierError, holder_tag, subject_tag};
use placet_protocol::transaction::registry::{
    Admission, AdmitAttestor, Approval, Issue, MAX_SUBJECT_TAGS, Revoke, SubjectTag, UniquenessTags,
};
use placet_protocol::transaction::{Signed, Transaction};
use placet_protocol::wire::{DecodeError, Reader, Wire, Writer};
use placet_registry::credentials;
use placet_registry::store::{StoreError, Transaction as Store};
use redb::{Database, ReadTransaction, ReadableTable, TableDefinition, WriteTransaction};

use crate::client::{Client, OpenError, Progress, Role, RoleError, SyncError};
use crate::network::Network;
use crate::seed::Seed;
use crate::vault::{Vault, VaultError};
use crate::view::{Event, Tip};

/// Sequence number to sealed record.
const ISSUED: TableDefinition<'static, u64, &[u8]> = TableDefinition::new("attestor.issued");
/// The highest sequence number that was ever taken.
const SEQUENCE: TableDefinition<'static, (), u64> = TableDefinition::new("attestor.sequence");

/// Randomness of one credential: salt and ephemeral key.
pub const ISSUE_RANDOM_BYTES: usize = 64;

/// Why the attestor does not act.
#[derive(Debug, thiserror::Error)]
pub enum AttestorError {
    /// A document without country, type or number.
    #[error("the screened document lacks its country, type or number")]
    Document,
    /// An identifier that has no tag.
    #[error(transparent)]
    Identifier(#[from] IdentifierError),
    /// Too many documents.
    #[error("at most {} further documents go with one credential", MAX_SUBJECT_TAGS - 2)]
    TooManyDocuments,
    /// A time beyond 40 bits.
    #[error("the expiry is not a time in seconds since 1970: check it")]
    Expiry,
    /// The holder's answer to the challenge.
    #[error("the holder did not show control of this key: repeat the session")]
    Control(#[from] BadPossession),
    /// A viewing key that yields nothing secret.
    #[error(transparent)]
    Seal(#[from] SealError),
    /// No such credential.
    #[error("this attestor issued no credential with this index: list them, and sync")]
    NotOurs,
    /// Revoked before.
    #[error("this credential is revoked already")]
    AlreadyRevoked,
    /// The records.
    #[error(transparent)]
    Role(#[from] RoleError),
}

impl From<StoreError> for AttestorError {
    fn from(error: StoreError) -> Self {
        Self::Role(error.into())
    }
}

/// A credential that this attestor issued, or was about to.
#[derive(Clone, PartialEq, Eq)]
pub struct Issued {
    /// The sequence number of its message.
    pub sequence: u64,
    /// The holder's address.
    pub to: Address,
    /// What was said.
    pub credential: Credential,
    /// The attestor's own reference, as in a case number.
    pub reference: String,
    /// Its slot in the registry, once the ledger executed the message.
    pub index: Option<u64>,
    /// Whether it was revoked.
    pub revoked: bool,
}

impl std::fmt::Debug for Issued {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Issued({}, {:?})", self.sequence, self.index)
    }
}

/// Longest reference, bytes.
const MAX_REFERENCE: usize = 1024;

impl Wire for Issued {
    fn write(&self, out: &mut Writer) {
        out.u64(self.sequence);
        self.to.write(out);
        self.credential.write(out);
        out.text(&self.reference);
        out.option(&self.index);
        out.bool(self.revoked);
    }
    fn read(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            sequence: input.u64()?,
            to: Address::read(input)?,
            credential: Credential::read(input)?,
            reference: input.text(MAX_REFERENCE)?,
            index: input.option()?,
            revoked: input.bool()?,
        })
    }
}

/// What an attestor saw of a person or entity.
pub struct IdentityFindings<'a> {
    /// The holder's address.
    pub to: Address,
    /// The document that is screened against sanctions lists.
    pub screened: &'a Document,
    /// Stands for the person or entity: a national identifier or the LEI.
    pub person: Identifier<'a>,
    /// Further documents seen.
    pub documents: &'a [Document],
    /// Until when identifier and documents are bound to this key.
    pub bound_until: u64,
    /// Residence or place of organisation.
    pub jurisdiction: Jurisdiction,
    /// Risk class.
    pub risk: u8,
    /// First second at which the credential is no longer valid.
    pub expires_at: u64,
    /// The attestor's own reference.
    pub reference: &'a str,
}

/// What an attestor saw of an investor's status.
pub struct InvestorFindings<'a> {
    /// The holder's address.
    pub to: Address,
    /// Categories.
    pub categories: Categories,
    /// Capital in minor units of the reference currency.
    pub capital: u64,
    /// First second at which the credential is no longer valid.
    pub expires_at: u64,
    /// The attestor's own reference.
    pub reference: &'a str,
}

/// The attestor's keys and records.
pub struct AttestorState {
    signing: SigningKey,
    id: AttestorId,
    vault: Vault,
    sequence: u64,
    issued: Vec<Issued>,
    changed: Vec<usize>,
}

impl std::fmt::Debug for AttestorState {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "AttestorState({})", self.id)
    }
}

impl AttestorState {
    fn new(seed: &Seed) -> Self {
        let signing = seed.signing_key();
        Self {
            id: signing.public().attestor_id(),
            signing,
            vault: Vault::new(seed),
            sequence: 0,
            issued: Vec::new(),
            changed: Vec::new(),
        }
    }

    /// Takes the next sequence number: above everything used here and on the chain.
    fn take_sequence(&mut self, txn: &WriteTransaction) -> Result<u64, StoreError> {
        let last = self.sequence.max(credentials::last_sequence(txn, self.id)?);
        let next = last.saturating_add(1);
        txn.open_table(SEQUENCE)?.insert((), next)?;
        self.sequence = next;
        Ok(next)
    }

    fn write(&mut self, txn: &WriteTransaction) -> Result<(), StoreError> {
        let mut table = txn.open_table(ISSUED)?;
        for place in std::mem::take(&mut self.changed) {
            let issued = &self.issued[place];
            let plain = zeroize::Zeroizing::new(issued.to_wire());
            let sealed = self.vault.seal(&label(issued.sequence), &plain);
            table.insert(issued.sequence, sealed.as_slice())?;
        }
        Ok(())
    }
}

fn label(sequence: u64) -> Vec<u8> {
    [b"attestor.issued".as_slice(), &sequence.to_le_bytes()].concat()
}

impl Role for AttestorState {
    fn load(&mut self, txn: &ReadTransaction) -> Result<(), RoleError> {
        self.issued.clear();
        self.changed.clear();
        self.sequence = 0;
        if let Some(table) = Store::table(txn, SEQUENCE)? {
            let stored = table.get(()).map_err(StoreError::from)?;
            self.sequence = stored.map_or(0, |entry| entry.value());
        }
        let Some(table) = Store::table(txn, ISSUED)? else { return Ok(()) };
        for entry in table.iter().map_err(StoreError::from)? {
            let (sequence, record) = entry.map_err(StoreError::from)?;
            let plain = self.vault.open(&label(sequence.value()), record.value())?;
            self.issued.push(Issued::from_wire(&plain).map_err(|_| VaultError)?);
        }
        Ok(())
    }

    fn event(&mut self, event: &Event<'_>, _: &WriteTransaction) -> Result<(), RoleError> {
        let (place, index, revoked) = match event {
            Event::Issued { index, issue } if issue.attestor == self.id => {
                // Records are in order of their sequence numbers.
                let place = self
                    .issued
                    .binary_search_by_key(&issue.sequence, |issued| issued.sequence)
                    .ok()
                    .filter(|place| self.issued[*place].credential.leaf() == issue.leaf());
                (place, *index, false)
            }
            Event::Revoked { revoke } if revoke.attestor == self.id => {
                let known = |issued: &Issued| issued.index == Some(revoke.leaf);
                (self.issued.iter().position(known), revoke.leaf, true)
            }
            _ => return Ok(()),
        };
        if let Some(place) = place {
            self.issued[place].index = Some(index);
            self.issued[place].revoked = revoked;
            self.changed.push(place);
        }
        Ok(())
    }

    fn save(&mut self, txn: &WriteTransaction, _: &Tip) -> Result<(), RoleError> {
        Ok(self.write(txn)?)
    }
}

/// An attestor.
#[derive(Debug)]
pub struct Attestor {
    client: Client<AttestorState>,
    federation: FederationKey,
}

impl Attestor {
    /// Opens the attestor's store at `path`, or begins one.
    pub fn open(
        path: &Path,
        genesis: &Genesis,
        seed: &Seed,
        federation: FederationKey,
    ) -> Result<Self, OpenError> {
        let client = Client::open(path, genesis, AttestorState::new(seed))?;
        Ok(Self { client, federation })
    }

    /// The same over a database that the caller opened.
    pub fn with_database(
        database: Database,
        genesis: &Genesis,
        seed: &Seed,
        federation: FederationKey,
    ) -> Result<Self, OpenError> {
        let client = Client::with_database(database, genesis, AttestorState::new(seed))?;
        Ok(Self { client, federation })
    }

    /// Follows the network to its newest block.
    pub fn sync(
        &mut self,
        network: &dyn Network,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<Tip, SyncError> {
        self.client.sync(network, progress)
    }

    /// A snapshot of public state, for the functions of [`crate::view`].
    pub fn read(&self) -> Result<ReadTransaction, StoreError> {
        self.client.read()
    }

    /// The attestor's id, which policies name.
    pub fn id(&self) -> AttestorId {
        self.client.role().id
    }

    /// The attestor's public key.
    pub fn key(&self) -> VerifyKey {
        self.client.role().signing.public()
    }

    /// What was issued, in order.
    pub fn issued(&self) -> &[Issued] {
        &self.client.role().issued
    }

    /// The admission that authorities approve.
    pub fn admission(&self, name: &str) -> Admission {
        Admission { name: name.to_owned(), key: self.key() }
    }

    /// The transaction that admits this attestor, once enough authorities approved.
    pub fn admit(&self, admission: Admission, approvals: Vec<Approval>) -> Transaction {
        let signing = &self.client.role().signing;
        let admit = AdmitAttestor::new(admission, approvals, self.chain(), signing);
        Transaction::AdmitAttestor(admit)
    }

    /// Checks a holder's answer to a challenge of the identification session: it controls the key
    /// of its address. See [`crate::seed::Seed::answer`].
    pub fn check_control(
        &self,
        address: &Address,
        challenge: &[u8; 32],
        answer: &Possession,
    ) -> Result<(), AttestorError> {
        let message = crate::seed::identification(self.id(), challenge);
        Ok(answer.verify(&address.key(), self.chain(), &message)?)
    }

    /// Records an identity credential and signs the message that puts it into the registry, with
    /// the tags that keep one person to one key. `random` must be fresh. Takes about a fifth of a
    /// second for each document, by design of the tags.
    pub fn issue_identity(
        &mut self,
        findings: &IdentityFindings<'_>,
        random: &[u8; ISSUE_RANDOM_BYTES],
    ) -> Result<Transaction, AttestorError> {
        let subject = findings.screened.subject().ok_or(AttestorError::Document)?;
        let tags = self.tags(findings)?;
        let credential = IdentityCredential::new(
            findings.to.holder(),
            subject,
            findings.jurisdiction,
            findings.risk,
            checked_time(findings.expires_at)?,
            salt(random),
        );
        let claims = Claims::Identity(credential);
        self.issue(findings.to, claims, Some(tags), findings.reference, random)
    }

    /// Records an investor credential and signs the message that puts it into the registry.
    /// `random` must be fresh.
    pub fn issue_investor(
        &mut self,
        findings: &InvestorFindings<'_>,
        random: &[u8; ISSUE_RANDOM_BYTES],
    ) -> Result<Transaction, AttestorError> {
        let credential = InvestorCredential::new(
            findings.to.holder(),
            findings.categories,
            findings.capital,
            checked_time(findings.expires_at)?,
            salt(random),
        );
        let claims = Claims::Investor(credential);
        self.issue(findings.to, claims, None, findings.reference, random)
    }

    /// Signs the message that takes a credential back. `urgent` closes the window of older roots
    /// at once and counts against a quota.
    pub fn revoke(&mut self, index: u64, urgent: bool) -> Result<Transaction, AttestorError> {
        let id = self.id();
        let record = credentials::record(&self.read()?, index)?;
        let record = record.filter(|record| record.attestor == id).ok_or(AttestorError::NotOurs)?;
        if record.revoked {
            return Err(AttestorError::AlreadyRevoked);
        }
        let sequence =
            self.client.change::<_, RoleError>(|state, txn| Ok(state.take_sequence(txn)?))?;
        let message = Revoke { attestor: id, sequence, leaf: index, urgent };
        let signed = Signed::new(message, self.chain(), &self.client.role().signing);
        Ok(Transaction::RevokeCredential(signed))
    }

    fn issue(
        &mut self,
        to: Address,
        claims: Claims,
        tags: Option<UniquenessTags>,
        reference: &str,
        random: &[u8; ISSUE_RANDOM_BYTES],
    ) -> Result<Transaction, AttestorError> {
        let inner = match &claims {
            Claims::Identity(credential) => credential.inner(),
            Claims::Investor(credential) => credential.inner(),
        };
        let attestor = self.id();
        let credential = Credential { attestor, claims };
        let (parts, _) = random.as_chunks::<32>();
        let sealed = SealedCredential::seal(&credential, &to.viewing(), self.chain(), &parts[1])?;
        let mut reference = reference.to_owned();
        reference.truncate(reference.floor_char_boundary(MAX_REFERENCE));
        let sequence = self.client.change::<_, RoleError>(|state, txn| {
            let sequence = state.take_sequence(txn)?;
            let index = None;
            let issued = Issued { sequence, to, credential, reference, index, revoked: false };
            state.issued.push(issued);
            state.changed.push(state.issued.len() - 1);
            state.write(txn)?;
            Ok(sequence)
        })?;
        let message = Issue { attestor, sequence, inner, tags, sealed };
        let signed = Signed::new(message, self.chain(), &self.client.role().signing);
        Ok(Transaction::IssueCredential(signed))
    }

    fn tags(&self, findings: &IdentityFindings<'_>) -> Result<UniquenessTags, AttestorError> {
        // The person and the screened document come first.
        if findings.documents.len() + 2 > MAX_SUBJECT_TAGS {
            return Err(AttestorError::TooManyDocuments);
        }
        let valid_until = checked_time(findings.bound_until)?;
        let mut identifiers = vec![findings.person, Identifier::Document(findings.screened)];
        identifiers.extend(findings.documents.iter().map(Identifier::Document));
        identifiers.dedup();
        let mut subjects = Vec::new();
        for identifier in &identifiers {
            let tag = subject_tag(&self.federation, identifier)?;
            subjects.push(SubjectTag { tag, valid_until });
        }
        let holder = holder_tag(&self.federation, findings.to.holder());
        Ok(UniquenessTags::new(holder, subjects))
    }

    fn chain(&self) -> &ChainId {
        self.client.chain()
    }
}

fn salt(random: &[u8; ISSUE_RANDOM_BYTES]) -> ark_bn254::Fr {
    from_digest_248(random.first_chunk().expect("64 bytes"))
}

fn checked_time(time: u64) -> Result<u64, AttestorError> {
    if time >> TIME_BITS == 0 { Ok(time) } else { Err(AttestorError::Expiry) }
}
