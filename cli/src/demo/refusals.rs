//! The thirteen attempts that must fail, each at the wallet and past it.
//!
//! Past the wallet the attacker has the prover without its checks and a line to the authorities.
//! Where the rule is proven in zero knowledge it forges: the transaction's public data is perfectly
//! valid, only the witness lies, and the ledger can say no more than that the proof is invalid.
//! Where the rule is enforced in the open, the attacker's proof is true, and the rule's own code
//! comes back.

use ark_bn254::Fr;
use placet_protocol::field::NoteRoot;
use placet_protocol::transaction::TransferTransaction;
use placet_protocol::transfer::{Incoming, Violation};
use placet_wallet::explain::{clause, explain};
use placet_wallet::holder::{Draft, Request};

use super::cast::{Person, categories, cents};
use super::report::Report;
use super::stage::{Stage, fault, surprise};
use crate::fail::Result;

/// Who refuses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layer {
    /// The wallet's own check, before anything is proven.
    Wallet,
    /// The authorities.
    Ledger,
}

impl Layer {
    /// Stable name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Wallet => "wallet",
            Self::Ledger => "ledger",
        }
    }
}

/// What an attacker sends past the wallet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Proof {
    /// Of a false statement, by a prover that checks nothing.
    Forged,
    /// Of a true statement: the rule is enforced in the open.
    True,
}

impl Proof {
    /// For the table.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Forged => "forged",
            Self::True => "true",
        }
    }
}

