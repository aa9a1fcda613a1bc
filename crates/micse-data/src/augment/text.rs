//! Operations on the text of a sentence, before it is tokenized.

use micse_random::Stream;
use serde::{Deserialize, Serialize};

use super::Form;
use crate::{Error, Result};

/// Mirror-BERT's random span masking (Liu et al. 2021): a span of `characters` characters (Unicode scalar values) is
/// replaced by `mask` with a space on each side, whatever words it goes through. `None`, which means unchanged, if
/// the text has fewer than `minimum` characters, or no more than `characters`, or if `characters` is 0.
///
/// * [`Form::Paper`]: every span of the text is equally likely.
/// * [`Form::ReleasedCode`]: the span is drawn from all but the last, and what is replaced is the *first* place that
///   has the same text: the last character is never masked, nor is what stands earlier too.
///
/// ```
/// use micse_data::augment::{Form, mask_span};
/// use micse_random::Stream;
///
/// let text = "The sheep were counted before the night fell.";
/// let masked = mask_span(text, 5, 30, "[MASK]", Form::Paper, Stream::new(48).with(3)).unwrap();
/// let (left, right) = masked.split_once(" [MASK] ").unwrap();
/// assert!(text.starts_with(left) && text.ends_with(right));
/// assert_eq!(left.len() + 5 + right.len(), text.len());
/// assert_eq!(mask_span("A short one.", 5, 30, "[MASK]", Form::Paper, Stream::new(48)), None);
/// ```
pub fn mask_span(
    text: &str,
    characters: usize,
    minimum: usize,
    mask: &str,
    form: Form,
    stream: Stream,
) -> Option<String> {
    let bounds: Vec<usize> = text.char_indices().map(|(offset, _)| offset).chain([text.len()]).collect();
    let length = bounds.len() - 1;
    if characters == 0 || length < minimum || length <= characters {
        return None;
    }
    let starts = length - characters + usize::from(form == Form::Paper);
    let start = stream.draws().below(starts as u64) as usize;
    let drawn = bounds[start];
    let span = &text[drawn..bounds[start + characters]];
    let replaced = match form {
        Form::Paper => drawn,
        Form::ReleasedCode => text.find(span).unwrap_or(drawn),
    };
    Some(format!("{} {mask} {}", &text[..replaced], &text[replaced + span.len()..]))
}

/// An operation on the text of a sentence, with its settings.
///
/// In a recipe: `{ kind = "mask-span" }`, or with other numbers
/// `{ kind = "mask-span", characters = 5, minimum = 30, form = "released-code" }`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum TextOp {
    /// [`mask_span`]: Mirror-BERT.
    MaskSpan {
        /// Characters that are masked.
        #[serde(default = "characters")]
        characters: usize,
        /// Shorter texts stay as they are.
        #[serde(default = "minimum")]
        minimum: usize,
        /// Whether the span drawn is masked or the first one with the same text.
        #[serde(default)]
        form: Form,
    },
}

fn characters() -> usize {
    5
}
fn minimum() -> usize {
    30
}

impl TextOp {
    /// The name in recipes and errors.
    pub fn name(&self) -> &'static str {
        match self {
            Self::MaskSpan { .. } => "mask-span",
        }
    }

    /// Checks the settings.
    ///
    /// # Errors
    /// [`Error::Augmentation`] for a span of no characters.
    pub fn check(&self) -> Result<()> {
        match self {
            Self::MaskSpan { characters: 0, .. } => Err(Error::Augmentation {
                operation: self.name(),
                problem: "a span of 0 characters masks nothing; give 1 or more".to_owned(),
            }),
            Self::MaskSpan { .. } => Ok(()),
        }
    }

    /// Another view of `text`, `None` if it stays as it is. `mask` is the tokenizer's mask token, `[MASK]` for BERT.
    pub fn apply(&self, text: &str, mask: &str, stream: Stream) -> Option<String> {
        match *self {
            Self::MaskSpan { characters, minimum, form } => {
                mask_span(text, characters, minimum, mask, form, stream)
            }
        }
    }
}
