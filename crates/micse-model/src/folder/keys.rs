//! Every key of a model folder's files that is known here: what becomes of it. A key that is not listed is reported.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use serde_json::{Map, Value};

use crate::{Error, ModelFolder, Result, modules};

/// What becomes of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Treatment {
    /// It is followed.
    Honoured,
    /// It changes no embedding.
    WithoutEffect,
    /// Another value than the usual one is an error.
    Refused,
}

impl Treatment {
    /// The word in tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::Honoured => "honoured",
            Self::WithoutEffect => "no effect",
            Self::Refused => "refused",
        }
    }
}

/// Keys of one file that are treated alike.
#[derive(Clone, Copy, Debug)]
pub struct KnownKeys {
    /// The file.
    pub file: &'static str,
    /// Its keys.
    pub keys: &'static [&'static str],
    /// What becomes of them.
    pub treatment: Treatment,
    /// How, or why.
    pub how: &'static str,
}

const fn keys(
    file: &'static str,
    treatment: Treatment,
    keys: &'static [&'static str],
    how: &'static str,
) -> KnownKeys {
    KnownKeys { file, keys, treatment, how }
}

const CONFIG: &str = "config.json";
const TOKENIZER: &str = "tokenizer_config.json";
const TRANSFORMER: &str = "sentence_bert_config.json";
const MODULES: &str = "modules.json";
const POOLING: &str = "1_Pooling/config.json";
const DENSE: &str = "N_Dense/config.json";
const NORMALIZE: &str = "N_Normalize/config.json";
const LAYER_NORM: &str = "N_LayerNorm/config.json";
const DROPOUT: &str = "N_Dropout/config.json";

use Treatment::{Honoured, Refused, WithoutEffect};

