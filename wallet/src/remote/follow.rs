//! A transaction from sending to its end, over all nodes: sent again where a node does not know it,
//! final only with a receipt, refused only if every node that is not known to lie answers, and none
//! says otherwise. Where one is silent, the one that refuses may be the liar: then the end is unknown,
//! and the wallet keeps what it sent. Sending it twice is safe: it has one id, and what it changes can
//! be changed once. A transaction made anew has another id, and would be executed as well.

use std::collections::BTreeSet;
use std::time::Duration;

use placet_protocol::api::{self, TransactionStatus, path};
use placet_protocol::transaction::{Transaction, TxId};
use placet_protocol::wire::Wire;

use super::http::JSON;
use super::opinion::{self, Opinion};
use super::{Node, Remote, Trouble};
use crate::network::{NetworkError, Rejection, SubmitError, Submitted};

/// What one node says.
enum Word {
    Final(Submitted),
    Waiting(Vec<Opinion>),
    Refused(Rejection),
}

/// What came of asking.
enum Round {
    Final(Submitted),
    Waiting,
    Refused(Rejection),
    /// Somebody refuses it, but not everybody answers.
    Doubt,
    Silence,
}

/// Codes of problems that say nothing about the transaction.
const NOT_A_VERDICT: &[&str] =
    &["too-many-requests", "busy", "time-out", "internal", "too-large", "not-found", "bad-request"];

impl Remote {
    pub(super) fn follow(&self, transaction: &Transaction) -> Result<Submitted, SubmitError> {
        let (id, bytes) = (transaction.id(&self.chain), transaction.to_wire());
        self.opinions.borrow_mut().clear();
        // Nodes to which this call has sent it.
        let mut sent = BTreeSet::new();
        let start = self.timer.elapsed();
        let (mut heard, mut surveyed) = (start, start);
        // Since when some node refuses it while another is silent.
        let mut doubt = None;
        let mut pause = self.patience.pause;
        loop {
            let now = self.timer.elapsed();
            let everybody = now - surveyed >= self.patience.everybody;
            if everybody {
                surveyed = now;
            }
            match self.round(id, &bytes, &mut sent, everybody) {
                Round::Final(submitted) => return Ok(submitted),
                Round::Refused(rejection) => return Err(SubmitError::Rejected(rejection)),
                Round::Waiting => {
                    heard = self.timer.elapsed();
                    doubt = None;
                }
                Round::Doubt => {
                    let now = self.timer.elapsed();
                    heard = now;
                    if now - *doubt.get_or_insert(now) >= self.patience.silence {
                        return Err(NetworkError::Undecided.into());
                    }
                }
                Round::Silence => {}
            }
            let now = self.timer.elapsed();
            if now - heard >= self.patience.silence || self.order().is_empty() {
                return Err(self.failure().into());
            }
            if now - start >= self.patience.decision {
                return Err(NetworkError::Undecided.into());
            }
            self.timer.sleep(pause);
            pause = (pause * 5 / 4).min(Duration::from_secs(1));
        }
    }

    /// Asks nodes until one has the transaction, or all.
    fn round(&self, id: TxId, bytes: &[u8], sent: &mut BTreeSet<usize>, everybody: bool) -> Round {
        let (mut waiting, mut refusal, mut silent) = (false, None, false);
        for index in self.order() {
            let first = sent.insert(index);
            let word = self.note(index, self.word(&self.nodes[index], id, bytes, first));
            match word {
                Ok(Word::Final(submitted)) => {
                    self.preferred.set(index);
                    return Round::Final(submitted);
                }
                Ok(Word::Waiting(opinions)) => {
                    let mut known = self.opinions.borrow_mut();
                    if opinions.len() >= known.len() {
                        *known = opinions;
                    }
                    if !waiting {
                        self.preferred.set(index);
                    }
                    waiting = true;
                    if !everybody {
                        break;
                    }
                }
                Ok(Word::Refused(rejection)) => {
                    // The one that knows more says why.
                    let more = |old: &Rejection| rejection.opinions.len() > old.opinions.len();
                    if refusal.as_ref().is_none_or(more) {
                        refusal = Some(rejection);
                    }
                }
                // Not taken in, so it is sent again.
                Err(trouble) => {
                    sent.remove(&index);
                    silent |= !trouble.is_final();
                }
            }
        }
        match (waiting, refusal) {
            (true, _) => Round::Waiting,
            (false, Some(_)) if silent => Round::Doubt,
            (false, Some(rejection)) => Round::Refused(rejection),
            (false, None) => Round::Silence,
        }
    }

