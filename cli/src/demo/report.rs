//! What the demo says: a story on the terminal while it happens, or one JSON object at the end.

use std::io::{IsTerminal, Write};
use std::time::Duration;

use serde_json::{Value, json};

use super::refusals::{Case, Layer};

/// Columns of the story.
pub const WIDTH: usize = 80;

/// Something that was done.
pub struct Accepted {
    /// Stable name of the step.
    pub step: &'static str,
    /// From the wish to the final block.
    pub took: Duration,
}

/// Something that was refused, or should have been.
pub struct Refused {
    /// What was tried.
    pub case: Case,
    /// Who refused.
    pub layer: Layer,
    /// The clause or the rule.
    pub code: String,
    /// What the user reads.
    pub message: String,
}

/// The outcome, and the story on the way there.
pub struct Report {
    /// In order.
    pub accepted: Vec<Accepted>,
    /// In order; each case once per layer.
    pub refused: Vec<Refused>,
    /// Whether the transfer agent's register equals the truth.
    pub register_exact: bool,
    /// Number of authorities.
    pub authorities: usize,
    /// Distinct documents of the sanctions list.
    pub sanctions_entries: usize,
    /// Median, milliseconds.
    pub prove_ms: f64,
    /// Median, milliseconds.
    pub verify_ms: f64,
    /// Rows of the circuit.
    pub rows: usize,
    /// What did not come as expected; empty if all went well.
    pub differences: Vec<String>,
    page: Page,
}

impl Report {
    /// Nothing has happened yet.
    pub fn new(json: bool) -> Self {
        Self {
            accepted: Vec::new(),
            refused: Vec::new(),
            register_exact: false,
            authorities: 0,
            sanctions_entries: 0,
            prove_ms: 0.0,
            verify_ms: 0.0,
            rows: 0,
            differences: Vec::new(),
            page: Page::new(json),
        }
    }

    /// The object for scripts.
    pub fn json(&self) -> Value {
        let accepted = self
            .accepted
            .iter()
            .map(|done| json!({ "step": done.step, "seconds": round(done.took.as_secs_f64()) }));
        let refused = self.refused.iter().map(|refused| {
            json!({
                "case": refused.case.name(),
                "layer": refused.layer.name(),
                "code": refused.code,
                "message": refused.message,
            })
        });
        json!({
            "accepted": accepted.collect::<Vec<_>>(),
            "refused": refused.collect::<Vec<_>>(),
            "register_exact": self.register_exact,
            "authorities": self.authorities,
            "sanctions_entries": self.sanctions_entries,
            "prove_ms": round(self.prove_ms),
            "verify_ms": round(self.verify_ms),
            "rows": self.rows,
        })
    }

    /// Where the story is told.
    pub fn page(&self) -> &Page {
        &self.page
    }

    /// A step succeeded: who did what, and what the chain shows of it.
    pub fn accept(&mut self, step: &'static str, took: Duration, deed: &str, chain: &str) {
        self.accepted.push(Accepted { step, took });
        self.page.step(self.accepted.len(), deed, took, chain);
    }

    /// A refusal, or what came instead of one.
    pub fn refuse(&mut self, case: Case, layer: Layer, code: &str, message: &str) {
        let expected = case.code(layer);
        if code != expected {
            let name = case.name();
            let layer = layer.name();
            self.differences.push(format!("{name} at the {layer}: {code} instead of {expected}"));
        }
        let (code, message) = (code.to_owned(), message.to_owned());
        self.refused.push(Refused { case, layer, code, message });
    }

    /// Notes something that must hold and does not.
    pub fn expect(&mut self, holds: bool, otherwise: impl FnOnce() -> String) {
        if !holds {
            self.differences.push(otherwise());
        }
    }

    /// What came back from a case at a layer.
    pub fn refusal(&self, case: Case, layer: Layer) -> Option<&Refused> {
        self.refused.iter().find(|one| one.case == case && one.layer == layer)
    }

    /// Its code.
    pub fn code(&self, case: Case, layer: Layer) -> &str {
        self.refusal(case, layer).map_or("not tried", |one| &one.code)
    }
}

impl Refused {
    /// What is wrong, without what to do about it.
    pub fn reason(&self) -> &str {
        self.message.split("; ").next().unwrap_or_default()
    }
}

/// Hundredths as people write amounts, as in `1,050.00`.
pub fn money(hundredths: u64) -> String {
    let digits = (hundredths / 100).to_string();
    let mut whole = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            whole.push(',');
        }
        whole.push(digit);
    }
    format!("{whole}.{:02}", hundredths % 100)
}

fn round(value: f64) -> f64 {
    (value * 1000.0).round() / 1000.0
}

/// The middle value; the mean of the two middle ones of an even number. Milliseconds.
pub fn median_ms(durations: &[Duration]) -> f64 {
    let mut sorted: Vec<f64> = durations.iter().map(|d| d.as_secs_f64() * 1000.0).collect();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    match sorted.len() {
        0 => 0.0,
        n if n % 2 == 1 => sorted[middle],
        _ => (sorted[middle - 1] + sorted[middle]) / 2.0,
    }
}

