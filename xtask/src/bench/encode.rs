//! `cargo xtask bench encode`: from sentences to embeddings.
//!
//! Sentences are sorted by length and batched without padding; the time includes tokenizing.

use std::num::NonZeroUsize;
use std::time::Instant;

use anyhow::{Result, ensure};
use clap::Args;
use micse_cli::options::ComputeOptions;
use micse_cli::print;
use micse_data::{Locator, Suite};
use serde_json::json;

use super::matrix::Matrix;
use super::work::Work;
use super::{Subject, corpus, machine, median, print_table, round};

/// Time the encoding of sentences
#[derive(Args)]
pub(super) struct Encode {
    #[command(flatten)]
    subject: Subject,
    /// Encode both columns of the STS-B test pairs in this folder, or of the shipped pairs with `demo` [default:
    /// MICSE_DATA, else demo]
    #[arg(long, conflicts_with = "corpus")]
    sts: Option<String>,
    /// Encode the first sentences of these files instead, or of the generated corpus with `demo`
    #[arg(long, num_args = 1..)]
    corpus: Vec<String>,
    /// Maximum number of corpus sentences to encode
    #[arg(long, value_name = "N", default_value_t = 10_000, alias = "sentences")]
    limit: usize,
    /// Timed passes over all sentences, after a short warm-up
    #[arg(long, default_value = "3")]
    repeats: NonZeroUsize,
    #[command(flatten)]
    matrix: Matrix,
    #[command(flatten)]
    compute: ComputeOptions,
}

impl Encode {
    pub(super) fn run(&self, as_json: bool) -> Result<()> {
        if self.matrix.requested {
            return self.matrix.run(self.subject.model.as_deref(), &self.corpus, &self.compute, as_json);
        }
        let compute = self.compute.start()?;
        let locator = Locator::from_env()?;
        let name = self.subject.name(&locator)?;
        let sentences = self.texts(&locator)?;
        ensure!(!sentences.is_empty(), "no sentences to encode; pass another --corpus or --sts");
        let encoder = self.subject.sentence_model(&locator, &compute)?;
        let (config, pooling) = (encoder.encoder().config(), encoder.pooling());

        let threads = micse_model::threads();
        let mut rates = machine::product_rates(threads);
        encoder.encode(&sentences[..sentences.len().min(256)])?;
        let mut seconds = Vec::new();
        for _ in 0..self.repeats.get() {
            let begun = Instant::now();
            let rows = encoder.encode(&sentences)?;
            seconds.push(begun.elapsed().as_secs_f64());
            ensure!(rows.len() == sentences.len(), "{} rows for {} sentences", rows.len(), sentences.len());
        }
        let memory = machine::peak_memory();
        rates.extend(machine::product_rates(threads));
        let rate = median(&rates);

        let begun = Instant::now();
        let ids = encoder.tokenizer().encode_all(&sentences, encoder.max_length())?;
        let tokenize = begun.elapsed().as_secs_f64();
        let lengths: Vec<usize> = ids.iter().map(Vec::len).collect();
        let tokens = lengths.iter().sum::<usize>() as f64;
        let work = Work::forward(config, pooling, &lengths);
        let count = sentences.len() as f64;
        let best = seconds.iter().copied().fold(f64::INFINITY, f64::min);
        let middle = median(&seconds);
        let report = json!({
            "bench": "encode",
            "encoder": name,
            "pooling": pooling,
            "sentences": sentences.len(),
            "engine": compute.engine,
            "precision": compute.precision,
            "device": compute.device_name(),
            "threads": threads,
            "sentences_per_s": round(count / best, 1),
            "sentences_per_s_median": round(count / middle, 1),
            "real_tokens_per_s": round(tokens / best, 1),
            "seconds": seconds.iter().map(|s| round(*s, 4)).collect::<Vec<f64>>(),
            "tokenize_share": round(tokenize / middle, 4),
            "peak_rss_mb": memory.map(|mb| round(mb, 1)),
            "gemm_gflops": round(rate, 1),
            "floor_share": round(work.floor / (rate * 1e9) / best, 4),
            "done_share": round(work.done / (rate * 1e9) / best, 4),
        });
        if as_json {
            print(&report.to_string())?;
            return Ok(());
        }
        let percent = |key: &str| format!("{:.1} %", 100.0 * report[key].as_f64().unwrap_or(f64::NAN));
        let plain = |key: &str| report[key].to_string().trim_matches('"').to_owned();
        print_table(&[
            ("encoder", name),
            ("pooling", pooling.to_string()),
            ("engine", format!("{}, {}, {threads} threads", compute.engine, compute.precision)),
            ("sentences", plain("sentences")),
            ("sentences per second (best)", plain("sentences_per_s")),
            ("sentences per second (median)", plain("sentences_per_s_median")),
            ("real tokens per second", plain("real_tokens_per_s")),
            ("tokenizing, share of the time", percent("tokenize_share")),
            ("peak memory, MiB", plain("peak_rss_mb")),
            ("gemm f32, GFLOP/s", plain("gemm_gflops")),
            ("floor, share of the time", percent("floor_share")),
            ("operations done, share of the time", percent("done_share")),
        ])
    }

    /// The sentences in file order; for pairs, all first columns, then all second columns.
    fn texts(&self, locator: &Locator) -> Result<Vec<String>> {
        if !self.corpus.is_empty() {
            let corpus = corpus(locator, &self.corpus)?;
            return Ok(corpus.iter().take(self.limit).map(str::to_owned).collect());
        }
        let sts = micse_cli::data::sts(locator, self.sts.as_deref())?;
        let benchmark = ["STSBenchmark".to_owned()];
        let is_demo = sts.place.join(micse_data::DEMO_FILES[0]).is_file();
        let suite = Suite::load(&sts.place, if is_demo { None } else { Some(&benchmark) })?;
        let pairs = || suite.tasks.iter().flat_map(micse_data::Task::pairs);
        Ok(pairs().map(|p| &p.first).chain(pairs().map(|p| &p.second)).cloned().collect())
    }
}
