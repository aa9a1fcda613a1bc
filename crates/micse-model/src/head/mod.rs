//! Heads: small networks on rows, between the pooling and the objectives.

mod convolution;
mod layers;
mod linear;

use candle_core::{DType, Device, Tensor};
use micse_random::{Stream, dropout_threshold};

use crate::encoder::Trainable;
use crate::optimizer::Group;
use crate::parameters::{ParameterSet, trainable_by};
use crate::tensor::gelu::gelu;
use crate::{Error, Result};
pub use convolution::{Shape as ConvolutionShape, TokenConvolution};
pub use layers::{HeadLayer, Width};

/// Added to the variance by the batch and layer normalisation of heads, as in PyTorch.
const EPSILON: f64 = 1e-5;
/// Standard deviation of new weights.
const DEVIATION: f64 = 0.02;

/// A stack of layers on rows `[B, D]`: the tanh(W h + b) of `SimCSE`, projectors, predictors. A head is new
/// and used only in training.
pub struct Head {
    layers: Vec<Built>,
    columns: usize,
    device: Device,
    parameters: ParameterSet,
}

/// A layer with its parameters.
#[derive(Clone)]
enum Built {
    Linear { weight: Tensor, bias: Option<Tensor> },
    BatchNorm(Option<Affine>),
    LayerNorm(Affine),
    Dropout(f64),
    Tanh,
    Relu,
    Gelu,
}

#[derive(Clone)]
struct Affine {
    gain: Tensor,
    offset: Tensor,
}

impl Affine {
    fn apply(&self, x: &Tensor, constant: bool) -> Result<Tensor> {
        Ok(x.broadcast_mul(&seen(&self.gain, constant))?.broadcast_add(&seen(&self.offset, constant))?)
    }
}

/// A parameter, or its value as a constant.
fn seen(parameter: &Tensor, constant: bool) -> Tensor {
    if constant { parameter.detach() } else { parameter.clone() }
}

/// The settings of a pass through a head.
#[derive(Clone, Copy, Debug, Default)]
pub struct HeadPass {
    /// Whether its parameters are in the graph; otherwise they are constants.
    pub gradients: bool,
    /// The random stream of its dropout; `None`: no dropout.
    pub dropout: Option<Stream>,
}

impl Head {
    /// A new head for rows of `inputs` columns and an encoder of hidden size `hidden`: weights ~ N(0, 0.02),
    /// gains 1, biases and offsets 0.
    ///
    /// # Errors
    /// Fails if the device runs out of memory.
    pub fn new(
        layers: &[HeadLayer],
        inputs: usize,
        hidden: usize,
        stream: Stream,
        device: &Device,
    ) -> Result<Self> {
        let mut parameters = ParameterSet::new();
        let mut columns = inputs;
        let mut built = Vec::with_capacity(layers.len());
        for (number, layer) in layers.iter().enumerate() {
            built.push(match *layer {
                HeadLayer::Linear { outputs, bias } => {
                    let outputs = outputs.columns(hidden);
                    let mut draws = stream.with(number as u64).draws();
                    let weight: Vec<f32> =
                        (0..outputs * columns).map(|_| (DEVIATION * draws.normal()) as f32).collect();
                    let weight = Tensor::from_vec(weight, (outputs, columns), device)?;
                    columns = outputs;
                    let weight = parameters.add(format!("{number}.weight"), Group::Weight, &weight)?;
                    let zeros = Tensor::zeros(outputs, DType::F32, device)?;
                    let bias = bias
                        .then(|| parameters.add(format!("{number}.bias"), Group::Bias, &zeros))
                        .transpose()?;
                    Built::Linear { weight, bias }
                }
                HeadLayer::BatchNorm { affine: false } => Built::BatchNorm(None),
                HeadLayer::BatchNorm { affine: true } => {
                    Built::BatchNorm(Some(affine(&mut parameters, number, columns, device)?))
                }
                HeadLayer::LayerNorm => Built::LayerNorm(affine(&mut parameters, number, columns, device)?),
                HeadLayer::Dropout(rate) => Built::Dropout(rate),
                HeadLayer::Tanh => Built::Tanh,
                HeadLayer::Relu => Built::Relu,
                HeadLayer::Gelu => Built::Gelu,
            });
        }
        Ok(Self { layers: built, columns, device: device.clone(), parameters })
    }

