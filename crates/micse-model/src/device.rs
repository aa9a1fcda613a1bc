//! The device of tensors: the CPU, or a GPU if this build supports one.

use candle_core::Device;

use crate::{Error, Result};

/// The device named `cpu`, `cuda` or `metal` (`cuda:1` for the second card).
///
/// # Errors
/// Fails if the name is unknown, this build lacks the feature, or the machine lacks the device.
pub(crate) fn device(name: &str) -> Result<Device> {
    let (kind, index) = name.split_once(':').unwrap_or((name, "0"));
    let index: usize = index.parse().map_err(|_| {
        Error::Input(format!("device `{name}`: `{index}` is not a number; write, for example, cuda:0"))
    })?;
    let missing = |feature: &str| {
        Error::Input(format!(
            "device `{name}`: this build does not include {feature}; build with `--features {feature}`"
        ))
    };
    match kind {
        "cpu" => Ok(Device::Cpu),
        "cuda" if cfg!(feature = "cuda") => Ok(Device::new_cuda(index)?),
        "cuda" => Err(missing("cuda")),
        "metal" if cfg!(feature = "metal") => Ok(Device::new_metal(index)?),
        "metal" => Err(missing("metal")),
        _ => Err(Error::Input(format!("unknown device `{name}`; choose from cpu, cuda, metal"))),
    }
}
