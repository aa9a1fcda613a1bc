//! The WordPiece vocabulary of a corpus, and the files that make it a tokenizer.
//!
//! The trainer of the tokenizers library numbers continuation characters (`##a`) in the order of a hash map and breaks
//! ties by these numbers, so its vocabulary differs from run to run. Here it gets the complete alphabet in a fixed
//! order, so that the same corpus produces the same vocabulary.

use std::collections::{BTreeMap, HashSet};
use std::path::Path;

use micse_data::Corpus;
use micse_files::{write_json, write_whole};
use micse_model::Tokenizer;
use rayon::prelude::*;
use serde_json::json;
use tokenizers::models::wordpiece::{WordPiece, WordPieceTrainer};
use tokenizers::normalizers::BertNormalizer;
use tokenizers::pre_tokenizers::bert::BertPreTokenizer;
use tokenizers::{
    AddedToken, Model, NormalizedString, Normalizer, OffsetReferential, OffsetType, PreTokenizedString,
    PreTokenizer, Trainer,
};

/// The first token IDs.
const SPECIAL: [&str; 5] = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"];
/// The rarest characters, at most one in this many of a corpus, get no pieces of their own; words with them are
/// unknown. A vocabulary of 8,192 has better uses for a thousand entries than the scripts of other languages.
const LEFT_OUT: u64 = 20_000;
/// Special tokens and characters may take at most one entry in this many; the rest is for words.
const CHARACTERS: usize = 4;

/// The words of a sentence as an uncased BERT sees them: cleaned, lower-cased, accents stripped, punctuation split off.
fn words(sentence: &str) -> tokenizers::Result<Vec<String>> {
    let mut normalized = NormalizedString::from(sentence);
    BertNormalizer::default().normalize(&mut normalized)?;
    let mut split = PreTokenizedString::from(normalized);
    BertPreTokenizer.pre_tokenize(&mut split)?;
    let splits = split.get_splits(OffsetReferential::Original, OffsetType::Byte);
    Ok(splits.into_iter().map(|(word, _, _)| word.to_owned()).collect())
}

/// How often a character begins a word, and how often it continues one.
type Counts = BTreeMap<char, (u64, u64)>;

fn characters(corpus: &Corpus) -> Result<Counts, String> {
    let count = |mut counts: Counts, i: usize| {
        for word in words(corpus.get(i))? {
            for (place, c) in word.chars().enumerate() {
                let entry = counts.entry(c).or_default();
                *(if place == 0 { &mut entry.0 } else { &mut entry.1 }) += 1;
            }
        }
        Ok(counts)
    };
    let merge = |mut a: Counts, b: Counts| {
        for (c, (begins, continues)) in b {
            let entry = a.entry(c).or_default();
            *entry = (entry.0 + begins, entry.1 + continues);
        }
        Ok(a)
    };
    let counts: tokenizers::Result<Counts> =
        (0..corpus.len()).into_par_iter().try_fold(Counts::new, count).try_reduce(Counts::new, merge);
    counts.map_err(|e| e.to_string())
}

/// The characters that get pieces, in the order of their code points.
fn alphabet(counts: &Counts) -> Vec<char> {
    let total = |c: char| counts[&c].0 + counts[&c].1;
    let mut order: Vec<char> = counts.keys().copied().collect();
    order.sort_by_key(|&c| (std::cmp::Reverse(total(c)), c));
    let all: u64 = order.iter().map(|&c| total(c)).sum();
    let (mut kept, mut seen) = (Vec::new(), 0);
    for c in order {
        if seen >= all - all / LEFT_OUT {
            break;
        }
        seen += total(c);
        kept.push(c);
    }
    kept.sort_unstable();
    kept
}

