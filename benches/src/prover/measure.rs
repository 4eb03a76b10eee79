//! Clocks, memory, and what is said of several rounds.

use std::time::Instant;

use rustix::time::{ClockId, clock_gettime};
use serde::{Deserialize, Serialize};

/// How long one thing took.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Sample {
    /// Time on the wall, in milliseconds.
    pub wall_ms: f64,
    /// Time of all of the process's threads on processors, in milliseconds; `None` where the
    /// system does not tell.
    pub cpu_ms: Option<f64>,
}

/// Measures this process from now on.
pub struct Stopwatch {
    wall: Instant,
    cpu: Option<f64>,
}

impl Stopwatch {
    /// Begins.
    pub fn start() -> Self {
        Self { cpu: Some(cpu_ms()), wall: Instant::now() }
    }

    /// Begins without asking for processor time: under valgrind the question has no answer, since
    /// there is no page of the kernel in which to look for the clock.
    pub fn wall_only() -> Self {
        Self { cpu: None, wall: Instant::now() }
    }

    /// What has passed.
    pub fn elapsed(&self) -> Sample {
        let wall_ms = self.wall.elapsed().as_secs_f64() * 1e3;
        Sample { wall_ms, cpu_ms: self.cpu.map(|before| cpu_ms() - before) }
    }
}

/// Processor time of this process so far, all threads, in milliseconds.
fn cpu_ms() -> f64 {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    time.tv_sec as f64 * 1e3 + time.tv_nsec as f64 * 1e-6
}

/// The most memory that a process has held so far, in KiB (`None` as the process: this one), as
/// Linux tells it; `None` elsewhere.
pub fn peak_kib(process: Option<u32>) -> Option<u64> {
    let process = process.map_or("self".to_owned(), |id| id.to_string());
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    line.split_whitespace().nth(1)?.parse().ok()
}

/// The median of several rounds and how far they lie apart. Quartiles are of the kind that lies on
/// or between neighbouring values.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Spread {
    /// The fastest.
    pub min: f64,
    /// A quarter are faster.
    pub q1: f64,
    /// Half are faster.
    pub median: f64,
    /// Three quarters are faster.
    pub q3: f64,
    /// The slowest.
    pub max: f64,
}

impl Spread {
    /// Of these values; `None` of none.
    pub fn of(values: &[f64]) -> Option<Self> {
        let mut sorted = values.to_vec();
        sorted.sort_by(f64::total_cmp);
        let last = sorted.len().checked_sub(1)?;
        let at = |share: f64| {
            let place = share * last as f64;
            let (low, high) = (place.floor() as usize, place.ceil() as usize);
            sorted[low] + (sorted[high] - sorted[low]) * (place - low as f64)
        };
        Some(Self { min: at(0.0), q1: at(0.25), median: at(0.5), q3: at(0.75), max: at(1.0) })
    }
}

/// The machine, as far as the system tells.
#[derive(Clone, Debug, Serialize)]
pub struct Machine {
    /// The processor's name.
    pub cpu: String,
    /// Threads that it offers to this process.
    pub threads: usize,
    /// Cores of the whole machine; `None` where the system does not tell.
    pub cores: Option<usize>,
    /// Instruction sets that provers care about and that are there.
    pub features: Vec<String>,
    /// Those of them that this build may use without asking. ark and taceo multiply faster with
    /// bmi2 and adx, and never ask: `RUSTFLAGS="-C target-cpu=native"` gives them both.
    pub compiled_for: Vec<String>,
    /// Operating system and architecture.
    pub system: String,
}

impl Machine {
    /// This one.
    pub fn here() -> Self {
        let info = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let value = |name: &str| {
            let line = info.lines().find(|line| line.starts_with(name))?;
            Some(line.split_once(':')?.1.trim().to_owned())
        };
        let flags = value("flags").or(value("Features")).unwrap_or_default();
        let wanted = ["bmi2", "adx", "avx2", "avx512f", "avx512ifma", "asimd", "sve"];
        let has = |name: &&str| flags.split_whitespace().any(|flag| flag == *name);
        let mut places = std::collections::BTreeSet::new();
        let mut socket = "";
        for line in info.lines() {
            match line.split_once(':').map(|(name, value)| (name.trim(), value.trim())) {
                Some(("physical id", id)) => socket = id,
                Some(("core id", id)) => _ = places.insert((socket, id)),
                _ => {}
            }
        }
        Self {
            cpu: value("model name").unwrap_or_else(|| "unknown".to_owned()),
            threads: threads(),
            cores: (!places.is_empty()).then_some(places.len()),
            compiled_for: compiled_for(),
            features: wanted.iter().filter(|name| has(name)).map(|s| (*s).to_owned()).collect(),
            system: format!("{} {}", std::env::consts::OS, std::env::consts::ARCH),
        }
    }
}

fn compiled_for() -> Vec<String> {
    let all = [
        ("bmi2", cfg!(target_feature = "bmi2")),
        ("adx", cfg!(target_feature = "adx")),
        ("avx2", cfg!(target_feature = "avx2")),
        ("avx512f", cfg!(target_feature = "avx512f")),
        ("avx512ifma", cfg!(target_feature = "avx512ifma")),
    ];
    all.into_iter().filter(|(_, on)| *on).map(|(name, _)| name.to_owned()).collect()
}

impl Machine {
    /// Whether the processor has instructions that the provers of others would use if this build
    /// let them.
    pub fn holds_others_back(&self) -> bool {
        let lacks = |name: &str| {
            self.features.iter().any(|known| known == name)
                && !self.compiled_for.iter().any(|known| known == name)
        };
        lacks("bmi2") || lacks("adx")
    }
}

/// Threads that the system lets this process run at once.
pub fn threads() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// The version of a package that this build was made with, from the lock file.
pub fn version_of(package: &str) -> String {
    let lock = include_str!("../../../Cargo.lock");
    let mut lines = lock.lines().skip_while(|line| *line != format!("name = \"{package}\""));
    let version = lines.nth(1).and_then(|line| line.strip_prefix("version = "));
    version.map_or("unknown".to_owned(), |text| text.trim_matches('"').to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quartiles_lie_where_they_should() {
        let spread = Spread::of(&[5.0, 1.0, 2.0, 4.0, 3.0]).unwrap();
        assert_eq!(spread, Spread { min: 1.0, q1: 2.0, median: 3.0, q3: 4.0, max: 5.0 });
        assert_eq!(Spread::of(&[1.0, 2.0]).unwrap().median, 1.5);
        assert_eq!(Spread::of(&[]), None);
    }

    #[test]
    fn versions_come_from_the_lock_file() {
        assert!(version_of("ark-groth16").starts_with("0.6"));
        assert_eq!(version_of("taceo-groth16"), "0.2.2");
        assert_eq!(version_of("no-such-package"), "unknown");
    }

    #[test]
    fn work_takes_processor_time() {
        let watch = Stopwatch::start();
        let mut number = 1u64;
        while watch.elapsed().cpu_ms.unwrap() < 2.0 {
            number = std::hint::black_box(number.wrapping_mul(3));
        }
        assert!(watch.elapsed().wall_ms > 0.0);
    }
}
