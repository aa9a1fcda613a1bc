//! The settings that `micse train` chooses for a model and a corpus.

use crate::model::Pooling;
use crate::train::Recipe;
use crate::train::run::first_difference;

/// Sentences per step.
const BATCH: usize = 50;
/// Encoders with a hidden size below this one are small.
const SMALL: usize = 512;
/// Bounds of the steps for an encoder that is not yet a sentence-embedding model.
const STEPS: (usize, usize) = (150, 20_000);
/// For a sentence-embedding model: the recipe, and the largest values that did no harm when measured.
const GENTLE_RECIPE: &str = "simcse-baseline";
const GENTLE_STEPS: usize = 40;
const GENTLE_RATE: f64 = 3e-6;

/// Properties of the model that training starts from, read from its folder.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Start {
    pub(crate) hidden: usize,
    /// The folder's pooling, if it defines one.
    pub(crate) pooling: Option<Pooling>,
    /// Whether the folder is a sentence-embedding model: whether its list of modules includes a pooling.
    pub(crate) embeds_sentences: bool,
}

/// A recipe, its settings, and the reasons for them.
#[derive(Debug, PartialEq)]
pub(crate) struct Chosen {
    pub(crate) recipe: &'static str,
    pub(crate) steps: usize,
    /// `KEY=VALUE` for any recipe that trains.
    pub(crate) settings: Vec<String>,
    /// `KEY=VALUE` for the chosen recipe only.
    pub(crate) own: Vec<String>,
    /// The reasons, to be printed.
    pub(crate) reasons: Vec<Reason>,
}

/// Why a setting was chosen; not printed if the user overrides one of its keys.
#[derive(Debug, PartialEq)]
pub(crate) struct Reason {
    keys: &'static [&'static str],
    pub(crate) text: String,
}

/// The setting for warm-up: 5 % of the optimizer steps.
pub(crate) fn warmup(steps: usize) -> String {
    format!("optimizer.warmup_steps={}", steps / 20)
}

