//! Any of the figures, with its numbers as CSV.

use crate::{Grouped, Grouping, HumanScores, JointAttention, Result};

/// The numbers of one figure.
#[derive(Clone, Debug, PartialEq)]
pub enum Figure {
    /// Figs. 1 and 4: two groups of pairs.
    Grouped(Box<Grouped>),
    /// Fig. 5: cosines against human scores.
    HumanScores(HumanScores),
    /// Fig. 6: joint distributions of attention.
    JointAttention(JointAttention),
}

impl Figure {
    /// The name of its files.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Grouped(grouped) if grouped.grouping == Grouping::Positives => "pairs",
            Self::Grouped(_) => "trees",
            Self::HumanScores(_) => "human-scores",
            Self::JointAttention(_) => "attention",
        }
    }

    /// All its numbers as CSV with a header. Mutual information is in nats; cosines and correlations are between -1 and
    /// 1, except Spearman's, which is times 100.
    ///
    /// | figure | rows |
    /// |---|---|
    /// | 1 and 4 | model, group, pair, sentences: one row per point |
    /// | 5 | model, pair: one row per point |
    /// | 6 | model, slice, bin: one row per bin that is not empty |
    ///
    /// # Errors
    /// The table cannot be written in memory.
    pub fn csv(&self) -> Result<Vec<u8>> {
        let mut writer = csv::Writer::from_writer(Vec::new());
        match self {
            Self::Grouped(grouped) => grouped.write(&mut writer)?,
            Self::HumanScores(scores) => scores.write(&mut writer)?,
            Self::JointAttention(joint) => joint.write(&mut writer)?,
        }
        writer.into_inner().map_err(|e| csv::Error::from(e.into_error()).into())
    }
}

type Writer = csv::Writer<Vec<u8>>;

impl Grouped {
    fn write(&self, writer: &mut Writer) -> Result<()> {
        writer.write_record([
            "model",
            "group",
            "pair",
            "tokens",
            "mutual_information",
            "cosine",
            "x",
            "y",
            "first",
            "second",
        ])?;
        for panel in &self.panels {
            let points = panel.points(self.grouping);
            for (group, name) in self.grouping.names().into_iter().enumerate() {
                let rows = panel.similarities[group].iter().zip(&points[group]).zip(&self.pairs[group]);
                for (i, ((similarity, point), pair)) in rows.enumerate() {
                    writer.write_record([
                        &panel.model,
                        name,
                        &(i + 1).to_string(),
                        &similarity.tokens.to_string(),
                        &similarity.mutual_information.to_string(),
                        &similarity.cosine.to_string(),
                        &point[0].to_string(),
                        &point[1].to_string(),
                        &pair.first,
                        &pair.second,
                    ])?;
                }
            }
        }
        Ok(())
    }
}

impl HumanScores {
    fn write(&self, writer: &mut Writer) -> Result<()> {
        writer.write_record(["task", "model", "spearman", "pair", "human", "cosine"])?;
        for panel in &self.panels {
            for (i, (human, cosine)) in panel.human.iter().zip(&panel.cosines).enumerate() {
                writer.write_record([
                    &self.task,
                    &panel.model,
                    &panel.spearman.to_string(),
                    &(i + 1).to_string(),
                    &human.to_string(),
                    &cosine.to_string(),
                ])?;
            }
        }
        Ok(())
    }
}

impl JointAttention {
    fn write(&self, writer: &mut Writer) -> Result<()> {
        writer.write_record([
            "model",
            "layers",
            "heads",
            "rho",
            "mutual_information",
            "view_1_from",
            "view_1_to",
            "view_2_from",
            "view_2_to",
            "count",
        ])?;
        for panel in &self.panels {
            for slice in &panel.slices {
                let range = |(first, last): (usize, usize)| format!("{first} to {last}");
                let (edges, bins) = (&slice.edges, slice.edges.len() - 1);
                for (bin, count) in slice.counts.iter().enumerate().filter(|(_, count)| **count > 0) {
                    let (x, y) = (bin / bins, bin % bins);
                    writer.write_record([
                        &panel.model,
                        &range(slice.layers),
                        &range(slice.heads),
                        &slice.rho.to_string(),
                        &slice.mutual_information.to_string(),
                        &edges[x].to_string(),
                        &edges[x + 1].to_string(),
                        &edges[y].to_string(),
                        &edges[y + 1].to_string(),
                        &count.to_string(),
                    ])?;
                }
            }
        }
        Ok(())
    }
}
