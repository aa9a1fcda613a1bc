//! Recipes and the trainer: which views, networks and objectives train an encoder, and the loop that does.
//!
//! A method is a recipe, a TOML file. The trainer runs it on a seeded low-shot split; a run is a folder
//! that can be killed at any time and goes on bit for bit.
//!
//! ```
//! use micse_train::Recipe;
//!
//! let recipe = Recipe::load("micse", &["optimizer.lr=2e-4".into(), "objectives.ami.weight=1.0".into()])?;
//! assert_eq!(recipe.momentum.unwrap().queue, 384);
//! assert_eq!(recipe.ami().next().unwrap().weight, 1.0);
//!
//! // Mixes that cannot work are refused with the reason.
//! let error = Recipe::load("simcse", &["objectives.infonce.negatives=[\"queue\"]".into()]).unwrap_err();
//! assert!(error.to_string().contains("[momentum]"));
//! # Ok::<(), micse_train::Error>(())
//! ```
//!
//! | module | subject |
//! |---|---|
//! | [`recipe`] | what a method is; the built-in ones |
//! | [`objectives`] | the terms of a loss |
//! | [`trainer`] | one step after the other; checkpoints |
//! | [`masked_lm`] | a pass of masked language modelling |
//! | [`checkpoint`] | what a run needs to go on, in one file |
//! | [`mod@pretrain`] | masked language modelling of a new encoder |
//! | [`mod@run`] | a run's folder: manifest, metrics, model, result |

pub mod checkpoint;
mod error;
pub mod masked_lm;
mod networks;
pub mod objectives;
pub mod pretrain;
pub mod recipe;
pub mod run;
mod stop;
mod term;
pub mod trainer;

pub use error::{Error, Result};
pub use networks::{Network, NetworkKind, Networks, Role};
pub use recipe::Recipe;
pub use run::{Event, RunInputs, RunResult, TrainText, check, run, scored_file, untrained};
pub use stop::Stop;
pub use term::{Beside, Needs, Term, TermError, TermResult, Terms};
pub use trainer::{Forward, StepReport, StepStart, StepTimes, StepView, Trainer, learning_rate};
