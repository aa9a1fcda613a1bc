//! The sentence-transformers module `LayerNorm`, after the pooling.

use std::path::Path;

use candle_core::{Device, Tensor};
use rayon::prelude::*;
use serde_json::{Value, json};

use crate::checkpoint::Checkpoint;
use crate::encoder::ParameterInfo;
use crate::files::object;
use crate::optimizer::Group;
use crate::weights::{TensorSource, save_safetensors};
use crate::{Error, Result};
use micse_files::write_json;

const WEIGHT: &str = "norm.weight";
const BIAS: &str = "norm.bias";
/// PyTorch's default; the module has no key for it.
pub(crate) const EPSILON: f64 = 1e-5;

/// `y = w (x - mean(x)) / sqrt(var(x) + 1e-5) + b`, elementwise. Sums are computed in f64.
#[derive(Clone, Debug, PartialEq)]
pub struct LayerNorm {
    weight: Vec<f32>,
    bias: Vec<f32>,
}

impl LayerNorm {
    /// Number of entries per row.
    pub fn dimension(&self) -> usize {
        self.weight.len()
    }

    pub(crate) fn weight_and_bias(&self) -> (&[f32], &[f32]) {
        (&self.weight, &self.bias)
    }

    /// Reads the module folder: `config.json`, and `model.safetensors` or `pytorch_model.bin`.
    pub(crate) fn load(folder: &Path) -> Result<Self> {
        let path = folder.join("config.json");
        let keys = object(&path)?.unwrap_or_default();
        let dimension =
            keys.get("dimension").and_then(Value::as_u64).filter(|&n| n > 0).ok_or_else(|| {
                Error::Config { path, reason: "a LayerNorm module needs the key `dimension`".into() }
            })?;
        let mut weights = Checkpoint::in_folder(folder, crate::Names::default())?;
        let mut values = |name: &str| -> Result<Vec<f32>> {
            let info =
                ParameterInfo { name: name.into(), shape: vec![dimension as usize], group: Group::Weight };
            Ok(weights.take(&info, &Device::Cpu)?.to_vec1()?)
        };
        Ok(Self { weight: values(WEIGHT)?, bias: values(BIAS)? })
    }

    /// Writes the module folder.
    pub(crate) fn save(&self, folder: &Path) -> Result<()> {
        let tensor = |name: &str, values: &[f32]| -> Result<(String, Tensor)> {
            Ok((name.to_owned(), Tensor::from_slice(values, values.len(), &Device::Cpu)?))
        };
        let tensors = [tensor(WEIGHT, &self.weight)?, tensor(BIAS, &self.bias)?];
        write_json(&folder.join("config.json"), &json!({"dimension": self.dimension()}))?;
        save_safetensors(&folder.join("model.safetensors"), &tensors)
    }

    /// Normalizes each row in place.
    pub(crate) fn apply(&self, rows: &mut [Vec<f32>]) -> Result<()> {
        if let Some(row) = rows.iter().find(|row| row.len() != self.dimension()) {
            return Err(Error::Input(format!(
                "a row has {} entries, but the LayerNorm module expects {}",
                row.len(),
                self.dimension()
            )));
        }
        rows.par_iter_mut().for_each(|row| self.apply_one(row));
        Ok(())
    }

    fn apply_one(&self, row: &mut [f32]) {
        let n = row.len() as f64;
        let mean = row.iter().map(|&x| f64::from(x)).sum::<f64>() / n;
        let variance = row.iter().map(|&x| (f64::from(x) - mean).powi(2)).sum::<f64>() / n;
        let scale = 1.0 / (variance + EPSILON).sqrt();
        for ((x, &w), &b) in row.iter_mut().zip(&self.weight).zip(&self.bias) {
            *x = ((f64::from(*x) - mean) * scale * f64::from(w) + f64::from(b)) as f32;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn follows_the_formula_and_comes_back_from_its_folder() {
        let norm = LayerNorm { weight: vec![1.0, 2.0, 0.5], bias: vec![0.0, 1.0, -1.0] };
        let mut rows = [vec![1.0_f32, 2.0, 6.0]];
        norm.apply(&mut rows).expect("rows");
        // Mean 3, variance 14 / 3.
        let unit = |x: f64| (x - 3.0) / (14.0_f64 / 3.0 + 1e-5).sqrt();
        let expected = [unit(1.0), 2.0 * unit(2.0) + 1.0, 0.5 * unit(6.0) - 1.0];
        for (found, expected) in rows[0].iter().zip(expected) {
            assert!((f64::from(*found) - expected).abs() < 1e-6, "got {found}, expected {expected}");
        }
        assert!(norm.apply(&mut [vec![0.0; 2]]).is_err());
        let folder = tempfile::tempdir().expect("a folder");
        norm.save(folder.path()).expect("files");
        assert_eq!(LayerNorm::load(folder.path()).expect("the module"), norm);
        std::fs::write(folder.path().join("config.json"), "{}").expect("a file");
        assert!(LayerNorm::load(folder.path()).expect_err("no dimension").to_string().contains("dimension"));
    }
}
