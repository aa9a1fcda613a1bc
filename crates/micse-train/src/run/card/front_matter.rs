//! The YAML front matter of a model card, by which the Hugging Face Hub sorts and shows a model.

use std::fmt;

use super::yaml::quoted;

/// The front matter of a model card. Unknown facts are omitted.
///
/// ```
/// use micse_train::run::FrontMatter;
///
/// let head = FrontMatter { base_model: Some("google-bert/bert-base-uncased".into()), ..FrontMatter::default() };
/// assert!(head.to_string().starts_with("---\nbase_model: \"google-bert/bert-base-uncased\"\n"));
/// ```
#[derive(Clone, Debug, Default)]
pub struct FrontMatter {
    /// The model's name, needed for scores only.
    pub name: String,
    /// Whether sentence-transformers loads the folder.
    pub sentence_transformers: bool,
    /// The base model, as a Hub model ID.
    pub base_model: Option<String>,
    /// Languages, by their ISO 639-1 codes.
    pub languages: Vec<String>,
    /// The licence, by the Hub's name for it.
    pub license: Option<String>,
    /// Scores of tasks.
    pub scores: Vec<CardScore>,
}

/// The scores of one task.
#[derive(Clone, Debug, PartialEq)]
pub struct CardScore {
    /// The task's name.
    pub dataset: String,
    /// `test` or `validation`.
    pub split: &'static str,
    /// Pearson's correlation, between -1 and 1; `None`: unknown or undefined.
    pub pearson: Option<f64>,
    /// Spearman's, likewise.
    pub spearman: Option<f64>,
}

impl CardScore {
    /// Type and value of each metric, by the names that sentence-transformers' evaluators use.
    fn metrics(&self) -> impl Iterator<Item = (&'static str, &'static str, f64)> {
        let named = [
            ("pearson_cosine", "Pearson Cosine", self.pearson),
            ("spearman_cosine", "Spearman Cosine", self.spearman),
        ];
        named.into_iter().filter_map(|(kind, name, value)| {
            value.filter(|value| value.is_finite()).map(|value| (kind, name, value))
        })
    }
}

/// The complete block, from `---` to `---` and a line feed.
impl fmt::Display for FrontMatter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "---")?;
        for (key, value) in [("base_model", &self.base_model), ("license", &self.license)] {
            if let Some(value) = value {
                writeln!(f, "{key}: {}", quoted(value))?;
            }
        }
        if !self.languages.is_empty() {
            writeln!(f, "language:")?;
            self.languages.iter().try_for_each(|language| writeln!(f, "- {}", quoted(language)))?;
        }
        if self.sentence_transformers {
            writeln!(f, "library_name: sentence-transformers")?;
        }
        writeln!(f, "pipeline_tag: sentence-similarity\ntags:")?;
        if self.sentence_transformers {
            writeln!(f, "- sentence-transformers")?;
        }
        writeln!(f, "- feature-extraction\n- sentence-similarity")?;
        let scored: Vec<&CardScore> = self.scores.iter().filter(|s| s.metrics().count() > 0).collect();
        if !scored.is_empty() {
            writeln!(f, "metrics:\n- pearson_cosine\n- spearman_cosine")?;
            writeln!(f, "model-index:\n- name: {}\n  results:", quoted(&self.name))?;
        }
        for score in scored {
            writeln!(f, "  - task:\n      type: semantic-similarity\n      name: Semantic Similarity")?;
            let (name, id) = (quoted(&score.dataset), quoted(&score.dataset.to_lowercase()));
            writeln!(f, "    dataset:\n      name: {name}\n      type: {id}\n      split: {}", score.split)?;
            writeln!(f, "    metrics:")?;
            for (kind, name, value) in score.metrics() {
                writeln!(f, "    - type: {kind}\n      value: {value:.6}\n      name: {name}")?;
            }
        }
        writeln!(f, "---")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_facts_are_omitted() {
        let score =
            |spearman, pearson| CardScore { dataset: "STS \"12\"".into(), split: "test", pearson, spearman };
        let head = FrontMatter { scores: vec![score(None, Some(f64::NAN))], ..FrontMatter::default() };
        assert_eq!(
            head.to_string(),
            "---\npipeline_tag: sentence-similarity\ntags:\n- feature-extraction\n- sentence-similarity\n---\n"
        );
        let head = FrontMatter {
            name: "a: b".into(),
            sentence_transformers: true,
            base_model: Some("a/b".into()),
            languages: vec!["no".into()],
            license: Some("mit".into()),
            scores: vec![score(Some(1e-7), None), score(Some(-0.5), Some(0.72))],
        };
        let expected = r#"---
base_model: "a/b"
license: "mit"
language:
- "no"
library_name: sentence-transformers
pipeline_tag: sentence-similarity
tags:
- sentence-transformers
- feature-extraction
- sentence-similarity
metrics:
- pearson_cosine
- spearman_cosine
model-index:
- name: "a: b"
  results:
  - task:
      type: semantic-similarity
      name: Semantic Similarity
    dataset:
      name: "STS \"12\""
      type: "sts \"12\""
      split: test
    metrics:
    - type: spearman_cosine
      value: 0.000000
      name: Spearman Cosine
  - task:
      type: semantic-similarity
      name: Semantic Similarity
    dataset:
      name: "STS \"12\""
      type: "sts \"12\""
      split: test
    metrics:
    - type: pearson_cosine
      value: 0.720000
      name: Pearson Cosine
    - type: spearman_cosine
      value: -0.500000
      name: Spearman Cosine
---
"#;
        assert_eq!(head.to_string(), expected);
    }
}
