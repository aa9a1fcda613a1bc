//! Contrast with the layers of a guide model.

use candle_core::{DType, Tensor};

use crate::checks::{matrix, positive_temperature, same_matrix};
use crate::cosine::normalize_rows;
use crate::logits::{exclude, log_sum_exp, softplus};
use crate::{Error, Result};

/// Self-guided contrast of sentences `c` `[B, D]` with K views of a guide, each `[B, D]`: a scalar.
///
/// With `s(a, b) = cos(a, b) / tau`, `h_ik` row `i` of view `k`, and all views of all other sentences as negatives:
///
/// ```text
/// N_i = sum_{m != i} sum_n exp s(c_i, h_mn)
/// loss = 1/(B K) sum_i sum_k -ln( exp s(c_i, h_ik) / (exp s(c_i, h_ik) + N_i) )
/// ```
///
/// A sentence's other views are neither positive nor negative for the term of view `k`. The value is at least 0.
///
/// **Inputs**: `c` is the projected `[CLS]` row of the trained encoder; `guide` contains the projected means of
/// the hidden states of a frozen copy, one view per layer. Gradients go to both (the projection is shared).
///
/// **Requirements**: f32 or f64, all of one type; at least one view. With one sentence there are no negatives, and
/// the loss is 0. A zero row has cosine 0 with all rows (see [`normalize_rows`]).
///
/// **Relations**: with one view it is [`InfoNce`](crate::InfoNce)'s standard form.
///
/// **Recommended values**: temperature 0.01; 13 views (embeddings and 12 layers).
///
/// **Citation**: Kim, Yoo, Lee 2021, "Self-Guided Contrastive Learning for BERT Sentence Representations" (SG-OPT).
///
/// # Errors
/// Different shapes or types, no view, a temperature that is not positive.
pub fn guide_contrast(c: &Tensor, guide: &[Tensor], temperature: f64) -> Result<Tensor> {
    positive_temperature(temperature)?;
    let (batch, _) = matrix(c, "c")?;
    if guide.is_empty() {
        return Err(Error::NoGuide);
    }
    for view in guide {
        same_matrix(view, "guide", c)?;
    }

    let views = normalize_rows(&Tensor::cat(guide, 0)?)?;
    let scores = (normalize_rows(c)?.matmul(&views.t()?)? / temperature)?;
    if batch == 1 {
        // Zero with zero gradient; NaN if a score is NaN.
        return Ok(scores.sub(&scores)?.sum_all()?);
    }
    // Column k B + m is view k of sentence m.
    let own = Tensor::cat(&vec![Tensor::eye(batch, DType::U8, c.device())?; guide.len()], 1)?;
    let columns: Vec<u32> =
        (0..batch).flat_map(|i| (0..guide.len()).map(move |k| (k * batch + i) as u32)).collect();
    let positives = scores.gather(&Tensor::from_vec(columns, (batch, guide.len()), c.device())?, 1)?;
    let negatives = log_sum_exp(&exclude(&scores, &own)?)?.unsqueeze(1)?;
    // -ln(e^s / (e^s + N)) = softplus(ln N - s).
    Ok(softplus(&negatives.broadcast_sub(&positives)?)?.mean_all()?)
}
