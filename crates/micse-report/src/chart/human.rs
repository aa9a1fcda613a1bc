//! Cosines against human scores, one panel per model, coloured by score.

use micse_figures::{HumanScores, ScoredPairs};

use super::Chart;
use super::panels::Panels;
use super::svg::{Canvas, Drawing, Point};

/// The colours of scores rounded to 0, 1, ..., 5.
const COLOURS: [&str; 6] = ["s0", "s1", "s2", "s3", "s4", "s5"];

/// Cosine against human score.
pub(crate) struct Human<'a>(pub(crate) &'a HumanScores);

fn points(panel: &ScoredPairs) -> impl Iterator<Item = Point> + Clone {
    panel.human.iter().zip(&panel.cosines).map(|(&human, &cosine)| (f64::from(human), f64::from(cosine)))
}

/// `Spearman's ρ × 100 = 72.31`.
pub(crate) fn correlation(panel: &ScoredPairs) -> String {
    if panel.spearman.is_finite() {
        format!("Spearman's ρ × 100: {:.2}", panel.spearman).replace('-', "\u{2212}")
    } else {
        "Spearman's ρ: not defined, all values are equal".into()
    }
}

impl Chart for Human<'_> {
    fn draw(&self, width: f64) -> Drawing {
        let panels = Panels::new(width, self.0.panels.iter().flat_map(points));
        let lines = self.0.panels.each_ref().map(correlation);
        let heads = [0, 1].map(|i| (self.0.panels[i].model.as_str(), lines[i].as_str()));
        let mut canvas = Canvas::default();
        panels.frame(&mut canvas, ("human score", "cosine of embeddings"), heads);
        for (i, panel) in self.0.panels.iter().enumerate() {
            let radius = panels.radius(panel.human.len());
            for (level, colour) in COLOURS.iter().enumerate() {
                canvas.group(colour, None, |canvas| {
                    let of_level = |p: &Point| p.0.round().clamp(0.0, 5.0) as usize == level;
                    for point in points(panel).filter(of_level) {
                        canvas.circle("dot", panels.at(i, point), radius);
                    }
                });
            }
        }
        let entries: Vec<(&str, &str)> = COLOURS.into_iter().zip(["0", "1", "2", "3", "4", "5"]).collect();
        let height = panels.legend(&mut canvas, &entries);
        canvas.finish(width, height)
    }

    fn describe(&self) -> String {
        let words = |panel: &ScoredPairs| format!("{}: {}", panel.model, correlation(panel));
        format!(
            "{} pairs of {}. {}.",
            self.0.panels[0].human.len(),
            self.0.task,
            self.0.panels.each_ref().map(words).join("; ")
        )
    }
}
