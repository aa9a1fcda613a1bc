//! Recipes and the trainer: the views, networks and objectives that train an encoder, and the training loop.
//!
//! A method is a recipe, a TOML file. The trainer runs it on a seeded low-shot split. A run is a folder; it can be
//! killed at any time, and a resumed run is bit-for-bit identical.
//!
//! ```
//! use micse_train::Recipe;
//!
//! let recipe = Recipe::load("micse", &["optimizer.lr=2e-4".into(), "objectives.ami.weight=1.0".into()])?;
//! assert_eq!(recipe.momentum.unwrap().queue, 384);
//! assert_eq!(recipe.ami().next().unwrap().weight, 1.0);
//!
//! // Invalid combinations fail with an explanation.
//! let error = Recipe::load("simcse", &["objectives.infonce.negatives=[\"queue\"]".into()]).unwrap_err();
//! assert!(error.to_string().contains("[momentum]"));
//! # Ok::<(), micse_train::Error>(())
//! ```
//!
//! | module | subject |
//! |---|---|
//! | [`recipe`] | methods as data; the built-in ones |
//! | [`objectives`] | the terms of a loss |
//! | [`trainer`] | steps and checkpoints |
//! | [`masked_lm`] | a pass of masked language modelling |
//! | [`checkpoint`] | the state of a run, in one file |
//! | [`mod@pretrain`] | masked language modelling of a new encoder |
//! | [`mod@run`] | a run folder: manifest, metrics, model, result |

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
pub use run::{EvaluationSets, Event, RunInputs, RunResult, TrainText, check, run, scored_file, untrained};
pub use stop::Stop;
pub use term::{Beside, Needs, Term, TermError, TermResult, Terms};
pub use trainer::{Forward, StepReport, StepStart, StepTimes, StepView, Trainer, learning_rate};
