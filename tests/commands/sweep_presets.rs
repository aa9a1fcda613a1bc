//! Presets: every built-in one in its small form, files of one's own, and what a preset would take.

use std::path::Path;
use std::process::Command;

use micse_tests::sweeps::SmallSweep;
use micse_tests::{command, ended, root, write_small_model, write_small_sts};

const XTASK: &str = env!("CARGO_BIN_EXE_xtask");

/// The built-in presets.
const PRESETS: [&str; 9] =
    ["demo", "quick", "methods", "low-shot", "table-1", "table-2", "table-3", "figure-2", "ablation"];

/// One seed and size suffice to run every preset; a few pairs make the scoring short. A method that an earlier preset
/// ran is omitted, except for the first two of a preset.
#[test]
fn every_preset_runs_on_shipped_files() {
    let out = tempfile::tempdir().expect("a folder");
    let sts = out.path().join("sts");
    write_small_sts(&sts);
    let mut ran: Vec<String> = Vec::new();
    for preset in PRESETS {
        let mut sweep = command(XTASK, None);
        sweep.args(["sweep", "--preset", preset, "--scale", "tiny", "--seeds", "48", "--sizes", "1%"]);
        sweep.arg("--sts").arg(&sts);
        let methods = methods_of(preset);
        let again: Vec<&str> =
            methods.iter().skip(2).filter(|m| ran.contains(m)).map(String::as_str).collect();
        if !again.is_empty() {
            sweep.args(["--without", &again.join(",")]);
        }
        ran.extend(methods.clone());
        let tables = ended(sweep.arg("--out").arg(out.path().join(preset))).output();
        // All but the demo end with published scores.
        if preset != "demo" {
            assert!(tables.contains("Against published scores"), "{preset}: {tables}");
            assert!(tables.contains("encoder, corpus"), "{preset} must list what differs: {tables}");
        }
    }
}

/// The methods of a built-in preset.
fn methods_of(preset: &str) -> Vec<String> {
    let file = root().join(format!("crates/micse-sweep/presets/{preset}.toml"));
    let preset: toml::Table = std::fs::read_to_string(&file).expect("the preset").parse().expect("TOML");
    let methods = preset["methods"].as_array().expect("a list").iter();
    methods.map(|method| method.as_str().expect("a name").to_owned()).collect()
}

#[test]
fn an_unknown_preset_is_refused_with_the_known_ones() {
    ended(command(XTASK, None).args(["sweep", "--preset", "paper"])).refused(&[
        "no preset `paper`",
        &PRESETS.join(", "),
        "FILE.toml",
    ]);
}

/// A preset file in a small sweep's folder.
fn sweep(small: &SmallSweep, preset: &str, extra: &[&str]) -> Command {
    let file = small.path("mine.toml");
    std::fs::write(&file, preset).expect("the preset");
    let mut sweep = small.program();
    sweep.arg("sweep").arg("--preset").arg(&file).args(["--set", "optimizer.batch_size=8"]);
    for (option, name) in [("--model", "model"), ("--corpus", "text.txt"), ("--sts", "sts"), ("--out", "out")]
    {
        sweep.arg(option).arg(small.path(name));
    }
    sweep.args(extra);
    sweep
}

const OWN: &str = "methods = [\"bert-mean\", \"simcse\", \"scd\", \"bert-whitening\", \"mirror-bert\"]\n\
    sizes = \"20\"\nseeds = \"48,49\"\nsteps = 2\n\
    [method.scd]\ncorpus = \"sts\"\nnote = \"a note on scd\"\n\
    [method.bert-whitening]\ncorpus = \"texts\"\n\
    [method.mirror-bert]\nencoder = \"no/such/model\"\npost = { kind = \"whitening\" }\n\
    set = [\"max_length=32\"]\n";

