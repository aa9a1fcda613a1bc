//! Model folders small enough for tests to damage them byte by byte.

use std::path::Path;

use candle_core::{DType, Tensor};
use micse_files as files;
use micse_model::{
    BertConfig, Checkpoint, Compute, Dense, DenseActivation, Family, LocalAttention, LocalLayers,
    ModelFolder, Pooling, RandomWeights, Rotary, Tokenizer, add_dense, build_encoder, save_model,
    save_safetensors,
};
use micse_random::Stream;

/// The vocabulary of [`write_tiny_model`].
pub const TINY_VOCABULARY: [&str; 9] =
    ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a", "small", "dog", "##s"];

/// Writes a model folder of a few kilobytes with every kind of file: one layer of hidden size 8 with random weights,
/// nine word pieces, mean pooling, and a dense module to 3 dimensions.
///
/// # Panics
/// If the folder cannot be written.
pub fn write_tiny_model(folder: &Path, family: Family) {
    let base = folder.join("base");
    files::write_whole(&base.join("vocab.txt"), TINY_VOCABULARY.join("\n").as_bytes()).expect("vocab.txt");
    let tokenizer = Tokenizer::load(&base).expect("a tokenizer");
    tokenizer.save(&base.join("tokenizer.json")).expect("tokenizer.json");
    // Every family uses BERT's tokenizer here.
    let class = serde_json::json!({"tokenizer_class": "BertTokenizer"});
    files::write_json(&base.join("tokenizer_config.json"), &class).expect("tokenizer_config.json");
    let mut config = BertConfig::with_sizes(TINY_VOCABULARY.len(), 1, 8, 2, 12);
    config.family = family;
    config.intermediate_size = 8;
    if !family.has_token_types() {
        config.type_vocab_size = 0;
    }
    if family == Family::Mpnet {
        config.pad_token_id = 1;
    }
    if family.projects_embeddings() {
        config.embedding_size = 6;
    }
    if family.shares_layers() {
        config.num_hidden_groups = Some(1);
    }
    if family.has_rotary() {
        config.rotary = Some(rotary(family));
    }
    files::write_json(&base.join("config.json"), &config).expect("config.json");
    let mut weights = RandomWeights { deviation: 0.2, stream: Stream::new(7) };
    let encoder = build_encoder(config, &mut weights, &Compute::cpu()).expect("an encoder");
    let base = ModelFolder::open(&base).expect("the base");
    save_model(folder, encoder.as_ref(), &base, Pooling::Mean, DType::F32).expect("a model");
    let dense = Dense::new(vec![0.5; 24], Some(vec![0.1; 3]), 8, DenseActivation::Tanh).expect("a layer");
    add_dense(folder, &dense).expect("a layer");
}

/// Rotary positions, with local layers in a `ModernBERT`.
fn rotary(family: Family) -> Rotary {
    let local = LocalAttention { theta: 10_000.0, window: 2, layers: LocalLayers::AllButEvery(3) };
    Rotary { theta: 160_000.0, factor: 1.0, local: (family == Family::ModernBert).then_some(local) }
}

/// Writes the small model ([`crate::write_small_model`]) as a `ModernBERT`, with random weights of its own: two of its
/// four layers attend to two tokens on each side.
///
/// # Panics
/// If the folder cannot be written.
pub fn write_small_modernbert(folder: &Path) {
    let base = folder.join("base");
    crate::write_small_model(&base);
    let small = ModelFolder::open(&base).and_then(|base| base.config()).expect("the small model");
    let config = BertConfig {
        family: Family::ModernBert,
        type_vocab_size: 0,
        intermediate_size: 48,
        rotary: Some(rotary(Family::ModernBert)),
        ..small
    };
    // Its weights are a BERT's.
    std::fs::remove_file(base.join("model.safetensors")).expect("the weights");
    files::write_json(&base.join("config.json"), &config).expect("config.json");
    let mut weights = RandomWeights { deviation: 0.2, stream: Stream::new(7) };
    let encoder = build_encoder(config, &mut weights, &Compute::cpu()).expect("an encoder");
    let base = ModelFolder::open(&base).expect("the base");
    save_model(folder, encoder.as_ref(), &base, Pooling::Cls, DType::F32).expect("a model");
}

/// Splits a model folder's weights into two shards.
///
/// # Panics
/// If the folder has no unsharded weights, or cannot be written.
pub fn into_shards(folder: &Path) {
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