    /// What a node says; it is sent the transaction if it does not know it, and the first time also
    /// if it has refused it before.
    fn word(&self, node: &Node, id: TxId, bytes: &[u8], first: bool) -> Result<Word, Trouble> {
        self.know(node)?;
        match self.state(node, id)? {
            TransactionStatus::Final { .. } => self.shown(node, id),
            TransactionStatus::Pending { assertions } => {
                Ok(Word::Waiting(Opinion::verified(&assertions, id, &self.genesis)))
            }
            TransactionStatus::Refused { problem, assertions } if !first => {
                self.refused(&problem, &assertions, id)
            }
            TransactionStatus::Refused { .. } | TransactionStatus::Unknown => {
                self.send(node, id, bytes)
            }
        }
    }

    fn state(&self, node: &Node, id: TxId) -> Result<TransactionStatus, Trouble> {
        let path = path::TRANSACTION.replace("{id}", &id.to_string());
        let Some(text) = self.get(node, &path, JSON)? else {
            return Ok(TransactionStatus::Unknown);
        };
        serde_json::from_slice(&text).map_err(|_| Trouble::Malformed)
    }

    /// A claim that the transaction is final, with what shows it.
    fn shown(&self, node: &Node, id: TxId) -> Result<Word, Trouble> {
        Ok(match self.fetch_receipt(node, id)? {
            Some(receipt) => Word::Final(Submitted { id, height: receipt.header.height }),
            None => Word::Waiting(Vec::new()),
        })
    }

    fn send(&self, node: &Node, id: TxId, bytes: &[u8]) -> Result<Word, Trouble> {
        let reply = self.http.post_bytes(&node.url, path::TRANSACTIONS, bytes);
        let reply = reply.ok_or(Trouble::Silent)?;
        match reply.status {
            200 | 202 => {
                let accepted: api::Accepted =
                    serde_json::from_slice(&reply.body).map_err(|_| Trouble::Malformed)?;
                match accepted.id == id.to_string() {
                    true => Ok(Word::Waiting(Vec::new())),
                    false => Err(Trouble::Malformed),
                }
            }
            422 => {
                let problem: api::Problem =
                    serde_json::from_slice(&reply.body).map_err(|_| Trouble::Malformed)?;
                // It may have been executed before, or between both questions.
                match self.state(node, id)? {
                    TransactionStatus::Final { .. } => self.shown(node, id),
                    TransactionStatus::Refused { assertions, .. } => {
                        self.refused(&problem, &assertions, id)
                    }
                    _ => self.refused(&problem, &[], id),
                }
            }
            429 | 500..=599 => Err(Trouble::Busy),
            _ => Err(Trouble::Malformed),
        }
    }

    fn refused(
        &self,
        problem: &api::Problem,
        assertions: &[api::Opinion],
        id: TxId,
    ) -> Result<Word, Trouble> {
        if NOT_A_VERDICT.contains(&problem.code.as_str()) {
            return Err(Trouble::Busy);
        }
        Ok(Word::Refused(Rejection {
            code: opinion::code(&problem.code),
            message: opinion::plain(&problem.message),
            opinions: Opinion::verified(assertions, id, &self.genesis),
        }))
    }
}
