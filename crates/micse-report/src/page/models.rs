//! Figures that compare two models: the figures 1, 4, 5 and 6 of the paper.

use micse_figures::{Figure, Grouped, Grouping, HumanScores, JointAttention};

use super::html::Page;
use crate::Result;
use crate::chart::groups::{Groups, described};
use crate::chart::human::{Human, correlation};
use crate::chart::joint::Joint;
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
            "Syntactic similarity (mutual information of attention) against semantic similarity (cosine) of positive \
             pairs, two dropout views of one sentence, and negative pairs, views of two sentences (Fig. 1 of the miCSE \
             paper)."
        }
        Grouping::Trees => {
            "Negative pairs with equal and with unequal dependency trees (Fig. 4 of the miCSE paper); points are drawn \
             relative to the centroid of the opposite group, so the drawn centroids are twice as far apart as told."
        }
    };
    let panels = grouped.panels.each_ref().map(described).join(" ");
    format!(
        "{what} {} Large marks: centroids. {panels} Intervals: bootstrap over pairs; a distance is never negative, so look \
         at the differences for a sign.",
        grouped.note
    )
}

fn human(scores: &HumanScores) -> String {
    let panels = scores.panels.each_ref().map(|panel| format!("{}: {}", panel.model, correlation(panel)));
    format!(
        "Cosine against human score, {} pairs of {}, coloured by score (Fig. 5 of the miCSE paper). {}.",
        scores.panels[0].human.len(),
        scores.task,
        panels.join("; ")
    )
}

fn attention(joint: &JointAttention) -> String {
    let (low, high) = (joint.edges[0], joint.edges[joint.edges.len() - 1]);
    let range = format!("{low:.1} to {high:.1}").replace('-', "\u{2212}");
    format!(
        "Attention of “{}” in two dropout views (Fig. 6 of the miCSE paper): logarithms of all attention values, view 1 \
         to the right, view 2 upwards, both from {range}; darker bins have more values. ρ: their correlation; MI: \
         \u{2212}½ ln(1 \u{2212} ρ²) in nats.",
        joint.sentence
    )
}
