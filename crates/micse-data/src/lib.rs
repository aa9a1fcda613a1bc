//! Data for sentence embeddings: corpora of unlabelled sentences, seeded low-shot splits and epoch orders, STS
//! sets and transfer tasks, the rule that locates them, and a generated demo that needs no download. The crate yields text and
//! indices; it uses no tokenizers or tensors.
//!
//! ```
//! use micse_data::{Corpus, EpochOrder, Split};
//!
//! // A corpus, a 10 % split drawn with seed 48, and the first batch of four sentences.
//! let corpus = Corpus::from_sentences("counting", (0..100).map(|i| format!("We counted {i} sheep.")));
//! let split = Split::draw(corpus.len(), "10%".parse()?, 48)?;
//! let mut order = EpochOrder::new(split.indices.len(), 4, 48);
//! let batch: Vec<&str> =
//!     order.batch(0).into_iter().map(|i| corpus.get(split.indices[i as usize] as usize)).collect();
//! assert_eq!(batch.len(), 4);
//! assert!(batch[0].starts_with("We counted"));
//! # Ok::<(), micse_data::Error>(())
//! ```
//!
//! * [`corpus`]: files with one sentence per line (plain, Zstandard or gzip) in one buffer.
//! * [`split`]: nested low-shot splits by count or fraction; the published split files.
//! * [`order`]: the sentences of each step.
//! * [`masking`]: masked copies of tokenized sentences, for masked language modelling.
//! * [`augment`]: views of a sentence, and pairs of sentences.
//! * [`sts`]: STS sets, in `SentEval`'s layout or the demo's.
//! * [`transfer`]: labelled sentences of `SentEval`'s transfer tasks, or the demo's.
//! * [`treebank`]: sentences with dependency trees, in CoNLL-U.
//! * [`Words`]: words of a text, also in scripts without spaces.
//! * [`overlap`]: evaluation sentences that also occur in a training corpus.
//! * [`locate`]: an option, else `MICSE_DATA`, else an error with instructions.
//! * [`demo`]: a corpus and graded pairs from a seeded grammar.
pub mod augment;
pub mod corpus;
pub mod demo;
mod error;
pub mod locate;
pub mod masking;
pub mod order;
pub mod overlap;
mod pairs;
pub mod split;
pub mod sts;
mod text_file;
pub mod transfer;
pub mod treebank;
mod words;

pub use augment::{TextOp, TokenOp};
pub use corpus::{Corpus, CorpusInfo, SentenceReader};
pub use error::{Error, Result};
pub use locate::{CorpusSource, Located, Locator};
pub use masking::{MaskVocabulary, Masked, Masking};
pub use order::EpochOrder;
pub use overlap::Overlap;
pub use pairs::PairFile;
pub use split::{Split, SplitFiles, SplitSize, parse_seeds, parse_sizes};
pub use sts::{DEMO_FILES, Pair, StsCorpus, Subset, Suite, Task};
pub use transfer::{Example, Parts, TransferSuite, TransferTask};
pub use treebank::{Parsed, TreeEquality, Word, read_treebank};
pub use words::Words;
