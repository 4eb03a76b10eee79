//! Between the network and who decodes its messages: no peer may have more than a few megabytes
//! waiting, whatever it sends. The network bounds messages by number only, and one may be as long as
//! the longest block.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use commonware_cryptography::ed25519::PublicKey;
use commonware_p2p::{Message, Receiver};
use commonware_runtime::Spawner;
use commonware_utils::channel::mpsc;

/// What an empty message costs, in bytes.
const EMPTY: usize = 256;

/// What peers may have waiting on one channel.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Allowance {
    /// Longest message, in bytes; longer ones are dropped.
    pub longest: usize,
    /// Most bytes of one peer that wait; one message always may.
    pub waiting: usize,
}

impl Allowance {
    /// Room for one of the longest messages of a peer at a time.
    pub(crate) const fn one(longest: usize) -> Self {
        Self { longest, waiting: longest }
    }
}

/// Bytes that wait, by peer; no entry is zero.
#[derive(Debug, Default)]
struct Waiting(BTreeMap<PublicKey, usize>);

impl Waiting {
    /// Whether a message may wait too; if so, it counts.
    fn push(&mut self, peer: &PublicKey, length: usize, allowance: Allowance) -> bool {
        if length > allowance.longest {
            return false;
        }
        let (cost, before) = (length + EMPTY, self.0.get(peer).copied().unwrap_or(0));
        if before > 0 && before + cost > allowance.waiting {
            return false;
        }
        self.0.insert(peer.clone(), before + cost);
        true
    }

    fn pop(&mut self, peer: &PublicKey, length: usize) {
        let Some(bytes) = self.0.get_mut(peer) else { return };
        *bytes = bytes.saturating_sub(length + EMPTY);
        if *bytes == 0 {
            self.0.remove(peer);
        }
    }
}

/// A receiver that takes everything from the network at once, and keeps what peers are allowed.
pub(crate) struct Metered<R: Receiver<PublicKey = PublicKey>> {
    messages: mpsc::UnboundedReceiver<Result<Message<PublicKey>, R::Error>>,
    waiting: Arc<Mutex<Waiting>>,
    capacity: std::num::NonZeroUsize,
}

impl<R: Receiver<PublicKey = PublicKey>> std::fmt::Debug for Metered<R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Metered")
    }
}

/// Puts a meter before a receiver. What is dropped, the engine asks for again when it needs it.
pub(crate) fn meter<E, R>(runtime: E, mut inner: R, allowance: Allowance) -> Metered<R>
where
    E: Spawner,
    R: Receiver<PublicKey = PublicKey>,
{
    let waiting = Arc::new(Mutex::new(Waiting::default()));
    let capacity = inner.capacity();
    let (sender, messages) = mpsc::unbounded_channel();
    let counted = waiting.clone();
    runtime.spawn(move |_| async move {
        loop {
            let message = inner.recv().await;
            if let Ok((peer, bytes)) = &message {
                let length = bytes.as_ref().len();
                let mut waiting = counted.lock().unwrap_or_else(PoisonError::into_inner);
                if !waiting.push(peer, length, allowance) {
                    tracing::debug!(%peer, length, "a message beyond a peer's allowance is dropped");
                    continue;
                }
            }
            let closed = message.is_err();
            if sender.send(message).is_err() || closed {
                return;
            }
        }
    });
    Metered { messages, waiting, capacity }
}

impl<R: Receiver<PublicKey = PublicKey>> Receiver for Metered<R> {
    type Error = R::Error;
    type PublicKey = PublicKey;

    async fn recv(&mut self) -> Result<Message<PublicKey>, R::Error> {
        let Some(message) = self.messages.recv().await else {
            // The network's end was handed on before; the task ended with the runtime.
            return std::future::pending().await;
        };
        let (peer, bytes) = message?;
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.pop(&peer, bytes.as_ref().len());
        Ok((peer, bytes))
    }

    fn capacity(&self) -> std::num::NonZeroUsize {
        self.capacity
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroUsize;

    use commonware_cryptography::{Signer as _, ed25519::PrivateKey};
    use commonware_runtime::{Clock as _, IoBuf, Runner as _, Supervisor as _, deterministic};

    use super::*;

    /// Messages in memory; then silence.
    #[derive(Debug)]
    struct Canned(Vec<Message<PublicKey>>);

    impl Receiver for Canned {
        type Error = std::io::Error;
        type PublicKey = PublicKey;
        async fn recv(&mut self) -> Result<Message<PublicKey>, std::io::Error> {
            if self.0.is_empty() {
                return std::future::pending().await;
            }
            Ok(self.0.remove(0))
        }
        fn capacity(&self) -> NonZeroUsize {
            NonZeroUsize::new(8).unwrap()
        }
    }

    #[test]
    fn a_peer_that_floods_fills_its_own_allowance_and_nobody_elses() {
        let peer = |seed| PrivateKey::from_seed(seed).public_key();
        let message = |seed, length: usize| (peer(seed), IoBuf::from(vec![7u8; length]));
        let mut sent: Vec<_> = (0..1000).map(|_| message(1, 4000)).collect();
        sent.push(message(1, 10_001));
        sent.push(message(2, 10_001));
        sent.push(message(2, 10_000));
        sent.extend((0..3).map(|_| message(3, 1000)));
        deterministic::Runner::default().start(|runtime| async move {
            let allowance = Allowance::one(10_000);
            let mut metered = meter(runtime.child("meter"), Canned(sent), allowance);
            runtime.sleep(std::time::Duration::from_secs(1)).await;
            let mut heard = Vec::new();
            for _ in 0..6 {
                let (from, bytes) = metered.recv().await.unwrap();
                heard.push((from, bytes.as_ref().len()));
            }
            let of = |seed| {
                let from = heard.iter().filter(|(from, _)| *from == peer(seed));
                from.map(|(_, length)| *length).collect::<Vec<_>>()
            };
            // Two of a thousand; one that is as long as can be; all of a modest peer.
            assert_eq!(of(1), [4000, 4000]);
            assert_eq!(of(2), [10_000]);
            assert_eq!(of(3), [1000, 1000, 1000]);
            assert!(metered.waiting.lock().unwrap().0.is_empty());
        });
    }
}
