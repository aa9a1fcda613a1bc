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

/// Every module of sentence-transformers 6 that is not supported, with a part of the reason.
#[test]
fn modules_that_are_not_computed_are_refused_with_the_reason() {
    const MODULES: [(&str, &str); 18] = [
        ("sentence_transformers.models.CLIPModel", "images"),
        ("sentence_transformers.models.WeightedLayerPooling", "all layers"),
        ("sentence_transformers.models.LSTM", "trained network"),
        ("sentence_transformers.sentence_transformer.modules.cnn.CNN", "trained network"),
        ("sentence_transformers.models.BoW", "counts the words"),
        ("sentence_transformers.models.WordEmbeddings", "micse eval --vectors"),
        ("sentence_transformers.models.WordWeights", "micse eval --vectors"),
        ("sentence_transformers.sparse_encoder.modules.mlm_transformer.MLMTransformer", "sparse"),
        ("sentence_transformers.sparse_encoder.modules.splade_pooling.SpladePooling", "sparse"),
        ("sentence_transformers.sparse_encoder.modules.sparse_auto_encoder.SparseAutoEncoder", "sparse"),
        (
            "sentence_transformers.sparse_encoder.modules.sparse_static_embedding.SparseStaticEmbedding",
            "sparse",
        ),
        (
            "sentence_transformers.multi_vector_encoder.modules.multi_vector_mask.MultiVectorMask",
            "each token",
        ),
        (
            "sentence_transformers.multi_vector_encoder.modules.token_pooling.HierarchicalTokenPooling",
            "each token",
        ),
        ("sentence_transformers.multi_vector_encoder.modules.token_pooling.LambdaTokenPooling", "each token"),
        ("sentence_transformers.cross_encoder.modules.logit_score.LogitScore", "pair of sentences"),
        ("sentence_transformers.models.Asym", "asymmetric"),
        ("sentence_transformers.base.modules.router.Router", "asymmetric"),
        ("custom_st.Transformer", "not a module that micse knows"),
    ];
    let refused = |folder: &Path, class: &str, reason: &str| {
        let error = load(folder).expect_err(class).to_string();
        for part in ["modules.json", class, "not supported", reason] {
            assert!(error.contains(part), "{part} is not in: {error}");
        }
    };
    let folder = model();
    let path = folder.path().join("modules.json");
    let text = std::fs::read_to_string(&path).expect("modules.json");
    let modules: Vec<serde_json::Value> = serde_json::from_str(&text).expect("a list");
    for (class, reason) in MODULES {
        // In place of the encoder, before the pooling, and after it.
        for at in 0..3 {
            let mut changed = modules.clone();
            let module = serde_json::json!({"idx": 9, "name": "9", "path": "", "type": class});
            match at {
                0 => changed[0] = module,
                at => changed.insert(at, module),
            }
            std::fs::write(&path, serde_json::to_string(&changed).expect("JSON")).expect("modules.json");
            refused(folder.path(), class, reason);
        }
    }
    // A table of token vectors has its place at the beginning.
    let class = "sentence_transformers.models.StaticEmbedding";
    let mut changed = modules.clone();
    changed.push(serde_json::json!({"name": "9", "path": "", "type": class}));
    std::fs::write(&path, serde_json::to_string(&changed).expect("JSON")).expect("modules.json");
    refused(folder.path(), class, "only as the first module");
}

/// The routes of an asymmetric model are named. The files have the form that sentence-transformers 6.2.0 writes.
#[test]
fn an_asymmetric_model_is_refused_with_its_routes() {
    let folder = tempfile::tempdir().expect("a folder");
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).expect("a file");
    write(
        "modules.json",
        r#"[{"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.base.modules.router.Router"}]"#,
    );
    write(
        "router_config.json",
        r#"{"types": {"query_0_StaticEmbedding": "sentence_transformers.models.StaticEmbedding",
                      "document_0_Transformer": "sentence_transformers.models.Transformer"},
            "structure": {"query": ["query_0_StaticEmbedding"], "document": ["document_0_Transformer"]},
            "parameters": {"default_route": "document", "allow_empty_key": true, "route_mappings": {}}}"#,
    );
    let error = load(folder.path()).expect_err("asymmetric").to_string();
    for part in ["(document, query)", "sub_modules[\"document\"]", "SentenceTransformer(modules=modules)"] {
        assert!(error.contains(part), "{part} is not in: {error}");
    }
    // Older models have the routes in config.json.
    std::fs::rename(folder.path().join("router_config.json"), folder.path().join("config.json"))
        .expect("a file");
    assert!(load(folder.path()).expect_err("asymmetric").to_string().contains("(document, query)"));
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
