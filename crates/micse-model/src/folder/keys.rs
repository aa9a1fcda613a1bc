//! Every key of a model folder's files that is known here, and what becomes of it. docs/model-folders.md shows the table.

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

pub(super) const CONFIG: &str = "config.json";
pub(super) const TOKENIZER: &str = "tokenizer_config.json";
pub(super) const TRANSFORMER: &str = "sentence_bert_config.json";
/// The library's file of prompts and further settings.
pub(crate) const SETTINGS: &str = "config_sentence_transformers.json";
pub(super) const MODULES: &str = "modules.json";
pub(super) const POOLING: &str = "1_Pooling/config.json";
pub(super) const DENSE: &str = "N_Dense/config.json";
pub(super) const NORMALIZE: &str = "N_Normalize/config.json";
pub(super) const LAYER_NORM: &str = "N_LayerNorm/config.json";
pub(super) const DROPOUT: &str = "N_Dropout/config.json";

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
        Refused,
        &["padding_side"],
        "left, for BERT and DistilBERT: a sentence's positions would depend on its batch",
    ),
    keys(
        TOKENIZER,
        Refused,
        &["model_input_names"],
        "token_type_ids, where tokenizer.json gives a sentence types other than 0",
    ),
    keys(TOKENIZER, Refused, &["chat_template"], "without a modules.json; beside one it has no effect"),
    keys(TOKENIZER, WithoutEffect, &["pad_to_multiple_of", "pad_token_type_id"], "there is no padding here"),
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
        SETTINGS,
        Honoured,
        &["prompts", "default_prompt_name"],
        "the default prompt goes before every sentence; query and document are empty unless given",
    ),
    keys(SETTINGS, Honoured, &["truncate_dim"], "entries of an embedding that are kept, after all modules"),
    keys(SETTINGS, Refused, &["model_type"], "only SentenceTransformer is supported"),
    keys(
        SETTINGS,
        WithoutEffect,
        &["similarity_fn_name"],
        "similarity here is the cosine, and another one is reported; the key stays in what is exported",
    ),
    keys(SETTINGS, WithoutEffect, &["__version__", "requirements"], "versions of other libraries"),
    keys(MODULES, Honoured, &["type", "path"], "which parts follow each other, in the order of the file"),
    keys(MODULES, Refused, &["name"], "the same name twice"),
    keys(MODULES, WithoutEffect, &["idx", "kwargs"], "the library goes by the order too"),
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
