//! MPNet's relative positions (Song et al. 2020, after T5 by Raffel et al. 2020): distances between tokens
//! are grouped into buckets, one per distance for near tokens and ever wider ones for far tokens. Each bucket
//! adds a learned number to a head's attention scores.
//!
//! ```text
//! S[query, key] = Q K^T / sqrt(d) + W[bucket(key - query), head]
//! ```

/// Rows of the table W: half of them for keys before the query (and the query itself), half for keys after
/// it.
pub(crate) const BUCKETS: usize = 32;
/// The distances at which the wide buckets begin: `8 * 16^(k / 8)`, rounded up.
const WIDE: [usize; 8] = [8, 12, 16, 23, 32, 46, 64, 91];

/// The row of W for a key that is `key - query` tokens after its query.
fn bucket(query: usize, key: usize) -> usize {
    let distance = key.abs_diff(query);
    let bucket = match distance {
        0..8 => distance,
        _ => 7 + WIDE.iter().filter(|&&from| from <= distance).count(),
    };
    bucket + if key > query { BUCKETS / 2 } else { 0 }
}

/// The row of W for every pair (query, key) of `width` positions, query by query.
pub(crate) fn pairs(width: usize) -> Vec<u32> {
    (0..width).flat_map(|query| (0..width).map(move |key| bucket(query, key) as u32)).collect()
}

/// The row of W for every `key - query` from `-(reach - 1)` to `reach - 1`.
fn distances(reach: usize) -> impl Iterator<Item = usize> {
    (1 - reach as isize..reach as isize).map(|distance| {
        let (query, key) = ((-distance).max(0), distance.max(0));
        bucket(query as usize, key as usize)
    })
}

/// Expands W `[BUCKETS, heads]` into a table by distance, `[heads, 2 reach - 1]`.
pub(crate) fn spread(table: &[f32], heads: usize, reach: usize) -> Vec<f32> {
    let of = |head: usize| distances(reach).map(move |bucket| table[bucket * heads + head]);
    (0..heads).flat_map(of).collect()
}

/// The backward pass of [`spread`]: adds `gradients` `[n, heads, 2 reach - 1]` to the gradient of W.
pub(crate) fn gather(sums: &mut [f32], gradients: &[f32], heads: usize, reach: usize) {
    let buckets: Vec<usize> = distances(reach).collect();
    for (number, gradients) in gradients.chunks_exact(buckets.len()).enumerate() {
        for (bucket, &gradient) in buckets.iter().zip(gradients) {
            sums[bucket * heads + number % heads] += gradient;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Where `MPNetEncoder.relative_position_bucket(torch.arange(-600, 601), num_buckets=32)` changes.
    const CHANGES: [(isize, usize); 31] = [
        (-600, 15),
        (-90, 14),
        (-63, 13),
        (-45, 12),
        (-31, 11),
        (-22, 10),
        (-15, 9),
        (-11, 8),
        (-7, 7),
        (-6, 6),
        (-5, 5),
        (-4, 4),
        (-3, 3),
        (-2, 2),
        (-1, 1),
        (0, 0),
        (1, 17),
        (2, 18),
        (3, 19),
        (4, 20),
        (5, 21),
        (6, 22),
        (7, 23),
        (8, 24),
        (12, 25),
        (16, 26),
        (23, 27),
        (32, 28),
        (46, 29),
        (64, 30),
        (91, 31),
    ];

    #[test]
    fn buckets_are_those_of_transformers() {
        for (distance, found) in (-600..).zip(distances(601)) {
            let (_, want) = CHANGES.iter().rev().find(|(from, _)| *from <= distance).expect("a bucket");
            assert_eq!(found, *want, "{distance}");
        }
        let pairs = pairs(3);
        assert_eq!(pairs, [0, 17, 18, 1, 0, 17, 2, 1, 0]);
    }

    #[test]
    fn gathering_is_the_transpose_of_spreading() {
        let (heads, reach) = (3, 20);
        let table: Vec<f32> = (0..BUCKETS * heads).map(|i| (i % 7) as f32 - 2.0).collect();
        let rows: Vec<f32> = (0..2 * heads * (2 * reach - 1)).map(|i| (i % 5) as f32 - 1.0).collect();
        let spread = spread(&table, heads, reach);
        let mut sums = vec![0.0; table.len()];
        gather(&mut sums, &rows, heads, reach);
        let dot = |a: &[f32], b: &[f32]| -> f32 { a.iter().zip(b).map(|(a, b)| a * b).sum() };
        let want: f32 = rows.chunks_exact(spread.len()).map(|rows| dot(rows, &spread)).sum();
        assert_eq!(dot(&table, &sums), want);
    }
}
