//! Files of strangers: whatever bytes they have, loading them gives a model or an error, never a panic and never more
//! memory than a few times the files'. Small valid files are damaged in random places.

use std::path::{Path, PathBuf};

use candle_core::{DType, Device, Tensor};
use micse_model::{
    BertConfig, Checkpoint, Compute, Dense, DenseActivation, Family, ModelFolder, Pooling, RandomWeights,
    SentenceEncoder, Tokenizer, add_dense, build_encoder, files, save_model, save_safetensors,
};
use micse_random::Stream;
use proptest::prelude::*;

/// How a file is damaged.
#[derive(Clone, Debug)]
enum Damage {
    /// A byte is set.
    Set(prop::sample::Index, u8),
    /// The rest is cut off.
    Cut(prop::sample::Index),
    /// Bytes are put in.
    Insert(prop::sample::Index, Vec<u8>),
    /// Some bytes are taken out.
    Remove(prop::sample::Index, usize),
    /// A number in the text becomes another one.
    Number(prop::sample::Index, u64),
}

fn damage() -> impl Strategy<Value = Damage> {
    let at = any::<prop::sample::Index>;
    let number = prop_oneof![
        Just(0_u64),
        Just(1 << 31),
        Just(1 << 40),
        Just(u64::from(u32::MAX)),
        Just(i64::MAX as u64),
        Just(u64::MAX),
        0..100_u64
    ];
    prop_oneof![
        4 => (at(), any::<u8>()).prop_map(|(at, byte)| Damage::Set(at, byte)),
        1 => at().prop_map(Damage::Cut),
        1 => (at(), prop::collection::vec(any::<u8>(), 1..12)).prop_map(|(at, new)| Damage::Insert(at, new)),
        1 => (at(), 1..40_usize).prop_map(|(at, count)| Damage::Remove(at, count)),
        3 => (at(), number).prop_map(|(at, number)| Damage::Number(at, number)),
    ]
}

impl Damage {
    fn apply(&self, bytes: &mut Vec<u8>) {
        if bytes.is_empty() {
            return;
        }
        match self {
            Self::Set(at, byte) => {
                let at = at.index(bytes.len());
                bytes[at] = *byte;
            }
            Self::Cut(at) => bytes.truncate(at.index(bytes.len())),
            Self::Insert(at, new) => {
                let at = at.index(bytes.len());
                bytes.splice(at..at, new.iter().copied());
            }
            Self::Remove(at, count) => {
                let at = at.index(bytes.len());
                let end = (at + count).min(bytes.len());
                bytes.drain(at..end);
            }
            Self::Number(at, number) => {
                let digits: Vec<usize> = (0..bytes.len()).filter(|&i| bytes[i].is_ascii_digit()).collect();
                if digits.is_empty() {
                    return;
                }
                let start = digits[at.index(digits.len())];
                let end = (start..bytes.len()).find(|&i| !bytes[i].is_ascii_digit()).unwrap_or(bytes.len());
                bytes.splice(start..end, number.to_string().into_bytes());
            }
        }
    }
}

/// The bytes with all of these damages.
fn damaged(bytes: &[u8], damages: &[Damage]) -> Vec<u8> {
    let mut damaged = bytes.to_vec();
    for damage in damages {
        damage.apply(&mut damaged);
    }
    damaged
}

/// A folder with every kind of file: two layers behind the pooling, a byte-level tokenizer, weights in shards.
fn model(family: Family) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let base = folder.path().join("base");
    let words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a", "small", "dog", "##s"];
    files::write_whole(&base.join("vocab.txt"), words.join("\n").as_bytes()).expect("vocab.txt");
    let tokenizer = Tokenizer::load(&base).expect("a tokenizer");
    tokenizer.save(&base.join("tokenizer.json")).expect("tokenizer.json");
    let mut config = BertConfig::with_sizes(words.len(), 1, 8, 2, 12);
    config.family = family;
    config.intermediate_size = 8;
    if family == Family::DistilBert {
        config.type_vocab_size = 0;
    }
    files::write_json(&base.join("config.json"), &config).expect("config.json");
    let mut weights = RandomWeights { deviation: 0.2, stream: Stream::new(7) };
    let encoder = build_encoder(config, &mut weights, &Compute::cpu()).expect("an encoder");
    let base = ModelFolder::open(&base).expect("the base");
    save_model(folder.path(), encoder.as_ref(), &base, Pooling::Mean, DType::F32).expect("a model");
    let dense = Dense::new(vec![0.5; 24], Some(vec![0.1; 3]), 8, DenseActivation::Tanh).expect("a layer");
    add_dense(folder.path(), &dense).expect("a layer");
    folder
}

