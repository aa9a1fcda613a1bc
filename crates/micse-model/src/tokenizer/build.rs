//! Builds a tokenizer of the tokenizers library from a folder's files, as transformers 5 does.
//!
//! The transformers classes for BERT, RoBERTa, MPNet, XLM-RoBERTa and ALBERT use vocabulary and merges from
//! `tokenizer.json` (else from `vocab.txt`, or `vocab.json` and `merges.txt`) and build the rest of the
//! pipeline from `tokenizer_config.json`. They ignore the normalization, pre-tokenization and special tokens
//! around a sentence in `tokenizer.json`. Other classes use `tokenizer.json` unchanged. Added tokens come
//! last ([`super::added`]).

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};
use tokenizers::processors::bert::BertProcessing;
use tokenizers::processors::roberta::RobertaProcessing;
use tokenizers::{Encoding, Token, Tokenizer as HfTokenizer};

use super::added::{Added, Sources};
use super::class::Class;
use super::{SPECIAL_OF_MPNET, guarded};
use crate::files::{object, read_text};
use crate::{Error, Result};

/// A tokenizer, with other settings from its files.
pub(super) struct Built {
    pub(super) inner: HfTokenizer,
    /// The file with the vocabulary.
    pub(super) path: PathBuf,
    pub(super) added: Added,
    /// Whether `truncation_side` is left.
    pub(super) keeps_end: bool,
    /// Whether `padding_side` is left.
    pub(super) pads_left: bool,
    /// Parts of `tokenizer.json` that the class replaces.
    pub(super) replaced: Vec<&'static str>,
}

/// The form of the vocabulary.
enum Vocabulary {
    Json(Value),
    Words(Map<String, Value>),
    Merges(Map<String, Value>, Vec<Value>),
}

/// Builds the tokenizer from a vocabulary file and the configuration files in the same folder.
pub(super) fn build(path: &Path) -> Result<Built> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let file = |name: &str| -> Result<Option<Map<String, Value>>> {
        object(&folder.join(name)).map_err(|e| match e {
            Error::Config { path, reason } => Error::Tokenizer { path, reason },
            other => other,
        })
    };
    let invalid = |reason: String| Error::Tokenizer { path: path.into(), reason };
    let config_path = folder.join("tokenizer_config.json");
    let misconfigured = |reason: String| Error::Tokenizer {
        path: if config_path.is_file() { config_path.clone() } else { path.into() },
        reason,
    };
    // Report the list that contains the error.
    let unlisted = |reason: String| {
        if reason.starts_with("`added_tokens`") { invalid(reason) } else { misconfigured(reason) }
    };
    let tokenizer_config = file("tokenizer_config.json")?.unwrap_or_default();
    let vocabulary = Vocabulary::read(path)?;
    let config = file("config.json").unwrap_or_default().unwrap_or_default();
    // In transformers 5, ModernBERT has the general class, whatever name a file gives.
    let general = matches!(vocabulary, Vocabulary::Json(_))
        && config.get("model_type").is_some_and(|t| t == "modernbert");
    let class = if general {
        Some(Class::AsItIs)
    } else {
        Class::of(&tokenizer_config, &config).map_err(&misconfigured)?
    };
    let class = class.unwrap_or_else(|| vocabulary.usual_class());
    if class == Class::AsItIs && !matches!(vocabulary, Vocabulary::Json(_)) {
        return Err(misconfigured(
            "this tokenizer class cannot be built from a vocabulary alone; it needs a tokenizer.json".into(),
        ));
    }
    let (special_tokens_map, added_tokens) = (file("special_tokens_map.json")?, file("added_tokens.json")?);
    let json = match &vocabulary {
        Vocabulary::Json(json) => Some(json),
        _ => None,
    };
    let sources = Sources {
        tokenizer_config: &tokenizer_config,
        special_tokens_map: special_tokens_map.as_ref(),
        added_tokens: added_tokens.as_ref(),
        tokenizer_json: json,
    };
    // The class's special tokens must be known before the pipeline is built: word pieces need their unknown
    // token.
    let draft = Added::of(class, &sources, &BTreeSet::new()).map_err(&unlisted)?;
    let (definition, replaced) = match class {
        Class::AsItIs => (json.cloned().unwrap_or_default(), Vec::new()),
        _ => definition(class, &vocabulary, &tokenizer_config, &draft).map_err(&misconfigured)?,
    };
    let mut inner = guarded(|| {
        serde_json::to_vec(&definition)
            .map_err(|e| e.to_string())
            .and_then(|bytes| HfTokenizer::from_bytes(bytes).map_err(|e| e.to_string()))
    })
    .map_err(|e| invalid(format!("invalid tokenizer file: {e}")))?;
    inner.with_padding(None);
    inner.with_truncation(None).map_err(|e| invalid(e.to_string()))?;
    let known: BTreeSet<String> =
        inner.get_added_tokens_decoder().into_values().map(|token| token.content).collect();
    let added = Added::of(class, &sources, &known).map_err(&unlisted)?;
    if class != Class::AsItIs {
        check_special_tokens(class, &inner, &added).map_err(&invalid)?;
    }
    guarded(|| inner.add_tokens(added.tokens.clone())).map_err(&invalid)?;
    put_around(class, &mut inner, &added).map_err(&invalid)?;
    if tokenizer_config.get("split_special_tokens").and_then(Value::as_bool) == Some(true) {
        inner.set_encode_special_tokens(true);
    }
    if class == Class::AsItIs {
        check_token_types(&inner, &tokenizer_config).map_err(&misconfigured)?;
    }
    let side = |key: &str, section: &str| {
        is_left(&tokenizer_config, key, json.map(|json| &json[section]["direction"]))
    };
    let keeps_end = side("truncation_side", "truncation").map_err(&misconfigured)?;
    let pads_left = side("padding_side", "padding").map_err(&misconfigured)?;
    Ok(Built { inner, path: path.into(), added, keeps_end, pads_left, replaced })
}