/// Defines the cases: name, the wallet's code, the ledger's code, what the attacker sends.
macro_rules! cases {
    ($($(#[$doc:meta])* $variant:ident, $name:literal, $wallet:literal, $ledger:literal, $proof:expr, $attack:literal;)*) => {
        /// An attempt that must fail.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Case {
            $($(#[$doc])* $variant,)*
        }

        impl Case {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// Stable name.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// The code that must come back.
            pub const fn code(self, layer: Layer) -> &'static str {
                match (self, layer) {
                    $((Self::$variant, Layer::Wallet) => $wallet,
                      (Self::$variant, Layer::Ledger) => $ledger,)*
                }
            }

            /// What is sent past the wallet.
            pub const fn proof(self) -> Proof {
                match self { $(Self::$variant => $proof,)* }
            }

            /// The same, for people.
            pub const fn attack(self) -> &'static str {
                match self { $(Self::$variant => $attack,)* }
            }
        }
    };
}

cases! {
    /// The screened document is on the OFAC list.
    Sanctioned, "sanctioned-document", "not-sanctioned", "proof-invalid", Proof::Forged,
        "forged: claims another gap of the list";
    /// The identity credential ran out.
    Expired, "expired-credential", "identity-not-expired", "proof-invalid", Proof::Forged,
        "forged: uses it all the same";
    /// The identity credential was taken back, and the window of the old root is over.
    Revoked, "revoked-credential", "identity-member", "registry-root-unknown", Proof::True,
        "a true proof, of the registry as it was";
    /// No rule lets residents acquire.
    Barred, "barred-jurisdiction", "jurisdiction-allowed", "proof-invalid", Proof::Forged,
        "forged: claims the rule for France";
    /// Another category than the rule asks for.
    Category, "wrong-category", "investor-eligible", "proof-invalid", Proof::Forged,
        "forged: adds the category";
    /// The holding would be too large a share of the capital.
    Capital, "too-little-capital", "capital-sufficient", "proof-invalid", Proof::Forged,
        "forged: claims ten times as much";
    /// More than a resident may hold.
    Limit, "holding-limit", "holding-within-limit", "proof-invalid", Proof::Forged,
        "forged: claims a higher limit";
    /// Parks units in flight to make room below the limit.
    Parking, "parking-in-flight", "holding-within-limit", "proof-invalid", Proof::Forged,
        "forged: hides what is in flight";
    /// Units that are still locked.
    LockUp, "lock-up", "lock-respected", "proof-invalid", Proof::Forged,
        "forged: claims that nothing is locked";
    /// One holder more than the policy allows.
    Holders, "too-many-holders", "too-many-holders", "too-many-holders", Proof::True,
        "a true proof: the count is public";
    /// Takes the same delivery in twice.
    DoubleSpend, "double-spend", "delivery-closed", "nullifier-spent", Proof::True,
        "a true proof: only the ledger remembers";
    /// The transfer agent froze the position.
    Frozen, "frozen-position", "frozen", "nullifier-frozen", Proof::True,
        "a true proof: freezes are public";
    /// Uses a credential that was issued to another key.
    Borrowed, "someone-elses-credential", "identity-member", "proof-invalid", Proof::Forged,
        "forged: her key with Amélie's papers";
}

/// The wallet must refuse a request by itself.
pub fn at_wallet(
    stage: &mut Stage,
    report: &mut Report,
    case: Case,
    person: Person,
    request: &Request,
) -> Result<()> {
    match stage.plan(person, request)? {
        Ok(_) => report.refuse(case, Layer::Wallet, "planned", "the wallet saw nothing wrong"),
        Err(error) => report.refuse(case, Layer::Wallet, error.code(), &error.to_string()),
    }
    Ok(())
}

/// The ledger must refuse a transaction that no honest wallet would send.
pub fn at_ledger(
    stage: &Stage,
    report: &mut Report,
    case: Case,
    transaction: &TransferTransaction,
) -> Result<()> {
    if case.proof() == Proof::Forged {
        // Otherwise the refusal would say nothing about the witness.
        let valid = stage.is_wrong_in_its_proof_only(transaction)?;
        report.expect(valid, || format!("{}: the public data is not valid", case.name()));
    }
    match stage.attack(transaction)? {
        None => report.refuse(case, Layer::Ledger, "executed", "the ledger executed it"),
        Some(rejection) => {
            report.refuse(case, Layer::Ledger, &rejection.code, &rejection.message);
        }
    }
    Ok(())
}

/// Tells one attempt after both layers have spoken.
pub fn tell(report: &Report, case: Case, deed: &str) {
    let page = report.page();
    page.refused(deed);
    if let Some(wallet) = report.refusal(case, Layer::Wallet) {
        page.remark(&format!("wallet: {} [{}]", wallet.reason(), wallet.code));
    }
    page.remark(&format!("ledger: {} ({})", report.code(case, Layer::Ledger), case.attack()));
}

/// One attempt whose rule is proven: the wallet names the clause, and `lie` makes the attacker's
/// witness.
pub fn forged(
    stage: &mut Stage,
    report: &mut Report,
    case: Case,
    (person, request): (Person, &Request),
    lie: impl FnOnce(&mut Draft),
) -> Result<()> {
    at_wallet(stage, report, case, person, request)?;
    let mut draft = stage.draft(person, request)?;
    lie(&mut draft);
    let transaction = stage.forge(draft)?;
    at_ledger(stage, report, case, &transaction)
}

/// Says that a category was attested which was not.
pub fn add_category(draft: &mut Draft) {
    let wanted = categories(&["eu-professional", "us-accredited-501a"]);
    draft.witness.investor.credential.categories = Fr::from(wanted.0);
}

/// Says that there is ten times the capital.
pub fn inflate_capital(draft: &mut Draft) {
    draft.witness.investor.credential.capital *= Fr::from(10u8);
}

/// Says that the rule has a higher limit.
pub fn raise_limit(draft: &mut Draft) {
    draft.witness.rule.max_holding = cents(1_000_000, 0);
}

/// Says that nothing is in flight.
pub fn hide_in_flight(draft: &mut Draft) {
    draft.witness.position.position.in_flight = Fr::from(0u8);
}

/// Says that nothing is locked.
pub fn hide_lock(draft: &mut Draft) {
    draft.witness.position.position.locked = Fr::from(0u8);
    draft.witness.position.position.unlock_at = Fr::from(0u8);
}

/// Takes the rule of another person's jurisdiction.
pub fn borrow_rule(draft: &mut Draft, other: &Draft) {
    draft.witness.rule = other.witness.rule;
    draft.witness.rule_path = other.witness.rule_path.clone();
}

/// Takes a gap of the sanctions list in which another person's document lies.
pub fn borrow_gap(draft: &mut Draft, other: &Draft) {
    draft.witness.gap = other.witness.gap;
    draft.witness.gap_path = other.witness.gap_path.clone();
}

/// Takes everything that was attested of another person.
pub fn borrow_papers(draft: &mut Draft, other: &Draft) {
    borrow_gap(draft, other);
    borrow_rule(draft, other);
    draft.witness.identity = other.witness.identity.clone();
    draft.witness.investor = other.witness.investor.clone();
}

/// A lent credential: the wallet does not take it, the native check names the clause, and a proof
/// with it is invalid.
pub fn borrowed_credential(
    stage: &mut Stage,
    report: &mut Report,
    (person, request): (Person, &Request),
    lender: (Person, &Request),
) -> Result<()> {
    let lent = stage.identity_of(lender.0)?;
    if stage.holder(person)?.import(lent).is_ok() {
        return Err(surprise("a wallet took somebody else's credential"));
    }
    let papers = stage.draft(lender.0, lender.1)?;
    let mut draft = stage.draft(person, request)?;
    borrow_papers(&mut draft, &papers);
    draft.rederive();
    match draft.check() {
        Ok(()) => report.refuse(Case::Borrowed, Layer::Wallet, "planned", "nothing is wrong"),
        Err(violation) => named(report, Case::Borrowed, violation),
    }
    let transaction = stage.forge(draft)?;
    at_ledger(stage, report, Case::Borrowed, &transaction)
}

fn named(report: &mut Report, case: Case, violation: Violation) {
    report.refuse(case, Layer::Wallet, clause(violation), &explain(violation));
}

/// What an attacker keeps of a delivery that it has accepted: the slot that took it in, and the
/// root under which its path leads to it, which the ledger knows for a day.
pub struct Kept {
    incoming: Incoming,
    root: NoteRoot,
}

/// Keeps the slot of an acceptance before it is sent.
pub fn keep(draft: &Draft) -> Kept {
    Kept { incoming: draft.witness.incoming.clone(), root: draft.context.delivery_root }
}

/// Takes a delivery in for a second time: every clause holds, only the ledger's memory refuses.
pub fn double_spend(
    stage: &mut Stage,
    report: &mut Report,
    person: Person,
    kept: Kept,
) -> Result<()> {
    let delivery = kept.incoming.delivery.commit(stage.asset);
    let again = Request::accept(stage.asset, delivery, placet_wallet::holder::LockConsent::Ask);
    at_wallet(stage, report, Case::DoubleSpend, person, &again)?;
    let nothing = stage.nothing();
    let mut draft = stage.draft(person, &nothing)?;
    draft.witness.incoming = kept.incoming;
    draft.context.delivery_root = kept.root;
    draft.rederive();
    let transaction = stage.prove_draft(draft)?;
    at_ledger(stage, report, Case::DoubleSpend, &transaction)
}

/// A revoked holder kept the path to its old leaf and proves under the old root at the present
/// time: every clause holds, only the root's window is over.
pub fn revoked(
    stage: &mut Stage,
    report: &mut Report,
    (person, request): (Person, &Request),
    before: &Draft,
) -> Result<()> {
    at_wallet(stage, report, Case::Revoked, person, request)?;
    let mut draft = stage.draft(person, request)?;
    draft.witness.identity = before.witness.identity.clone();
    draft.context.registry_root = before.context.registry_root;
    draft.rederive();
    draft.check().map_err(fault)?;
    let transaction = stage.prove_draft(draft)?;
    at_ledger(stage, report, Case::Revoked, &transaction)
}
