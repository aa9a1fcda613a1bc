//! Follows `docs/adding-a-method.md` step by step. This file contains every Rust block of the page; the recipe is read
//! from the page.

use std::error::Error;

use candle_core::{Device, Tensor, Var};
use micse_random::Stream;
use micse_tests::{root, setting::setting};
use micse_train::{Recipe, RunInputs, StepView, Term, TermResult, Terms};

/// Mean over columns of max(0, target - s_d), s_d the standard deviation of column d of `[B, D]`.
fn variance(z: &Tensor, target: f64) -> candle_core::Result<Tensor> {
    let centred = z.broadcast_sub(&z.mean_keepdim(0)?)?;
    let deviation = (centred.sqr()?.mean(0)? + 1e-4)?.sqrt()?;
    (target - deviation)?.relu()?.mean_all()
}

struct Variance;

impl Term for Variance {
    fn name(&self) -> &'static str {
        "variance"
    }

    fn loss(&self, step: &StepView<'_>) -> TermResult<Tensor> {
        let target = step.values().get("target").and_then(toml::Value::as_float);
        let (target, rows) = (target.ok_or("give values.target")?, step.rows());
        Ok((variance(&rows[0], target)? + variance(&rows[1], target)?)?)
    }
}

/// The fenced code blocks of the page in one language.
fn blocks(language: &str) -> Vec<String> {
    let page = std::fs::read_to_string(root().join("docs/adding-a-method.md")).expect("the page");
    let fence = format!("```{language}\n");
    let parts = page.split(fence.as_str()).skip(1);
    parts.map(|part| part.split("```").next().unwrap_or_default().trim_end().to_owned()).collect()
}

#[test]
fn the_page_holds_the_code_of_this_file() {
    let file = std::fs::read_to_string(root().join("tests/tests/adding_a_method.rs")).expect("this file");
    let unindented = |text: &str| text.lines().map(str::trim).collect::<Vec<_>>().join("\n");
    let (rust, recipe) = (blocks("rust"), blocks("toml"));
    assert_eq!((rust.len(), recipe.len()), (3, 2));
    for block in &rust {
        assert!(unindented(&file).contains(&unindented(block)), "not in this file:\n{block}");
    }
}

/// The page's second recipe block continues the first.
#[test]
fn the_values_of_the_page_depend_on_the_size() {
    let recipe = Recipe::parse("the page", &blocks("toml").join("\n")).expect("a recipe");
    let small = recipe.clone().for_sentences(1000);
    assert_eq!(small.steps, 500 * 1000_usize.div_ceil(64));
    assert_eq!(small.objectives[1].weight(), 1.0);
    assert_eq!(recipe.for_sentences(1001).objectives[1].weight(), 0.1);
}

#[test]
fn the_method_of_the_page_trains() -> Result<(), Box<dyn Error>> {
    let setting = setting(40);
    let folder = setting.runs.join("variance");
    let file = setting.base.path().join("simcse-variance.toml");
    std::fs::write(&file, &blocks("toml")[0])?;
    let settings: Vec<String> =
        ["steps=20", "optimizer.batch_size=12", "optimizer.lr=1e-3", "optimizer.warmup_steps=0"]
            .map(str::to_owned)
            .into();
    let path = file.to_str().expect("a name in UTF-8");
    let inputs = RunInputs { keep_model: false, ..setting.inputs(Recipe::load("simcse", &settings)?) };
    let recipe = Recipe::load(path, &settings)?; // path: "simcse-variance.toml"
    let inputs = RunInputs { recipe, terms: Terms::none().with(Variance), ..inputs };
    let result = micse_train::run(&folder, &inputs, &mut |_| {})?;
    assert_eq!(result.method, "simcse-variance");

    // Without the term the recipe is rejected, and the error names the term.
    let without = RunInputs { terms: Terms::none(), ..inputs };
    let error = micse_train::run(&setting.runs.join("refused"), &without, &mut |_| {});
    let error = error.expect_err("no such term").to_string();
    assert!(error.contains("`variance`"), "{error}");

    let metrics = std::fs::read_to_string(folder.join("metrics.jsonl"))?;
    let terms: Vec<serde_json::Value> = metrics
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).map(|line| line["terms"].clone()))
        .collect::<Result<_, _>>()?;
    assert!(terms.iter().all(|t| t["variance"].is_number() && t["infonce"].is_number()), "{terms:?}");
    Ok(())
}

#[test]
fn its_gradient_is_that_of_finite_differences() {
    let mut draws = Stream::new(1).draws();
    let numbers: Vec<f64> = (0..30).map(|_| 0.5 * draws.normal()).collect();
    let z = Tensor::from_vec(numbers.clone(), (6, 5), &Device::Cpu).expect("rows");
    let var = Var::from_tensor(&z).expect("a variable");
    let value = |z: &Tensor| variance(z, 1.0).and_then(|l| l.to_scalar::<f64>()).expect("a loss");
    let store = variance(var.as_tensor(), 1.0).and_then(|l| l.backward()).expect("gradients");
    let gradient = store.get(&var).expect("a gradient").flatten_all().and_then(|g| g.to_vec1::<f64>());
    for (place, got) in gradient.expect("numbers").into_iter().enumerate() {
        let moved = |by: f64| {
            let mut numbers = numbers.clone();
            numbers[place] += by;
            value(&Tensor::from_vec(numbers, (6, 5), &Device::Cpu).expect("rows"))
        };
        let want = (moved(1e-6) - moved(-1e-6)) / 2e-6;
        assert!((got - want).abs() < 1e-8, "{place}: {got} and {want}");
    }
}