/// Trains a vocabulary of at most `size` tokens on a corpus: the tokens in the order of their IDs.
pub(super) fn train(corpus: &Corpus, size: usize) -> Result<Vec<String>, String> {
    let counts = characters(corpus)?;
    let alphabet = alphabet(&counts);
    let begin = alphabet.iter().map(char::to_string);
    let continued = alphabet.iter().filter(|c| counts[c].1 > 0).map(|c| format!("##{c}"));
    let first: Vec<String> = SPECIAL.iter().map(|&s| s.to_owned()).chain(begin).chain(continued).collect();
    if first.len() > size / CHARACTERS {
        return Err(format!(
            "encoder.vocab_size is {size}, but special tokens and the characters of this corpus alone take {}; set it \
             to at least {}",
            first.len(),
            CHARACTERS * first.len()
        ));
    }
    let mut trainer = WordPieceTrainer::builder()
        .vocab_size(size)
        .min_frequency(2)
        .show_progress(false)
        .limit_alphabet(alphabet.len())
        .initial_alphabet(alphabet.iter().copied().collect::<HashSet<char>>())
        // Not special in the finished tokenizer; this makes the trainer number them first.
        .special_tokens(first.iter().map(|token| AddedToken::from(token.clone(), true)).collect())
        .build();
    trainer.feed(corpus.iter(), words).map_err(|e| e.to_string())?;
    let mut model = WordPiece::default();
    Trainer::train(&trainer, &mut model).map_err(|e| e.to_string())?;
    let mut tokens: Vec<(u32, String)> =
        model.get_vocab().into_iter().map(|(token, id)| (id, token)).collect();
    tokens.sort_unstable();
    if tokens.iter().map(|(id, _)| *id).ne(0..tokens.len() as u32) || tokens.len() > size {
        return Err("the trainer's vocabulary has gaps".into());
    }
    Ok(tokens.into_iter().map(|(_, token)| token).collect())
}

/// What [`write`] writes.
pub(super) const FILES: [&str; 3] = ["vocab.txt", "tokenizer_config.json", "tokenizer.json"];

/// Writes `vocab.txt`, `tokenizer_config.json` and `tokenizer.json`.
pub(super) fn write(folder: &Path, tokens: &[String], positions: usize) -> crate::Result<()> {
    let [vocabulary, config, tokenizer] = FILES.map(|name| folder.join(name));
    write_whole(&vocabulary, (tokens.join("\n") + "\n").as_bytes())?;
    write_json(
        &config,
        &json!({
            "cls_token": "[CLS]",
            "do_lower_case": true,
            "mask_token": "[MASK]",
            "model_max_length": positions,
            "pad_token": "[PAD]",
            "sep_token": "[SEP]",
            "strip_accents": null,
            "tokenize_chinese_chars": true,
            "tokenizer_class": "BertTokenizer",
            "unk_token": "[UNK]",
        }),
    )?;
    Tokenizer::from_vocab(&vocabulary)?.save(&tokenizer)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_text_gives_the_same_vocabulary() {
        let corpus = Corpus::demo();
        let corpus = Corpus::from_sentences("part", corpus.iter().take(3000));
        let tokens = train(&corpus, 400).expect("a vocabulary");
        assert_eq!(tokens.len(), 400);
        assert_eq!(tokens[..5], SPECIAL);
        for _ in 0..3 {
            assert_eq!(train(&corpus, 400).expect("a vocabulary"), tokens);
        }
        // Frequent words are single tokens, and every word can be spelled.
        assert!(tokens.iter().any(|token| token == "the"));
        let folder = tempfile::tempdir().expect("a folder");
        write(folder.path(), &tokens, 64).expect("files");
        let tokenizer = Tokenizer::load(folder.path()).expect("a tokenizer");
        let from_vocab = Tokenizer::from_vocab(&folder.path().join("vocab.txt")).expect("a tokenizer");
        for sentence in corpus.iter().take(500) {
            let ids = tokenizer.encode(sentence, 64).expect("ids");
            assert_eq!((ids[0], ids[ids.len() - 1]), (2, 3));
            assert!(!ids.contains(&1), "{sentence} has an unknown word");
            assert_eq!(ids, from_vocab.encode(sentence, 64).expect("ids"));
        }
    }

    #[test]
    fn rare_characters_have_no_piece() {
        let mut sentences = vec!["a plain sentence of plain words, again and again".to_owned(); 3000];
        sentences.push("ω stands here once".to_owned());
        let tokens = train(&Corpus::from_sentences("rare", &sentences), 200).expect("a vocabulary");
        assert!(tokens.iter().any(|t| t == "plain") && !tokens.iter().any(|t| t.contains('ω')), "{tokens:?}");
        let small = train(&Corpus::from_sentences("rare", &sentences), 8).expect_err("too small");
        assert!(small.contains("vocab_size is 8") && small.contains("at least"), "{small}");
    }
}
