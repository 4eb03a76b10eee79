//! The sanctions list from a text file of documents. Spec §2, §4.
//!
//! The format is comma-separated text without quoting: a fixed header, then one document a line.
//! Anything unusual is refused with its line: a line that was skipped would be a sanctioned person
//! who is let through.

use std::collections::BTreeMap;

use placet_protocol::credential::{Document, Jurisdiction};
use placet_protocol::sanctions::SanctionsList;

/// The first line of a list.
pub const HEADER: &str = "country_numeric,country_alpha3,document_type,document_number";

/// Identity documents of the US Treasury's OFAC SDN list, 2021 snapshot; origin in
/// `registry/data/README.md`.
pub const OFAC_SDN_CSV: &str = include_str!("../data/ofac-sdn-documents.csv");

/// Why a list was refused, and in which line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {problem}")]
pub struct SanctionsError {
    /// Counted from 1, the header.
    pub line: usize,
    /// What is wrong there.
    pub problem: Problem,
}

/// What is wrong with a line of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// The header is missing or another.
    #[error("the first line must be `{HEADER}`")]
    Header,
    /// Nothing is listed; publishing that by accident would lift every sanction.
    #[error("no document follows the header; add at least one")]
    Empty,
    /// A line without content.
    #[error("the line is empty; remove it")]
    Blank,
    /// A quotation mark.
    #[error("quotation marks have no meaning in this format; remove them")]
    Quote,
    /// A carriage return.
    #[error("the line ends with a carriage return; save the file with Unix line ends")]
    CarriageReturn,
    /// Not four fields.
    #[error("a line has exactly four fields, separated by commas")]
    Fields,
    /// The numeric country.
    #[error("country_numeric must be three digits between 001 and 999, as in ISO 3166-1")]
    CountryNumeric,
    /// The alphabetic country.
    #[error("country_alpha3 must be three capital letters, as in ISO 3166-1")]
    CountryAlpha3,
    /// Two lines disagree on a country's codes.
    #[error("an earlier line pairs this country with another code; correct one of them")]
    CountryMismatch,
    /// The type of document.
    #[error("document_type must be lower-case letters and hyphens, as in `passport`")]
    Kind,
    /// The number.
    #[error("document_number must be 1 to 255 of A-Z and 0-9; remove spaces and punctuation")]
    Number,
    /// More distinct documents than the tree has gaps for.
    #[error("a list holds at most 262,143 distinct documents; split or shorten it")]
    TooLong,
}

/// One listed document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Issuing country, ISO 3166-1 numeric.
    pub country: Jurisdiction,
    /// The document.
    pub document: Document,
}

/// Parses a list strictly, in file order. A line may repeat an earlier one.
///
/// # Errors
/// The first line that is not as it must be.
pub fn parse(text: &str) -> Result<Vec<Entry>, SanctionsError> {
    let mut lines = (1..).zip(text.strip_suffix('\n').unwrap_or(text).split('\n'));
    let error = |line, problem| SanctionsError { line, problem };
    if lines.next().is_none_or(|(_, header)| header != HEADER) {
        return Err(error(1, Problem::Header));
    }
    let mut countries = Countries::default();
    let mut entries = Vec::new();
    for (line, content) in lines {
        let entry = parse_line(content).map_err(|problem| error(line, problem))?;
        if !countries.agree(&entry) {
            return Err(error(line, Problem::CountryMismatch));
        }
        entries.push(entry);
    }
    if entries.is_empty() { Err(error(1, Problem::Empty)) } else { Ok(entries) }
}

/// Parses a list and builds its tree of gaps.
///
/// # Errors
/// As [`parse`]; [`Problem::TooLong`] at the last line.
pub fn list_from_csv(text: &str) -> Result<SanctionsList, SanctionsError> {
    let mut subjects = Vec::new();
    for (line, entry) in (2..).zip(parse(text)?) {
        let subject = entry.document.subject();
        subjects.push(subject.ok_or(SanctionsError { line, problem: Problem::Number })?);
    }
    let last = subjects.len() + 1;
    SanctionsList::new(subjects)
        .map_err(|_| SanctionsError { line: last, problem: Problem::TooLong })
}

fn parse_line(content: &str) -> Result<Entry, Problem> {
    if content.contains('\r') {
        return Err(Problem::CarriageReturn);
    }
    if content.is_empty() {
        return Err(Problem::Blank);
    }
    if content.contains(['"', '\'']) {
        return Err(Problem::Quote);
    }
    let mut fields = content.split(',');
    let (Some(numeric), Some(alpha3), Some(kind), Some(number), None) =
        (fields.next(), fields.next(), fields.next(), fields.next(), fields.next())
    else {
        return Err(Problem::Fields);
    };

    let digits = numeric.len() == 3 && numeric.bytes().all(|b| b.is_ascii_digit());
    let country = numeric.parse().ok().filter(|code| digits && *code != 0);
    let country = country.and_then(Jurisdiction::new).ok_or(Problem::CountryNumeric)?;
    if alpha3.len() != 3 || !alpha3.bytes().all(|b| b.is_ascii_uppercase()) {
        return Err(Problem::CountryAlpha3);
    }
    let word = |b: u8| b.is_ascii_lowercase() || b == b'-';
    if !(1..=255).contains(&kind.len()) || !kind.bytes().all(word) {
        return Err(Problem::Kind);
    }
    let sign = |b: u8| b.is_ascii_uppercase() || b.is_ascii_digit();
    if !(1..=255).contains(&number.len()) || !number.bytes().all(sign) {
        return Err(Problem::Number);
    }
    let document = Document { country: alpha3.into(), kind: kind.into(), number: number.into() };
    Ok(Entry { country, document })
}

/// The pairs of country codes seen so far; each code has one partner.
#[derive(Default)]
struct Countries {
    alpha3: BTreeMap<Jurisdiction, String>,
    numeric: BTreeMap<String, Jurisdiction>,
}

impl Countries {
    fn agree(&mut self, entry: &Entry) -> bool {
        let name = &entry.document.country;
        let alpha3 = self.alpha3.entry(entry.country).or_insert_with(|| name.clone());
        let numeric = self.numeric.entry(name.clone()).or_insert(entry.country);
        alpha3 == name && *numeric == entry.country
    }
}
