//! A table independent of its format, and its text and Markdown formats.

use comfy_table::{CellAlignment, Table};

/// A table, independent of its format.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sheet {
    /// The line above the table.
    pub title: String,
    /// The column names.
    pub header: Vec<String>,
    /// The rows, each as long as the header.
    pub rows: Vec<Vec<String>>,
    /// Notes below the table.
    pub notes: Vec<String>,
}

/// Rules above and below the table and under the header, none between rows, in comfy-table's notation.
const RULES: &str = "  ── ══      ──    ";

/// Marks after a number.
const MARKS: [char; 2] = ['*', '†'];

/// Cells of a column of numbers that are not numbers.
const NO_NUMBER: [&str; 3] = ["", "-", "undefined"];

/// Whether a cell is a number, possibly with sign, standard deviation and marks, or an interval.
pub(super) fn is_number(cell: &str) -> bool {
    let cell = without_runs(cell);
    cell.contains(|c: char| c.is_ascii_digit())
        && cell.chars().all(|c| c.is_ascii_digit() || "+-.±<[], ".contains(c) || MARKS.contains(&c))
}

/// A cell without the number of its runs, which a mean over fewer runs than planned ends with: `61.23 (n=2)`.
fn without_runs(cell: &str) -> &str {
    cell.split(" (n=").next().unwrap_or(cell)
}

impl Sheet {
    /// Whether a column contains numbers and is right-aligned.
    pub(super) fn is_numeric(&self, column: usize) -> bool {
        column > 0
            && self
                .rows
                .iter()
                .all(|row| is_number(&row[column]) || NO_NUMBER.contains(&without_runs(&row[column])))
    }

    /// Plain text, for a terminal.
    pub fn text(&self) -> String {
        let mut table = Table::new();
        table.load_preset(RULES);
        table.set_header(&self.header);
        let numeric: Vec<bool> = (0..self.header.len()).map(|column| self.is_numeric(column)).collect();
        let is_marked = |column: usize| self.rows.iter().any(|row| row[column].ends_with(MARKS));
        let marked: Vec<bool> = (0..self.header.len()).map(is_marked).collect();
        for row in &self.rows {
            // In a column with marks, pad numbers without a mark so that decimal points align.
            let place = |(column, cell): (usize, &String)| {
                let pad = numeric[column] && marked[column] && !cell.ends_with(MARKS);
                if pad { format!("{cell}\u{a0}") } else { cell.clone() }
            };
            table.add_row(row.iter().enumerate().map(place));
        }
        for (index, _) in numeric.iter().enumerate().filter(|(_, numeric)| **numeric) {
            if let Some(column) = table.column_mut(index) {
                column.set_cell_alignment(CellAlignment::Right);
            }
        }
        let notes: String = self.notes.iter().flat_map(|note| [note.as_str(), "\n"]).collect();
        format!("{}\n{table}\n{notes}\n", self.title).replace('\u{a0}', " ")
    }

    /// Markdown.
    pub(crate) fn markdown(&self) -> String {
        // A star must not start emphasis, nor a bar a column.
        let plain = |text: &str| text.replace('*', "\\*").replace('|', "\\|");
        let line = |cells: &[String]| {
            format!("| {} |\n", cells.iter().map(|cell| plain(cell)).collect::<Vec<_>>().join(" | "))
        };
        let rule = |column| if self.is_numeric(column) { "---:" } else { "---" }.to_owned();
        let mut text = format!("**{}**\n\n{}", self.title, line(&self.header));
        text.push_str(&line(&(0..self.header.len()).map(rule).collect::<Vec<_>>()));
        text.extend(self.rows.iter().map(|row| line(row)));
        if !self.notes.is_empty() {
            text.push('\n');
            text.extend(self.notes.iter().map(|note| format!("- {}\n", plain(note))));
        }
        text.push('\n');
        text
    }
}
