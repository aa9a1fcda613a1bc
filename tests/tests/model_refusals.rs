//! Inconsistent model folders are rejected with an error that names the problem, before memory is allocated for them.

use std::path::Path;

use candle_core::{DType, Device, Tensor};
use micse_model::{Checkpoint, Family, SentenceModel, save_safetensors};
use micse_tests::models::write_tiny_model;

fn model() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    write_tiny_model(folder.path(), Family::Bert);
    folder
}

fn load(folder: &Path) -> micse_model::Result<Vec<Vec<f32>>> {
    SentenceModel::open(folder)?.encode(&["a small dog", ""])
}

/// Sizes that would exhaust memory are rejected before any is allocated.
#[test]
fn impossible_sizes_are_refused_by_the_tensors_of_the_file() {
    let folder = model();
    let path = folder.path().join("config.json");
    let text = std::fs::read_to_string(&path).expect("config.json");
    let short = "bytes are too few";
    for (from, to, says) in [
        ("\"vocab_size\": 9", "\"vocab_size\": 10", "word_embeddings"),
        ("\"vocab_size\": 9", "\"vocab_size\": 2000000000", short),
        ("\"num_hidden_layers\": 1", "\"num_hidden_layers\": 2", "encoder.layer.1."),
        ("\"num_hidden_layers\": 1", "\"num_hidden_layers\": 2000000000", short),
        ("\"intermediate_size\": 8", "\"intermediate_size\": 2000000000", short),
        ("\"max_position_embeddings\": 12", "\"max_position_embeddings\": 2000000000", short),
        ("\"num_hidden_layers\": 1", "\"num_hidden_layers\": 18446744073709551615", "num_hidden_layers"),
    ] {
        assert!(text.contains(from), "{from}: {text}");
        std::fs::write(&path, text.replace(from, to)).expect("config.json");
        let error = load(folder.path()).expect_err(to).to_string();
        assert!(error.contains(says), "{to}: {error}");
    }
}

#[test]
fn a_limit_of_tokens_leaves_room_for_a_word() {
    let folder = model();
    let keys = folder.path().join("sentence_bert_config.json");
    for length in [0, 2] {
        std::fs::write(&keys, format!("{{\"max_seq_length\": {length}}}")).expect("a file");
        let error = load(folder.path()).expect_err("no room").to_string();
        assert!(error.contains("sentence_bert_config.json") && error.contains("max_seq_length"), "{error}");
    }
    std::fs::remove_file(&keys).expect("a file");
    let keys = folder.path().join("tokenizer_config.json");
    for length in ["0", "2.5"] {
        std::fs::write(&keys, format!("{{\"model_max_length\": {length}}}")).expect("a file");
        let error = load(folder.path()).expect_err("no room").to_string();
        assert!(error.contains("tokenizer_config.json") && error.contains("model_max_length"), "{error}");
    }
    for length in ["1e30", "-1", "null"] {
        std::fs::write(&keys, format!("{{\"model_max_length\": {length}}}")).expect("a file");
        load(folder.path()).expect("no limit");
    }
}

#[test]
fn what_stands_around_sentences_is_in_the_vocabulary() {
    let folder = model();
    let path = folder.path().join("tokenizer.json");
    let text = std::fs::read_to_string(&path).expect("tokenizer.json");
    let (cls, strange) = ("\"[CLS]\",\n      2", "\"[CLS]\",\n      65");
    assert!(text.contains(cls), "{text}");
    // This class uses the file as it is.
    let class = r#"{"tokenizer_class": "PreTrainedTokenizerFast"}"#;
    std::fs::write(folder.path().join("tokenizer_config.json"), class).expect("tokenizer_config.json");
    std::fs::write(&path, text.replace(cls, strange)).expect("tokenizer.json");
    let error = load(folder.path()).expect_err("id 65").to_string();
    assert!(error.contains("tokenizer.json") && error.contains("ID 65"), "{error}");
}

#[test]
fn tensors_that_share_bytes_are_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("model.safetensors");
    let write = |second: &str| {
        let header = format!(
            r#"{{"a":{{"dtype":"F32","shape":[2],"data_offsets":[0,8]}},"b":{{"dtype":"F32","shape":[2],"data_offsets":{second}}}}}"#
        );
        let bytes = [&(header.len() as u64).to_le_bytes()[..], header.as_bytes(), &[0; 16]].concat();
        std::fs::write(&path, bytes).expect("a file");
        Checkpoint::open(&path).map(|checkpoint| checkpoint.tensors().count())
    };
    assert_eq!(write("[8,16]").expect("a whole file"), 2);
    for second in ["[0,8]", "[16,8]", "[8,12]", "[8,24]", "[18446744073709551608,18446744073709551615]"] {
        assert!(write(second).is_err(), "{second}");
    }
}

#[test]
fn a_path_of_a_module_stays_in_the_folder() {
    let folder = model();
    let path = folder.path().join("modules.json");
    let text = std::fs::read_to_string(&path).expect("modules.json");
    for to in ["../2_Dense", "/2_Dense", "a/../../2_Dense"] {
        std::fs::write(&path, text.replace("2_Dense", to)).expect("modules.json");
        let error = load(folder.path()).expect_err(to).to_string();
        assert!(error.contains("outside the folder"), "{to}: {error}");
    }
}

#[test]
fn a_tensor_of_no_float_type_is_no_parameter() {
    let folder = model();
    let path = folder.path().join("model.safetensors");
    let whole = Checkpoint::open(&path).expect("weights");
    let name = "encoder.layer.0.output.dense.weight";
    let tensors: Vec<(String, Tensor)> = whole
        .tensors()
        .map(|(other, _)| {
            let tensor = whole.read(other).expect("a tensor");
            let tensor = if other == name { tensor.to_dtype(DType::I64) } else { Ok(tensor) };
            (other.to_owned(), tensor.and_then(|t| t.to_device(&Device::Cpu)).expect("a tensor"))
        })
        .collect();
    save_safetensors(&path, &tensors).expect("weights");
    let error = load(folder.path()).expect_err("a quantized tensor").to_string();
    assert!(error.contains(name) && error.contains("quantized"), "{error}");
}
