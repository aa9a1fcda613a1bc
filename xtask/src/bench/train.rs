//! `cargo xtask bench train`: consecutive optimization steps of a recipe.
//!
//! The time covers the whole step except tokenizing, which is reported separately. With an encoder of random weights,
//! AMI uses the attention of the last four layers in pairs of layers, with 150 samples per slice, to match the work of
//! the common PyTorch implementations.

use std::num::NonZeroUsize;
use std::time::{Duration, Instant};

use anyhow::Result;
use clap::Args;
use micse_cli::options::ComputeOptions;
use micse_cli::print;
use micse_data::Locator;
use micse_train::{Recipe, StepTimes, Trainer};
use serde_json::json;

use super::work::Work;
use super::{Subject, corpus, machine, median, print_table, round};

/// Time optimization steps
#[derive(Args)]
pub(super) struct Train {
    #[command(flatten)]
    subject: Subject,
    /// Built-in recipe, or a TOML file
    #[arg(long, default_value = "ami-simcse")]
    recipe: String,
    /// Sentences per batch
    #[arg(long, value_name = "N", default_value_t = 50, alias = "batch")]
    batch_size: usize,
    /// Maximum tokens per sentence
    #[arg(long, default_value_t = 32)]
    max_length: usize,
    /// Text files with one sentence per line (plain, zstd or gzip), or `demo` [default: MICSE_DATA, else demo]
    #[arg(long, num_args = 1..)]
    corpus: Vec<String>,
    /// Timed steps, after two warm-up steps
    #[arg(long, default_value = "20")]
    steps: NonZeroUsize,
    /// Encode N sentences at a time
    #[arg(long, value_name = "SENTENCES")]
    chunk: Option<NonZeroUsize>,
    #[command(flatten)]
    compute: ComputeOptions,
}

/// Untimed steps at the start.
const WARM_UP: usize = 2;

/// Measurements of the timed steps.
#[derive(Default)]
struct Measured {
    /// Seconds per step, without tokenizing.
    seconds: Vec<f64>,
    parts: Vec<StepTimes>,
    /// Tokens in all views of all steps.
    tokens: usize,
    sentences: usize,
    work: Work,
    loss: f64,
}

impl Train {
    pub(super) fn run(&self, as_json: bool) -> Result<()> {
        let compute = self.compute.start()?;
        let locator = Locator::from_env()?;
        let name = self.subject.name(&locator)?;
        let corpus = corpus(&locator, &self.corpus)?;
        let encoder = self.subject.encoder(&locator, &compute)?;
        let tokenizer = self.subject.tokenizer(&locator, encoder.config())?;
        let recipe = self.recipe()?;
        let recipe_name = recipe.name.clone();
        let shapes = encoder.parameters().into_iter().map(|info| info.shape.iter().product::<usize>());
        let parameters: usize = shapes.sum();

        let threads = micse_model::threads();
        let mut rates = machine::product_rates(threads);
        let mut trainer = Trainer::new(recipe, 48, encoder, tokenizer, corpus.len(), &compute.device)?;
        if let Some(sentences) = self.chunk {
            trainer = trainer.in_chunks(sentences)?;
        }
        let measured = self.measure(&mut trainer, &|number| corpus.get(number as usize))?;
        let memory = machine::peak_memory();
        rates.extend(machine::product_rates(threads));
        let rate = median(&rates);

        let steps = measured.seconds.len() as f64;
        let step = median(&measured.seconds);
        let extreme =
            |f: fn(f64, f64) -> f64| 1e3 * measured.seconds.iter().copied().reduce(f).unwrap_or(step);
        let total: f64 = measured.seconds.iter().sum();
        let part = |of: fn(&StepTimes) -> Duration| {
            measured.parts.iter().map(|times| of(times).as_secs_f64()).sum::<f64>()
        };
        let per_step = |seconds: f64| round(1e3 * seconds / steps, 3);
        let engine = part(|t| t.encode) + part(|t| t.backward) + part(|t| t.update);
        let share = |operations: f64| round(operations / steps / (rate * 1e9) / step, 4);
        let sentences = measured.sentences as f64 / steps;
        let real_tokens = measured.tokens as f64 / steps;
        let report = json!({
            "bench": "train",
            "encoder": name,
            "parameters": parameters,
            "recipe": recipe_name,
            "batch": self.batch_size,
            "max_length": self.max_length,
            "steps": measured.seconds.len(),
            "chunk": self.chunk,
            "engine": compute.engine,
            "precision": compute.precision,
            "device": compute.device_name(),
            "threads": threads,
            "sentences_per_s": round(sentences / step, 2),
            "real_tokens_per_s": round(real_tokens / step, 1),
            "real_tokens_per_step": round(real_tokens, 1),
            "ms_per_step": {
                "median": round(1e3 * step, 3),
                "min": round(extreme(f64::min), 3),
                "max": round(extreme(f64::max), 3),
            },
            "ms_of_step": {
                "encode": per_step(part(|t| t.encode)),
                "objectives": per_step(part(|t| t.objectives)),
                "backward": per_step(part(|t| t.backward)),
                "update": per_step(part(|t| t.update)),
            },
            "tokenize_ms_per_step": per_step(part(|t| t.tokenize)),
            "outside_engine_share": round((total - engine) / total, 4),
            "peak_rss_mb": memory.map(|mb| round(mb, 1)),
            "gemm_gflops": round(rate, 1),
            "floor_share": share(measured.work.floor),
            "done_share": share(measured.work.done),
            "loss": measured.loss,
        });
        if !as_json {
            return print_table(&rows(&report));
        }
        print(&report.to_string())
    }

