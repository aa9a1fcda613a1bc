//! Post-processing of sentence embeddings, fitted without labels.
//!
//! Embeddings of pre-trained encoders lie in a narrow cone, so that cosines of any two sentences are high.
//! A stage maps them to a distribution that has no preferred direction:
//!
//! * [`Whitening`] (Su et al. 2021; Huang et al. 2021): the linear map after which the fit's rows have mean 0 and
//!   covariance 1, cut to the components of largest variance. n rows have a variance in at most n - 1 directions: on
//!   few rows choose the components well below n.
//! * [`Flow`] (BERT-flow, Li et al. 2020): an invertible network, a Glow of 3 levels of 3 steps on vectors, after which
//!   the rows are as likely as possible under N(0, 1). The dimension must be divisible by 2^levels.
//!
//! Both are fitted on rows alone, know no encoder and no text, and can be the last [`Stage`] of a model folder, which
//! records what it was fitted on: a stage fitted on test sentences has seen them, and its scores have to say so.
//!
//! ```
//! use micse_model::post::{Stage, Whitening};
//! use micse_random::Stream;
//!
//! // 50 rows of dimension 4, all of them near one direction.
//! let mut draws = Stream::new(48).draws();
//! let rows: Vec<Vec<f32>> =
//!     (0..50).map(|_| (0..4).map(|_| (3.0 + draws.normal()) as f32).collect()).collect();
//!
//! let whitening = Whitening::fit(&rows, Some(2))?;
//! let stage = Stage::Whitening { whitening, fitted_on: "50 sentences of the corpus".into() };
//! assert_eq!((stage.input_dimension(), stage.output_dimension()), (4, 2));
//! let whitened = stage.transform(&rows)?;
//! assert!(whitened.iter().map(|row| row[0]).sum::<f32>().abs() < 1e-3);
//! # Ok::<(), micse_model::post::Error>(())
//! ```
//!
//! | module | subject |
//! |---|---|
//! | [`whitening`] | mean, covariance, eigenvectors |
//! | [`flow`] | the network, its fit, the fitted flow |
//! | [`stage`] | one stage and its files |

mod error;
pub mod flow;
mod rows;
pub mod stage;
pub mod whitening;

pub use error::{Error, Result};
pub use flow::{Flow, FlowOptions, FlowTrainer};
pub use stage::Stage;
pub use whitening::Whitening;
