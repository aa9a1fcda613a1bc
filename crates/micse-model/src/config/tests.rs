//! `config.json` of every family, read and written, and impossible values.

use super::*;

fn read(text: &str) -> std::result::Result<BertConfig, String> {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("config.json");
    std::fs::write(&path, text).expect("config.json");
    BertConfig::load(&path).map_err(|e| e.to_string())
}

const ROBERTA: &str = r#"{"model_type": "roberta", "vocab_size": 60, "hidden_size": 8, "num_hidden_layers": 1,
    "num_attention_heads": 2, "intermediate_size": 12, "hidden_act": "gelu", "max_position_embeddings": 20,
    "type_vocab_size": 1, "layer_norm_eps": 1e-5, "pad_token_id": 1}"#;
const DISTILBERT: &str = r#"{"model_type": "distilbert", "vocab_size": 60, "dim": 8, "n_layers": 3, "n_heads": 2,
    "hidden_dim": 12, "activation": "gelu", "max_position_embeddings": 20, "pad_token_id": 0, "dropout": 0.2}"#;

const MODERNBERT: &str = r#"{"model_type": "modernbert", "vocab_size": 60, "hidden_size": 8, "num_hidden_layers": 4,
    "num_attention_heads": 2, "intermediate_size": 12, "hidden_activation": "gelu", "max_position_embeddings": 20,
    "norm_eps": 1e-5, "pad_token_id": 1, "local_attention": 9, "global_rope_theta": 5000.0, "mlp_bias": false}"#;
const ALBERT: &str = r#"{"model_type": "albert", "vocab_size": 60, "hidden_size": 8, "embedding_size": 4,
    "num_hidden_layers": 6, "num_hidden_groups": 2, "num_attention_heads": 2, "intermediate_size": 12,
    "hidden_act": "gelu_new", "max_position_embeddings": 20, "type_vocab_size": 2, "inner_group_num": 1}"#;
const NOMIC: &str = r#"{"model_type": "nomic_bert", "vocab_size": 60, "hidden_size": 8, "num_hidden_layers": 3,
    "num_attention_heads": 2, "intermediate_size": 12, "hidden_act": "silu", "max_position_embeddings": 20,
    "type_vocab_size": 2, "rope_parameters": {"rope_theta": 700.0, "rope_type": "default"}, "head_dim": 4}"#;
const NOMIC_FIRST: &str = r#"{"model_type": "nomic_bert", "vocab_size": 60, "n_embd": 8, "n_layer": 3, "n_head": 2,
    "n_inner": 12, "activation_function": "swiglu", "n_positions": 80, "max_trained_positions": 20,
    "rotary_scaling_factor": 2, "rotary_emb_base": 700, "rotary_emb_fraction": 1.0, "rotary_emb_interleaved": false,
    "type_vocab_size": 2, "layer_norm_epsilon": 1e-12, "prenorm": false, "qkv_proj_bias": false,
    "mlp_fc1_bias": false, "mlp_fc2_bias": false, "resid_pdrop": 0.0, "attn_pdrop": 0.0}"#;
const GTE: &str = r#"{"model_type": "gte", "vocab_size": 60, "hidden_size": 8, "num_hidden_layers": 3,
    "num_attention_heads": 2, "intermediate_size": 12, "hidden_act": "gelu", "max_position_embeddings": 20,
    "type_vocab_size": 1, "pad_token_id": 1,
    "rope_parameters": {"rope_theta": 40.0, "rope_type": "linear", "factor": 3.0}}"#;
const MPNET: &str = r#"{"model_type": "mpnet", "vocab_size": 60, "hidden_size": 8, "num_hidden_layers": 1,
    "num_attention_heads": 2, "intermediate_size": 12, "hidden_act": "gelu", "max_position_embeddings": 20,
    "layer_norm_eps": 1e-5, "relative_attention_num_buckets": 32, "pad_token_id": 1}"#;