    fn recipe(&self) -> Result<Recipe> {
        let has_ami = Recipe::load(&self.recipe, &[])?.ami().next().is_some();
        let mut settings = vec![
            format!("optimizer.batch_size={}", self.batch_size),
            format!("max_length={}", self.max_length),
            "optimizer.warmup_steps=0".to_owned(),
        ];
        if has_ami && self.subject.model.is_none() {
            let of_ami = ["layers=\"last-4\"", "slicing=\"head-and-layer-parity\"", "samples=150"];
            settings.extend(of_ami.map(|setting| format!("objectives.ami.{setting}")));
        }
        Ok(Recipe::load_for(&self.recipe, &[], &settings, Some(self.steps.get() + WARM_UP))?)
    }

    fn measure<'a>(&self, trainer: &mut Trainer, sentence: &dyn Fn(u32) -> &'a str) -> Result<Measured> {
        let mut measured = Measured::default();
        let recipe = trainer.recipe().clone();
        let views = recipe.passes() as f64;
        // A backward pass costs two forward passes; chunks need one more forward pass.
        let passes = if self.chunk.is_some_and(|chunk| chunk.get() < self.batch_size) { 4.0 } else { 3.0 };
        for step in 0..WARM_UP + self.steps.get() {
            let numbers = trainer.batch_of(step);
            let sentences: Vec<&str> = numbers.iter().map(|&number| sentence(number)).collect();
            let ids = trainer.tokenizer().encode_all(&sentences, recipe.token_limit())?;
            let lengths: Vec<usize> = ids.iter().map(Vec::len).collect();

            let begun = Instant::now();
            let report = trainer.step(sentence, false)?;
            let taken = begun.elapsed();
            if step < WARM_UP {
                continue;
            }
            measured.seconds.push((taken.saturating_sub(report.times.tokenize)).as_secs_f64());
            measured.parts.push(report.times);
            measured.tokens += report.tokens * recipe.passes();
            measured.sentences += report.sentences;
            measured.loss = report.loss;
            let pass = Work::forward(trainer.encoder().config(), recipe.train_pooling(), &lengths);
            let momentum = if recipe.momentum.is_some() { 1.0 } else { 0.0 };
            let floor = pass.times(3.0 * views + momentum).floor;
            measured.work = measured.work.plus(Work { floor, ..pass.times(passes * views + momentum) });
        }
        Ok(measured)
    }
}

/// The report as a table for people.
fn rows(report: &serde_json::Value) -> Vec<(&'static str, String)> {
    let number =
        |value: &serde_json::Value| value.as_f64().map_or_else(|| "unknown".to_owned(), |v| v.to_string());
    let percent = |key: &str| format!("{:.1} %", 100.0 * report[key].as_f64().unwrap_or(f64::NAN));
    let text = |key: &str| report[key].as_str().unwrap_or_default().to_owned();
    let (step, part) = (&report["ms_per_step"], &report["ms_of_step"]);
    vec![
        ("encoder", text("encoder")),
        ("recipe", text("recipe")),
        ("engine", format!("{}, {}, {} threads", text("engine"), text("precision"), report["threads"])),
        ("sentences per second", number(&report["sentences_per_s"])),
        ("real tokens per second", number(&report["real_tokens_per_s"])),
        ("ms per step (median)", number(&step["median"])),
        ("ms per step (min to max)", format!("{} to {}", number(&step["min"]), number(&step["max"]))),
        ("  encode", number(&part["encode"])),
        ("  objectives", number(&part["objectives"])),
        ("  backward", number(&part["backward"])),
        ("  update", number(&part["update"])),
        ("tokenizing, ms per step (not counted)", number(&report["tokenize_ms_per_step"])),
        ("outside the engine", percent("outside_engine_share")),
        ("peak memory, MiB", number(&report["peak_rss_mb"])),
        ("gemm f32, GFLOP/s", number(&report["gemm_gflops"])),
        ("floor, share of the step", percent("floor_share")),
        ("operations done, share of the step", percent("done_share")),
    ]
}
