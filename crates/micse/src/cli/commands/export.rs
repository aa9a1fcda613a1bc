//! `micse export`: writes a model as a folder for sentence-transformers.

use std::path::PathBuf;

use crate::SentenceModel;
use crate::files::write_whole;
use crate::model::{Compute, ModelFolder, Pooling, TokenConvolution};
use crate::post::Stage;
use anyhow::{Context, Result, bail};
use candle_core::{DType, Device};
use clap::{Args, ValueEnum};
use serde_json::json;

use super::cosine;
use micse_cli::model::{model_folder, pooling_of};
use micse_cli::{notice, print, print_json};

/// Write a model as a folder that sentence-transformers loads
///
/// Models that this format cannot express are rejected: poolings other than cls and mean, convolutions, flows. A
/// whitening becomes a linear layer. The folder is read back and must produce the same embeddings.
#[derive(Args, Debug)]
#[command(after_help = "Example:\n  micse export runs/notes --output notes-model --dtype f16")]
pub(crate) struct Export {
    /// Model folder, run folder, Hub model ID, or `demo` for the shipped encoder
    model: String,
    /// Folder to write; it must be new or empty
    #[arg(long, value_name = "FOLDER", alias = "to")]
    output: PathBuf,
    /// cls or mean [default: the model folder's, else mean]
    #[arg(long)]
    pooling: Option<Pooling>,
    /// Precision of the weights on disk
    #[arg(long, value_enum, default_value = "f32")]
    dtype: Dtype,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Dtype {
    F32,
    F16,
    Bf16,
}

impl From<Dtype> for DType {
    fn from(dtype: Dtype) -> Self {
        match dtype {
            Dtype::F32 => Self::F32,
            Dtype::F16 => Self::F16,
            Dtype::Bf16 => Self::BF16,
        }
    }
}

/// Sentences that check the written folder: short and long, plain and unusual.
const PROBES: [&str; 4] = [
    "A dog runs.",
    "In the morning the old doctor walked slowly through the long corridors of the hospital, and nobody spoke.",
    "42 % of 1,234: déjà vu?",
    "x",
];

impl Export {
    pub(crate) fn run(&self, as_json: bool) -> Result<()> {
        let base = ModelFolder::open(&model_folder(&self.model)?)?;
        check_expressible(&base)?;
        if std::fs::read_dir(&self.output).is_ok_and(|mut entries| entries.next().is_some()) {
            bail!(
                "{} is not empty; pass a new folder, so that files of two models do not mix",
                self.output.display()
            );
        }
        let compute = Compute::cpu();
        let pooling = self.pooling.map_or_else(|| pooling_of(&base), Ok)?;
        let original = SentenceModel::load(&base, Some(pooling), &compute)?;
        let pipeline = original.pipeline().clone().with_linear_stage()?;
        pipeline.with(original.encoder(), None).save(&self.output, &base, self.dtype.into())?;
        if original.stage().is_some() {
            notice(
                "omitting the model card: it describes a whitening, for which sentence-transformers has no module",
            );
        } else {
            self.copy_card(&base)?;
        }
        let closest = check_the_same(&original, &SentenceModel::open(&self.output)?)?;
        if as_json {
            return print_json(&json!({
                "folder": self.output,
                "pooling": pooling.name(),
                "dimension": original.dimension(),
                "smallest_cosine": closest,
            }));
        }
        let to = self.output.display();
        print(&format!(
            "{to}: {pooling} pooling, dimension {}; read back, it produces the same embeddings (smallest cosine \
             {closest:.6})\nin Python: SentenceTransformer(\"{to}\")",
            original.dimension()
        ))
    }

    /// Copies the model card.
    fn copy_card(&self, base: &ModelFolder) -> Result<()> {
        let card = base.root().join("README.md");
        if card.is_file() {
            let text = std::fs::read(&card).with_context(|| format!("cannot read {}", card.display()))?;
            write_whole(&self.output.join("README.md"), &text)?;
        }
        Ok(())
    }
}

/// Rejects models that the format cannot express.
fn check_expressible(base: &ModelFolder) -> Result<()> {
    let refused = |what: &str| -> Result<()> {
        bail!("{}: {what}, for which sentence-transformers has no module", base.root().display())
    };
    if TokenConvolution::in_folder(base.path(), &base.config()?, &Device::Cpu)?.is_some() {
        return refused("its embeddings are the mean of a convolution over token states");
    }
    match Stage::load(base.root())? {
        Some(Stage::Whitening { .. }) | None => Ok(()),
        Some(stage) => refused(&format!("its embeddings pass through a {}", stage.kind())),
    }
}

/// The smallest cosine between the embeddings of both models; an error below 0.999.
fn check_the_same(original: &SentenceModel<'_>, written: &SentenceModel<'_>) -> Result<f64> {
    let (a, b) = (original.encode(&PROBES)?, written.encode(&PROBES)?);
    let smallest = a
        .iter()
        .zip(&b)
        .map(|(a, b)| cosine(a, b))
        .fold(1.0, |least, c| if c < least || c.is_nan() { c } else { least });
    if smallest >= 0.999 {
        return Ok(smallest);
    }
    bail!(
        "the written folder produces different embeddings (cosine {smallest:.4}): the weights do not fit this \
         precision; pass --dtype f32"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn precisions_are_those_of_the_tensor_library() {
        assert_eq!(DType::from(Dtype::F16), DType::F16);
        assert_eq!(DType::from(Dtype::Bf16), DType::BF16);
        assert_eq!(DType::from(Dtype::F32), DType::F32);
    }
}
