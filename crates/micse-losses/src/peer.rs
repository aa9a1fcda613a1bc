//! PCL: two networks that learn from groups of views, and from each other.
//!
//! Each network produces `n` views of every sentence. View 0 is the anchor `z`, view 1 its second dropout view,
//! and views 2 to n - 1 are other augmentations `z^2 ... z^{n-1}`. Quantities of the peer network have a hat. The
//! *group* of row `i` of anchors `a`, views `v` and candidates `c` has the scores
//!
//! `s_i = [cos(a_i, v^1_i), ..., cos(a_i, v^{n-1}_i), cos(a_i, c_j) for j != i] / tau`,
//!
//! of which the first `n - 1` are positive, and the shares `P_i = softmax(s_i)`. With `G = n - 1 + B - 1`, the six
//! terms, which PCL adds with weight 1, are
//!
//! * the contrast of each network, `InfoNce(z, z^1)` and `InfoNce(ẑ, ẑ^1)`;
//! * the positives of each network: binary cross-entropy over the group of its own views, `P(z; z^., z)` and
//!   `P(ẑ; ẑ^., ẑ)`, with label 1 for the positives and 0 for the negatives;
//! * the crossed divergence `KL( P(ẑ; z^., z) || P(z; ẑ^., ẑ) )`, which compares the peer anchor's shares over the
//!   online views with the online anchor's shares over the peer views;
//! * the own divergence `KL( P(ẑ; ẑ^., ẑ) || P(z; z^., z) )`.
//!
//! Both networks get the gradients of both divergences. [`PeerForm`] documents how the two forms differ.

use candle_core::{DType, Tensor};
use serde::{Deserialize, Serialize};

use crate::checks::{constant, matrix, positive_temperature, same_matrix};
use crate::cosine::normalize_rows;
use crate::logits::{binary_cross_entropy, exclude, log_sum_exp};
use crate::{Error, InfoNce, InfoNceForm, Result};

/// Which form of the binary and divergence terms to use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PeerForm {
    /// Our reading of the paper, each term by its definition: binary cross-entropy of the shares themselves,
    /// `-(sum over positives of ln P + sum over negatives of ln(1 - P)) / (B G)`, and the divergence of
    /// distributions, `sum_g P̂_g ln(P̂_g / P_g)`, mean over rows.
    #[default]
    Paper,
    /// As in the released code. It applies a logistic function to the shares again, so its cross-entropy is the
    /// mean of `softplus(P) - y P`, which lies within `[ln(1 + 1/e), ln(1 + e)]` and hardly changes. It averages
    /// the divergence over all `B G` entries, so its value is `G` times smaller.
    ReleasedCode,
}

/// PCL's terms, each a scalar; PCL minimises their [`sum`](Self::sum).
#[derive(Clone, Debug)]
pub struct PeerTerms {
    /// InfoNCE of the online network's first two views.
    pub contrast: Tensor,
    /// Binary cross-entropy over the online network's groups.
    pub positives: Tensor,
    /// InfoNCE of the peer network's first two views.
    pub peer_contrast: Tensor,
    /// Binary cross-entropy over the peer network's groups.
    pub peer_positives: Tensor,
    /// Divergence of the shares that each anchor assigns to the other network's views.
    pub crossed_divergence: Tensor,
    /// Divergence of the shares that each anchor assigns to its own network's views.
    pub own_divergence: Tensor,
}

