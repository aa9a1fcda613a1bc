//! `micse judge`: what a text without labels tells about two models.

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::Args;
use serde::Serialize;

use crate::data::Corpus;
use crate::eval::judge::{Change, Effect, Judge, Purpose, to_table};
use micse_cli::model::Computation;
use micse_cli::progress::Progress;
use micse_cli::{note, print, print_json};

/// Judge, without labels, what changed from model A to model B
///
/// Both models search the sentences of a corpus that neither was trained on: with one half of a sentence for the other,
/// with a noisy copy for the sentence, and for the next sentence of the file. Each mean reciprocal rank has the 95 %
/// interval of its change. From these, the judge says whether B is better or worse for similarity, search and grouping.
#[derive(Args, Debug)]
#[command(after_help = "Example:\n  micse judge demo runs/notes --corpus held-out.txt")]
pub(crate) struct JudgeCommand {
    /// Model folder, run folder, Hub model ID, or `demo` for the shipped encoder
    #[arg(value_name = "A")]
    first: String,
    /// Second model, in any of these forms
    #[arg(value_name = "B")]
    second: String,
    /// Text file, one sentence per line, plain, zstd or gzip; at most 2,000 sentences are used, evenly spaced, and
    /// the next sentence is searched only if that is all of them
    #[arg(long, value_name = "FILE", alias = "sentences")]
    corpus: PathBuf,
    #[command(flatten)]
    how: Computation,
}

#[derive(Serialize)]
struct Report {
    models: [String; 2],
    sentences: usize,
    /// By purpose.
    effects: BTreeMap<String, Effect>,
    #[serde(flatten)]
    change: Change,
}

impl JudgeCommand {
    pub(crate) fn run(&self, as_json: bool) -> Result<()> {
        let compute = self.how.compute.start()?;
        let corpus = Corpus::open(std::slice::from_ref(&self.corpus))?;
        let judge = Judge::new(corpus.iter()).with_context(|| {
            format!("{}: fewer than 20 distinct sentences; pass a larger corpus", self.corpus.display())
        })?;
        let measure = |model: &str| -> Result<_> {
            note(format_args!("judging {model}"));
            let mut progress: Option<Progress> = None;
            Ok(judge.measure(&self.how.load(model, &compute)?, &mut |done, total| {
                let progress = progress.get_or_insert_with(|| Progress::new(Some(total as u64), "sentences"));
                progress.set(done as u64, done as u64, "");
            })?)
        };
        let (before, after) = (measure(&self.first)?, measure(&self.second)?);
        let change = before.change_to(&after)?;
        let report = Report {
            models: [self.first.clone(), self.second.clone()],
            sentences: judge.sentences().len(),
            effects: Purpose::ALL.map(|purpose| (purpose.to_string(), change.effect(purpose))).into(),
            change,
        };
        if as_json { print_json(&report) } else { print(&report.text()) }
    }
}

impl Report {
    fn text(&self) -> String {
        format!(
            "{}\n{}\nsearch: mean reciprocal rank among {} sentences, higher is better; uniformity and alignment: lower is \
             more spread out and closer\nA: {}\nB: {}",
            to_table(["A", "B"], self.change.rows()),
            self.change.summary(),
            self.sentences,
            self.models[0],
            self.models[1]
        )
    }
}
