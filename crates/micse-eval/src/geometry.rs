//! Alignment and uniformity of unit vectors (Wang & Isola 2020).

/// Rows per block: small enough to stay in the CPU cache while their pairs are compared.
const BLOCK: usize = 64;

/// Alignment: the mean of `|u - v|^2` over positive pairs of unit vectors; lower is closer. `None` without pairs.
pub fn alignment<U: AsRef<[f32]>>(pairs: impl Iterator<Item = (U, U)>) -> Option<f64> {
    let (mut sum, mut count) = (0.0, 0_u64);
    for (u, v) in pairs {
        let (u, v) = (u.as_ref(), v.as_ref());
        sum += u.iter().zip(v).map(|(&a, &b)| (f64::from(a) - f64::from(b)).powi(2)).sum::<f64>();
        count += 1;
    }
    (count > 0).then(|| sum / count as f64)
}

/// Uniformity: `ln` of the mean over pairs `i < j` of `exp(-2 |u_i - u_j|^2)`; lower is more spread out, 0 is
/// a single point. The rows are compared block by block, without a matrix of all pairs. `None` for fewer than 2
/// rows.
///
/// Squared distances are computed as `|u|^2 + |v|^2 - 2 u.v`, with the error of an f32 inner product, about 1e-7.
pub fn uniformity<U: AsRef<[f32]>>(rows: &[U]) -> Option<f64> {
    let rows: Vec<&[f32]> = rows.iter().map(AsRef::as_ref).collect();
    if rows.len() < 2 {
        return None;
    }
    let squares: Vec<f32> = rows.iter().map(|row| dot(row, row)).collect();
    let mut sum = 0.0;
    for from in (0..rows.len()).step_by(BLOCK) {
        let block = from..(from + BLOCK).min(rows.len());
        for i in 0..block.end {
            for j in block.start.max(i + 1)..block.end {
                let distance = (squares[i] + squares[j] - 2.0 * dot(rows[i], rows[j])).max(0.0);
                sum += (-2.0 * f64::from(distance)).exp();
            }
        }
    }
    let pairs = rows.len() as f64 * (rows.len() - 1) as f64 / 2.0;
    Some((sum / pairs).ln())
}

/// The inner product in f32, as 16 independent sums that the compiler keeps in vector registers.
pub(crate) fn dot(a: &[f32], b: &[f32]) -> f32 {
    let mut sums = [0_f32; 16];
    let (blocks_a, blocks_b) = (a.chunks_exact(16), b.chunks_exact(16));
    let rest: f32 = blocks_a.remainder().iter().zip(blocks_b.remainder()).map(|(a, b)| a * b).sum();
    for (a, b) in blocks_a.zip(blocks_b) {
        for (sum, (a, b)) in sums.iter_mut().zip(a.iter().zip(b)) {
            *sum += a * b;
        }
    }
    sums.iter().sum::<f32>() + rest
}
