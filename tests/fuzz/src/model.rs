//! Model files: configurations, weights, tokenizers, and the modules after the encoder.

use std::path::{Path, PathBuf};

use candle_core::{DType, Tensor};
use micse_files as files;
use micse_model::int8::{Rounding, quantize};
use micse_model::{BertConfig, Checkpoint, Family, ModelFolder, SentenceModel, Tokenizer, save_safetensors};
use micse_tests::models::{TINY_VOCABULARY, into_shards, write_tiny_model};
use tempfile::TempDir;

use crate::archive::archive;
use crate::{choosing, chosen, told};

const SENTENCES: [&str; 3] = ["a small dog", "", "Zürich, 東京 <mask> [MASK]"];

/// The weights of a folder.
#[derive(Clone, Copy)]
enum Weights {
    InOneFile,
    InShards,
    InInt8,
}

/// A model whose files are replaced one at a time, so each thread needs its own copy.
struct Folder {
    folder: TempDir,
    names: &'static [&'static str],
}

impl Folder {
    fn new(family: Family, weights: Weights, names: &'static [&'static str]) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        write_tiny_model(folder.path(), family);
        match weights {
            Weights::InOneFile => {}
            Weights::InShards => into_shards(folder.path()),
            Weights::InInt8 => return Self { folder: into_int8(folder.path()), names },
        }
        Self { folder, names }
    }

    fn seeds(&self) -> Vec<Vec<u8>> {
        let file = |(index, name): (usize, &&str)| {
            choosing(index, &std::fs::read(self.folder.path().join(name)).expect("a file of the model"))
        };
        self.names.iter().enumerate().map(file).collect()
    }

    /// Loads the model and encodes with the chosen file replaced.
    fn read(&self, bytes: &[u8]) -> Result<(), String> {
        let Some((index, bytes)) = chosen(bytes, self.names.len()) else { return Err("no file".into()) };
        let path = self.folder.path().join(self.names[index]);
        let whole = std::fs::read(&path).expect("a file of the model");
        std::fs::write(&path, bytes).expect("a file");
        let model = SentenceModel::open(self.folder.path());
        std::fs::write(&path, whole).expect("a file");
        // Weights can be finite and still overflow: that error names the sentence, as a model knows no folder.
        let rows = told(model, self.folder.path())?.encode(&SENTENCES).map_err(|error| error.to_string())?;
        assert_eq!(rows.len(), SENTENCES.len());
        Ok(())
    }
}

thread_local! {
    static WHOLE: Folder = Folder::new(Family::DistilBert, Weights::InOneFile, &[
        "config.json", "model.safetensors", "tokenizer.json", "modules.json", "1_Pooling/config.json",
        "2_Dense/config.json", "2_Dense/model.safetensors", "sentence_bert_config.json",
        "config_sentence_transformers.json",
    ]);
    static SHARDS: Folder = Folder::new(Family::Mpnet, Weights::InShards, &[
        "model.safetensors.index.json", "model-0.safetensors", "config.json",
    ]);
    static INT8: Folder = Folder::new(Family::Bert, Weights::InInt8, &["int8.safetensors", "config.json"]);
}

/// Writes the model in int8 to another folder.
fn into_int8(folder: &Path) -> TempDir {
    let (base, model) = (ModelFolder::open(folder), SentenceModel::open(folder));
    let (base, model) = (base.expect("a model"), model.expect("a model"));
    let ids = model.pipeline().tokenize(&SENTENCES, model.max_length()).expect("tokens");
    let quantized = quantize(model.encoder(), &ids, Rounding::Nearest).expect("a quantised encoder");
    let int8 = tempfile::tempdir().expect("a folder");
    model.save_int8(int8.path(), &base, &quantized).expect("a folder");
    int8
}

pub(crate) fn folder_seeds() -> Vec<Vec<u8>> {
    WHOLE.with(Folder::seeds)
}

/// Reads a model folder with one file replaced.
pub(crate) fn folder(bytes: &[u8]) -> Result<(), String> {
    WHOLE.with(|folder| folder.read(bytes))
}

pub(crate) fn shards_seeds() -> Vec<Vec<u8>> {
    SHARDS.with(Folder::seeds)
}

/// Reads a model folder with sharded weights, with one file replaced.
pub(crate) fn shards(bytes: &[u8]) -> Result<(), String> {
    SHARDS.with(|folder| folder.read(bytes))
}

pub(crate) fn int8_seeds() -> Vec<Vec<u8>> {
    INT8.with(Folder::seeds)
}

