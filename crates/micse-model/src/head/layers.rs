//! The layers of a head, as written in recipes.

use serde::{Deserialize, Serialize};

use crate::{Error, Result};

/// One layer of a [`Head`](super::Head). Recipes write it as a short text:
///
/// | text | layer |
/// |---|---|
/// | `linear` | x W^T + b, with as many outputs as the encoder's hidden size D |
/// | `linear 4096` | the same with 4096 outputs |
/// | `linear 2x` | the same with 2 D outputs |
/// | `linear 128 no bias` | x W^T |
/// | `batch norm` | (x - mean) / sqrt(var + 1e-5) * gain + offset over the rows of the current batch |
/// | `batch norm plain` | the same without gain and offset |
/// | `layer norm` | the same over the columns, with gain and offset (eps 1e-5) |
/// | `dropout 0.1` | dropout, in training |
/// | `tanh`, `relu`, `gelu` | the functions of these names |
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
#[non_exhaustive]
pub enum HeadLayer {
    /// x W^T + b.
    Linear {
        /// Number of outputs.
        outputs: Width,
        /// Whether b is included.
        bias: bool,
    },
    /// Batch normalisation (Ioffe & Szegedy 2015) with the statistics of the current batch. Heads are used
    /// only in training, so no running statistics are kept.
    BatchNorm {
        /// Whether a gain and an offset are trained.
        affine: bool,
    },
    /// Layer normalisation with gain and offset.
    LayerNorm,
    /// Dropout with this rate.
    Dropout(f64),
    /// tanh.
    Tanh,
    /// max(0, x).
    Relu,
    /// x Phi(x).
    Gelu,
}

/// The number of outputs of a linear layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Width {
    /// This many times the encoder's hidden size.
    Hidden(usize),
    /// This many outputs.
    Fixed(usize),
}

impl Width {
    /// The number of outputs for an encoder of this hidden size.
    pub fn columns(self, hidden: usize) -> usize {
        match self {
            Self::Hidden(times) => times * hidden,
            Self::Fixed(columns) => columns,
        }
    }
}

impl std::fmt::Display for HeadLayer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Linear { outputs, bias } => {
                f.write_str("linear")?;
                match outputs {
                    Width::Hidden(1) => {}
                    Width::Hidden(times) => write!(f, " {times}x")?,
                    Width::Fixed(columns) => write!(f, " {columns}")?,
                }
                f.write_str(if *bias { "" } else { " no bias" })
            }
            Self::BatchNorm { affine: true } => f.write_str("batch norm"),
            Self::BatchNorm { affine: false } => f.write_str("batch norm plain"),
            Self::LayerNorm => f.write_str("layer norm"),
            Self::Dropout(rate) => write!(f, "dropout {rate}"),
            Self::Tanh => f.write_str("tanh"),
            Self::Relu => f.write_str("relu"),
            Self::Gelu => f.write_str("gelu"),
        }
    }
}

impl From<HeadLayer> for String {
    fn from(layer: HeadLayer) -> Self {
        layer.to_string()
    }
}

impl TryFrom<String> for HeadLayer {
    type Error = Error;

    fn try_from(text: String) -> Result<Self> {
        let unknown = || {
            Error::Input(format!(
                "`{text}` is not a layer of a head; choose from `linear`, `linear 4096`, `linear 2x` (each \
                 also with `no bias`), `batch norm`, `batch norm plain`, `layer norm`, `dropout 0.1`, \
                 `tanh`, `relu`, `gelu`"
            ))
        };
        let words: Vec<&str> = text.split_whitespace().collect();
        let linear = |words: &[&str], bias: bool| {
            let positive = |n: &str| n.parse::<usize>().ok().filter(|&n| n > 0);
            let outputs = match words {
                [] => Some(Width::Hidden(1)),
                [word] => match word.strip_suffix('x') {
                    Some(times) => positive(times).map(Width::Hidden),
                    None => positive(word).map(Width::Fixed),
                },
                _ => None,
            };
            outputs.map(|outputs| Self::Linear { outputs, bias }).ok_or_else(unknown)
        };
        match words.as_slice() {
            ["linear", inner @ .., "no", "bias"] => linear(inner, false),
            ["linear", inner @ ..] => linear(inner, true),
            ["batch", "norm"] => Ok(Self::BatchNorm { affine: true }),
            ["batch", "norm", "plain"] => Ok(Self::BatchNorm { affine: false }),
            ["layer", "norm"] => Ok(Self::LayerNorm),
            ["dropout", rate] => match rate.parse::<f64>() {
                Ok(rate) if (0.0..1.0).contains(&rate) => Ok(Self::Dropout(rate)),
                _ => Err(unknown()),
            },
            ["tanh"] => Ok(Self::Tanh),
            ["relu"] => Ok(Self::Relu),
            ["gelu"] => Ok(Self::Gelu),
            _ => Err(unknown()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layers_are_read_as_they_are_written() {
        let texts = [
            "linear",
            "linear 4096",
            "linear 2x",
            "linear 128 no bias",
            "linear no bias",
            "batch norm",
            "batch norm plain",
            "layer norm",
            "dropout 0.1",
            "tanh",
            "relu",
            "gelu",
        ];
        for text in texts {
            assert_eq!(HeadLayer::try_from(text.to_owned()).expect(text).to_string(), text);
        }
        for wrong in
            ["", "liner", "linear 0", "linear x", "linear 1 2", "dropout", "dropout 1.0", "batch", "sigmoid"]
        {
            let error = HeadLayer::try_from(wrong.to_owned()).expect_err(wrong);
            assert!(error.to_string().contains(&format!("`{wrong}`")), "{error}");
        }
        assert_eq!((Width::Hidden(2).columns(768), Width::Fixed(128).columns(768)), (1536, 128));
    }
}
