//! Accuracies on transfer tasks.

use super::{holes, of_seeds, trained_on};
use crate::results::{Method, Results};
use crate::tables::Sheet;

/// The table of one size; `None` if no method was scored on transfer tasks.
pub(super) fn by_task(results: &Results, size: &str) -> Option<Sheet> {
    if results.transfer_tasks.is_empty() {
        return None;
    }
    let mut header = vec!["method".to_owned()];
    header.extend(results.transfer_tasks.iter().cloned());
    let row = |method: &Method| {
        let cell = |task: &String| results.transfer.cell(&method.name, size, task);
        [method.name.clone()].into_iter().chain(results.transfer_tasks.iter().map(cell)).collect()
    };
    let note = "a logistic regression on fixed embeddings, by SentEval's protocol: 10-fold cross-validation, or a test set";
    Some(Sheet {
        title: format!(
            "Transfer tasks, {}: accuracy x 100{}",
            trained_on(size),
            of_seeds(&results.transfer.runs(Some(size)))
        ),
        header,
        rows: results.methods.iter().map(row).collect(),
        notes: [note.to_owned()].into_iter().chain(holes(results)).collect(),
    })
}
