//! `micse-eval`: the shipped encoder and pairs, the output formats, and errors.

use micse_eval::Evaluation;
use micse_tests::folders::Cases;
use micse_tests::{
    Ended, command, ended, run, with_small_model_of_the_hub, write_small_model, write_small_sts,
};

fn eval(arguments: &[&str]) -> Ended {
    run(env!("CARGO_BIN_EXE_micse-eval"), None, arguments)
}

#[test]
fn without_arguments_it_scores_what_is_shipped_and_says_so() {
    let ended = eval(&[]);
    assert!(ended.stderr.contains("encoder") && ended.stderr.contains("demo"), "{}", ended.stderr);
    let table = ended.output();
    assert!(table.contains("DemoSTS"), "{table}");
}

#[test]
fn the_help_says_what_the_command_does() {
    let help = eval(&["--help"]).output();
    assert!(help.starts_with("Score a model on STS sets"), "{help}");
}

#[test]
fn table_json_and_csv_say_the_same() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str| folder.path().join(name).to_str().expect("UTF-8").to_owned();
    write_small_model(&folder.path().join("model"));
    write_small_sts(&folder.path().join("sts"));
    let (model, sts, out) = (path("model"), path("sts"), path("result.json"));
    let common = ["--model", &model, "--sts", &sts, "--pooling", "cls"];
    let with = |extra: &[&str]| eval(&[&common[..], extra].concat()).output();
    assert_eq!(with(&["--format", "json", "--output", &out]), "");
    let text = std::fs::read_to_string(&out).expect("result.json");
    let scores = Evaluation::from_json(&text).expect("an evaluation");
    assert_eq!(scores.pooling, "cls");
    let spearman = scores.tasks.get("DemoSTS").expect("the task").spearman.all;
    assert!(with(&[]).contains(&format!("{spearman:.2}")));
    assert!(with(&["--format", "csv"]).contains("DemoSTS"));
}

#[test]
fn a_model_is_taken_by_its_id() {
    let folder = tempfile::tempdir().expect("a folder");
    write_small_sts(&folder.path().join("sts"));
    let ask = |model: &str| {
        let cli = command(env!("CARGO_BIN_EXE_micse-eval"), None);
        let mut cli = with_small_model_of_the_hub(cli, &folder.path().join("cache"));
        let sts = folder.path().join("sts");
        ended(cli.args(["--model", model, "--pooling", "cls", "--format", "json", "--sts"]).arg(sts))
    };
    write_small_model(&folder.path().join("model"));
    let scores = |model: &str| Evaluation::from_json(&ask(model).output()).expect("an evaluation").tasks;
    assert_eq!(scores("owner/small"), scores(folder.path().join("model").to_str().expect("UTF-8")));
    ask("owner/none").refused(&["no local folder owner/none", "HF_HUB_OFFLINE"]);
}

#[test]
fn results_in_mtebs_form() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str| folder.path().join(name).to_str().expect("UTF-8").to_owned();
    let (model, sts, out) = (path("model"), path("sts"), path("results"));
    write_small_model(&folder.path().join("model"));
    write_small_sts(&folder.path().join("sts"));
    let common = ["--model", &model, "--sts", &sts, "--pooling", "cls", "--format", "json", "--mteb", &out];
    let with = |extra: &[&str]| eval(&[&common[..], extra].concat());
    with(&["--mteb-name", "me/small"]).refused(&["MTEB's tasks", "--sts"]);
    let transfer = ["--tasks", "DemoQuestions", "--sts", "demo", "--mteb", &out, "--mteb-name", "me/demo"];
    eval(&transfer).refused(&["MTEB files: no STS task is scored", "--tasks"]);
    // The demo files at SentEval's paths.
    let benchmark = folder.path().join("sts/STS/STSBenchmark");
    std::fs::create_dir_all(&benchmark).expect("a folder");
    for name in ["dev", "test"] {
        let demo = folder.path().join(format!("sts/demo-{name}.csv"));
        std::fs::rename(demo, benchmark.join(format!("sts-{name}.csv"))).expect("a file");
    }
    let benchmark = ["--tasks", "STSBenchmark"];
    with(&benchmark).refused(&["--mteb-name"]);
    with(&[&benchmark[..], &["--mteb-name", "../small"]].concat()).refused(&["OWNER/NAME"]);
    assert!(!folder.path().join("results").exists(), "the command must fail before writing anything");
    let named = ["--mteb-name", "me/small", "--mteb-revision", "abc"];
    let scores = with(&[&benchmark[..], &named].concat()).output();
    let spearman = Evaluation::from_json(&scores).expect("scores").average;
    let written = |name: &str| -> serde_json::Value {
        let path = folder.path().join("results/me__small/abc").join(name);
        serde_json::from_str(&std::fs::read_to_string(path).expect("a file")).expect("JSON")
    };
    let main = written("STSBenchmark.json")["scores"]["test"][0]["main_score"].as_f64().expect("a score");
    assert!((main - spearman / 100.0).abs() < 1e-6, "{main} and {spearman}");
    let meta = written("model_meta.json");
    // 29 word pieces with 32 dimensions each.
    assert_eq!((&meta["n_embedding_parameters"], &meta["embed_dim"]), (&(29 * 32).into(), &32.into()));
    assert_eq!((&meta["framework"], &meta["max_tokens"]), (&serde_json::json!(["safetensors"]), &32.into()));
}

