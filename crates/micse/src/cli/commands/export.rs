//! `micse export`: writes a model as a folder for sentence-transformers, in 8-bit integers, or in ONNX's format.

use std::fs::File;
use std::path::{Path, PathBuf};

use crate::SentenceModel;
use crate::data::Corpus;
use crate::files::{UNFINISHED, hold, remove_leftovers, rename, write_whole};
use crate::model::int8::{Rounding, quantize};
use crate::model::{Compute, ModelFolder, Pooling, TokenConvolution};
use crate::post::Stage;
use anyhow::{Context, Result, bail};
use candle_core::{DType, Device};
use clap::{Args, ValueEnum};
use serde_json::json;
use tempfile::TempDir;

use super::cosine;
use micse_cli::model::{model_folder, pooling_of};
use micse_cli::{notice, print, print_json};

/// Write a model as a folder that sentence-transformers loads, or for ONNX
///
/// Models that this format cannot express are rejected: poolings other than cls and mean, convolutions, flows. A
/// whitening becomes a linear layer. The folder is read back and must produce the same embeddings.
///
/// With `--precision int8`, the folder has a quarter of the size, and is encoded in 8-bit integers; only micse reads it.
///
/// With `--format onnx`, the folder contains `onnx/model.onnx` for onnxruntime, transformers.js and fastembed: opset 17,
/// from `input_ids`, `attention_mask` and, for BERT, `token_type_ids` to `token_embeddings` and `sentence_embedding`, with
/// pooling, all modules after it, and truncation inside.
#[derive(Args, Debug)]
#[command(after_help = "Examples:\n  micse export runs/notes --output notes-model --precision f16\n  \
                        micse export runs/notes --output notes-int8 --precision int8 --calibrate notes.txt\n  \
                        micse export runs/notes --output notes-onnx --format onnx")]
pub(crate) struct Export {
    /// Model folder, run folder, Hub model ID, or `demo` for the shipped encoder
    model: String,
    /// Folder to write; it must be new or empty
    #[arg(long, value_name = "FOLDER", alias = "to")]
    output: PathBuf,
    /// cls or mean [default: the model folder's, else mean]
    #[arg(long)]
    pooling: Option<Pooling>,
    /// What to write
    #[arg(long, value_enum, default_value = "sentence-transformers")]
    format: Format,
    /// Precision of the weights on disk
    #[arg(long, value_enum, default_value = "f32", alias = "dtype")]
    precision: Precision,
    /// Text of the model's domain, from which int8 weights are rounded, one sentence per line, plain, zstd or gzip; 512
    /// sentences are used, evenly spaced [default: 200 sentences of many kinds of text]
    #[arg(long, value_name = "FILE")]
    calibrate: Option<PathBuf>,
    /// How int8 weights are rounded; each way includes the previous ones
    #[arg(long, value_enum, default_value = "compensated")]
    rounding: RoundingOption,
}

/// What is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// A folder for sentence-transformers and transformers
    SentenceTransformers,
    /// The same with `onnx/model.onnx` in place of the weights
    Onnx,
}

/// The precision of the weights on disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Precision {
    F32,
    F16,
    Bf16,
    Int8,
}

impl Precision {
    /// The type of all weights; `None` for int8.
    fn dtype(self) -> Option<DType> {
        match self {
            Self::F32 => Some(DType::F32),
            Self::F16 => Some(DType::F16),
            Self::Bf16 => Some(DType::BF16),
            Self::Int8 => None,
        }
    }
}

/// [`Rounding`] as an option.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum RoundingOption {
    /// To the nearest value
    Nearest,
    /// Ranges are moved from activations to weights
    Smoothed,
    /// Errors of earlier input channels are compensated for
    Compensated,
}

impl From<RoundingOption> for Rounding {
    fn from(option: RoundingOption) -> Self {
        match option {
            RoundingOption::Nearest => Self::Nearest,
            RoundingOption::Smoothed => Self::Smoothed,
            RoundingOption::Compensated => Self::Compensated,
        }
    }
}

/// The section of an int8 model's card.
const INT8_CARD: &str = "

## int8

This folder is the model above with its linear layers and its word table in 8-bit integers, in `int8.safetensors`. Only
micse (`micse encode`, `search`, `similarity`, `eval`) reads it; sentence-transformers and transformers do not. It cannot
be trained further.
";

/// Sentences of many kinds of text, from which int8 weights are rounded without `--calibrate`.
const CALIBRATION: &str = include_str!("../../../data/calibration.txt");

