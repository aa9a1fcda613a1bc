//! Statistics for comparing methods, as pure functions on numbers.
//!
//! Scores vary for two reasons: the training seed of the model, and the sentence pairs of the test set.
//! [`Summary`] and [`paired_difference`] are about seeds, [`resampled_spearman`] and [`bootstrap_difference`]
//! about pairs. When many methods are compared with one baseline, [`holm`] keeps the probability of any false
//! claim at the level of one test.
//!
//! ```
//! use micse_stats::{Summary, holm, paired_difference};
//!
//! // Scores of two methods with the same three seeds.
//! let (simcse, micse) = ([70.1, 71.3, 69.8], [72.0, 72.9, 72.1]);
//! let summary = Summary::of(&micse).unwrap();
//! assert_eq!((summary.n, summary.min), (3, 72.0));
//!
//! let difference = paired_difference(&micse, &simcse)?;
//! assert!((difference.mean - 1.9333).abs() < 1e-4);
//! assert!(difference.interval.unwrap().low > 0.0 && difference.p.unwrap() < 0.05);
//!
//! // The second of the two tests is not significant after the correction.
//! assert_eq!(holm(&[0.01, 0.06])?, [0.02, 0.06]);
//! # Ok::<(), micse_stats::Error>(())
//! ```
//!
//! | module | subject |
//! |---|---|
//! | `paired` | the paired t test |
//! | `bootstrap` | resamples, percentile intervals |
//! | `separation` | the distance between two groups of points |
//! | `correction` | Holm's step-down correction |

mod bootstrap;
mod correction;
mod error;
mod paired;
mod ranking;
mod separation;
mod summary;

pub use bootstrap::{BootstrapDifference, Resampling, bootstrap_difference, resampled_spearman};
pub use correction::holm;
pub use error::{Error, Result};
pub use paired::{Interval, PairedDifference, paired_difference};
pub use ranking::Ranking;
pub use separation::{Estimate, Separation, separation};
pub use summary::Summary;
