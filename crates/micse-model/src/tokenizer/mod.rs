//! Tokenization, by the tokenizers library, from `tokenizer.json`, from WordPiece's `vocab.txt`, or from byte-level BPE's
//! `vocab.json` and `merges.txt`.

mod added;
mod build;
mod class;

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use rayon::prelude::*;
use tokenizers::normalizers::{Lowercase, NormalizerWrapper, Sequence};
use tokenizers::{Encoding, Token, Tokenizer as HfTokenizer};

use crate::{Error, Result};
use micse_files::write_whole;

/// Turns sentences into ids with `[CLS]` in front and `[SEP]` behind (`<s>` and `</s>` in RoBERTa's vocabularies).
#[derive(Clone)]
pub struct Tokenizer {
    inner: HfTokenizer,
    path: PathBuf,
    /// What the post-processor puts before and after a sentence: `[CLS]` and `[SEP]`, or nothing.
    around: [Vec<u32>; 2],
    /// Whether what is too long loses its beginning instead of its end.
    keeps_end: bool,
    /// Whether batches would be padded in front.
    pads_left: bool,
    /// Ids of the special tokens that the folder or its class names.
    special: BTreeSet<u32>,
    mask: Option<String>,
    /// Parts of `tokenizer.json` that the folder's class replaces.
    replaced: Vec<&'static str>,
}

/// MPNet's special tokens; its vocabulary has BERT's too, as words like others.
const SPECIAL_OF_MPNET: [&str; 5] = ["<pad>", "[UNK]", "<s>", "</s>", "<mask>"];

/// What the library gives, or its reason. On some files that are not whole it panics instead (its reader of decoders has
/// an `unwrap`, its models index by what the file says); a stranger's file is no reason to end the process.
fn guarded<T, E: std::fmt::Display>(
    work: impl FnOnce() -> std::result::Result<T, E>,
) -> std::result::Result<T, String> {
    match catch_unwind(AssertUnwindSafe(work)) {
        Ok(result) => result.map_err(|e| e.to_string()),
        Err(_) => Err("the tokenizers library cannot cope with the file, which is damaged".into()),
    }
}

/// What the post-processor puts before and after the tokens of a sentence.
fn around(inner: &HfTokenizer) -> std::result::Result<[Vec<u32>; 2], String> {
    // One token that stands for a sentence; the mask tells it from what is put around it.
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
            "the post-processor repeats a sentence {} times; it must put tokens around it once",
            own.len()
        )),
    }
}

/// Whether all of MPNet's special tokens are in the vocabulary.
fn is_of_mpnet(inner: &HfTokenizer) -> bool {
    SPECIAL_OF_MPNET.iter().all(|token| inner.token_to_id(token).is_some())
}

impl Tokenizer {
    /// Reads a folder's tokenizer as transformers 5 does: `tokenizer.json`, else `vocab.txt`, else `vocab.json` with
    /// `merges.txt`; with what `tokenizer_config.json`, `special_tokens_map.json`, `added_tokens.json` and the class that
    /// `config.json` implies make of it. docs/model-folders.md lists the keys. Truncation and padding that a file asks for
    /// are switched off: batches and limits are the caller's.
    ///
    /// # Errors
    /// None of the files is there, one is not valid, or it is of a class that is not supported.
    pub fn load(folder: &Path) -> Result<Self> {
        let (vocab, merges) = (folder.join("vocab.json"), folder.join("merges.txt"));
        let bytes = (vocab.is_file() && merges.is_file()).then_some(vocab);
        let files = ["tokenizer.json", "vocab.txt"].map(|name| folder.join(name));
        if let Some(path) = files.into_iter().find(|path| path.is_file()).or(bytes) {
            return Self::finish(build::build(&path)?);
        }
        let reason = if folder.join("sentencepiece.bpe.model").is_file() {
            "sentencepiece.bpe.model alone cannot be read here; make a tokenizer.json of it once: \
             transformers.AutoTokenizer.from_pretrained(folder).save_pretrained(folder)"
        } else {
            "none of tokenizer.json, vocab.txt, and vocab.json with merges.txt is in this folder"
        };
        Err(Error::Tokenizer { path: folder.into(), reason: reason.into() })
    }

    /// Reads a `vocab.txt` (one word piece a line; BERT's or MPNet's special tokens among them), with the
    /// `tokenizer_config.json` and the other files beside it. Without them: lower-cased, as the uncased BERTs are.
    ///
    /// # Errors
    /// A file is not valid, or a special token is not in the vocabulary.
    pub fn from_vocab(vocab: &Path) -> Result<Self> {
        Self::finish(build::build(vocab)?)
    }

