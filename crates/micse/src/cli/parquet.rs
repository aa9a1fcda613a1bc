//! Writes embeddings as Parquet: columns `sentence` (text) and `embedding` (a list of f32), one row group per chunk.

use std::fs::File;
use std::path::Path;

use anyhow::{Context, Result};
use polars::io::parquet::write::BatchedWriter;
use polars::prelude::{
    Column, DataFrame, DataType, Field, Float32Type, IntoSeries, ListBuilderTrait,
    ListPrimitiveChunkedBuilder, ParquetCompression, ParquetWriter, Schema,
};

use crate::cli::output::{Sink, failed};
use crate::files::WholeFile;

const SENTENCE: &str = "sentence";
const EMBEDDING: &str = "embedding";

pub(crate) struct ParquetFile {
    writer: BatchedWriter<File>,
    file: WholeFile,
}

impl ParquetFile {
    pub(crate) fn create(path: &Path) -> Result<Self> {
        let file = WholeFile::create(path)?;
        let schema = Schema::from_iter([
            Field::new(SENTENCE.into(), DataType::String),
            Field::new(EMBEDDING.into(), DataType::List(Box::new(DataType::Float32))),
        ]);
        // Embeddings do not compress, and the encoder uses all cores.
        let writer = ParquetWriter::new(file.handle()?)
            .with_compression(ParquetCompression::Uncompressed)
            .set_parallel(false)
            .batched(&schema)
            .with_context(|| failed(&file))?;
        Ok(Self { writer, file })
    }
}

impl Sink for ParquetFile {
    fn write(&mut self, sentences: &[String], rows: &[Vec<f32>]) -> Result<()> {
        let entries = rows.iter().map(Vec::len).sum();
        let mut embeddings = ListPrimitiveChunkedBuilder::<Float32Type>::new(
            EMBEDDING.into(),
            rows.len(),
            entries,
            DataType::Float32,
        );
        for row in rows {
            embeddings.append_slice(row);
        }
        let columns = vec![
            Column::new(SENTENCE.into(), sentences.iter().map(String::as_str).collect::<Vec<_>>()),
            embeddings.finish().into_series().into(),
        ];
        let frame = DataFrame::new(rows.len(), columns).with_context(|| failed(&self.file))?;
        self.writer.write_batch(&frame).with_context(|| failed(&self.file))
    }

    fn finish(self: Box<Self>) -> Result<()> {
        self.writer.finish().with_context(|| failed(&self.file))?;
        Ok(self.file.publish()?)
    }
}