/// Standard output for people; silent where a script reads.
pub struct Page {
    silent: bool,
    colour: bool,
}

impl Page {
    fn new(silent: bool) -> Self {
        let colour = std::io::stdout().is_terminal()
            && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        Self { silent, colour }
    }

    /// One line as it is.
    pub fn line(&self, text: &str) {
        if !self.silent {
            let mut stdout = std::io::stdout().lock();
            // The reader has seen enough, as in `placet demo | head`: the demo goes on, its exit
            // code still says whether everything came as expected.
            let _ = writeln!(stdout, "{}", text.trim_end()).and_then(|()| stdout.flush());
        }
    }

    /// A heading.
    pub fn section(&self, title: &str) {
        self.line("");
        self.line(&self.bold(title));
        self.line(&self.dim(&"─".repeat(WIDTH)));
    }

    /// A paragraph, wrapped.
    pub fn text(&self, text: &str) {
        for line in wrap(text, WIDTH) {
            self.line(&line);
        }
    }

    /// A line that may be indented, wrapped with its indentation.
    pub fn text_at(&self, line: &str) {
        let indent = line.len() - line.trim_start().len() + 2;
        for (index, part) in wrap(line, WIDTH - indent - 2).into_iter().enumerate() {
            let hang = if index == 0 { indent } else { indent + 2 };
            self.line(&format!("{:hang$}{part}", ""));
        }
    }

    /// A point of a list, wrapped.
    pub fn item(&self, name: &str, text: &str) {
        const NAME: usize = 14;
        for (index, line) in wrap(text, WIDTH - NAME - 2).into_iter().enumerate() {
            let name = if index == 0 { name } else { "" };
            self.line(&format!("  {}{line}", self.bold(&format!("{name:NAME$}"))));
        }
    }

    /// A date between steps.
    pub fn date(&self, text: &str) {
        self.line("");
        self.line(&self.dim(text));
    }

    /// A remark about the step above.
    pub fn remark(&self, text: &str) {
        for line in wrap(text, WIDTH - 6) {
            self.line(&format!("      {}", self.dim(&line)));
        }
    }

    /// An attempt that failed.
    pub fn refused(&self, deed: &str) {
        self.line(&format!("  {}  {deed}", self.red("no")));
    }

    fn step(&self, number: usize, deed: &str, took: Duration, chain: &str) {
        let seconds = format!("{:.1} s", took.as_secs_f64());
        let lines = wrap(deed, WIDTH - 6 - 8);
        for (index, line) in lines.iter().enumerate() {
            let head = if index == 0 { format!("{number:>3}.") } else { "    ".into() };
            let tail = if index == 0 { seconds.as_str() } else { "" };
            let gap = WIDTH - 6 - line.chars().count();
            self.line(&format!("{}  {line}{tail:>gap$}", self.green(&head)));
        }
        if !chain.is_empty() {
            self.remark(&format!("chain: {chain}"));
        }
    }

    /// Text that stands out.
    pub fn bold(&self, text: &str) -> String {
        self.style("1", text)
    }

    /// Text that stands back.
    pub fn dim(&self, text: &str) -> String {
        self.style("2", text)
    }

    /// Good news.
    pub fn green(&self, text: &str) -> String {
        self.style("32", text)
    }

    /// A refusal.
    pub fn red(&self, text: &str) -> String {
        self.style("31", text)
    }

    fn style(&self, code: &str, text: &str) -> String {
        if self.colour { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }
}

/// Lines of at most `width` characters, broken between words.
pub fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let line = lines.last_mut().expect("there is one line from the start");
        let needed = line.chars().count() + 1 + word.chars().count();
        if line.is_empty() {
            line.push_str(word);
        } else if needed <= width {
            line.push(' ');
            line.push_str(word);
        } else {
            lines.push(word.to_owned());
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians_of_odd_and_even_numbers() {
        let ms = |values: &[u64]| {
            median_ms(&values.iter().map(|v| Duration::from_millis(*v)).collect::<Vec<_>>())
        };
        assert_eq!(ms(&[]), 0.0);
        assert_eq!(ms(&[9, 1, 5]), 5.0);
        assert_eq!(ms(&[4, 1, 9, 2]), 3.0);
    }

    #[test]
    fn amounts_are_grouped() {
        assert_eq!(
            [0, 5, 105_000, 123_456_789].map(money),
            ["0.00", "0.05", "1,050.00", "1,234,567.89"]
        );
    }

    #[test]
    fn paragraphs_are_wrapped_between_words() {
        assert_eq!(wrap("one two  three", 7), ["one two", "three"]);
        assert_eq!(wrap("", 7), [""]);
    }

    #[test]
    fn an_unexpected_code_is_a_difference() {
        let mut report = Report::new(true);
        report.refuse(Case::LockUp, Layer::Wallet, "lock-respected", "");
        report.refuse(Case::LockUp, Layer::Ledger, "executed", "");
        assert_eq!(
            report.differences,
            ["lock-up at the ledger: executed instead of proof-invalid"]
        );
        assert_eq!(report.code(Case::LockUp, Layer::Ledger), "executed");
        assert_eq!(report.json()["refused"][1]["layer"], "ledger");
    }
}
