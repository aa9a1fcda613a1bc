//! The masked-LM head: from token states to scores over the vocabulary (BERT's `cls.predictions`).

use std::path::Path;

use candle_core::{DType, Device, Tensor};
use micse_random::Stream;
use serde_json::json;

use crate::encoder::ParameterInfo;
use crate::files::object;
use crate::optimizer::Group;
use crate::parameters::{ParameterSet, trainable_by};
use crate::tensor::layers::{LayerNorm, Linear, activate};
use crate::weights::{RandomWeights, TensorSource, save_safetensors};
use crate::{Activation, BertConfig, Checkpoint, Error, Family, Result};

/// The index of `embeddings.word_embeddings.weight` among an encoder's parameters: the table that scores are
/// computed with, and the target of [`crate::Trainable::add_gradient`] for its gradient.
pub const WORD_TABLE: usize = 0;

/// BERT's masked language modelling head (Devlin et al. 2019). Its output matrix is the encoder's own word
/// table E:
///
/// ```text
/// scores = E LayerNorm(f(W h + c)) + b
/// ```
///
/// f is GELU or, in BERT, `DistilBERT`, ALBERT and `NomicBERT`, the encoder's activation. `ModernBERT` has no c, and its
/// LayerNorm no offset.
///
/// Head and table are trained together: [`Self::transform`] returns the states that the table multiplies, the
/// loss computes that product itself (with [`Self::bias`]), and [`crate::Trainable::add_gradient`] with
/// [`WORD_TABLE`] passes the table's gradient to the encoder.
pub struct MaskedLmHead {
    dense: Linear,
    activation: Activation,
    norm: LayerNorm,
    bias: Tensor,
    parameters: ParameterSet,
}

/// Name, shape and group of the head's tensors, as in `BertForMaskedLM`: W, c, gain, offset, b; `ModernBERT` has no c and
/// no offset.
fn layout(config: &BertConfig) -> Vec<ParameterInfo> {
    let (d, e, v) = (config.hidden_size, config.embedding_size, config.vocab_size);
    let info = |name: &str, shape: &[usize], group| ParameterInfo {
        name: format!("cls.predictions.{name}"),
        shape: shape.to_vec(),
        group,
    };
    let biases = config.family.has_head_biases();
    let parts = [
        (true, info("transform.dense.weight", &[e, d], Group::Weight)),
        (biases, info("transform.dense.bias", &[e], Group::Bias)),
        (true, info("transform.LayerNorm.weight", &[e], Group::LayerNorm)),
        (biases, info("transform.LayerNorm.bias", &[e], Group::LayerNorm)),
        (true, info("bias", &[v], Group::Bias)),
    ];
    parts.into_iter().filter(|(exists, _)| *exists).map(|(_, info)| info).collect()
}

impl MaskedLmHead {
    /// The file in a model folder that contains only the head.
    pub const FILE: &str = "mlm_head.safetensors";

    /// A new head: W ~ N(0, `initializer_range`), everything else initialized to the identity.
    ///
    /// # Errors
    /// Fails if the device runs out of memory.
    pub fn new(config: &BertConfig, stream: Stream, device: &Device) -> Result<Self> {
        Self::from_source(config, &mut RandomWeights { deviation: config.initializer_range, stream }, device)
    }

    /// A head from a source with the tensor names of `BertForMaskedLM`
    /// (`cls.predictions.transform.dense.weight`, ..., `cls.predictions.bias`).
    ///
    /// # Errors
    /// Fails if a tensor is missing or has a different shape.
    pub fn from_source(config: &BertConfig, source: &mut dyn TensorSource, device: &Device) -> Result<Self> {
        let mut parameters = ParameterSet::new();
        let mut tensors = Vec::new();
        for info in layout(config) {
            let value = source.take(&info, device)?;
            tensors.push(parameters.add(info.name, info.group, &value)?);
        }
        let epsilon = config.layer_norm_eps;
        let (dense, norm, bias) = match tensors.as_slice() {
            [weight, gain, bias] => (
                Linear { weight: weight.clone(), bias: None },
                LayerNorm { gain: gain.clone(), offset: None, epsilon },
                bias,
            ),
            [weight, dense_bias, gain, offset, bias] => (
                Linear { weight: weight.clone(), bias: Some(dense_bias.clone()) },
                LayerNorm { gain: gain.clone(), offset: Some(offset.clone()), epsilon },
                bias,
            ),
            _ => unreachable!("a layout with or without biases"),
        };
        let activation = if config.family.head_has_gelu() { Activation::Gelu } else { config.hidden_act };
        Ok(Self { dense, activation, norm, bias: bias.clone(), parameters })
    }

