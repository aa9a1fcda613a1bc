//! A linear layer behind the pooling, sentence-transformers' module `Dense`.

use std::path::Path;

use candle_core::{Device, Tensor};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::checkpoint::Checkpoint;
use crate::encoder::ParameterInfo;
use crate::files::{read_text, write_json};
use crate::optimizer::Group;
use crate::weights::{TensorSource, save_safetensors};
use crate::{Error, Result};

/// The weight's name in the module's own file.
const WEIGHT: &str = "linear.weight";
const BIAS: &str = "linear.bias";

/// What follows the product.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum DenseActivation {
    /// Nothing.
    #[serde(rename = "torch.nn.modules.linear.Identity", alias = "torch.nn.Identity")]
    Identity,
    /// tanh, also where the file names nothing.
    #[serde(rename = "torch.nn.modules.activation.Tanh", alias = "torch.nn.Tanh")]
    Tanh,
}

/// `y = f(W x + b)`: W `[outputs, inputs]`, b `[outputs]`, f the identity or tanh. Sums are taken in f64.
#[derive(Clone, Debug, PartialEq)]
pub struct Dense {
    weight: Vec<f32>,
    bias: Option<Vec<f32>>,
    inputs: usize,
    activation: DenseActivation,
}

/// The module's `config.json`.
#[derive(Serialize, Deserialize)]
struct Keys {
    in_features: usize,
    out_features: usize,
    #[serde(default = "yes")]
    bias: bool,
    #[serde(default = "tanh")]
    activation_function: DenseActivation,
    #[serde(default, skip_serializing)]
    module_input_name: Option<String>,
    #[serde(default, skip_serializing)]
    module_output_name: Option<String>,
    #[serde(default, skip_serializing)]
    use_residual: bool,
}

fn yes() -> bool {
    true
}

fn tanh() -> DenseActivation {
    DenseActivation::Tanh
}

impl Dense {
    /// A layer of a weight (row by row: `outputs` rows of `inputs` entries) and a bias of `outputs` entries.
    ///
    /// # Errors
    /// The lengths do not fit each other, or there are no inputs or outputs.
    pub fn new(
        weight: Vec<f32>,
        bias: Option<Vec<f32>>,
        inputs: usize,
        activation: DenseActivation,
    ) -> Result<Self> {
        let outputs = weight.len().checked_div(inputs).unwrap_or(0);
        if outputs == 0
            || outputs * inputs != weight.len()
            || bias.as_ref().is_some_and(|b| b.len() != outputs)
        {
            return Err(Error::Input(format!(
                "a weight of {} entries and a bias of {:?} make no linear layer of {inputs} inputs",
                weight.len(),
                bias.map(|b| b.len())
            )));
        }
        Ok(Self { weight, bias, inputs, activation })
    }

    /// Entries of a row that goes in.
    pub fn inputs(&self) -> usize {
        self.inputs
    }

    /// Entries of a row that comes out.
    pub fn outputs(&self) -> usize {
        self.weight.len() / self.inputs
    }

    /// What follows the product.
    pub fn activation(&self) -> DenseActivation {
        self.activation
    }

    /// The rows behind the layer.
    ///
    /// # Errors
    /// A row has another number of entries than [`Self::inputs`].
    pub fn apply(&self, rows: &[Vec<f32>]) -> Result<Vec<Vec<f32>>> {
        if let Some(row) = rows.iter().find(|row| row.len() != self.inputs) {
            let (found, inputs) = (row.len(), self.inputs);
            return Err(Error::Input(format!("a row of {found} entries for a linear layer of {inputs}")));
        }
        Ok(rows.par_iter().map(|row| self.apply_one(row)).collect())
    }

    fn apply_one(&self, row: &[f32]) -> Vec<f32> {
        let entry = |(output, weights): (usize, &[f32])| {
            let bias = self.bias.as_ref().map_or(0.0, |bias| f64::from(bias[output]));
            let sum = weights.iter().zip(row).map(|(&w, &x)| f64::from(w) * f64::from(x)).sum::<f64>() + bias;
            (match self.activation {
                DenseActivation::Identity => sum,
                DenseActivation::Tanh => sum.tanh(),
            }) as f32
        };
        self.weight.chunks_exact(self.inputs).enumerate().map(entry).collect()
    }

