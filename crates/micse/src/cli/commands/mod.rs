//! The commands, one file each.

mod compare;
mod data;
mod encode;
mod export;
mod inspect;
mod judge;
mod pretrain;
mod search;
mod shell;
mod similarity;
mod train;
mod vectors;

use std::process::ExitCode;

use anyhow::Result;
use clap::Subcommand;
use micse_eval::cli::Eval;
use micse_sweep::{Figures, Report, Sweep, SweepCell};

/// A command with its options.
#[derive(Debug, Subcommand)]
#[allow(missing_docs, private_interfaces, reason = "each variant is documented by its options")]
pub enum Command {
    Train(Box<train::Train>),
    Encode(encode::Encode),
    Similarity(similarity::Similarity),
    Search(search::Search),
    Compare(compare::Compare),
    Judge(judge::JudgeCommand),
    Inspect(inspect::Inspect),
    Export(export::Export),
    Data(data::Data),
    Eval(Eval),
    Sweep(Box<Sweep>),
    Report(Report),
    Figures(Box<Figures>),
    Pretrain(Box<pretrain::Pretrain>),
    Vectors(vectors::Vectors),
    Completions(shell::Completions),
    Man(shell::Man),
    #[command(hide = true)]
    SweepCell(SweepCell),
}

impl Command {
    /// Runs the command; with `json`, the result is one JSON document on standard output.
    ///
    /// # Errors
    /// The cause, and how to fix it.
    pub fn run(&self, json: bool) -> Result<ExitCode> {
        let done = match self {
            Self::Train(train) => train.run(json),
            Self::Encode(encode) => encode.run(json),
            Self::Similarity(similarity) => similarity.run(json),
            Self::Search(search) => search.run(json),
            Self::Compare(compare) => compare.run(json),
            Self::Judge(judge) => judge.run(json),
            Self::Inspect(inspect) => inspect.run(json),
            Self::Export(export) => export.run(json),
            Self::Data(data) => data.run(json),
            Self::Pretrain(pretrain) => pretrain.run(json),
            Self::Vectors(vectors) => vectors.run(json),
            Self::Completions(completions) => completions.run(super::command(), json),
            Self::Man(man) => man.run(super::command(), json),
            Self::Eval(eval) => return eval.run(json),
            Self::Sweep(sweep) => return sweep.run(json),
            Self::Report(report) => return report.run(json),
            Self::Figures(figures) => return figures.run(json),
            Self::SweepCell(cell) => return cell.run(),
        };
        done.map(|()| ExitCode::SUCCESS)
    }
}

/// The cosine `a.b / (|a| |b|)`, with sums in f64; 0 for a zero vector.
fn cosine(a: &[f32], b: &[f32]) -> f64 {
    let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(&a, &b)| f64::from(a) * f64::from(b)).sum::<f64>();
    let norms = (dot(a, a) * dot(b, b)).sqrt();
    if norms > 0.0 { dot(a, b) / norms } else { 0.0 }
}

/// A sentence truncated to a number of characters, for tables.
fn cut(sentence: &str, characters: usize) -> String {
    if sentence.chars().count() <= characters {
        return sentence.to_owned();
    }
    let begin: String = sentence.chars().take(characters - 1).collect();
    format!("{}…", begin.trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sentences_are_cut_by_characters() {
        assert_eq!(cut("déjà vu", 7), "déjà vu");
        assert_eq!(cut("déjà vu encore", 6), "déjà…");
    }
}
