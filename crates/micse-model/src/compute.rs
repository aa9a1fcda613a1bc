//! How an encoder is computed: device, engine, precision.

use candle_core::Device;
use serde::{Deserialize, Serialize};

use crate::device::device;
use crate::encoder::Encoder;
use crate::packed::PackedEncoder;
use crate::tensor::TensorEncoder;
use crate::weights::TensorSource;
use crate::{BertConfig, Checkpoint, Error, Result};

/// The implementation of an encoder's passes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Engine {
    /// Plain tensor operations with autograd, on any device: the reference.
    Tensor,
    /// Kernels on packed tokens with a hand-written backward pass: fast, on CPUs only.
    Packed,
}

impl Engine {
    /// All engines.
    pub const ALL: [Self; 2] = [Self::Tensor, Self::Packed];

    /// The name on the command line and in files.
    pub fn name(self) -> &'static str {
        match self {
            Self::Tensor => "tensor",
            Self::Packed => "packed",
        }
    }
}

/// The number format of the factors in the encoder's matrix products. Parameters and sums are always f32.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Precision {
    /// 32-bit floats.
    #[default]
    F32,
    /// Factors are rounded to bfloat16; products are summed in f32.
    Bf16,
    /// Factors are 8-bit integers; products are summed in 32-bit integers. Only for encoding, with a model that was
    /// exported in this precision (see [`crate::int8`]).
    Int8,
}

impl Precision {
    /// All precisions.
    pub const ALL: [Self; 3] = [Self::F32, Self::Bf16, Self::Int8];

    /// The name on the command line and in files.
    pub fn name(self) -> &'static str {
        match self {
            Self::F32 => "f32",
            Self::Bf16 => "bf16",
            Self::Int8 => "int8",
        }
    }
}

/// Device, engine and precision, checked for compatibility.
#[derive(Clone, Debug)]
pub struct Compute {
    /// The device of all tensors.
    pub device: Device,
    /// The engine of the encoder.
    pub engine: Engine,
    /// The precision of its matrix products.
    pub precision: Precision,
}

impl Compute {
    /// The fast engine on the CPU, in f32: the default of all commands.
    pub fn cpu() -> Self {
        Self { device: Device::Cpu, engine: Engine::Packed, precision: Precision::F32 }
    }

    /// The tensor engine on the CPU, in f32: the reference for all other combinations.
    pub fn reference() -> Self {
        Self { engine: Engine::Tensor, ..Self::cpu() }
    }

    /// The device named `cpu`, `cuda` or `metal` (`cuda:1` for the second card), with the requested engine,
    /// else the fastest engine on that device.
    ///
    /// # Errors
    /// Fails if the device is unknown or unavailable, or if device, engine and precision cannot be combined.
    pub fn new(device_name: &str, engine: Option<Engine>, precision: Precision) -> Result<Self> {
        let device = device(device_name)?;
        let fastest = if device.is_cpu() { Engine::Packed } else { Engine::Tensor };
        let compute = Self { device, engine: engine.unwrap_or(fastest), precision };
        compute.check()?;
        Ok(compute)
    }

    /// `cpu`, `cuda` or `metal`.
    pub fn device_name(&self) -> &'static str {
        match self.device {
            Device::Cpu => "cpu",
            Device::Cuda(_) => "cuda",
            Device::Metal(_) => "metal",
        }
    }

    fn check(&self) -> Result<()> {
        if self.engine == Engine::Packed && !self.device.is_cpu() {
            return Err(Error::Input(format!(
                "the packed engine runs on CPUs only, not on {}; use --engine tensor, or --device cpu",
                self.device_name()
            )));
        }
        if self.engine == Engine::Tensor && self.precision != Precision::F32 {
            return Err(Error::Input(
                "the tensor engine computes in f32 only; use --precision f32, or --engine packed on a CPU"
                    .into(),
            ));
        }
        Ok(())
    }
}

impl Default for Compute {
    fn default() -> Self {
        Self::cpu()
    }
}

