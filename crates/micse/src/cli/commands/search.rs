//! `micse search`: the nearest sentences of a corpus.

use std::collections::{BTreeMap, BTreeSet};
use std::iter;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use crate::Model;
use crate::search::{Hit, Index, Npy};
use crate::train::Stop;
use anyhow::{Context, Result, bail};
use clap::Args;
use comfy_table::{CellAlignment, Table, presets};
use serde::Serialize;

use super::cut;
use crate::cli::cache::{Cache, check_of_same_model, note_path};
use crate::cli::embed::{check_rereadable, embed_into_index, reader, sentences_at, unless_stopped};
use micse_cli::model::{ModelOptions, model_folder};
use micse_cli::output::check_differs;
use micse_cli::{Interrupted, note, notice, print, print_json};

/// Find the nearest sentences of a corpus, exactly, by cosine
///
/// The corpus is a text file, or embeddings that micse encode wrote to a .npy file. A text file is encoded first; --save
/// keeps its embeddings for the next search. Every row is compared, on all cores; equal cosines are ordered by row.
#[derive(Args, Debug)]
#[command(
    after_help = "Example:\n  micse search --model demo --corpus notes.txt --save notes.npy --query \"broken pump\" --top 5"
)]
pub(crate) struct Search {
    /// Text file, one sentence per line, plain, zstd or gzip; or a .npy file of embeddings by the same model
    #[arg(long, value_name = "FILE")]
    corpus: PathBuf,
    /// Save the corpus embeddings; a later search with the same corpus and model reuses them
    #[arg(long, value_name = "FILE.npy")]
    save: Option<PathBuf>,
    /// With a .npy corpus: the text file it was encoded from, to show sentences next to row numbers
    #[arg(long, value_name = "FILE")]
    sentences: Option<PathBuf>,
    /// Query (repeatable)
    #[arg(long, value_name = "SENTENCE", required_unless_present = "queries")]
    query: Vec<String>,
    /// Text file, one query per line, plain, zstd or gzip; - is standard input
    #[arg(long, value_name = "FILE", conflicts_with = "query")]
    queries: Option<PathBuf>,
    /// Neighbours per query
    #[arg(long, value_name = "K", default_value = "10")]
    top: NonZeroUsize,
    #[command(flatten)]
    model: ModelOptions,
}

/// A query and its neighbours.
#[derive(Serialize)]
struct Answer {
    query: String,
    hits: Vec<Found>,
}

#[derive(Serialize)]
struct Found {
    /// Counted from 0.
    row: usize,
    cosine: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    sentence: Option<String>,
}

