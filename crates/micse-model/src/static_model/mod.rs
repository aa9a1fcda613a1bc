//! Models without an encoder: a vector per token, averaged over the tokens of a sentence. sentence-transformers calls
//! the module `StaticEmbedding`; model2vec writes such folders (potion).
//!
//! `y = (1/n) sum_i V[t_i]`, for the n tokens t_i of the sentence, without special tokens around it; zeros for a
//! sentence without tokens. Modules after it, the prompt and the truncation are those of other models.

mod folder;
mod table;
mod tokens;

use std::path::Path;

use rayon::prelude::*;

use crate::modules::AfterPooling;
use crate::sentence::after::{
    apply_modules, check_dimensions, check_finite, check_truncation, output_dimension, truncate,
};
use crate::{Pooling, Result};

pub use folder::StaticFolder;
use table::TokenTable;
use tokens::Splitter;

/// A table of token vectors, and how sentences are split into tokens.
///
/// ```no_run
/// use micse_model::StaticModel;
///
/// let model = StaticModel::open("potion-base-8M")?;
/// let rows = model.encode(&["A man plays the guitar."])?;
/// assert_eq!(rows[0].len(), model.dimension());
/// # Ok::<(), micse_model::Error>(())
/// ```
#[derive(Clone)]
pub struct StaticModel {
    tokens: Splitter,
    table: TokenTable,
    prompt: String,
    steps: Vec<AfterPooling>,
    truncate_dim: Option<usize>,
}

impl StaticModel {
    /// Loads a model folder.
    ///
    /// # Errors
    /// Those of [`StaticFolder::open`] and [`Self::load`].
    pub fn open(folder: impl AsRef<Path>) -> Result<Self> {
        Self::load(&StaticFolder::open(folder.as_ref())?)
    }

    /// Loads the table, the tokenizer and the modules after the table. Unknown keys of the folder's files are reported
    /// once, as a warning.
    ///
    /// # Errors
    /// Fails if a file is missing or invalid, if the tokenizer has IDs without a vector, or if a module is not supported
    /// or does not match the previous one.
    pub fn load(folder: &StaticFolder) -> Result<Self> {
        let settings = folder.settings()?;
        let (tokens, table) = (Splitter::load(folder)?, TokenTable::load(folder)?);
        tokens.check_fits(table.tokens())?;
        let steps = folder.after_table()?;
        check_dimensions(&steps, None, table.dimension(), folder.root())?;
        folder.warn_of_unknown_keys();
        Ok(Self { tokens, table, prompt: settings.prompt, steps, truncate_dim: settings.truncate_dim })
    }

    /// The embeddings of sentences: one row of [`Self::dimension`] entries each, in order.
    ///
    /// # Errors
    /// Fails if a sentence cannot be tokenized.
    pub fn encode<S: AsRef<str> + Sync>(&self, sentences: &[S]) -> Result<Vec<Vec<f32>>> {
        self.encode_with(&self.prompt, self.truncate_dim, sentences)
    }

    /// [`Self::encode`] with another text before every sentence than the folder's prompt, and another number of entries
    /// to keep than the folder's; `None` keeps all, and so does a number above [`Self::whole_dimension`].
    ///
    /// # Errors
    /// Fails if a sentence cannot be tokenized.
    pub fn encode_with<S: AsRef<str> + Sync>(
        &self,
        prompt: &str,
        truncate_dim: Option<usize>,
        sentences: &[S],
    ) -> Result<Vec<Vec<f32>>> {
        let mean = |sentence: &S| Ok(self.table.mean(&self.prompted_ids(prompt, sentence.as_ref())?));
        let rows = sentences.par_iter().map(mean).collect::<Result<Vec<_>>>()?;
        let mut rows = apply_modules(&self.steps, rows)?;
        truncate(&mut rows, truncate_dim);
        check_finite(&rows, sentences)?;
        Ok(rows)
    }

    /// The same model with another text before every sentence.
    #[must_use]
    pub fn with_prompt(self, prompt: &str) -> Self {
        Self { prompt: prompt.to_owned(), ..self }
    }

    /// The token IDs of a sentence with the prompt, whose vectors are averaged; may be empty.
    ///
    /// # Errors
    /// Fails if the sentence cannot be tokenized.
    pub fn ids(&self, sentence: &str) -> Result<Vec<u32>> {
        self.prompted_ids(&self.prompt, sentence)
    }

    fn prompted_ids(&self, prompt: &str, sentence: &str) -> Result<Vec<u32>> {
        if prompt.is_empty() {
            return self.tokens.encode(sentence);
        }
        self.tokens.encode(&format!("{prompt}{sentence}"))
    }

    /// The same model with only the first `entries` of each embedding (see
    /// [`crate::SentenceModel::truncated_to`]).
    ///
    /// # Errors
    /// Fails if `entries` is 0, or more than the embeddings have without truncation.
    pub fn truncated_to(self, entries: usize) -> Result<Self> {
        check_truncation(entries, self.whole_dimension())?;
        Ok(Self { truncate_dim: Some(entries), ..self })
    }

    /// Number of entries per embedding.
    pub fn dimension(&self) -> usize {
        let whole = self.whole_dimension();
        self.truncate_dim.map_or(whole, |n| n.min(whole))
    }

    /// [`Self::dimension`] without truncation.
    pub fn whole_dimension(&self) -> usize {
        output_dimension(&self.steps, None, self.table.dimension())
    }

    /// The number of entries that are kept of an embedding, if it is truncated.
    pub fn truncate_dim(&self) -> Option<usize> {
        self.truncate_dim
    }

    /// Maximum number of tokens per sentence, if there is one; longer sentences are truncated.
    pub fn max_length(&self) -> Option<usize> {
        self.tokens.max_length()
    }

    /// Always the mean, of token vectors.
    pub fn pooling(&self) -> Pooling {
        Pooling::Mean
    }

    /// The modules after the table, in order.
    pub fn after_table(&self) -> &[AfterPooling] {
        &self.steps
    }

    /// The text that is prepended to every sentence; usually empty.
    pub fn prompt(&self) -> &str {
        &self.prompt
    }

    /// Number of token IDs with a vector.
    pub fn vocabulary_size(&self) -> usize {
        self.table.tokens()
    }

    /// Number of entries of a token's vector.
    pub fn token_dimension(&self) -> usize {
        self.table.dimension()
    }

    /// Number of stored entries of token vectors; tokens may share them.
    pub fn parameter_count(&self) -> usize {
        self.table.parameters()
    }

    /// The text of a token; `None` for an unused ID.
    pub fn token(&self, id: u32) -> Option<String> {
        self.tokens.token(id)
    }
}
