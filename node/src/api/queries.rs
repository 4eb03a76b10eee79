//! The answers, one function a path.

use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::{Extension, Path, Query, Request, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use placet_ledger::View;
use placet_protocol::api::{self, MAX_PAGE, PAGE_BYTES};
use placet_protocol::block::BlockId;
use placet_protocol::field::{AssetId, to_hex};
use placet_protocol::finality::{epoch_of, quorum};
use placet_protocol::transaction::{MAX_SANCTIONS_BYTES, MAX_TRANSACTION_BYTES, TxId};
use placet_protocol::wire::Wire;
use serde::Deserialize;

use super::limits::Client;
use super::{Api, Shared, binary, refuse};
use crate::metrics::Snapshot;
use crate::node::{ClockError, SubmitError};

/// A range of heights or indices.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Range {
    #[serde(default)]
    from: u64,
    #[serde(default = "Range::most")]
    max: u64,
}

impl Range {
    const fn most() -> u64 {
        MAX_PAGE
    }
    /// The end, excluded.
    fn end(&self) -> u64 {
        self.from.saturating_add(self.max.min(MAX_PAGE))
    }
}

type BadQuery = axum::extract::rejection::QueryRejection;

fn bad_range(_: BadQuery) -> Box<Response> {
    let message = "the range must be ?from=NUMBER&max=NUMBER; correct it";
    Box::new(refuse(StatusCode::BAD_REQUEST, "bad-request", message))
}

fn not_found(what: &str) -> Response {
    let message = format!("this node has no such {what}; check the id, or ask again later");
    refuse(StatusCode::NOT_FOUND, "not-found", message)
}

fn internal(error: &dyn std::fmt::Display) -> Response {
    tracing::error!(%error, "a question could not be answered");
    let message = "the node could not read its store; ask another node";
    refuse(StatusCode::INTERNAL_SERVER_ERROR, "internal", message)
}

/// Asks one consistent view of the ledger, off the threads that serve connections.
async fn ask<T, E>(
    api: &Arc<Api>,
    question: impl FnOnce(&Api, &View) -> Result<T, E> + Send + 'static,
) -> Result<T, Box<Response>>
where
    T: Send + 'static,
    E: std::fmt::Display + Send + 'static,
{
    let api = api.clone();
    let work = tokio::task::spawn_blocking(move || {
        let view = api.node.ledger().view().map_err(|error| Box::new(internal(&error)))?;
        question(&api, &view).map_err(|error| Box::new(internal(&error)))
    });
    work.await.unwrap_or_else(|error| Err(Box::new(internal(&error))))
}

fn answer<T: IntoResponse>(result: Result<T, Box<Response>>) -> Response {
    match result {
        Ok(answer) => answer.into_response(),
        Err(response) => *response,
    }
}

fn txid(text: &str) -> Result<TxId, Box<Response>> {
    text.parse().map_err(|error: placet_protocol::transaction::BadTxId| {
        Box::new(refuse(StatusCode::BAD_REQUEST, "bad-request", error.to_string()))
    })
}

pub(crate) async fn genesis(State(api): Shared) -> Response {
    Json(api.node.ledger().genesis()).into_response()
}

pub(crate) async fn status(State(api): Shared) -> Response {
    let tip = api.node.tip();
    let engine = (api.engine)();
    let genesis = api.node.ledger().genesis();
    let epoch = epoch_of(tip.height + 1, genesis.params.epoch_length);
    let sitting = api.node.sitting().len();
    let votes = match api.node.ledger().validators(epoch) {
        Ok(Some(validators)) => validators.quorum(),
        Ok(None) => quorum(sitting),
        Err(error) => return internal(&error),
    };
    Json(api::Status {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        network: genesis.name.clone(),
        chain: api.node.ledger().chain().to_string(),
        height: tip.height,
        time: tip.time,
        block: BlockId(tip.block).to_string(),
        state: hex::encode(tip.state),
        epoch,
        authorities: sitting,
        quorum: votes,
        key: Some(api.node.public()),
        validating: engine.running && engine.signing == placet_consensus::Signing::Yes,
        peers: engine.peers.len(),
        pending: api.node.pending(),
        clock: api.node.clock().unwrap_or(0),
    })
    .into_response()
}