/// Reads a model folder in int8, with one file replaced.
pub(crate) fn int8(bytes: &[u8]) -> Result<(), String> {
    INT8.with(|folder| folder.read(bytes))
}

/// The configurations of all families, as written by transformers.
pub(crate) fn config_seeds() -> Vec<Vec<u8>> {
    let file = |family: Family| fixtures().join("architectures").join(family.name()).join("config.json");
    Family::ALL.into_iter().map(|family| std::fs::read(file(family)).expect("the fixture")).collect()
}

/// Reads a configuration, writes it, and reads it again.
pub(crate) fn config(bytes: &[u8]) -> Result<(), String> {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("config.json");
    std::fs::write(&path, bytes).expect("a file");
    let config = told(BertConfig::load(&path), "config.json")?;
    files::write_json(&path, &config).expect("config.json");
    assert_eq!(BertConfig::load(&path).map_err(|e| e.to_string()), Ok(config));
    Ok(())
}

/// Reads every tensor of a weights file.
fn read_all(name: &str, bytes: &[u8]) -> Result<(), String> {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join(name);
    std::fs::write(&path, bytes).expect("a file");
    let checkpoint = told(Checkpoint::open(&path), name)?;
    let names: Vec<&str> = checkpoint.tensors().map(|(name, _)| name).collect();
    for tensor in names {
        let tensor = told(checkpoint.read(tensor), name)?;
        assert!(
            tensor.elem_count() * tensor.dtype().size_in_bytes() <= 64 * bytes.len(),
            "the tensor is far larger than the file"
        );
    }
    Ok(())
}

pub(crate) fn safetensors_seeds() -> Vec<Vec<u8>> {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("weights.safetensors");
    let tensor = |dtype| {
        Tensor::new(&[[0.5_f32, -1.0], [2.0, 0.25]], &candle_core::Device::Cpu)
            .and_then(|t| t.to_dtype(dtype))
    };
    let named = |(name, dtype): (&str, DType)| (name.to_owned(), tensor(dtype).expect("a tensor"));
    let tensors: Vec<(String, Tensor)> =
        [("a", DType::F32), ("b.weight", DType::BF16), ("c", DType::I64)].map(named).into();
    save_safetensors(&path, &tensors).expect("weights");
    vec![std::fs::read(&path).expect("weights")]
}

/// Reads weights in safetensors format.
pub(crate) fn safetensors(bytes: &[u8]) -> Result<(), String> {
    read_all("model.safetensors", bytes)
}

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures")
}

pub(crate) fn pytorch_seeds() -> Vec<Vec<u8>> {
    vec![std::fs::read(fixtures().join("pytorch/pytorch_model.bin")).expect("the fixture")]
}

/// Reads weights in PyTorch's archive format.
pub(crate) fn pytorch(bytes: &[u8]) -> Result<(), String> {
    read_all("pytorch_model.bin", bytes)
}

pub(crate) fn pickle_seeds() -> Vec<Vec<u8>> {
    let bytes = std::fs::read(fixtures().join("pytorch/pytorch_model.bin")).expect("the fixture");
    // The archive's first entry: a header of 30 bytes, the name, then the pickle up to the next header.
    let start = 30 + usize::from(bytes[26]) + usize::from(bytes[28]);
    let end = start + bytes[start..].windows(4).position(|w| w == b"PK\x03\x04").expect("the next entry");
    vec![bytes[start..end].to_vec()]
}

/// Reads a pickle in an intact archive.
pub(crate) fn pickle(bytes: &[u8]) -> Result<(), String> {
    const STORAGE: [u8; 1024] = [0; 1024];
    let names: Vec<String> = (0..21).map(|i| format!("a/data/{i}")).collect();
    let mut files: Vec<(&str, &[u8])> = vec![("a/data.pkl", bytes), ("a/data/head", &STORAGE)];
    files.extend(names.iter().map(|name| (name.as_str(), &STORAGE[..])));
    read_all("pytorch_model.bin", &archive(&files))
}

const TOKENIZERS: [&str; 4] = ["bert", "roberta", "xlm-roberta", "mpnet"];

pub(crate) fn tokenizer_seeds() -> Vec<Vec<u8>> {
    TOKENIZERS
        .map(|family| std::fs::read(fixtures().join("architectures").join(family).join("tokenizer.json")))
        .map(|file| file.expect("the fixture"))
        .into()
}

