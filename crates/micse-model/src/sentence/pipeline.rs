//! The parts of a model besides its encoder: from a sentence to token IDs, and from token states to its
//! embedding.

use std::num::NonZeroUsize;

use super::after::{
    apply_modules, check_dimensions, check_finite, check_truncation, output_dimension, truncate,
};
use super::encode::{BATCH_TOKENS, Reading, Watch, encode_ids};
use crate::encoder::Encoder;
use crate::head::TokenConvolution;
use crate::modules::{self, AfterPooling};
use crate::post::Stage;
use crate::{Dense, DenseActivation, Error, ModelFolder, Pooling, Result, Tokenizer};

/// A model without its encoder: tokenizer, prompt, token limit, pooling, the modules after the pooling,
/// whitening or flow, and the number of entries to keep. A run scores and saves the encoder that it trains
/// through the pipeline of its base folder.
///
/// ```
/// use micse_model::{Compute, ModelFolder, Pipeline};
///
/// # let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../data/encoder");
/// let folder = ModelFolder::open(path.as_ref())?;
/// let pipeline = Pipeline::load(&folder, None)?;
/// let encoder = folder.encoder(&Compute::cpu())?;
/// let rows = pipeline.with(encoder.as_ref(), None).encode(&["A man plays the guitar."])?;
/// assert_eq!(rows[0].len(), 256);
/// # Ok::<(), micse_model::Error>(())
/// ```
#[derive(Clone)]
pub struct Pipeline {
    pub(super) tokenizer: Tokenizer,
    pub(super) prompt: String,
    /// Leading tokens that the pooling skips, if the folder excludes the prompt from it.
    pub(super) skip: usize,
    /// The folder's own token limit.
    pub(super) max_length: Option<usize>,
    pub(super) pooling: Pooling,
    pub(super) pad_to: usize,
    pub(super) steps: Vec<AfterPooling>,
    pub(super) stage: Option<Stage>,
    pub(super) truncate_dim: Option<usize>,
    /// Tokens per batch.
    pub(super) batch_tokens: usize,
}

impl Pipeline {
    /// Only a tokenizer and a pooling. Sentences are truncated to the encoder's position limit.
    pub fn new(tokenizer: Tokenizer, pooling: Pooling) -> Self {
        Self {
            tokenizer,
            prompt: String::new(),
            skip: 0,
            max_length: None,
            pooling,
            pad_to: 0,
            steps: Vec::new(),
            stage: None,
            truncate_dim: None,
            batch_tokens: BATCH_TOKENS,
        }
    }

    /// Reads a model folder; `pooling` replaces the folder's own. The pipeline does what
    /// sentence-transformers does: sentences get the default prompt, if any, and are truncated to
    /// `max_seq_length`; the modules after the pooling are applied in order; `truncate_dim` entries are kept.
    /// Unknown keys of the folder's files are reported once per process, as a warning.
    ///
    /// # Errors
    /// Fails if the folder is not a model, if neither the folder nor `pooling` defines a pooling, or if a
    /// module is not supported or does not match the previous one.
    pub fn load(folder: &ModelFolder, pooling: Option<Pooling>) -> Result<Self> {
        let own = || -> Result<Pooling> {
            folder.pooling()?.ok_or_else(|| Error::NoPooling { folder: folder.root().into() })
        };
        let pooling = pooling.map_or_else(own, Ok)?;
        let settings = modules::settings(folder.root())?;
        let behind = modules::behind(folder.root())?;
        let mut pipeline = Self {
            max_length: folder.max_length()?,
            steps: behind.steps,
            stage: Stage::load(folder.root())?,
            truncate_dim: settings.truncate_dim,
            prompt: settings.prompt,
            ..Self::new(folder.tokenizer()?, pooling)
        };
        pipeline.skip_prompt(folder)?;
        let config = folder.config()?;
        let convolution = TokenConvolution::columns_in_folder(folder.path())?;
        let missing = |listed: bool, there: bool, module: &str, file: &str| {
            if !listed || there {
                return Ok(());
            }
            Err(Error::Config {
                path: folder.root().join("modules.json"),
                reason: format!(
                    "it lists micse.{module}, but {file} is missing; copy the complete model folder"
                ),
            })
        };
        missing(behind.stage, pipeline.stage.is_some(), Stage::MODULE, "post.json")?;
        missing(
            behind.convolution,
            convolution.is_some(),
            TokenConvolution::MODULE,
            TokenConvolution::SHAPE,
        )?;
        let pooled = convolution.unwrap_or(config.hidden_size);
        check_dimensions(&pipeline.steps, pipeline.stage.as_ref(), pooled, folder.root())?;
        folder.warn_of_what_is_ignored(pipeline.tokenizer.replaced_parts());
        Ok(pipeline)
    }