/// Whether a side is left, from its key in `tokenizer_config.json`, else from `tokenizer.json`.
fn is_left(
    config: &Map<String, Value>,
    key: &str,
    json: Option<&Value>,
) -> std::result::Result<bool, String> {
    let own = config.get(key).filter(|side| !side.is_null());
    let side = own.or(json).and_then(Value::as_str).map(str::to_ascii_lowercase);
    match side.as_deref() {
        None | Some("right") => Ok(false),
        Some("left") => Ok(true),
        Some(other) => Err(format!("{key} is {other:?}; it must be right or left")),
    }
}

/// Rejects a post-processor with token types other than 0: here, all token types are 0.
fn check_token_types(inner: &HfTokenizer, config: &Map<String, Value>) -> std::result::Result<(), String> {
    let inputs = config.get("model_input_names").and_then(Value::as_array);
    if !inputs.is_some_and(|names| names.iter().any(|name| name == "token_type_ids")) {
        return Ok(());
    }
    let sentence = Encoding::from_tokens(vec![Token::new(0, "x".into(), (0, 1))], 0);
    let whole = guarded(|| inner.post_process(sentence, None, true))?;
    if whole.get_type_ids().iter().all(|kind| *kind == 0) {
        return Ok(());
    }
    Err("model_input_names has token_type_ids, and the post-processor of tokenizer.json assigns token types \
         other than 0, which is not supported"
        .into())
}

impl Vocabulary {
    fn read(path: &Path) -> Result<Self> {
        let invalid = |reason: String| Error::Tokenizer { path: path.into(), reason };
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let text = read_text(path)?;
        if name == "vocab.json" {
            let pieces: Map<String, Value> = serde_json::from_str(&text)
                .map_err(|e| invalid(format!("invalid byte-level vocabulary: {e}")))?;
            let merges = path.with_file_name("merges.txt");
            return Ok(Self::Merges(pieces, read_merges(&merges)?));
        }
        if name.ends_with(".json") {
            let json: Value =
                serde_json::from_str(&text).map_err(|e| invalid(format!("invalid tokenizer file: {e}")))?;
            return Ok(Self::Json(json));
        }
        let words = text.split('\n').enumerate();
        let count = text.strip_suffix('\n').unwrap_or(&text).split('\n').count();
        Ok(Self::Words(words.take(count).map(|(id, word)| (word.trim_end().to_owned(), id.into())).collect()))
    }

    /// The class of a vocabulary if no file defines one.
    fn usual_class(&self) -> Class {
        match self {
            Self::Json(_) => Class::AsItIs,
            Self::Merges(..) => Class::Roberta,
            Self::Words(words) if SPECIAL_OF_MPNET.iter().all(|token| words.contains_key(*token)) => {
                Class::Mpnet
            }
            Self::Words(_) => Class::Bert,
        }
    }
}