#[test]
fn methods_have_encoders_and_corpora_of_their_own() {
    let small = SmallSweep::new(XTASK);
    write_small_model(&small.path("other-model"));
    let (other, texts) = (small.path("other-model"), small.path("text.txt"));
    let model_for = format!("mirror-bert={}", other.display());
    let corpus_for = format!("texts={}", texts.display());

    // What is missing is named, with the option that provides it.
    ended(&mut sweep(&small, OWN, &["--model-for", &model_for])).refused(&[
        "bert-whitening needs the corpus texts",
        "--corpus-for texts=FILE",
        "--without bert-whitening",
    ]);
    ended(&mut sweep(&small, OWN, &["--corpus-for", &corpus_for]))
        .refused(&["mirror-bert needs the encoder no/such/model", "--model-for mirror-bert=MODEL"]);
    ended(&mut sweep(&small, OWN, &["--model-for", "ct=x"])).refused(&[
        "--model-for ct",
        "nothing of that name",
        "bert-whitening",
    ]);
    ended(&mut sweep(&small, OWN, &["--corpus-for", "NLI=x"])).refused(&[
        "--corpus-for NLI",
        "nothing of that name",
        "texts",
    ]);
    // A method that reads no corpus, and a name given twice.
    ended(&mut sweep(&small, OWN, &["--corpus-for", "bert-mean=x"])).refused(&["--corpus-for bert-mean"]);
    let twice = ["--corpus-for", "texts=a", "--corpus-for", "texts=b"];
    ended(&mut sweep(&small, OWN, &twice)).refused(&["--corpus-for texts", "given twice"]);
    ended(&mut sweep(&small, OWN, &["--scale", "tiny", "--corpus-for", "texts=a"]))
        .refused(&["--scale tiny"]);
    ended(&mut sweep(&small, OWN, &["--without", "ct"])).refused(&["--without ct", "not a method"]);
    ended(&mut sweep(&small, OWN, &["--model-for", &model_for, "--corpus-for", "texts=gone.txt"]))
        .refused(&["bert-whitening", "gone.txt", "no such file"]);

    let given = ["--model-for", model_for.as_str(), "--corpus-for", corpus_for.as_str()];
    let ended = ended(&mut sweep(&small, OWN, &given));
    for note in
        ["mirror-bert: encoder: ", "scd: corpus: sts", "scd: a note on scd", "the sentences of test sets"]
    {
        assert!(ended.stderr.contains(note), "{note} is not in: {}", ended.stderr);
    }
    let tables = ended.output();
    let line = |start: &str| {
        let found = tables.lines().find(|line| line.trim_start().starts_with(start));
        found.unwrap_or_else(|| panic!("{start} is not in {tables}")).to_owned()
    };
    assert!(line("method").contains("encoder") && line("method").contains("corpus"), "{tables}");
    assert!(line("scd").contains("STS and SICK-R"), "{tables}");
    assert!(line("mirror-bert").contains("other-model") && line("simcse").contains(" model "), "{tables}");
    assert!(line("untrained (mean, other-model)").contains("other-model"), "{tables}");
    assert!(
        tables.contains("\nscd: a note on scd\n"),
        "a note on a method must be below the tables: {tables}"
    );
    let compared = &tables[tables.find("Against simcse").expect("the comparisons")..];
    let differs = |method: &str| {
        compared
            .lines()
            .find(|line| line.trim_start().starts_with(method))
            .expect(method)
            .trim_end()
            .to_owned()
    };
    assert!(differs("scd").ends_with("corpus") && differs("mirror-bert").ends_with("encoder"), "{compared}");
    assert!(compared.contains("not the method's alone"), "{compared}");
    let run = |method: &str| {
        let run = small.path(&format!("out/cells/{method}/20/seed-48/run.toml"));
        std::fs::read_to_string(run).expect("run.toml").parse::<toml::Table>().expect("TOML")
    };
    assert_ne!(run("scd")["text"]["sha256"], run("simcse")["text"]["sha256"]);
    assert!(run("mirror-bert")["recipe"].get("post").is_some());
    // The report compares the same cells.
    let report = micse_tests::ended(small.program().arg("report").arg(small.path("out"))).output();
    assert!(Path::new(report.trim()).is_file(), "{report}");
}

