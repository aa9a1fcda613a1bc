//! The sections with the tables and with published results.

use std::fmt::Write as _;

use super::data::Sweep;
use super::head::enumerate;
use super::html::Page;
use crate::chart::curves::{Curves, Line};
use crate::chart::svg::{escape, text_width};
use crate::chart::{Picture, Score};
use crate::tables::Sheet;
use crate::{Against, Paper, Result, sheets};

/// The start of the title of a table without a best score: one of differences or of published results.
const NO_CONTEST: &str = "Against ";

/// The paper's table of average scores by training-set size.
const BY_SIZE: u8 = 2;

/// Writes all tables except those with published results.
pub(super) fn write(page: &mut Page, sweep: &Sweep) -> Result<()> {
    let all = sheets::all(&sweep.results, &sweep.grid, sweep.comparisons.as_ref())?;
    page.section("tables", "Tables");
    page.remark("The best score of each column is bold; a dash marks a cell without a result.");
    for sheet in &all {
        table(page, sheet);
    }
    Ok(())
}

fn table(page: &mut Page, sheet: &Sheet) {
    let (rows, em) = html(sheet);
    page.table(&sheet.title, em, &rows, &sheet.notes);
}

/// The paper's curves, and the tables that compare published results with this sweep.
pub(super) fn published(page: &mut Page, sweep: &Sweep) -> Result<Option<String>> {
    let against = sweep.grid.against.unwrap_or(Against::Paper);
    let sheets = sheets::published(&sweep.results, &sweep.grid, against)?;
    if sheets.iter().all(|sheet| sheet.rows.is_empty()) {
        return Ok(Some("Published scores: none for these methods.".into()));
    }
    page.section("published", "Comparison with published scores");
    page.paragraph(
        "The last column of the first table lists known differences from this sweep. Where it lists one, compare the \
         order of methods and the size of differences, not absolute scores.",
    );
    if let Some((curves, table)) = curves(sweep, &Paper::load()?, against) {
        let names: Vec<String> = curves.lines.iter().map(|line| line.name.clone()).collect();
        let caption = format!(
            "{} as published: averages over 7 tasks by training-set size (Table {table} of the miCSE paper, with \
             BERT-base). Bands: mean ± one standard deviation over seeds.",
            enumerate(&names)
        );
        page.figure(Picture::new("published", "Published scores over training-set size", &curves), &caption);
    }
    for sheet in &sheets {
        table(page, sheet);
    }
    Ok(None)
}

/// The paper's scores by size for the methods of this sweep; `None` if the paper has none of them.
fn curves(sweep: &Sweep, paper: &Paper, against: Against) -> Option<(Curves, u8)> {
    let figures = || paper.figures.iter().filter(|f| f.table == Some(BY_SIZE) && against.has(f));
    let mut sizes: Vec<(usize, String)> =
        figures().filter_map(|f| Some((f.sentences?, f.size.clone()?))).collect();
    sizes.sort();
    sizes.dedup();
    let line = |method: &String| {
        let point = |(sentences, _): &(usize, String)| {
            let figure = figures().find(|f| {
                f.method == method.trim_end_matches("-baseline") && f.sentences == Some(*sentences)
            })?;
            let (mean, std) = (figure.average(), figure.std);
            Some(Score { mean, std, runs: None })
        };
        let points: Vec<_> = sizes.iter().map(point).collect();
        let any = points.iter().any(Option::is_some);
        any.then(|| Line { name: method.clone(), look: sweep.looks.of(method), points })
    };
    let lines: Vec<Line> = sweep.methods.iter().filter_map(line).collect();
    let y_title = "Spearman × 100, average of 7 tasks".into();
    (!lines.is_empty()).then_some((Curves { y_title, sizes, lines, levels: Vec::new() }, BY_SIZE))
}

/// The score at the start of a cell such as `53.33±0.07*`; `None` for other cells, such as differences.
fn score(cell: &str) -> Option<f64> {
    let end = cell.find(|c: char| !(c.is_ascii_digit() || c == '.' || c == '-')).unwrap_or(cell.len());
    let number = &cell[..end];
    let decimals = number.split_once('.').map(|(_, d)| d.len())?;
    (decimals == 2).then(|| number.parse().ok()).flatten()
}

/// The rows with the best score of a column, if the column has more than one score.
fn best(sheet: &Sheet, column: usize) -> Vec<usize> {
    let scores = |row: &[String]| {
        (!is_difference(row)).then(|| row.get(column).and_then(|cell| score(cell))).flatten()
    };
    if sheet.title.starts_with(NO_CONTEST) {
        return Vec::new();
    }
    let all: Vec<Option<f64>> = sheet.rows.iter().map(|row| scores(row)).collect();
    let top = all.iter().flatten().copied().fold(f64::NEG_INFINITY, f64::max);
    if all.iter().flatten().count() < 2 {
        return Vec::new();
    }
    (0..all.len()).filter(|row| all[*row] == Some(top)).collect()
}

/// Whether a column contains words rather than numbers.
fn is_words(sheet: &Sheet, column: usize) -> bool {
    let word = |cell: &str| !cell.starts_with("undefined") && cell.starts_with(char::is_alphabetic);
    column == 0 || sheet.rows.iter().any(|row| row.get(column).is_some_and(|cell| word(cell)))
}

