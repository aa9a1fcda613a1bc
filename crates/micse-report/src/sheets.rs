//! The tables of a sweep: methods by size, methods by task, the effect of AMI, and comparisons with a baseline and with
//! published results.

mod ami;
mod baseline;
mod provenance;
mod published;
mod transfer;

use crate::axes::{base, reference_row};
use crate::comparison::{Comparison, Comparisons, USUAL_BASELINES};
use crate::paper::Paper;
use crate::results::{AVERAGE, DEVELOPMENT, Method, NO_SIZE, Results};
use crate::tables::Sheet;
use crate::{Against, Grid, Result};
use provenance::Provenance;

/// All tables of a sweep but those with published results, in printing order.
pub(crate) fn all(results: &Results, grid: &Grid, comparisons: Option<&Comparisons>) -> Result<Vec<Sheet>> {
    let mut sheets = vec![by_size(results, comparisons)];
    let sizes = results.compared_sizes();
    if results.tasks.len() > 1 {
        sheets.extend(sizes.iter().map(|size| by_task(results, comparisons, size)));
    }
    sheets.extend(sizes.iter().filter_map(|size| transfer::by_task(results, size)));
    sheets.extend(on_development(results, grid));
    sheets.extend(ami::effect_of_ami(results)?);
    if let Some(comparisons) = comparisons {
        sheets.extend(sizes.iter().filter_map(|size| baseline::against(results, comparisons, size)));
    }
    Ok(sheets)
}

/// The tables that compare with published results: averages, then scores by task where they were published.
pub(crate) fn published(results: &Results, grid: &Grid, against: Against) -> Result<Vec<Sheet>> {
    let paper = Paper::load()?;
    let mut sheets = vec![published::averages(results, grid, &paper, against)];
    sheets.extend(published::by_task(results, &paper, against));
    Ok(sheets)
}

/// The task whose score summarizes a method, and its description.
fn headline(results: &Results) -> (&str, String) {
    match results.headline() {
        Some(AVERAGE) => (AVERAGE, format!("average of {} tasks", results.tasks.len() - 1)),
        Some(task) => (task, task.to_owned()),
        None => ("", "no result yet".into()),
    }
}

/// A task's usual short name in the literature.
fn short(task: &str) -> &str {
    match task {
        "STSBenchmark" => "STS-B",
        "SICKRelatedness" => "SICK-R",
        other => other,
    }
}

/// `61.23±0.45`, with a star if the method differs from the baseline on this task.
fn marked(
    results: &Results,
    comparisons: Option<&Comparisons>,
    method: &str,
    size: &str,
    task: &str,
) -> String {
    let cell = results.scores.cell(method, size, task);
    let differs = comparisons.and_then(|c| c.get(method, size, task)).is_some_and(Comparison::is_significant);
    if differs { format!("{cell}*") } else { cell }
}

/// The names of the columns with scores by size.
fn size_columns(results: &Results) -> impl Iterator<Item = String> {
    results.compared_sizes().into_iter().map(|size| if size == NO_SIZE { "score" } else { size }.to_owned())
}

/// `trained on 10%`, or `without training`.
fn trained_on(size: &str) -> String {
    if size == NO_SIZE { "without training".into() } else { format!("trained on {size}") }
}

/// `+1.23`, or `undefined`.
fn signed(difference: f64) -> String {
    if difference.is_finite() { format!("{difference:+.2}") } else { "undefined".into() }
}

/// Explains the star; `None` if no table has one: without a baseline, another row or training.
fn star(results: &Results, comparisons: Option<&Comparisons>) -> Option<String> {
    let comparisons = comparisons.filter(|_| !results.sizes.is_empty() && results.methods.len() > 1)?;
    let baseline = comparisons.baseline_words();
    if comparisons.all.is_empty() {
        return Some(format!("no method is compared with {baseline}: no seeds in common yet"));
    }
    let mut text = format!(
        "*: differs from {baseline}: p < 0.05 in a paired t test over seeds, after Holm's correction over the methods at \
         that size"
    );
    if comparisons.all.iter().any(|comparison| !comparison.differs_in.is_same()) {
        text.push_str("; some rows also have a different encoder or corpus");
    }
    Some(text)
}

