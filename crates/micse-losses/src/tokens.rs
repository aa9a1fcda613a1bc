//! Mutual information between the tokens of a sentence and the sentence.

use candle_core::Tensor;

use crate::checks::{constant, matrix, same_shape, same_type};
use crate::logits::softplus;
use crate::{Error, Result};

/// The Jensen-Shannon estimate of the mutual information between tokens `[M, D]` and sentences `[B, D]`, negated
/// to serve as a loss: a scalar.
///
/// With `T_ji = <token_j, sentence_i>`, it compares the pairs of a token with its own sentence to the pairs of a
/// token with each of the B - 1 others:
///
/// ```text
/// loss = mean_others[ softplus(-T) + T - ln 2 ] - mean_own[ ln 2 - softplus(-T) ]
/// ```
///
/// It is computed as `mean_others[softplus(T)] + mean_own[softplus(-T)] - 2 ln 2`, the same value without a
/// difference of large terms. It is above `-2 ln 2`, and 0 where all products are 0.
///
/// **Inputs**: the states of all real tokens of a batch, one row each (no padding), the sentence vectors, and for
/// each token the row of its sentence, in any order.
///
/// **Requirements**: f32 or f64, both of one type; at least two sentences. The dot product is not scaled.
///
/// **Recommended values**: batches of 32, learning rate 2e-6.
///
/// **Citation**: Zhang, He, Liu, Lim, Bing 2020 (IS-BERT), after the estimator of Hjelm et al. 2019 (Deep InfoMax).
///
/// # Errors
/// Mismatched shapes or types, a sentence number outside the batch, a batch of one sentence (it has no negatives).
///
/// ```
/// use candle_core::{DType, Device, Tensor};
///
/// // Three tokens of two sentences, all products 0.
/// let (tokens, sentences) = (Tensor::ones((3, 4), DType::F32, &Device::Cpu)?, Tensor::zeros((2, 4), DType::F32, &Device::Cpu)?);
/// let loss = micse_losses::jensen_shannon(&tokens, &sentences, &[0, 0, 1])?;
/// assert!(loss.to_scalar::<f32>()?.abs() < 1e-6);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn jensen_shannon(tokens: &Tensor, sentences: &Tensor, sentence_of: &[u32]) -> Result<Tensor> {
    let (batch, dim) = matrix(sentences, "sentences")?;
    matrix(tokens, "tokens")?;
    same_type(tokens, "tokens", sentences)?;
    same_shape(tokens, "tokens", &[sentence_of.len(), dim])?;
    if batch == 1 {
        let why = "other sentences serve as negatives, and there is none";
        return Err(Error::OneSentence { objective: "the Jensen-Shannon objective", why });
    }
    if let Some((token, &sentence)) = sentence_of.iter().enumerate().find(|&(_, &i)| i as usize >= batch) {
        return Err(Error::TokenSentence { token, sentence, sentences: batch });
    }

    let shape = (sentence_of.len(), batch);
    let own: Vec<u8> =
        sentence_of.iter().flat_map(|&own| (0..batch as u32).map(move |i| u8::from(i == own))).collect();
    let own = Tensor::from_vec(own, shape, tokens.device())?;
    let products = tokens.matmul(&sentences.t()?)?;
    let terms = softplus(&own.where_cond(&products.neg()?, &products)?)?;
    let count = sentence_of.len() as f64;
    let shares = own.where_cond(
        &constant(1.0 / count, shape, tokens)?,
        &constant(1.0 / (count * (batch - 1) as f64), shape, tokens)?,
    )?;
    Ok((terms.mul(&shares)?.sum_all()? - 2.0 * std::f64::consts::LN_2)?)
}
