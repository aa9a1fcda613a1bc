//! The tensors of an encoder: their layout, their sources, and how they are written.

use std::borrow::Cow;
use std::collections::HashMap;
use std::io::Write;
use std::path::{Path, PathBuf};

use candle_core::{DType, Device, Tensor};
use micse_random::Stream;
use safetensors::tensor::Metadata;
use safetensors::{Dtype, View};

use crate::distance::BUCKETS;
use crate::encoder::ParameterInfo;
use crate::family::Linears;
use crate::names::OwnPlace;
use crate::optimizer::Group;
use crate::parameters::square_norm;
use crate::{BertConfig, Checkpoint, Error, Names, Result};
use micse_files::WholeFile;

/// The encoder's parameters in a fixed order, under BERT's names for every family. The pooler and other heads
/// are not included.
pub fn parameter_layout(config: &BertConfig) -> Vec<ParameterInfo> {
    let layers = (0..config.own_layers()).flat_map(|layer| layer_layout(config, layer));
    embedding_layout(config).into_iter().chain(layers).collect()
}

/// The tables before the first layer: words, positions, token types and the attention bias by distance (if
/// the family has them), LayerNorm, and the projection to the hidden size.
pub(crate) fn embedding_layout(config: &BertConfig) -> Vec<ParameterInfo> {
    let (d, e) = (config.hidden_size, config.embedding_size);
    let tables = [
        ("word_embeddings", config.vocab_size),
        ("position_embeddings", config.position_rows()),
        ("token_type_embeddings", config.type_vocab_size),
    ];
    let mut layout = Vec::new();
    for (table, rows) in tables.into_iter().filter(|(_, rows)| *rows > 0) {
        let name = format!("embeddings.{table}.weight");
        layout.push(ParameterInfo { name, shape: vec![rows, e], group: Group::Weight });
    }
    if config.family.biases_by_distance() {
        let name = "encoder.relative_attention_bias.weight".to_owned();
        let shape = vec![BUCKETS, config.num_attention_heads];
        layout.push(ParameterInfo { name, shape, group: Group::Weight });
    }
    let offsets = config.family.has_offsets();
    add_pair(&mut layout, "embeddings.LayerNorm", vec![e], Group::LayerNorm, offsets);
    if config.projects_embeddings() {
        add_pair(&mut layout, "embeddings.projection", vec![d, e], Group::Weight, true);
    }
    layout
}

/// The parameters of one layer, or of one group of layers that share them.
pub(crate) fn layer_layout(config: &BertConfig, layer: usize) -> Vec<ParameterInfo> {
    let (d, inner, family) = (config.hidden_size, config.intermediate_size, config.family);
    let mut layout = Vec::new();
    let mut pair = |name: &str, shape: Vec<usize>, group, bias| {
        add_pair(&mut layout, &format!("encoder.layer.{layer}.{name}"), shape, group, bias);
    };
    let (attention, offsets) = (family.has_bias(Linears::Attention), family.has_offsets());
    for part in ["query", "key", "value"] {
        pair(&format!("attention.self.{part}"), vec![d, d], Group::Weight, attention);
    }
    pair("attention.output.dense", vec![d, d], Group::Weight, attention);
    pair("attention.output.LayerNorm", vec![d], Group::LayerNorm, offsets);
    let intermediate = family.has_bias(Linears::Intermediate);
    pair("intermediate.dense", vec![inner, d], Group::Weight, intermediate);
    if family.is_gated() {
        pair("intermediate.gate", vec![inner, d], Group::Weight, intermediate);
    }
    pair("output.dense", vec![d, inner], Group::Weight, family.has_bias(Linears::Output));
    pair("output.LayerNorm", vec![d], Group::LayerNorm, offsets);
    layout
}

/// A weight (or gain) of this shape and, if the family has them, its bias (or offset).
fn add_pair(layout: &mut Vec<ParameterInfo>, name: &str, shape: Vec<usize>, group: Group, biases: bool) {
    let bias_group = if group == Group::LayerNorm { Group::LayerNorm } else { Group::Bias };
    let bias = vec![shape[0]];
    layout.push(ParameterInfo { name: format!("{name}.weight"), shape, group });
    if biases {
        layout.push(ParameterInfo { name: format!("{name}.bias"), shape: bias, group: bias_group });
    }
}

