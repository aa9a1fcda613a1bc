//! The weighted sum of a recipe's terms, on the leaves of all passes.

use candle_core::Tensor;
use micse_losses::{
    Selection, VirtualOptions, alignment, check_finite, contrastive_tension, decorrelation, guide_contrast,
    information_minimising, jensen_shannon, nt_xent, peer_terms, self_contrast, virtual_contrast,
};
use micse_model::{Dropout, HeadPass, mean_of_tokens};

use super::chunks::View;
use super::momentum::MomentumTower;
use super::replaced::Filled;
use super::views::{self, Encodes, Input, PassSpec};
use super::{StepReport, Trainer};
use crate::Result;
use crate::recipe::{InfoNce, Negatives, Objective, Virtual};

/// What the objectives see of a step.
pub(super) struct Seen<'a> {
    pub(super) passes: &'a [PassSpec],
    pub(super) inputs: &'a [Input],
    /// The leaves of each pass.
    pub(super) views: &'a [View],
    /// The rows of each pass behind its heads.
    pub(super) rows: &'a [Tensor],
    /// The first pass's tokens behind the convolution.
    pub(super) tokens: Option<&'a Tensor>,
    pub(super) selections: &'a [Selection],
    /// Sentences with replaced tokens, one for each of the first two passes.
    pub(super) filled: &'a [(Filled, Dropout)],
    /// The sentences' numbers in the split.
    pub(super) numbers: &'a [u32],
}

impl Seen<'_> {
    fn pooled(&self, pass: usize) -> Result<&Tensor> {
        let missing = || micse_model::Error::Input("the encoder gave no pooled rows".into());
        Ok(self.views[pass].rows.as_ref().ok_or_else(missing)?)
    }

    fn lengths(&self, pass: usize) -> Vec<usize> {
        let batch = &self.inputs[self.passes[pass].input].batch;
        (0..batch.sentences()).map(|b| batch.rows_of(b)).collect()
    }

    fn rows_of(&self, encodes: Encodes) -> Vec<Tensor> {
        let of = self.passes.iter().zip(self.rows).filter(|(pass, _)| pass.encodes == encodes);
        of.map(|(_, rows)| rows.clone()).collect()
    }
}

impl Trainer {
    /// The weighted sum of all terms but masked-lm, which has a pass of its own; each term's value goes into the
    /// report.
    pub(super) fn objectives(&self, seen: &Seen<'_>, report: &mut StepReport) -> Result<Tensor> {
        let mut total: Option<Tensor> = None;
        let (mut ami, mut first) = (0, 0);
        for objective in &self.recipe.objectives {
            let rows = seen.rows;
            let term = match objective {
                Objective::Infonce(o) => infonce(o, rows, self.networks.momentum.as_ref(), seen.numbers)?,
                Objective::NtXent(o) => nt_xent(&rows[0], &rows[1], o.temperature)?,
                Objective::Ami(_) => {
                    let selection = &seen.selections[ami];
                    let count = selection.positions.len();
                    let partner = views::partner(seen.passes).unwrap_or(0);
                    let (Some(x), Some(y)) = (&seen.views[0].values, &seen.views[partner].values) else {
                        return Err(self.failed("the encoder gave no attention values".into()));
                    };
                    let pair = [&x.narrow(0, first, count)?, &y.narrow(0, first, count)?];
                    let loss = self.ami[ami].loss(pair, selection)?;
                    (ami, first) = (ami + 1, first + count);
                    loss
                }
                Objective::ContrastiveTension(_) => {
                    let positive =
                        seen.passes[1..2].iter().find_map(|p| seen.inputs[p.input].positive.as_ref());
                    let missing = || self.failed("view 2 has no pairs".into());
                    contrastive_tension(&rows[0], &rows[1], positive.ok_or_else(missing)?)?
                }
                Objective::JensenShannon(_) => {
                    let tokens = seen.tokens.ok_or_else(|| self.failed("there is no convolution".into()))?;
                    let sentence_of: Vec<u32> = (0_u32..)
                        .zip(seen.lengths(0))
                        .flat_map(|(b, length)| std::iter::repeat_n(b, length))
                        .collect();
                    jensen_shannon(tokens, &rows[0], &sentence_of)?
                }
                Objective::GuideContrast(o) => {
                    let lengths = seen.lengths(1);
                    let guide: Vec<Tensor> = seen.views[1]
                        .states
                        .iter()
                        .map(|states| self.head_rows(&mean_of_tokens(states, &lengths)?))
                        .collect::<Result<_>>()?;
                    guide_contrast(&rows[0], &guide, o.temperature)?
                }
                Objective::Alignment(o) => alignment(&rows[0], &rows[1], o.temperature)?,
                Objective::SelfContrast(o) => self_contrast(seen.pooled(0)?, seen.pooled(1)?, o.temperature)?,
                Objective::Decorrelation(o) => decorrelation(&rows[0], &rows[1], o.off_diagonal)?,
                Objective::InformationMinimising(_) => information_minimising(&rows[0], &rows[1])?,
                Objective::Virtual(o) => self.virtual_view(o, seen.pooled(0)?)?,
                Objective::Peer(o) => {
                    let (online, peer) = (seen.rows_of(Encodes::Online), seen.rows_of(Encodes::Second));
                    peer_terms(&online, &peer, o.temperature, o.form)?.sum()?
                }
                Objective::ReplacedTokens(_) => self.replaced(seen)?,
                // Its value is known without the graph; its gradient is added to the encoder's (see `distance`).
                Objective::ParameterDistance(o) => {
                    let value = self.parameter_distance()?;
                    report.terms.push((objective.name(), value));
                    report.loss += o.weight * value;
                    continue;
                }
                Objective::Custom(o) => {
                    let term = self.terms.find(&self.recipe, o)?;
                    term.loss(rows, &o.values).map_err(|e| self.failed(format!("term {}: {e}", o.term)))?
                }
                Objective::MaskedLm(_) => continue,
            };
            let name = match objective {
                Objective::Custom(o) => self.terms.find(&self.recipe, o)?.name(),
                known => known.name(),
            };
            let value = check_finite(&term, name).map_err(|e| {
                self.failed(format!("{e}; lower optimizer.lr, or look at the sentences of this step"))
            })?;
            report.terms.push((name, value));
            let weighted = (term * objective.weight())?;
            total = Some(match total {
                Some(total) => (total + weighted)?,
                None => weighted,
            });
        }
        let total = total.ok_or_else(|| self.failed("the recipe has no objective on embeddings".into()))?;
        report.loss += check_finite(&total, "total").map_err(|e| self.failed(e.to_string()))?;
        Ok(total)
    }

