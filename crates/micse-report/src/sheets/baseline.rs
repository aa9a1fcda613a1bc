//! Methods compared with the baseline at one size.

use micse_stats::Interval;

use super::{headline, short, signed, trained_on};
use crate::comparison::{Comparison, Comparisons, RESAMPLES};
use crate::results::{AVERAGE, NO_SIZE, Results};
use crate::tables::Sheet;

/// Marks a task on which the bootstrap interval excludes 0.
const DAGGER: &str = "†";

/// The table of one size; `None` if nothing is compared at that size.
pub(super) fn against(results: &Results, comparisons: &Comparisons, size: &str) -> Option<Sheet> {
    let (task, _) = headline(results);
    let baseline = comparisons.baseline_words();
    let get = |method: &str, task: &str| comparisons.get(method, size, task);
    // With a single task, that task is the headline itself.
    let tasks: Vec<&str> = results.tasks.iter().map(String::as_str).filter(|name| *name != AVERAGE).collect();
    let mut header = vec!["method".to_owned(), short(task).to_owned()];
    let over_seeds = size != NO_SIZE;
    if over_seeds {
        header.extend(["95 % interval", "p", "Holm's p", "n"].map(str::to_owned));
    }
    let columns: Vec<&str> = if tasks.len() > 1 { tasks } else { Vec::new() };
    header.extend(columns.iter().map(|task| short(task).to_owned()));
    let of_size = || comparisons.all.iter().filter(|c| c.size == size);
    let own_setups = of_size().any(|c| !c.differs_in.is_same());
    if own_setups {
        header.push("differs in".into());
    }
    let mut rows = Vec::new();
    for method in &results.methods {
        let Some(all) = get(&method.name, task) else { continue };
        let star = if all.is_significant() { "*" } else { "" };
        let mut row = vec![method.name.clone(), format!("{}{star}", difference(all, columns.is_empty()))];
        if over_seeds {
            row.extend([
                all.interval.map_or_else(|| "-".into(), interval),
                all.p.map_or_else(|| "-".into(), probability),
                all.p_holm.map_or_else(|| "-".into(), probability),
                all.n.to_string(),
            ]);
        }
        let of_task =
            |task: &&str| get(&method.name, task).map_or_else(|| "-".into(), |c| difference(c, true));
        row.extend(columns.iter().map(of_task));
        if own_setups {
            row.push(all.differs_in.to_string());
        }
        rows.push(row);
    }
    if rows.is_empty() {
        return None;
    }
    let mut notes = vec![if over_seeds {
        format!(
            "mean difference in Spearman x 100 (method minus {baseline}) over the n seeds that both have; a row without \
             training is constant over seeds; interval and p: paired t test, omitted where all seeds agree to 0.01; \
             Holm's p: corrected over the methods of this table; *: Holm's p < 0.05"
        )
    } else {
        format!("difference in Spearman x 100 (method minus {baseline})")
    }];
    if own_setups {
        notes.push(format!(
            "differs in: the encoder or the corpus of the row is not that of {baseline}, so the difference is not the method's alone"
        ));
    }
    if of_size().any(|c| c.pairs.is_some()) {
        notes.push(format!(
            "{DAGGER}: the 95 % interval of a paired bootstrap over the task's sentence pairs excludes 0 ({RESAMPLES} \
             resamples, the same for all methods and seeds; not corrected for the number of tasks and methods)"
        ));
    }
    if of_size().any(|c| c.task != AVERAGE && c.pairs.is_none()) {
        notes.push(without_cosines(results, comparisons));
    }
    Some(Sheet {
        title: format!("Against {}, {}", comparisons.baseline, trained_on(size)),
        header,
        rows,
        notes,
    })
}

/// Explains why tasks have no bootstrap.
fn without_cosines(results: &Results, comparisons: &Comparisons) -> String {
    let every = comparisons.without_cosines.len() == results.methods.len();
    let names = if every { "every method".into() } else { comparisons.without_cosines.join(", ") };
    if names.is_empty() {
        return format!("no {DAGGER} where a score is undefined");
    }
    format!(
        "no {DAGGER} where an older version ran the method or {} and stored no cosines ({names}); delete those run \
         folders and rerun the sweep",
        comparisons.baseline
    )
}

fn difference(comparison: &Comparison, of_task: bool) -> String {
    let excludes = comparison.pairs.is_some_and(|pairs| pairs.interval.excludes_zero());
    format!("{}{}", signed(comparison.difference), if of_task && excludes { DAGGER } else { "" })
}

fn interval(interval: Interval) -> String {
    format!("[{:+.2}, {:+.2}]", interval.low, interval.high)
}

fn probability(p: f64) -> String {
    if p < 0.001 { "<0.001".into() } else { format!("{p:.3}") }
}
