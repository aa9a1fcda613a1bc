//! `micse train`: one run on a text file.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use anyhow::Result;
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use micse::data::{Corpus, Locator, SplitSize, Suite};
use micse::model::ModelFolder;
use micse::model::options::ComputeOptions;
use micse::train::{Event, Recipe, RunInputs, Stop, TrainText, run};

/// Train an encoder on a text file; the finished model lies in OUT/model
#[derive(Args)]
pub(crate) struct Train {
    /// The encoder that training starts from: a model folder, or `demo` for the shipped one
    #[arg(long)]
    model: String,
    /// Text files, one sentence a line, plain or zstd
    #[arg(long, required = true, num_args = 1..)]
    sentences: Vec<PathBuf>,
    /// The run's folder
    #[arg(long)]
    out: PathBuf,
    /// A built-in recipe or a file.toml
    #[arg(long, default_value = "micse")]
    recipe: String,
    /// Optimizer steps, instead of the recipe's own
    #[arg(long)]
    steps: Option<usize>,
    /// How much of the text: 100%, 0.1%, 1000
    #[arg(long, default_value = "100%")]
    size: SplitSize,
    /// Seed of split, order, dropout and initialisation
    #[arg(long, default_value_t = 48)]
    seed: u64,
    /// Add a term to the recipe: `--with ami`
    #[arg(long, value_delimiter = ',')]
    with: Vec<String>,
    /// Change a value of the recipe: --set optimizer.lr=1e-4
    #[arg(long = "set", value_name = "KEY=VALUE")]
    settings: Vec<String>,
    /// What the finished encoder is scored on: a folder in SentEval's layout, or `demo`
    #[arg(long, default_value = "demo")]
    sts: String,
    /// Encode batches in chunks of so many sentences: less memory, each sentence is encoded twice
    #[arg(long, value_name = "SENTENCES")]
    chunk: Option<NonZeroUsize>,
    #[command(flatten)]
    compute: ComputeOptions,
    /// Go on with a checkpoint of another kind of processor
    #[arg(long)]
    allow_other_cpu: bool,
}

impl Train {
    pub(crate) fn run(&self) -> Result<()> {
        let compute = self.compute.start()?;
        let locator = Locator::from_env()?;
        let (model, sts) = (locator.model(Some(&self.model))?, locator.sts(Some(&self.sts))?);
        eprintln!("{}\n{}", model.note, sts.note);
        let base = ModelFolder::open(&model.place)?;
        let suite = Suite::load(&sts.place, None)?;
        let text = TrainText::split(Corpus::open(&self.sentences)?, self.size, self.seed)?;
        let recipe = Recipe::load_for(&self.recipe, &self.with, &self.settings, self.steps)?;
        let stop = Stop::on_signals()?;
        let inputs = RunInputs {
            chunk: self.chunk,
            keep_model: true,
            allow_other_cpu: self.allow_other_cpu,
            stop: stop.clone(),
            ..RunInputs::new(recipe, self.seed, &text, &base, &suite, compute)
        };
        let bar = ProgressBar::new(0)
            .with_style(ProgressStyle::with_template("{bar:30} {pos}/{len} {msg}, {per_sec}, {eta} left")?);
        let result = run(&self.out, &inputs, &mut |event| match event {
            Event::Started { step, steps } => {
                bar.set_length(steps as u64);
                bar.set_position(step as u64);
                bar.reset_eta();
            }
            Event::Step(report) => {
                bar.set_position(report.step as u64);
                bar.set_message(format!("steps, loss {:.3}", report.loss));
            }
            Event::Development { step, spearman } => {
                bar.suspend(|| eprintln!("step {step}: development {spearman:.2}"));
            }
            Event::Fitting { step, steps, bits } => {
                bar.set_length(steps as u64);
                bar.set_position(step as u64);
                bar.set_message(format!("steps of the fit, {bits:.3} bits a dimension"));
            }
            Event::Evaluating { .. } if stop.requested() => {
                eprintln!("stopped while scoring; the same command goes on");
                std::process::exit(Stop::STATUS.into());
            }
            Event::Evaluating { done, total } => {
                bar.set_length(total as u64);
                bar.set_position(done as u64);
                bar.set_message("sentences scored");
            }
            Event::Notice(text) => bar.suspend(|| eprintln!("notice: {text}")),
        })?;
        bar.finish_and_clear();
        println!("{}", result.scores.to_table());
        println!("the model is in {}", self.out.join("model").display());
        Ok(())
    }
}
