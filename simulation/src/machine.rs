//! The machine on which an authority runs: the simulated runtime, but with a disk of its own, which
//! can fail, and a clock of its own, which can be wrong.

use std::convert::Infallible;
use std::future::Future;
use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use commonware_runtime::deterministic::{Blob as RawBlob, Context};
use commonware_runtime::telemetry::metrics::{Metric, Registered};
use commonware_runtime::{
    Blob, BlobVersion, Clock, Error, Handle, IoBufs, IoBufsMut, ListenerOf, Metrics, Name, Network,
    ReadOptions, SinkOf, Spawner, Storage, StreamOf, Supervisor, WriteOptions, signal,
};
use governor::clock::{Clock as GovernorClock, ReasonablyRealtime};
use rand_core::{TryCryptoRng, TryRng};

/// What can be wrong with a machine. Outlives the programs that run on it.
#[derive(Debug, Default)]
pub struct Hardware {
    /// Begins the names of everything on its disk.
    disk: String,
    /// Milliseconds by which the clock is ahead of the truth.
    skew: AtomicI64,
    /// Whether the disk refuses to write.
    broken: AtomicBool,
    /// Whether it hides that it refuses: a planted bug.
    hiding: AtomicBool,
    /// Writes that it refused.
    refused: AtomicU64,
}

impl Hardware {
    /// A machine with an empty disk.
    pub fn new(disk: impl Into<String>, skew: i64) -> Self {
        Self { disk: disk.into(), skew: AtomicI64::new(skew), ..Self::default() }
    }

    /// Lets every write fail from now on, or no longer.
    pub fn set_broken(&self, broken: bool) {
        self.broken.store(broken, Ordering::SeqCst);
    }

    /// Lets failed writes look like good ones.
    pub fn set_hiding(&self, hiding: bool) {
        self.hiding.store(hiding, Ordering::SeqCst);
    }

    /// Milliseconds by which the clock is ahead of the truth.
    pub fn skew(&self) -> i64 {
        self.skew.load(Ordering::SeqCst)
    }

    /// How many writes failed.
    pub fn refused(&self) -> u64 {
        self.refused.load(Ordering::SeqCst)
    }

    fn place(&self, partition: &str) -> String {
        format!("{}-{partition}", self.disk)
    }

    /// Whether the disk takes a write now.
    pub(crate) fn check(&self) -> Result<(), Error> {
        if self.broken.load(Ordering::SeqCst) {
            self.refused.fetch_add(1, Ordering::SeqCst);
            if self.hiding.load(Ordering::SeqCst) {
                return Ok(());
            }
            return Err(std::io::Error::other("the simulated disk is broken").into());
        }
        Ok(())
    }

    fn shifted(&self, time: SystemTime, direction: i64) -> SystemTime {
        let skew = self.skew() * direction;
        let by = Duration::from_millis(skew.unsigned_abs());
        if skew < 0 { time - by } else { time + by }
    }
}

/// A program's view of its machine.
pub struct Machine {
    runtime: Context,
    hardware: Arc<Hardware>,
}

impl Machine {
    /// `runtime` as it looks on `hardware`.
    pub fn new(runtime: Context, hardware: Arc<Hardware>) -> Self {
        Self { runtime, hardware }
    }
}

impl Supervisor for Machine {
    fn name(&self) -> Name {
        self.runtime.name()
    }
    fn child(&self, label: &'static str) -> Self {
        Self::new(self.runtime.child(label), self.hardware.clone())
    }
    fn with_attribute(self, key: &'static str, value: impl std::fmt::Display) -> Self {
        Self::new(self.runtime.with_attribute(key, value), self.hardware)
    }
}

impl Spawner for Machine {
    fn shared(self, blocking: bool) -> Self {
        Self::new(self.runtime.shared(blocking), self.hardware)
    }
    fn dedicated(self) -> Self {
        Self::new(self.runtime.dedicated(), self.hardware)
    }
    fn spawn<F, Fut, T>(self, f: F) -> Handle<T>
    where
        F: FnOnce(Self) -> Fut + Send + 'static,
        Fut: Future<Output = T> + Send + 'static,
        T: Send + 'static,
    {
        let hardware = self.hardware;
        self.runtime.spawn(move |runtime| f(Self::new(runtime, hardware)))
    }
    async fn stop(self, value: i32, timeout: Option<Duration>) -> Result<(), Error> {
        self.runtime.stop(value, timeout).await
    }
    fn stopped(&self) -> signal::Signal {
        self.runtime.stopped()
    }
}

