//! Model folders in all supported layouts; invalid folders get an error that names file and problem.

use std::collections::HashMap;
use std::path::Path;

use candle_core::{DType, Device, Tensor};
use micse_files as files;
use micse_model::post::Whitening;
use micse_model::{
    AfterPooling, Batch, BertConfig, Checkpoint, Compute, Dense, DenseActivation, ModelFolder, Names, Pass,
    Pooling, SentenceModel, add_dense, save_model, save_safetensors,
};
use micse_tests::{root, sentences, write_small_model};

fn small() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    write_small_model(folder.path());
    folder
}

fn error_of(folder: &Path) -> String {
    let loaded =
        ModelFolder::open(folder).and_then(|f| SentenceModel::load(&f, Some(Pooling::Cls), &Compute::cpu()));
    loaded.err().expect("a broken folder").to_string()
}

fn change_config(folder: &Path, key: &str, value: serde_json::Value) {
    let path = folder.join("config.json");
    let text = std::fs::read_to_string(&path).expect("config.json");
    let mut config: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    config[key] = value;
    std::fs::write(&path, config.to_string()).expect("config.json");
}

fn tensors(folder: &Path) -> HashMap<String, Tensor> {
    let bytes = std::fs::read(folder.join("model.safetensors")).expect("weights");
    candle_core::safetensors::load_buffer(&bytes, &Device::Cpu).expect("weights")
}

fn write(folder: &Path, tensors: HashMap<String, Tensor>) {
    let tensors: Vec<_> = tensors.into_iter().collect();
    save_safetensors(&folder.join("model.safetensors"), &tensors).expect("weights");
}

#[test]
fn a_hidden_size_that_does_not_divide_by_the_heads() {
    let folder = small();
    change_config(folder.path(), "num_attention_heads", 5.into());
    let error = error_of(folder.path());
    assert!(error.contains("hidden_size 32 is not divisible by num_attention_heads 5"), "{error}");
}

#[test]
fn a_missing_tensor_is_named() {
    let folder = small();
    let mut all = tensors(folder.path());
    all.remove("encoder.layer.2.output.dense.weight").expect("a tensor");
    write(folder.path(), all);
    let error = error_of(folder.path());
    assert!(error.contains("encoder.layer.2.output.dense.weight") && error.contains("missing"), "{error}");
}

#[test]
fn a_misshapen_tensor_is_named_with_both_shapes() {
    let folder = small();
    change_config(folder.path(), "vocab_size", 30.into());
    let error = error_of(folder.path());
    assert!(
        error.contains("word_embeddings") && error.contains("[29, 32]") && error.contains("[30, 32]"),
        "{error}"
    );
}

#[test]
fn a_truncated_weights_file_is_named() {
    let folder = small();
    let path = folder.path().join("model.safetensors");
    let bytes = std::fs::read(&path).expect("weights");
    for length in [bytes.len() - 10, 100, 4, 0] {
        std::fs::write(&path, &bytes[..length]).expect("weights");
        let error = error_of(folder.path());
        assert!(
            error.contains("model.safetensors") && error.contains("truncated"),
            "{length} bytes: {error}"
        );
    }
}

#[test]
fn old_names_prefixes_and_unused_heads_are_understood() {
    let folder = small();
    let plain = ModelFolder::open(folder.path()).expect("the model");
    let plain = SentenceModel::load(&plain, Some(Pooling::Mean), &Compute::cpu()).expect("the model");
    let want = plain.encode(&["the old farmer"]).expect("an embedding");
    let old = |name: &str| {
        let name =
            name.replace("LayerNorm.weight", "LayerNorm.gamma").replace("LayerNorm.bias", "LayerNorm.beta");
        format!("bert.{name}")
    };
    let mut renamed: HashMap<String, Tensor> =
        tensors(folder.path()).into_iter().map(|(name, tensor)| (old(&name), tensor)).collect();
    let head = Tensor::zeros(29, DType::F32, &Device::Cpu).expect("a tensor");
    renamed.insert("cls.predictions.bias".into(), head);
    write(folder.path(), renamed);
    let again = ModelFolder::open(folder.path()).expect("the model");
    let again = SentenceModel::load(&again, Some(Pooling::Mean), &Compute::cpu()).expect("the model");
    assert_eq!(again.encode(&["the old farmer"]).expect("an embedding"), want);
}