#[test]
fn a_dry_run_prints_cells_steps_memory_and_time() {
    let small = SmallSweep::new(XTASK);
    let preset =
        "methods = [\"bert-mean\", \"simcse\", \"micse\"]\nsizes = \"20,40\"\nseeds = \"48,49\"\nsteps = 2\n";
    let out = small.path("out");
    let plain = ended(&mut sweep(&small, preset, &["--dry-run"]));
    assert!(plain.stderr.contains("dry run: 10 cells with 16 optimizer steps"), "{}", plain.stderr);
    let table = plain.output();
    for part in ["method", "MiB", "time per cell", "simcse", "micse", "bert-mean"] {
        assert!(table.contains(part), "{part} is not in {table}");
    }
    assert!(!out.exists(), "a dry run must write nothing");

    let json = ended(&mut sweep(&small, preset, &["--dry-run", "--json"])).output();
    let plan: serde_json::Value = serde_json::from_str(&json).expect("JSON");
    // One row without training, for the pooling of bert-mean, one for [CLS], and 2 x 2 x 2 trained cells of two steps.
    assert_eq!((plan["cells"].as_u64(), plan["steps"].as_u64()), (Some(10), Some(16)));
    let rows = plan["rows"].as_array().expect("rows");
    assert_eq!(rows.len(), 6);
    let seconds = |method: &str| {
        let row = rows.iter().find(|row| row["method"] == method && row["size"] == "20").expect(method);
        row["seconds_per_cell"].as_f64().expect("seconds")
    };
    // miCSE has one more pass per step, for its queue.
    assert!(seconds("micse") > seconds("simcse") && seconds("simcse") > 0.0, "{json}");
    let all: f64 =
        rows.iter().map(|r| r["cells"].as_f64().unwrap() * r["seconds_per_cell"].as_f64().unwrap()).sum();
    assert!((all - plan["seconds"].as_f64().unwrap()).abs() < 1e-6 * all);

    ended(&mut sweep(&small, preset, &[])).output();
    let finished = ended(&mut sweep(&small, preset, &["--dry-run", "--json"])).output();
    let plan: serde_json::Value = serde_json::from_str(&finished).expect("JSON");
    assert_eq!((plan["cells"].as_u64(), plan["finished"].as_u64()), (Some(0), Some(10)));
}

/// Longer sentences take longer.
#[test]
fn the_time_of_a_dry_run_depends_on_the_corpus() {
    let small = SmallSweep::new(XTASK);
    let preset = "methods = [\"simcse\", \"simcse-baseline\"]\nsizes = \"20\"\nseeds = \"48\"\nsteps = 400\n\
        set = [\"max_length=32\", \"optimizer.batch_size=10\"]\n[method.simcse-baseline]\ncorpus = \"long\"\n";
    let long: Vec<String> =
        (0..60).map(|i| format!("{}word{i}", "the doctor walked slowly ".repeat(12))).collect();
    std::fs::write(small.path("long.txt"), long.join("\n")).expect("the corpus");
    let corpus_for = format!("long={}", small.path("long.txt").display());
    let json =
        ended(&mut sweep(&small, preset, &["--dry-run", "--json", "--corpus-for", &corpus_for])).output();
    let plan: serde_json::Value = serde_json::from_str(&json).expect("JSON");
    let seconds = |method: &str| {
        let rows = plan["rows"].as_array().expect("rows");
        rows.iter().find(|row| row["method"] == method).expect(method)["seconds_per_cell"]
            .as_f64()
            .expect("seconds")
    };
    // Both have the same passes. On the same sentences, both times would be one measurement.
    assert!(seconds("simcse-baseline") > seconds("simcse"), "{json}");

    // What the sweep would refuse, the dry run refuses.
    let few = ["--dry-run", "--sizes", "100", "--corpus-for", corpus_for.as_str()];
    ended(&mut sweep(&small, preset, &few)).refused(&["100", "60"]);
}

/// Two folders of one name are two encoders, and a refused command changes nothing.
#[test]
fn encoders_are_told_apart_by_place() {
    let small = SmallSweep::new(XTASK);
    std::fs::create_dir(small.path("other")).expect("a folder");
    write_small_model(&small.path("other/model"));
    let preset = "methods = [\"simcse\", \"scd\"]\nsizes = \"20\"\nseeds = \"48\"\nsteps = 2\n";
    let same = format!("scd={}", small.path("model").display());
    let first = ended(&mut sweep(&small, preset, &["--model-for", &same])).output();
    assert!(!first.contains("encoder"), "the encoder of the sweep is not an own one: {first}");
    let before = std::fs::read(small.path("out/sweep.json")).expect("sweep.json");

    // Different weights under the same name.
    let config = std::fs::read_to_string(small.path("other/model/config.json")).expect("the configuration");
    let changed = config.replacen("1e-12", "1e-6", 1);
    assert_ne!(config, changed);
    std::fs::write(small.path("other/model/config.json"), changed).expect("the configuration");
    let other = format!("scd={}", small.path("other/model").display());
    ended(&mut sweep(&small, preset, &["--model-for", &other])).refused(&["scd 20 seed 48", "another run"]);
    assert_eq!(std::fs::read(small.path("out/sweep.json")).expect("sweep.json"), before);
    let collected = ended(small.program().args(["sweep", "collect"]).arg(small.path("out"))).output();
    assert!(!collected.contains("encoder"), "{collected}");

    std::fs::remove_dir_all(small.path("out")).expect("the first sweep");
    let tables = ended(&mut sweep(&small, preset, &["--model-for", &other])).output();
    let name = small.path("other/model").display().to_string();
    assert!(tables.contains(&name) && tables.contains("differs in"), "{tables}");
}

