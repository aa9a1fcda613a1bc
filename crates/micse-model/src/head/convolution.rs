//! Convolutions over a sentence's tokens: IS-BERT's network on top of the encoder.

use std::path::Path;

use candle_core::{DType, Device, Tensor};
use micse_random::Stream;
use serde::{Deserialize, Serialize};

use super::linear::linear;
use super::mean_of_tokens;
use crate::encoder::{Leaves, ParameterInfo, Taps, Trainable};
use crate::optimizer::Group;
use crate::parameters::{ParameterSet, trainable_by};
use crate::weights::{TensorSource, WeightsFile, save_safetensors};
use crate::{Batch, BertConfig, Error, Result};

/// Parallel convolutions of odd widths over the last layer's token states (Zhang et al. 2020, IS-BERT): token
/// t with width k sees tokens t - (k-1)/2 ... t + (k-1)/2 of its own sentence, zeros beyond its ends. Their
/// outputs are concatenated: `[M, widths * channels]`. The sentence embedding is the mean over its tokens.
/// The convolution is part of the finished model.
pub struct TokenConvolution {
    shape: Shape,
    /// `[channels, k * D]` for each width, with columns in the order (offset, channel of the state).
    weights: Vec<Tensor>,
    biases: Vec<Tensor>,
    parameters: ParameterSet,
}

/// The sizes of a [`TokenConvolution`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Shape {
    /// The number of tokens that an output of each convolution sees: odd.
    pub widths: Vec<usize>,
    /// Number of outputs of each convolution.
    pub channels: usize,
    /// Whether a ReLU, max(0, x), follows.
    #[serde(default)]
    pub relu: bool,
}

impl Shape {
    /// Checks that the sizes are possible.
    ///
    /// # Errors
    /// Describes what to change.
    pub fn check(&self) -> Result<()> {
        self.checked().map_err(Error::Input)
    }

    /// [`check`](Self::check), for errors that also name a file.
    fn checked(&self) -> std::result::Result<(), String> {
        if self.widths.is_empty() || self.channels == 0 {
            return Err("a convolution needs at least one width and at least one channel".into());
        }
        match self.widths.iter().find(|&&width| width % 2 == 0) {
            Some(even) => Err(format!("a convolution of width {even} has no middle token; use odd widths")),
            None => Ok(()),
        }
    }

    fn columns(&self) -> usize {
        self.widths.len() * self.channels
    }

    /// Reads and checks a file.
    fn read(path: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(path).map_err(Error::io(path))?;
        let shape: Self = serde_json::from_str(&text)
            .map_err(|e| Error::Input(format!("{}: not the shape of a convolution ({e})", path.display())))?;
        shape.checked().map_err(|reason| Error::Input(format!("{}: {reason}", path.display())))?;
        Ok(shape)
    }

    fn layout(&self, hidden: usize) -> Vec<ParameterInfo> {
        let info = |name: String, shape: Vec<usize>, group| ParameterInfo { name, shape, group };
        self.widths
            .iter()
            .enumerate()
            .flat_map(|(i, width)| {
                [
                    info(format!("{i}.weight"), vec![self.channels, width * hidden], Group::Weight),
                    info(format!("{i}.bias"), vec![self.channels], Group::Bias),
                ]
            })
            .collect()
    }
}

impl TokenConvolution {
    /// The file in a model folder with the weights.
    pub const FILE: &str = "token_convolution.safetensors";
    /// The module's name in `modules.json`, after `micse.`.
    pub const MODULE: &str = "TokenConvolution";
    /// The file in a model folder with the shape.
    pub const SHAPE: &str = "token_convolution.json";

    /// A new convolution: weights ~ U(-1/sqrt(k D), 1/sqrt(k D)), the usual initialization of a convolution,
    /// biases 0. (With the N(0, 0.02) of other new layers, the outputs, whose products the objective uses,
    /// would be close to 0.)
    ///
    /// # Errors
    /// Fails if the shape is invalid or the device runs out of memory.
    pub fn new(shape: &Shape, config: &BertConfig, stream: Stream, device: &Device) -> Result<Self> {
        let mut draws = stream.draws();
        Self::build(shape, config, |info| {
            let count: usize = info.shape.iter().product();
            let values = if info.group == Group::Weight {
                let bound = 1.0 / (info.shape[1] as f64).sqrt();
                (0..count).map(|_| (bound * (2.0 * draws.unit() - 1.0)) as f32).collect()
            } else {
                vec![0.0; count]
            };
            Ok(Tensor::from_vec(values, info.shape.as_slice(), device)?)
        })
    }

