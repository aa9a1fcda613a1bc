//! The section on training: loss, terms, gradient norm and learning rate over steps.

use std::collections::BTreeMap;

use micse_train::run::Metrics;

use super::data::{Run, Sweep};
use super::development;
use super::head::enumerate;
use super::html::Page;
use crate::chart::Picture;
use crate::chart::multiples::{Multiples, Panel, Trace};
use crate::chart::svg::Point;

/// Maximum points per trace; more are averaged.
const POINTS: usize = 120;
/// Maximum panels per figure: as many as fit on a printed page.
const PANELS: usize = 24;
/// Number of distinct shades for sizes.
const SHADES: usize = 4;

/// Extracts a value from a line of metrics.
type Figure<'a> = &'a dyn Fn(&Metrics) -> f64;

/// Means over bins of `width` steps, at the last step of each bin.
fn binned(metrics: &[Metrics], width: usize, figure: Figure<'_>) -> BTreeMap<usize, f64> {
    let mut bins: BTreeMap<usize, (f64, usize)> = BTreeMap::new();
    for line in metrics {
        let bin = bins.entry(line.step.div_ceil(width) * width).or_default();
        *bin = (bin.0 + figure(line), bin.1 + 1);
    }
    bins.into_iter().map(|(step, (sum, count))| (step, sum / count as f64)).collect()
}

/// The number of steps that each point averages.
fn bin_width(sweep: &Sweep) -> usize {
    let lines = sweep.runs.iter().map(|r| r.metrics.len()).max().unwrap_or(0);
    if lines <= POINTS {
        return 1;
    }
    let steps = sweep.runs.iter().filter_map(|r| r.metrics.last()).map(|m| m.step).max().unwrap_or(1);
    steps.div_ceil(POINTS)
}

/// The traces of a method: per size, the mean over seeds, and each seed if there are several.
fn traces(sweep: &Sweep, method: &str, width: usize, figure: Figure<'_>) -> Vec<Trace> {
    let mut all = Vec::new();
    // With more sizes than shades, the smallest sizes share the faintest shade.
    let faintest =
        SHADES.saturating_sub(sweep.sizes.len()) as isize - sweep.sizes.len().saturating_sub(SHADES) as isize;
    for (index, size) in sweep.sizes.iter().enumerate() {
        let shade = (faintest + index as isize).max(0) as usize;
        let runs: Vec<&Run> = sweep.runs_of(method, &size.name).collect();
        let seeds: Vec<BTreeMap<usize, f64>> =
            runs.iter().map(|r| binned(&r.metrics, width, figure)).filter(|b| !b.is_empty()).collect();
        let Some(first) = seeds.first() else { continue };
        let common = first.keys().filter(|step| seeds.iter().all(|seed| seed.contains_key(step)));
        let mean = |step: &usize| seeds.iter().map(|seed| seed[step]).sum::<f64>() / seeds.len() as f64;
        let points: Vec<Point> = common.map(|step| (*step as f64, mean(step))).collect();
        if seeds.len() > 1 {
            all.extend(seeds.iter().map(|seed| Trace {
                shade,
                seed: true,
                points: seed.iter().map(|(step, value)| (*step as f64, *value)).collect(),
            }));
        }
        all.push(Trace { shade, seed: false, points });
    }
    all
}

/// One panel per method.
fn panels(sweep: &Sweep, width: usize, figure: Figure<'_>) -> Vec<Panel> {
    let panel = |method: &String| Panel {
        title: method.clone(),
        look: sweep.looks.of(method),
        traces: traces(sweep, method, width, figure),
    };
    sweep.methods.iter().map(panel).filter(|p| !p.traces.is_empty()).collect()
}

