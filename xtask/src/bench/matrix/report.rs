//! The matrix as a table and as JSON.

use std::path::Path;

use anyhow::{Context, Result, ensure};
use micse_cli::output::plain_table;
use serde::Serialize;

use super::programs::{Measured, Program};
use super::{Work, WorkKind};

/// Smallest cosine between the embeddings of two programs that do the same work; int8 of other libraries is the least
/// exact.
const SAME: f64 = 0.9;

/// The best round of a program.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Cell {
    work: String,
    program: String,
    threads: usize,
    texts: usize,
    /// Tokens of all texts; `None` for whole processes.
    tokens: Option<usize>,
    median_ms: Option<f64>,
    p95_ms: Option<f64>,
    /// Seconds for all texts; for a file, of the whole process.
    seconds: Option<f64>,
    texts_per_s: f64,
    peak_mib: Option<f64>,
    /// Of the first text's embedding and that of `micse, f32`.
    cosine: Option<f64>,
    /// For a file, the share of the process's time in which the encoder alone would not have run.
    outside: Option<f64>,
    #[serde(skip)]
    row: Option<Vec<f32>>,
}

impl Cell {
    /// The round with the lowest time; the memory is the largest of all rounds.
    pub(super) fn best(work: &Work<'_>, program: &Program, rounds: &[Measured]) -> Result<Self> {
        let time = |m: &Measured| match work.kind {
            WorkKind::File => Some(m.process),
            WorkKind::Inside(_) => m.inside.median_ms.map(|ms| ms / 1e3).or(m.inside.seconds),
        };
        let timed = rounds.iter().filter_map(|m| Some((time(m)?, m)));
        let (seconds, best) = timed
            .min_by(|a, b| a.0.total_cmp(&b.0))
            .with_context(|| format!("{} reported no time", program.name))?;
        Ok(Self {
            work: work.name.to_owned(),
            program: program.name.clone(),
            threads: work.threads,
            texts: work.count,
            tokens: best.inside.tokens,
            median_ms: best.inside.median_ms,
            p95_ms: best.inside.p95_ms,
            seconds: best.inside.median_ms.is_none().then_some(seconds),
            texts_per_s: work.count as f64 / seconds,
            peak_mib: rounds.iter().filter_map(|m| m.peak_mib).reduce(f64::max),
            cosine: None,
            outside: None,
            row: best.inside.row.clone(),
        })
    }

    /// The same for the time after loading, which the other libraries report for a file. They take seconds to start.
    pub(super) fn after_loading(&self, rounds: &[Measured]) -> Option<Self> {
        let seconds = rounds.iter().filter_map(|m| m.inside.seconds).min_by(f64::total_cmp)?;
        Some(Self {
            work: "strings, after loading".to_owned(),
            seconds: Some(seconds),
            texts_per_s: self.texts as f64 / seconds,
            ..self.clone()
        })
    }

    /// For progress.
    pub(super) fn line(&self) -> String {
        format!(
            "{}, {} threads, {}: {:.1} texts per second",
            self.work, self.threads, self.program, self.texts_per_s
        )
    }

    fn columns(&self) -> Vec<String> {
        let number =
            |value: Option<f64>, digits: usize| value.map_or_else(String::new, |v| format!("{v:.digits$}"));
        vec![
            self.work.clone(),
            self.program.clone(),
            self.threads.to_string(),
            self.tokens
                .map_or_else(String::new, |tokens| format!("{:.1}", tokens as f64 / self.texts as f64)),
            number(self.median_ms, 2),
            number(self.p95_ms, 2),
            number(Some(self.texts_per_s), 1),
            number(self.peak_mib, 0),
            number(self.cosine, 4),
            self.outside.map_or_else(String::new, |share| format!("{:.1} %", 100.0 * share)),
        ]
    }
}

const HEADER: [&str; 10] = [
    "work",
    "program",
    "threads",
    "tokens",
    "median ms",
    "p95 ms",
    "texts/s",
    "peak MiB",
    "cosine",
    "outside",
];

/// All cells.
pub(super) struct Report {
    model: String,
    threads: usize,
    cells: Vec<Cell>,
}

impl Report {
    pub(super) fn new(model: &Path, threads: usize) -> Self {
        Self { model: model.display().to_string(), threads, cells: Vec::new() }
    }

    /// Adds a cell; compares it with micse in f32, and a whole process with the encoder alone.
    pub(super) fn push(&mut self, mut cell: Cell) -> Result<()> {
        let same = |other: &&Cell| other.work == cell.work && other.threads == cell.threads;
        if let Some(reference) = self.cells.iter().find(same) {
            if let (Some(a), Some(b)) = (&cell.row, &reference.row) {
                let found = cosine(a, b);
                ensure!(
                    found > SAME,
                    "{}, {}: the embedding has a cosine of {found:.4} to that of {}, so the programs do different work",
                    cell.work,
                    cell.program,
                    reference.program
                );
                cell.cosine = Some(found);
            }
            ensure!(
                cell.tokens == reference.tokens,
                "{}: {} encodes {:?} tokens, and {} {:?}",
                cell.work,
                cell.program,
                cell.tokens,
                reference.program,
                reference.tokens
            );
        }
        if cell.median_ms.is_none() && cell.tokens.is_none() {
            let alone =
                self.cells.iter().find(|c| c.work.ends_with("token IDs") && c.program == cell.program);
            cell.outside = alone.map(|alone| 1.0 - cell.texts_per_s / alone.texts_per_s);
        }
        self.cells.push(cell);
        Ok(())
    }

    pub(super) fn json(&self) -> serde_json::Value {
        serde_json::json!({
            "bench": "matrix",
            "model": self.model,
            "threads": self.threads,
            "cells": self.cells,
        })
    }

    pub(super) fn text(&self) -> String {
        let table = plain_table(&HEADER, self.cells.iter().map(Cell::columns), 2);
        format!(
            "model: {}\n{table}\ntokens: per text. cosine: of the first embedding to that of micse in f32. outside: share of \
             a whole process's time above that of the encoder alone.",
            self.model
        )
    }
}

fn cosine(a: &[f32], b: &[f32]) -> f64 {
    let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum::<f64>();
    dot(a, b) / (dot(a, a) * dot(b, b)).sqrt()
}
