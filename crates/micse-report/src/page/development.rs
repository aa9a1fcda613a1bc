//! The figure of scores on the development pairs over training steps.

use std::collections::BTreeMap;

use super::data::{Run, Size, Sweep};
use super::html::Page;
use crate::chart::Picture;
use crate::chart::courses::{Course, Courses};
use crate::chart::svg::Point;
use crate::results::DEVELOPMENT;

/// The scores of one run, by step.
fn scores(run: &Run) -> BTreeMap<usize, f64> {
    run.metrics.iter().filter_map(|line| Some((line.step, line.development?))).collect()
}

/// A method's scores at a size; `None` if none of its runs has two.
fn course(sweep: &Sweep, method: &str, size: &Size) -> Option<Course> {
    let runs: Vec<BTreeMap<usize, f64>> =
        sweep.runs_of(method, &size.name).map(scores).filter(|scores| scores.len() > 1).collect();
    let common = runs.first()?.keys().filter(|step| runs.iter().all(|run| run.contains_key(step)));
    let mean = |step: &usize| runs.iter().map(|run| run[step]).sum::<f64>() / runs.len() as f64;
    let points = |run: &BTreeMap<usize, f64>| -> Vec<Point> {
        run.iter().map(|(step, score)| (*step as f64, *score)).collect()
    };
    Some(Course {
        name: method.to_owned(),
        look: sweep.looks.of(method),
        mean: common.map(|step| (*step as f64, mean(step))).collect(),
        seeds: if runs.len() > 1 { runs.iter().map(points).collect() } else { Vec::new() },
    })
}

/// The rows without training, with their scores.
fn levels(sweep: &Sweep, size: &Size) -> Vec<(String, f64)> {
    let score = |row: &str| Some(sweep.results.development.get(row, &size.name, DEVELOPMENT)?.mean);
    let rows = sweep.untrained.iter().filter_map(|(row, _)| Some((row.clone(), score(row)?)));
    rows.filter(|(_, score)| score.is_finite()).collect()
}

/// A figure for each size. Returns what it needs, if no run has it.
pub(super) fn write(page: &mut Page, sweep: &Sweep) -> Option<String> {
    let mut charts = Vec::new();
    for size in &sweep.sizes {
        let courses: Vec<Course> =
            sweep.methods.iter().filter_map(|method| course(sweep, method, size)).collect();
        if !courses.is_empty() {
            charts.push((size, courses));
        }
    }
    if charts.is_empty() {
        return Some(
            "Development scores over steps: needs runs that were scored on development pairs at several steps \
             (`--set eval_every=N`)."
                .into(),
        );
    }
    let several = charts.len() > 1;
    for (number, (size, courses)) in charts.into_iter().enumerate() {
        let seeds = courses.iter().any(|course| !course.seeds.is_empty());
        let chart = Courses {
            y_title: "Spearman × 100 on the development pairs".into(),
            methods: courses,
            levels: levels(sweep, size),
        };
        let name = if several { format!("development-{}", number + 1) } else { "development".to_owned() };
        let lines = if seeds { " Lines are means over seeds; thin lines are single seeds." } else { "" };
        let caption = format!(
            "Scores on the development pairs while training, with {}.{lines} A mark is the step with the highest \
             {}.",
            size.words(),
            if seeds { "mean" } else { "score" }
        );
        page.figure(Picture::new(name, "Development scores over steps", &chart), &caption);
    }
    None
}