#[test]
fn a_folder_that_asks_for_unit_length_gets_it() {
    let folder = small();
    let load = || {
        let model = ModelFolder::open(folder.path()).expect("the model");
        let encoder = SentenceModel::load(&model, Some(Pooling::Mean), &Compute::cpu()).expect("the model");
        encoder.encode(&["the old farmer"]).expect("an embedding").swap_remove(0)
    };
    let plain = load();
    let norm = plain.iter().map(|v| v * v).sum::<f32>().sqrt();
    assert!((norm - 1.0).abs() > 0.1, "the test needs an embedding that is not of unit length: {norm}");
    let modules = r#"[{"type": "sentence_transformers.models.Transformer", "path": ""},
                      {"type": "sentence_transformers.models.Pooling", "path": "1_Pooling"},
                      {"type": "sentence_transformers.models.Normalize", "path": "2_Normalize"}]"#;
    std::fs::write(folder.path().join("modules.json"), modules).expect("modules.json");
    for (unit, plain) in load().into_iter().zip(plain) {
        assert!((unit - plain / norm).abs() < 1e-6);
    }
    std::fs::write(folder.path().join("modules.json"), "{}").expect("modules.json");
    assert!(error_of(folder.path()).contains("modules.json"));
}

#[test]
fn a_token_beyond_the_vocabulary_is_named_with_its_place() {
    let folder = small();
    let encoder =
        ModelFolder::open(folder.path()).expect("the model").encoder(&Compute::cpu()).expect("the model");
    let batch = Batch::new(&[vec![2, 7, 3], vec![2, 29, 3]]).expect("a batch");
    let error = encoder.forward(&batch, &Pass::default()).expect_err("id 29").to_string();
    assert!(
        error.contains("token ID 29 (sentence 1, position 1)") && error.contains("vocabulary of 29"),
        "{error}"
    );
}

#[test]
fn a_tokenizer_that_does_not_fit_is_refused() {
    let folder = small();
    let path = folder.path().join("vocab.txt");
    let text = std::fs::read_to_string(&path).expect("vocab.txt");
    std::fs::write(&path, text + "extra\n").expect("vocab.txt");
    let error = error_of(folder.path());
    assert!(error.contains("30 IDs") && error.contains("vocab_size is 29"), "{error}");
}

/// `tests/fixtures/pytorch/write.py` documents the contents of the file.
#[test]
fn pytorch_files_are_read_without_executing_them() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut config = BertConfig::with_sizes(9, 1, 8, 2, 6);
    config.intermediate_size = 16;
    files::write_json(&folder.path().join("config.json"), &config).expect("config.json");
    let path = folder.path().join("pytorch_model.bin");
    std::fs::copy(root().join("tests/fixtures/pytorch/pytorch_model.bin"), &path).expect("pytorch_model.bin");
    let model = ModelFolder::open(folder.path()).expect("the model");
    let encoder = model.encoder(&Compute::cpu()).expect("the encoder");
    for (k, (info, value)) in encoder.parameters().iter().zip(encoder.values().expect("values")).enumerate() {
        let entries: Vec<f32> = value.flatten_all().and_then(|v| v.to_vec1()).expect("entries");
        for (i, entry) in entries.into_iter().enumerate() {
            let want = ((i + 10 * k) as f64).sin() / 4.0;
            assert!((f64::from(entry) - want).abs() < 1e-7, "{} [{i}] is {entry}", info.name);
        }
    }
    let bytes = std::fs::read(&path).expect("pytorch_model.bin");
    std::fs::write(&path, &bytes[..bytes.len() / 2]).expect("pytorch_model.bin");
    let error = model.encoder(&Compute::cpu()).err().expect("half a file").to_string();
    assert!(error.contains("pytorch_model.bin") && error.contains("truncated"), "{error}");
}

