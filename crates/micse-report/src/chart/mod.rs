//! Charts as SVG in two widths and as PNG.

mod axes;
pub(crate) mod bars;
pub(crate) mod courses;
pub(crate) mod curves;
pub(crate) mod dots;
pub(crate) mod groups;
pub(crate) mod human;
pub(crate) mod joint;
mod labels;
pub(crate) mod look;
pub(crate) mod multiples;
mod panels;
#[cfg(feature = "png")]
pub(crate) mod png;
mod scale;
pub(crate) mod scatter;
pub(crate) mod style;
pub(crate) mod svg;

use micse_stats::Summary;
use svg::Drawing;

/// Chart widths on desktops and phones, in CSS pixels.
const WIDE: f64 = 720.0;
const NARROW: f64 = 358.0;

/// Something that can be drawn at any width.
pub(crate) trait Chart {
    /// Draws the chart.
    fn draw(&self, width: f64) -> Drawing;
    /// Describes the content in words, for readers who cannot see it.
    fn describe(&self) -> String;
}

/// A score with its spread, where known.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Score {
    pub(crate) mean: f64,
    /// Standard deviation over seeds.
    pub(crate) std: Option<f64>,
    /// The number of runs, if known.
    pub(crate) runs: Option<usize>,
}

impl From<Summary> for Score {
    fn from(summary: Summary) -> Self {
        Self { mean: summary.mean, std: summary.std, runs: Some(summary.n) }
    }
}

/// `53.33`, or `undefined`.
pub(crate) fn number(score: f64) -> String {
    if score.is_finite() { format!("{score:.2}") } else { "undefined".into() }
}

impl Score {
    /// `53.33 ± 0.07`, or `undefined`.
    pub(crate) fn short(&self) -> String {
        match self.std.filter(|_| self.mean.is_finite()) {
            Some(std) => format!("{:.2} ± {std:.2}", self.mean),
            None => number(self.mean),
        }
    }
}

/// `53.33 ± 0.07 (2 runs)`.
impl std::fmt::Display for Score {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.short())?;
        match self.runs {
            None => Ok(()),
            Some(1) => f.write_str(" (1 run)"),
            Some(runs) => write!(f, " ({runs} runs)"),
        }
    }
}

/// A named chart, drawn for desktops and phones.
pub(crate) struct Picture {
    /// File name without extension, also used in element IDs of the page.
    pub(crate) name: String,
    pub(crate) title: String,
    description: String,
    wide: Drawing,
    narrow: Drawing,
}

impl Picture {
    pub(crate) fn new(name: impl Into<String>, title: impl Into<String>, chart: &dyn Chart) -> Self {
        Self {
            name: name.into(),
            title: title.into(),
            description: chart.describe(),
            wide: chart.draw(WIDE),
            narrow: chart.draw(NARROW),
        }
    }

    /// Both widths for the page, whose style sheet shows only one of them.
    pub(crate) fn inline(&self) -> String {
        let draw = |drawing: &Drawing, class: &str| {
            drawing.inline(&format!("{}-{class}", self.name), class, &self.title, &self.description)
        };
        format!("{}\n{}", draw(&self.wide, "wide"), draw(&self.narrow, "narrow"))
    }

    /// The wide drawing as a file.
    pub(crate) fn file(&self) -> String {
        self.wide.standalone(&self.title, &self.description, &style::file_rules())
    }
}

/// `500`, `1k`, `2.5k`, `100k`, `1M`.
pub(crate) fn count_label(count: usize) -> String {
    let short = |value: f64, unit: &str| {
        let text = format!("{value:.1}");
        format!("{}{unit}", text.trim_end_matches(".0"))
    };
    match count {
        0..1000 => count.to_string(),
        1000..1_000_000 => short(count as f64 / 1e3, "k"),
        _ => short(count as f64 / 1e6, "M"),
    }
}