/// Builds an encoder with parameters from a source of tensors: a weights file, random values, another
/// encoder.
///
/// # Errors
/// Fails if a tensor is missing or has the wrong shape, if the configuration is invalid, or if device, engine
/// and precision cannot be combined.
pub fn build_encoder(
    config: BertConfig,
    source: &mut dyn TensorSource,
    compute: &Compute,
) -> Result<Box<dyn Encoder>> {
    compute.check()?;
    if compute.precision == Precision::Int8 {
        return Err(Error::Input(
            "the model is not in int8; write it in int8 first (micse export MODEL --precision int8 --output FOLDER), \
             and use that folder"
                .into(),
        ));
    }
    match compute.engine {
        Engine::Tensor => Ok(Box::new(TensorEncoder::new(config, source, &compute.device)?)),
        Engine::Packed => Ok(Box::new(PackedEncoder::new(config, source, compute.precision)?)),
    }
}

/// Builds an encoder whose linear layers a checkpoint stores in 8 bits.
pub(crate) fn build_int8_encoder(
    config: BertConfig,
    weights: &mut Checkpoint,
    compute: &Compute,
) -> Result<Box<dyn Encoder>> {
    compute.check()?;
    if compute.engine == Engine::Tensor || compute.precision == Precision::Bf16 {
        return Err(Error::Weights {
            path: weights.path().into(),
            reason: "a model in int8 can only be encoded in int8, by the packed engine on a CPU; for other engines and \
                     precisions, use the model that it was exported from"
                .into(),
        });
    }
    Ok(Box::new(PackedEncoder::quantized(config, weights)?))
}

/// Implements `Display` and `FromStr` from `ALL` and `name`.
macro_rules! named {
    ($type:ty, $what:literal) => {
        impl std::fmt::Display for $type {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.name())
            }
        }

        impl std::str::FromStr for $type {
            type Err = Error;

            fn from_str(text: &str) -> Result<Self> {
                Self::ALL.into_iter().find(|value| value.name() == text).ok_or_else(|| {
                    let known = Self::ALL.map(Self::name).join(", ");
                    Error::Input(format!("unknown {} \"{text}\"; choose from {known}", $what))
                })
            }
        }
    };
}
named!(Engine, "engine");
named!(Precision, "precision");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_as_they_are_written() {
        for engine in Engine::ALL {
            assert_eq!(engine.to_string().parse::<Engine>().expect("an engine"), engine);
            assert_eq!(serde_json::to_string(&engine).expect("JSON"), format!("\"{engine}\""));
        }
        for precision in Precision::ALL {
            assert_eq!(precision.to_string().parse::<Precision>().expect("a precision"), precision);
            assert_eq!(serde_json::to_string(&precision).expect("JSON"), format!("\"{precision}\""));
        }
        assert!("onnx".parse::<Engine>().is_err_and(|e| e.to_string().contains("tensor, packed")));
        assert!("f16".parse::<Precision>().is_err_and(|e| e.to_string().contains("f32, bf16, int8")));
    }

    #[test]
    fn the_default_is_fast_and_what_does_not_go_together_is_refused() {
        let cpu = Compute::new("cpu", None, Precision::F32).expect("the CPU");
        assert_eq!((cpu.engine, cpu.device_name()), (Engine::Packed, "cpu"));
        let tensor = Compute::new("cpu", Some(Engine::Tensor), Precision::F32).expect("the CPU");
        assert_eq!(tensor.engine, Engine::Tensor);
        let refused = Compute::new("cpu", Some(Engine::Tensor), Precision::Bf16).err().map(|e| e.to_string());
        assert!(refused.is_some_and(|e| e.contains("--precision f32") && e.contains("--engine packed")));
        let by_hand = Compute { precision: Precision::Bf16, ..Compute::reference() };
        let mut weights = crate::RandomWeights { deviation: 0.02, stream: micse_random::Stream::new(1) };
        let config = BertConfig::with_sizes(10, 1, 8, 2, 8);
        assert!(build_encoder(config, &mut weights, &by_hand).is_err());
    }
}
