//! A finished model folder includes the modules after the encoder: convolutions, whitening and flows.

use micse_eval::evaluate;
use micse_model::{Pooling, SentenceModel};
use micse_tests::setting::{Setting, recipe, setting};
use micse_train::{Recipe, RunResult};

fn run(setting: &Setting, name: &str, recipe: Recipe) -> Result<RunResult, micse_train::Error> {
    micse_train::run(&setting.runs.join(name), &setting.inputs(recipe), &mut |_| {})
}

/// The average score and the module types of a kept model, read from its folder alone.
fn score_of_folder(setting: &Setting, name: &str) -> (f64, Vec<String>) {
    let path = setting.runs.join(name).join("model");
    let model = SentenceModel::open(&path).expect("the model");
    let average = evaluate(&model, &setting.suite, &mut |_, _| {}).expect("scores").average;
    let modules = std::fs::read_to_string(path.join("modules.json")).expect("modules.json");
    let modules: Vec<serde_json::Value> = serde_json::from_str(&modules).expect("JSON");
    (average, modules.iter().map(|m| m["type"].as_str().unwrap_or_default().to_owned()).collect())
}

#[test]
fn kept_models_score_as_their_results_say() {
    let setting = setting(40);
    let mean = ["pooling.test=mean"];
    let whitening = [&mean[..], &["post.components=4"]].concat();
    let flow = [&mean[..], &["post.steps=5", "post.batch_size=8"]].concat();
    let of = |name: &str, settings: &[&str]| {
        let settings: Vec<String> = settings.iter().map(|&s| s.to_owned()).collect();
        Recipe::load(name, &settings).expect(name)
    };
    let cases = [
        ("bert-whitening", of("bert-whitening", &whitening), Some("micse.PostProcessing")),
        ("bert-flow", of("bert-flow", &flow), Some("micse.PostProcessing")),
        ("is-bert", recipe("is-bert", &["steps=4"]), Some("micse.TokenConvolution")),
        ("simcse", recipe("simcse", &["steps=4"]), None),
    ];
    let mut averages = Vec::new();
    for (name, recipe, module) in cases {
        let result = run(&setting, name, recipe).expect(name);
        let (again, modules) = score_of_folder(&setting, name);
        assert!(
            (again - result.scores.average).abs() < 1e-9,
            "{name}: {again}, but the result has {}",
            result.scores.average
        );
        assert_eq!(modules.get(2).map(String::as_str), module, "{name}: {modules:?}");
        averages.push(again);
    }
    averages.sort_by(f64::total_cmp);
    assert!(
        averages.windows(2).all(|pair| pair[0] != pair[1]),
        "the modules after the encoder must change the scores: {averages:?}"
    );
}

#[test]
fn what_a_folder_cannot_say_is_refused_before_anything_runs() {
    let setting = setting(40);
    let plain = Recipe::load("bert-whitening", &[]).expect("the recipe");
    assert_eq!(plain.test_pooling(), Pooling::FirstLastAvg);
    let error = run(&setting, "refused", plain).expect_err("no such module").to_string();
    assert!(error.contains("first-last-avg"), "{error}");
}