    /// The head of a model folder: in its `mlm_head.safetensors`, else among the encoder's weights, under the
    /// names of the family's masked-LM model (BERT's `cls.predictions.*`, RoBERTa's `lm_head.*`,
    /// `DistilBERT`'s `vocab_*`, `ModernBERT`'s `head.*`, ELECTRA's `generator_*`, ALBERT's `predictions.*`); `None` if the
    /// folder has no head.
    ///
    /// # Errors
    /// Fails if a file cannot be read, contains only part of the head, or contains a head that differs from
    /// the formula: its own output matrix instead of the word table.
    pub fn in_folder(folder: &Path, config: &BertConfig, device: &Device) -> Result<Option<Self>> {
        let own = folder.join(Self::FILE);
        if own.is_file() {
            let file = Checkpoint::open(&own)?;
            return Self::from_source(config, &mut HeadFile { file, family: config.family }, device)
                .map(Some);
        }
        let file = Checkpoint::in_folder(folder, config.names())?;
        if file.stored_name(&layout(config)[0].name).is_none() {
            return Ok(None);
        }
        check_formula(&file)?;
        check_keys(folder, config)?;
        Self::from_source(config, &mut HeadFile { file, family: config.family }, device).map(Some)
    }

    /// Writes `mlm_head.safetensors` into a model folder.
    ///
    /// # Errors
    /// Fails if the folder cannot be written.
    pub fn save(&self, folder: &Path, dtype: DType) -> Result<()> {
        let tensors: Vec<(String, Tensor)> = self
            .parameters
            .iter()
            .map(|(name, value)| {
                Ok((name.to_owned(), value.detach().to_device(&Device::Cpu)?.to_dtype(dtype)?))
            })
            .collect::<Result<_>>()?;
        save_safetensors(&folder.join(Self::FILE), &tensors)
    }

    /// Maps states `[M, D]` to the states `[M, E]` that the word table multiplies: `LayerNorm(f(W h + c))`, in the graph of
    /// the states and the head's parameters.
    ///
    /// # Errors
    /// Fails if the width does not match.
    pub fn transform(&self, states: &Tensor) -> Result<Tensor> {
        self.norm.forward(&activate(self.activation, &self.dense.forward(states)?)?)
    }

    /// The bias b `[V]`, in the graph.
    pub fn bias(&self) -> &Tensor {
        &self.bias
    }

    /// Scores `[M, V]` of states `[M, D]` with the word table `[V, E]`, for inspecting predictions. (A loss
    /// should not store them: see [`Self::transform`].)
    ///
    /// # Errors
    /// Fails if the table does not match the encoder.
    pub fn scores(&self, states: &Tensor, table: &Tensor) -> Result<Tensor> {
        if table.dims() != [self.bias.dim(0)?, self.dense.weight.dim(0)?] {
            return Err(Error::Input(format!(
                "a word table of shape {:?} does not match a masked-LM head of {} IDs and width {}",
                table.dims(),
                self.bias.dim(0)?,
                self.dense.weight.dim(0)?
            )));
        }
        Ok(self.transform(states)?.matmul(&table.t()?)?.broadcast_add(&self.bias)?)
    }
}

trainable_by!(MaskedLmHead, parameters);

