//! Policies as an issuer and its lawyer write them: a TOML file in, a published policy out, and a
//! published policy back in plain words. Spec §5, §9. An example: `docs/examples/policy.toml`.
//!
//! Amounts in the file are in whole units, as people speak of them; the policy counts smallest
//! units. Every mistake is reported with its line, shown and underlined, and what to write
//! instead. Nothing is guessed: an unknown key, a country named twice or a limit of zero is an
//! error, never a default.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::ops::Range;

use placet_protocol::credential::{CATEGORIES, Categories, Jurisdiction, nobody};
use placet_protocol::field::AttestorId;
use placet_protocol::genesis::{Checkpoint, MAX_AUTHORITIES, name_is_valid};
use placet_protocol::policy::{Rule, TRUSTED_PLACES};
use placet_protocol::transaction::asset::{Isin, MAX_DECIMALS, MAX_LEGEND, MAX_SUPPLY};
use placet_protocol::transaction::policy::{Currency, EndorsementRule, PublishedPolicy};
use serde::Deserialize;
use toml::{Spanned, Value};

use crate::countries::{COUNTRIES, Country};

/// A policy file that was understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyFile {
    /// The `[asset]` table; needed to create an asset, ignored when a policy changes.
    pub asset: Option<AssetTable>,
    /// What is published.
    pub policy: PublishedPolicy,
}

/// What a file says about the asset itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AssetTable {
    /// Its name.
    pub name: String,
    /// Its ISIN, if it has one.
    pub isin: Option<Isin>,
    /// Restrictive legend; empty if there is none.
    pub legend: String,
    /// SHA-256 of the offering document, if it is named.
    pub document_hash: Option<[u8; 32]>,
    /// Decimal places of one unit.
    pub decimals: u8,
    /// In smallest units, 1 to `2^63`.
    pub authorised_supply: u64,
    /// Whether changes in the number of holders are public.
    pub count_holders: bool,
}

/// What of a registered asset decides how its policies are read and described.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AssetTerms {
    /// Decimal places of one unit.
    pub decimals: u8,
    /// Whether changes in the number of holders are public.
    pub count_holders: bool,
}