impl PeerTerms {
    /// The terms with their names, in a fixed order.
    pub fn named(&self) -> [(&'static str, &Tensor); 6] {
        [
            ("contrast", &self.contrast),
            ("positives", &self.positives),
            ("peer-contrast", &self.peer_contrast),
            ("peer-positives", &self.peer_positives),
            ("crossed-divergence", &self.crossed_divergence),
            ("own-divergence", &self.own_divergence),
        ]
    }

    /// The sum of the six terms: a scalar.
    pub fn sum(&self) -> Result<Tensor> {
        let terms = self.named().map(|(_, term)| term);
        Ok(Tensor::stack(&terms, 0)?.sum_all()?)
    }
}

/// The six terms of the [module](self).
///
/// **Inputs**: `n >= 2` views `[B, D]` of each network, f32 or f64, any norm; the first two are the dropout views.
/// Rows with the same index are views of the same sentence, in both networks.
///
/// **Requirements**: `B >= 2`. A zero row has cosine 0 with all rows and gets no gradient.
///
/// **Relations**: with one network and two views the contrast is SimCSE.
///
/// **Recommended values**: temperature 0.05; for each network two dropout views, and two each of shuffled,
/// reversed, deleted and repeated tokens.
///
/// **Citation**: Wu, Tao, Shen, Xu, Geng, Jiang 2022 (PCL).
pub fn peer_terms(online: &[Tensor], peer: &[Tensor], temperature: f64, form: PeerForm) -> Result<PeerTerms> {
    if online.len() != peer.len() {
        return Err(Error::PeerViews { online: online.len(), peer: peer.len() });
    }
    let (own, others) = (unit_views(online, temperature)?, unit_views(peer, temperature)?);
    same_matrix(&peer[0], "peer views", &online[0])?;
    let infonce = InfoNce { temperature, form: InfoNceForm::Standard };
    let group = |anchor: &Tensor, views: &[Tensor]| group_scores(anchor, views, temperature);

    let (own_group, peer_group) = (group(&own[0], &own)?, group(&others[0], &others)?);
    let (crossed, peer_crossed) = (group(&own[0], &others)?, group(&others[0], &own)?);
    let positives = online.len() - 1;
    Ok(PeerTerms {
        contrast: infonce.loss(&online[0], &online[1], None)?,
        positives: group_cross_entropy(&own_group, positives, form)?,
        peer_contrast: infonce.loss(&peer[0], &peer[1], None)?,
        peer_positives: group_cross_entropy(&peer_group, positives, form)?,
        crossed_divergence: divergence(&peer_crossed, &crossed, form)?,
        own_divergence: divergence(&peer_group, &own_group, form)?,
    })
}

/// The multi-positive binary cross-entropy of one network's views `[B, D]`, the term that [`peer_terms`] computes
/// for each network: a scalar.
pub fn peer_positives(views: &[Tensor], temperature: f64, form: PeerForm) -> Result<Tensor> {
    let views = unit_views(views, temperature)?;
    group_cross_entropy(&group_scores(&views[0], &views, temperature)?, views.len() - 1, form)
}

/// The views with normalised rows, after checking the arguments.
fn unit_views(views: &[Tensor], temperature: f64) -> Result<Vec<Tensor>> {
    positive_temperature(temperature)?;
    let [first, _, ..] = views else {
        let (expected, found) = ("at least 2, an anchor and its positive", views.len() as f64);
        return Err(Error::Number { name: "the number of views", expected, found });
    };
    let (batch, _) = matrix(first, "views")?;
    if batch == 1 {
        let why = "a group needs a negative, the anchor of another sentence";
        return Err(Error::OneSentence { objective: "peer contrast", why });
    }
    let unit = |view: &Tensor| {
        same_matrix(view, "views", first)?;
        normalize_rows(view)
    };
    views.iter().map(unit).collect()
}

/// The scores `[B, G]` of the groups of `anchors` among `views[1..]` (positives) and `views[0]` (negatives,
/// without the anchor's own row). All rows are normalised.
fn group_scores(anchors: &Tensor, views: &[Tensor], temperature: f64) -> Result<Tensor> {
    let mut columns: Vec<Tensor> = Vec::with_capacity(views.len());
    for view in &views[1..] {
        columns.push(anchors.mul(view)?.sum_keepdim(1)?);
    }
    columns.push(off_diagonal(&anchors.matmul(&views[0].t()?)?)?);
    Ok((Tensor::cat(&columns, 1)? / temperature)?)
}

/// A matrix `[B, B]` without its diagonal: `[B, B - 1]`.
fn off_diagonal(x: &Tensor) -> Result<Tensor> {
    let size = x.dim(0)?;
    // After the first entry, every (B + 1)-th entry is on the diagonal.
    let rest = x.flatten_all()?.narrow(0, 1, size * size - 1)?.reshape((size - 1, size + 1))?;
    Ok(rest.narrow(1, 0, size)?.reshape((size, size - 1))?)
}

/// `ln P` of the groups' shares: `[B, G]`.
fn log_shares(scores: &Tensor) -> Result<Tensor> {
    Ok(scores.broadcast_sub(&log_sum_exp(scores)?.unsqueeze(1)?)?)
}

/// Binary cross-entropy of groups `[B, G]` whose first `positives` columns have label 1 and the rest label 0.
fn group_cross_entropy(scores: &Tensor, positives: usize, form: PeerForm) -> Result<Tensor> {
    let (batch, size) = scores.dims2()?;
    let logits = match form {
        PeerForm::Paper => share_logits(scores)?,
        PeerForm::ReleasedCode => log_shares(scores)?.exp()?,
    };
    let labels: Vec<bool> = (0..batch * size).map(|entry| entry % size < positives).collect();
    binary_cross_entropy(&logits.flatten_all()?, &labels)
}

/// The logits `ln P - ln(1 - P)` of the shares of groups `[B, G]`, G at least 2.
///
/// The largest share can round to 1, where `1 - P` loses all precision. Its logit is therefore computed as
/// `s_g - ln sum_{h != g} exp s_h`. All other shares are at most 1/2.
fn share_logits(scores: &Tensor) -> Result<Tensor> {
    let (_, size) = scores.dims2()?;
    let log_shares = log_shares(scores)?;
    let columns = Tensor::arange(0_u32, size as u32, scores.device())?.unsqueeze(0)?;
    let largest = scores.detach().argmax_keepdim(1)?.to_dtype(DType::U32)?.broadcast_eq(&columns)?;

    let rest = log_sum_exp(&exclude(scores, &largest)?)?.unsqueeze(1)?;
    // Set to zero before the logarithm, not after: a masked ln 0 would leave a NaN in the gradient.
    let shares = largest.where_cond(&scores.zeros_like()?, &log_shares.exp()?)?;
    let logits = log_shares.sub(&constant(1.0, scores.shape(), scores)?.sub(&shares)?.log()?)?;
    Ok(largest.where_cond(&scores.broadcast_sub(&rest)?, &logits)?)
}

/// `KL(P̂ || P)` of the shares of groups with scores `peer` and `online` `[B, G]`.
fn divergence(peer: &Tensor, online: &Tensor, form: PeerForm) -> Result<Tensor> {
    let peer = log_shares(peer)?;
    let entries = peer.exp()?.mul(&peer.sub(&log_shares(online)?)?)?;
    Ok(match form {
        PeerForm::Paper => entries.sum(1)?.mean_all()?,
        PeerForm::ReleasedCode => entries.mean_all()?,
    })
}
