//! Failing cells, axes, kept models, and cells started by other schedulers.

use std::path::Path;

use micse_tests::folders::Cases;
use micse_tests::sweeps::{SmallSweep, assert_same};
use micse_tests::{command, ended};

const XTASK: &str = env!("CARGO_BIN_EXE_xtask");

#[test]
fn a_cell_that_fails_is_recorded_and_the_others_go_on() {
    let small = SmallSweep::new(XTASK);
    // The second learning rate ends in a loss of NaN or infinity.
    let grid = ["--methods", "simcse", "--sizes", "20", "--axis", "optimizer.lr=1e-4,1e30"];
    let first = small.run("failing", &grid);
    assert_eq!(first.status, Some(1));
    for part in
        ["simcse lr=1e-4", "simcse lr=1e30", "failed: simcse lr=1e30 20 seed 49: step", "Development pairs"]
    {
        assert!(first.stdout.contains(part), "{part} is not in the tables: {}", first.stdout);
    }
    assert_eq!(
        first.stdout.matches("Development pairs").count(),
        1,
        "the tables must be printed once: {}",
        first.stdout
    );
    first.refused(&["failed: simcse lr=1e30 20 seed 48: step ", "2 of 5 cells failed", "--retry-failed"]);
    let record = small.path("failing/cells/simcse_lr=1e30/20/seed-48/failed.json");
    let before = std::fs::read_to_string(&record).expect("the record");
    assert!(before.contains("step "), "{before}");

    let again = small.run("failing", &grid);
    assert!(again.stderr.contains("skipping 2 cells that failed before"), "{}", again.stderr);
    again.refused(&["failed: simcse lr=1e30 20 seed 48"]);
    let printed =
        |extra: &[&str]| small.run("failing", &[&grid[..], &["--launcher", "print"], extra].concat());
    assert_eq!(printed(&[]).output(), "");
    std::fs::remove_file(&record).expect("the record");
    // After a retry, the failure is recorded again.
    let retried = small.run("failing", &[&grid[..], &["--retry-failed"]].concat());
    retried.refused(&["failed: simcse lr=1e30 20 seed 48: step "]);
    assert_eq!(std::fs::read_to_string(&record).expect("the record"), before);

    let status = status(&small.path("failing"));
    assert!(
        status.contains("5 cells: 3 done, 0 running, 0 begun and not running, 2 failed, 0 waiting"),
        "{status}"
    );
}

fn status(sweep: &Path) -> String {
    ended(command(XTASK, None).args(["sweep", "status"]).arg(sweep)).output()
}

#[test]
fn an_axis_is_for_the_methods_that_have_it() {
    let small = SmallSweep::new(XTASK);
    let sweep = small.run(
        "axis",
        &[
            "--methods",
            "simcse,ami-simcse",
            "--sizes",
            "20",
            "--seeds",
            "48",
            "--axis",
            "objectives.ami.weight=0.1,1",
        ],
    );
    assert!(sweep.stderr.contains("simcse: --axis"), "{}", sweep.stderr);
    let text = sweep.output();
    for row in ["simcse ", "ami-simcse ami.weight=0.1", "ami-simcse ami.weight=1"] {
        assert!(text.contains(row), "{row}: {text}");
    }
    small
        .run("none", &["--methods", "simcse", "--axis", "objectives.ami.weight=0.1"])
        .refused(&["no method has this key"]);
    // A setting for every method, of which one has no such value.
    small.run("none", &["--methods", "simcse,ami-simcse", "--set", "objectives.ami.weight=0.1"]).refused(&[
        "changes every recipe that trains",
        "--axis objectives.ami.weight=0.1",
        "no entry `ami`",
    ]);
    small.run("none", &["--axis", "optimizer.lr"]).refused(&["is not a valid axis"]);
}

#[test]
fn of_the_models_the_best_seed_s_is_kept() {
    let small = SmallSweep::new(XTASK);
    let grid = ["--methods", "simcse", "--seeds", "48..50", "--keep-models"];
    small.run("all", &[&grid[..], &["all"]].concat()).output();
    small.run("best", &[&grid[..], &["best"]].concat()).output();
    for size in ["20", "100pct"] {
        let cell = |sweep: &str, seed: u64| small.path(&format!("{sweep}/cells/simcse/{size}/seed-{seed}"));
        let score = |seed: u64| {
            let text = std::fs::read_to_string(cell("all", seed).join("result.json")).expect("result.json");
            let result: serde_json::Value = serde_json::from_str(&text).expect("JSON");
            result["scores"]["dev_spearman"].as_f64().expect("a score")
        };
        let best = (48..=50).max_by(|&a, &b| score(a).total_cmp(&score(b))).expect("a seed");
        for seed in 48..=50 {
            assert!(cell("all", seed).join("model/model.safetensors").is_file());
            assert_eq!(cell("best", seed).join("model").exists(), seed == best, "{size}, seed {seed}");
        }
    }
}

