//! A line as words, with quotes for those that hold blanks.

/// Splits at blanks. Quotes, double or single, keep blanks together; a backslash takes the next
/// character as it is, except between single quotes. `None` if a quote is left open or nothing
/// follows a backslash.
pub fn split(line: &str) -> Option<Vec<String>> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    let mut characters = line.chars();
    while let Some(character) = characters.next() {
        match (quote, character) {
            (Some(open), c) if c == open => quote = None,
            (None, '"' | '\'') => {
                quote = Some(character);
                word.get_or_insert_default();
            }
            (None | Some('"'), '\\') => word.get_or_insert_default().push(characters.next()?),
            (None, c) if c.is_whitespace() => words.extend(word.take()),
            (_, c) => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    quote.is_none().then_some(words)
}

#[cfg(test)]
mod tests {
    use super::split;

    #[test]
    fn quotes_keep_words_together() {
        let cases: &[(&str, &[&str])] = &[
            ("", &[]),
            ("  \t", &[]),
            ("send -a x 5", &["send", "-a", "x", "5"]),
            ("--asset \"Growth Fund, Class A\" 5", &["--asset", "Growth Fund, Class A", "5"]),
            ("a'b c'd \"\"", &["ab cd", ""]),
            (r#"a\ b "\"" '\'"#, &["a b", "\"", "\\"]),
        ];
        for (line, words) in cases {
            assert_eq!(
                split(line).as_deref(),
                Some(&*words.iter().map(ToString::to_string).collect::<Vec<_>>())
            );
        }
    }

    #[test]
    fn what_is_left_open_is_no_line() {
        for line in ["\"", "a 'b", "a\\", "'a\""] {
            assert_eq!(split(line), None, "{line}");
        }
    }
}
