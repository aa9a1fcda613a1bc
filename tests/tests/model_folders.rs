//! Model folders in their forms; what cannot work gets an error that says what and where.

use std::collections::HashMap;
use std::path::Path;

use candle_core::{Device, Tensor};
use micse_model::{
    Batch, BertConfig, Compute, ModelFolder, Pass, Pooling, SentenceEncoder, files, save_safetensors,
};
use micse_tests::{root, write_small_model};

fn small() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    write_small_model(folder.path());
    folder
}

fn error_of(folder: &Path) -> String {
    let loaded =
        ModelFolder::open(folder).and_then(|f| SentenceEncoder::load(&f, Pooling::Cls, &Compute::cpu()));
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
    assert!(error.contains("hidden_size 32 does not divide by num_attention_heads 5"), "{error}");
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
        assert!(error.contains("model.safetensors") && error.contains("cut off"), "{length} bytes: {error}");
    }
}

#[test]
fn old_names_prefixes_and_unused_heads_are_understood() {
    let folder = small();
    let plain = ModelFolder::open(folder.path()).expect("the model");
    let plain = SentenceEncoder::load(&plain, Pooling::Mean, &Compute::cpu()).expect("the model");
    let want = plain.encode(&["the old farmer"]).expect("an embedding");
    let old = |name: &str| {
        let name =
            name.replace("LayerNorm.weight", "LayerNorm.gamma").replace("LayerNorm.bias", "LayerNorm.beta");
        format!("bert.{name}")
    };
    let mut renamed: HashMap<String, Tensor> =
        tensors(folder.path()).into_iter().map(|(name, tensor)| (old(&name), tensor)).collect();
    let head = Tensor::zeros(29, candle_core::DType::F32, &Device::Cpu).expect("a tensor");
    renamed.insert("cls.predictions.bias".into(), head);
    write(folder.path(), renamed);
    let again = ModelFolder::open(folder.path()).expect("the model");
    let again = SentenceEncoder::load(&again, Pooling::Mean, &Compute::cpu()).expect("the model");
    assert_eq!(again.encode(&["the old farmer"]).expect("an embedding"), want);
}

#[test]
fn a_folder_that_asks_for_unit_length_gets_it() {
    let folder = small();
    let load = || {
        let model = ModelFolder::open(folder.path()).expect("the model");
        let encoder = SentenceEncoder::load(&model, Pooling::Mean, &Compute::cpu()).expect("the model");
        encoder.encode(&["the old farmer"]).expect("an embedding").swap_remove(0)
    };
    let plain = load();
    let norm = plain.iter().map(|v| v * v).sum::<f32>().sqrt();
    assert!((norm - 1.0).abs() > 0.1, "the test needs a row of another length, not {norm}");
    let modules = r#"[{"type": "sentence_transformers.models.Pooling"},
                      {"type": "sentence_transformers.models.Normalize"}]"#;
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
        error.contains("token id 29 (sentence 1, position 1)") && error.contains("vocabulary of 29"),
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
    assert!(error.contains("30 ids") && error.contains("vocab_size is 29"), "{error}");
}

/// `tests/fixtures/pytorch/write.py` says what is in the file.
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
    assert!(error.contains("pytorch_model.bin") && error.contains("cut off"), "{error}");
}
