//! Sentence embeddings from unlabelled sentences: one name for the crates of the workspace.
//!
//! ```
//! use micse::model::{Compute, ModelFolder, Pooling, SentenceEncoder};
//!
//! // The encoder that the repository ships; any BERT folder of the Hugging Face Hub will do.
//! let shipped = micse::data::Locator::from_env()?.encoder(Some("demo"))?.place;
//! let encoder = SentenceEncoder::load(&ModelFolder::open(&shipped)?, Pooling::Mean, &Compute::cpu())?;
//!
//! let rows = encoder.encode(&["The doctor visited the old hospital.", "A nurse saw the clinic."])?;
//! assert_eq!((rows.len(), rows[0].len()), (2, 256));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! | module | crate | subject |
//! |---|---|---|
//! | [`model`] | micse-model | encoders, pooling, tokenizers, model folders |
//! | [`losses`] | micse-losses | InfoNCE, attention mutual information |
//! | [`data`] | micse-data | corpora, low-shot splits, STS sets |
//! | [`eval`] | micse-eval | STS scores |
//! | [`train`] | micse-train | recipes, trainer, runs |
//! | [`random`] | micse-random | seeded randomness |

pub use micse_data as data;
pub use micse_eval as eval;
pub use micse_losses as losses;
pub use micse_model as model;
pub use micse_random as random;
pub use micse_train as train;
