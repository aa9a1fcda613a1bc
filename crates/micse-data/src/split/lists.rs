//! Lists of sizes and seeds, as written in options.

use super::SplitSize;
use crate::error::{Error, Result};

/// No sweep needs more seeds; a longer list is probably a typing error.
const MOST_SEEDS: usize = 10_000;

/// Parses comma-separated sizes: `1000,1%,100%`.
///
/// # Errors
/// An empty list, an entry that is not a [`SplitSize`], and a repeated size.
pub fn parse_sizes(text: &str) -> Result<Vec<SplitSize>> {
    let mut sizes = Vec::new();
    for entry in text.split(',') {
        let size = entry.parse()?;
        if sizes.contains(&size) {
            return Err(Error::Parse {
                text: text.to_owned(),
                expected: format!("a list of distinct sizes: {size} is repeated"),
            });
        }
        sizes.push(size);
    }
    Ok(sizes)
}

/// Parses comma-separated seeds and ranges that include both ends: `48..52` is 48, 49, 50, 51, 52.
///
/// # Errors
/// An empty list, an entry that is neither a number nor a range, a descending range, more than 10,000 seeds, and a
/// repeated seed (it would count twice in a mean).
pub fn parse_seeds(text: &str) -> Result<Vec<u64>> {
    let refused = |expected: String| Error::Parse { text: text.to_owned(), expected };
    let number = |entry: &str| {
        let example = "a list of seeds such as `48..52` (both included) or `48,49`";
        let seed = entry.trim().parse::<u64>().map_err(|_| refused(example.to_owned()))?;
        // TOML, in which runs describe themselves, has no larger numbers.
        if seed > i64::MAX as u64 {
            return Err(refused(format!("a list of seeds of at most {}", i64::MAX)));
        }
        Ok(seed)
    };
    let mut seeds = Vec::new();
    for entry in text.split(',') {
        let (first, last) = match entry.split_once("..") {
            Some((first, last)) => (number(first)?, number(last)?),
            None => (number(entry)?, number(entry)?),
        };
        if last < first {
            return Err(refused(format!("a list of seeds: the range {first}..{last} is descending")));
        }
        if last - first >= MOST_SEEDS as u64 || seeds.len() >= MOST_SEEDS {
            return Err(refused(format!("a list of at most {MOST_SEEDS} seeds")));
        }
        for seed in first..=last {
            if seeds.contains(&seed) {
                return Err(refused(format!("a list of distinct seeds: {seed} is repeated")));
            }
            seeds.push(seed);
        }
    }
    Ok(seeds)
}
