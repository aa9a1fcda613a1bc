//! Made-up sweeps: folders of results, and the file that lists them.

use std::path::PathBuf;

use micse_report::{Grid, GridCell, Results, TableOptions, Tables};
use serde_json::json;

/// A made-up sweep and its folder.
pub(crate) struct Sweep {
    pub(crate) folder: tempfile::TempDir,
    pub(crate) grid: Grid,
}

impl Sweep {
    pub(crate) fn new() -> Self {
        let grid = Grid {
            preset: "test".into(),
            settings: "settings: steps=4, x_y=10%".into(),
            notes: vec!["encoder: models/small (--model)".into()],
            ..Grid::default()
        };
        Self { folder: tempfile::tempdir().unwrap(), grid }
    }

    /// A cell without a result.
    pub(crate) fn planned(&mut self, method: &str, size: Option<&str>, seed: Option<u64>) -> PathBuf {
        let folder = PathBuf::from(format!("cells/{}", self.grid.cells.len()));
        self.grid.cells.push(GridCell {
            folder: folder.clone(),
            method: method.into(),
            size: size.map(Into::into),
            seed,
            ..GridCell::default()
        });
        self.folder.path().join(folder)
    }

    /// A cell with scores by task but without cosines, as written by an older version.
    pub(crate) fn cell(
        &mut self,
        method: &str,
        size: Option<&str>,
        seed: Option<u64>,
        tasks: &[(&str, f64)],
    ) -> PathBuf {
        let folder = self.planned(method, size, seed);
        std::fs::create_dir_all(&folder).unwrap();
        let aggregates = |value: f64| json!({"all": value, "mean": value, "wmean": value});
        let scores: serde_json::Map<String, serde_json::Value> = tasks
            .iter()
            .map(|(task, value)| {
                let scores = json!({"pairs": 40, "spearman": aggregates(*value), "pearson": aggregates(*value), "subsets": {}});
                ((*task).to_owned(), scores)
            })
            .collect();
        let average = tasks.iter().map(|(_, value)| value).sum::<f64>() / tasks.len() as f64;
        let trains = size.is_some();
        let result = json!({
            "method": method, "size": size, "sentences": if trains { 1000 } else { 0 }, "seed": seed,
            "steps": if trains { 4 } else { 0 }, "train_text": if trains { "wiki_1.txt" } else { "none" },
            "selected_on": if trains { "last step" } else { "none" }, "selected_step": null, "pooling": "cls",
            "evaluated_on": "SentEval",
            "scores": {"model": method, "pooling": "cls", "average": average, "alignment": null, "uniformity": null,
                       "tasks": scores},
            "train_seconds": if method == "simcse" { 10.0 } else { 15.0 }, "seconds": 20.0,
        });
        std::fs::write(folder.join("result.json"), serde_json::to_string_pretty(&result).unwrap()).unwrap();
        folder
    }

    pub(crate) fn results(&self) -> Results {
        Results::collect(self.folder.path(), &self.grid).unwrap()
    }

    /// Writes all tables and returns the text of one file.
    pub(crate) fn tables(&self, options: &TableOptions, file: &str) -> String {
        Tables::new(&self.results(), &self.grid, options).unwrap().write(self.folder.path()).unwrap();
        self.read(file)
    }

    pub(crate) fn read(&self, file: &str) -> String {
        std::fs::read_to_string(self.folder.path().join(file)).unwrap()
    }
}