/// What is wrong in a policy file. The excerpt in [`PolicyFileError`] shows where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Mistake {
    /// Not TOML, an unknown or missing key, or a value of the wrong type.
    #[error("{0}")]
    Toml(String),
    /// The file has no `[asset]` table and none is known.
    #[error(
        "the table [asset] is missing; a new asset needs name, decimals, authorised_supply and count_holders"
    )]
    AssetMissing,
    /// See [`name_is_valid`].
    #[error("a name has 1 to 64 bytes and no control characters")]
    Name,
    /// Wrong form or check digit.
    #[error(
        "this is not an ISIN: two capital letters, nine letters or digits, and a check digit that fits them"
    )]
    Isin,
    /// Above [`MAX_LEGEND`].
    #[error("a legend has at most 4096 bytes; put the rest into the offering document")]
    Legend,
    /// Not 64 hexadecimal digits.
    #[error("a document hash is the SHA-256 of the document, 64 hexadecimal digits")]
    DocumentHash,
    /// Above [`MAX_DECIMALS`].
    #[error("decimals are 0 to 18")]
    Decimals,
    /// No amount, or with more decimals than the asset has.
    #[error(
        "an amount is a whole number, or a text as in \"12.50\" with at most as many decimals as the asset has"
    )]
    Amount,
    /// Zero where nothing would be allowed.
    #[error("zero would allow nothing: leave the line out for no limit, or set allowed = false")]
    ZeroLimit,
    /// Zero or above the bound.
    #[error("the authorised supply is more than zero and at most 2^63 smallest units")]
    Supply,
    /// Does not fit 64 bits.
    #[error("the amount exceeds 2^64 smallest units")]
    TooLarge,
    /// No alias and no id.
    #[error(
        "no attestor is known by this name; write its id (64 hexadecimal digits) or one of your aliases"
    )]
    UnknownAttestor,
    /// Twice in one list.
    #[error("this attestor is named twice in the list")]
    DuplicateAttestor,
    /// Above [`TRUSTED_PLACES`].
    #[error("a policy trusts at most eight attestors of a kind")]
    TooManyAttestors,
    /// Nobody could transfer.
    #[error("name at least one attestor for identity, or nobody can hold the asset")]
    NoIdentityAttestor,
    /// A rule needs a credential that nobody may issue.
    #[error("this needs investor credentials: name at least one attestor under [trust] investor")]
    NoInvestorAttestor,
    /// Outside 0 to 255.
    #[error("a risk class is 0 to 255")]
    Risk,
    /// Set for an asset that does not count.
    #[error(
        "this asset does not count its holders (count_holders = false), so their number cannot be limited"
    )]
    HoldersNotCounted,
    /// Not ISO 4217's form.
    #[error("a currency is three capital letters, as in \"EUR\"")]
    Currency,
    /// No price, or zero.
    #[error("a price is a text as in \"10.00\", above zero, with at most the currency's decimals")]
    Price,
    /// Not whole in minor units per smallest unit.
    #[error(
        "the price of one smallest unit is not a whole number of the currency's minor units: give the asset fewer decimals or round the price"
    )]
    PriceNotWhole,
    /// Outside 0.01% to 100%.
    #[error(
        "a share is a text as in \"10%\" or \"2.5%\", from \"0.01%\" to \"100%\", at most two decimals"
    )]
    Share,
    /// Not in ISO 3166-1 and no subdivision.
    #[error(
        "not a country of ISO 3166-1: write \"FR\", \"FRA\" or 250, a subdivision's number from 1000 to 4095, or \"*\" for all others"
    )]
    UnknownCountry,
    /// Named before.
    #[error("this country already has a rule in line {0}; one country, one rule")]
    DuplicateCountry(usize),
    /// An empty list.
    #[error("name at least one country")]
    NoCountry,
    /// No `[[jurisdiction]]` with `allowed = true`.
    #[error("no [[jurisdiction]] has allowed = true, so nobody could ever acquire the asset")]
    NobodyAllowed,
    /// Not in [`CATEGORIES`].
    #[error("unknown investor category; the categories are: {known}", known = category_names())]
    UnknownCategory,
    /// Twice in one list.
    #[error("this category is named twice in the list")]
    DuplicateCategory,
    /// `any_of = []`.
    #[error(
        "an empty list admits nobody in plain reading: leave the line out to admit every investor"
    )]
    NoCategory,
    /// A condition beside `allowed = false`.
    #[error("this country is barred (allowed = false), so this line has no effect: remove it")]
    BarredWithTerms,
    /// No duration, zero, or above 32 bits of seconds.
    #[error(
        "a duration is a text as in \"90 days\": a whole number above zero of seconds, minutes, hours, days or weeks, at most 49,710 days"
    )]
    Duration,
    /// Months and years.
    #[error("months and years have no fixed length: write days or weeks")]
    CalendarDuration,
    /// Not in [`Checkpoint::ALL`].
    #[error("unknown checkpoint; the checkpoints are: {known}", known = checkpoint_names())]
    UnknownCheckpoint,
    /// Outside 1 to 64.
    #[error("the number of authorities is 1 to 64; leave the line out if none is needed")]
    Endorsers,
    /// An empty `[endorsement]`.
    #[error("name at least one checkpoint under [endorsement], as in: identity = 3")]
    NoEndorsement,
}

/// A mistake with its place, displayed with the line it is in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyFileError {
    /// What is wrong.
    pub mistake: Mistake,
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    excerpt: String,
    underlined: usize,
}