/// All known keys. `tokenizer.json` has sections instead: see the documentation of [`crate::Tokenizer::load`].
pub const KNOWN_KEYS: &[KnownKeys] = &[
    keys(
        CONFIG,
        Honoured,
        &[
            "model_type",
            "vocab_size",
            "hidden_size",
            "num_hidden_layers",
            "num_attention_heads",
            "intermediate_size",
            "hidden_act",
            "dim",
            "n_layers",
            "n_heads",
            "hidden_dim",
            "activation",
            "max_position_embeddings",
            "type_vocab_size",
            "layer_norm_eps",
        ],
        "sizes and constants of the encoder",
    ),
    keys(CONFIG, Honoured, &["pad_token_id"], "RoBERTa's families count positions from the row after it"),
    keys(
        CONFIG,
        Honoured,
        &["tokenizer_class"],
        "the tokenizer's class, where tokenizer_config.json names none",
    ),
    keys(CONFIG, Refused, &["position_embedding_type"], "only `absolute` is supported"),
    keys(
        CONFIG,
        Refused,
        &["is_decoder", "add_cross_attention", "is_encoder_decoder"],
        "only encoders are supported",
    ),
    keys(
        CONFIG,
        Refused,
        &["relative_attention_num_buckets"],
        "MPNet's 32 are constants of the library's code",
    ),
    keys(CONFIG, Refused, &["quantization_config"], "quantised weights are not supported"),
    keys(CONFIG, Refused, &["pruned_heads"], "missing heads are not supported"),
    keys(CONFIG, Refused, &["adapters"], "adapter weights are not supported"),
    keys(
        CONFIG,
        WithoutEffect,
        &["dtype", "torch_dtype"],
        "weights are computed with in f32, whatever they are stored in; transformers 5 computes in this precision",
    ),
    keys(
        CONFIG,
        WithoutEffect,
        &[
            "hidden_dropout_prob",
            "attention_probs_dropout_prob",
            "dropout",
            "attention_dropout",
            "qa_dropout",
            "seq_classif_dropout",
            "classifier_dropout",
            "initializer_range",
            "gradient_checkpointing",
            "layerdrop",
        ],
        "training in other libraries; recipes decide dropout here",
    ),
    keys(
        CONFIG,
        WithoutEffect,
        &["sinusoidal_pos_embds"],
        "how the position table began; it is among the weights",
    ),
    keys(
        CONFIG,
        WithoutEffect,
        &[
            "_name_or_path",
            "architectures",
            "auto_map",
            "transformers_version",
            "id2label",
            "label2id",
            "num_labels",
            "problem_type",
            "finetuning_task",
            "task_specific_params",
            "tie_word_embeddings",
            "tie_weights_",
            "output_attentions",
            "output_hidden_states",
            "output_past",
            "return_dict",
            "use_cache",
            "chunk_size_feed_forward",
            "bos_token_id",
            "eos_token_id",
            "sep_token_id",
            "cls_token_id",
            "mask_token_id",
            "unk_token_id",
            "decoder_start_token_id",
            "directionality",
            "pooler_fc_size",
            "pooler_num_attention_heads",
            "pooler_num_fc_layers",
            "pooler_size_per_head",
            "pooler_type",
            "attn_implementation",
            "_attn_implementation",
            "_attn_implementation_autoset",
            "model_name",
            "emb_size",
            "cell",
            "pre_trained",
            "structure",
        ],
        "heads, generation, names, how the weights came about",
    ),
    keys(
        TOKENIZER,
        Honoured,
        &["tokenizer_class"],
        "the class that builds the pipeline; classes with another pipeline are refused",
    ),
    keys(
        TOKENIZER,
        Honoured,
        &["do_lower_case", "strip_accents", "tokenize_chinese_chars"],
        "BERT's and MPNet's classes: they win over tokenizer.json (absent: true, null, true)",
    ),
    keys(
        TOKENIZER,
        Honoured,
        &["add_prefix_space"],
        "RoBERTa's and XLM-RoBERTa's classes: it wins over tokenizer.json (absent: false, true)",
    ),
    keys(
        TOKENIZER,
        Honoured,
        &[
            "unk_token",
            "cls_token",
            "sep_token",
            "bos_token",
            "eos_token",
            "pad_token",
            "mask_token",
            "additional_special_tokens",
            "extra_special_tokens",
            "added_tokens_decoder",
        ],
        "special and added tokens, with their flags; added_tokens_decoder decides alone where it is",
    ),
    keys(TOKENIZER, Honoured, &["split_special_tokens"], "special tokens in a text are split like words"),
    keys(
        TOKENIZER,
        Honoured,
        &["model_max_length", "max_len"],
        "the limit of tokens, where there is no max_seq_length",
    ),
    keys(
        TOKENIZER,
        Honoured,
        &["truncation_side"],
        "which end a long sentence loses (absent: that of tokenizer.json)",
    ),
    keys(
        TOKENIZER,
        WithoutEffect,
        &["padding_side", "pad_to_multiple_of", "pad_token_type_id", "model_input_names"],
        "there is no padding here, and token types are 0",
    ),
    keys(TOKENIZER, WithoutEffect, &["trim_offsets", "return_offsets_mapping"], "offsets, not ids"),
    keys(
        TOKENIZER,
        WithoutEffect,
        &[
            "do_basic_tokenize",
            "never_split",
            "wordpieces_prefix",
            "clean_text",
            "clean_up_tokenization_spaces",
            "errors",
            "legacy",
            "use_fast",
            "from_slow",
            "max_length",
            "stride",
            "truncation_strategy",
            "add_bos_token",
            "add_eos_token",
            "sp_model_kwargs",
            "word_tokenizer_type",
            "subword_tokenizer_type",
            "mecab_kwargs",
            "special_tokens_map_file",
            "tokenizer_file",
            "vocab_file",
            "name_or_path",
            "auto_map",
            "backend",
            "is_local",
            "local_files_only",
            "processor_class",
            "chat_template",
            "keep_accents",
            "remove_space",
            "tokenizer_type",
            "full_tokenizer_file",
            "init_inputs",
        ],
        "no class that is supported reads it",
    ),
    keys(TRANSFORMER, Honoured, &["max_seq_length"], "the limit of tokens"),
    keys(TRANSFORMER, Honoured, &["do_lower_case"], "lower-casing in front of the tokenizer"),
    keys(
        TRANSFORMER,
        Refused,
        &[
            "model_args",
            "model_kwargs",
            "tokenizer_args",
            "processor_kwargs",
            "config_args",
            "config_kwargs",
            "processing_kwargs",
        ],
        "arguments for other libraries; empty ones are accepted",
    ),
    keys(
        TRANSFORMER,
        Refused,
        &["query_length", "document_length", "query_expansion", "tokenizer_name_or_path"],
        "only null is accepted",
    ),
    keys(
        TRANSFORMER,
        Refused,
        &["transformer_task", "modality_config", "module_output_name"],
        "only token states of a text are supported",
    ),
    keys(TRANSFORMER, WithoutEffect, &["unpad_inputs", "backend", "cache_dir"], "how, not what, is computed"),
    keys(
        modules::SETTINGS_FILE,
        Honoured,
        &["prompts", "default_prompt_name"],
        "the default prompt goes before every sentence; query and document are empty unless given",
    ),
    keys(
        modules::SETTINGS_FILE,
        Honoured,
        &["truncate_dim"],
        "entries of an embedding that are kept, after all modules",
    ),
    keys(modules::SETTINGS_FILE, Refused, &["model_type"], "only SentenceTransformer is supported"),
    keys(
        modules::SETTINGS_FILE,
        WithoutEffect,
        &["similarity_fn_name"],
        "similarity here is the cosine, and another one is reported; the key stays in what is exported",
    ),
    keys(
        modules::SETTINGS_FILE,
        WithoutEffect,
        &["__version__", "requirements"],
        "versions of other libraries",
    ),
    keys(MODULES, Honoured, &["type", "path"], "which parts follow each other, in the order of the file"),
    keys(MODULES, WithoutEffect, &["idx", "name", "kwargs"], "the library goes by the order too"),
    keys(
        POOLING,
        Honoured,
        &["pooling_mode", "pooling_mode_cls_token", "pooling_mode_mean_tokens"],
        "cls or mean; --pooling replaces it",
    ),
    keys(
        POOLING,
        Refused,
        &[
            "pooling_mode_max_tokens",
            "pooling_mode_mean_sqrt_len_tokens",
            "pooling_mode_weightedmean_tokens",
            "pooling_mode_lasttoken",
        ],
        "not supported when true",
    ),
    keys(POOLING, Honoured, &["include_prompt"], "false: the pooling skips the prompt's tokens, and [CLS]"),
    keys(
        POOLING,
        WithoutEffect,
        &["word_embedding_dimension", "embedding_dimension"],
        "the encoder's hidden size holds",
    ),
    keys(
        DENSE,
        Honoured,
        &["in_features", "out_features", "bias", "activation_function", "use_residual"],
        "a linear layer; Identity, Tanh, ReLU, GELU, Sigmoid, SiLU and LeakyReLU, others are refused",
    ),
    keys(
        DENSE,
        Refused,
        &["module_input_name", "module_output_name"],
        "only sentence_embedding is supported",
    ),
    keys(
        NORMALIZE,
        Refused,
        &["module_input_name", "module_output_name"],
        "only sentence_embedding is supported",
    ),
    keys(LAYER_NORM, Honoured, &["dimension"], "a LayerNorm with epsilon 1e-5"),
    keys(DROPOUT, WithoutEffect, &["dropout"], "acts in training alone"),
];