impl Metrics for Machine {
    fn register<N: Into<String>, H: Into<String>, M: Metric>(
        &self,
        name: N,
        help: H,
        metric: M,
    ) -> Registered<M> {
        self.runtime.register(name, help, metric)
    }
    fn encode(&self) -> String {
        self.runtime.encode()
    }
}

impl Clock for Machine {
    fn current(&self) -> SystemTime {
        self.hardware.shifted(self.runtime.current(), 1)
    }
    fn sleep(&self, duration: Duration) -> impl Future<Output = ()> + Send + 'static + use<> {
        self.runtime.sleep(duration)
    }
    fn sleep_until(
        &self,
        deadline: SystemTime,
    ) -> impl Future<Output = ()> + Send + 'static + use<> {
        self.runtime.sleep_until(self.hardware.shifted(deadline, -1))
    }
}

impl GovernorClock for Machine {
    type Instant = SystemTime;
    fn now(&self) -> SystemTime {
        self.current()
    }
}

impl ReasonablyRealtime for Machine {}

impl TryRng for Machine {
    type Error = Infallible;
    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        self.runtime.try_next_u32()
    }
    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        self.runtime.try_next_u64()
    }
    fn try_fill_bytes(&mut self, dest: &mut [u8]) -> Result<(), Infallible> {
        self.runtime.try_fill_bytes(dest)
    }
}

impl TryCryptoRng for Machine {}

impl Network for Machine {
    type Listener = ListenerOf<Context>;
    async fn bind(&self, socket: SocketAddr) -> Result<Self::Listener, Error> {
        self.runtime.bind(socket).await
    }
    async fn dial(
        &self,
        socket: SocketAddr,
    ) -> Result<(SinkOf<Context>, StreamOf<Context>), Error> {
        self.runtime.dial(socket).await
    }
}

impl Storage for Machine {
    type Blob = File;

    async fn open_versioned(
        &self,
        partition: &str,
        name: &[u8],
        versions: RangeInclusive<BlobVersion>,
    ) -> Result<(File, u64, BlobVersion), Error> {
        self.hardware.check()?;
        let place = self.hardware.place(partition);
        let (blob, size, version) = self.runtime.open_versioned(&place, name, versions).await?;
        Ok((File { blob, hardware: self.hardware.clone() }, size, version))
    }

    async fn remove(&self, partition: &str, name: Option<&[u8]>) -> Result<(), Error> {
        self.hardware.check()?;
        match self.runtime.remove(&self.hardware.place(partition), name).await {
            Err(Error::PartitionMissing(_)) => Err(Error::PartitionMissing(partition.into())),
            other => other,
        }
    }

    async fn scan(&self, partition: &str) -> Result<Vec<Vec<u8>>, Error> {
        match self.runtime.scan(&self.hardware.place(partition)).await {
            Err(Error::PartitionMissing(_)) => Err(Error::PartitionMissing(partition.into())),
            other => other,
        }
    }
}

/// A file on the machine's disk. What was not synchronised when the program dies, is lost.
pub struct File {
    blob: RawBlob,
    hardware: Arc<Hardware>,
}

impl Blob for File {
    async fn read_at_buf(
        &self,
        offset: u64,
        len: usize,
        bufs: impl Into<IoBufsMut> + Send,
        options: ReadOptions,
    ) -> Result<IoBufsMut, Error> {
        self.blob.read_at_buf(offset, len, bufs, options).await
    }
    async fn read_at(
        &self,
        offset: u64,
        len: usize,
        options: ReadOptions,
    ) -> Result<IoBufsMut, Error> {
        self.blob.read_at(offset, len, options).await
    }
    async fn write_at(
        &self,
        offset: u64,
        bufs: impl Into<IoBufs> + Send,
        options: WriteOptions,
    ) -> Result<(), Error> {
        self.hardware.check()?;
        self.blob.write_at(offset, bufs, options).await
    }
    async fn resize(&self, len: u64) -> Result<(), Error> {
        self.hardware.check()?;
        self.blob.resize(len).await
    }
    async fn sync(&self) -> Result<(), Error> {
        self.hardware.check()?;
        self.blob.sync().await
    }
    async fn start_sync(&self) -> Handle<()> {
        match self.hardware.check() {
            Ok(()) => self.blob.start_sync().await,
            Err(error) => Handle::ready(Err(error)),
        }
    }
}
