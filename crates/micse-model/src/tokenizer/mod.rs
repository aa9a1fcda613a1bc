//! Tokenization with the tokenizers library, from `tokenizer.json`, from WordPiece's `vocab.txt`, or from
//! byte-level BPE's `vocab.json` and `merges.txt`.

mod added;
mod build;
mod class;
#[cfg(test)]
mod patterns;

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use rayon::prelude::*;
use tokenizers::normalizers::{Lowercase, NormalizerWrapper, Sequence};
use tokenizers::{Encoding, Token, Tokenizer as HfTokenizer};

use crate::{Error, Result};
use micse_files::write_whole;

/// Converts sentences to IDs with `[CLS]` before and `[SEP]` after them (`<s>` and `</s>` in RoBERTa's
/// vocabularies).
#[derive(Clone)]
pub struct Tokenizer {
    inner: HfTokenizer,
    path: PathBuf,
    /// The tokens that the post-processor puts before and after a sentence: `[CLS]` and `[SEP]`, or none.
    around: [Vec<u32>; 2],
    /// Whether truncation removes the beginning instead of the end.
    keeps_end: bool,
    /// Whether other libraries would pad batches on the left.
    pads_left: bool,
    /// IDs of the special tokens defined by the folder or its class.
    special: BTreeSet<u32>,
    mask: Option<String>,
    /// Parts of `tokenizer.json` that the folder's class replaces.
    replaced: Vec<&'static str>,
}

/// MPNet's special tokens. Its vocabulary also contains BERT's, as ordinary words.
const SPECIAL_OF_MPNET: [&str; 5] = ["<pad>", "[UNK]", "<s>", "</s>", "<mask>"];

/// The library's result, or its error message. On some damaged files it panics instead (its decoder parser
/// contains an `unwrap`, its models index with unchecked values from the file); an untrusted file must not
/// end the process.
pub(crate) fn guarded<T, E: std::fmt::Display>(
    work: impl FnOnce() -> std::result::Result<T, E>,
) -> std::result::Result<T, String> {
    match catch_unwind(AssertUnwindSafe(work)) {
        Ok(result) => result.map_err(|e| e.to_string()),
        Err(_) => Err("the tokenizers library fails on this file, which is damaged".into()),
    }
}

/// The tokens that the post-processor puts before and after the tokens of a sentence.
fn around(inner: &HfTokenizer) -> std::result::Result<[Vec<u32>; 2], String> {
    // A single token that represents a sentence; its mask distinguishes it from the added tokens.
    let sentence = Encoding::from_tokens(vec![Token::new(0, "x".into(), (0, 1))], 0);
    let whole = guarded(|| inner.post_process(sentence, None, true))?;
    let own: Vec<usize> = whole
        .get_special_tokens_mask()
        .iter()
        .enumerate()
        .filter(|(_, m)| **m == 0)
        .map(|(i, _)| i)
        .collect();
    let ids = whole.get_ids();
    match own[..] {
        [place] => Ok([ids[..place].to_vec(), ids[place + 1..].to_vec()]),
        _ => Err(format!(
            "the post-processor outputs the sentence {} times; it must output it once",
            own.len()
        )),
    }
}

/// Whether the vocabulary contains all of MPNet's special tokens.
fn is_of_mpnet(inner: &HfTokenizer) -> bool {
    SPECIAL_OF_MPNET.iter().all(|token| inner.token_to_id(token).is_some())
}

