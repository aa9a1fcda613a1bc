//! Rewrites a model folder with its weights in half precision: `half_precision FROM TO cls|mean`.

use candle_core::DType;
use micse_model::{Compute, ModelFolder, Pooling, save_model};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [from, to, pooling] = &arguments[..] else {
        return Err("usage: half_precision FROM TO cls|mean".into());
    };
    let base = ModelFolder::open(from.as_ref())?;
    let encoder = base.encoder(&Compute::cpu())?;
    save_model(to.as_ref(), encoder.as_ref(), &base, pooling.parse::<Pooling>()?, DType::F16)?;
    Ok(())
}
