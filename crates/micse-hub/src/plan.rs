//! Selects the files of a repository that make up a model.
use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use crate::id::is_safe_path;

/// The list of sentence-transformers modules.
pub(crate) const MODULES: &str = "modules.json";

/// Files that a model or module folder may have in addition to its weights.
const WANTED: [&str; 22] = [
    "config.json",
    MODULES,
    "config_sentence_transformers.json",
    "sentence_bert_config.json",
    // Older names of the same file.
    "sentence_roberta_config.json",
    "sentence_distilbert_config.json",
    "sentence_camembert_config.json",
    "sentence_albert_config.json",
    "sentence_xlm-roberta_config.json",
    "sentence_xlnet_config.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.txt",
    "vocab.json",
    "merges.txt",
    "sentencepiece.bpe.model",
    "spiece.model",
    // This project's own files: a masked-LM head, and whitening or a flow.
    "mlm_head.safetensors",
    "post.json",
    "post.safetensors",
];

/// A tokenizer needs at least one of these.
const TOKENIZERS: [&str; 5] =
    ["tokenizer.json", "vocab.txt", "vocab.json", "sentencepiece.bpe.model", "spiece.model"];

/// Weights in order of preference; an index stands for the shards that it lists.
const WEIGHTS: [&str; 5] = [
    "model.safetensors",
    "model.safetensors.index.json",
    "pytorch_model.bin",
    "pytorch_model.bin.index.json",
    "int8.safetensors",
];

/// Modules that say in a `config.json` what they do.
const CONFIGURED: [&str; 2] = ["Pooling", "Dense"];

#[derive(Deserialize)]
struct Module {
    path: String,
    #[serde(default, rename = "type")]
    class: String,
}

#[derive(Deserialize)]
struct Index {
    weight_map: BTreeMap<String, String>,
}

/// Why no plan exists: a description of what is wrong with the repository, or an error while reading its
/// files.
pub(crate) enum NoPlan<E> {
    Problem(String),
    Read(E),
}