/// Keys of these files that the library refuses, and values that are as good as none.
const REFUSED_UNLESS_EMPTY: &[(&str, &[&str])] = &[
    (
        CONFIG,
        &["quantization_config", "pruned_heads", "adapters", "add_cross_attention", "is_encoder_decoder"],
    ),
    (
        TRANSFORMER,
        &[
            "model_args",
            "model_kwargs",
            "tokenizer_args",
            "processor_kwargs",
            "config_args",
            "config_kwargs",
            "processing_kwargs",
            "query_length",
            "document_length",
            "query_expansion",
            "tokenizer_name_or_path",
        ],
    ),
];

/// Whether a value asks for nothing.
fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => true,
        Value::Array(list) => list.is_empty(),
        // Arguments by kind, none of them given.
        Value::Object(keys) => keys.values().all(is_empty),
        Value::String(text) => text.is_empty(),
        _ => false,
    }
}

/// Refuses keys whose values ask for what is not done here. `file` is the name in [`KNOWN_KEYS`].
pub(crate) fn check(file: &str, path: &Path, keys: &Map<String, Value>) -> Result<()> {
    let refused = REFUSED_UNLESS_EMPTY.iter().filter(|(name, _)| *name == file).flat_map(|(_, keys)| *keys);
    for key in refused {
        if let Some(value) = keys.get(*key).filter(|value| !is_empty(value)) {
            let known = KNOWN_KEYS.iter().find(|known| known.file == file && known.keys.contains(key));
            return Err(Error::Config {
                path: path.into(),
                reason: format!("{key} is {value}: {}", known.map_or("not supported", |known| known.how)),
            });
        }
    }
    Ok(())
}

