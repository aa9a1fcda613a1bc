//! `micse train`, from a corpus to a model that encodes.

mod train_setting;

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use micse::SentenceModel;
use micse::eval::dev_spearman;
use micse::model::{Compute, MaskedLmHead, ModelFolder, Pooling, Trainable};
use micse_tests::folders::Cases;
use micse_tests::models::write_small_modernbert;
use micse_tests::{Ended, command, sentences};
use serde_json::Value;
use train_setting::{PROGRAM, Setting, file, micse, text};

#[test]
fn a_trained_model_encodes() {
    let setting = Setting::new(30);
    let (out, rows) = (setting.path("out"), setting.path("rows.npy"));
    let said =
        micse(&setting.train(&out, &["--steps", "3", "--sts", "demo", "--set", "optimizer.batch_size=8"]));
    assert!(said.stderr.contains("29 blank lines"), "{}", said.stderr);
    let said = said.output();
    assert!(said.contains("DemoSTS"), "{said}");
    // A run folder can be given as a model.
    for model in [out.join("model"), out.clone()] {
        micse(&["encode", "--model", text(&model), "--input", text(&setting.notes), "--output", text(&rows)])
            .output();
        assert_eq!(std::fs::read(&rows).expect("rows.npy").len(), 128 + 4 * 30 * 32);
    }
}

#[test]
fn a_modernbert_is_trained_encoded_scored_and_pretrained() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str| folder.path().join(name);
    let (model, notes, rows) = (path("model"), path("notes.txt"), path("rows.npy"));
    write_small_modernbert(&model);
    std::fs::write(&notes, sentences(60).join("\n")).expect("notes.txt");
    let start = ["train", "--model", text(&model), "--corpus", text(&notes)];
    let small = ["--set", "optimizer.batch_size=8", "--set", "objectives.ami.samples=8"];
    let how = ["--recipe", "ami-simcse", "--steps", "3", "--sts", "demo", "--chunk", "3"];
    for precision in ["f32", "bf16"] {
        let out = path(precision);
        let where_to = ["--out", text(&out), "--precision", precision];
        micse(&[&start[..], &how, &small, &where_to].concat()).output();
        let read = ["--input", text(&notes), "--output", text(&rows), "--precision", precision];
        micse(&[&["encode", "--model", text(&out)], &read[..]].concat()).output();
        assert_eq!(std::fs::read(&rows).expect("rows.npy").len(), 128 + 4 * 60 * 32);
    }
    let out = path("bf16");
    let said = micse(&["inspect", text(&out), "--json"]).output();
    assert!(said.contains("modernbert"), "{said}");
    micse(&["eval", "--model", text(&out), "--sts", "demo"]).output();
    let more = path("more");
    let corpus = ["--corpus", text(&notes), "--license", "generated", "--sts", "demo", "--out", text(&more)];
    let little = ["--steps", "2", "--eval-every", "2", "--max-length", "16", "--batch-tokens", "100"];
    micse(&[&["pretrain", "--model", text(&model)], &corpus[..], &little].concat()).output();
    let trained = more.join("model");
    let head = MaskedLmHead::in_folder(
        &trained,
        &ModelFolder::open(&trained).and_then(|folder| folder.config()).expect("a configuration"),
        &Compute::cpu().device,
    );
    assert_eq!(head.expect("the head's file").expect("a head").parameters().len(), 3);
}

#[test]
fn settings_are_chosen_and_told_where_nobody_says_otherwise() {
    let setting = Setting::new(60);
    let out = setting.path("out");
    let ended = micse(&setting.train(&out, &[]));
    for said in [
        "20 of 60 sentences are held out",
        "40 sentences: recipe crop-simcse, 100 steps of 50, learning rate 3e-5, warm-up 10,",
        "pooling: mean, because the model folder does not define one",
    ] {
        assert!(ended.stderr.contains(said), "{said:?} is not in: {}", ended.stderr);
    }
    let said = ended.output();
    // Without pairs nothing is scored.
    for part in
        ["half-sentence search", "judged on 20 held-out sentences", "kept: ", "micse compare", "micse export"]
    {
        assert!(said.contains(part), "{part:?} is not in: {said}");
    }
    assert!(!said.contains("spearman") && !said.contains("next sentence"), "{said}");
    let manifest = file(&out.join("run.toml"));
    for value in ["steps = 100", "lr = 0.00003", "held_out = 20", "keep = \"judged\""] {
        assert!(manifest.contains(value), "{value:?} is not in: {manifest}");
    }
    let result: Value = serde_json::from_str(&file(&out.join("result.json"))).expect("result.json");
    assert_eq!((&result["evaluated_on"], &result["scores"]["average"]), (&"none".into(), &Value::Null));
    assert_eq!(result["selected_on"], "last step");
    // The run is finished: the same command prints the same result without training again.
    assert_eq!(micse(&setting.train(&out, &[])).output(), said);
}

