//! An authority's own checkpoint: a program or an HTTP address that sees the public part of a
//! transfer and approves or rejects it, from configuration alone. Spec §9.
//!
//! Its word comes on top of the ledger's rules: it can reject what they let pass, never approve
//! what they refuse. It fails closed: no answer, a late or a garbled one is a rejection. Rejections
//! by an own rule are marked discretionary and can convict nobody.

mod http;
mod program;

use std::collections::{BTreeSet, VecDeque};
use std::num::NonZeroU16;
use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::Duration;

use placet_protocol::genesis::{ChainId, Checkpoint};
use placet_protocol::gossip::Variant;
use placet_protocol::transaction::{Transaction, TransferTransaction, TxId};
use serde::{Deserialize, Serialize};

pub use http::HttpRule;
pub use program::ProgramRule;

/// Codes that an own rule may give.
pub const OWN_CODES: std::ops::RangeInclusive<u16> = 1000..=65535;
/// The rule did not answer in time.
pub const TIMED_OUT: NonZeroU16 = NonZeroU16::new(1001).expect("not zero");
/// The rule failed, or its answer is none.
pub const FAILED: NonZeroU16 = NonZeroU16::new(1002).expect("not zero");
/// Longest answer of a rule, in bytes.
pub const MAX_ANSWER: usize = 64 * 1024;
/// Longest message of a rule that is kept, in characters.
const MAX_MESSAGE: usize = 400;
/// Cases that may wait for each thread of a desk.
const QUEUE: usize = 64;

/// What an own rule is told: everything public of a transfer that a rule can be about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Case {
    /// Version of this format: 1.
    pub version: u32,
    /// Chain id.
    pub chain: String,
    /// Transaction id.
    pub transaction: String,
    /// SHA-256 of the proof bytes.
    pub proof_hash: String,
    /// The asset.
    pub asset: String,
    /// Hash of the policy that was proven.
    pub policy: String,
    /// Root of the note tree with the spent position.
    pub position_root: String,
    /// Root of the note tree with what comes in.
    pub delivery_root: String,
    /// Root of the registry.
    pub registry_root: String,
    /// Root of the sanctions tree.
    pub sanctions_root: String,
    /// The two nullifiers.
    pub nullifiers: [String; 2],
    /// The three commitments: position, delivery, receipt.
    pub commitments: [String; 3],
    /// Time for which the proof holds, seconds since the Unix epoch.
    pub now: u64,
    /// Units taken out of circulation.
    pub redeemed: u64,
    /// Change in the number of holders: -1, 0 or 1.
    pub holders_delta: i64,
    /// Last height at which it can be executed.
    pub expiry_height: u64,
    /// Height of the state that is judged.
    pub height: u64,
    /// Time with which it is judged.
    pub time: u64,
}

impl Case {
    /// Of a transfer.
    pub fn new(
        chain: &ChainId,
        id: TxId,
        transfer: &TransferTransaction,
        height: u64,
        time: u64,
    ) -> Self {
        let body = &transfer.body;
        let proof = Transaction::Transfer(transfer.clone()).proof_hash();
        Self {
            version: 1,
            chain: chain.to_string(),
            transaction: id.to_string(),
            proof_hash: hex::encode(proof),
            asset: body.asset.to_string(),
            policy: body.policy.to_string(),
            position_root: body.position_root.to_string(),
            delivery_root: body.delivery_root.to_string(),
            registry_root: body.registry_root.to_string(),
            sanctions_root: body.sanctions_root.to_string(),
            nullifiers: [body.nf_position.to_string(), body.nf_delivery.to_string()],
            commitments: body.leaves().map(|leaf| leaf.to_string()),
            now: body.now,
            redeemed: body.redeemed(),
            holders_delta: body.holders_delta.signed(),
            expiry_height: body.expiry_height,
            height,
            time,
        }
    }
}

/// What an own rule says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Opinion {
    /// Nothing against it.
    Approve,
    /// Something.
    Reject {
        /// One of [`OWN_CODES`].
        code: NonZeroU16,
        /// For the operator and those who ask this node; not signed.
        message: String,
    },
}

impl Opinion {
    fn timed_out() -> Self {
        Self::Reject {
            code: TIMED_OUT,
            message: "the authority's own rule did not answer in time; send it again later".into(),
        }
    }

    fn failed() -> Self {
        Self::Reject {
            code: FAILED,
            message: "the authority's own rule failed; ask the authority".into(),
        }
    }

    /// Whether the rule itself failed to answer.
    pub fn is_failure(&self) -> bool {
        matches!(self, Self::Reject { code, .. } if *code == TIMED_OUT || *code == FAILED)
    }

    /// Reads an answer; anything but a complete and valid one is a failure.
    pub fn parse(answer: &[u8]) -> Self {
        #[derive(Deserialize)]
        #[serde(tag = "verdict", rename_all = "kebab-case", deny_unknown_fields)]
        enum Answer {
            Approve {},
            Reject {
                code: u16,
                #[serde(default)]
                message: String,
            },
        }
        match serde_json::from_slice(answer) {
            Ok(Answer::Approve {}) => Self::Approve,
            Ok(Answer::Reject { code, message }) if OWN_CODES.contains(&code) => {
                let plain = message.chars().filter(|c| !c.is_control());
                match NonZeroU16::new(code) {
                    Some(code) => Self::Reject { code, message: plain.take(MAX_MESSAGE).collect() },
                    None => Self::failed(),
                }
            }
            _ => Self::failed(),
        }
    }
}

