//! What `micse train` says of inputs that it cannot use, and what it leaves untouched.

mod train_setting;

use micse_tests::{command, ended, sentences};
use serde_json::Value;
use train_setting::{PROGRAM, Setting, file, micse, text};

#[test]
fn text_that_cannot_be_read_is_named_with_its_line() {
    let setting = Setting::new(2);
    let out = setting.path("out");
    let train = setting.train(&out, &["--steps", "3"]);
    std::fs::write(&setting.notes, b"the old farmer\nthe \xff river\n").expect("notes.txt");
    micse(&train).refused(&["notes.txt:2", "UTF-8"]);
    std::fs::write(&setting.notes, "\n\n").expect("notes.txt");
    micse(&train).refused(&["notes.txt", "no sentence"]);
    std::fs::write(&setting.notes, "the old farmer\n").expect("notes.txt");
    micse(&[&train[..], &["--recipe", "simcse"]].concat()).refused(&["at least 2 sentences"]);
}

#[test]
fn a_folder_with_somebody_s_files_is_left_as_it_is() {
    let setting = Setting::new(60);
    for own in ["checkpoint/deep/weights.bin", "model/model.safetensors", "metrics.jsonl", "result.json"] {
        let out = setting.path("project");
        let path = out.join(own);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        std::fs::write(&path, "mine").expect("a file");
        let first = own.split('/').next().expect("a name");
        micse(&setting.train(&out, &["--steps", "3"])).refused(&[first, "no run.toml", "--out"]);
        assert_eq!(file(&path), "mine");
        std::fs::remove_dir_all(&out).expect("removed");
    }
    // The folder of the model that training starts from.
    let model = setting.path("model");
    let weights = std::fs::read(model.join("model.safetensors")).expect("weights");
    micse(&setting.train(setting.folder.path(), &["--steps", "3"])).refused(&["model", "--out"]);
    assert!(std::fs::read(model.join("model.safetensors")).expect("weights") == weights);
    micse(&setting.train(&setting.notes, &[]))
        .refused(&["notes.txt: cannot write to this folder", "another"]);
}

/// Found at the first long sentence, it would cost the steps before.
#[test]
fn a_length_beyond_the_positions_is_refused_before_the_run() {
    let setting = Setting::new(60);
    let out = setting.path("out");
    let train = setting.train(&out, &["--steps", "3", "--set", "max_length=33"]);
    micse(&train).refused(&["max_length is 33", "32 positions", "--set max_length=32"]);
    assert!(!out.exists());
    // A fit truncates, as encoding does.
    let notes: Vec<String> = sentences(300).chunks(10).map(|long| long.join(" ")).collect();
    std::fs::write(&setting.notes, notes.join("\n")).expect("notes.txt");
    let fit = ["--recipe", "bert-whitening", "--set", "pooling.test=mean", "--set", "post.components=8"];
    let fitted = micse(&setting.train(&out, &fit));
    assert!(
        fitted.stderr.contains("max_length is 64, but the encoder has 32 positions"),
        "{}",
        fitted.stderr
    );
    fitted.output();
}

/// A start that failed before it trained does not keep its folder.
#[test]
fn a_failed_start_can_be_corrected() {
    let setting = Setting::new(60);
    let (out, pairs) = (setting.path("out"), setting.path("pairs.tsv"));
    let undefined = ["--recipe", "simcse", "--steps", "3", "--set", "objectives.infonce.temperature=1e-39"];
    micse(&setting.train(&out, &undefined)).refused(&["step 1"]);
    assert!(file(&out.join("run.toml")).contains("simcse"));
    micse(&setting.train(&out, &["--steps", "3"])).output();
    // The folder of another run is refused before anything is scored.
    let lines: Vec<String> = sentences(20).iter().zip(0..).map(|(s, i)| format!("{s}\t{s}\t{i}\n")).collect();
    std::fs::write(&pairs, lines.concat()).expect("pairs");
    let ended = micse(&setting.train(&out, &["--steps", "4", "--pairs", text(&pairs)]));
    assert!(!ended.stderr.contains("before training"), "{}", ended.stderr);
    ended.refused(&["belongs to another run", "--out"]);
    std::fs::remove_dir_all(out.join("model")).expect("removed");
    micse(&setting.train(&out, &["--steps", "3"]))
        .refused(&["out: the model of this finished run is missing"]);
}

