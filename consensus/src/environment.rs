//! What the engine does for an authority: messages and time.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use placet_protocol::signing::VerifyKey;

use crate::application::Answer;

/// Longest message of [`Gossip`], in bytes: room for the longest transaction, a sanctions list of
/// 8.4 MB. Longer ones are dropped.
pub const MAX_GOSSIP_BYTES: usize = 9 * 1024 * 1024;

/// How an authority reaches the others, and the time. Once the engine has stopped, messages go
/// nowhere, the clock stands still, and nothing wakes from a sleep.
#[derive(Clone)]
pub struct Environment {
    /// The other authorities and observers.
    pub network: Arc<dyn Gossip>,
    /// The time, real or simulated.
    pub clock: Arc<dyn Clock>,
}

/// Messages between authorities outside of the agreement itself: transactions, assertions.
///
/// Best effort: a message to a peer that is not connected, or too slow, is dropped. Never blocks.
pub trait Gossip: Send + Sync {
    /// To every connected authority and observer.
    fn broadcast(&self, message: Bytes);
    /// To one of them.
    fn send(&self, to: VerifyKey, message: Bytes);
}

/// The time.
pub trait Clock: Send + Sync {
    /// Milliseconds since the Unix epoch. May jump.
    fn now_ms(&self) -> u64;
    /// Completes after `duration`.
    fn sleep(&self, duration: Duration) -> Answer<'static, ()>;
}