    /// Rows behind the head, in its graph.
    fn head_rows(&self, rows: &Tensor) -> Result<Tensor> {
        match &self.networks.head {
            Some(head) => Ok(head.forward(rows, HeadPass { gradients: true, dropout: None })?),
            None => Ok(rows.clone()),
        }
    }

    fn virtual_view(&self, o: &Virtual, rows: &Tensor) -> Result<Tensor> {
        let options = VirtualOptions {
            temperature: o.temperature,
            step: o.step,
            radius: o.radius,
            neighbours: o.neighbours,
            form: o.form,
        };
        let head = |x: &Tensor| self.head_rows(x).map_err(candle_core::Error::wrap);
        Ok(virtual_contrast(rows, &head, &options, self.step_stream(super::purpose::VIRTUAL))?)
    }

    fn replaced(&self, seen: &Seen<'_>) -> Result<Tensor> {
        let missing = || self.failed("there is no discriminator".into());
        let detector = self.networks.replaced.as_ref().ok_or_else(missing)?;
        let mut sum: Option<Tensor> = None;
        for ((filled, dropout), rows) in seen.filled.iter().zip(seen.rows) {
            let loss = detector.loss(filled, rows, *dropout)?;
            sum = Some(match sum {
                Some(sum) => (sum + loss)?,
                None => loss,
            });
        }
        let sum = sum.ok_or_else(missing)?;
        Ok((sum / seen.filled.len() as f64)?)
    }
}

fn infonce(
    objective: &InfoNce,
    rows: &[Tensor],
    momentum: Option<&MomentumTower>,
    numbers: &[u32],
) -> Result<Tensor> {
    let loss = micse_losses::InfoNce { temperature: objective.temperature, form: objective.form };
    let queue = momentum.filter(|_| objective.negatives.contains(&Negatives::Queue));
    let negatives = queue.and_then(|tower| tower.queue.rows());
    match (queue, negatives) {
        (Some(tower), Some(negatives)) if tower.rule.mask_same_sentence => {
            match tower.queue.same_sentence(numbers)? {
                Some(own) => Ok(loss.loss_masked(&rows[0], &rows[1], negatives, &own)?),
                None => Ok(loss.loss(&rows[0], &rows[1], Some(negatives))?),
            }
        }
        (_, negatives) => Ok(loss.loss(&rows[0], &rows[1], negatives)?),
    }
}
