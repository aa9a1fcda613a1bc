//! Output of a run for other tools: the model card and TensorBoard events. `tests/fixtures/results` has scripts that
//! read both with these tools.

use std::path::Path;

use micse_tests::setting::{recipe, setting};
use micse_train::run::{CardFacts, RunFolder};
use micse_train::{Event, RunInputs};

fn card(folder: &Path) -> String {
    std::fs::read_to_string(folder.join("model/README.md")).expect("the card")
}

#[test]
fn a_card_says_what_the_run_knows() {
    let setting = setting(40);
    let untrained = micse_train::untrained(
        &setting.runs.join("before"),
        "before",
        &setting.base,
        micse_model::Pooling::Cls,
        &setting.suite,
        &micse_model::Compute::cpu(),
        &mut |_| {},
    );
    let inputs = RunInputs {
        card: CardFacts {
            name: Some("Mine: \"small\"\n--- # 1".into()),
            base_model: Some("someone/base".into()),
            languages: vec!["en".into()],
            license: None,
            untrained: Some(untrained.expect("scores").scores),
        },
        ..setting.inputs(recipe("micse", &["steps=12", "select=stsb-dev", "eval_every=5"]))
    };
    let folder = setting.runs.join("one");
    let result = micse_train::run(&folder, &inputs, &mut |_| {}).expect("a run");
    let card = card(&folder);
    let head = card.split("\n---\n").next().expect("a head");
    for line in [
        "base_model: \"someone/base\"",
        "- \"en\"",
        "library_name: sentence-transformers",
        "pipeline_tag: sentence-similarity",
        "- name: \"Mine: \\\"small\\\"\\u000a--- # 1\"",
        "      name: \"DemoSTS\"",
        "      split: test",
        "      split: validation",
    ] {
        assert!(head.lines().any(|found| found == line), "{line:?} is not in: {head}");
    }
    assert!(!head.contains("license"), "no license was given: {head}");
    let spearman = result.scores.tasks.get("DemoSTS").expect("the task").spearman.all;
    assert!(
        head.contains(&format!("- type: spearman_cosine\n      value: {:.6}", spearman / 100.0)),
        "{head}"
    );

    let before = inputs.card.untrained.as_ref().expect("scores");
    for (row, scores) in [("this model", &result.scores), ("before training", before)] {
        let task = scores.tasks.get("DemoSTS").expect("the task").spearman.all;
        let dev = scores.dev_spearman.expect("a development score");
        let row = format!("| {row} | {task:.2} | {dev:.2} |");
        assert!(card.contains(&row), "{row:?} is not in: {card}");
    }
    let selected = format!("step {}, with the best score on demo dev", result.selected_step.expect("a step"));
    for words in [
        "# Mine: \"small\" --- \\# 1\n",
        "SentenceTransformer(\"sentence_transformers_model_id\")",
        "micse encode --model",
        "infonce (temperature 0.05) + 0.0025 × ami",
        "12 of 12 sentences, truncated to 32 tokens",
        "40 of the 40 sentences of `small`",
        "seed 48",
        &selected,
        "Klein & Nabi 2022",
        "klein-nabi-2023-micse",
    ] {
        assert!(card.contains(words), "{words:?} is not in: {card}");
    }
    assert!(!card.contains(&*setting.runs.to_string_lossy()), "a path of this machine: {card}");
}

/// The same run writes the same card, and the card names modules that sentence-transformers cannot load.
#[test]
fn cards_repeat_and_tell_what_cannot_be_loaded() {
    let setting = setting(40);
    let inputs = setting.inputs(recipe("bert-whitening", &["pooling.test=mean"]));
    let cards = ["a", "b"].map(|name| {
        let folder = setting.runs.join(name);
        micse_train::run(&folder, &inputs, &mut |_| {}).expect("a run");
        card(&folder)
    });
    assert_eq!(cards[0], cards[1]);
    assert!(
        cards[0].contains("`PostProcessing`") && cards[0].contains("fitted to 40 sentences"),
        "{}",
        cards[0]
    );
    assert!(!cards[0].contains("library_name") && cards[0].contains("micse encode"), "{}", cards[0]);
}

/// Steps, tags and scalars of an event file; only the lengths of the framing are checked.
fn scalars(bytes: &[u8]) -> Vec<(u64, String, f32)> {
    let mut found = Vec::new();
    let mut rest = bytes;
    while !rest.is_empty() {
        let length = u64::from_le_bytes(rest[..8].try_into().expect("a length")) as usize;
        let event = fields(&rest[12..12 + length]);
        rest = &rest[16 + length..];
        let step = event.iter().find_map(|(field, value)| (*field == 2).then(|| number(value))).unwrap_or(0);
        for (_, summary) in event.iter().filter(|(field, _)| *field == 5) {
            for (_, value) in fields(summary) {
                let parts = fields(&value);
                let tag = String::from_utf8(parts[0].1.clone()).expect("UTF-8");
                found.push((step, tag, f32::from_le_bytes(parts[1].1[..].try_into().expect("four bytes"))));
            }
        }
    }
    found
}

