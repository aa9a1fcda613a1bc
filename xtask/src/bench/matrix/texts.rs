//! The texts of the matrix, made from a corpus.

use anyhow::{Context, Result, ensure};
use micse_data::Corpus;
use micse_model::Tokenizer;

/// Tokens of a short sentence, of a long one, and of a passage.
const SHORT: usize = 12;
const LONG: usize = 128;
const PASSAGE: usize = 512;
/// Sentences among which the short one is chosen.
const CANDIDATES: usize = 1000;
/// Words per short string.
const STRING_WORDS: usize = 8;
/// Shorter pieces of a sentence are skipped.
const FEWEST_WORDS: usize = 3;

/// The texts, and the token limits that they are made for.
pub(super) struct Texts {
    pub(super) short: String,
    pub(super) long: String,
    pub(super) passages: Vec<String>,
    pub(super) strings: Vec<String>,
    /// Tokens per passage: 512, or the encoder's positions if it has fewer.
    pub(super) passage_limit: usize,
}

impl Texts {
    /// `positions` is the number of tokens that the encoder accepts.
    pub(super) fn new(
        corpus: &Corpus,
        tokenizer: &Tokenizer,
        positions: usize,
        (passages, strings): (usize, usize),
    ) -> Result<Self> {
        let passage_limit = PASSAGE.min(positions);
        let mut sentences = corpus.iter();
        Ok(Self {
            short: nearest(corpus, tokenizer, SHORT.min(positions))?,
            long: cut(
                &join(&mut sentences, tokenizer, LONG.min(positions))?,
                tokenizer,
                LONG.min(positions),
            )?,
            passages: (0..passages)
                .map(|_| join(&mut sentences, tokenizer, passage_limit))
                .collect::<Result<_>>()?,
            strings: short_strings(corpus, strings)?,
            passage_limit,
        })
    }
}

fn count(tokenizer: &Tokenizer, text: &str) -> Result<usize> {
    let ids = tokenizer.encode_all(&[text], usize::MAX)?;
    Ok(ids.first().map_or(0, Vec::len))
}

/// The sentence whose number of tokens is nearest to `tokens`; the first one of several.
fn nearest(corpus: &Corpus, tokenizer: &Tokenizer, tokens: usize) -> Result<String> {
    let candidates: Vec<&str> = corpus.iter().take(CANDIDATES).collect();
    let ids = tokenizer.encode_all(&candidates, usize::MAX)?;
    let best = candidates.iter().zip(&ids).min_by_key(|(_, ids)| ids.len().abs_diff(tokens));
    best.map(|(text, _)| (*text).to_owned()).context("no sentences to encode; pass another --corpus")
}

/// The next sentences, joined until they have at least `tokens` tokens.
fn join<'a>(
    sentences: &mut impl Iterator<Item = &'a str>,
    tokenizer: &Tokenizer,
    tokens: usize,
) -> Result<String> {
    let mut text = String::new();
    while count(tokenizer, &text)? < tokens {
        let next = sentences.next().context(
            "the corpus is too small for the passages; pass a larger --corpus, or fewer --passages",
        )?;
        if !text.is_empty() {
            text.push(' ');
        }
        text.push_str(next);
    }
    Ok(text)
}

/// The first words of a text, as many as fit into `tokens` tokens.
fn cut(text: &str, tokenizer: &Tokenizer, tokens: usize) -> Result<String> {
    let words: Vec<&str> = text.split_whitespace().collect();
    let mut kept = words.len();
    while kept > 1 && count(tokenizer, &words[..kept].join(" "))? > tokens {
        kept -= 1;
    }
    Ok(words[..kept].join(" "))
}

/// Pieces of eight words of the corpus's sentences.
fn short_strings(corpus: &Corpus, wanted: usize) -> Result<Vec<String>> {
    let mut strings = Vec::with_capacity(wanted);
    for sentence in corpus.iter() {
        let words: Vec<&str> = sentence.split_whitespace().collect();
        for piece in words.chunks(STRING_WORDS).filter(|piece| piece.len() >= FEWEST_WORDS) {
            if strings.len() < wanted {
                strings.push(piece.join(" "));
            }
        }
    }
    ensure!(
        strings.len() == wanted,
        "the corpus has only {} short strings; pass --strings {} or a larger --corpus",
        strings.len(),
        strings.len()
    );
    Ok(strings)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_are_pieces_of_sentences() {
        let corpus = Corpus::from_sentences("test", ["a b c d e f g h i j k", "l m n o p q r s t"]);
        let strings = short_strings(&corpus, 3).expect("three strings");
        assert_eq!(strings, ["a b c d e f g h", "i j k", "l m n o p q r s"]);
        let error = short_strings(&corpus, 4).expect_err("too few").to_string();
        assert!(error.contains("--strings 3"), "{error}");
    }
}
