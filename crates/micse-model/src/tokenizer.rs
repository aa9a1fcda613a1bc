//! Tokenization, by the tokenizers library, from `tokenizer.json`, from WordPiece's `vocab.txt`, or from byte-level BPE's
//! `vocab.json` and `merges.txt`.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use rayon::prelude::*;
use serde::Deserialize;
use tokenizers::decoders::wordpiece::WordPiece as WordPieceDecoder;
use tokenizers::models::bpe::BPE;
use tokenizers::models::wordpiece::WordPiece;
use tokenizers::normalizers::{BertNormalizer, Lowercase, Sequence};
use tokenizers::pre_tokenizers::bert::BertPreTokenizer;
use tokenizers::pre_tokenizers::byte_level::ByteLevel;
use tokenizers::processors::bert::BertProcessing;
use tokenizers::processors::roberta::RobertaProcessing;
use tokenizers::{AddedToken, Tokenizer as HfTokenizer};

use crate::files::write_whole;
use crate::{Error, Result};

/// Turns sentences into ids with `[CLS]` in front and `[SEP]` behind (`<s>` and `</s>` in RoBERTa's vocabularies).
#[derive(Clone)]
pub struct Tokenizer {
    inner: HfTokenizer,
    path: PathBuf,
}

/// The keys of `tokenizer_config.json` that change what a vocabulary means.
#[derive(Deserialize)]
#[serde(default)]
struct TokenizerConfig {
    do_lower_case: bool,
    strip_accents: Option<bool>,
    tokenize_chinese_chars: bool,
}

/// MPNet's special tokens; its vocabulary has BERT's too, as words like others.
const SPECIAL_OF_MPNET: [&str; 5] = ["<pad>", "[UNK]", "<s>", "</s>", "<mask>"];
const SPECIAL_OF_BERT: [&str; 5] = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"];

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

/// Whether all of MPNet's special tokens are in the vocabulary.
fn is_of_mpnet(inner: &HfTokenizer) -> bool {
    SPECIAL_OF_MPNET.iter().all(|token| inner.token_to_id(token).is_some())
}

impl Default for TokenizerConfig {
    fn default() -> Self {
        Self { do_lower_case: true, strip_accents: None, tokenize_chinese_chars: true }
    }
}

impl Tokenizer {
    /// Reads a folder's `tokenizer.json`, else its `vocab.txt` with `tokenizer_config.json` (without the
    /// latter: lower-cased, as the uncased BERTs are), else its `vocab.json` with `merges.txt` as RoBERTa has them.
    /// Truncation and padding that a file asks for are switched off: batches and limits are the caller's.
    ///
    /// # Errors
    /// None of the files is there, or one is not valid.
    pub fn load(folder: &Path) -> Result<Self> {
        let json = folder.join("tokenizer.json");
        if json.is_file() {
            let inner = guarded(|| HfTokenizer::from_file(&json)).map_err(|e| Error::Tokenizer {
                path: json.clone(),
                reason: format!("not a valid tokenizer file: {e}"),
            })?;
            return Self::finish(inner, json);
        }
        let vocab = folder.join("vocab.txt");
        if vocab.is_file() {
            return Self::from_vocab(&vocab);
        }
        let (vocab, merges) = (folder.join("vocab.json"), folder.join("merges.txt"));
        if vocab.is_file() && merges.is_file() {
            return Self::from_merges(&vocab, &merges);
        }
        let reason = if folder.join("sentencepiece.bpe.model").is_file() {
            "sentencepiece.bpe.model alone cannot be read here; make a tokenizer.json of it once: \
             transformers.AutoTokenizer.from_pretrained(folder).save_pretrained(folder)"
        } else {
            "none of tokenizer.json, vocab.txt, and vocab.json with merges.txt is in this folder"
        };
        Err(Error::Tokenizer { path: folder.into(), reason: reason.into() })
    }

    /// Reads RoBERTa's byte-level BPE: the ids of `vocab.json` and the rules of `merges.txt`.
    ///
    /// # Errors
    /// A file is not valid, or a special token is not in the vocabulary.
    pub fn from_merges(vocab: &Path, merges: &Path) -> Result<Self> {
        let invalid = |reason: String| Error::Tokenizer { path: vocab.into(), reason };
        let text = |path: &Path| path.to_string_lossy().into_owned();
        let builder = BPE::from_file(&text(vocab), &text(merges)).unk_token("<unk>".into());
        let model = guarded(|| builder.build())
            .map_err(|e| invalid(format!("not a byte-level vocabulary with its merges: {e}")))?;
        let mut inner = HfTokenizer::new(model);
        let id = |token: &str| {
            inner
                .token_to_id(token)
                .ok_or_else(|| invalid(format!("the vocabulary has no {token}; is it RoBERTa's?")))
        };
        let (cls, sep) = (("<s>".to_owned(), id("<s>")?), ("</s>".to_owned(), id("</s>")?));
        inner.with_pre_tokenizer(Some(ByteLevel::default().add_prefix_space(false)));
        inner.with_post_processor(Some(RobertaProcessing::new(sep, cls).add_prefix_space(false)));
        inner.with_decoder(Some(ByteLevel::default()));
        // The mask takes the space before it, as RoBERTa's does.
        let special = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"].into_iter();
        let special: Vec<_> = special
            .filter(|token| inner.token_to_id(token).is_some())
            .map(|token| AddedToken::from(token, true).lstrip(token == "<mask>"))
            .collect();
        inner.add_special_tokens(special).map_err(|e| invalid(e.to_string()))?;
        Self::finish(inner, vocab.into())
    }

