//! What a node does beside agreeing on blocks, in rounds: verify what came in, judge, sign, tell the
//! others, ask for what was lost, store. Spec §9.
//!
//! A round never waits: it takes a bounded amount of work, in an order that depends on nothing but
//! what came in, so that a simulation repeats it exactly.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use futures::future::{Either, select};
use placet_consensus::Fatal;
use placet_ledger::{CheckError, ExecuteError, Refusal, TimeBound, View};
use placet_protocol::api::Problem;
use placet_protocol::assertion::{Assertion, MAX_ASSERTIONS, SignedAssertion, Verdict};
use placet_protocol::block::MAX_BLOCK_WEIGHT;
use placet_protocol::genesis::Checkpoint;
use placet_protocol::gossip::{Gossip, MAX_WANTED, Variant};
use placet_protocol::signing::VerifyKey;
use placet_protocol::transaction::{Transaction, TransferTransaction, TxId};
use placet_protocol::wire::Wire;
use tokio::sync::oneshot;

use crate::authority::ASSERTION_LIFETIME;
use crate::checkpoint::{Case, Opinion};
use crate::inbox::{Source, Standing};
use crate::mempool::{Candidate, mandated};
use crate::node::{Item, Node, State, SubmitError, problem};
use crate::store::{Change, Record};
use crate::time::Time;

/// Longest pause between two rounds.
const TICK: Duration = Duration::from_millis(200);
/// Pause between two rounds while there is work.
const BREATH: Duration = Duration::from_millis(1);
/// For how long a node that may lag behind the others waits before it rejects, in milliseconds.
const GRACE: u64 = 5000;
/// Pause before a transfer is judged again, in milliseconds.
const AGAIN: u64 = 300;
/// Blocks before the end of its own assertions in which a node signs new ones.
const MARGIN: u64 = 10;
/// Most transfers judged in one round, most that the messages judged in it weigh beside one, and most
/// transactions sent again.
const MOST_JUDGED: usize = 128;
const WEIGHT_JUDGED: usize = MAX_BLOCK_WEIGHT / 8;
const MOST_SENT: usize = 64;
/// Most assertions kept early for each authority, one for each variant and checkpoint.
const MAX_EARLY: usize = 8192;
/// How often somebody is asked for one, and the pauses, in milliseconds.
const ASKS: u32 = 5;
const ASK_FIRST: u64 = 150;
const ASK_AGAIN: u64 = 2000;
/// Most bytes of transactions handed out for one request.
const MAX_HANDED_OUT: usize = 4 * 1024 * 1024;

/// A transaction on its way into the mempool.
struct Fresh {
    source: Source,
    standing: Standing,
    tx: Box<Transaction>,
    variant: Variant,
    size: usize,
    assertions: Vec<SignedAssertion>,
    answer: Option<oneshot::Sender<Result<(), SubmitError>>>,
}

impl Fresh {
    /// Who vouches for it: a peer, or nobody.
    fn sponsor(&self) -> Option<VerifyKey> {
        match self.source {
            Source::Peer(key) => Some(key),
            Source::Client(_) => None,
        }
    }
}

type Answer = (oneshot::Sender<Result<(), SubmitError>>, Result<(), SubmitError>);

/// What leaves the node once it is stored.
#[derive(Default)]
struct Outgoing {
    messages: Vec<(Option<VerifyKey>, Gossip)>,
    assertions: Vec<SignedAssertion>,
    answers: Vec<Answer>,
}

/// A rule that a node which is a few blocks behind the others may find broken.
fn may_be_lag(refusal: Refusal) -> bool {
    use Refusal as R;
    matches!(
        refusal,
        R::UnknownAsset
            | R::CircuitUnknown
            | R::CircuitNotActive
            | R::PolicyNotInForce
            | R::NowOutsideWindow
            | R::NoteRootUnknown
            | R::RegistryRootUnknown
            | R::SanctionsRootUnknown
    )
}

