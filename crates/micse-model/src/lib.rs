//! Trainable BERT encoders, behind a contract that objectives and engines share.
//!
//! The crate loads encoders from Hugging Face folders, runs them with or without gradients, and returns the
//! leaves that training needs: pooled rows, attention values at single positions, whole attention maps, token
//! states (the *taps*). It knows nothing of losses or corpora.
//!
//! ```
//! use micse_model::{Batch, BertConfig, Compute, Pass, Pooling, RandomWeights, Taps, build_encoder};
//! use micse_random::Stream;
//!
//! // A small encoder with random weights: 100 word pieces, 2 layers, hidden size 32, 4 heads.
//! let config = BertConfig::with_sizes(100, 2, 32, 4, 16);
//! let mut weights = RandomWeights { deviation: 0.02, stream: Stream::new(48) };
//! let encoder = build_encoder(config, &mut weights, &Compute::cpu())?;
//!
//! let batch = Batch::new(&[vec![2, 17, 5, 3], vec![2, 9, 3]])?;
//! let taps = Taps { pooled: Some(Pooling::Mean), ..Taps::default() };
//! let leaves = encoder.forward(&batch, &Pass { taps, ..Pass::default() })?;
//! assert_eq!(leaves.pooled.unwrap().dims(), [2, 32]);
//! # Ok::<(), micse_model::Error>(())
//! ```
//!
//! [`SentenceModel`] goes from a model folder and text to embeddings; [`Model`] also reads folders with a vector per token
//! ([`StaticModel`]) instead of an encoder.
//!
//! | module | contents |
//! |---|---|
//! | [`encoder`] | the contract: passes, taps, leaves, [`Encoder`], [`Trainable`] |
//! | [`compute`] | device, engine and precision |
//! | [`packed`] | the fast engine on the CPU |
//! | [`tensor`] | the reference engine in plain tensor operations |
//! | [`dropout`] | which activations are dropped, as a function of their position |
//! | [`optimizer`] | the AdamW step and gradient clipping |
//! | [`checkpoint`], [`folder`], [`tokenizer`] | reading files |
//! | [`int8`] | encoders in 8-bit integers |
//! | [`post`] | whitening and flows, after the pooling |
//! | [`export`], [`weights`] | writing files |

mod batch;
pub mod checkpoint;
pub mod compute;
mod config;
mod dense;
mod device;
mod distance;
pub mod dropout;
pub mod encoder;
mod error;
pub mod export;
mod family;
mod files;
pub mod folder;
pub mod head;
pub mod int8;
mod layer_norm;
mod mlm_head;
mod model;
mod modules;
mod names;
mod onnx;
pub mod optimizer;
pub mod packed;
mod parameters;
mod pooling;
pub mod post;
mod sentence;
mod static_model;
pub mod tensor;
mod threads;
pub mod tokenizer;
pub mod weights;

pub use batch::{Batch, Padding};
pub use checkpoint::Checkpoint;
pub use compute::{Compute, Engine, Precision, build_encoder};
pub use config::{Activation, BertConfig, LocalAttention, LocalLayers, Rotary};
pub use dense::{Dense, DenseActivation};
pub use encoder::{
    AttentionPosition, AttentionStage, AttentionValues, Dropout, Encoder, Leaves, Mode, ParameterInfo, Pass,
    Taps, Trainable,
};
pub use error::{Error, Result};
pub use export::{add_dense, save_model};
pub use family::Family;
pub use folder::ModelFolder;
pub use folder::keys::{KNOWN_KEYS, KnownKeys, Treatment};
pub use head::{Head, HeadLayer, HeadPass, TokenConvolution, mean_of_tokens};
pub use layer_norm::LayerNorm;
pub use mlm_head::{MaskedLmHead, WORD_TABLE};
pub use model::Model;
pub use modules::{AfterPooling, Module};
pub use names::Names;
pub use optimizer::{AdamStep, Group, clip_factor};
pub use packed::PackedEncoder;
pub use parameters::ParameterSet;
pub use pooling::Pooling;
pub use sentence::{Pipeline, SentenceModel, View, Watch};
pub use static_model::{StaticFolder, StaticModel};
pub use tensor::TensorEncoder;
pub use threads::{THREADS_VARIABLE, threads};
pub use tokenizer::Tokenizer;
pub use weights::{RandomWeights, TensorSource, WeightsFile, save_safetensors, write_safetensors};
