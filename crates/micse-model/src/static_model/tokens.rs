//! From a sentence to the IDs of its tokens: `tokenizer.json` as it is, without tokens around the sentence.

use std::path::PathBuf;

use serde_json::Value;
use tokenizers::Tokenizer as HfTokenizer;
use tokenizers::utils::truncation::TruncationParams;

use super::folder::{Layout, StaticFolder};
use crate::files::read_text;
use crate::tokenizer::guarded;
use crate::{Error, Result};

/// Splits sentences into tokens.
#[derive(Clone)]
pub(super) struct Splitter {
    inner: HfTokenizer,
    path: PathBuf,
    /// model2vec drops the unknown token; sentence-transformers averages its vector with the others.
    dropped: Option<u32>,
    /// model2vec first truncates the text to so many characters.
    characters: Option<usize>,
}

impl Splitter {
    pub(super) fn load(folder: &StaticFolder) -> Result<Self> {
        let path = folder.tokenizer_path();
        let invalid = |reason: String| Error::Tokenizer { path: path.clone(), reason };
        if !path.is_file() {
            return Err(invalid("no such file; copy the complete model folder".into()));
        }
        let text = read_text(&path)?;
        let json: Value =
            serde_json::from_str(&text).map_err(|e| invalid(format!("invalid tokenizer file: {e}")))?;
        let mut inner = guarded(|| HfTokenizer::from_bytes(text.as_bytes()).map_err(|e| e.to_string()))
            .map_err(|e| invalid(format!("invalid tokenizer file: {e}")))?;
        inner.with_padding(None);
        let (mut dropped, mut characters) = (None, None);
        if let Layout::Model2Vec { max_length, .. } = folder.layout() {
            let truncation =
                max_length.map(|max_length| TruncationParams { max_length, ..TruncationParams::default() });
            inner.with_truncation(truncation).map_err(|e| invalid(e.to_string()))?;
            dropped = unknown(&inner, &json["model"]);
            characters = max_length.map(|length| length.saturating_mul(median_length(&inner)));
        }
        Ok(Self { inner, path, dropped, characters })
    }

    /// The tokens whose vectors are averaged.
    pub(super) fn encode(&self, sentence: &str) -> Result<Vec<u32>> {
        let end = self.characters.and_then(|n| sentence.char_indices().nth(n)).map(|(end, _)| end);
        let sentence = &sentence[..end.unwrap_or(sentence.len())];
        let encoding = guarded(|| self.inner.encode_fast(sentence, false)).map_err(|e| Error::Tokenizer {
            path: self.path.clone(),
            reason: format!("cannot tokenize {sentence:?}: {e}"),
        })?;
        Ok(encoding.get_ids().iter().copied().filter(|id| Some(*id) != self.dropped).collect())
    }

    /// Checks that every ID has one of the `rows` vectors.
    pub(super) fn check_fits(&self, rows: usize) -> Result<()> {
        let size = self.inner.get_vocab(true).into_values().max().map_or(0, |id| id as usize + 1);
        if size <= rows {
            return Ok(());
        }
        Err(Error::Tokenizer {
            path: self.path.clone(),
            reason: format!(
                "the tokenizer has {size} IDs, but only {rows} have a vector; use the tokenizer that belongs to the \
                 vectors"
            ),
        })
    }

    pub(super) fn max_length(&self) -> Option<usize> {
        self.inner.get_truncation().map(|truncation| truncation.max_length)
    }

    pub(super) fn token(&self, id: u32) -> Option<String> {
        self.inner.id_to_token(id)
    }
}

/// The ID of the unknown token, from the section `model` of a `tokenizer.json`.
fn unknown(inner: &HfTokenizer, model: &Value) -> Option<u32> {
    match model.get("unk_id") {
        Some(id) if model.get("unk_token").is_none() => id.as_u64().map(|id| id as u32),
        _ => inner.token_to_id(model.get("unk_token")?.as_str()?),
    }
}

/// The median number of characters of a token, rounded down.
fn median_length(inner: &HfTokenizer) -> usize {
    let mut lengths: Vec<usize> =
        inner.get_vocab(true).into_keys().map(|token| token.chars().count()).collect();
    lengths.sort_unstable();
    match lengths.len() {
        0 => 0,
        count => usize::midpoint(lengths[(count - 1) / 2], lengths[count / 2]),
    }
}
