//! Connections of the HTTP API: a bounded number, at all and of each address, with a time-out for
//! the header, so that slow clients hold nothing.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use futures::future::{Either, select};
use hyper::body::Incoming;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tower::ServiceExt;

use super::limits::Client;
use super::{Api, routes};
use crate::inbox::Source;

/// For the header of a request, also on a connection that is kept.
const HEADER_TIMEOUT: Duration = Duration::from_secs(15);
/// For connections to finish when the node stops.
const STOP_TIMEOUT: Duration = Duration::from_secs(5);
/// Pause after the system refuses a connection, as when files run out.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// A running API. Dropping it closes it.
pub struct Server {
    address: SocketAddr,
    stop: watch::Sender<bool>,
    open: watch::Receiver<usize>,
}

impl Server {
    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Takes no more requests and lets those at work finish, for a few seconds.
    pub async fn stop(mut self) {
        self.stop.send_replace(true);
        let done = self.open.wait_for(|open| *open == 0);
        // What is not finished by then is cut off with the process.
        let _ = tokio::time::timeout(STOP_TIMEOUT, done).await;
    }
}

/// Connections by address, and their sum.
struct Open {
    by_address: Mutex<BTreeMap<IpAddr, usize>>,
    sum: watch::Sender<usize>,
}

/// One open connection.
struct Ticket {
    open: Arc<Open>,
    address: IpAddr,
}

impl Ticket {
    fn take(open: &Arc<Open>, address: IpAddr, api: &Api) -> Option<Self> {
        let mut by_address = open.by_address.lock().expect("no thread panics while it counts");
        let of_address = by_address.get(&address).copied().unwrap_or(0);
        let full = *open.sum.borrow() >= api.limits.connections;
        if full || of_address >= api.limits.connections_per_address {
            return None;
        }
        by_address.insert(address, of_address + 1);
        open.sum.send_modify(|sum| *sum += 1);
        Some(Self { open: open.clone(), address })
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        let mut by_address = self.open.by_address.lock().expect("no thread panics while it counts");
        if let Some(count) = by_address.get_mut(&self.address) {
            *count -= 1;
            if *count == 0 {
                by_address.remove(&self.address);
            }
        }
        self.open.sum.send_modify(|sum| *sum -= 1);
    }
}

/// Answers on `listener` until the server is stopped or dropped. Call it inside of a tokio runtime.
///
/// # Errors
/// If the system does not say where it listens.
pub fn serve(listener: TcpListener, api: Arc<Api>) -> std::io::Result<Server> {
    let address = listener.local_addr()?;
    let (stop, stopping) = watch::channel(false);
    let open = Arc::new(Open { by_address: Mutex::default(), sum: watch::Sender::new(0) });
    let watching = open.sum.subscribe();
    tokio::spawn(accept(listener, api, open, stopping));
    Ok(Server { address, stop, open: watching })
}

async fn accept(
    listener: TcpListener,
    api: Arc<Api>,
    open: Arc<Open>,
    mut stopping: watch::Receiver<bool>,
) {
    let router = routes(api.clone());
    loop {
        let accepted = {
            let next = std::pin::pin!(listener.accept());
            let stop = std::pin::pin!(stopping.changed());
            match select(next, stop).await {
                Either::Left((accepted, _)) => accepted,
                Either::Right(_) => return,
            }
        };
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(%error, "a connection was not accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        let address = peer.ip().to_canonical();
        // Too many: closing says it without costing anything.
        let Some(ticket) = Ticket::take(&open, address, &api) else { continue };
        tokio::spawn(talk(stream, address, router.clone(), stopping.clone(), ticket));
    }
}

async fn talk(
    stream: TcpStream,
    address: IpAddr,
    router: Router,
    mut stopping: watch::Receiver<bool>,
    _ticket: Ticket,
) {
    // Answers are short; without this they wait for each other.
    let _ = stream.set_nodelay(true);
    let client = Client(Source::client(address));
    let service = hyper::service::service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(client);
        router.clone().oneshot(request.map(axum::body::Body::new))
    });
    let connection = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIMEOUT)
        .max_buf_size(64 * 1024)
        .serve_connection(TokioIo::new(stream), service);
    let mut connection = std::pin::pin!(connection);
    let stop = std::pin::pin!(stopping.changed());
    match select(connection.as_mut(), stop).await {
        Either::Left(_) => {}
        Either::Right(_) => {
            connection.as_mut().graceful_shutdown();
            let _ = tokio::time::timeout(STOP_TIMEOUT, connection).await;
        }
    }
}