/// Average scores of methods by training-set size: the paper's Table 2.
fn by_size(results: &Results, comparisons: Option<&Comparisons>) -> Sheet {
    let (task, what) = headline(results);
    let provenance = Provenance::of(&results.methods);
    let mut header = vec!["method".to_owned()];
    header.extend(size_columns(results));
    header.extend(provenance.header());
    let row = |method: &Method| {
        let mut row = vec![method.name.clone()];
        let sizes = results.compared_sizes().into_iter();
        row.extend(sizes.map(|size| marked(results, comparisons, &method.name, size, task)));
        row.extend(provenance.cells(method));
        row
    };
    Sheet {
        title: format!(
            "Methods {}: Spearman x 100, {what}{}",
            if results.sizes.is_empty() { "without training" } else { "by training-set size" },
            of_seeds(&results.scores.runs(None))
        ),
        header,
        rows: results.methods.iter().map(row).collect(),
        notes: star(results, comparisons)
            .into_iter()
            .chain(provenance.notes())
            .chain(holes(results))
            .collect(),
    }
}

/// What the numbers of a table average over, for the end of a title; nothing without a trained row.
fn of_seeds(seeds: &str) -> String {
    match seeds {
        "0" => String::new(),
        "1" => ", one seed".into(),
        _ => format!(", mean±std over {seeds} seeds"),
    }
}

/// Notes on missing results, with the reasons.
fn holes(results: &Results) -> impl Iterator<Item = String> {
    let failed = results.holes.iter().filter_map(|hole| Some((hole, hole.reason.as_ref()?)));
    let open = results.holes.iter().filter(|hole| hole.reason.is_none()).count();
    failed
        .map(|(hole, reason)| format!("failed: {}: {reason}", hole.cell))
        .chain((open > 0).then(|| format!("{open} cells have no result yet")))
        .chain(
            (results.processors > 1)
                .then(|| format!("trained on {} kinds of CPU, which round differently", results.processors)),
        )
}

/// Scores on the development pairs, for choosing among the values of a sweep's axes; `None` without axes.
fn on_development(results: &Results, grid: &Grid) -> Option<Sheet> {
    if grid.axes.is_empty() || results.development.is_empty() {
        return None;
    }
    let mut header = vec!["method".to_owned()];
    header.extend(size_columns(results));
    let row = |method: &Method| {
        let mut row = vec![method.name.clone()];
        let sizes = results.compared_sizes().into_iter();
        row.extend(sizes.map(|size| results.development.cell(&method.name, size, DEVELOPMENT)));
        row
    };
    Some(Sheet {
        title: format!("Development pairs: Spearman x 100{}", of_seeds(&results.development.runs(None))),
        header,
        rows: results.methods.iter().map(row).collect(),
        notes: ["choose recipe values by this table, not by the test tasks of the others".to_owned()]
            .into_iter()
            .chain(holes(results))
            .collect(),
    })
}

/// Scores of methods by tasks at one size, with the cost of training: the paper's Table 1.
fn by_task(results: &Results, comparisons: Option<&Comparisons>, size: &str) -> Sheet {
    let provenance = Provenance::of(&results.methods);
    let mut header = vec!["method".to_owned()];
    header.extend(results.tasks.iter().map(|task| short(task).to_owned()));
    let place = results.sizes.iter().position(|s| s == size).unwrap_or(0);
    let names = || results.methods.iter().map(|method| method.name.as_str());
    let seconds = |name: &str| {
        let method = results.methods.iter().find(|method| method.name == name)?;
        *method.train_seconds.get(place)?
    };
    let unit = USUAL_BASELINES
        .iter()
        .find(|usual| names().any(|name| base(name) == **usual && seconds(name).is_some()));
    if unit.is_some() {
        header.push("cost".into());
    }
    header.extend(provenance.header());
    let row = |method: &Method| {
        let mut row = vec![method.name.clone()];
        row.extend(results.tasks.iter().map(|task| {
            if task == AVERAGE {
                marked(results, comparisons, &method.name, size, task)
            } else {
                results.scores.cell(&method.name, size, task)
            }
        }));
        if let Some(unit) = unit {
            let of_unit = reference_row(names(), unit, &method.name).and_then(seconds);
            let cost = seconds(&method.name).zip(of_unit).map(|(own, unit)| format!("{:.1}", own / unit));
            row.push(cost.unwrap_or_else(|| "-".to_owned()));
        }
        row.extend(provenance.cells(method));
        row
    };
    let cost = unit.map(|name| {
        let same = if names().any(|row| row == *name) { "" } else { " with the same values on the axes" };
        format!(
            "cost: training time relative to {name}{same}; it differs between machines and with their load"
        )
    });
    Sheet {
        title: format!(
            "Methods by task, {}: Spearman x 100{}",
            trained_on(size),
            of_seeds(&results.scores.runs(Some(size)))
        ),
        header,
        rows: results.methods.iter().map(row).collect(),
        notes: star(results, comparisons)
            .into_iter()
            .chain(cost)
            .chain(provenance.notes())
            .chain(holes(results))
            .collect(),
    }
}
