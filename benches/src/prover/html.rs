//! The figures as one page: plots, tables and what they mean. It loads nothing from elsewhere and
//! runs no scripts.

use std::collections::BTreeSet;
use std::fmt::Write;

use super::case::Circuit;
use super::measure::Spread;
use super::plot::{Bar, Line, bars, colour, escaped, lines};
use super::report::{DEFINITIONS, megabytes, rounded};
use super::run::{Measurement, Results, Row};
use super::worker::BATCH;

const STYLE: &str = "body{font:16px/1.5 system-ui,sans-serif;max-width:52rem;margin:2rem auto;\
padding:0 1rem;color:#222;background:#fff}h1{font-size:1.7rem}h2{margin-top:2.5rem;font-size:1.25rem}\
svg{width:100%;height:auto;font:13px system-ui,sans-serif}.whisker{stroke:#222;stroke-width:1.3;fill:none}\
.grid{stroke:#e0e0e0;fill:none}table{border-collapse:collapse;width:100%;font-size:.88rem}\
td,th{padding:.25rem .5rem;border-bottom:1px solid #ddd;text-align:right;font-variant-numeric:tabular-nums}\
td:first-child,th:first-child{text-align:left}p.note,dd{color:#555}dt{font-weight:600}";

/// What a prover is called in tables and plots.
fn title(row: &Row) -> String {
    let version = row.version.as_deref().unwrap_or_default();
    match row.prover.as_str() {
        "ours" => "Placet".to_owned(),
        "warm" => "Placet, prepared before".to_owned(),
        "ark" => format!("ark-groth16 {version}"),
        "taceo" => format!("taceo-groth16 {version}"),
        other => format!("{other} {version}").trim_end().to_owned(),
    }
}

fn milliseconds(value: f64) -> String {
    if value >= 100.0 { format!("{value:.0} ms") } else { format!("{value:.1} ms") }
}

/// The page. `date` as text, `build` names the profile that the program was built with.
pub fn html(results: &Results, date: &str, build: &str) -> String {
    let machine = &results.machine;
    let mut page = format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width\">\
         <title>Placet: provers side by side</title><style>{STYLE}</style>\
         <h1>Groth16 provers side by side</h1>\
         <p>{}, {} threads, {}{}. {build} build of Placet, {} rounds, {}.</p>\
         <p>Every prover got the same circuit, key and values, in turns, in a process of its own; \
         every proof was verified. Times are medians on the wall; whiskers reach from the fastest \
         round to the slowest.</p>",
        escaped(&machine.cpu),
        machine.threads,
        escaped(&machine.system),
        match machine.features.is_empty() {
            true => String::new(),
            false => format!(" ({})", escaped(&machine.features.join(", "))),
        },
        results.rounds,
        escaped(date),
    );
    if machine.holds_others_back() {
        page.push_str(
            "<p class=\"note\">Built without bmi2 and adx, which ark-groth16 and taceo-groth16 use \
             only if the compiler may: with RUSTFLAGS=\"-C target-cpu=native\" they are faster.</p>",
        );
    }
    for measured in shown(results) {
        one(&mut page, measured);
    }
    over_sizes(&mut page, results);
    over_threads(&mut page, results);
    page.push_str("<h2>What the figures mean</h2><dl>");
    for (name, text) in DEFINITIONS {
        let _ = write!(page, "<dt>{}</dt><dd>{}</dd>", escaped(name), escaped(text));
    }
    page.push_str("</dl></html>\n");
    page
}

/// Of every circuit the measurement with the most threads.
fn shown(results: &Results) -> Vec<&Measurement> {
    let all = &results.measurements;
    let is_widest = |m: &&Measurement| {
        !all.iter().any(|other| other.circuit == m.circuit && other.threads > m.threads)
    };
    all.iter().filter(is_widest).collect()
}

/// One circuit: bars, a table, verification.
fn one(page: &mut String, measured: &Measurement) {
    let name = match measured.circuit {
        Circuit::Transfer => "One hidden transfer".to_owned(),
        Circuit::Merkle { .. } => {
            format!("A Merkle path that fills 2<sup>{}</sup> rows", measured.size)
        }
    };
    let plural = if measured.threads == 1 { "" } else { "s" };
    let _ = write!(
        page,
        "<h2>{name}</h2><p class=\"note\">{} constraints in 2<sup>{}</sup> rows, {} witness variables, {} \
         entries; {} thread{plural}.</p>",
        measured.constraints,
        measured.size,
        measured.witnesses,
        measured.entries.iter().sum::<usize>(),
        measured.threads,
    );
    let ours = measured.row("ours").and_then(|row| Spread::of(&row.wall()));
    let against = |median: f64| ours.map(|ours| median / ours.median);
    let mut all = Vec::new();
    let mut table = String::from(
        "<table><tr><th>prover<th>median<th>quartiles<th>processor<th>memory<th>instructions\
         <th>against ours</tr>",
    );
    for (place, row) in measured.rows.iter().enumerate() {
        let Some(wall) = Spread::of(&row.wall()) else { continue };
        let ratio = against(wall.median).map_or_else(String::new, |ratio| format!("{ratio:.2}×"));
        all.push(Bar {
            label: title(row),
            value: wall.median,
            range: (wall.min, wall.max),
            note: format!("{}  {ratio}", milliseconds(wall.median)),
            colour: colour(&row.prover, place),
        });
        let cpu = Spread::of(&row.cpu()).map(|cpu| milliseconds(cpu.median));
        let memory = row.peak_kib.map(|kib| format!("{:.0} MB", megabytes(kib)));
        let count = row.instructions.map(|count| format!("{:.2}·10⁹", count as f64 / 1e9));
        let cell = |text: Option<String>| text.unwrap_or_else(|| "–".to_owned());
        let _ = write!(
            table,
            "<tr><td>{}<td>{}<td>{} to {}<td>{}<td>{}<td>{}<td>{ratio}</tr>",
            escaped(&title(row)),
            milliseconds(wall.median),
            milliseconds(wall.q1),
            milliseconds(wall.q3),
            cell(cpu),
            cell(memory),
            cell(count),
        );
    }
    page.push_str(&bars(&all));
    page.push_str(&table);
    page.push_str("</table>");
    if let Some(times) = &measured.verification {
        let median = |values: &[f64]| Spread::of(values).map_or(0.0, |spread| spread.median);
        let _ = write!(
            page,
            "<p>Verifying on one core: Placet {:.2} ms, in a batch of {BATCH} {:.2} ms a proof; \
             ark-groth16 {:.2} ms.</p>",
            rounded(median(&times.ours_ms)),
            rounded(median(&times.batch_ms) / BATCH as f64),
            rounded(median(&times.ark_ms)),
        );
    }
}

