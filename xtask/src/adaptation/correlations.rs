//! `cargo xtask adaptation correlations`: which measures of the judge predict the true scores.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use anyhow::{Result, ensure};
use clap::Args;
use comfy_table::{CellAlignment, Table, presets};
use micse_eval::judge::Change;
use micse_eval::spearman;
use micse_random::Stream;
use micse_stats::Resampling;

use super::lines;
use super::study::Line;
use super::truth::Truth;

/// Print how well each measure without labels predicts the scores on labels
///
/// Spearman's correlation over models between the change of a measure and the change of a true score, with the 95 %
/// interval of the bootstrap over trained models.
#[derive(Args)]
pub(super) struct Correlations {
    /// Outputs of `adaptation study`
    #[arg(value_name = "FILE.jsonl", required = true)]
    files: Vec<PathBuf>,
}

const RESAMPLES: usize = 1000;

/// A measure of the judge.
type Measure = (&'static str, fn(&Change) -> Option<f64>);
/// A true score.
type Score = (&'static str, fn(&Truth) -> f64);

const MEASURES: [Measure; 8] = [
    ("half-sentence search", |c| Some(c.halves?.change())),
    ("search by noisy copies", |c| Some(c.noise?.change())),
    ("search for the next sentence", |c| Some(c.order?.change())),
    ("uniformity", |c| Some(c.uniformity[1] - c.uniformity[0])),
    ("alignment", |c| Some(c.alignment[1] - c.alignment[0])),
    ("neighbours kept", |c| Some(c.kept_neighbours)),
    ("order of cosines kept", |c| Some(c.kept_order)),
    ("change of cosines", |c| Some(c.cosine_change)),
];

const SCORES: [Score; 4] = [
    ("similarity", |t| t.similarity),
    ("search", |t| t.search),
    ("paraphrases", |t| t.paraphrases),
    ("grouping", |t| t.grouping),
];

impl Correlations {
    pub(super) fn run(&self) -> Result<()> {
        // Models of different files are different models.
        let mut models: BTreeMap<(usize, u64), Vec<Line>> = BTreeMap::new();
        for (file, path) in self.files.iter().enumerate() {
            for line in lines::read::<Line>(path)? {
                models.entry((file, line.number)).or_default().push(line);
            }
        }
        ensure!(!models.is_empty(), "no models in these files");
        let models: Vec<Vec<Line>> = models.into_values().collect();
        let encoders: BTreeSet<&str> =
            models.iter().map(|lines| lines[0].settings.encoder.as_str()).collect();
        self::print(&models, "all encoders", |_| true)?;
        for encoder in encoders {
            self::print(&models, encoder, |line| line.settings.encoder == encoder)?;
        }
        Ok(())
    }
}

/// Prints the table of the models that are kept.
fn print(models: &[Vec<Line>], name: &str, keep: impl Fn(&Line) -> bool) -> Result<()> {
    let models: Vec<&[Line]> = models.iter().filter(|lines| keep(&lines[0])).map(Vec::as_slice).collect();
    let mut table = Table::new();
    table.load_preset(presets::ASCII_MARKDOWN);
    table.set_header([&["measure"][..], &SCORES.map(|(name, _)| name)].concat());
    for (measure, of) in MEASURES {
        let cells = SCORES.map(|(_, score)| cell(&models, of, score));
        table.add_row([&[measure.to_owned()][..], &cells].concat());
    }
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    let averages: usize = models.iter().map(|lines| lines.len()).sum();
    micse_cli::print(&format!(
        "{name}: {} trained models, {averages} with their averages\n{table}\n",
        models.len()
    ))
}

/// The correlation with its interval.
fn cell(models: &[&[Line]], measure: fn(&Change) -> Option<f64>, score: fn(&Truth) -> f64) -> String {
    let points = |lines: &[Line]| -> Vec<(f64, f64)> {
        let point = |line: &Line| Some((measure(&line.change)?, score(&line.after) - score(&line.before)));
        lines.iter().filter_map(point).filter(|(a, b)| a.is_finite() && b.is_finite()).collect()
    };
    let models: Vec<Vec<(f64, f64)>> =
        models.iter().map(|lines| points(lines)).filter(|points| !points.is_empty()).collect();
    let correlation = |times: &[u32]| {
        let repeated = models.iter().zip(times).flat_map(|(points, &times)| points.repeat(times as usize));
        let (x, y): (Vec<f64>, Vec<f64>) = repeated.unzip();
        spearman(&x, &y)
    };
    let resampling = Resampling { count: RESAMPLES, stream: Stream::new(0) };
    let resample = |number| correlation(&resampling.multiplicities(number, models.len()));
    let mut values: Vec<f64> = (0..RESAMPLES).map(resample).filter(|value| value.is_finite()).collect();
    // Too few models, or a score that is the same for all.
    if models.len() < 3 || values.is_empty() {
        return "-".to_owned();
    }
    values.sort_by(f64::total_cmp);
    let at = |share: f64| values[((values.len() - 1) as f64 * share).round() as usize];
    format!("{:.2} [{:.2}, {:.2}]", correlation(&vec![1; models.len()]), at(0.025), at(0.975))
}