#[test]
fn pairs_alone_may_keep_the_start() {
    let setting = Setting::new(40);
    let (out, pairs) = (setting.path("out"), setting.path("pairs.tsv"));
    // Each sentence is most like itself, which no training improves.
    let all = sentences(40);
    let line = |i: usize| format!("{}\t{}\t{}\n", all[i], all[(i + i % 2) % 40], 5 - i % 2);
    std::fs::write(&pairs, (0..40).map(line).collect::<String>()).expect("pairs");
    let ruin = ["--pairs", text(&pairs), "--steps", "4", "--set", "optimizer.lr=0.5"];
    let ended = micse(&setting.train(&out, &ruin));
    assert!(ended.stderr.contains("the development pairs alone choose the weights"), "{}", ended.stderr);
    let said = ended.output();
    assert!(said.contains("kept: the start's weights") && said.contains("not judged"), "{said}");
    let last = [&ruin[..4], &["--set", "select=last"]].concat();
    let ended = micse(&setting.train(&setting.path("last"), &last));
    assert!(ended.stderr.contains("so the weights of the last step are kept"), "{}", ended.stderr);
    assert!(ended.output().contains("kept: the weights of the last step"));
    let said = micse(&setting.train(&setting.path("none"), &["--recipe", "bert-mean"])).output();
    assert!(!said.contains("kept: "), "{said}");
    let result: Value = serde_json::from_str(&file(&out.join("result.json"))).expect("JSON");
    assert_eq!(result["selected_step"], 0);
    assert!(
        file(&out.join("model/README.md"))
            .contains("those of the encoder: no step scored better on pairs.tsv")
    );
}

/// The last step is followed by no loss.
#[test]
fn weights_that_the_last_step_ruined_are_not_delivered() {
    let setting = Setting::new(40);
    let out = setting.path("out");
    let ruin = [
        "--recipe",
        "simcse",
        "--steps",
        "1",
        "--set",
        "optimizer.lr=1e38",
        "--set",
        "optimizer.batch_size=8",
    ];
    micse(&setting.train(&out, &ruin)).refused(&["step 1", "optimizer.lr"]);
    assert!(!out.join("model").exists());
}

/// The run knows the place of its recipe file, from wherever it is resumed.
#[test]
fn a_recipe_file_is_found_from_any_folder() {
    let setting = Setting::new(60);
    let out = setting.path("out");
    let recipe = "extends = \"simcse-baseline\"\nname = \"mine\"\nsource = \"a test\"\n";
    std::fs::write(setting.path("mine.toml"), recipe).expect("a recipe");
    let mut there = command(PROGRAM, None);
    there
        .current_dir(setting.folder.path())
        .args(setting.train(&out, &["--recipe", "mine.toml", "--steps", "2"]));
    ended(&mut there).output();
    let said = micse(&["train", "--out", text(&out), "--resume"]).output();
    assert!(said.contains("the model is in"), "{said}");
}

#[test]
fn repeated_and_short_sentences_are_told_of() {
    let setting = Setting::new(2);
    let out = setting.path("out");
    let train = |text: String, more: &[&str]| {
        std::fs::write(&setting.notes, text).expect("notes.txt");
        let _ = std::fs::remove_dir_all(&out);
        micse(&setting.train(&out, &[&["--steps", "2"], more].concat()))
    };
    train("the old farmer\n".repeat(100), &[]).refused(&["notes.txt", "1 distinct sentence among 100"]);
    // Copies of a held-out sentence are not trained on.
    let twice = [sentences(90), sentences(90)].concat().join("\n");
    let ended = train(twice, &[]);
    assert!(ended.stderr.contains("30 of 180 sentences are held out"), "{}", ended.stderr);
    assert!(ended.stderr.contains("30 copies of held-out sentences"), "{}", ended.stderr);
    ended.output();
    let result: Value = serde_json::from_str(&file(&out.join("result.json"))).expect("JSON");
    assert_eq!(result["sentences"], 120);
    // Short sentences do not tell anything of search.
    let short = (0..90).map(|i| format!("house number {i}")).collect::<Vec<_>>().join("\n");
    let ended = train(short.clone(), &[]);
    assert!(ended.stderr.contains("only 0 of 30 held-out sentences can be halved"), "{}", ended.stderr);
    assert!(ended.stderr.contains("60 of 60 sentences have fewer than four words"), "{}", ended.stderr);
    let ended = train(short.clone(), &["--recipe", "simcse-baseline"]);
    assert!(!ended.stderr.contains("fewer than four words"), "{}", ended.stderr);
    let templates =
        sentences(90).into_iter().map(|s| format!("the customer called our support line about {s}"));
    let ended = train(templates.collect::<Vec<_>>().join("\n"), &[]);
    assert!(ended.stderr.contains("or share a half with another sentence"), "{}", ended.stderr);
    train(short, &["--for", "search"]).refused(&["0 of 30", "--for", "--keep last"]);
    // A text in a script that the tokenizer does not know.
    let greek =
        (0..90).map(|i| format!("\u{3b1}\u{3b2}\u{3b3} \u{3b4}\u{3b5} {i}")).collect::<Vec<_>>().join("\n");
    let ended = train(greek, &[]);
    assert!(
        ended.stderr.contains("% of the tokens are words that the model's tokenizer does not know"),
        "{}",
        ended.stderr
    );
    // A single long sentence has no interval, and the finished run can be read again.
    let one = (0..59).map(|i| format!("house {i}")).chain([sentences(1)[0].repeat(3)]);
    let one = one.collect::<Vec<_>>().join("\n");
    train(one.clone(), &[]).output();
    micse(&setting.train(&out, &["--steps", "2"])).output();
}

