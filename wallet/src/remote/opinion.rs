//! What authorities said about a transaction, taken from their signatures and not from the node
//! that passes it on. Spec §9.

use placet_protocol::api;
use placet_protocol::assertion::{MAX_ASSERTIONS, SignedAssertion, Verdict};
use placet_protocol::genesis::{Checkpoint, Genesis};
use placet_protocol::signing::VerifyKey;
use placet_protocol::transaction::TxId;
use placet_protocol::wire::Wire;

/// Longest text of a node that is shown, in characters.
const MAX_TEXT: usize = 300;

/// One authority's verdict at one checkpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opinion {
    /// Name of the authority by the genesis.
    pub authority: String,
    /// Its key.
    pub key: VerifyKey,
    /// What was judged.
    pub checkpoint: Checkpoint,
    /// What was found.
    pub verdict: Verdict,
    /// Whether it is a rule of the authority's own, for which it answers to nobody.
    pub discretionary: bool,
    /// Code of a reason to reject; the node's word for the number.
    pub code: String,
    /// The reason in the node's words.
    pub message: String,
}

impl Opinion {
    /// Those of a node's list that authorities of the genesis signed for this transaction. Anybody can
    /// make a key and sign: of others, who may have been appointed later, nothing is shown.
    pub(super) fn verified(list: &[api::Opinion], id: TxId, genesis: &Genesis) -> Vec<Self> {
        let chain = genesis.chain_id();
        let one = |told: &api::Opinion| {
            let bytes = hex::decode(&told.assertion).ok()?;
            let signed = SignedAssertion::from_wire(&bytes).ok()?;
            let assertion = &signed.assertion;
            if assertion.transaction != id || signed.verify(&chain).is_err() {
                return None;
            }
            let key = signed.authority;
            Some(Self {
                authority: genesis.authority(&key)?.name.clone(),
                key,
                checkpoint: assertion.checkpoint,
                verdict: assertion.verdict,
                discretionary: assertion.discretionary,
                code: code(&told.code),
                message: plain(&told.message),
            })
        };
        let mut opinions: Vec<_> = list.iter().take(MAX_ASSERTIONS).filter_map(one).collect();
        opinions.sort_by(|a, b| (&a.authority, a.checkpoint).cmp(&(&b.authority, b.checkpoint)));
        opinions.dedup_by(|a, b| (a.key, a.checkpoint) == (b.key, b.checkpoint));
        opinions
    }

    /// Whether it rejects.
    pub fn rejects(&self) -> bool {
        self.verdict != Verdict::Approve
    }
}

impl std::fmt::Display for Opinion {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { authority, checkpoint, .. } = self;
        match self.verdict {
            Verdict::Approve => write!(f, "{authority} approves at {checkpoint}"),
            Verdict::Reject(reason) => {
                write!(f, "{authority} rejects at {checkpoint} ({}, reason {reason})", self.code)?;
                if !self.message.is_empty() {
                    write!(f, ": {}", self.message)?;
                }
                f.write_str(match self.discretionary {
                    true => " [a rule of its own: ask the authority]",
                    false => "",
                })
            }
        }
    }
}

/// A node's text for a terminal: bounded, without control characters.
pub(super) fn plain(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(MAX_TEXT).collect()
}

/// A node's code: bounded, of the letters that codes have.
pub(super) fn code(text: &str) -> String {
    text.chars()
        .filter(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || *c == '-')
        .take(64)
        .collect()
}