/// The same weights in two shards.
fn into_shards(folder: &Path) {
    let path = folder.join("model.safetensors");
    let whole = Checkpoint::open(&path).expect("weights");
    let names: Vec<String> = whole.tensors().map(|(name, _)| name.to_owned()).collect();
    let mut map = serde_json::Map::new();
    for (part, names) in names.chunks(names.len().div_ceil(2)).enumerate() {
        let file = format!("model-{part}.safetensors");
        let tensors: Vec<(String, Tensor)> =
            names.iter().map(|name| (name.clone(), whole.read(name).expect("a tensor"))).collect();
        save_safetensors(&folder.join(&file), &tensors).expect("a shard");
        map.extend(names.iter().map(|name| (name.clone(), file.clone().into())));
    }
    let index = serde_json::json!({"metadata": {"total_size": 1}, "weight_map": map});
    files::write_json(&folder.join("model.safetensors.index.json"), &index).expect("an index");
    std::fs::remove_file(path).expect("the whole");
}

fn load(folder: &Path) -> micse_model::Result<Vec<Vec<f32>>> {
    SentenceEncoder::open(folder)?.encode(&["a small dog", ""])
}

/// Damages one file of the folder, loads, and puts the file back.
fn survives(folder: &Path, file: &str, damages: &[Damage]) {
    let path = folder.join(file);
    let bytes = std::fs::read(&path).expect(file);
    std::fs::write(&path, damaged(&bytes, damages)).expect(file);
    if let Err(error) = load(folder) {
        assert!(!error.to_string().is_empty());
    }
    std::fs::write(&path, bytes).expect(file);
}

/// Some damages of some of the files.
fn cases(files: &'static [&'static str]) -> impl Strategy<Value = Vec<(&'static str, Vec<Damage>)>> {
    let one = (prop::sample::select(files), prop::collection::vec(damage(), 1..3));
    prop::collection::vec(one, 40)
}

/// A case is a whole folder; `PROPTEST_CASES` asks for more of them.
fn count() -> u32 {
    std::env::var("PROPTEST_CASES").map_or(24, |count| count.parse().expect("PROPTEST_CASES is a number"))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: count(), failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn folders_of_safetensors(cases in cases(&[
        "config.json", "model.safetensors", "tokenizer.json", "modules.json", "1_Pooling/config.json",
        "2_Dense/config.json", "2_Dense/model.safetensors", "sentence_bert_config.json",
        "config_sentence_transformers.json",
    ])) {
        let folder = model(Family::DistilBert);
        prop_assert_eq!(load(folder.path()).expect("a whole model")[0].len(), 3);
        for (file, damages) in cases {
            survives(folder.path(), file, &damages);
        }
        prop_assert!(load(folder.path()).is_ok());
    }

    #[test]
    fn folders_in_shards(cases in cases(&["model.safetensors.index.json", "model-0.safetensors", "config.json"])) {
        let folder = model(Family::Roberta);
        into_shards(folder.path());
        prop_assert_eq!(load(folder.path()).expect("a whole model")[0].len(), 3);
        for (file, damages) in cases {
            survives(folder.path(), file, &damages);
        }
    }

    /// WordPiece, byte-level BPE and Unigram, as transformers wrote them.
    #[test]
    fn tokenizers(
        family in prop::sample::select(&["bert", "roberta", "xlm-roberta"][..]),
        damages in prop::collection::vec(prop::collection::vec(damage(), 1..3), 40),
    ) {
        let fixture = fixtures().join("architectures").join(family).join("tokenizer.json");
        let bytes = std::fs::read(fixture).expect("the fixture");
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("tokenizer.json");
        for damages in damages {
            std::fs::write(&path, damaged(&bytes, &damages)).expect("a file");
            if let Ok(tokenizer) = Tokenizer::load(folder.path())
                && tokenizer.check_fits(1000).is_ok()
            {
                prop_assert!(tokenizer.tokens().len() <= 1000);
                let _ = tokenizer.encode_all(&["a small dog", "", "Zürich, 東京 <mask> [MASK]"], 20);
            }
        }
    }

    #[test]
    fn pytorch_files(damages in prop::collection::vec(prop::collection::vec(damage(), 1..4), 200)) {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("pytorch_model.bin");
        let bytes = std::fs::read(fixture()).expect("the fixture");
        std::fs::write(&path, &bytes).expect("the fixture");
        let tensors = read_all(&path).expect("a whole file");
        prop_assert_eq!(tensors, 22);
        for damages in damages {
            std::fs::write(&path, damaged(&bytes, &damages)).expect("a file");
            // Most of these files lose their directory; what is left of the pickle has a test of its own.
            let _ = read_all(&path);
        }
    }
}

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures")
}

fn fixture() -> PathBuf {
    fixtures().join("pytorch/pytorch_model.bin")
}

/// Reads every tensor, and says how many there are.
fn read_all(path: &Path) -> micse_model::Result<usize> {
    let checkpoint = Checkpoint::open(path)?;
    let names: Vec<&str> = checkpoint.tensors().map(|(name, _)| name).collect();
    for name in &names {
        let tensor = checkpoint.read(name)?;
        assert!(tensor.elem_count() * tensor.dtype().size_in_bytes() <= 1 << 20);
    }
    Ok(names.len())
}