    /// The number of leading tokens that the pooling skips, for the present prompt.
    fn skip_prompt(&mut self, folder: &ModelFolder) -> Result<()> {
        self.skip = 0;
        if modules::includes_prompt(folder.root())? || self.prompt.is_empty() {
            return Ok(());
        }
        if !matches!(self.pooling, Pooling::Cls | Pooling::Mean) {
            return Err(Error::Input(format!(
                "{}: the folder excludes its prompt from the pooling, which is supported only for cls and mean, \
                 not for {}; choose one of these",
                folder.root().display(),
                self.pooling
            )));
        }
        let limit = self.limit(folder.config()?.max_position_embeddings);
        self.skip = self.tokenizer.prompt_tokens(&self.prompt, limit)?;
        Ok(())
    }

    /// The same pipeline with another text before every sentence; `folder` is the one that it was read from.
    ///
    /// # Errors
    /// Fails if the folder excludes prompts from its pooling, and the prompt cannot be tokenized.
    pub fn with_prompt(mut self, prompt: &str, folder: &ModelFolder) -> Result<Self> {
        prompt.clone_into(&mut self.prompt);
        self.skip_prompt(folder)?;
        Ok(self)
    }

    /// The same pipeline with another limit on the tokens of a sentence; it never exceeds the encoder's positions.
    ///
    /// # Errors
    /// Fails if the limit leaves no room for a word.
    pub fn with_max_length(mut self, tokens: usize) -> Result<Self> {
        if tokens < 3 {
            return Err(Error::Input(modules::too_short("max_seq_length", tokens)));
        }
        self.max_length = Some(tokens);
        Ok(self)
    }

    /// The same pipeline with this many tokens per batch of [`SentenceModel::encode`](crate::SentenceModel::encode),
    /// or one sentence if it has more. The default, 2,048, suits the caches of most CPUs.
    #[must_use]
    pub fn with_batch_tokens(self, tokens: NonZeroUsize) -> Self {
        Self { batch_tokens: tokens.get(), ..self }
    }

    /// For a pooling that counts pads: truncates and pads sentences to `length` tokens (or to the encoder's
    /// number of positions, if smaller). Has no effect on other poolings.
    #[must_use]
    pub fn padded_to(mut self, length: usize) -> Self {
        if self.pooling == Pooling::MeanWithPads {
            self.pad_to = length;
        }
        self
    }

    /// The same pipeline with the pooling cls or mean.
    ///
    /// # Errors
    /// Fails for any other pooling.
    pub fn with_pooling(self, pooling: Pooling) -> Result<Self> {
        match pooling {
            Pooling::Cls | Pooling::Mean => Ok(Self { pooling, ..self }),
            other => Err(Error::Input(format!("the pooling must be cls or mean, not {other}"))),
        }
    }

    /// Whether the pooling skips the prompt's tokens.
    pub fn skips_prompt(&self) -> bool {
        self.skip > 0
    }

    /// The same pipeline with a whitening or flow at the end.
    ///
    /// # Errors
    /// Fails if it already has one.
    pub fn with_stage(mut self, stage: Stage) -> Result<Self> {
        if let Some(own) = &self.stage {
            return Err(Error::Input(format!(
                "the model ends in a {} (fitted on {}); a {} cannot follow it",
                own.kind(),
                own.fitted_on(),
                stage.kind()
            )));
        }
        self.stage = Some(stage);
        Ok(self)
    }

    /// The same pipeline with its whitening as a linear layer, for which sentence-transformers has a module.
    /// Without a whitening, nothing changes.
    ///
    /// # Errors
    /// Fails if it ends in a flow, which is not linear.
    pub fn with_linear_stage(mut self) -> Result<Self> {
        match self.stage.take() {
            Some(Stage::Whitening { whitening, .. }) => {
                let (weight, bias) = whitening.weight_and_bias();
                let inputs = whitening.input_dimension();
                let dense = Dense::new(weight, Some(bias), inputs, DenseActivation::Identity)?;
                self.steps.push(AfterPooling::Dense(dense));
                Ok(self)
            }
            Some(Stage::Flow { .. }) => {
                Err(Error::Input("a flow cannot be written as a linear layer".into()))
            }
            None => Ok(self),
        }
    }

    /// The same pipeline that keeps the first `entries` of the `whole` entries of an embedding.
    pub(super) fn truncated_to(mut self, entries: usize, whole: usize) -> Result<Self> {
        check_truncation(entries, whole)?;
        self.truncate_dim = Some(entries);
        Ok(self)
    }

    /// The same pipeline that keeps all entries of an embedding, whatever the folder says.
    #[must_use]
    pub fn untruncated(self) -> Self {
        Self { truncate_dim: None, ..self }
    }

    /// The folder's own token limit, if any.
    pub fn max_length(&self) -> Option<usize> {
        self.max_length
    }

    /// The tokenizer.
    pub fn tokenizer(&self) -> &Tokenizer {
        &self.tokenizer
    }

    /// The pooling.
    pub fn pooling(&self) -> Pooling {
        self.pooling
    }

