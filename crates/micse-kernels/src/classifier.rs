//! Softmax regression on fixed features: logits, gradients and Adam for several classifiers side by side.
//!
//! Classifiers that see the same rows in the same order, such as those of a grid of L2 penalties, share one pass over
//! the features. Columns are (classifier, class), padded to panels of [`PANEL`] columns; a panel is stored as
//! `[width][PANEL]`, and panels follow each other. Every sum runs over rows and features in a fixed order.
//!
//! All kernels run on the calling thread, because the caller fits many classifiers in parallel.

use crate::exp::exp_not_positive;
use crate::simd::vectorised;

/// Columns of a panel: one AVX2 register of f32.
pub const PANEL: usize = 8;

/// Rows that are multiplied together; also the features of a step, so widths are multiples of it.
const BLOCK: usize = 8;

/// Chosen rows of a feature matrix.
#[derive(Clone, Copy, Debug)]
pub struct Rows<'a> {
    data: &'a [f32],
    width: usize,
    chosen: &'a [u32],
}

impl<'a> Rows<'a> {
    /// The rows `chosen` of `data`, `[rows, width]`.
    ///
    /// # Panics
    /// `width` is not a positive multiple of 8, or `data` is not whole rows.
    pub fn new(data: &'a [f32], width: usize, chosen: &'a [u32]) -> Self {
        assert!(
            width > 0 && width.is_multiple_of(BLOCK),
            "width {width} is not a positive multiple of {BLOCK}"
        );
        assert!(data.len().is_multiple_of(width), "{} elements are not rows of {width}", data.len());
        Self { data, width, chosen }
    }

    /// Number of chosen rows.
    pub fn len(&self) -> usize {
        self.chosen.len()
    }

    /// Whether no row is chosen.
    pub fn is_empty(&self) -> bool {
        self.chosen.is_empty()
    }

    /// The features of up to [`BLOCK`] rows; the last row is repeated to fill the block.
    fn block(&self, places: &[u32]) -> [&'a [[f32; BLOCK]]; BLOCK] {
        std::array::from_fn(|r| {
            let start = places[r.min(places.len() - 1)] as usize * self.width;
            self.data[start..start + self.width].as_chunks().0
        })
    }
}

/// The logits of the chosen rows: `out[row][column] = sum_k x[row][k] w[column][k]`.
///
/// `out` is `[rows, columns]` and `weights` has `columns / PANEL` panels.
///
/// # Panics
/// The sizes do not match, or a row is out of range.
pub fn logits(out: &mut [f32], rows: Rows<'_>, weights: &[f32], columns: usize) {
    check(out.len(), rows, weights.len(), columns);
    for (panel, weights) in weights.chunks_exact(rows.width * PANEL).enumerate() {
        for (out, places) in out.chunks_mut(BLOCK * columns).zip(rows.chosen.chunks(BLOCK)) {
            logits_block(out, &rows.block(places), weights, columns, panel * PANEL);
        }
    }
}

vectorised! {
    fn logits_block(out: &mut [f32], x: &[&[[f32; 8]]; 8], weights: &[f32], columns: usize, first: usize) {
        let (weights, _) = weights.as_chunks::<8>();
        let (steps, _) = weights.as_chunks::<8>();
        let mut sums = [[0.0_f32; 8]; 8];
        for (step, weights) in steps.iter().enumerate() {
            let x = x.map(|row| row[step]);
            for k in 0..8 {
                for r in 0..8 {
                    for c in 0..8 {
                        sums[r][c] = x[r][k].mul_add(weights[k][c], sums[r][c]);
                    }
                }
            }
        }
        for (out, sums) in out.chunks_mut(columns).zip(&sums) {
            out[first..first + 8].copy_from_slice(sums);
        }
    }
}

/// The gradient of the weights: `gradient[column][k] = sum_row deltas[row][column] x[row][k]`, in the layout of the
/// weights.
///
/// # Panics
/// The sizes do not match, or a row is out of range.
pub fn gradient(gradient: &mut [f32], rows: Rows<'_>, deltas: &[f32], columns: usize) {
    check(deltas.len(), rows, gradient.len(), columns);
    gradient.fill(0.0);
    for (panel, gradient) in gradient.chunks_exact_mut(rows.width * PANEL).enumerate() {
        for (deltas, places) in deltas.chunks(BLOCK * columns).zip(rows.chosen.chunks(BLOCK)) {
            gradient_block(gradient, &rows.block(places), deltas, columns, panel * PANEL);
        }
    }
}

vectorised! {
    fn gradient_block(gradient: &mut [f32], x: &[&[[f32; 8]]; 8], deltas: &[f32], columns: usize, first: usize) {
        // Rows that only fill the block have no delta.
        let mut of_rows = [[0.0_f32; 8]; 8];
        for (of_row, deltas) in of_rows.iter_mut().zip(deltas.chunks(columns)) {
            of_row.copy_from_slice(&deltas[first..first + 8]);
        }
        let (gradient, _) = gradient.as_chunks_mut::<8>();
        let (steps, _) = gradient.as_chunks_mut::<8>();
        for (step, sums) in steps.iter_mut().enumerate() {
            let x = x.map(|row| row[step]);
            for k in 0..8 {
                let mut sum = sums[k];
                for r in 0..8 {
                    for c in 0..8 {
                        sum[c] = x[r][k].mul_add(of_rows[r][c], sum[c]);
                    }
                }
                sums[k] = sum;
            }
        }
    }
}

