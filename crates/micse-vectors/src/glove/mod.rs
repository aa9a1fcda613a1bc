//! GloVe (Pennington, Socher & Manning 2014): vectors whose inner products approximate logarithms of co-occurrence
//! counts.
//!
//! With `X_ij` the co-occurrences of words i and j, word vectors `w`, context vectors `w~` and biases `b`, `b~`,
//! training minimises
//!
//! ```text
//! J = sum over X_ij > 0 of  1/2 f(X_ij) (w_i . w~_j + b_i + b~_j - log X_ij)^2
//! f(x) = min(1, (x / x_max)^alpha)
//! ```
//!
//! by AdaGrad, one pair after the other. The result is `w + w~`, with the words in order of descending frequency.
//!
//! **Counts.** Two words of one sentence, at most `window` kept words apart, co-occur with weight 1/distance, in
//! both orders. Words outside the vocabulary are removed before distances are measured, as in GloVe's own program.
//! Tokens are lower-cased and split as described in `tokens`.
//!
//! **AdaGrad** as in GloVe's own program: sums of squares start at 1 and accumulate the squares of *scaled*
//! gradients, `v -= lr g / sqrt(G); G += (lr g)^2`. A first step has the length `lr g`, and steps shrink slowly.
//!
//! **Bit-for-bit identical for any number of threads.** Words are assigned to 64 buckets by their rank. A pair
//! belongs to the block of its two buckets, and blocks (a, a + s) for all a share no parameters. The 64 blocks of
//! such a stratum are trained in parallel, and strata one after the other, in an order drawn for each epoch
//! (Gemulla et al. 2011, "Large-scale matrix factorization with distributed stochastic gradient descent").
//! Counting is one job per bucket over the full corpus. The bits do not depend on the CPU's vector width either:
//! sums have a fixed number of lanes, and no operations are fused.
mod blocks;
mod schedule;
mod table;
#[cfg(test)]
mod tests;
mod vocabulary;

use crate::{Error, Result, WordVectors};

/// GloVe's training options. The defaults are those of GloVe's own program and paper, where they specify them.
#[derive(Clone, Debug, PartialEq)]
pub struct Options {
    /// Entries per vector.
    pub dimension: usize,
    /// The largest distance of two co-occurring words.
    pub window: usize,
    /// Words with fewer occurrences are omitted.
    pub min_count: usize,
    /// Maximum vocabulary size; keeps the most frequent words.
    pub vocabulary: Option<usize>,
    /// The count from which a pair has weight 1. The default suits corpora of billions of tokens; GloVe's own
    /// demonstration on 17 million tokens uses 10.
    pub x_max: f64,
    /// The exponent of the weights.
    pub alpha: f64,
    /// The learning rate.
    pub learning_rate: f64,
    /// Number of passes over all pairs.
    pub epochs: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            dimension: 100,
            window: 10,
            min_count: 5,
            vocabulary: None,
            x_max: 100.0,
            alpha: 0.75,
            learning_rate: 0.05,
            epochs: 25,
        }
    }
}

impl Options {
    fn check(&self) -> Result<()> {
        let refused = |name, value: String, expected| Err(Error::Option { name, value, expected });
        for (name, value) in [
            ("dimension", self.dimension),
            ("window", self.window),
            ("min_count", self.min_count),
            ("epochs", self.epochs),
        ] {
            if value == 0 {
                return refused(name, value.to_string(), "it must be at least 1");
            }
        }
        if let Some(most @ 0..2) = self.vocabulary {
            return refused("vocabulary", most.to_string(), "a vocabulary needs at least 2 words");
        }
        for (name, value) in
            [("x_max", self.x_max), ("alpha", self.alpha), ("learning_rate", self.learning_rate)]
        {
            if !(value > 0.0 && value.is_finite()) {
                return refused(name, value.to_string(), "it must be a finite number above 0");
            }
        }
        Ok(())
    }
}

/// Training progress.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Progress {
    /// Reading and splitting sentences.
    Reading {
        /// Sentences read so far.
        sentences: usize,
        /// Tokens in these sentences.
        tokens: usize,
    },
    /// Counting co-occurrences.
    Counting {
        /// Words in the vocabulary.
        words: usize,
        /// Tokens of these words.
        tokens: usize,
        /// The share counted so far, from 0 to 1.
        done: f64,
    },
    /// Training the vectors.
    Training {
        /// The epoch, from 1.
        epoch: usize,
        /// Ordered pairs of words per epoch.
        pairs: usize,
        /// Pairs trained on in this epoch so far.
        done: usize,
        /// The mean of `1/2 f(X) (w . w~ + b + b~ - log X)^2` over these pairs, each before its step.
        loss: f64,
    },
}

/// Trains GloVe vectors on sentences. The same sentences, options and seed give bit-for-bit identical vectors.
///
/// Memory: 4 bytes per token, 12 bytes per pair of co-occurring words, and 16 bytes per entry of the result.
///
/// ```
/// use micse_vectors::{Options, train};
/// let sentences = ["the boat sails", "the ship sails", "the cat sleeps", "the dog sleeps"].repeat(20);
/// let options = Options { dimension: 8, epochs: 5, ..Options::default() };
/// let vectors = train(sentences, &options, 48, &mut |_progress| {})?;
/// assert_eq!((vectors.len(), vectors.dimension(), vectors.word(0)), (7, 8, "the"));
/// # Ok::<(), micse_vectors::Error>(())
/// ```
///
/// # Errors
/// An option out of range, a corpus without two sufficiently frequent words, a vocabulary too large to number, a
/// loss that is no longer finite.
pub fn train<S: AsRef<str>>(
    sentences: impl IntoIterator<Item = S>,
    options: &Options,
    seed: u64,
    progress: &mut dyn FnMut(Progress),
) -> Result<WordVectors> {
    options.check()?;
    let text = vocabulary::Text::read(sentences, options, progress)?;
    let pairs = blocks::Pairs::count(&text, options, seed, progress);
    if pairs.len() == 0 {
        return Err(Error::TooLittleText { tokens: text.tokens(), min_count: options.min_count });
    }
    let words = text.into_words();
    let (main, context) = schedule::train(&pairs, words.len(), options, seed, progress)?;
    let mut vectors = WordVectors::empty(options.dimension);
    vectors.reserve(words.len());
    let mut row = vec![0.0; options.dimension];
    for word in 0..words.len() {
        let (bucket, place) = (word % blocks::BUCKETS, word / blocks::BUCKETS);
        for ((sum, w), c) in row.iter_mut().zip(main[bucket].row(place)).zip(context[bucket].row(place)) {
            *sum = w + c;
        }
        vectors.push(words.get(word), &row);
    }
    Ok(vectors)
}
