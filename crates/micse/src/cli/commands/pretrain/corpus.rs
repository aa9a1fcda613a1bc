//! The corpus that `--corpus` and `--license` name, or the default.

use std::path::PathBuf;

use anyhow::{Result, bail};

use crate::data::{Corpus, Locator};
use crate::train::pretrain::Source;

/// The default files under `MICSE_DATA` with their licences: all are open.
const DEFAULT: [(&str, &str); 11] = [
    ("wiki/enwiki_sentences_00.txt.zst", WIKIPEDIA),
    ("wiki/enwiki_sentences_01.txt.zst", WIKIPEDIA),
    ("wiki/enwiki_sentences_02.txt.zst", WIKIPEDIA),
    ("wiki/enwiki_sentences_03.txt.zst", WIKIPEDIA),
    ("wiki/enwiki_sentences_04.txt.zst", WIKIPEDIA),
    ("wiki/enwiki_sentences_05.txt.zst", WIKIPEDIA),
    ("wiki/wiki1m_head.txt", WIKIPEDIA),
    ("wiki/wikisplit_complex.txt.zst", "Wikipedia sentences of WikiSplit, CC BY-SA 4.0"),
    ("corpus/masc.txt.zst", "MASC, open: \"research and development, including commercial development\""),
    ("corpus/news_headlines_clickbait.txt.zst", "news and clickbait headlines, MIT"),
    ("corpus/tatoeba.txt.zst", "Tatoeba, CC BY 2.0 FR"),
];
const WIKIPEDIA: &str = "English Wikipedia, CC BY-SA 3.0";

/// The corpus, its sources, and a line for the user.
pub(super) fn open(
    files: &[String],
    licences: &[String],
    locator: &Locator,
) -> Result<(Corpus, Vec<Source>, String)> {
    if !files.is_empty() {
        if !licences.is_empty() && licences.len() != files.len() {
            bail!("{} --license for {} --corpus; pass one per file, in order", licences.len(), files.len());
        }
        let located = locator.corpus(files)?;
        let corpus = located.place.open()?;
        let sources = Source::of(&corpus, licences);
        return Ok((corpus, sources, located.note));
    }
    if !licences.is_empty() {
        bail!("--license requires --corpus: the licences of the default corpus are known");
    }
    let Some(data) = &locator.micse_data else {
        bail!(
            "no corpus; pass --corpus FILE.. (one sentence per line), set MICSE_DATA to a folder with wiki/ and \
             corpus/, or use the generated sentences with `--corpus demo`"
        );
    };
    let found: Vec<_> = DEFAULT.iter().filter(|(name, _)| data.join(name).is_file()).collect();
    if found.is_empty() {
        bail!(
            "{} contains none of the default files ({} and others); pass --corpus FILE..",
            data.display(),
            DEFAULT[0].0
        );
    }
    let paths: Vec<PathBuf> = found.iter().map(|(name, _)| data.join(name)).collect();
    let sources = found
        .iter()
        .map(|(name, licence)| Source { name: (*name).into(), licence: Some((*licence).into()) })
        .collect();
    let note = format!(
        "corpus: {} of {} default files in {} (MICSE_DATA)",
        found.len(),
        DEFAULT.len(),
        data.display()
    );
    Ok((Corpus::open(&paths)?, sources, note))
}
