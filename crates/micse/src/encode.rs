//! `micse encode`: sentences to embeddings, as a NumPy file.

use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use micse::data::{Corpus, Locator};
use micse::model::options::ComputeOptions;
use micse::model::{ModelFolder, Pooling, SentenceEncoder, files::write_whole};

/// Turn a text file into embeddings: one row of the .npy file for each sentence
#[derive(Args)]
pub(crate) struct Encode {
    /// A model folder, or `demo` for the shipped encoder
    #[arg(long)]
    model: String,
    /// A text file, one sentence a line, plain or zstd; blank lines have no row
    #[arg(long)]
    input: PathBuf,
    /// The file to write: float32, one row a sentence
    #[arg(long)]
    output: PathBuf,
    /// cls, mean, first-last-avg, emb-last-avg or top2-avg [default: the folder's own]
    #[arg(long)]
    pooling: Option<Pooling>,
    #[command(flatten)]
    compute: ComputeOptions,
}

/// Sentences between two moves of the bar.
const CHUNK: usize = 1024;

impl Encode {
    pub(crate) fn run(&self) -> Result<()> {
        let compute = self.compute.start()?;
        let model = Locator::from_env()?.model(Some(&self.model))?;
        let folder = ModelFolder::open(&model.place)?;
        let pooling = self
            .pooling
            .or(folder.pooling()?)
            .context("the folder has no 1_Pooling/config.json; say --pooling cls or --pooling mean")?;
        let encoder = SentenceEncoder::load(&folder, pooling, &compute)?;
        let corpus = Corpus::open(std::slice::from_ref(&self.input))?;
        let sentences: Vec<&str> = corpus.iter().collect();
        let bar = ProgressBar::new(sentences.len() as u64).with_style(ProgressStyle::with_template(
            "{bar:30} {pos}/{len} sentences, {per_sec}, {eta} left",
        )?);
        let mut bytes = npy_header(sentences.len(), encoder.dimension());
        for chunk in sentences.chunks(CHUNK) {
            for row in encoder.encode(chunk)? {
                bytes.extend(row.iter().flat_map(|value| value.to_le_bytes()));
            }
            bar.inc(chunk.len() as u64);
        }
        bar.finish_and_clear();
        write_whole(&self.output, &bytes)?;
        eprintln!("{} rows ({pooling} pooling) in {}", sentences.len(), self.output.display());
        Ok(())
    }
}

/// The header of a NumPy file, format 1.0, of little-endian f32 in C order; padded to a multiple of 64 bytes.
fn npy_header(rows: usize, columns: usize) -> Vec<u8> {
    let mut text = format!("{{'descr': '<f4', 'fortran_order': False, 'shape': ({rows}, {columns}), }}");
    // Magic, version and length take 10 bytes, the final line feed one.
    let padding = (64 - (10 + text.len() + 1) % 64) % 64;
    text.extend(std::iter::repeat_n(' ', padding));
    text.push('\n');
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend((text.len() as u16).to_le_bytes());
    bytes.extend(text.as_bytes());
    bytes
}