    fn build(
        shape: &Shape,
        config: &BertConfig,
        mut value: impl FnMut(&ParameterInfo) -> Result<Tensor>,
    ) -> Result<Self> {
        shape.check()?;
        let mut parameters = ParameterSet::new();
        let (mut weights, mut biases) = (Vec::new(), Vec::new());
        for info in shape.layout(config.hidden_size) {
            let parameter = parameters.add(info.name.clone(), info.group, &value(&info)?)?;
            if info.group == Group::Weight { weights.push(parameter) } else { biases.push(parameter) }
        }
        Ok(Self { shape: shape.clone(), weights, biases, parameters })
    }

    /// The convolution of a model folder, if any.
    ///
    /// # Errors
    /// Fails if one of its two files is missing, cannot be read, or does not match the encoder.
    pub fn in_folder(folder: &Path, config: &BertConfig, device: &Device) -> Result<Option<Self>> {
        let (shape, weights) = (folder.join(Self::SHAPE), folder.join(Self::FILE));
        match (shape.is_file(), weights.is_file()) {
            (false, false) => return Ok(None),
            (true, true) => {}
            (present, _) => {
                let (there, missing) =
                    if present { (Self::SHAPE, Self::FILE) } else { (Self::FILE, Self::SHAPE) };
                return Err(Error::Input(format!(
                    "{}: {there} exists, but {missing} is missing; copy the complete model folder",
                    folder.display()
                )));
            }
        }
        let layout = Shape::read(&shape)?;
        let mut file = WeightsFile::open(&weights)?;
        Self::build(&layout, config, |info| file.take(info, device)).map(Some)
    }

    /// The number of columns of the convolution in a model folder, if any.
    pub(crate) fn columns_in_folder(folder: &Path) -> Result<Option<usize>> {
        let shape = folder.join(Self::SHAPE);
        if !shape.is_file() {
            return Ok(None);
        }
        Ok(Some(Shape::read(&shape)?.columns()))
    }

    /// Writes its two files into a model folder.
    ///
    /// # Errors
    /// Fails if the folder cannot be written.
    pub fn save(&self, folder: &Path) -> Result<()> {
        let tensors: Vec<(String, Tensor)> = self
            .parameters
            .iter()
            .map(|(name, value)| Ok((name.to_owned(), value.detach().to_device(&Device::Cpu)?)))
            .collect::<Result<_>>()?;
        save_safetensors(&folder.join(Self::FILE), &tensors)?;
        Ok(micse_files::write_json(&folder.join(Self::SHAPE), &self.shape)?)
    }

    /// Number of columns of its output.
    pub fn columns(&self) -> usize {
        self.shape.columns()
    }

    /// The leaves that it needs: the last layer's token states.
    pub fn taps(config: &BertConfig) -> Taps {
        Taps { states: vec![config.num_hidden_layers], ..Taps::default() }
    }

    /// Maps token states `[M, D]` of a batch's sentences to `[M, columns]`, in the graph of states and
    /// parameters.
    ///
    /// # Errors
    /// Fails if the number of states is not the sum of the lengths.
    pub fn tokens(&self, states: &Tensor, lengths: &[usize]) -> Result<Tensor> {
        let (rows, hidden) = states.dims2()?;
        if lengths.iter().sum::<usize>() != rows {
            return Err(Error::Input(format!(
                "{rows} token rows do not match sentences of {lengths:?} tokens"
            )));
        }
        let device = states.device();
        // Row `rows`, all zeros, stands for the places beyond a sentence's ends.
        let padded = Tensor::cat(&[states, &Tensor::zeros((1, hidden), DType::F32, device)?], 0)?;
        let mut outputs = Vec::with_capacity(self.weights.len());
        for ((&width, weight), bias) in self.shape.widths.iter().zip(&self.weights).zip(&self.biases) {
            let seen = if width == 1 {
                states.clone()
            } else {
                let index = Tensor::from_vec(neighbours(lengths, width, rows as u32), rows * width, device)?;
                padded.index_select(&index, 0)?.reshape((rows, width * hidden))?
            };
            let output = linear(&seen, weight)?.broadcast_add(bias)?;
            outputs.push(if self.shape.relu { output.relu()? } else { output });
        }
        Ok(Tensor::cat(&outputs, 1)?)
    }

    /// The embeddings `[B, columns]` of a batch from the leaves of its pass, in their graph.
    ///
    /// # Errors
    /// Fails if the leaves lack what [`Self::taps`] requests.
    pub fn embeddings(&self, leaves: &Leaves, batch: &Batch) -> Result<Tensor> {
        let states = leaves
            .states
            .first()
            .ok_or_else(|| Error::Input("the encoder returned no token states".into()))?;
        let lengths: Vec<usize> = (0..batch.sentences()).map(|b| batch.rows_of(b)).collect();
        mean_of_tokens(&self.tokens(states, &lengths)?, &lengths)
    }