/// Two files of one name are two corpora, in every table; one file under two names is one.
#[test]
fn corpora_are_told_apart_by_place() {
    let small = SmallSweep::new(XTASK);
    let text = std::fs::read_to_string(small.path("text.txt")).expect("the corpus");
    for (folder, word) in [("one", "boat"), ("two", "river")] {
        std::fs::create_dir(small.path(folder)).expect("a folder");
        std::fs::write(small.path(folder).join("text.txt"), text.replace("farmer", word)).expect("a corpus");
    }
    let preset = "methods = [\"simcse\", \"scd\", \"ct\"]\nsizes = \"20\"\nseeds = \"48\"\nsteps = 2\n\
        set = [\"max_length=32\"]\n";
    let of = |method: &str, file: &str| format!("{method}={}", small.path(file).display());
    let given = [of("scd", "one/text.txt"), of("ct", "two/text.txt")];
    let given = ["--corpus-for", &given[0], "--corpus-for", &given[1]];
    let tables = ended(&mut sweep(&small, preset, &given)).output();
    let line = |start: &str| tables.lines().find(|line| line.trim_start().starts_with(start)).expect(start);
    assert!(line("method").contains("corpus"), "{tables}");
    assert!(line("simcse").contains(" text.txt"), "{tables}");
    assert!(line("scd").contains("one/text.txt") && line("ct").contains("two/text.txt"), "{tables}");
    assert!(tables.contains("differs in"), "{tables}");

    let same = [of("scd", "one/text.txt"), of("ct", "two/../one/text.txt")];
    let same = ["--corpus-for", &same[0], "--corpus-for", &same[1], "--baseline", "scd"];
    std::fs::remove_dir_all(small.path("out")).expect("the first sweep");
    let tables = ended(&mut sweep(&small, &preset.replace("\"simcse\", ", ""), &same)).output();
    assert!(!tables.contains("differs in"), "{tables}");
}

/// What a preset sets was set for the preset's steps.
#[test]
fn the_schedule_of_a_preset_follows_other_steps() {
    let small = SmallSweep::new(XTASK);
    let preset = "methods = [\"simcse\"]\nsizes = \"20\"\nseeds = \"48\"\nsteps = 20\nset = [\"optimizer.warmup_steps=10\"]\n";
    ended(&mut sweep(&small, preset, &["--steps", "4"])).output();
    let run = std::fs::read_to_string(small.path("out").join("cells/simcse/20/seed-48/run.toml"))
        .expect("run.toml");
    let run: toml::Table = run.parse().expect("TOML");
    let recipe = &run["recipe"];
    // Half of the steps, but at most a tenth.
    assert_eq!(
        (recipe["steps"].as_integer(), recipe["optimizer"]["warmup_steps"].as_integer()),
        (Some(4), Some(1))
    );
}

/// A recipe is known by its values, not by the name that its file kept.
#[test]
fn a_recipe_with_the_name_of_a_built_in_one_is_compared_with_it() {
    let small = SmallSweep::new(XTASK);
    let recipe = small.path("my.toml");
    std::fs::write(&recipe, "extends = \"simcse\"\nsteps = 2\n[optimizer]\nlr = 1e-3\nbatch_size = 8\n")
        .expect("the recipe");
    let mut sweep = small.program();
    sweep.args(["sweep", "--sizes", "20", "--seeds", "48", "--against", "paper"]);
    for (option, name) in [("--methods", "my.toml"), ("--model", "model"), ("--corpus", "text.txt")] {
        sweep.arg(option).arg(small.path(name));
    }
    let tables =
        ended(sweep.arg("--sts").arg(small.path("sts")).arg("--out").arg(small.path("out"))).output();
    let row =
        tables.lines().find(|line| line.contains("simcse") && line.contains("BERT-base")).expect("a row");
    assert!(row.contains("settings"), "{tables}");
    let file = std::fs::read_to_string(small.path("out/sweep.json")).expect("sweep.json");
    let file: serde_json::Value = serde_json::from_str(&file).expect("JSON");
    let cells = file["cells"].as_array().expect("cells");
    let changed =
        |method: &str| cells.iter().find(|cell| cell["method"] == method).expect(method)["changed"].as_bool();
    assert_eq!((changed("simcse"), changed("untrained (cls)")), (Some(true), Some(false)));
}
