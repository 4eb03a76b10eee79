//! What an attestor found out about a person or an entity, as a TOML file. A file and not options,
//! because arguments can be read by everybody on the machine.

use std::path::Path;

use placet_protocol::credential::{CATEGORIES, Categories, Document, Jurisdiction};
use placet_wallet::countries::Country;
use placet_wallet::policy_file::minor_digits;
use serde::Deserialize;
use toml::Spanned;

use crate::fail::{Failure, Result};
use crate::{amount, time};

/// What was found out.
pub struct Findings {
    /// Who it is.
    pub identity: Option<Identity>,
    /// What kind of investor it is.
    pub investor: Option<Investor>,
}

/// Who it is.
pub struct Identity {
    /// Residence or place of organisation.
    pub residence: Jurisdiction,
    /// Risk class.
    pub risk: u8,
    /// First second at which the credential is no longer valid.
    pub expires: u64,
    /// Until when documents are bound to the key.
    pub bound_until: u64,
    /// The document that is screened.
    pub document: Document,
    /// The LEI of an entity.
    pub lei: Option<String>,
    /// Further documents seen.
    pub further: Vec<Document>,
}

/// What kind of investor it is.
pub struct Investor {
    /// Categories.
    pub categories: Categories,
    /// Capital in minor units of its currency.
    pub capital: u64,
    /// First second at which the credential is no longer valid.
    pub expires: u64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FileText {
    identity: Option<IdentityText>,
    investor: Option<InvestorText>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct IdentityText {
    residence: Residence,
    risk: u8,
    expires: When,
    bound_until: Option<When>,
    document: DocumentText,
    lei: Option<String>,
    #[serde(default)]
    further: Vec<DocumentText>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct InvestorText {
    categories: Vec<CategoryName>,
    capital: Spanned<String>,
    currency: Currency,
    expires: When,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct DocumentText {
    country: DocumentCountry,
    #[serde(rename = "type")]
    kind: String,
    number: String,
}

impl From<DocumentText> for Document {
    fn from(text: DocumentText) -> Self {
        Self { country: text.country.0, kind: text.kind, number: text.number }
    }
}

/// Defines a value that is written as text and checked where it stands, so that the parser's
/// message points at its line.
macro_rules! checked {
    ($name:ident($inner:ty), $parse:expr) => {
        struct $name($inner);
        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(
                d: D,
            ) -> std::result::Result<Self, D::Error> {
                let value = toml::Value::deserialize(d)?;
                let text = match &value {
                    toml::Value::String(text) => text.clone(),
                    other => other.to_string(),
                };
                let parse: fn(&str) -> std::result::Result<$inner, String> = $parse;
                parse(&text).map(Self).map_err(serde::de::Error::custom)
            }
        }
    };
}

checked!(When(u64), time::parse);
checked!(Residence(Jurisdiction), |text| {
    let subdivision = |code: &u16| (1000..4096).contains(code);
    Country::by_code(text)
        .map(Country::jurisdiction)
        .or_else(|| Jurisdiction::new(text.parse().ok().filter(subdivision)?))
        .ok_or_else(|| {
            "write a country as \"FR\", \"FRA\" or 250, or a subdivision's number".into()
        })
});
checked!(DocumentCountry(String), |text| {
    let country = Country::by_code(text).map(|country| country.alpha3.to_owned());
    country.ok_or_else(|| "write the issuing country as \"FR\", \"FRA\" or 250".into())
});
checked!(CategoryName(Categories), |text| {
    Categories::from_names([text]).map_err(|_| {
        let known = CATEGORIES.map(|(name, _)| name).join(", ");
        format!("unknown investor category; the categories are: {known}")
    })
});
checked!(Currency(String), |text| {
    let is_code = text.len() == 3 && text.bytes().all(|byte| byte.is_ascii_uppercase());
    is_code.then(|| text.to_owned()).ok_or_else(|| "write a currency as \"EUR\"".into())
});

/// Reads a file; `-` is standard input.
pub fn read(path: &Path) -> Result<Findings> {
    let failed = |error: std::io::Error| Failure::file(path, &error);
    let text = match path.to_str() {
        Some("-") => std::io::read_to_string(std::io::stdin()).map_err(failed)?,
        _ => std::fs::read_to_string(path).map_err(failed)?,
    };
    parse(&text).map_err(|message| {
        let message = format!("{}: {message}", path.display());
        Failure::input("person", message, "`placet attestor issue --help` shows an example")
    })
}

fn parse(text: &str) -> std::result::Result<Findings, String> {
    let file: FileText = toml::from_str(text).map_err(|error| error.to_string())?;
    if file.identity.is_none() && file.investor.is_none() {
        return Err("there is neither an [identity] nor an [investor] table".into());
    }
    let identity = file.identity.map(|text| Identity {
        residence: text.residence.0,
        risk: text.risk,
        expires: text.expires.0,
        bound_until: text.bound_until.map_or(text.expires.0, |when| when.0),
        document: text.document.into(),
        lei: text.lei,
        further: text.further.into_iter().map(Document::from).collect(),
    });
    let investor = file.investor.map(|investor| {
        let digits = u8::try_from(minor_digits(&investor.currency.0)).unwrap_or(2);
        let capital = amount::parse(investor.capital.get_ref(), digits).map_err(|_| {
            let line = text[..investor.capital.span().start].matches('\n').count() + 1;
            format!("line {line}: write capital in units of its currency, as \"250000.00\"")
        })?;
        let categories = investor.categories.iter().fold(0, |set, one| set | one.0.0);
        let expires = investor.expires.0;
        Ok::<_, String>(Investor { categories: Categories(categories), capital, expires })
    });
    Ok(Findings { identity, investor: investor.transpose()? })
}

/// An example for the help, read by a test.
pub const EXAMPLE: &str = r#"[identity]
residence = "FR"          # or place of organisation
risk = 1                  # your risk class, 0 to 255
expires = "2030-12-31"
document = { country = "FRA", type = "passport", number = "12AB34567" }  # screened
# lei = "…"               # for an entity; else the document stands for the person
# further = [{ country = "FRA", type = "national-id", number = "…" }]
# bound_until = "2035-01-01"   # documents are bound to this key until then

[investor]                # leave out what you did not check
categories = ["eu-professional"]
capital = "250000.00"
currency = "EUR"          # the policy's: policies in another currency misread the capital
expires = "2030-12-31"
"#;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_is_read() {
        let findings = parse(EXAMPLE).unwrap();
        let (identity, investor) = (findings.identity.unwrap(), findings.investor.unwrap());
        assert_eq!(identity.residence.code(), 250);
        assert_eq!(identity.bound_until, identity.expires);
        assert_eq!(identity.document.country, "FRA");
        assert_eq!(investor.capital, 25_000_000);
        assert_eq!(investor.categories.names(), ["eu-professional"]);
    }

    #[test]
    fn mistakes_name_their_line() {
        for (right, wrong, line) in [
            ("\"FR\"", "\"XX\"", 2),
            ("risk = 1 ", "risk = 300 ", 3),
            ("\"2030-12-31\"\ndoc", "\"soon\"\ndoc", 4),
            ("eu-professional", "rich", 11),
            ("250000.00", "250000.001", 12),
            ("residence", "home", 2),
        ] {
            assert!(EXAMPLE.contains(right), "{right}");
            let error = parse(&EXAMPLE.replacen(right, wrong, 1)).err().expect(wrong);
            assert!(error.contains(&format!("line {line}")), "{wrong}: {error}");
        }
        assert!(parse("").is_err());
    }
}
