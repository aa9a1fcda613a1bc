//! Reading reference files.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result};
use candle_core::{DType, Device, Tensor};

/// The tensors of one safetensors file.
pub(super) struct Fixture(BTreeMap<String, Tensor>);

impl Fixture {
    pub(super) fn open(path: &Path) -> Result<Self> {
        let bytes = std::fs::read(path).with_context(|| format!("{}", path.display()))?;
        let tensors = candle_core::safetensors::load_buffer(&bytes, &Device::Cpu)
            .with_context(|| format!("{}", path.display()))?;
        Ok(Self(tensors.into_iter().collect()))
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    pub(super) fn tensor(&self, name: &str) -> Result<&Tensor> {
        self.0.get(name).with_context(|| format!("the reference file has no tensor `{name}`"))
    }

    pub(super) fn values(&self, name: &str) -> Result<Vec<f64>> {
        entries(self.tensor(name)?)
    }

    pub(super) fn integers(&self, name: &str) -> Result<Vec<i64>> {
        Ok(self.tensor(name)?.flatten_all()?.to_vec1()?)
    }

    /// The largest absolute entry of the tensors selected by name.
    pub(super) fn largest(&self, chosen: impl Fn(&str) -> bool) -> Result<f64> {
        let mut largest = 0.0_f64;
        for name in self.names().filter(|name| chosen(name)) {
            largest = self.values(name)?.into_iter().fold(largest, |m, v| m.max(v.abs()));
        }
        Ok(largest)
    }

    /// Sentence lengths, from `attention_mask`.
    pub(super) fn lengths(&self) -> Result<Vec<usize>> {
        let mask = self.tensor("attention_mask")?.to_vec2::<i64>()?;
        Ok(mask.iter().map(|row| row.iter().sum::<i64>() as usize).collect())
    }

    /// Token IDs `[B, n]`, truncated to the lengths in `attention_mask`.
    pub(super) fn sentences(&self, ids: &str) -> Result<Vec<Vec<u32>>> {
        let ids = self.tensor(ids)?.to_vec2::<i64>()?;
        let cut = |(row, length): (&Vec<i64>, usize)| row[..length].iter().map(|&id| id as u32).collect();
        Ok(ids.iter().zip(self.lengths()?).map(cut).collect())
    }
}

/// All entries of a tensor, as f64.
pub(super) fn entries(tensor: &Tensor) -> Result<Vec<f64>> {
    Ok(tensor.to_dtype(DType::F64)?.flatten_all()?.to_vec1()?)
}