#[test]
fn development_pairs_select_the_weights() {
    let setting = Setting::new(60);
    let (out, pairs) = (setting.path("out"), setting.path("own pairs.tsv"));
    let all = sentences(60);
    let line = |i: usize| format!("{}\t{}\t{}\n", all[i], all[(i + i % 4) % 60], 5 - i % 4);
    std::fs::write(&pairs, (0..40).map(line).collect::<String>()).expect("pairs");
    let more = ["--pairs", text(&pairs), "--steps", "40", "--set", "optimizer.lr=1e-3", "--json"];
    let ended = micse(&setting.train(&out, &more));
    // Before training, and at steps 0, 2, 4, ...
    assert_eq!(ended.stderr.matches("development ").count(), 1 + 21, "{}", ended.stderr);
    let told: Value = serde_json::from_str(&ended.output()).expect("JSON");
    let before = told["dev_spearman_before"].as_f64().expect("a score");
    let after = told["result"]["scores"]["dev_spearman"].as_f64().expect("a score");
    assert_eq!(told["result"]["selected_on"], "own pairs.tsv");
    assert!(told["result"]["selected_step"].as_u64().is_some());
    // Recompute both scores from the folders.
    let dev = micse::data::Task {
        name: "dev".into(),
        subsets: vec![micse::data::Subset {
            name: "dev".into(),
            pairs: (0..40)
                .map(|i| micse::data::Pair {
                    first: all[i].clone(),
                    second: all[(i + i % 4) % 60].clone(),
                    score: (5 - i % 4) as f64,
                })
                .collect(),
        }],
    };
    let score = |folder: &Path| {
        let folder = ModelFolder::open(folder).expect("a model");
        let model = SentenceModel::load(&folder, Some(Pooling::Mean), &Compute::cpu()).expect("a model");
        dev_spearman(&model, &dev).expect("a score")
    };
    assert!((score(&setting.model) - before).abs() < 1e-9);
    assert!((score(&out.join("model")) - after).abs() < 1e-9);
    // The last step can be asked for, with pairs and without, and is all that there is without them.
    let simcse = ["--recipe", "simcse", "--steps", "3"];
    for (name, more) in [
        ("set", &["--pairs", text(&pairs), "--set", "select=last"][..]),
        ("asked", &["--pairs", text(&pairs), "--keep", "last"]),
        ("without", &["--keep", "last"]),
    ] {
        let said = micse(&setting.train(&setting.path(name), &[&simcse[..], more].concat())).output();
        assert!(said.contains("kept: the weights of the last step"), "{name}: {said}");
        let result: Value =
            serde_json::from_str(&file(&setting.path(name).join("result.json"))).expect("JSON");
        assert_eq!(result["selected_on"], "last step", "{name}");
    }
    // STS sets are scored, but select nothing.
    let said =
        micse(&setting.train(&setting.path("sts"), &[&simcse[..], &["--sts", "demo"]].concat())).output();
    assert!(said.contains("DemoSTS"), "{said}");
    let result: Value = serde_json::from_str(&file(&setting.path("sts/result.json"))).expect("JSON");
    assert_eq!(result["selected_on"], "last step");
    micse(&setting.train(&setting.path("b"), &[&simcse[..], &["--published-settings"]].concat()))
        .refused(&["--pairs or --sts", "select=last"]);
    std::fs::write(&pairs, "one\ttwo\n").expect("pairs");
    micse(&setting.train(&setting.path("b"), &["--pairs", text(&pairs)]))
        .refused(&["own pairs.tsv", "score"]);
}

