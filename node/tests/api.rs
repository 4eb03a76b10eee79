//! The HTTP API over real sockets, in front of nodes that make blocks.

mod common;

use std::io::{Read, Write};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use common::ledger::{BAD, World, attestor, genesis};
use common::{Net, running};
use placet_ledger::Backend;
use placet_node::api::{Api, Limits, Rate, Server, serve};
use placet_protocol::api::{self, TransactionStatus, path};
use placet_protocol::block::CertifiedBlock;
use placet_protocol::genesis::{Genesis, NetworkKind};
use placet_protocol::receipt::Receipt;
use placet_protocol::statement::ProofBytes;
use placet_protocol::transaction::Transaction;
use placet_protocol::wire::{Reader, Wire};
use serde::de::DeserializeOwned;

fn limits() -> Limits {
    Limits {
        connections: 64,
        connections_per_address: 32,
        requests: 32,
        rate: None,
        timeout: Duration::from_secs(60),
    }
}

async fn start(net: &Net, limits: Limits, dev_clock: bool) -> Server {
    let node = net.nodes[0].clone();
    let api = Api::new(node, Arc::new(running), Arc::new(String::new), dev_clock, limits);
    let any = SocketAddr::from(([127, 0, 0, 1], 0));
    serve(tokio::net::TcpListener::bind(any).await.unwrap(), Arc::new(api)).unwrap()
}

/// Status and body.
async fn call(server: &Server, path: &str, body: Option<Vec<u8>>) -> (u16, Vec<u8>) {
    let url = format!("http://{}{path}", server.address());
    let work = move || {
        let agent = ureq::Agent::config_builder().http_status_as_error(false).build().new_agent();
        let response = match body {
            Some(body) => agent.post(&url).send(&body[..]),
            None => agent.get(&url).call(),
        };
        let mut response = response.unwrap();
        (response.status().as_u16(), response.body_mut().read_to_vec().unwrap())
    };
    tokio::task::spawn_blocking(work).await.unwrap()
}

async fn json<T: DeserializeOwned>(server: &Server, path: &str) -> T {
    let (status, body) = call(server, path, None).await;
    assert_eq!(status, 200, "{path}: {}", String::from_utf8_lossy(&body));
    serde_json::from_slice(&body).unwrap()
}

fn code(body: &[u8]) -> String {
    serde_json::from_slice::<api::Problem>(body).unwrap().code
}

