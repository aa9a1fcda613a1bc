//! `cargo xtask vectors`: GloVe word vectors from text.

mod progress;

use std::num::NonZeroUsize;
use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::Args;
use micse_data::Locator;
use micse_files::write_whole;
use micse_vectors::Options;

/// Train GloVe word vectors on text, for `micse-eval --vectors`
#[derive(Args)]
pub(crate) struct Vectors {
    /// Text files, one sentence a line, plain, zstd or gzip; `demo` for generated sentences [default: the corpus in `MICSE_DATA`]
    #[arg(long, num_args = 1..)]
    text: Vec<String>,
    /// The file of vectors, in GloVe's text format
    #[arg(long)]
    out: PathBuf,
    /// Write word2vec's binary format
    #[arg(long)]
    binary: bool,
    /// Entries of a vector
    #[arg(long, default_value_t = Options::default().dimension)]
    dimension: usize,
    /// The largest distance of two words that co-occur
    #[arg(long, default_value_t = Options::default().window)]
    window: usize,
    /// Rarer words are left out
    #[arg(long, default_value_t = Options::default().min_count)]
    min_count: usize,
    /// At most so many words, the most frequent ones [default: all]
    #[arg(long)]
    vocabulary: Option<usize>,
    /// The count from which on a pair of words has weight 1; 10 suits texts of some million tokens better
    #[arg(long, default_value_t = Options::default().x_max)]
    x_max: f64,
    /// The exponent of the weights
    #[arg(long, default_value_t = Options::default().alpha)]
    alpha: f64,
    /// `AdaGrad`'s learning rate
    #[arg(long, default_value_t = Options::default().learning_rate)]
    lr: f64,
    /// Passes over all pairs of words
    #[arg(long, default_value_t = Options::default().epochs)]
    epochs: usize,
    /// Seed of first values and order
    #[arg(long, default_value_t = 48)]
    seed: u64,
    /// Threads that compute [default: `RAYON_NUM_THREADS`, else all cores that the process may use]; the vectors do
    /// not depend on them
    #[arg(long, value_name = "N")]
    threads: Option<NonZeroUsize>,
}

impl Vectors {
    pub(crate) fn run(&self) -> Result<()> {
        // Rayon's own rule is meant by 0.
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
