//! A linear layer after the pooling: the sentence-transformers module `Dense`.

use std::path::Path;

use candle_core::{Device, Tensor};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::checkpoint::Checkpoint;
use crate::encoder::ParameterInfo;
use crate::files::read_text;
use crate::modules::EMBEDDING;
use crate::optimizer::Group;
use crate::weights::{TensorSource, save_safetensors};
use crate::{Error, Result};
use micse_files::write_json;

/// The weight's name in the module's file.
const WEIGHT: &str = "linear.weight";
const BIAS: &str = "linear.bias";

/// The name of the skip connection's weight.
const RESIDUAL: &str = "residual.weight";

/// The activation after the product: PyTorch modules with their default arguments.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum DenseActivation {
    /// None.
    #[serde(rename = "torch.nn.modules.linear.Identity", alias = "torch.nn.Identity")]
    Identity,
    /// tanh, the default if the file names no activation.
    #[serde(rename = "torch.nn.modules.activation.Tanh", alias = "torch.nn.Tanh")]
    Tanh,
    /// max(0, x).
    #[serde(rename = "torch.nn.modules.activation.ReLU", alias = "torch.nn.ReLU")]
    Relu,
    /// x Phi(x), with the exact error function.
    #[serde(rename = "torch.nn.modules.activation.GELU", alias = "torch.nn.GELU")]
    Gelu,
    /// 1 / (1 + exp(-x)).
    #[serde(rename = "torch.nn.modules.activation.Sigmoid", alias = "torch.nn.Sigmoid")]
    Sigmoid,
    /// x / (1 + exp(-x)).
    #[serde(rename = "torch.nn.modules.activation.SiLU", alias = "torch.nn.SiLU")]
    Silu,
    /// x, or 0.01 x below 0.
    #[serde(rename = "torch.nn.modules.activation.LeakyReLU", alias = "torch.nn.LeakyReLU")]
    LeakyRelu,
}

impl DenseActivation {
    fn apply(self, x: f64) -> f64 {
        match self {
            Self::Identity => x,
            Self::Tanh => x.tanh(),
            Self::Relu => x.max(0.0),
            Self::Gelu => 0.5 * x * (1.0 + candle_core::cpu::erf::erf_f64(x / std::f64::consts::SQRT_2)),
            Self::Sigmoid => 1.0 / (1.0 + (-x).exp()),
            Self::Silu => x / (1.0 + (-x).exp()),
            Self::LeakyRelu => x.max(0.01 * x),
        }
    }
}

/// The skip connection, added after the activation.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Residual {
    /// The input itself, which must be as long as the output.
    Input,
    /// A product with the input: a matrix `[outputs, inputs]`.
    Product(Vec<f32>),
}

/// `y = f(W x + b)`: W `[outputs, inputs]`, b `[outputs]`, f a [`DenseActivation`]; with a residual, x or R x
/// is added. Sums are computed in f64.
#[derive(Clone, Debug, PartialEq)]
pub struct Dense {
    weight: Vec<f32>,
    bias: Option<Vec<f32>>,
    inputs: usize,
    activation: DenseActivation,
    residual: Option<Residual>,
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
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    use_residual: bool,
}

fn yes() -> bool {
    true
}

fn tanh() -> DenseActivation {
    DenseActivation::Tanh
}