/// Reads `tokenizer.json`: WordPiece in two forms, byte-level BPE, Unigram.
pub(crate) fn tokenizer(bytes: &[u8]) -> Result<(), String> {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("tokenizer.json"), bytes).expect("a file");
    tokenize(folder.path())
}

const VOCABULARY_FILES: [&str; 7] = [
    "vocab.txt",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.json",
    "merges.txt",
    "tokenizer.json",
];

fn vocabulary_file(index: usize) -> Vec<u8> {
    match index {
        0 => TINY_VOCABULARY.join("\n").into_bytes(),
        1 => br#"{"do_lower_case": false, "strip_accents": null, "tokenize_chinese_chars": true, "truncation_side": "left",
                 "additional_special_tokens": ["small"]}"#
            .to_vec(),
        2 => br#"{"cls_token": {"content": "[CLS]", "lstrip": true}, "sep_token": "[SEP]"}"#.to_vec(),
        3 => br#"{"covid": 40, "graphene": 41}"#.to_vec(),
        6 => std::fs::read(fixtures().join("architectures/bert/tokenizer.json")).expect("the fixture"),
        _ => std::fs::read(fixtures().join("architectures/merges").join(VOCABULARY_FILES[index]))
            .expect("the fixture"),
    }
}

pub(crate) fn vocabulary_seeds() -> Vec<Vec<u8>> {
    let mpnet = ["<s>", "<pad>", "</s>", "[UNK]", "a", "small", "##s", "<mask>"].join("\n");
    let files = (0..VOCABULARY_FILES.len()).map(|index| choosing(index, &vocabulary_file(index)));
    files.chain([choosing(0, mpnet.as_bytes())]).collect()
}

/// Reads the older files of WordPiece or byte-level BPE, or a tokenizer.json whose class builds its own pipeline.
pub(crate) fn vocabulary(bytes: &[u8]) -> Result<(), String> {
    let Some((index, bytes)) = chosen(bytes, VOCABULARY_FILES.len()) else { return Err("no file".into()) };
    let folder = tempfile::tempdir().expect("a folder");
    let together: &[usize] = match index {
        // MPNet's vocabulary has different special tokens from special_tokens_map.json.
        0 => &[0, 1, 3],
        1..4 => &[0, 1, 2, 3],
        4..6 => &[4, 5],
        _ => &[6, 1, 3],
    };
    if index == 6 {
        // The class that builds its own pipeline.
        std::fs::write(folder.path().join("config.json"), r#"{"model_type": "bert"}"#).expect("a file");
    }
    for &file in together {
        let bytes = if file == index { bytes } else { &vocabulary_file(file) };
        std::fs::write(folder.path().join(VOCABULARY_FILES[file]), bytes).expect("a file");
    }
    tokenize(folder.path())
}

fn tokenize(folder: &Path) -> Result<(), String> {
    let tokenizer = told(Tokenizer::load(folder), folder)?;
    // A model rejects vocabularies that are larger than its word table.
    told(tokenizer.check_fits(1000), folder)?;
    assert!(tokenizer.tokens().len() <= 1000);
    let rows = told(tokenizer.encode_all(&SENTENCES, 20), folder)?;
    assert!(rows.iter().all(|row| row.len() <= 20), "rows must not exceed the token limit");
    Ok(())
}

thread_local! {
    static WORKING: [Tokenizer; 4] = TOKENIZERS
        .map(|family| Tokenizer::load(&fixtures().join("architectures").join(family)).expect("a tokenizer"));
}

pub(crate) fn sentences_seeds() -> Vec<Vec<u8>> {
    let text = "The dog barks; the \u{e9}tude doesn\u{2019}t.  \u{6771}\u{4eac} <mask>[SEP]\u{1f469}\u{200d}\u{1f680}";
    vec![text.into(), SENTENCES[0].into()]
}

/// Encodes any text with intact tokenizers: the result must be vocabulary IDs between the two special tokens.
pub(crate) fn sentences(bytes: &[u8]) -> Result<(), String> {
    let text = String::from_utf8_lossy(bytes);
    WORKING.with(|tokenizers| {
        for tokenizer in tokenizers {
            let ids = tokenizer.encode(&text, 20).map_err(|error| error.to_string())?;
            let empty = tokenizer.encode("", 20).map_err(|error| error.to_string())?;
            assert!((2..=20).contains(&ids.len()));
            assert_eq!((ids.first(), ids.last()), (empty.first(), empty.last()));
            assert!(ids.iter().all(|id| (*id as usize) < tokenizer.vocabulary_size()));
        }
        Ok(())
    })
}
