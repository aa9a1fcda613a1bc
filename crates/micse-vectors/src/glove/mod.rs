//! GloVe (Pennington, Socher & Manning 2014): vectors whose inner products are the logarithms of co-occurrence counts.
//!
//! With `X_ij` the co-occurrences of words i and j, word vectors `w`, context vectors `w~` and biases `b`, `b~`, training
//! minimises
//!
//! ```text
//! J = sum over X_ij > 0 of  1/2 f(X_ij) (w_i . w~_j + b_i + b~_j - log X_ij)^2
//! f(x) = min(1, (x / x_max)^alpha)
//! ```
//!
//! by AdaGrad on one pair after the other. The result is `w + w~`, the words by falling frequency.
//!
//! **Counts.** Two words of one sentence, at most `window` kept words apart, co-occur with weight 1/distance, in both
//! orders. Words outside the vocabulary are taken out before distances are measured, as GloVe's own program does.
//! Tokens are in lower case, split as `tokens` says.
//!
//! **AdaGrad** as in GloVe's own program: sums of squares begin at 1 and add up the squares of *scaled* gradients,
//! `v -= lr g / sqrt(G); G += (lr g)^2`. A first step has the length `lr g`, and steps shrink slowly.
//!
//! **The same bits at any number of threads.** Words fall into 64 buckets by their rank. A pair belongs to the block of
//! its two buckets, and blocks (a, a + s) for all a share no parameter: the 64 blocks of such a stratum are trained side
//! by side, strata one after the other, in an order drawn for each epoch (Gemulla et al. 2011, "Large-scale matrix
//! factorization with distributed stochastic gradient descent"). Counting is a job for each bucket over the whole text.
//! The bits do not depend on the processor's vector width either: sums have fixed lanes, and nothing is fused.
mod blocks;
mod schedule;
mod table;
#[cfg(test)]
mod tests;
mod vocabulary;

use crate::{Error, Result, WordVectors};

/// How GloVe vectors are trained. The defaults are those of GloVe's own program and paper, where it names them.
#[derive(Clone, Debug, PartialEq)]
pub struct Options {
    /// Entries of a vector.
    pub dimension: usize,
    /// The largest distance of two words that co-occur.
    pub window: usize,
    /// Rarer words are left out.
    pub min_count: usize,
    /// At most so many words, the most frequent ones.
    pub vocabulary: Option<usize>,
    /// The count from which on a pair has weight 1. The default suits texts of billions of tokens; GloVe's own
    /// demonstration on 17 million takes 10.
    pub x_max: f64,
    /// The exponent of the weights.
    pub alpha: f64,
    /// The learning rate.
    pub learning_rate: f64,
    /// Passes over all pairs.
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
            return refused("vocabulary", most.to_string(), "a vocabulary has at least two words");
        }
        for (name, value) in
            [("x_max", self.x_max), ("alpha", self.alpha), ("learning_rate", self.learning_rate)]
        {
            if !(value > 0.0 && value.is_finite()) {
                return refused(name, value.to_string(), "it must be above 0");
            }
        }
        Ok(())
    }
}

/// How far training is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Progress {
    /// Sentences are read and split.
    Reading {
        /// Sentences so far.
        sentences: usize,
        /// Tokens in them.
        tokens: usize,
    },
    /// Co-occurrences are counted.
    Counting {
        /// Words of the vocabulary.
        words: usize,
        /// Tokens of these words.
        tokens: usize,
        /// The share that is counted, from 0 to 1.
        done: f64,
    },
    /// Vectors are trained.
    Training {
        /// The epoch, from 1.
        epoch: usize,
        /// Ordered pairs of words in an epoch.
        pairs: usize,
        /// Those trained on in this epoch so far.
        done: usize,
        /// The mean of `1/2 f(X) (w . w~ + b + b~ - log X)^2` over them, each before its step.
        loss: f64,
    },
}

/// Trains GloVe vectors on sentences. Equal sentences, options and seed give equal bits.
///
/// Memory: four bytes a token, twelve bytes for each two words that co-occur, and sixteen bytes for each entry of the
/// result.
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
/// An option out of range, a text without two words that are frequent enough, a vocabulary too large to number, a loss
/// that is no longer finite.
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
