//! `micse encode`: sentences to embeddings, in a file or as lines.

use std::io::IsTerminal;
use std::path::PathBuf;

use anyhow::{Result, bail};
use clap::Args;
use micse::train::Stop;
use serde_json::json;

use super::print_json;
use crate::embed::embed;
use crate::model::ModelOptions;
use crate::output::sink;

/// Turn a text into embeddings: one row or line for each sentence
///
/// Sentences are read, encoded and written some at a time, so that memory does not grow with the text.
#[derive(Args)]
#[command(after_help = "Example:\n  micse encode --model demo --input notes.txt --output notes.npy")]
pub(crate) struct Encode {
    #[command(flatten)]
    model: ModelOptions,
    /// A text file, one sentence a line, plain, zstd or gzip; blank lines have no row [default: standard input]
    #[arg(long, value_name = "FILE")]
    input: Option<PathBuf>,
    /// FILE.npy (float32, one row a sentence), FILE.parquet or FILE.jsonl [default: JSON lines on standard output]
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
}

impl Encode {
    pub(crate) fn run(&self, as_json: bool) -> Result<()> {
        let to_stdout = self.output.as_ref().is_none_or(|path| path.as_os_str() == "-");
        if to_stdout && as_json {
            bail!(
                "--json tells of a file that was written; give --output FILE, or leave --json out for JSON lines"
            );
        }
        let stop = Stop::on_signals()?;
        let encoder = self.model.start()?;
        if self.input.is_none() && std::io::stdin().is_terminal() {
            eprintln!("reading sentences from the terminal, one a line; Ctrl-D ends");
        }
        // Refused before the first sentence, not after the last.
        let mut sink = sink(self.output.as_deref(), encoder.dimension())?;
        let write = &mut |sentences: &[String], rows: &[Vec<f32>]| sink.write(sentences, rows);
        let rows = embed(&encoder, self.input.as_deref(), &stop, write)?;
        sink.finish()?;
        let pooling = encoder.pooling();
        if as_json {
            return print_json(&json!({
                "output": self.output,
                "rows": rows,
                "dimension": encoder.dimension(),
                "pooling": pooling.name(),
            }));
        }
        if let Some(output) = self.output.as_ref().filter(|_| !to_stdout) {
            eprintln!("{rows} rows of {} ({pooling} pooling) in {}", encoder.dimension(), output.display());
        }
        Ok(())
    }
}
