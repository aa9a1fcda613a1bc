//! `bert/`: the encoder's forward pass, with padding so that padded rows are compared too.

use std::path::Path;

use anyhow::{Context, Result};
use candle_core::Tensor;
use micse_model::{AttentionStage, Batch, Compute, Encoder, ModelFolder, Padding, Pass, Pooling, Taps};

use super::Report;
use super::fixture::{Fixture, entries};

/// The encoder of `DIR/bert`.
pub(super) fn encoder(dir: &Path, compute: &Compute) -> Result<Box<dyn Encoder>> {
    Ok(ModelFolder::open(&dir.join("bert"))?.encoder(compute)?)
}

pub(super) fn check(dir: &Path, compute: &Compute, report: &mut Report) -> Result<()> {
    const FILE: &str = "bert/io";
    let io = Fixture::open(&dir.join("bert/io.safetensors"))?;
    let encoder = encoder(dir, compute)?;
    let depth = encoder.config().num_hidden_layers;
    let sentences = io.sentences("input_ids")?;
    let batch = Batch::padded(&sentences, encoder.config().pad_token_id, Padding::Keep)?;

    let taps = Taps {
        attention_maps: Some(AttentionStage::AfterDropout),
        states: (0..=depth).collect(),
        ..Taps::default()
    };
    let leaves = encoder.forward(&batch, &Pass { taps, ..Pass::default() })?;
    let states = Tensor::stack(&leaves.states, 0)?;
    report.value(FILE, "hidden_states", &entries(&states)?, &io.values("hidden_states")?);
    report.value(
        FILE,
        "last_hidden_state",
        &entries(&leaves.states[depth])?,
        &io.values("last_hidden_state")?,
    );
    let maps = leaves.attention_maps.context("the encoder returned no attention maps")?;
    report.value(FILE, "attentions", &entries(&maps)?, &io.values("attentions")?);

    // Without padding, as in training and evaluation.
    let packed = Batch::new(&sentences)?;
    // This pooling needs padding.
    for pooling in Pooling::ALL.into_iter().filter(|p| *p != Pooling::MeanWithPads) {
        let taps = Taps { pooled: Some(pooling), ..Taps::default() };
        let leaves = encoder.forward(&packed, &Pass { taps, ..Pass::default() })?;
        let name = format!("pooled_{}", pooling.name().replace('-', "_"));
        let rows = leaves.pooled.context("the encoder returned no pooled rows")?;
        report.value(FILE, &name, &entries(&rows)?, &io.values(&name)?);
    }
    Ok(())
}
