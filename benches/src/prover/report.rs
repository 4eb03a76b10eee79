//! What was measured as JSON. The promised fields stand at the top; whatever else is known stands
//! beside them under `detail`.

use serde_json::{Map, Value, json};

use super::case::Circuit;
use super::measure::Spread;
use super::run::{Measurement, Results, Row};
use super::worker::BATCH;

/// What the figures mean, in words; printed and stored beside them.
pub const DEFINITIONS: &[(&str, &str)] = &[
    (
        "cold",
        "the statement in hand, the key loaded: computing the values of all wires natively, then \
         the proof; ark and taceo get the same values and keep their matrices from proof to proof",
    ),
    (
        "snarkjs and other programs",
        "the proof alone, from a file with the values of all wires; snarkjs keeps key and witness \
         in memory, other programs are started anew each round and read their files",
    ),
    (
        "warm",
        "ours, when everything that does not depend on the end of the statement was prepared: \
         values of all wires, then what is left of the proof. In `transfer` receiver, amount, \
         deadline, time and binding were not known, in `merkle` the last sixteenth of the path",
    ),
    (
        "ratio",
        "time of the other prover over ours, both medians on the wall; above 1 ours is faster",
    ),
    ("ratio.warm_ark", "ark's cold proof over our warm one"),
    (
        "verify.single_ratio",
        "ark-groth16 with a prepared key over ours, one proof whose points are decoded, one core",
    ),
    (
        "verify.batch256_ratio_one_core",
        "ark-groth16's time for one proof over ours for one of 256 in a batch, which ours decodes \
         and checks as well, one core",
    ),
    ("peak_mb", "most memory that our prover's process held, its tables included, in 10^6 bytes"),
];

/// One decimal below 100, else none; three significant digits below one.
pub(super) fn rounded(value: f64) -> f64 {
    let digits = match value.abs() {
        v if v >= 100.0 => 10.0,
        v if v >= 1.0 => 100.0,
        _ => 10_000.0,
    };
    (value * digits).round() / digits
}

fn median(values: &[f64]) -> Option<f64> {
    Spread::of(values).map(|spread| spread.median)
}

fn wall(measurement: &Measurement, prover: &str) -> Option<f64> {
    median(&measurement.row(prover)?.wall())
}

fn cpu(measurement: &Measurement, prover: &str) -> Option<f64> {
    median(&measurement.row(prover)?.cpu())
}

fn over(a: Option<f64>, b: Option<f64>) -> Option<f64> {
    a.zip(b).filter(|(_, b)| *b > 0.0).map(|(a, b)| rounded(a / b))
}

/// Kibibytes in megabytes.
pub(super) fn megabytes(kib: u64) -> f64 {
    rounded(kib as f64 * 1.024e-3)
}

/// Ratios of all provers to ours by one kind of time; `ark` and `taceo` always, others if they took
/// part.
fn ratios(
    measurement: &Measurement,
    time: impl Fn(&Measurement, &str) -> Option<f64>,
) -> Map<String, Value> {
    let ours = time(measurement, "ours");
    let ratio = |prover: &str| json!(over(time(measurement, prover), ours));
    let mut all = Map::new();
    all.insert("ark".into(), ratio("ark"));
    all.insert("taceo".into(), ratio("taceo"));
    for name in others(measurement) {
        all.insert(name.to_owned(), ratio(name));
    }
    let warm = over(time(measurement, "ark"), time(measurement, "warm"));
    all.insert("warm_ark".into(), json!(warm));
    all
}

/// Those who are not compiled in.
fn others(measurement: &Measurement) -> impl Iterator<Item = &str> {
    let names = measurement.rows.iter().map(|row| row.prover.as_str());
    names.filter(|name| !["ours", "warm", "ark", "taceo"].contains(name))
}

