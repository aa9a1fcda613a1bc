//! Training objectives of sentence embeddings, as pure functions on candle tensors.
//!
//! An objective takes embeddings or attention values and returns a scalar whose `backward` reaches them. It never
//! sees a model, a tokenizer or a file, and runs on any device in f32 (and in f64, for tests). Every undefined
//! case (zero vectors, constant rows, equal views) has a defined, finite value and gradient; [`check_finite`]
//! turns any remaining NaN into an error.
//!
//! ```
//! use candle_core::{Device, Tensor, Var};
//! use micse_losses::{AmiSampler, InfoNce, InfoNceForm, MiForm, Pool, Scaling, Slicing, ami_loss, check_finite};
//! use micse_random::Stream;
//!
//! // Two views of three sentences, and the attention of both views: 2 layers, 2 heads, 4 tokens.
//! let view = |seed: u64, shape: &[usize]| -> candle_core::Result<Var> {
//!     let mut draws = Stream::new(seed).draws();
//!     let values: Vec<f32> = (0..shape.iter().product()).map(|_| 0.1 + draws.unit() as f32).collect();
//!     Var::from_tensor(&Tensor::from_vec(values, shape, &Device::Cpu)?)
//! };
//! let (z1, z2) = (view(1, &[3, 8])?, view(2, &[3, 8])?);
//! let (w1, w2) = (view(3, &[3, 2, 2, 4, 4])?, view(4, &[3, 2, 2, 4, 4])?);
//!
//! let contrastive = InfoNce { temperature: 0.05, form: InfoNceForm::Standard }.loss(&z1, &z2, None)?;
//!
//! let slices = Slicing::Adjacent { heads: 2, layers: 1 }.slices(&[0, 1], 2)?;
//! let sampler = AmiSampler { samples: 10, replacement: false, pool: Pool::All, scaling: Scaling::Mean };
//! let selection = sampler.draw(&slices, &[4, 3, 4], None, &|_| true, Stream::new(48))?;
//! let ami = ami_loss(&selection.gather(&w1)?, &selection.gather(&w2)?, &selection, MiForm::Eq4)?;
//!
//! let loss = (contrastive + (ami * 2.5e-3)?)?;
//! check_finite(&loss, "micse")?;
//! let gradients = loss.backward()?;
//! assert!(gradients.get(&z1).is_some() && gradients.get(&w2).is_some());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Modules: [`infonce`], the contrastive loss; [`queue`], its queue of negatives; [`ami`], attention mutual
//! information with slices, samples and the loss; [`masked_lm`], masked language modelling. Functions of other
//! published methods: [`nt_xent`] (Mirror-BERT, VaSCL, ConSERT), [`contrastive_tension`] (CT), [`jensen_shannon`]
//! (IS-BERT), [`guide_contrast`] (SG-OPT), [`self_contrast`] and [`decorrelation`] (SCD),
//! [`information_minimising`] (InforMin-CL), [`alignment`] (positives only), [`replaced_tokens`] (DiffCSE),
//! [`peer`] (PCL), [`neighbourhood`] (VaSCL), [`fgsm`] and [`cosine_ramp`] (MoCoSE). They share the similarity
//! functions [`cosine_matrix`] and [`normalize_rows`], and [`batch_norm`], the normalisation over a batch.
mod alignment;
pub mod ami;
mod batch_norm;
mod checks;
mod cosine;
mod error;
mod fgsm;
mod guide;
pub mod infonce;
mod logits;
pub mod masked_lm;
pub mod neighbourhood;
mod nt_xent;
mod pairs;
pub mod peer;
pub mod queue;
mod ramp;
mod replaced;
mod self_contrast;
mod tokens;

pub use alignment::{AlignmentForm, alignment};
pub use ami::{
    AmiSampler, MiForm, MiRows, Pool, Position, Scaling, Selection, Slice, Slicing, ami_loss,
    mutual_information,
};
pub use batch_norm::batch_norm;
pub use checks::check_finite;
pub use cosine::{cosine_matrix, normalize_rows};
pub use error::{Error, Result};
pub use fgsm::fgsm;
pub use guide::guide_contrast;
pub use infonce::{InfoNce, InfoNceForm};
pub use masked_lm::{MaskedLm, Products, masked_lm_loss};
pub use neighbourhood::{
    Head, VirtualForm, VirtualOptions, adversarial_directions, nearest_neighbours, neighbourhood_contrast,
    virtual_contrast, virtual_contrast_from,
};
pub use nt_xent::nt_xent;
pub use pairs::{contrastive_tension, information_minimising};
pub use peer::{PeerForm, PeerTerms, peer_positives, peer_terms};
pub use queue::{NegativeQueue, QueueState};
pub use ramp::cosine_ramp;
pub use replaced::replaced_tokens;
pub use self_contrast::{decorrelation, self_contrast};
pub use tokens::jensen_shannon;
