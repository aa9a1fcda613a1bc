//! Replaced-token detection (Chuang et al. 2022, `DiffCSE`).
//!
//! A frozen masked-LM (the initial encoder with its prediction head) fills masked tokens of each sentence with its most
//! likely tokens; in the released code, it replaces the tokens that were not masked too. A discriminator, a second encoder, reads the filled sentence with the sentence's embedding in place
//! of its `[CLS]` embedding, and classifies each token as replaced or not. The more the embedding encodes of the
//! sentence, the better the discriminator can do so; that gradient trains the online encoder.

use candle_core::Tensor;
use micse_data::Masking;
use micse_data::augment::Form;
use micse_losses::replaced_tokens;
use micse_model::{Batch, Dropout, HeadPass, Mode, Padding, Pass, Taps, WORD_TABLE};
use micse_random::Stream;
use serde::{Deserialize, Serialize};

use crate::masked_lm::MaskedBatch;
use crate::networks::NetworkKind;
use crate::recipe::{Recipe, check_rate};
use crate::term::{Needs, Term, TermResult};
use crate::trainer::{StepStart, StepView, purpose};

/// The discriminator's coordinate in the dropout key, distinct from the coordinates of the views' towers.
const DISCRIMINATOR: u64 = 3;

/// Replaced-token detection (Chuang et al. 2022, `DiffCSE`): a frozen masked-LM fills masked tokens, and a
/// discriminator, a second encoder whose `[CLS]` embedding is the sentence's embedding, finds the replaced tokens.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReplacedTokens {
    /// The factor of the term.
    pub weight: f64,
    /// The share of tokens that are masked for the generator.
    pub rate: f64,
    /// Which tokens the generator replaces.
    #[serde(default, skip_serializing_if = "crate::recipe::is_default")]
    pub form: Form,
}

impl Term for ReplacedTokens {
    fn name(&self) -> &'static str {
        "replaced-tokens"
    }

    fn needs(&self) -> Needs {
        const NETWORKS: &[NetworkKind] = &[
            NetworkKind::Generator,
            NetworkKind::GeneratorHead,
            NetworkKind::Discriminator,
            NetworkKind::DiscriminatorHead,
        ];
        Needs { tokens: true, masks: true, networks: NETWORKS, reads: Some(2), ..Needs::views(1) }
    }

    fn check(&self, _: &Recipe) -> TermResult<()> {
        Ok(check_rate("objectives.replaced-tokens.rate", self.rate)?)
    }

    /// The mean over the first two passes.
    fn loss(&self, step: &StepView<'_>) -> TermResult<Tensor> {
        let start = step.start();
        let stream = start.stream(purpose::REPLACED);
        let passes = step.rows().len().min(2);
        let mut sum: Option<Tensor> = None;
        for (number, rows) in step.rows().iter().take(passes).enumerate() {
            let filled = self.fill(start, stream.with(number as u64))?;
            let dropout = start.dropout(DISCRIMINATOR, number, start.rate(number));
            let loss = discriminate(start, &filled, rows, dropout)?;
            sum = Some(match sum {
                Some(sum) => (sum + loss)?,
                None => loss,
            });
        }
        Ok((sum.ok_or("no passes")? / passes as f64)?)
    }
}

/// Sentences with replaced tokens.
struct Filled {
    batch: Batch,
    /// For each row, whether its token differs from the sentence's.
    replaced: Vec<bool>,
}

impl ReplacedTokens {
    /// The sentences, with masked tokens (in the released code: all tokens but the first) replaced by the generator's
    /// most likely tokens.
    fn fill(&self, start: &StepStart<'_>, masks: Stream) -> TermResult<Filled> {
        let ids = start.ids();
        let generator = start.networks().encoder_of(NetworkKind::Generator).ok_or("no generator")?;
        let head = start.networks().masked_lm_head(NetworkKind::GeneratorHead).ok_or_else(|| {
            crate::Error::Model(micse_model::Error::Input(
                "replaced-tokens needs a masked-LM head, but the encoder's folder has none (mlm_head.safetensors, or \
                 cls.predictions among its weights); use an encoder that was saved with one"
                    .into(),
            ))
        })?;
        let masking = Masking { rate: self.rate, whole_words: false };
        let padding = (Padding::Drop, generator.config().pad_token_id);
        let masked = MaskedBatch::new(ids, masking, start.mask_vocabulary()?, padding, masks)?;
        let mut filled: Vec<Vec<u32>> = ids.to_vec();
        let first = masked.batch.first_rows();
        let rows: Vec<u32> = match self.form {
            Form::Paper => masked.rows.clone(),
            Form::ReleasedCode => {
                let rows = 0..masked.batch.rows() as u32;
                rows.filter(|&row| first.binary_search(&(row as usize)).is_err()).collect()
            }
        };
        if !rows.is_empty() {
            let taps = Taps { tokens: rows.clone(), ..Taps::default() };
            let pass = Pass { mode: Mode::Evaluation, gradients: false, taps };
            let leaves = generator.forward(&masked.batch, &pass)?;
            let states = leaves.tokens.ok_or("the generator returned no token states")?;
            let scores = head.scores(&states, &generator.value(WORD_TABLE)?)?.detach();
            let likely = scores.argmax(1)?.to_vec1::<u32>()?;
            for (&row, token) in rows.iter().zip(likely) {
                let sentence = first.partition_point(|&f| f <= row as usize) - 1;
                filled[sentence][row as usize - first[sentence]] = token;
            }
        }
        let replaced =
            ids.iter().zip(&filled).flat_map(|(a, b)| a.iter().zip(b).map(|(a, b)| a != b)).collect();
        Ok(Filled { batch: Batch::new(&filled)?, replaced })
    }
}

/// The loss for embeddings `[B, D]` of the sentences, in the graph of the embeddings, the discriminator and its head.
fn discriminate(
    start: &StepStart<'_>,
    filled: &Filled,
    embeddings: &Tensor,
    dropout: Dropout,
) -> TermResult<Tensor> {
    let encoder = start.networks().encoder_of(NetworkKind::Discriminator).ok_or("no discriminator")?;
    let head = start.networks().head(NetworkKind::DiscriminatorHead).ok_or("no discriminator")?;
    let batch = &filled.batch;
    let taps = Taps { states: vec![encoder.config().num_hidden_layers], ..Taps::default() };
    let pass = Pass { mode: Mode::Training(dropout), gradients: true, taps };
    let tokens = encoder.embed(batch, &pass)?;
    // [CLS] rows are the sentences' embeddings; all other rows are token embeddings.
    let rows = batch.rows();
    let mut index: Vec<u32> = (0..rows as u32).collect();
    for (b, &first) in batch.first_rows().iter().enumerate() {
        index[first] = (rows + b) as u32;
    }
    let both = Tensor::cat(&[&tokens, embeddings], 0)?;
    let given = both.index_select(&Tensor::new(index, embeddings.device())?, 0)?;
    let leaves = encoder.encode(&given, batch, &pass)?;
    let states = leaves.states.into_iter().next().ok_or("the discriminator returned no token states")?;
    let logits = head.forward(&states, HeadPass { gradients: true, dropout: None })?;
    Ok(replaced_tokens(&logits, &filled.replaced)?)
}
