//! Published results, built in from `data/paper.toml`.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::{Error, Result};

/// The file's text.
const TEXT: &str = include_str!("../data/paper.toml");

/// Results from the miCSE paper, and from a method's own publication where the paper has none or reports a different
/// one.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Paper {
    /// The paper's title.
    pub title: String,
    /// The results, in the paper's order.
    #[serde(rename = "figure")]
    pub figures: Vec<Figure>,
}

/// One published row: Spearman x 100 over all pairs of a task.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Figure {
    /// The table of the paper; `None` if the result comes from the method's own publication.
    pub table: Option<u8>,
    /// The name of the row in that source.
    pub name: String,
    /// The corresponding recipe.
    pub method: String,
    /// The encoder that training starts from.
    pub encoder: String,
    /// The training corpus; `None` without training.
    pub text: Option<String>,
    /// The number of training sentences, if known.
    pub sentences: Option<usize>,
    /// The training-set size, as the paper names it.
    pub size: Option<String>,
    /// Scores by task; empty if only the average was published.
    #[serde(default)]
    pub scores: BTreeMap<String, f64>,
    /// The average as printed.
    pub average: f64,
    /// Standard deviation of the average over seeds.
    pub std: Option<f64>,
    /// Number of decimals as printed.
    #[serde(default = "two")]
    pub decimals: u8,
    /// Why the printed average differs from the mean of the printed scores.
    pub misprint: Option<String>,
    /// Where the numbers were read.
    pub source: String,
}

fn two() -> u8 {
    2
}

impl Paper {
    /// The built-in results, after checking that every average matches its scores to the printed decimals.
    ///
    /// # Errors
    /// An entry is invalid; the error names it.
    pub fn load() -> Result<Self> {
        Self::parse(TEXT)
    }

    fn parse(text: &str) -> Result<Self> {
        let paper: Self = toml::from_str(text).map_err(|e| Error::Paper { reason: e.to_string() })?;
        paper.figures.iter().try_for_each(Figure::check)?;
        Ok(paper)
    }
}

impl Figure {
    /// Encoder, corpus and size, as shown in a table: `BERT-base, Wikipedia, 1000000`.
    pub fn setting(&self) -> String {
        let count = self.sentences.map(|count| count.to_string());
        let parts = [Some(&self.encoder), self.text.as_ref(), count.as_ref()];
        parts.into_iter().flatten().map(String::as_str).collect::<Vec<_>>().join(", ")
    }

    /// The usual folder name of this encoder, in lower case; `None` for word vectors.
    pub(crate) fn folder(&self) -> Option<&'static str> {
        match self.encoder.as_str() {
            "BERT-base" => Some("bert-base-uncased"),
            "BERT-large" => Some("bert-large-uncased"),
            "RoBERTa-base" => Some("roberta-base"),
            _ => None,
        }
    }

    fn check(&self) -> Result<()> {
        let wrong = |what: String| Err(Error::Paper { reason: format!("figure {}: {what}", self.name) });
        if self.source.is_empty() {
            return wrong("source is missing".into());
        }
        if self.scores.is_empty() {
            return Ok(());
        }
        let mean = self.scores.values().sum::<f64>() / self.scores.len() as f64;
        // Scores and average are each rounded by up to half a unit of the last decimal.
        let apart = (mean - self.average).abs() > 1.0001 * 0.1_f64.powi(i32::from(self.decimals));
        match (&self.misprint, apart) {
            (None, true) => wrong(format!("its scores have mean {mean:.3}, but average is {}", self.average)),
            (Some(_), false) => {
                wrong("its average matches its scores, so this is no misprint; remove the key".into())
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_consistent_and_name_recipes_and_tasks_that_exist() {
        let paper = Paper::load().unwrap();
        let tasks = ["STS12", "STS13", "STS14", "STS15", "STS16", "STSBenchmark", "SICKRelatedness"];
        for figure in &paper.figures {
            let exists =
                figure.method == "glove-avg" || micse_train::Recipe::load(&figure.method, &[]).is_ok();
            assert!(exists, "{}: no recipe {}", figure.name, figure.method);
            if !figure.scores.is_empty() {
                let mut known = tasks.to_vec();
                known.sort_unstable();
                assert_eq!(
                    figure.scores.keys().map(String::as_str).collect::<Vec<_>>(),
                    known,
                    "{}",
                    figure.name
                );
            }
            assert_eq!(
                figure.table == Some(2),
                figure.size.is_some(),
                "{}: only Table 2 has sizes",
                figure.name
            );
        }
        // The paper's Table 1 has 17 systems; its Table 2 has four at four sizes.
        let of = |table| paper.figures.iter().filter(|figure| figure.table == Some(table)).count();
        assert_eq!((of(1), of(2)), (17, 16));
        let find = |method: &str, table, size: Option<&str>| {
            let is = |f: &&Figure| f.method == method && f.table == Some(table) && f.size.as_deref() == size;
            paper.figures.iter().find(is).unwrap().average
        };
        assert_eq!(find("micse", 2, Some("100%")), find("micse", 1, None), "the two tables agree on miCSE");
    }

    #[test]
    fn an_average_that_is_not_that_of_its_scores_is_refused() {
        let figure = |rest: &str| {
            let text = format!(
                "title = \"T\"\n[[figure]]\nname = \"N\"\nmethod = \"simcse\"\nencoder = \"E\"\nsource = \"S\"\n{rest}"
            );
            Paper::parse(&text).map(|paper| paper.figures[0].clone()).map_err(|e| e.to_string())
        };
        assert!(figure("scores = { A = 70.00, B = 70.03 }\naverage = 70.02").is_ok());
        let error = figure("scores = { A = 70.00, B = 70.03 }\naverage = 70.05").unwrap_err();
        assert!(error.contains("figure N") && error.contains("70.015"), "{error}");
        assert!(figure("scores = { A = 70.0, B = 70.3 }\naverage = 70.2\ndecimals = 1").is_ok());
        assert!(
            figure("scores = { A = 70.00, B = 70.03 }\naverage = 70.05\nmisprint = \"so printed\"").is_ok()
        );
        let error =
            figure("scores = { A = 70.0, B = 70.0 }\naverage = 70.0\nmisprint = \"so printed\"").unwrap_err();
        assert!(error.contains("no misprint"), "{error}");
        assert!(figure("average = 1.0\nunknown = 2").unwrap_err().contains("unknown"));
    }
}
