//! Every known key of a model folder's files, and how it is handled. docs/model-folders.md shows the table.

/// How a key is handled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Treatment {
    /// Its value is applied.
    Honoured,
    /// It does not affect embeddings.
    WithoutEffect,
    /// Any value other than the usual one is an error.
    Refused,
}

impl Treatment {
    /// The word used in tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::Honoured => "honoured",
            Self::WithoutEffect => "no effect",
            Self::Refused => "rejected",
        }
    }
}

/// Keys of one file that are handled in the same way.
#[derive(Clone, Copy, Debug)]
pub struct KnownKeys {
    /// The file.
    pub file: &'static str,
    /// Its keys.
    pub keys: &'static [&'static str],
    /// How they are handled.
    pub treatment: Treatment,
    /// Details, or the reason.
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
/// sentence-transformers' file with prompts and other settings.
pub(crate) const SETTINGS: &str = "config_sentence_transformers.json";
pub(super) const MODULES: &str = "modules.json";
pub(super) const POOLING: &str = "1_Pooling/config.json";
pub(super) const DENSE: &str = "N_Dense/config.json";
pub(super) const NORMALIZE: &str = "N_Normalize/config.json";
pub(super) const LAYER_NORM: &str = "N_LayerNorm/config.json";
pub(super) const DROPOUT: &str = "N_Dropout/config.json";

use Treatment::{Honoured, Refused, WithoutEffect};

