//! What operators watch, in Prometheus' text format. No label ever names a transaction, an address
//! or a party.

use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

/// A label with a code.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct Code {
    code: String,
}

/// Whether something was good.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct Verdict {
    verdict: &'static str,
}

/// Seconds: from a millisecond to half a minute.
const SECONDS: [f64; 14] =
    [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0];

/// Everything that is counted.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    height: Gauge,
    block_age: Gauge,
    epoch: Gauge,
    validating: Gauge,
    peers: Gauge,
    pending: Gauge,
    memory: Gauge,
    proofs: Family<Verdict, Counter>,
    assertions: Family<Verdict, Counter>,
    refused: Family<Code, Counter>,
    included: Counter,
    evidence: Counter,
    hook_failures: Counter,
    dropped: Counter,
    http: Family<Code, Counter>,
    commit: Histogram,
    http_seconds: Histogram,
    verify: Histogram,
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

/// What is only known when somebody asks.
#[derive(Clone, Copy, Debug, Default)]
pub struct Snapshot {
    /// Height of the last final block.
    pub height: u64,
    /// Seconds since its time.
    pub block_age: u64,
    /// Epoch of the next block.
    pub epoch: u64,
    /// Whether the node's key votes.
    pub validating: bool,
    /// Connected peers.
    pub peers: usize,
    /// Transactions that wait.
    pub pending: usize,
}

impl Metrics {
    /// All zero.
    pub fn new() -> Self {
        let mut registry = Registry::with_prefix("placet");
        let mut gauge = |name: &str, help: &str| {
            let gauge = Gauge::default();
            registry.register(name, help, gauge.clone());
            gauge
        };
        let height = gauge("height", "Height of the last final block");
        let block_age =
            gauge("block_age_seconds", "Seconds since the time of the last final block");
        let epoch = gauge("epoch", "Epoch of the next block");
        let validating = gauge("validating", "1 while the node's key votes");
        let peers = gauge("peers", "Connected peers");
        let pending = gauge("pending", "Transactions that wait");
        let memory = gauge("resident_memory_bytes", "Memory of the process");
        let mut counter = |name: &str, help: &str| {
            let counter = Counter::default();
            registry.register(name, help, counter.clone());
            counter
        };
        let included = counter("transactions", "Transactions in final blocks");
        let evidence = counter("evidence", "Signed contradictions of authorities, new ones");
        let hook_failures = counter("hook_failures", "Times the own rule failed or was late");
        let dropped = counter("dropped", "Messages of peers dropped because queues were full");
        let (proofs, assertions) = (Family::default(), Family::default());
        registry.register("proofs", "Proofs verified, by verdict", proofs.clone());
        let help = "Own assertions signed, by verdict";
        registry.register("assertions", help, assertions.clone());
        let (refused, http) = (Family::default(), Family::default());
        registry.register("refused", "Transactions refused, by code", refused.clone());
        registry.register("http_responses", "HTTP responses, by status", http.clone());
        let mut histogram = |name: &str, help: &str| {
            let histogram = Histogram::new(SECONDS);
            registry.register(name, help, histogram.clone());
            histogram
        };
        let commit = histogram("commit_seconds", "Time to execute and commit a final block");
        let verify = histogram("verify_block_seconds", "Time to judge a proposed block");
        let http_seconds = histogram("http_seconds", "Time to answer an HTTP request");
        Self {
            registry,
            height,
            block_age,
            epoch,
            validating,
            peers,
            pending,
            memory,
            proofs,
            assertions,
            refused,
            included,
            evidence,
            hook_failures,
            dropped,
            http,
            commit,
            http_seconds,
            verify,
        }
    }

    /// Proofs were verified.
    pub fn proofs(&self, good: usize, bad: usize) {
        self.proofs.get_or_create(&Verdict { verdict: "good" }).inc_by(good as u64);
        self.proofs.get_or_create(&Verdict { verdict: "bad" }).inc_by(bad as u64);
    }

    /// An assertion was signed.
    pub fn asserted(&self, approves: bool) {
        let verdict = if approves { "approve" } else { "reject" };
        self.assertions.get_or_create(&Verdict { verdict }).inc();
    }

    /// A transaction was refused.
    pub fn refused(&self, code: &str) {
        self.refused.get_or_create(&Code { code: code.to_owned() }).inc();
    }

    /// Transactions became final.
    pub fn included(&self, count: usize) {
        self.included.inc_by(count as u64);
    }

    /// New evidence.
    pub fn evidence(&self) {
        self.evidence.inc();
    }

    /// The own rule failed.
    pub fn hook_failed(&self) {
        self.hook_failures.inc();
    }

    /// A peer's message was dropped.
    pub fn dropped(&self) {
        self.dropped.inc();
    }

    /// An HTTP request was answered.
    pub fn answered(&self, status: u16, took: Duration) {
        self.http.get_or_create(&Code { code: status.to_string() }).inc();
        self.http_seconds.observe(took.as_secs_f64());
    }

    /// A block was committed.
    pub fn committed(&self, took: Duration) {
        self.commit.observe(took.as_secs_f64());
    }

    /// A proposed block was judged.
    pub fn judged(&self, took: Duration) {
        self.verify.observe(took.as_secs_f64());
    }

    /// The text that Prometheus reads.
    pub fn text(&self, now: Snapshot) -> String {
        let set = |gauge: &Gauge, value: u64| gauge.set(i64::try_from(value).unwrap_or(i64::MAX));
        set(&self.height, now.height);
        set(&self.block_age, now.block_age);
        set(&self.epoch, now.epoch);
        set(&self.validating, now.validating.into());
        set(&self.peers, now.peers as u64);
        set(&self.pending, now.pending as u64);
        set(&self.memory, resident_memory().unwrap_or(0));
        let mut text = String::new();
        // Writing to a string does not fail.
        let _ = encode(&mut text, &self.registry);
        text
    }
}

/// Bytes of memory that the process holds, where the system says so.
fn resident_memory() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/self/statm").ok()?;
    let pages: u64 = text.split_whitespace().nth(1)?.parse().ok()?;
    pages.checked_mul(rustix::param::page_size() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_that_is_counted_is_shown() {
        let metrics = Metrics::new();
        metrics.refused("expired");
        metrics.proofs(3, 1);
        metrics.committed(Duration::from_millis(3));
        let text = metrics.text(Snapshot { height: 7, validating: true, ..Snapshot::default() });
        for line in [
            "placet_height 7",
            "placet_validating 1",
            "placet_refused_total{code=\"expired\"} 1",
            "placet_proofs_total{verdict=\"good\"} 3",
            "placet_proofs_total{verdict=\"bad\"} 1",
            "placet_commit_seconds_count 1",
        ] {
            assert!(text.contains(line), "{line} is not in\n{text}");
        }
    }
}