/// The source of a new encoder's tensors. Each tensor is requested once, in layout order.
pub trait TensorSource {
    /// The tensor of one parameter, in f32 on the device.
    ///
    /// # Errors
    /// Fails if the tensor is missing or has a different shape.
    fn take(&mut self, info: &ParameterInfo, device: &Device) -> Result<Tensor>;
}

impl TensorSource for std::vec::IntoIter<Tensor> {
    fn take(&mut self, info: &ParameterInfo, device: &Device) -> Result<Tensor> {
        let value =
            self.next().ok_or_else(|| Error::Input(format!("no value for the parameter `{}`", info.name)))?;
        Ok(value.to_device(device)?)
    }
}

/// New weights: N(0, `initializer_range`) for matrices and tables, 0 for biases and LayerNorm offsets, 1 for
/// LayerNorm gains.
pub struct RandomWeights {
    /// Standard deviation of the matrices.
    pub deviation: f64,
    /// The stream of random numbers.
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

/// All tensors of one of this project's own files (a head, a stage, the scores of a checkpoint), in memory.
/// Models are read as [`Checkpoint`]s.
pub struct WeightsFile {
    path: PathBuf,
    tensors: HashMap<String, Tensor>,
}

impl WeightsFile {
    /// Reads all weights of a model folder into memory, under their stored names.
    ///
    /// # Errors
    /// Those of [`Checkpoint::in_folder`].
    pub fn in_folder(folder: &Path) -> Result<Self> {
        Self::read(&Checkpoint::in_folder(folder, Names::default())?)
    }

    /// Reads one weights file; the extension determines the format (`.safetensors`, else PyTorch's).
    ///
    /// # Errors
    /// Those of [`Checkpoint::open`].
    pub fn open(path: &Path) -> Result<Self> {
        Self::read(&Checkpoint::open(path)?)
    }

    fn read(checkpoint: &Checkpoint) -> Result<Self> {
        let tensors = checkpoint
            .tensors()
            .map(|(name, _)| Ok((name.to_owned(), checkpoint.read(name)?)))
            .collect::<Result<_>>()?;
        Ok(Self { path: checkpoint.path().into(), tensors })
    }

