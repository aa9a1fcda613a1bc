//! What `micse train` prints at the end: the model before and after, which weights were kept, and what to try next.

use anyhow::Result;
use micse_cli::output::{quoted, quoted_path};
use micse_cli::{note, print};

use super::Train;
use crate::adapt::Before;
use crate::eval::judge::{Change, Purpose, to_table};
use crate::files::RunFolder;
use crate::train::RunResult;
use crate::train::run::{Chosen, Keep};

/// Prints the scores before training starts.
pub(super) fn before(before: &Before) {
    if let Some(score) = before.dev() {
        note(format_args!("development pairs before training: {score:.2} (Spearman x 100)"));
    }
    if let Some(average) = before.sts() {
        note(format_args!("STS sets before training: average {average:.2} (Spearman x 100)"));
    }
}

impl Train {
    pub(super) fn report(&self, result: &RunResult, before: &Before) -> Result<()> {
        if !result.scores.tasks.is_empty() {
            print(&result.scores.to_table())?;
        }
        let chosen = result.chosen.as_ref();
        let mut rows = chosen.and_then(shown).map_or_else(Vec::new, Change::rows);
        let sts = (!result.scores.tasks.is_empty()).then_some(result.scores.average);
        let scores = [
            ("STS sets, average", before.sts(), sts),
            ("development pairs", before.dev(), result.scores.dev_spearman),
        ];
        let is_start = chosen.is_some_and(|chosen| chosen.share == 0.0);
        let mut worse = Vec::new();
        for (name, before, after) in scores {
            // The trained weights were not scored if the start's were kept.
            if let Some((before, after)) = before.zip(after).filter(|_| !is_start) {
                rows.push([
                    name.to_owned(),
                    format!("{before:.2}"),
                    format!("{after:.2}"),
                    format!("{:+.2}", after - before),
                    String::new(),
                ]);
                worse.extend((after < before).then_some(name));
            }
        }
        if !rows.is_empty() {
            print(&to_table(["before", if is_start { "trained" } else { "after" }], rows))?;
        }
        if result.steps > 0 {
            for line in verdict(chosen, result.selected_step) {
                print(&line)?;
            }
        }
        if !worse.is_empty() {
            print(&format!("notice: worse than before in: {}", worse.join(", ")))?;
        }
        self.next()
    }

    /// The model's place, and commands to try with it.
    fn next(&self) -> Result<()> {
        let model = RunFolder::new(&self.out).model();
        // A name that no shell can take has no commands.
        let commands =
            self.commands().map_or_else(|_| String::new(), |commands| format!("; try:\n{commands}"));
        print(&format!(
            "the model is in {}{commands}",
            quoted_path(&model).unwrap_or_else(|_| model.display().to_string())
        ))
    }

    fn commands(&self) -> Result<String> {
        let out = quoted_path(&self.out)?;
        let base = quoted(self.model.as_deref().unwrap_or_default())?;
        let corpus = self.corpus.first().map_or_else(|| Ok(String::new()), |path| quoted_path(path))?;
        Ok(format!(
            "  micse compare {base} {out} --corpus {corpus} --sample 5\n  micse search --model {out} --corpus {corpus} \
             --query \"...\"\n  micse encode --model {out} --input {corpus} --output rows.npy\n  micse export {out} \
             --output FOLDER"
        ))
    }
}

/// The change that the table shows: that of the weights that were kept; of the trained ones if the start's were kept.
fn shown(chosen: &Chosen) -> Option<&Change> {
    chosen.kept().or(chosen.last()).map(|candidate| &candidate.change)
}

/// What a single purpose would have kept, if the start's weights were kept for none in particular.
fn elsewhere(chosen: &Chosen) -> String {
    let kept = |purpose: Purpose| {
        let candidate = chosen.kept_for(Some(purpose))?;
        Some(format!("; --for {purpose} would keep {:.0} % of the change", 100.0 * candidate.share))
    };
    let purposes = Purpose::ALL.into_iter().filter(|_| chosen.rule.purpose.is_none());
    purposes.filter_map(kept).collect()
}

