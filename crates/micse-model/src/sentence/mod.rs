//! A complete model: from sentences to embeddings. Development scores, test scores, commands and export all
//! use it.

pub(crate) mod after;
mod encode;
mod pipeline;
mod view;

use std::borrow::Cow;
use std::path::Path;

use candle_core::DType;

use crate::encoder::Encoder;
use crate::export::{self, Form, add_own_modules};
use crate::head::TokenConvolution;
use crate::int8::Quantized;
use crate::modules::AfterPooling;
use crate::post::Stage;
use crate::{Compute, Error, ModelFolder, Pooling, Result, Tokenizer, onnx};

pub use encode::Watch;
pub use pipeline::Pipeline;
pub use view::View;

/// A complete model: an encoder and its [`Pipeline`].
///
/// ```no_run
/// use micse_model::SentenceModel;
///
/// let model = SentenceModel::open("all-MiniLM-L6-v2")?;
/// let rows = model.encode(&["A man plays the guitar.", "Someone makes music."])?;
/// let cosine: f32 = rows[0].iter().zip(&rows[1]).map(|(a, b)| a * b).sum();
/// println!("{cosine:.3}");
/// # Ok::<(), micse_model::Error>(())
/// ```
pub struct SentenceModel<'a> {
    encoder: Part<'a, dyn Encoder + 'a>,
    /// Replaces the pooling.
    convolution: Option<Part<'a, TokenConvolution>>,
    pipeline: Cow<'a, Pipeline>,
}

/// A part that the model owns, or borrows from a trainer.
enum Part<'a, T: ?Sized> {
    Own(Box<T>),
    Lent(&'a T),
}

impl<T: ?Sized> Part<'_, T> {
    fn get(&self) -> &T {
        match self {
            Self::Own(part) => part,
            Self::Lent(part) => part,
        }
    }
}

impl SentenceModel<'static> {
    /// Combines an encoder, a tokenizer and a pooling. Sentences are truncated to the encoder's position
    /// limit.
    pub fn new(encoder: Box<dyn Encoder>, tokenizer: Tokenizer, pooling: Pooling) -> Self {
        let pipeline = Cow::Owned(Pipeline::new(tokenizer, pooling));
        Self { encoder: Part::Own(encoder), convolution: None, pipeline }
    }

    /// Loads a model folder with its own pooling, on the CPU with the fast engine. [`Self::load`] lets you
    /// choose.
    ///
    /// # Errors
    /// Those of [`Self::load`].
    pub fn open(folder: impl AsRef<Path>) -> Result<Self> {
        Self::load(&ModelFolder::open(folder.as_ref())?, None, &Compute::cpu())
    }

    /// Loads a model folder: encoder, convolution and [`Pipeline`]. `pooling` replaces the folder's own.
    /// Unknown keys of its files are reported once, as a warning.
    ///
    /// # Errors
    /// Those of [`Pipeline::load`], and if the weights do not match.
    pub fn load(folder: &ModelFolder, pooling: Option<Pooling>, compute: &Compute) -> Result<Self> {
        Pipeline::load(folder, pooling)?.into_model(folder, compute)
    }
}

impl Pipeline {
    /// Combines this pipeline with the encoder and convolution of the folder that it was read from.
    ///
    /// # Errors
    /// Fails if the weights do not match.
    pub fn into_model(self, folder: &ModelFolder, compute: &Compute) -> Result<SentenceModel<'static>> {
        let encoder = folder.encoder(compute)?;
        let convolution = TokenConvolution::in_folder(folder.path(), encoder.config(), &compute.device)?;
        Ok(SentenceModel {
            encoder: Part::Own(encoder),
            convolution: convolution.map(|convolution| Part::Own(Box::new(convolution))),
            pipeline: Cow::Owned(self),
        })
    }

    /// Combines this pipeline with a borrowed encoder, and a convolution that replaces the pooling, if any.
    pub fn with<'a>(
        &'a self,
        encoder: &'a dyn Encoder,
        convolution: Option<&'a TokenConvolution>,
    ) -> SentenceModel<'a> {
        SentenceModel {
            encoder: Part::Lent(encoder),
            convolution: convolution.map(Part::Lent),
            pipeline: Cow::Borrowed(self),
        }
    }
}