/// Chooses settings for a corpus of this many sentences and the model that training starts from.
///
/// A sentence-embedding model has much to lose. It gets settings that did no harm to two models with mean pooling on
/// three kinds of text (see docs/adapt-to-your-domain.md): plain SimCSE, 40 steps at 3e-6, with its folder's pooling
/// and without a head.
///
/// Any other encoder gets the recipe `micse`:
///
/// | setting | rule | reason |
/// |---|---|---|
/// | steps | 10 sqrt(n), from 150 to 20,000, of 50 sentences | a compromise between a fixed number of passes and a fixed number of steps: about 16 passes over 1,000 sentences, half a pass over 10⁶; small encoders were measured at 150 to 300 steps on 1,000 sentences, the paper used 20,000 on 10⁶ |
/// | learning rate | hidden size < 512: 1e-4; else 3e-5 | small encoders gained at 1e-4 to 2e-4; 3e-5 is the paper's value for BERT-base |
/// | weight of AMI | hidden size < 512: 1, over the positions that dropout kept; else 2.5e-3 | at 2.5e-3 the term has almost no gradient in a small encoder; 2.5e-3 is the paper's value |
/// | pooling | the folder's; mean: without a head; else `[CLS]` with SimCSE's head | a model keeps the pooling it is used with; a head between mean and loss learns too little in few steps |
/// | queue | a sentence's own queued copies are masked | in a small corpus they would be its negatives |
pub(crate) fn choose(sentences: usize, start: Start) -> Chosen {
    let mut settings = vec![format!("optimizer.batch_size={BATCH}")];
    let mut reasons = Vec::new();
    let (recipe, steps, mut own);
    if start.embeds_sentences {
        (recipe, steps, own) = (GENTLE_RECIPE, GENTLE_STEPS, Vec::new());
        settings.push(format!("optimizer.lr={GENTLE_RATE:e}"));
        let text = format!(
            "this is a sentence-embedding model: few steps of plain SimCSE at a low learning rate ({GENTLE_STEPS} at \
             {GENTLE_RATE:e}), which did no harm to the two measured models, both with mean pooling"
        );
        reasons.push(Reason { keys: &["recipe", "steps", "optimizer.lr"], text });
    } else {
        let by_rule = (sentences as f64).sqrt().round() as usize * 10;
        (recipe, steps) = ("micse", by_rule.clamp(STEPS.0, STEPS.1));
        let text = format!(
            "steps: 10 times the square root of the number of sentences, at least {}, at most {} ({:.1} passes)",
            STEPS.0,
            STEPS.1,
            (steps * BATCH.min(sentences)) as f64 / sentences as f64
        );
        reasons.push(Reason { keys: &["steps"], text });
        let (rate, weight) = if start.hidden < SMALL { ("1e-4", "1.0") } else { ("3e-5", "2.5e-3") };
        settings.push(format!("optimizer.lr={rate}"));
        own = vec![format!("objectives.ami.weight={weight}"), "momentum.mask_same_sentence=true".to_owned()];
        let text = if start.hidden < SMALL {
            own.push("objectives.ami.pool=kept".into());
            format!(
                "learning rate and weight of AMI: values for small encoders (hidden size {}, below {SMALL})",
                start.hidden
            )
        } else {
            format!(
                "learning rate and weight of AMI: the paper's values for BERT-base, not measured here (hidden size {}, \
                 {SMALL} or more)",
                start.hidden
            )
        };
        reasons.push(Reason { keys: &["recipe", "optimizer.lr", "objectives.ami.weight"], text });
    }
    let pooling = start.pooling.unwrap_or(Pooling::Cls);
    settings.extend(["train", "test"].map(|when| format!("pooling.{when}={pooling}")));
    if start.embeds_sentences || pooling == Pooling::Mean {
        settings.push("head=none".into());
    }
    let text = match start.pooling {
        Some(pooling) => format!("pooling: {pooling}, from the model folder"),
        None => "pooling: cls, because the model folder does not define one".into(),
    };
    reasons.push(Reason { keys: &["pooling"], text });
    Chosen { recipe, steps, settings, own, reasons }
}

/// The key of a `KEY=VALUE`.
fn key(setting: &str) -> &str {
    setting.split('=').next().unwrap_or_default().trim()
}

impl Chosen {
    /// The reasons that still apply if the user overrides these keys: `recipe`, `steps`, and the keys of `--set`.
    pub(crate) fn reasons_without<'a>(&'a self, given: &'a [String]) -> impl Iterator<Item = &'a str> {
        let same = |key: &str, given: &str| {
            given == key || given.starts_with(&format!("{key}.")) || key.starts_with(&format!("{given}."))
        };
        self.reasons
            .iter()
            .filter(move |reason| !given.iter().any(|g| reason.keys.iter().any(|k| same(k, g))))
            .map(|reason| reason.text.as_str())
    }

    /// The chosen settings that apply to a recipe, followed by those that the user requested.
    pub(crate) fn for_recipe(&self, recipe: &Recipe, asked: &[String]) -> Vec<String> {
        let own = self.own.iter().filter(|_| recipe.name == self.recipe);
        self.settings
            .iter()
            .chain(own)
            .filter(|setting| match key(setting) {
                "head" => !recipe.head.layers().is_empty(),
                "pooling.train" | "pooling.test" => recipe.convolution.is_none(),
                _ => true,
            })
            // If the user replaces a whole table, its chosen values are dropped.
            .filter(|setting| !asked.iter().any(|a| key(setting).starts_with(&format!("{}.", key(a)))))
            .chain(asked)
            .cloned()
            .collect()
    }
}

