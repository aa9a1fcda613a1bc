//! A custom term, by its name.

use serde::{Deserialize, Serialize};

use crate::term::{Needs, Term};

/// A custom term of the calling program, by its name (see [`crate::Terms`]).
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

/// A placeholder until [`crate::Terms`] finds the custom term.
impl Term for Custom {
    fn name(&self) -> &'static str {
        "custom"
    }

    fn needs(&self) -> Needs {
        Needs { reads: None, ..Needs::views(1) }
    }
}
