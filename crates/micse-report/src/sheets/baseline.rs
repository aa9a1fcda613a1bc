//! Methods against the baseline at one size.

use micse_stats::Interval;

use super::{headline, short};
use crate::comparison::{Comparison, Comparisons, RESAMPLES};
use crate::results::{AVERAGE, Results};
use crate::tables::Sheet;

/// What marks a task on which the bootstrap's interval leaves out 0.
const DAGGER: &str = "†";

/// The table of a size; none if nothing is compared there.
pub(super) fn against(results: &Results, comparisons: &Comparisons, size: &str) -> Option<Sheet> {
    let (task, _) = headline(results);
    let baseline = &comparisons.baseline;
    let get = |method: &str, task: &str| comparisons.get(method, size, task);
    // The one task of a suite is the headline itself.
    let tasks: Vec<&str> = results.tasks.iter().map(String::as_str).filter(|name| *name != AVERAGE).collect();
    let mut header: Vec<String> =
        ["method", short(task), "95 % interval", "p", "Holm's p", "n"].map(str::to_owned).to_vec();
    let columns: Vec<&str> = if tasks.len() > 1 { tasks } else { Vec::new() };
    header.extend(columns.iter().map(|task| short(task).to_owned()));
    let mut rows = Vec::new();
    for method in &results.methods {
        let Some(all) = get(&method.name, task) else { continue };
        let star = if all.is_significant() { "*" } else { "" };
        let mut row = vec![
            method.name.clone(),
            format!("{}{star}", difference(all, columns.is_empty())),
            all.interval.map_or_else(|| "-".into(), interval),
            all.p.map_or_else(|| "-".into(), probability),
            all.p_holm.map_or_else(|| "-".into(), probability),
            all.n.to_string(),
        ];
        let of_task =
            |task: &&str| get(&method.name, task).map_or_else(|| "-".into(), |c| difference(c, true));
        row.extend(columns.iter().map(of_task));
        rows.push(row);
    }
    if rows.is_empty() {
        return None;
    }
    let mut notes = vec![format!(
        "mean difference of Spearman x 100 (method less {baseline}) over the n seeds that both have, or of one side where \
         the other does not train; interval and p by a paired t test, none where all seeds agree to 0.01; Holm's p: corrected over the methods of this table; *: Holm's p < 0.05"
    )];
    let of_size = || comparisons.all.iter().filter(|c| c.size == size);
    if of_size().any(|c| c.pairs.is_some()) {
        notes.push(format!(
            "{DAGGER}: the 95 % interval of a paired bootstrap over the task's sentence pairs leaves out 0 ({RESAMPLES} \
             resamples, the same for all methods and seeds), not corrected for the number of tasks and methods"
        ));
    }
    if of_size().any(|c| c.task != AVERAGE && c.pairs.is_none()) {
        notes.push(without_cosines(results, comparisons));
    }
    Some(Sheet { title: format!("Against {baseline}, trained on {size}"), header, rows, notes })
}

/// Why tasks have no bootstrap.
fn without_cosines(results: &Results, comparisons: &Comparisons) -> String {
    let every = comparisons.without_cosines.len() == results.methods.len();
    let names = if every { "every method".into() } else { comparisons.without_cosines.join(", ") };
    if names.is_empty() {
        return format!("no {DAGGER} where a score is not defined");
    }
    format!(
        "no {DAGGER} where cosines of the method or of {} were not kept, because an older version ran them ({names}); \
         delete the folders of those runs to run them again",
        comparisons.baseline
    )
}

fn difference(comparison: &Comparison, of_task: bool) -> String {
    if comparison.difference.is_nan() {
        return "undefined".into();
    }
    let excludes = comparison.pairs.is_some_and(|pairs| pairs.interval.excludes_zero());
    format!("{:+.2}{}", comparison.difference, if of_task && excludes { DAGGER } else { "" })
}

fn interval(interval: Interval) -> String {
    format!("[{:+.2}, {:+.2}]", interval.low, interval.high)
}

fn probability(p: f64) -> String {
    if p < 0.001 { "<0.001".into() } else { format!("{p:.3}") }
}
