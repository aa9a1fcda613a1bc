//! The bootstrap over sentence pairs, from cosines stored by runs.

mod common;

use std::path::PathBuf;

use common::Sweep;
use micse_eval::{Named, PairScores};
use micse_random::Stream;
use micse_report::{Comparisons, RESAMPLES, TableOptions};
use micse_train::run::RunFolder;

/// A cell with these cosines and the resulting scores.
fn cell(sweep: &mut Sweep, method: &str, seed: Option<u64>, tasks: &[(&str, PairScores)]) -> PathBuf {
    let scores: Vec<(&str, f64)> = tasks.iter().map(|(task, pairs)| (*task, pairs.spearman())).collect();
    let folder = sweep.cell(method, seed.map(|_| "10%"), seed, &scores);
    let pairs: Named<PairScores> =
        tasks.iter().map(|(task, pairs)| ((*task).to_owned(), pairs.clone())).collect();
    micse_train::run::save_cosines(&RunFolder::new(&folder), &pairs).unwrap();
    folder
}

/// Human scores of 300 pairs of a task, and cosines that equal them plus noise.
fn pairs(task: u64, seed: u64, noise: f64) -> PairScores {
    let mut scores = Stream::new(task).draws();
    let mut draws = Stream::new(task).with(seed).draws();
    let human: Vec<f32> = (0..300).map(|_| scores.below(26) as f32 / 5.0).collect();
    let cosines = human.iter().map(|&h| h / 10.0 + (noise * draws.normal()) as f32).collect();
    PairScores { cosines, human }
}

/// Cosines of tasks A and B, with noise of these amounts.
fn tasks(seed: u64, a: f64, b: f64) -> [(&'static str, PairScores); 2] {
    [("A", pairs(1, seed, a)), ("B", pairs(2, seed, b))]
}

/// `micse` is better on A and equally good on B; `copy` is the baseline under another name.
fn sweep() -> Sweep {
    let mut sweep = Sweep::new();
    cell(&mut sweep, "untrained (cls)", None, &tasks(90, 0.5, 0.5));
    for seed in [1, 2] {
        cell(&mut sweep, "simcse", Some(seed), &tasks(seed, 0.2, 0.2));
        cell(&mut sweep, "micse", Some(seed), &tasks(10 + seed, 0.1, 0.2));
        cell(&mut sweep, "copy", Some(seed), &tasks(seed, 0.2, 0.2));
    }
    sweep
}

#[test]
fn tasks_have_intervals_over_their_pairs() {
    let sweep = sweep();
    let comparisons = Comparisons::new(&sweep.results(), None).unwrap().unwrap();
    let get = |method: &str, task: &str| *comparisons.get(method, "10%", task).as_ref().unwrap();
    let better = get("micse", "A").pairs.unwrap();
    assert_eq!(better.resamples, RESAMPLES);
    assert!(better.interval.low > 0.0 && better.p < 0.01, "{better:?}");
    for task in ["A", "B"] {
        let micse = get("micse", task);
        let interval = micse.pairs.unwrap().interval;
        assert!(interval.low < micse.difference && micse.difference < interval.high, "{micse:?}");
        let copy = get("copy", task);
        let interval = copy.pairs.unwrap().interval;
        // No t test either, since all seeds agree.
        assert_eq!((copy.difference, copy.p, interval.low, interval.high), (0.0, None, 0.0, 0.0));
    }
    assert!(!get("micse", "B").pairs.unwrap().interval.excludes_zero());
    assert!(get("untrained (cls)", "B").pairs.unwrap().interval.high < 0.0);
    assert_eq!(get("micse", "Avg.").pairs, None);
    assert!(comparisons.without_cosines.is_empty());
    assert_eq!(
        Comparisons::new(&sweep.results(), None).unwrap().unwrap(),
        comparisons,
        "comparisons must be reproducible"
    );

    let markdown = sweep.tables(&TableOptions::default(), "tables.md");
    let row = markdown[markdown.find("Against simcse").unwrap()..]
        .lines()
        .find(|l| l.starts_with("| micse"))
        .unwrap();
    let cells: Vec<&str> = row.split(" | ").collect();
    assert!(cells[6].ends_with('†') && !cells[7].contains('†'), "{row}");
    assert!(markdown.contains("†: the 95 % interval") && !markdown.contains("no †"), "{markdown}");
}

#[test]
fn runs_without_cosines_leave_cells_empty_and_say_so() {
    let mut sweep = sweep();
    for seed in [1, 2] {
        sweep.cell("old", Some("10%"), Some(seed), &[("A", 50.0 + seed as f64), ("B", 51.0)]);
    }
    let comparisons = Comparisons::new(&sweep.results(), None).unwrap().unwrap();
    assert_eq!(comparisons.without_cosines, ["old"]);
    assert_eq!(comparisons.get("old", "10%", "A").unwrap().pairs, None);
    assert!(comparisons.get("micse", "10%", "A").unwrap().pairs.is_some());
    let markdown = sweep.tables(&TableOptions::default(), "tables.md");
    assert!(
        markdown.contains("no † where an older version ran the method or simcse and stored no cosines"),
        "{markdown}"
    );
    assert!(markdown.contains("(old)"), "{markdown}");
}

#[test]
fn cosines_that_are_not_those_of_the_scores_are_refused() {
    // Cosines of a different run.
    let mut one = sweep();
    let folder = cell(&mut one, "pcl", Some(1), &tasks(30, 0.3, 0.3));
    let other = tasks(31, 0.3, 0.3).map(|(task, pairs)| (task.to_owned(), pairs));
    micse_train::run::save_cosines(&RunFolder::new(&folder), &other.into_iter().collect()).unwrap();
    let error = Comparisons::new(&one.results(), None).unwrap_err().to_string();
    assert!(error.contains("cosines.safetensors") && error.contains("the score in result.json"), "{error}");

    // Cosines of different pairs.
    let mut two = sweep();
    cell(&mut two, "pcl", Some(1), &[("A", pairs(3, 1, 0.2)), ("B", pairs(2, 1, 0.2))]);
    let error = Comparisons::new(&two.results(), None).unwrap_err().to_string();
    assert!(error.contains("differ from the other runs"), "{error}");
}
