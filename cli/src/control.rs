//! The identification session (spec §4.2): before an attestor certifies a key, its holder answers a
//! fresh challenge with it. In one data directory both sides are here; on two machines the
//! challenge and the answer travel between them.

use clap::Args;
use placet_protocol::address::Address;
use placet_protocol::possession::Possession;
use placet_protocol::wire::Wire;
use placet_wallet::attestor::Attestor;
use placet_wallet::view;
use serde_json::json;

use crate::app::App;
use crate::chain::Chain;
use crate::data::{Home, Name, Party};
use crate::fail::{Failure, Result};
use crate::lookup;
use crate::output::{Report, fields};

/// Bytes that a holder answers.
type Challenge = [u8; 32];

/// What came out of a session with a holder elsewhere.
#[derive(Args)]
pub struct Session {
    /// The challenge of your session with a holder elsewhere, from `attestor challenge`
    #[arg(long, value_name = "HEX", requires = "answer", value_parser = challenge)]
    challenge: Option<Challenge>,
    /// The holder's answer to it, from `wallet answer`
    #[arg(long, value_name = "HEX", requires = "challenge", value_parser = answer)]
    answer: Option<Possession>,
}

/// 32 bytes in hexadecimal.
pub fn challenge(text: &str) -> std::result::Result<Challenge, String> {
    let bytes = hex::decode(text).ok().and_then(|bytes| bytes.try_into().ok());
    bytes.ok_or_else(|| "a challenge is 64 hexadecimal digits, as `attestor challenge` says".into())
}

fn answer(text: &str) -> std::result::Result<Possession, String> {
    let answer = hex::decode(text).ok().and_then(|bytes| Possession::from_wire(&bytes).ok());
    answer.ok_or_else(|| "an answer is 192 hexadecimal digits, as `wallet answer` says".into())
}

/// How a holder shows control of the key.
pub enum Evidence {
    /// Answered before, wherever the wallet is.
    Answered(Challenge, Possession),
    /// By the wallet in this data directory, now.
    Here(Home),
}

impl Evidence {
    /// What there is for the holder whom the user named.
    ///
    /// # Errors
    /// If there is nothing: an address without an answer.
    pub fn of(app: &App, to: &str, session: &Session) -> Result<Self> {
        if let (Some(challenge), Some(answer)) = (session.challenge, session.answer) {
            return Ok(Self::Answered(challenge, answer));
        }
        lookup::wallet(&app.data, to)?.map(Self::Here).ok_or_else(|| {
            Failure::input(
                "control-not-shown",
                "the holder of this address has not shown control of its key",
                "`placet attestor challenge` makes a challenge, the holder's `placet wallet \
                 answer` answers it: pass both with --challenge and --answer",
            )
        })
    }

    /// Holds the session, if it was not held, and checks the answer. Asks for the passphrase of a
    /// wallet in this data directory.
    pub fn check(
        self,
        app: &mut App,
        chain: &Chain,
        attestor: &Attestor,
        to: &Address,
    ) -> Result<()> {
        let (challenge, answer) = match self {
            Self::Answered(challenge, answer) => (challenge, answer),
            Self::Here(home) => {
                let challenge = random()?;
                let seed = app.unlock(&home)?.phrase.seed();
                let answer = seed.answer(&chain.id(), attestor.id(), &challenge, &random()?);
                (challenge, answer)
            }
        };
        Ok(attestor.check_control(to, &challenge, &answer)?)
    }
}

/// A challenge from the system's randomness. Nothing remembers it: the attestor passes it back.
pub fn fresh(app: &App, name: &Name) -> Result<Report> {
    let public = app.data.home(Party::Attestor, name)?.public()?;
    let key = public.key.ok_or_else(|| {
        let message = format!("attestor {name} has no key on file");
        Failure::input("file", message, "restore the directory from a copy")
    })?;
    let (challenge, id) = (hex::encode(random()?), key.attestor_id().to_string());
    let text = fields(&[("attestor-id", id.clone()), ("challenge", challenge.clone())]);
    let text = format!(
        "{text}\ngive both to the holder, whose `placet wallet answer` answers; for this session \
         only"
    );
    let json = json!({ "attestor": name.to_string(), "id": id, "challenge": challenge });
    Ok(Report::new(text, json))
}

/// A wallet's answer to an attestor that the network admitted.
pub fn reply(app: &mut App, name: &Name, id: &str, challenge: &Challenge) -> Result<Report> {
    let home = app.data.home(Party::Wallet, name)?;
    let chain = app.chain()?;
    let admitted = view::attestors(&chain.public(app)?.read()?)?;
    let fits = admitted.iter().filter(|attestor| lookup::starts_with(&attestor.id.to_string(), id));
    let help = "`placet attestor list` shows all that the network admitted";
    let attestor = lookup::one(&fits.collect::<Vec<_>>(), id, "attestor", help)?;
    let seed = app.unlock(&home)?.phrase.seed();
    let answer = seed.answer(&chain.id(), attestor.id, challenge, &random()?);
    let (title, answer) = (attestor.name.clone(), hex::encode(answer.to_wire()));
    let lines = [("answer", answer.clone()), ("attestor", title.clone())];
    let text = format!(
        "{}\ngood for this attestor alone; if you are not talking to it, do not pass the answer on",
        fields(&lines)
    );
    let json = json!({
        "wallet": name.to_string(), "title": title, "id": attestor.id.to_string(),
        "challenge": hex::encode(challenge), "answer": answer,
    });
    Ok(Report::new(text, json))
}

fn random() -> Result<[u8; 32]> {
    let mut bytes = [0u8; 32];
    getrandom::fill(&mut bytes)?;
    Ok(bytes)
}
