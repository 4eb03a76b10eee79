//! `placet bench` alone: what a transfer costs on this machine.

use placet_benches::prover::measure::Machine;
use placet_benches::statements::{Figure, measure};
use serde_json::{Map, json};

use crate::app::App;
use crate::fail::Result;
use crate::output::{Report, Table};
use crate::time;

/// How often everything is measured.
const ROUNDS: usize = 5;

/// Runs it.
pub fn run(app: &App) -> Result<Report> {
    let figures = {
        let working = app.progress.spinner("preparing");
        measure(ROUNDS, &|text| working.says(text))
    };
    let machine = Machine::here();
    let mut table = Table::new(&["what", "median", "fastest", "slowest"], &[1, 2, 3]);
    let mut json = Map::new();
    for Figure { name, what, ms } in &figures {
        let cells = [ms.median, ms.min, ms.max].map(duration);
        table.row([(*what).to_owned()].into_iter().chain(cells).collect());
        json.insert((*name).to_owned(), json!({ "what": what, "ms": ms }));
    }
    let build = if cfg!(debug_assertions) { "development" } else { "release" };
    let text = format!(
        "{}, {} threads, {build} build, {ROUNDS} rounds\n\n{table}\n\n\
         `placet bench prover` compares the prover with others, `placet bench network` measures a \
         network.",
        machine.cpu, machine.threads,
    );
    let json = json!({
        "date": time::format(time::now()?),
        "build": build,
        "machine": machine,
        "rounds": ROUNDS,
        "figures": json,
    });
    Ok(Report::new(text, json))
}

/// Milliseconds with three digits that count.
fn duration(ms: f64) -> String {
    match ms {
        ms if ms >= 10_000.0 => format!("{:.1} s", ms / 1e3),
        ms if ms >= 100.0 => format!("{ms:.0} ms"),
        ms if ms >= 1.0 => format!("{ms:.1} ms"),
        ms if ms >= 0.1 => format!("{ms:.2} ms"),
        ms => format!("{:.1} µs", ms * 1e3),
    }
}

#[cfg(test)]
mod tests {
    use super::duration;

    #[test]
    fn durations_are_readable() {
        let shown = [0.0123, 0.5, 12.34, 512.3, 12_345.0].map(duration);
        assert_eq!(shown, ["12.3 µs", "0.50 ms", "12.3 ms", "512 ms", "12.3 s"]);
    }
}
