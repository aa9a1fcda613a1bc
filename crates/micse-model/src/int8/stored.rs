//! 8-bit tensors in a weights file.

use candle_core::{DType, Device, Tensor};

use super::{Quantized, QuantizedLinear, QuantizedTable, check_inputs};
use crate::names::OwnPlace;
use crate::weights::{joined, parameter_layout};
use crate::{Checkpoint, Encoder, Error, Result, WORD_TABLE};

/// Ends the names of the scales of a tensor.
const SCALE: &str = ".scale";
/// Ends the names of the factors of a linear layer's inputs.
const FACTOR: &str = ".factor";

/// Added to the values, because files of tensors have no common signed type of 8 bits.
const ZERO: i16 = 128;

impl Quantized {
    /// All tensors of the encoder, under the names of its family.
    pub(crate) fn tensors(&self, encoder: &dyn Encoder) -> Result<Vec<(String, Tensor)>> {
        let config = encoder.config();
        let mut tensors = Vec::new();
        for (number, (info, value)) in parameter_layout(config).iter().zip(encoder.values()?).enumerate() {
            let place = config.names().own(&info.name);
            let next_to = |end: &str| OwnPlace { name: format!("{}{end}", place.name), part: place.part };
            match self.parts_of(number, &info.name) {
                None => tensors.push((place, value.to_device(&Device::Cpu)?)),
                Some(Parts { values, scales, factors }) => {
                    let bytes: Vec<u8> = values.iter().map(|&v| (i16::from(v) + ZERO) as u8).collect();
                    let vector = |values: &[f32]| Tensor::from_slice(values, values.len(), &Device::Cpu);
                    tensors.push((next_to(SCALE), vector(scales)?));
                    // Parameters of one product have the same factors.
                    if let Some(factors) = factors.filter(|_| place.part.is_none_or(|(index, _)| index == 0))
                    {
                        tensors.push((next_to(FACTOR), vector(factors)?));
                    }
                    tensors.push((place, Tensor::from_vec(bytes, info.shape.as_slice(), &Device::Cpu)?));
                }
            }
        }
        joined(tensors)
    }

    fn parts_of(&self, number: usize, name: &str) -> Option<Parts<'_>> {
        if number == WORD_TABLE {
            return Some(Parts { values: &self.words.0, scales: &self.words.1, factors: None });
        }
        let (index, count, linear) = self.linears.iter().find_map(|(names, linear)| {
            names.iter().position(|n| n == name).map(|index| (index, names.len(), linear))
        })?;
        let (outputs, inputs) = (linear.scales.len() / count, linear.factors.len());
        Some(Parts {
            values: &linear.values[index * outputs * inputs..][..outputs * inputs],
            scales: &linear.scales[index * outputs..][..outputs],
            factors: Some(&linear.factors),
        })
    }
}

/// A parameter in 8 bits.
struct Parts<'a> {
    values: &'a [i8],
    scales: &'a [f32],
    factors: Option<&'a [f32]>,
}

impl QuantizedLinear {
    /// Reads the linear layer that these weight parameters form; `None` if it is not stored in 8 bits.
    pub(crate) fn read(checkpoint: &Checkpoint, names: &[String]) -> Result<Option<Self>> {
        let mut all: Option<Self> = None;
        for (index, name) in names.iter().enumerate() {
            let part = Self::read_one(checkpoint, name)?;
            match (&mut all, part) {
                (None, part) if index == 0 => all = part,
                (None, None) => {}
                (Some(all), Some(part)) if all.factors == part.factors => {
                    all.values.extend(part.values);
                    all.scales.extend(part.scales);
                }
                _ => {
                    return Err(Error::Weights {
                        path: checkpoint.path().into(),
                        reason: format!(
                            "`{name}` and `{}` belong to one product, but have different types or factors; \
                             export the model again",
                            names[0]
                        ),
                    });
                }
            }
        }
        Ok(all)
    }

