//! The transformers tokenizer class of a folder, which determines its pipeline.

use serde_json::{Map, Value};

/// How transformers builds a tokenizer from a folder's files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Class {
    /// `BertTokenizer`: word pieces, pipeline from `tokenizer_config.json`.
    Bert,
    /// `MPNetTokenizer`: the same with different special tokens.
    Mpnet,
    /// `RobertaTokenizer`: byte-level BPE.
    Roberta,
    /// `XLMRobertaTokenizer`: a unigram model.
    XlmRoberta,
    /// `AlbertTokenizer`: a unigram model, lower case and without accents unless `tokenizer_config.json` says otherwise.
    Albert,
    /// `tokenizer.json` unchanged.
    AsItIs,
}

/// Classes with their own pipelines, which this crate does not build. Unknown class names use
/// `tokenizer.json` unchanged.
const OTHERS: [&str; 77] = [
    "BarthezTokenizer",
    "BartphoTokenizer",
    "BertJapaneseTokenizer",
    "BertweetTokenizer",
    "BigBirdTokenizer",
    "BioGptTokenizer",
    "BlenderbotSmallTokenizer",
    "BlenderbotTokenizer",
    "ByT5Tokenizer",
    "CLIPTokenizer",
    "CTRLTokenizer",
    "CamembertTokenizer",
    "CanineTokenizer",
    "ClvpTokenizer",
    "CodeLlamaTokenizer",
    "CohereTokenizer",
    "ConvBertTokenizer",
    "CpmAntTokenizer",
    "CpmTokenizer",
    "DPRContextEncoderTokenizer",
    "DPRQuestionEncoderTokenizer",
    "DPRReaderTokenizer",
    "DebertaTokenizer",
    "DebertaV2Tokenizer",
    "DiaTokenizer",
    "EsmTokenizer",
    "EsmcTokenizer",
    "FNetTokenizer",
    "FSMTTokenizer",
    "FlaubertTokenizer",
    "FunnelTokenizer",
    "GPT2Tokenizer",
    "GPTNeoXJapaneseTokenizer",
    "GPTNeoXTokenizer",
    "GemmaTokenizer",
    "HerbertTokenizer",
    "LasrTokenizer",
    "LayoutLMv2Tokenizer",
    "LayoutLMv3Tokenizer",
    "LayoutXLMTokenizer",
    "LlamaTokenizer",
    "LukeTokenizer",
    "MBart50Tokenizer",
    "MBartTokenizer",
    "MarkupLMTokenizer",
    "MgpstrTokenizer",
    "MvpTokenizer",
    "MyT5Tokenizer",
    "NllbTokenizer",
    "NougatTokenizer",
    "OpenAIGPTTokenizer",
    "PLBartTokenizer",
    "ParakeetTokenizer",
    "PegasusTokenizer",
    "PerceiverTokenizer",
    "PhobertTokenizer",
    "ProphetNetTokenizer",
    "Qwen2Tokenizer",
    "Qwen3_5Tokenizer",
    "RagTokenizer",
    "ReformerTokenizer",
    "RemBertTokenizer",
    "RoCBertTokenizer",
    "RoFormerTokenizer",
    "SeamlessM4TTokenizer",
    "Siglip2Tokenizer",
    "SplinterTokenizer",
    "T5Tokenizer",
    "TapasTokenizer",
    "UdopTokenizer",
    "VideoPrismTokenizer",
    "VitsTokenizer",
    "Wav2Vec2CTCTokenizer",
    "Wav2Vec2PhonemeCTCTokenizer",
    "WhisperTokenizer",
    "XGLMTokenizer",
    "XLNetTokenizer",
];

impl Class {
    /// The class in `tokenizer_class` of `tokenizer_config.json` or else of `config.json`; without it, the
    /// class that `model_type` implies. `None` if no file determines it.
    pub(super) fn of(
        tokenizer_config: &Map<String, Value>,
        config: &Map<String, Value>,
    ) -> Result<Option<Self>, String> {
        let named = |keys: &Map<String, Value>| -> Result<Option<String>, String> {
            match keys.get("tokenizer_class") {
                None | Some(Value::Null) => Ok(None),
                Some(Value::String(name)) => Ok(Some(name.clone())),
                Some(other) => Err(format!("tokenizer_class is {other}; it must be a name")),
            }
        };
        let (first, second) = (named(tokenizer_config)?, named(config)?);
        let empty = first.as_deref() == Some("");
        match first.filter(|name| !name.is_empty()).or(second.filter(|name| !name.is_empty())) {
            Some(name) => Self::named(&name).map(Some),
            None if empty => Ok(Some(Self::AsItIs)),
            None => Ok(match config.get("model_type").and_then(Value::as_str) {
                Some("bert" | "distilbert" | "electra" | "nomic_bert") => Some(Self::Bert),
                Some("albert") => Some(Self::Albert),
                Some("mpnet") => Some(Self::Mpnet),
                Some("roberta") => Some(Self::Roberta),
                Some("xlm-roberta" | "gte") => Some(Self::XlmRoberta),
                _ => None,
            }),
        }
    }