/// Selects from the file names of a repository (`names`) the files to download, in this order. `read` returns a file's
/// text.
pub(crate) fn plan<E>(
    names: &BTreeSet<String>,
    mut read: impl FnMut(&str) -> Result<String, E>,
) -> Result<Vec<String>, NoPlan<E>> {
    let mut folders = vec![String::new()];
    let mut encoder = String::new();
    // Token vectors instead of an encoder: they have no configuration, and their tokenizer is always in one file.
    let mut token_vectors = false;
    if names.contains(MODULES) {
        let text = read(MODULES).map_err(NoPlan::Read)?;
        let modules: Vec<Module> = parse(MODULES, &text)?;
        for (position, module) in modules.iter().enumerate() {
            // Folders by model2vec have the path `.`.
            let path = module.path.trim_end_matches('/');
            let path = if path == "." { "" } else { path.trim_start_matches("./") };
            if !path.is_empty() && !is_safe_path(path) {
                return Err(leaves(MODULES, path));
            }
            let prefix = if path.is_empty() { String::new() } else { format!("{path}/") };
            if position == 0 {
                encoder.clone_from(&prefix);
                let name = module.class.rsplit('.').next().unwrap_or_default();
                token_vectors = name == "StaticEmbedding";
                if !["Transformer", "StaticEmbedding", ""].contains(&name) {
                    // Whoever reads the folder refuses such a module, with the reason.
                    let small = ["config.json", "router_config.json"].map(|file| format!("{prefix}{file}"));
                    return Ok([MODULES.to_owned()]
                        .into_iter()
                        .chain(small)
                        .filter(|f| names.contains(f))
                        .collect());
                }
            }
            let class = module.class.rsplit('.').next().unwrap_or_default();
            let config = format!("{prefix}config.json");
            if CONFIGURED.contains(&class) && !names.contains(&config) {
                return Err(NoPlan::Problem(format!(
                    "{MODULES} lists a {class} in {path:?}, but {config} is missing"
                )));
            }
            if !folders.contains(&prefix) {
                folders.push(prefix);
            }
        }
    }
    // The encoder's weights come last: a folder that has them is complete, even if its download was cut short.
    folders.sort_by_key(|prefix| *prefix == encoder);
    let mut wanted = Vec::new();
    for prefix in &folders {
        let there = |name: &&&str| names.contains(&format!("{prefix}{name}"));
        wanted.extend(WANTED.iter().filter(there).map(|name| format!("{prefix}{name}")));
        // A root without the encoder may contain other weights, such as an export, that nothing reads.
        if prefix.is_empty() && !encoder.is_empty() {
            continue;
        }
        if let Some(weights) = WEIGHTS.iter().find(there) {
            let weights = format!("{prefix}{weights}");
            wanted.push(weights.clone());
            if weights.ends_with(".index.json") {
                let text = read(&weights).map_err(NoPlan::Read)?;
                let index: Index = parse(&weights, &text)?;
                let shards: BTreeSet<String> = index.weight_map.into_values().collect();
                for shard in shards {
                    if !is_safe_path(&shard) {
                        return Err(leaves(&weights, &shard));
                    }
                    let shard = format!("{prefix}{shard}");
                    if !names.contains(&shard) {
                        return Err(NoPlan::Problem(format!("{weights} lists {shard}, which is missing")));
                    }
                    wanted.push(shard);
                }
            }
        } else if *prefix == encoder {
            return Err(NoPlan::Problem(no_weights(names, prefix)));
        }
    }
    let missing =
        |name: &str, what: &str| NoPlan::Problem(format!("{encoder}{name} is missing; a model needs {what}"));
    if !token_vectors && !names.contains(&format!("{encoder}config.json")) {
        return Err(missing("config.json", "a configuration"));
    }
    let tokenizers = if token_vectors { &TOKENIZERS[..1] } else { &TOKENIZERS[..] };
    if !tokenizers.iter().any(|name| names.contains(&format!("{encoder}{name}"))) {
        return Err(missing("tokenizer.json", "a tokenizer (tokenizer.json or a vocabulary)"));
    }
    Ok(wanted)
}

fn no_weights(names: &BTreeSet<String>, prefix: &str) -> String {
    let others = [".h5", ".msgpack", ".onnx", ".gguf", ".ckpt", ".ot"];
    let found: Vec<&str> = names
        .iter()
        .filter(|name| others.iter().any(|end| name.ends_with(end)))
        .map(String::as_str)
        .take(3)
        .collect();
    let other = match found.as_slice() {
        [] => String::new(),
        found => format!(" (found {}, which micse does not read)", found.join(", ")),
    };
    format!(
        "no {prefix}model.safetensors or {prefix}pytorch_model.bin{other}; look for another repository of \
         the same model, or convert it with transformers: \
         AutoModel.from_pretrained(...).save_pretrained(FOLDER)"
    )
}

fn leaves<E>(file: &str, path: &str) -> NoPlan<E> {
    NoPlan::Problem(format!("{file} lists {path:?}, which is outside the model folder; it is not downloaded"))
}