    /// Reads the module's folder: `config.json`, and `model.safetensors` or `pytorch_model.bin`.
    ///
    /// # Errors
    /// A file is missing or damaged, or asks for what is not supported (a residual, another activation, other names of
    /// what goes in and out).
    pub fn load(folder: &Path) -> Result<Self> {
        let path = folder.join("config.json");
        let invalid = |reason: String| Error::Config { path: path.clone(), reason };
        let keys: Keys = serde_json::from_str(&read_text(&path)?).map_err(|e| {
            invalid(format!("not a Dense module that can be applied here ({e}); Identity and Tanh are known"))
        })?;
        let embedding = "sentence_embedding";
        let named = [keys.module_input_name, keys.module_output_name];
        if keys.use_residual || named.iter().flatten().any(|name| name != embedding) {
            return Err(invalid(
                "a Dense module with a residual, or on something else than `sentence_embedding`, is not supported"
                    .into(),
            ));
        }
        if keys.in_features == 0 || keys.out_features == 0 {
            return Err(invalid("in_features and out_features must be at least 1".into()));
        }
        let mut weights = Checkpoint::in_folder(folder, crate::Family::Bert)?;
        let mut values = |name: &str, shape: Vec<usize>| -> Result<Vec<f32>> {
            let info = ParameterInfo { name: name.into(), shape, group: Group::Weight };
            Ok(weights.take(&info, &Device::Cpu)?.flatten_all()?.to_vec1()?)
        };
        let weight = values(WEIGHT, vec![keys.out_features, keys.in_features])?;
        let bias = keys.bias.then(|| values(BIAS, vec![keys.out_features])).transpose()?;
        Self::new(weight, bias, keys.in_features, keys.activation_function)
    }

    /// Writes the module's folder.
    pub(crate) fn save(&self, folder: &Path) -> Result<()> {
        let keys = Keys {
            in_features: self.inputs,
            out_features: self.outputs(),
            bias: self.bias.is_some(),
            activation_function: self.activation,
            module_input_name: None,
            module_output_name: None,
            use_residual: false,
        };
        let shape = (self.outputs(), self.inputs);
        let mut tensors = vec![(WEIGHT.into(), Tensor::from_slice(&self.weight, shape, &Device::Cpu)?)];
        if let Some(bias) = &self.bias {
            tensors.push((BIAS.into(), Tensor::from_slice(bias, bias.len(), &Device::Cpu)?));
        }
        write_json(&folder.join("config.json"), &keys)?;
        save_safetensors(&folder.join("model.safetensors"), &tensors)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn follows_the_formula_and_comes_back_from_its_folder() {
        let weight = vec![1.0, 2.0, 3.0, -1.0, 0.5, 0.0];
        let dense = |bias: Option<Vec<f32>>, f| Dense::new(weight.clone(), bias, 3, f).unwrap();
        let rows = [vec![1.0_f32, 0.5, -1.0]];
        let plain = dense(None, DenseActivation::Identity);
        assert_eq!(plain.apply(&rows).unwrap(), [[-1.0, -0.75]]);
        let with_bias = dense(Some(vec![0.5, 1.0]), DenseActivation::Tanh);
        assert_eq!(with_bias.apply(&rows).unwrap(), [[-0.5_f64, 0.25].map(|x| x.tanh() as f32)]);
        for dense in [plain, with_bias] {
            let folder = tempfile::tempdir().unwrap();
            dense.save(folder.path()).unwrap();
            assert_eq!(Dense::load(folder.path()).unwrap(), dense);
        }
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let new = |n: usize, bias: usize, inputs: usize| {
            Dense::new(vec![0.0; n], Some(vec![0.0; bias]), inputs, DenseActivation::Tanh)
        };
        assert!(new(6, 2, 3).is_ok());
        for (n, bias, inputs) in [(6, 3, 3), (7, 2, 3), (0, 0, 3), (6, 0, 0)] {
            assert!(new(n, bias, inputs).is_err());
        }
        assert!(new(6, 2, 3).unwrap().apply(&[vec![0.0; 2]]).is_err());
        let folder = tempfile::tempdir().unwrap();
        new(6, 2, 3).unwrap().save(folder.path()).unwrap();
        let path = folder.path().join("config.json");
        let text = std::fs::read_to_string(&path).unwrap();
        for (from, to) in [
            ("\"bias\": true", "\"bias\": true, \"use_residual\": true"),
            ("\"bias\": true", "\"bias\": true, \"module_input_name\": \"token_embeddings\""),
            ("activation.Tanh", "activation.ReLU"),
            ("\"in_features\": 3", "\"in_features\": 4000000000000"),
            ("\"in_features\": 3", "\"in_features\": 0"),
        ] {
            assert_ne!(text.replace(from, to), text);
            std::fs::write(&path, text.replace(from, to)).unwrap();
            assert!(Dense::load(folder.path()).is_err(), "{to}");
        }
    }
}