impl PolicyFileError {
    fn new(text: &str, span: &Range<usize>, mistake: Mistake) -> Self {
        let start = floor_boundary(text, span.start);
        let end = floor_boundary(text, span.end).max(start);
        let line_start = text[..start].rfind('\n').map_or(0, |newline| newline + 1);
        let excerpt = text[line_start..].lines().next().unwrap_or_default();
        let line_end = line_start + excerpt.len();
        let column = text[line_start..start].chars().count();
        let underlined = text[start..end.min(line_end).max(start)].chars().count().max(1);
        Self {
            mistake,
            line: line_of(text, start),
            column: column + 1,
            excerpt: excerpt.replace(char::is_control, " "),
            underlined,
        }
    }
}

fn floor_boundary(text: &str, offset: usize) -> usize {
    let mut offset = offset.min(text.len());
    while !text.is_char_boundary(offset) {
        offset -= 1;
    }
    offset
}

fn line_of(text: &str, offset: usize) -> usize {
    text[..floor_boundary(text, offset)].matches('\n').count() + 1
}

impl fmt::Display for PolicyFileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let number = self.line.to_string();
        let margin = " ".repeat(number.len());
        writeln!(f, "line {number}, column {}: {}", self.column, self.mistake)?;
        writeln!(f, "{margin} |")?;
        writeln!(f, "{number} | {}", self.excerpt)?;
        let (indent, marks) = (" ".repeat(self.column - 1), "^".repeat(self.underlined));
        write!(f, "{margin} | {indent}{marks}")
    }
}

impl std::error::Error for PolicyFileError {}