impl Search {
    pub(crate) fn run(&self, as_json: bool) -> Result<()> {
        let encoded = self.corpus.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("npy"));
        match (encoded, &self.save, &self.sentences) {
            (true, Some(_), _) => {
                bail!(
                    "--save requires a text corpus, but {} is already encoded; remove --save",
                    self.corpus.display()
                )
            }
            (false, _, Some(_)) => {
                bail!(
                    "--sentences requires a .npy corpus; remove it, because a text corpus has its own sentences"
                )
            }
            (false, ..) => check_rereadable(&self.corpus)?,
            (true, ..) => {}
        }
        if let Some(save) = self.save.as_ref().filter(|path| path.extension().is_none_or(|e| e != "npy")) {
            bail!("--save {}: embeddings are saved in NumPy format; use the extension .npy", save.display());
        }
        if let Some(save) = &self.save {
            for input in iter::once(&self.corpus).chain(&self.queries) {
                check_differs(input, save)?;
                check_differs(input, &note_path(save))?;
            }
        }
        let folder = model_folder(&self.model.model)?;
        let [query_prompt, document_prompt] = prompts(&folder)?;
        let model = self.model.start()?.with_prompt(&document_prompt, &folder)?;
        // Until here, a signal just ends the command: a download goes on with the next one.
        let stop = Stop::on_signals()?;
        let queries = self.queries(&stop)?;
        let index = if encoded {
            check_of_same_model(&self.corpus, &folder, &model)?;
            Index::new(Npy::open(&self.corpus)?)?
        } else {
            self.index(&model, &folder, &stop)?
        };
        let model = model.with_prompt(&query_prompt, &folder)?;
        let mut hits = Vec::with_capacity(queries.len());
        // In chunks, so that the embeddings of all queries are never in memory at once.
        for chunk in queries.chunks(256) {
            if stop.requested() {
                return Err(Interrupted(format!(
                    "stopped after {} of {} queries",
                    hits.len(),
                    queries.len()
                ))
                .into());
            }
            hits.extend(index.search(&model.encode(chunk)?, self.top.get())?);
        }
        let text = if encoded { self.sentences.as_deref() } else { Some(self.corpus.as_path()) };
        let sentences = found_sentences(&hits, text, index.len(), &stop)?;
        let answers: Vec<Answer> = queries
            .into_iter()
            .zip(hits)
            .map(|(query, hits)| {
                let sentence = |row| sentences.get(&row).cloned();
                let found = |Hit { row, cosine }| Found { row, cosine, sentence: sentence(row) };
                Answer { query, hits: hits.into_iter().map(found).collect() }
            })
            .collect();
        if as_json {
            return print_json(&answers);
        }
        print(&answers.iter().map(Answer::table).collect::<Vec<_>>().join("\n\n"))
    }

    fn queries(&self, stop: &Stop) -> Result<Vec<String>> {
        let Some(path) = &self.queries else {
            if self.query.iter().any(|query| query.trim().is_empty()) {
                bail!("--query is empty; pass a sentence");
            }
            return Ok(self.query.clone());
        };
        let mut reader = reader(Some(path), stop)?;
        let mut queries = Vec::new();
        while let Some(query) = unless_stopped(reader.sentence(), stop)? {
            queries.push(query.to_owned());
        }
        if queries.is_empty() {
            bail!("{}: no queries; write one per line", path.display());
        }
        Ok(queries)
    }

    /// The corpus embeddings: the saved ones if they match this corpus and model, else new ones.
    fn index(&self, model: &Model, folder: &Path, stop: &Stop) -> Result<Index> {
        let Some(save) = &self.save else { return embed_into_index(model, &self.corpus, None, stop) };
        let cache = Cache::new(save, &self.corpus, folder, model, &self.model.how.compute)?;
        if cache.stands()? {
            note(format_args!("{}: reusing the embeddings of this corpus by this model", save.display()));
            return Ok(Index::new(Npy::open(save)?)?);
        }
        let index = embed_into_index(model, &self.corpus, Some(save), stop)?;
        cache.keep().with_context(|| format!("cannot write next to {}", save.display()))?;
        note(format_args!("wrote {} rows to {}", index.len(), save.display()));
        Ok(index)
    }
}

/// The texts before every query and before every sentence of the corpus, chosen as in sentence-transformers.
fn prompts(folder: &Path) -> Result<[String; 2]> {
    let prompts = Model::prompts(folder)?;
    let named = |name: &str| prompts.get(name).cloned().unwrap_or_default();
    let chosen = [named("query"), named("document")];
    if chosen.iter().any(|prompt| !prompt.is_empty()) {
        note(format_args!(
            "prompts of the model: {:?} before queries, {:?} before sentences",
            chosen[0], chosen[1]
        ));
    }
    for other in ["passage", "corpus"] {
        if chosen[1].is_empty() && !named(other).is_empty() {
            notice(format_args!(
                "the model's prompt `{other}` is not used, as in sentence-transformers: encode the corpus with `micse \
                 encode --prompt-name {other}`, and search the .npy file"
            ));
        }
    }
    Ok(chosen)
}

/// The sentences of all hits, by row; none without a text file.
fn found_sentences(
    hits: &[Vec<Hit>],
    text: Option<&Path>,
    count: usize,
    stop: &Stop,
) -> Result<BTreeMap<usize, String>> {
    let rows: BTreeSet<usize> = hits.iter().flatten().map(|hit| hit.row).collect();
    text.map_or_else(|| Ok(BTreeMap::new()), |text| sentences_at(text, &rows, count, stop))
}

impl Answer {
    fn table(&self) -> String {
        let mut table = Table::new();
        table.load_preset(presets::NOTHING);
        for hit in &self.hits {
            let sentence = hit.sentence.as_deref().map_or_else(String::new, |s| cut(s, 120));
            table.add_row([format!("{:.4}", hit.cosine), hit.row.to_string(), sentence]);
        }
        for column in table.column_iter_mut().take(2) {
            column.set_cell_alignment(CellAlignment::Right);
        }
        format!("{}\n{}", self.query, table.trim_fmt())
    }
}
