//! `cargo xtask bench`: the speed of training and encoding, compared with the limit of the CPU.
//!
//! The floor of a piece of work is the time that its matrix products would take at the speed of the `gemm` crate on
//! large f32 matrices, with the same number of threads, measured in the same run.

mod encode;
mod machine;
mod matrix;
mod methods;
mod train;
mod work;

use std::path::PathBuf;

use anyhow::Result;
use clap::{Args, Subcommand, ValueEnum};
use comfy_table::{CellAlignment, Table, presets};
use micse_cli::model::locate_model;
use micse_cli::{note, print};
use micse_data::{Corpus, Locator};
use micse_model::{
    BertConfig, Compute, Encoder, ModelFolder, Pooling, RandomWeights, SentenceModel, Tokenizer,
    build_encoder,
};
use micse_random::Stream;

/// Measure the speed of training or encoding
#[derive(Args)]
pub(crate) struct Bench {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    Train(train::Train),
    Encode(encode::Encode),
    Methods(methods::Methods),
    #[command(hide = true)]
    Part(matrix::Part),
}

impl Bench {
    pub(crate) fn run(&self, json: bool) -> Result<()> {
        match &self.what {
            What::Train(train) => train.run(json),
            What::Encode(encode) => encode.run(json),
            What::Methods(methods) => methods.run(json),
            What::Part(part) => part.run(),
        }
    }
}

/// Sizes of an encoder with random weights; the vocabulary has 30522 word pieces, and the feed-forward layer is four
/// times as wide as the hidden size.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Architecture {
    /// 2 layers, hidden size 128, 2 heads
    Tiny,
    /// 4 layers, hidden size 256, 4 heads
    Mini,
    /// 6 layers, hidden size 384, 12 heads
    Minilm,
    /// 12 layers, hidden size 768, 12 heads
    Base,
}

impl Architecture {
    fn config(self) -> BertConfig {
        let (layers, hidden, heads) = match self {
            Self::Tiny => (2, 128, 2),
            Self::Mini => (4, 256, 4),
            Self::Minilm => (6, 384, 12),
            Self::Base => (12, 768, 12),
        };
        BertConfig::with_sizes(30522, layers, hidden, heads, 512)
    }
}

/// The model to measure.
#[derive(Args)]
struct Subject {
    /// Use an encoder of this size with random weights [default: minilm]
    #[arg(long, value_enum, conflicts_with = "model")]
    arch: Option<Architecture>,
    /// Use a model folder or Hub model ID instead, or `demo` for the shipped encoder
    #[arg(long)]
    model: Option<String>,
    /// A folder with a tokenizer, or a vocab.txt [default: the model's, else MICSE_DATA/bert-base-uncased, else the
    /// shipped encoder's]
    #[arg(long)]
    tokenizer: Option<PathBuf>,
}

impl Subject {
    /// The name in tables.
    fn name(&self, locator: &Locator) -> Result<String> {
        match &self.model {
            Some(_) => Ok(self.folder(locator)?.map_or_else(String::new, |f| f.path().display().to_string())),
            None => Ok(format!("{:?}", self.architecture()).to_lowercase()),
        }
    }

    fn architecture(&self) -> Architecture {
        self.arch.unwrap_or(Architecture::Minilm)
    }

    fn folder(&self, locator: &Locator) -> Result<Option<ModelFolder>> {
        let Some(model) = &self.model else { return Ok(None) };
        Ok(Some(ModelFolder::open(&locate_model(locator, Some(model))?.place)?))
    }

    fn encoder(&self, locator: &Locator, compute: &Compute) -> Result<Box<dyn Encoder>> {
        if let Some(folder) = self.folder(locator)? {
            return Ok(folder.encoder(compute)?);
        }
        let config = self.architecture().config();
        let mut weights = RandomWeights { deviation: config.initializer_range, stream: Stream::new(48) };
        Ok(build_encoder(config, &mut weights, compute)?)
    }

    /// The encoder with tokenizer and pooling; pooling and length from the folder, else mean and the position limit.
    fn sentence_model(&self, locator: &Locator, compute: &Compute) -> Result<SentenceModel<'static>> {
        match self.folder(locator)? {
            Some(folder) if self.tokenizer.is_none() => {
                let pooling = folder.pooling()?.unwrap_or(Pooling::Mean);
                Ok(SentenceModel::load(&folder, Some(pooling), compute)?)
            }
            _ => {
                let encoder = self.encoder(locator, compute)?;
                let tokenizer = self.tokenizer(locator, encoder.config())?;
                Ok(SentenceModel::new(encoder, tokenizer, Pooling::Mean))
            }
        }
    }

    fn tokenizer(&self, locator: &Locator, config: &BertConfig) -> Result<Tokenizer> {
        let path = match (&self.tokenizer, self.folder(locator)?) {
            (Some(path), _) => path.clone(),
            (None, Some(folder)) => folder.path().to_path_buf(),
            (None, None) if locator.micse_data.is_some() => locator.model(None)?.place,
            (None, None) => locator.model(Some("demo"))?.place,
        };
        note(format_args!("tokenizer: {}", path.display()));
        let tokenizer = if path.is_dir() { Tokenizer::load(&path)? } else { Tokenizer::from_vocab(&path)? };
        tokenizer.check_fits(config.vocab_size)?;
        Ok(tokenizer)
    }
}

/// The requested corpus; else the corpus in `MICSE_DATA`; else the demo's.
fn corpus(locator: &Locator, given: &[String]) -> Result<Corpus> {
    Ok(micse_cli::data::corpus(locator, given)?.place.open()?)
}

/// Median of the values, in any order.
fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    match sorted.len() {
        0 => f64::NAN,
        n if n % 2 == 0 => f64::midpoint(sorted[middle - 1], sorted[middle]),
        _ => sorted[middle],
    }
}

/// Rounded for output.
fn round(value: f64, digits: i32) -> f64 {
    let scale = 10.0_f64.powi(digits);
    (value * scale).round() / scale
}

fn print_table(rows: &[(&str, String)]) -> Result<()> {
    let mut table = Table::new();
    table.load_preset(presets::NOTHING);
    for (name, value) in rows {
        table.add_row([*name, value]);
    }
    if let Some(column) = table.column_mut(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    print(&table.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_middle_or_between_two() {
        assert_eq!(median(&[3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(&[4.0, 1.0, 2.0, 3.0]), 2.5);
        assert!(median(&[]).is_nan());
        assert_eq!(round(2.345_67, 2), 2.35);
    }
}
