//! Methods compared with results from the miCSE paper and from their own publications.

use std::collections::BTreeSet;

use micse_stats::Summary;

use crate::Grid;
use crate::paper::{Figure, Paper};
use crate::results::{AVERAGE, FinishedCell, Results};
use crate::scores::mean_and_std;
use crate::tables::Sheet;

/// The evaluation protocol of the published results.
const EVALUATION: &str = "SentEval";

/// The table: one row per published result whose method is in the sweep. Results for one training-set size are included
/// only if the sweep has a size with as many sentences.
pub(super) fn against(results: &Results, grid: &Grid, paper: &Paper) -> Sheet {
    let header =
        ["method", "table", "setting", "published", "size", "this sweep", "difference", "differs in"];
    let (mut rows, mut told) = (Vec::new(), Vec::new());
    for figure in &paper.figures {
        for method in results.methods.iter().filter(|method| figure.is_of(&method.name)) {
            let cells = nearest(results, &method.name, figure);
            let Some(here) = summary(&cells) else { continue };
            if figure.size.is_some() && figure.sentences != Some(cells[0].result.sentences) {
                continue;
            }
            if let (Some(table), Some(size), Some(note)) = (figure.table, &figure.size, &figure.note) {
                told.push(format!("Table {table}, {}, {size}: {note}", figure.name));
            }
            let published = figure.std.map_or_else(String::new, |std| format!("±{std:.2}"));
            rows.push(vec![
                method.name.clone(),
                figure.table.map_or_else(|| "-".into(), |table| table.to_string()),
                figure.setting(),
                format!("{:.2}{published}", figure.average()),
                cells[0].result.size.clone().unwrap_or_else(|| "-".into()),
                mean_and_std(&here),
                format!("{:+.2}", here.mean - figure.average()),
                differences(&cells, grid, figure),
            ]);
        }
    }
    let own = grid.notes.iter().filter(|note| **note != grid.settings).chain([&grid.settings]);
    let mut notes: Vec<String> = own.map(|note| format!("this sweep: {note}")).collect();
    if rows.is_empty() {
        notes.insert(0, "no method of this sweep has a published score".into());
    }
    notes.push(format!("published scores: {} (Klein & Nabi 2023) where a table is given", paper.title));
    notes.extend(told);
    let sources: BTreeSet<&str> = paper.figures.iter().map(|figure| figure.source.as_str()).collect();
    notes.push(format!("sources: {}", Vec::from_iter(sources).join("; ")));
    Sheet {
        title: "Against published scores: Spearman x 100, average of 7 tasks".into(),
        header: header.map(str::to_owned).to_vec(),
        rows,
        notes,
    }
}

/// The method's cells at the size with as many sentences as the published result, else at the method's largest size.
fn nearest<'a>(results: &'a Results, method: &str, figure: &Figure) -> Vec<&'a FinishedCell> {
    let of_method: Vec<&FinishedCell> =
        results.cells.iter().filter(|cell| cell.result.method == method).collect();
    let same: Vec<&FinishedCell> = of_method
        .iter()
        .filter(|cell| figure.sentences.is_some_and(|count| count == cell.result.sentences))
        .copied()
        .collect();
    // If several sizes have as many sentences, use the first.
    let chosen = same.first().or_else(|| of_method.iter().max_by_key(|cell| cell.result.sentences));
    let size = chosen.map(|cell| &cell.result.size);
    of_method.into_iter().filter(|cell| Some(&cell.result.size) == size).collect()
}

fn summary(cells: &[&FinishedCell]) -> Option<Summary> {
    Summary::of(&cells.iter().filter_map(|cell| cell.score(AVERAGE)).collect::<Vec<_>>())
}

/// The last component of the path in a note such as `encoder: models/bert-base-uncased (--model)`.
fn last_name(note: &str) -> String {
    let path = note.trim_start_matches("encoder: ");
    let path = path.rsplit_once(" (").map_or(path, |(path, _)| path);
    path.trim_end_matches('/').rsplit('/').next().unwrap_or(path).to_lowercase()
}

/// The detected differences between the two settings. Encoder and corpus are compared by name.
fn differences(cells: &[&FinishedCell], grid: &Grid, figure: &Figure) -> String {
    let result = &cells[0].result;
    let mut parts = Vec::new();
    let encoder = grid.notes.iter().find(|note| note.starts_with("encoder: "));
    let same_encoder = encoder.zip(figure.folder()).is_some_and(|(note, folder)| last_name(note) == folder);
    // Word vectors have no encoder.
    if figure.folder().is_some() && !same_encoder {
        parts.push("encoder".to_owned());
    }
    let text = figure.text.as_deref();
    let same_text = match text {
        None => result.train_text == "none",
        Some("Wikipedia") => result.train_text.to_lowercase().contains("wiki"),
        Some(_) => false,
    };
    if !same_text {
        parts.push("corpus".into());
    }
    if let Some(count) = figure.sentences.filter(|&count| count != result.sentences) {
        parts.push(format!("sentences ({} instead of {count})", result.sentences));
    }
    if result.evaluated_on != EVALUATION {
        parts.push("pairs".into());
    }
    let own = grid.settings.ends_with("the recipes' own") && !result.method.ends_with("-baseline");
    if result.steps > 0 && !own {
        parts.push("settings".into());
    }
    if parts.is_empty() { "nothing detected".into() } else { parts.join(", ") }
}
