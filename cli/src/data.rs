//! The data directory: which files belong to whom, names that cannot leave it, and the lock that
//! keeps two commands apart.
//!
//! ```text
//! lock                    held by the command that runs
//! network/                what the embedded authorities keep
//! remote/                 or else: genesis and addresses of a network that runs elsewhere
//! wallets/NAME/           keystore, public.json, store.redb
//! attestors/ issuers/ agents/  the same for the other roles
//! ```

use std::fs::{File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};

use etcetera::BaseStrategy;
use placet_wallet::files::{Existing, write_atomically};
use serde::{Deserialize, Serialize};

use crate::fail::{Exit, Failure, Result};

/// Names one party on this machine: lower-case letters, digits, `-` and `_`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Name(String);

impl std::str::FromStr for Name {
    type Err = String;
    fn from_str(text: &str) -> std::result::Result<Self, String> {
        let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
        let first = text.bytes().next().is_some_and(plain);
        if first && text.len() <= 32 && text.bytes().all(|b| plain(b) || b == b'-' || b == b'_') {
            Ok(Self(text.to_owned()))
        } else {
            Err("a name is 1 to 32 lower-case letters, digits, - and _, as in alice".into())
        }
    }
}

impl std::fmt::Display for Name {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// A role with keys of its own on this machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Party {
    /// An investor.
    Wallet,
    /// A provider of credentials.
    Attestor,
    /// An issuer of assets.
    Issuer,
    /// A transfer agent.
    Agent,
}

impl Party {
    const fn directory(self) -> &'static str {
        match self {
            Self::Wallet => "wallets",
            Self::Attestor => "attestors",
            Self::Issuer => "issuers",
            Self::Agent => "agents",
        }
    }

    /// The noun of its commands.
    pub const fn noun(self) -> &'static str {
        match self {
            Self::Wallet => "wallet",
            Self::Attestor => "attestor",
            Self::Issuer => "issuer",
            Self::Agent => "agent",
        }
    }
}

/// What may be known of a party without its passphrase.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Public {
    /// A holder's address; nothing for the other roles.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<placet_protocol::address::Address>,
    /// The signing key of the other roles.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<placet_protocol::signing::VerifyKey>,
    /// An attestor's name on the network.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

/// One party's directory.
pub struct Home {
    /// Which role.
    pub party: Party,
    /// Its name here.
    pub name: Name,
    directory: PathBuf,
}

impl Home {
    /// As in "wallet alice".
    pub fn title(&self) -> String {
        format!("{} {}", self.party.noun(), self.name)
    }
    /// The encrypted keys.
    pub fn keystore(&self) -> PathBuf {
        self.directory.join("keystore")
    }
    /// The store that follows the network.
    pub fn store(&self) -> PathBuf {
        self.directory.join("store.redb")
    }

    /// Reads what is public.
    pub fn public(&self) -> Result<Public> {
        let path = self.directory.join("public.json");
        let text = std::fs::read(&path).map_err(|error| Failure::file(&path, &error))?;
        serde_json::from_slice(&text).map_err(|error| {
            Failure::input(
                "file",
                format!("{} is damaged: {error}", path.display()),
                "restore the directory from a copy, or the keys from the seed phrase",
            )
        })
    }

    fn missing(&self) -> Failure {
        let noun = self.party.noun();
        Failure::input(
            "not-found",
            format!("there is no {noun} named `{}` in this data directory", self.name),
            format!("`placet {noun} new --{noun} {}` makes one; see also --data", self.name),
        )
    }
}

/// The directory that holds everything of one user and one network.
pub struct DataDir {
    root: PathBuf,
}

