//! Writes embeddings to a file that is complete or absent, or as lines to standard output. Memory does not grow with
//! the number of rows.

use std::fs::File;
use std::io::{BufWriter, ErrorKind, Write};
use std::path::Path;

use crate::files::WholeFile;
use crate::search::NpyWriter;
use anyhow::{Context, Result, bail};
use micse_cli::OutputClosed;
use serde::Serialize;

/// Consumes sentences with their rows, chunk by chunk.
pub(crate) trait Sink {
    /// Adds rows.
    fn write(&mut self, sentences: &[String], rows: &[Vec<f32>]) -> Result<()>;

    /// Completes the file and gives it its name.
    fn finish(self: Box<Self>) -> Result<()>;
}

/// The sink for a file, by its extension; without a file, or with `-`, JSON lines on standard output.
pub(crate) fn sink(path: Option<&Path>, dimension: usize) -> Result<Box<dyn Sink>> {
    let Some(path) = path.filter(|path| *path != Path::new("-")) else {
        return Ok(Box::new(JsonLines { out: BufWriter::new(std::io::stdout()), file: None }));
    };
    let extension = path.extension().map(|e| e.to_string_lossy().to_lowercase()).unwrap_or_default();
    match extension.as_str() {
        "npy" => Ok(Box::new(NpyFile::create(path, dimension)?)),
        "jsonl" => {
            let file = WholeFile::create(path)?;
            let out = BufWriter::new(file.handle()?);
            Ok(Box::new(JsonLines { out, file: Some(file) }))
        }
        #[cfg(feature = "parquet")]
        "parquet" => Ok(Box::new(crate::cli::parquet::ParquetFile::create(path)?)),
        _ => bail!("{}: unknown extension; use {}", path.display(), extensions()),
    }
}

fn extensions() -> &'static str {
    if cfg!(feature = "parquet") {
        ".npy, .jsonl or .parquet"
    } else {
        ".npy or .jsonl (this program was built without the feature `parquet`)"
    }
}

/// The context of a failed write.
pub(crate) fn failed(file: &WholeFile) -> String {
    format!("cannot write {}", file.path().display())
}

/// A NumPy file.
pub(crate) struct NpyFile {
    writer: NpyWriter<BufWriter<File>>,
    file: WholeFile,
}

impl NpyFile {
    pub(crate) fn create(path: &Path, dimension: usize) -> Result<Self> {
        let file = WholeFile::create(path)?;
        let writer = NpyWriter::new(BufWriter::new(file.handle()?), dimension);
        Ok(Self { writer: writer.with_context(|| failed(&file))?, file })
    }
}

impl Sink for NpyFile {
    fn write(&mut self, _: &[String], rows: &[Vec<f32>]) -> Result<()> {
        rows.iter().try_for_each(|row| self.writer.push(row)).with_context(|| failed(&self.file))
    }

    fn finish(self: Box<Self>) -> Result<()> {
        let Self { writer, file } = *self;
        // This flushes the buffer too.
        writer.finish().with_context(|| failed(&file))?;
        Ok(file.publish()?)
    }
}

/// One JSON object per line.
struct JsonLines<W: Write> {
    out: BufWriter<W>,
    file: Option<WholeFile>,
}

#[derive(Serialize)]
struct Line<'a> {
    sentence: &'a str,
    embedding: &'a [f32],
}

impl<W: Write> JsonLines<W> {
    /// The error of a failed write.
    fn failed(&self, error: std::io::Error) -> anyhow::Error {
        match &self.file {
            Some(file) => anyhow::Error::from(error).context(failed(file)),
            None if error.kind() == ErrorKind::BrokenPipe => OutputClosed.into(),
            None => anyhow::Error::from(error).context("cannot write to standard output"),
        }
    }
}

impl<W: Write> Sink for JsonLines<W> {
    fn write(&mut self, sentences: &[String], rows: &[Vec<f32>]) -> Result<()> {
        for (sentence, embedding) in sentences.iter().zip(rows) {
            serde_json::to_writer(&mut self.out, &Line { sentence, embedding })
                .map_err(std::io::Error::from)
                .and_then(|()| self.out.write_all(b"\n"))
                .map_err(|e| self.failed(e))?;
        }
        Ok(())
    }

    fn finish(mut self: Box<Self>) -> Result<()> {
        self.out.flush().map_err(|e| self.failed(e))?;
        Ok(self.file.map_or(Ok(()), WholeFile::publish)?)
    }
}
