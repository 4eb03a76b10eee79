//! Policies as TOML: the example is understood, comes back in plain words, and every mistake is
//! reported at its place.

use std::collections::BTreeMap;

use ark_bn254::Fr;
use placet_protocol::credential::{Jurisdiction, nobody};
use placet_protocol::field::AttestorId;
use placet_protocol::genesis::Checkpoint;
use placet_protocol::policy::Rule;
use placet_protocol::wire::Wire;
use placet_wallet::policy_file::{AssetTerms, Mistake, PolicyFile, describe, read};

const EXAMPLE: &str = include_str!("../../docs/examples/policy.toml");

fn alpha() -> AttestorId {
    AttestorId::new(Fr::from(11u8))
}
fn beta() -> AttestorId {
    AttestorId::new(Fr::from(22u8))
}
fn attestor(alias: &str) -> Option<AttestorId> {
    match alias {
        "Alpha KYC" => Some(alpha()),
        "Beta Identity" => Some(beta()),
        _ => None,
    }
}
fn alias(id: AttestorId) -> Option<String> {
    (id == alpha()).then(|| "Alpha KYC".to_owned())
}
fn parse(text: &str) -> PolicyFile {
    read(text, None, &attestor).unwrap_or_else(|error| panic!("{error}"))
}
fn rule_of(file: &PolicyFile, code: u16) -> Option<Rule> {
    file.policy.rules.get(&Jurisdiction::new(code).unwrap()).copied()
}

/// The example with one passage replaced.
fn with(passage: &str, replacement: &str) -> String {
    assert_eq!(EXAMPLE.matches(passage).count(), 1, "{passage:?} stands once in the example");
    EXAMPLE.replace(passage, replacement)
}

/// The mistake in a text, and the passage it underlines.
fn mistake_in(text: &str) -> (Mistake, String) {
    let error = read(text, None, &attestor).expect_err("a mistake was made");
    let shown = error.to_string();
    let lines: Vec<&str> = shown.lines().collect();
    let [.., source, marks] = lines.as_slice() else { panic!("{shown}") };
    assert_eq!(
        source.split_once(" | ").unwrap().1,
        text.lines().nth(error.line - 1).unwrap_or_default(),
        "the line is shown"
    );
    let start = marks.find('^').unwrap();
    let underlined = source.chars().skip(start).take(marks.len() - start).collect();
    (error.mistake, underlined)
}

#[test]
fn the_example_is_understood() {
    let file = parse(EXAMPLE);
    let asset = file.asset.as_ref().unwrap();
    assert_eq!(asset.name, "Example Growth Fund, Class A");
    assert_eq!((asset.decimals, asset.authorised_supply), (0, 1_000_000));
    assert!(asset.count_holders && asset.isin.is_none());
    let policy = &file.policy;
    assert_eq!(policy.identity_attestors, [alpha(), beta()]);
    assert_eq!(policy.investor_attestors, [beta()]);
    assert_eq!((policy.max_risk, policy.max_holders), (3, Some(2_000)));
    assert!(policy.capital_rule);
    assert_eq!((policy.unit_price, policy.capital_bps), (1_000, 1_000));
    assert_eq!(file.policy.currency, Some("EUR".parse().unwrap()));
    let codes: Vec<u16> = policy.rules.keys().map(|code| code.code()).collect();
    assert_eq!(codes, [250, 276, 442, 840], "barred countries are left out");
    let france = rule_of(&file, 250).unwrap();
    assert!(france.allowed);
    assert_eq!(france.any_of.names(), ["eu-professional", "eu-qualified-investor"]);
    assert_eq!((france.lockup, france.max_holding), (0, 50_000));
    assert_eq!(rule_of(&file, 840).unwrap().lockup, 90 * 86_400);
    let endorsed: BTreeMap<_, _> = policy.endorsement.iter().collect();
    assert_eq!(endorsed[&Checkpoint::Sanctions], 3);
    assert_eq!(endorsed.len(), 3);
}

#[test]
fn what_is_understood_can_be_published() {
    let policy = parse(EXAMPLE).policy;
    assert!(policy.is_sound());
    let bytes = policy.to_wire();
    assert_eq!(Wire::from_wire(&bytes).as_ref(), Ok(&policy));
}

