//! What bounds the work of one address and of all: a token bucket, requests at a time, seconds.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::middleware::Next;
use axum::response::Response;

use super::{Api, refuse};
use crate::inbox::Source;

/// Most addresses that are remembered.
const MAX_ADDRESSES: usize = 16_384;

/// How many requests an address may make.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// A second, on the average.
    pub per_second: u32,
    /// At once.
    pub burst: u32,
}

/// Token buckets by address.
pub struct Budget {
    rate: Option<Rate>,
    buckets: Mutex<BTreeMap<Source, (f64, Instant)>>,
}

impl Budget {
    /// Full buckets; without a rate everybody may do what they want.
    pub fn new(rate: Option<Rate>) -> Self {
        Self { rate, buckets: Mutex::default() }
    }

    /// Takes a token; `false` if the address has none left.
    pub fn take(&self, source: Source, now: Instant) -> bool {
        let Some(rate) = self.rate else { return true };
        let (per_second, burst) = (f64::from(rate.per_second), f64::from(rate.burst));
        let mut buckets = self.buckets.lock().expect("no thread panics while it holds a bucket");
        if buckets.len() >= MAX_ADDRESSES && !buckets.contains_key(&source) {
            // A full bucket and one that was never seen are the same.
            buckets.retain(|_, (tokens, at)| {
                let grown = now.saturating_duration_since(*at).as_secs_f64() * per_second;
                *tokens + grown < burst
            });
            if buckets.len() >= MAX_ADDRESSES {
                return false;
            }
        }
        let (tokens, at) = buckets.entry(source).or_insert((burst, now));
        let grown = now.saturating_duration_since(*at).as_secs_f64() * per_second;
        *tokens = (*tokens + grown).min(burst);
        *at = now;
        let granted = *tokens >= 1.0;
        if granted {
            *tokens -= 1.0;
        }
        granted
    }
}

/// The address of a request's connection; put there by the server.
#[derive(Clone, Copy, Debug)]
pub struct Client(pub Source);

/// Refuses what is too much, and what takes too long.
pub(crate) async fn bound(State(api): State<Arc<Api>>, request: Request, next: Next) -> Response {
    let Some(Client(source)) = request.extensions().get::<Client>().copied() else {
        return refuse(
            StatusCode::INTERNAL_SERVER_ERROR,
            "internal",
            "the connection has no address",
        );
    };
    if !api.budget.take(source, Instant::now()) {
        let message = "too many requests from your address; slow down or ask another node";
        return refuse(StatusCode::TOO_MANY_REQUESTS, "too-many-requests", message);
    }
    let Ok(_permit) = api.at_work.try_acquire() else {
        let message = "the node answers as many requests as it can; try again in a moment";
        return refuse(StatusCode::SERVICE_UNAVAILABLE, "busy", message);
    };
    match tokio::time::timeout(api.limits.timeout, next.run(request)).await {
        Ok(response) => response,
        Err(_) => {
            let message = "the answer took too long; try again, or ask another node";
            refuse(StatusCode::GATEWAY_TIMEOUT, "time-out", message)
        }
    }
}

/// Counts every answer.
pub(crate) async fn count(State(api): State<Arc<Api>>, request: Request, next: Next) -> Response {
    let began = Instant::now();
    let response = next.run(request).await;
    api.node.metrics().answered(response.status().as_u16(), began.elapsed());
    response
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::IpAddr;
    use std::time::Duration;

    #[test]
    fn a_bucket_empties_and_fills_again() {
        let budget = Budget::new(Some(Rate { per_second: 10, burst: 3 }));
        let (one, two) = ([10, 0, 0, 1], [10, 0, 0, 2]);
        let (one, two) = (Source::client(IpAddr::from(one)), Source::client(IpAddr::from(two)));
        let now = Instant::now();
        let granted = (0..5).filter(|_| budget.take(one, now)).count();
        assert_eq!(granted, 3);
        assert!(budget.take(two, now), "another address has its own bucket");
        assert!(!budget.take(one, now + Duration::from_millis(50)));
        assert!(budget.take(one, now + Duration::from_millis(250)));
    }
}