/// Checks that a checkpoint's head has the supported formula.
fn check_formula(file: &Checkpoint) -> Result<()> {
    let other = |reason: &str| {
        let path = file.path().to_path_buf();
        Err(Error::Weights { path, reason: format!("its masked-LM head {reason}, which is not supported") })
    };
    let words = file.stored_name("embeddings.word_embeddings.weight");
    if let (Some(decoder), Some(words)) = (file.stored_name("cls.predictions.decoder.weight"), words) {
        let [decoder, words] = [decoder, words].map(|name| -> Result<Vec<f32>> {
            Ok(file.read(name)?.to_dtype(DType::F32)?.flatten_all()?.to_vec1()?)
        });
        if decoder? != words? {
            return other("has its own output matrix (tie_word_embeddings is false)");
        }
    }
    Ok(())
}

/// Checks the keys of `config.json` that change the formula of `ModernBERT`'s head. It has biases with
/// `classifier_bias`, and none with `decoder_bias: false`.
fn check_keys(folder: &Path, config: &BertConfig) -> Result<()> {
    if config.family != Family::ModernBert {
        return Ok(());
    }
    let path = folder.join("config.json");
    let keys = object(&path)?.unwrap_or_default();
    for (key, usual) in [
        ("classifier_activation", json!("gelu")),
        ("classifier_bias", json!(false)),
        ("decoder_bias", json!(true)),
    ] {
        if let Some(value) = keys.get(key).filter(|value| **value != usual) {
            let reason = format!("{key} is {value}, but only a masked-LM head with {usual} is supported");
            return Err(Error::Config { path, reason });
        }
    }
    Ok(())
}

/// A weights file that may use short names for the head's tensors (`dense.weight`, `norm.bias`, `bias`), or
/// name its bias after the output layer. `NomicBERT`'s first checkpoints have no biases of linear layers.
struct HeadFile {
    file: Checkpoint,
    family: Family,
}