    /// The same with lower-casing in front of everything else, unless a step of its own lower-cases already.
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
        // They have ids of their own in the file, beside those of the vocabulary.
        if let Some(id) = around.iter().flatten().find(|id| inner.id_to_token(**id).is_none()) {
            let reason =
                format!("id {id} stands around every sentence, but no token of the vocabulary has it");
            return Err(Error::Tokenizer { path, reason });
        }
        let special = added.named.values().chain(&added.further);
        let special = special.filter_map(|token| inner.token_to_id(token)).collect();
        let mask = added.named.get("mask_token").filter(|token| inner.token_to_id(token).is_some()).cloned();
        Ok(Self { inner, path, around, keeps_end, pads_left, special, mask, replaced })
    }

    /// Writes a `tokenizer.json`.
    ///
    /// # Errors
    /// The folder cannot be written.
    pub fn save(&self, path: &Path) -> Result<()> {
        let text = self.inner.to_string(true).map_err(|e| Error::Tokenizer {
            path: path.into(),
            reason: format!("cannot be written as JSON: {e}"),
        })?;
        Ok(write_whole(path, text.as_bytes())?)
    }

    /// Number of ids, added tokens counted: one more than the largest id if ids have no holes.
    pub fn vocabulary_size(&self) -> usize {
        self.inner.get_vocab(true).into_values().max().map_or(0, |id| id as usize + 1)
    }

    /// The tokens by id; an id that no token has gives an empty one.
    pub fn tokens(&self) -> Vec<String> {
        let mut tokens = vec![String::new(); self.vocabulary_size()];
        for (token, id) in self.inner.get_vocab(true) {
            tokens[id as usize] = token;
        }
        tokens
    }

    /// The file that it was read from.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The id of a token of the vocabulary.
    pub fn id(&self, token: &str) -> Option<u32> {
        self.inner.token_to_id(token)
    }

    /// The text that stands for a masked token, `[MASK]` or `<mask>`, if the vocabulary has it.
    pub fn mask_token(&self) -> Option<String> {
        let masks = if is_of_mpnet(&self.inner) { ["<mask>", "[MASK]"] } else { ["[MASK]", "<mask>"] };
        let usual = || masks.into_iter().find(|token| self.id(token).is_some()).map(str::to_owned);
        self.mask.clone().or_else(usual)
    }

    /// Checks that every id fits an embedding table of `vocab_size` rows.
    ///
    /// # Errors
    /// The tokenizer has ids beyond it.
    pub fn check_fits(&self, vocab_size: usize) -> Result<()> {
        let size = self.vocabulary_size();
        if size <= vocab_size {
            return Ok(());
        }
        Err(Error::Tokenizer {
            path: self.path.clone(),
            reason: format!(
                "the tokenizer has {size} ids, the encoder's vocab_size is {vocab_size}; \
                 use the tokenizer that belongs to the encoder"
            ),
        })
    }

    /// Leading tokens of a sentence that are its prompt's, `[CLS]` among them, by sentence-transformers' count: those of
    /// the prompt alone, without a special token at their end.
    pub(crate) fn prompt_tokens(&self, prompt: &str, max_length: usize) -> Result<usize> {
        let ids = self.encode(prompt, max_length)?;
        let ends = ids.last().is_some_and(|id| self.special.contains(id));
        Ok(ids.len() - usize::from(ends))
    }

    /// Whether the folder has batches padded in front of their sentences.
    pub(crate) fn pads_left(&self) -> bool {
        self.pads_left
    }

    /// Parts of `tokenizer.json` that transformers replaces for this folder's tokenizer class, by their keys.
    pub fn replaced_parts(&self) -> &[&'static str] {
        &self.replaced
    }

    /// The ids of one sentence with what is put around it (`[CLS]` and `[SEP]`), at most `max_length` in all. What is too
    /// long loses its end (its beginning, where the folder's `truncation_side` says so), before anything is put around it.
    ///
    /// # Errors
    /// The library fails on the text, or `max_length` leaves no room for a word.
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

    /// [`Self::encode`] of many sentences, on all threads.
    ///
    /// # Errors
    /// As [`Self::encode`].
    pub fn encode_all<S: AsRef<str> + Sync>(
        &self,
        sentences: &[S],
        max_length: usize,
    ) -> Result<Vec<Vec<u32>>> {
        sentences.par_iter().map(|s| self.encode(s.as_ref(), max_length)).collect()
    }
}
