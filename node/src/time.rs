//! The node's time: the engine's clock, which a development network may run ahead of.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use placet_consensus::{Answer, Clock};

/// The engine's clock plus an offset.
pub struct Time {
    clock: Arc<dyn Clock>,
    ahead: AtomicU64,
}

impl Time {
    /// `ahead` seconds ahead of `clock`.
    pub fn new(clock: Arc<dyn Clock>, ahead: u64) -> Self {
        Self { clock, ahead: AtomicU64::new(ahead) }
    }

    /// Seconds since the Unix epoch.
    pub fn seconds(&self) -> u64 {
        (self.clock.now_ms() / 1000).saturating_add(self.ahead())
    }

    /// Milliseconds of the clock without its offset, for pauses and time-outs.
    pub fn millis(&self) -> u64 {
        self.clock.now_ms()
    }

    /// Seconds by which it is ahead.
    pub fn ahead(&self) -> u64 {
        self.ahead.load(Ordering::Relaxed)
    }

    /// Puts the clock ahead; development networks only.
    pub fn set_ahead(&self, seconds: u64) {
        self.ahead.store(seconds, Ordering::Relaxed);
    }

    /// Completes after `duration`.
    pub fn sleep(&self, duration: Duration) -> Answer<'static, ()> {
        self.clock.sleep(duration)
    }
}