    fn read_one(checkpoint: &Checkpoint, name: &str) -> Result<Option<Self>> {
        let Some(stored) = in_8_bits(checkpoint, name) else { return Ok(None) };
        let part = checkpoint.part_of(name);
        let values = checkpoint.read_part(stored, part)?;
        let (outputs, inputs) = values.dims2()?;
        check_inputs(inputs)?;
        Ok(Some(Self {
            values: integers(&values)?,
            scales: scales(checkpoint, stored, outputs, part)?,
            factors: vector(checkpoint, &format!("{stored}{FACTOR}"), inputs)?,
        }))
    }
}

impl QuantizedTable {
    /// Reads the table with this name; `None` if it is not stored in 8 bits.
    pub(crate) fn read(checkpoint: &Checkpoint, name: &str) -> Result<Option<Self>> {
        let Some(stored) = in_8_bits(checkpoint, name) else { return Ok(None) };
        let values = checkpoint.read_part(stored, None)?;
        let (rows, width) = values.dims2()?;
        Ok(Some(Self { values: integers(&values)?, scales: scales(checkpoint, stored, rows, None)?, width }))
    }
}

/// The stored name of a parameter that is stored in 8 bits.
fn in_8_bits<'a>(checkpoint: &'a Checkpoint, name: &str) -> Option<&'a str> {
    checkpoint.stored_name(name).filter(|stored| checkpoint.dtype(stored) == Some(DType::U8))
}

/// The scales of `rows` rows, which are part (index, count) of those that are stored.
fn scales(
    checkpoint: &Checkpoint,
    stored: &str,
    rows: usize,
    part: Option<(usize, usize)>,
) -> Result<Vec<f32>> {
    let (index, count) = part.unwrap_or((0, 1));
    let all = vector(checkpoint, &format!("{stored}{SCALE}"), count * rows)?;
    Ok(all[index * rows..(index + 1) * rows].to_vec())
}

/// The parameter that is stored in 8 bits under this name, or is a part of what is stored there, as f32.
pub(crate) fn widen(checkpoint: &Checkpoint, stored: &str, part: Option<(usize, usize)>) -> Result<Tensor> {
    let values = checkpoint.read_part(stored, part)?;
    let (rows, width) = values.dims2()?;
    let scales = scales(checkpoint, stored, rows, part)?;
    let factor_name = format!("{stored}{FACTOR}");
    let factors =
        checkpoint.dtype(&factor_name).map(|_| vector(checkpoint, &factor_name, width)).transpose()?;
    let mut wide: Vec<f32> = integers(&values)?.into_iter().map(f32::from).collect();
    for (row, scale) in wide.chunks_exact_mut(width).zip(scales) {
        for (i, w) in row.iter_mut().enumerate() {
            *w *= scale * factors.as_ref().map_or(1.0, |factors| factors[i]);
        }
    }
    Ok(Tensor::from_vec(wide, (rows, width), &Device::Cpu)?)
}

fn integers(bytes: &Tensor) -> Result<Vec<i8>> {
    // The stored 0 would be -128, which is not written; it becomes -127.
    let value = |byte: u8| (i16::from(byte) - ZERO).max(-127) as i8;
    Ok(bytes.flatten_all()?.to_vec1::<u8>()?.into_iter().map(value).collect())
}

/// A vector of finite numbers of a known length.
fn vector(checkpoint: &Checkpoint, stored: &str, length: usize) -> Result<Vec<f32>> {
    let tensor = checkpoint.read(stored)?;
    if tensor.dims() != [length] {
        return Err(Error::Shape {
            path: checkpoint.path().into(),
            name: stored.to_owned(),
            found: tensor.dims().to_vec(),
            expected: vec![length],
        });
    }
    let values = tensor.to_dtype(DType::F32)?.to_vec1::<f32>()?;
    if let Some(bad) = values.iter().find(|v| !v.is_finite()) {
        return Err(Error::Weights {
            path: checkpoint.path().into(),
            reason: format!("tensor `{stored}` contains {bad}; export the model again"),
        });
    }
    Ok(values)
}
