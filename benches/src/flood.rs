//! A flood of transfers whose proofs are well formed and wrong, from an address of its own: what an
//! attacker can send at most without holding anything.

use std::io::{Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use placet_protocol::api::{BINARY, path};
use placet_protocol::transaction::{Transaction, TransferTransaction};
use placet_protocol::wire::Wire;
use rustix::net::{AddressFamily, SocketType, bind, connect, socket};

/// Where the flood comes from: another address than that of honest clients on the same machine.
const SOURCE: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2));
/// Longest wait for an answer.
const PATIENCE: Duration = Duration::from_secs(10);
/// Bytes of the first and of the first two points of a proof.
const POINTS: (usize, usize) = (32, 96);

/// A connection from the flood's address.
fn open(node: SocketAddr) -> std::io::Result<TcpStream> {
    let socket = socket(AddressFamily::INET, SocketType::STREAM, None)?;
    bind(&socket, &SocketAddr::new(SOURCE, 0))?;
    connect(&socket, &node)?;
    let stream = TcpStream::from(socket);
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    Ok(stream)
}

/// Posts one body and reads the answer; the status.
fn post(stream: &mut TcpStream, node: SocketAddr, body: &[u8]) -> std::io::Result<u16> {
    let head = format!(
        "POST {} HTTP/1.1\r\nHost: {node}\r\nContent-Type: {BINARY}\r\nContent-Length: {}\r\n\r\n",
        path::TRANSACTIONS,
        body.len()
    );
    stream.write_all(head.as_bytes())?;
    stream.write_all(body)?;
    let broken = || std::io::Error::other("the answer is no HTTP");
    let mut answer = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        let read = stream.read(&mut buffer)?;
        if read == 0 {
            return Err(broken());
        }
        answer.extend_from_slice(&buffer[..read]);
        let Some(end) = answer.windows(4).position(|four| four == b"\r\n\r\n") else { continue };
        let head = String::from_utf8_lossy(&answer[..end]).to_ascii_lowercase();
        let length: usize = head
            .lines()
            .find_map(|line| line.strip_prefix("content-length:"))
            .and_then(|value| value.trim().parse().ok())
            .ok_or_else(broken)?;
        if answer.len() < end + 4 + length {
            continue;
        }
        let status = head.split_whitespace().nth(1).and_then(|word| word.parse().ok());
        return status.ok_or_else(broken);
    }
}

/// The transfer with a proof of points from three other proofs: well formed, always another, wrong.
fn garble(transfers: &[TransferTransaction], number: u64) -> Vec<u8> {
    let count = transfers.len() as u64;
    let of = |place: u64| &transfers[(place % count) as usize];
    let mut one = of(number).clone();
    let (a, b, c) = (number + 1, number / count, number / count / count);
    one.proof.0[..POINTS.0].copy_from_slice(&of(a).proof.0[..POINTS.0]);
    one.proof.0[POINTS.0..POINTS.1].copy_from_slice(&of(b).proof.0[POINTS.0..POINTS.1]);
    one.proof.0[POINTS.1..].copy_from_slice(&of(c).proof.0[POINTS.1..]);
    Transaction::Transfer(one).to_wire()
}

/// A running flood; ends when it is dropped.
#[derive(Debug)]
pub struct Flood {
    stop: Arc<AtomicBool>,
    sent: Arc<AtomicU64>,
    begun: Instant,
    threads: Vec<std::thread::JoinHandle<()>>,
}

impl Flood {
    /// Sends to `node` at `per_second` all in all, over `connections`. `transfers` lend their
    /// bodies and points; at least two.
    pub fn begin(
        node: SocketAddr,
        transfers: &[TransferTransaction],
        per_second: f64,
        connections: u32,
    ) -> Self {
        let (stop, sent) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let transfers: Arc<[_]> = transfers.into();
        let pause = Duration::from_secs_f64(f64::from(connections) / per_second.max(1.0));
        let threads = (0..connections).map(|connection| {
            let (stop, sent, transfers) = (stop.clone(), sent.clone(), transfers.clone());
            std::thread::spawn(move || {
                let mut number = u64::from(connection) << 32;
                let mut stream = None;
                let mut due = Instant::now();
                while !stop.load(Ordering::Relaxed) {
                    let body = garble(&transfers, number);
                    number += 1;
                    if stream.is_none() {
                        stream = open(node).ok();
                    }
                    let posted = stream.as_mut().map(|stream| post(stream, node, &body));
                    match posted {
                        Some(Ok(_)) => {
                            sent.fetch_add(1, Ordering::Relaxed);
                        }
                        // Refused or too slow: try again with another connection.
                        _ => stream = None,
                    }
                    due += pause;
                    std::thread::sleep(due.saturating_duration_since(Instant::now()));
                }
            })
        });
        let threads = threads.collect();
        Self { stop, sent, begun: Instant::now(), threads }
    }

    /// Requests that were answered, in a second.
    pub fn per_second(&self) -> f64 {
        self.sent.load(Ordering::Relaxed) as f64 / self.begun.elapsed().as_secs_f64()
    }
}

impl Drop for Flood {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}
