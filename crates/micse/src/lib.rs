//! Sentence embeddings from unlabelled sentences: the umbrella crate of the workspace.
//!
//! ```
//! // The shipped encoder; a model folder, a run folder or a Hub model ID also works.
//! let model = micse::load("demo")?;
//!
//! let rows = model.encode(&["The doctor visited the old hospital.", "A nurse saw the clinic."])?;
//! assert_eq!((rows.len(), rows[0].len()), (2, model.dimension()));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Find nearest neighbours among the embeddings in a file:
//!
//! ```
//! use micse::search::{Index, Npy, NpyWriter};
//!
//! # let model = micse::load("demo")?;
//! # let files = tempfile::tempdir()?;
//! # let path = files.path().join("rows.npy");
//! let sentences = ["A dog runs through the park.", "The bank raised its rates.", "A cat sleeps on the sofa."];
//! let mut writer = NpyWriter::new(std::fs::File::create(&path)?, model.dimension())?;
//! for row in model.encode(&sentences)? {
//!     writer.push(&row)?;
//! }
//! writer.finish()?;
//!
//! let index = Index::new(Npy::open(&path)?)?;
//! let hits = index.search(&model.encode(&["A cat sleeps on the sofa."])?, 2)?;
//! assert_eq!(hits[0][0].row, 2);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! | module | crate | subject |
//! |---|---|---|
//! | [`adapt`] | micse | adapts a model to a text, as `micse train` does |
//! | [`model`] | micse-model | encoders, pooling, tokenizers, model folders |
//! | [`losses`] | micse-losses | InfoNCE, attention mutual information |
//! | [`data`] | micse-data | corpora, low-shot splits, STS sets |
//! | [`eval`] | micse-eval | STS scores |
//! | [`files`] | micse-files | atomic file writes, run folders |
//! | `hub` | micse-hub | downloads from the Hugging Face Hub (feature `hub`) |
//! | [`post`] | micse-model | whitening, flows |
//! | [`train`] | micse-train | recipes, trainer, runs |
//! | [`search`] | micse-search | nearest neighbours |
//! | [`random`] | micse-random | seeded randomness |

pub mod adapt;
#[cfg(feature = "cli")]
pub mod cli;
mod load;

pub use micse_data as data;
pub use micse_eval as eval;
pub use micse_files as files;
#[cfg(feature = "hub")]
pub use micse_hub as hub;
pub use micse_losses as losses;
pub use micse_model as model;
pub use micse_model::post;
pub use micse_random as random;
pub use micse_search as search;
pub use micse_train as train;

#[cfg(feature = "hub")]
pub use load::find_watched;
pub use load::{LoadError, find, load};
pub use micse_model::{Model, SentenceModel};
