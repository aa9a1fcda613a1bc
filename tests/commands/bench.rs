//! `cargo xtask bench`: all numbers are reported and consistent with each other. Their size is not tested.

use std::ffi::OsStr;
use std::path::Path;

use micse_tests::{run, sentences, write_small_model, write_small_sts};

fn bench(folder: &Path, arguments: &[&str]) -> serde_json::Value {
    let model = folder.join("model");
    let mut all: Vec<&OsStr> = vec!["bench".as_ref()];
    all.extend(arguments.iter().map(OsStr::new));
    all.extend([
        "--model".as_ref(),
        model.as_os_str(),
        "--threads".as_ref(),
        "1".as_ref(),
        "--json".as_ref(),
    ]);
    let text = run(env!("CARGO_BIN_EXE_xtask"), None, &all).output();
    serde_json::from_str(text.lines().last().expect("a line")).expect("a JSON object")
}

fn number(report: &serde_json::Value, key: &str) -> f64 {
    let value = report[key].as_f64().unwrap_or_else(|| panic!("{key} is not a number in {report}"));
    assert!(value > 0.0, "{key} in {report}");
    value
}

#[test]
fn training_and_encoding_are_measured() {
    let folder = tempfile::tempdir().expect("a folder");
    write_small_model(&folder.path().join("model"));
    write_small_sts(&folder.path().join("sts"));
    let (text, sts) = (folder.path().join("text.txt"), folder.path().join("sts"));
    std::fs::write(&text, sentences(64).join("\n")).expect("text.txt");
    let (text, sts) = (text.to_str().expect("UTF-8"), sts.to_str().expect("UTF-8"));

    let plain = ["train", "--corpus", text, "--recipe", "micse", "--batch-size", "16", "--steps", "2"];
    let report = bench(folder.path(), &plain);
    for key in ["sentences_per_s", "real_tokens_per_s", "gemm_gflops", "floor_share", "done_share"] {
        number(&report, key);
    }
    assert_eq!((&report["threads"], &report["steps"]), (&1.into(), &2.into()));
    assert_eq!((report["engine"].as_str(), report["precision"].as_str()), (Some("packed"), Some("f32")));
    let step = &report["ms_per_step"];
    let (median, min, max) = (number(step, "median"), number(step, "min"), number(step, "max"));
    assert!(min <= median && median <= max, "{report}");
    let parts: f64 = ["encode", "objectives", "backward", "update"]
        .iter()
        .map(|part| number(&report["ms_of_step"], part))
        .sum();
    // The mean of two steps is their median. The parts omit only the copying of a few numbers.
    assert!(parts <= median * 1.001, "{report}");
    let outside = number(&report, "outside_engine_share");
    assert!(outside < 1.0, "{report}");

    // The same two steps in chunks have the same loss and the same useful work.
    let chunked = bench(folder.path(), &[&plain[..], &["--chunk", "5"]].concat());
    let loss = |report: &serde_json::Value| number(report, "loss");
    assert!((loss(&chunked) - loss(&report)).abs() < 1e-4, "{chunked} and {report}");
    assert_eq!(chunked["real_tokens_per_step"], report["real_tokens_per_step"]);

    let report = bench(folder.path(), &["encode", "--sts", sts, "--repeats", "2"]);
    assert_eq!(report["sentences"], 80, "two columns of forty pairs");
    assert_eq!(report["seconds"].as_array().map(Vec::len), Some(2));
    assert!(number(&report, "sentences_per_s") >= number(&report, "sentences_per_s_median"));
}

#[test]
fn the_matrix_measures_all_shapes() {
    let folder = tempfile::tempdir().expect("a folder");
    write_small_model(&folder.path().join("model"));
    let text = folder.path().join("text.txt");
    std::fs::write(&text, sentences(64).join("\n")).expect("text.txt");
    let (text, out) = (text.to_str().expect("UTF-8"), folder.path().join("out"));
    let out = out.to_str().expect("UTF-8");
    let small = ["--strings", "30", "--passages", "3", "--rounds", "2", "--seconds", "0.01", "--out", out];
    let plain = ["encode", "--matrix", "--corpus", text];
    let report = bench(folder.path(), &[&plain[..], &small].concat());

    let cells = report["cells"].as_array().expect("cells");
    let of = |work: &str, program: &str| {
        let found = cells.iter().find(|c| c["work"] == work && c["program"] == program);
        found.unwrap_or_else(|| panic!("{work}, {program} in {report}"))
    };
    for program in ["micse, f32", "micse, int8"] {
        for work in ["short sentence", "long sentence"] {
            let cell = of(work, program);
            let (median, p95) = (number(cell, "median_ms"), number(cell, "p95_ms"));
            assert!(median <= p95, "{cell}");
            assert!((number(cell, "texts_per_s") - 1e3 / median).abs() < 1e-6 * 1e3 / median, "{cell}");
        }
        // Words are single tokens, and [CLS] and [SEP] are added; the model has 32 positions.
        assert_eq!(of("short sentence", program)["tokens"], 12);
        assert_eq!(of("long sentence", program)["tokens"], 32);
        assert_eq!(of("passages", program)["tokens"], 3 * 32);
        let ids = of("strings, token IDs", program);
        assert_eq!(ids["texts"], 30);
        let file = of("strings, file to file", program);
        let outside = file["outside"].as_f64().expect("a share");
        let share = 1.0 - number(ids, "seconds") / number(file, "seconds");
        assert!((outside - share).abs() < 1e-9, "{file} and {ids}");
        if cfg!(target_os = "linux") {
            number(file, "peak_mib");
        }
    }
    assert!(number(of("short sentence", "micse, int8"), "cosine") > 0.99);
    // Other libraries are not measured without a Python.
    assert!(cells.iter().all(|cell| cell["program"].as_str().is_some_and(|name| name.starts_with("micse"))));

    let model = folder.path().join("model");
    let model = model.to_str().expect("UTF-8");
    let refused = |more: &[&str]| {
        let all = [&["bench"], &plain[..], &small, &["--model", model], more].concat();
        run(env!("CARGO_BIN_EXE_xtask"), None, &all)
    };
    refused(&["--precision", "bf16"]).refused(&["omit --device, --engine and --precision"]);
    refused(&["--python", "/no/such/python"]).refused(&["/no/such/python"]);
}
