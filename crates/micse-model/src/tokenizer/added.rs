//! Added tokens: which tokens are added to a vocabulary, with which flags, in which order, as in transformers
//! 5.
//!
//! If `tokenizer_config.json` contains `added_tokens_decoder`, it alone decides; otherwise
//! `special_tokens_map.json`, `added_tokens.json` and the list in `tokenizer.json` do. The IDs in these files
//! only determine the order: a token has its ID in the vocabulary, or the next free one.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};
use tokenizers::AddedToken;

use super::class::Class;

/// The keys of special tokens, in the order in which the tokens are added.
const KEYS: [&str; 7] =
    ["bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token"];

/// The added tokens of a folder.
#[derive(Debug)]
pub(super) struct Added {
    /// All tokens to add, in order.
    pub(super) tokens: Vec<AddedToken>,
    /// The text of each special token by its key, such as `cls_token`.
    pub(super) named: BTreeMap<String, String>,
    /// The texts of all other special tokens.
    pub(super) further: Vec<String>,
    /// The texts of the tokens that a file lists with an ID.
    pub(super) listed: BTreeSet<String>,
}

/// The files that define tokens.
pub(super) struct Sources<'a> {
    pub(super) tokenizer_config: &'a Map<String, Value>,
    pub(super) special_tokens_map: Option<&'a Map<String, Value>>,
    pub(super) added_tokens: Option<&'a Map<String, Value>>,
    pub(super) tokenizer_json: Option<&'a Value>,
}

/// A token, with or without flags.
#[derive(Clone, Debug)]
enum Entry {
    Plain(String),
    Flagged(AddedToken),
}

impl Entry {
    fn text(&self) -> &str {
        match self {
            Self::Plain(text) => text,
            Self::Flagged(token) => &token.content,
        }
    }

    fn into_token(self) -> AddedToken {
        match self {
            Self::Plain(text) => AddedToken::from(text, true),
            Self::Flagged(token) => token,
        }
    }

    /// The value of a key such as `cls_token`: a text, or a token with flags. `special` is the default of the
    /// flag of that name.
    fn of(key: &str, value: &Value, special: bool) -> Result<Self, String> {
        match value {
            Value::String(text) => Ok(Self::Plain(text.clone())),
            Value::Object(keys) => token(keys, special).map(Self::Flagged).map_err(|e| format!("{key}: {e}")),
            other => Err(format!("{key} is {other}; it must be a token or its text")),
        }
    }
}

/// A token from its keys. By default, a token that is not special is normalized.
fn token(keys: &Map<String, Value>, special: bool) -> Result<AddedToken, String> {
    let content = keys.get("content").and_then(Value::as_str).ok_or("a token without `content`")?;
    let flag = |key: &str, default: bool| match keys.get(key) {
        None | Some(Value::Null) => Ok(default),
        Some(Value::Bool(value)) => Ok(*value),
        Some(other) => Err(format!("the token {content:?} has {key} {other}; it must be true or false")),
    };
    let special = flag("special", special)?;
    Ok(AddedToken::from(content.to_owned(), special)
        .single_word(flag("single_word", false)?)
        .lstrip(flag("lstrip", false)?)
        .rstrip(flag("rstrip", false)?)
        .normalized(flag("normalized", !special)?))
}

impl Added {
    /// Combines the sources for a tokenizer of this class, which already has the `known` added tokens.
    pub(super) fn of(class: Class, sources: &Sources<'_>, known: &BTreeSet<String>) -> Result<Self, String> {
        let mut keys = sources.tokenizer_config.clone();
        let list = |keys: &Map<String, Value>, key: &str| {
            keys.get(key).filter(|v| !v.is_null() && *v != &Value::Array(Vec::new())).cloned()
        };
        if list(&keys, "extra_special_tokens").is_none()
            && let Some(more) = list(&keys, "additional_special_tokens")
        {
            keys.insert("extra_special_tokens".into(), more);
        }
        let by_id = decoder(sources, &mut keys)?;
        if list(&keys, "extra_special_tokens").is_none()
            && let Some(more) = list(&keys, "additional_special_tokens")
        {
            keys.insert("extra_special_tokens".into(), more);
        }
        let named = named(class, &keys, &by_id, sources.tokenizer_json)?;
        let further = match keys.get("extra_special_tokens") {
            Some(Value::Array(list)) => {
                list.iter().map(|v| Entry::of("extra_special_tokens", v, true)).collect::<Result<_, _>>()?
            }
            _ => Vec::new(),
        };

        let mut seen: BTreeSet<String> = known.clone();
        seen.extend(by_id.values().map(|token| token.content.clone()));
        let special: BTreeSet<&str> = named.iter().map(|(_, entry)| entry.text()).collect();
        let mut tokens: Vec<AddedToken> = by_id.values().cloned().collect();
        for entry in named.iter().map(|(_, entry)| entry).chain(&further) {
            if !seen.contains(entry.text()) {
                tokens.push(entry.clone().into_token());
            }
        }
        for token in &mut tokens {
            // Its own normalization flag is kept.
            token.special |= special.contains(token.content.as_str());
        }
        Ok(Self {
            tokens,
            named: named.iter().map(|(key, entry)| (key.clone(), entry.text().to_owned())).collect(),
            further: further.iter().map(|entry| entry.text().to_owned()).collect(),
            listed: by_id.into_values().map(|token| token.content).collect(),
        })
    }
}