impl Tokenizer {
    /// Reads a folder's tokenizer as transformers 5 does: from `tokenizer.json`, else `vocab.txt`, else
    /// `vocab.json` with `merges.txt`, modified by `tokenizer_config.json`, `special_tokens_map.json`,
    /// `added_tokens.json` and the class that `config.json` implies. docs/model-folders.md lists the keys.
    /// Truncation and padding settings in the files are switched off, because the caller controls batches and
    /// limits.
    ///
    /// # Errors
    /// Fails if no such file exists, a file is invalid, or the tokenizer class is not supported.
    pub fn load(folder: &Path) -> Result<Self> {
        let (vocab, merges) = (folder.join("vocab.json"), folder.join("merges.txt"));
        let bytes = (vocab.is_file() && merges.is_file()).then_some(vocab);
        let files = ["tokenizer.json", "vocab.txt"].map(|name| folder.join(name));
        if let Some(path) = files.into_iter().find(|path| path.is_file()).or(bytes) {
            return Self::finish(build::build(&path)?);
        }
        let pieces =
            ["sentencepiece.bpe.model", "spiece.model"].into_iter().find(|name| folder.join(name).is_file());
        let reason = match pieces {
            Some(name) => format!(
                "{name} alone cannot be read; create a tokenizer.json from it once: \
                 transformers.AutoTokenizer.from_pretrained(folder).save_pretrained(folder)"
            ),
            None => "found neither tokenizer.json, nor vocab.txt, nor vocab.json with merges.txt".into(),
        };
        Err(Error::Tokenizer { path: folder.into(), reason })
    }

    /// Reads a `vocab.txt` (one word piece per line, including the special tokens of BERT or MPNet), with
    /// `tokenizer_config.json` and the other files in the same folder. Without these files, text is
    /// lower-cased, as in uncased BERT models.
    ///
    /// # Errors
    /// Fails if a file is invalid, or a special token is missing from the vocabulary.
    pub fn from_vocab(vocab: &Path) -> Result<Self> {
        Self::finish(build::build(vocab)?)
    }

    /// The same with lower-casing before everything else, unless an existing step already lower-cases.
    pub(crate) fn lower_casing(mut self) -> Result<Self> {
        let lower_cases = |step: &NormalizerWrapper| matches!(step, NormalizerWrapper::Lowercase(_));
        match self.inner.get_normalizer() {
            Some(step) if lower_cases(step) => return Ok(self),
            Some(NormalizerWrapper::Sequence(steps)) if steps.as_ref().iter().any(lower_cases) => {
                return Ok(self);
            }
            _ => {}
        }
        let mut steps = vec![Lowercase.into()];
        steps.extend(self.inner.get_normalizer().cloned());
        self.inner
            .with_normalizer(Some(Sequence::new(steps)))
            .map_err(|e| Error::Tokenizer { path: self.path.clone(), reason: e.to_string() })?;
        Ok(self)
    }

    fn finish(built: build::Built) -> Result<Self> {
        let build::Built { inner, path, added, keeps_end, pads_left, replaced } = built;
        let around = around(&inner).map_err(|reason| Error::Tokenizer { path: path.clone(), reason })?;
        // The post-processor has its own IDs in the file, separate from the vocabulary.
        if let Some(id) = around.iter().flatten().find(|id| inner.id_to_token(**id).is_none()) {
            let reason = format!("ID {id} is added to every sentence, but no token of the vocabulary has it");
            return Err(Error::Tokenizer { path, reason });
        }
        let special = added.named.values().chain(&added.further);
        let special = special.filter_map(|token| inner.token_to_id(token)).collect();
        let mask = added.named.get("mask_token").filter(|token| inner.token_to_id(token).is_some()).cloned();
        Ok(Self { inner, path, around, keeps_end, pads_left, special, mask, replaced })
    }

    /// Whether a longer sentence is truncated at the beginning.
    pub(crate) fn keeps_end(&self) -> bool {
        self.keeps_end
    }

    /// Writes a `tokenizer.json`.
    ///
    /// # Errors
    /// Fails if the folder cannot be written.
    pub fn save(&self, path: &Path) -> Result<()> {
        let text = self.inner.to_string(true).map_err(|e| Error::Tokenizer {
            path: path.into(),
            reason: format!("cannot be written as JSON: {e}"),
        })?;
        Ok(write_whole(path, text.as_bytes())?)
    }

    /// Number of IDs, including added tokens: the largest ID plus one, if there are no gaps.
    pub fn vocabulary_size(&self) -> usize {
        self.inner.get_vocab(true).into_values().max().map_or(0, |id| id as usize + 1)
    }