#[test]
fn a_whitening_is_exported_as_a_linear_layer_and_a_flow_is_refused() {
    let setting = Setting::new(80);
    let path = |name: &str| setting.path(name);
    let train = |recipe: &str, settings: &[&str]| {
        let out = path(recipe);
        let usual = ["--recipe", recipe, "--set", "pooling.test=mean"];
        micse(&setting.train(&out, &[&usual, settings].concat())).output();
        out
    };
    let out = train("bert-whitening", &["--set", "post.components=8"]);
    micse(&["export", text(&out), "--output", text(&path("written"))]).output();
    let probe = sentences(90);
    let rows = |folder: &Path| SentenceModel::open(folder).expect("a model").encode(&probe).expect("rows");
    let (want, found) = (rows(&out.join("model")), rows(&path("written")));
    assert_eq!((want.len(), want[0].len()), (90, 8));
    for (want, found) in want.iter().zip(&found) {
        assert!(want.iter().zip(found).all(|(a, b)| (a - b).abs() < 1e-3), "{want:?} {found:?}");
    }
    let modules = file(&path("written").join("modules.json"));
    assert!(
        modules.contains("sentence_transformers.models.Dense") && !modules.contains("micse."),
        "{modules}"
    );
    let flow = train("bert-flow", &["--set", "post.steps=4", "--set", "post.batch_size=8"]);
    micse(&["export", text(&flow), "--output", text(&path("flow-written"))]).refused(&["flow", "no module"]);
}

/// Sends SIGINT to a training run after some steps, and returns its outcome.
#[cfg(unix)]
fn interrupted(arguments: &[&str], out: &Path) -> Ended {
    let mut child = command(PROGRAM, None);
    let mut child = child
        .args(arguments)
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the command starts");
    let since = Instant::now();
    while !std::fs::read_to_string(out.join("metrics.jsonl")).is_ok_and(|lines| lines.lines().count() > 2) {
        assert!(since.elapsed() < Duration::from_mins(5), "no steps in five minutes");
        std::thread::sleep(Duration::from_millis(5));
    }
    let sent = std::process::Command::new("kill").args(["-s", "INT", &child.id().to_string()]).status();
    assert!(sent.expect("kill").success());
    let mut stderr = String::new();
    std::io::Read::read_to_string(&mut child.stderr.take().expect("a pipe"), &mut stderr).expect("stderr");
    let status = child.wait().expect("the command ends");
    Ended { success: status.success(), status: status.code(), stdout: String::new(), stderr }
}

#[cfg(unix)]
#[test]
fn an_interrupted_run_goes_on_by_its_folder_alone() {
    let setting = Setting::new(60);
    let (whole, cut) = (setting.path("whole"), setting.path("cut"));
    let settings = ["--steps", "400", "--seed", "7", "--set", "optimizer.batch_size=20", "--size", "50"];
    micse(&setting.train(&whole, &settings)).output();
    let ended = interrupted(&setting.train(&cut, &settings), &cut);
    assert_eq!(ended.status, Some(75), "{}", ended.stderr);
    let hint = format!("micse train --out {} --resume", text(&cut));
    assert!(ended.stderr.contains(&hint) && ended.stderr.contains("stopped after step"), "{}", ended.stderr);
    micse(&["encode", "--model", text(&cut), "--input", text(&setting.notes)])
        .refused(&["not finished", "--resume"]);
    micse(&["train", "--out", text(&cut), "--resume", "--steps", "5"]).refused(&["remove --steps"]);
    micse(&["train", "--out", text(&cut), "--resume"]).output();
    let weights = |run: &Path| std::fs::read(run.join("model/model.safetensors")).expect("weights");
    assert!(weights(&whole) == weights(&cut), "other weights");
    micse(&["train", "--out", text(&setting.path("new")), "--resume"]).refused(&["no run to resume"]);
    micse(&["train", "--out", text(&cut)]).refused(&["--model"]);
}