pub(crate) async fn blocks(State(api): Shared, range: Result<Query<Range>, BadQuery>) -> Response {
    let range = match range.map_err(bad_range) {
        Ok(Query(range)) => range,
        Err(response) => return *response,
    };
    let found = ask(&api, move |_, view| {
        let mut page = Vec::new();
        let mut count = 0u32;
        for height in range.from.max(1)..range.end().max(range.from.max(1)) {
            let Some(block) = view.block(height)? else { break };
            page.extend(block.to_wire());
            count += 1;
            if page.len() >= PAGE_BYTES {
                break;
            }
        }
        // A list as the wire format has it: the count, then the items.
        let mut bytes = count.to_le_bytes().to_vec();
        bytes.append(&mut page);
        Ok::<_, placet_ledger::LedgerError>(bytes)
    });
    answer(found.await.map(binary))
}

pub(crate) async fn block(State(api): Shared, Path(height): Path<String>) -> Response {
    let Ok(height) = height.parse::<u64>() else {
        let message = "a height is a decimal number; correct it";
        return refuse(StatusCode::BAD_REQUEST, "bad-request", message);
    };
    match ask(&api, move |_, view| view.block(height)).await {
        Ok(Some(block)) => binary(block.to_wire()),
        Ok(None) => not_found("block"),
        Err(response) => *response,
    }
}

pub(crate) async fn submit(
    State(api): Shared,
    Extension(Client(source)): Extension<Client>,
    request: Request,
) -> Response {
    let length = request.headers().get(header::CONTENT_LENGTH);
    let length = length.and_then(|length| length.to_str().ok()?.parse::<usize>().ok());
    let most = length.unwrap_or(MAX_TRANSACTION_BYTES);
    if most > MAX_SANCTIONS_BYTES {
        let message = "the body is longer than any transaction; split it";
        return refuse(StatusCode::PAYLOAD_TOO_LARGE, "too-large", message);
    }
    let _long = if most > MAX_TRANSACTION_BYTES {
        match api.long_bodies.try_acquire() {
            Ok(permit) => Some(permit),
            Err(_) => {
                let message = "the node takes in other long transactions; try again in a moment";
                return refuse(StatusCode::SERVICE_UNAVAILABLE, "busy", message);
            }
        }
    } else {
        None
    };
    let body: Body = request.into_body();
    let Ok(bytes) = axum::body::to_bytes(body, most).await else {
        let message = "the body is too long, or has no content-length and exceeds 128 KiB";
        return refuse(StatusCode::PAYLOAD_TOO_LARGE, "too-large", message);
    };
    match api.node.submit(source, &bytes).await {
        Ok(id) => {
            (StatusCode::ACCEPTED, Json(api::Accepted { id: id.to_string() })).into_response()
        }
        Err(error) => {
            let status = match &error {
                SubmitError::Refused(_) | SubmitError::NoRoom(_) if error.code() != "busy" => {
                    StatusCode::UNPROCESSABLE_ENTITY
                }
                SubmitError::Busy => StatusCode::TOO_MANY_REQUESTS,
                _ => StatusCode::SERVICE_UNAVAILABLE,
            };
            refuse(status, error.code(), error.to_string())
        }
    }
}

pub(crate) async fn transaction(State(api): Shared, Path(id): Path<String>) -> Response {
    let id = match txid(&id) {
        Ok(id) => id,
        Err(response) => return *response,
    };
    answer(ask(&api, move |api, _| api.node.status(id)).await.map(Json))
}

pub(crate) async fn receipt(State(api): Shared, Path(id): Path<String>) -> Response {
    let id = match txid(&id) {
        Ok(id) => id,
        Err(response) => return *response,
    };
    match ask(&api, move |_, view| view.receipt(id)).await {
        Ok(Some(receipt)) => binary(receipt.to_wire()),
        Ok(None) => not_found("final transaction"),
        Err(response) => *response,
    }
}

