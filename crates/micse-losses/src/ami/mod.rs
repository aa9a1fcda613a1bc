//! Attention mutual information (AMI): the syntactic objective of miCSE.
//!
//! Two views of one sentence should have similar attention. The attention maps of some layers are grouped into
//! *slices* ([`Slicing`]). For each (sentence, slice), a *row* of positions is drawn, the same in both views
//! ([`AmiSampler`], [`Selection`]). The logarithms of the attention there are treated as two samples of a
//! bivariate normal, whose mutual information depends only on their correlation ([`mutual_information`]). The loss
//! is minus its mean over rows ([`ami_loss`]).
//!
//! An encoder must provide the attention values at `Selection::positions` of both views, `[rows, samples]`.
//! [`Selection::gather`] reads them from dense maps.
mod centred;
mod information;
mod sampler;
mod selection;
mod slicing;

pub use information::{MiForm, MiRows, ami_loss, mutual_information};
pub use sampler::{AmiSampler, Pool, Scaling};
pub use selection::{Position, Selection};
pub use slicing::{Slice, Slicing};