/// Runs each printed command separately and in a different order, as another scheduler would.
#[test]
fn printed_commands_make_the_same_sweep() {
    let small = SmallSweep::new(XTASK);
    small.run("local", &[]).output();
    let printed = small.run("printed", &["--launcher", "print"]).output();
    let mut lines: Vec<&str> = printed.lines().collect();
    assert_eq!(lines.len(), 9, "{printed}");
    lines.reverse();
    let folder = small.path("printed");
    assert!(
        status(&folder).contains("9 cells: 0 done, 0 running, 0 begun and not running, 0 failed, 9 waiting")
    );
    for line in lines {
        ended(command("sh", None).args(["-c", line])).output();
    }
    let text = ended(command(XTASK, None).args(["sweep", "collect"]).arg(&folder)).output();
    assert!(text.contains("Methods by training-set size"), "{text}");
    assert!(status(&folder).contains("9 done"));
    assert_same(&small.path("local"), &folder);
    // No cell is left to run.
    assert_eq!(small.run("printed", &["--launcher", "print"]).output(), "");
}

/// A sweep started with different values is rejected before anything runs.
#[test]
fn a_changed_recipe_under_a_begun_sweep_is_refused() {
    let small = SmallSweep::new(XTASK);
    small.run("begun", &["--methods", "simcse", "--seeds", "48"]).output();
    // As if the cell had not finished.
    std::fs::remove_file(small.path("begun/cells/simcse/20/seed-48/result.json")).expect("a result");
    let changed = small.run("begun", &["--methods", "simcse", "--seeds", "48", "--set", "optimizer.lr=1e-3"]);
    changed.refused(&["simcse 20 seed 48 belongs to another run", "recipe.optimizer.lr = "]);
}

/// The settings of presets are meant for the encoders and corpora of these presets.
#[test]
fn with_an_encoder_and_a_text_of_ones_own_the_recipes_own_settings_hold() {
    let small = SmallSweep::new(XTASK);
    let (encoder, text, sts) = (small.path("model"), small.path("text.txt"), small.path("sts"));
    let sweep = |out: &str, more: &[&str]| {
        let mut command = small.program();
        command
            .args(["sweep", "--sizes", "20", "--seeds", "48", "--steps", "2", "--out"])
            .arg(small.path(out));
        command.arg("--sts").arg(&sts).args(more);
        command
    };
    let mut own = sweep("own", &["--methods", "simcse"]);
    let ended = ended(own.arg("--model").arg(&encoder).arg("--corpus").arg(&text));
    assert!(ended.stderr.contains("settings: steps=2"), "{}", ended.stderr);
    ended.output();
    let run = std::fs::read_to_string(small.path("own/cells/simcse/20/seed-48/run.toml")).expect("run.toml");
    for value in ["lr = 0.00003", "batch_size = 64", "max_length = 32", "test = \"cls\""] {
        assert!(run.contains(value), "{value} is not in {run}");
    }
    // There is no default choice of methods either.
    let mut none = sweep("none", &[]);
    micse_tests::ended(none.arg("--model").arg(&encoder).arg("--corpus").arg(&text))
        .refused(&["--methods", "--preset"]);
}

/// The row without training scores the complete model, not only its encoder.
#[test]
fn the_untrained_row_scores_the_whole_model() {
    let small = SmallSweep::new(XTASK);
    let base = Cases::named("everything").folder();
    let mut command = small.program();
    command.args(["sweep", "--methods", "bert-mean", "--sizes", "20", "--seeds", "48"]);
    command.arg("--out").arg(small.path("untrained")).arg("--model").arg(base.path());
    ended(command.arg("--corpus").arg(small.path("text.txt")).arg("--sts").arg(small.path("sts"))).output();
    let result = small.path("untrained/cells/bert-mean/result.json");
    let result: serde_json::Value =
        serde_json::from_str(&std::fs::read_to_string(result).expect("result.json")).expect("JSON");
    let suite = micse_data::Suite::load(&small.path("sts"), None).expect("the pairs");
    let model = micse_model::SentenceModel::open(base.path()).expect("the model");
    let expected = micse_eval::evaluate(&model, &suite, &mut |_, _| {}).expect("scores").average;
    assert_eq!(result["scores"]["average"].as_f64(), Some(expected));
}