/// Medians of each prover at several places.
fn series<'a>(measurements: &[&'a Measurement], place: impl Fn(&Measurement) -> f64) -> Vec<Line> {
    let rows: Vec<(&'a Row, f64)> = measurements
        .iter()
        .flat_map(|m| m.rows.iter().map(|row| (row, place(m))).collect::<Vec<_>>())
        .collect();
    let mut names: Vec<&'a Row> = Vec::new();
    for (row, _) in &rows {
        if names.iter().all(|known| known.prover != row.prover) {
            names.push(row);
        }
    }
    names
        .into_iter()
        .enumerate()
        .map(|(i, named)| {
            let own = rows.iter().filter(|(row, _)| row.prover == named.prover);
            let mut points: Vec<(f64, f64)> = own
                .filter_map(|(row, place)| Some((*place, Spread::of(&row.wall())?.median)))
                .collect();
            points.sort_by(|a, b| a.0.total_cmp(&b.0));
            Line { label: title(named), points, colour: colour(&named.prover, i) }
        })
        .collect()
}

fn over_sizes(page: &mut String, results: &Results) {
    let merkle: Vec<_> = shown(results)
        .into_iter()
        .filter(|measured| matches!(measured.circuit, Circuit::Merkle { .. }))
        .collect();
    let sizes: BTreeSet<u32> = merkle.iter().map(|measured| measured.size).collect();
    if sizes.len() < 2 {
        return;
    }
    let rows = |size: u32| 2f64.powi(size as i32);
    let ticks: Vec<_> = sizes.iter().map(|size| (rows(*size), format!("2^{size}"))).collect();
    let all = series(&merkle, |measured| rows(measured.size));
    page.push_str("<h2>Over the size of the circuit</h2>");
    page.push_str(&lines(&all, &ticks, "rows of the circuit", "milliseconds"));
}

fn over_threads(page: &mut String, results: &Results) {
    let mut circuits: Vec<Circuit> = Vec::new();
    for measured in &results.measurements {
        if !circuits.contains(&measured.circuit) {
            circuits.push(measured.circuit);
        }
    }
    for circuit in circuits {
        let own: Vec<_> =
            results.measurements.iter().filter(|measured| measured.circuit == circuit).collect();
        let threads: BTreeSet<usize> = own.iter().map(|measured| measured.threads).collect();
        if threads.len() < 2 {
            continue;
        }
        let ticks: Vec<_> = threads.iter().map(|n| (*n as f64, n.to_string())).collect();
        let all = series(&own, |measured| measured.threads as f64);
        let _ = write!(page, "<h2>Over threads: {circuit}</h2>");
        page.push_str(&lines(&all, &ticks, "threads", "milliseconds"));
    }
}

#[cfg(test)]
mod tests {
    use super::super::report::tests::results;
    use super::*;

    #[test]
    fn the_page_needs_nothing_from_elsewhere() {
        let mut results = results(&[("ours", 100.0), ("warm", 40.0), ("ark", 300.0)]);
        results.machine.cpu = "A <processor>".into();
        let smaller = results.measurements[2].clone();
        results.measurements.push(Measurement {
            circuit: Circuit::Merkle { size: 12 },
            size: 12,
            ..smaller
        });
        let page = html(&results, "today", "release");
        for word in ["<script", "http", "src=", "href=", "@import", "url(", "NaN"] {
            assert!(!page.contains(word), "{word}");
        }
        for word in [
            "A &lt;processor&gt;",
            "Over the size of the circuit",
            "Over threads: transfer",
            "One hidden transfer",
            "3.00×",
        ] {
            assert!(page.contains(word), "{word} is not in the page");
        }
        let count = |tag: &str| page.matches(tag).count();
        assert_eq!(count("<svg"), count("</svg>"));
        // Bars of three circuits, lines over sizes, lines over threads.
        assert_eq!(count("<svg"), 5);
    }
}