#[test]
fn the_example_comes_back_in_plain_words() {
    let terms = AssetTerms { decimals: 0, count_holders: true };
    let text = describe(&parse(EXAMPLE).policy, terms, &alias);
    let beta = beta();
    let expected = format!(
        "Every holder is identified by Alpha KYC or {beta}.
Investor status is attested by {beta}.
No holder's risk class is above 3.
There are at most 2,000 holders at a time.
A holding may be worth at most 10% of the acquirer's attested capital, at 1,000 minor units of EUR for one smallest unit.
Who may acquire, by residence:
  France, Germany and Luxembourg: investors who are eu-professional or eu-qualified-investor, at most 50,000 units.
  United States: investors who are us-accredited-501a or us-qualified-purchaser, at most 20,000 units, locked for 90 days after acquisition.
  Everyone else is barred.
A transfer needs the approval of 3 authorities for identity, 3 authorities for sanctions and 2 authorities for jurisdiction.
"
    );
    assert_eq!(text, expected);
}

#[test]
fn all_others_and_subdivisions_have_rules() {
    let text = with("countries = [\"US\"]", "countries = [\"*\", 1001]");
    let file = parse(&text);
    assert_eq!(rule_of(&file, 756), rule_of(&file, 1001));
    assert_eq!(rule_of(&file, 408), None, "a country barred by name is no other");
    assert_ne!(rule_of(&file, 250), rule_of(&file, 756), "nor is one with its own rule");
    let words = describe(&file.policy, AssetTerms { decimals: 0, count_holders: true }, &|_| None);
    let line = "  all countries but France, Germany, Iran, Korea (Democratic People's Republic) \
                and Luxembourg, with subdivision 1001: ";
    assert!(words.contains(line), "{words}");
}

#[test]
fn countries_are_written_in_three_ways() {
    let text = with("[\"FR\", \"DE\", \"LU\"]", "[\"fra\", 276, \"442\"]");
    assert_eq!(parse(&text).policy, parse(EXAMPLE).policy);
}

#[test]
fn amounts_are_whole_units_and_prices_are_per_unit() {
    let text = with("decimals = 0 ", "decimals = 2 ")
        .replace("max_holding = 50_000", "max_holding = \"50_000.25\"")
        .replace("\"10.00\"", "\"10\"");
    let file = parse(&text);
    assert_eq!(file.asset.as_ref().unwrap().authorised_supply, 100_000_000);
    assert_eq!(rule_of(&file, 250).unwrap().max_holding, 5_000_025);
    assert_eq!(file.policy.unit_price, 10, "one smallest unit costs ten cents");
    let terms = AssetTerms { decimals: 2, count_holders: true };
    assert!(describe(&file.policy, terms, &alias).contains("at most 50,000.25 units"));
    let yen = with("\"10.00\"", "\"10\"").replace("EUR", "JPY");
    assert_eq!(parse(&yen).policy.unit_price, 10);
}

#[test]
fn the_highest_supply_is_two_to_the_63() {
    for supply in ["9223372036854775807", "\"9223372036854775808\""] {
        assert!(parse(&with("1_000_000", supply)).asset.unwrap().authorised_supply >> 62 != 0);
    }
}

#[test]
fn terms_of_a_registered_asset_replace_the_asset_table() {
    let start = EXAMPLE.find("[trust]").unwrap();
    let text = &EXAMPLE[start..];
    let terms = |count_holders| Some(AssetTerms { decimals: 1, count_holders });
    let file = read(text, terms(true), &attestor).unwrap();
    assert_eq!(file.asset, None);
    assert_eq!(rule_of(&file, 250).unwrap().max_holding, 500_000);
    let error = read(text, terms(false), &attestor).unwrap_err();
    assert_eq!(error.mistake, Mistake::HoldersNotCounted);
    assert_eq!(read(text, None, &attestor).unwrap_err().mistake, Mistake::AssetMissing);
}

#[test]
fn rules_without_conditions_admit_everyone_without_limit() {
    let text = with("any_of = [\"eu-professional\", \"eu-qualified-investor\"]\n", "")
        .replace("max_holding = 50_000\n", "");
    let rule = rule_of(&parse(&text), 250).unwrap();
    assert_eq!((rule.any_of.0, rule.lockup, rule.max_holding), (0, 0, u64::MAX));
    let terms = AssetTerms { decimals: 0, count_holders: true };
    let words = describe(&parse(&text).policy, terms, &alias);
    assert!(words.contains("Luxembourg: every investor, any number of units.\n"), "{words}");
}