/// The opinions on all variants of a transaction, as many as are kept.
fn all_opinions<'a>(candidates: impl Iterator<Item = &'a Candidate>) -> Vec<SignedAssertion> {
    let mut all: Vec<_> = candidates.flat_map(Candidate::assertions).collect();
    all.truncate(MAX_ASSERTIONS);
    all
}

fn remark<'a>(mut candidates: impl Iterator<Item = &'a Candidate>) -> String {
    let found = candidates.find_map(|candidate| match &candidate.rule {
        Some(Opinion::Reject { message, .. }) => Some(message.clone()),
        _ => None,
    });
    found.unwrap_or_default()
}

impl State {
    /// Takes a transaction out that will not be executed, and remembers why.
    pub(crate) fn close(&mut self, id: TxId, why: Problem, now: u64) {
        let gone = self.mempool.remove(id);
        let candidates = || gone.iter().map(|(_, candidate)| candidate);
        let assertions = all_opinions(candidates());
        let record = Record { problem: Some(why), assertions, remark: remark(candidates()) };
        self.changes.extend(gone.iter().map(|(variant, _)| Change::Done(*variant)));
        self.changes.push(Change::Record(id, record));
        self.dirty.remove(&id);
        self.fates.put(id, now, false);
    }

    /// Takes a transaction out that is final.
    pub(crate) fn executed(&mut self, id: TxId, now: u64) {
        let gone = self.mempool.remove(id);
        self.fates.put(id, now, true);
        self.dirty.remove(&id);
        if gone.is_empty() {
            return;
        }
        let candidates = || gone.iter().map(|(_, candidate)| candidate);
        let assertions = all_opinions(candidates());
        let record = Record { problem: None, assertions, remark: remark(candidates()) };
        self.changes.extend(gone.iter().map(|(variant, _)| Change::Done(*variant)));
        self.changes.push(Change::Record(id, record));
    }
}

impl Node {
    /// Works until the node cannot go on; the process then has to stop. Drop it to stop it.
    ///
    /// # Errors
    /// [`Fatal`]; it does not return otherwise.
    pub async fn run(&self) -> Result<(), Fatal> {
        loop {
            let Some((network, time)) = self.environment.get() else {
                self.wake.notified().await;
                continue;
            };
            let (more, outgoing) = match self.round(time) {
                Ok(done) => done,
                Err(error) => {
                    self.fail(&error);
                    return Err(error);
                }
            };
            for (to, message) in outgoing {
                let message = Bytes::from(message.to_wire());
                match to {
                    None => network.broadcast(message),
                    Some(to) => network.send(to, message),
                }
            }
            let pause = time.sleep(if more { BREATH } else { TICK });
            if more {
                pause.await;
                continue;
            }
            let answered = async {
                match &self.desk {
                    Some(desk) => desk.answered().await,
                    None => std::future::pending().await,
                }
            };
            let woken = std::pin::pin!(self.wake.notified());
            let answered = std::pin::pin!(answered);
            match select(woken, select(answered, pause)).await {
                Either::Left(_) | Either::Right(_) => {}
            }
        }
    }

    /// One round; whether there is more to do at once, and what to send.
    #[allow(clippy::type_complexity)] // the pairs are taken apart on the spot
    fn round(&self, time: &Time) -> Result<(bool, Vec<(Option<VerifyKey>, Gossip)>), Fatal> {
        let now = time.millis();
        let mut out = Outgoing::default();
        let work = self.state().inbox.round();
        let mut fresh = Vec::new();
        for (source, standing, item) in work {
            self.open(source, standing, item, now, &mut fresh, &mut out);
        }
        let view = self.ledger.view().map_err(Fatal::new)?;
        self.admit(&view, fresh, time, &mut out)?;
        self.take_answers(now);
        let more = self.judge_waiting(time, &mut out)?;
        self.send_again(now, &mut out);
        self.ask(now, &mut out);
        self.save()?;
        for (sender, answer) in std::mem::take(&mut out.answers) {
            // The client may have gone.
            let _ = sender.send(answer);
        }
        for chunk in out.assertions.chunks(MAX_ASSERTIONS) {
            out.messages.push((None, Gossip::Assertions(chunk.to_vec())));
        }
        Ok((more || !self.state().inbox.is_empty(), out.messages))
    }