/// The promised fields of one circuit with one number of threads.
pub fn headline(measurement: &Measurement) -> Map<String, Value> {
    let ms = |prover: &str| json!(wall(measurement, prover).map(rounded));
    let mut cold = Map::new();
    for prover in ["ours", "ark", "taceo"] {
        cold.insert(format!("{prover}_ms"), ms(prover));
    }
    for name in others(measurement) {
        cold.insert(format!("{name}_ms"), ms(name));
    }
    let verify = measurement.verification.as_ref().map(|times| {
        let ark = median(&times.ark_ms);
        json!({
            "single_ratio": over(ark, median(&times.ours_ms)),
            "batch256_ratio_one_core":
                over(ark, median(&times.batch_ms).map(|all| all / BATCH as f64)),
        })
    });
    let peak = measurement.row("ours").and_then(|row| row.peak_kib).map(megabytes);
    Map::from_iter([
        ("cold".to_owned(), Value::Object(cold)),
        ("warm_ms".to_owned(), ms("warm")),
        ("ratio".to_owned(), Value::Object(ratios(measurement, wall))),
        ("verify".to_owned(), json!(verify)),
        ("peak_mb".to_owned(), json!(peak)),
    ])
}

fn spread(values: &[f64]) -> Value {
    json!(Spread::of(values).map(|spread| Spread {
        min: rounded(spread.min),
        q1: rounded(spread.q1),
        median: rounded(spread.median),
        q3: rounded(spread.q3),
        max: rounded(spread.max),
    }))
}

fn row_json(row: &Row) -> Value {
    json!({
        "prover": row.prover,
        "version": row.version,
        "proofs_verified": row.verified,
        "wall_ms": spread(&row.wall()),
        "cpu_ms": spread(&row.cpu()),
        "witness_ms": spread(&row.witness_ms),
        "rounds_wall_ms": row.wall().into_iter().map(rounded).collect::<Vec<_>>(),
        "preparation_ms": row.preparation.map(|sample| rounded(sample.wall_ms)),
        "table_mb": rounded(row.table_bytes as f64 / 1e6),
        "peak_mb": row.peak_kib.map(megabytes),
        "instructions": row.instructions,
    })
}

/// One circuit with one number of threads: the promised fields and the details.
fn measurement_json(measurement: &Measurement) -> Value {
    let mut all = headline(measurement);
    let verification = measurement.verification.as_ref().map(|times| {
        json!({
            "ark_ms": spread(&times.ark_ms),
            "ours_ms": spread(&times.ours_ms),
            "batch256_ms": spread(&times.batch_ms),
        })
    });
    let detail = json!({
        "constraints": measurement.constraints,
        "entries": measurement.entries,
        "public_inputs": measurement.public_inputs,
        "witnesses": measurement.witnesses,
        "ratio_cpu": ratios(measurement, cpu),
        "provers": measurement.rows.iter().map(row_json).collect::<Vec<_>>(),
        "verification": verification,
    });
    all.insert("circuit".into(), json!(measurement.circuit.name()));
    all.insert("size".into(), json!(measurement.size));
    all.insert("threads".into(), json!(measurement.threads));
    all.insert("detail".into(), detail);
    Value::Object(all)
}

/// The measurement whose figures stand at the top: of `transfer` if it was measured, else of the
/// largest circuit; with the most threads.
pub fn top(results: &Results) -> Option<&Measurement> {
    let rank = |m: &&Measurement| (m.circuit == Circuit::Transfer, m.size, m.threads);
    results.measurements.iter().max_by_key(rank)
}

/// Everything. `date` as text, `build` names the profile that the program was built with.
pub fn json(results: &Results, date: &str, build: &str) -> Value {
    let mut all = top(results).map(headline).unwrap_or_default();
    let detail = json!({
        "top": top(results).map(|m| json!({
            "circuit": m.circuit.name(), "size": m.size, "threads": m.threads,
        })),
        "date": date,
        "build": build,
        "machine": results.machine,
        "rounds": results.rounds,
        "tables": results.tables.name(),
        "times": "medians on the wall, in milliseconds; processor times stand beside them",
        "definitions": DEFINITIONS.iter().map(|(name, text)| ((*name).to_owned(), json!(text)))
            .collect::<Map<_, _>>(),
        "circuits": results.measurements.iter().map(measurement_json).collect::<Vec<_>>(),
    });
    all.insert("detail".into(), detail);
    Value::Object(all)
}