/// The rules of a `merges.txt`: two pieces per line, after a line with the version.
fn read_merges(path: &Path) -> Result<Vec<Value>> {
    let text = read_text(path)?;
    let lines = text.lines().enumerate().filter(|(_, line)| !line.starts_with("#version"));
    lines
        .map(|(i, line)| {
            let parts: Vec<&str> = line.split(' ').collect();
            match parts[..] {
                [first, second] => Ok(json!([first, second])),
                _ => Err(Error::Tokenizer {
                    path: path.into(),
                    reason: format!("line {} has {} pieces; a merge needs two", i + 1, parts.len()),
                }),
            }
        })
        .collect()
}

/// The equivalent `tokenizer.json` for a class that builds its own pipeline, and which parts of the given
/// file it replaces.
fn definition(
    class: Class,
    vocabulary: &Vocabulary,
    config: &Map<String, Value>,
    added: &Added,
) -> std::result::Result<(Value, Vec<&'static str>), String> {
    let flag = |key: &str, default: bool| match config.get(key) {
        None => Ok(default),
        Some(Value::Bool(value)) => Ok(*value),
        Some(other) => Err(format!("{key} is {other}; it must be true or false")),
    };
    let empty = Value::Null;
    let given = match vocabulary {
        Vocabulary::Json(json) => json,
        _ => &empty,
    };
    let pieces = match vocabulary {
        Vocabulary::Json(json) => json["model"]["vocab"].clone(),
        Vocabulary::Words(words) | Vocabulary::Merges(words, _) => Value::Object(words.clone()),
    };
    let merges = match vocabulary {
        Vocabulary::Merges(_, merges) => Value::Array(merges.clone()),
        Vocabulary::Json(json) => json["model"]["merges"].clone(),
        Vocabulary::Words(_) => Value::Null,
    };
    let kind = |wanted: &str, has: bool| {
        if has { Ok(()) } else { Err(format!("the tokenizer class requires a vocabulary of {wanted}")) }
    };
    let (model, normalizer, pre_tokenizer, decoder) = match class {
        Class::Bert | Class::Mpnet => {
            kind("word pieces", pieces.is_object())?;
            let accents = match config.get("strip_accents") {
                None | Some(Value::Null) => Value::Null,
                Some(Value::Bool(strip)) => (*strip).into(),
                Some(other) => {
                    return Err(format!("strip_accents is {other}; it must be true, false or null"));
                }
            };
            let unk = added.named.get("unk_token").cloned().unwrap_or_default();
            (
                json!({"type": "WordPiece", "unk_token": unk, "continuing_subword_prefix": "##",
                       "max_input_chars_per_word": 100, "vocab": pieces}),
                json!({"type": "BertNormalizer", "clean_text": true, "strip_accents": accents,
                       "handle_chinese_chars": flag("tokenize_chinese_chars", true)?,
                       "lowercase": flag("do_lower_case", true)?}),
                json!({"type": "BertPreTokenizer"}),
                json!({"type": "WordPiece", "prefix": "##", "cleanup": true}),
            )
        }
        Class::Roberta => {
            kind("byte-level BPE pieces", pieces.is_object() && merges.is_array())?;
            let space = flag("add_prefix_space", false)?;
            let level = json!({"type": "ByteLevel", "add_prefix_space": space, "trim_offsets": true, "use_regex": true});
            (
                json!({"type": "BPE", "dropout": null, "unk_token": null, "continuing_subword_prefix": "",
                       "end_of_word_suffix": "", "fuse_unk": false, "byte_fallback": false, "vocab": pieces,
                       "merges": merges}),
                Value::Null,
                level.clone(),
                level,
            )
        }
        Class::XlmRoberta | Class::Albert => {
            kind("unigram pieces with scores", pieces.is_array())?;
            let scheme = if flag("add_prefix_space", true)? { "always" } else { "never" };
            let meta = json!({"type": "Metaspace", "replacement": "\u{2581}", "prepend_scheme": scheme, "split": true});
            let precompiled = precompiled(&given["normalizer"]);
            let (unknown, normalizer) = if class == Class::Albert {
                (
                    1,
                    albert_normalizer(
                        flag("keep_accents", false)?,
                        flag("do_lower_case", true)?,
                        precompiled,
                    ),
                )
            } else {
                (3, precompiled)
            };
            (
                json!({"type": "Unigram", "unk_id": unknown, "vocab": pieces, "byte_fallback": false}),
                normalizer,
                json!({"type": "Sequence", "pretokenizers": [{"type": "WhitespaceSplit"}, meta]}),
                meta,
            )
        }
        Class::AsItIs => return Err("this class has no pipeline of its own".into()),
    };
    let mut replaced = Vec::new();
    if given.is_object() {
        if !same(&given["normalizer"], &normalizer) {
            replaced.push("normalizer");
        }
        if !same(&given["pre_tokenizer"], &pre_tokenizer) {
            replaced.push("pre_tokenizer");
        }
    }
    // AlbertTokenizer sets its own before the file is read, the other classes after it.
    let post_processor = if class == Class::Albert { given["post_processor"].clone() } else { Value::Null };
    let whole = json!({
        "version": "1.0", "truncation": null, "padding": null, "added_tokens": [], "normalizer": normalizer,
        "pre_tokenizer": pre_tokenizer, "post_processor": post_processor, "decoder": decoder, "model": model
    });
    Ok((whole, replaced))
}