/// The small model as a sentence-transformers folder.
fn written(pooling: Pooling) -> tempfile::TempDir {
    let (base, out) = (small(), tempfile::tempdir().expect("a folder"));
    let base = ModelFolder::open(base.path()).expect("the model");
    let encoder = base.encoder(&Compute::cpu()).expect("the encoder");
    save_model(out.path(), encoder.as_ref(), &base, pooling, DType::F32).expect("a folder");
    out
}

fn rows(folder: &Path) -> Vec<Vec<f32>> {
    let encoder = SentenceModel::open(folder).expect("a model");
    assert_eq!(encoder.encode(&["the old farmer"]).expect("a row")[0].len(), encoder.dimension());
    encoder.encode(&sentences(40)).expect("rows")
}

fn open_error(folder: &Path) -> String {
    SentenceModel::open(folder).err().expect("a folder that is rejected").to_string()
}

fn write_text(folder: &Path, name: &str, text: &str) {
    files::write_whole(&folder.join(name), text.as_bytes()).expect(name);
}

#[test]
fn weights_in_shards_are_one_model() {
    for ending in ["safetensors", "bin"] {
        let folder = small();
        let all = tensors(folder.path());
        let want = {
            let model = ModelFolder::open(folder.path()).expect("the model");
            let encoder =
                SentenceModel::load(&model, Some(Pooling::Mean), &Compute::cpu()).expect("the model");
            encoder.encode(&["the old farmer"]).expect("a row")
        };
        std::fs::remove_file(folder.path().join("model.safetensors")).expect("the whole");
        let stem = if ending == "bin" { "pytorch_model" } else { "model" };
        let index = format!("{stem}.{ending}.index.json");
        let shard = |name: &str| format!("shard-{}.safetensors", usize::from(name.contains("layer.2")));
        for number in 0..2 {
            let file = format!("shard-{number}.safetensors");
            let part: Vec<_> = all
                .iter()
                .filter(|(name, _)| shard(name) == file)
                .map(|(n, t)| (n.clone(), t.clone()))
                .collect();
            save_safetensors(&folder.path().join(&file), &part).expect("a shard");
        }
        let map: HashMap<&String, String> = all.keys().map(|name| (name, shard(name))).collect();
        let write_index = |map: &HashMap<&String, String>| {
            let keys = serde_json::json!({"metadata": {}, "weight_map": map});
            files::write_json(&folder.path().join(&index), &keys).expect("an index");
        };
        write_index(&map);
        let model = ModelFolder::open(folder.path()).expect("the model");
        let encoder = SentenceModel::load(&model, Some(Pooling::Mean), &Compute::cpu()).expect("the model");
        assert_eq!(encoder.encode(&["the old farmer"]).expect("a row"), want);
        assert_eq!(model.checkpoint().expect("weights").files().len(), 2);

        let name = "encoder.layer.1.output.dense.weight".to_owned();
        let mut wrong = map.clone();
        wrong.insert(&name, "shard-1.safetensors".into());
        write_index(&wrong);
        let error = error_of(folder.path());
        assert!(error.contains("shard-1.safetensors") && error.contains(&name), "{error}");
        wrong.insert(&name, "../shard-0.safetensors".into());
        write_index(&wrong);
        assert!(error_of(folder.path()).contains("not the name of a file"));
        write_index(&map);
        std::fs::remove_file(folder.path().join("shard-1.safetensors")).expect("a shard");
        let error = error_of(folder.path());
        assert!(error.contains("shard-1.safetensors") && error.contains("missing"), "{error}");
    }
}

