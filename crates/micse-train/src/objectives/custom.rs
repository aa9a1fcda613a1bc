//! A term of the caller, by its name.

use serde::{Deserialize, Serialize};

use crate::term::{Needs, Term};

/// A term that the caller brings, by its name (see [`crate::Terms`]).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Custom {
    /// The factor of the term.
    #[serde(default = "super::one")]
    pub weight: f64,
    /// The term's name.
    pub term: String,
    /// The term's own values.
    #[serde(default)]
    pub values: toml::Table,
}

/// Stands for the caller's term until [`crate::Terms`] has found it.
impl Term for Custom {
    fn name(&self) -> &'static str {
        "custom"
    }

    fn needs(&self) -> Needs {
        Needs::views(1)
    }
}
