//! Attention mutual information (AMI): the syntactic objective of miCSE.
//!
//! Two views of one sentence should attend alike. The attention of some layers is cut into *slices*
//! ([`Slicing`]); of each (sentence, slice) a *row* of positions is drawn, the same in both views
//! ([`AmiSampler`], [`Selection`]); the logarithms of the attention there are taken for two samples of a
//! bivariate normal, whose mutual information depends on their correlation alone
//! ([`mutual_information`]). The loss is minus its mean over rows ([`ami_loss`]).
//!
//! What an encoder has to give is the attention values at `Selection::positions` of both views,
//! `[rows, samples]`; [`Selection::gather`] takes them from dense maps.
mod information;
mod sampler;
mod selection;
mod slicing;

pub use information::{MiForm, MiRows, ami_loss, mutual_information};
pub use sampler::{AmiSampler, Pool, Scaling};
pub use selection::{Position, Selection};
pub use slicing::{Slice, Slicing};