#[test]
fn families_are_read_and_written_in_their_own_keys() {
    let roberta = read(ROBERTA).expect("a RoBERTa");
    assert_eq!((roberta.max_position_embeddings, roberta.position_rows()), (18, 20));
    assert_eq!((roberta.position_row(7, 0), roberta.position_row(1, 9)), (2, 1));
    let distilbert = read(DISTILBERT).expect("a DistilBERT");
    assert_eq!((distilbert.num_hidden_layers, distilbert.type_vocab_size), (3, 0));
    assert_eq!((distilbert.hidden_dropout_prob, distilbert.position_row(7, 5)), (0.2, 5));
    let mpnet = read(MPNET).expect("an MPNet");
    assert_eq!((mpnet.max_position_embeddings, mpnet.type_vocab_size), (18, 0));
    let modern = read(MODERNBERT).expect("a ModernBERT");
    assert_eq!((modern.max_position_embeddings, modern.position_rows()), (20, 0));
    assert_eq!(modern.hidden_dropout_prob, 0.0);
    let rotary = modern.rotary.clone().expect("rotary positions");
    let is_local = |rotary: &Rotary| [0, 1, 2, 3].map(|layer| rotary.local_at(layer).is_some());
    let local = rotary.local.as_ref().expect("local layers");
    assert_eq!((rotary.theta, local.theta, local.window), (5000.0, 10_000.0, 4));
    assert_eq!(is_local(&rotary), [false, true, true, false]);
    let listed = read(&MODERNBERT.replace(
        "\"mlp_bias\": false",
        r#""layer_types": ["sliding_attention", "full_attention", "full_attention", "sliding_attention"],
           "rope_parameters": {"full_attention": {"rope_theta": 7e4, "rope_type": "default"},
                               "sliding_attention": {"rope_theta": 100}}"#,
    ))
    .expect("a ModernBERT");
    let rotary = listed.rotary.clone().expect("rotary positions");
    let local = rotary.local.as_ref().expect("local layers");
    assert_eq!((rotary.theta, local.theta), (7e4, 100.0));
    assert_eq!(is_local(&rotary), [true, false, false, true]);
    let electra =
        read(&ROBERTA.replace("\"roberta\"", "\"electra\", \"embedding_size\": 4")).expect("an ELECTRA");
    assert_eq!((electra.embedding_size, electra.position_rows()), (4, 20));
    // 60 words, 20 positions and a type, LayerNorm, and the projection.
    let layer = 4 * (64 + 8) + 2 * 8 * 12 + 12 + 8 + 4 * 8;
    assert_eq!(electra.parameter_count(), 81 * 4 + 8 + 4 * 8 + 8 + layer);
    let albert = read(ALBERT).expect("an ALBERT");
    assert_eq!([0, 2, 3, 5].map(|layer| albert.own_layer(layer)), [0, 0, 1, 1]);
    let tables = (60 + 20 + 2) * 4 + 2 * 4 + 4 * 8 + 8;
    assert_eq!(albert.parameter_count(), tables + 2 * (4 * (64 + 8) + 2 * 8 * 12 + 12 + 8 + 4 * 8));
    let nomic = read(NOMIC).expect("a NomicBERT");
    assert_eq!(nomic, read(NOMIC_FIRST).expect("a NomicBERT"));
    assert_eq!(nomic.parameter_count(), (60 + 2 + 2) * 8 + 3 * (4 * 64 + 3 * 8 * 12 + 4 * 8));
    let gte = read(GTE).expect("a GTE");
    assert_eq!(gte.rotary, Some(Rotary { theta: 40.0, factor: 3.0, local: None }));
    // Fixed NTK scaling, in GTE's first configurations.
    let new = GTE.replace("\"gte\"", "\"new\", \"position_embedding_type\": \"rope\", \"rope_theta\": 20.0");
    let scaled = new.replace(
        "\"rope_parameters\": {\"rope_theta\": 40.0, \"rope_type\": \"linear\"",
        "\"rope_scaling\": {\"type\": \"ntk\"",
    );
    let ntk = read(&scaled).expect("a GTE").rotary.expect("rotary positions");
    assert_eq!((ntk.theta, ntk.factor), (60.0, 3_f64.sqrt()));
    // Newer configurations of NomicBERT have the length in pre-training beside that of inputs.
    let both =
        NOMIC.replace("\"head_dim\"", "\"n_positions\": 80, \"max_trained_positions\": 20, \"head_dim\"");
    assert_eq!(read(&both).expect("a NomicBERT").max_position_embeddings, 80);
    let scaled = NOMIC_FIRST.replace("\"prenorm\"", "\"max_position_embeddings\": 80, \"prenorm\"");
    assert_eq!(read(&scaled).expect("a NomicBERT").max_position_embeddings, 20);
    // theta within the scaling, as transformers reads it.
    let parameters =
        "\"rope_parameters\": {\"rope_theta\": 40.0, \"rope_type\": \"linear\", \"factor\": 3.0}";
    assert!(GTE.contains(parameters));
    assert_eq!(read(&GTE.replace("rope_parameters", "rope_scaling")).expect("a GTE").rotary, gte.rotary);
    let plain = read(&GTE.replace(parameters, "\"rope_scaling\": {\"rope_type\": \"default\"}"));
    assert_eq!(plain.expect("a GTE").rotary.map(|r| (r.theta, r.factor)), Some((160_000.0, 1.0)));
    for config in [
        electra,
        modern,
        listed,
        roberta,
        distilbert,
        mpnet,
        albert,
        nomic,
        gte,
        BertConfig::with_sizes(60, 1, 8, 2, 20),
    ] {
        let text = serde_json::to_string(&config).expect("JSON");
        assert_eq!(read(&text).expect("what was written"), config, "{text}");
    }
    let text = serde_json::to_string(&read(DISTILBERT).expect("a DistilBERT")).expect("JSON");
    assert!(text.contains("\"dim\":8") && !text.contains("hidden_size"), "{text}");
    let text = serde_json::to_string(&read(ROBERTA).expect("a RoBERTa")).expect("JSON");
    assert!(text.contains("\"max_position_embeddings\":20"), "{text}");
}

