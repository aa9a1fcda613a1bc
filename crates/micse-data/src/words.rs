//! Words of a text, also of one whose script has no spaces between them.

use std::ops::Range;

use unicode_segmentation::UnicodeSegmentation;

/// The words of a text, in its order: what white space separates. A text with at least as many letters of scripts without
/// spaces (Chinese, Japanese, Thai, Lao, Khmer, Burmese) as such words is cut further, at the word bounds of Unicode's
/// annex 29. They cut these scripts into characters, because their words are known to dictionaries only.
///
/// ```
/// use micse_data::Words;
///
/// assert_eq!(Words::of("Two words").len(), 2);
/// assert_eq!(Words::of("\u{6211}\u{7231}\u{4f60}").split(1), ["\u{6211}", "\u{7231}\u{4f60}"]);
/// ```
#[derive(Clone, Debug)]
pub struct Words<'a>(Vec<Word<'a>>);

#[derive(Clone, Copy, Debug)]
struct Word<'a> {
    text: &'a str,
    /// Whether white space precedes it.
    spaced: bool,
}

impl<'a> Words<'a> {
    /// The words of a text.
    pub fn of(text: &'a str) -> Self {
        let spaced = text.split_whitespace();
        Self(if spaced.clone().count() <= text.chars().filter(|&c| is_unspaced(c)).count() {
            let parts = spaced.flat_map(|word| word.split_word_bound_indices());
            parts.map(|(at, text)| Word { text, spaced: at == 0 }).collect()
        } else {
            spaced.map(|text| Word { text, spaced: true }).collect()
        })
    }

    /// Number of words.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The text of consecutive words.
    ///
    /// # Panics
    /// There are no such words.
    pub fn part(&self, words: Range<usize>) -> String {
        Self(self.0[words].to_vec()).text(str::to_owned)
    }

    /// The text of the first `count` words, and that of the rest.
    ///
    /// # Panics
    /// There are fewer words.
    pub fn split(&self, count: usize) -> [String; 2] {
        [self.part(0..count), self.part(count..self.len())]
    }

    /// The words for which `keep` is true, which is asked in their order; the first word if there is none.
    #[must_use]
    pub fn kept(&self, mut keep: impl FnMut() -> bool) -> Self {
        let kept: Vec<Word<'a>> = self.0.iter().copied().filter(|_| keep()).collect();
        Self(if kept.is_empty() { self.0.iter().take(1).copied().collect() } else { kept })
    }

    /// The words, each changed by `change`, with single spaces where there was white space.
    pub fn text(&self, mut change: impl FnMut(&str) -> String) -> String {
        let mut text = String::new();
        for word in &self.0 {
            if word.spaced && !text.is_empty() {
                text.push(' ');
            }
            text.push_str(&change(word.text));
        }
        text
    }
}

/// Whether a letter is of a script without spaces between words.
fn is_unspaced(c: char) -> bool {
    matches!(c,
        '\u{0e00}'..='\u{0eff}' // Thai, Lao
        | '\u{1000}'..='\u{109f}' // Burmese
        | '\u{1780}'..='\u{17ff}' // Khmer
        | '\u{3040}'..='\u{30ff}' // hiragana, katakana
        | '\u{31f0}'..='\u{31ff}' // small katakana
        | '\u{3400}'..='\u{4dbf}' | '\u{4e00}'..='\u{9fff}' | '\u{f900}'..='\u{faff}' // Chinese characters
        | '\u{ff66}'..='\u{ff9f}' // halfwidth katakana
        | '\u{20000}'..='\u{323af}' // more Chinese characters
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_what_the_script_separates() {
        for (text, words) in [
            ("one  two\tthree", "one two three"),
            ("don't re-read", "don't re-read"),
            ("a word of Chinese: \u{4e2d}\u{6587} is one", "a word of Chinese: \u{4e2d}\u{6587} is one"),
            ("\u{6211}\u{7231}\u{4f60}\u{3002}", "\u{6211} \u{7231} \u{4f60} \u{3002}"),
            ("\u{6211}\u{7528} GPU \u{7b97}", "\u{6211} \u{7528} GPU \u{7b97}"),
            ("\u{3042}\u{30ab}\u{30bf}\u{6f22}", "\u{3042} \u{30ab}\u{30bf} \u{6f22}"),
            ("\u{ad6d}\u{c5b4} \u{d55c}\u{ae00}", "\u{ad6d}\u{c5b4} \u{d55c}\u{ae00}"),
            ("", ""),
        ] {
            let found: Vec<&str> = Words::of(text).0.iter().map(|word| word.text).collect();
            assert_eq!(found.join(" "), words, "{text}");
        }
    }

    #[test]
    fn words_are_joined_as_they_were() {
        let words = Words::of("\u{6211}\u{7528} GPU \u{7b97}");
        assert_eq!(words.split(2), ["\u{6211}\u{7528}", "GPU \u{7b97}"]);
        let mut number = 0;
        let mut odd = || {
            number += 1;
            number % 2 == 1
        };
        assert_eq!(words.kept(&mut odd).text(str::to_owned), "\u{6211} GPU");
        assert_eq!(words.kept(|| false).text(str::to_lowercase), "\u{6211}");
        assert_eq!(Words::of("One two").text(str::to_lowercase), "one two");
    }
}
