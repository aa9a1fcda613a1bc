//! The AMI term's values, and which layers it reads.

use micse_losses::{MiForm, Pool, Scaling, Slicing};
use serde::{Deserialize, Serialize};

/// Attention mutual information (Klein & Nabi 2022, Eq. 4 and 5).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ami {
    /// lambda.
    pub weight: f64,
    /// Which layers' maps.
    pub layers: AmiLayers,
    /// Which maps a slice pools.
    pub slicing: Slicing,
    /// Positions drawn a slice.
    pub samples: usize,
    /// All positions of the sentence, or those that dropout kept in both views.
    pub pool: Pool,
    /// Whether a position can be drawn twice.
    #[serde(default)]
    pub replacement: bool,
    /// Eq. 4 or Algorithm 1.
    pub form: MiForm,
    /// The mean over slices, or the released code's share-squared scaling.
    #[serde(default)]
    pub scaling: Scaling,
}

/// Which layers' attention maps take part.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum AmiLayers {
    /// `"upper-third"`: the last ceil(L/3). `"before-last-third"`: as many, ending before the last layer
    /// (the released code: 8 to 11 of 12). `"last-N"`: the last N, or all if there are fewer.
    Named(String),
    /// Layer numbers from 1.
    List(Vec<usize>),
}

impl AmiLayers {
    /// The layers, from 0, of an encoder of `depth` layers.
    ///
    /// # Errors
    /// An unknown name, or a layer that is not there.
    pub fn resolve(&self, depth: usize) -> Result<Vec<usize>, String> {
        let third = depth.div_ceil(3);
        match self {
            Self::Named(name) if name == "upper-third" => Ok((depth - third..depth).collect()),
            Self::Named(name) if name == "before-last-third" => {
                let end = depth - 1;
                if end < third {
                    return Err(format!(
                        "layers = \"{name}\" needs more than {depth} layers; name them in a list"
                    ));
                }
                Ok((end - third..end).collect())
            }
            Self::Named(name) => match name.strip_prefix("last-").and_then(|n| n.parse::<usize>().ok()) {
                Some(n) if n > 0 => Ok((depth.saturating_sub(n)..depth).collect()),
                _ => Err(format!(
                    "layers = \"{name}\" is unknown; there are \"upper-third\", \"before-last-third\", \"last-4\" \
                     and lists such as [9, 10, 11, 12]"
                )),
            },
            Self::List(layers) => {
                if let Some(wrong) = layers.iter().find(|&&l| l == 0 || l > depth) {
                    return Err(format!("layer {wrong} is not one of the encoder's layers 1 to {depth}"));
                }
                Ok(layers.iter().map(|l| l - 1).collect())
            }
        }
    }
}
