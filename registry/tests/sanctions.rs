//! The real list and its gaps, and what is refused in a list. Spec §2, §7 NotSanctioned.

use ark_bn254::Fr;
use placet_protocol::credential::Document;
use placet_protocol::field::{Subject, fits};
use placet_protocol::sanctions::{Gap, SUBJECT_BITS};
use placet_registry::sanctions::{HEADER, OFAC_SDN_CSV, Problem, list_from_csv, parse};

/// The clause as the statement has it: both differences fit 248 bits.
fn strictly_contains(gap: &Gap, subject: Subject) -> bool {
    let one = Fr::from(1u8);
    fits(&(subject.get() - gap.lo - one), SUBJECT_BITS)
        && fits(&(gap.hi - subject.get() - one), SUBJECT_BITS)
}

#[test]
fn every_document_on_the_real_list_is_refused_by_its_gap() {
    let entries = parse(OFAC_SDN_CSV).unwrap();
    assert_eq!(entries.len(), 3626);
    let list = list_from_csv(OFAC_SDN_CSV).unwrap();
    assert_eq!(list.len(), 3626, "the list has no duplicates");
    let root = list.root().get();
    for entry in &entries {
        let subject = entry.document.subject().unwrap();
        assert!(list.contains(subject));
        let (gap, path) = list.witness(subject);
        assert_eq!(path.root(gap.leaf()), root);
        assert!(!strictly_contains(&gap, subject));
        // Nor does the gap that ends there.
        let below = Subject::new(subject.get() - Fr::from(1u8));
        let (gap, _) = list.witness(below);
        assert_eq!(gap.hi, subject.get());
        assert!(!strictly_contains(&gap, subject));
    }
}

#[test]
fn the_gaps_join_without_a_hole_from_sentinel_to_sentinel() {
    let list = list_from_csv(OFAC_SDN_CSV).unwrap();
    let mut lo = Fr::from(0u8);
    for subject in list.subjects() {
        let (gap, _) = list.witness(Subject::new(lo));
        assert_eq!((gap.lo, gap.hi), (lo, subject.get()));
        assert!(gap.lo < gap.hi);
        lo = subject.get();
    }
    let (last, _) = list.witness(Subject::new(lo));
    assert_eq!((last.lo, last.hi), (lo, placet_protocol::sanctions::upper_sentinel()));
}

#[test]
fn documents_that_are_not_listed_have_a_gap() {
    let list = list_from_csv(OFAC_SDN_CSV).unwrap();
    let root = list.root().get();
    for number in 0..500 {
        let document = Document {
            country: "CHE".into(),
            kind: "passport".into(),
            number: format!("X{number:07}"),
        };
        let subject = document.subject().unwrap();
        assert!(!list.contains(subject));
        let (gap, path) = list.witness(subject);
        assert_eq!(path.root(gap.leaf()), root);
        assert!(strictly_contains(&gap, subject));
    }
    // The neighbours of a listed subject are free.
    let listed = list.subjects().nth(1000).unwrap().get();
    for free in [listed - Fr::from(1u8), listed + Fr::from(1u8)].map(Subject::new) {
        assert!(strictly_contains(&list.witness(free).0, free));
    }
}

#[test]
fn spelling_does_not_hide_a_listed_document() {
    let list = list_from_csv(&format!("{HEADER}\n364,IRN,passport,A12345\n")).unwrap();
    let written = |country: &str, kind: &str, number: &str| {
        let document =
            Document { country: country.into(), kind: kind.into(), number: number.into() };
        list.contains(document.subject().unwrap())
    };
    assert!(written("IRN", "passport", "A12345"));
    assert!(written("irn", "Passport", "a-12 345"));
    assert!(!written("IRN", "national-id", "A12345"));
    assert!(!written("IRQ", "passport", "A12345"));
}

