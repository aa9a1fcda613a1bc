//! The tables of a sweep: methods by sizes, methods by tasks, and what AMI adds to a method.

use crate::results::{AVERAGE, Method, Results};
use crate::tables::{Scores, Sheet};

/// The method that costs are relative to.
const COST_UNIT: &str = "simcse";

/// The score that stands for a method in one figure.
fn headline(results: &Results) -> (&str, String) {
    if results.tasks.len() > 1 {
        return (AVERAGE, format!("average of {} tasks", results.tasks.len() - 1));
    }
    let task = results.tasks.first().map_or("", String::as_str);
    (task, task.to_owned())
}

/// A method's score; one that does not train has the same at every size.
fn cell(scores: &Scores, method: &str, size: &str, task: &str) -> String {
    let fixed = scores.cell(method, None, task);
    if fixed == "-" { scores.cell(method, Some(size), task) } else { fixed }
}

/// Average scores of methods by training-set sizes: the paper's Table 2.
pub(crate) fn by_size(results: &Results, scores: &Scores) -> Sheet {
    let (task, what) = headline(results);
    let mut header = vec!["method".to_owned()];
    header.extend(results.sizes.iter().cloned());
    header.extend(["train text".into(), "selected on".into()]);
    let row = |method: &Method| {
        let mut row = vec![method.name.clone()];
        row.extend(results.sizes.iter().map(|size| cell(scores, &method.name, size, task)));
        row.extend([method.train_text.clone(), method.selected_on.clone()]);
        row
    };
    Sheet {
        title: format!(
            "Methods by training-set size: Spearman x 100, {what}, mean±std over {} seeds",
            scores.runs(None)
        ),
        header,
        rows: results.methods.iter().map(row).collect(),
    }
}

/// Scores of methods by tasks at one size, with the cost of training: the paper's Table 1.
pub(crate) fn by_task(results: &Results, scores: &Scores, size: &str) -> Sheet {
    let mut header = vec!["method".to_owned()];
    header.extend(results.tasks.iter().cloned());
    let place = results.sizes.iter().position(|s| s == size).unwrap_or(0);
    let unit = results.methods.iter().find(|m| m.name == COST_UNIT).and_then(|m| m.train_seconds[place]);
    if unit.is_some() {
        header.push("cost".into());
    }
    header.extend(["train text".into(), "selected on".into()]);
    let row = |method: &Method| {
        let mut row = vec![method.name.clone()];
        row.extend(results.tasks.iter().map(|task| cell(scores, &method.name, size, task)));
        if let Some(unit) = unit {
            let seconds = method.train_seconds[place];
            row.push(seconds.map_or_else(|| "-".to_owned(), |seconds| format!("{:.1}", seconds / unit)));
        }
        row.extend([method.train_text.clone(), method.selected_on.clone()]);
        row
    };
    Sheet {
        title: format!(
            "Methods by task, trained on {size}: Spearman x 100, mean±std over {} seeds{}",
            scores.runs(Some(size)),
            if unit.is_some() { "; cost: time of training over that of simcse" } else { "" }
        ),
        header,
        rows: results.methods.iter().map(row).collect(),
    }
}

/// What AMI adds to the methods that were run with it and without: the paper's Table 2 in pairs; none if there is no
/// such pair.
pub(crate) fn effect_of_ami(results: &Results, scores: &Scores) -> Option<Sheet> {
    let (task, what) = headline(results);
    let has = |name: &str| results.methods.iter().any(|m| m.name == name);
    let mut rows = Vec::new();
    for method in &results.methods {
        let (plain, with) = (method.name.as_str(), format!("ami-{}", method.name));
        if !has(&with) {
            continue;
        }
        for name in [plain, &with] {
            let mut row = vec![name.to_owned()];
            row.extend(results.sizes.iter().map(|size| cell(scores, name, size, task)));
            rows.push(row);
        }
        let mut row = vec!["  difference".to_owned()];
        row.extend(results.sizes.iter().map(|size| {
            match (scores.mean(plain, size, task), scores.mean(&with, size, task)) {
                (Some(plain), Some(with)) => format!("{:+.2}", with - plain),
                _ => "-".into(),
            }
        }));
        rows.push(row);
    }
    let mut header = vec!["method".to_owned()];
    header.extend(results.sizes.iter().cloned());
    let title = format!("What AMI adds: Spearman x 100, {what}, mean±std over {} seeds", scores.runs(None));
    (!rows.is_empty()).then_some(Sheet { title, header, rows })
}
