//! The features of a task's examples.

use micse_data::transfer::Example;
use micse_kernels::classifier::Rows;

use crate::embedder::Embeddings;

/// One row of features per example, followed by a 1, whose weight is the bias, and zeros up to a multiple of 8.
pub(super) struct Features {
    data: Vec<f32>,
    width: usize,
    dimension: usize,
}

impl Features {
    /// The features of a task's examples, for embeddings with `dimension` entries.
    pub(super) fn of(embeddings: &Embeddings<'_>, examples: &[&Example], dimension: usize) -> Self {
        let has_pairs = examples.iter().any(|example| example.second.is_some());
        let dimension = if has_pairs { 2 * dimension } else { dimension };
        Self::new(dimension, examples.iter(), |Example { first, second, .. }, row| {
            let a = embeddings.row(first);
            match second {
                None => row.extend_from_slice(a),
                Some(second) => {
                    let pairs = || a.iter().zip(embeddings.row(second));
                    row.extend(pairs().map(|(a, b)| (a - b).abs()));
                    row.extend(pairs().map(|(a, b)| a * b));
                }
            }
        })
    }

    /// A row of `dimension` features per example, which `write` appends.
    pub(super) fn new<E>(
        dimension: usize,
        examples: impl Iterator<Item = E>,
        write: impl Fn(E, &mut Vec<f32>),
    ) -> Self {
        let width = (dimension + 1).next_multiple_of(8);
        let mut data = Vec::new();
        for (i, example) in examples.enumerate() {
            write(example, &mut data);
            data.push(1.0);
            data.resize((i + 1) * width, 0.0);
        }
        Self { data, width, dimension }
    }

    /// Features of an example, without the 1.
    pub(super) fn dimension(&self) -> usize {
        self.dimension
    }

    /// Entries of a stored row.
    pub(super) fn width(&self) -> usize {
        self.width
    }

    /// Some examples, by their numbers.
    pub(super) fn rows<'a>(&'a self, chosen: &'a [u32]) -> Rows<'a> {
        Rows::new(&self.data, self.width, chosen)
    }
}
