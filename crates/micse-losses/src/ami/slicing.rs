//! Groups attention maps into slices.

use serde::{Deserialize, Serialize};

use crate::{Error, Result};

/// The attention maps `(layer, head)` that a slice pools, in order.
pub type Slice = Vec<(usize, usize)>;

/// A rule that groups the maps of some layers into slices.
///
/// In files: `{ heads = 2, layers = 1 }` or `"head-and-layer-parity"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Written", into = "Written")]
#[non_exhaustive]
pub enum Slicing {
    /// Blocks of adjacent heads and adjacent layers; the paper groups pairs of heads of one layer.
    Adjacent {
        /// Heads per slice; divides the number of heads.
        heads: usize,
        /// Layers per slice; divides the number of layers.
        layers: usize,
    },
    /// The released code's grouping: a slice takes one head in every second layer.
    HeadLayerParity,
}

impl Slicing {
    /// The slices of the given layers (their numbers, in order) of an encoder with `heads` heads.
    ///
    /// * `Adjacent`: `r = g * (heads / group) + p` for layer group `g` and head group `p`. Within a slice, maps
    ///   are ordered by layer, then by head. For head pairs of single layers, `r = l * (heads / 2) + p`.
    /// * `HeadLayerParity`: `r = 2 * head + m`, which groups the layers `m, m + 2, m + 4, ...` of the list.
    ///
    /// Errors: an empty list of layers; group sizes that do not divide the heads or layers.
    pub fn slices(&self, layers: &[usize], heads: usize) -> Result<Vec<Slice>> {
        match *self {
            Self::Adjacent { heads: head_group, layers: layer_group } => {
                check("heads", heads, head_group)?;
                check("layers", layers.len(), layer_group)?;
                let head_groups = (0..heads).step_by(head_group);
                let of_block = |block: &[usize], first: usize| -> Slice {
                    block.iter().flat_map(|&l| (first..first + head_group).map(move |h| (l, h))).collect()
                };
                Ok(layers
                    .chunks(layer_group)
                    .flat_map(|block| head_groups.clone().map(move |first| of_block(block, first)))
                    .collect())
            }
            Self::HeadLayerParity => {
                check("heads", heads, 1)?;
                check("layers", layers.len(), 2)?;
                let of_head = |head: usize, parity: usize| -> Slice {
                    layers.iter().skip(parity).step_by(2).map(|&layer| (layer, head)).collect()
                };
                Ok((0..heads).flat_map(|head| [of_head(head, 0), of_head(head, 1)]).collect())
            }
        }
    }
}

fn check(what: &'static str, count: usize, group: usize) -> Result<()> {
    if count == 0 || group == 0 || !count.is_multiple_of(group) {
        return Err(Error::Slicing { what, count, group });
    }
    Ok(())
}

/// The written form of a slicing in files.
#[derive(Serialize, Deserialize)]
#[serde(untagged, expecting = "a slicing is { heads = N, layers = N } or \"head-and-layer-parity\"")]
enum Written {
    Adjacent(Groups),
    Named(Name),
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Groups {
    heads: usize,
    layers: usize,
}

#[derive(Serialize, Deserialize)]
enum Name {
    #[serde(rename = "head-and-layer-parity")]
    HeadLayerParity,
}

impl From<Written> for Slicing {
    fn from(written: Written) -> Self {
        match written {
            Written::Adjacent(Groups { heads, layers }) => Self::Adjacent { heads, layers },
            Written::Named(Name::HeadLayerParity) => Self::HeadLayerParity,
        }
    }
}

impl From<Slicing> for Written {
    fn from(slicing: Slicing) -> Self {
        match slicing {
            Slicing::Adjacent { heads, layers } => Self::Adjacent(Groups { heads, layers }),
            Slicing::HeadLayerParity => Self::Named(Name::HeadLayerParity),
        }
    }
}
