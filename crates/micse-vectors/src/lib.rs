//! Word vectors: read from files, trained on sentences, averaged into sentence embeddings.
//!
//! The mean of a sentence's word vectors is the field's oldest baseline and the first row of its tables ("Avg.
//! GloVe embeddings", Reimers & Gurevych 2019). [`WordVectors::open`] reads GloVe's text format and both word2vec
//! formats; [`train`] trains GloVe vectors (Pennington, Socher & Manning 2014) on sentences;
//! [`WordVectors::average`] embeds a sentence.
//!
//! ```
//! use micse_vectors::{Selection, WordVectors};
//!
//! let vectors = WordVectors::new(2, [("boat", [1.0, 0.0]), ("red", [0.0, 1.0])])?;
//! assert_eq!(vectors.average("The red boat.", Selection::ContentWords), [0.5, 0.5]);
//! assert_eq!(vectors.average("Nothing known", Selection::ContentWords), [0.0, 0.0]);
//! # Ok::<(), micse_vectors::Error>(())
//! ```
//!
//! Modules: `vectors`, the table of words and rows; `read` and `write`, its files; `tokens`, how sentences are
//! split; `average`, sentence embeddings and coverage, with the list of `function_words`; `glove`, training;
//! `words`, numbered strings.
mod average;
mod error;
mod function_words;
mod glove;
mod read;
mod tokens;
mod vectors;
mod words;
mod write;

pub use average::{Coverage, Selection};
pub use error::{Error, Result};
pub use glove::{Options, Progress, train};
pub use vectors::WordVectors;
