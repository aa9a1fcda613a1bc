//! `cargo xtask bench methods`: the time per step of every recipe relative to SimCSE, and the cost of its passes alone.

use std::num::NonZeroUsize;
use std::time::Instant;

use anyhow::Result;
use clap::Args;
use comfy_table::{CellAlignment, Table, presets};
use micse_cli::options::ComputeOptions;
use micse_cli::{note, print};
use micse_data::Locator;
use micse_model::MaskedLmHead;
use micse_random::Stream;
use micse_train::recipe::{Objective, PerturbationBy, SecondKind, Tower, names};
use micse_train::{Recipe, Trainer};
use serde_json::json;

use super::{Subject, corpus, median, round};

/// Time optimization steps of every recipe that trains
#[derive(Args)]
pub(super) struct Methods {
    #[command(flatten)]
    subject: Subject,
    /// Methods to time, separated by commas [default: all that train]
    #[arg(long = "methods", value_name = "METHODS", value_delimiter = ',', alias = "recipes")]
    chosen: Vec<String>,
    /// Sentences per batch
    #[arg(long, value_name = "N", default_value_t = 50, alias = "batch")]
    batch_size: usize,
    /// Maximum tokens per sentence
    #[arg(long, default_value_t = 32)]
    max_length: usize,
    /// Text files with one sentence per line (plain, zstd or gzip), or `demo` [default: MICSE_DATA, else demo]
    #[arg(long, num_args = 1..)]
    corpus: Vec<String>,
    /// Timed steps, after two warm-up steps
    #[arg(long, value_name = "N", default_value = "20")]
    steps: NonZeroUsize,
    #[command(flatten)]
    compute: ComputeOptions,
}

/// The reference recipe for all ratios.
const UNIT: &str = "simcse-baseline";
const WARM_UP: usize = 2;

/// A recipe's speed.
struct Line {
    recipe: Recipe,
    /// Median milliseconds per step, including tokenizing.
    step: f64,
    sentences_per_s: f64,
}

impl Methods {
    pub(super) fn run(&self, as_json: bool) -> Result<()> {
        let compute = self.compute.start()?;
        let locator = Locator::from_env()?;
        let text = corpus(&locator, &self.corpus)?;
        let mut recipes = self.chosen.clone();
        if recipes.is_empty() {
            recipes = names().into_iter().map(str::to_owned).collect();
        }
        recipes.retain(|name| name != UNIT);
        recipes.insert(0, UNIT.to_owned());
        let mut lines: Vec<Line> = Vec::new();
        for name in &recipes {
            let settings = [
                format!("optimizer.batch_size={}", self.batch_size),
                format!("max_length={}", self.max_length),
                "optimizer.warmup_steps=0".to_owned(),
            ];
            if Recipe::load(name, &[])?.steps == 0 {
                continue;
            }
            let recipe = Recipe::load(name, &settings)?;
            let encoder = self.subject.encoder(&locator, &compute)?;
            let tokenizer = self.subject.tokenizer(&locator, encoder.config())?;
            // The timing does not depend on the tokens that the generator fills in.
            let head = MaskedLmHead::new(encoder.config(), Stream::new(48), &compute.device)?;
            let trainer = Trainer::new(recipe, 48, encoder, tokenizer, text.len(), &compute.device)?;
            let mut trainer = trainer.with_generator_head(head);
            let mut seconds = Vec::new();
            let mut sentences = 0;
            for step in 0..WARM_UP + self.steps.get() {
                let begun = Instant::now();
                let report = trainer.step(&|number| text.get(number as usize), false)?;
                if step >= WARM_UP {
                    seconds.push(begun.elapsed().as_secs_f64());
                    sentences = report.sentences;
                }
            }
            let step = median(&seconds);
            let recipe = trainer.recipe().clone();
            lines.push(Line { recipe, step: 1e3 * step, sentences_per_s: sentences as f64 / step });
            if as_json {
                if let (Some(line), Some(unit)) = (lines.last(), lines.first()) {
                    print(&line.json(unit).to_string())?;
                }
            } else {
                note(format_args!("{name}: {:.1} ms per step", 1e3 * step));
            }
        }
        if !as_json {
            print(&table(&lines))?;
        }
        Ok(())
    }
}

impl Line {
    fn json(&self, unit: &Self) -> serde_json::Value {
        json!({
            "bench": "methods",
            "recipe": self.recipe.name,
            "ms_per_step": round(self.step, 2),
            "sentences_per_s": round(self.sentences_per_s, 1),
            "cost": round(self.step / unit.step, 2),
            "cost_of_passes": round(forward_passes(&self.recipe) / forward_passes(&unit.recipe), 2),
        })
    }
}

fn table(lines: &[Line]) -> String {
    let mut table = Table::new();
    table.load_preset(presets::UTF8_HORIZONTAL_ONLY);
    table.set_header(["recipe", "ms per step", "sentences/s", "cost", "cost of passes"]);
    for line in lines {
        let unit = &lines[0];
        table.add_row([
            line.recipe.name.clone(),
            format!("{:.1}", line.step),
            format!("{:.0}", line.sentences_per_s),
            format!("{:.2}", line.step / unit.step),
            format!("{:.2}", forward_passes(&line.recipe) / forward_passes(&unit.recipe)),
        ]);
    }
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    format!(
        "cost: time per step relative to {UNIT}; cost of passes: the same ratio for the encoder passes alone\n{table}"
    )
}

/// Encoder passes per step, in forward passes of the batch: three for a trained pass, one for a constant pass.
fn forward_passes(recipe: &Recipe) -> f64 {
    let mut passes = 0.0;
    let trained = |kind: Option<SecondKind>| if kind == Some(SecondKind::Trained) { 3.0 } else { 1.0 };
    let second = trained(recipe.second.map(|s| s.kind));
    let target = if recipe.momentum.is_some_and(|m| !m.stop_gradient) { 3.0 } else { 1.0 };
    let mut perturbed = false;
    for view in &recipe.views {
        let cost = match view.tower {
            Tower::Online => 3.0,
            Tower::Second => second,
            Tower::Both => 3.0 + second,
            Tower::Momentum => target,
        };
        passes += cost * view.copies as f64;
        perturbed |= view.perturbation.is_some() && view.perturbation_by == PerturbationBy::ThisBatch;
    }
    if perturbed {
        // The gradient of the loss with respect to the embeddings of every pass.
        passes += 3.0 * recipe.passes() as f64;
    }
    let own_view = recipe.views.iter().any(|view| view.tower == Tower::Momentum);
    if recipe.momentum.is_some_and(|m| m.queue > 0) && !own_view {
        passes += 1.0;
    }
    for objective in &recipe.objectives {
        passes += match objective {
            Objective::MaskedLm(_) => 3.0,
            // Generator and discriminator, for both views.
            Objective::ReplacedTokens(_) => 2.0 * (1.0 + 3.0),
            _ => 0.0,
        };
    }
    passes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passes_of_known_recipes() {
        for (name, passes) in [
            ("simcse-baseline", 6.0),
            ("micse", 7.0),
            ("ct", 6.0),
            ("pcl", 60.0),
            ("sg-opt", 4.0),
            ("diffcse", 14.0),
            ("mocose", 10.0),
            ("mocose@released-code", 6.0),
        ] {
            assert_eq!(forward_passes(&Recipe::load(name, &[]).expect(name)), passes, "{name}");
        }
    }
}