/// Parts of sentences need no mask token; spans that are masked do.
#[test]
fn a_vocabulary_without_a_mask_token_is_enough_for_parts() {
    let setting = Setting::new(90);
    let vocabulary = setting.model.join("vocab.txt");
    std::fs::write(&vocabulary, file(&vocabulary).replace("[MASK]", "[none]")).expect("vocab.txt");
    let settings = setting.model.join("tokenizer_config.json");
    std::fs::write(settings, "{\"mask_token\": null}").expect("tokenizer_config.json");
    micse(&setting.train(&setting.path("parts"), &["--steps", "2"])).output();
    let masked = setting.path("masked");
    micse(&setting.train(&masked, &["--steps", "2", "--recipe", "mirror-bert", "--set", "max_length=30"]))
        .refused(&["[MASK]", "mask-span"]);
}

#[test]
fn damaged_weights_and_useless_pairs_are_named() {
    let setting = Setting::new(60);
    let out = setting.path("out");
    let pairs = setting.path("pairs.tsv");
    for (lines, reasons) in [
        ("one\ttwo\t5\n", &["pairs.tsv", "1 pair with the score 5"][..]),
        ("one\ttwo\t5\nthree\tfour\t5\n", &["pairs.tsv", "2 pairs with the score 5"]),
        ("\n\none\ttwo\n", &["pairs.tsv:3", "no score"]),
    ] {
        std::fs::write(&pairs, lines).expect("pairs");
        micse(&setting.train(&out, &["--pairs", text(&pairs)])).refused(reasons);
    }
    micse(&setting.train(&out, &["--seed", "18446744073709551615"]))
        .refused(&["--seed", "9223372036854775807"]);
    micse(&setting.train(&out, &["--steps", "0"])).refused(&["has no steps", "--steps 1 or more"]);
    micse(&setting.train(&out, &["--recipe", "mine.toml"])).refused(&["mine.toml"]);
    assert!(!out.exists());
    // The first tensor of the file begins with NaN: a length of 8 bytes, a header in JSON, values.
    let weights = setting.model.join("model.safetensors");
    let mut bytes = std::fs::read(&weights).expect("weights");
    let header = u64::from_le_bytes(bytes[..8].try_into().expect("8 bytes")) as usize;
    let tensors: Value = serde_json::from_slice(&bytes[8..8 + header]).expect("a header");
    let mut tensors = tensors.as_object().expect("tensors").iter();
    let (name, _) = tensors.find(|(_, facts)| facts["data_offsets"][0] == 0).expect("a first tensor");
    bytes[8 + header..][..4].fill(0xff);
    std::fs::write(&weights, bytes).expect("weights");
    micse(&setting.train(&out, &["--steps", "2"])).refused(&["model.safetensors", name, "NaN or infinity"]);
    let encode =
        ["encode", "--model", text(&setting.model), "--input", text(&setting.notes), "--output", "-"];
    micse(&encode).refused(&["model.safetensors", name, "NaN or infinity"]);
}
