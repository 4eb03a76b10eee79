//! Who takes part in the demo and under which policy. All persons and companies are invented; the
//! one real thing is the sanctioned document, a record of the OFAC list that names nobody.

use placet_protocol::credential::{Categories, Document, Jurisdiction};
use placet_protocol::field::AttestorId;
use placet_protocol::policy::Rule;
use placet_wallet::policy_file::{PolicyFile, PolicyFileError, read};

use crate::time::DAY;

/// Time of the demo's first block, 2027-01-04T09:00:00Z: the same dates in every run.
pub const START: u64 = 1_799_053_200;

/// Provider of identity credentials.
pub const IDENTITY_PROVIDER: &str = "Lantern Identity Services";
/// Provider of investor credentials.
pub const ACCREDITOR: &str = "Beacon Accreditation";
/// The transfer agent, for people only: the chain knows its keys.
pub const AGENT: &str = "Quayside Registrars";
/// Decimal places of a unit.
pub const DECIMALS: u8 = 2;

/// The policy as its issuer writes it.
const POLICY: &str = include_str!("policy.toml");

/// The five investors.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Person {
    /// From France, professional client.
    Amelie,
    /// From Switzerland, qualified investor.
    Bruno,
    /// From the United States; her first investor credential is for another continent.
    Carol,
    /// From Japan, where the asset is not offered at first.
    Daichi,
    /// From the United Kingdom; her document is on the list.
    Evelyn,
}

impl Person {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Amelie, Self::Bruno, Self::Carol, Self::Daichi, Self::Evelyn];

    /// What the demo knows of the person.
    pub const fn profile(self) -> &'static Profile {
        &PROFILES[self as usize]
    }

    /// The first name.
    pub fn first(self) -> &'static str {
        self.profile().name.split(' ').next().unwrap_or_default()
    }
}

/// What attestors see of a person, and what is in nobody else's hands.
pub struct Profile {
    /// Full name; it never leaves the attestor.
    pub name: &'static str,
    /// Residence, for people.
    pub country: &'static str,
    /// Residence, ISO 3166-1 alpha-3 and numeric.
    pub code: (&'static str, u16),
    /// Type and number of the screened document.
    pub document: (&'static str, &'static str),
    /// Investor categories first attested.
    pub categories: &'static [&'static str],
    /// Capital first attested, in euro cents.
    pub capital: u64,
    /// Days for which the identity credential is valid.
    pub identity_days: u64,
}

const YEARS: u64 = 3 * 365;

const PROFILES: [Profile; 5] = [
    Profile {
        name: "Amélie Exemple",
        country: "France",
        code: ("FRA", 250),
        document: ("passport", "20SPX40017"),
        categories: &["eu-professional"],
        capital: 200_000_000,
        identity_days: YEARS,
    },
    Profile {
        name: "Bruno Muster",
        country: "Switzerland",
        code: ("CHE", 756),
        document: ("passport", "X0M5710482"),
        categories: &["ch-qualified-investor"],
        capital: 100_000_000,
        identity_days: 90,
    },
    Profile {
        name: "Carol Sample",
        country: "United States",
        code: ("USA", 840),
        document: ("passport", "SMP9034115"),
        categories: &["eu-professional"],
        capital: 40_000_000,
        identity_days: YEARS,
    },
    Profile {
        name: "Daichi Mihon",
        country: "Japan",
        code: ("JPN", 392),
        document: ("passport", "MH7725390X"),
        categories: &["retail"],
        capital: 60_000_000,
        identity_days: YEARS,
    },
    Profile {
        name: "Evelyn Example",
        country: "United Kingdom",
        code: ("GBR", 826),
        // A record of the OFAC list, registry/data/ofac-sdn-documents.csv; whose it is, it does
        // not say.
        document: ("passport", "720134834"),
        categories: &["uk-high-net-worth"],
        capital: 90_000_000,
        identity_days: YEARS,
    },
];

impl Profile {
    /// The screened document.
    pub fn document(&self) -> Document {
        let (kind, number) = self.document;
        Document { country: self.code.0.into(), kind: kind.into(), number: number.into() }
    }

    /// The residence.
    pub fn jurisdiction(&self) -> Jurisdiction {
        jurisdiction(self.code.1)
    }

    /// The categories first attested.
    pub fn categories(&self) -> Categories {
        categories(self.categories)
    }
}

/// Category names of the table in the spec.
pub fn categories(names: &[&str]) -> Categories {
    Categories::from_names(names.iter().copied()).expect("the names in this file are in the table")
}

fn jurisdiction(code: u16) -> Jurisdiction {
    Jurisdiction::new(code).expect("ISO 3166-1 codes have three digits")
}

/// Reads the policy, with the two attestors it names.
pub fn policy(identity: AttestorId, accreditor: AttestorId) -> Result<PolicyFile, PolicyFileError> {
    read(POLICY, None, &|name| match name {
        IDENTITY_PROVIDER => Some(identity),
        ACCREDITOR => Some(accreditor),
        _ => None,
    })
}

/// Japan with the rule that version 2 of the policy adds.
pub fn japan() -> (Jurisdiction, Rule) {
    let rule = Rule {
        allowed: true,
        any_of: Categories::default(),
        lockup: 0,
        max_holding: cents(1_000, 0),
    };
    (jurisdiction(392), rule)
}

/// Smallest units of `whole` units and `hundredths`.
pub const fn cents(whole: u64, hundredths: u64) -> u64 {
    whole * 10u64.pow(DECIMALS as u32) + hundredths
}

/// Seconds of days.
pub const fn days(days: u64) -> u64 {
    days * DAY
}

#[cfg(test)]
mod tests {
    use super::*;
    use ark_bn254::Fr;

    #[test]
    fn the_first_block_is_on_a_monday_morning() {
        assert_eq!(crate::time::format(START), "2027-01-04T09:00:00Z");
    }

    #[test]
    fn the_policy_is_understood_and_only_one_document_is_sanctioned() {
        let id = |n: u8| AttestorId::new(Fr::from(n));
        let file = policy(id(2), id(3)).unwrap();
        assert_eq!(file.policy.unit_price, 100);
        assert_eq!(file.asset.unwrap().decimals, DECIMALS);
        let list =
            placet_registry::sanctions::list_from_csv(placet_registry::sanctions::OFAC_SDN_CSV)
                .unwrap();
        let listed = Person::ALL
            .into_iter()
            .filter(|person| list.contains(person.profile().document().subject().unwrap()));
        assert_eq!(listed.collect::<Vec<_>>(), [Person::Evelyn]);
    }
}