    /// Decodes an item and sorts it by kind.
    fn open(
        &self,
        source: Source,
        standing: Standing,
        item: Item,
        now: u64,
        fresh: &mut Vec<Fresh>,
        out: &mut Outgoing,
    ) {
        let chain = self.ledger.chain();
        let mut take = |tx: Box<Transaction>, size, assertions, answer| {
            let variant = Variant { transaction: tx.id(&chain), proof_hash: tx.proof_hash() };
            fresh.push(Fresh { source, standing, tx, variant, size, assertions, answer });
        };
        let bytes = match item {
            Item::Submitted { tx, size, answer } => {
                return take(tx, size, Vec::new(), Some(answer));
            }
            Item::Restored(tx) => {
                let size = tx.to_wire().len();
                return take(tx, size, Vec::new(), None);
            }
            Item::Message(bytes) => bytes,
        };
        let Source::Peer(peer) = source else { return };
        match Gossip::from_wire(&bytes) {
            Ok(Gossip::Transaction { transaction, assertions }) => {
                take(Box::new(transaction), bytes.len(), assertions, None);
            }
            Ok(Gossip::Assertions(assertions)) => {
                for signed in assertions {
                    self.hear(peer, signed, now);
                }
            }
            Ok(Gossip::Request(wanted)) => self.hand_out(peer, &wanted, out),
            Err(error) => {
                tracing::warn!(peer = %peer, %error, "a peer's message cannot be decoded");
                self.state().inbox.judge(source, false);
            }
        }
    }

    /// Gives a peer what it asked for.
    fn hand_out(&self, peer: VerifyKey, wanted: &[Variant], out: &mut Outgoing) {
        let state = self.state();
        let mut left = MAX_HANDED_OUT;
        for candidate in wanted.iter().filter_map(|variant| state.mempool.get(variant)) {
            let Some(rest) = left.checked_sub(candidate.size) else { return };
            left = rest;
            out.messages.push((Some(peer), message(candidate)));
        }
    }

    /// Takes in an assertion that `from` sent.
    fn hear(&self, from: VerifyKey, signed: SignedAssertion, now: u64) {
        let said = &signed.assertion;
        let variant = Variant { transaction: said.transaction, proof_hash: said.proof_hash };
        {
            let mut state = self.state();
            let state = &mut *state;
            let counts = mandated(&state.sitting, &signed.authority, said.checkpoint)
                && said.expires_at > state.tip.height
                && !state.fates.is_settled(said.transaction, now);
            let key = (signed.authority, said.checkpoint);
            let known = state.mempool.get(&variant).and_then(|known| known.opinions.get(&key));
            if !counts || known.is_some_and(|known| known.assertion.judged_at >= said.judged_at) {
                return;
            }
            // The same for one whose transaction did not come yet, and nothing is kept beyond the
            // author's share: all before the signature is looked at.
            if let Some(early) = state.early.get(&signed.authority)
                && state.mempool.get(&variant).is_none()
            {
                let known = early.get(&(variant, said.checkpoint));
                if known.is_some_and(|known| known.assertion.judged_at >= said.judged_at) {
                    let senders = self.settings.senders.max(state.sitting.len());
                    state.wanted.hear(variant, from, senders, now + ASK_FIRST);
                    return;
                }
                if known.is_none() && early.len() >= MAX_EARLY {
                    return;
                }
            }
        }
        if signed.verify(&self.ledger.chain()).is_err() {
            tracing::warn!(peer = %from, "a peer sent an assertion whose signature fails");
            self.state().inbox.judge(Source::Peer(from), false);
            return;
        }
        let mut state = self.state();
        let state = &mut *state;
        if let Some(candidate) = state.mempool.get_mut(&variant) {
            candidate.hear(signed);
            state.dirty.insert(variant.transaction);
            self.touch();
            self.close_if_hopeless(state, variant.transaction, now);
            return;
        }
        let early = state.early.entry(signed.authority).or_default();
        early.insert((variant, signed.assertion.checkpoint), signed);
        let senders = self.settings.senders.max(state.sitting.len());
        state.wanted.hear(variant, from, senders, now + ASK_FIRST);
    }

