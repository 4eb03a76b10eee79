//! Plots as SVG text: bars with whiskers, and lines over two logarithmic axes.

use std::fmt::Write;

/// Text as HTML and SVG may hold it.
pub fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '"' => out.push_str("&quot;"),
            c => out.push(c),
        }
    }
    out
}

/// The colour of a prover: the known ones keep theirs in every plot.
pub fn colour(prover: &str, place: usize) -> &'static str {
    const OTHERS: [&str; 4] = ["#8d6e63", "#546e7a", "#ad1457", "#9e9d24"];
    match prover {
        "ours" => "#00695c",
        "warm" => "#4db6ac",
        "ark" => "#c62828",
        "taceo" => "#ef6c00",
        "snarkjs" => "#6a1b9a",
        _ => OTHERS[place % OTHERS.len()],
    }
}

/// One bar.
pub struct Bar {
    /// What stands left of it.
    pub label: String,
    /// Its length.
    pub value: f64,
    /// Its whiskers.
    pub range: (f64, f64),
    /// What stands right of it.
    pub note: String,
    /// Its colour.
    pub colour: &'static str,
}

/// Horizontal bars from zero, with a whisker from the fastest to the slowest round.
pub fn bars(bars: &[Bar]) -> String {
    const ROW: f64 = 34.0;
    const LEFT: f64 = 190.0;
    const WIDTH: f64 = 400.0;
    let most = bars.iter().map(|bar| bar.range.1.max(bar.value)).fold(f64::MIN_POSITIVE, f64::max);
    let height = ROW * bars.len() as f64 + 8.0;
    let mut svg = format!("<svg viewBox=\"0 0 760 {height}\" role=\"img\">");
    for (i, bar) in bars.iter().enumerate() {
        let top = ROW * i as f64 + 6.0;
        let middle = top + 12.0;
        let x = |value: f64| LEFT + WIDTH * value / most;
        let (low, high) = (x(bar.range.0), x(bar.range.1));
        let _ = write!(
            svg,
            "<text x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>\
             <rect x=\"{LEFT}\" y=\"{top:.1}\" width=\"{:.1}\" height=\"24\" rx=\"2\" fill=\"{}\"/>\
             <path d=\"M{low:.1} {middle:.1}H{high:.1}M{low:.1} {:.1}v10M{high:.1} {:.1}v10\" class=\"whisker\"/>\
             <text x=\"{:.1}\" y=\"{:.1}\">{}</text>",
            LEFT - 8.0,
            middle + 4.5,
            escaped(&bar.label),
            x(bar.value) - LEFT,
            bar.colour,
            middle - 5.0,
            middle - 5.0,
            high.max(x(bar.value)) + 8.0,
            middle + 4.5,
            escaped(&bar.note),
        );
    }
    svg + "</svg>"
}

/// One line.
pub struct Line {
    /// Its name.
    pub label: String,
    /// Its points, in order of the first coordinate.
    pub points: Vec<(f64, f64)>,
    /// Its colour.
    pub colour: &'static str,
}

