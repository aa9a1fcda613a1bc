//! Scores sentence embeddings on semantic textual similarity (STS) and on transfer tasks, as the field reports them.
//!
//! An [`Embedder`] turns sentences into vectors. [`evaluate`] embeds every distinct sentence of a suite once and
//! correlates cosines with human scores: Spearman and Pearson, over all pairs of a task, and as plain and
//! weighted means over its subsets. It also computes alignment and uniformity of the development set.
//! [`score_transfer`] trains a classifier on the embeddings of each transfer task.
//!
//! ```
//! use micse_data::sts::{Pair, Subset, Suite, Task};
//! use micse_eval::{Embedder, evaluate};
//!
//! /// Counts letters: a bad model, but one that can be checked by hand.
//! struct Letters;
//! impl Embedder for Letters {
//!     fn dimension(&self) -> usize {
//!         26
//!     }
//!     fn embed(
//!         &self,
//!         sentences: &[&str],
//!     ) -> Result<Vec<Vec<f32>>, Box<dyn std::error::Error + Send + Sync>> {
//!         let count = |s: &str, letter: u8| s.bytes().filter(|&b| b == letter).count() as f32;
//!         Ok(sentences.iter().map(|s| (b'a'..=b'z').map(|letter| count(s, letter)).collect()).collect())
//!     }
//! }
//!
//! let pair = |first: &str, second: &str, score| Pair { first: first.into(), second: second.into(), score };
//! let pairs = vec![
//!     pair("a red boat", "a red boat", 5.0),
//!     pair("a red boat", "a bread oat", 2.0),
//!     pair("a red boat", "my fish", 0.0),
//! ];
//! let task = Task { name: "Toy".into(), subsets: vec![Subset { name: "Toy".into(), pairs }] };
//! let suite = Suite { name: "toy".into(), tasks: vec![task], dev: None, sick_dev: None };
//!
//! let evaluation = evaluate(&Letters, &suite, &mut |_done, _total| {})?.of_model("letters", "count");
//! assert_eq!(evaluation.tasks.get("Toy").unwrap().pairs, 3);
//! println!("{}", evaluation.to_table());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! | module | subject |
//! |---|---|
//! | `embedder` | the trait [`Embedder`], and the embeddings of a set of sentences |
//! | `model`, `vectors` | models of micse-model and word vectors as embedders |
//! | `protocol` | the evaluation |
//! | `correlation`, `geometry` | correlations; alignment and uniformity |
//! | `transfer` | the transfer tasks: a classifier on fixed embeddings |
//! | `evaluation`, `pairs`, `named` | the result: scores, and the cosine of each pair |
//! | `report`, [`mteb`] | the result as table, CSV or MTEB result files |
//! | [`judge`], `halves`, `ranks` | what a text without labels tells about models |
//! | `classes` | nearest-neighbour accuracy |
//! | `snapshot` | models in the Hugging Face Hub cache |
mod classes;
#[cfg(feature = "cli")]
pub mod cli;
mod correlation;
mod embedder;
mod error;
mod evaluation;
mod geometry;
mod halves;
pub mod judge;
mod model;
pub mod mteb;
mod named;
mod pairs;
mod protocol;
mod ranks;
mod report;
mod snapshot;
mod transfer;
mod vectors;

pub use classes::neighbour_accuracy;
pub use correlation::{pearson, spearman};
pub use embedder::Embedder;
pub use error::{Error, Result};
pub use evaluation::{Aggregates, Evaluation, SubsetScores, TaskScores};
pub use geometry::{alignment, uniformity};
pub use halves::Halves;
pub use named::Named;
pub use pairs::PairScores;
pub use protocol::{dev_spearman, evaluate, evaluate_pairs};
pub use snapshot::HubSnapshot;
pub use transfer::{
    TransferProgress, TransferScores, TransferStage, TransferTaskScores, check_transfer, f1, score_transfer,
    stratified_folds,
};
pub use vectors::VectorEmbedder;