    /// Refuses a transaction that too many have rejected, in every variant.
    fn close_if_hopeless(&self, state: &mut State, id: TxId, now: u64) {
        let sitting = &state.sitting;
        let hopeless = state.mempool.variants(id).all(|(_, known)| known.is_hopeless(sitting));
        if hopeless && state.mempool.knows(id) {
            self.metrics.refused(Refusal::EndorsementMissing.code());
            state.close(id, problem(Refusal::EndorsementMissing), now);
        }
    }

    /// Verifies the proofs of what is new and takes the good ones in.
    fn admit(
        &self,
        view: &View,
        fresh: Vec<Fresh>,
        time: &Time,
        out: &mut Outgoing,
    ) -> Result<(), Fatal> {
        let now = time.millis();
        let mut groups: BTreeMap<usize, Vec<Fresh>> = BTreeMap::new();
        for one in fresh {
            if let Some(one) = self.pass(view, one, now, out)? {
                // A bad proof makes its whole batch slow, so sources are batched by standing.
                let group = match one.standing {
                    Standing::Good => 0,
                    Standing::New => 1,
                    Standing::Suspect => 2 + groups.len(),
                };
                groups.entry(group).or_default().push(one);
            }
        }
        for group in groups.into_values() {
            for (one, refusal) in self.verify(group)? {
                // A circuit that was switched off a moment ago is nobody's fault.
                let proof_counts = matches!(refusal, None | Some(Refusal::ProofInvalid));
                if proof_counts && matches!(*one.tx, Transaction::Transfer(_)) {
                    self.state().inbox.judge(one.source, refusal.is_none());
                }
                match refusal {
                    None => self.welcome(one, time, out)?,
                    Some(refusal) => self.turn_down(one, refusal.into(), out),
                }
            }
        }
        Ok(())
    }

    /// Everything that is cheaper than a proof. `None` if it ends here.
    fn pass(
        &self,
        view: &View,
        one: Fresh,
        now: u64,
        out: &mut Outgoing,
    ) -> Result<Option<Fresh>, Fatal> {
        let id = one.variant.transaction;
        let (known, settled, room) = {
            let state = self.state();
            let known = state.mempool.get(&one.variant).is_some()
                || (one.answer.is_some() && state.mempool.knows(id));
            // A client may try again at once what was refused; peers repeat what they have.
            let settled = state.fates.is_final(id)
                || (one.answer.is_none() && state.fates.is_settled(id, now));
            let room = state.mempool.room(id, &one.tx, one.size, one.sponsor());
            (known, settled, room)
        };
        if known || settled {
            if let Source::Peer(peer) = one.source {
                for signed in one.assertions {
                    self.hear(peer, signed, now);
                }
            }
            out.answers.extend(one.answer.map(|answer| (answer, Ok(()))));
            return Ok(None);
        }
        if let Err(no_room) = room {
            self.turn_down(one, no_room.into(), out);
            return Ok(None);
        }
        if let Some(refusal) = self.screen(view, &one.tx).map_err(Fatal::new)? {
            self.turn_down(one, refusal.into(), out);
            return Ok(None);
        }
        Ok(Some(one))
    }

