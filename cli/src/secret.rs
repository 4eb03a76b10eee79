//! Passphrases and seed phrases: typed at a prompt without echo, or passed through a file
//! descriptor. Never an argument, never an environment variable, never in a log.

use std::fs::{File, OpenOptions};
use std::io::{IsTerminal, Read, Write};

use placet_wallet::seed::Phrase;
use zeroize::Zeroizing;

use crate::fail::{Exit, Failure, Result};

/// No passphrase file is longer.
const MAX_BYTES: u64 = 64 * 1024;
/// What makes a passphrase worth its name.
const LEAST_CHARACTERS: usize = 8;

/// Where passphrases come from.
pub struct Passphrases {
    descriptor: Option<u32>,
    /// The descriptor's lines, once it was read.
    lines: Option<Vec<Zeroizing<String>>>,
    used: usize,
}

impl Passphrases {
    /// From a file descriptor, or else from prompts.
    pub fn new(descriptor: Option<u32>) -> Self {
        Self { descriptor, lines: None, used: 0 }
    }

    /// Wipes what was read, where a command runs on for long; it is read again when it is needed.
    pub fn forget(&mut self) {
        (self.lines, self.used) = (None, 0);
    }

    /// The passphrase of an existing keystore.
    pub fn known(&mut self, whose: &str) -> Result<Zeroizing<String>> {
        match self.descriptor {
            Some(descriptor) => self.line(descriptor),
            None => prompt(&format!("Passphrase of {whose}: ")),
        }
    }

    /// The passphrase of a new keystore, typed twice.
    pub fn fresh(&mut self, whose: &str) -> Result<Zeroizing<String>> {
        let passphrase = match self.descriptor {
            Some(descriptor) => self.line(descriptor)?,
            None => {
                let first = prompt(&format!("New passphrase of {whose}: "))?;
                if *prompt("The same again: ")? != *first {
                    return Err(Failure::input(
                        "passphrase-differs",
                        "the two passphrases differ",
                        "run the command again",
                    ));
                }
                first
            }
        };
        if passphrase.chars().count() < LEAST_CHARACTERS {
            return Err(Failure::input(
                "passphrase-short",
                format!("the passphrase has fewer than {LEAST_CHARACTERS} characters"),
                "choose a longer one: whoever copies the file can try millions",
            ));
        }
        Ok(passphrase)
    }

    /// Line by line; the last one serves for all keystores that follow.
    fn line(&mut self, descriptor: u32) -> Result<Zeroizing<String>> {
        let lines = match &mut self.lines {
            Some(lines) => lines,
            None => self.lines.insert(read_lines(descriptor)?),
        };
        let line = lines.get(self.used).or(lines.last()).cloned();
        self.used += 1;
        line.ok_or_else(|| {
            Failure::input(
                "passphrase-missing",
                format!("file descriptor {descriptor} holds no passphrase"),
                "pass one line per keystore, as in: placet … --passphrase-fd 3 3<file",
            )
        })
    }
}

fn read_lines(descriptor: u32) -> Result<Vec<Zeroizing<String>>> {
    let text = read_descriptor(descriptor)?;
    Ok(text.lines().map(|line| Zeroizing::new(line.to_owned())).collect())
}

fn read_descriptor(descriptor: u32) -> Result<Zeroizing<String>> {
    let mut text = Zeroizing::new(String::with_capacity(1024));
    File::open(path(descriptor))
        .and_then(|file| file.take(MAX_BYTES).read_to_string(&mut text))
        .map_err(|error| {
            Failure::input(
                "descriptor",
                format!("file descriptor {descriptor} cannot be read: {error}"),
                "open it for reading in the shell, as in: placet … --passphrase-fd 3 3<file",
            )
        })?;
    Ok(text)
}

/// The system's name for an open descriptor: opening it needs no unsafe code.
fn path(descriptor: u32) -> String {
    format!("/dev/fd/{descriptor}")
}

/// A prompt without echo on the terminal, whatever standard input and output are.
fn prompt(text: &str) -> Result<Zeroizing<String>> {
    let typed = rpassword::prompt_password(text).map(Zeroizing::new).map_err(|error| {
        Failure::input(
            "no-terminal",
            format!("no terminal to ask for the passphrase: {error}"),
            "pass it through a file descriptor: --passphrase-fd 3 3<file",
        )
    })?;
    if typed.is_empty() {
        return Err(Failure::new(
            Exit::Passphrase,
            "wrong-passphrase",
            "no passphrase was typed",
            "run the command again",
        ));
    }
    Ok(typed)
}

/// Whether the phrase was shown.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Shown {
    /// It was.
    Yes,
    /// There is no terminal.
    NoTerminal,
}

/// Shows a phrase to its owner: on a file descriptor that was named for it, or else on the terminal;
/// never on a standard error that goes to a file.
pub fn show_phrase(phrase: &Phrase, descriptor: Option<u32>) -> Result<Shown> {
    let words = phrase.words();
    if let Some(descriptor) = descriptor {
        let mut text = Zeroizing::new(String::with_capacity(words.len() + 1));
        text.push_str(&words);
        text.push('\n');
        let written = OpenOptions::new()
            .append(true)
            .open(path(descriptor))
            .and_then(|mut file| file.write_all(text.as_bytes()));
        return written.map(|()| Shown::Yes).map_err(|error| {
            Failure::input(
                "descriptor",
                format!("file descriptor {descriptor} cannot be written: {error}"),
                "open it for writing in the shell, as in: placet … --phrase-fd 4 4>file",
            )
        });
    }
    let mut stderr = std::io::stderr();
    if !stderr.is_terminal() {
        return Ok(Shown::NoTerminal);
    }
    writeln!(stderr, "\nThe seed phrase. Whoever has it has everything; write it on paper:\n")?;
    let all: Vec<&str> = words.split(' ').collect();
    for (line, words) in all.chunks(6).enumerate() {
        for (i, word) in words.iter().enumerate() {
            write!(stderr, "  {:2} {word:10}", line * 6 + i + 1)?;
        }
        writeln!(stderr)?;
    }
    writeln!(stderr)?;
    Ok(Shown::Yes)
}

/// Reads a phrase to restore from: from a file descriptor, or typed without echo.
pub fn read_phrase(descriptor: Option<u32>) -> Result<Phrase> {
    let text = match descriptor {
        Some(descriptor) => read_descriptor(descriptor)?,
        None => prompt("Seed phrase, 24 words in one line: ")?,
    };
    Phrase::parse(&text).map_err(|error| Failure::from_error(Exit::Input, "phrase", &error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_handed_out_in_order_and_the_last_one_lasts() {
        let lines = ["one", "two"].map(|line| Zeroizing::new(line.to_owned()));
        let mut source = Passphrases { descriptor: Some(0), lines: Some(lines.into()), used: 0 };
        let given: Vec<_> = (0..3).map(|_| source.known("x").unwrap()).collect();
        assert_eq!(
            given.iter().map(|line| line.as_str()).collect::<Vec<_>>(),
            ["one", "two", "two"]
        );
        assert!(source.fresh("x").is_err(), "a short passphrase makes no new keystore");
    }

    #[test]
    fn a_descriptor_that_is_not_open_is_reported() {
        assert!(Passphrases::new(Some(987)).known("x").is_err());
        assert!(read_phrase(Some(987)).is_err());
    }
}
