//! `placet tables`: multiples of a proving key's points, kept in the user's cache because proofs are
//! several times faster with them.

use std::path::{Path, PathBuf};

use clap::Subcommand;
use placet_prover::kernel::Tables;
use placet_prover::kernel::file::{self, EXTENSION};
use serde_json::{Value, json};

use crate::app::App;
use crate::export::Keys;
use crate::fail::{Failure, Result};
use crate::keyfiles;
use crate::output::{Report, Table, fields};

/// Commands on tables.
#[derive(Subcommand)]
pub enum Command {
    /// Those in the cache, with their sizes
    List,
    /// Build those of a key now rather than before its first proof: some seconds, once
    ///
    /// --tables says which. For a circuit of 2^15 rows, as `transfer`: `full` takes about 170 MB and
    /// proves fastest; `small` 40 MB and `none` 10 MB, the points alone, for proofs that take up to
    /// two fifths longer. Processes share the memory.
    Build {
        #[command(flatten)]
        keys: Keys,
    },
    /// Delete those in the cache; the next proof builds what it needs
    Remove {
        /// Only those of this kind: none, small or full
        kind: Option<Tables>,
    },
}

/// Runs one of them.
pub fn run(app: &mut App, command: &Command) -> Result<Report> {
    match command {
        Command::List => list(),
        Command::Build { keys } => build(app, keys),
        Command::Remove { kind } => remove(*kind),
    }
}

/// A file of tables, by its name. The content may be anything.
struct Cached {
    path: PathBuf,
    circuit: String,
    kind: String,
    bytes: u64,
}

/// All in the cache, in the order of their names.
fn cached(dir: &Path) -> Result<Vec<Cached>> {
    let failed = |error: &std::io::Error| Failure::file(dir, error);
    let entries = match std::fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(failed(&error)),
    };
    let mut found = Vec::new();
    for entry in entries {
        let entry = entry.map_err(|error| failed(&error))?;
        let name = entry.file_name().to_string_lossy().into_owned();
        // Left by a process that was killed: NAME.tables.new. Known by the name it would have had.
        let name = name.strip_suffix(".new").unwrap_or(&name);
        let mut words = name.split('.');
        if let (Some(circuit), Some(kind), true) =
            (words.next(), words.next(), name.ends_with(&format!(".{EXTENSION}")))
        {
            found.push(Cached {
                path: dir.join(name),
                circuit: circuit.to_owned(),
                kind: kind.to_owned(),
                bytes: entry.metadata().map_err(|error| failed(&error))?.len(),
            });
        }
    }
    found.sort_by(|a, b| a.path.cmp(&b.path));
    found.dedup_by(|again, first| {
        let same = again.path == first.path;
        first.bytes += if same { again.bytes } else { 0 };
        same
    });
    Ok(found)
}

fn megabytes(bytes: u64) -> String {
    format!("{:.1} MB", bytes as f64 / 1e6)
}

fn list() -> Result<Report> {
    let dir = keyfiles::tables_dir()?;
    let cached = cached(&dir)?;
    let mut table = Table::new(&["circuit", "tables", "size", "state"], &[2]);
    let mut files: Vec<Value> = Vec::new();
    for Cached { path, circuit, kind, bytes } in &cached {
        let trouble = file::describe(path).err().map(|error| error.to_string());
        let short: String = circuit.chars().take(16).collect();
        let state = trouble.clone().unwrap_or_else(|| "complete".to_owned());
        table.row(vec![short, kind.clone(), megabytes(*bytes), state]);
        files.push(json!({
            "file": path, "circuit": circuit, "tables": kind, "bytes": bytes, "trouble": trouble,
        }));
    }
    let bytes: u64 = cached.iter().map(|cached| cached.bytes).sum();
    let text = match cached.is_empty() {
        true => format!("no tables in {}; the first proof builds them", dir.display()),
        false => format!("{table}\n\n{} in {}", megabytes(bytes), dir.display()),
    };
    Ok(Report::new(text, json!({ "directory": dir, "bytes": bytes, "files": files })))
}

fn build(app: &App, keys: &Keys) -> Result<Report> {
    let key = keys.proving(app)?;
    let path = keyfiles::tables_path(key.verifying_key(), app.tables)?;
    let prover = keyfiles::with_tables(key, app.tables, app.progress)?;
    let circuit = prover.verifying_key().hash();
    let bytes = path.metadata().map_err(|error| Failure::file(&path, &error))?.len();
    let text = fields(&[
        ("circuit", circuit.to_string()),
        ("tables", app.tables.to_string()),
        ("size", megabytes(bytes)),
        ("file", path.display().to_string()),
    ]);
    let json = json!({
        "circuit": circuit.to_string(), "tables": app.tables.name(), "bytes": bytes, "file": path,
    });
    Ok(Report::new(text, json))
}

fn remove(kind: Option<Tables>) -> Result<Report> {
    let mut removed: Vec<Cached> = cached(&keyfiles::tables_dir()?)?;
    removed.retain(|cached| kind.is_none_or(|kind| cached.kind == kind.name()));
    for Cached { path, .. } in &removed {
        file::remove(path).map_err(|error| Failure::file(path, &error))?;
    }
    let bytes: u64 = removed.iter().map(|cached| cached.bytes).sum();
    let files: Vec<_> = removed.iter().map(|cached| &cached.path).collect();
    let text = match files.len() {
        0 => "there are no such tables".to_owned(),
        1 => format!("removed one file, {}", megabytes(bytes)),
        n => format!("removed {n} files, {}", megabytes(bytes)),
    };
    Ok(Report::new(text, json!({ "files": files, "bytes": bytes })))
}