/// Whether two parts of a pipeline produce the same IDs; their offsets may differ.
fn same(given: &Value, built: &Value) -> bool {
    let plain = |value: &Value| {
        let mut value = value.clone();
        if let Some(keys) = value.as_object_mut() {
            keys.remove("trim_offsets");
        }
        value
    };
    plain(given) == plain(built)
}

/// ALBERT's own normalization, then the sentencepiece table.
fn albert_normalizer(keeps_accents: bool, lower: bool, precompiled: Value) -> Value {
    let quotes =
        ["``", "''"].map(|pair| json!({"type": "Replace", "pattern": {"String": pair}, "content": "\""}));
    let mut steps = Vec::from(quotes);
    if !keeps_accents {
        steps.extend([json!({"type": "NFKD"}), json!({"type": "StripAccents"})]);
    }
    if lower {
        steps.push(json!({"type": "Lowercase"}));
    }
    if !precompiled.is_null() {
        steps.push(precompiled);
    }
    json!({"type": "Sequence", "normalizers": steps})
}

/// The sentencepiece table in a normalizer, if any.
fn precompiled(normalizer: &Value) -> Value {
    if normalizer["type"] == "Precompiled" {
        return normalizer.clone();
    }
    let parts = normalizer["normalizers"].as_array();
    parts.into_iter().flatten().find(|part| part["type"] == "Precompiled").cloned().unwrap_or(Value::Null)
}

/// The keys of the tokens before and after a sentence for a class.
fn around(class: Class) -> [&'static str; 2] {
    match class {
        // Not its cls_token and sep_token.
        Class::XlmRoberta => ["bos_token", "eos_token"],
        _ => ["cls_token", "sep_token"],
    }
}

/// Rejects a vocabulary without a token that the pipeline needs.
fn check_special_tokens(class: Class, inner: &HfTokenizer, added: &Added) -> std::result::Result<(), String> {
    let mut needed: Vec<&str> = around(class).to_vec();
    // The other models do not have a named unknown token.
    if matches!(class, Class::Bert | Class::Mpnet) {
        needed.push("unk_token");
    }
    for key in needed {
        let token = added.named.get(key).ok_or_else(|| format!("the folder defines no {key}"))?;
        let of = match class {
            Class::Bert | Class::Mpnet => "BERT or MPNet",
            Class::Albert => "ALBERT",
            _ => "RoBERTa",
        };
        // A token that no file lists would get an ID after the vocabulary, outside the encoder's word table.
        // The model itself needs its unknown token.
        let listed = key != "unk_token" && added.listed.contains(token);
        if inner.token_to_id(token).is_none() && !listed {
            return Err(format!("the vocabulary has no {token}; check that it belongs to a {of} model"));
        }
    }
    Ok(())
}

/// Sets the tokens around a sentence, for a class that builds its own pipeline.
fn put_around(class: Class, inner: &mut HfTokenizer, added: &Added) -> std::result::Result<(), String> {
    if class == Class::AsItIs || inner.get_post_processor().is_some() {
        return Ok(());
    }
    let [before, after] = around(class).map(|key| added.named.get(key).cloned().unwrap_or_default());
    let id = |token: &String| {
        inner
            .token_to_id(token)
            .ok_or_else(|| format!("the vocabulary has no {token}, which must begin or end every sentence"))
    };
    let (first, last) = ((before.clone(), id(&before)?), (after.clone(), id(&after)?));
    if matches!(class, Class::Bert | Class::Albert) {
        inner.with_post_processor(Some(BertProcessing::new(last, first)));
    } else {
        inner.with_post_processor(Some(RobertaProcessing::new(last, first).add_prefix_space(false)));
    }
    Ok(())
}
