//! Epochs over strata of blocks that share no parameters.

use micse_random::{Stream, permutation};
use rayon::prelude::*;

use super::blocks::{BUCKETS, Pairs};
use super::table::{Table, train_block};
use super::{Options, Progress};
use crate::{Error, Result};

/// Separates the initial values and the order of strata from every other use of the seed.
const START_STREAM: u64 = 0x7374_6172;
const STRATA_STREAM: u64 = 0x7374_7261;

/// Returns the trained parameters of all buckets: as words, as contexts.
pub(super) fn train(
    pairs: &Pairs,
    words: usize,
    options: &Options,
    seed: u64,
    progress: &mut dyn FnMut(Progress),
) -> Result<(Vec<Table>, Vec<Table>)> {
    let stream = Stream::new(seed).with(START_STREAM);
    let tables = |role: u64| -> Vec<Table> {
        let rows = |bucket| (words + BUCKETS - 1 - bucket) / BUCKETS;
        let table =
            |bucket| Table::new(rows(bucket), options.dimension, stream.with(role).with(bucket as u64));
        (0..BUCKETS).map(table).collect()
    };
    let (mut main, mut context) = (tables(0), tables(1));
    for epoch in 1..=options.epochs {
        let order =
            permutation(BUCKETS, Stream::new(seed).with(STRATA_STREAM).with(epoch as u64).draws().word());
        let (mut sum, mut done) = (0.0, 0);
        for stratum in order.into_iter().map(|stratum| stratum as usize) {
            let mut columns: Vec<&mut Table> = context.iter_mut().collect();
            columns.rotate_left(stratum);
            let losses: Vec<(f64, usize)> = main
                .par_iter_mut()
                .zip(columns)
                .enumerate()
                .map(|(a, (words, contexts))| {
                    let block = pairs.block(a, stratum);
                    (train_block(block, words, contexts, options.learning_rate as f32), block.len())
                })
                .collect();
            for (loss, steps) in losses {
                sum += loss;
                done += steps;
            }
            let loss = sum / done.max(1) as f64;
            progress(Progress::Training { epoch, pairs: pairs.len(), done, loss });
        }
        let loss = sum / done as f64;
        if !loss.is_finite() {
            return Err(Error::Diverged { epoch, loss, learning_rate: options.learning_rate });
        }
    }
    // The loss of a pair is computed before its step, so the last steps show in the parameters alone.
    if !main.iter().chain(&context).all(Table::is_finite) {
        let (epoch, learning_rate) = (options.epochs, options.learning_rate);
        return Err(Error::Diverged { epoch, loss: f64::INFINITY, learning_rate });
    }
    Ok((main, context))
}
