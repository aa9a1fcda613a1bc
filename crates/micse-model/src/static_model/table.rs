//! The vectors of tokens.

use std::path::Path;

use candle_core::{DType, Tensor};

use super::folder::StaticFolder;
use crate::checkpoint::Checkpoint;
use crate::{Error, Names, Result};

/// sentence-transformers' name of the table.
const WEIGHT: &str = "embedding.weight";
/// model2vec's name of the vectors.
const VECTORS: &str = "embeddings";
/// The row of `embeddings` for each token, if tokens share vectors; otherwise, each token has its own.
const MAPPING: &str = "mapping";
/// A factor for each token.
const FACTORS: &str = "weights";

/// A vector for each token ID.
#[derive(Clone)]
pub(super) struct TokenTable {
    /// Row by row.
    values: Vec<f32>,
    dimension: usize,
}

impl TokenTable {
    /// Reads the vectors in f32. As in sentence-transformers, shared vectors and factors become a vector for each token:
    /// `V[t] = embeddings[mapping[t]] * weights[t]`.
    pub(super) fn load(folder: &StaticFolder) -> Result<Self> {
        let checkpoint = Checkpoint::in_folder(folder.path(), Names::default())?;
        let path = checkpoint.path();
        let has = |name: &str| checkpoint.tensors().any(|(stored, _)| stored == name);
        let name = if has(WEIGHT) { WEIGHT } else { VECTORS };
        if !has(name) {
            return Err(invalid(path, format!("it has neither `{WEIGHT}` nor `{VECTORS}`")));
        }
        let vectors = checkpoint.read_number(name)?.to_dtype(DType::F32)?;
        let &[rows, dimension] = vectors.dims() else {
            return Err(invalid(
                path,
                format!("`{name}` has shape {:?}; it must be a table", vectors.dims()),
            ));
        };
        if rows == 0 || dimension == 0 {
            return Err(invalid(path, format!("`{name}` has shape {:?}, which is empty", vectors.dims())));
        }
        let values: Vec<f32> = vectors.flatten_all()?.to_vec1()?;
        let whole = Self { values, dimension };
        // sentence-transformers reads these two only with model2vec's name of the vectors.
        let part = |part: &str| -> Result<Option<Tensor>> {
            if name != VECTORS || !has(part) {
                return Ok(None);
            }
            let tensor = checkpoint.read_number(part)?;
            if tensor.dims().len() == 1 {
                return Ok(Some(tensor));
            }
            Err(invalid(path, format!("`{part}` has shape {:?}; it must be a list", tensor.dims())))
        };
        let mapped = match part(MAPPING)? {
            Some(mapping) => whole.mapped(&mapping.to_dtype(DType::I64)?.to_vec1()?, path)?,
            None => whole,
        };
        match part(FACTORS)? {
            Some(factors) => mapped.scaled(&factors.to_dtype(DType::F64)?.to_vec1()?, path),
            None => Ok(mapped),
        }
    }

    /// The rows at these indices.
    fn mapped(self, mapping: &[i64], path: &Path) -> Result<Self> {
        let row = |index: i64| usize::try_from(index).ok().filter(|&index| index < self.rows());
        let mut values = Vec::with_capacity(mapping.len().saturating_mul(self.dimension));
        for (token, &index) in mapping.iter().enumerate() {
            let row = row(index).ok_or_else(|| {
                let rows = self.rows();
                invalid(
                    path,
                    format!("`{MAPPING}` of token {token} is {index}, but `{VECTORS}` has {rows} rows"),
                )
            })?;
            values.extend_from_slice(self.row(row));
        }
        Ok(Self { values, ..self })
    }

    /// The rows times their factors.
    fn scaled(mut self, factors: &[f64], path: &Path) -> Result<Self> {
        if factors.len() != self.rows() {
            let (count, rows) = (factors.len(), self.rows());
            return Err(invalid(path, format!("`{FACTORS}` has {count} entries for {rows} tokens")));
        }
        for (row, &factor) in self.values.chunks_exact_mut(self.dimension).zip(factors) {
            for value in row {
                *value = (f64::from(*value) * factor) as f32;
            }
        }
        Ok(self)
    }

    pub(super) fn rows(&self) -> usize {
        self.values.len() / self.dimension
    }

    pub(super) fn dimension(&self) -> usize {
        self.dimension
    }

    fn row(&self, index: usize) -> &[f32] {
        &self.values[index * self.dimension..][..self.dimension]
    }

    /// The mean of the tokens' vectors; zeros without tokens. The sum is over tokens in order, in f32.
    pub(super) fn mean(&self, ids: &[u32]) -> Vec<f32> {
        let mut mean = vec![0.0; self.dimension];
        for &id in ids {
            micse_kernels::rows::add(&mut mean, self.row(id as usize));
        }
        let count = ids.len().max(1) as f32;
        for value in &mut mean {
            *value /= count;
        }
        mean
    }
}

fn invalid(path: &Path, reason: impl std::fmt::Display) -> Error {
    Error::Weights {
        path: path.into(),
        reason: format!("{reason}; use the model.safetensors that belongs to this tokenizer.json"),
    }
}
