//! `run.toml`: everything that determines a run.

use std::num::NonZeroUsize;
use std::path::Path;

use micse_data::{Corpus, Parts, Task, TransferSuite};
use micse_files::Hash;
use micse_kernels::matmul::{Cache, l1_cache};
use micse_model::{Compute, Engine, MaskedLmHead, ModelFolder, Pooling, Precision, StaticFolder};
use serde::{Deserialize, Serialize};

use super::{EvaluationSets, Rule, RunInputs};
use crate::recipe::{Recipe, Select, is_default};
use crate::{Error, Result};

/// The sentences that a run trains on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SplitText {
    /// The corpus: file names, or `demo`.
    pub sources: Vec<String>,
    /// SHA-256 over the corpus's sentences, each followed by a line feed.
    pub sha256: String,
    /// Sentences of the corpus.
    pub corpus_sentences: usize,
    /// The requested size: `0.1%`, `1000`.
    pub size: String,
    /// Sentences of the split that the run trains on.
    pub sentences: usize,
    /// Sentences of the split that a judge uses instead; 0 without one.
    #[serde(default, skip_serializing_if = "is_default")]
    pub held_out: usize,
}

impl SplitText {
    pub(super) fn new(corpus: &Corpus, size: String, sentences: usize) -> Self {
        let info = corpus.info();
        Self {
            sources: info.sources.clone(),
            sha256: info.sha256.clone(),
            corpus_sentences: info.sentences,
            size,
            sentences,
            held_out: 0,
        }
    }

    /// The column *train text* in tables.
    pub fn name(&self) -> String {
        self.sources.join(" + ")
    }
}

/// Everything that determines a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// Version of this crate.
    pub version: String,
    /// The engine that computes the encoder.
    pub engine: Engine,
    /// The precision of the encoder's matrix products.
    pub precision: Precision,
    /// `cpu`, `cuda` or `metal`.
    pub device: String,
    /// Sentences encoded at a time; `None`: whole batches. The chunk size affects rounding.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub chunk: Option<NonZeroUsize>,
    /// The CPU's kind ([`cpu_features`]): results are bit-for-bit identical on CPUs of the same kind.
    pub cpu_features: Vec<String>,
    /// SHA-256 of the base encoder's configuration, weights and tokenizer files, or of the word or token vectors.
    pub encoder_sha256: String,
    /// SHA-256 of the other files in the base model folder that affect its embeddings: modules, prompts, limits, added
    /// tokens; `None`: no such files.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub modules_sha256: Option<String>,
    /// SHA-256 of the base model's separate masked-LM head file, if the recipe uses the head; `None`: the head is among
    /// the weights, or new.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub masked_lm_head_sha256: Option<String>,
    /// Name of the evaluation sets.
    pub evaluation: String,
    /// SHA-256 of their pairs and scores.
    pub evaluation_sha256: String,
    /// SHA-256 of the transfer tasks' sentences and classes; `None`: they are not scored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transfer_sha256: Option<String>,
    /// SHA-256 of the pairs used for selection, if they are not among the evaluation pairs: SICK's trial pairs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub selection_sha256: Option<String>,
    /// Pooling at test.
    pub pooling: Pooling,
    /// Seed of everything random; `None` without training.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seed: Option<u64>,
    /// The sentences; `None` without training.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<SplitText>,
    /// How a judge or development pairs choose the weights, the start's among them; `None` if nothing chooses.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub choice: Option<Rule>,
    /// The method; `None` without training.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recipe: Option<Recipe>,
}

const USUAL_CACHE: Cache = Cache { bytes: 32 << 10, ways: 8 };

/// What decides how matrix products are computed: the vector extensions to choose from and, because gemm derives the
/// blocks of long sums from it (except with AVX-512), an L1 data cache of another kind than the usual 32 KiB with 8 ways,
/// as in `l1d 48 KiB 12 ways`.
pub fn cpu_features() -> Vec<String> {
    #[cfg(target_arch = "x86_64")]
    let found = [
        ("avx2", std::arch::is_x86_feature_detected!("avx2")),
        ("fma", std::arch::is_x86_feature_detected!("fma")),
        ("avx512f", std::arch::is_x86_feature_detected!("avx512f")),
        ("avx512bf16", std::arch::is_x86_feature_detected!("avx512bf16")),
        ("amx", micse_kernels::uses_amx()),
    ];
    #[cfg(not(target_arch = "x86_64"))]
    let found = [(std::env::consts::ARCH, true)];
    let mut found: Vec<String> =
        found.iter().filter(|(_, has)| *has).map(|(name, _)| (*name).to_owned()).collect();
    let cache = l1_cache();
    if !found.iter().any(|name| name == "avx512f") && cache != USUAL_CACHE {
        found.push(format!("l1d {} KiB {} ways", cache.bytes >> 10, cache.ways));
    }
    found
}

/// SHA-256 of bytes.
pub(super) fn hash_of(bytes: impl AsRef<[u8]>) -> String {
    let mut hash = Hash::new();
    hash.update(bytes);
    hash.digits()
}

/// SHA-256 of an encoder's configuration, weights and tokenizer files.
///
/// # Errors
/// The folder has no weights, or a file cannot be read.
pub fn hash_of_encoder(base: &ModelFolder) -> Result<String> {
    let mut hash = Hash::new();
    for path in base.checkpoint()?.files() {
        hash.file(path)?;
        hash.update([0]);
    }
    for name in ["config.json", "tokenizer.json", "tokenizer_config.json", "vocab.txt"] {
        // A tokenizer uses one of two formats; loading it reports missing files.
        hash.update(contents(&base.path().join(name))?.unwrap_or_default());
        hash.update([0]);
    }
    for name in ["vocab.json", "merges.txt"] {
        if let Some(bytes) = contents(&base.path().join(name))? {
            hash.update(bytes);
            hash.update([0]);
        }
    }
    Ok(hash.digits())
}

