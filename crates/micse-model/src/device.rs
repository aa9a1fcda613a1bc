//! Where tensors live: the CPU, or a GPU where this build knows one.

use candle_core::Device;

use crate::{Error, Result};

/// The device named `cpu`, `cuda` or `metal` (`cuda:1` for the second card).
///
/// # Errors
/// The name is unknown, this build was compiled without that device, or the machine does not have it.
pub(crate) fn device(name: &str) -> Result<Device> {
    let (kind, index) = name.split_once(':').unwrap_or((name, "0"));
    let index: usize = index.parse().map_err(|_| {
        Error::Input(format!("device `{name}`: `{index}` is no number; write for example cuda:0"))
    })?;
    let missing = |feature: &str| {
        Error::Input(format!(
            "device `{name}`: this build has no {feature}; build with `--features {feature}`"
        ))
    };
    match kind {
        "cpu" => Ok(Device::Cpu),
        "cuda" if cfg!(feature = "cuda") => Ok(Device::new_cuda(index)?),
        "cuda" => Err(missing("cuda")),
        "metal" if cfg!(feature = "metal") => Ok(Device::new_metal(index)?),
        "metal" => Err(missing("metal")),
        _ => Err(Error::Input(format!("unknown device `{name}`; there are cpu, cuda and metal"))),
    }
}
