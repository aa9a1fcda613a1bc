//! Published results, built in from `data/paper.toml`.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::axes::base;
use crate::{Error, Result};

/// The file's text.
const TEXT: &str = include_str!("../data/paper.toml");

/// Results from the miCSE paper, and from a method's own publication where the paper has none or reports a different
/// one.
#[derive(Clone, Debug)]
pub struct Paper {
    /// The paper's title.
    pub title: String,
    /// The results, in the order of the paper's tables.
    pub figures: Vec<Figure>,
}

/// The file: rows with a score per task, and rows with an average per size.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    title: String,
    #[serde(rename = "figure")]
    figures: Vec<Figure>,
    #[serde(rename = "curve", default)]
    curves: Vec<Curve>,
}

/// One row of a table whose columns are training-set sizes.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Curve {
    table: u8,
    name: String,
    method: String,
    encoder: String,
    text: String,
    averages: BTreeMap<String, Vec<f64>>,
    #[serde(default)]
    notes: BTreeMap<String, String>,
}

/// One published result: Spearman x 100 over all pairs of a task.
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
    /// The column of a table whose columns are training-set sizes, as the paper names it.
    #[serde(skip)]
    pub size: Option<String>,
    /// Scores by task; empty if only the average was published.
    #[serde(default)]
    pub scores: BTreeMap<String, f64>,
    /// The average as printed; `None` if none was printed.
    average: Option<f64>,
    /// Standard deviation of the average over seeds.
    #[serde(skip)]
    pub std: Option<f64>,
    /// Why the printed average differs from the mean of the printed scores.
    pub misprint: Option<String>,
    /// What else is known of the result.
    #[serde(skip)]
    pub note: Option<String>,
    /// Where the numbers were read.
    pub source: String,
}

/// The sizes of the paper's Tables 2 and 3, and their numbers of sentences.
const SIZES: [(&str, usize); 4] = [("0.1%", 1_000), ("1%", 10_000), ("10%", 100_000), ("100%", 1_000_000)];

/// The largest difference between a printed average and the mean of the printed scores that rounding to two decimals
/// explains: each is off by up to half a unit of the last decimal.
const ROUNDING: f64 = 0.010_001;

impl Paper {
    /// The built-in results, after checking that every average matches its scores to the printed decimals.
    ///
    /// # Errors
    /// An entry is invalid; the error names it.
    pub fn load() -> Result<Self> {
        Self::parse(TEXT)
    }

    fn parse(text: &str) -> Result<Self> {
        let file: File = toml::from_str(text).map_err(|e| Error::Paper { reason: e.to_string() })?;
        let mut figures = file.figures;
        for curve in &file.curves {
            figures.extend(curve.figures()?);
        }
        figures.iter().try_for_each(Figure::check)?;
        Ok(Self { title: file.title, figures })
    }
}

impl Curve {
    /// The results of the row, from the smallest size to the largest.
    fn figures(&self) -> Result<Vec<Figure>> {
        let wrong = |what: String| Err(Error::Paper { reason: format!("curve {}: {what}", self.name) });
        let named = self.averages.keys().chain(self.notes.keys());
        if let Some(size) = named.into_iter().find(|size| SIZES.iter().all(|(known, _)| known != size)) {
            return wrong(format!("{size} is not a size of the paper"));
        }
        let mut figures = Vec::new();
        for (size, sentences) in SIZES {
            let (average, std) = match self.averages.get(size).map(Vec::as_slice) {
                None => continue,
                Some(&[average]) => (average, None),
                Some(&[average, std]) => (average, Some(std)),
                Some(_) => return wrong(format!("{size} needs an average, or an average and a deviation")),
            };
            figures.push(Figure {
                table: Some(self.table),
                name: self.name.clone(),
                method: self.method.clone(),
                encoder: self.encoder.clone(),
                text: Some(self.text.clone()),
                sentences: Some(sentences),
                size: Some(size.into()),
                scores: BTreeMap::new(),
                average: Some(average),
                std,
                misprint: None,
                note: self.notes.get(size).cloned(),
                source: format!("Table {}", self.table),
            });
        }
        Ok(figures)
    }
}

impl Figure {
    /// The average as printed, or the mean of the printed scores if none was printed.
    pub fn average(&self) -> f64 {
        self.average.unwrap_or_else(|| self.mean())
    }

    fn mean(&self) -> f64 {
        self.scores.values().sum::<f64>() / self.scores.len() as f64
    }

    /// Whether a recipe of this name is the same method: also in a released-code variant, or with other settings.
    pub(crate) fn is_of(&self, recipe: &str) -> bool {
        let method = base(recipe).split('@').next().unwrap_or_default();
        method.strip_suffix("-baseline").unwrap_or(method) == self.method
    }

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

    /// Whether a corpus of this name, as tables show it, is the published one as far as its name tells.
    pub(crate) fn is_on(&self, corpus: &str) -> bool {
        let corpus = corpus.to_lowercase();
        match self.text.as_deref() {
            None => corpus == "none",
            Some("Wikipedia") => corpus.contains("wiki"),
            Some("NLI") => corpus.contains("nli"),
            Some(text) => corpus == text.to_lowercase(),
        }
    }