#[test]
fn what_is_missing_is_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let empty = folder.path().to_str().expect("UTF-8");
    eval(&["--sts", "demo", "--model", empty]).refused(&["config.json"]);
    // Without --sts and MICSE_DATA: the demo pairs, which is said.
    let demo = eval(&["--model", "demo"]);
    assert!(demo.stderr.contains("--sts demo"), "{}", demo.stderr);
    demo.output();
    eval(&["--sts", empty]).refused(&[empty]);
    eval(&["--sts", "demo", "--tasks", "STS99"]).refused(&["STS99"]);
}

/// Scores the whole model folder, not only its encoder: Dense, Normalize, prompt, token limit and kept dimensions.
#[test]
fn a_folder_is_scored_with_all_that_is_in_it() {
    let base = Cases::named("everything").folder();
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str| folder.path().join(name).to_str().expect("UTF-8").to_owned();
    write_small_sts(&folder.path().join("sts"));
    let (model, sts, out) = (base.path().to_str().expect("UTF-8"), path("sts"), path("mteb"));
    // The small pairs as STS-B, which MTEB has a name for.
    let benchmark = folder.path().join("sts/STS/STSBenchmark");
    std::fs::create_dir_all(&benchmark).expect("a folder");
    for name in ["dev", "test"] {
        let demo = folder.path().join(format!("sts/demo-{name}.csv"));
        std::fs::rename(demo, benchmark.join(format!("sts-{name}.csv"))).expect("a file");
    }
    let common = ["--sts", &sts, "--tasks", "STSBenchmark", "--format", "json"];
    let more = ["--model", model, "--mteb", &out, "--mteb-name", "owner/all", "--mteb-revision", "one"];
    let found = eval(&[&common[..], &more].concat()).output();
    let found = Evaluation::from_json(&found).expect("an evaluation");
    // Computed by hand from embeddings that folder_keys.rs compares with sentence-transformers.
    let suite = micse_data::Suite::load(sts.as_ref(), Some(&["STSBenchmark".to_owned()])).expect("the pairs");
    let whole = micse_model::SentenceModel::open(model).expect("the model");
    let pairs: Vec<&micse_data::Pair> = suite.tasks[0].pairs().collect();
    let cosine = |a: &[f32], b: &[f32]| {
        let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| f64::from(a * b)).sum::<f64>();
        dot(a, b) / (dot(a, a) * dot(b, b)).sqrt()
    };
    let cosines: Vec<f64> = pairs
        .iter()
        .map(|pair| {
            let rows = whole.encode(&[&pair.first, &pair.second]).expect("rows");
            cosine(&rows[0], &rows[1])
        })
        .collect();
    let scores: Vec<f64> = pairs.iter().map(|pair| pair.score).collect();
    let expected = 100.0 * micse_eval::pearson(&cosines, &scores);
    assert!((found.tasks.get("STSBenchmark").expect("the task").pearson.all - expected).abs() < 1e-3);
    let plain = Cases::named("mean").folder();
    let plain = eval(&[&common[..], &["--model", plain.path().to_str().expect("UTF-8")]].concat()).output();
    let plain = Evaluation::from_json(&plain).expect("an evaluation");
    assert!((plain.average - found.average).abs() > 0.1, "the modules must change the score");
    let facts = folder.path().join("mteb/owner__all/one/model_meta.json");
    let facts: serde_json::Value =
        serde_json::from_str(&std::fs::read_to_string(facts).expect("the facts")).expect("JSON");
    assert_eq!((facts["embed_dim"].as_u64(), facts["max_tokens"].as_f64()), (Some(6), Some(8.0)));
}

