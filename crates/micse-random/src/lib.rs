//! Seeded randomness, reproducible on every platform, at every thread count and after resuming.
//!
//! Three generators for three purposes:
//!
//! * [`Stream`]: a *counter-based* generator. A draw is a hash of where it is used (seed, step, layer, row, ...),
//!   not of the number of earlier draws. So dropout masks do not depend on the order of computation, on padding or
//!   on chunking.
//! * [`permutation`]: a `ChaCha20` Fisher-Yates shuffle, for low-shot splits and epoch orders. ChaCha is specified
//!   bit for bit and the shuffle is implemented here, so no library update can change a split.
//! * [`Mersenne`]: the generator of numpy and PyTorch, for published protocols that are defined by its draws.
//!
//! ```
//! use micse_random::{Stream, dropout_threshold, permutation};
//!
//! // Dropout at rate 0.1 for channel 7 of a token row.
//! let row = Stream::new(48).with(3).with(0).lane();
//! let keep = row.draw(7) >= dropout_threshold(0.1);
//! assert_eq!(keep, row.draw(7) >= dropout_threshold(0.1));
//!
//! // A split of size 3 is a prefix of one permutation of the corpus.
//! assert_eq!(permutation(10, 48)[..3], permutation(10, 48)[..3]);
//! ```
mod mersenne;
mod permutation;
mod stream;

pub use mersenne::Mersenne;
pub use permutation::permutation;
pub use stream::{Draws, Lane, Stream, dropout_threshold};