    /// The path of the file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The tensor of this name.
    pub fn get(&self, name: &str) -> Option<&Tensor> {
        self.tensors.get(name)
    }
}

impl TensorSource for WeightsFile {
    fn take(&mut self, info: &ParameterInfo, device: &Device) -> Result<Tensor> {
        let tensor = self.get(&info.name).ok_or_else(|| Error::MissingTensor {
            path: self.path.clone(),
            name: info.name.clone(),
            prefix: "",
        })?;
        if tensor.dims() != info.shape {
            return Err(Error::Shape {
                path: self.path.clone(),
                name: info.name.clone(),
                found: tensor.dims().to_vec(),
                expected: info.shape.clone(),
            });
        }
        finite(tensor, &self.path, &info.name)?.to_device(device).map_err(Error::from)
    }
}

/// A stored tensor on the CPU as f32, if all its entries are finite.
pub(crate) fn finite(tensor: &Tensor, path: &Path, name: &str) -> Result<Tensor> {
    let tensor = tensor.to_dtype(DType::F32)?;
    // Squares of f32 values do not overflow in f64.
    if square_norm(&tensor)?.is_finite() {
        return Ok(tensor);
    }
    Err(Error::Weights {
        path: path.into(),
        reason: format!(
            "tensor `{name}` contains NaN or infinity, so every embedding would; copy or download the file again, or use \
             another checkpoint of the training that wrote it"
        ),
    })
}

/// Joins parameters that are one tensor in the family's files; all others keep their order.
pub(crate) fn joined(parameters: Vec<(OwnPlace, Tensor)>) -> Result<Vec<(String, Tensor)>> {
    let mut tensors: Vec<(String, Vec<(usize, Tensor)>)> = Vec::new();
    for (OwnPlace { name, part }, tensor) in parameters {
        let part_number = part.map_or(0, |(index, _)| index);
        // The parts are close together.
        match tensors.iter_mut().rev().find(|(other, _)| part.is_some() && *other == name) {
            Some((_, parts)) => parts.push((part_number, tensor)),
            None => tensors.push((name, vec![(part_number, tensor)])),
        }
    }
    let join = |mut parts: Vec<(usize, Tensor)>| {
        parts.sort_by_key(|(number, _)| *number);
        let parts: Vec<Tensor> = parts.into_iter().map(|(_, tensor)| tensor).collect();
        match parts.as_slice() {
            [whole] => Ok(whole.clone()),
            parts => Tensor::cat(parts, 0),
        }
    };
    tensors.into_iter().map(|(name, parts)| Ok((name, join(parts)?))).collect()
}

/// Writes named tensors as safetensors, with the metadata that transformers requires. The file is either
/// complete or absent.
///
/// # Errors
/// Fails if the folder cannot be written.
pub fn save_safetensors(path: &Path, tensors: &[(String, Tensor)]) -> Result<()> {
    write_safetensors(path, tensors, &[("format", "pt")])
}

/// Writes named tensors as safetensors with any metadata, one tensor after the other: the bytes of a single one are in
/// memory at a time. The file is either complete or absent.
///
/// # Errors
/// Fails if the folder cannot be written, or two tensors have the same name.
pub fn write_safetensors(path: &Path, tensors: &[(String, Tensor)], metadata: &[(&str, &str)]) -> Result<()> {
    let metadata = metadata.iter().map(|&(key, value)| (key.to_owned(), value.to_owned())).collect();
    let wrong = |reason: String| Error::Weights { path: path.into(), reason };
    let named: HashMap<&str, &Tensor> =
        tensors.iter().map(|(name, tensor)| (name.as_str(), tensor)).collect();
    if named.len() < tensors.len() {
        return Err(wrong("two tensors have the same name".into()));
    }
    let shapes = tensors.iter().map(|(name, tensor)| (name.as_str(), Shape(tensor)));
    let header = safetensors::serialize(shapes, Some(metadata)).map_err(|e| wrong(e.to_string()))?;
    // After the length of the text.
    let places: Metadata = serde_json::from_slice(&header[8..]).map_err(|e| wrong(e.to_string()))?;
    let file = WholeFile::create(path)?;
    let mut out = file.handle()?;
    let failed = |source| micse_files::Error::Io { path: path.into(), source };
    out.write_all(&header).map_err(failed)?;
    for name in places.offset_keys() {
        let tensor = named[name.as_str()].to_device(&Device::Cpu)?;
        out.write_all(&View::data(&&tensor)).map_err(failed)?;
    }
    Ok(file.publish()?)
}

/// A tensor in the header of a file, without its bytes.
struct Shape<'a>(&'a Tensor);

impl View for Shape<'_> {
    fn dtype(&self) -> Dtype {
        View::dtype(&self.0)
    }

    fn shape(&self) -> &[usize] {
        self.0.dims()
    }

    fn data(&self) -> Cow<'_, [u8]> {
        Cow::Borrowed(&[])
    }

    fn data_len(&self) -> usize {
        self.0.elem_count() * self.0.dtype().size_in_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tensors_are_written_one_by_one_as_all_at_once() -> Result<()> {
        let device = Device::Cpu;
        let matrix = Tensor::arange(0_f32, 12.0, &device)?.reshape((3, 4))?;
        let tensors = [
            ("b".to_owned(), matrix.t()?),
            ("a".to_owned(), matrix),
            ("count".to_owned(), Tensor::new(&[7_i64, -1], &device)?),
            ("scale".to_owned(), Tensor::new(0.5_f64, &device)?),
            ("bytes".to_owned(), Tensor::new(&[1_u8, 2, 3], &device)?),
            ("empty".to_owned(), Tensor::zeros((0, 4), DType::F32, &device)?),
        ];
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("all.safetensors");
        write_safetensors(&path, &tensors, &[("kind", "test")])?;
        let views = tensors.iter().map(|(name, tensor)| (name, tensor));
        let metadata = HashMap::from([("kind".to_owned(), "test".to_owned())]);
        let want = safetensors::serialize(views, Some(metadata)).expect("bytes");
        assert!(std::fs::read(&path).expect("the file") == want);

        let twice = [tensors[0].clone(), tensors[0].clone()];
        write_safetensors(&path, &twice, &[]).unwrap_err();
        assert!(std::fs::read(&path).expect("the file") == want, "the file is as before");
        Ok(())
    }
}
