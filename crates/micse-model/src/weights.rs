//! Weights files: which tensors an encoder has, where they come from, and how they are written.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use candle_core::{DType, Device, Tensor};
use micse_random::Stream;

use crate::encoder::ParameterInfo;
use crate::files::write_whole;
use crate::optimizer::Group;
use crate::{BertConfig, Error, Result};

/// The encoder's parameters in their one fixed order, under Hugging Face's names. The pooler and all
/// other heads are not among them.
pub fn parameter_layout(config: &BertConfig) -> Vec<ParameterInfo> {
    let (d, inner) = (config.hidden_size, config.intermediate_size);
    let mut layout = Vec::new();
    let mut add = |name: String, shape: Vec<usize>, group| layout.push(ParameterInfo { name, shape, group });
    for (table, rows) in [
        ("word_embeddings", config.vocab_size),
        ("position_embeddings", config.max_position_embeddings),
        ("token_type_embeddings", config.type_vocab_size),
    ] {
        add(format!("embeddings.{table}.weight"), vec![rows, d], Group::Weight);
    }
    let mut pair = |name: &str, shape: Vec<usize>, group| {
        let bias_group = if group == Group::LayerNorm { Group::LayerNorm } else { Group::Bias };
        let out = shape[0];
        add(format!("{name}.weight"), shape, group);
        add(format!("{name}.bias"), vec![out], bias_group);
    };
    pair("embeddings.LayerNorm", vec![d], Group::LayerNorm);
    for l in 0..config.num_hidden_layers {
        let layer = format!("encoder.layer.{l}");
        for part in ["query", "key", "value"] {
            pair(&format!("{layer}.attention.self.{part}"), vec![d, d], Group::Weight);
        }
        pair(&format!("{layer}.attention.output.dense"), vec![d, d], Group::Weight);
        pair(&format!("{layer}.attention.output.LayerNorm"), vec![d], Group::LayerNorm);
        pair(&format!("{layer}.intermediate.dense"), vec![inner, d], Group::Weight);
        pair(&format!("{layer}.output.dense"), vec![d, inner], Group::Weight);
        pair(&format!("{layer}.output.LayerNorm"), vec![d], Group::LayerNorm);
    }
    layout
}

/// Where the tensors of a new encoder come from. They are asked for once each, in layout order.
pub trait TensorSource {
    /// The tensor for one parameter, in f32 on the device.
    ///
    /// # Errors
    /// It is missing or has another shape.
    fn take(&mut self, info: &ParameterInfo, device: &Device) -> Result<Tensor>;
}

impl TensorSource for std::vec::IntoIter<Tensor> {
    fn take(&mut self, info: &ParameterInfo, device: &Device) -> Result<Tensor> {
        let value = self
            .next()
            .ok_or_else(|| Error::Input(format!("no value was given for the parameter `{}`", info.name)))?;
        Ok(value.to_device(device)?)
    }
}

/// New weights: N(0, `initializer_range`) for matrices and tables, 0 for biases and LayerNorm offsets, 1
/// for LayerNorm gains.
pub struct RandomWeights {
    /// Standard deviation of the matrices.
    pub deviation: f64,
    /// What is drawn from.
    pub stream: Stream,
}

impl TensorSource for RandomWeights {
    fn take(&mut self, info: &ParameterInfo, device: &Device) -> Result<Tensor> {
        self.stream = self.stream.with(1);
        let mut draws = self.stream.draws();
        let count: usize = info.shape.iter().product();
        let values: Vec<f32> = match info.group {
            Group::Weight => (0..count).map(|_| (self.deviation * draws.normal()) as f32).collect(),
            Group::LayerNorm if info.name.ends_with("weight") => vec![1.0; count],
            Group::Bias | Group::LayerNorm => vec![0.0; count],
        };
        Ok(Tensor::from_vec(values, info.shape.as_slice(), device)?)
    }
}

/// The tensors of a `model.safetensors` or `pytorch_model.bin`.
pub struct WeightsFile {
    path: PathBuf,
    tensors: HashMap<String, Tensor>,
}

impl WeightsFile {
    /// Reads the weights of a model folder: `model.safetensors`, else `pytorch_model.bin` (whose pickle
    /// is parsed, never executed).
    ///
    /// # Errors
    /// Neither file is there, or the one that is cannot be read whole.
    pub fn in_folder(folder: &Path) -> Result<Self> {
        let candidates = ["model.safetensors", "pytorch_model.bin"].map(|name| folder.join(name));
        match candidates.iter().find(|path| path.is_file()) {
            Some(path) => Self::open(path),
            None => Err(Error::Weights {
                path: folder.into(),
                reason: "neither model.safetensors nor pytorch_model.bin is in this folder".into(),
            }),
        }
    }

    /// Reads one weights file; the format is told by the ending (`.safetensors`, else PyTorch's).
    ///
    /// # Errors
    /// The file cannot be read, is cut off, or is not of its format.
    pub fn open(path: &Path) -> Result<Self> {
        let failed = |e: candle_core::Error| Error::Weights {
            path: path.into(),
            reason: format!("{e}; the file may be cut off or damaged, copy or download it again"),
        };
        let tensors = if path.extension().is_some_and(|e| e == "safetensors") {
            let bytes = std::fs::read(path).map_err(Error::io(path))?;
            candle_core::safetensors::load_buffer(&bytes, &Device::Cpu).map_err(failed)?
        } else {
            candle_core::pickle::read_all(path).map_err(failed)?.into_iter().collect()
        };
        Ok(Self { path: path.into(), tensors })
    }

    /// The file's own path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// A tensor by its name without prefix: with or without `bert.`, with LayerNorm's old names `gamma`
    /// and `beta`.
    pub fn get(&self, name: &str) -> Option<&Tensor> {
        let old =
            name.replace("LayerNorm.weight", "LayerNorm.gamma").replace("LayerNorm.bias", "LayerNorm.beta");
        [name.to_owned(), format!("bert.{name}"), old.clone(), format!("bert.{old}")]
            .iter()
            .find_map(|name| self.tensors.get(name))
    }
}

impl TensorSource for WeightsFile {
    fn take(&mut self, info: &ParameterInfo, device: &Device) -> Result<Tensor> {
        let tensor = self
            .get(&info.name)
            .ok_or_else(|| Error::MissingTensor { path: self.path.clone(), name: info.name.clone() })?;
        if tensor.dims() != info.shape {
            return Err(Error::Shape {
                path: self.path.clone(),
                name: info.name.clone(),
                found: tensor.dims().to_vec(),
                expected: info.shape.clone(),
            });
        }
        Ok(tensor.to_dtype(DType::F32)?.to_device(device)?)
    }
}

/// Writes named tensors as safetensors, with the metadata that transformers asks for. The file is whole
/// or absent.
///
/// # Errors
/// The folder cannot be written.
pub fn save_safetensors(path: &Path, tensors: &[(String, Tensor)]) -> Result<()> {
    let metadata = HashMap::from([("format".to_owned(), "pt".to_owned())]);
    let views = tensors.iter().map(|(name, tensor)| (name.as_str(), tensor));
    let bytes = safetensors::serialize(views, Some(metadata))
        .map_err(|e| Error::Weights { path: path.into(), reason: e.to_string() })?;
    write_whole(path, &bytes)
}