/// The tokens that files list with IDs. Without `added_tokens_decoder`, `special_tokens_map.json` overrides
/// `keys`.
fn decoder(
    sources: &Sources<'_>,
    keys: &mut Map<String, Value>,
) -> Result<BTreeMap<u64, AddedToken>, String> {
    let mut by_id = BTreeMap::new();
    match sources.tokenizer_config.get("added_tokens_decoder") {
        None | Some(Value::Null) => {}
        Some(Value::Object(listed)) => {
            for (id, value) in listed {
                let number =
                    id.parse().map_err(|_| format!("added_tokens_decoder has the invalid ID {id:?}"))?;
                let value =
                    value.as_object().ok_or("added_tokens_decoder has an entry that is not a token")?;
                by_id.insert(number, token(value, false)?);
            }
            return Ok(by_id);
        }
        Some(_) => return Err("added_tokens_decoder is not a table of IDs and tokens".into()),
    }
    for (key, value) in sources.special_tokens_map.into_iter().flatten() {
        // An object is a special token; a list is appended to the existing one.
        let value = match (value, keys.get(key)) {
            (Value::Array(more), Some(Value::Array(before))) if key == "extra_special_tokens" => {
                let new = more.iter().filter(|token| !before.contains(token));
                Value::Array(before.iter().chain(new).cloned().collect())
            }
            (Value::Object(table), _) if key != "extra_special_tokens" => {
                let mut table = table.clone();
                table.insert("special".into(), true.into());
                Value::Object(table)
            }
            (other, _) => other.clone(),
        };
        keys.insert(key.clone(), value);
    }
    if let Some(listed) = sources.added_tokens {
        let content = |value: &Value| value.as_str().or_else(|| value["content"].as_str()).map(str::to_owned);
        let mut special: BTreeSet<String> =
            KEYS.iter().filter_map(|key| keys.get(*key)).filter_map(content).collect();
        if let Some(Value::Array(further)) = keys.get("extra_special_tokens") {
            special.extend(further.iter().filter_map(content));
        }
        for (text, id) in listed {
            let id = id.as_u64().ok_or_else(|| format!("added_tokens.json: the ID of {text:?} is {id}"))?;
            let special = special.contains(text);
            by_id.insert(id, AddedToken::from(text.clone(), special).normalized(!special));
        }
    }
    if let Some(file) = sources.tokenizer_json {
        let listed = file["added_tokens"].as_array().ok_or("`added_tokens` is not a list of tokens")?;
        for value in listed {
            let keys = value.as_object().ok_or("`added_tokens` has an entry that is not a token")?;
            let id = value["id"].as_u64().ok_or("`added_tokens` has a token without an ID")?;
            by_id.insert(id, token(keys, false).map_err(|e| format!("`added_tokens`: {e}"))?);
        }
    }
    Ok(by_id)
}

/// The special tokens with a name, in the order in which they are added.
fn named(
    class: Class,
    keys: &Map<String, Value>,
    by_id: &BTreeMap<u64, AddedToken>,
    tokenizer_json: Option<&Value>,
) -> Result<Vec<(String, Entry)>, String> {
    let listed = |entry: Entry| match by_id.values().find(|token| token.content == entry.text()) {
        Some(token) => Entry::Flagged(token.clone()),
        None => entry,
    };
    let mut named = Vec::new();
    for key in KEYS {
        let entry = match keys.get(key) {
            Some(Value::Null) => continue,
            Some(value) => listed(Entry::of(key, value, false)?),
            None => {
                let default = class.named_tokens().iter().find(|(name, _)| *name == key);
                let padding = tokenizer_json.and_then(|file| file["padding"]["pad_token"].as_str());
                match (default, padding) {
                    (Some((_, text)), _) => Entry::Plain((*text).to_owned()),
                    (None, Some(pad)) if class == Class::AsItIs && key == "pad_token" => {
                        Entry::Plain(pad.to_owned())
                    }
                    _ => continue,
                }
            }
        };
        let entry = match entry {
            // MPNet's mask token includes the space before it.
            Entry::Plain(text) if class == Class::Mpnet => {
                Entry::Flagged(AddedToken::from(text, true).lstrip(key == "mask_token"))
            }
            other => other,
        };
        named.push((key.to_owned(), entry));
    }
    let standard = named.len();
    for (key, value) in keys {
        if key.ends_with("_token")
            && !KEYS.contains(&key.as_str())
            && (value.is_string() || value.is_object())
        {
            named.push((key.clone(), listed(Entry::of(key, value, true)?)));
        }
    }
    if let Some(Value::Object(table)) = keys.get("extra_special_tokens") {
        for (key, value) in table {
            named.push((key.clone(), listed(Entry::of(key, value, true)?)));
        }
    }
    // Their IDs would depend on the order in the file, which is not kept here.
    let unlisted = named[standard..]
        .iter()
        .filter(|(_, entry)| !by_id.values().any(|token| token.content == entry.text()));
    let unlisted: Vec<&str> = unlisted.map(|(key, _)| key.as_str()).collect();
    if unlisted.len() > 1 {
        return Err(format!(
            "the special tokens {} have no IDs; list them in added_tokens_decoder",
            unlisted.join(", ")
        ));
    }
    Ok(named)
}
