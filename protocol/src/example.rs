//! A small world with one holder, from which valid `transfer` statements of every branch are made:
//! what key generation synthesizes with, and where tests and benches start. Nothing here is
//! secret or random.

use std::collections::BTreeMap;

use ark_bn254::Fr;
use sha2::{Digest, Sha256, Sha512};

use crate::credential::{
    self, Categories, Document, IdentityCredential, InvestorCredential, Jurisdiction,
};
use crate::delivery::{Delivery, DeliveryKey};
use crate::field::{AssetId, AttestorId, NoteRoot, RegistryRoot, Subject, from_digest_248};
use crate::genesis::{PinnedCircuit, Sha256Digest};
use crate::keys::{NullifierKey, SecretKey};
use crate::merkle::{NOTE_DEPTH, Path, REGISTRY_DEPTH, SparseTree};
use crate::policy::{Policy, Rule, Rules, TrustedAttestors};
use crate::position::Position;
use crate::sanctions::SanctionsList;
use crate::statement::Statement;
use crate::transfer::{
    Context, IdentityOpening, Incoming, InvestorOpening, Mode, Outgoing, PositionOpening,
    PublicInputs, Transfer, Witness,
};

/// The time of every example, seconds since the epoch.
pub const NOW: u64 = 1_800_000_000;

/// Which branches an example takes.
#[derive(Clone, Copy, Debug)]
pub struct Branches {
    /// Whether the spent position is the virtual, empty one.
    pub genesis: bool,
    /// How the incoming slot is used.
    pub mode: Mode,
    /// Whether the holder's jurisdiction asks for an investor category.
    pub selective: bool,
    /// Whether the policy has a capital rule.
    pub capital_rule: bool,
    /// Whether the policy counts holders.
    pub count_holders: bool,
    /// Whether what is accepted arrives locked.
    pub lockup: bool,
}

impl Branches {
    /// Every combination: 2 × 4 × 2 × 2 × 2 × 2.
    pub fn all() -> impl Iterator<Item = Self> {
        let modes = [Mode::Absent, Mode::Accept, Mode::Refund, Mode::Settle];
        (0u8..128).map(move |i| {
            let bit = |n: u8| i >> n & 1 == 1;
            Self {
                genesis: bit(0),
                mode: modes[usize::from(i >> 1 & 3)],
                selective: bit(3),
                capital_rule: bit(4),
                count_holders: bit(5),
                lockup: bit(6),
            }
        })
    }
}

/// An example: the context, the witness, and the public inputs they lead to.
#[derive(Clone, Debug)]
pub struct Example {
    /// Roots and time.
    pub context: Context,
    /// The witness.
    pub witness: Witness,
    /// The public inputs.
    pub public: PublicInputs,
}

/// A field element that depends on a label and a number alone.
pub fn element(label: &str, number: u64) -> Fr {
    let mut hasher = Sha256::new();
    hasher.update(label.as_bytes());
    hasher.update(number.to_be_bytes());
    from_digest_248(&hasher.finalize().into())
}

/// A secret key that depends on a label alone. Everybody knows it.
pub fn secret_key(label: &str) -> SecretKey {
    SecretKey::from_uniform_bytes(&Sha512::digest(label.as_bytes()).into())
        .expect("a hash is not a degenerate key")
}

/// The holder's residence in every example: France.
pub fn jurisdiction() -> Jurisdiction {
    Jurisdiction::new(250).expect("12 bits")
}

/// A pin of no real key, for networks whose proofs are simulated.
pub fn pinned_circuit() -> PinnedCircuit {
    PinnedCircuit {
        statement: Transfer::NAME.to_owned(),
        circuit_digest: Sha256Digest(Sha256::digest("example circuit").into()),
        verifying_key: Sha256Digest(Sha256::digest("example verifying key").into()),
        transcript: None,
    }
}

fn subject(number: &str) -> Subject {
    let document =
        Document { country: "FRA".into(), kind: "passport".into(), number: number.into() };
    document.subject().expect("no part is empty")
}