impl Dense {
    /// Builds a layer from a weight (row by row: `outputs` rows of `inputs` entries) and a bias of `outputs`
    /// entries.
    ///
    /// # Errors
    /// Fails if the lengths do not match, or the number of inputs or outputs is 0.
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
                "a weight of {} entries and a bias of {:?} do not form a linear layer with {inputs} inputs",
                weight.len(),
                bias.map(|b| b.len())
            )));
        }
        Ok(Self { weight, bias, inputs, activation, residual: None })
    }

    /// Number of entries per input row.
    pub fn inputs(&self) -> usize {
        self.inputs
    }

    /// Number of entries per output row.
    pub fn outputs(&self) -> usize {
        self.weight.len() / self.inputs
    }

    /// The activation after the product.
    pub fn activation(&self) -> DenseActivation {
        self.activation
    }

    /// W, row by row.
    pub(crate) fn weight(&self) -> &[f32] {
        &self.weight
    }

    pub(crate) fn bias(&self) -> Option<&[f32]> {
        self.bias.as_deref()
    }

    pub(crate) fn residual(&self) -> Option<&Residual> {
        self.residual.as_ref()
    }

    /// Applies the layer to every row.
    ///
    /// # Errors
    /// Fails if a row does not have [`Self::inputs`] entries.
    pub fn apply(&self, rows: &[Vec<f32>]) -> Result<Vec<Vec<f32>>> {
        if let Some(row) = rows.iter().find(|row| row.len() != self.inputs) {
            let (found, inputs) = (row.len(), self.inputs);
            return Err(Error::Input(format!(
                "a row has {found} entries, but the linear layer expects {inputs}"
            )));
        }
        Ok(rows.par_iter().map(|row| self.apply_one(row)).collect())
    }

    fn apply_one(&self, row: &[f32]) -> Vec<f32> {
        let product = |weights: &[f32]| {
            weights.iter().zip(row).map(|(&w, &x)| f64::from(w) * f64::from(x)).sum::<f64>()
        };
        let entry = |(output, weights): (usize, &[f32])| {
            let bias = self.bias.as_ref().map_or(0.0, |bias| f64::from(bias[output]));
            let added = match &self.residual {
                None => 0.0,
                Some(Residual::Input) => f64::from(row[output]),
                Some(Residual::Product(weight)) => {
                    product(&weight[output * self.inputs..(output + 1) * self.inputs])
                }
            };
            (self.activation.apply(product(weights) + bias) + added) as f32
        };
        self.weight.chunks_exact(self.inputs).enumerate().map(entry).collect()
    }

    /// Reads the module folder: `config.json`, and `model.safetensors` or `pytorch_model.bin`.
    ///
    /// # Errors
    /// Fails if a file is missing or damaged, or requires an unsupported feature (another activation, other
    /// names of inputs and outputs).
    pub fn load(folder: &Path) -> Result<Self> {
        let path = folder.join("config.json");
        let invalid = |reason: String| Error::Config { path: path.clone(), reason };
        let keys: Keys = serde_json::from_str(&read_text(&path)?).map_err(|e| {
            invalid(format!(
                "not a supported Dense module ({e}); activations are Identity, Tanh, ReLU, GELU, Sigmoid, \
                 SiLU and LeakyReLU"
            ))
        })?;
        let named = [keys.module_input_name, keys.module_output_name];
        if let Some(name) = named.iter().flatten().find(|name| *name != EMBEDDING) {
            return Err(invalid(format!(
                "a Dense module on `{name}` is not supported, only on `{EMBEDDING}`"
            )));
        }
        if keys.in_features == 0 || keys.out_features == 0 {
            return Err(invalid("in_features and out_features must be at least 1".into()));
        }
        let mut weights = Checkpoint::in_folder(folder, crate::Names::default())?;
        let mut values = |name: &str, shape: Vec<usize>| -> Result<Vec<f32>> {
            let info = ParameterInfo { name: name.into(), shape, group: Group::Weight };
            Ok(weights.take(&info, &Device::Cpu)?.flatten_all()?.to_vec1()?)
        };
        let weight = values(WEIGHT, vec![keys.out_features, keys.in_features])?;
        let bias = keys.bias.then(|| values(BIAS, vec![keys.out_features])).transpose()?;
        let residual = match (keys.use_residual, keys.in_features == keys.out_features) {
            (false, _) => None,
            (true, true) => Some(Residual::Input),
            (true, false) => {
                Some(Residual::Product(values(RESIDUAL, vec![keys.out_features, keys.in_features])?))
            }
        };
        Ok(Self { residual, ..Self::new(weight, bias, keys.in_features, keys.activation_function)? })
    }

    /// Writes the module folder.
    pub(crate) fn save(&self, folder: &Path) -> Result<()> {
        let keys = Keys {
            in_features: self.inputs,
            out_features: self.outputs(),
            bias: self.bias.is_some(),
            activation_function: self.activation,
            module_input_name: None,
            module_output_name: None,
            use_residual: self.residual.is_some(),
        };
        let shape = (self.outputs(), self.inputs);
        let mut tensors = vec![(WEIGHT.into(), Tensor::from_slice(&self.weight, shape, &Device::Cpu)?)];
        if let Some(bias) = &self.bias {
            tensors.push((BIAS.into(), Tensor::from_slice(bias, bias.len(), &Device::Cpu)?));
        }
        if let Some(Residual::Product(weight)) = &self.residual {
            tensors.push((RESIDUAL.into(), Tensor::from_slice(weight, shape, &Device::Cpu)?));
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
    fn activations_and_residuals_follow_pytorch() {
        // Reference: torch.nn.{ReLU,GELU,Sigmoid,SiLU,LeakyReLU}() of -1.5 and 0.5, float64.
        for (activation, expected) in [
            (DenseActivation::Relu, [0.0, 0.5]),
            (DenseActivation::Gelu, [-0.100_210_801_903_6, 0.345_731_230_637_0]),
            (DenseActivation::Sigmoid, [0.182_425_523_806_4, 0.622_459_331_201_9]),
            (DenseActivation::Silu, [-0.273_638_285_709_5, 0.311_229_665_600_9]),
            (DenseActivation::LeakyRelu, [-0.015, 0.5]),
        ] {
            for (x, expected) in [-1.5, 0.5].into_iter().zip(expected) {
                let found = activation.apply(x);
                assert!(
                    (found - expected).abs() < 1e-7,
                    "{activation:?}({x}): got {found}, expected {expected}"
                );
            }
        }
        let square = Dense::new(vec![1.0, 0.0, 2.0, 1.0], None, 2, DenseActivation::Relu).unwrap();
        let square = Dense { residual: Some(Residual::Input), ..square };
        assert_eq!(square.apply(&[vec![-1.0, 3.0]]).unwrap(), [[-1.0, 4.0]]);
        let narrow = Dense::new(vec![1.0, -1.0], None, 2, DenseActivation::Identity).unwrap();
        let narrow = Dense { residual: Some(Residual::Product(vec![0.5, 2.0])), ..narrow };
        assert_eq!(narrow.apply(&[vec![-1.0, 3.0]]).unwrap(), [[-4.0 + 5.5]]);
        for dense in [square, narrow] {
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
            ("\"bias\": true", "\"bias\": true, \"module_input_name\": \"token_embeddings\""),
            ("activation.Tanh", "activation.Softmax"),
            ("\"bias\": true", "\"bias\": true, \"use_residual\": true"),
            ("\"in_features\": 3", "\"in_features\": 4000000000000"),
            ("\"in_features\": 3", "\"in_features\": 0"),
        ] {
            assert_ne!(text.replace(from, to), text);
            std::fs::write(&path, text.replace(from, to)).unwrap();
            assert!(Dense::load(folder.path()).is_err(), "{to}");
        }
    }
}