    /// The tokens by ID; the empty string for an unused ID.
    pub fn tokens(&self) -> Vec<String> {
        let mut tokens = vec![String::new(); self.vocabulary_size()];
        for (token, id) in self.inner.get_vocab(true) {
            tokens[id as usize] = token;
        }
        tokens
    }

    /// The file that the tokenizer was read from.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The ID of a token in the vocabulary.
    pub fn id(&self, token: &str) -> Option<u32> {
        self.inner.token_to_id(token)
    }

    /// The text of the mask token, `[MASK]` or `<mask>`, if the vocabulary has one.
    pub fn mask_token(&self) -> Option<String> {
        let masks = if is_of_mpnet(&self.inner) { ["<mask>", "[MASK]"] } else { ["[MASK]", "<mask>"] };
        let usual = || masks.into_iter().find(|token| self.id(token).is_some()).map(str::to_owned);
        self.mask.clone().or_else(usual)
    }

    /// Checks that every ID is within an embedding table of `vocab_size` rows.
    ///
    /// # Errors
    /// Fails if the tokenizer has larger IDs.
    pub fn check_fits(&self, vocab_size: usize) -> Result<()> {
        let size = self.vocabulary_size();
        if size <= vocab_size {
            return Ok(());
        }
        Err(Error::Tokenizer {
            path: self.path.clone(),
            reason: format!(
                "the tokenizer has {size} IDs, but the encoder's vocab_size is {vocab_size}; use the \
                 tokenizer that belongs to the encoder"
            ),
        })
    }

    /// The number of leading tokens that belong to the prompt, including `[CLS]`, as sentence-transformers
    /// counts them: the tokens of the prompt alone, without a special token at the end.
    pub(crate) fn prompt_tokens(&self, prompt: &str, max_length: usize) -> Result<usize> {
        let ids = self.encode(prompt, max_length)?;
        let ends = ids.last().is_some_and(|id| self.special.contains(id));
        Ok(ids.len() - usize::from(ends))
    }

    /// Whether the folder pads batches on the left.
    pub(crate) fn pads_left(&self) -> bool {
        self.pads_left
    }

    /// Parts of `tokenizer.json` that transformers replaces for this tokenizer class, by key.
    pub fn replaced_parts(&self) -> &[&'static str] {
        &self.replaced
    }

    /// The IDs of a sentence with its special tokens (`[CLS]` and `[SEP]`), at most `max_length` in total. A
    /// longer sentence is truncated at the end (at the beginning, if the folder's `truncation_side` is left)
    /// before the special tokens are added.
    ///
    /// # Errors
    /// Fails if the library cannot tokenize the text, or `max_length` leaves no room for a word.
    pub fn encode(&self, sentence: &str, max_length: usize) -> Result<Vec<u32>> {
        let [before, after] = &self.around;
        let room = max_length.saturating_sub(before.len() + after.len());
        if room == 0 || max_length < 3 {
            return Err(Error::Input(format!("a maximum of {max_length} tokens leaves no room for a word")));
        }
        let encoding = guarded(|| self.inner.encode_fast(sentence, false)).map_err(|e| Error::Tokenizer {
            path: self.path.clone(),
            reason: format!("cannot tokenize {sentence:?}: {e}"),
        })?;
        let ids = encoding.get_ids();
        let kept = match ids.len().checked_sub(room) {
            Some(surplus) if self.keeps_end => &ids[surplus..],
            Some(_) => &ids[..room],
            None => ids,
        };
        Ok([before, kept, after].concat())
    }

    /// [`Self::encode`] for many sentences, on all threads.
    ///
    /// # Errors
    /// Those of [`Self::encode`].
    pub fn encode_all<S: AsRef<str> + Sync>(
        &self,
        sentences: &[S],
        max_length: usize,
    ) -> Result<Vec<Vec<u32>>> {
        sentences.par_iter().map(|s| self.encode(s.as_ref(), max_length)).collect()
    }
}
