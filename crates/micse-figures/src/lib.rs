//! The numbers behind the figures of the miCSE paper (Klein & Nabi 2023), for any two models: syntactic similarity,
//! the mutual information of two attention maps, against semantic similarity, the cosine of two embeddings.
//!
//! Each function compares two models and returns plain numbers, which `micse-report` draws and [`Figure::csv`] writes.
//!
//! | function | figure | subject |
//! |---|---|---|
//! | [`random_pairs`] | 1 | positive and negative pairs of random sentences |
//! | [`tree_pairs`] | 4 | negative pairs with equal and with unequal dependency trees |
//! | [`human_scores`] | 5 | cosines against the human scores of an STS set |
//! | [`joint_attention`] | 6 | the attention of one sentence in two views |
//!
//! All passes are in training mode, with dropout masks from the seed: results are bit-for-bit identical on one kind of
//! CPU, for any number of threads.

mod error;
mod figure;
mod groups;
mod human;
mod joint;
mod pairs;
mod similarity;
mod trees;

pub use error::{Error, Result};
pub use figure::Figure;
pub use groups::{Grouped, Grouping, Panel, RESAMPLES, SentencePair};
pub use human::{HumanScores, ScoredPairs, human_scores};
pub use joint::{BINS, JointAttention, JointPanel, JointSlice, joint_attention};
pub use pairs::random_pairs;
pub use similarity::{DROPOUT, Similarity, Subject, TOKENS, compare};
pub use trees::{Lengths, MIN_WORDS, TreePairs, tree_pairs};
