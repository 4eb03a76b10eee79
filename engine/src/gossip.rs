//! Messages and time for the application, and a note of who was heard.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use commonware_cryptography::ed25519::PublicKey;
use commonware_p2p::{Message, Receiver, Recipients, Sender};
use commonware_runtime::Clock as EngineClock;
use placet_consensus::{Answer, Application, Clock, Gossip, MAX_GOSSIP_BYTES};
use placet_protocol::signing::VerifyKey;

use crate::keys;

/// How long after its last message a peer counts as connected.
const HEARD: Duration = Duration::from_secs(30);

/// The gossip channel's sending half for the application, which may outlive the engine: it does
/// not keep the network alive.
pub(crate) struct Outbox<S>(pub Weak<S>);

impl<S: Sender<PublicKey = PublicKey>> Outbox<S> {
    fn dispatch(&self, to: Recipients<PublicKey>, message: Bytes) {
        if message.len() > MAX_GOSSIP_BYTES {
            tracing::warn!(bytes = message.len(), "a message is too long for gossip; dropped");
            return;
        }
        let Some(sender) = self.0.upgrade() else { return };
        // Nobody is reached when the peers' rates are exhausted or they are away: best effort.
        let reached = S::clone(&sender).send(to, message, false);
        tracing::trace!(peers = reached.len(), "gossip sent");
    }
}

impl<S: Sender<PublicKey = PublicKey>> Gossip for Outbox<S> {
    fn broadcast(&self, message: Bytes) {
        self.dispatch(Recipients::All, message);
    }
    fn send(&self, to: VerifyKey, message: Bytes) {
        self.dispatch(Recipients::One(keys::public(&to)), message);
    }
}

/// Hands what peers send to the application, until the network closes.
pub(crate) async fn deliver<R>(mut inbox: R, application: Arc<dyn Application>)
where
    R: Receiver<PublicKey = PublicKey>,
{
    while let Ok((from, message)) = inbox.recv().await {
        let length = message.as_ref().len();
        let Some(from) = keys::verify_key(&from).filter(|_| length <= MAX_GOSSIP_BYTES) else {
            tracing::debug!(peer = %from, bytes = length, "gossip refused");
            continue;
        };
        application.receive(from, Bytes::copy_from_slice(message.as_ref()));
    }
}

/// The runtime's clock for the application, which may outlive the engine: it does not keep the
/// runtime alive, nor what that holds.
pub(crate) struct Time<E> {
    runtime: Weak<E>,
    last: AtomicU64,
}

impl<E: EngineClock> Time<E> {
    pub fn new(runtime: &Arc<E>) -> Self {
        let last = AtomicU64::new(milliseconds(runtime.current()));
        Self { runtime: Arc::downgrade(runtime), last }
    }
}

impl<E: EngineClock> Clock for Time<E> {
    fn now_ms(&self) -> u64 {
        if let Some(runtime) = self.runtime.upgrade() {
            self.last.store(milliseconds(runtime.current()), Ordering::Relaxed);
        }
        self.last.load(Ordering::Relaxed)
    }
    fn sleep(&self, duration: Duration) -> Answer<'static, ()> {
        match self.runtime.upgrade() {
            Some(runtime) => Box::pin(runtime.sleep(duration)),
            None => Box::pin(std::future::pending()),
        }
    }
}

/// Since the Unix epoch; 0 for a clock before it.
fn milliseconds(time: SystemTime) -> u64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// When each peer was last heard.
#[derive(Clone, Default)]
pub(crate) struct Heard(Arc<Mutex<BTreeMap<PublicKey, SystemTime>>>);

impl Heard {
    /// Notes who sends, on the way to `inner`.
    pub fn listen<E, R>(&self, clock: E, inner: R) -> Ear<E, R> {
        Ear { clock, inner, heard: self.clone() }
    }

    /// Peers heard of late, ascending.
    pub fn peers(&self, now: SystemTime) -> Vec<VerifyKey> {
        let mut heard = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        heard.retain(|_, at| now.duration_since(*at).unwrap_or_default() <= HEARD);
        heard.keys().filter_map(keys::verify_key).collect()
    }
}

/// A receiver that notes who sent something.
pub(crate) struct Ear<E, R> {
    clock: E,
    inner: R,
    heard: Heard,
}

impl<E, R: std::fmt::Debug> std::fmt::Debug for Ear<E, R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.inner.fmt(f)
    }
}

impl<E: EngineClock, R: Receiver<PublicKey = PublicKey>> Receiver for Ear<E, R> {
    type Error = R::Error;
    type PublicKey = PublicKey;

    async fn recv(&mut self) -> Result<Message<PublicKey>, R::Error> {
        let message = self.inner.recv().await?;
        let mut heard = self.heard.0.lock().unwrap_or_else(PoisonError::into_inner);
        heard.insert(message.0.clone(), self.clock.current());
        Ok(message)
    }

    fn capacity(&self) -> std::num::NonZeroUsize {
        self.inner.capacity()
    }
}