/// Lines over two logarithmic axes; `ticks` names places on the first one.
pub fn lines(lines: &[Line], ticks: &[(f64, String)], x_name: &str, y_name: &str) -> String {
    const LEFT: f64 = 80.0;
    const RIGHT: f64 = 590.0;
    const TOP: f64 = 20.0;
    const BOTTOM: f64 = 320.0;
    let all = || lines.iter().flat_map(|line| &line.points);
    let bounds = |of: fn(&(f64, f64)) -> f64| {
        let values = all().map(of).filter(|value| *value > 0.0).map(f64::log10);
        values.fold((f64::MAX, f64::MIN), |(low, high), v| (low.min(v), high.max(v)))
    };
    let ((x_low, x_high), (y_low, y_high)) = (bounds(|p| p.0), bounds(|p| p.1));
    let (y_low, y_high) = ((y_low * 2.0).floor() / 2.0, (y_high * 2.0).ceil() / 2.0);
    let share = |value: f64, low: f64, high: f64| (value.log10() - low) / (high - low).max(1e-9);
    let x = |value: f64| LEFT + (RIGHT - LEFT) * share(value, x_low, x_high);
    let y = |value: f64| BOTTOM - (BOTTOM - TOP) * share(value, y_low, y_high);
    let mut svg = String::from("<svg viewBox=\"0 0 760 380\" role=\"img\">");
    for exponent in y_low.floor() as i32..=y_high.ceil() as i32 {
        for factor in [1.0, 2.0, 5.0] {
            let value = factor * 10f64.powi(exponent);
            if (TOP - 0.5..=BOTTOM + 0.5).contains(&y(value)) {
                let place = y(value);
                let _ = write!(
                    svg,
                    "<path d=\"M{LEFT} {place:.1}H{RIGHT}\" class=\"grid\"/>\
                     <text x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
                    LEFT - 8.0,
                    place + 4.0,
                    tick(value),
                );
            }
        }
    }
    for (value, name) in ticks {
        let place = x(*value);
        let _ = write!(
            svg,
            "<path d=\"M{place:.1} {TOP}V{BOTTOM}\" class=\"grid\"/>\
             <text x=\"{place:.1}\" y=\"{}\" text-anchor=\"middle\">{}</text>",
            BOTTOM + 20.0,
            escaped(name),
        );
    }
    // Names stand beside the last points, far enough from each other to be read.
    let mut ends: Vec<(f64, &Line)> =
        lines.iter().filter_map(|line| Some((y(line.points.last()?.1), line))).collect();
    ends.sort_by(|a, b| a.0.total_cmp(&b.0));
    let mut above = f64::MIN;
    for (end, line) in ends {
        let places: Vec<_> =
            line.points.iter().map(|(a, b)| format!("{:.1},{:.1}", x(*a), y(*b))).collect();
        let _ = write!(
            svg,
            "<polyline points=\"{}\" fill=\"none\" stroke=\"{}\" stroke-width=\"2.5\"/>",
            places.join(" "),
            line.colour,
        );
        for (a, b) in &line.points {
            let _ = write!(
                svg,
                "<circle cx=\"{:.1}\" cy=\"{:.1}\" r=\"4\" fill=\"{}\"/>",
                x(*a),
                y(*b),
                line.colour,
            );
        }
        above = (above + 16.0).max(end);
        let _ = write!(
            svg,
            "<text x=\"{}\" y=\"{:.1}\" fill=\"{}\">{}</text>",
            RIGHT + 10.0,
            above + 4.5,
            line.colour,
            escaped(&line.label),
        );
    }
    let _ = write!(
        svg,
        "<text x=\"{}\" y=\"{}\" text-anchor=\"middle\">{}</text>\
         <text transform=\"translate(18 {}) rotate(-90)\" text-anchor=\"middle\">{}</text></svg>",
        (LEFT + RIGHT) / 2.0,
        BOTTOM + 44.0,
        escaped(x_name),
        (TOP + BOTTOM) / 2.0,
        escaped(y_name),
    );
    svg
}

fn tick(value: f64) -> String {
    if value >= 1.0 { format!("{value:.0}") } else { format!("{value}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_cannot_break_out_of_a_plot() {
        let bar = Bar {
            label: "<script>".into(),
            value: 1.0,
            range: (1.0, 1.0),
            note: "\"&".into(),
            colour: colour("ours", 0),
        };
        let svg = bars(&[bar]);
        assert!(svg.contains("&lt;script&gt;") && svg.contains("&quot;&amp;"), "{svg}");
    }

    #[test]
    fn every_number_of_a_plot_is_one() {
        let line = |points: Vec<(f64, f64)>| Line { label: "a".into(), points, colour: "#000" };
        for points in
            [vec![(1.0, 5.0)], vec![(1.0, 5.0), (2.0, 3.0)], vec![(4.0, 0.3), (8.0, 700.0)]]
        {
            let svg = lines(&[line(points)], &[(1.0, "1".into())], "x", "y");
            assert!(!svg.contains("NaN") && !svg.contains("inf"), "{svg}");
        }
    }
}