impl Example {
    /// A valid statement on the given branches.
    pub fn new(branches: Branches) -> Self {
        let holder = secret_key("example holder");
        let agent = secret_key("example agent").public();
        let asset = AssetId::new(element("asset", 0));
        let [identity_attestor, investor_attestor] =
            [1, 2].map(|i| AttestorId::new(element("attestor", i)));

        let rule = Rule {
            allowed: true,
            any_of: Categories(if branches.selective { 0b11_0000 } else { 0 }),
            lockup: if branches.lockup { 90 * 86_400 } else { 0 },
            max_holding: 50_000,
        };
        let rules = Rules::new(BTreeMap::from([
            (jurisdiction(), rule),
            (Jurisdiction::new(276).expect("12 bits"), Rule { lockup: 7, ..rule }),
        ]));
        let policy = Policy {
            asset,
            agent,
            attestors: TrustedAttestors::new(&[identity_attestor], &[investor_attestor])
                .expect("fewer than eight"),
            rules_root: rules.root(),
            max_risk: 3,
            unit_price: 1_000,
            capital_bps: 1_000,
            count_holders: branches.count_holders,
            capital_rule: branches.capital_rule,
        };

        let sanctions =
            SanctionsList::new((0..20).map(|i| subject(&format!("BAD{i}")))).expect("short");
        let subject = subject("12AB34567");
        let (gap, gap_path) = sanctions.witness(subject);
        let id = holder.public().holder();
        let identity = IdentityCredential::new(
            id,
            subject,
            jurisdiction(),
            2,
            NOW + 10_000,
            element("salt", 1),
        );
        let investor = InvestorCredential::new(
            id,
            Categories(0b01_0000),
            100_000_000_000,
            NOW + 20_000,
            element("salt", 2),
        );
        let mut registry =
            SparseTree::<REGISTRY_DEPTH>::from_leaves((0..40).map(|i| element("credential", i)));
        registry.set(11, credential::leaf(identity_attestor, identity.inner()));
        registry.set(29, credential::leaf(investor_attestor, investor.inner()));

        let nk = NullifierKey::derive(&holder.agree(&agent), asset);
        let position = if branches.genesis {
            Position::genesis()
        } else {
            Position {
                balance: Fr::from(1_000u64),
                in_flight: Fr::from(400u64),
                locked: Fr::from(100u64),
                unlock_at: Fr::from(NOW + 500),
                rho: element("rho", 0),
            }
        };
        // A genesis position has nothing in flight, so it can only take back or settle nothing.
        let in_amount = match (branches.mode, branches.genesis) {
            (Mode::Refund | Mode::Settle, true) => 0u64,
            _ => 250,
        };
        let key = DeliveryKey::from_parts(element("k", 0));
        let owner = match branches.mode {
            Mode::Accept => id,
            _ => secret_key("example counterparty").public().holder(),
        };
        let delivery = Delivery {
            amount: Fr::from(in_amount),
            unlock_at: Fr::from(0u8),
            deadline: Fr::from(NOW - 10),
            owner_tag: key.owner_tag(owner).get(),
            refund_tag: key.refund_tag(&nk).get(),
        };
        let cm_incoming = delivery.commit(asset);
        let mut notes = SparseTree::<NOTE_DEPTH>::from_leaves((0..70).map(|i| element("note", i)));
        if !branches.genesis {
            notes.set(13, position.commit(asset, id, &nk).get());
        }
        match branches.mode {
            Mode::Absent => {}
            Mode::Accept | Mode::Refund => notes.set(64, cm_incoming.get()),
            Mode::Settle => notes.set(64, key.receipt(cm_incoming).get()),
        }
        let incoming = match branches.mode {
            Mode::Absent => Incoming::absent(),
            mode => Incoming { mode, delivery, key, path: notes.path(64) },
        };

        let out_amount = match (branches.genesis, branches.mode, branches.lockup) {
            (true, Mode::Accept, false) => 120u64,
            (true, _, _) => 0,
            (false, _, _) => 150,
        };
        let witness = Witness {
            key_bits: holder.representative_bits(),
            policy,
            identity: IdentityOpening {
                credential: identity,
                attestor: identity_attestor,
                path: registry.path(11),
            },
            gap,
            gap_path,
            position: PositionOpening {
                genesis: branches.genesis,
                position,
                path: if branches.genesis { Path::filler() } else { notes.path(13) },
            },
            incoming,
            rule,
            rule_path: rules.path(jurisdiction()),
            investor: InvestorOpening {
                credential: investor,
                attestor: investor_attestor,
                path: registry.path(29),
            },
            outgoing: Outgoing {
                to: secret_key("example receiver").public().x(),
                amount: Fr::from(out_amount),
                deadline: Fr::from(NOW + 86_400),
            },
        };
        let context = Context {
            position_root: NoteRoot::new(notes.root()),
            delivery_root: NoteRoot::new(notes.root()),
            registry_root: RegistryRoot::new(registry.root()),
            sanctions_root: sanctions.root(),
            now: NOW,
            redeemed: if branches.genesis { 0 } else { 30 },
        };
        let mut public = witness.public_inputs(&context);
        public.binding = element("binding", 0);
        Self { context, witness, public }
    }

    /// Recomputes the public inputs after the witness or the context was changed: a consistent
    /// lie, where only the changed clause can object.
    pub fn rederive(&mut self) {
        let binding = self.public.binding;
        self.public = self.witness.public_inputs(&self.context);
        self.public.binding = binding;
    }
}

/// A statement for key generation: the shape of a circuit does not depend on values.
pub fn blank() -> (PublicInputs, Witness) {
    let example = Example::new(Branches {
        genesis: false,
        mode: Mode::Accept,
        selective: true,
        capital_rule: true,
        count_holders: true,
        lockup: false,
    });
    (example.public, example.witness)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transfer::check;

    #[test]
    fn every_branch_combination_has_a_valid_statement() {
        for branches in Branches::all() {
            let example = Example::new(branches);
            assert_eq!(check(&example.public, &example.witness), Ok(()), "{branches:?}");
        }
    }

    #[test]
    fn two_attempts_from_one_position_share_only_its_nullifier() {
        let branches = Branches {
            genesis: false,
            mode: Mode::Absent,
            selective: false,
            capital_rule: false,
            count_holders: false,
            lockup: false,
        };
        let first = Example::new(branches);
        let evaluate = |example: &Example| example.witness.evaluate(NOW, example.context.redeemed);
        let mut to_another = first.clone();
        to_another.witness.outgoing.to = secret_key("another receiver").public().x();
        let mut with_another_document = first.clone();
        with_another_document.witness.identity.credential.subject = subject("34CD").get();
        for second in [to_another, with_another_document] {
            let (a, b) = (evaluate(&first), evaluate(&second));
            assert_eq!(a.nf_position, b.nf_position);
            assert_ne!(a.made_key, b.made_key);
            assert_ne!(a.made.refund_tag, b.made.refund_tag);
            assert_ne!(a.nf_delivery, b.nf_delivery);
            assert_ne!(a.receipt, b.receipt);
            // No pad is used for two messages.
            for i in 0..3 {
                let difference = a.disclosure[i] - b.disclosure[i];
                let to = first.witness.outgoing.to - second.witness.outgoing.to;
                let document = first.witness.identity.credential.subject
                    - second.witness.identity.credential.subject;
                assert!(![Fr::from(0u8), to, document].contains(&difference));
            }
        }
    }
}
