//! *Encoder*, *corpus* and *selected on*, which determine whether scores are comparable: shown as columns if methods
//! differ in them; a common corpus and selection as a note below the table.

use crate::results::{Method, NONE, UNKNOWN};

/// The columns in which methods differ, and notes for the others.
pub(super) struct Provenance {
    columns: Vec<Column>,
}

struct Column {
    name: &'static str,
    of: fn(&Method) -> &str,
    /// The value that all trained methods share; `None` if they differ.
    common: Option<String>,
}

/// Whether a value is known, and that of a trained method or of an encoder.
fn is_known(value: &str) -> bool {
    value != NONE && value != UNKNOWN
}

impl Provenance {
    pub(super) fn of(methods: &[Method]) -> Self {
        let column = |name, of: fn(&Method) -> &str| {
            let mut values = methods.iter().map(of).filter(|value| is_known(value));
            let first = values.next();
            let same = values.all(|value| Some(value) == first);
            Column { name, of, common: first.filter(|_| same).map(str::to_owned) }
        };
        let mut columns =
            vec![column("corpus", |m| &m.train_text), column("selected on", |m| &m.selected_on)];
        if methods.iter().any(|method| method.names_encoder) {
            columns.insert(0, column("encoder", |m| &m.encoder));
        }
        // Without a trained method, corpus and selection say nothing.
        columns.retain(|column| methods.iter().any(|method| is_known((column.of)(method))));
        Self { columns }
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
            Some(format!("{} (all trained methods): {}", column.name, column.common.as_ref()?))
        };
        self.columns.iter().filter_map(note)
    }
}
