//! The objectives of published methods against PyTorch in float64: `fixtures/objectives.json`, written by
//! `fixtures/objectives.py`. The snippet above each test is the script's definition.

mod common;
#[path = "common/fixture.rs"]
mod fixture;

use candle_core::{DType, Tensor, Var};
use fixture::{Rows, cases, variable};
use micse_losses::{
    AlignmentForm, Result, alignment, batch_norm, contrastive_tension, decorrelation, guide_contrast,
    information_minimising, jensen_shannon, nt_xent, replaced_tokens, self_contrast,
};
use serde::Deserialize;

#[derive(Deserialize)]
struct Case {
    objective: String,
    name: String,
    arguments: serde_json::Value,
    names: Vec<String>,
    inputs: Vec<Rows>,
    value: f64,
    gradients: Vec<Rows>,
}

impl Case {
    fn number(&self, name: &str) -> f64 {
        self.arguments[name].as_f64().unwrap_or_else(|| panic!("no number {name}"))
    }

    fn flags(&self, name: &str) -> Vec<bool> {
        serde_json::from_value(self.arguments[name].clone()).unwrap()
    }
}

/// Compares `loss` with every case of `objective`: value and all gradients, relative to their largest entry, to
/// 1e-10 in f64 and to 1e-5 in f32.
fn compare(objective: &str, loss: impl Fn(&Case, &[Tensor]) -> Result<Tensor>) {
    let cases = cases::<Case>("objectives").into_iter().filter(|case| case.objective == objective);
    let cases: Vec<Case> = cases.collect();
    assert!(!cases.is_empty(), "no case for {objective}");
    for case in cases {
        for (dtype, tolerance) in [(DType::F64, 1e-10), (DType::F32, 1e-5)] {
            let variables: Vec<Var> = case.inputs.iter().map(|rows| variable(rows, dtype)).collect();
            let tensors: Vec<Tensor> = variables.iter().map(|x| x.as_tensor().clone()).collect();
            let found = loss(&case, &tensors).unwrap();
            assert_eq!((found.rank(), found.dtype()), (0, dtype));
            let gradients = found.backward().unwrap();
            let what = |part: &str| format!("{objective}, {}, {dtype:?}, {part}", case.name);
            fixture::compare(&what("value"), &found, &[vec![case.value]], tolerance);
            for ((input, x), expected) in case.names.iter().zip(&variables).zip(&case.gradients) {
                fixture::compare(&what(input), gradients.get(x).unwrap(), expected, tolerance);
            }
        }
    }
}

/// ```python
/// z = torch.cat([z1, z2])
/// scores = cosines(z, z) / temperature
/// scores = scores.masked_fill(torch.eye(len(z), dtype=torch.bool), -math.inf)
/// F.cross_entropy(scores, torch.arange(len(z)).roll(len(z1)))
/// ```
#[test]
fn nt_xent_of_both_views() {
    compare("nt_xent", |case, x| nt_xent(&x[0], &x[1], case.number("temperature")));
}

/// ```python
/// softplus = lambda x: torch.logaddexp(torch.zeros_like(x), x)
/// logits = (x * y).sum(1)
/// torch.where(positive, softplus(-logits), softplus(logits)).mean()
/// ```
#[test]
fn contrastive_tension_of_pairs() {
    compare("contrastive_tension", |case, x| contrastive_tension(&x[0], &x[1], &case.flags("positive")));
}

/// ```python
/// softplus = lambda x: torch.logaddexp(torch.zeros_like(x), x)
/// products = tokens @ sentences.T
/// own = F.one_hot(sentence_of, len(sentences)).bool()
/// others = products[~own]
/// (softplus(-others) + others - math.log(2)).mean() - (math.log(2) - softplus(-products[own])).mean()
/// ```
#[test]
fn jensen_shannon_of_tokens() {
    compare("jensen_shannon", |case, x| {
        let sentence_of: Vec<u32> = serde_json::from_value(case.arguments["sentence_of"].clone()).unwrap();
        jensen_shannon(&x[0], &x[1], &sentence_of)
    });
}

/// ```python
/// scores = torch.stack([cosines(c, view) for view in guide]) / temperature  # [K, B, B]
/// for i in range(len(c)):
///     others = torch.cat([scores[:, i, :i], scores[:, i, i + 1:]], 1).flatten()
///     for k in range(len(guide)):
///         logits = torch.cat([scores[k, i, i].reshape(1), others])
///         losses.append(F.cross_entropy(logits, torch.tensor(0)))
/// torch.stack(losses).mean()
/// ```
#[test]
fn guide_contrast_with_layers() {
    compare("guide_contrast", |case, x| guide_contrast(&x[0], &x[1..], case.number("temperature")));
}

/// ```python
/// (F.cosine_similarity(z1, z2) / temperature).mean()
/// ```
#[test]
fn self_contrast_of_views() {
    compare("self_contrast", |case, x| self_contrast(&x[0], &x[1], case.number("temperature")));
}

/// ```python
/// -(F.cosine_similarity(z1, z2) / temperature).mean()
/// ```
#[test]
fn alignment_of_views() {
    compare("alignment", |case, x| {
        alignment(&x[0], &x[1], case.number("temperature"), AlignmentForm::Cosine)
    });
}

/// ```python
/// cosines = F.cosine_similarity(z1[:, None], z2[None], dim=2)
/// F.cross_entropy(torch.diag(torch.diagonal(cosines)) / temperature, torch.arange(len(z1)))
/// ```
#[test]
fn alignment_of_views_by_cross_entropy() {
    compare("alignment_cross_entropy", |case, x| {
        alignment(&x[0], &x[1], case.number("temperature"), AlignmentForm::CrossEntropy)
    });
}

/// ```python
/// bn = lambda p: F.batch_norm(p, None, None, training=True, eps=1e-5)
/// c = bn(p1).T @ bn(p2) / len(p1)
/// apart = c - torch.diag(torch.diagonal(c))
/// (torch.diagonal(c) - 1).pow(2).sum() + off_diagonal * apart.pow(2).sum()
/// ```
#[test]
fn decorrelation_of_projections() {
    compare("decorrelation", |case, x| decorrelation(&x[0], &x[1], case.number("off_diagonal")));
}

/// ```python
/// u1, u2 = F.normalize(z1), F.normalize(z2)
/// F.mse_loss(u1, u2) + F.mse_loss(u2, u1)
/// ```
#[test]
fn information_minimising_of_views() {
    compare("information_minimising", |_, x| information_minimising(&x[0], &x[1]));
}

/// ```python
/// F.cross_entropy(logits, replaced.long())
/// ```
#[test]
fn replaced_tokens_of_logits() {
    compare("replaced_tokens", |case, x| replaced_tokens(&x[0], &case.flags("replaced")));
}

/// ```python
/// (F.batch_norm(x, None, None, training=True, eps=epsilon) * weight).sum()
/// ```
#[test]
fn batch_norm_of_columns() {
    compare("batch_norm", |case, x| Ok(batch_norm(&x[0], case.number("epsilon"))?.mul(&x[1])?.sum_all()?));
}
