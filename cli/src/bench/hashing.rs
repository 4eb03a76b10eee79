//! `placet bench hashing`: the hash of the protocol beside other implementations of it.

use clap::Args;
use placet_benches::hashing::measure;
use placet_benches::prover::measure::Machine;
use serde_json::json;

use crate::app::App;
use crate::fail::Result;
use crate::output::{Report, Table};
use crate::time;

/// Arguments of `placet bench hashing`.
#[derive(Args)]
pub struct Hashing {
    /// Rounds, in each of which everyone hashes 200 times at each width
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..=1000))]
    rounds: u16,
}

/// Runs it.
pub fn run(app: &App, arguments: &Hashing) -> Result<Report> {
    let widths = {
        let working = app.progress.spinner("preparing");
        measure(usize::from(arguments.rounds), &|text| working.says(text))
    };
    let machine = Machine::here();
    let mut table = Table::new(
        &["inputs", "ours", "ark", "light-poseidon", "ark / ours", "light-poseidon / ours"],
        &[0, 1, 2, 3, 4, 5],
    );
    for width in &widths {
        let time = |us: f64| format!("{us:.1} µs");
        let unknown = || "-".to_owned();
        table.row(vec![
            width.inputs.to_string(),
            time(width.ours_us.median),
            time(width.ark_us.median),
            width.light_us.map_or_else(unknown, |light| time(light.median)),
            format!("{:.2}", width.ratio.ark),
            width.ratio.light.map_or_else(unknown, |ratio| format!("{ratio:.2}")),
        ]);
    }
    let build = if cfg!(debug_assertions) { "development" } else { "release" };
    let mut text = format!(
        "One Poseidon hash on one thread, medians of {} rounds in turns; all agree on the result.\n\
         {}, {build} build\n\n{table}",
        arguments.rounds, machine.cpu,
    );
    if !cfg!(feature = "rivals") {
        text += "\n\nlight-poseidon takes part in builds with `--features rivals`.";
    }
    let json = json!({
        "date": time::format(time::now()?),
        "build": build,
        "machine": machine,
        "rounds": arguments.rounds,
        "widths": widths,
    });
    Ok(Report::new(text, json))
}