#[test]
fn durations_are_exact() {
    for (text, seconds) in
        [("1 second", 1), ("2 minutes", 120), ("36 hours", 129_600), ("1 week", 604_800)]
    {
        let file = parse(&with("90 days", text));
        assert_eq!(rule_of(&file, 840).unwrap().lockup, seconds);
    }
}

#[test]
fn every_mistake_is_shown_at_its_place() {
    use Mistake as M;
    let long = format!("legend = \"{}\"", "x".repeat(4097));
    let isin = "decimals = 0\nisin = \"US0378331006\"";
    let twice = format!("[\"Alpha KYC\", \"{}\"]", alpha());
    let unused = nobody().to_string();
    let unused_list = format!("[\"{unused}\", \"Beta Identity\"]");
    let nine: Vec<String> =
        (1..10u8).map(|i| format!("\"{}\"", AttestorId::new(Fr::from(i)))).collect();
    let (nine_list, ninth) = (format!("[{}]", nine.join(", ")), nine[8].clone());
    let identity = "[\"Alpha KYC\", \"Beta Identity\"]";
    let investor = "investor = [\"Beta Identity\"]";
    let eu = "[\"eu-professional\", \"eu-qualified-investor\"]";
    let cases: Vec<(String, Mistake, &str)> = vec![
        (with("\"Example Growth Fund, Class A\"", "\" \""), M::Name, "\" \""),
        (with("decimals = 0 ", isin), M::Isin, "\"US0378331006\""),
        (with("decimals = 0 ", "decimals = 19"), M::Decimals, "19"),
        (with("1_000_000", "0"), M::Supply, "0"),
        (with("1_000_000", "\"9223372036854775809\""), M::Supply, "\"9223372036854775809\""),
        (with("1_000_000", "-5"), M::Amount, "-5"),
        (with("1_000_000", "1.5"), M::Amount, "1.5"),
        (with("1_000_000", "\"1.5\""), M::Amount, "\"1.5\""),
        (with("1_000_000", "\"1__0\""), M::Amount, "\"1__0\""),
        (with(identity, "[\"Gamma\"]"), M::UnknownAttestor, "\"Gamma\""),
        (with(identity, &unused_list), M::UnknownAttestor, "\""),
        (with(identity, &twice), M::DuplicateAttestor, "\""),
        (with(identity, &nine_list), M::TooManyAttestors, &ninth),
        (with(identity, "[]"), M::NoIdentityAttestor, "[]"),
        (with(investor, ""), M::NoInvestorAttestor, "[capital]"),
        (with("max_risk = 3", "max_risk = 256"), M::Risk, "256"),
        (with("max_risk = 3", "max_risk = -1"), M::Risk, "-1"),
        (with("2_000", "0"), M::ZeroLimit, "0"),
        (with("count_holders = true", "count_holders = false"), M::HoldersNotCounted, "2_000"),
        (with("\"EUR\"", "\"Euro\""), M::Currency, "\"Euro\""),
        (with("\"10.00\"", "\"10,00\""), M::Price, "\"10,00\""),
        (with("\"10.00\"", "\"0.00\""), M::Price, "\"0.00\""),
        (with("\"10.00\"", "\"10.001\""), M::Price, "\"10.001\""),
        (with("decimals = 0 ", "decimals = 4 "), M::PriceNotWhole, "\"10.00\""),
        (with("\"10%\"", "\"10\""), M::Share, "\"10\""),
        (with("\"10%\"", "\"100.01%\""), M::Share, "\"100.01%\""),
        (with("\"10%\"", "\"0%\""), M::Share, "\"0%\""),
        (with("\"10%\"", "\"1.005%\""), M::Share, "\"1.005%\""),
        (with("\"LU\"", "\"XX\""), M::UnknownCountry, "\"XX\""),
        (with("\"LU\"", "999"), M::UnknownCountry, "999"),
        (with("\"LU\"", "4096"), M::UnknownCountry, "4096"),
        (with("[\"US\"]", "[\"USA\", 276]"), M::DuplicateCountry(25), "276"),
        (with("[\"US\"]", "[\"*\", \"*\"]"), M::DuplicateCountry(31), "\"*\""),
        (with("[\"US\"]", "[]"), M::NoCountry, "[]"),
        (with("eu-professional", "eu-pro"), M::UnknownCategory, "\"eu-pro\""),
        (
            with("eu-professional", "eu-qualified-investor"),
            M::DuplicateCategory,
            "\"eu-qualified-investor\"",
        ),
        (with(eu, "[]"), M::NoCategory, "[]"),
        (with("max_holding = 20_000", "max_holding = 0"), M::ZeroLimit, "0"),
        (
            with("max_holding = 20_000", "max_holding = \"99999999999999999999\""),
            M::TooLarge,
            "\"99999999999999999999\"",
        ),
        (with("\"90 days\"", "\"90\""), M::Duration, "\"90\""),
        (with("\"90 days\"", "\"0 days\""), M::Duration, "\"0 days\""),
        (with("\"90 days\"", "\"50000 days\""), M::Duration, "\"50000 days\""),
        (with("\"90 days\"", "\"90 days or so\""), M::Duration, "\"90 days or so\""),
        (with("\"90 days\"", "\"3 months\""), M::CalendarDuration, "\"3 months\""),
        (
            with("allowed = false", "allowed = false\nlockup = \"1 day\""),
            M::BarredWithTerms,
            "\"1 day\"",
        ),
        (
            EXAMPLE
                .replace("allowed = true", "allowed = false")
                .replace("any_of", "#")
                .replace("max_holding", "#")
                .replace("lockup", "#"),
            M::NobodyAllowed,
            "",
        ),
        (with("sanctions = 3", "sanction = 3"), M::UnknownCheckpoint, "sanction"),
        (with("sanctions = 3", "sanctions = 0"), M::Endorsers, "0"),
        (with("sanctions = 3", "sanctions = 65"), M::Endorsers, "65"),
        (
            EXAMPLE[..EXAMPLE.find("identity = 3").unwrap()].to_owned(),
            M::NoEndorsement,
            "[endorsement]",
        ),
        (with("legend = ", &format!("{long} # ")), M::Legend, "\"x"),
        (with("decimals = 0 ", "decimals = 0\ndocument_hash = \"12\""), M::DocumentHash, "\"12\""),
    ];
    for (text, mistake, underlined) in cases {
        let (found, shown) = mistake_in(&text);
        assert_eq!(found, mistake);
        assert!(shown.starts_with(underlined), "{mistake:?} underlines {shown:?}");
    }
}

