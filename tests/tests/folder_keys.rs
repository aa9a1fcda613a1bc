//! Every key of a model folder: supported keys give the embeddings of sentence-transformers, unsupported keys are
//! rejected, and unknown keys are named. The expected embeddings were written by tests/fixtures/folders/write.py.

use std::collections::BTreeMap;
use std::path::Path;

use candle_core::{Device, Tensor};
use micse_model::{Compute, KNOWN_KEYS, ModelFolder, Pooling, SentenceModel, Treatment, save_safetensors};
use micse_tests::folders::{Case, Cases};
use serde_json::{Map, Value, json};
use tempfile::TempDir;

/// The largest difference between two sets of rows, relative to the largest entry.
fn difference(found: &[Vec<f32>], expected: &[Vec<f32>]) -> f32 {
    assert_eq!(found.len(), expected.len());
    let mut worst = 0.0_f32;
    let largest = expected.iter().flatten().fold(0.0_f32, |m, v| m.max(v.abs()));
    for (a, b) in found.iter().zip(expected) {
        assert_eq!(a.len(), b.len(), "entries of a row");
        worst = a.iter().zip(b).fold(worst, |m, (a, b)| m.max((a - b).abs()));
    }
    worst / largest
}

fn open(folder: &Path) -> micse_model::Result<SentenceModel<'static>> {
    let folder = ModelFolder::open(folder)?;
    // Without modules.json, sentence-transformers uses mean pooling.
    let pooling = folder.pooling()?.is_none().then_some(Pooling::Mean);
    SentenceModel::load(&folder, pooling, &Compute::cpu())
}