    /// tanh(W h + b) with the given weight `[D, D]` (output, input) and bias `[D]`.
    ///
    /// # Errors
    /// Fails if the device runs out of memory.
    pub fn tanh_mlp(weight: &Tensor, bias: &Tensor) -> Result<Self> {
        let mut parameters = ParameterSet::new();
        let weight = parameters.add("0.weight", Group::Weight, weight)?;
        let bias = parameters.add("0.bias", Group::Bias, bias)?;
        let (columns, device) = (weight.dim(0)?, weight.device().clone());
        let layers = vec![Built::Linear { weight, bias: Some(bias) }, Built::Tanh];
        Ok(Self { layers, columns, device, parameters })
    }

    /// Number of columns of its output.
    pub fn columns(&self) -> usize {
        self.columns
    }

    /// Maps rows `[B, inputs]` to rows `[B, columns]`.
    ///
    /// # Errors
    /// Fails if the width does not match, or if batch normalisation gets a single row, which it would set to
    /// zero.
    pub fn forward(&self, rows: &Tensor, pass: HeadPass) -> Result<Tensor> {
        let mut x = rows.clone();
        let constant = !pass.gradients;
        for (number, layer) in self.layers.iter().enumerate() {
            x = match layer {
                Built::Linear { weight, bias } => {
                    let y = linear::linear(&x, &seen(weight, constant))?;
                    match bias {
                        Some(bias) => y.broadcast_add(&seen(bias, constant))?,
                        None => y,
                    }
                }
                Built::BatchNorm(affine) => {
                    if x.dim(0)? < 2 {
                        return Err(Error::Input(
                            "batch normalisation needs at least 2 rows, because a batch of one sentence has \
                             no variance; use larger batches, or a head without batch normalisation"
                                .into(),
                        ));
                    }
                    let normed = normalised(&x, 0)?;
                    match affine {
                        Some(affine) => affine.apply(&normed, constant)?,
                        None => normed,
                    }
                }
                Built::LayerNorm(affine) => affine.apply(&normalised(&x, 1)?, constant)?,
                Built::Dropout(rate) => match pass.dropout {
                    Some(stream) if *rate > 0.0 => {
                        (&x * mask(stream.with(number as u64), *rate, x.dims2()?, &self.device)?)?
                    }
                    _ => x,
                },
                Built::Tanh => x.tanh()?,
                Built::Relu => x.relu()?,
                Built::Gelu => gelu(&x)?,
            };
        }
        Ok(x)
    }

    /// A copy with the same values.
    ///
    /// # Errors
    /// Fails if the device runs out of memory.
    pub fn duplicate(&self) -> Result<Self> {
        let mut parameters = ParameterSet::new();
        let infos = self.parameters.parameters();
        let mut old = infos.iter().zip(self.parameters.values()?);
        let mut next = || -> Result<Tensor> {
            let (info, value) = old.next().ok_or_else(|| Error::Input("a head lost a parameter".into()))?;
            parameters.add(info.name.clone(), info.group, &value)
        };
        let mut layers = Vec::with_capacity(self.layers.len());
        for layer in &self.layers {
            layers.push(match layer {
                Built::Linear { bias, .. } => {
                    let weight = next()?;
                    Built::Linear { weight, bias: bias.as_ref().map(|_| next()).transpose()? }
                }
                Built::BatchNorm(Some(_)) => {
                    Built::BatchNorm(Some(Affine { gain: next()?, offset: next()? }))
                }
                Built::LayerNorm(_) => Built::LayerNorm(Affine { gain: next()?, offset: next()? }),
                other => other.clone(),
            });
        }
        Ok(Self { layers, columns: self.columns, device: self.device.clone(), parameters })
    }
}