    /// Answers a client; to peers nothing is said. Nothing is remembered of the transaction: with
    /// the same id there may be a good one.
    fn turn_down(&self, one: Fresh, error: SubmitError, out: &mut Outgoing) {
        if let Source::Peer(_) = one.source {
            // One that waited before the node stopped may have been executed since.
            self.state().changes.push(Change::Done(one.variant));
        }
        self.metrics.refused(error.code());
        out.answers.extend(one.answer.map(|answer| (answer, Err(error))));
    }

    /// Verifies proofs in one batch, each under the key of its circuit; the circuit must be active
    /// in the next block.
    fn verify(&self, group: Vec<Fresh>) -> Result<Vec<(Fresh, Option<Refusal>)>, Fatal> {
        let mut refusals = vec![None; group.len()];
        let mut places = Vec::new();
        let mut items = Vec::new();
        for (place, one) in group.iter().enumerate() {
            let Transaction::Transfer(transfer) = &*one.tx else { continue };
            match self.ledger.proof_item(transfer) {
                Ok(item) => {
                    places.push(place);
                    items.push(item);
                }
                Err(CheckError::Refused(refusal)) => refusals[place] = Some(refusal),
                Err(CheckError::Execute(error)) => return Err(Fatal::new(error)),
            }
        }
        let bad = if items.is_empty() {
            Vec::new()
        } else {
            self.proofs.bad(&items).map_err(Fatal::new)?
        };
        self.metrics.proofs(items.len() - bad.len(), bad.len());
        for index in bad {
            refusals[places[index]] = Some(Refusal::ProofInvalid);
        }
        Ok(group.into_iter().zip(refusals).collect())
    }

    /// Takes a transaction with a good proof into the mempool and judges it at once.
    fn welcome(&self, one: Fresh, time: &Time, out: &mut Outgoing) -> Result<(), Fatal> {
        let (variant, now) = (one.variant, time.millis());
        let is_transfer = matches!(*one.tx, Transaction::Transfer(_));
        let restored = one.source == Source::Peer(self.public());
        let sponsor = one.sponsor();
        {
            let mut state = self.state();
            let mut candidate = Candidate::new((*one.tx).clone().into(), one.size, sponsor, now);
            if sponsor.is_some() && !restored {
                candidate.send_at = now + millis(self.settings.resend);
            }
            if let Err(no_room) = state.mempool.add(variant, candidate) {
                drop(state);
                self.turn_down(one, no_room.into(), out);
                return Ok(());
            }
            state.changes.push(Change::Wait(variant, one.tx));
            state.wanted.remove(&variant);
        }
        let result = self.judge(&variant, time, out)?;
        // A transfer's proof was good; of a message this is the first thing that is known.
        let blame = matches!(result, Some(Refusal::SignatureInvalid | Refusal::Malformed));
        if blame && !is_transfer {
            self.state().inbox.judge(one.source, false);
        }
        if let Some(answer) = one.answer {
            out.answers.push((answer, result.map_or(Ok(()), |refusal| Err(refusal.into()))));
        }
        let mut early = Vec::new();
        {
            let mut state = self.state();
            for heard in state.early.values_mut() {
                let keys = Checkpoint::ALL.map(|checkpoint| (variant, checkpoint));
                early.extend(keys.iter().filter_map(|key| heard.remove(key)));
            }
        }
        let from = sponsor.unwrap_or_else(|| self.public());
        for signed in early.into_iter().chain(one.assertions) {
            self.hear(from, signed, now);
        }
        self.touch();
        Ok(())
    }

    /// What the own rule answered.
    fn take_answers(&self, now: u64) {
        let Some(desk) = &self.desk else { return };
        for (variant, opinion) in desk.answers() {
            if opinion.is_failure() {
                self.metrics.hook_failed();
            }
            let mut state = self.state();
            if let Some(candidate) = state.mempool.get_mut(&variant) {
                candidate.rule = Some(opinion);
                candidate.asked = false;
                candidate.judge_at = now;
                state.dirty.insert(variant.transaction);
            }
        }
    }