fn parse<'a, T: Deserialize<'a>, E>(name: &str, text: &'a str) -> Result<T, NoPlan<E>> {
    serde_json::from_str(text).map_err(|error| NoPlan::Problem(format!("{name} is invalid: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan_of(files: &[(&str, &str)]) -> Result<Vec<String>, String> {
        let names = files.iter().map(|(name, _)| (*name).to_owned()).collect();
        let read = |name: &str| {
            files.iter().find(|(file, _)| *file == name).map(|(_, text)| (*text).to_owned()).ok_or("not read")
        };
        let sorted = |mut wanted: Vec<String>| {
            wanted.sort();
            wanted
        };
        plan(&names, read).map(sorted).map_err(|no| match no {
            NoPlan::Problem(problem) => problem,
            NoPlan::Read(error) => error.to_owned(),
        })
    }

    #[test]
    fn safetensors_go_before_pytorch_and_nothing_else_is_taken() {
        let base = [("config.json", ""), ("vocab.txt", ""), ("README.md", ""), ("tf_model.h5", "")];
        let with = |more: &[(&'static str, &'static str)]| plan_of(&[&base, more].concat());
        let index = r#"{"metadata": {}, "weight_map": {"a": "m-1.bin", "b": "m-2.bin", "c": "m-1.bin"}}"#;
        assert_eq!(
            with(&[("model.safetensors", ""), ("pytorch_model.bin", ""), ("onnx/model.onnx", "")]).unwrap(),
            ["config.json", "model.safetensors", "vocab.txt"]
        );
        assert_eq!(
            with(&[("pytorch_model.bin", ""), ("pytorch_model.bin.index.json", index)]).unwrap(),
            ["config.json", "pytorch_model.bin", "vocab.txt"]
        );
        let shards = [("pytorch_model.bin.index.json", index), ("m-1.bin", ""), ("m-2.bin", "")];
        assert_eq!(
            with(&shards).unwrap(),
            ["config.json", "m-1.bin", "m-2.bin", "pytorch_model.bin.index.json", "vocab.txt"]
        );
        assert!(with(&shards[..2]).unwrap_err().contains("m-2.bin, which is missing"));
        assert!(with(&[]).unwrap_err().contains("tf_model.h5"));
    }

    #[test]
    fn modules_bring_their_folders() {
        let modules = r#"[{"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.models.Transformer"}, {"idx": 1, "path": "1_Pooling"},
                          {"idx": 2, "path": "2_Dense"}, {"idx": 3, "path": "3_Normalize"}]"#;
        let files = [
            ("config.json", ""),
            ("tokenizer.json", ""),
            ("model.safetensors", ""),
            ("modules.json", modules),
            ("1_Pooling/config.json", ""),
            ("1_Pooling/notes.md", ""),
            ("2_Dense/config.json", ""),
            ("2_Dense/pytorch_model.bin", ""),
            ("4_Other/config.json", ""),
        ];
        let expected = [
            "1_Pooling/config.json",
            "2_Dense/config.json",
            "2_Dense/pytorch_model.bin",
            "config.json",
            "model.safetensors",
            "modules.json",
            "tokenizer.json",
        ];
        assert_eq!(plan_of(&files).unwrap(), expected);
    }

    #[test]
    fn the_encoder_may_lie_in_a_folder_of_its_own() {
        let modules = r#"[{"path": "0_Transformer/"}, {"path": "1_Pooling"}]"#;
        let files = [
            ("modules.json", modules),
            ("0_Transformer/config.json", ""),
            ("0_Transformer/vocab.txt", ""),
            ("0_Transformer/pytorch_model.bin", ""),
            ("1_Pooling/config.json", ""),
            ("pytorch_model.bin", ""),
        ];
        let wanted = plan_of(&files).unwrap();
        assert_eq!(wanted.len(), 5, "{wanted:?}");
        assert!(!wanted.contains(&"pytorch_model.bin".to_owned()));
    }

    #[test]
    fn an_encoder_has_its_weights_only_if_everything_else_is_there() {
        for (encoder, weights) in
            [("", "model.safetensors"), ("0_Transformer/", "0_Transformer/model.safetensors")]
        {
            let modules = format!(
                r#"[{{"path": "{encoder}"}}, {{"path": "1_Pooling", "type": "sentence_transformers.models.Pooling"}}]"#
            );
            let names =
                ["config.json", "vocab.txt", "model.safetensors"].map(|name| format!("{encoder}{name}"));
            let mut names: BTreeSet<String> = names.into();
            names.insert(MODULES.to_owned());
            names.insert("1_Pooling/config.json".to_owned());
            let read = |_: &str| Ok::<_, ()>(modules.clone());
            let wanted = plan(&names, read).ok().expect("a plan");
            assert_eq!(wanted.last().map(String::as_str), Some(weights), "{wanted:?}");
            names.remove("1_Pooling/config.json");
            let Err(NoPlan::Problem(problem)) = plan(&names, read) else { panic!("a plan without pooling") };
            assert!(problem.contains("1_Pooling/config.json is missing"), "{problem}");
        }
    }

    #[test]
    fn token_vectors_need_no_configuration() {
        let of = |path: &str| {
            format!(
                r#"[{{"path": "{path}", "type": "sentence_transformers.models.StaticEmbedding"}}, {{"path": "./1_Dense"}}]"#
            )
        };
        let (here, below) = (of("."), of("0_StaticEmbedding"));
        let files = [
            ("modules.json", here.as_str()),
            ("tokenizer.json", ""),
            ("model.safetensors", ""),
            ("1_Dense/config.json", ""),
        ];
        let expected = ["1_Dense/config.json", "model.safetensors", "modules.json", "tokenizer.json"];
        assert_eq!(plan_of(&files).unwrap(), expected);
        let files = [
            ("modules.json", below.as_str()),
            ("0_StaticEmbedding/tokenizer.json", ""),
            ("0_StaticEmbedding/model.safetensors", ""),
        ];
        assert_eq!(plan_of(&files).unwrap().len(), 3);
        let words = [("modules.json", here.as_str()), ("vocab.txt", ""), ("model.safetensors", "")];
        assert!(plan_of(&words).unwrap_err().contains("tokenizer.json"));
    }

    #[test]
    fn modules_that_nothing_reads_bring_their_configuration_alone() {
        let modules = r#"[{"path": "", "type": "sentence_transformers.base.modules.router.Router"}]"#;
        let files = [
            ("modules.json", modules),
            ("router_config.json", "{}"),
            ("document_0_Transformer/model.safetensors", ""),
        ];
        assert_eq!(plan_of(&files).unwrap(), ["modules.json", "router_config.json"]);
    }

    #[test]
    fn weights_in_int8_are_the_last_choice() {
        let files = [("config.json", ""), ("vocab.txt", ""), ("int8.safetensors", "")];
        assert!(plan_of(&files).unwrap().contains(&"int8.safetensors".to_owned()));
        let both = [&files[..], &[("pytorch_model.bin", "")]].concat();
        assert!(!plan_of(&both).unwrap().contains(&"int8.safetensors".to_owned()));
    }

    #[test]
    fn names_that_lead_out_are_refused() {
        let base = [("config.json", ""), ("vocab.txt", "")];
        for path in ["../x", "/etc", "a/../../x", "..", "a\\\\b"] {
            let modules = format!(r#"[{{"path": ""}}, {{"path": "{path}"}}]"#);
            let files = [&base[..], &[("modules.json", &modules), ("model.safetensors", "")]].concat();
            assert!(plan_of(&files).unwrap_err().contains("outside the model folder"), "{path}");
            let index = format!(r#"{{"weight_map": {{"a": "{path}"}}}}"#);
            let files = [&base[..], &[("model.safetensors.index.json", &index)]].concat();
            assert!(plan_of(&files).unwrap_err().contains("outside the model folder"), "{path}");
        }
    }

    #[test]
    fn what_is_no_model_is_said() {
        let weights = ("model.safetensors", "");
        assert!(plan_of(&[weights, ("vocab.txt", "")]).unwrap_err().contains("config.json"));
        assert!(plan_of(&[weights, ("config.json", "")]).unwrap_err().contains("tokenizer"));
        let broken = [weights, ("config.json", ""), ("vocab.txt", ""), ("modules.json", "{")];
        assert!(plan_of(&broken).unwrap_err().contains("modules.json"));
    }
}
