//! Methods compared with results from the miCSE paper and from their own publications.

use std::collections::BTreeSet;

use micse_stats::Summary;

use super::{short, signed};
use crate::paper::{Figure, Paper};
use crate::results::{AVERAGE, FinishedCell, Method, Results};
use crate::scores::mean_and_std;
use crate::tables::Sheet;
use crate::{Against, Grid};

/// The evaluation protocol of the published results.
const EVALUATION: &str = "SentEval";

/// The table of averages: one row per published result whose method is in the sweep. Results for one training-set size
/// are included only if the sweep has that size.
pub(super) fn averages(results: &Results, grid: &Grid, paper: &Paper, against: Against) -> Sheet {
    let header =
        ["method", "table", "setting", "published", "size", "this sweep", "difference", "differs in"];
    let (mut rows, mut told) = (Vec::new(), Vec::new());
    let mut sources: BTreeSet<&str> = BTreeSet::new();
    for figure in paper.figures.iter().filter(|figure| against.has(figure)) {
        for method in results.methods.iter().filter(|method| figure.is_of(&method.name)) {
            let cells = nearest(results, &method.name, figure, paper);
            let Some(here) = summary(&cells, AVERAGE) else { continue };
            sources.insert(&figure.source);
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
                signed(here.mean - figure.average()),
                differences(&cells, method, figure),
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
    if !sources.is_empty() {
        notes.push(format!("sources: {}", Vec::from_iter(sources).join("; ")));
    }
    Sheet {
        title: "Against published scores: Spearman x 100, average of 7 tasks".into(),
        header: header.map(str::to_owned).to_vec(),
        rows,
        notes,
    }
}

/// The scores by task next to the published ones: three rows per published result; `None` without any.
pub(super) fn by_task(results: &Results, paper: &Paper, against: Against) -> Option<Sheet> {
    let figures = || paper.figures.iter().filter(|figure| against.has(figure) && !figure.scores.is_empty());
    let has_task = |task: &String| figures().any(|figure| figure.scores.contains_key(task));
    let tasks: Vec<&str> = results.tasks.iter().filter(|task| has_task(task)).map(String::as_str).collect();
    if tasks.is_empty() {
        return None;
    }
    let mut rows = Vec::new();
    for figure in figures() {
        for method in results.methods.iter().filter(|method| figure.is_of(&method.name)) {
            let cells = nearest(results, &method.name, figure, paper);
            let source =
                figure.table.map_or_else(|| "its publication".into(), |table| format!("Table {table}"));
            let [mut published, mut here, mut difference] =
                [method.name.as_str(), "", "  difference"].map(|name| vec![name.to_owned()]);
            published.push(source);
            here.push("this sweep".into());
            difference.push(String::new());
            for &task in tasks.iter().chain([&AVERAGE]) {
                let score =
                    if task == AVERAGE { Some(figure.average()) } else { figure.scores.get(task).copied() };
                let found = summary(&cells, task);
                let or_hole = |text: Option<String>| text.unwrap_or_else(|| "-".into());
                published.push(or_hole(score.map(|score| format!("{score:.2}"))));
                here.push(or_hole(found.as_ref().map(mean_and_std)));
                difference.push(or_hole(score.zip(found).map(|(score, found)| signed(found.mean - score))));
            }
            if here.iter().skip(2).any(|cell| cell != "-") {
                rows.extend([published, here, difference]);
            }
        }
    }
    let header =
        ["method", "scores"].into_iter().chain(tasks.iter().map(|task| short(task))).chain([AVERAGE]);
    (!rows.is_empty()).then_some(Sheet {
        title: "Against published scores by task: Spearman x 100".into(),
        header: header.map(str::to_owned).collect(),
        rows,
        notes: vec!["the table of averages lists what differs between the two settings".into()],
    })
}

/// The method's cells that compare with a published result. A result for one training-set size compares with the size
/// of as many sentences, else with the size of that name, such as `0.1%`; without such a size, with none. Another result
/// compares with the size of as many sentences, else with the method's largest size.
fn nearest<'a>(results: &'a Results, method: &str, figure: &Figure, paper: &Paper) -> Vec<&'a FinishedCell> {
    let of_method: Vec<&FinishedCell> =
        results.cells.iter().filter(|cell| cell.result.method == method).collect();
    let same: Vec<&FinishedCell> = of_method
        .iter()
        .filter(|cell| figure.sentences.is_some_and(|count| count == cell.result.sentences))
        .copied()
        .collect();
    // A cell that has the number of sentences of another column belongs there.
    let elsewhere = |cell: &FinishedCell| {
        let of_row = |other: &&Figure| other.table == figure.table && other.name == figure.name;
        paper.figures.iter().filter(of_row).any(|other| other.sentences == Some(cell.result.sentences))
    };
    let named = || of_method.iter().find(|cell| cell.result.size == figure.size && !elsewhere(cell));
    let largest = || of_method.iter().max_by_key(|cell| cell.result.sentences);
    // If several sizes have as many sentences, use the first.
    let chosen = same.first().or_else(|| if figure.size.is_some() { named() } else { largest() });
    let size = chosen.map(|cell| &cell.result.size);
    of_method.into_iter().filter(|cell| Some(&cell.result.size) == size).collect()
}

fn summary(cells: &[&FinishedCell], task: &str) -> Option<Summary> {
    Summary::of(&cells.iter().filter_map(|cell| cell.score(task)).collect::<Vec<_>>())
}

/// The detected differences between the two settings. Encoder and corpus are compared by name.
fn differences(cells: &[&FinishedCell], method: &Method, figure: &Figure) -> String {
    let result = &cells[0].result;
    let mut parts = Vec::new();
    // Word vectors have no encoder.
    if figure.folder().is_some_and(|folder| folder != method.encoder.to_lowercase()) {
        parts.push("encoder".to_owned());
    }
    if !figure.is_on(&result.train_text) {
        parts.push("corpus".into());
    }
    if let Some(count) = figure.sentences.filter(|&count| count != result.sentences) {
        parts.push(format!("sentences ({} instead of {count})", result.sentences));
    }
    let part = result.size.as_ref().filter(|size| *size != "100%" && figure.sentences.is_none());
    parts.extend(part.map(|size| format!("sentences ({size} of the corpus)")));
    if result.evaluated_on != EVALUATION {
        parts.push("pairs".into());
    }
    if method.changed || result.method.ends_with("-baseline") {
        parts.push("settings".into());
    }
    if parts.is_empty() { "nothing detected".into() } else { parts.join(", ") }
}
