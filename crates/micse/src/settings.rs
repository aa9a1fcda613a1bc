//! What `micse train` takes where nobody says otherwise.

use micse::model::Pooling;

/// Sentences a step.
const BATCH: usize = 50;
/// Encoders with a hidden size below this one are small.
const SMALL: usize = 512;
/// Bounds of the steps.
const STEPS: (usize, usize) = (150, 20_000);

/// Settings of the recipe `micse`, and why these.
#[derive(Debug, PartialEq)]
pub(crate) struct Chosen {
    pub(crate) steps: usize,
    /// `KEY=VALUE` for the recipe.
    pub(crate) settings: Vec<String>,
    /// Lines for the user: what was taken, and why.
    pub(crate) lines: Vec<String>,
}

/// Settings for so many sentences and an encoder of this hidden size, whose folder asks for this pooling.
///
/// | what | rule | why |
/// |---|---|---|
/// | steps | 10 sqrt(n), from 150 to 20,000, of 50 sentences | between one number of passes and one number of steps: 1,000 sentences are passed some 16 times, 10⁶ half a time; small encoders were measured at 150 to 300 steps on 1,000 sentences, the paper took 20,000 on 10⁶ |
/// | learning rate | hidden size < 512: 1e-4; else 3e-5 | small encoders gained at 1e-4 to 2e-4; 3e-5 is the paper's for BERT-base |
/// | AMI's weight | hidden size < 512: 1, over the positions that dropout kept; else 2.5e-3 | at 2.5e-3 the term has next to no gradient in a small encoder; 2.5e-3 is the paper's |
/// | pooling | the folder's; mean: without a head; else `[CLS]` with SimCSE's head | a model keeps the pooling that it is used with; a head between mean and loss learns too little in few steps |
/// | queue | a sentence's own queued copies are masked | in a small text they would be its negatives |
///
/// The figures stand in `docs/results.md`.
pub(crate) fn choose(sentences: usize, hidden: usize, pooling: Option<Pooling>) -> Chosen {
    let by_rule = (sentences as f64).sqrt().round() as usize * 10;
    let steps = by_rule.clamp(STEPS.0, STEPS.1);
    let small = hidden < SMALL;
    let (rate, weight) = if small { ("1e-4", "1.0") } else { ("3e-5", "2.5e-3") };
    let mut settings = vec![
        format!("optimizer.batch_size={BATCH}"),
        format!("optimizer.lr={rate}"),
        format!("objectives.ami.weight={weight}"),
        format!("optimizer.warmup_steps={}", steps / 20),
    ];
    let mut lines = vec![
        format!(
            "{sentences} sentences: recipe micse, {steps} steps of {BATCH}, learning rate {rate}, weight of AMI {weight}"
        ),
        format!(
            "  steps: 10 times the root of the number of sentences, at least {}, at most {} ({:.1} passes)",
            STEPS.0,
            STEPS.1,
            (steps * BATCH.min(sentences)) as f64 / sentences as f64
        ),
    ];
    if small {
        settings.push("objectives.ami.pool=kept".into());
        lines.push(format!(
            "  learning rate and weight: those of small encoders (hidden size {hidden}, below {SMALL})"
        ));
    } else {
        lines
            .push(format!("  learning rate and weight: the paper's (hidden size {hidden}, {SMALL} or more)"));
    }
    if pooling == Some(Pooling::Mean) {
        settings.extend(["pooling.train=mean", "pooling.test=mean", "head=none"].map(str::to_owned));
        lines.push("  pooling: mean, as the model folder says, without a head".into());
    } else {
        let why = if pooling.is_some() { "as the model folder says" } else { "the model folder names none" };
        lines.push(format!("  pooling: cls ({why}), with SimCSE's head in training"));
    }
    settings.push("momentum.mask_same_sentence=true".into());
    lines.push("  your own: --recipe, --steps, --set KEY=VALUE".into());
    Chosen { steps, settings, lines }
}

#[cfg(test)]
mod tests {
    use super::*;
    use micse::train::Recipe;

    #[test]
    fn steps_grow_with_the_root_of_the_sentences_within_bounds() {
        let steps = |n: usize| choose(n, 256, None).steps;
        assert_eq!([2, 200, 800, 1000, 10_000].map(steps), [150, 150, 280, 320, 1000]);
        assert_eq!([1_000_000, 4_000_000, 40_000_000].map(steps), [10_000, 20_000, 20_000]);
    }

    #[test]
    fn what_is_chosen_is_a_recipe() {
        for (n, hidden, pooling) in [
            (2, 32, None),
            (800, 256, Some(Pooling::Mean)),
            (10_000, 384, Some(Pooling::Cls)),
            (1_000_000, 768, None),
        ] {
            let chosen = choose(n, hidden, pooling);
            let recipe =
                Recipe::load_for("micse", &[], &chosen.settings, Some(chosen.steps)).expect("a recipe");
            assert_eq!(recipe.steps, chosen.steps);
            assert_eq!(recipe.optimizer.lr, if hidden < 512 { 1e-4 } else { 3e-5 });
            assert_eq!(recipe.ami().next().expect("AMI").weight, if hidden < 512 { 1.0 } else { 2.5e-3 });
            assert_eq!(recipe.pooling.test, pooling.unwrap_or(Pooling::Cls));
            assert_eq!(recipe.head.layers().is_empty(), pooling == Some(Pooling::Mean));
            assert_eq!(recipe.optimizer.warmup_steps, chosen.steps / 20);
            assert!(chosen.lines[0].contains(&format!("{n} sentences")), "{:?}", chosen.lines);
        }
    }
}