/// The small training set gets its entry's values and epochs, the large one the recipe's own.
#[test]
fn values_of_a_recipe_depend_on_the_size_of_the_cell() {
    let small = SmallSweep::new(XTASK);
    let recipe = small.path("sized.toml");
    let text = "extends = \"simcse-baseline\"\nname = \"sized\"\nsteps = 4\n\
        [[by_size]]\nup_to = 20\nepochs = 2\nset = [\"optimizer.clip=0.5\"]\n";
    std::fs::write(&recipe, text).expect("the recipe");
    let (model, corpus, sts) = (small.path("model"), small.path("text.txt"), small.path("sts"));
    let mut sweep = small.program();
    sweep.args(["sweep", "--sizes", "20,50%", "--seeds", "48", "--set", "optimizer.batch_size=8"]);
    sweep.arg("--methods").arg(&recipe).arg("--model").arg(&model).arg("--corpus").arg(&corpus);
    ended(sweep.arg("--sts").arg(&sts).arg("--out").arg(small.path("sized"))).output();
    for (size, steps, clip) in [("20", 2 * 3, 0.5), ("50pct", 4, 1.0)] {
        let run = small.path(&format!("sized/cells/sized/{size}/seed-48/run.toml"));
        let run: toml::Table = std::fs::read_to_string(run).expect("run.toml").parse().expect("TOML");
        let recipe = &run["recipe"];
        assert_eq!(recipe["steps"].as_integer(), Some(steps), "{size}");
        assert_eq!(recipe["optimizer"]["clip"].as_float(), Some(clip), "{size}");
    }
}

/// Cells without training have no batches to divide.
#[test]
fn a_sweep_in_chunks_has_tables() {
    let small = SmallSweep::new(XTASK);
    let grid = ["--methods", "bert-mean,simcse", "--sizes", "20", "--seeds", "48", "--chunk", "4"];
    let text = small.run("chunks", &grid).output();
    for row in ["bert-mean", "untrained (cls)", "simcse"] {
        assert!(text.contains(row), "{row} is not in {text}");
    }
    small.run("chunks", &grid[..6]).refused(&["belongs to another run", "chunk"]);
}

/// The recipe in a cell's run.toml.
fn recipe(small: &SmallSweep, cell: &str) -> toml::Table {
    let run = small.path(&format!("{cell}/run.toml"));
    let run: toml::Table = std::fs::read_to_string(run).expect("run.toml").parse().expect("TOML");
    run["recipe"].as_table().expect("a recipe").clone()
}