#[test]
fn impossible_values_are_named() {
    for (whole, from, to, says) in [
        (ROBERTA, "\"vocab_size\": 60", "\"vocab_size\": 18446744073709551615", "vocab_size is"),
        (ROBERTA, "\"hidden_size\": 8", "\"hidden_size\": 0", "hidden_size is 0"),
        (ROBERTA, "\"roberta\"", "\"bert\", \"pad_token_id\": 60, \"a\": 1", "duplicate"),
        (ROBERTA, "\"vocab_size\": 60", "\"vocab_size\": 1", "pad_token_id is 1"),
        (ROBERTA, "\"pad_token_id\": 1", "\"pad_token_id\": 19", "max_position_embeddings"),
        (ROBERTA, "\"pad_token_id\": 1", "\"pad_token_id\": 4294967295", "pad_token_id"),
        (ROBERTA, "\"roberta\"", "\"bert\", \"is_decoder\": true", "is_decoder"),
        (ROBERTA, "\"roberta\"", "\"bert\", \"position_embedding_type\": \"alibi\"", "alibi"),
        (ROBERTA, "\"hidden_size\": 8,", "", "hidden_size is missing"),
        (ROBERTA, "\"gelu\"", "\"mish\"", "mish"),
        (MPNET, "buckets\": 32", "buckets\": 64", "relative_attention_num_buckets is 64"),
        (MPNET, "\"pad_token_id\": 1", "\"pad_token_id\": 0", "pad_token_id is 0"),
        (MODERNBERT, "\"mlp_bias\": false", "\"mlp_bias\": true", "mlp_bias is true"),
        (MODERNBERT, "\"mlp_bias\": false", "\"norm_bias\": true", "norm_bias is true"),
        (MODERNBERT, "\"mlp_bias\": false", "\"attention_bias\": true", "attention_bias is true"),
        (MODERNBERT, "\"mlp_bias\": false", "\"layer_types\": [\"full_attention\"]", "layer_types lists 1"),
        (MODERNBERT, "\"mlp_bias\": false", "\"layer_types\": [\"causal\"]", "\"causal\""),
        (MODERNBERT, "\"mlp_bias\": false", "\"rope_scaling\": {\"factor\": 2}", "rope_scaling"),
        (
            MODERNBERT,
            "\"mlp_bias\": false",
            "\"rope_parameters\": {\"rope_theta\": 2}",
            "has the key rope_theta",
        ),
        (
            MODERNBERT,
            "\"mlp_bias\": false",
            r#""rope_parameters": {"full_attention": {"rope_type": "yarn"}}"#,
            "rope_parameters.full_attention.rope_type",
        ),
        (
            MODERNBERT,
            "\"mlp_bias\": false",
            "\"global_attn_every_n_layers\": 0",
            "global_attn_every_n_layers",
        ),
        (
            MODERNBERT,
            "\"global_rope_theta\": 5000.0",
            "\"global_rope_theta\": -1.0",
            "rope_theta of full_attention",
        ),
        (MODERNBERT, "\"num_attention_heads\": 2", "\"num_attention_heads\": 8", "heads of size 1"),
        (MODERNBERT, "\"gelu\"", "\"mish\"", "mish"),
        (ALBERT, "groups\": 2", "groups\": 4", "num_hidden_groups is 4"),
        (ALBERT, "groups\": 2", "groups\": 0", "num_hidden_groups is 0"),
        (ALBERT, "group_num\": 1", "group_num\": 2", "inner_group_num is 2"),
        (ALBERT, "layers\": 6", "layers\": 2000000", "num_hidden_layers is 2000000"),
        (NOMIC_FIRST, "prenorm\": false", "prenorm\": true", "prenorm is true"),
        (NOMIC_FIRST, "fraction\": 1.0", "fraction\": 0.5", "rotary_emb_fraction is 0.5"),
        (
            NOMIC_FIRST,
            "\"attn_pdrop\"",
            "\"moe_every_n_layers\": 2, \"attn_pdrop\"",
            "moe_every_n_layers is 2",
        ),
        (NOMIC, "head_dim\": 4", "head_dim\": 5", "head_dim is 5"),
        (NOMIC, "\"default\"", "\"yarn\"", "rope_parameters.rope_type is \"yarn\""),
        (GTE, "\"factor\": 3.0", "\"factor\": -1", "factor of rotary positions is -1"),
        (GTE, ", \"factor\": 3.0", "", "rope_parameters has no factor"),
        (
            GTE,
            "\"pad_token_id\"",
            "\"rope_scaling\": {\"type\": \"linear\", \"factor\": 2}, \"pad_token_id\"",
            "remove one",
        ),
        (GTE, "\"factor\": 3.0", "\"beta_fast\": 3.0", "rope_parameters.beta_fast"),
        (GTE, "\"pad_token_id\"", "\"position_embedding_type\": \"absolute\", \"pad_token_id\"", "absolute"),
        (GTE, "\"pad_token_id\"", "\"layer_norm_type\": \"rms_norm\", \"pad_token_id\"", "layer_norm_type"),
        (DISTILBERT, "\"dim\": 8", "\"dim\": 8, \"hidden_size\": 16", "its other name hidden_size is 16"),
        (NOMIC, "\"hidden_size\": 8", "\"hidden_size\": 8, \"n_embd\": 16", "its other name n_embd is 16"),
        (
            NOMIC,
            "\"silu\"",
            "\"silu\", \"activation_function\": \"gelu\"",
            "its other name activation_function",
        ),
        (
            NOMIC,
            "\"silu\"",
            "\"silu\", \"layer_norm_eps\": 1e-5, \"layer_norm_epsilon\": 1e-6",
            "layer_norm_epsilon",
        ),
    ] {
        assert!(whole.contains(from), "{from}");
        let error = read(&whole.replace(from, to)).expect_err(to);
        assert!(error.contains(says), "{to}: {error}");
    }
    // Each size is possible, but not all of them together.
    let mut huge = BertConfig::with_sizes(LARGEST, LARGEST, LARGEST, 2, LARGEST);
    huge.intermediate_size = LARGEST;
    let mut narrow = BertConfig::with_sizes(60, 1, 8, 2, 20);
    narrow.embedding_size = 4;
    assert!(narrow.check().is_err_and(|e| e.to_string().contains("embedding_size is 4")));
    assert!(huge.check().is_err_and(|e| e.to_string().contains("parameters")));
}
