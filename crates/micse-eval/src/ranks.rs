//! Ranks and neighbours by cosine among unit vectors.

use rayon::prelude::*;

use crate::geometry::dot;

/// The cosine of two unit vectors.
pub(crate) fn cosine(a: &[f32], b: &[f32]) -> f64 {
    f64::from(dot(a, b))
}

/// The reciprocal rank of `documents[i]` for each `queries[i]`, among all documents. Ties count against the model, so
/// that one that maps everything to a single point finds nothing.
pub(crate) fn reciprocal_ranks(queries: &[Vec<f32>], documents: &[Vec<f32>]) -> Vec<f64> {
    let rank = |(own, query): (usize, &Vec<f32>)| rank(query, documents, own, None);
    queries.par_iter().enumerate().map(rank).collect()
}

/// The reciprocal rank of the next row for each row but the last. A row is not among its own answers.
pub(crate) fn next_ranks(rows: &[Vec<f32>]) -> Vec<f64> {
    let queries = &rows[..rows.len().saturating_sub(1)];
    queries.par_iter().enumerate().map(|(own, query)| rank(query, rows, own + 1, Some(own))).collect()
}

fn rank(query: &[f32], documents: &[Vec<f32>], wanted: usize, without: Option<usize>) -> f64 {
    let found = cosine(query, &documents[wanted]);
    let others = documents.iter().enumerate().filter(|(i, _)| *i != wanted && Some(*i) != without);
    let before = others.filter(|(_, row)| cosine(query, row) >= found).count();
    1.0 / (1 + before) as f64
}

/// The `count` nearest other rows of each row, nearest first; the lower number among equals.
pub(crate) fn neighbours(rows: &[Vec<f32>], count: usize) -> Vec<Vec<u32>> {
    let nearest = |(own, row): (usize, &Vec<f32>)| {
        let others = rows.iter().enumerate().filter(|(i, _)| *i != own);
        let mut all: Vec<(f64, u32)> = others.map(|(i, other)| (cosine(row, other), i as u32)).collect();
        let nearer = |a: &(f64, u32), b: &(f64, u32)| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1));
        if count < all.len() {
            all.select_nth_unstable_by(count, nearer);
            all.truncate(count);
        }
        all.sort_by(nearer);
        all.into_iter().map(|(_, i)| i).collect()
    };
    rows.par_iter().enumerate().map(nearest).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unit(angle: f32) -> Vec<f32> {
        vec![angle.cos(), angle.sin()]
    }

    #[test]
    fn ranks_and_neighbours_on_a_circle() {
        let rows: Vec<Vec<f32>> = [0.0, 0.1, 0.5, 0.6].map(unit).into();
        assert_eq!(neighbours(&rows, 2), [[1, 2], [0, 2], [3, 1], [2, 1]]);
        // From 0: the next is nearest. From 0.1: 0 is nearer than 0.5. From 0.5: 0.6 is nearest.
        assert_eq!(next_ranks(&rows), [1.0, 0.5, 1.0]);
        let queries: Vec<Vec<f32>> = [0.02, 0.55, 0.5, 0.0].map(unit).into();
        // 0.55 is nearer to 0.5 and 0.6 than to 0.1; from 0, all others are nearer than 0.6.
        assert_eq!(reciprocal_ranks(&queries, &rows), [1.0, 1.0 / 3.0, 1.0, 0.25]);
        let point = vec![unit(1.0); 4];
        assert_eq!(reciprocal_ranks(&point, &point), [0.25; 4]);
    }
}
