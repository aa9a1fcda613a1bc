//! Which published results a sweep is compared with.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::Figure;

/// Which published results the tables compare with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Against {
    /// All tables of the miCSE paper, and the methods' own publications.
    Paper,
    /// One table of the miCSE paper.
    Table(u8),
}

impl Against {
    /// Every choice.
    pub const ALL: [Self; 4] = [Self::Paper, Self::Table(1), Self::Table(2), Self::Table(3)];

    /// Whether a result is among them.
    pub(crate) fn has(self, figure: &Figure) -> bool {
        match self {
            Self::Paper => true,
            Self::Table(table) => figure.table == Some(table),
        }
    }
}

impl fmt::Display for Against {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Paper => f.write_str("paper"),
            Self::Table(table) => write!(f, "table-{table}"),
        }
    }
}

impl From<Against> for String {
    fn from(against: Against) -> Self {
        against.to_string()
    }
}

impl TryFrom<String> for Against {
    type Error = String;

    fn try_from(name: String) -> Result<Self, String> {
        name.parse()
    }
}

impl FromStr for Against {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        let known = || Self::ALL.map(|against| against.to_string()).join(", ");
        let found = Self::ALL.into_iter().find(|against| against.to_string() == name);
        found.ok_or_else(|| format!("no published results `{name}`; use one of {}", known()))
    }
}