fn check(values: usize, rows: Rows<'_>, weights: usize, columns: usize) {
    assert!(columns > 0 && columns.is_multiple_of(PANEL), "{columns} columns are not whole panels");
    assert_eq!(values, rows.len() * columns, "{} rows of {columns} columns", rows.len());
    assert_eq!(weights, rows.width * columns, "a width of {} and {columns} columns", rows.width);
}

/// Turns logits into the gradient of the mean cross-entropy: softmax minus one at the label, divided by the number of
/// rows. `values` is `[rows, columns]`; the first `classifiers * classes` columns of a row are logits.
///
/// # Panics
/// The sizes do not match, or a label is not below `classes`.
pub fn softmax_deltas(values: &mut [f32], labels: &[u8], columns: usize, classifiers: usize, classes: usize) {
    assert!(classifiers * classes <= columns && values.len() == labels.len() * columns);
    // A constant number of classes lets the compiler unroll the loops over them.
    match classes {
        2 => deltas::<2>(values, labels, columns, classifiers, classes),
        _ => deltas::<0>(values, labels, columns, classifiers, classes),
    }
}

vectorised! {
    fn subtract_and_exp(values: &mut [f32], maxima: &[f32]) {
        for (value, max) in values.iter_mut().zip(maxima) {
            *value = exp_not_positive(*value - max);
        }
    }
}

/// `CLASSES` is 0 if the number is known only at run time.
fn deltas<const CLASSES: usize>(
    values: &mut [f32],
    labels: &[u8],
    columns: usize,
    classifiers: usize,
    classes: usize,
) {
    let classes = if CLASSES == 0 { classes } else { CLASSES };
    let used = classifiers * classes;
    let scale = 1.0 / labels.len() as f32;
    let mut maxima = vec![0.0; values.len()];
    for (row, maxima) in values.chunks_exact_mut(columns).zip(maxima.chunks_exact_mut(columns)) {
        for (logits, maxima) in row[..used].chunks_exact(classes).zip(maxima.chunks_exact_mut(classes)) {
            maxima.fill(logits.iter().copied().fold(f32::NEG_INFINITY, f32::max));
        }
        row[used..].fill(0.0);
    }
    subtract_and_exp(values, &maxima);
    for (row, &label) in values.chunks_exact_mut(columns).zip(labels) {
        for exps in row[..used].chunks_exact_mut(classes) {
            let factor = scale / exps.iter().sum::<f32>();
            for value in exps.iter_mut() {
                *value *= factor;
            }
            exps[usize::from(label)] -= scale;
        }
        row[used..].fill(0.0);
    }
}

/// The constants of one step of [`adam`].
#[derive(Clone, Copy, Debug)]
pub struct L2Adam {
    /// b1 and b2.
    pub betas: (f32, f32),
    /// 1 - b1 and 1 - b2, rounded once from f64.
    pub rests: (f32, f32),
    /// lr / (1 - b1^t).
    pub rate: f32,
    /// 1 / sqrt(1 - b2^t).
    pub root: f32,
    /// eps.
    pub epsilon: f32,
}

/// One step of Adam (Kingma & Ba 2015) with an L2 penalty per column, added to the gradient, as PyTorch's `Adam` does
/// with `weight_decay`:
///
/// ```text
/// g <- g + l2 p       m <- b1 m + (1 - b1) g       v <- b2 v + (1 - b2) g^2
/// p <- p - lr / (1 - b1^t) m / (sqrt(v) / sqrt(1 - b2^t) + eps)
/// ```
///
/// # Panics
/// The four slices differ in length, or are not panels with the columns of `l2`.
pub fn adam(p: &mut [f32], g: &[f32], m: &mut [f32], v: &mut [f32], l2: &[f32], rule: &L2Adam) {
    assert!(g.len() == p.len() && m.len() == p.len() && v.len() == p.len());
    assert!(!l2.is_empty() && l2.len().is_multiple_of(PANEL) && p.len().is_multiple_of(l2.len()));
    let panel = p.len() / l2.len() * PANEL;
    for (i, l2) in l2.as_chunks::<PANEL>().0.iter().enumerate() {
        let at = i * panel..(i + 1) * panel;
        adam_panel(&mut p[at.clone()], &g[at.clone()], &mut m[at.clone()], &mut v[at], l2, rule);
    }
}

vectorised! {
    fn adam_panel(p: &mut [f32], g: &[f32], m: &mut [f32], v: &mut [f32], l2: &[f32; 8], rule: &L2Adam) {
        let (p, g) = (p.as_chunks_mut::<8>().0, g.as_chunks::<8>().0);
        let (m, v) = (m.as_chunks_mut::<8>().0, v.as_chunks_mut::<8>().0);
        for (((p, g), m), v) in p.iter_mut().zip(g).zip(m).zip(v) {
            for c in 0..8 {
                let g = l2[c].mul_add(p[c], g[c]);
                m[c] = rule.betas.0 * m[c] + rule.rests.0 * g;
                v[c] = rule.betas.1 * v[c] + rule.rests.1 * (g * g);
                p[c] -= rule.rate * m[c] / (v[c].sqrt() * rule.root + rule.epsilon);
            }
        }
    }
}
