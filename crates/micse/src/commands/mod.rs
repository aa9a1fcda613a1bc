//! The commands, one file each.

mod compare;
mod data;
mod encode;
mod export;
mod inspect;
mod search;
mod shell;
mod similarity;
mod train;

use anyhow::Result;
use clap::{CommandFactory, Subcommand};
use serde::Serialize;

#[derive(Subcommand)]
pub(crate) enum Command {
    Train(Box<train::Train>),
    Encode(encode::Encode),
    Similarity(similarity::Similarity),
    Search(search::Search),
    Compare(compare::Compare),
    Inspect(inspect::Inspect),
    Export(export::Export),
    Data(data::Data),
    Completions(shell::Completions),
    Man(shell::Man),
}

impl Command {
    /// Runs it. With `json` the result is one JSON document on standard output; `C` is the command line that
    /// completions and manuals describe.
    pub(crate) fn run<C: CommandFactory>(&self, json: bool) -> Result<()> {
        match self {
            Self::Train(train) => train.run(json),
            Self::Encode(encode) => encode.run(json),
            Self::Similarity(similarity) => similarity.run(json),
            Self::Search(search) => search.run(json),
            Self::Compare(compare) => compare.run(json),
            Self::Inspect(inspect) => inspect.run(json),
            Self::Export(export) => export.run(json),
            Self::Data(data) => data.run(json),
            Self::Completions(completions) => completions.run(C::command()),
            Self::Man(man) => man.run(C::command()),
        }
    }
}

/// Writes to standard output; a reader that went away is no panic.
fn print(text: &str) -> Result<()> {
    use std::io::Write;
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes())?;
    if !text.ends_with('\n') {
        out.write_all(b"\n")?;
    }
    Ok(out.flush()?)
}

/// A result for scripts.
fn print_json(value: &impl Serialize) -> Result<()> {
    print(&serde_json::to_string_pretty(value)?)
}

/// `a.b / (|a| |b|)` with sums in f64; 0 for a zero vector.
fn cosine(a: &[f32], b: &[f32]) -> f64 {
    let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(&a, &b)| f64::from(a) * f64::from(b)).sum::<f64>();
    let norms = (dot(a, a) * dot(b, b)).sqrt();
    if norms > 0.0 { dot(a, b) / norms } else { 0.0 }
}

/// A sentence cut to so many characters, for tables.
fn cut(sentence: &str, characters: usize) -> String {
    if sentence.chars().count() <= characters {
        return sentence.to_owned();
    }
    let begin: String = sentence.chars().take(characters - 1).collect();
    format!("{}…", begin.trim_end())
}

/// An argument as a shell takes it.
fn quoted(argument: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+=:,@%".contains(c);
    if !argument.is_empty() && argument.chars().all(plain) {
        argument.to_owned()
    } else {
        format!("'{}'", argument.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_are_quoted_for_a_shell() {
        assert_eq!(quoted("runs/one.d"), "runs/one.d");
        assert_eq!(quoted("it's a run"), r"'it'\''s a run'");
        assert_eq!(quoted(""), "''");
    }

    #[test]
    fn sentences_are_cut_by_characters() {
        assert_eq!(cut("déjà vu", 7), "déjà vu");
        assert_eq!(cut("déjà vu encore", 6), "déjà…");
    }
}