#[test]
fn rows_have_the_values_that_their_names_say() {
    let small = SmallSweep::new(XTASK);
    let (model, corpus, sts) = (small.path("model"), small.path("text.txt"), small.path("sts"));
    let preset = small.path("mine.toml");
    std::fs::write(
        &preset,
        "methods = [\"micse\", \"ct\"]\nsizes = \"20\"\nseeds = \"48\"\nsteps = 4\n\
         set = [\"optimizer.batch_size=8\", \"max_length=32\"]\n[method.ct]\nset = [\"steps=5\"]\n",
    )
    .expect("the preset");
    let sweep = |out: &str, more: &[&str]| {
        let mut sweep = small.program();
        sweep
            .args(["sweep", "--preset"])
            .arg(&preset)
            .arg("--model")
            .arg(&model)
            .arg("--corpus")
            .arg(&corpus);
        ended(sweep.arg("--sts").arg(&sts).arg("--out").arg(small.path(out)).args(more))
    };
    let steps = |cell: &str| recipe(&small, cell)["steps"].as_integer();
    sweep("axis", &["--methods", "simcse", "--axis", "steps=2,3"]).output();
    assert_eq!(steps("axis/cells/simcse_steps=2/20/seed-48"), Some(2));
    assert_eq!(steps("axis/cells/simcse_steps=3/20/seed-48"), Some(3));

    let own = sweep("own", &["--set", "momentum.ramp_steps=1000", "--without", "ct"]);
    assert!(own.stderr.contains("settings: steps=4, "), "{}", own.stderr);
    own.output();
    let micse = recipe(&small, "own/cells/micse/20/seed-48");
    assert_eq!(micse["steps"].as_integer(), Some(4));
    assert_eq!(micse["momentum"]["ramp_steps"].as_integer(), Some(1000));

    // A method's own number comes before the preset's, and the command's before both.
    let set =
        sweep("set", &["--methods", "micse", "--set", "steps=3", "--axis", "optimizer.warmup_steps=2,9"]);
    assert!(!set.stderr.contains("steps=4"), "{}", set.stderr);
    set.output();
    for (row, warmup) in [("micse_warmup_steps=2", 2), ("micse_warmup_steps=9", 9)] {
        let recipe = recipe(&small, &format!("set/cells/{row}/20/seed-48"));
        assert_eq!(recipe["steps"].as_integer(), Some(3), "{row}");
        assert_eq!(recipe["optimizer"]["warmup_steps"].as_integer(), Some(warmup), "{row}");
    }
    sweep("method", &["--without", "micse"]).output();
    assert_eq!(steps("method/cells/ct/20/seed-48"), Some(5));
    sweep("command", &["--without", "micse", "--steps", "2"]).output();
    assert_eq!(steps("command/cells/ct/20/seed-48"), Some(2));

    for (more, reasons) in [
        (["--steps", "3", "--axis", "steps=1,2"], ["--steps 3", "--axis steps=1,2"]),
        (["--steps", "3", "--set", "steps=1"], ["--steps 3", "--set steps=1"]),
        (["--axis", "optimizer.lr=1,2", "--axis", "optimizer.lr=3"], ["--axis optimizer.lr=3", "keep one"]),
        (["--set", "optimizer.lr=1", "--axis", "optimizer.lr=3"], ["--set optimizer.lr=1", "keep one"]),
    ] {
        sweep("none", &[&["--methods", "simcse"][..], &more].concat()).refused(&reasons);
    }
    sweep("none", &["--steps", "0"]).refused(&["--steps 1 or more"]);
    assert!(!small.path("none").exists());
}

/// A fit has values for axes, too.
#[test]
fn an_axis_reaches_a_method_without_training() {
    let small = SmallSweep::new(XTASK);
    let grid =
        ["--methods", "bert-whitening,simcse", "--sizes", "20", "--seeds", "48", "--keep-models", "none"];
    let fitted = small.run("fitted", &[&grid[..], &["--axis", "post.components=4,8"]].concat());
    assert!(fitted.stderr.contains("simcse: --axis post.components=4,8 does not apply"), "{}", fitted.stderr);
    let text = fitted.output();
    for row in ["bert-whitening post.components=4", "bert-whitening post.components=8"] {
        assert!(text.contains(row), "{row} is not in {text}");
    }
}

/// Models that no other program could load are not kept, and the cells run.
#[test]
fn a_method_whose_model_cannot_be_saved_runs_without_keeping_it() {
    let small = SmallSweep::new(XTASK);
    let grid =
        ["--methods", "bert-whitening,simcse", "--sizes", "20", "--seeds", "48", "--keep-models", "all"];
    let kept = small.run("kept", &grid);
    assert!(kept.stderr.contains("bert-whitening: its models are not kept"), "{}", kept.stderr);
    kept.output();
    let cell = |method: &str| small.path(&format!("kept/cells/{method}/20/seed-48"));
    assert!(cell("simcse").join("model/model.safetensors").is_file());
    assert!(cell("bert-whitening").join("result.json").is_file());
    assert!(!cell("bert-whitening").join("model").exists());
}