/// Held while a command works; the system releases it if the process dies.
pub struct Lock(#[allow(dead_code)] File);

impl DataDir {
    /// The one that was named, or else `placet` below the user's data directory.
    pub fn new(named: Option<PathBuf>) -> Result<Self> {
        let root = match named {
            Some(root) => root,
            None => {
                let base = etcetera::choose_base_strategy().map_err(|_| {
                    Failure::input(
                        "no-home",
                        "no data directory: the user has no home directory",
                        "name one with --data or PLACET_DATA",
                    )
                })?;
                base.data_dir().join("placet")
            }
        };
        Ok(Self { root })
    }

    /// Where it is.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// What the embedded authorities keep.
    pub fn network(&self) -> PathBuf {
        self.root.join("network")
    }

    /// What is kept about a network that runs elsewhere.
    pub fn remote(&self) -> PathBuf {
        self.root.join("remote")
    }

    /// Makes sure that no other command works on the directory.
    pub fn lock(&self) -> Result<Lock> {
        make_private_dir(&self.root)?;
        let path = self.root.join("lock");
        let file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&path)
            .map_err(|error| Failure::file(&path, &error))?;
        match file.try_lock() {
            Ok(()) => Ok(Lock(file)),
            Err(TryLockError::WouldBlock) => Err(Failure::new(
                Exit::Busy,
                "busy",
                format!("another placet command uses {}", self.root.display()),
                "wait until it ends, or use another directory with --data",
            )),
            Err(TryLockError::Error(error)) => Err(Failure::file(&path, &error)),
        }
    }

    /// An existing party.
    pub fn home(&self, party: Party, name: &Name) -> Result<Home> {
        let home = self.place(party, name);
        if home.keystore().exists() { Ok(home) } else { Err(home.missing()) }
    }

    /// Makes a party: `fill` writes its keystore into a directory that appears under the name only
    /// when it is complete.
    pub fn create(
        &self,
        party: Party,
        name: &Name,
        public: &Public,
        fill: impl FnOnce(&Path) -> Result<()>,
    ) -> Result<Home> {
        let home = self.place(party, name);
        self.must_be_free(party, name)?;
        let parent = self.root.join(party.directory());
        make_private_dir(&parent)?;
        let new = tempfile::Builder::new()
            .prefix(".new-")
            .tempdir_in(&parent)
            .map_err(|error| Failure::file(&parent, &error))?;
        fill(&new.path().join("keystore"))?;
        let text = serde_json::to_vec_pretty(public).map_err(|error| Failure::internal(&error))?;
        write_atomically(&new.path().join("public.json"), &text, Existing::Refuse)?;
        std::fs::rename(new.path(), &home.directory)
            .map_err(|error| Failure::file(&home.directory, &error))?;
        // Nothing is left to clean up under the temporary name.
        let _ = new.keep();
        File::open(&parent)?.sync_all()?;
        Ok(home)
    }

    /// Refuses to overwrite anybody's keys; called before a passphrase is asked for.
    pub fn must_be_free(&self, party: Party, name: &Name) -> Result<()> {
        let home = self.place(party, name);
        if !home.directory.exists() {
            return Ok(());
        }
        let noun = party.noun();
        Err(Failure::input(
            "exists",
            format!("there is a {noun} named `{name}` already; it was not touched"),
            format!("choose another name with --{noun}, or move {} away", home.directory.display()),
        ))
    }

    /// Every party of a role, in order of names.
    pub fn homes(&self, party: Party) -> Result<Vec<Home>> {
        let directory = self.root.join(party.directory());
        let entries = match std::fs::read_dir(&directory) {
            Ok(entries) => entries,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(Failure::file(&directory, &error)),
        };
        let mut names = Vec::new();
        for entry in entries {
            let entry = entry.map_err(|error| Failure::file(&directory, &error))?;
            names.extend(entry.file_name().to_str().and_then(|name| name.parse::<Name>().ok()));
        }
        names.sort();
        Ok(names.iter().map(|name| self.place(party, name)).collect())
    }

    fn place(&self, party: Party, name: &Name) -> Home {
        let directory = self.root.join(party.directory()).join(&name.0);
        Home { party, name: name.clone(), directory }
    }
}

/// Creates a directory that only its owner may enter; one that exists stays as it is.
pub fn make_private_dir(path: &Path) -> Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path).map_err(|error| Failure::file(path, &error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_cannot_leave_the_directory() {
        for good in ["alice", "a", "0-x_y"] {
            assert!(good.parse::<Name>().is_ok(), "{good}");
        }
        for bad in ["", ".", "..", "a/b", "../a", "Alice", "-a", ".new-1", &"a".repeat(33)] {
            assert!(bad.parse::<Name>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_party_appears_whole_or_not_at_all_and_is_never_overwritten() {
        let root = tempfile::tempdir().unwrap();
        let data = DataDir::new(Some(root.path().to_owned())).unwrap();
        let name: Name = "alice".parse().unwrap();
        let public = Public { address: None, key: None, name: None };
        let fails = |_: &Path| Err(Failure::input("x", "x", "x"));
        assert!(data.create(Party::Wallet, &name, &public, fails).is_err());
        assert!(data.home(Party::Wallet, &name).is_err());
        let fill = |path: &Path| Ok(std::fs::write(path, b"first")?);
        let home = data.create(Party::Wallet, &name, &public, fill).unwrap();
        assert_eq!(home.public().unwrap(), public);
        let again = |path: &Path| Ok(std::fs::write(path, b"second")?);
        assert!(data.create(Party::Wallet, &name, &public, again).is_err());
        assert_eq!(std::fs::read(home.keystore()).unwrap(), b"first");
        assert_eq!(data.homes(Party::Wallet).unwrap().len(), 1);
    }

    #[test]
    fn two_commands_cannot_use_one_directory() {
        let root = tempfile::tempdir().unwrap();
        let data = DataDir::new(Some(root.path().to_owned())).unwrap();
        let held = data.lock().unwrap();
        assert!(data.lock().is_err());
        drop(held);
        assert!(data.lock().is_ok());
    }
}
