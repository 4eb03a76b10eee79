//! The log: structured, on standard error. Nothing that is logged anywhere in this crate holds a
//! secret: keys and passphrases have no text form.

use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::config::{Log, LogFormat};

/// Begins to log. A process that logs already goes on as it does.
pub fn begin(log: &Log) {
    // The configuration was checked.
    let level: Targets = log.level.parse().unwrap_or_default();
    let base = tracing_subscriber::registry().with(level);
    let layer = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    let begun = match log.format {
        LogFormat::Text => base.with(layer.with_ansi(false)).try_init(),
        LogFormat::Json => base.with(layer.json()).try_init(),
    };
    if begun.is_err() {
        tracing::debug!("logging began before");
    }
}
