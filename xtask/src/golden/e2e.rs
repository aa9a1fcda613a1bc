//! `e2e/`: encoder, head, `InfoNCE` and AMI together, down to the gradient of every parameter.

use std::path::Path;

use anyhow::{Context, Result};
use candle_core::Tensor;
use candle_core::backprop::GradStore;
use micse_losses::{InfoNce, InfoNceForm, MiForm, ami_loss, mutual_information};
use micse_model::{
    AttentionPosition, AttentionStage, AttentionValues, Batch, Compute, Encoder, Head, HeadPass, Pass,
    Pooling, Taps, Trainable,
};

use super::fixture::{Fixture, entries};
use super::{GRADIENT, Report, bert, losses};

pub(super) fn check(dir: &Path, compute: &Compute, report: &mut Report) -> Result<()> {
    const FILE: &str = "e2e/io";
    let io = Fixture::open(&dir.join("e2e/io.safetensors"))?;
    let lambda = lambda(dir)?;
    let mut encoder = bert::encoder(dir, compute)?;
    let mut head = Head::tanh_mlp(io.tensor("mlp.dense.weight")?, io.tensor("mlp.dense.bias")?)?;

    let config = encoder.config();
    let taken = config.num_hidden_layers.min(4);
    let lowest = config.num_hidden_layers - taken;
    let width = io.tensor("input_ids_1")?.dim(1)?;
    let selection = losses::selection(io.tensor("idx")?, taken, config.num_attention_heads, width)?;
    let at: Vec<AttentionPosition> = selection
        .positions
        .iter()
        .map(|p| AttentionPosition {
            sentence: p.sentence,
            layer: p.layer + lowest as u32,
            head: p.head,
            query: p.query,
            key: p.key,
        })
        .collect();

    let taps = Taps {
        pooled: Some(Pooling::Cls),
        attention_values: Some(AttentionValues { stage: AttentionStage::BeforeDropout, at }),
        ..Taps::default()
    };
    let pass = Pass { gradients: true, taps, ..Pass::default() };
    let through = HeadPass { gradients: true, dropout: None };
    let (mut rows, mut values) = (Vec::new(), Vec::new());
    for ids in ["input_ids_1", "input_ids_2"] {
        let leaves = encoder.forward(&Batch::new(&io.sentences(ids)?)?, &pass)?;
        rows.push(head.forward(&leaves.pooled.context("no pooled rows")?, through)?);
        let tapped = leaves.attention_values.context("no attention values")?;
        values.push(tapped.reshape((selection.rows, selection.samples))?);
    }
    let infonce =
        InfoNce { temperature: 0.05, form: InfoNceForm::Standard }.loss(&rows[0], &rows[1], None)?;
    let mi = mutual_information(&values[0], &values[1], &selection.counts, MiForm::Eq4)?;
    let mean_mi = ami_loss(&values[0], &values[1], &selection, MiForm::Eq4)?.neg()?;
    let loss = (&infonce - (&mean_mi * lambda)?)?;
    for (name, got) in [
        ("z1", &rows[0]),
        ("z2", &rows[1]),
        ("rho", &mi.rho),
        ("infonce", &infonce),
        ("mean_mi", &mean_mi),
        ("loss", &loss),
    ] {
        report.value(FILE, name, &entries(got)?, &io.values(name)?);
    }

    for (file, name, value) in
        [("e2e/grad_total", "grad_total", &loss), ("e2e/grad_mean_mi", "grad_mean_mi", &mean_mi)]
    {
        let want = Fixture::open(&dir.join(format!("e2e/{name}.safetensors")))?;
        encoder.clear_gradients();
        head.clear_gradients();
        let store = value.backward()?;
        compare(file, &store, encoder.as_mut(), &mut head, &want, report)?;
    }
    Ok(())
}

fn compare(
    file: &'static str,
    store: &GradStore,
    encoder: &mut dyn Encoder,
    head: &mut Head,
    want: &Fixture,
    report: &mut Report,
) -> Result<()> {
    let floor = 1e-3 * want.largest(|_| true)?;
    let mut named = gradients(encoder, store, "")?;
    // The name of the head's linear layer in the reference.
    named.extend(gradients(head, store, "mlp.dense")?);
    // Compare every reference tensor: a tensor unknown to micse must not pass unnoticed.
    for name in want.names() {
        let got = named.iter().find(|(n, _)| n == name).map(|(_, gradient)| entries(gradient)).transpose()?;
        report.compare(file, name, &got.unwrap_or_default(), &want.values(name)?, floor, GRADIENT);
    }
    Ok(())
}

fn gradients(part: &mut dyn Trainable, store: &GradStore, head: &str) -> Result<Vec<(String, Tensor)>> {
    part.collect_gradients(store)?;
    let values = part.values()?;
    let named = part.parameters().into_iter().zip(part.gradients()?).zip(values);
    named
        .map(|((info, gradient), value)| {
            let gradient = match gradient {
                Some(gradient) => gradient,
                None => value.zeros_like()?,
            };
            let name = if head.is_empty() { info.name } else { info.name.replacen('0', head, 1) };
            Ok((name, gradient))
        })
        .collect()
}

fn lambda(dir: &Path) -> Result<f64> {
    let path = dir.join("index.json");
    let text = std::fs::read_to_string(&path).with_context(|| format!("{}", path.display()))?;
    let index: serde_json::Value =
        serde_json::from_str(&text).with_context(|| format!("{}", path.display()))?;
    index["scalars"]["e2e/lambda"].as_f64().context("index.json has no scalars[\"e2e/lambda\"]")
}
