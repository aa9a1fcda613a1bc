//! Encodes text files in chunks, with progress. Neither all sentences nor all rows are ever in memory.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufWriter, Seek};
use std::path::Path;

use crate::Model;
use crate::data::{Error as DataError, SentenceReader};
use crate::model::Error as ModelError;
use crate::search::{Index, Npy, NpyWriter};
use crate::train::Stop;
use anyhow::{Context, Result, bail};

use crate::cli::output::{NpyFile, Sink};
use micse_cli::progress::Progress;
use micse_cli::{Interrupted, notice};

/// Consumes the sentences of a chunk and their rows.
pub(crate) type Each<'a> = dyn FnMut(&[String], &[Vec<f32>]) -> Result<()> + 'a;

/// Opens a text file; without one, or with `-`, standard input. `stop` interrupts the wait for a stream.
pub(crate) fn reader(text: Option<&Path>, stop: &Stop) -> Result<SentenceReader> {
    let reader = match text.filter(|path| *path != Path::new("-")) {
        Some(path) => SentenceReader::open_until(path, stop.flag()),
        None => SentenceReader::standard_input(stop.flag()),
    };
    unless_stopped(reader, stop)
}

/// What was read. If a stop was requested, that is why reading failed.
pub(crate) fn unless_stopped<T>(read: Result<T, DataError>, stop: &Stop) -> Result<T> {
    read.map_err(|error| {
        if stop.requested() {
            return Interrupted("stopped while reading the input".into()).into();
        }
        error.into()
    })
}

/// Encodes a text and passes each chunk of sentences and rows to `each`. Returns the number of rows.
///
/// A text without sentences is an error.
pub(crate) fn embed(model: &Model, text: Option<&Path>, stop: &Stop, each: &mut Each<'_>) -> Result<usize> {
    let mut reader = reader(text, stop)?;
    let mut progress = Progress::new(reader.bytes().0, "sentences");
    let mut count = 0;
    loop {
        let sentences = unless_stopped(reader.chunk(), stop)?;
        if sentences.is_empty() {
            break;
        }
        let watched = model.encode_watched(&sentences, &|_| !stop.requested());
        let rows = match watched {
            Err(ModelError::Stopped) => return Err(stopped(count)),
            rows => rows?,
        };
        each(&sentences, &rows)?;
        count += rows.len();
        progress.set(reader.bytes().1, count as u64, "");
        if stop.requested() {
            return Err(stopped(count));
        }
    }
    drop(progress);
    let blank_lines = reader.blank_lines();
    if count == 0 {
        let sources = text.map_or_else(|| "standard input".into(), |path| path.display().to_string());
        return Err(DataError::EmptyCorpus { sources, blank_lines }.into());
    }
    if blank_lines > 0 {
        notice(format_args!("skipped {blank_lines} blank lines"));
    }
    Ok(count)
}

fn stopped(count: usize) -> anyhow::Error {
    Interrupted(format!("stopped after {count} sentences; no file was written")).into()
}

/// Encodes a text into the NumPy file `save`, or into an unnamed temporary file.
pub(crate) fn embed_into_index(
    model: &Model,
    text: &Path,
    save: Option<&Path>,
    stop: &Stop,
) -> Result<Index> {
    if let Some(path) = save {
        let mut file = Box::new(NpyFile::create(path, model.dimension())?);
        embed(model, Some(text), stop, &mut |sentences, rows| file.write(sentences, rows))?;
        file.finish()?;
        return Ok(Index::new(Npy::open(path)?)?);
    }
    let failed = || format!("cannot write embeddings into {}", std::env::temp_dir().display());
    let file = tempfile::tempfile().with_context(failed)?;
    let mut writer = NpyWriter::new(BufWriter::new(file), model.dimension()).with_context(failed)?;
    embed(model, Some(text), stop, &mut |_, rows| {
        rows.iter().try_for_each(|row| writer.push(row)).with_context(failed)
    })?;
    let buffer = writer.finish().with_context(failed)?;
    let mut file = buffer.into_inner().map_err(std::io::IntoInnerError::into_error).with_context(failed)?;
    file.rewind().with_context(failed)?;
    Ok(Index::new(Npy::from_file(file, text)?)?)
}

/// Rejects a text that can be read only once.
pub(crate) fn check_rereadable(text: &Path) -> Result<()> {
    // What does not exist is reported where it is opened.
    let readable_once = text == Path::new("-")
        || std::fs::metadata(text).is_ok_and(|facts| !facts.is_file() && !facts.is_dir());
    if readable_once {
        bail!(
            "{}: must be a file, not a stream, because it is read twice; write it to a file first",
            text.display()
        );
    }
    Ok(())
}

/// The sentences at these rows of a text, which was encoded into `count` rows.
pub(crate) fn sentences_at(
    text: &Path,
    rows: &BTreeSet<usize>,
    count: usize,
    stop: &Stop,
) -> Result<BTreeMap<usize, String>> {
    let mut reader = reader(Some(text), stop)?;
    let (mut found, mut row) = (BTreeMap::new(), 0);
    while let Some(sentence) = unless_stopped(reader.sentence(), stop)? {
        if rows.contains(&row) {
            found.insert(row, sentence.to_owned());
        }
        row += 1;
    }
    if row != count {
        bail!(
            "{} has {row} sentences, but {count} were encoded; pass the text file that was encoded",
            text.display()
        );
    }
    Ok(found)
}
