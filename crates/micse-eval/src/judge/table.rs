//! The change from one model to another as a table.

use comfy_table::{CellAlignment, Table, presets};

use super::{Change, Difference};

/// A table of measures of two models, whose headings are `names`; rows as in [`Change::rows`].
pub fn to_table(names: [&str; 2], rows: impl IntoIterator<Item = [String; 5]>) -> String {
    let mut table = Table::new();
    table.load_preset(presets::UTF8_FULL_CONDENSED);
    table.set_header(["measure", names[0], names[1], "change", "95 % interval"]);
    for row in rows {
        table.add_row(row);
    }
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table.to_string()
}

impl Change {
    /// The cells of the table: measure, before, after, change, interval.
    pub fn rows(&self) -> Vec<[String; 5]> {
        let searches = [
            ("half-sentence search", &self.halves),
            ("search by noisy copies", &self.noise),
            ("search for the next sentence", &self.order),
        ];
        let searches =
            searches.into_iter().filter_map(|(name, found)| found.as_ref().map(|found| search(name, found)));
        let both = [("uniformity", self.uniformity), ("alignment", self.alignment)];
        let both =
            both.map(|(name, [a, b])| [name.to_owned(), three(a), three(b), signed(b - a), String::new()]);
        let kept = [("neighbours kept", self.kept_neighbours), ("order of cosines kept", self.kept_order)];
        let kept = kept
            .map(|(name, kept)| [name.to_owned(), String::new(), three(kept), String::new(), String::new()]);
        searches.chain(both).chain(kept).collect()
    }
}

fn search(name: &str, difference: &Difference) -> [String; 5] {
    let interval = format!("[{}, {}]", signed(difference.low), signed(difference.high));
    [
        name.to_owned(),
        three(difference.before),
        three(difference.after),
        signed(difference.change()),
        interval,
    ]
}

fn three(value: f64) -> String {
    if value.is_nan() { "undefined".to_owned() } else { format!("{value:.3}") }
}

fn signed(value: f64) -> String {
    format!("{value:+.3}")
}
