//! Statistics of comparisons between methods, as pure functions on numbers.
//!
//! Scores vary for two reasons: the seed that a model was trained with, and the sentence pairs that it was scored
//! on. [`Summary`] and [`paired_difference`] are about seeds, [`resampled_spearman`] and [`bootstrap_difference`]
//! about pairs. Where many methods are compared with one baseline, [`holm`] keeps the chance of any false claim
//! at the level of one test.
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
//! // The second of two tests does not stand after the correction.
//! assert_eq!(holm(&[0.01, 0.06])?, [0.02, 0.06]);
//! # Ok::<(), micse_stats::Error>(())
//! ```
//!
//! | module | subject |
//! |---|---|
//! | `summary` | mean, deviation and range over seeds |
//! | `paired` | the paired t test |
//! | `ranking` | Spearman's correlation of a resample, from score vectors that are sorted once |
//! | `bootstrap` | resamples, percentile intervals |
//! | `correction` | Holm's step-down correction |

mod bootstrap;
mod correction;
mod error;
mod paired;
mod ranking;
mod summary;

pub use bootstrap::{BootstrapDifference, Resampling, bootstrap_difference, resampled_spearman};
pub use correction::holm;
pub use error::{Error, Result};
pub use paired::{Interval, PairedDifference, paired_difference};
pub use ranking::Ranking;
pub use summary::Summary;
