//! `status`: where a running node stands.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use placet_protocol::api::{Status, path};

use super::{CONFIG, CommandError, Report};
use crate::config::Config;

/// How long a node may take to answer.
const TIMEOUT: Duration = Duration::from_secs(10);
/// Longest answer in JSON, in bytes.
const MAX_JSON: u64 = 1024 * 1024;

/// Whom to ask.
#[derive(Debug, Args)]
pub struct StatusOf {
    /// The node's configuration, which says where its API listens
    #[arg(long, value_name = "FILE", default_value = CONFIG)]
    config: PathBuf,
    /// Or the address of a node's API
    #[arg(long, value_name = "URL", conflicts_with = "config")]
    api: Option<String>,
}

/// The address of an API, from an argument or a configuration.
pub(super) fn base(api: Option<&String>, config: &std::path::Path) -> Result<String, CommandError> {
    match api {
        Some(url) => Ok(url.trim_end_matches('/').to_owned()),
        None => Ok(format!("http://{}", Config::read(config)?.api.listen)),
    }
}

/// Asks a node; at most `most` bytes.
pub(super) fn get(base: &str, path: &str, most: u64) -> Result<Vec<u8>, CommandError> {
    let url = format!("{base}{path}");
    let failed = |problem: String| CommandError::NoAnswer { url: url.clone(), problem };
    let agent = ureq::Agent::config_builder()
        .timeout_global(Some(TIMEOUT))
        .max_redirects(0)
        .http_status_as_error(false)
        .build()
        .new_agent();
    let mut response = agent.get(&url).call().map_err(|error| failed(error.to_string()))?;
    if response.status() != 200 {
        return Err(failed(format!("status {}", response.status())));
    }
    let body = response.body_mut().with_config().limit(most).read_to_vec();
    body.map_err(|error| failed(error.to_string()))
}

impl StatusOf {
    pub(super) fn run(&self) -> Result<Report, CommandError> {
        let base = base(self.api.as_ref(), &self.config)?;
        let body = get(&base, path::STATUS, MAX_JSON)?;
        let status: Status =
            serde_json::from_slice(&body).map_err(|_| CommandError::Garbage(base))?;
        let role = if status.validating { "votes" } else { "follows" };
        let text = format!(
            "network      {} ({})\nheight       {}\nblock        {}\nblock time   {} ({} s ago)\n\
             epoch        {}, {} authorities, quorum {}\nthis node    {role}, {} peers, {} \
             transactions waiting\nversion      {}",
            status.network,
            status.chain,
            status.height,
            status.block,
            status.time,
            status.clock.saturating_sub(status.time),
            status.epoch,
            status.authorities,
            status.quorum,
            status.peers,
            status.pending,
            status.version,
        );
        let json = serde_json::to_value(&status).unwrap_or_default();
        Ok(Report { text, json })
    }
}