pub(crate) async fn roots(State(api): Shared) -> Response {
    let found = ask(&api, |_, view| {
        let (tip, roots) = (view.tip()?, view.roots()?);
        Ok::<_, placet_ledger::LedgerError>(Json(api::Roots {
            height: tip.height,
            time: tip.time,
            notes: roots.notes.to_string(),
            registry: roots.registry.to_string(),
            sanctions: roots.sanctions.to_string(),
        }))
    });
    answer(found.await)
}

pub(crate) async fn commitments(
    State(api): Shared,
    range: Result<Query<Range>, BadQuery>,
) -> Response {
    leaves(api, range, true).await
}

pub(crate) async fn registry(
    State(api): Shared,
    range: Result<Query<Range>, BadQuery>,
) -> Response {
    leaves(api, range, false).await
}

async fn leaves(api: Arc<Api>, range: Result<Query<Range>, BadQuery>, notes: bool) -> Response {
    let range = match range.map_err(bad_range) {
        Ok(Query(range)) => range,
        Err(response) => return *response,
    };
    let found = ask(&api, move |_, view| {
        let asked = range.from..range.end();
        let (total, leaves) = if notes {
            let leaves = view.commitments(asked)?;
            (view.notes()?, leaves.iter().map(ToString::to_string).collect())
        } else {
            let leaves = view.registry_leaves(asked)?;
            (view.credentials()?, leaves.iter().map(to_hex).collect())
        };
        Ok::<_, placet_ledger::LedgerError>(Json(api::Leaves { from: range.from, total, leaves }))
    });
    answer(found.await)
}

pub(crate) async fn ciphertexts(
    State(api): Shared,
    range: Result<Query<Range>, BadQuery>,
) -> Response {
    let range = match range.map_err(bad_range) {
        Ok(Query(range)) => range,
        Err(response) => return *response,
    };
    let found = ask(&api, move |_, view| {
        let tip = view.tip()?.height;
        let from = range.from.max(1);
        let mut ciphertexts = Vec::new();
        let (mut next, mut bytes) = (from, 0);
        while next < range.end() && next <= tip && bytes < PAGE_BYTES {
            for one in view.ciphertexts(next)? {
                bytes += 2 * one.bytes.len() + 200;
                ciphertexts.push(api::Ciphertext {
                    height: next,
                    transaction: one.transaction.to_string(),
                    kind: one.kind.to_owned(),
                    ciphertext: hex::encode(&one.bytes),
                });
            }
            next += 1;
        }
        Ok::<_, placet_ledger::LedgerError>(Json(api::Ciphertexts { from, next, ciphertexts }))
    });
    answer(found.await)
}

fn describe(
    view: &View,
    asset: &placet_ledger::AssetRecord,
) -> Result<api::Asset, placet_ledger::LedgerError> {
    let policy = view.policy_hash(asset.id)?;
    Ok(api::Asset {
        id: asset.id.to_string(),
        name: asset.registration.metadata.name.clone(),
        policy: policy.map(|hash| hash.to_string()).unwrap_or_default(),
        policy_version: asset.policy_version,
        outstanding: asset.outstanding(),
        holders: asset.registration.count_holders.then_some(asset.holders),
        paused: asset.paused,
    })
}

pub(crate) async fn assets(State(api): Shared) -> Response {
    let found = ask(&api, |_, view| {
        view.assets()?.iter().map(|asset| describe(view, asset)).collect::<Result<Vec<_>, _>>()
    });
    answer(found.await.map(Json))
}

pub(crate) async fn asset(State(api): Shared, Path(id): Path<String>) -> Response {
    let Ok(id) = id.parse::<AssetId>() else {
        let message = "an asset id is written as 64 hexadecimal digits; correct it";
        return refuse(StatusCode::BAD_REQUEST, "bad-request", message);
    };
    let found = ask(&api, move |_, view| match view.asset(id)? {
        Some(asset) => describe(view, &asset).map(Some),
        None => Ok(None),
    });
    match found.await {
        Ok(Some(asset)) => Json(asset).into_response(),
        Ok(None) => not_found("asset"),
        Err(response) => *response,
    }
}

