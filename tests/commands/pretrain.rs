//! `cargo xtask pretrain` on generated sentences: it writes a model folder, a stopped run resumes to a bit-for-bit
//! identical model at any number of threads, and invalid options are rejected.

use std::ffi::OsString;
use std::path::Path;

use micse_data::Corpus;
use micse_model::{Compute, MaskedLmHead, ModelFolder, Pooling, Trainable};
use micse_tests::{Ended, run, write_small_sts};

/// Writes 2,000 sentences of the demo corpus, and the small pairs.
fn set_up(folder: &Path) {
    let text: String = Corpus::demo().iter().take(2000).flat_map(|sentence| [sentence, "\n"]).collect();
    std::fs::write(folder.join("text.txt"), text).expect("text.txt");
    write_small_sts(&folder.join("sts"));
}

/// Pre-trains a tiny encoder for 60 steps; `extra` adds options or replaces these.
fn pretrain(folder: &Path, out: &str, extra: &[&str]) -> Ended {
    let sizes = [("--vocab-size", "600"), ("--layers", "2"), ("--hidden", "32"), ("--positions", "32")];
    let training = [
        ("--license", "generated"),
        ("--steps", "60"),
        ("--eval-every", "30"),
        ("--lr", "3e-3"),
        ("--max-length", "24"),
        ("--batch-tokens", "400"),
    ];
    let sizes = sizes.iter().filter(|_| !extra.contains(&"--model"));
    let usual = training.iter().chain(sizes).filter(|(option, _)| !extra.contains(option));
    let mut arguments: Vec<OsString> = vec!["pretrain".into()];
    arguments.extend(usual.flat_map(|(option, value)| [option.into(), value.into()]));
    for (option, name) in [("--corpus", "text.txt"), ("--sts", "sts"), ("--out", out)] {
        arguments.extend([option.into(), folder.join(name).into_os_string()]);
    }
    arguments.extend(extra.iter().map(Into::into));
    run(env!("CARGO_BIN_EXE_xtask"), None, &arguments)
}

fn lines(folder: &Path) -> Vec<serde_json::Value> {
    let text = std::fs::read_to_string(folder.join("metrics.jsonl")).expect("metrics.jsonl");
    text.lines()
        .map(|line| {
            let mut line: serde_json::Value = serde_json::from_str(line).expect("JSON");
            // Throughput differs between runs.
            line["tokens_per_s"] = serde_json::Value::Null;
            line
        })
        .collect()
}

#[test]
fn a_stopped_training_ends_as_an_undisturbed_one() {
    let folder = tempfile::tempdir().expect("a folder");
    set_up(folder.path());
    let told = pretrain(folder.path(), "whole", &["--threads", "1"]).output();
    assert!(told.contains("step 60: held-out loss") && told.contains("STS average"), "{told}");
    let whole = folder.path().join("whole");
    assert!(!whole.join("checkpoint").exists(), "a finished run needs no checkpoint");

    // Stopped after step 7, then as if killed after step 41 with the checkpoint of step 7 as its last.
    let parts = folder.path().join("parts");
    let (checkpoint, kept) = (parts.join("checkpoint/state.safetensors"), parts.join("kept"));
    for last in ["7", "41"] {
        let stopped = pretrain(folder.path(), "parts", &["--threads", "2", "--stop-after", last]);
        assert_eq!(stopped.status, Some(75), "{}", stopped.stderr);
        assert!(stopped.stderr.contains(&format!("stopped after step {last}")), "{}", stopped.stderr);
        if last == "7" {
            std::fs::copy(&checkpoint, &kept).expect("a copy");
        }
    }
    std::fs::rename(&kept, &checkpoint).expect("the earlier checkpoint");
    assert!(!parts.join("model").exists());
    pretrain(folder.path(), "parts", &["--threads", "2"]).output();
    for name in ["model.safetensors", "mlm_head.safetensors", "tokenizer.json", "vocab.txt"] {
        let read = |folder: &Path| std::fs::read(folder.join("model").join(name)).expect(name);
        assert!(read(&parts) == read(&whole), "{name} differs");
    }
    assert_eq!(lines(&parts), lines(&whole));

    // Both the training loss and the held-out loss fall.
    let all = lines(&whole);
    let value = |key: &str| -> Vec<f64> { all.iter().filter_map(|line| line[key].as_f64()).collect() };
    let (loss, held_out) = (value("loss"), value("held_out_loss"));
    assert!(loss[0] > 6.0 && loss[2] < loss[0] - 0.5, "{loss:?}");
    assert!(held_out.len() == 2 && held_out[1] < held_out[0], "{held_out:?}");

    // A finished run is reported, not repeated; a different run is rejected.
    let again = pretrain(folder.path(), "whole", &[]);
    assert!(again.output().contains("already done: step 60"));
    pretrain(folder.path(), "whole", &["--seed", "49"]).refused(&["belongs to another run", "seed"]);
    pretrain(folder.path(), "whole", &["--vocab-size", "601"]).refused(&["another run", "new_vocabulary"]);
}