impl SentenceModel<'_> {
    /// The same model with only the first `entries` of each embedding, after all modules, as with
    /// sentence-transformers' `truncate_dim`; it replaces the folder's own truncation. Embeddings trained for it
    /// (Matryoshka representations, Kusupati et al. 2022) lose little. A truncated unit vector is shorter than 1;
    /// the cosine does not depend on the length.
    ///
    /// # Errors
    /// Fails if `entries` is 0, or more than the embeddings have without truncation.
    pub fn truncated_to(mut self, entries: usize) -> Result<Self> {
        let whole = self.pipeline.whole_dimension(self.pooled_dimension());
        self.pipeline = Cow::Owned(self.pipeline.into_owned().truncated_to(entries, whole)?);
        Ok(self)
    }

    /// The embeddings of sentences: one row of [`Self::dimension`] entries each, in order.
    ///
    /// # Errors
    /// Fails if a sentence cannot be tokenized.
    pub fn encode<S: AsRef<str> + Sync>(&self, sentences: &[S]) -> Result<Vec<Vec<f32>>> {
        self.encode_watched(sentences, &|_| true)
    }

    /// [`Self::encode`], with a function that learns of the progress and may stop it.
    ///
    /// # Errors
    /// Fails if a sentence cannot be tokenized, or with [`Error::Stopped`].
    pub fn encode_watched<S: AsRef<str> + Sync>(
        &self,
        sentences: &[S],
        watch: &Watch<'_>,
    ) -> Result<Vec<Vec<f32>>> {
        self.pipeline.encode(self.encoder(), self.convolution(), sentences, watch)
    }

    /// The rows of [`Self::encode`] before whitening, flow and truncation to `truncate_dim`: the input for
    /// fitting a whitening. `ids` come from [`Pipeline::tokenize`].
    ///
    /// # Errors
    /// Fails if a sentence does not fit the encoder.
    pub fn encode_before_stage(&self, ids: &[Vec<u32>]) -> Result<Vec<Vec<f32>>> {
        let pooled = self.pipeline.encode_pooled(self.encoder(), self.convolution(), ids, &|_| true)?;
        after::apply_modules(&self.pipeline.steps, pooled)
    }

    /// Writes the model as a folder that sentence-transformers loads (see [`crate::save_model`]), with all
    /// modules after its pooling. `base` is the folder that the model came from; its prompts and other
    /// settings are carried over. sentence-transformers has no module for a convolution, whitening or flow,
    /// so the folder then names a module of this project. The library rejects such a folder instead of
    /// ignoring the part.
    ///
    /// # Errors
    /// Those of [`crate::save_model`], and if other modules follow a convolution, which no folder can
    /// express.
    pub fn save(&self, folder: &Path, base: &ModelFolder, dtype: DType) -> Result<()> {
        self.save_as(folder, base, Form::Floats(dtype), &[])
    }

    /// [`Self::save`] with linear layers and the word table in 8 bits; only this project loads such a folder.
    ///
    /// # Errors
    /// Those of [`Self::save`].
    pub fn save_int8(&self, folder: &Path, base: &ModelFolder, quantized: &Quantized) -> Result<()> {
        self.save_as(folder, base, Form::Int8(quantized), &[Quantized::MODULE])
    }

    /// Writes the model for onnxruntime, transformers.js and fastembed: `onnx/model.onnx` (opset 17, f32), from
    /// `input_ids`, `attention_mask` and, for BERT, `token_type_ids` to `token_embeddings` and `sentence_embedding`, with
    /// pooling, the modules after it, and truncation inside; and the configuration and tokenizer files of [`Self::save`],
    /// with the tokenizer in effect as `tokenizer.json`. The prompt is not part of the file: the caller prepends it.
    ///
    /// # Errors
    /// Those of [`Self::save`], and if the model has a part that the file cannot express (a convolution, a whitening or
    /// flow, a prompt that the pooling skips), or more than 2 GiB.
    pub fn save_onnx(&self, folder: &Path, base: &ModelFolder) -> Result<()> {
        let parts = onnx::file(self)?;
        self.save_as(folder, base, Form::Onnx(&parts, self.tokenizer()), &[])
    }

    fn save_as(&self, folder: &Path, base: &ModelFolder, form: Form<'_>, modules: &[&str]) -> Result<()> {
        let pipeline = self.pipeline();
        if self.convolution.is_some() && !pipeline.steps.is_empty() {
            return Err(Error::Input(
                "a convolution followed by a Dense or Normalize module cannot be written as a folder".into(),
            ));
        }
        export::save_with(folder, self.encoder(), base, pipeline.pooling, form, &|folder| {
            for step in &pipeline.steps {
                export::add_step(folder, step)?;
            }
            if let Some(convolution) = self.convolution() {
                convolution.save(folder)?;
            }
            if let Some(stage) = &pipeline.stage {
                stage.save(folder)?;
            }
            if let Some(entries) = pipeline.truncate_dim {
                export::set_truncate_dim(folder, entries)?;
            }
            add_own_modules(folder, modules)?;
            add_own_modules(folder, &self.own_modules())
        })
    }

    /// The module names of the parts that only this project supports.
    pub fn own_modules(&self) -> Vec<&'static str> {
        let convolution = self.convolution.as_ref().map(|_| TokenConvolution::MODULE);
        convolution.into_iter().chain(self.stage().map(|_| Stage::MODULE)).collect()
    }

    /// Everything except the encoder and the convolution.
    pub fn pipeline(&self) -> &Pipeline {
        &self.pipeline
    }

    /// The encoder.
    pub fn encoder(&self) -> &dyn Encoder {
        self.encoder.get()
    }

    /// The convolution over token states that replaces the pooling.
    pub fn convolution(&self) -> Option<&TokenConvolution> {
        self.convolution.as_ref().map(Part::get)
    }

    /// Number of entries per embedding.
    pub fn dimension(&self) -> usize {
        self.pipeline.dimension(self.pooled_dimension())
    }

    /// Number of entries after the pooling, or after the convolution that replaces it.
    fn pooled_dimension(&self) -> usize {
        let hidden = self.encoder().config().hidden_size;
        self.convolution().map_or(hidden, TokenConvolution::columns)
    }

    /// The number of entries that are kept of an embedding, if it is truncated.
    pub fn truncate_dim(&self) -> Option<usize> {
        self.pipeline.truncate_dim
    }

    /// Maximum number of tokens per sentence; longer sentences are truncated.
    pub fn max_length(&self) -> usize {
        self.pipeline.limit(self.encoder().config().max_position_embeddings)
    }

    /// The pooling.
    pub fn pooling(&self) -> Pooling {
        self.pipeline.pooling
    }

    /// The modules after the pooling, in order.
    pub fn after_pooling(&self) -> &[AfterPooling] {
        &self.pipeline.steps
    }

    /// The whitening or flow after these modules.
    pub fn stage(&self) -> Option<&Stage> {
        self.pipeline.stage()
    }

    /// The text that is prepended to every sentence; usually empty.
    pub fn prompt(&self) -> &str {
        &self.pipeline.prompt
    }

    /// The same model with another text before every sentence (see [`Pipeline::with_prompt`]).
    ///
    /// # Errors
    /// Fails if the folder excludes prompts from its pooling, and the prompt cannot be tokenized.
    pub fn with_prompt(mut self, prompt: &str, folder: &ModelFolder) -> Result<Self> {
        self.pipeline = Cow::Owned(self.pipeline.into_owned().with_prompt(prompt, folder)?);
        Ok(self)
    }

    /// The tokenizer.
    pub fn tokenizer(&self) -> &Tokenizer {
        &self.pipeline.tokenizer
    }
}
