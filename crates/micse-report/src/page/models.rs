//! Figures that compare two models: the figures 1, 4, 5 and 6 of the paper.

use micse_figures::{Figure, Grouped, Grouping, HumanScores, JointAttention, RESAMPLES};

use super::html::Page;
use crate::Result;
use crate::chart::groups::{Groups, with_interval};
use crate::chart::human::{Human, correlation};
use crate::chart::joint::Joint;
use crate::chart::svg::escape;
use crate::chart::{Chart, Picture};

/// Writes the figures, each with its numbers as CSV.
pub(super) fn write(page: &mut Page, figures: &[Figure]) -> Result<()> {
    for figure in figures {
        let (title, chart, caption): (&str, Box<dyn Chart + '_>, String) = match figure {
            Figure::Grouped(grouped) => (title(grouped), Box::new(Groups(grouped)), pairs(grouped)),
            Figure::HumanScores(scores) => {
                ("Cosine against human score", Box::new(Human(scores)), human(scores))
            }
            Figure::JointAttention(joint) => {
                ("Joint distribution of attention", Box::new(Joint(joint)), attention(joint))
            }
        };
        let picture = Picture::new(figure.name(), title, chart.as_ref());
        page.figure_with_numbers(picture, &caption, figure.csv()?);
        if let Figure::Grouped(grouped) = figure {
            table(page, grouped);
        }
    }
    Ok(())
}

fn title(grouped: &Grouped) -> &'static str {
    match grouped.grouping {
        Grouping::Positives => "Positive and negative pairs",
        Grouping::Trees => "Negative pairs by dependency tree",
    }
}

fn pairs(grouped: &Grouped) -> String {
    let what = match grouped.grouping {
        Grouping::Positives => {
            "Syntactic against semantic similarity of positive pairs (two dropout views of one sentence) and negative \
             pairs (views of two sentences); Fig. 1 of the miCSE paper."
        }
        Grouping::Trees => {
            "Negative pairs with equal and with unequal dependency trees, relative to the centroid of the opposite group; \
             Fig. 4 of the miCSE paper. The drawn centroids are twice as far apart as the distance."
        }
    };
    format!("{what} {} Large marks: centroids.", grouped.note)
}

/// Centroids, their distance, and its parts.
fn table(page: &mut Page, grouped: &Grouped) {
    let [first, second] = grouped.grouping.names();
    let columns = [
        "model".to_owned(),
        format!("{first}: MI, cosine"),
        format!("{second}: MI, cosine"),
        "distance".into(),
        "Δ MI".into(),
        "Δ cosine".into(),
    ];
    let cells = |tag: &str, cells: &[String]| {
        let cell = |text: &String| format!("<{tag}>{}</{tag}>", escape(text));
        format!("<tr>{}</tr>\n", cells.iter().map(cell).collect::<String>())
    };
    let mut rows = format!("<thead>{}</thead>\n<tbody>\n", cells("th", &columns));
    for panel in &grouped.panels {
        let separation = &panel.separation;
        let centroid = |[x, y]: [f64; 2]| format!("{x:.3}, {y:.3}").replace('-', "\u{2212}");
        let mut row = cells(
            "td",
            &[
                centroid(separation.centroids[0]),
                centroid(separation.centroids[1]),
                with_interval(&separation.distance),
                with_interval(&separation.parts[0]),
                with_interval(&separation.parts[1]),
            ],
        );
        row.insert_str("<tr>".len(), &format!("<th>{}</th>", escape(&panel.model)));
        rows.push_str(&row);
    }
    rows.push_str("</tbody>");
    let caption = format!(
        "Centroids of the two groups of {} and {} pairs, their distance, and Δ: {first} minus {second}, with 95 % \
         intervals. MI: mutual information in nats.",
        grouped.pairs[0].len(),
        grouped.pairs[1].len()
    );
    let notes = [
        format!("Intervals: bootstrap over pairs, {RESAMPLES} resamples."),
        "A distance is never negative, so its interval excludes 0 even without a difference; look at both Δ."
            .into(),
    ];
    page.table(&caption, 64.0, &rows, &notes);
}

fn human(scores: &HumanScores) -> String {
    let panels = scores.panels.each_ref().map(|panel| format!("{}: {}", panel.model, correlation(panel)));
    format!(
        "Cosine against human score, {} pairs of {}, coloured by score; Fig. 5 of the miCSE paper. {}.",
        scores.panels[0].human.len(),
        scores.task,
        panels.join("; ")
    )
}

fn attention(joint: &JointAttention) -> String {
    format!(
        "Attention of “{}” in two dropout views: logarithms of the attention values, view 1 to the right, view 2 upwards, \
         over the range of each slice; a stronger colour means more values. ρ: their correlation; MI: \u{2212}½ ln(1 \u{2212} ρ²) \
         in nats. Fig. 6 of the miCSE paper.",
        joint.sentence
    )
}