#[test]
fn a_pooling_that_is_given_replaces_one_that_is_not_supported() {
    let base = Cases::named("mean").folder();
    let folder = tempfile::tempdir().expect("a folder");
    write_small_sts(&folder.path().join("sts"));
    let pooling = base.path().join("1_Pooling/config.json");
    std::fs::write(&pooling, r#"{"word_embedding_dimension": 24, "pooling_mode": "weightedmean"}"#)
        .expect("a file");
    let (model, sts) = (base.path().to_str().expect("UTF-8"), folder.path().join("sts"));
    let common = ["--model", model, "--sts", sts.to_str().expect("UTF-8")];
    eval(&common).refused(&["weightedmean", "--pooling"]);
    eval(&[&common[..], &["--pooling", "mean"]].concat()).output();
}

#[test]
fn transfer_tasks_are_scored_on_request() {
    let (plain, both) = (eval(&["--format", "json"]), eval(&["--transfer", "--format", "json"]));
    assert!(both.stderr.contains("transfer-demo"), "{}", both.stderr);
    let plain = Evaluation::from_json(&plain.output()).expect("an evaluation");
    let both = Evaluation::from_json(&both.output()).expect("an evaluation");
    assert_eq!((plain.transfer, &plain.tasks), (None, &both.tasks));
    let transfer = both.transfer.expect("transfer scores");
    let names: Vec<&str> = transfer.tasks.iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["DemoPolarity", "DemoQuestions", "DemoParaphrase"]);
    // Chance is 50, 16.7 and 50.
    for (task, chance) in [("DemoPolarity", 50.0), ("DemoQuestions", 16.7), ("DemoParaphrase", 50.0)] {
        let found = transfer.tasks.get(task).expect("the task").accuracy;
        assert!(found > chance + 5.0, "{task}: {found}");
    }
    assert!(transfer.tasks.get("DemoParaphrase").expect("the task").f1.is_some());

    // A transfer task in --tasks implies --transfer, and leaves the STS sets out.
    let table = eval(&["--tasks", "demoquestions"]).output();
    let accuracy = format!("{:.2}", transfer.tasks.get("DemoQuestions").expect("the task").accuracy);
    assert!(table.contains("DemoQuestions") && table.contains(&accuracy), "{table}");
    assert!(!table.contains("DemoSTS") && !table.contains("DemoPolarity"), "{table}");
    let csv = eval(&["--tasks", "DemoSTS,DemoQuestions", "--format", "csv"]).output();
    assert!(csv.contains("DemoSTS,,spearman,all") && csv.contains("DemoQuestions,,accuracy,,"), "{csv}");
    eval(&["--tasks", "DemoSTS,MR"]).refused(&["MR", "DemoPolarity"]);
    eval(&["--tasks", "MX"]).refused(&["MX", "DemoSTS", "TREC"]);
}

#[test]
fn word_vectors_are_scored_on_transfer_tasks() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("vectors.txt");
    let words = ["who", "where", "country", "why", "does", "many", "when", "stand", "animal", "which"];
    // Initial weights shrink with the dimension; with ten entries, they would outweigh what this little training adds.
    let one_hot = |(i, word): (usize, &&str)| {
        let row: Vec<&str> = (0..100).map(|k| if k == i { " 1" } else { " 0" }).collect();
        format!("{word}{}\n", row.concat())
    };
    std::fs::write(&path, words.iter().enumerate().map(one_hot).collect::<String>()).expect("a file");
    let path = path.to_str().expect("UTF-8");
    let common = ["--vectors", path, "--all-tokens", "--sts", "demo", "--tasks", "DemoQuestions"];
    let ended = eval(&[&common[..], &["--format", "json"]].concat());
    assert!(ended.stderr.contains("of 408 sentences without a known word"), "{}", ended.stderr);
    let scores = Evaluation::from_json(&ended.output()).expect("an evaluation");
    let accuracy =
        scores.transfer.expect("transfer scores").tasks.get("DemoQuestions").expect("the task").accuracy;
    // Ten words identify many questions; chance is 16.7.
    assert!((30.0..90.0).contains(&accuracy), "{accuracy}");
}
