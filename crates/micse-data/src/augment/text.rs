//! Operations on the text of a sentence, before tokenization.

use micse_random::Stream;
use serde::{Deserialize, Serialize};

use super::Form;
use crate::{Error, Result, Words};

/// Mirror-BERT's random span masking (Liu et al. 2021). Replaces a span of `characters` characters (Unicode scalar
/// values) with `mask` and a space on each side, regardless of word boundaries. Returns `None` (unchanged) if the
/// text has fewer than `minimum` characters or no more than `characters`, or if `characters` is 0.
///
/// * [`Form::Paper`]: every span is equally likely.
/// * [`Form::ReleasedCode`]: the span is drawn from all spans but the last, and the *first* occurrence of its text
///   is replaced. So the last character is never masked, and neither is a span whose text also occurs earlier.
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

/// Fewer words are not cropped.
const FEWEST_WORDS: usize = 4;

/// A random part of a sentence, as in independent cropping (Izacard et al. 2022, Contriever): consecutive words, whose
/// number is uniform between the shares `shortest` and `longest` of the sentence's words, at a uniform place. Returns
/// `None` (unchanged) for fewer than four words, and if all words are drawn. [`Words`] says what a word is.
///
/// ```
/// use micse_data::augment::crop;
/// use micse_random::Stream;
///
/// let text = "The sheep were counted before the night fell";
/// let part = crop(text, 0.25, 0.5, Stream::new(48)).unwrap();
/// assert!(text.contains(&part) && (2..=4).contains(&part.split(' ').count()));
/// assert_eq!(crop("Only three words", 0.25, 0.5, Stream::new(48)), None);
/// ```
pub fn crop(text: &str, shortest: f64, longest: f64, stream: Stream) -> Option<String> {
    let words = Words::of(text);
    if words.len() < FEWEST_WORDS {
        return None;
    }
    let mut draws = stream.draws();
    let of = |share: f64| (share * words.len() as f64).round().max(1.0) as u64;
    let (fewest, most) = (of(shortest), of(longest).min(words.len() as u64));
    let count = (fewest + draws.below(most.saturating_sub(fewest) + 1)) as usize;
    if count >= words.len() {
        return None;
    }
    let start = draws.below((words.len() - count + 1) as u64) as usize;
    Some(words.part(start..start + count))
}

/// An operation on the text of a sentence, with its settings.
///
/// In a recipe: `{ kind = "mask-span" }`, or with other values
/// `{ kind = "mask-span", characters = 5, minimum = 30, form = "released-code" }`; or
/// `{ kind = "crop", shortest = 0.3, longest = 0.7 }`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
#[non_exhaustive]
pub enum TextOp {
    /// [`mask_span`]: Mirror-BERT.
    MaskSpan {
        /// Number of characters to mask.
        #[serde(default = "characters")]
        characters: usize,
        /// Texts shorter than this stay unchanged.
        #[serde(default = "minimum")]
        minimum: usize,
        /// Whether to mask the drawn span or the first span with the same text.
        #[serde(default)]
        form: Form,
    },
    /// [`crop`]: independent cropping.
    Crop {
        /// The smallest share of the words.
        shortest: f64,
        /// The largest share of the words.
        longest: f64,
    },
}

fn characters() -> usize {
    5
}
fn minimum() -> usize {
    30
}

impl TextOp {
    /// The name used in recipes and errors.
    pub fn name(&self) -> &'static str {
        match self {
            Self::MaskSpan { .. } => "mask-span",
            Self::Crop { .. } => "crop",
        }
    }

    /// Checks the settings.
    ///
    /// # Errors
    /// [`Error::Augmentation`] for a span of 0 characters, and for shares that are none.
    pub fn check(&self) -> Result<()> {
        match self {
            Self::MaskSpan { characters: 0, .. } => Err(Error::Augmentation {
                operation: self.name(),
                problem: "a span of 0 characters masks nothing; set characters to 1 or more".to_owned(),
            }),
            Self::Crop { shortest, longest }
                if !(0.0 < *shortest && shortest <= longest && *longest <= 1.0) =>
            {
                Err(Error::Augmentation {
                    operation: self.name(),
                    problem: format!(
                        "shortest {shortest} and longest {longest} are not shares of a sentence; set 0 < shortest <= \
                         longest <= 1"
                    ),
                })
            }
            Self::MaskSpan { .. } | Self::Crop { .. } => Ok(()),
        }
    }

    /// Whether the operation inserts the tokenizer's mask token.
    pub fn needs_mask(&self) -> bool {
        matches!(self, Self::MaskSpan { .. })
    }

    /// Whether the text is long enough to be changed.
    pub fn can_change(&self, text: &str) -> bool {
        match *self {
            Self::MaskSpan { characters, minimum, .. } => {
                let length = text.chars().count();
                length >= minimum && length > characters
            }
            Self::Crop { .. } => Words::of(text).len() >= FEWEST_WORDS,
        }
    }

    /// Returns another view of `text`, or `None` if it stays unchanged. `mask` is the tokenizer's mask token
    /// (`[MASK]` for BERT), if the operation [needs it](Self::needs_mask).
    pub fn apply(&self, text: &str, mask: &str, stream: Stream) -> Option<String> {
        match *self {
            Self::MaskSpan { characters, minimum, form } => {
                mask_span(text, characters, minimum, mask, form, stream)
            }
            Self::Crop { shortest, longest } => crop(text, shortest, longest, stream),
        }
    }
}