impl TensorSource for HeadFile {
    fn take(&mut self, info: &ParameterInfo, device: &Device) -> Result<Tensor> {
        if self.file.stored_name(&info.name).is_none() {
            let name = info.name.replace("cls.predictions.", "");
            let short = name.replace("transform.", "").replace("LayerNorm", "norm");
            for name in [short, format!("cls.predictions.decoder.{name}")] {
                if self.file.stored_name(&name).is_some() {
                    return self.file.take(&ParameterInfo { name, ..info.clone() }, device);
                }
            }
            if self.family == Family::NomicBert && info.group == Group::Bias {
                return Ok(Tensor::zeros(info.shape.as_slice(), DType::F32, device)?);
            }
        }
        self.file.take(info, device)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Trainable;

    fn values(x: &Tensor) -> Vec<f64> {
        x.to_dtype(DType::F64).unwrap().flatten_all().unwrap().to_vec1().unwrap()
    }

    fn config() -> BertConfig {
        BertConfig::with_sizes(11, 1, 8, 2, 16)
    }

    fn random_head() -> MaskedLmHead {
        let mut head = MaskedLmHead::new(&config(), Stream::new(1), &Device::Cpu).unwrap();
        let mut draws = Stream::new(2).draws();
        let normal = |t: &Tensor| {
            let numbers: Vec<f32> = (0..t.elem_count()).map(|_| draws.normal() as f32).collect();
            Tensor::from_vec(numbers, t.shape(), &Device::Cpu).unwrap()
        };
        let values: Vec<Tensor> = head.values().unwrap().iter().map(normal).collect();
        head.set_values(&values).unwrap();
        head
    }

    /// Computes the documented formula entry by entry in f64, with the error function from its series.
    #[test]
    fn scores_follow_the_formula() {
        let head = random_head();
        let [weight, dense_bias, gain, offset, bias]: [Vec<f64>; 5] =
            head.values().unwrap().iter().map(values).collect::<Vec<_>>().try_into().unwrap();
        let mut draws = Stream::new(3).draws();
        let mut normal = |rows: usize| {
            let numbers: Vec<f32> = (0..rows * 8).map(|_| draws.normal() as f32).collect();
            Tensor::from_vec(numbers, (rows, 8), &Device::Cpu).unwrap()
        };
        let (states, table) = (normal(3), normal(11));
        let (h, e) = (values(&states), values(&table));
        let erf = |x: f64| {
            let (mut term, mut sum) = (x, x);
            for n in 1..200 {
                term *= -x * x / f64::from(n);
                sum += term / f64::from(2 * n + 1);
            }
            sum * 2.0 / std::f64::consts::PI.sqrt()
        };
        let mut want = Vec::new();
        for row in h.chunks(8) {
            let dense = (0..8).map(|i| {
                let x = dense_bias[i] + (0..8).map(|j| weight[8 * i + j] * row[j]).sum::<f64>();
                x * 0.5 * (1.0 + erf(x / 2_f64.sqrt()))
            });
            let dense: Vec<f64> = dense.collect();
            let mean = dense.iter().sum::<f64>() / 8.0;
            let deviation = (dense.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / 8.0 + 1e-12).sqrt();
            let normed: Vec<f64> =
                (0..8).map(|i| (dense[i] - mean) / deviation * gain[i] + offset[i]).collect();
            want.extend((0..11).map(|v| bias[v] + (0..8).map(|i| e[8 * v + i] * normed[i]).sum::<f64>()));
        }
        let got = values(&head.scores(&states, &table).unwrap());
        assert_eq!(got.len(), 33);
        for (got, want) in got.iter().zip(&want) {
            assert!((got - want).abs() < 2e-5, "got {got}, expected {want}");
        }
        let error = head.scores(&states, &states).err().unwrap().to_string();
        assert!(error.contains("[3, 8]") && error.contains("11 IDs"), "{error}");
    }

    #[test]
    fn every_parameter_gets_a_gradient() {
        let mut head = random_head();
        let states = Tensor::new(&[[1_f32, -2.0, 0.5, 3.0, 0.0, 1.5, -1.0, 2.0]], &Device::Cpu).unwrap();
        let sum = head.scores(&states, &Tensor::ones((11, 8), DType::F32, &Device::Cpu).unwrap()).unwrap();
        let gradients = sum.sqr().unwrap().sum_all().unwrap().backward().unwrap();
        head.collect_gradients(&gradients).unwrap();
        assert!(head.gradients().unwrap().iter().all(Option::is_some));
    }

    #[test]
    fn comes_back_from_its_file_and_under_short_names() {
        let head = random_head();
        let folder = tempfile::tempdir().unwrap();
        head.save(folder.path(), DType::F32).unwrap();
        let same = |folder: &Path| {
            let again = MaskedLmHead::in_folder(folder, &config(), &Device::Cpu).unwrap().unwrap();
            for (a, b) in again.values().unwrap().iter().zip(&head.values().unwrap()) {
                assert_eq!(values(a), values(b));
            }
        };
        same(folder.path());
        let names = ["dense.weight", "dense.bias", "norm.weight", "norm.bias", "bias"].map(str::to_owned);
        let tensors: Vec<_> = names.into_iter().zip(head.values().unwrap()).collect();
        let short = tempfile::tempdir().unwrap();
        save_safetensors(&short.path().join(MaskedLmHead::FILE), &tensors).unwrap();
        same(short.path());
        // With the head among an encoder's weights, and without a head.
        let (whole, without) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let long = head.parameters.iter().map(|(name, value)| (name.to_owned(), value.detach()));
        save_safetensors(&whole.path().join("model.safetensors"), &long.collect::<Vec<_>>()).unwrap();
        same(whole.path());
        save_safetensors(&without.path().join("model.safetensors"), &tensors[..1]).unwrap();
        assert!(MaskedLmHead::in_folder(without.path(), &config(), &Device::Cpu).unwrap().is_none());
        // An incomplete head is an error that names the missing tensor.
        save_safetensors(&without.path().join(MaskedLmHead::FILE), &tensors[..3]).unwrap();
        let error =
            MaskedLmHead::in_folder(without.path(), &config(), &Device::Cpu).err().unwrap().to_string();
        assert!(error.contains("cls.predictions.transform.LayerNorm.bias"), "{error}");
    }
}