/// Everything in the folder besides the encoder is scored and kept: modules, prompt, token limit, kept dimensions.
#[test]
fn a_model_keeps_what_it_has_and_is_told_as_it_is() {
    let base = Cases::named("everything").folder();
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str| folder.path().join(name);
    let lines =
        ["the old farmer sings", "a small dog runs over the hill", "they'll see the 3 sheep", "a song"];
    std::fs::write(path("text.txt"), lines.repeat(5).join("\n")).expect("a text");
    let pair = |i: usize| format!("{}\t{}\t{}\n", lines[i % 4], lines[(i * i + 1) % 4], i % 5);
    std::fs::write(path("pairs.tsv"), (0..12).map(pair).collect::<String>()).expect("pairs");
    let (out, pairs) = (path("out"), path("pairs.tsv"));
    let model = base.path();
    let arguments = [
        "train",
        "--model",
        text(model),
        "--sentences",
        text(&path("text.txt")),
        "--pairs",
        text(&pairs),
        "--steps",
        "4",
    ]
    .map(str::to_owned);
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).chain(["--out", text(&out)]).collect();
    let ended = micse(&arguments);
    assert!(ended.stderr.contains("a Dense layer (24 to 12)"), "{}", ended.stderr);
    assert!(ended.stderr.contains("\"see: \"") && ended.stderr.contains("6 entries"), "{}", ended.stderr);
    let told = ended.output();
    let score = |model: &Path| {
        let said = micse(&["similarity", "--model", text(model), "--pairs", text(&pairs)]).output();
        let line = said.lines().find(|line| line.starts_with("Spearman")).expect("a score").to_owned();
        line.rsplit(": ").next().expect("a number").to_owned()
    };
    let line = told.lines().find(|line| line.contains("development pairs")).expect("a row");
    let cells: Vec<&str> = line.split(['│', '┆']).map(str::trim).collect();
    assert_eq!(cells[2..4], [score(model).as_str(), score(&out).as_str()], "{told}");

    let delivered = SentenceModel::open(out.join("model")).expect("the model");
    assert_eq!((delivered.prompt(), delivered.max_length(), delivered.dimension()), ("see: ", 8, 6));
    let modules: Value = serde_json::from_str(&file(&out.join("model/modules.json"))).expect("JSON");
    let classes: Vec<&str> =
        modules.as_array().expect("a list").iter().filter_map(|m| m["type"].as_str()).collect();
    let names: Vec<&str> = classes.iter().filter_map(|class| class.rsplit('.').next()).collect();
    assert_eq!(names, ["Transformer", "Pooling", "Dense", "Dropout", "LayerNorm", "Normalize"]);
}

/// Given settings override single chosen settings; they do not replace them all.
#[test]
fn what_is_asked_for_goes_on_top_of_what_was_chosen() {
    let setting = Setting::new(30);
    let recipe = |name: &str, more: &[&str]| {
        let out = setting.path(name);
        let ended = micse(&setting.train(&out, more));
        assert!(ended.stderr.contains("settings for 30 sentences: recipe"), "{}", ended.stderr);
        let said = ended.stderr.clone();
        ended.output();
        let run: toml::Table = file(&out.join("run.toml")).parse().expect("run.toml");
        (run["recipe"].clone(), said)
    };
    let (plain, _) = recipe("plain", &["--steps", "6"]);
    let (faster, said) = recipe("faster", &["--steps", "6", "--set", "optimizer.lr=3e-5"]);
    assert_eq!(faster["optimizer"]["lr"].as_float(), Some(3e-5));
    for key in ["batch_size", "warmup_steps"] {
        assert_eq!(faster["optimizer"][key], plain["optimizer"][key], "{key}");
    }
    assert_eq!((&faster["steps"], &faster["pooling"]), (&plain["steps"], &plain["pooling"]));
    assert!(said.contains("learning rate 3e-5"), "{said}");
    let (published, said) =
        recipe("published", &["--published-settings", "--recipe", "simcse-baseline", "--steps", "6"]);
    assert_eq!(published["optimizer"]["lr"].as_float(), Some(3e-5));
    assert_eq!(published["pooling"]["test"].as_str(), Some("cls"));
    assert!(said.contains("published settings"), "{said}");
}

/// The shipped encoder and 600 sentences of the demo corpus.
struct Demo {
    folder: tempfile::TempDir,
}

impl Demo {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let sentences: Vec<String> =
            micse::data::Corpus::demo().iter().take(600).map(str::to_owned).collect();
        std::fs::write(folder.path().join("notes.txt"), sentences.join("\n")).expect("notes.txt");
        Self { folder }
    }

    fn train(&self, name: &str, more: &[&str]) -> (Value, PathBuf) {
        let (notes, out) = (self.folder.path().join("notes.txt"), self.folder.path().join(name));
        let usual = ["--json", "train", "--model", "demo", "--corpus", text(&notes), "--out", text(&out)];
        let told = micse(&[&usual, more].concat()).output();
        (serde_json::from_str(&told).expect("JSON"), out)
    }
}

fn weights(folder: &Path) -> Vec<u8> {
    let model = SentenceModel::open(folder).expect("a model");
    let values = model.encoder().values().expect("weights");
    let bytes = values.iter().flat_map(|value| {
        let value: Vec<f32> = value.flatten_all().and_then(|value| value.to_vec1()).expect("numbers");
        value.into_iter().flat_map(f32::to_le_bytes)
    });
    bytes.collect()
}