/// Refuses what the Transformer module's own file says beside a limit and lower-casing, where it changes embeddings.
pub(crate) fn check_transformer(path: &Path, keys: &Map<String, Value>) -> Result<()> {
    check(TRANSFORMER, path, keys)?;
    let refused = |key: &str, value: &Value| {
        Err(Error::Config {
            path: path.into(),
            reason: format!("{key} is {value}; only token states of a text are supported"),
        })
    };
    if let Some(task) = keys.get("transformer_task").filter(|t| !t.is_null())
        && task.as_str() != Some("feature-extraction")
    {
        return refused("transformer_task", task);
    }
    if let Some(name) = keys.get("module_output_name").filter(|n| !n.is_null())
        && name.as_str() != Some("token_embeddings")
    {
        return refused("module_output_name", name);
    }
    if let Some(modalities) = keys.get("modality_config").filter(|m| !m.is_null()) {
        let text = &modalities["text"];
        let plain = text["method"].as_str().is_none_or(|m| m == "forward")
            && text["method_output_name"].as_str().is_none_or(|m| m == "last_hidden_state");
        let only = modalities.as_object().is_some_and(|m| m.keys().all(|key| key == "text"));
        if !(plain && only) {
            return refused("modality_config", modalities);
        }
    }
    Ok(())
}

/// Refuses what `config.json` asks for beside an encoder's sizes.
pub(crate) fn check_config(path: &Path) -> Result<()> {
    modules::object(path)?.map_or(Ok(()), |keys| check(CONFIG, path, &keys))
}

impl ModelFolder {
    /// Keys of the folder's files that are unknown here, as `FILE: KEY`. Whether they change embeddings in other
    /// libraries cannot be said.
    ///
    /// # Errors
    /// A file is not valid.
    pub fn unknown_keys(&self) -> Result<Vec<String>> {
        let mut unknown = Vec::new();
        for (path, file) in self.files_with_keys()? {
            let Some(keys) = modules::object(&path)? else { continue };
            let known = |key: &str| {
                KNOWN_KEYS.iter().any(|known| known.file == file && known.keys.contains(&key))
                    || (file == TOKENIZER && key.ends_with("_token"))
            };
            let name = path.strip_prefix(self.root()).unwrap_or(&path).display().to_string();
            unknown.extend(keys.keys().filter(|key| !known(key)).map(|key| format!("{name}: {key}")));
        }
        Ok(unknown)
    }

    /// Files of keys and values, each with its name in [`KNOWN_KEYS`].
    fn files_with_keys(&self) -> Result<Vec<(PathBuf, &'static str)>> {
        let mut files = vec![(self.path().join(CONFIG), CONFIG), (self.path().join(TOKENIZER), TOKENIZER)];
        if !self.root().join(MODULES).is_file() {
            return Ok(files);
        }
        files.push((self.root().join(modules::SETTINGS_FILE), modules::SETTINGS_FILE));
        files.extend(modules::transformer_path(self.path()).map(|path| (path, TRANSFORMER)));
        let by_class = [
            ("Pooling", POOLING),
            ("Dense", DENSE),
            ("Normalize", NORMALIZE),
            ("LayerNorm", LAYER_NORM),
            ("Dropout", DROPOUT),
        ];
        for module in self.modules()?.iter().skip(1) {
            if let Some((_, file)) = by_class.iter().find(|(class, _)| module.name() == *class) {
                files.push((module.folder(self.root())?.join("config.json"), file));
            }
        }
        Ok(files)
    }

    /// Reports unknown keys, and parts of `tokenizer.json` that the tokenizer's class replaces, once in a process.
    pub(crate) fn warn_of_unknown_keys(&self, replaced: &[&str]) {
        static WARNED: Mutex<BTreeSet<PathBuf>> = Mutex::new(BTreeSet::new());
        let first = WARNED.lock().is_ok_and(|mut warned| warned.insert(self.root().to_owned()));
        if !first {
            return;
        }
        let root = self.root().display();
        // What cannot be read is an error where it is used.
        for key in self.unknown_keys().unwrap_or_default() {
            tracing::warn!("{root}: unknown key, ignored: {key}");
        }
        let settings = modules::object(&self.root().join(modules::SETTINGS_FILE)).ok().flatten();
        let similarity = settings.as_ref().and_then(|keys| keys.get("similarity_fn_name")?.as_str());
        if let Some(other) = similarity.filter(|name| *name != "cosine") {
            tracing::warn!(
                "{root}: similarity_fn_name is {other}; micse compares embeddings by their cosine"
            );
        }
        for part in replaced {
            tracing::warn!(
                "{root}: tokenizer.json's {part} is not used: the tokenizer's class builds its own from \
                 tokenizer_config.json, as transformers does (tokenizer_class PreTrainedTokenizerFast keeps it)"
            );
        }
    }
}
