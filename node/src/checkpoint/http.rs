//! An own rule behind an HTTP address: the case by POST as JSON, the answer in the body of a
//! response with status 200.

use std::time::Duration;

use super::{Case, MAX_ANSWER, Opinion, Rule};

/// Asks the address for each case.
#[derive(Debug)]
pub struct HttpRule {
    address: String,
    agent: ureq::Agent,
}

impl HttpRule {
    /// An address that may take `timeout` for a case, all in all.
    pub fn new(address: String, timeout: Duration) -> Self {
        let agent = ureq::Agent::config_builder()
            .timeout_global(Some(timeout))
            // Whoever answers in the place of the configured address is not the rule.
            .max_redirects(0)
            .http_status_as_error(false)
            .proxy(None)
            .build()
            .new_agent();
        Self { address, agent }
    }

    fn run(&self, case: &Case) -> Result<Opinion, ureq::Error> {
        let body = serde_json::to_vec(case).map_err(std::io::Error::from)?;
        let request = self.agent.post(&self.address).header("content-type", "application/json");
        let mut response = request.send(&body[..])?;
        if response.status() != 200 {
            return Ok(Opinion::failed());
        }
        let answer = response.body_mut().with_config().limit(MAX_ANSWER as u64).read_to_vec()?;
        Ok(Opinion::parse(&answer))
    }
}

impl Rule for HttpRule {
    fn ask(&self, case: &Case) -> Opinion {
        self.run(case).unwrap_or_else(|error| {
            tracing::error!(address = %self.address, %error, "own rule does not answer");
            match error {
                ureq::Error::Timeout(_) => Opinion::timed_out(),
                _ => Opinion::failed(),
            }
        })
    }
}
