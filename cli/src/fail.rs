//! What the command line says when something does not work: what failed, then what to do, and an
//! exit code that scripts can rely on.

use std::io::Write;

/// Documented exit codes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// A fault of the program or of the machine.
    Internal = 1,
    /// The command was written wrongly.
    Usage = 2,
    /// A file, a name or a value that was given is not usable.
    Input = 3,
    /// The wallet's native check refused: the code names the clause.
    Clause = 4,
    /// The ledger refused: the code names the rule.
    Ledger = 5,
    /// The passphrase does not open the keystore.
    Passphrase = 6,
    /// Another process uses the data directory.
    Busy = 7,
    /// No node answers, or none that can be trusted.
    Network = 8,
    /// What was to be verified does not hold.
    Evidence = 9,
}

/// The table for `--help`.
pub const EXIT_CODES: &str = "Exit codes:
  0  done
  1  internal: a fault of the program or of the machine
  2  usage: the command was written wrongly
  3  input: a file, name or value is missing or not usable
  4  refused by the wallet's own check before proving; the code names the clause
  5  refused by the ledger; the code names the rule
  6  wrong passphrase
  7  busy: another process uses the data directory
  8  network: no node answers, or the authorities have not decided in time
  9  evidence: a receipt, block or chain that was to be verified does not hold

With --json every command prints one JSON value on standard output, and errors
as one JSON object {code, message, help} on standard error.";

/// A command did not do what it was asked to.
#[derive(Debug)]
pub struct Failure {
    exit: Exit,
    code: String,
    message: String,
    help: String,
}

/// What every step of a command returns.
pub type Result<T> = std::result::Result<T, Failure>;

impl Failure {
    /// A failure with its stable code, what failed, and what to do.
    pub fn new(exit: Exit, code: &str, message: impl ToString, help: impl ToString) -> Self {
        Self { exit, code: code.to_owned(), message: message.to_string(), help: help.to_string() }
    }

    /// Something that was given is not usable.
    pub fn input(code: &str, message: impl ToString, help: impl ToString) -> Self {
        Self::new(Exit::Input, code, message, help)
    }

    /// From an error of a library, whose text says what failed and, after a semicolon or else a
    /// colon, what to do.
    pub fn from_error(exit: Exit, code: &str, error: &(dyn std::error::Error + 'static)) -> Self {
        let text = error.to_string();
        let (message, help) = match text.rsplit_once("; ").or_else(|| text.split_once(": ")) {
            // Not every colon introduces a remedy, but whatever follows it is still told.
            Some((message, help)) => (message.to_owned(), help.to_owned()),
            None => (text, String::new()),
        };
        let help = match (help.is_empty(), causes(error)) {
            (true, Some(causes)) => format!("the cause: {causes}"),
            _ => help,
        };
        Self { exit, code: code.to_owned(), message, help }
    }

    /// A fault of the program or of the machine.
    pub fn internal(error: &(dyn std::error::Error + 'static)) -> Self {
        let mut failure = Self::from_error(Exit::Internal, "internal", error);
        if failure.help.is_empty() {
            failure.help = "try again; if it happens twice, report it".to_owned();
        }
        failure
    }

    /// A file that cannot be read or written.
    pub fn file(path: &std::path::Path, error: &std::io::Error) -> Self {
        let help = match error.kind() {
            std::io::ErrorKind::NotFound => "check the path",
            std::io::ErrorKind::PermissionDenied => "check the permissions",
            std::io::ErrorKind::StorageFull => "free some space",
            _ => "check the file and its directory",
        };
        Self::input("file", format!("{}: {error}", path.display()), help)
    }

    /// The same failure, when some of what was asked for had been done before.
    pub fn after(mut self, done: usize) -> Self {
        if done > 0 {
            self.message = format!("after {done} done: {}", self.message);
        }
        self
    }

    /// The same failure with one more line of explanation.
    pub fn with(mut self, detail: &str) -> Self {
        self.message = format!("{}\n  {detail}", self.message);
        self
    }

    /// The same failure of a transaction that stays on disk.
    pub fn kept(mut self) -> Self {
        self.help = format!(
            "{}; the transaction may have been executed, and the next command sends it again",
            self.help
        );
        self
    }

    /// The exit code.
    pub fn exit(&self) -> Exit {
        self.exit
    }

    /// The stable code.
    pub fn code(&self) -> &str {
        &self.code
    }

    /// The process's exit code.
    pub fn exit_code(&self) -> std::process::ExitCode {
        (self.exit as u8).into()
    }

    /// Prints to standard error, for people or as one JSON object.
    pub fn print(&self, json: bool) {
        let mut stderr = std::io::stderr().lock();
        // A closed standard error leaves nobody to tell.
        let _ = if json {
            let Self { code, message, help, .. } = self;
            let object = serde_json::json!({ "code": code, "message": message, "help": help });
            writeln!(stderr, "{object}")
        } else {
            let help = if self.help.is_empty() { "" } else { "\n help: " };
            writeln!(stderr, "error: {}{help}{}\n code: {}", self.message, self.help, self.code)
        };
    }
}

/// The chain of sources behind an error, outermost first.
fn causes(error: &(dyn std::error::Error + 'static)) -> Option<String> {
    let mut causes = Vec::new();
    let mut next = error.source();
    while let Some(cause) = next {
        causes.push(cause.to_string());
        next = cause.source();
    }
    (!causes.is_empty()).then(|| causes.join(": "))
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        Self::internal(&error)
    }
}

impl From<getrandom::Error> for Failure {
    fn from(error: getrandom::Error) -> Self {
        Self::internal(&error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("{0}")]
    struct Text(&'static str);

    #[test]
    fn a_library_error_is_split_into_what_failed_and_what_to_do() {
        let split = |text| {
            let failure = Failure::from_error(Exit::Input, "x", &Text(text));
            (failure.message, failure.help)
        };
        let pair = |a: &str, b: &str| (a.to_owned(), b.to_owned());
        assert_eq!(split("it fails: badly; do this"), pair("it fails: badly", "do this"));
        assert_eq!(split("it fails: do this"), pair("it fails", "do this"));
        assert_eq!(split("it fails"), pair("it fails", ""));
    }
}