/// Sentences of `--calibrate` that are used.
const SAMPLE: usize = 512;

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
        if self.precision != Precision::Int8
            && (self.calibrate.is_some() || self.rounding != RoundingOption::Compensated)
        {
            bail!("--calibrate and --rounding need --precision int8");
        }
        if self.format == Format::Onnx && self.precision != Precision::F32 {
            bail!("--format onnx writes weights in f32; remove --precision");
        }
        let place = self.place()?;
        let to = place.path();
        let compute = Compute::cpu();
        let pooling = self.pooling.map_or_else(|| pooling_of(&base), Ok)?;
        let original = SentenceModel::load(&base, Some(pooling), &compute)?;
        let pipeline = original.pipeline().clone().with_linear_stage()?;
        let model = pipeline.with(original.encoder(), None);
        match self.precision.dtype() {
            _ if self.format == Format::Onnx => model.save_onnx(to, &base)?,
            Some(dtype) => model.save(to, &base, dtype)?,
            None => self.save_int8(&model, &base, to)?,
        }
        if original.stage().is_some() {
            notice(
                "omitting the model card: it describes a whitening, for which sentence-transformers has no module",
            );
        } else {
            self.copy_card(&base, to)?;
        }
        if self.format == Format::Onnx {
            place.publish()?;
            return self.tell_of_onnx(&original, as_json);
        }
        let written = SentenceModel::open(to).with_context(|| match self.precision {
            Precision::F32 => "the written model cannot be read back; nothing was written".to_owned(),
            _ => format!("the weights may not fit this precision; {}; nothing was written", self.remedy()),
        })?;
        let closest = self.check_the_same(&original, &written, base.checkpoint()?.is_int8())?;
        drop(written);
        place.publish()?;
        if as_json {
            return print_json(&json!({
                "folder": self.output.display().to_string(),
                "pooling": pooling.name(),
                "dimension": original.dimension(),
                "smallest_cosine": closest,
            }));
        }
        let to = self.output.display();
        let python = match self.precision {
            Precision::Int8 => String::new(),
            _ => format!("\nin Python: SentenceTransformer(\"{to}\")"),
        };
        print(&format!(
            "{to}: {pooling} pooling, dimension {}; read back, it produces the same embeddings (smallest cosine \
             {closest:.6}){python}",
            original.dimension()
        ))
    }

    /// An unfinished folder in the output, which is removed if anything fails.
    fn place(&self) -> Result<Place> {
        let failed =
            || format!("{}: cannot write to this folder; pass another --output", self.output.display());
        let is_new = !self.output.exists();
        std::fs::create_dir_all(&self.output).with_context(failed)?;
        // Left by a command that was killed.
        remove_leftovers(&self.output)?;
        if std::fs::read_dir(&self.output).with_context(failed)?.next().is_some() {
            bail!(
                "{} is not empty; pass a new folder, so that files of two models do not mix",
                self.output.display()
            );
        }
        let unfinished =
            tempfile::Builder::new().prefix(UNFINISHED).tempdir_in(&self.output).with_context(failed)?;
        let held = hold(unfinished.path());
        Ok(Place { unfinished: Some(unfinished), _held: held, output: self.output.clone(), is_new })
    }

    /// Reports the written ONNX file. Only its runtimes can read it back.
    fn tell_of_onnx(&self, model: &SentenceModel<'_>, as_json: bool) -> Result<()> {
        if !model.prompt().is_empty() {
            notice(format_args!(
                "the prompt {:?} is not part of the file; prepend it to every sentence",
                model.prompt()
            ));
        }
        let file = self.output.join("onnx/model.onnx");
        let bytes = file.metadata().with_context(|| format!("cannot read {}", file.display()))?.len();
        if as_json {
            return print_json(&json!({
                "folder": self.output.display().to_string(),
                "file": file.display().to_string(),
                "bytes": bytes,
                "pooling": model.pooling().name(),
                "dimension": model.dimension(),
                "max_length": model.max_length(),
            }));
        }
        print(&format!(
            "{}: {:.1} MiB, {} pooling, dimension {}, at most {} tokens; outputs token_embeddings and \
             sentence_embedding\nin Python: onnxruntime.InferenceSession(\"{}\"), with the tokenizer.json of the folder",
            file.display(),
            bytes as f64 / f64::from(1 << 20),
            model.pooling(),
            model.dimension(),
            model.max_length(),
            file.display()
        ))
    }

    /// Quantises the encoder with a sample, and writes it.
    fn save_int8(&self, model: &SentenceModel<'_>, base: &ModelFolder, to: &Path) -> Result<()> {
        let corpus = match &self.calibrate {
            Some(path) => Corpus::open(std::slice::from_ref(path))?,
            None => Corpus::from_sentences("calibration", CALIBRATION.lines()),
        };
        let used = corpus.len().min(SAMPLE);
        let sample: Vec<&str> = (0..used).map(|i| corpus.get(i * corpus.len() / used)).collect();
        let ids = model.pipeline().tokenize(&sample, model.max_length())?;
        let quantized = quantize(model.encoder(), &ids, self.rounding.into())?;
        Ok(model.save_int8(to, base, &quantized)?)
    }

    /// The smallest cosine between the embeddings of both models; an error if it is too small for the precision.
    fn check_the_same(
        &self,
        original: &SentenceModel<'_>,
        written: &SentenceModel<'_>,
        was_int8: bool,
    ) -> Result<f64> {
        let (a, b) = (original.encode(&PROBES)?, written.encode(&PROBES)?);
        // The cosine of two zero embeddings is undefined, but they are the same.
        let of_rows = |(a, b): (&Vec<f32>, &Vec<f32>)| if a == b { 1.0 } else { cosine(a, b) };
        let smallest = a
            .iter()
            .zip(&b)
            .map(of_rows)
            .fold(1.0, |least, c| if c < least || c.is_nan() { c } else { least });
        // Products in 8 bits round activations too, on whichever side they are.
        let least = if was_int8 || self.precision == Precision::Int8 { 0.99 } else { 0.999 };
        if smallest >= least {
            return Ok(smallest);
        }
        bail!(
            "the written model produces different embeddings (cosine {smallest:.4}): the weights do not fit this \
             precision; {}; nothing was written",
            self.remedy()
        )
    }

    /// What to do about weights that do not fit the precision.
    fn remedy(&self) -> &'static str {
        match self.precision {
            Precision::Int8 => "pass --precision f16, or --calibrate with text of the model's domain",
            _ => "pass --precision f32",
        }
    }

    /// Copies the model card; in int8, with a section about it and without the library that does not read it.
    fn copy_card(&self, base: &ModelFolder, to: &Path) -> Result<()> {
        let path = base.root().join("README.md");
        let mut card = Vec::new();
        if path.is_file() {
            card = std::fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
        }
        let is_int8 = self.precision == Precision::Int8;
        if let Ok(text) = std::str::from_utf8(&card) {
            let was_int8 = text.contains(INT8_CARD);
            // The section of an int8 model that is exported again.
            let text = text.replace(INT8_CARD, "");
            let text = if is_int8 || was_int8 { with_library(&text, !is_int8) } else { text };
            card = text.into_bytes();
        }
        if is_int8 {
            card.extend_from_slice(INT8_CARD.as_bytes());
        }
        if !card.is_empty() {
            write_whole(&to.join("README.md"), &card)?;
        }
        Ok(())
    }
}

