//! `micse vectors`: trains GloVe word vectors on a corpus.

use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::Args;
use micse_cli::options::ThreadOptions;
use micse_cli::output::check_differs;
use micse_cli::{note, print, print_json};
use micse_vectors::Options;
use serde_json::json;

use crate::cli::vectors_progress::VectorsProgress;
use crate::data::Locator;
use crate::files::{WholeFile, write_whole};

/// Train GloVe word vectors on a corpus
#[derive(Args, Debug)]
#[command(after_help = "Example:\n  micse vectors --corpus notes.txt --output notes.glove.txt --min-count 2")]
pub(crate) struct Vectors {
    /// Text files, one sentence per line, plain, zstd or gzip; `demo` for generated sentences [default: the corpus in
    /// `MICSE_DATA`, else demo]
    #[arg(long, value_name = "FILE", num_args = 1.., alias = "text")]
    corpus: Vec<String>,
    /// File for the vectors, in GloVe's text format
    #[arg(long, value_name = "FILE", alias = "out")]
    output: PathBuf,
    /// Write word2vec's binary format instead
    #[arg(long)]
    binary: bool,
    /// Dimension of the vectors
    #[arg(long, value_name = "N", default_value_t = Options::default().dimension)]
    dimension: usize,
    /// Largest distance at which two words co-occur
    #[arg(long, value_name = "N", default_value_t = Options::default().window)]
    window: usize,
    /// Omit words with fewer occurrences
    #[arg(long, value_name = "N", default_value_t = Options::default().min_count)]
    min_count: usize,
    /// Keep only the N most frequent words [default: all]
    #[arg(long, value_name = "N")]
    vocabulary: Option<usize>,
    /// Count from which a word pair has weight 1; use 10 for a corpus of a few million tokens
    #[arg(long, value_name = "X", default_value_t = Options::default().x_max)]
    x_max: f64,
    /// Exponent of the weights
    #[arg(long, value_name = "ALPHA", default_value_t = Options::default().alpha)]
    alpha: f64,
    /// AdaGrad learning rate
    #[arg(long, value_name = "LR", default_value_t = Options::default().learning_rate)]
    lr: f64,
    /// Passes over all word pairs
    #[arg(long, value_name = "N", default_value_t = Options::default().epochs)]
    epochs: usize,
    /// Seed of initial values and order
    #[arg(long, default_value_t = 48)]
    seed: u64,
    #[command(flatten)]
    threads: ThreadOptions,
}

impl Vectors {
    pub(crate) fn run(&self, as_json: bool) -> Result<()> {
        for corpus in &self.corpus {
            check_differs(corpus.as_ref(), &self.output)?;
        }
        // Fails now rather than after the training.
        drop(WholeFile::create(&self.output)?);
        self.threads.start()?;
        let corpus = micse_cli::data::corpus(&Locator::from_env()?, &self.corpus)?.place.open()?;
        let options = Options {
            dimension: self.dimension,
            window: self.window,
            min_count: self.min_count,
            vocabulary: self.vocabulary,
            x_max: self.x_max,
            alpha: self.alpha,
            learning_rate: self.lr,
            epochs: self.epochs,
        };
        let mut progress = VectorsProgress::new(self.epochs);
        let vectors = micse_vectors::train(corpus.iter(), &options, self.seed, &mut |at| progress.tell(at))?;
        let summary = progress.finish();
        let mut bytes = Vec::new();
        if self.binary { vectors.write_binary(&mut bytes) } else { vectors.write_text(&mut bytes) }
            .with_context(|| self.output.display().to_string())?;
        write_whole(&self.output, &bytes)?;
        note(summary);
        if as_json {
            return print_json(&json!({
                "output": self.output.display().to_string(),
                "words": vectors.len(),
                "dimension": self.dimension,
            }));
        }
        print(&format!("{}: {} words, dimension {}", self.output.display(), vectors.len(), self.dimension))
    }
}
