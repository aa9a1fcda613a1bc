//! `micse encode`: writes embeddings of sentences to a file, or as lines to standard output.

use std::io::IsTerminal;
use std::path::PathBuf;

use crate::Model;
use crate::train::Stop;
use anyhow::{Result, bail};
use clap::Args;
use serde_json::json;

use crate::cli::embed::embed;
use crate::cli::output::sink;
use micse_cli::model::{ModelOptions, model_folder};
use micse_cli::output::check_differs;
use micse_cli::{note, print_json};

/// Write embeddings: one row or line per sentence
///
/// Sentences are read, encoded and written in chunks, so memory does not grow with the input.
#[derive(Args, Debug)]
#[command(after_help = "Example:\n  micse encode --model demo --input notes.txt --output notes.npy")]
pub(crate) struct Encode {
    /// Text file, one sentence per line, plain, zstd or gzip; blank lines are skipped [default: standard input]
    #[arg(long, value_name = "FILE")]
    input: Option<PathBuf>,
    /// FILE.npy (float32, one row per sentence), FILE.parquet or FILE.jsonl [default: JSON lines on standard output]
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Prompt of the model's folder to put before every sentence, such as `document` [default: the folder's default]
    #[arg(long, value_name = "NAME")]
    prompt_name: Option<String>,
    #[command(flatten)]
    model: ModelOptions,
}

impl Encode {
    pub(crate) fn run(&self, as_json: bool) -> Result<()> {
        let to_stdout = self.output.as_ref().is_none_or(|path| path.as_os_str() == "-");
        if to_stdout && as_json {
            bail!("--json reports on a written file; pass --output FILE, or omit --json to print JSON lines");
        }
        if let (Some(input), Some(output)) = (&self.input, &self.output) {
            check_differs(input, output)?;
        }
        let encoder = self.model()?;
        // Until here, a signal just ends the command: a download goes on with the next one.
        let stop = Stop::on_signals()?;
        if self.input.is_none() && std::io::stdin().is_terminal() {
            note("reading sentences from the terminal, one per line; press Ctrl-D to finish");
        }
        // An unknown extension fails before the first sentence, not after the last.
        let mut sink = sink(self.output.as_deref(), encoder.dimension())?;
        let write = &mut |sentences: &[String], rows: &[Vec<f32>]| sink.write(sentences, rows);
        let rows = embed(&encoder, self.input.as_deref(), &stop, write)?;
        sink.finish()?;
        let pooling = encoder.pooling();
        if as_json {
            return print_json(&json!({
                "output": self.output.as_ref().map(|path| path.display().to_string()),
                "rows": rows,
                "dimension": encoder.dimension(),
                "pooling": pooling.name(),
                "truncate_dim": encoder.truncate_dim(),
            }));
        }
        if let Some(output) = self.output.as_ref().filter(|_| !to_stdout) {
            note(format_args!(
                "wrote {rows} rows of dimension {} ({pooling} pooling) to {}",
                encoder.dimension(),
                output.display()
            ));
        }
        Ok(())
    }

    fn model(&self) -> Result<Model> {
        let Some(name) = &self.prompt_name else { return self.model.start() };
        let folder = model_folder(&self.model.model)?;
        let prompts = Model::prompts(&folder)?;
        let Some(prompt) = prompts.get(name) else {
            let known: Vec<&str> = prompts.keys().map(String::as_str).collect();
            bail!(
                "--prompt-name {name}: the model has no prompt of this name; choose from {}",
                known.join(", ")
            );
        };
        Ok(self.model.start()?.with_prompt(prompt, &folder)?)
    }
}
