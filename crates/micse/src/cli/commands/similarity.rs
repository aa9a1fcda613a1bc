//! `micse similarity`: cosines of sentence pairs.

use std::fmt::Write;
use std::path::PathBuf;

use crate::Model;
use crate::data::PairFile;
use crate::eval::spearman;
use anyhow::{Result, bail};
use clap::Args;
use serde::Serialize;

use super::cosine;
use micse_cli::model::ModelOptions;
use micse_cli::progress::Progress;
use micse_cli::{print, print_json};

/// Print the cosine of two sentences' embeddings, from -1 to 1
///
/// With --pairs: one line per pair, and Spearman's correlation with the scores if the file has them.
#[derive(Args, Debug)]
#[command(after_help = "Example:\n  micse similarity --model demo \"A dog runs.\" \"A puppy is running.\"")]
pub(crate) struct Similarity {
    /// Two sentences
    #[arg(num_args = 2, value_names = ["SENTENCE", "SENTENCE"], required_unless_present = "pairs")]
    sentences: Vec<String>,
    /// Pairs instead of two sentences: sentence TAB sentence [TAB score] per line
    #[arg(long, value_name = "FILE.tsv", conflicts_with = "sentences")]
    pairs: Option<PathBuf>,
    #[command(flatten)]
    model: ModelOptions,
}

/// Pairs encoded at a time.
const CHUNK: usize = 512;

/// A pair with its cosine, and its score if there is one.
#[derive(Serialize)]
struct Scored<'a> {
    first: &'a str,
    second: &'a str,
    cosine: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    score: Option<f64>,
}

#[derive(Serialize)]
struct Report<'a> {
    pairs: Vec<Scored<'a>>,
    /// Times 100; `None` without scores, or if it is not defined.
    #[serde(skip_serializing_if = "Option::is_none")]
    spearman: Option<f64>,
}

impl Similarity {
    pub(crate) fn run(&self, as_json: bool) -> Result<()> {
        let (pairs, scores) = match (&self.pairs, &self.sentences[..]) {
            (Some(path), _) => {
                let file = PairFile::open(path)?;
                (file.pairs, file.scores)
            }
            (None, sentences) if sentences.iter().any(|sentence| sentence.trim().is_empty()) => {
                bail!("a sentence is empty; pass two sentences")
            }
            (None, [first, second]) => (vec![[first.clone(), second.clone()]], None),
            _ => bail!("pass two sentences, or --pairs FILE.tsv"),
        };
        let cosines = cosines(&self.model.start()?, &pairs)?;
        let correlation = scores.as_ref().map(|scores| 100.0 * spearman(&cosines, scores));
        let score = |i: usize| scores.as_ref().map(|scores| scores[i]);
        let scored = pairs.iter().zip(&cosines).enumerate().map(|(i, ([first, second], &cosine))| Scored {
            first,
            second,
            cosine,
            score: score(i),
        });
        let report = Report { pairs: scored.collect(), spearman: correlation.filter(|c| c.is_finite()) };
        if as_json {
            return print_json(&report);
        }
        if self.pairs.is_none() {
            return print(&format!("{:.4}", cosines[0]));
        }
        let mut text = String::new();
        for pair in &report.pairs {
            // Writing into a String cannot fail.
            let _ = write!(text, "{:.4}", pair.cosine);
            if let Some(score) = pair.score {
                let _ = write!(text, "\t{score}");
            }
            let _ = writeln!(text, "\t{}\t{}", pair.first, pair.second);
        }
        if let Some(correlation) = correlation {
            let shown = if correlation.is_finite() {
                format!("{correlation:.2}")
            } else {
                "not defined: all cosines, or all scores, are equal".into()
            };
            let _ = writeln!(text, "Spearman x 100 over {} pairs: {shown}", pairs.len());
        }
        print(&text)
    }
}

/// The cosine of each pair; 0 if one of its embeddings is zero.
fn cosines(model: &Model, pairs: &[[String; 2]]) -> Result<Vec<f64>> {
    let mut progress = Progress::new(Some(pairs.len() as u64), "pairs");
    let mut cosines = Vec::with_capacity(pairs.len());
    for chunk in pairs.chunks(CHUNK) {
        let rows = model.encode(&chunk.concat())?;
        cosines.extend(rows.chunks_exact(2).map(|pair| cosine(&pair[0], &pair[1])));
        progress.set(cosines.len() as u64, cosines.len() as u64, "");
    }
    Ok(cosines)
}