/// Which weights were kept, and why, in plain sentences.
fn verdict(chosen: Option<&Chosen>, selected_step: Option<usize>) -> Vec<String> {
    let judged = match chosen {
        Some(chosen) => {
            let effects = shown(chosen).map_or_else(String::new, Change::summary);
            format!("judged on {} held-out sentences: {effects}", chosen.sentences)
        }
        None => "not judged on held-out sentences".to_owned(),
    };
    let trained = selected_step.map_or_else(
        || "the last step".to_owned(),
        |step| format!("step {step}, the best on the development pairs"),
    );
    let kept = match (chosen.map(|chosen| (chosen, chosen.rule.keep)), selected_step) {
        (Some((chosen, Keep::Judged)), _) if chosen.share == 0.0 => {
            let why = match chosen.rule.purpose {
                Some(purpose) => format!("no candidate is better for {purpose}"),
                None => "no candidate is better for grouping without a loss for search".to_owned(),
            };
            format!(
                "kept: the start's weights, because {why}; the table shows the trained weights, which --keep last keeps{}",
                elsewhere(chosen)
            )
        }
        (Some((chosen, Keep::Judged)), _) if chosen.share < 1.0 => format!(
            "kept: an average of the weights, {:.0} % those of {trained}, {:.0} % the start's",
            100.0 * chosen.share,
            100.0 * (1.0 - chosen.share)
        ),
        (_, Some(0)) => {
            "kept: the start's weights, because no step scores better on the development pairs".to_owned()
        }
        _ => format!("kept: the weights of {trained}"),
    };
    vec![judged, kept]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::eval::judge::Difference;
    use crate::train::run::{Candidate, Rule};

    #[test]
    fn a_start_that_was_kept_names_the_purpose_that_would_have_gained() {
        let difference = |change: f64| {
            Some(Difference { before: 0.5, after: 0.5 + change, low: change - 0.01, high: change + 0.01 })
        };
        let change = Change {
            halves: difference(0.005),
            noise: difference(0.015),
            order: None,
            uniformity: [-2.0; 2],
            alignment: [0.1; 2],
            kept_neighbours: 0.9,
            kept_order: 0.95,
            cosine_change: 0.1,
        };
        let chosen = |purpose| Chosen {
            rule: Rule { keep: Keep::Judged, purpose },
            sentences: 200,
            share: 0.0,
            candidates: vec![Candidate { share: 0.5, change: change.clone() }],
        };
        let said = |purpose| verdict(Some(&chosen(purpose)), None).join("\n");
        let plain = said(None);
        assert!(plain.contains("similarity better, search unclear, grouping unclear"), "{plain}");
        assert!(
            plain.ends_with("--keep last keeps; --for similarity would keep 50 % of the change"),
            "{plain}"
        );
        let search = said(Some(Purpose::Search));
        assert!(
            search.contains("no candidate is better for search;") && search.ends_with("keeps"),
            "{search}"
        );
    }

    #[test]
    fn what_was_kept_is_named_by_its_step() {
        let judged = |share| Chosen {
            rule: Rule { keep: Keep::Judged, purpose: None },
            sentences: 200,
            share,
            candidates: Vec::new(),
        };
        for (chosen, step, kept) in [
            (Some(judged(0.5)), None, "50 % those of the last step, 50 % the start's"),
            (Some(judged(0.5)), Some(125), "50 % those of step 125, the best on the development pairs, 50 %"),
            (Some(judged(1.0)), None, "kept: the weights of the last step"),
            (Some(judged(1.0)), Some(125), "kept: the weights of step 125, the best"),
            (None, Some(0), "kept: the start's weights, because no step"),
            (None, Some(5), "kept: the weights of step 5, the best"),
            (None, None, "kept: the weights of the last step"),
        ] {
            let said = verdict(chosen.as_ref(), step);
            assert!(said[1].contains(kept), "{said:?}");
            assert_eq!(said[0].starts_with("not judged"), chosen.is_none());
        }
    }
}