/// What began on one corpus is not continued on another, and a failure before a run began is not kept to.
#[test]
fn another_corpus_under_a_begun_sweep_is_refused() {
    let small = SmallSweep::new(XTASK);
    let grid = ["--methods", "simcse", "--sizes", "20"];
    small.run("begun", &grid).output();
    // As if one cell had not finished, and the other not begun.
    let cell = |seed: u64| small.path(&format!("begun/cells/simcse/20/seed-{seed}"));
    std::fs::remove_file(cell(48).join("result.json")).expect("a result");
    std::fs::remove_dir_all(cell(49)).expect("a cell");
    let text = std::fs::read_to_string(small.path("text.txt")).expect("the corpus");
    std::fs::write(small.path("text.txt"), text.replace("farmer", "teacher")).expect("the corpus");
    small.run("begun", &grid).refused(&["simcse 20 seed 48", "belongs to another run", "text.sha256"]);
    assert!(!cell(49).exists(), "no cell may train on another corpus");

    std::fs::write(small.path("text.txt"), text).expect("the corpus");
    let record = "{ \"reason\": \"an old reason\" }";
    std::fs::create_dir_all(cell(49)).expect("a folder");
    std::fs::write(cell(49).join("failed.json"), record).expect("a record");
    let again = small.run("begun", &grid);
    assert!(!again.stderr.contains("failed before"), "{}", again.stderr);
    again.output();
    assert!(!cell(49).join("failed.json").exists());
}

/// Files of somebody else are never overwritten.
#[test]
fn a_folder_of_somebody_else_is_left_alone() {
    let small = SmallSweep::new(XTASK);
    for name in ["results.csv", "tables.txt", "cells/notes.txt", "slurm/job.sh"] {
        let out = name.replace(['/', '.'], "-");
        let path = small.path(&out).join(name);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        std::fs::write(&path, "mine").expect("a file");
        for extra in [&[][..], &["--dry-run"]] {
            small.run(&out, extra).refused(&["not made by a sweep", "a different --out"]);
        }
        assert_eq!(std::fs::read_to_string(&path).expect("the file"), "mine");
        assert!(!small.path(&out).join(".lock").exists() && !small.path(&out).join("sweep.json").exists());
    }
    // Other files are in nobody's way.
    std::fs::create_dir(small.path("notes")).expect("a folder");
    std::fs::write(small.path("notes/notes.txt"), "mine").expect("a file");
    let grid = ["--methods", "simcse", "--sizes", "20", "--seeds", "48"];
    small.run("notes", &grid).output();
}

/// If no cell has a result, there is no table that could replace an earlier one.
#[test]
fn tables_are_not_replaced_by_an_empty_one() {
    let small = SmallSweep::new(XTASK);
    // Without training there is only one cell, whose encoder is gone after the sweep.
    let grid = ["--methods", "bert-mean", "--sizes", "20", "--seeds", "48"];
    small.run("one", &grid).output();
    let before = std::fs::read(small.path("one/tables.md")).expect("tables");
    std::fs::remove_file(small.path("one/cells/bert-mean/result.json")).expect("a result");
    std::fs::write(small.path("model/model.safetensors"), "broken").expect("weights");
    small.run("one", &grid).refused(&["failed: bert-mean"]);
    assert_eq!(std::fs::read(small.path("one/tables.md")).expect("tables"), before);
}

#[test]
fn broken_inputs_are_refused_before_anything_runs() {
    let small = SmallSweep::new(XTASK);
    std::fs::create_dir(small.path("no-sets")).expect("a folder");
    std::fs::write(small.path("broken.txt"), "a 1 2\nthe 1\n").expect("vectors");
    let path = |name: &str| small.path(name).to_str().expect("UTF-8").to_owned();
    let (sts, vectors) = (path("no-sets"), path("broken.txt"));
    let mut sweep = small.program();
    sweep.args(["sweep", "--preset", "demo", "--sts", &sts, "--out"]).arg(small.path("none"));
    ended(&mut sweep).refused(&["no-sets", "--sts demo"]);
    small.run("none", &["--vectors", &vectors]).refused(&["broken.txt:2"]);
    small.run("none", &["--set", "optimizer.weight_decay=inf"]).refused(&["weight_decay is inf"]);
    assert!(!small.path("none").exists());
}

/// Nobody may read standard error.
#[test]
fn failures_are_in_the_tables_even_if_nobody_can_be_told() {
    let small = SmallSweep::new(XTASK);
    let grid = ["--methods", "simcse", "--sizes", "20", "--seeds", "48", "--axis", "optimizer.lr=1e-4,1e30"];
    let mut sweep = small.command("silent", &grid);
    let (reader, writer) = std::io::pipe().expect("a pipe");
    drop(reader);
    let ended = ended(sweep.stderr(writer));
    assert_eq!(ended.status, Some(1));
    assert!(small.path("silent/tables.txt").is_file() && ended.stdout.contains("simcse lr=1e-4"));
}
