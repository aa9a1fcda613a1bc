//! What `micse train` prints at the end: the model before and after, which weights were kept, and what to try next.

use anyhow::Result;
use micse_cli::output::{quoted, quoted_path};
use micse_cli::print;

use super::Train;
use super::before::Before;
use crate::eval::judge::{Change, to_table};
use crate::files::RunFolder;
use crate::train::RunResult;
use crate::train::run::{Chosen, Keep};

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
        for line in chosen.map_or_else(Vec::new, |chosen| verdict(chosen, result.selected_step)) {
            print(&line)?;
        }
        if !worse.is_empty() {
            print(&format!("notice: worse than before in: {}", worse.join(", ")))?;
        }
        self.next()
    }

    /// Commands to try with the model.
    fn next(&self) -> Result<()> {
        let model = RunFolder::new(&self.out).model();
        let (out, model) = (quoted_path(&self.out)?, quoted_path(&model)?);
        let base = quoted(self.model.as_deref().unwrap_or_default())?;
        let corpus = self.corpus.first().map_or_else(|| Ok(String::new()), |path| quoted_path(path))?;
        print(&format!(
            "the model is in {model}; try:\n  micse compare {base} {out} --corpus {corpus} --sample 5\n  micse search \
             --model {out} --corpus {corpus} --query \"...\"\n  micse encode --model {out} --input {corpus} --output \
             rows.npy\n  micse export {out} --output FOLDER"
        ))
    }
}

/// The change that the table shows: that of the weights that were kept; of the trained ones if the start's were kept.
fn shown(chosen: &Chosen) -> Option<&Change> {
    chosen.kept().or(chosen.last()).map(|candidate| &candidate.change)
}

/// Which weights were kept, and why, in plain sentences.
fn verdict(chosen: &Chosen, selected_step: Option<usize>) -> Vec<String> {
    let effects = shown(chosen).map_or_else(String::new, Change::summary);
    let judged = format!("judged on {} held-out sentences: {effects}", chosen.sentences);
    let kept = match (chosen.rule.keep, chosen.share, selected_step) {
        (Keep::Judged, 0.0, _) => {
            let purposes = match chosen.rule.purpose {
                Some(purpose) => purpose.to_string(),
                None => "similarity, search and grouping at once (--for names one)".to_owned(),
            };
            format!(
                "kept: the start's weights, because no candidate is better for {purposes}; the table shows the trained \
                 weights, which --keep last keeps"
            )
        }
        (Keep::Judged, share, _) if share < 1.0 => format!(
            "kept: an average of the weights, {:.0} % trained and {:.0} % the start's",
            100.0 * share,
            100.0 * (1.0 - share)
        ),
        (Keep::Pairs, _, Some(0)) => {
            "kept: the start's weights, because no step scores better on the development pairs".to_owned()
        }
        (Keep::Pairs, _, Some(step)) => {
            format!("kept: the weights of step {step}, the best on the development pairs")
        }
        _ => "kept: the weights of the last step".to_owned(),
    };
    vec![judged, kept]
}
