//! The files of snarkjs, read strictly and written as it writes them: `.r1cs`, `.wtns`, `.zkey`,
//! `.ptau`, and the JSON of verifying keys, proofs and public inputs. Spec §12.5.
//!
//! Modules in reading order.

pub mod binfile;
pub mod points;
pub mod ptau;
pub mod r1cs;
pub mod wtns;
pub mod zkey;
pub mod convert;
pub mod json;

use std::io::{BufWriter, Write};
use std::path::Path;

/// Writes a temporary file beside the target, flushes it to disk, then renames it over the target.
fn replace(
    path: &Path,
    write: impl FnOnce(&mut BufWriter<&std::fs::File>) -> std::io::Result<()>,
) -> std::io::Result<()> {
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    let directory = directory.unwrap_or(Path::new("."));
    let file = tempfile::NamedTempFile::new_in(directory)?;
    let mut out = BufWriter::new(file.as_file());
    write(&mut out)?;
    out.flush()?;
    drop(out);
    file.as_file().sync_all()?;
    file.persist(path).map_err(|error| error.error)?;
    Ok(())
}