async fn until_final(server: &Server, id: &str) -> TransactionStatus {
    for _ in 0..600 {
        let path = path::TRANSACTION.replace("{id}", id);
        let status: TransactionStatus = json(server, &path).await;
        if matches!(status, TransactionStatus::Final { .. }) {
            return status;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("{id} is not final");
}

async fn post(server: &Server, tx: &Transaction) -> (u16, Vec<u8>) {
    call(server, path::TRANSACTIONS, Some(tx.to_wire())).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everything_that_a_wallet_asks_for() {
    let net = Net::plain();
    net.make_blocks();
    let server = start(&net, limits(), true).await;
    let mut world = World::open(Backend::Memory);
    let chain = json::<Genesis>(&server, path::GENESIS).await.chain_id();
    assert_eq!(chain, genesis(NetworkKind::Dev).chain_id());

    let admit = world.admit("attestor", &attestor(), 3);
    let (status, body) = post(&server, &admit).await;
    assert_eq!(status, 202, "{}", String::from_utf8_lossy(&body));
    let id = serde_json::from_slice::<api::Accepted>(&body).unwrap().id;
    assert_eq!(id, admit.id(&chain).to_string());
    until_final(&server, &id).await;
    world.accept(vec![admit]);
    let register = world.register(world.registration("Note"));
    assert_eq!(post(&server, &register).await.0, 202);
    until_final(&server, &register.id(&chain).to_string()).await;
    let asset = world.asset("Note");

    let transfer = world.transfer(asset);
    let tx = Transaction::Transfer(transfer.clone());
    let id = tx.id(&chain).to_string();
    let forged = Transaction::Transfer(placet_protocol::transaction::TransferTransaction {
        proof: ProofBytes([BAD; 128]),
        ..transfer
    });
    let (status, body) = post(&server, &forged).await;
    assert_eq!((status, code(&body).as_str()), (422, "proof-invalid"));
    assert_eq!(post(&server, &tx).await.0, 202);
    let TransactionStatus::Final { height, assertions, .. } = until_final(&server, &id).await
    else {
        unreachable!("it is final")
    };
    assert!(assertions.iter().filter(|opinion| opinion.approves).count() >= 5);

    let (_, bytes) = call(&server, &path::RECEIPT.replace("{id}", &id), None).await;
    let receipt = Receipt::from_wire(&bytes).unwrap();
    assert_eq!(receipt.check(&genesis(NetworkKind::Dev)).unwrap().transaction, tx.id(&chain));
    let unknown = "11".repeat(32);
    let (status, body) = call(&server, &path::RECEIPT.replace("{id}", &unknown), None).await;
    assert_eq!((status, code(&body).as_str()), (404, "not-found"));
    let path_of = path::TRANSACTION.replace("{id}", &unknown);
    assert_eq!(json::<TransactionStatus>(&server, &path_of).await, TransactionStatus::Unknown);

    let now: api::Status = json(&server, path::STATUS).await;
    assert!(now.height >= height && now.validating && now.quorum == 3 && now.authorities == 4);
    let (_, bytes) = call(&server, &format!("{}?from=1&max=2", path::BLOCKS), None).await;
    let mut input = Reader::new(&bytes);
    let blocks: Vec<CertifiedBlock> = input.list(10).unwrap();
    input.end().unwrap();
    assert_eq!(blocks.iter().map(|b| b.block.header.height).collect::<Vec<_>>(), [1, 2]);
    let (_, bytes) = call(&server, &path::BLOCK.replace("{height}", "2"), None).await;
    assert_eq!(CertifiedBlock::from_wire(&bytes).unwrap(), blocks[1]);
    let (_, bytes) = call(&server, &format!("{}?from=100000", path::BLOCKS), None).await;
    assert_eq!(bytes, 0u32.to_le_bytes());

    let leaves: api::Leaves = json(&server, &format!("{}?from=1&max=1", path::COMMITMENTS)).await;
    assert_eq!((leaves.total, leaves.leaves.len()), (3, 1));
    let page: api::Ciphertexts = json(&server, path::CIPHERTEXTS).await;
    assert_eq!(page.ciphertexts.len(), 1);
    assert_eq!(page.ciphertexts[0].transaction, id);
    assert_eq!(json::<api::Leaves>(&server, path::REGISTRY).await.total, 0);
    let assets: Vec<api::Asset> = json(&server, path::ASSETS).await;
    let one: api::Asset = json(&server, &path::ASSET.replace("{id}", &assets[0].id)).await;
    assert_eq!((assets.len(), one.name.as_str()), (1, "Note"));
    let roots: api::Roots = json(&server, path::ROOTS).await;
    assert!(roots.height >= height);
    let sitting: api::Authorities = json(&server, path::AUTHORITIES).await;
    assert!(sitting.authorities.len() == 4 && sitting.authorities.iter().all(|a| a.validating));
    assert!(json::<Vec<api::Evidence>>(&server, path::EVIDENCE).await.is_empty());

    assert_eq!(call(&server, path::HEALTH, None).await.0, 200);
    assert_eq!(call(&server, path::READY, None).await.0, 200);
    let (_, text) = call(&server, path::METRICS, None).await;
    let text = String::from_utf8(text).unwrap();
    for line in ["placet_height ", "placet_validating 1", "placet_refused_total{code=\"proof-inv"] {
        assert!(text.contains(line), "{line} is not in\n{text}");
    }
    assert!(text.ends_with("# EOF\n"));
    assert!(!text.contains(&id), "no metric names a transaction");

    // The clock of a development network moves, and the next block with it.
    let body = br#"{"seconds": 5000}"#.to_vec();
    assert_eq!(call(&server, path::DEV_CLOCK, Some(body)).await.0, 200);
    assert!(net.nodes[0].clock().unwrap() >= common::ledger::START + 5000);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bad_requests_have_stable_codes() {
    let net = Net::plain();
    let server = start(&net, limits(), false).await;
    for (path, body, status, expected) in [
        ("/v2/status".to_owned(), None, 404, "not-found"),
        (path::STATUS.to_owned(), Some(Vec::new()), 405, "bad-request"),
        (format!("{}?from=x", path::BLOCKS), None, 400, "bad-request"),
        (format!("{}?to=7", path::BLOCKS), None, 400, "bad-request"),
        (path::BLOCK.replace("{height}", "-1"), None, 400, "bad-request"),
        (path::BLOCK.replace("{height}", "7"), None, 404, "not-found"),
        (path::TRANSACTION.replace("{id}", "zz"), None, 400, "bad-request"),
        (path::ASSET.replace("{id}", "zz"), None, 400, "bad-request"),
        (path::TRANSACTIONS.to_owned(), Some(b"junk".to_vec()), 422, "malformed"),
        (path::DEV_CLOCK.to_owned(), Some(b"{\"seconds\":1}".to_vec()), 403, "not-dev"),
    ] {
        let (found, body) = call(&server, &path, body).await;
        assert_eq!((found, code(&body).as_str()), (status, expected), "{path}");
    }
    // A body that is too long is refused before it comes.
    let address = server.address();
    let answer = tokio::task::spawn_blocking(move || {
        let mut stream = std::net::TcpStream::connect(address).unwrap();
        let head = format!(
            "POST {} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\
            content-length: 99999999\r\n\r\n",
            path::TRANSACTIONS
        );
        stream.write_all(head.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    });
    let answer = answer.await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 413 ") && answer.contains("too-large"), "{answer}");
    // Without blocks for a long time a node is alive, but not ready.
    net.clock.ahead.store(100_000, std::sync::atomic::Ordering::SeqCst);
    assert_eq!(call(&server, path::HEALTH, None).await.0, 200);
    assert_eq!(call(&server, path::READY, None).await.0, 503);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_address_has_a_bounded_number_of_requests() {
    let net = Net::plain();
    let rate = Some(Rate { per_second: 1, burst: 3 });
    let server = start(&net, Limits { rate, ..limits() }, false).await;
    let mut refused = 0;
    for _ in 0..20 {
        let (status, body) = call(&server, path::STATUS, None).await;
        if status == 429 {
            assert_eq!(code(&body), "too-many-requests");
            refused += 1;
        }
    }
    assert!(refused > 0);
    // Whoever watches the node is answered all the same.
    assert_eq!(call(&server, path::METRICS, None).await.0, 200);
}