#[test]
fn the_model_folder_loads_and_training_goes_on_from_it() {
    let folder = tempfile::tempdir().expect("a folder");
    set_up(folder.path());
    pretrain(folder.path(), "first", &[]).output();
    let path = folder.path().join("first/model");
    let model = ModelFolder::open(&path).expect("the model");
    let config = model.config().expect("its configuration");
    assert_eq!((config.vocab_size, config.hidden_size, config.max_position_embeddings), (600, 32, 32));
    assert_eq!(model.pooling().expect("its pooling"), Some(Pooling::Mean));
    let encoder = model.encoder(&Compute::cpu()).expect("the encoder");
    let head = MaskedLmHead::in_folder(&path, &config, &candle_core::Device::Cpu).expect("the head's file");
    assert_eq!(head.expect("a head").values().expect("values").len(), 5);
    assert_eq!(encoder.values().expect("values")[0].dims(), [600, 32]);
    let tokenizer = model.tokenizer().expect("the tokenizer");
    assert_eq!(
        ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"].map(|t| tokenizer.id(t)),
        [0, 1, 2, 3, 4].map(Some)
    );
    let card = std::fs::read_to_string(path.join("README.md")).expect("the card");
    for part in ["plain masking of 15 %", "`text.txt`: generated", "60 steps", "| cls |", "| mean |"] {
        assert!(card.contains(part), "{part} is not in:\n{card}");
    }

    // Continue from the model almost without training: the scores equal the final ones except for half precision.
    let from = path.to_str().expect("a path");
    let little =
        ["--model", from, "--steps", "3", "--eval-every", "1", "--lr", "1e-8", "--masking", "whole-word"];
    pretrain(folder.path(), "second", &little).output();
    let averages = |name: &str| -> Vec<f64> {
        let lines = lines(&folder.path().join(name));
        lines.iter().filter_map(|line| line["sts"][1]["average"].as_f64()).collect()
    };
    let (end, begin) = (averages("first")[1], averages("second")[0]);
    assert!((begin - end).abs() < 0.5, "{begin} after {end}");
    let losses = lines(&folder.path().join("second"));
    let losses: Vec<f64> = losses.iter().filter_map(|line| line["held_out_loss"].as_f64()).collect();
    let new = lines(&folder.path().join("first"))[0]["loss"].as_f64().expect("a loss");
    assert!(losses.len() == 3 && losses.iter().all(|&loss| loss < new - 0.3), "{losses:?} after {new}");
    // The vocabulary is the one of the base model.
    let read = |name: &str| std::fs::read(folder.path().join(name)).expect(name);
    assert!(read("second/model/vocab.txt") == read("first/model/vocab.txt"));
}

#[test]
fn what_cannot_be_done_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    set_up(folder.path());
    let refused = |extra: &[&str], reasons: &[&str]| pretrain(folder.path(), "out", extra).refused(reasons);
    refused(&["--mask-rate", "1.5"], &["mask_rate is 1.5"]);
    refused(&["--warmup", "60"], &["warmup_steps is 60", "60 steps"]);
    refused(&["--heads", "5"], &["hidden_size 32 is not divisible"]);
    refused(&["--model", "no/such/model"], &["--model", "no/such/model", "no such folder"]);
    refused(&["--license", "one", "--license", "too many"], &["2 --license for 1 --corpus"]);
    let none = run(env!("CARGO_BIN_EXE_xtask"), None, &["pretrain", "--steps", "1"]);
    none.refused(&["--corpus FILE", "MICSE_DATA", "--corpus demo"]);
}

/// A folder with other files is left as it is; what a killed start left belongs to a run with the same vocabulary.
#[test]
fn a_start_of_somebody_else_is_left_as_it_is() {
    let folder = tempfile::tempdir().expect("a folder");
    set_up(folder.path());
    for (name, refused) in [("start/model.bin", true), ("model/notes.txt", true), ("start/vocab.txt", false)]
    {
        let out = folder.path().join("out");
        let path = out.join(name);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        std::fs::write(&path, "mine").expect("a file");
        let ended = pretrain(folder.path(), "out", &["--steps", "2", "--eval-every", "2"]);
        if refused {
            ended.refused(&[name.split('/').next().expect("a name"), "no run.toml", "--out"]);
            assert_eq!(std::fs::read_to_string(&path).expect("a file"), "mine");
            assert!(!out.join("start/config.json").exists());
        } else {
            ended.output();
        }
        std::fs::remove_dir_all(&out).expect("removed");
    }
    // A run that was killed after its run.toml keeps its vocabulary, and is not replaced by another.
    let usual = ["--steps", "2", "--eval-every", "2"];
    pretrain(folder.path(), "out", &usual).output();
    for rest in ["model", "metrics.jsonl", "result.json"] {
        let path = folder.path().join("out").join(rest);
        let removed =
            if path.is_dir() { std::fs::remove_dir_all(&path) } else { std::fs::remove_file(&path) };
        removed.expect("removed");
    }
    pretrain(folder.path(), "out", &[&usual[..], &["--vocab-size", "500"]].concat())
        .refused(&["another run"]);
    pretrain(folder.path(), "out", &usual).output();
}