#[cfg(test)]
pub(super) mod tests {
    use super::super::engine::Tables;
    use super::super::measure::{Machine, Sample};
    use super::super::run::Verification;
    use super::*;

    fn row(prover: &str, wall_ms: f64) -> Row {
        Row {
            prover: prover.to_owned(),
            version: Some("1.0".into()),
            rounds: [1.0, 1.2, 1.1]
                .map(|factor| Sample { wall_ms: wall_ms * factor, cpu_ms: Some(2.0 * wall_ms) })
                .to_vec(),
            witness_ms: vec![1.0; 3],
            verified: 4,
            preparation: Some(Sample { wall_ms: 50.0, cpu_ms: None }),
            table_bytes: 3_000_000,
            peak_kib: Some(100_000),
            instructions: None,
        }
    }

    /// Made-up results.
    pub fn results(provers: &[(&str, f64)]) -> Results {
        let measurement = |circuit, size, threads| Measurement {
            circuit,
            threads,
            constraints: 1000,
            entries: [3, 2, 1],
            public_inputs: 17,
            witnesses: 990,
            size,
            rows: provers.iter().map(|(name, ms)| row(name, ms / threads as f64)).collect(),
            verification: (threads == 2).then(|| Verification {
                ark_ms: vec![3.0],
                ours_ms: vec![2.0],
                batch_ms: vec![128.0],
            }),
        };
        Results {
            machine: Machine::here(),
            rounds: 3,
            tables: Tables::Full,
            measurements: vec![
                measurement(Circuit::Transfer, 15, 1),
                measurement(Circuit::Transfer, 15, 2),
                measurement(Circuit::Merkle { size: 16 }, 16, 2),
            ],
        }
    }

    fn keys(value: &Value) -> Vec<&str> {
        value.as_object().unwrap().keys().map(String::as_str).collect()
    }

    #[test]
    fn the_promised_fields_and_no_others_stand_at_the_top() {
        let all = [("ours", 100.0), ("warm", 40.0), ("ark", 300.0), ("taceo", 250.0)];
        let without = json(&results(&all), "today", "release");
        assert_eq!(keys(&without), ["cold", "detail", "peak_mb", "ratio", "verify", "warm_ms"]);
        assert_eq!(keys(&without["cold"]), ["ark_ms", "ours_ms", "taceo_ms"]);
        assert_eq!(keys(&without["ratio"]), ["ark", "taceo", "warm_ark"]);
        assert_eq!(keys(&without["verify"]), ["batch256_ratio_one_core", "single_ratio"]);
        assert_eq!(without["ratio"], json!({ "ark": 3.0, "taceo": 2.5, "warm_ark": 7.5 }));
        assert_eq!(
            without["verify"],
            json!({ "single_ratio": 1.5, "batch256_ratio_one_core": 6.0 })
        );
        // Two threads are the most, and `transfer` goes before what is larger.
        assert_eq!(without["cold"]["ours_ms"], 55.0);
        assert_eq!(without["detail"]["top"]["circuit"], "transfer");

        let snarkjs = [&all[..], &[("snarkjs", 2000.0)]].concat();
        let with = json(&results(&snarkjs), "today", "release");
        assert_eq!(with["ratio"]["snarkjs"], 20.0);
        assert_eq!(with["cold"]["snarkjs_ms"], 1100.0);
        // A build without rivals says that there is no figure.
        let few = json(&results(&all[..3]), "today", "release");
        assert_eq!(few["ratio"]["taceo"], Value::Null);
        assert_eq!(few["cold"]["taceo_ms"], Value::Null);
    }
}
