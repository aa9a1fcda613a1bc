//! Operations on token IDs, as recipes name them.

use micse_random::Stream;
use serde::{Deserialize, Serialize};

use super::tokens::{RELEASED_LIMIT, cut};
use super::{Form, delete, is_rate, repeat, repeat_subwords, reverse, shuffle};
use crate::{Error, Result};

/// An operation on the token IDs of a sentence, with its settings.
///
/// In a recipe: `{ kind = "repeat-subwords", rate = 0.32 }`, `{ kind = "shuffle" }`, `{ kind = "reverse" }`,
/// `{ kind = "delete", rate = 0.2 }`, `{ kind = "repeat", rate = 0.2 }`.
///
/// ```
/// use micse_data::augment::TokenOp;
/// use micse_random::Stream;
///
/// let ids = [101, 7, 8, 9, 102];
/// assert_eq!(TokenOp::Reverse {}.apply(&ids, 32, Stream::new(48)), [101, 9, 8, 7, 102]);
/// ```
// Variants without settings have braces because serde accepts unknown keys next to a plain name.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
#[non_exhaustive]
pub enum TokenOp {
    /// [`repeat_subwords`]: `ESimCSE`.
    RepeatSubwords {
        /// Upper bound on the share of sub-words that are repeated.
        rate: f64,
        /// Whether to count repetitions as the paper does or as the released code does.
        #[serde(default)]
        form: Form,
    },
    /// [`shuffle`]: PCL.
    Shuffle {},
    /// [`reverse`]: PCL.
    Reverse {},
    /// [`delete`]: PCL.
    Delete {
        /// The share of tokens to delete.
        rate: f64,
        /// Whether to delete the drawn token or the first one equal to it.
        #[serde(default)]
        form: Form,
    },
    /// [`repeat`]: PCL.
    Repeat {
        /// The share of tokens to repeat.
        rate: f64,
    },
}

impl TokenOp {
    /// The name used in recipes and errors.
    pub fn name(&self) -> &'static str {
        match self {
            Self::RepeatSubwords { .. } => "repeat-subwords",
            Self::Shuffle {} => "shuffle",
            Self::Reverse {} => "reverse",
            Self::Delete { .. } => "delete",
            Self::Repeat { .. } => "repeat",
        }
    }

    /// Checks the settings.
    ///
    /// # Errors
    /// [`Error::Augmentation`] if a rate is not in `[0, 1]`.
    pub fn check(&self) -> Result<()> {
        match *self {
            Self::RepeatSubwords { rate, .. } | Self::Delete { rate, .. } | Self::Repeat { rate }
                if !is_rate(rate) =>
            {
                Err(Error::Augmentation {
                    operation: self.name(),
                    problem: format!("rate {rate} is not in [0, 1]; it is a share of a sentence's tokens"),
                })
            }
            _ => Ok(()),
        }
    }

    /// The token limit of a view whose sentence was truncated to `max_length`: 9 more for [`repeat_subwords`] as in the
    /// released code, which repeats after the tokenizer's truncation.
    pub fn token_limit(&self, max_length: usize) -> usize {
        match self {
            Self::RepeatSubwords { form: Form::ReleasedCode, .. } => max_length + RELEASED_LIMIT - 1,
            _ => max_length,
        }
    }

    /// Returns another view of the sentence `ids` (first `[CLS]`, last `[SEP]`), truncated to `max_length` IDs
    /// before the last ID. The two special tokens always remain.
    ///
    /// # Panics
    /// If [`check`](Self::check) returns an error.
    pub fn apply(&self, ids: &[u32], max_length: usize, stream: Stream) -> Vec<u32> {
        let view = match *self {
            Self::RepeatSubwords { rate, form } => repeat_subwords(ids, rate, max_length, form, stream),
            Self::Shuffle {} => shuffle(ids, stream),
            Self::Reverse {} => reverse(ids),
            Self::Delete { rate, form } => delete(ids, rate, form, stream),
            Self::Repeat { rate } => repeat(ids, rate, max_length, stream),
        };
        cut(view, max_length)
    }
}
