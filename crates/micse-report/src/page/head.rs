//! The head of the report: what was compared, and the findings in words generated from the numbers.

use std::time::SystemTime;

use super::data::{Size, Sweep, thousands};
use super::html::Page;
use crate::chart::Score;
use crate::results::NO_SIZE;
use crate::{Comparison, SIGNIFICANCE};

/// `a`, `a and b`, `a, b and c`.
pub(crate) fn enumerate(items: &[String]) -> String {
    match items {
        [] => String::new(),
        [one] => one.clone(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}

/// The page's headline.
pub(crate) fn headline(sweep: &Sweep) -> String {
    let sizes = match sweep.sizes.as_slice() {
        [] => String::new(),
        [size] => format!(" trained on {}", size.words()),
        sizes => format!(" at {} training-set sizes", sizes.len()),
    };
    match sweep.methods.len() {
        0 => "Sentence embeddings without training".into(),
        1..=3 => format!("{}{sizes}", enumerate(&sweep.methods)),
        n => format!("{n} methods for sentence embeddings{sizes}"),
    }
}

/// The line under the headline.
pub(crate) fn lead(sweep: &Sweep) -> String {
    let newest = sweep.runs.iter().map(|r| r.finished).max();
    let date = newest.map_or_else(String::new, |time| format!(", the newest from {}", date(time)));
    format!(
        "{} of {} cells have a result{date}.",
        sweep.runs.len(),
        sweep.runs.len() + sweep.results.holes.len()
    )
}

/// The day of a time in UTC, as `2026-03-01` (Howard Hinnant's civil_from_days).
fn date(time: SystemTime) -> String {
    let seconds = time.duration_since(SystemTime::UNIX_EPOCH).map_or(0, |d| d.as_secs());
    let days = (seconds / 86400) as i64 + 719_468;
    let era = days.div_euclid(146_097);
    let of_era = days.rem_euclid(146_097);
    let year = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    format!("{}-{month:02}-{day:02}", era * 400 + year + i64::from(month <= 2))
}

pub(crate) fn write(page: &mut Page, sweep: &Sweep) {
    page.section("summary", "Summary");
    let sentences = summary(sweep);
    if sentences.is_empty() {
        let what = if sweep.trains() { "trained method" } else { "row" };
        page.paragraph(&format!("No {what} has a result yet."));
    } else {
        page.list(sentences.iter().map(String::as_str));
    }
    page.heading("What was compared");
    page.facts(&facts(sweep));
    if !sweep.results.holes.is_empty() {
        page.remark(&format!(
            "{} without a result, listed under Manifest.",
            if sweep.results.holes.len() == 1 {
                "1 cell is".into()
            } else {
                format!("{} cells are", sweep.results.holes.len())
            }
        ));
    }
}

fn facts(sweep: &Sweep) -> Vec<(String, Vec<String>)> {
    let mut facts: Vec<(String, Vec<String>)> = Vec::new();
    let mut fact = |term: &str, values: Vec<String>| {
        if !values.is_empty() {
            facts.push((term.to_owned(), values));
        }
    };
    let joined = |values: Vec<String>| if values.is_empty() { vec![] } else { vec![enumerate(&values)] };
    fact("Methods", joined(sweep.methods.clone()));
    fact("Without training", joined(sweep.untrained.iter().map(|u| u.0.clone()).collect()));
    fact("Baseline", sweep.baseline().into_iter().collect());
    fact("Sizes", joined(sweep.sizes.iter().map(Size::words).collect()));
    fact("Seeds", joined(sweep.distinct(|r| r.result.seed.map(|s| s.to_string()))));
    let steps = |r: &super::data::Run| r.result.size.as_ref().map(|_| thousands(r.result.steps));
    fact("Optimizer steps", joined(sweep.distinct(steps)));
    fact(
        "Trained on",
        joined(sweep.distinct(|r| r.result.size.as_ref().map(|_| r.result.train_text.clone()))),
    );
    fact("Evaluated on", joined(sweep.distinct(|r| Some(r.result.evaluated_on.clone()))));
    let notes =
        sweep.grid.notes.iter().filter(|note| **note != sweep.grid.settings).chain(&sweep.grid.remarks);
    fact("Sources", notes.cloned().collect());
    facts
}

/// The findings, one sentence each.
fn summary(sweep: &Sweep) -> Vec<String> {
    let mut sentences = Vec::new();
    for size in &sweep.sizes {
        sentences.push(best_at(sweep, size));
    }
    if !sweep.trains() {
        sentences.extend(best_untrained(sweep));
    }
    sentences.extend(over_baseline(sweep));
    sentences
}

/// The best method at a size, compared with the baseline.
fn best_at(sweep: &Sweep, size: &Size) -> String {
    let scores = sweep.methods.iter().filter_map(|m| Some((m, Score::from(sweep.summary(m, &size.name)?))));
    let (mut scores, undefined): (Vec<_>, Vec<_>) = scores.partition(|(_, s)| s.mean.is_finite());
    scores.sort_by(|a, b| b.1.mean.total_cmp(&a.1.mean));
    let undefined = enumerate(&undefined.into_iter().map(|(name, _)| name.clone()).collect::<Vec<_>>());
    let Some((best, score)) = scores.first() else {
        return format!("With {}, no score is defined: {undefined}.", size.words());
    };
    let runs = match score.std {
        Some(_) => format!(" (mean ± standard deviation over {} seeds)", score.runs.unwrap_or(1)),
        None => " (one seed)".into(),
    };
    let mut text = vec![if scores.len() == 1 {
        format!("With {}, {best} scores {}{runs}", size.words(), score.short())
    } else {
        format!("With {}, {best} is best at {}{runs}", size.words(), score.short())
    }];
    text.extend(compared(sweep, best, scores.get(1).map(|second| second.0), &size.name));
    text.push(".".into());
    if !undefined.is_empty() {
        text.push(format!(" Undefined: {undefined}."));
    }
    let untrained = sweep.untrained.iter().filter(|u| u.1.is_finite()).max_by(|a, b| a.1.total_cmp(&b.1));
    if let Some((row, value)) = untrained
        && *value > score.mean
    {
        text.push(format!(" Without training, {row} scores higher: {value:.2}."));
    }
    text.concat()
}

/// The best row of a sweep that trains nothing, compared with the baseline; `None` without a result.
fn best_untrained(sweep: &Sweep) -> Option<String> {
    let mut rows: Vec<&(String, f64)> = sweep.untrained.iter().filter(|row| row.1.is_finite()).collect();
    rows.sort_by(|a, b| b.1.total_cmp(&a.1));
    let (best, score) = rows.first()?;
    let verb = if rows.len() == 1 { "scores" } else { "is best at" };
    let compared = compared(sweep, best, rows.get(1).map(|second| &second.0), NO_SIZE);
    Some(format!("Without training, {best} {verb} {score:.2}{}.", compared.unwrap_or_default()))
}

/// The best row compared with the baseline; if it is the baseline, the second with it.
fn compared(sweep: &Sweep, best: &str, second: Option<&String>, size: &str) -> Option<String> {
    let words = |method: &str| {
        let comparison = sweep.against_baseline(method, size)?;
        Some(against(comparison, &comparison.baseline))
    };
    if !sweep.is_baseline(best) {
        return Some(format!(", {}", words(best)?));
    }
    let second = second?;
    Some(format!("; {second} is second, {}", words(second)?))
}

/// `4.05 points above simcse (95 % interval 1.20 to 6.90)`.
fn against(comparison: &Comparison, other: &str) -> String {
    let difference = comparison.difference;
    if difference.is_nan() {
        return format!("not comparable with {other}, which has an undefined score");
    }
    let side = if difference < 0.0 { "below" } else { "above" };
    let mut points = format!("{:.2} points {side} {other}", difference.abs());
    if !comparison.differs_in.is_same() {
        points =
            format!("{points} with a different {}", comparison.differs_in.to_string().replace(", ", " and "));
    }
    match comparison.interval {
        None if comparison.size == NO_SIZE => points,
        None if comparison.n == 1 => format!("{points} (one common seed: no interval)"),
        None => format!("{points} (the same for each of {} seeds: no interval)", comparison.n),
        Some(interval) => {
            // Flip the interval so that its sign matches `side`.
            let (low, high) = if difference < 0.0 {
                (-interval.high, -interval.low)
            } else {
                (interval.low, interval.high)
            };
            let zero = if interval.excludes_zero() { "" } else { ", which includes 0: it may be chance" };
            format!("{points} (95 % interval {}{zero})", minus(&format!("{low:.2} to {high:.2}")))
        }
    }
}

fn minus(text: &str) -> String {
    text.replace('-', "\u{2212}")
}

/// The number of methods above the baseline.
fn over_baseline(sweep: &Sweep) -> Option<String> {
    let baseline = sweep.baseline()?;
    let (mut above, mut clear, mut compared, mut undefined, mut tested) = (0, 0, 0, 0, false);
    for method in sweep.methods.iter().filter(|m| !sweep.is_baseline(m)) {
        let comparisons = sweep.sizes.iter().filter_map(|size| sweep.against_baseline(method, &size.name));
        let comparisons: Vec<&Comparison> = comparisons.collect();
        if comparisons.is_empty() {
            continue;
        }
        if comparisons.iter().any(|c| c.difference.is_nan()) {
            undefined += 1;
            continue;
        }
        compared += 1;
        tested |= comparisons.iter().any(|c| c.p_holm.is_some());
        let is_above = comparisons.iter().all(|c| c.difference > 0.0);
        above += usize::from(is_above);
        clear += usize::from(is_above && comparisons.iter().all(|c| c.is_significant()));
    }
    if compared < 2 {
        return None;
    }
    let everywhere = if sweep.sizes.len() > 1 { " at every size they were run at" } else { "" };
    let verb = if above == 1 { "is" } else { "are" };
    let significant = if tested && above > 0 {
        let clear = if clear == 0 { "none".to_owned() } else { clear.to_string() };
        format!(
            ", {clear} of them significantly (p < {SIGNIFICANCE}{} in a paired t test over seeds, after Holm's \
             correction over methods)",
            if sweep.sizes.len() > 1 { " at each" } else { "" }
        )
    } else {
        String::new()
    };
    let not_compared = match undefined {
        0 => String::new(),
        n => format!(" {n} more cannot be compared, because a score is undefined."),
    };
    Some(format!(
        "Of {compared} other trained methods, {above} {verb} above {baseline}{everywhere}{significant}.{not_compared}"
    ))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use micse_stats::Interval;

    use super::*;
    use crate::Setup;

    #[test]
    fn dates_are_those_of_the_calendar() {
        // Expected values from `date -u -d @951782400 +%F`.
        for (seconds, day) in [(0, "1970-01-01"), (951_782_400, "2000-02-29"), (1_767_225_599, "2025-12-31")]
        {
            assert_eq!(date(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)), day);
        }
    }

    #[test]
    fn a_difference_is_told_from_its_side() {
        let interval = |low, high| Some(Interval { low, high });
        let told_at = |size: &str, difference, interval, n| {
            let comparison = Comparison {
                method: "micse".into(),
                baseline: "simcse".into(),
                size: size.into(),
                task: "Avg.".into(),
                difference,
                interval,
                p: None,
                p_holm: None,
                n,
                pairs: None,
                differs_in: Setup::default(),
            };
            against(&comparison, "simcse")
        };
        let told = |difference, interval, n| told_at("10%", difference, interval, n);
        assert_eq!(told(f64::NAN, None, 5), "not comparable with simcse, which has an undefined score");
        assert_eq!(told_at(NO_SIZE, 2.0, None, 1), "2.00 points above simcse");
        assert_eq!(
            told(4.05, interval(1.2, 6.9), 2),
            "4.05 points above simcse (95 % interval 1.20 to 6.90)"
        );
        assert_eq!(
            told(-1.0, interval(-3.0, 1.0), 2),
            "1.00 points below simcse (95 % interval \u{2212}1.00 to 3.00, which includes 0: it may be chance)"
        );
        assert_eq!(told(0.5, None, 1), "0.50 points above simcse (one common seed: no interval)");
        assert_eq!(
            told(0.5, None, 3),
            "0.50 points above simcse (the same for each of 3 seeds: no interval)"
        );
    }
}
