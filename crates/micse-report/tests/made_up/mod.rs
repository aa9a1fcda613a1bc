//! A sweep folder with known numbers.

use std::fmt::Write as _;
use std::path::Path;

use serde_json::{Value, json};

/// A cell of the sweep.
pub(crate) struct Cell {
    method: String,
    /// The size as requested, and its number of sentences.
    size: Option<(String, usize)>,
    seed: Option<u64>,
    /// The average score; `None` for a cell without a result.
    average: Option<f64>,
}

/// A row without training.
pub(crate) fn untrained(method: &str, average: f64) -> Cell {
    Cell { method: method.into(), size: None, seed: None, average: Some(average) }
}

/// A trained cell.
pub(crate) fn trained(method: &str, size: &str, sentences: usize, seed: u64, average: f64) -> Cell {
    Cell {
        method: method.into(),
        size: Some((size.into(), sentences)),
        seed: Some(seed),
        average: Some(average),
    }
}

/// A cell without a result.
pub(crate) fn hole(method: &str, size: &str, sentences: usize, seed: u64) -> Cell {
    Cell { average: None, ..trained(method, size, sentences, seed, 0.0) }
}

/// Cells of all methods at 100, 1,000 and 10,000 sentences with two seeds; `score` computes the scores.
pub(crate) fn grid(methods: &[&str], score: impl Fn(&str, usize, u64) -> f64) -> Vec<Cell> {
    let mut cells = vec![untrained("untrained (cls)", 40.0)];
    for seed in [48, 49] {
        for method in methods {
            for size in [100, 1000, 10_000] {
                cells.push(trained(method, &size.to_string(), size, seed, score(method, size, seed)));
            }
        }
    }
    cells
}

/// The folder of a cell.
fn place(index: usize) -> String {
    format!("cells/cell-{index}")
}

/// Metrics lines with a loss that starts at the score and falls by one every ten steps.
fn metrics(average: f64) -> String {
    let line = |step: usize| {
        let loss = average - step as f64 / 10.0;
        let terms = json!({"infonce": loss + 0.5, "ami": -0.5});
        let line = json!({
            "step": step, "loss": loss, "terms": terms, "learning_rate": 1e-4, "gradient_norm": 1.0 / step as f64
        });
        format!("{line}\n")
    };
    [1, 10, 20].map(line).concat()
}

impl Cell {
    /// A result with two tasks, one point below and one above the average.
    fn result(&self, average: f64) -> Value {
        let task = |score: f64| {
            let all = json!({"all": score, "mean": score, "wmean": score});
            json!({"pairs": 10, "spearman": all, "pearson": all, "subsets": {}})
        };
        json!({
            "method": self.method,
            "size": self.size.as_ref().map(|s| &s.0),
            "sentences": self.size.as_ref().map_or(0, |s| s.1),
            "seed": self.seed,
            "steps": if self.size.is_some() { 20 } else { 0 },
            "train_text": if self.size.is_some() { "text & more.txt" } else { "none" },
            "selected_on": if self.size.is_some() { "last step" } else { "none" },
            "selected_step": null,
            "pooling": "cls",
            "evaluated_on": "made-up pairs",
            "scores": {
                "model": self.method,
                "pooling": "cls",
                "average": average,
                "dev_spearman": average,
                "alignment": average / 200.0,
                "uniformity": -average / 20.0,
                "tasks": {"First": task(average - 1.0), "Second": task(average + 1.0)},
            },
            "train_seconds": 2.0,
            "seconds": 3.0,
        })
    }

    fn manifest(&self) -> String {
        let mut text = String::from(
            "version = \"0.1.0\"\nengine = \"packed\"\nprecision = \"f32\"\ndevice = \"cpu\"\n\
             cpu_features = [\"avx2\", \"fma\"]\nencoder_sha256 = \"aa11\"\nevaluation = \"made-up pairs\"\n\
             evaluation_sha256 = \"bb22\"\npooling = \"cls\"\n",
        );
        if let (Some((size, sentences)), Some(seed)) = (&self.size, self.seed) {
            let _ = write!(
                text,
                "seed = {seed}\n[text]\nsources = [\"text & more.txt\"]\nsha256 = \"cc33\"\ncorpus_sentences = 10000\n\
                 size = \"{size}\"\nsentences = {sentences}\n[recipe]\nname = {:?}\nsteps = 20\n",
                self.method
            );
        }
        text
    }
}

/// Writes the sweep folder.
pub(crate) fn write(folder: &Path, cells: &[Cell]) {
    let grid: Vec<Value> = cells
        .iter()
        .enumerate()
        .map(|(index, cell)| {
            json!({
                "folder": place(index),
                "method": cell.method,
                "size": cell.size.as_ref().map(|s| &s.0),
                "seed": cell.seed,
                "spec": null,
            })
        })
        .collect();
    let sweep = json!({
        "preset": "made-up",
        "settings": "settings: steps=20",
        "notes": ["encoder: a small one", "settings: steps=20"],
        "cells": grid,
    });
    put(&folder.join("sweep.json"), &sweep.to_string());
    for (index, cell) in cells.iter().enumerate() {
        let Some(average) = cell.average else { continue };
        let cell_folder = folder.join(place(index));
        put(&cell_folder.join("result.json"), &cell.result(average).to_string());
        put(&cell_folder.join("run.toml"), &cell.manifest());
        if cell.size.is_some() {
            put(&cell_folder.join("metrics.jsonl"), &metrics(average));
        }
    }
}

fn put(path: &Path, text: &str) {
    std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
    std::fs::write(path, text).expect("a file");
}