trainable_by!(Head, parameters);

fn affine(parameters: &mut ParameterSet, number: usize, columns: usize, device: &Device) -> Result<Affine> {
    let (ones, zeros) =
        (Tensor::ones(columns, DType::F32, device)?, Tensor::zeros(columns, DType::F32, device)?);
    Ok(Affine {
        gain: parameters.add(format!("{number}.weight"), Group::LayerNorm, &ones)?,
        offset: parameters.add(format!("{number}.bias"), Group::LayerNorm, &zeros)?,
    })
}

/// (x - mean) / sqrt(var + eps) over dimension `over` of `[B, D]`: 0 the rows, 1 the columns.
fn normalised(x: &Tensor, over: usize) -> Result<Tensor> {
    let centred = x.broadcast_sub(&x.mean_keepdim(over)?)?;
    let variance = centred.sqr()?.mean_keepdim(over)?;
    Ok(centred.broadcast_div(&(variance + EPSILON)?.sqrt()?)?)
}

/// 0 or 1 / (1 - rate) for each entry of `[rows, columns]`.
fn mask(stream: Stream, rate: f64, (rows, columns): (usize, usize), device: &Device) -> Result<Tensor> {
    let (threshold, scale) = (dropout_threshold(rate), (1.0 / (1.0 - rate)) as f32);
    let mut mask = Vec::with_capacity(rows * columns);
    for row in 0..rows {
        let lane = stream.with(row as u64).lane();
        mask.extend((0..columns as u32).map(|c| if lane.draw(c) >= threshold { scale } else { 0.0 }));
    }
    Ok(Tensor::from_vec(mask, (rows, columns), device)?)
}

