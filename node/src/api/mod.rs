//! The HTTP API: routes and JSON shapes of [`placet_protocol::api`]. Spec §13.
//!
//! Answers to questions come from the committed state. Work that a client causes is bounded before
//! it begins: connections, requests at a time and per second, bytes, seconds; and a proof is
//! verified only after everything cheaper.

mod limits;
mod queries;
mod server;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use placet_consensus::Status;
use placet_protocol::api::{BINARY, Problem, path};
use tokio::sync::Semaphore;

use crate::node::Node;

pub use limits::{Budget, Rate};
pub use server::{Server, serve};

/// Bounds of the API.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Connections.
    pub connections: usize,
    /// Connections of one address.
    pub connections_per_address: usize,
    /// Requests answered at a time.
    pub requests: usize,
    /// Requests of one address.
    pub rate: Option<Rate>,
    /// For one request.
    pub timeout: Duration,
}

/// Where the engine stands.
pub type EngineStatus = Arc<dyn Fn() -> Status + Send + Sync>;
/// The engine's own metrics in Prometheus' text format.
pub type EngineMetrics = Arc<dyn Fn() -> String + Send + Sync>;

/// What every answer is made from.
pub struct Api {
    pub(crate) node: Arc<Node>,
    pub(crate) engine: EngineStatus,
    pub(crate) engine_metrics: EngineMetrics,
    /// Whether the clock may be moved.
    pub(crate) dev_clock: bool,
    pub(crate) limits: Limits,
    pub(crate) budget: Budget,
    pub(crate) at_work: Semaphore,
    /// For long bodies, which are rare and take memory.
    pub(crate) long_bodies: Semaphore,
}

/// Long bodies taken in at a time.
const LONG_BODIES: usize = 4;

impl Api {
    /// Answers for a node.
    pub fn new(
        node: Arc<Node>,
        engine: EngineStatus,
        engine_metrics: EngineMetrics,
        dev_clock: bool,
        limits: Limits,
    ) -> Self {
        Self {
            node,
            engine,
            engine_metrics,
            dev_clock,
            budget: Budget::new(limits.rate),
            at_work: Semaphore::new(limits.requests),
            long_bodies: Semaphore::new(LONG_BODIES),
            limits,
        }
    }
}

/// What is behind each path.
pub(crate) fn routes(api: Arc<Api>) -> Router {
    let watch = Router::new()
        .route(path::HEALTH, get(|| async { "ok\n" }))
        .route(path::READY, get(queries::ready))
        .route(path::METRICS, get(queries::metrics));
    let answers = Router::new()
        .route(path::GENESIS, get(queries::genesis))
        .route(path::STATUS, get(queries::status))
        .route(path::BLOCKS, get(queries::blocks))
        .route(path::BLOCK, get(queries::block))
        .route(path::TRANSACTIONS, post(queries::submit))
        .route(path::TRANSACTION, get(queries::transaction))
        .route(path::RECEIPT, get(queries::receipt))
        .route(path::ROOTS, get(queries::roots))
        .route(path::COMMITMENTS, get(queries::commitments))
        .route(path::REGISTRY, get(queries::registry))
        .route(path::CIPHERTEXTS, get(queries::ciphertexts))
        .route(path::ASSETS, get(queries::assets))
        .route(path::ASSET, get(queries::asset))
        .route(path::AUTHORITIES, get(queries::authorities))
        .route(path::EVIDENCE, get(queries::evidence))
        .route(path::DEV_CLOCK, post(queries::advance))
        .route_layer(axum::middleware::from_fn_with_state(api.clone(), limits::bound));
    answers
        .merge(watch)
        .fallback(|| async {
            refuse(StatusCode::NOT_FOUND, "not-found", "no such path; see the list of the API")
        })
        .method_not_allowed_fallback(|| async {
            refuse(
                StatusCode::METHOD_NOT_ALLOWED,
                "bad-request",
                "the path takes another method; see the list of the API",
            )
        })
        .layer(axum::middleware::from_fn_with_state(api.clone(), limits::count))
        .with_state(api)
}

/// A refusal as JSON.
pub(crate) fn refuse(status: StatusCode, code: &str, message: impl Into<String>) -> Response {
    let problem = Problem { code: code.to_owned(), message: message.into() };
    let mut response = (status, axum::Json(problem)).into_response();
    if matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE) {
        response.headers_mut().insert(header::RETRY_AFTER, header::HeaderValue::from_static("1"));
    }
    response
}

/// Binary content.
pub(crate) fn binary(bytes: Vec<u8>) -> Response {
    ([(header::CONTENT_TYPE, BINARY)], bytes).into_response()
}

/// What handlers share.
pub(crate) type Shared = State<Arc<Api>>;