    /// The text that is prepended to every sentence; usually empty.
    pub fn prompt(&self) -> &str {
        &self.prompt
    }

    /// The modules after the pooling, in order.
    pub fn after_pooling(&self) -> &[AfterPooling] {
        &self.steps
    }

    /// The whitening or flow after these modules.
    pub fn stage(&self) -> Option<&Stage> {
        self.stage.as_ref()
    }

    /// The number of entries that are kept, if the folder limits it.
    pub fn truncate_dim(&self) -> Option<usize> {
        self.truncate_dim
    }

    /// The parts that training does not change, for messages: modules with weights, prompt, kept entries.
    pub fn kept_parts(&self) -> Vec<String> {
        let mut parts: Vec<String> = self
            .steps
            .iter()
            .filter_map(|step| match step {
                AfterPooling::Dense(dense) => {
                    Some(format!("a Dense layer ({} to {})", dense.inputs(), dense.outputs()))
                }
                AfterPooling::LayerNorm(_) => Some("a LayerNorm module".into()),
                AfterPooling::Normalize | AfterPooling::Dropout(_) => None,
            })
            .collect();
        if !self.prompt.is_empty() {
            parts.push(format!("the default prompt {:?}", self.prompt));
        }
        parts.extend(self.truncate_dim.map(|n| format!("truncation to {n} entries")));
        parts
    }

    /// Maximum number of tokens per sentence, for an encoder with this many positions.
    pub(super) fn limit(&self, positions: usize) -> usize {
        let limit = self.max_length.map_or(positions, |own| own.min(positions));
        if self.pad_to > 0 { limit.min(self.pad_to) } else { limit }
    }

    /// Number of entries of an embedding with `pooled` entries after the pooling.
    pub(super) fn dimension(&self, pooled: usize) -> usize {
        let rows = self.whole_dimension(pooled);
        self.truncate_dim.map_or(rows, |n| n.min(rows))
    }

    /// [`Self::dimension`] without truncation.
    pub(super) fn whole_dimension(&self, pooled: usize) -> usize {
        output_dimension(&self.steps, self.stage.as_ref(), pooled)
    }

    /// The token IDs of sentences with the prompt, at most `limit` each.
    ///
    /// # Errors
    /// Fails if a sentence cannot be tokenized.
    pub fn tokenize<S: AsRef<str> + Sync>(&self, sentences: &[S], limit: usize) -> Result<Vec<Vec<u32>>> {
        if self.prompt.is_empty() {
            return self.tokenizer.encode_all(sentences, limit);
        }
        let prompted: Vec<String> =
            sentences.iter().map(|s| format!("{}{}", self.prompt, s.as_ref())).collect();
        self.tokenizer.encode_all(&prompted, limit)
    }

    /// The embeddings: one row per sentence, in the given order.
    pub(super) fn encode<S: AsRef<str> + Sync>(
        &self,
        encoder: &dyn Encoder,
        convolution: Option<&TokenConvolution>,
        sentences: &[S],
        watch: &Watch<'_>,
    ) -> Result<Vec<Vec<f32>>> {
        let ids = self.tokenize(sentences, self.limit(encoder.config().max_position_embeddings))?;
        if let Some(empty) = ids.iter().position(Vec::is_empty) {
            return Err(Error::Input(format!(
                "the sentence {:?} has no tokens, and this tokenizer adds none; remove the sentence",
                sentences[empty].as_ref()
            )));
        }
        let rows = self.finish(self.encode_pooled(encoder, convolution, &ids, watch)?)?;
        check_finite(&rows, sentences)?;
        Ok(rows)
    }

    /// From pooled rows to embeddings: the modules after the pooling, whitening or flow, truncation.
    pub(super) fn finish(&self, pooled: Vec<Vec<f32>>) -> Result<Vec<Vec<f32>>> {
        let rows = apply_modules(&self.steps, pooled)?;
        let mut rows = match &self.stage {
            Some(stage) => stage.transform(&rows)?,
            None => rows,
        };
        truncate(&mut rows, self.truncate_dim);
        Ok(rows)
    }

    /// The pooled rows of tokenized sentences, before the modules after the pooling.
    pub(super) fn encode_pooled(
        &self,
        encoder: &dyn Encoder,
        convolution: Option<&TokenConvolution>,
        ids: &[Vec<u32>],
        watch: &Watch<'_>,
    ) -> Result<Vec<Vec<f32>>> {
        encode_ids(encoder, ids, self.reading(encoder, convolution), self.batch_tokens, watch)
    }

    /// How the token states of this encoder become a row.
    pub(super) fn reading<'a>(
        &self,
        encoder: &dyn Encoder,
        convolution: Option<&'a TokenConvolution>,
    ) -> Reading<'a> {
        let pad_to = self.pad_to.min(encoder.config().max_position_embeddings);
        Reading { pooling: self.pooling, convolution, pad_to, skip: self.skip }
    }
}
