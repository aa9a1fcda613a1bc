//! What a model is really worth: similarity, search and grouping, on labels and text that training and judge never see.

use std::path::Path;

use anyhow::Result;
use micse_data::{Parts, Suite, TransferSuite};
use micse_eval::{Embedder, Halves, evaluate, neighbour_accuracy};
use serde::{Deserialize, Serialize};

/// The tasks whose classes should lie together.
const GROUPED: [&str; 5] = ["MR", "CR", "SUBJ", "MPQA", "TREC"];

/// The true scores of a model.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Truth {
    /// The average of the seven STS sets, Spearman x 100.
    pub(super) similarity: f64,
    /// The mean reciprocal rank of the halves of unseen sentences of the domain, each searched with the other.
    pub(super) search: f64,
    /// The mean reciprocal rank of MRPC's paraphrases.
    pub(super) paraphrases: f64,
    /// The average nearest-neighbour accuracy of five tasks, in percent.
    pub(super) grouping: f64,
}

impl Truth {
    /// What training changed.
    pub(super) fn minus(&self, before: &Self) -> Self {
        Self {
            similarity: self.similarity - before.similarity,
            search: self.search - before.search,
            paraphrases: self.paraphrases - before.paraphrases,
            grouping: self.grouping - before.grouping,
        }
    }
}

/// The labelled sets.
pub(super) struct Tests {
    suite: Suite,
    paraphrases: Halves,
    /// Sentences with their classes, by task.
    grouped: Vec<Vec<(String, usize)>>,
}

impl Tests {
    /// Reads the sets, and keeps one of `every` pairs and examples.
    pub(super) fn read(data: &Path, every: usize) -> Result<Self> {
        let folder = data.join("senteval");
        let mut suite = Suite::load(&folder, None)?;
        // The development pairs choose settings.
        (suite.dev, suite.sick_dev) = (None, None);
        let mut count = 0..;
        for subset in suite.tasks.iter_mut().flat_map(|task| &mut task.subsets) {
            subset.pairs.retain(|_| count.next().is_some_and(|n: usize| n.is_multiple_of(every)));
        }
        let names: Vec<String> = GROUPED.iter().chain(&["MRPC"]).map(|&name| name.to_owned()).collect();
        let transfer = TransferSuite::load(&folder, Some(&names))?;
        let (mut grouped, mut pairs) = (Vec::new(), Vec::new());
        for task in &transfer.tasks {
            let examples = task.parts.examples();
            if task.has_pairs() {
                let Parts::TrainTest { train, test } = &task.parts else { continue };
                let same = train.iter().chain(test).filter(|example| example.class == 1);
                pairs.extend(same.filter_map(|e| Some([e.first.clone(), e.second.clone()?])).step_by(every));
            } else {
                grouped.push(examples.step_by(every).map(|e| (e.first.clone(), e.class)).collect());
            }
        }
        Ok(Self { suite, paraphrases: Halves::from_pairs(pairs), grouped })
    }

    /// The truth about a model; `halves` are a domain's.
    pub(super) fn score(&self, model: &dyn Embedder, halves: &Halves) -> Result<Truth> {
        let search = halves.reciprocal_rank(model)?.unwrap_or(f64::NAN);
        Ok(Truth { search, ..self.score_labels(model)? })
    }

    /// The truth that no domain has a part in; the search is left out.
    pub(super) fn score_labels(&self, model: &dyn Embedder) -> Result<Truth> {
        let mut silent = |_, _| {};
        let mut grouping = 0.0;
        for examples in &self.grouped {
            let examples: Vec<(&str, usize)> =
                examples.iter().map(|(s, class)| (s.as_str(), *class)).collect();
            grouping += neighbour_accuracy(model, &examples, &mut silent)? / self.grouped.len() as f64;
        }
        Ok(Truth {
            similarity: evaluate(model, &self.suite, &mut silent)?.average,
            search: f64::NAN,
            paraphrases: self.paraphrases.reciprocal_rank(model)?.unwrap_or(f64::NAN),
            grouping,
        })
    }
}
