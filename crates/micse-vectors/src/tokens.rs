//! Splits a sentence into tokens: words, clitics and punctuation marks.
//!
//! 1. White space separates pieces.
//! 2. Marks around a piece are separate tokens, one per character. An abbreviation keeps its last full stop
//!    (`u.s.`).
//! 3. The rest is split at every inner mark, except full stops, `&` and `_`, and commas and colons between digits
//!    (`1,000`, `3.5`, `at&t`); the marks are tokens.
//! 4. English clitics are split off, as in the Penn Treebank and in GloVe's own training corpus: `john 's`,
//!    `do n't`.
//!
//! The characters themselves are unchanged; [`fold`] maps a token to the form used in training and look-up.

use std::borrow::Cow;

/// The clitics that follow an apostrophe, except `n't`.
const CLITICS: [&str; 6] = ["s", "d", "m", "re", "ve", "ll"];
const APOSTROPHES: [char; 2] = ['\'', '\u{2019}'];

/// Lower case, with a straight apostrophe.
pub(crate) fn fold(token: &str) -> Cow<'_, str> {
    if token.bytes().all(|byte| byte.is_ascii() && !byte.is_ascii_uppercase()) {
        return Cow::Borrowed(token);
    }
    Cow::Owned(token.to_lowercase().replace(APOSTROPHES[1], "'"))
}

/// Calls `each` with every token of a sentence, in order.
pub(crate) fn tokens<'a>(sentence: &'a str, each: &mut impl FnMut(&'a str)) {
    for piece in sentence.split_whitespace() {
        let (before, core, after) = strip(piece);
        marks(before, each);
        parts(core, each);
        marks(after, each);
    }
}

/// The marks before a piece, the piece without them, and the marks after it.
pub(crate) fn strip(piece: &str) -> (&str, &str, &str) {
    let Some(start) = piece.find(char::is_alphanumeric) else { return (piece, "", "") };
    let after = piece[start..].trim_end_matches(|c: char| !c.is_alphanumeric());
    let mut end = start + after.len();
    if is_abbreviation(after) && piece[end..].starts_with('.') {
        end += 1;
    }
    (&piece[..start], &piece[start..end], &piece[end..])
}

/// Whether the text is single letters separated by full stops: `u.s`.
fn is_abbreviation(core: &str) -> bool {
    let letter = |part: &str| part.chars().count() == 1 && part.chars().all(char::is_alphabetic);
    core.contains('.') && core.split('.').all(letter)
}

/// Emits every character as a token.
pub(crate) fn marks<'a>(marks: &'a str, each: &mut impl FnMut(&'a str)) {
    for (at, mark) in marks.char_indices() {
        each(&marks[at..at + mark.len_utf8()]);
    }
}

/// Splits a piece without surrounding marks at inner marks, and splits off clitics.
pub(crate) fn parts<'a>(core: &'a str, each: &mut impl FnMut(&'a str)) {
    let digit_at = |text: &str, last: bool| {
        let c = if last { text.chars().next_back() } else { text.chars().next() };
        c.is_some_and(char::is_numeric)
    };
    let mut start = 0;
    for (at, c) in core.char_indices() {
        let next = at + c.len_utf8();
        let inside = c.is_alphanumeric()
            || ['.', '&', '_'].contains(&c)
            || APOSTROPHES.contains(&c)
            || [',', ':'].contains(&c) && digit_at(&core[..at], true) && digit_at(&core[next..], false);
        if !inside {
            clitics(&core[start..at], each);
            each(&core[at..next]);
            start = next;
        }
    }
    clitics(&core[start..], each);
}

/// A word, followed by its clitic as a token.
fn clitics<'a>(word: &'a str, each: &mut impl FnMut(&'a str)) {
    let mut cut = None;
    if let Some(at) = word.rfind(APOSTROPHES) {
        let ending = word[at..].trim_start_matches(APOSTROPHES);
        let before = &word[..at];
        if CLITICS.iter().any(|clitic| ending.eq_ignore_ascii_case(clitic)) {
            cut = Some(at);
        } else if ending.eq_ignore_ascii_case("t") && before.ends_with(['n', 'N']) {
            cut = Some(at - 1);
        }
    }
    let (word, clitic) = word.split_at(cut.unwrap_or(word.len()));
    for token in [word, clitic] {
        if !token.is_empty() {
            each(token);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(sentence: &str) -> Vec<&str> {
        let mut all = Vec::new();
        tokens(sentence, &mut |token| all.push(token));
        all
    }

    #[test]
    fn words_marks_and_clitics_come_apart() {
        assert_eq!(
            split("The U.S. (not Peru), too."),
            ["The", "U.S.", "(", "not", "Peru", ")", ",", "too", "."]
        );
        assert_eq!(
            split("Don't say John's 15-day, 1,000.5 km/h"),
            ["Do", "n't", "say", "John", "'s", "15", "-", "day", ",", "1,000.5", "km", "/", "h"]
        );
        assert_eq!(
            split("it\u{2019}s 12:30 at AT&T..."),
            ["it", "\u{2019}s", "12:30", "at", "AT&T", ".", ".", "."]
        );
        assert_eq!(split("rock'n'roll yes,no 'tis"), ["rock'n'roll", "yes", ",", "no", "'", "tis"]);
        assert_eq!(split("  \u{2014} \t"), ["\u{2014}"]);
        assert!(split("").is_empty());
    }

    #[test]
    fn folding_is_lower_case_and_one_apostrophe() {
        assert_eq!(fold("N\u{2019}T"), "n't");
        assert_eq!(fold("\u{c9}cole"), "\u{e9}cole");
        assert!(matches!(fold("plain"), Cow::Borrowed("plain")));
    }

    proptest::proptest! {
        #[test]
        fn tokens_are_the_sentence_without_white_space(sentence in ".{0,40}") {
            let joined: String = split(&sentence).concat();
            let expected: String = sentence.split_whitespace().collect();
            proptest::prop_assert_eq!(joined, expected);
            proptest::prop_assert!(split(&sentence).iter().all(|token| !token.is_empty()));
        }

        #[test]
        fn awkward_marks_lose_nothing(sentence in "[a-bnN0-1 .,:'\u{2019}&_t\\-]{0,16}") {
            let joined: String = split(&sentence).concat();
            proptest::prop_assert_eq!(joined, sentence.split_whitespace().collect::<String>());
        }
    }
}
