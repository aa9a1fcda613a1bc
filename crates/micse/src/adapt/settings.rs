//! The settings that are chosen for a model and a corpus.

use crate::model::Pooling;
use crate::train::Recipe;
use crate::train::recipe::PaddingRule;

/// The recipe that did best of those measured, for every kind of encoder.
const RECIPE: &str = "crop-simcse";
/// Sentences per step.
const BATCH: usize = 50;
const STEPS: usize = 100;
const RATE: &str = "3e-5";

/// A recipe, its settings, and the reasons for them.
#[derive(Debug, PartialEq)]
pub(super) struct Chosen {
    pub(super) recipe: &'static str,
    pub(super) steps: usize,
    /// `KEY=VALUE` for any recipe that trains.
    settings: Vec<String>,
    /// The reasons, to be printed.
    reasons: Vec<Reason>,
}

/// Why a setting was chosen; not printed if the user overrides one of its keys.
#[derive(Debug, PartialEq)]
struct Reason {
    keys: &'static [&'static str],
    text: String,
}

/// The setting for warm-up: a tenth of the optimizer steps.
pub(super) fn warmup(steps: usize) -> String {
    format!("optimizer.warmup_steps={}", steps / 10)
}

/// Chooses settings for an encoder with this pooling; `None`: its folder does not define one.
///
/// | setting | value | reason |
/// |---|---|---|
/// | recipe | `crop-simcse` | gained more than SimCSE and Mirror-BERT |
/// | steps, learning rate | 100 at 3e-5 | enough for a plain encoder; of a sentence-embedding model's change, the judge keeps what is good |
/// | pooling | the folder's, else mean | a model keeps the pooling it is used with |
/// | head | none, unless the recipe needs its own | a head between pooling and loss changed little |
///
/// docs/adapt-to-your-domain.md has the trials, and what these settings deliver.
pub(super) fn choose(own: Option<Pooling>) -> Chosen {
    let pooling = own.unwrap_or(Pooling::Mean);
    let settings = vec![
        format!("optimizer.batch_size={BATCH}"),
        format!("optimizer.lr={RATE}"),
        format!("pooling.train={pooling}"),
        format!("pooling.test={pooling}"),
        "head=none".to_owned(),
        "momentum.mask_same_sentence=true".to_owned(),
    ];
    let reasons = vec![
        Reason { keys: &["recipe"], text: "recipe: two parts of a sentence are a positive pair".to_owned() },
        Reason {
            keys: &["recipe", "steps", "optimizer.lr"],
            text: "steps and learning rate: measured on encoders of 5 and 22 million parameters".to_owned(),
        },
        Reason {
            keys: &["pooling"],
            text: match own {
                Some(pooling) => format!("pooling: {pooling}, from the model folder"),
                None => format!("pooling: {pooling}, because the model folder does not define one"),
            },
        },
    ];
    Chosen { recipe: RECIPE, steps: STEPS, settings, reasons }
}

/// The key of a `KEY=VALUE`.
fn key(setting: &str) -> &str {
    setting.split('=').next().unwrap_or_default().trim()
}

impl Chosen {
    /// The reasons that still apply if the user overrides these keys: `recipe`, `steps`, and the keys of `--set`.
    pub(super) fn reasons_without<'a>(&'a self, given: &'a [String]) -> impl Iterator<Item = &'a str> {
        let same = |key: &str, given: &str| {
            given == key || given.starts_with(&format!("{key}.")) || key.starts_with(&format!("{given}."))
        };
        self.reasons
            .iter()
            .filter(move |reason| !given.iter().any(|g| reason.keys.iter().any(|k| same(k, g))))
            .map(|reason| reason.text.as_str())
    }

    /// The chosen settings that apply to a recipe, followed by those that the user requested.
    pub(super) fn for_recipe(&self, recipe: &Recipe, asked: &[String]) -> Vec<String> {
        self.settings
            .iter()
            .filter(|setting| match key(setting) {
                "head" => !recipe.head.layers().is_empty() && !recipe.needs_head(),
                "pooling.train" | "pooling.test" => recipe.convolution.is_none(),
                // In a small corpus, the queue has a sentence's own copies.
                "momentum.mask_same_sentence" => recipe.momentum.is_some_and(|momentum| momentum.queue > 0),
                _ => true,
            })
            // If the user replaces a whole table, its chosen values are dropped.
            .filter(|setting| !asked.iter().any(|a| key(setting).starts_with(&format!("{}.", key(a)))))
            .cloned()
            .chain(padding(recipe, asked))
            .chain(asked.iter().cloned())
            .collect()
    }
}