    fn named(name: &str) -> Result<Self, String> {
        // Since version 5, a class name with the suffix "Fast" means the same class.
        let plain =
            if name.starts_with("PreTrained") { name } else { name.strip_suffix("Fast").unwrap_or(name) };
        match plain {
            "BertTokenizer"
            | "DistilBertTokenizer"
            | "ElectraTokenizer"
            | "MobileBertTokenizer"
            | "LayoutLMTokenizer"
            | "LxmertTokenizer"
            | "SqueezeBertTokenizer" => Ok(Self::Bert),
            "MPNetTokenizer" => Ok(Self::Mpnet),
            "RobertaTokenizer" | "BartTokenizer" | "LEDTokenizer" | "LongformerTokenizer" => {
                Ok(Self::Roberta)
            }
            "XLMRobertaTokenizer" => Ok(Self::XlmRoberta),
            "AlbertTokenizer" => Ok(Self::Albert),
            other if OTHERS.contains(&other) || other == "XLMTokenizer" => Err(format!(
                "tokenizer_class is {name}, which is not supported; save a complete tokenizer.json and set \
                 tokenizer_class to PreTrainedTokenizerFast"
            )),
            _ => Ok(Self::AsItIs),
        }
    }

    /// Default special tokens by key.
    pub(super) fn named_tokens(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::Bert => &[
                ("unk_token", "[UNK]"),
                ("sep_token", "[SEP]"),
                ("pad_token", "[PAD]"),
                ("cls_token", "[CLS]"),
                ("mask_token", "[MASK]"),
            ],
            Self::Mpnet => &[
                ("bos_token", "<s>"),
                ("eos_token", "</s>"),
                ("unk_token", "[UNK]"),
                ("sep_token", "</s>"),
                ("pad_token", "<pad>"),
                ("cls_token", "<s>"),
                ("mask_token", "<mask>"),
            ],
            Self::Roberta | Self::XlmRoberta => &[
                ("bos_token", "<s>"),
                ("eos_token", "</s>"),
                ("unk_token", "<unk>"),
                ("sep_token", "</s>"),
                ("pad_token", "<pad>"),
                ("cls_token", "<s>"),
                ("mask_token", "<mask>"),
            ],
            Self::Albert => &[
                ("bos_token", "[CLS]"),
                ("eos_token", "[SEP]"),
                ("unk_token", "<unk>"),
                ("sep_token", "[SEP]"),
                ("pad_token", "<pad>"),
                ("cls_token", "[CLS]"),
                ("mask_token", "[MASK]"),
            ],
            Self::AsItIs => &[],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_are_those_that_transformers_takes() {
        let of = |tokenizer: &str, config: &str| {
            let map = |text: &str| serde_json::from_str::<Map<String, Value>>(text).expect("JSON");
            Class::of(&map(tokenizer), &map(config))
        };
        for (tokenizer, config, class) in [
            ("{}", r#"{"model_type": "distilbert"}"#, Some(Class::Bert)),
            ("{}", r#"{"model_type": "xlm-roberta"}"#, Some(Class::XlmRoberta)),
            (r#"{"tokenizer_class": "AlbertTokenizerFast"}"#, "{}", Some(Class::Albert)),
            ("{}", r#"{"model_type": "gte"}"#, Some(Class::XlmRoberta)),
            ("{}", r#"{"model_type": "new"}"#, None),
            ("{}", "{}", None),
            (
                r#"{"tokenizer_class": null}"#,
                r#"{"tokenizer_class": "RobertaTokenizerFast"}"#,
                Some(Class::Roberta),
            ),
            (r#"{"tokenizer_class": "MPNetTokenizer"}"#, r#"{"model_type": "bert"}"#, Some(Class::Mpnet)),
            (
                r#"{"tokenizer_class": "PreTrainedTokenizerFast"}"#,
                r#"{"model_type": "bert"}"#,
                Some(Class::AsItIs),
            ),
            (r#"{"tokenizer_class": "SomebodysTokenizer"}"#, "{}", Some(Class::AsItIs)),
            (r#"{"tokenizer_class": ""}"#, r#"{"model_type": "bert"}"#, Some(Class::AsItIs)),
        ] {
            assert_eq!(of(tokenizer, config), Ok(class), "{tokenizer} {config}");
        }
        for refused in ["BertJapaneseTokenizer", "GPT2TokenizerFast", "XLMTokenizer"] {
            let error = of(&format!(r#"{{"tokenizer_class": "{refused}"}}"#), "{}").expect_err(refused);
            assert!(error.contains(refused), "{error}");
        }
        assert!(of(r#"{"tokenizer_class": 3}"#, "{}").is_err());
    }
}