#[test]
fn weights_that_cannot_be_read_say_what_to_do() {
    let folder = small();
    std::fs::remove_file(folder.path().join("model.safetensors")).expect("the weights");
    write_text(folder.path(), "tf_model.h5", "");
    let error = error_of(folder.path());
    assert!(error.contains("pytorch_model.bin.index.json") && error.contains("tf_model.h5"), "{error}");
    let old = b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19.\x80\x02M\xe9\x03.";
    std::fs::write(folder.path().join("pytorch_model.bin"), old).expect("pytorch_model.bin");
    let error = error_of(folder.path());
    assert!(error.contains("before 1.6") && error.contains("torch.save(torch.load("), "{error}");
    change_config(folder.path(), "model_type", "deberta".into());
    assert!(
        error_of(folder.path()).contains("supported types are bert, roberta, xlm-roberta, distilbert, mpnet")
    );
}

#[test]
fn poolings_are_read_in_both_forms() {
    let folder = written(Pooling::Mean);
    let of = |text: &str| {
        write_text(folder.path(), "1_Pooling/config.json", text);
        ModelFolder::open(folder.path()).expect("the model").pooling().map_err(|e| e.to_string())
    };
    for (text, want) in [
        (r#"{"pooling_mode": "cls", "embedding_dimension": 32}"#, Some(Pooling::Cls)),
        (r#"{"pooling_mode": ["mean"]}"#, Some(Pooling::Mean)),
        (r#"{"pooling_mode": "mean", "pooling_mode_cls_token": true}"#, Some(Pooling::Mean)),
        (r#"{"pooling_mode_cls_token": true, "pooling_mode_mean_tokens": false}"#, Some(Pooling::Cls)),
        (r#"{"word_embedding_dimension": 32}"#, Some(Pooling::Mean)),
    ] {
        assert_eq!(of(text), Ok(want), "{text}");
    }
    for (text, says) in [
        (r#"{"pooling_mode": "lasttoken"}"#, "lasttoken"),
        (r#"{"pooling_mode": ["cls", "mean"]}"#, "cls and mean"),
        (r#"{"pooling_mode_max_tokens": true}"#, "max"),
        (r#"{"pooling_mode": 3}"#, "pooling_mode is 3"),
    ] {
        assert!(of(text).is_err_and(|e| e.contains(says) && e.contains("1_Pooling")), "{text}");
    }
    // An explicit pooling overrides the one in the folder.
    let model = ModelFolder::open(folder.path()).expect("the model");
    assert!(SentenceModel::load(&model, Some(Pooling::Cls), &Compute::cpu()).is_ok());
    write_text(folder.path(), "modules.json", r#"[{"type": "sentence_transformers.models.Transformer"}]"#);
    let error = open_error(folder.path());
    assert!(error.contains("modules.json") && error.contains("--pooling"), "{error}");
}

#[test]
fn modules_lie_where_the_list_says() {
    let folder = written(Pooling::Cls);
    let want = rows(folder.path());
    // The older layout: the encoder in its own folder.
    let inner = folder.path().join("0_Transformer");
    std::fs::create_dir(&inner).expect("a folder");
    for name in ["config.json", "model.safetensors", "vocab.txt"] {
        std::fs::rename(folder.path().join(name), inner.join(name)).expect(name);
    }
    std::fs::remove_file(folder.path().join("sentence_bert_config.json")).expect("a file");
    std::fs::rename(folder.path().join("1_Pooling"), folder.path().join("pool")).expect("a folder");
    let modules = |rest: &str| {
        let text = format!(
            r#"[{{"idx": 0, "name": "0", "path": "0_Transformer", "type": "sentence_transformers.models.Transformer"}},
                {{"idx": 1, "name": "1", "path": "pool", "type": "sentence_transformers.sentence_transformer.modules.pooling.Pooling"}}{rest}]"#
        );
        write_text(folder.path(), "modules.json", &text);
    };
    modules("");
    assert_eq!(rows(folder.path()), want);
    let model = ModelFolder::open(folder.path()).expect("the model");
    assert_eq!((model.path(), model.root()), (&*inner, folder.path()));
    assert_eq!(model.modules().expect("modules")[1].class_name(), "Pooling");
    write_text(&inner, "sentence_roberta_config.json", r#"{"max_seq_length": 5, "do_lower_case": false}"#);
    assert_eq!(SentenceModel::open(folder.path()).expect("the model").max_length(), 5);
    write_text(&inner, "sentence_roberta_config.json", r#"{"max_seq_length": null}"#);
    write_text(&inner, "tokenizer_config.json", r#"{"model_max_length": 1000000000000000019884624838656}"#);
    assert_eq!(SentenceModel::open(folder.path()).expect("the model").max_length(), 32);
    for (rest, says) in [
        (r#", {"path": "2_CNN", "type": "sentence_transformers.models.CNN"}"#, "models.CNN"),
        (r#", {"path": "", "type": "custom_st.Normalize"}"#, "custom_st.Normalize"),
        (r#", {"path": "", "type": "micse.PostProcessing"}"#, "post.json"),
        (r#", {"path": "", "type": "micse.TokenConvolution"}"#, "token_convolution.json"),
    ] {
        modules(rest);
        let error = open_error(folder.path());
        assert!(error.contains(says) && error.contains("modules.json"), "{error}");
    }
}

#[test]
fn prompts_and_lower_casing_are_applied() {
    let folder = written(Pooling::Mean);
    let plain = SentenceModel::open(folder.path()).expect("the model");
    let want = plain.encode(&["the old farmer"]).expect("a row");
    write_text(
        folder.path(),
        "config_sentence_transformers.json",
        r#"{"prompts": {"query": "the old "}, "default_prompt_name": "query"}"#,
    );
    let prompted = SentenceModel::open(folder.path()).expect("the model");
    assert_eq!(prompted.prompt(), "the old ");
    assert_eq!(prompted.encode(&["farmer"]).expect("a row"), want);
    // Save the model and read it again.
    let again = tempfile::tempdir().expect("a folder");
    let base = ModelFolder::open(folder.path()).expect("the model");
    prompted.save(again.path(), &base, DType::F32).expect("a folder");
    let again = SentenceModel::open(again.path()).expect("what was written");
    assert_eq!(again.encode(&["farmer"]).expect("a row"), want);
    write_text(folder.path(), "config_sentence_transformers.json", r#"{"default_prompt_name": "passage"}"#);
    assert!(open_error(folder.path()).contains("`passage`"));
    std::fs::remove_file(folder.path().join("config_sentence_transformers.json")).expect("a file");

    write_text(folder.path(), "tokenizer_config.json", r#"{"do_lower_case": false}"#);
    let of =
        |text: &str| SentenceModel::open(folder.path()).expect("the model").encode(&[text]).expect("a row");
    assert_ne!(of("The Old FARMER"), want);
    write_text(
        folder.path(),
        "sentence_bert_config.json",
        r#"{"max_seq_length": 32, "do_lower_case": true}"#,
    );
    assert_eq!(of("The Old FARMER"), want);
}

#[test]
fn a_whitening_in_a_folder_is_the_whitening() {
    let folder = written(Pooling::Mean);
    let plain = rows(folder.path());
    let whitening = Whitening::fit(&plain, Some(6)).expect("a whitening");
    let want = whitening.transform(&plain).expect("whitened rows");
    let (weight, bias) = whitening.weight_and_bias();
    let dense = Dense::new(weight, Some(bias), 32, DenseActivation::Identity).expect("a layer");
    add_dense(folder.path(), &dense).expect("a module");
    let got = rows(folder.path());
    let largest = want.iter().flatten().fold(0.0_f32, |m, v| m.max(v.abs()));
    let error =
        want.iter().flatten().zip(got.iter().flatten()).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    assert!(got[0].len() == 6 && largest > 1.0 && error < 1e-5, "{error} of {largest}");

    // A second layer must accept the output of the first; Normalize applies at its position in the list.
    assert!(add_dense(folder.path(), &dense).is_err_and(|e| e.to_string().contains("have 6 entries")));
    let list = std::fs::read_to_string(folder.path().join("modules.json")).expect("modules.json");
    let mut list: Vec<serde_json::Value> = serde_json::from_str(&list).expect("JSON");
    list.push(serde_json::json!({"path": "3_Normalize", "type": "sentence_transformers.models.Normalize"}));
    files::write_json(&folder.path().join("modules.json"), &list).expect("modules.json");
    let encoder = SentenceModel::open(folder.path()).expect("the model");
    assert!(matches!(encoder.after_pooling(), [AfterPooling::Dense(_), AfterPooling::Normalize]));
    let unit = rows(folder.path());
    assert!(unit.iter().all(|row| (row.iter().map(|v| v * v).sum::<f32>() - 1.0).abs() < 1e-5));
    let again = tempfile::tempdir().expect("a folder");
    let base = ModelFolder::open(folder.path()).expect("the model");
    encoder.save(again.path(), &base, DType::F32).expect("a folder");
    assert_eq!(rows(again.path()), unit);
}

#[test]
fn what_the_encoder_does_not_use_is_carried_over() {
    let base = small();
    let mut all = tensors(base.path());
    let of = |shape: &[usize], dtype| Tensor::ones(shape, dtype, &Device::Cpu).expect("a tensor");
    all.insert("pooler.dense.weight".into(), of(&[32, 32], DType::F32));
    all.insert("pooler.dense.bias".into(), of(&[32], DType::F32));
    all.insert("embeddings.position_ids".into(), of(&[1, 32], DType::I64));
    all.insert("cls.predictions.bias".into(), of(&[29], DType::F32));
    write(base.path(), all.clone());
    change_config(base.path(), "torch_dtype", "float16".into());
    change_config(base.path(), "id2label", serde_json::json!({"0": "a"}));
    let (base, out) =
        (ModelFolder::open(base.path()).expect("the model"), tempfile::tempdir().expect("a folder"));
    let encoder = base.encoder(&Compute::cpu()).expect("the encoder");
    save_model(out.path(), encoder.as_ref(), &base, Pooling::Cls, DType::F32).expect("a folder");
    let again = tensors(out.path());
    all.remove("cls.predictions.bias");
    assert_eq!(again.len(), all.len());
    for (name, tensor) in &all {
        let same =
            |t: &Tensor| t.to_dtype(DType::F64).and_then(|t| t.flatten_all()?.to_vec1::<f64>()).expect(name);
        assert_eq!((again[name].dtype(), same(&again[name])), (tensor.dtype(), same(tensor)), "{name}");
    }
    let config = std::fs::read_to_string(out.path().join("config.json")).expect("config.json");
    let config: serde_json::Value = serde_json::from_str(&config).expect("JSON");
    assert_eq!((&config["torch_dtype"], &config["id2label"]["0"]), (&"float32".into(), &"a".into()));
}

/// all-MiniLM-L6-v2 is unchanged after loading and saving.
#[test]
fn minilm_comes_out_as_it_went_in() {
    let Some(folder) = std::env::var_os("MICSE_MINILM") else {
        println!("skipped: MICSE_MINILM is not set to a folder of all-MiniLM-L6-v2");
        return;
    };
    let base = ModelFolder::open(folder.as_ref()).expect("the model");
    let encoder = SentenceModel::open(base.root()).expect("the model");
    assert_eq!((encoder.max_length(), encoder.pooling()), (256, Pooling::Mean));
    assert_eq!(encoder.after_pooling(), [AfterPooling::Normalize]);
    let out = tempfile::tempdir().expect("a folder");
    encoder.save(out.path(), &base, DType::F32).expect("a folder");
    let open = |folder: &Path| Checkpoint::in_folder(folder, Names::default()).expect("weights");
    let (before, after) = (open(base.path()), open(out.path()));
    let names = |c: &Checkpoint| c.tensors().map(|(n, s)| (n.to_owned(), s.to_vec())).collect::<Vec<_>>();
    assert_eq!(names(&before), names(&after));
    for (name, _) in names(&before) {
        let bits = |c: &Checkpoint| {
            let tensor = c.read(&name).expect(&name);
            let dtype = tensor.dtype();
            let tensor = tensor.flatten_all().expect("entries");
            let bits: Vec<u64> = if dtype == DType::F32 {
                tensor.to_vec1::<f32>().expect("entries").iter().map(|v| u64::from(v.to_bits())).collect()
            } else {
                tensor.to_vec1::<i64>().expect("entries").iter().map(|&v| v as u64).collect()
            };
            (dtype, bits)
        };
        assert_eq!(bits(&before), bits(&after), "{name}");
    }
    let again = SentenceModel::open(out.path()).expect("what was written");
    let long = vec!["word"; 400].join(" ");
    let sentences = ["A man plays the guitar.", "Someone makes music.", &long];
    assert_eq!(again.encode(&sentences).expect("rows"), encoder.encode(&sentences).expect("rows"));
}

/// A null is no class, and the default class of the type that is written is not that of the type that was read.
#[test]
fn a_saved_gte_model_names_the_tokenizer_class_that_it_was_read_with() {
    let folder = tempfile::tempdir().expect("a folder");
    let (base, saved) = (folder.path().join("base"), folder.path().join("saved"));
    copy_with_class("gte-new", &base, serde_json::Value::Null);
    let base = ModelFolder::open(&base).expect("a folder");
    let model = SentenceModel::load(&base, Some(Pooling::Mean), &Compute::cpu()).expect("a model");
    model.save(&saved, &base, DType::F32).expect("saved");
    assert_eq!(mean_rows(&saved), model.encode(&CAPITALS).expect("rows"));
}

/// transformers 5 gives all ModernBERTs the same class.
#[test]
fn no_class_name_changes_the_tokenizer_of_a_modernbert() {
    let folder = tempfile::tempdir().expect("a folder");
    let rows = |name: &str| {
        copy_with_class("modernbert", &folder.path().join(name), name.into());
        mean_rows(&folder.path().join(name))
    };
    let usual = rows("PreTrainedTokenizerFast");
    for name in ["BertTokenizer", "RobertaTokenizer", "GemmaTokenizerFast"] {
        assert_eq!(rows(name), usual, "{name}");
    }
}

const CAPITALS: [&str; 2] = ["A Dog runs.", "zwei Worte"];

fn mean_rows(folder: &Path) -> Vec<Vec<f32>> {
    let folder = ModelFolder::open(folder).expect("a folder");
    let model = SentenceModel::load(&folder, Some(Pooling::Mean), &Compute::cpu()).expect("a model");
    model.encode(&CAPITALS).expect("rows")
}

/// Copies a fixture of an architecture, with another `tokenizer_class`.
fn copy_with_class(fixture: &str, to: &Path, class: serde_json::Value) {
    std::fs::create_dir(to).expect("a folder");
    let fixture = root().join("tests/fixtures/architectures").join(fixture);
    for entry in std::fs::read_dir(fixture).expect("a fixture") {
        let path = entry.expect("an entry").path();
        if path.is_file() {
            std::fs::copy(&path, to.join(path.file_name().expect("a name"))).expect("a copy");
        }
    }
    let path = to.join("tokenizer_config.json");
    let text = std::fs::read_to_string(&path).unwrap_or_else(|_| "{}".to_owned());
    let mut keys: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    keys["tokenizer_class"] = class;
    std::fs::write(&path, keys.to_string()).expect("tokenizer_config.json");
}