    fn check(&self) -> Result<()> {
        let wrong = |what: String| Err(Error::Paper { reason: format!("figure {}: {what}", self.name) });
        if self.source.is_empty() {
            return wrong("source is missing".into());
        }
        let (mean, average) = (self.mean(), self.average());
        if !average.is_finite() {
            return wrong("it has neither scores nor an average".into());
        }
        let apart = !self.scores.is_empty() && (mean - average).abs() > ROUNDING;
        match (&self.misprint, apart) {
            (None, true) => wrong(format!("its scores have mean {mean:.3}, but average is {average}")),
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
                matches!(figure.table, Some(2 | 3)),
                figure.size.is_some(),
                "{}: Tables 2 and 3 have sizes",
                figure.name
            );
        }
        // Table 1 has 17 systems; Tables 2 and 3 have ten and four rows at four sizes.
        let of = |table| paper.figures.iter().filter(|figure| figure.table == Some(table)).count();
        assert_eq!((of(1), of(2), of(3)), (17, 40, 16));
        // Only one draw of all sentences is possible.
        let without: Vec<_> = paper.figures.iter().filter(|f| f.size.is_some() && f.std.is_none()).collect();
        assert!(without.iter().all(|figure| figure.size.as_deref() == Some("100%")), "{without:?}");
        assert_eq!(without.len(), 14);
    }

    #[test]
    fn variants_and_points_of_an_axis_are_the_published_method() {
        let paper = Paper::load().unwrap();
        let of = |recipe: &str| paper.figures.iter().find(|f| f.is_of(recipe)).map(|f| f.method.as_str());
        for recipe in ["micse", "micse@released-code", "micse ami.weight=0.01 steps=400"] {
            assert_eq!(of(recipe), Some("micse"));
        }
        assert_eq!(of("simcse-baseline lr=3e-5"), Some("simcse"));
        assert_eq!(of("own-micse"), None);
    }

    #[test]
    fn the_tables_agree_where_they_report_the_same_run() {
        let paper = Paper::load().unwrap();
        let find = |method: &str, table, size: Option<&str>| {
            let is = |f: &&Figure| f.method == method && f.table == table && f.size.as_deref() == size;
            paper.figures.iter().find(is).unwrap()
        };
        for method in ["ct", "simcse", "micse"] {
            let (one, two) = (find(method, Some(1), None), find(method, Some(2), Some("100%")));
            assert_eq!(one.average(), two.average(), "{method}");
        }
        for (size, _) in SIZES {
            let (two, three) =
                (find("ami-simcse", Some(2), Some(size)), find("ami-simcse", Some(3), Some(size)));
            assert_eq!(two.average() == three.average(), three.note.is_none(), "{size}");
        }
        // The page of IS-BERT's abstract has no average; the paper's row repeats its scores.
        let own = find("is-bert", None, None);
        assert_eq!((own.average, &own.scores), (None, &find("is-bert", Some(1), None).scores));
        assert!((own.average() - 66.58).abs() < 0.01);
        let misprints = paper.figures.iter().filter(|figure| figure.misprint.is_some());
        assert_eq!(misprints.map(|f| f.name.as_str()).collect::<Vec<_>>(), ["Mirror-BERT", "MoCoSE"]);
    }

    #[test]
    fn a_curve_with_an_unknown_size_or_too_many_numbers_is_refused() {
        let curve = |averages: &str| {
            let text = format!(
                "title = \"T\"\nfigure = []\n[[curve]]\ntable = 2\nname = \"N\"\nmethod = \"simcse\"\n\
                 encoder = \"E\"\ntext = \"W\"\naverages = {{ {averages} }}"
            );
            Paper::parse(&text).map(|paper| paper.figures).map_err(|e| e.to_string())
        };
        let figures = curve("\"100%\" = [70.5], \"1%\" = [60.5, 0.25]").unwrap();
        let numbers: Vec<_> = figures.iter().map(|f| (f.sentences, f.average(), f.std)).collect();
        assert_eq!(numbers, [(Some(10_000), 60.5, Some(0.25)), (Some(1_000_000), 70.5, None)]);
        assert!(curve("\"2%\" = [70.5]").unwrap_err().contains("curve N: 2% is not"));
        assert!(curve("\"1%\" = []").unwrap_err().contains("curve N: 1% needs"));
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
        assert!(figure("").unwrap_err().contains("neither scores nor an average"));
        assert!(
            figure("scores = { A = 70.00, B = 70.03 }\naverage = 70.05\nmisprint = \"so printed\"").is_ok()
        );
        let error =
            figure("scores = { A = 70.0, B = 70.0 }\naverage = 70.0\nmisprint = \"so printed\"").unwrap_err();
        assert!(error.contains("no misprint"), "{error}");
        assert!(figure("average = 1.0\nunknown = 2").unwrap_err().contains("unknown"));
    }
}
