//! The size of a split, by count or by fraction.

use std::fmt::{self, Display, Formatter};
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// The number of sentences in a split.
///
/// Written as `1000` (a count) or `0.1%` (a fraction of the corpus), in files too. Displaying and parsing again
/// returns exactly the same value.
///
/// ```
/// use micse_data::SplitSize;
///
/// let size: SplitSize = "0.1%".parse()?;
/// assert_eq!(size.resolve(1_000_000)?, 1000);
/// assert_eq!(size.to_string(), "0.1%");
/// assert!("0".parse::<SplitSize>().is_err());
/// # Ok::<(), micse_data::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub enum SplitSize {
    /// A number of sentences, at least 1.
    Count(usize),
    /// A fraction of the corpus, in (0, 1].
    Fraction(f64),
}

impl SplitSize {
    /// The number of sentences in a corpus of `corpus_len`. A fraction is rounded to the nearest integer, half up,
    /// and is at least 1.
    ///
    /// # Errors
    /// An empty corpus, a count of 0 or above `corpus_len`, and a fraction outside (0, 1].
    pub fn resolve(self, corpus_len: usize) -> Result<usize> {
        let n = match self {
            Self::Count(count) => count,
            Self::Fraction(part) if part > 0.0 && part <= 1.0 => {
                ((part * corpus_len as f64).round() as usize).max(1)
            }
            Self::Fraction(_) => 0,
        };
        if n == 0 {
            return Err(refused(&self.to_string()));
        }
        if n > corpus_len {
            return Err(Error::SplitTooLarge { size: self.to_string(), sentences: corpus_len });
        }
        Ok(n)
    }
}

impl FromStr for SplitSize {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let trimmed = text.trim();
        let number = trimmed.strip_suffix('%').map(str::trim_end);
        let plain = |number: &str| number.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
        let size = match number {
            // The decimal point is moved in the text, not by dividing, so that nothing is rounded twice.
            Some(percent) if plain(percent) => format!("{percent}e-2")
                .parse()
                .ok()
                .filter(|&part| part > 0.0 && part <= 1.0)
                .map(Self::Fraction),
            None if plain(trimmed) => trimmed.parse().ok().filter(|&count| count > 0).map(Self::Count),
            _ => None,
        };
        size.ok_or_else(|| refused(text))
    }
}

fn refused(text: &str) -> Error {
    let expected = "a split size: a count of at least 1 such as `1000`, or a percentage above 0 % and up to 100 % \
                    such as `0.1%`";
    Error::Parse { text: text.to_owned(), expected: expected.to_owned() }
}

impl Display for SplitSize {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Count(count) => write!(f, "{count}"),
            Self::Fraction(part) => write!(f, "{}%", percent(*part)),
        }
    }
}

/// A fraction times 100 as an exact decimal: the shortest decimal of the fraction with its point moved.
fn percent(part: f64) -> String {
    let scientific = format!("{part:e}");
    let Some((mantissa, exponent)) = scientific.split_once('e') else { return scientific };
    let digits: String = mantissa.chars().filter(char::is_ascii_digit).collect();
    let sign = if mantissa.starts_with('-') { "-" } else { "" };
    let point = exponent.parse::<i32>().unwrap_or_default() + 3;
    if point <= 0 {
        return format!("{sign}0.{}{digits}", "0".repeat(point.unsigned_abs() as usize));
    }
    let point = point as usize;
    if digits.len() <= point {
        return format!("{sign}{digits}{}", "0".repeat(point - digits.len()));
    }
    format!("{sign}{}.{}", &digits[..point], &digits[point..])
}

impl From<SplitSize> for String {
    fn from(size: SplitSize) -> Self {
        size.to_string()
    }
}

impl TryFrom<String> for SplitSize {
    type Error = Error;

    fn try_from(text: String) -> Result<Self> {
        text.parse()
    }
}