/// One line with the final settings for a corpus of this many sentences.
pub(crate) fn line(recipe: &Recipe, sentences: usize) -> String {
    let name = &recipe.name;
    let Some(o) = &recipe.optimizer else {
        let pooling = recipe.test_pooling();
        return format!(
            "settings for {sentences} sentences: recipe {name}, no training steps, pooling {pooling}"
        );
    };
    let head = if recipe.head.layers().is_empty() { "no head" } else { "a head during training" };
    let weight = |w: f64| if w >= 0.01 { w.to_string() } else { format!("{w:e}") };
    let terms: Vec<String> =
        recipe.ami().map(|ami| format!(", weight of AMI {}", weight(ami.weight))).collect();
    let terms = terms.concat();
    format!(
        "settings for {sentences} sentences: recipe {name}, {} steps of {}, learning rate {:e}{terms}, warm-up {}, \
         pooling {}, {head}, at most {} tokens",
        recipe.steps,
        o.batch_size,
        o.lr,
        o.warmup_steps,
        recipe.test_pooling(),
        recipe.token_limit()
    )
}

/// A warning that lists the settings of a recipe that were never measured on a sentence-embedding model: every
/// difference from the chosen settings, except fewer steps and a lower learning rate. `None` without such
/// differences.
pub(crate) fn unmeasured(
    recipe: &Recipe,
    sentences: usize,
    start: Start,
) -> crate::train::Result<Option<String>> {
    let Some(optimizer) = recipe.optimizer.as_ref().filter(|_| start.embeds_sentences) else {
        return Ok(None);
    };
    let chosen = choose(sentences, start);
    let plain = Recipe::load(chosen.recipe, &[])?;
    let mut measured =
        Recipe::load_for(chosen.recipe, &[], &chosen.for_recipe(&plain, &[]), Some(chosen.steps))?;
    let mut found = Vec::new();
    if recipe.name != measured.name {
        found.push(format!("recipe {}", recipe.name));
    }
    if optimizer.lr > GENTLE_RATE {
        found.push(format!("learning rate {:e}, above {GENTLE_RATE:e}", optimizer.lr));
    }
    if recipe.test_pooling() != Pooling::Mean {
        found.push(format!("pooling {}", recipe.test_pooling()));
    }
    if recipe.steps > GENTLE_STEPS {
        found.push(format!("{} steps, more than {GENTLE_STEPS}", recipe.steps));
    }
    if found.is_empty() {
        // The first other difference by key, without the values compared above and the selection of weights.
        (measured.steps, measured.select, measured.eval_every) =
            (recipe.steps, recipe.select, recipe.eval_every);
        if let Some(measured) = &mut measured.optimizer {
            (measured.lr, measured.warmup_steps) = (optimizer.lr, optimizer.warmup_steps);
        }
        if let Ok(difference) = first_difference(&measured, recipe) {
            found.extend(difference);
        }
    }
    Ok((!found.is_empty()).then(|| {
        format!(
            "not measured on sentence-embedding models: {}. Training can make a good model much worse: compare before \
             and after (--pairs, --sts)",
            found.join("; ")
        )
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn start(hidden: usize, pooling: Option<Pooling>, embeds_sentences: bool) -> Start {
        Start { hidden, pooling, embeds_sentences }
    }

    fn rate(recipe: &Recipe) -> f64 {
        recipe.optimizer().expect("an optimizer").lr
    }

    fn recipe(chosen: &Chosen, name: &str, asked: &[&str]) -> Recipe {
        let asked: Vec<String> = asked.iter().map(|&s| s.to_owned()).collect();
        let plain = Recipe::load(name, &[]).expect(name);
        let settings = [chosen.for_recipe(&plain, &asked), vec![warmup(chosen.steps)]].concat();
        Recipe::load_for(name, &[], &settings, Some(chosen.steps)).expect(name)
    }

    #[test]
    fn steps_of_an_encoder_grow_with_the_root_of_the_sentences_within_bounds() {
        let steps = |n: usize| choose(n, start(256, None, false)).steps;
        assert_eq!([2, 200, 800, 1000, 10_000].map(steps), [150, 150, 280, 320, 1000]);
        assert_eq!([1_000_000, 4_000_000, 40_000_000].map(steps), [10_000, 20_000, 20_000]);
    }

    #[test]
    fn an_encoder_gets_micse() {
        for (n, hidden, pooling) in [
            (2, 32, None),
            (800, 256, Some(Pooling::Mean)),
            (10_000, 384, Some(Pooling::Cls)),
            (1_000_000, 768, None),
        ] {
            let chosen = choose(n, start(hidden, pooling, false));
            let recipe = recipe(&chosen, "micse", &[]);
            assert_eq!((chosen.recipe, recipe.steps), ("micse", chosen.steps));
            assert_eq!(rate(&recipe), if hidden < 512 { 1e-4 } else { 3e-5 });
            assert_eq!(recipe.ami().next().expect("AMI").weight, if hidden < 512 { 1.0 } else { 2.5e-3 });
            assert_eq!(recipe.test_pooling(), pooling.unwrap_or(Pooling::Cls));
            assert_eq!(recipe.head.layers().is_empty(), pooling == Some(Pooling::Mean));
            assert_eq!(recipe.optimizer().expect("an optimizer").warmup_steps, chosen.steps / 20);
            assert_eq!(unmeasured(&recipe, n, start(hidden, pooling, false)).expect("a recipe"), None);
        }
    }

    #[test]
    fn a_sentence_embedding_model_gets_what_does_no_harm() {
        for pooling in [Pooling::Mean, Pooling::Cls] {
            for (n, hidden) in [(2, 32), (1000, 384), (1_000_000, 768)] {
                let start = start(hidden, Some(pooling), true);
                let chosen = choose(n, start);
                let recipe = recipe(&chosen, chosen.recipe, &[]);
                assert_eq!((recipe.name.as_str(), recipe.steps), (GENTLE_RECIPE, GENTLE_STEPS));
                assert_eq!(rate(&recipe), GENTLE_RATE);
                assert_eq!((recipe.train_pooling(), recipe.test_pooling()), (pooling, pooling));
                assert!(recipe.head.layers().is_empty() && recipe.ami().next().is_none());
                // Both measured models use mean pooling.
                let notice = unmeasured(&recipe, n, start).expect("a recipe");
                assert_eq!(notice.is_some_and(|text| text.contains("pooling cls")), pooling == Pooling::Cls);
            }
        }
    }

    #[test]
    fn what_is_asked_for_goes_on_top_and_what_was_not_measured_is_named() {
        let start = start(384, Some(Pooling::Mean), true);
        let chosen = choose(1000, start);
        let faster = recipe(&chosen, "simcse-baseline", &["optimizer.lr=3e-4"]);
        assert_eq!((rate(&faster), faster.steps, faster.test_pooling()), (3e-4, GENTLE_STEPS, Pooling::Mean));
        assert!(
            unmeasured(&faster, 1000, start).expect("a recipe").is_some_and(|text| text.contains("3e-4"))
        );
        let other = recipe(&chosen, "micse", &[]);
        assert_eq!(
            (rate(&other), other.steps, other.test_pooling()),
            (GENTLE_RATE, GENTLE_STEPS, Pooling::Mean)
        );
        assert!(
            unmeasured(&other, 1000, start)
                .expect("a recipe")
                .is_some_and(|text| text.contains("recipe micse"))
        );
        for (setting, named) in
            [("optimizer.batch_size=8", "batch_size"), ("objectives.infonce.temperature=0.01", "temperature")]
        {
            let text =
                unmeasured(&recipe(&chosen, "simcse-baseline", &[setting]), 1000, start).expect("a recipe");
            assert!(text.as_ref().is_some_and(|text| text.contains(named)), "{text:?}");
        }
        let reasons = |given: &[&str]| {
            let given: Vec<String> = given.iter().map(|&g| g.to_owned()).collect();
            chosen.reasons_without(&given).count()
        };
        assert_eq!([reasons(&[]), reasons(&["steps"]), reasons(&["steps", "pooling.test"])], [2, 1, 0]);
        assert!(line(&other, 1000).contains("weight of AMI"), "{}", line(&other, 1000));
        // This recipe has no head to remove.
        assert!(recipe(&chosen, "mirror-bert", &[]).head.layers().is_empty());
    }
}