/// The number and bytes of each field of a protocol buffer; varints stay encoded.
fn fields(mut bytes: &[u8]) -> Vec<(u8, Vec<u8>)> {
    let mut fields = Vec::new();
    while let Some((&key, rest)) = bytes.split_first() {
        let varint = rest.iter().take_while(|&&byte| byte >= 0x80).count() + 1;
        let (start, length) = match key & 7 {
            0 => (0, varint),
            1 => (0, 8),
            2 => (varint, number(&rest[..varint]) as usize),
            5 => (0, 4),
            kind => panic!("unexpected field of kind {kind}"),
        };
        fields.push((key >> 3, rest[start..start + length].to_vec()));
        bytes = &rest[start + length..];
    }
    fields
}

fn number(varint: &[u8]) -> u64 {
    varint.iter().rev().fold(0, |number, byte| (number << 7) | u64::from(byte & 0x7f))
}

/// After a kill and a resume, the events match the metrics exactly.
#[test]
fn events_are_the_metrics() {
    let setting = setting(40);
    let inputs = RunInputs {
        tensorboard: true,
        checkpoint_steps: 7,
        ..setting.inputs(recipe("micse", &["steps=30", "select=stsb-dev", "eval_every=8"]))
    };
    let folder = setting.runs.join("killed");
    let died = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        micse_train::run(&folder, &inputs, &mut |event| {
            assert!(!matches!(event, Event::Step(report) if report.step == 20), "killed");
        })
    }));
    assert!(died.is_err(), "the run should die");
    // The option is not repeated, but the existing event file is continued.
    let inputs = RunInputs { tensorboard: false, ..inputs };
    micse_train::run(&folder, &inputs, &mut |_| {}).expect("the rest of the run");
    let events = scalars(&std::fs::read(RunFolder::new(&folder).events()).expect("events"));
    let text = std::fs::read_to_string(folder.join("metrics.jsonl")).expect("metrics.jsonl");
    let mut expected = Vec::new();
    for line in text.lines() {
        let line: serde_json::Value = serde_json::from_str(line).expect("JSON");
        let step = line["step"].as_u64().expect("a step");
        for (key, value) in line.as_object().expect("an object") {
            if let Some(number) = value.as_f64().filter(|_| key != "step") {
                expected.push((step, key.clone(), number as f32));
            }
            for (name, value) in value.as_object().into_iter().flatten() {
                expected.push((step, format!("{key}/{name}"), value.as_f64().expect("a number") as f32));
            }
        }
    }
    assert_eq!(events, expected);
    let developed: Vec<u64> =
        events.iter().filter(|(_, tag, _)| tag == "development_spearman").map(|(step, ..)| *step).collect();
    assert_eq!(developed, [8, 16, 24, 30]);
    for tag in ["loss", "terms/infonce", "terms/ami", "learning_rate", "gradient_norm"] {
        let steps: Vec<u64> = events.iter().filter(|(_, t, _)| t == tag).map(|(step, ..)| *step).collect();
        assert_eq!(steps, [1, 8, 10, 16, 20, 24, 30], "{tag}");
    }
    // Without the option, no event file is written.
    let plain = setting.runs.join("plain");
    micse_train::run(&plain, &setting.inputs(recipe("simcse", &["steps=2"])), &mut |_| {}).expect("a run");
    assert!(!RunFolder::new(&plain).events().exists());
}

/// A kill can leave partial files anywhere in the run folder, including the model's modules.
#[test]
fn what_a_killed_process_left_is_removed() {
    let setting = setting(40);
    let inputs = setting.inputs(recipe("simcse", &["steps=2"]));
    let folder = setting.runs.join("killed");
    micse_train::run(&folder, &inputs, &mut |_| {}).expect("a run");
    std::fs::remove_file(RunFolder::new(&folder).result()).expect("removed");
    let left = ["", "checkpoint", "model", "model/1_Pooling"]
        .map(|at| folder.join(at).join(".micse-unfinished-Ab12"));
    for path in &left {
        micse_files::write_whole(path, b"half").expect("a file");
    }
    let of_others = folder.join("notes/.micse-unfinished-Ab12");
    micse_files::write_whole(&of_others, b"half").expect("a file");
    micse_train::run(&folder, &inputs, &mut |_| {}).expect("a run");
    assert!(folder.join("model/1_Pooling/config.json").is_file());
    for path in left {
        assert!(!path.exists(), "{}", path.display());
    }
    assert!(of_others.is_file(), "files outside the run's own folders must stay");
}