#[test]
fn every_folder_gives_the_rows_of_sentence_transformers() {
    let Cases { texts, cases } = Cases::read();
    let mut wrong = Vec::new();
    for case in &cases {
        let folder = case.folder();
        match open(folder.path()).and_then(|model| model.encode(&texts)) {
            Ok(rows) => {
                let difference = difference(&rows, &case.rows);
                if difference > 1e-5 {
                    wrong.push(format!("{}: {difference:e}", case.name));
                }
            }
            Err(error) => wrong.push(format!("{}: {error}", case.name)),
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(cases.len() > 70);
}

/// Saved folders give the same embeddings, and none of these folders has unknown keys.
#[test]
fn every_folder_survives_being_saved() {
    let Cases { texts, cases } = Cases::read();
    let mut wrong = Vec::new();
    for case in &cases {
        let (folder, copy) = (case.folder(), tempfile::tempdir().expect("a folder"));
        let base = ModelFolder::open(folder.path()).expect(&case.name);
        assert_eq!(base.unknown_keys().expect(&case.name), Vec::<String>::new(), "{}", case.name);
        let model = open(folder.path()).expect(&case.name);
        model.save(copy.path(), &base, candle_core::DType::F32).expect(&case.name);
        let again = SentenceModel::open(copy.path()).expect(&case.name);
        let difference = difference(&again.encode(&texts).expect("rows"), &case.rows);
        if difference > 1e-5 {
            wrong.push(format!("{}: {difference:e}", case.name));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The folder of a family among the fixtures of architectures, as a base.
fn architecture(name: &str) -> TempDir {
    let (folder, from) = (tempfile::tempdir().expect("a folder"), micse_tests::root());
    let from = from.join("tests/fixtures/architectures").join(name);
    for file in ["config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"] {
        std::fs::copy(from.join(file), folder.path().join(file)).expect(file);
    }
    folder
}

/// Keys of families whose folders `tests/fixtures/folders` does not have.
#[test]
fn what_is_not_followed_in_other_families_is_refused_by_its_key() {
    let mut tried = Vec::new();
    for (family, key, value) in [
        ("albert", "inner_group_num", json!(2)),
        ("albert", "num_hidden_groups", json!(3)),
        ("nomic_bert", "head_dim", json!(5)),
        ("nomic_bert", "prenorm", json!(true)),
        ("nomic_bert", "parallel_block", json!(true)),
        ("nomic_bert", "causal", json!(true)),
        ("nomic_bert", "use_rms_norm", json!(true)),
        ("nomic_bert", "qkv_proj_bias", json!(true)),
        ("nomic_bert", "mlp_fc1_bias", json!(true)),
        ("nomic_bert", "mlp_fc2_bias", json!(true)),
        ("nomic_bert", "rotary_emb_fraction", json!(0.5)),
        ("nomic_bert", "rotary_emb_interleaved", json!(true)),
        ("nomic_bert", "rotary_emb_scale_base", json!(512)),
        ("nomic_bert", "moe_every_n_layers", json!(2)),
        ("nomic_bert", "rope_parameters", json!({"rope_type": "yarn", "rope_theta": 1000.0})),
        ("gte", "layer_norm_type", json!("rms_norm")),
        ("gte", "logn_attention_scale", json!(true)),
        ("gte-new", "rope_scaling", json!({"type": "dynamic", "factor": 2.0})),
        ("gte-new", "position_embedding_type", json!("absolute")),
    ] {
        let base = architecture(family);
        open(base.path()).expect(family);
        let folder = set_key(base, "config.json", key, value);
        let Err(error) = open(folder.path()) else { panic!("{family}: {key} is accepted") };
        let error = error.to_string();
        assert!(error.contains("config.json") && error.contains(key), "{family}, {key}: {error}");
        tried.push(key);
    }
    let mut keys = KNOWN_KEYS.iter().filter(|known| known.keys.contains(&"prenorm")).flat_map(|k| k.keys);
    assert!(keys.all(|key| tried.contains(key)));
}

fn with_key(case: &Case, file: &str, key: &str, value: Value) -> TempDir {
    set_key(case.folder(), file, key, value)
}

fn set_key(folder: TempDir, file: &str, key: &str, value: Value) -> TempDir {
    let path = folder.path().join(file);
    let mut keys: Map<String, Value> = std::fs::read_to_string(&path)
        .ok()
        .map(|text| serde_json::from_str(&text).expect("JSON"))
        .unwrap_or_default();
    keys.insert(key.into(), value);
    std::fs::write(&path, serde_json::to_string(&keys).expect("JSON")).expect("a file");
    folder
}

#[test]
fn what_is_not_followed_is_refused_by_its_key() {
    let cases = Cases::read().cases;
    let of = |name: &str| cases.iter().find(|case| case.name == name).expect(name);
    let (bert, everything, mpnet) = (of("mean"), of("everything"), of("mpnet"));
    let modern = of("modernbert");
    let (distilbert, plain, types) = (of("distilbert"), of("plain encoder"), of("sentence of type 1"));
    let (config, tokenizer) = ("config.json", "tokenizer_config.json");
    let (transformer, settings) = ("sentence_bert_config.json", "config_sentence_transformers.json");
    let mut refused = Vec::new();
    for (case, file, key, value) in [
        (bert, config, "position_embedding_type", json!("relative_key")),
        (bert, config, "is_decoder", json!(true)),
        (bert, config, "add_cross_attention", json!(true)),
        (bert, config, "is_encoder_decoder", json!(true)),
        (bert, config, "quantization_config", json!({"bits": 8})),
        (bert, config, "pruned_heads", json!({"0": [1]})),
        (bert, config, "adapters", json!({"a": 1})),
        (mpnet, config, "relative_attention_num_buckets", json!(64)),
        (modern, config, "norm_bias", json!(true)),
        (modern, config, "attention_bias", json!(true)),
        (modern, config, "mlp_bias", json!(true)),
        (modern, config, "rope_scaling", json!({"rope_type": "linear", "factor": 2.0})),
        (modern, config, "rope_parameters", json!({"full_attention": {"rope_type": "yarn", "factor": 2.0}})),
        (modern, config, "layer_types", json!(["full_attention"])),
        (bert, tokenizer, "tokenizer_class", json!("BertJapaneseTokenizer")),
        (bert, tokenizer, "tokenizer_class", json!("GPT2TokenizerFast")),
        (bert, tokenizer, "do_lower_case", json!("yes")),
        (bert, tokenizer, "strip_accents", json!(1)),
        (bert, tokenizer, "tokenize_chinese_chars", json!(null)),
        (bert, tokenizer, "truncation_side", json!("middle")),
        (bert, tokenizer, "added_tokens_decoder", json!([1])),
        (bert, tokenizer, "model_max_length", json!("long")),
        (bert, tokenizer, "padding_side", json!("left")),
        (types, tokenizer, "model_input_names", json!(["input_ids", "token_type_ids"])),
        (plain, tokenizer, "chat_template", json!("{{ messages }}")),
        (bert, transformer, "model_args", json!({"dtype": "float16"})),
        (bert, transformer, "model_kwargs", json!({"dtype": "float16"})),
        (bert, transformer, "tokenizer_args", json!({"do_lower_case": false})),
        (bert, transformer, "processor_kwargs", json!({"do_lower_case": false})),
        (bert, transformer, "config_args", json!({"hidden_act": "relu"})),
        (bert, transformer, "config_kwargs", json!({"hidden_act": "relu"})),
        (bert, transformer, "processing_kwargs", json!({"text": {"max_length": 5}})),
        // False and null are requests here.
        (bert, transformer, "tokenizer_args", json!({"strip_accents": null})),
        (bert, transformer, "processing_kwargs", json!({"text": {"truncation": false}})),
        (bert, transformer, "query_length", json!(5)),
        (bert, transformer, "document_length", json!(5)),
        (bert, transformer, "query_expansion", json!(true)),
        (bert, transformer, "tokenizer_name_or_path", json!("elsewhere")),
        (bert, transformer, "transformer_task", json!("fill-mask")),
        (bert, transformer, "module_output_name", json!("sentence_embedding")),
        (
            bert,
            transformer,
            "modality_config",
            json!({"text": {"method": "forward", "method_output_name": "pooler_output"}}),
        ),
        (bert, transformer, "modality_config", json!({"text": {"method_output_name": ["hidden_states", 0]}})),
        (bert, transformer, "modality_config", json!({"text": {"method": ["forward"]}})),
        (distilbert, config, "hidden_size", json!(12)),
        (distilbert, config, "num_hidden_layers", json!(1)),
        (bert, settings, "model_type", json!("SparseEncoder")),
        (bert, settings, "default_prompt_name", json!("passage")),
        (bert, settings, "truncate_dim", json!(0)),
        (bert, "1_Pooling/config.json", "pooling_mode_max_tokens", json!(true)),
        (bert, "1_Pooling/config.json", "pooling_mode_mean_sqrt_len_tokens", json!(true)),
        (bert, "1_Pooling/config.json", "pooling_mode_weightedmean_tokens", json!(true)),
        (bert, "1_Pooling/config.json", "pooling_mode_lasttoken", json!(true)),
        (bert, "1_Pooling/config.json", "include_prompt", json!("no")),
        (everything, "2_Dense/config.json", "module_input_name", json!("token_embeddings")),
        (everything, "2_Dense/config.json", "module_output_name", json!("x")),
        (
            everything,
            "2_Dense/config.json",
            "activation_function",
            json!("torch.nn.modules.activation.Softmax"),
        ),
        (everything, "5_Normalize/config.json", "module_input_name", json!("token_embeddings")),
        (everything, "5_Normalize/config.json", "module_output_name", json!("x")),
    ] {
        let folder = with_key(case, file, key, value);
        let Err(error) = open(folder.path()) else { panic!("{file}: {key} is accepted") };
        let error = error.to_string();
        let named = ["pooling_mode", "activation_function", "module_input_name", "module_output_name"];
        let by_key = error.contains(key) || named.iter().any(|part| key.starts_with(part));
        assert!(error.contains(file) && by_key, "{file}, {key}: {error}");
        refused.push((file.split('/').next_back().expect("a name").to_owned(), key));
    }
    // Every key listed as refused must be tried here, except those of other families.
    refused.extend(["inner_group_num", "head_dim"].map(|key| (config.to_owned(), key)));
    for known in KNOWN_KEYS.iter().filter(|known| known.treatment == Treatment::Refused) {
        // Other tests cover modules.json and the keys of NomicBERT and GTE.
        let elsewhere = known.file == "modules.json" || known.keys.contains(&"prenorm");
        for key in known.keys.iter().filter(|_| !elsewhere) {
            assert!(refused.iter().any(|(_, tried)| tried == key), "{}: {key}", known.file);
        }
    }
}

#[test]
fn keys_without_effect_have_none_and_unknown_ones_are_named() {
    let Cases { texts, cases } = Cases::read();
    let everything = cases.iter().find(|case| case.name == "everything").expect("the case");
    let file_of = |file: &str| match file {
        "N_Dense/config.json" => "2_Dense/config.json".to_owned(),
        "N_Dropout/config.json" => "3_Dropout/config.json".to_owned(),
        "N_LayerNorm/config.json" => "4_LayerNorm/config.json".to_owned(),
        "N_Normalize/config.json" => "5_Normalize/config.json".to_owned(),
        other => other.to_owned(),
    };
    let mut files = BTreeMap::new();
    for known in KNOWN_KEYS {
        if known.file != "modules.json" {
            files.insert(known.file, file_of(known.file));
        }
    }
    for known in KNOWN_KEYS.iter().filter(|known| known.treatment == Treatment::WithoutEffect) {
        let Some(file) = files.get(known.file) else { continue };
        for key in known.keys {
            // Some keys need a value of the right type.
            let odd = match *key {
                "architectures" => json!(["Odd"]),
                // A string would define a special token.
                key if key.ends_with("_token") => json!(true),
                key if key.contains("drop") || key == "initializer_range" => json!(0.25),
                _ => json!("something odd"),
            };
            let folder = with_key(everything, file, key, odd);
            let model = open(folder.path()).unwrap_or_else(|error| panic!("{file}: {key}: {error}"));
            let difference = difference(&model.encode(&texts).expect("rows"), &everything.rows);
            assert!(difference <= 1e-5, "{file}: {key} changes rows by {difference:e}");
        }
    }
    let folder = everything.folder();
    let modules = folder.path().join("modules.json");
    let text = std::fs::read_to_string(&modules).expect("modules.json");
    std::fs::write(&modules, text.replace("\"idx\": 0", "\"idx\": 0, \"of_tomorrow\": 1")).expect("a file");
    let unknown =
        ModelFolder::open(folder.path()).and_then(|folder| folder.unknown_keys()).expect("a folder");
    assert_eq!(unknown, ["modules.json: of_tomorrow"]);
    for file in files.values() {
        let folder = with_key(everything, file, "of_tomorrow", json!(1));
        let unknown =
            ModelFolder::open(folder.path()).and_then(|folder| folder.unknown_keys()).expect("a folder");
        assert_eq!(unknown, [format!("{file}: of_tomorrow")]);
    }
}

fn refused(folder: &Path, reasons: &[&str]) {
    let Err(error) = open(folder).and_then(|model| model.encode(&["a song"])) else {
        panic!("accepted, expected an error with {reasons:?}")
    };
    let error = error.to_string();
    assert!(reasons.iter().all(|reason| error.contains(reason)), "{reasons:?}: {error}");
}

#[test]
fn folders_that_others_read_otherwise_are_refused() {
    let of = Cases::named;
    let adapter = of("mean").folder();
    std::fs::write(adapter.path().join("adapter_config.json"), "{}").expect("a file");
    refused(adapter.path(), &["adapter_config.json", "merge"]);

    let template = of("plain encoder").folder();
    std::fs::write(template.path().join("chat_template.jinja"), "{{ messages }}").expect("a file");
    refused(template.path(), &["chat_template"]);

    let twice = of("normalize").folder();
    let modules = twice.path().join("modules.json");
    let text = std::fs::read_to_string(&modules).expect("modules.json");
    std::fs::write(&modules, text.replace("\"name\": \"2\"", "\"name\": \"1\"")).expect("a file");
    refused(twice.path(), &["modules.json", "two modules have the name \"1\""]);

    // One parameter under two names, with different values.
    let both = of("mean").folder();
    let weights = both.path().join("model.safetensors");
    let mut tensors: Vec<(String, Tensor)> =
        candle_core::safetensors::load(&weights, &Device::Cpu).expect("weights").into_iter().collect();
    let (name, value) =
        tensors.iter().find(|(name, _)| name.ends_with("word_embeddings.weight")).expect("the table");
    let other = match name.strip_prefix("bert.") {
        Some(plain) => plain.to_owned(),
        None => format!("bert.{name}"),
    };
    let value = (value * 2.0).expect("a tensor");
    tensors.push((other, value));
    save_safetensors(&weights, &tensors).expect("weights");
    refused(both.path(), &["model.safetensors", "2 times", "word_embeddings.weight"]);

    // No special tokens around the sentence, and none in it.
    let bare = of("nothing around").folder();
    let model = open(bare.path()).expect("a model");
    let error = model.encode(&["a song", "\u{200b}"]).expect_err("no tokens").to_string();
    assert!(error.contains("has no tokens") && error.contains("200b"), "{error}");
}