/// Means `[B, D]` of the token rows `[M, D]` of each sentence, in the graph of the rows; sentence b has the
/// next `lengths[b]` rows.
///
/// # Errors
/// Fails if the lengths do not add up to the number of rows.
pub fn mean_of_tokens(tokens: &Tensor, lengths: &[usize]) -> Result<Tensor> {
    let rows = tokens.dim(0)?;
    if lengths.iter().sum::<usize>() != rows || lengths.contains(&0) {
        return Err(Error::Input(format!("{rows} token rows do not match sentences of {lengths:?} tokens")));
    }
    let mut weights = vec![0.0_f32; lengths.len() * rows];
    let mut first = 0;
    for (b, &length) in lengths.iter().enumerate() {
        weights[b * rows + first..b * rows + first + length].fill(1.0 / length as f32);
        first += length;
    }
    let weights = Tensor::from_vec(weights, (lengths.len(), rows), tokens.device())?;
    Ok(weights.matmul(tokens)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(seed: u64, shape: (usize, usize)) -> Tensor {
        let mut draws = Stream::new(seed).draws();
        let numbers: Vec<f32> = (0..shape.0 * shape.1).map(|_| draws.normal() as f32).collect();
        Tensor::from_vec(numbers, shape, &Device::Cpu).unwrap()
    }

    fn layers(texts: &[&str]) -> Vec<HeadLayer> {
        texts.iter().map(|t| HeadLayer::try_from((*t).to_owned()).unwrap()).collect()
    }

    fn numbers(x: &Tensor) -> Vec<f32> {
        x.flatten_all().unwrap().to_vec1().unwrap()
    }

    /// Puts every kind of layer in one head: checks widths, a gradient for every parameter, and an identical
    /// copy.
    #[test]
    fn every_layer_has_its_width_and_gradients() {
        let spec = layers(&[
            "linear 2x",
            "batch norm",
            "relu",
            "dropout 0.2",
            "linear 5 no bias",
            "layer norm",
            "gelu",
            "linear 3",
            "batch norm plain",
            "tanh",
        ]);
        let mut head = Head::new(&spec, 4, 4, Stream::new(1), &Device::Cpu).unwrap();
        assert_eq!(head.columns(), 3);
        // Values that every layer changes.
        let values: Vec<Tensor> = (0..)
            .zip(head.values().unwrap())
            .map(|(i, v)| (rows(7 + i, (1, v.elem_count())).reshape(v.shape()).unwrap() + 0.3).unwrap())
            .collect();
        head.set_values(&values).unwrap();
        let x = rows(2, (6, 4));
        let pass = HeadPass { gradients: true, dropout: Some(Stream::new(3)) };
        let y = head.forward(&x, pass).unwrap();
        assert_eq!(y.dims(), [6, 3]);
        let weights = rows(4, (6, 3));
        let sum = (&y * weights).unwrap().sum_all().unwrap();
        head.collect_gradients(&sum.backward().unwrap()).unwrap();
        for (info, gradient) in head.parameters().iter().zip(head.gradients().unwrap()) {
            let gradient = gradient.unwrap_or_else(|| panic!("no gradient for {}", info.name));
            // A bias before a batch norm is the only parameter without effect.
            let largest = numbers(&gradient).iter().fold(0.0_f32, |m, g| m.max(g.abs()));
            assert!(
                largest > 1e-6 || info.name == "0.bias" || info.name == "7.bias",
                "{}: {largest}",
                info.name
            );
        }
        let copy = head.duplicate().unwrap();
        assert_eq!(numbers(&copy.forward(&x, pass).unwrap()), numbers(&y));
        assert_eq!(copy.parameters(), head.parameters());
        // As constants, the parameters are outside the graph; a different stream drops different entries.
        let constant = head.forward(&x, HeadPass { gradients: false, ..pass }).unwrap();
        assert_eq!(numbers(&constant), numbers(&y));
        let other = HeadPass { dropout: Some(Stream::new(5)), ..pass };
        assert_ne!(numbers(&head.forward(&x, other).unwrap()), numbers(&y));
        assert_ne!(numbers(&head.forward(&x, HeadPass { dropout: None, ..pass }).unwrap()), numbers(&y));
    }

    #[test]
    fn normalisations_have_mean_zero_and_variance_one() {
        let x = rows(1, (50, 4));
        for (text, over) in [("batch norm plain", 0), ("layer norm", 1)] {
            let head = Head::new(&layers(&[text]), 4, 4, Stream::new(1), &Device::Cpu).unwrap();
            let y = head.forward(&x, HeadPass::default()).unwrap();
            for mean in numbers(&y.mean(over).unwrap()) {
                assert!(mean.abs() < 1e-6, "{text}: {mean}");
            }
            for square in numbers(&y.sqr().unwrap().mean(over).unwrap()) {
                assert!((square - 1.0).abs() < 1e-3, "{text}: {square}");
            }
        }
        let head = Head::new(&layers(&["batch norm"]), 4, 4, Stream::new(1), &Device::Cpu).unwrap();
        let error = head.forward(&rows(1, (1, 4)), HeadPass::default()).unwrap_err().to_string();
        assert!(error.contains("at least 2 rows"), "{error}");
    }

    #[test]
    fn means_are_over_the_tokens_of_each_sentence() {
        let tokens = Tensor::new(&[[1_f32, 2.0], [3.0, 4.0], [5.0, 0.0]], &Device::Cpu).unwrap();
        assert_eq!(numbers(&mean_of_tokens(&tokens, &[2, 1]).unwrap()), [2.0, 3.0, 5.0, 0.0]);
        assert!(mean_of_tokens(&tokens, &[2, 2]).is_err() && mean_of_tokens(&tokens, &[3, 0]).is_err());
    }
}