/// A file's bytes; `None` if it does not exist.
fn contents(path: &Path) -> Result<Option<Vec<u8>>> {
    match std::fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(Error::io(path)(e)),
    }
}

/// SHA-256 of a folder's separate masked-LM head file, if it has one.
fn hash_of_head(base: &ModelFolder) -> Result<Option<String>> {
    let bytes = contents(&base.path().join(MaskedLmHead::FILE))?;
    Ok(bytes.map(hash_of))
}

/// SHA-256 of a folder's other files that affect its embeddings, if it has any.
///
/// # Errors
/// A file cannot be read.
pub fn hash_of_modules(base: &ModelFolder) -> Result<Option<String>> {
    let mut hash = Hash::new();
    let mut any = false;
    for path in base.further_files()? {
        if let Some(bytes) = contents(&path)? {
            any = true;
            // The hash also covers the file's path within the folder.
            hash.update(path.strip_prefix(base.root()).unwrap_or(&path).to_string_lossy().as_bytes());
            hash.update([0]);
            hash.update((bytes.len() as u64).to_le_bytes());
            hash.update(bytes);
        }
    }
    Ok(any.then(|| hash.digits()))
}

/// SHA-256 of the files of a folder with token vectors, with their paths.
fn hash_of_token_vectors(folder: &Path) -> Result<String> {
    let mut hash = Hash::new();
    for path in StaticFolder::open(folder)?.files()? {
        if path.is_file() {
            hash.update(path.strip_prefix(folder).unwrap_or(&path).to_string_lossy().as_bytes());
            hash.update([0]);
            hash.file(&path)?;
            hash.update([0]);
        }
    }
    Ok(hash.digits())
}

fn hash_of_pairs<'a>(tasks: impl IntoIterator<Item = &'a Task>) -> String {
    let mut hash = Hash::new();
    for task in tasks {
        hash.update(format!("{}\n", task.name));
        for subset in &task.subsets {
            hash.update(format!("{}\n", subset.name));
            for pair in &subset.pairs {
                hash.update(format!("{}\t{}\t{}\n", pair.score, pair.first, pair.second));
            }
        }
    }
    hash.digits()
}

fn hash_of_examples(suite: &TransferSuite) -> String {
    let mut hash = Hash::new();
    for task in &suite.tasks {
        hash.update(format!("{}\n", task.name));
        let (train, dev, test) = match &task.parts {
            Parts::Folds(all) => (all.len(), 0, 0),
            Parts::TrainTest { train, test } => (train.len(), 0, test.len()),
            Parts::TrainDevTest { train, dev, test } => (train.len(), dev.len(), test.len()),
        };
        hash.update(format!("{train} {dev} {test}\n"));
        for example in task.parts.examples() {
            let second = example.second.as_deref().unwrap_or_default();
            hash.update(format!("{}\t{}\t{second}\n", example.class, example.first));
        }
    }
    hash.digits()
}

impl Manifest {
    /// The manifest of an encoder scored without training.
    pub(super) fn of_encoder(
        base: &ModelFolder,
        pooling: Pooling,
        sets: EvaluationSets<'_>,
        compute: &Compute,
    ) -> Result<Self> {
        Ok(Self {
            modules_sha256: hash_of_modules(base)?,
            ..Self::of_model(hash_of_encoder(base)?, pooling, sets, compute)
        })
    }

    /// The manifest of a word-vector file, or of a folder with token vectors.
    pub(super) fn of_file(file: &Path, sets: EvaluationSets<'_>, compute: &Compute) -> Result<Self> {
        let sha256 = if file.is_dir() { hash_of_token_vectors(file)? } else { micse_files::sha256(file)? };
        Ok(Self::of_model(sha256, Pooling::Mean, sets, compute))
    }

    fn of_model(
        encoder_sha256: String,
        pooling: Pooling,
        EvaluationSets { suite, transfer }: EvaluationSets<'_>,
        compute: &Compute,
    ) -> Self {
        Self {
            version: env!("CARGO_PKG_VERSION").into(),
            engine: compute.engine,
            precision: compute.precision,
            device: compute.device_name().into(),
            chunk: None,
            cpu_features: cpu_features(),
            encoder_sha256,
            modules_sha256: None,
            masked_lm_head_sha256: None,
            evaluation: suite.name.clone(),
            evaluation_sha256: hash_of_pairs(suite.tasks.iter().chain(&suite.dev)),
            transfer_sha256: transfer.map(hash_of_examples),
            selection_sha256: None,
            pooling,
            seed: None,
            text: None,
            choice: None,
            recipe: None,
        }
    }

    /// The manifest of a training run.
    pub(super) fn of_run(inputs: &RunInputs<'_>) -> Result<Self> {
        let pooling = inputs.recipe.test_pooling();
        Ok(Self {
            chunk: inputs.chunk,
            seed: Some(inputs.seed),
            text: Some(inputs.text.described.clone()),
            choice: inputs.choice.as_ref().map(|choice| choice.rule),
            masked_lm_head_sha256: if inputs.recipe.uses_masked_lm_head() {
                hash_of_head(inputs.base)?
            } else {
                None
            },
            recipe: Some(inputs.recipe.clone()),
            selection_sha256: match inputs.recipe.select {
                Select::SickrDev => inputs.suite.sick_dev.as_ref().map(|task| hash_of_pairs([task])),
                Select::Last | Select::StsbDev => None,
            },
            ..Self::of_encoder(inputs.base, pooling, inputs.sets(), &inputs.compute)?
        })
    }
}