pub(crate) async fn authorities(State(api): Shared) -> Response {
    let found = ask(&api, |api, view| {
        let length = api.node.ledger().genesis().params.epoch_length;
        let epoch = epoch_of(view.tip()?.height + 1, length);
        let validators = view.validators(epoch)?;
        let entry = |authority: &placet_protocol::genesis::Authority| api::AuthorityEntry {
            name: authority.name.clone(),
            lei: authority.lei.clone(),
            key: authority.key,
            mandates: authority.mandates.iter().map(|mandate| mandate.name().to_owned()).collect(),
            validating: validators.as_ref().is_some_and(|v| v.contains(&authority.key)),
        };
        Ok::<_, placet_ledger::LedgerError>(Json(api::Authorities {
            epoch,
            change: view.authority_changes()?,
            authorities: view.authorities()?.authorities().iter().map(entry).collect(),
        }))
    });
    answer(found.await)
}

pub(crate) async fn evidence(State(api): Shared) -> Response {
    answer(ask(&api, |api, _| api.node.store().evidence()).await.map(Json))
}

pub(crate) async fn advance(State(api): Shared, body: axum::body::Bytes) -> Response {
    if !api.dev_clock {
        let message = "the clock of this node cannot be moved; it needs dev-clock = true on a \
                       development network";
        return refuse(StatusCode::FORBIDDEN, "not-dev", message);
    }
    let Ok(advance) = serde_json::from_slice::<api::Advance>(&body) else {
        let message = "the body must be {\"seconds\": NUMBER}; correct it";
        return refuse(StatusCode::BAD_REQUEST, "bad-request", message);
    };
    match api.node.advance_clock(advance.seconds) {
        Ok(()) => Json(serde_json::json!({ "clock": api.node.clock() })).into_response(),
        Err(error @ (ClockError::NotDev | ClockError::TooFar)) => {
            refuse(StatusCode::BAD_REQUEST, "bad-request", error.to_string())
        }
        Err(ClockError::NotRunning) => {
            refuse(StatusCode::SERVICE_UNAVAILABLE, "busy", ClockError::NotRunning.to_string())
        }
        Err(ClockError::Store(error)) => internal(&error),
    }
}

/// Seconds since the last block's time, by the node's clock.
fn block_age(api: &Api) -> u64 {
    api.node.clock().unwrap_or(0).saturating_sub(api.node.tip().time)
}

pub(crate) async fn ready(State(api): Shared) -> Response {
    let engine = (api.engine)();
    let heartbeat = api.node.ledger().genesis().params.heartbeat;
    let tip = api.node.tip().height;
    let problem = if !engine.running || api.node.clock().is_none() {
        Some("the engine does not run")
    } else if engine.final_height > tip + 2 {
        Some("the node catches up with the others")
    } else if block_age(&api) > 3 * heartbeat + 30 {
        Some("no block for more than three heartbeats")
    } else {
        None
    };
    match problem {
        None => (StatusCode::OK, "ready\n").into_response(),
        Some(problem) => refuse(StatusCode::SERVICE_UNAVAILABLE, "busy", problem),
    }
}

pub(crate) async fn metrics(State(api): Shared) -> Response {
    let engine = (api.engine)();
    let tip = api.node.tip();
    let snapshot = Snapshot {
        height: tip.height,
        block_age: block_age(&api),
        epoch: epoch_of(tip.height + 1, api.node.ledger().genesis().params.epoch_length),
        validating: engine.running && engine.signing == placet_consensus::Signing::Yes,
        peers: engine.peers.len(),
        pending: api.node.pending(),
    };
    let own = api.node.metrics().text(snapshot);
    // Both texts end with a mark of their end; only the last may stay.
    let own = own.trim_end().trim_end_matches("# EOF").to_owned();
    let text = match (api.engine_metrics)() {
        engine if engine.is_empty() => format!("{own}# EOF\n"),
        engine => format!("{own}{engine}"),
    };
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    ([(header::CONTENT_TYPE, kind)], text).into_response()
}
