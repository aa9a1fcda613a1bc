//! Augmentations, which make another view of a sentence, and the pairs of Contrastive Tension. All are pure
//! functions of their input and a [`Stream`](micse_random::Stream). None needs a tokenizer or a tensor.
//!
//! | operation | works on | method | paper |
//! |---|---|---|---|
//! | [`repeat_subwords`] | token IDs | `ESimCSE` | Wu et al. 2022, "Enhanced Sample Building Method" |
//! | [`shuffle`], [`reverse`], [`delete`], [`repeat`] | token IDs | PCL | Wu et al. 2022, "PCL: Peer-Contrastive Learning" |
//! | [`mask_span`] | text | Mirror-BERT | Liu et al. 2021 |
//! | [`crop`] | text | Contriever | Izacard et al. 2022, "Unsupervised Dense Information Retrieval with Contrastive Learning" |
//! | [`shuffle_positions`], [`cut_off`] | positions, columns | `ConSERT` | Yan et al. 2021 |
//! | [`pair_partners`] | sentence numbers | Contrastive Tension | Carlsson et al. 2021 |
//!
//! [`TokenOp`] and [`TextOp`] name an operation with its settings, as a recipe writes it.

use serde::{Deserialize, Serialize};

mod pairs;
mod positions;
mod text;
mod token_op;
mod tokens;

pub use pairs::{Partners, pair_partners};
pub use positions::{cut_off, shuffle_positions};
pub use text::{TextOp, crop, mask_span};
pub use token_op::TokenOp;
pub use tokens::{delete, repeat, repeat_subwords, reverse, shuffle};

/// Which of two forms of an operation to use, where the authors' code differs from the paper.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Form {
    /// As the paper describes it.
    #[default]
    Paper,
    /// As the authors' code does it.
    ReleasedCode,
}

/// `rate * count`, before rounding.
///
/// # Panics
/// If `rate` is not in `[0, 1]`.
fn share(rate: f64, count: usize) -> f64 {
    assert!(is_rate(rate), "rate {rate} is not in [0, 1]");
    rate * count as f64
}

fn is_rate(rate: f64) -> bool {
    (0.0..=1.0).contains(&rate)
}