    /// Judges what is new, and again what an older state was judged on. Whether there is more.
    fn judge_waiting(&self, time: &Time, out: &mut Outgoing) -> Result<bool, Fatal> {
        let now = time.millis();
        let (due, more) = {
            let state = self.state();
            let height = state.tip.height;
            let sits = state.sitting.iter().any(|authority| authority.key == self.public());
            let is_due = |candidate: &Candidate| {
                let transfer = matches!(*candidate.tx, Transaction::Transfer(_));
                let asserted =
                    candidate.asserted_until.is_some_and(|until| until > height + MARGIN);
                let to_assert = transfer && sits && !candidate.asked && !asserted;
                candidate.judge_at <= now && (candidate.checked != Some(height) || to_assert)
            };
            // Either kind has its share, so that a pile of heavy messages delays no transfer.
            let (mut transfers, mut weight) = (MOST_JUDGED, WEIGHT_JUDGED);
            let (mut due, mut more) = (Vec::new(), false);
            for (variant, candidate) in state.mempool.iter() {
                if !is_due(candidate) {
                    continue;
                }
                let left = match *candidate.tx {
                    Transaction::Transfer(_) => &mut transfers,
                    _ => &mut weight,
                };
                if *left == 0 {
                    more = true;
                    continue;
                }
                *left = left.saturating_sub(candidate.tx.weight().max(1));
                due.push(*variant);
            }
            (due, more)
        };
        for variant in &due {
            self.judge(variant, time, out)?;
        }
        Ok(more)
    }

    /// Tries the rules on a waiting transaction, and signs what this authority has to say. Returns
    /// the rule that refuses it; then it waits no longer.
    fn judge(
        &self,
        variant: &Variant,
        time: &Time,
        out: &mut Outgoing,
    ) -> Result<Option<Refusal>, Fatal> {
        let now = time.millis();
        let Some(candidate) = self.state().mempool.get(variant).cloned() else { return Ok(None) };
        let seconds = time.seconds().max(self.tip().time);
        match &*candidate.tx {
            Transaction::Transfer(transfer) => {
                self.judge_transfer(variant, &candidate, transfer, seconds, now, out)
            }
            tx => {
                let height = self.tip().height;
                let bound = TimeBound::Until { latest: seconds };
                match self.ledger.check(tx, seconds, bound) {
                    Ok(()) => {
                        if let Some(candidate) = self.state().mempool.get_mut(variant) {
                            candidate.checked = Some(height);
                        }
                        self.touch();
                        Ok(None)
                    }
                    Err(CheckError::Refused(refusal)) => Ok(self.refuse(variant, refusal, now)),
                    Err(CheckError::Execute(ExecuteError::Time(_))) => Ok(None),
                    Err(CheckError::Execute(error)) => Err(Fatal::new(error)),
                }
            }
        }
    }

    /// The rule refuses it for good.
    fn refuse(&self, variant: &Variant, refusal: Refusal, now: u64) -> Option<Refusal> {
        self.metrics.refused(refusal.code());
        self.state().close(variant.transaction, problem(refusal), now);
        Some(refusal)
    }