/// Damages in the pickle alone: the archive around it stays whole.
#[test]
fn pickles_within_a_whole_archive() {
    let bytes = std::fs::read(fixture()).expect("the fixture");
    // The archive's first entry: a header of 30 bytes, the name, then the pickle up to the next header.
    let start = 30 + usize::from(bytes[26]) + usize::from(bytes[28]);
    let end = start + bytes[start..].windows(4).position(|w| w == b"PK\x03\x04").expect("the next entry");
    assert_eq!(bytes[start..start + 2], [0x80, 2]);
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("pytorch_model.bin");
    let mut draws = Stream::new(48).draws();
    let (mut whole, mut refused) = (0, 0);
    for _ in 0..3000 {
        let mut damaged = bytes.clone();
        for _ in 0..=draws.below(3) {
            let at = start + draws.below((end - start) as u64) as usize;
            damaged[at] = draws.below(256) as u8;
        }
        std::fs::write(&path, damaged).expect("a file");
        match read_all(&path) {
            Ok(_) => whole += 1,
            Err(_) => refused += 1,
        }
    }
    assert!(whole > 100 && refused > 1000, "{whole} were read, {refused} refused");
}

/// Sizes that would take all memory are refused before any of it is taken.
#[test]
fn impossible_sizes_are_refused_by_the_tensors_of_the_file() {
    let folder = model(Family::Bert);
    let path = folder.path().join("config.json");
    let text = std::fs::read_to_string(&path).expect("config.json");
    let short = "bytes cannot hold";
    for (from, to, says) in [
        ("\"vocab_size\": 9", "\"vocab_size\": 10", "word_embeddings"),
        ("\"vocab_size\": 9", "\"vocab_size\": 2000000000", short),
        ("\"num_hidden_layers\": 1", "\"num_hidden_layers\": 2", "encoder.layer.1."),
        ("\"num_hidden_layers\": 1", "\"num_hidden_layers\": 2000000000", short),
        ("\"intermediate_size\": 8", "\"intermediate_size\": 2000000000", short),
        ("\"max_position_embeddings\": 12", "\"max_position_embeddings\": 2000000000", short),
        ("\"num_hidden_layers\": 1", "\"num_hidden_layers\": 18446744073709551615", "num_hidden_layers"),
    ] {
        assert!(text.contains(from), "{from}: {text}");
        std::fs::write(&path, text.replace(from, to)).expect("config.json");
        let error = load(folder.path()).expect_err(to).to_string();
        assert!(error.contains(says), "{to}: {error}");
    }
}

#[test]
fn tensors_that_share_bytes_are_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("model.safetensors");
    let write = |second: &str| {
        let header = format!(
            r#"{{"a":{{"dtype":"F32","shape":[2],"data_offsets":[0,8]}},"b":{{"dtype":"F32","shape":[2],"data_offsets":{second}}}}}"#
        );
        let bytes = [&(header.len() as u64).to_le_bytes()[..], header.as_bytes(), &[0; 16]].concat();
        std::fs::write(&path, bytes).expect("a file");
        read_all(&path)
    };
    assert_eq!(write("[8,16]").expect("a whole file"), 2);
    for second in ["[0,8]", "[16,8]", "[8,12]", "[8,24]", "[18446744073709551608,18446744073709551615]"] {
        assert!(write(second).is_err(), "{second}");
    }
}

#[test]
fn a_path_of_a_module_stays_in_the_folder() {
    let folder = model(Family::Bert);
    let path = folder.path().join("modules.json");
    let text = std::fs::read_to_string(&path).expect("modules.json");
    for to in ["../2_Dense", "/2_Dense", "a/../../2_Dense"] {
        std::fs::write(&path, text.replace("2_Dense", to)).expect("modules.json");
        let error = load(folder.path()).expect_err(to).to_string();
        assert!(error.contains("leaves the folder"), "{to}: {error}");
    }
}

#[test]
fn a_tensor_of_no_float_type_is_no_parameter() {
    let folder = model(Family::Bert);
    let path = folder.path().join("model.safetensors");
    let whole = Checkpoint::open(&path).expect("weights");
    let name = "encoder.layer.0.output.dense.weight";
    let tensors: Vec<(String, Tensor)> = whole
        .tensors()
        .map(|(other, _)| {
            let tensor = whole.read(other).expect("a tensor");
            let tensor = if other == name { tensor.to_dtype(DType::I64) } else { Ok(tensor) };
            (other.to_owned(), tensor.and_then(|t| t.to_device(&Device::Cpu)).expect("a tensor"))
        })
        .collect();
    save_safetensors(&path, &tensors).expect("weights");
    let error = load(folder.path()).expect_err("a quantized tensor").to_string();
    assert!(error.contains(name) && error.contains("quantized"), "{error}");
}