    /// The same with lower-casing in front of everything else.
    pub(crate) fn lower_casing(mut self) -> Result<Self> {
        let mut steps = vec![Lowercase.into()];
        steps.extend(self.inner.get_normalizer().cloned());
        self.inner
            .with_normalizer(Some(Sequence::new(steps)))
            .map_err(|e| Error::Tokenizer { path: self.path.clone(), reason: e.to_string() })?;
        Ok(self)
    }

    /// Reads a `vocab.txt` (one word piece a line; BERT's or MPNet's special tokens among them), and the
    /// `tokenizer_config.json` beside it if there is one.
    ///
    /// # Errors
    /// A file is not valid, or a special token is not in the vocabulary.
    pub fn from_vocab(vocab: &Path) -> Result<Self> {
        let invalid = |reason: String| Error::Tokenizer { path: vocab.into(), reason };
        let config_path = vocab.with_file_name("tokenizer_config.json");
        let config = if config_path.is_file() {
            let text = std::fs::read_to_string(&config_path).map_err(Error::io(&config_path))?;
            serde_json::from_str(&text).map_err(|e| Error::Tokenizer {
                path: config_path,
                reason: format!("not a valid tokenizer configuration: {e}"),
            })?
        } else {
            TokenizerConfig::default()
        };
        let model = WordPiece::builder()
            .files(vocab.to_string_lossy().into_owned())
            .unk_token("[UNK]".into())
            .build()
            .map_err(|e| invalid(format!("not a WordPiece vocabulary: {e}")))?;
        let mut inner = HfTokenizer::new(model);
        let id = |token: &str| {
            inner
                .token_to_id(token)
                .ok_or_else(|| invalid(format!("the vocabulary has no {token}; is it BERT's or MPNet's?")))
        };
        let special = if is_of_mpnet(&inner) { SPECIAL_OF_MPNET } else { SPECIAL_OF_BERT };
        let [_, unk, cls, sep, _] = special;
        id(unk)?;
        let (cls, sep) = ((cls.to_owned(), id(cls)?), (sep.to_owned(), id(sep)?));
        inner
            .with_normalizer(Some(BertNormalizer::new(
                true,
                config.tokenize_chinese_chars,
                config.strip_accents,
                config.do_lower_case,
            )))
            .map_err(|e| invalid(e.to_string()))?;
        inner.with_pre_tokenizer(Some(BertPreTokenizer));
        inner.with_post_processor(Some(BertProcessing::new(sep, cls)));
        inner.with_decoder(Some(WordPieceDecoder::default()));
        let special: Vec<_> = special
            .iter()
            .filter(|token| inner.token_to_id(token).is_some())
            // As in the released tokenizers, MPNet's mask takes the space before it.
            .map(|token| AddedToken::from(*token, true).lstrip(*token == "<mask>"))
            .collect();
        inner.add_special_tokens(special).map_err(|e| invalid(e.to_string()))?;
        Self::finish(inner, vocab.into())
    }

    fn finish(mut inner: HfTokenizer, path: PathBuf) -> Result<Self> {
        inner.with_padding(None);
        inner
            .with_truncation(None)
            .map_err(|e| Error::Tokenizer { path: path.clone(), reason: e.to_string() })?;
        let tokenizer = Self { inner, path };
        // What it puts around a sentence has ids of its own in the file, beside those of the vocabulary.
        let around = tokenizer.encode("", usize::MAX)?;
        if let Some(id) = around.into_iter().find(|id| tokenizer.inner.id_to_token(*id).is_none()) {
            let reason =
                format!("id {id} stands around every sentence, but no token of the vocabulary has it");
            return Err(Error::Tokenizer { path: tokenizer.path, reason });
        }
        Ok(tokenizer)
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
        write_whole(path, text.as_bytes())
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
        masks.into_iter().find(|token| self.id(token).is_some()).map(str::to_owned)
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

    /// The ids of one sentence with `[CLS]` and `[SEP]`, at most `max_length` in all: what is too long loses
    /// its end, and keeps `[SEP]`.
    ///
    /// # Errors
    /// The library fails on the text, or `max_length` is below 3.
    pub fn encode(&self, sentence: &str, max_length: usize) -> Result<Vec<u32>> {
        if max_length < 3 {
            return Err(Error::Input(format!("a maximum of {max_length} tokens leaves no room for a word")));
        }
        let encoding = guarded(|| self.inner.encode_fast(sentence, true)).map_err(|e| Error::Tokenizer {
            path: self.path.clone(),
            reason: format!("cannot tokenize {sentence:?}: {e}"),
        })?;
        let ids = encoding.get_ids();
        if ids.len() <= max_length {
            return Ok(ids.to_vec());
        }
        let mut cut = ids[..max_length].to_vec();
        cut[max_length - 1] = ids[ids.len() - 1];
        Ok(cut)
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
