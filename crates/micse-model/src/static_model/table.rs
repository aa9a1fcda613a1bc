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
    /// The row of each token; without it, a token has the row of its ID. Not expanded, because a short file could then
    /// demand any amount of memory.
    mapping: Option<Vec<usize>>,
    factors: Option<Vec<f64>>,
}

impl TokenTable {
    /// Reads the vectors in f32.
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
        let mapping = match part(MAPPING)? {
            Some(mapping) => Some(checked(&mapping.to_dtype(DType::I64)?.to_vec1()?, rows, path)?),
            None => None,
        };
        let factors: Option<Vec<f64>> = match part(FACTORS)? {
            Some(factors) => Some(factors.to_dtype(DType::F64)?.to_vec1()?),
            None => None,
        };
        let table = Self { values: vectors.flatten_all()?.to_vec1()?, dimension, mapping, factors };
        match &table.factors {
            Some(factors) if factors.len() != table.tokens() => {
                let (count, tokens) = (factors.len(), table.tokens());
                Err(invalid(path, format!("`{FACTORS}` has {count} entries for {tokens} tokens")))
            }
            _ => Ok(table),
        }
    }

    /// Number of token IDs with a vector.
    pub(super) fn tokens(&self) -> usize {
        self.mapping.as_ref().map_or(self.values.len() / self.dimension, Vec::len)
    }

    pub(super) fn dimension(&self) -> usize {
        self.dimension
    }

    /// Number of stored entries of vectors.
    pub(super) fn parameters(&self) -> usize {
        self.values.len()
    }

    /// The mean of the tokens' vectors, `V[t] = embeddings[mapping[t]] * weights[t]`; zeros without tokens. The sum is over
    /// tokens in order, in f32.
    pub(super) fn mean(&self, ids: &[u32]) -> Vec<f32> {
        let mut mean = vec![0.0; self.dimension];
        for token in ids.iter().map(|&id| id as usize) {
            let row = self.mapping.as_ref().map_or(token, |mapping| mapping[token]);
            let row = &self.values[row * self.dimension..][..self.dimension];
            match &self.factors {
                None => micse_kernels::rows::add(&mut mean, row),
                Some(factors) => {
                    for (sum, value) in mean.iter_mut().zip(row) {
                        *sum += (f64::from(*value) * factors[token]) as f32;
                    }
                }
            }
        }
        let count = ids.len().max(1) as f32;
        for value in &mut mean {
            *value /= count;
        }
        mean
    }
}

/// The mapping, if each of its entries is one of the `rows`.
fn checked(mapping: &[i64], rows: usize, path: &Path) -> Result<Vec<usize>> {
    let row = |(token, &index): (usize, &i64)| {
        usize::try_from(index).ok().filter(|&index| index < rows).ok_or_else(|| {
            invalid(path, format!("`{MAPPING}` of token {token} is {index}, but `{VECTORS}` has {rows} rows"))
        })
    };
    mapping.iter().enumerate().map(row).collect()
}

fn invalid(path: &Path, reason: impl std::fmt::Display) -> Error {
    Error::Weights {
        path: path.into(),
        reason: format!("{reason}; use the model.safetensors that belongs to this tokenizer.json"),
    }
}
