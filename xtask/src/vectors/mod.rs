//! `cargo xtask vectors`: trains GloVe word vectors on a corpus.

mod progress;

use std::num::NonZeroUsize;
use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::Args;
use micse_data::Locator;
use micse_files::write_whole;
use micse_vectors::Options;

/// Train GloVe word vectors on a corpus, for `micse eval --vectors`
#[derive(Args)]
pub(crate) struct Vectors {
    /// Text files with one sentence per line (plain, zstd or gzip), or `demo` [default: the corpus in MICSE_DATA]
    #[arg(long, num_args = 1..)]
    text: Vec<String>,
    /// File to write the vectors to, in GloVe's text format
    #[arg(long)]
    out: PathBuf,
    /// Write word2vec's binary format instead
    #[arg(long)]
    binary: bool,
    /// Dimension of the vectors
    #[arg(long, default_value_t = Options::default().dimension)]
    dimension: usize,
    /// Maximum distance between co-occurring words
    #[arg(long, default_value_t = Options::default().window)]
    window: usize,
    /// Skip words that occur less often
    #[arg(long, default_value_t = Options::default().min_count)]
    min_count: usize,
    /// Keep only the most frequent words, at most this many [default: all]
    #[arg(long)]
    vocabulary: Option<usize>,
    /// Count at which a word pair reaches weight 1; 10 is better for corpora of a few million tokens
    #[arg(long, default_value_t = Options::default().x_max)]
    x_max: f64,
    /// Exponent of the weights
    #[arg(long, default_value_t = Options::default().alpha)]
    alpha: f64,
    /// Learning rate of AdaGrad
    #[arg(long, default_value_t = Options::default().learning_rate)]
    lr: f64,
    /// Passes over all word pairs
    #[arg(long, default_value_t = Options::default().epochs)]
    epochs: usize,
    /// Seed of the initial values and the order
    #[arg(long, default_value_t = 48)]
    seed: u64,
    /// Compute threads; the vectors do not depend on them [default: RAYON_NUM_THREADS, else all cores available to the
    /// process]
    #[arg(long, value_name = "N")]
    threads: Option<NonZeroUsize>,
}

impl Vectors {
    pub(crate) fn run(&self) -> Result<()> {
        // 0 selects rayon's default.
        let threads = self.threads.map_or(0, NonZeroUsize::get);
        rayon::ThreadPoolBuilder::new().num_threads(threads).build_global()?;
        let located = Locator::from_env()?.corpus(&self.text)?;
        eprintln!("{}", located.note.replace("--corpus", "--text"));
        let corpus = located.place.open()?;
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
        let mut progress = progress::Progress::new(self.epochs);
        let vectors = micse_vectors::train(corpus.iter(), &options, self.seed, &mut |at| progress.tell(at))?;
        let summary = progress.finish();
        let mut bytes = Vec::new();
        if self.binary { vectors.write_binary(&mut bytes) } else { vectors.write_text(&mut bytes) }
            .with_context(|| self.out.display().to_string())?;
        write_whole(&self.out, &bytes)?;
        println!("{}: {} words, dimension {}; {summary}", self.out.display(), vectors.len(), self.dimension);
        Ok(())
    }
}