#[test]
fn order_and_repetition_do_not_change_the_root() {
    let a = "004,AFG,passport,A1";
    let b = "364,IRN,tax-id,77";
    let root =
        |lines: &[&str]| list_from_csv(&format!("{HEADER}\n{}", lines.join("\n"))).unwrap().root();
    assert_eq!(root(&[a, b]), root(&[b, a]));
    assert_eq!(root(&[a, b]), root(&[a, b, a]));
    assert_ne!(root(&[a, b]), root(&[a]));
}

#[test]
fn errors_name_the_line_and_say_what_to_do() {
    let good = "004,AFG,passport,A1";
    let long = format!("004,AFG,passport,{}", "1".repeat(256));
    let cases: &[(&str, usize, Problem)] = &[
        ("", 1, Problem::Header),
        ("country,document\n004,AFG,passport,A1", 1, Problem::Header),
        (
            "\u{feff}country_numeric,country_alpha3,document_type,document_number",
            1,
            Problem::Header,
        ),
        ("H", 1, Problem::Empty),
        ("H\n", 1, Problem::Empty),
        ("H\nG\n\n", 3, Problem::Blank),
        ("H\nG\n\nG", 3, Problem::Blank),
        ("H\nG\n004,AFG,passport,\"A2\"", 3, Problem::Quote),
        ("H\nG\r\nG", 2, Problem::CarriageReturn),
        ("H\n004,AFG,passport", 2, Problem::Fields),
        ("H\n004,AFG,passport,A1,", 2, Problem::Fields),
        ("H\n4,AFG,passport,A1", 2, Problem::CountryNumeric),
        ("H\n+04,AFG,passport,A1", 2, Problem::CountryNumeric),
        ("H\n000,AFG,passport,A1", 2, Problem::CountryNumeric),
        ("H\n,AFG,passport,A1", 2, Problem::CountryNumeric),
        ("H\n004,afg,passport,A1", 2, Problem::CountryAlpha3),
        ("H\n004,AF,passport,A1", 2, Problem::CountryAlpha3),
        ("H\n004,ÄFG,passport,A1", 2, Problem::CountryAlpha3),
        ("H\nG\n005,AFG,passport,A1", 3, Problem::CountryMismatch),
        ("H\nG\n004,ALB,passport,A1", 3, Problem::CountryMismatch),
        ("H\n004,AFG,Passport,A1", 2, Problem::Kind),
        ("H\n004,AFG,,A1", 2, Problem::Kind),
        ("H\n004,AFG,pass port,A1", 2, Problem::Kind),
        ("H\n004,AFG,passport,", 2, Problem::Number),
        ("H\n004,AFG,passport,a1", 2, Problem::Number),
        ("H\n004,AFG,passport,A 1", 2, Problem::Number),
        ("H\n004,AFG,passport,A1 ", 2, Problem::Number),
        ("H\nL", 2, Problem::Number),
    ];
    for (text, line, problem) in cases {
        let text: Vec<_> = text
            .split('\n')
            .map(|line| match line {
                "H" => HEADER,
                "G" => good,
                "L" => &long,
                other => other,
            })
            .collect();
        let text = text.join("\n");
        let error = list_from_csv(&text).unwrap_err();
        assert_eq!((error.line, error.problem), (*line, *problem), "{text:?}");
        assert!(error.to_string().starts_with(&format!("line {line}: ")));
    }
}

#[test]
fn a_list_longer_than_the_tree_is_refused() {
    let mut text = String::from(HEADER);
    for number in 0..1 << 18 {
        text.push_str(&format!("\n004,AFG,passport,{number}"));
    }
    let error = list_from_csv(&text).unwrap_err();
    assert_eq!((error.line, error.problem), ((1 << 18) + 1, Problem::TooLong));
}

proptest::proptest! {
    #[test]
    fn any_text_is_parsed_or_refused_without_panic(text in ".{0,200}", line in "[0-9A-Za-z,\"\r-]{0,40}") {
        let _ = parse(&text);
        let _ = parse(&format!("{HEADER}\n{line}"));
        let _ = parse(&format!("{HEADER}\n{text}"));
    }
}
