//! One request to one node, bounded in time and size. Spec §13.

use std::time::Duration;

use placet_protocol::api::BINARY;
use ureq::Agent;
use ureq::http::Uri;

/// Where a node listens: `http://` or `https://` with a host, and nothing behind it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct NodeUrl(String);

/// A text is no address of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a node's address is http or https and a host, as in https://node.example:8443")]
pub struct BadUrl;

impl std::str::FromStr for NodeUrl {
    type Err = BadUrl;
    fn from_str(text: &str) -> Result<Self, BadUrl> {
        let text = text.trim().trim_end_matches('/');
        let uri: Uri = text.parse().map_err(|_| BadUrl)?;
        let authority = uri.authority().ok_or(BadUrl)?;
        let plain = matches!(uri.scheme_str(), Some("http" | "https"))
            && matches!(uri.path(), "" | "/")
            && uri.query().is_none()
            && !authority.host().is_empty()
            && !authority.as_str().contains('@')
            && !text.contains('#');
        if plain { Ok(Self(text.to_owned())) } else { Err(BadUrl) }
    }
}

impl std::fmt::Display for NodeUrl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl serde::Serialize for NodeUrl {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_str(&self.0)
    }
}

impl<'de> serde::Deserialize<'de> for NodeUrl {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let text = String::deserialize(d)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// How long to wait for a node, and how much to take from it.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// For a connection.
    pub connect: Duration,
    /// For a whole answer.
    pub answer: Duration,
    /// Longest answer in bytes. A page of blocks has 4 MiB and one more block of 16 MiB with its
    /// certificate.
    pub bytes: usize,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(3),
            answer: Duration::from_secs(30),
            bytes: 32 * 1024 * 1024,
        }
    }
}

/// Bytes of JSON that a node may answer.
pub(super) const JSON: usize = 4 * 1024 * 1024;

/// What a node answered.
pub(super) struct Reply {
    pub status: u16,
    pub body: Vec<u8>,
}

/// A client for all nodes.
#[derive(Clone, Debug)]
pub(super) struct Http {
    agent: Agent,
    bounds: Bounds,
}

impl Http {
    pub fn new(bounds: Bounds) -> Self {
        let config = Agent::config_builder()
            .http_status_as_error(false)
            // A node that sends the wallet elsewhere is answered nothing.
            .max_redirects(0)
            .max_redirects_will_error(false)
            // Only the named nodes are talked to, whatever the environment says.
            .proxy(None)
            .user_agent(concat!("placet/", env!("CARGO_PKG_VERSION")))
            .timeout_resolve(Some(bounds.connect))
            .timeout_connect(Some(bounds.connect))
            .timeout_global(Some(bounds.answer))
            .max_response_header_size(16 * 1024)
            .build();
        Self { agent: config.into(), bounds }
    }

    /// Asks; `None` if there is no whole answer within the bounds.
    pub fn get(&self, node: &NodeUrl, path: &str, bytes: usize) -> Option<Reply> {
        let response = self.agent.get(format!("{node}{path}")).call().ok()?;
        self.read(response, bytes)
    }

    /// Sends bytes.
    pub fn post(&self, node: &NodeUrl, path: &str, kind: &str, body: &[u8]) -> Option<Reply> {
        let request = self.agent.post(format!("{node}{path}")).content_type(kind);
        self.read(request.send(body).ok()?, JSON)
    }

    /// Sends a transaction.
    pub fn post_bytes(&self, node: &NodeUrl, path: &str, body: &[u8]) -> Option<Reply> {
        self.post(node, path, BINARY, body)
    }

    fn read(&self, response: ureq::http::Response<ureq::Body>, bytes: usize) -> Option<Reply> {
        let limit = bytes.min(self.bounds.bytes) as u64;
        let status = response.status().as_u16();
        let body = response.into_body().into_with_config().limit(limit).read_to_vec().ok()?;
        Some(Reply { status, body })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_hosts_and_nothing_more() {
        for good in ["http://127.0.0.1:8080", "https://node.example", "http://[::1]:80/"] {
            let url: NodeUrl = good.parse().unwrap();
            assert_eq!(url.to_string(), good.trim_end_matches('/'));
        }
        for bad in [
            "",
            "node.example",
            "ftp://node.example",
            "http://",
            "http://user:secret@node.example",
            "http://node.example/v1",
            "http://node.example?x=1",
            "http://node.example#x",
            "file:///etc/passwd",
        ] {
            assert_eq!(bad.parse::<NodeUrl>(), Err(BadUrl), "{bad}");
        }
    }
}
