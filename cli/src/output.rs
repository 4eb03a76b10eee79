//! How results reach the user: one JSON value, or text, on standard output. Only the demo also
//! writes there by itself: its story, while it happens, and never when the result is JSON.

use std::io::Write;

use serde_json::Value;

use crate::fail::{Failure, Result};

/// What a command found or did, in both forms.
pub struct Report {
    /// For people, without a newline at the end.
    pub text: String,
    /// For scripts.
    pub json: Value,
}

impl Report {
    /// A report in both forms.
    pub fn new(text: impl Into<String>, json: Value) -> Self {
        Self { text: text.into(), json }
    }

    /// Of a command that has said everything already.
    pub fn silent() -> Self {
        Self::new(String::new(), Value::Null)
    }

    /// Prints one of them.
    pub fn print(&self, json: bool) -> Result<()> {
        if self.text.is_empty() && self.json.is_null() {
            return Ok(());
        }
        let mut stdout = std::io::stdout().lock();
        let text = if json { self.json.to_string() } else { self.text.clone() };
        match writeln!(stdout, "{text}").and_then(|()| stdout.flush()) {
            // The reader has seen enough, as in `placet … | head`.
            Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
            other => other.map_err(Failure::from),
        }
    }
}

/// Columns aligned for people: text to the left, or numbers to the right.
pub struct Table {
    rows: Vec<Vec<String>>,
    right: &'static [usize],
}

impl Table {
    /// A table with its headings; `right` names the columns that are aligned to the right.
    pub fn new(headings: &[&str], right: &'static [usize]) -> Self {
        Self { rows: vec![headings.iter().map(|text| (*text).to_owned()).collect()], right }
    }

    /// Adds a line.
    pub fn row(&mut self, cells: Vec<String>) {
        self.rows.push(cells);
    }
}

impl std::fmt::Display for Table {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or(0);
        let widths: Vec<usize> = (0..columns)
            .map(|i| {
                let cells = self.rows.iter().filter_map(|row| row.get(i));
                cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
            })
            .collect();
        for (n, row) in self.rows.iter().enumerate() {
            let mut line = String::new();
            for (i, cell) in row.iter().enumerate() {
                let pad = " ".repeat(widths[i] - cell.chars().count());
                let gap = if i == 0 { "" } else { "  " };
                match self.right.contains(&i) {
                    true => line += &format!("{gap}{pad}{cell}"),
                    false => line += &format!("{gap}{cell}{pad}"),
                }
            }
            let end = if n + 1 < self.rows.len() { "\n" } else { "" };
            write!(f, "{}{end}", line.trim_end())?;
        }
        Ok(())
    }
}

/// Lines of `name: value`, aligned.
pub fn fields(lines: &[(&str, String)]) -> String {
    let width = lines.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    let lines = lines.iter().map(|(name, value)| format!("{name:width$}  {value}"));
    lines.collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_are_aligned_and_carry_no_trailing_blanks() {
        let mut table = Table::new(&["name", "rows"], &[1]);
        table.row(vec!["a".into(), "10".into()]);
        table.row(vec!["longer".into(), "7".into()]);
        assert_eq!(table.to_string(), "name    rows\na         10\nlonger     7");
        assert_eq!(fields(&[("a", "x".into()), ("long", "y".into())]), "a     x\nlong  y");
    }
}
