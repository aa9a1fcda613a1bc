//! *Train text* and *selected on*, which decide whether scores can be compared: columns where methods differ in them,
//! a line below the table where all that train have the same.

use crate::results::{Method, UNKNOWN};

/// What stands where a method has none.
const NONE: &str = "none";

/// The columns that differ, and the notes on those that do not.
pub(super) struct Provenance {
    columns: Vec<Column>,
}

struct Column {
    name: &'static str,
    of: fn(&Method) -> &str,
    /// What all methods that have it at all have.
    common: Option<String>,
}

impl Provenance {
    pub(super) fn of(methods: &[Method]) -> Self {
        let column = |name, of: fn(&Method) -> &str| {
            let mut values = methods.iter().map(of).filter(|value| *value != NONE && *value != UNKNOWN);
            let first = values.next();
            let same = values.all(|value| Some(value) == first);
            Column { name, of, common: first.filter(|_| same).map(str::to_owned) }
        };
        Self {
            columns: vec![column("train text", |m| &m.train_text), column("selected on", |m| &m.selected_on)],
        }
    }

    fn differing(&self) -> impl Iterator<Item = &Column> {
        self.columns.iter().filter(|column| column.common.is_none())
    }

    pub(super) fn header(&self) -> impl Iterator<Item = String> {
        self.differing().map(|column| column.name.to_owned())
    }

    pub(super) fn cells(&self, method: &Method) -> impl Iterator<Item = String> {
        self.differing().map(|column| (column.of)(method).to_owned())
    }

    pub(super) fn notes(&self) -> impl Iterator<Item = String> {
        let note = |column: &Column| {
            Some(format!("{}, for all methods that train: {}", column.name, column.common.as_ref()?))
        };
        self.columns.iter().filter_map(note)
    }
}