// --- the file as it is written ---

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    asset: Option<AssetText>,
    trust: TrustText,
    limits: LimitsText,
    capital: Option<Spanned<CapitalText>>,
    #[serde(default)]
    jurisdiction: Vec<JurisdictionText>,
    endorsement: Spanned<BTreeMap<Spanned<String>, Spanned<i64>>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AssetText {
    name: Spanned<String>,
    isin: Option<Spanned<String>>,
    legend: Option<Spanned<String>>,
    document_hash: Option<Spanned<String>>,
    decimals: Spanned<i64>,
    authorised_supply: Spanned<Value>,
    count_holders: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TrustText {
    identity: Spanned<Vec<Spanned<String>>>,
    investor: Option<Spanned<Vec<Spanned<String>>>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LimitsText {
    max_risk: Spanned<i64>,
    max_holders: Option<Spanned<i64>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CapitalText {
    unit_price: Spanned<String>,
    currency: Spanned<String>,
    max_share_of_capital: Spanned<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct JurisdictionText {
    countries: Spanned<Vec<Spanned<Value>>>,
    allowed: bool,
    any_of: Option<Spanned<Vec<Spanned<String>>>>,
    lockup: Option<Spanned<String>>,
    max_holding: Option<Spanned<Value>>,
}

// --- reading ---

/// Reads a policy file. `terms` are those of the asset if it is registered already; otherwise the
/// file's own `[asset]` table decides. `attestor` finds an attestor by alias; ids are understood
/// without it.
///
/// # Errors
/// The first mistake, with its place.
pub fn read(
    text: &str,
    terms: Option<AssetTerms>,
    attestor: &dyn Fn(&str) -> Option<AttestorId>,
) -> Result<PolicyFile, PolicyFileError> {
    Reader { text, attestor }.file(terms)
}

/// What is wrong, and where in the text.
type At<T> = Result<T, (Range<usize>, Mistake)>;

fn at<T, S>(spanned: &Spanned<S>, value: Option<T>, mistake: Mistake) -> At<T> {
    value.ok_or_else(|| (spanned.span(), mistake))
}

struct Reader<'a> {
    text: &'a str,
    attestor: &'a dyn Fn(&str) -> Option<AttestorId>,
}

impl Reader<'_> {
    fn file(&self, terms: Option<AssetTerms>) -> Result<PolicyFile, PolicyFileError> {
        let document: Document = toml::from_str(self.text).map_err(|error| {
            let span = error.span().unwrap_or(self.text.len()..self.text.len());
            PolicyFileError::new(self.text, &span, Mistake::Toml(error.message().to_owned()))
        })?;
        self.convert(&document, terms)
            .map_err(|(span, mistake)| PolicyFileError::new(self.text, &span, mistake))
    }

    fn convert(&self, document: &Document, terms: Option<AssetTerms>) -> At<PolicyFile> {
        let asset = document.asset.as_ref().map(asset_table).transpose()?;
        let terms = terms
            .or_else(|| {
                let asset = asset.as_ref()?;
                let AssetTable { decimals, count_holders, .. } = *asset;
                Some(AssetTerms { decimals, count_holders })
            })
            .ok_or((0..0, Mistake::AssetMissing))?;

        let trust = &document.trust;
        let identity_attestors = self.attestors(trust.identity.get_ref())?;
        if identity_attestors.is_empty() {
            return Err((trust.identity.span(), Mistake::NoIdentityAttestor));
        }
        let investor_attestors =
            trust.investor.as_ref().map_or(Ok(vec![]), |list| self.attestors(list.get_ref()))?;
        let needs_investor = |span: Range<usize>| match investor_attestors.is_empty() {
            true => Err((span, Mistake::NoInvestorAttestor)),
            false => Ok(()),
        };

        let limits = &document.limits;
        let max_risk = u8::try_from(*limits.max_risk.get_ref()).ok();
        let max_risk = at(&limits.max_risk, max_risk, Mistake::Risk)?;
        let max_holders = limits.max_holders.as_ref().map(|n| max_holders(n, terms)).transpose()?;

        let capital = match &document.capital {
            None => None,
            Some(table) => {
                needs_investor(table.span())?;
                Some(capital(table.get_ref(), terms)?)
            }
        };
        for rule in document.jurisdiction.iter().filter_map(|rule| rule.any_of.as_ref()) {
            needs_investor(rule.span())?;
        }
        let currency = capital.map(|(currency, _, _)| currency);
        let (unit_price, capital_bps) = capital.map_or((0, 0), |(_, price, share)| (price, share));
        Ok(PolicyFile {
            asset,
            policy: PublishedPolicy {
                identity_attestors,
                investor_attestors,
                rules: self.rules(&document.jurisdiction, terms)?,
                max_risk,
                unit_price,
                capital_bps,
                capital_rule: capital.is_some(),
                currency,
                max_holders,
                endorsement: endorsement(&document.endorsement)?,
            },
        })
    }

    fn attestors(&self, list: &[Spanned<String>]) -> At<Vec<AttestorId>> {
        let mut ids = Vec::new();
        for name in list {
            let id = (self.attestor)(name.get_ref()).or_else(|| name.get_ref().parse().ok());
            let id = id.filter(|id| *id != nobody());
            let id = at(name, id, Mistake::UnknownAttestor)?;
            if ids.contains(&id) {
                return Err((name.span(), Mistake::DuplicateAttestor));
            }
            if ids.len() == TRUSTED_PLACES {
                return Err((name.span(), Mistake::TooManyAttestors));
            }
            ids.push(id);
        }
        Ok(ids)
    }

    /// Barred jurisdictions are left out, which means the same; they only take part in the search
    /// for duplicates and keep `"*"` from including them.
    fn rules(
        &self,
        tables: &[JurisdictionText],
        terms: AssetTerms,
    ) -> At<BTreeMap<Jurisdiction, Rule>> {
        let mut named: BTreeMap<Jurisdiction, (Option<Rule>, usize)> = BTreeMap::new();
        let mut others: Option<(Option<Rule>, usize)> = None;
        for table in tables {
            let rule = rule(table, terms)?;
            if table.countries.get_ref().is_empty() {
                return Err((table.countries.span(), Mistake::NoCountry));
            }
            for entry in table.countries.get_ref() {
                let line = line_of(self.text, entry.span().start);
                let earlier = if entry.get_ref().as_str() == Some("*") {
                    others.replace((rule, line))
                } else {
                    let found = jurisdiction(entry.get_ref());
                    named.insert(at(entry, found, Mistake::UnknownCountry)?, (rule, line))
                };
                if let Some((_, line)) = earlier {
                    return Err((entry.span(), Mistake::DuplicateCountry(line)));
                }
            }
        }
        if let Some(others) = others {
            for country in &COUNTRIES {
                named.entry(country.jurisdiction()).or_insert(others);
            }
        }
        let rules: BTreeMap<_, _> =
            named.into_iter().filter_map(|(code, (rule, _))| Some((code, rule?))).collect();
        if rules.is_empty() {
            let end = self.text.trim_end().len();
            return Err((end..end, Mistake::NobodyAllowed));
        }
        Ok(rules)
    }
}

fn asset_table(table: &AssetText) -> At<AssetTable> {
    let name = Some(table.name.get_ref().clone()).filter(|name| name_is_valid(name));
    let isin = table.isin.as_ref().map(|isin| at(isin, isin.get_ref().parse().ok(), Mistake::Isin));
    let legend = table.legend.as_ref().map(|legend| {
        let short = Some(legend.get_ref().clone()).filter(|text| text.len() <= MAX_LEGEND);
        at(legend, short, Mistake::Legend)
    });
    let document_hash = table.document_hash.as_ref().map(|hash| {
        let bytes = hex::decode(hash.get_ref()).ok().and_then(|bytes| bytes.try_into().ok());
        at(hash, bytes, Mistake::DocumentHash)
    });
    let decimals = u8::try_from(*table.decimals.get_ref()).ok().filter(|n| *n <= MAX_DECIMALS);
    let decimals = at(&table.decimals, decimals, Mistake::Decimals)?;
    let authorised_supply = amount(&table.authorised_supply, decimals)?;
    if !(1..=MAX_SUPPLY).contains(&authorised_supply) {
        return Err((table.authorised_supply.span(), Mistake::Supply));
    }
    Ok(AssetTable {
        name: at(&table.name, name, Mistake::Name)?,
        isin: isin.transpose()?,
        legend: legend.transpose()?.unwrap_or_default(),
        document_hash: document_hash.transpose()?,
        decimals,
        authorised_supply,
        count_holders: table.count_holders,
    })
}

fn max_holders(number: &Spanned<i64>, terms: AssetTerms) -> At<u64> {
    if !terms.count_holders {
        return Err((number.span(), Mistake::HoldersNotCounted));
    }
    let limit = u64::try_from(*number.get_ref()).ok().filter(|limit| *limit > 0);
    at(number, limit, Mistake::ZeroLimit)
}

/// Unit price in minor units per smallest unit, and the share in basis points.
/// Currency, price of one smallest unit in its minor units, share in basis points.
fn capital(table: &CapitalText, terms: AssetTerms) -> At<(Currency, u64, u32)> {
    let code = table.currency.get_ref();
    let currency = at(&table.currency, code.parse().ok(), Mistake::Currency)?;

    let price = decimal(table.unit_price.get_ref(), minor_digits(code)).filter(|price| *price > 0);
    let price = at(&table.unit_price, price, Mistake::Price)?;
    let smallest = 10u128.pow(u32::from(terms.decimals));
    if !price.is_multiple_of(smallest) {
        return Err((table.unit_price.span(), Mistake::PriceNotWhole));
    }
    let price = at(&table.unit_price, u64::try_from(price / smallest).ok(), Mistake::TooLarge)?;

    let share = table.max_share_of_capital.get_ref().strip_suffix('%');
    let share = share.and_then(|number| decimal(number.trim_end(), 2));
    let share = share.and_then(|bps| u32::try_from(bps).ok()).filter(|n| (1..=10_000).contains(n));
    Ok((currency, price, at(&table.max_share_of_capital, share, Mistake::Share)?))
}

/// `None` for a barred country.
fn rule(table: &JurisdictionText, terms: AssetTerms) -> At<Option<Rule>> {
    let JurisdictionText { any_of, lockup, max_holding, .. } = table;
    if !table.allowed {
        let spans = [
            any_of.as_ref().map(Spanned::span),
            lockup.as_ref().map(Spanned::span),
            max_holding.as_ref().map(Spanned::span),
        ];
        return match spans.into_iter().flatten().next() {
            Some(span) => Err((span, Mistake::BarredWithTerms)),
            None => Ok(None),
        };
    }
    let max_holding = match max_holding {
        None => u64::MAX,
        Some(limit) => {
            let units = amount(limit, terms.decimals)?;
            at(limit, Some(units).filter(|units| *units > 0), Mistake::ZeroLimit)?
        }
    };
    Ok(Some(Rule {
        allowed: true,
        any_of: any_of.as_ref().map_or(Ok(Categories(0)), categories)?,
        lockup: lockup.as_ref().map_or(Ok(0), duration)?,
        max_holding,
    }))
}

fn categories(list: &Spanned<Vec<Spanned<String>>>) -> At<Categories> {
    let mut set = Categories(0);
    for name in list.get_ref() {
        let one = Categories::from_names([name.get_ref().as_str()]).ok();
        let one = at(name, one, Mistake::UnknownCategory)?;
        if set.0 & one.0 != 0 {
            return Err((name.span(), Mistake::DuplicateCategory));
        }
        set.0 |= one.0;
    }
    at(list, Some(set).filter(|set| set.0 != 0), Mistake::NoCategory)
}

fn endorsement(table: &Spanned<BTreeMap<Spanned<String>, Spanned<i64>>>) -> At<EndorsementRule> {
    let mut required = BTreeMap::new();
    for (name, number) in table.get_ref() {
        let checkpoint = at(name, name.get_ref().parse().ok(), Mistake::UnknownCheckpoint)?;
        let most = u8::try_from(MAX_AUTHORITIES).unwrap_or(u8::MAX);
        let count = u8::try_from(*number.get_ref()).ok().filter(|n| (1..=most).contains(n));
        required.insert(checkpoint, at(number, count, Mistake::Endorsers)?);
    }
    let named = !required.is_empty();
    at(table, EndorsementRule::new(required).filter(|_| named), Mistake::NoEndorsement)
}

fn jurisdiction(value: &Value) -> Option<Jurisdiction> {
    match value {
        Value::String(code) => Country::by_code(code).map(Country::jurisdiction),
        Value::Integer(number) => {
            let number = u16::try_from(*number).ok()?;
            match Country::by_numeric(number) {
                Some(country) => Some(country.jurisdiction()),
                None => Jurisdiction::new(number).filter(|_| number >= 1000),
            }
        }
        _ => None,
    }
}

/// Smallest units of an amount in units.
fn amount(value: &Spanned<Value>, decimals: u8) -> At<u64> {
    let smallest = match value.get_ref() {
        Value::Integer(units) => u128::try_from(*units)
            .ok()
            .and_then(|units| units.checked_mul(10u128.pow(u32::from(decimals)))),
        Value::String(text) => decimal(text, u32::from(decimals)),
        _ => None,
    };
    let smallest = at(value, smallest, Mistake::Amount)?;
    at(value, u64::try_from(smallest).ok(), Mistake::TooLarge)
}

/// `"12.5"` with two digits is 1250. Underscores may separate digits as in TOML's own numbers.
fn decimal(text: &str, digits: u32) -> Option<u128> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let grouped = |part: &str| {
        part.split('_').all(|group| !group.is_empty() && group.bytes().all(|b| b.is_ascii_digit()))
    };
    let has_point = text.contains('.');
    if !grouped(whole) || has_point && !grouped(fraction) {
        return None;
    }
    let fraction = fraction.replace('_', "");
    let missing = digits.checked_sub(u32::try_from(fraction.len()).ok()?)?;
    let number: u128 = format!("{}{fraction}", whole.replace('_', "")).parse().ok()?;
    number.checked_mul(10u128.pow(missing))
}

const DURATIONS: [(&str, u32); 5] =
    [("week", 604_800), ("day", 86_400), ("hour", 3_600), ("minute", 60), ("second", 1)];

fn duration(text: &Spanned<String>) -> At<u32> {
    let mut words = text.get_ref().split_whitespace();
    let (number, unit) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let unit = unit.strip_suffix('s').unwrap_or(unit);
    if ["month", "year"].contains(&unit) {
        return Err((text.span(), Mistake::CalendarDuration));
    }
    let seconds = DURATIONS.iter().find(|(name, _)| *name == unit).and_then(|(_, seconds)| {
        u32::try_from(decimal(number, 0)?).ok()?.checked_mul(*seconds).filter(|n| *n > 0)
    });
    at(text, seconds.filter(|_| words.next().is_none()), Mistake::Duration)
}

/// Decimals of a currency, ISO 4217: two but for these.
pub fn minor_digits(currency: &str) -> u32 {
    match currency {
        "BIF" | "CLP" | "DJF" | "GNF" | "ISK" | "JPY" | "KMF" | "KRW" | "PYG" | "RWF" | "UGX"
        | "VND" | "VUV" | "XAF" | "XOF" | "XPF" => 0,
        "BHD" | "IQD" | "JOD" | "KWD" | "LYD" | "OMR" | "TND" => 3,
        _ => 2,
    }
}

fn category_names() -> String {
    CATEGORIES.map(|(name, _)| name).join(", ")
}

fn checkpoint_names() -> String {
    Checkpoint::ALL.map(Checkpoint::name).join(", ")
}

// --- writing back ---

/// A policy in plain words, one statement a line. `alias` names attestors where it can.
pub fn describe(
    policy: &PublishedPolicy,
    terms: AssetTerms,
    alias: &dyn Fn(AttestorId) -> Option<String>,
) -> String {
    let mut lines = Vec::new();
    let names = |ids: &[AttestorId]| {
        let names = ids.iter().map(|id| alias(*id).unwrap_or_else(|| id.to_string()));
        list(&names.collect::<Vec<_>>(), "or")
    };
    lines.push(match policy.identity_attestors.as_slice() {
        [] => "Nobody is trusted for identity, so nothing can move.".to_owned(),
        ids => format!("Every holder is identified by {}.", names(ids)),
    });
    if !policy.investor_attestors.is_empty() {
        lines
            .push(format!("Investor status is attested by {}.", names(&policy.investor_attestors)));
    }
    lines.push(format!("No holder's risk class is above {}.", policy.max_risk));
    if let Some(most) = policy.max_holders {
        lines.push(format!("There are at most {} holders at a time.", grouped(most)));
    }
    if let Some(currency) = policy.currency.filter(|_| policy.capital_rule) {
        lines.push(format!(
            "A holding may be worth at most {}% of the acquirer's attested capital, at {} minor \
             units of {currency} for one smallest unit.",
            point(u64::from(policy.capital_bps), 2),
            grouped(policy.unit_price),
        ));
    }
    lines.push("Who may acquire, by residence:".to_owned());
    for (rule, jurisdictions) in by_rule(&policy.rules) {
        lines.push(format!("  {}: {}.", residents(&jurisdictions), conditions(rule, terms)));
    }
    let everywhere =
        COUNTRIES.iter().all(|country| policy.rules.contains_key(&country.jurisdiction()));
    if !everywhere {
        lines.push("  Everyone else is barred.".to_owned());
    }
    let endorsed: Vec<_> = policy
        .endorsement
        .iter()
        .map(|(checkpoint, n)| match n {
            1 => format!("1 authority for {checkpoint}"),
            n => format!("{n} authorities for {checkpoint}"),
        })
        .collect();
    lines.push(match endorsed.is_empty() {
        true => "No authority's approval is needed.".to_owned(),
        false => format!("A transfer needs the approval of {}.", list(&endorsed, "and")),
    });
    lines.join("\n") + "\n"
}

/// Jurisdictions with the same rule together, in order of the first of each.
fn by_rule(rules: &BTreeMap<Jurisdiction, Rule>) -> Vec<(Rule, Vec<Jurisdiction>)> {
    let mut groups: Vec<(Rule, Vec<Jurisdiction>)> = Vec::new();
    for (jurisdiction, rule) in rules {
        match groups.iter_mut().find(|(known, _)| known == rule) {
            Some((_, members)) => members.push(*jurisdiction),
            None => groups.push((*rule, vec![*jurisdiction])),
        }
    }
    groups
}

/// Countries by name; long lists by the countries left out.
fn residents(jurisdictions: &[Jurisdiction]) -> String {
    let name = |jurisdiction: &Jurisdiction| match Country::by_numeric(jurisdiction.code()) {
        Some(country) => country.name.to_owned(),
        None => format!("subdivision {}", jurisdiction.code()),
    };
    let members: BTreeSet<_> = jurisdictions.iter().copied().collect();
    let absent: Vec<_> = COUNTRIES
        .iter()
        .map(Country::jurisdiction)
        .filter(|jurisdiction| !members.contains(jurisdiction))
        .collect();
    if members.len() <= COUNTRIES.len() / 2 {
        return list(&jurisdictions.iter().map(name).collect::<Vec<_>>(), "and");
    }
    let subdivisions: Vec<_> = members.iter().filter(|j| j.code() >= 1000).map(name).collect();
    let mut text = "all countries".to_owned();
    if !absent.is_empty() {
        text += &format!(" but {}", list(&absent.iter().map(name).collect::<Vec<_>>(), "and"));
    }
    if !subdivisions.is_empty() {
        text += &format!(", with {}", list(&subdivisions, "and"));
    }
    text
}

fn conditions(rule: Rule, terms: AssetTerms) -> String {
    if !rule.allowed {
        return "barred".to_owned();
    }
    let mut parts = Vec::new();
    parts.push(match rule.any_of.0 {
        0 => "every investor".to_owned(),
        _ => {
            let known = rule.any_of.names();
            let mut names: Vec<_> = known.iter().map(|name| (*name).to_owned()).collect();
            let bits: u16 = CATEGORIES.iter().map(|(_, bit)| 1u16 << bit).sum();
            let unknown = (0..16).filter(|bit| rule.any_of.0 & !bits & 1 << bit != 0);
            names.extend(unknown.map(|bit| format!("category {bit}")));
            format!("investors who are {}", list(&names, "or"))
        }
    });
    parts.push(match rule.max_holding {
        u64::MAX => "any number of units".to_owned(),
        units => format!("at most {} units", point(units, u32::from(terms.decimals))),
    });
    if rule.lockup > 0 {
        parts.push(format!("locked for {} after acquisition", span_of_time(rule.lockup)));
    }
    parts.join(", ")
}

/// The largest unit that divides it.
fn span_of_time(seconds: u32) -> String {
    // Weeks are not used: lock-ups are spoken of in days.
    let (unit, length) = DURATIONS[1..]
        .iter()
        .find(|(_, length)| seconds.is_multiple_of(*length))
        .expect("one second divides everything");
    let count = seconds / length;
    format!("{} {unit}{}", grouped(u64::from(count)), if count == 1 { "" } else { "s" })
}

/// `1250` with two decimals is `12.5`.
fn point(number: u64, decimals: u32) -> String {
    let unit = 10u128.pow(decimals);
    let (whole, rest) = (u128::from(number) / unit, u128::from(number) % unit);
    let whole = grouped(u64::try_from(whole).expect("a quotient of 64 bits"));
    let fraction = format!("{rest:0width$}", width = decimals as usize);
    match fraction.trim_end_matches('0') {
        "" => whole,
        digits => format!("{whole}.{digits}"),
    }
}

/// `1234567` is `1,234,567`.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

fn list(items: &[String], last: &str) -> String {
    match items {
        [] => String::new(),
        [one] => one.clone(),
        [most @ .., end] => format!("{} {last} {end}", most.join(", ")),
    }
}