/// Pads that only the recipe's own pooling reads go with it.
fn padding(recipe: &Recipe, asked: &[String]) -> Option<String> {
    let own = recipe.train_pooling() == Pooling::MeanWithPads && recipe.padding == PaddingRule::Keep;
    let kept = asked.iter().any(|a| matches!(key(a), "padding" | "pooling" | "pooling.train"));
    (own && !kept && recipe.ami().next().is_none()).then(|| "padding=drop".to_owned())
}

/// One line with the final settings for a corpus of this many sentences.
pub(super) fn line(recipe: &Recipe, sentences: usize) -> String {
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

#[cfg(test)]
mod tests {
    use super::*;

    fn recipe(own: Option<Pooling>, name: &str, asked: &[&str]) -> Recipe {
        let chosen = choose(own);
        let asked: Vec<String> = asked.iter().map(|&s| s.to_owned()).collect();
        let plain = Recipe::load(name, &[]).expect(name);
        let settings = [chosen.for_recipe(&plain, &asked), vec![warmup(chosen.steps)]].concat();
        Recipe::load_for(name, &[], &settings, Some(chosen.steps)).expect(name)
    }

    fn rate(recipe: &Recipe) -> f64 {
        recipe.optimizer().expect("an optimizer").lr
    }

    #[test]
    fn a_model_keeps_its_pooling() {
        for (own, pooling) in
            [(None, Pooling::Mean), (Some(Pooling::Mean), Pooling::Mean), (Some(Pooling::Cls), Pooling::Cls)]
        {
            let recipe = recipe(own, RECIPE, &[]);
            assert_eq!(
                (rate(&recipe), recipe.train_pooling(), recipe.test_pooling()),
                (3e-5, pooling, pooling)
            );
            assert_eq!((recipe.steps, recipe.optimizer().expect("an optimizer").warmup_steps), (100, 10));
            assert!(recipe.head.layers().is_empty());
        }
    }

    /// Some methods are defined on a head, or come with a pooling that a saved model cannot have.
    #[test]
    fn the_settings_fit_every_recipe() {
        let trained = |name: &&str| Recipe::load(name, &[]).expect("a built-in recipe").steps > 0;
        for name in crate::train::recipe::names().into_iter().filter(trained) {
            for own in [Pooling::Mean, Pooling::Cls] {
                let recipe = recipe(Some(own), name, &[]);
                if recipe.convolution.is_none() {
                    assert_eq!((recipe.train_pooling(), recipe.test_pooling()), (own, own), "{name}");
                }
                let plain = Recipe::load(name, &[]).expect(name);
                assert!(!plain.needs_head() || recipe.head == plain.head, "{name}");
            }
        }
        let kept = |name| !recipe(None, name, &[]).head.layers().is_empty();
        let needing = ["scd", "vascl", "diffcse", "mocose", "simcse", "micse", "pcl"].map(kept);
        assert_eq!(needing, [true, true, true, true, false, false, false]);
        let asked = ["pooling.train=mean-with-pads"];
        assert_eq!(recipe(None, "mirror-bert@released-code", &asked).padding, PaddingRule::Keep);
    }

    #[test]
    fn what_is_asked_for_goes_on_top() {
        let faster = recipe(Some(Pooling::Mean), "simcse-baseline", &["optimizer.lr=3e-4"]);
        assert_eq!((rate(&faster), faster.test_pooling()), (3e-4, Pooling::Mean));
        let queue = recipe(None, "micse", &["pooling.train=cls", "pooling.test=cls"]);
        assert!(queue.momentum.is_some_and(|momentum| momentum.mask_same_sentence));
        assert_eq!((queue.test_pooling(), rate(&queue)), (Pooling::Cls, 3e-5));
        assert!(line(&queue, 1000).contains("weight of AMI"), "{}", line(&queue, 1000));
        // Recipes without a head or a queue have none to change.
        assert!(recipe(None, "mirror-bert", &[]).head.layers().is_empty());
        let chosen = choose(None);
        let reasons = |given: &[&str]| {
            let given: Vec<String> = given.iter().map(|&g| g.to_owned()).collect();
            chosen.reasons_without(&given).count()
        };
        assert_eq!([reasons(&[]), reasons(&["steps"]), reasons(&["recipe", "pooling.test"])], [3, 2, 0]);
    }
}