    /// A copy with the same values.
    ///
    /// # Errors
    /// Fails if the device runs out of memory.
    pub fn duplicate(&self) -> Result<Self> {
        let mut parameters = ParameterSet::new();
        let (mut weights, mut biases) = (Vec::new(), Vec::new());
        for (info, value) in self.parameters.parameters().iter().zip(self.parameters.values()?) {
            let parameter = parameters.add(info.name.clone(), info.group, &value)?;
            if info.group == Group::Weight { weights.push(parameter) } else { biases.push(parameter) }
        }
        Ok(Self { shape: self.shape.clone(), weights, biases, parameters })
    }
}

trainable_by!(TokenConvolution, parameters);

/// For each token, the `width` rows that it sees; `beyond` for places outside the sentence.
fn neighbours(lengths: &[usize], width: usize, beyond: u32) -> Vec<u32> {
    let reach = width / 2;
    let mut index = Vec::with_capacity(beyond as usize * width);
    let mut first = 0;
    for &length in lengths {
        for t in 0..length {
            let seen = |offset: usize| (t + offset).checked_sub(reach).filter(|&place| place < length);
            index
                .extend((0..width).map(|offset| seen(offset).map_or(beyond, |place| (first + place) as u32)));
        }
        first += length;
    }
    index
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(relu: bool) -> TokenConvolution {
        let config = BertConfig::with_sizes(11, 1, 4, 2, 8);
        let shape = Shape { widths: vec![1, 3, 5], channels: 2, relu };
        TokenConvolution::new(&shape, &config, Stream::new(1), &Device::Cpu).unwrap()
    }

    fn states(seed: u64, rows: usize) -> Vec<Vec<f32>> {
        let mut draws = Stream::new(seed).draws();
        (0..rows).map(|_| (0..4).map(|_| draws.normal() as f32).collect()).collect()
    }

    /// Computes the sums of the definition, token by token.
    #[test]
    fn outputs_follow_the_definition() {
        for relu in [false, true] {
            let mut convolution = sample(relu);
            let biased: Vec<Tensor> =
                convolution.values().unwrap().iter().map(|v| (v + 0.01).unwrap()).collect();
            convolution.set_values(&biased).unwrap();
            let x = states(2, 7);
            let tensor = Tensor::new(x.clone(), &Device::Cpu).unwrap();
            let got = convolution.tokens(&tensor, &[3, 4]).unwrap().to_vec2::<f32>().unwrap();
            let values = convolution.values().unwrap();
            for (first, length) in [(0, 3), (3, 4)] {
                for t in 0..length {
                    for (i, width) in [1_usize, 3, 5].into_iter().enumerate() {
                        let weight = values[2 * i].to_vec2::<f32>().unwrap();
                        let bias = values[2 * i + 1].to_vec1::<f32>().unwrap();
                        for channel in 0..2 {
                            let mut sum = bias[channel];
                            for offset in 0..width {
                                let place = t as i64 + offset as i64 - (width / 2) as i64;
                                if (0..length as i64).contains(&place) {
                                    let row = &x[(first as i64 + place) as usize];
                                    sum +=
                                        (0..4).map(|d| weight[channel][4 * offset + d] * row[d]).sum::<f32>();
                                }
                            }
                            let want = if relu { sum.max(0.0) } else { sum };
                            assert!((got[first + t][2 * i + channel] - want).abs() < 1e-5);
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn comes_back_from_its_folder() {
        let convolution = sample(true);
        let folder = tempfile::tempdir().unwrap();
        let config = BertConfig::with_sizes(11, 1, 4, 2, 8);
        assert!(TokenConvolution::in_folder(folder.path(), &config, &Device::Cpu).unwrap().is_none());
        convolution.save(folder.path()).unwrap();
        let again = TokenConvolution::in_folder(folder.path(), &config, &Device::Cpu).unwrap().unwrap();
        let x = Tensor::new(states(3, 5), &Device::Cpu).unwrap();
        let rows = |c: &TokenConvolution| c.tokens(&x, &[5]).unwrap().to_vec2::<f32>().unwrap();
        assert_eq!(rows(&again), rows(&convolution));
        assert_eq!(rows(&convolution.duplicate().unwrap()), rows(&convolution));
        std::fs::remove_file(folder.path().join(TokenConvolution::SHAPE)).unwrap();
        let error =
            TokenConvolution::in_folder(folder.path(), &config, &Device::Cpu).err().unwrap().to_string();
        assert!(error.contains(TokenConvolution::SHAPE), "{error}");
    }

    #[test]
    fn impossible_shapes_are_refused() {
        for (widths, channels) in [(vec![2], 4), (vec![], 4), (vec![1], 0)] {
            assert!(Shape { widths, channels, relu: false }.check().is_err());
        }
    }
}