#[test]
fn mistakes_in_the_form_are_shown_at_their_place() {
    for (text, message, underlined) in [
        (with("max_risk = 3", "max_risk = "), "", ""),
        (with("max_risk = 3", "maximum_risk = 3"), "unknown field `maximum_risk`", "maximum_risk"),
        (with("max_risk = 3", ""), "missing field `max_risk`", "[limits]"),
        (with("max_risk = 3", "max_risk = \"3\""), "invalid type: string \"3\"", "\"3\""),
        (with("max_risk = 3", "max_risk = 3\nmax_risk = 4"), "duplicate key", "max_risk"),
        (with("[capital] ", "[kapital] "), "unknown field `kapital`", "kapital"),
        (with("currency = \"EUR\"", ""), "missing field `currency`", "[capital]"),
        (with("countries = [\"US\"]", "countries = \"US\""), "invalid type: string", "\"US\""),
        (String::new(), "missing field `trust`", ""),
    ] {
        let (mistake, shown) = mistake_in(&text);
        let Mistake::Toml(found) = &mistake else { panic!("{mistake:?}") };
        assert!(found.contains(message), "{found:?} for {message:?}");
        assert!(shown.starts_with(underlined), "{message:?} underlines {shown:?}");
    }
}

#[test]
fn an_error_reads_well() {
    let error = read(&with("\"LU\"", "\"UK\""), None, &attestor).unwrap_err();
    assert_eq!(
        error.to_string(),
        r#"line 25, column 26: not a country of ISO 3166-1: write "FR", "FRA" or 250, a subdivision's number from 1000 to 4095, or "*" for all others
   |
25 | countries = ["FR", "DE", "UK"]
   |                          ^^^^"#
    );
}

#[test]
fn arbitrary_text_is_refused_without_panic() {
    // Every prefix of the example, and the example with one character replaced.
    for end in (0..EXAMPLE.len()).filter(|end| EXAMPLE.is_char_boundary(*end)) {
        let _ = read(&EXAMPLE[..end], None, &attestor).map_err(|error| error.to_string());
    }
    for (place, _) in EXAMPLE.char_indices() {
        for insert in ["\"", "]", "é", "\n", "0", "\u{1b}"] {
            let text = format!("{}{insert}{}", &EXAMPLE[..place], &EXAMPLE[place..]);
            if let Err(error) = read(&text, None, &attestor) {
                assert!(error.line >= 1 && !error.to_string().contains('\u{1b}'), "{error}");
            }
        }
    }
}
