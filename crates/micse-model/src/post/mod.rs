//! Post-processing of sentence embeddings, fitted without labels.
//!
//! Embeddings of pre-trained encoders occupy a narrow cone, so that the cosine similarity of any two
//! sentences is high. A stage maps them to a distribution without a preferred direction:
//!
//! * [`Whitening`] (Su et al. 2021; Huang et al. 2021): the linear map after which the rows of the fit have
//!   mean 0 and covariance 1, restricted to the components of largest variance. n rows have variance in at
//!   most n - 1 directions: with few rows, choose the number of components well below n.
//! * [`Flow`] (BERT-flow, Li et al. 2020): an invertible network, a Glow of 3 levels of 3 steps on vectors,
//!   that maximizes the likelihood of the rows under N(0, 1). The dimension must be divisible by 2^levels.
//!
//! Both are fitted only on rows, without knowledge of encoder or text, and can be the last [`Stage`] of a
//! model folder. The stage records what it was fitted on: a stage fitted on test sentences has seen the test
//! data, and its scores must say so.
//!
//! ```
//! use micse_model::post::{Stage, Whitening};
//! use micse_random::Stream;
//!
//! // 50 rows of dimension 4, all close to one direction.
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
//! | module | contents |
//! |---|---|
//! | [`whitening`] | mean, covariance, eigenvectors |
//! | [`flow`] | the network, its fit, the fitted flow |
//! | [`stage`] | a fitted stage and its files |

mod error;
pub mod flow;
mod rows;
pub mod stage;
pub mod whitening;

pub use error::{Error, Result};
pub use flow::{Flow, FlowOptions, FlowTrainer};
pub use stage::Stage;
pub use whitening::Whitening;
