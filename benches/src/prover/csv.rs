//! The same figures in the columns of zk-Harness's logs of circuits, so that they can be put beside
//! its own: memory in bytes, time in milliseconds, an empty size where there is no proof. Two
//! columns follow that its format does not know: rounds, and processor time.

use super::measure::Spread;
use super::run::{Measurement, Results, Row};
use super::worker::BATCH;

/// The header. Source: tutorials/logs of zkCollective/zk-Harness, category circuits.
pub const COLUMNS: &str = "framework,category,backend,curve,circuit,input,operation,nbConstraints,\
nbSecret,nbPublic,ram,time,proofSize,nbPhysicalCores,nbLogicalCores,machine,count,cpuTime";

/// Bytes of a proof as Placet has it. What snarkjs writes is text and longer.
const PROOF_BYTES: &str = "128";

/// One file with all measurements.
pub fn csv(results: &Results) -> String {
    let mut lines = vec![COLUMNS.to_owned()];
    for measurement in &results.measurements {
        let line = Line { results, measurement };
        for row in &measurement.rows {
            line.of_prover(row, &mut lines);
        }
        line.of_verifiers(&mut lines);
    }
    lines.join("\n") + "\n"
}

struct Line<'a> {
    results: &'a Results,
    measurement: &'a Measurement,
}

impl Line<'_> {
    fn of_prover(&self, row: &Row, lines: &mut Vec<String>) {
        let framework = match row.prover.as_str() {
            "ours" => "placet",
            "warm" => "placet-warm",
            "ark" => "arkworks",
            other => other,
        };
        let ram = row.peak_kib.map(|kib| kib * 1024);
        let threads = self.measurement.threads;
        if let Some(preparation) = row.preparation {
            let times = (preparation.wall_ms, preparation.cpu_ms);
            lines.push(self.line(framework, "setup", ram, times, "", 1, threads));
        }
        if let Some(witness) = Spread::of(&row.witness_ms) {
            let times = (witness.median, None);
            let count = row.witness_ms.len();
            lines.push(self.line(framework, "witness", ram, times, "", count, threads));
        }
        if let Some(wall) = Spread::of(&row.wall()) {
            let times = (wall.median, Spread::of(&row.cpu()).map(|cpu| cpu.median));
            let count = row.rounds.len();
            lines.push(self.line(framework, "prove", ram, times, PROOF_BYTES, count, threads));
        }
    }

    fn of_verifiers(&self, lines: &mut Vec<String>) {
        let Some(times) = &self.measurement.verification else { return };
        let batch: Vec<f64> = times.batch_ms.iter().map(|ms| ms / BATCH as f64).collect();
        let all =
            [("arkworks", &times.ark_ms), ("placet", &times.ours_ms), ("placet-batch256", &batch)];
        for (framework, values) in all {
            if let Some(spread) = Spread::of(values) {
                let times = (spread.median, None);
                lines.push(self.line(framework, "verify", None, times, "", values.len(), 1));
            }
        }
    }

    #[allow(clippy::too_many_arguments)] // as many as the format has columns that differ
    fn line(
        &self,
        framework: &str,
        operation: &str,
        ram: Option<u64>,
        (wall, cpu): (f64, Option<f64>),
        proof_size: &str,
        count: usize,
        threads: usize,
    ) -> String {
        let Measurement { circuit, constraints, witnesses, public_inputs, size, .. } =
            self.measurement;
        let machine = &self.results.machine;
        let or_empty = |text: Option<String>| text.unwrap_or_default();
        let cores = machine.cores.map(|cores| cores.min(threads).to_string());
        [
            framework.to_owned(),
            "circuit".to_owned(),
            "groth16".to_owned(),
            "bn254".to_owned(),
            circuit.name().to_owned(),
            format!("2^{size}"),
            operation.to_owned(),
            constraints.to_string(),
            witnesses.to_string(),
            public_inputs.to_string(),
            or_empty(ram.map(|bytes| bytes.to_string())),
            format!("{wall:.3}"),
            proof_size.to_owned(),
            or_empty(cores),
            threads.to_string(),
            quoted(&machine.cpu),
            count.to_string(),
            or_empty(cpu.map(|ms| format!("{ms:.3}"))),
        ]
        .join(",")
    }
}

/// Names of processors may hold commas.
fn quoted(text: &str) -> String {
    match text.contains([',', '"', '\n']) {
        true => format!("\"{}\"", text.replace('"', "\"\"").replace('\n', " ")),
        false => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::report::tests::results;
    use super::*;

    #[test]
    fn every_line_has_the_columns_of_the_header() {
        let mut results = results(&[("ours", 100.0), ("ark", 300.0), ("snarkjs", 900.0)]);
        results.machine.cpu = "A processor".into();
        let text = csv(&results);
        let mut lines = text.lines();
        let header: Vec<_> = lines.next().unwrap().split(',').collect();
        assert_eq!(
            header[..7],
            ["framework", "category", "backend", "curve", "circuit", "input", "operation"]
        );
        assert_eq!(header[12], "proofSize");
        let column = |line: &str, name: &str| {
            let place = header.iter().position(|column| *column == name).unwrap();
            line.split(',').nth(place).unwrap().to_owned()
        };
        let mut operations = std::collections::BTreeSet::new();
        for line in lines {
            assert_eq!(line.split(',').count(), header.len(), "{line}");
            assert!(column(line, "time").parse::<f64>().unwrap() > 0.0, "{line}");
            let operation = column(line, "operation");
            assert_eq!(column(line, "proofSize").is_empty(), operation != "prove", "{line}");
            operations.insert(operation);
        }
        assert_eq!(Vec::from_iter(operations), ["prove", "setup", "verify", "witness"]);
    }

    #[test]
    fn a_comma_in_a_name_is_no_column() {
        assert_eq!(quoted("A, 2 GHz"), "\"A, 2 GHz\"");
    }
}