/// The width at which a column of words wraps, in units of the font size.
const WORDS_EM: f64 = 12.0;

/// Whether a row shows the difference between the rows above it.
fn is_difference(row: &[String]) -> bool {
    row.first().is_some_and(|name| name.starts_with(' '))
}

// Writing into a String cannot fail.
macro_rules! put {
    ($text:expr, $($part:tt)*) => { { let _ = write!($text, $($part)*); } };
}

/// Table head and body, and the width in units of the font size.
fn html(sheet: &Sheet) -> (String, f64) {
    let words: Vec<bool> = (0..sheet.header.len()).map(|column| is_words(sheet, column)).collect();
    let class = |column: usize| if words[column] { " class=\"words\"" } else { "" };
    let mut text = String::from("<thead><tr>");
    for (column, name) in sheet.header.iter().enumerate() {
        put!(text, "<th scope=\"col\"{}>{}</th>", class(column), escape(name));
    }
    text.push_str("</tr></thead>\n<tbody>\n");
    let tops: Vec<Vec<usize>> = (0..sheet.header.len()).map(|column| best(sheet, column)).collect();
    for (index, row) in sheet.rows.iter().enumerate() {
        text.push_str(if is_difference(row) { "<tr class=\"difference\">" } else { "<tr>" });
        for (column, cell) in row.iter().enumerate() {
            let cell = cell.trim();
            // Numbers use a true minus sign.
            let cell = if words[column] { cell.to_owned() } else { cell.replace('-', "\u{2212}") };
            let content = cell_html(&cell, tops[column].contains(&index));
            if column == 0 {
                put!(text, "<th scope=\"row\">{content}</th>");
            } else {
                put!(text, "<td{}>{content}</td>", class(column));
            }
        }
        text.push_str("</tr>\n");
    }
    text.push_str("</tbody>\n");
    let width = |column: usize| {
        let cells = sheet.rows.iter().filter_map(|row| row.get(column)).chain(sheet.header.get(column));
        let widest = cells.map(|cell| text_width(cell, 1.0)).fold(0.0, f64::max);
        // Words may wrap; every cell has padding.
        let room = if column > 0 && words[column] { widest.min(WORDS_EM) } else { widest };
        room + 1.1
    };
    (text, (0..sheet.header.len()).map(width).sum())
}

fn cell_html(cell: &str, best: bool) -> String {
    if ["-", "\u{2212}"].contains(&cell) {
        return "<span class=\"hole\" title=\"no result\">\u{2013}</span>".into();
    }
    let (value, spread) = match cell.split_once('±') {
        Some((value, spread)) => (value, format!("<span class=\"spread\">±{}</span>", escape(spread))),
        None => (cell, String::new()),
    };
    let value = escape(value);
    if best { format!("<b>{value}</b>{spread}") } else { format!("{value}{spread}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sheet(header: &[&str], rows: &[&[&str]]) -> Sheet {
        let texts = |cells: &[&str]| cells.iter().map(|c| (*c).to_owned()).collect::<Vec<_>>();
        Sheet {
            title: "t".into(),
            header: texts(header),
            rows: rows.iter().map(|r| texts(r)).collect(),
            notes: Vec::new(),
        }
    }

    #[test]
    fn the_best_score_of_a_column_is_bold_and_holes_show() {
        let sheet = sheet(
            &["method", "10%", "cost"],
            &[
                &["a<b", "50.10±0.20 (n=4)", "1.0"],
                &["c", "-", "2.0"],
                &["d", "51.00±0.10*", "3.0"],
                &["  difference", "+99.00", ""],
            ],
        );
        let (text, _) = html(&sheet);
        assert!(text.contains("<b>51.00</b><span class=\"spread\">±0.10*</span>"), "{text}");
        assert_eq!(text.matches("<b>").count(), 1, "costs and differences are not scores: {text}");
        assert!(text.contains("a&lt;b") && text.contains("no result"), "{text}");
    }

    #[test]
    fn columns_of_words_are_told_from_numbers() {
        let sheet = sheet(
            &["method", "a", "b", "c"],
            &[
                &["m", "50.10±0.20* (n=4)", "encoder, text", "[-1.00, +2.00]"],
                &["n", "undefined (n=2)", "-", "<0.001"],
            ],
        );
        assert_eq!([0, 1, 2, 3].map(|column| is_words(&sheet, column)), [true, false, true, false]);
    }

    #[test]
    fn a_single_score_is_not_the_best_of_any() {
        let sheet = sheet(&["method", "10%"], &[&["a", "50.10"], &["b", "-"]]);
        assert!(best(&sheet, 1).is_empty());
    }

    #[test]
    fn the_largest_difference_is_not_the_best_score() {
        let rows: &[&[&str]] = &[&["a", "+1.00"], &["b", "50.10"], &["c", "50.20"]];
        let mut sheet = sheet(&["method", "Avg."], rows);
        assert_eq!(best(&sheet, 1), [2]);
        sheet.title = "Against a, without training".into();
        assert!(best(&sheet, 1).is_empty());
    }
}
