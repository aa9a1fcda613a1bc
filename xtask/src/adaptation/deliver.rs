//! `cargo xtask adaptation deliver`: what `micse train` delivers with its defaults, scored on labels.

use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use clap::Args;
use comfy_table::{CellAlignment, Table, presets};
use micse_cli::options::ComputeOptions;
use micse_cli::{note, print};
use micse_eval::Halves;
use micse_files::RunFolder;
use micse_model::{Compute, ModelFolder, SentenceModel};
use micse_train::RunResult;
use micse_train::run::Chosen;
use serde::{Deserialize, Serialize};

use super::domains::{DOMAINS, Domain, Texts, data_folder};
use super::encoders::Start;
use super::lines::{self, Conditions};
use super::truth::{Tests, Truth};

/// Run `micse train` with its defaults over encoders, domains and sizes, and score what it delivers
///
/// Each line of the output is one model. Run the command again to resume; at the end, it prints the table. Options that
/// change the scores must be the same for all lines of a file.
#[derive(Args)]
pub(super) struct Deliver {
    /// Encoder: a name for the output, and a folder or `demo` (repeatable)
    #[arg(long = "encoder", value_name = "NAME=FOLDER", required = true)]
    encoders: Vec<String>,
    /// Domains, separated by commas
    #[arg(long, value_delimiter = ',', default_values_t = DOMAINS.iter().take(6).map(|domain| domain.name.to_owned()))]
    domains: Vec<String>,
    /// Numbers of sentences, separated by commas
    #[arg(long, value_delimiter = ',', default_values_t = [300, 1000, 10_000])]
    sizes: Vec<usize>,
    /// Seed of training and of the choice of sentences
    #[arg(long, default_value_t = 48)]
    seed: u64,
    /// Keep one of N pairs and examples of the labelled sets
    #[arg(long, value_name = "N", default_value_t = 1)]
    every: usize,
    /// Output, one line for each model
    #[arg(long, value_name = "FILE.jsonl")]
    out: PathBuf,
    #[command(flatten)]
    compute: ComputeOptions,
    /// Further options of `micse train`, after `--`
    #[arg(last = true)]
    more: Vec<String>,
}

/// One delivered model.
#[derive(Serialize, Deserialize)]
struct Line {
    encoder: String,
    domain: String,
    /// The requested number of sentences.
    size: usize,
    /// The number of sentences that the domain had, with those held out by the command.
    sentences: usize,
    seed: u64,
    /// What the judge saw, and which weights it kept; `None`: the command did not judge.
    chosen: Option<Chosen>,
    seconds: f64,
    before: Truth,
    after: Truth,
    /// The options that it was measured with; earlier versions did not write them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    conditions: Option<Conditions>,
}

/// The sentences of a domain, and a model before training.
struct Setting<'a> {
    start: &'a Start,
    domain: &'a str,
    texts: Texts,
    halves: Halves,
    before: Truth,
}

impl Deliver {
    pub(super) fn run(&self) -> Result<()> {
        let compute = self.compute.start()?;
        let data = data_folder()?;
        let starts = Start::open(&self.encoders)?;
        let mut done: Vec<Line> = lines::read(&self.out)?;
        self.conditions().check(&self.out, done.iter().map(|line| &line.conditions))?;
        let tests = Tests::read(&data, self.every)?;
        for start in &starts {
            let mut labels = None;
            for domain in &self.domains {
                let is = |line: &Line, size| {
                    (line.encoder.as_str(), line.domain.as_str(), line.size, line.seed)
                        == (start.name.as_str(), domain.as_str(), size, self.seed)
                };
                let mut missing = self.sizes.clone();
                missing.retain(|&size| !done.iter().any(|line| is(line, size)));
                if missing.is_empty() {
                    continue;
                }
                let texts = Domain::named(domain)?.read(&data, self.seed)?;
                let halves = Halves::of(&texts.unseen, texts.unseen.len());
                let model = SentenceModel::load(&start.folder, Some(start.pooling()?), &compute)?;
                let labels = match labels {
                    Some(labels) => labels,
                    None => *labels.insert(tests.score_labels(&model)?),
                };
                let search = halves.reciprocal_rank(&model)?.context("too few sentences")?;
                let setting = Setting { start, domain, texts, halves, before: Truth { search, ..labels } };
                for size in missing {
                    let line = self.deliver(&setting, size, &tests, &compute)?;
                    note(line.cells().join("  "));
                    lines::append(&self.out, &[&line])?;
                    done.push(line);
                }
            }
        }
        print(&table(&done))
    }

    fn conditions(&self) -> Conditions {
        let precision = self.compute.engine.precision;
        Conditions { every: self.every, precision, seed: None, more: self.more.clone() }
    }

    /// Runs `micse train`, and scores its model.
    fn deliver(&self, of: &Setting<'_>, size: usize, tests: &Tests, compute: &Compute) -> Result<Line> {
        let sentences: Vec<&str> =
            of.texts.judged.iter().chain(&of.texts.train).map(String::as_str).take(size).collect();
        let folder = tempfile::tempdir()?;
        let (text, out) = (folder.path().join("text.txt"), folder.path().join("run"));
        std::fs::write(&text, sentences.join("\n"))?;
        let begun = Instant::now();
        let status = Command::new(std::env::current_exe()?)
            .args(["train", "--quiet", "--model"])
            .arg(of.start.folder.root())
            .arg("--corpus")
            .arg(&text)
            .arg("--out")
            .arg(&out)
            .args(["--seed", &self.seed.to_string()])
            .args(["--precision", self.compute.engine.precision.name()])
            .args(&self.more)
            .stdout(Stdio::null())
            .status()?;
        ensure!(status.success(), "{} on {}, {size} sentences: train failed", of.start.name, of.domain);
        let seconds = begun.elapsed().as_secs_f64();
        let run = RunFolder::new(&out);
        let chosen = RunResult::load(&run)?.chosen;
        let after = if chosen.as_ref().is_some_and(|chosen| chosen.share == 0.0) {
            of.before
        } else {
            tests
                .score(&SentenceModel::load(&ModelFolder::open(&run.model())?, None, compute)?, &of.halves)?
        };
        Ok(Line {
            encoder: of.start.name.clone(),
            domain: of.domain.to_owned(),
            size,
            sentences: sentences.len(),
            seed: self.seed,
            chosen,
            seconds,
            before: of.before,
            after,
            conditions: Some(self.conditions()),
        })
    }
}

impl Line {
    fn cells(&self) -> Vec<String> {
        let gain = self.after.minus(&self.before);
        vec![
            self.encoder.clone(),
            self.domain.clone(),
            self.sentences.to_string(),
            format!("{:.0} %", 100.0 * self.chosen.as_ref().map_or(1.0, |chosen| chosen.share)),
            format!("{:+.2}", gain.similarity),
            format!("{:+.3}", gain.search),
            format!("{:+.3}", gain.paraphrases),
            format!("{:+.2}", gain.grouping),
            format!("{:.0} s", self.seconds),
        ]
    }
}

/// The delivered models, as a table in Markdown.
fn table(lines: &[Line]) -> String {
    let mut table = Table::new();
    table.load_preset(presets::ASCII_MARKDOWN);
    table.set_header([
        "encoder",
        "domain",
        "sentences",
        "trained share",
        "similarity",
        "search",
        "paraphrases",
        "grouping",
        "time",
    ]);
    for line in lines {
        table.add_row(line.cells());
    }
    for column in table.column_iter_mut().skip(2) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table.to_string()
}