/// A rule of an authority's own. Asking may take as long as its time-out.
pub trait Rule: Send + Sync + 'static {
    /// The rule's word on a case.
    fn ask(&self, case: &Case) -> Opinion;
}

/// Where an own rule is found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// A program with its arguments: the case on standard input, the answer on standard output.
    Program {
        /// The program.
        program: PathBuf,
        /// Its arguments.
        arguments: Vec<String>,
    },
    /// An address that takes the case by POST.
    Http(String),
}

/// How an own checkpoint is run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Where the rule is.
    pub place: Place,
    /// Mandates under which it has a word; the authority's other mandates follow the ledger alone.
    pub checkpoints: BTreeSet<Checkpoint>,
    /// How long it may take.
    pub timeout: Duration,
    /// How many cases are judged at a time.
    pub concurrency: usize,
}

impl Settings {
    /// Starts the threads that ask the rule.
    pub fn open(self) -> Desk {
        let rule: Arc<dyn Rule> = match self.place {
            Place::Program { program, arguments } => {
                Arc::new(ProgramRule::new(program, arguments, self.timeout))
            }
            Place::Http(address) => Arc::new(HttpRule::new(address, self.timeout)),
        };
        Desk::new(rule, self.checkpoints, self.concurrency)
    }
}

/// What is waiting and what is answered.
#[derive(Default)]
struct Papers {
    cases: VecDeque<(Variant, Case)>,
    answers: Vec<(Variant, Opinion)>,
    closed: bool,
}

struct Shared {
    papers: Mutex<Papers>,
    more: Condvar,
    answered: tokio::sync::Notify,
}

impl Shared {
    fn papers(&self) -> MutexGuard<'_, Papers> {
        self.papers.lock().expect("no thread panics while it holds the papers")
    }
}

/// Asks an own rule on threads of its own, a bounded number of cases at a time.
pub struct Desk {
    shared: Arc<Shared>,
    checkpoints: BTreeSet<Checkpoint>,
    most: usize,
}

impl Desk {
    /// With `concurrency` threads, at least one.
    pub fn new(rule: Arc<dyn Rule>, checkpoints: BTreeSet<Checkpoint>, concurrency: usize) -> Self {
        let shared = Arc::new(Shared {
            papers: Mutex::default(),
            more: Condvar::new(),
            answered: tokio::sync::Notify::new(),
        });
        let threads = concurrency.max(1);
        for _ in 0..threads {
            let (shared, rule) = (shared.clone(), rule.clone());
            std::thread::spawn(move || work(&shared, rule.as_ref()));
        }
        Self { shared, checkpoints, most: threads * QUEUE }
    }

    /// Mandates under which the rule has a word.
    pub fn checkpoints(&self) -> &BTreeSet<Checkpoint> {
        &self.checkpoints
    }

    /// Puts a case on the desk; `false` if there are too many.
    pub fn ask(&self, variant: Variant, case: Case) -> bool {
        let mut papers = self.shared.papers();
        if papers.cases.len() >= self.most {
            return false;
        }
        papers.cases.push_back((variant, case));
        self.shared.more.notify_one();
        true
    }

    /// The answers since the last call.
    pub fn answers(&self) -> Vec<(Variant, Opinion)> {
        std::mem::take(&mut self.shared.papers().answers)
    }

    /// Completes when there is an answer.
    pub async fn answered(&self) {
        self.shared.answered.notified().await;
    }
}

impl Drop for Desk {
    fn drop(&mut self) {
        self.shared.papers().closed = true;
        self.shared.more.notify_all();
    }
}

fn work(shared: &Shared, rule: &dyn Rule) {
    loop {
        let mut papers = shared.papers();
        let (variant, case) = loop {
            if papers.closed {
                return;
            }
            match papers.cases.pop_front() {
                Some(next) => break next,
                None => papers = shared.more.wait(papers).expect("as for the lock"),
            }
        };
        drop(papers);
        let opinion = rule.ask(&case);
        shared.papers().answers.push((variant, opinion));
        shared.answered.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_complete_answers_count() {
        assert_eq!(Opinion::parse(br#"{"verdict":"approve"}"#), Opinion::Approve);
        let rejected = Opinion::parse(br#"{"verdict":"reject","code":1234,"message":"no\u0007"}"#);
        let code = NonZeroU16::new(1234).unwrap();
        assert_eq!(rejected, Opinion::Reject { code, message: "no".into() });
        for garbage in [
            &b""[..],
            b"approve",
            b"{}",
            br#"{"verdict":"approve","code":1}"#,
            br#"{"verdict":"approve"} trailing"#,
            br#"{"verdict":"reject"}"#,
            br#"{"verdict":"reject","code":999}"#,
            br#"{"verdict":"reject","code":70000}"#,
            br#"{"verdict":"maybe"}"#,
            b"\xff\xfe",
        ] {
            assert_eq!(Opinion::parse(garbage), Opinion::failed(), "{garbage:?}");
        }
    }
}
