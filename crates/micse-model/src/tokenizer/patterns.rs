//! Regular expressions in `tokenizer.json`, compared with Python's tokenizers 0.23.3:
//! `pre_tokenizers.Split(Regex(pattern), "isolated").pre_tokenize_str(text)`.

use serde_json::{Map, json};

use super::Tokenizer;

/// Pattern, text, and the pieces in Python. In these, engines of regular expressions differ: the joiners of
/// Persian and Hindi, combining marks, digits and letters beyond ASCII, line ends, hexadecimal digits.
const CASES: [(&str, &str, &[&str]); 17] = [
    (r"\w+", "می\u{200c}خواهم بروم", &["می", "\u{200c}", "خواهم", " ", "بروم"]),
    (r"\w+", "क\u{94d}\u{200d}ष हिन्दी", &["क\u{94d}", "\u{200d}", "ष", " ", "हिन्दी"]),
    (r"\w+", "x² Ⅳ ½", &["x²", " ", "Ⅳ", " ", "½"]),
    (r"\w+", "e\u{301}te\u{301}", &["e\u{301}te\u{301}"]),
    (r"\b", "می\u{200c}خواهم", &["می", "\u{200c}", "خواهم"]),
    (r"[[:alpha:]]+", "x² Ⅳ ½", &["x", "² ", "Ⅳ", " ½"]),
    (r"[[:alpha:]]+", "naïve café", &["naïve", " ", "café"]),
    (r"[[:alpha:]]+", "e\u{301}te", &["e", "\u{301}", "te"]),
    (r"[[:upper:]]", "Straße İstanbul", &["S", "traße ", "İ", "stanbul"]),
    (r"[[:punct:]]", "“so”, he", &["“", "so", "”", ",", " he"]),
    (r"^\w", "one\ntwo", &["o", "ne\n", "t", "wo"]),
    (r"\w$", "one\ntwo", &["on", "e", "\ntw", "o"]),
    (r"\d+", "١٢٣ 12", &["١٢٣", " ", "12"]),
    (r"\s+", "\u{a0}x\u{2003}y\u{85}z", &["\u{a0}", "x", "\u{2003}", "y", "\u{85}", "z"]),
    (r"\h+", "café 9z", &["caf", "é ", "9", "z"]),
    (r"(?i:straße|ss)", "STRASSE Straße", &["STRASSE", " ", "Straße"]),
    (r"(?<=a)b(?!c)", "abc ab", &["abc a", "b"]),
];

#[test]
fn patterns_split_text_as_in_python() {
    for (pattern, text, pieces) in CASES {
        let vocabulary: Map<String, serde_json::Value> = ["[UNK]"]
            .iter()
            .chain(pieces)
            .enumerate()
            .map(|(id, piece)| ((*piece).to_owned(), id.into()))
            .collect();
        let file = json!({
            "version": "1.0", "truncation": null, "padding": null, "added_tokens": [], "normalizer": null,
            "pre_tokenizer": {
                "type": "Split", "pattern": {"Regex": pattern}, "behavior": "Isolated", "invert": false
            },
            "post_processor": null, "decoder": null,
            "model": {"type": "WordLevel", "vocab": vocabulary, "unk_token": "[UNK]"}
        });
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("tokenizer.json"), file.to_string()).unwrap();
        let tokenizer = Tokenizer::load(folder.path()).unwrap();
        let expected: Vec<u32> = pieces.iter().map(|piece| tokenizer.id(piece).unwrap()).collect();
        assert_eq!(tokenizer.encode(text, 512).unwrap(), expected, "{pattern} on {text:?}");
    }
}
