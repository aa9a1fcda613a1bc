//! One measurement of micse, in a process of its own. `xtask/peers/matrix.py` does the same with other programs.

use std::path::PathBuf;
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use clap::{Args, ValueEnum};
use micse_cli::options::ComputeOptions;
use micse_cli::print;
use micse_data::Locator;
use micse_model::SentenceModel;
use serde_json::json;

use super::super::{Subject, median};

/// Measure one cell of the matrix (started by `bench encode --matrix`)
#[derive(Args)]
pub(in super::super) struct Part {
    #[command(flatten)]
    subject: Subject,
    /// What is timed
    #[arg(long, value_enum)]
    kind: Kind,
    /// Text file, one text per line
    #[arg(long)]
    texts: PathBuf,
    /// Maximum tokens per text
    #[arg(long)]
    limit: usize,
    /// Seconds to repeat a single text
    #[arg(long)]
    seconds: f64,
    #[command(flatten)]
    compute: ComputeOptions,
}

/// What is timed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Kind {
    /// The first text, again and again
    One,
    /// All texts, once
    Many,
    /// All texts, once, tokenized before
    Ids,
}

impl Kind {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::One => "one",
            Self::Many => "many",
            Self::Ids => "ids",
        }
    }
}

/// Untimed passes over a single text, and the fewest timed ones.
const WARM_UP: usize = 10;
const FEWEST: usize = 20;
/// Texts that are encoded before the timed pass over all.
const WARM_TEXTS: usize = 64;

impl Part {
    pub(in super::super) fn run(&self) -> Result<()> {
        let compute = self.compute.start()?;
        let model = self.subject.sentence_model(&Locator::from_env()?, &compute)?;
        let text = std::fs::read_to_string(&self.texts)
            .with_context(|| format!("cannot read {}", self.texts.display()))?;
        let texts: Vec<&str> = text.lines().collect();
        ensure!(!texts.is_empty(), "{} has no lines", self.texts.display());
        let encode = |texts: &[&str]| -> Result<Vec<Vec<f32>>> {
            Ok(model.encode_before_stage(&model.pipeline().tokenize(texts, self.limit)?)?)
        };
        let row = encode(&texts[..1])?.swap_remove(0);
        let mut report = match self.kind {
            Kind::One => latencies(self.seconds, || encode(&texts[..1]).map(|_| ()))?,
            Kind::Many => {
                encode(&texts[..texts.len().min(WARM_TEXTS)])?;
                let begun = Instant::now();
                encode(&texts)?;
                json!({ "seconds": begun.elapsed().as_secs_f64() })
            }
            Kind::Ids => json!({ "seconds": self.encoder_alone(&model, &texts)? }),
        };
        let counted = if self.kind == Kind::One { &texts[..1] } else { &texts[..] };
        let ids = model.pipeline().tokenize(counted, self.limit)?;
        report["tokens"] = ids.iter().map(Vec::len).sum::<usize>().into();
        report["row"] = row.into();
        print(&report.to_string())
    }

    /// Seconds of the encoder for texts that are already token IDs.
    fn encoder_alone(&self, model: &SentenceModel<'_>, texts: &[&str]) -> Result<f64> {
        let ids = model.pipeline().tokenize(texts, self.limit)?;
        model.encode_before_stage(&ids[..ids.len().min(WARM_TEXTS)])?;
        let begun = Instant::now();
        model.encode_before_stage(&ids)?;
        Ok(begun.elapsed().as_secs_f64())
    }
}

/// Median and 95th percentile of the milliseconds of `work`, repeated for some seconds.
fn latencies(seconds: f64, mut work: impl FnMut() -> Result<()>) -> Result<serde_json::Value> {
    for _ in 0..WARM_UP {
        work()?;
    }
    let (begun, mut times) = (Instant::now(), Vec::new());
    while times.len() < FEWEST || begun.elapsed().as_secs_f64() < seconds {
        let begun = Instant::now();
        work()?;
        times.push(1e3 * begun.elapsed().as_secs_f64());
    }
    times.sort_by(f64::total_cmp);
    Ok(json!({ "median_ms": median(&times), "p95_ms": times[(times.len() - 1) * 95 / 100] }))
}