/// One panel per method and term, for methods whose loss has several terms.
fn term_panels(sweep: &Sweep, width: usize) -> Vec<Panel> {
    let mut panels = Vec::new();
    for method in &sweep.methods {
        let mut runs = sweep.runs.iter().filter(|r| r.result.method == *method);
        let Some(line) = runs.find_map(|r| r.metrics.first()) else { continue };
        if line.terms.len() < 2 {
            continue;
        }
        for (term, _) in &line.terms {
            let figure = |m: &Metrics| m.terms.iter().find(|t| t.0 == *term).map_or(f64::NAN, |t| t.1);
            panels.push(Panel {
                title: format!("{method}: {term}"),
                look: sweep.looks.of(method),
                traces: traces(sweep, method, width, &figure),
            });
        }
    }
    panels
}

/// Merges panels with the same curve, and returns a sentence for each merged panel.
fn merged(panels: Vec<Panel>) -> (Vec<Panel>, Vec<String>) {
    let mut groups: Vec<(Panel, Vec<String>)> = Vec::new();
    let curve = |panel: &Panel| panel.traces.iter().map(|t| t.points.clone()).collect::<Vec<_>>();
    for panel in panels {
        match groups.iter_mut().find(|(first, _)| curve(first) == curve(&panel)) {
            Some((_, names)) => names.push(panel.title),
            None => groups.push((panel, Vec::new())),
        }
    }
    let mut sentences = Vec::new();
    let merge = |(mut panel, names): (Panel, Vec<String>)| {
        if !names.is_empty() {
            sentences.push(format!("The panel of {} also applies to {}.", panel.title, enumerate(&names)));
            panel.title = format!("{} + {}", panel.title, names.len());
        }
        panel
    };
    let panels = groups.into_iter().map(merge).collect();
    (panels, sentences)
}

pub(super) fn write(page: &mut Page, sweep: &Sweep) -> Option<String> {
    if sweep.runs.iter().all(|r| r.metrics.is_empty()) {
        return Some("Training curves: no finished run has metrics.".into());
    }
    page.section("training", "Training");
    let width = bin_width(sweep);
    let mut reading = vec![
        "In the figures below, each panel has its own vertical axis; the horizontal axis shows steps."
            .to_owned(),
    ];
    let seeds = sweep.distinct(|r| r.result.seed.map(|s| s.to_string())).len();
    if seeds > 1 {
        reading.push("Lines are means over seeds; thin lines are single seeds.".into());
    }
    if sweep.sizes.len() > 1 {
        let names: Vec<String> = sweep.sizes.iter().map(|s| s.name.clone()).collect();
        reading.push(format!("Darker lines have larger training sets: {}.", names.join(", ")));
    }
    if width > 1 {
        reading.push(format!("Points are means over {width} steps."));
    }
    let left_out = development::write(page, sweep);
    page.remark(&reading.join(" "));
    let (rates, shared) = merged(panels(sweep, width, &|m| m.learning_rate));
    let figures = [
        ("loss", "Loss", "the weighted sum of the terms", panels(sweep, width, &|m| m.loss), vec![]),
        ("terms", "Terms of the loss", "before their weights", term_panels(sweep, width), vec![]),
        ("gradient", "Gradient norm", "before clipping", panels(sweep, width, &|m| m.gradient_norm), vec![]),
        ("rate", "Learning rate", "as the schedule sets it", rates, shared),
    ];
    for (name, title, what, mut panels, shared) in figures {
        let count = panels.len().div_ceil(PANELS);
        for part in 1..=count {
            let rest = panels.split_off(PANELS.min(panels.len()));
            let from_zero = ["gradient", "rate"].contains(&name);
            let chart = Multiples { what: format!("{title}, {what}, over steps"), from_zero, panels };
            panels = rest;
            let (name, caption) = if count == 1 {
                (format!("training-{name}"), format!("{title}, {what}."))
            } else {
                (format!("training-{name}-{part}"), format!("{title}, {what} (part {part} of {count})."))
            };
            let more: &[String] = if part == count { &shared } else { &[] };
            let caption: Vec<&str> =
                [caption.as_str()].into_iter().chain(more.iter().map(String::as_str)).collect();
            page.figure(Picture::new(name, title, &chart), &caption.join(" "));
        }
    }
    left_out
}