    fn judge_transfer(
        &self,
        variant: &Variant,
        candidate: &Candidate,
        transfer: &TransferTransaction,
        seconds: u64,
        now: u64,
        out: &mut Outgoing,
    ) -> Result<Option<Refusal>, Fatal> {
        let judged = self.ledger.judge(transfer, seconds, TimeBound::Until { latest: seconds });
        let judgement = match judged {
            Ok(judgement) => judgement,
            // A commit came in between with a later time: the next round sees it.
            Err(ExecuteError::Time(_)) => return Ok(None),
            Err(error) => return Err(Fatal::new(error)),
        };
        let refusal = judgement.verdicts.iter().find_map(|(_, refusal)| *refusal);
        if refusal.is_some_and(may_be_lag) && now < candidate.since + GRACE {
            if let Some(candidate) = self.state().mempool.get_mut(variant) {
                candidate.judge_at = now + AGAIN;
            }
            return Ok(None);
        }
        let needs = self.needs(transfer)?;
        let mandates: Vec<Checkpoint> = {
            let mut state = self.state();
            if let Some(candidate) = state.mempool.get_mut(variant) {
                candidate.needs = needs;
                if refusal.is_none() {
                    candidate.checked = Some(judgement.height);
                }
            }
            let own = state.sitting.iter().find(|authority| authority.key == self.public());
            own.map(|own| own.mandates.iter().copied().collect()).unwrap_or_default()
        };
        self.touch();
        let height = judgement.height;
        let fresh = candidate.asserted_until.is_some_and(|until| until > height + MARGIN);
        let speaks = !mandates.is_empty() && (refusal.is_some() || !fresh);
        if speaks
            && refusal.is_none()
            && self.ask_rule(variant, candidate, &mandates, &judgement, now)
        {
            return Ok(None);
        }
        if speaks {
            self.assert(variant, candidate, &mandates, &judgement, now, out);
        }
        match refusal {
            Some(refusal) => Ok(self.refuse(variant, refusal, now)),
            None => {
                self.close_if_hopeless(&mut self.state(), variant.transaction, now);
                Ok(None)
            }
        }
    }

    /// Puts the transfer before the own rule if that has not spoken yet; `true` if its word is
    /// awaited.
    fn ask_rule(
        &self,
        variant: &Variant,
        candidate: &Candidate,
        mandates: &[Checkpoint],
        judgement: &placet_ledger::Judgement,
        now: u64,
    ) -> bool {
        let Some(desk) = &self.desk else { return false };
        let concerned = mandates.iter().any(|mandate| desk.checkpoints().contains(mandate));
        if !concerned || candidate.rule.is_some() {
            return false;
        }
        if candidate.asked {
            return true;
        }
        let Transaction::Transfer(transfer) = &*candidate.tx else { return false };
        let chain = self.ledger.chain();
        let (height, time) = (judgement.height, judgement.time);
        let case = Case::new(&chain, variant.transaction, transfer, height, time);
        let taken = desk.ask(*variant, case);
        if let Some(candidate) = self.state().mempool.get_mut(variant) {
            candidate.asked = taken;
            candidate.judge_at = if taken { candidate.judge_at } else { now + AGAIN };
        }
        true
    }

    /// Signs one assertion for each mandate.
    fn assert(
        &self,
        variant: &Variant,
        candidate: &Candidate,
        mandates: &[Checkpoint],
        judgement: &placet_ledger::Judgement,
        now: u64,
        out: &mut Outgoing,
    ) {
        let chain = self.ledger.chain();
        let own_rule = match (&self.desk, &candidate.rule) {
            (Some(desk), Some(Opinion::Reject { code, .. })) => Some((desk.checkpoints(), *code)),
            _ => None,
        };
        let expires_at = judgement.height + ASSERTION_LIFETIME;
        let mut signed = Vec::new();
        for (checkpoint, refusal) in judgement.verdicts {
            if !mandates.contains(&checkpoint) {
                continue;
            }
            let (verdict, discretionary) = match (refusal, own_rule) {
                (Some(refusal), _) => (Verdict::Reject(refusal.number()), false),
                (None, Some((of, code))) if of.contains(&checkpoint) => {
                    (Verdict::Reject(code), true)
                }
                _ => (Verdict::Approve, false),
            };
            self.metrics.asserted(verdict == Verdict::Approve);
            let assertion = Assertion {
                transaction: variant.transaction,
                proof_hash: variant.proof_hash,
                checkpoint,
                verdict,
                judged_at: judgement.height,
                judged_time: judgement.time,
                expires_at,
                discretionary,
            };
            signed.push(SignedAssertion::new(assertion, &chain, &self.key));
        }
        let mut state = self.state();
        let Some(candidate) = state.mempool.get_mut(variant) else { return };
        candidate.asserted_until = Some(expires_at);
        for assertion in &signed {
            candidate.hear(assertion.clone());
        }
        // One that nobody has heard of yet is sent together with them.
        if candidate.send_at > now || candidate.sent > 0 {
            out.assertions.extend(signed);
        }
        state.dirty.insert(variant.transaction);
    }