/// The card with or without sentence-transformers as the library in its front matter, if it has one.
fn with_library(card: &str, named: bool) -> String {
    const LIBRARY: &str = "library_name: sentence-transformers";
    let mut lines: Vec<&str> = card.split_inclusive('\n').collect();
    let is_end = |line: &&str| line.trim_end() == "---";
    let Some(end) =
        lines.first().filter(|line| is_end(line)).and_then(|_| lines[1..].iter().position(is_end))
    else {
        return card.to_owned();
    };
    let place = lines[1..=end].iter().position(|line| line.trim_end() == LIBRARY);
    match (place, named) {
        (Some(place), false) => drop(lines.remove(1 + place)),
        (None, true) => lines.insert(1, "library_name: sentence-transformers\n"),
        _ => {}
    }
    lines.concat()
}

/// The unfinished folder of an export.
struct Place {
    unfinished: Option<TempDir>,
    /// Tells other commands that this one is still running.
    _held: Option<File>,
    output: PathBuf,
    /// Whether the output was made for it.
    is_new: bool,
}

impl Place {
    fn path(&self) -> &Path {
        self.unfinished.as_ref().map_or(&self.output, |unfinished| unfinished.path())
    }

    /// Moves what was written into the output; the configuration, without which there is no model, comes last.
    fn publish(mut self) -> Result<()> {
        let failed = || format!("cannot write {}", self.output.display());
        let mut names = Vec::new();
        for entry in std::fs::read_dir(self.path()).with_context(failed)? {
            names.push(entry.with_context(failed)?.file_name());
        }
        names.sort_by_key(|name| name == "config.json");
        for name in names {
            rename(&self.path().join(&name), &self.output.join(&name))?;
        }
        self.is_new = false;
        Ok(())
    }
}

impl Drop for Place {
    /// Leaves no folder that was made for an export that failed.
    fn drop(&mut self) {
        drop(self.unfinished.take());
        if self.is_new {
            // What somebody else wrote into it stays.
            let _ = std::fs::remove_dir(&self.output);
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn precisions_are_those_of_the_tensor_library() {
        assert_eq!(Precision::F16.dtype(), Some(DType::F16));
        assert_eq!(Precision::Bf16.dtype(), Some(DType::BF16));
        assert_eq!(Precision::F32.dtype(), Some(DType::F32));
        assert_eq!(Precision::Int8.dtype(), None);
    }
}
