//! A small model with sentences and pairs, and trainers of any recipe on them.

use std::path::Path;

use candle_core::{Device, Tensor};
use micse_data::{Corpus, Suite};
use micse_model::{Compute, MaskedLmHead, ModelFolder};
use micse_random::Stream;
use micse_train::{Recipe, RunInputs, TrainText, Trainer};

use crate::models::write_small_modernbert;
use crate::{sentences, write_small_model, write_small_sts};

/// The inputs of a small run, in a temporary folder.
pub struct Setting {
    _folder: tempfile::TempDir,
    /// The small model.
    pub base: ModelFolder,
    /// The small pairs.
    pub suite: Suite,
    /// The sentences, all of them in the split.
    pub text: TrainText,
    /// A folder for runs.
    pub runs: std::path::PathBuf,
}

impl Setting {
    /// A run of a recipe with seed 48, on the CPU, without chunks, that keeps its model.
    pub fn inputs(&self, recipe: Recipe) -> RunInputs<'_> {
        let plain = RunInputs::new(recipe, 48, &self.text, &self.base, &self.suite, Compute::cpu());
        RunInputs { keep_model: true, ..plain }
    }
}

/// A setting with `count` sentences.
///
/// # Panics
/// If the folder cannot be written.
pub fn setting(count: usize) -> Setting {
    setting_with(count, &write_small_model)
}

/// [`setting`] with the small `ModernBERT`.
///
/// # Panics
/// If the folder cannot be written.
pub fn modern_setting(count: usize) -> Setting {
    setting_with(count, &write_small_modernbert)
}

fn setting_with(count: usize, write_model: &dyn Fn(&Path)) -> Setting {
    let folder = tempfile::tempdir().expect("a folder");
    let (model, sts) = (folder.path().join("model"), folder.path().join("sts"));
    write_model(&model);
    write_small_sts(&sts);
    Setting {
        base: ModelFolder::open(&model).expect("the model"),
        suite: Suite::load(&sts, None).expect("the small pairs"),
        text: TrainText::whole(Corpus::from_sentences("small", sentences(count)), "100%"),
        runs: folder.path().join("runs"),
        _folder: folder,
    }
}

/// A built-in recipe with values scaled down for the small setting.
///
/// # Panics
/// If no recipe has the name, or a value is invalid.
pub fn recipe(name: &str, settings: &[&str]) -> Recipe {
    try_recipe(name, settings).unwrap_or_else(|| panic!("{name} {settings:?}"))
}

/// Like [`recipe`], but `None` if the recipe refuses a setting.
///
/// # Panics
/// If no recipe has the name.
pub fn try_recipe(name: &str, settings: &[&str]) -> Option<Recipe> {
    let plain = Recipe::load(name, &[]).expect(name);
    let mut all = Vec::new();
    if plain.steps > 0 {
        all.extend(["optimizer.batch_size=12", "optimizer.lr=1e-3", "optimizer.warmup_steps=0"]);
    }
    // With 40 sentences some slices keep fewer than 150 positions, and the released code drops such slices.
    if plain.ami().next().is_some() {
        all.push("objectives.ami.samples=8");
    }
    // The small encoder has 32 positions.
    if plain.max_length.is_some_and(|length| length > 32) {
        all.push("max_length=32");
    }
    // Projectors of 4,096 columns are too large for the small encoder.
    let base = name.split('@').next().unwrap_or_default();
    match base {
        "scd" => all.push("head=[\"linear 24\", \"batch norm\", \"relu\", \"linear 16 no bias\"]"),
        "sg-opt" => all.push("head=[\"linear 24\", \"gelu\", \"linear 16\", \"gelu\"]"),
        _ => {}
    }
    all.extend(settings);
    let all: Vec<String> = all.into_iter().map(str::to_owned).collect();
    Recipe::load(name, &all).ok()
}

/// A trainer on the default engine.
///
/// # Panics
/// If the recipe does not fit the setting.
pub fn trainer(setting: &Setting, recipe: Recipe) -> Trainer {
    trainer_on(setting, recipe, &Compute::cpu())
}

/// A trainer on a given engine, with a random masked-LM head as the generator.
///
/// # Panics
/// If the recipe does not fit the setting.
pub fn trainer_on(setting: &Setting, recipe: Recipe, compute: &Compute) -> Trainer {
    let encoder = setting.base.encoder(compute).expect("the encoder");
    let tokenizer = setting.base.tokenizer().expect("the tokenizer");
    let head = MaskedLmHead::new(encoder.config(), Stream::new(5), &Device::Cpu).expect("a head");
    let sentences = setting.text.indices.len();
    let trainer = Trainer::new(recipe, 48, encoder, tokenizer, sentences, &Device::Cpu).expect("a trainer");
    trainer.with_generator_head(head)
}

/// Takes one step.
///
/// # Panics
/// If the step fails.
pub fn step(trainer: &mut Trainer, setting: &Setting) {
    trainer.step(&|number| setting.text.sentence(number), false).expect("a step");
}

/// The bits of the entries of tensors.
///
/// # Panics
/// If a tensor is not f32.
pub fn bits(values: &[Tensor]) -> Vec<Vec<u32>> {
    let bits =
        |t: &Tensor| t.flatten_all()?.to_vec1::<f32>().map(|v| v.into_iter().map(f32::to_bits).collect());
    values.iter().map(|t| bits(t).expect("values")).collect()
}