    /// Approvals that a transfer's asset demands now.
    fn needs(&self, transfer: &TransferTransaction) -> Result<BTreeMap<Checkpoint, usize>, Fatal> {
        let view = self.ledger.view().map_err(Fatal::new)?;
        let Some(asset) = view.asset(transfer.body.asset).map_err(Fatal::new)? else {
            return Ok(BTreeMap::new());
        };
        let rule = &asset.registration.policy.endorsement;
        let state = self.state();
        let of = |checkpoint: Checkpoint| {
            let holders = state.sitting.iter().filter(|a| a.mandates.contains(&checkpoint)).count();
            (checkpoint, usize::from(rule.required(checkpoint)).min(holders))
        };
        Ok(Checkpoint::ALL.map(of).into_iter().filter(|(_, needed)| *needed > 0).collect())
    }

    /// Sends what waits to everybody: at first, and again while it is not final, ever less often.
    fn send_again(&self, now: u64, out: &mut Outgoing) {
        let resend = millis(self.settings.resend);
        let mut state = self.state();
        let due = state.mempool.iter_mut().filter(|(_, candidate)| candidate.send_at <= now);
        for (_, candidate) in due.take(MOST_SENT) {
            candidate.send_at = now + (resend << candidate.sent.min(4));
            candidate.sent = candidate.sent.saturating_add(1);
            out.messages.push((None, message(candidate)));
        }
    }

    /// Asks for transactions of which only assertions came.
    fn ask(&self, now: u64, out: &mut Outgoing) {
        let mut state = self.state();
        let state = &mut *state;
        let mut requests: BTreeMap<VerifyKey, Vec<Variant>> = BTreeMap::new();
        let mut given_up = Vec::new();
        for (variant, wanted) in state.wanted.iter_mut() {
            if wanted.ask_at > now {
                continue;
            }
            let settled = state.fates.is_settled(variant.transaction, now);
            if settled || state.mempool.get(variant).is_some() || wanted.tries >= ASKS {
                given_up.push(*variant);
                continue;
            }
            wanted.tries += 1;
            wanted.ask_at = now + ASK_AGAIN;
            requests.entry(wanted.from()).or_default().push(*variant);
        }
        for variant in &given_up {
            state.wanted.remove(variant);
        }
        if !given_up.is_empty() {
            let wanted = &state.wanted;
            for heard in state.early.values_mut() {
                heard.retain(|(variant, _), _| wanted.contains(variant));
            }
        }
        for (from, variants) in requests {
            let chunks = variants.chunks(MAX_WANTED);
            out.messages.extend(chunks.map(|chunk| (Some(from), Gossip::Request(chunk.to_vec()))));
        }
    }

    /// Makes durable what changed, before anybody is told.
    fn save(&self) -> Result<(), Fatal> {
        let changes = {
            let mut state = self.state();
            let dirty = std::mem::take(&mut state.dirty);
            let mut changes = std::mem::take(&mut state.changes);
            for id in dirty {
                let known = || state.mempool.variants(id).map(|(_, candidate)| candidate);
                let record = Record {
                    problem: None,
                    assertions: all_opinions(known()),
                    remark: remark(known()),
                };
                changes.push(Change::Record(id, record));
            }
            changes
        };
        self.store.save(&changes).map_err(Fatal::new)
    }
}

/// A waiting transaction with all that is known of it.
fn message(candidate: &Candidate) -> Gossip {
    let mut assertions = candidate.assertions();
    assertions.truncate(MAX_ASSERTIONS);
    Gossip::Transaction { transaction: (*candidate.tx).clone(), assertions }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