/// All known keys. For the sections of `tokenizer.json`, see [`crate::Tokenizer::load`].
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
            "hidden_activation",
            "norm_eps",
            "embedding_size",
        ],
        "sizes and constants of the encoder",
    ),
    keys(
        CONFIG,
        Honoured,
        &["layer_types", "global_attn_every_n_layers", "local_attention"],
        "in ModernBERT, the layers that attend to near tokens only, and to how many",
    ),
    keys(
        CONFIG,
        Honoured,
        &["rope_parameters", "global_rope_theta", "local_rope_theta"],
        "in ModernBERT, the rotary positions; scaled ones are rejected",
    ),
    keys(
        CONFIG,
        Honoured,
        &["pad_token_id"],
        "in RoBERTa and XLM-RoBERTa, positions start at the row after it",
    ),
    keys(CONFIG, Honoured, &["tokenizer_class"], "the tokenizer class, if tokenizer_config.json names none"),
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
        "only MPNet's 32, a constant in transformers, is supported",
    ),
    keys(
        CONFIG,
        Refused,
        &["norm_bias", "attention_bias", "mlp_bias"],
        "in ModernBERT, biases are not supported",
    ),
    keys(CONFIG, Refused, &["rope_scaling"], "in ModernBERT, scaled rotary positions are not supported"),
    keys(CONFIG, Refused, &["quantization_config"], "quantised weights are not supported"),
    keys(CONFIG, Refused, &["pruned_heads"], "pruned heads are not supported"),
    keys(CONFIG, Refused, &["adapters"], "adapter weights are not supported"),
    keys(
        CONFIG,
        WithoutEffect,
        &["dtype", "torch_dtype"],
        "computation is in f32, whatever the storage type; transformers 5 computes in this type",
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
            "embedding_dropout",
            "mlp_dropout",
            "initializer_range",
            "initializer_cutoff_factor",
            "gradient_checkpointing",
            "layerdrop",
        ],
        "used for training in other libraries; here recipes set dropout",
    ),
    keys(
        CONFIG,
        WithoutEffect,
        &["sinusoidal_pos_embds"],
        "how the position table was initialized; the table itself is part of the weights",
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
            "summary_type",
            "summary_use_proj",
            "summary_activation",
            "summary_last_dropout",
            "classifier_pooling",
            "classifier_bias",
            "classifier_activation",
            "decoder_bias",
            "sparse_prediction",
            "sparse_pred_ignore_index",
            "deterministic_flash_attn",
            "reference_compile",
            "repad_logits_with_grad",
            "attn_implementation",
            "_attn_implementation",
            "_attn_implementation_autoset",
            "model_name",
            "emb_size",
            "cell",
            "pre_trained",
            "structure",
        ],
        "heads, generation, names, origin of the weights",
    ),
    keys(
        TOKENIZER,
        Honoured,
        &["tokenizer_class"],
        "the class that builds the pipeline; classes with a different pipeline are rejected",
    ),
    keys(
        TOKENIZER,
        Honoured,
        &["do_lower_case", "strip_accents", "tokenize_chinese_chars"],
        "for BERT and MPNet classes; override tokenizer.json (defaults: true, null, true)",
    ),
    keys(
        TOKENIZER,
        Honoured,
        &["add_prefix_space"],
        "for RoBERTa and XLM-RoBERTa classes; overrides tokenizer.json (defaults: false, true)",
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
        "special and added tokens, with their flags; if added_tokens_decoder is present, only it counts",
    ),
    keys(
        TOKENIZER,
        Honoured,
        &["split_special_tokens"],
        "whether special tokens in the text are split like words",
    ),
    keys(
        TOKENIZER,
        Honoured,
        &["model_max_length", "max_len"],
        "the token limit, if max_seq_length is absent",
    ),
    keys(
        TOKENIZER,
        Honoured,
        &["truncation_side"],
        "the end at which long sentences are truncated (default: that of tokenizer.json)",
    ),
    keys(
        TOKENIZER,
        Refused,
        &["padding_side"],
        "left, for BERT, DistilBERT and ELECTRA: positions in a sentence would depend on the batch",
    ),
    keys(
        TOKENIZER,
        Refused,
        &["model_input_names"],
        "token_type_ids, if tokenizer.json assigns types other than 0",
    ),
    keys(TOKENIZER, Refused, &["chat_template"], "without a modules.json; with one it has no effect"),
    keys(TOKENIZER, WithoutEffect, &["pad_to_multiple_of", "pad_token_type_id"], "micse does not pad"),
    keys(TOKENIZER, WithoutEffect, &["trim_offsets", "return_offsets_mapping"], "affect offsets, not IDs"),
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
        "no supported class reads them",
    ),
    keys(TRANSFORMER, Honoured, &["max_seq_length"], "the token limit"),
    keys(TRANSFORMER, Honoured, &["do_lower_case"], "lower-casing before the tokenizer"),
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
        "arguments for other libraries; only empty ones are accepted",
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
        "only token states of text are supported",
    ),
    keys(
        TRANSFORMER,
        WithoutEffect,
        &["unpad_inputs", "backend", "cache_dir"],
        "affect how embeddings are computed, not their values",
    ),
    keys(
        SETTINGS,
        Honoured,
        &["prompts", "default_prompt_name"],
        "the default prompt is prepended to every sentence; query and document are empty unless set",
    ),
    keys(SETTINGS, Honoured, &["truncate_dim"], "the number of embedding entries to keep, after all modules"),
    keys(SETTINGS, Refused, &["model_type"], "only SentenceTransformer is supported"),
    keys(
        SETTINGS,
        WithoutEffect,
        &["similarity_fn_name"],
        "similarity is always the cosine; a different value is reported, and kept on export",
    ),
    keys(SETTINGS, WithoutEffect, &["__version__", "requirements"], "versions of other libraries"),
    keys(MODULES, Honoured, &["type", "path"], "the modules, in the order of the file"),
    keys(MODULES, Refused, &["name"], "duplicate names are not supported"),
    keys(MODULES, WithoutEffect, &["idx", "kwargs"], "sentence-transformers uses the order of the file too"),
    keys(
        POOLING,
        Honoured,
        &["pooling_mode", "pooling_mode_cls_token", "pooling_mode_mean_tokens"],
        "cls or mean; --pooling overrides it",
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
    keys(POOLING, Honoured, &["include_prompt"], "if false, pooling skips the prompt tokens and [CLS]"),
    keys(
        POOLING,
        WithoutEffect,
        &["word_embedding_dimension", "embedding_dimension"],
        "the encoder's hidden size is used",
    ),
    keys(
        DENSE,
        Honoured,
        &["in_features", "out_features", "bias", "activation_function", "use_residual"],
        "a linear layer with Identity, Tanh, ReLU, GELU, Sigmoid, SiLU or LeakyReLU; other activations are rejected",
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
    keys(DROPOUT, WithoutEffect, &["dropout"], "active in training only"),
];