/// The promise of `micse train` in small: what it delivers is not worse on labelled pairs.
#[test]
fn a_delivered_model_is_no_worse_than_the_one_it_started_from() {
    let demo = Demo::new();
    for purpose in [&[][..], &["--for", "similarity"]] {
        let (told, out) =
            demo.train(&format!("out{}", purpose.len()), &[&["--sts", "demo"], purpose].concat());
        let before = told["sts_average_before"].as_f64().expect("a score");
        let after = told["result"]["scores"]["average"].as_f64().expect("a score");
        let chosen = &told["result"]["chosen"];
        let share = chosen["share"].as_f64().expect("a share");
        if purpose.is_empty() {
            assert!(after >= before - 0.3, "{before} {after}");
        } else {
            // This encoder has much to gain.
            assert!(share > 0.0 && after > before, "{before} {after} {chosen}");
            let kept =
                chosen["candidates"].as_array().expect("candidates").iter().find(|c| c["share"] == share);
            let change = &kept.expect("the kept one")["change"];
            assert!(["noise", "halves"].iter().any(|s| change[s]["low"].as_f64() > Some(0.0)), "{chosen}");
            let card = file(&out.join("model/README.md"));
            for part in [
                "## Before and after",
                "| search by noisy copies | 0.",
                "200 sentences of the corpus that were held out",
            ] {
                assert!(card.contains(part), "{part} is not in {card}");
            }
        }
    }
}

/// Training that ruins the model is refused by the judge: the model has the start's weights, bit for bit, and says so.
#[test]
fn ruinous_training_leaves_the_start() {
    let demo = Demo::new();
    let ruin = ["--recipe", "simcse-baseline", "--steps", "60", "--set", "optimizer.lr=3e-3"];
    let (told, out) = demo.train("out", &ruin);
    assert_eq!(told["result"]["chosen"]["share"], 0.0, "{}", told["result"]["chosen"]);
    let start = micse_tests::root().join("data/encoder");
    assert!(weights(&out.join("model")) == weights(&start), "other weights");
    let card = file(&out.join("model/README.md"));
    assert!(card.contains("those of the encoder, because no trained weights were better"), "{card}");
    let notes = demo.folder.path().join("notes.txt");
    let usual = ["train", "--model", "demo", "--corpus", text(&notes), "--out", text(&out)];
    let said = micse(&[&usual, &ruin[..]].concat()).output();
    assert!(said.contains("kept: the start's weights") && said.contains("--keep last"), "{said}");
    let (told, last) = demo.train("last", &[&ruin[..], &["--keep", "last"]].concat());
    assert_eq!(told["result"]["chosen"]["share"], 1.0);
    assert!(weights(&last.join("model")) != weights(&start), "the start's weights");
}

/// An average has the weights of both models in its shares.
#[test]
fn an_average_lies_between_start_and_end() {
    let demo = Demo::new();
    let (told, out) = demo.train("out", &["--for", "search"]);
    let share = told["result"]["chosen"]["share"].as_f64().expect("a share") as f32;
    let (_, last) = demo.train("last", &["--keep", "last"]);
    let numbers = |folder: &Path| -> Vec<f32> {
        weights(folder).chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect()
    };
    let (start, kept) = (numbers(&micse_tests::root().join("data/encoder")), numbers(&out.join("model")));
    for ((a, b), kept) in start.iter().zip(numbers(&last.join("model"))).zip(kept) {
        let expected = a + share * (b - a);
        assert!((expected - kept).abs() <= 1e-6 * (1.0 + expected.abs()), "{a} {b} {share}: {kept}");
    }
}

/// A fit has no steps of training, and stops as these do.
#[cfg(unix)]
#[test]
fn a_fit_stops_on_request() {
    let setting = Setting::new(60);
    let out = setting.path("flow");
    let flow = ["--recipe", "bert-flow", "--set", "pooling.test=mean", "--set", "post.steps=1000000"];
    let mut child = command(PROGRAM, None);
    let mut child = child
        .args(setting.train(&out, &flow))
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the command starts");
    let since = Instant::now();
    let waits = || {
        assert!(since.elapsed() < Duration::from_mins(5), "five minutes passed");
        std::thread::sleep(Duration::from_millis(20));
    };
    while !out.join("run.toml").is_file() {
        waits();
    }
    let sent = std::process::Command::new("kill").args(["-s", "INT", &child.id().to_string()]).status();
    assert!(sent.expect("kill").success());
    while child.try_wait().expect("its state").is_none() {
        if since.elapsed() > Duration::from_mins(4) {
            child.kill().expect("kill");
        }
        waits();
    }
    let ended = child.wait_with_output().expect("its output");
    assert_eq!(ended.status.code(), Some(75), "{}", String::from_utf8_lossy(&ended.stderr));
}
