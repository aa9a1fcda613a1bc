//! `run.toml`: everything that determines a run. A folder with a different `run.toml` belongs to another run.

use std::num::NonZeroUsize;
use std::path::Path;

use micse_data::{Corpus, Parts, Task, TransferSuite};
use micse_files::{Hash, RunFolder, write_whole};
use micse_model::{Compute, Engine, MaskedLmHead, ModelFolder, Pooling, Precision, StaticFolder};
use serde::{Deserialize, Serialize};

use super::difference::first_difference;
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
    /// Vector extensions in use: results are bit-for-bit identical on CPUs with the same extensions.
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

/// The vector extensions that matrix products choose from at run time.
pub fn cpu_features() -> Vec<String> {
    #[cfg(target_arch = "x86_64")]
    let found = [
        ("avx2", std::arch::is_x86_feature_detected!("avx2")),
        ("fma", std::arch::is_x86_feature_detected!("fma")),
        ("avx512f", std::arch::is_x86_feature_detected!("avx512f")),
        ("avx512bf16", std::arch::is_x86_feature_detected!("avx512bf16")),
    ];
    #[cfg(not(target_arch = "x86_64"))]
    let found = [(std::env::consts::ARCH, true)];
    found.iter().filter(|(_, has)| *has).map(|(name, _)| (*name).to_owned()).collect()
}

/// SHA-256 of bytes.
fn hash_of(bytes: impl AsRef<[u8]>) -> String {
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

/// The key of a manifest's CPU features.
const CPU: &str = "cpu_features";
/// The key of the features of other kinds of CPUs that resumed the run: no single kind reproduces its bits.
const OTHER_CPUS: &str = "other_cpu_features";

/// What to do if a run began on a different kind of CPU.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum OtherCpu {
    /// Fail: the result would mix the rounding of two kinds.
    Refuse,
    /// Resume, and record it in `run.toml`.
    Record,
    /// Do not check: only scores may still be computed, and they agree up to rounding.
    Ignore,
}

/// The identity of a run: SHA-256 of its manifest, without the kind of CPU, which `run.toml` records separately.
///
/// # Errors
/// The manifest cannot be written as TOML.
pub fn identity(manifest: &impl Serialize) -> Result<String> {
    let invalid = |e: toml::ser::Error| Error::run(Path::new("run.toml"), e.to_string());
    let mut table = toml::Table::try_from(manifest).map_err(invalid)?;
    table.remove(CPU);
    let text = toml::to_string(&table).map_err(invalid)?;
    Ok(hash_of(text))
}

/// What [`compare`] found in a folder.
enum Claim {
    /// The run is new here: its `run.toml` is to be written.
    New,
    /// The run is known.
    Known,
    /// The run is known, and the kind of this CPU is to be recorded in this table.
    OtherCpu(toml::Table),
}

/// Writes the `run.toml` of the run that `manifest` describes into `folder`, or checks the existing one. One of a run
/// that failed before it wrote anything else is replaced.
///
/// # Errors
/// Those of [`check_claim`].
pub fn claim(folder: &Path, manifest: &impl Serialize, other_cpu: OtherCpu) -> Result<()> {
    let path = RunFolder::new(folder).manifest();
    let failed = |e: toml::ser::Error| Error::run(&path, e.to_string());
    let text = match compare(folder, manifest, other_cpu)? {
        Claim::New => toml::to_string(manifest).map_err(failed)?,
        Claim::OtherCpu(table) => toml::to_string(&table).map_err(failed)?,
        Claim::Known => return Ok(()),
    };
    Ok(write_whole(&path, text.as_bytes())?)
}

/// Rejects what [`claim`] would reject, and writes nothing.
///
/// # Errors
/// The folder belongs to another run (the error names the first difference), or was begun on a different kind of CPU
/// (key `cpu_features`), which `other_cpu` does not allow; or it has no `run.toml`, but a file or folder that a run would
/// overwrite or remove.
pub fn check_claim(folder: &Path, manifest: &impl Serialize, other_cpu: OtherCpu) -> Result<()> {
    compare(folder, manifest, other_cpu).map(|_| ())
}

/// The error for a file or folder that a run would overwrite or remove.
pub(crate) fn not_of_a_run(path: &Path) -> Error {
    let reason = "this folder was not made by a run (it has no run.toml), and a run would overwrite or remove this; pass \
                  a different --out, or move it away";
    Error::run(path, reason)
}

fn compare(folder: &Path, manifest: &impl Serialize, other_cpu: OtherCpu) -> Result<Claim> {
    let run = RunFolder::new(folder);
    let path = run.manifest();
    let mine = toml::Table::try_from(manifest).map_err(|e| Error::run(&path, e.to_string()))?;
    if let Some(foreign) = run.foreign() {
        return Err(not_of_a_run(&foreign));
    }
    if !run.is_begun() {
        return Ok(Claim::New);
    }
    let text = std::fs::read_to_string(&path).map_err(Error::io(&path))?;
    let mut found: toml::Table =
        text.parse().map_err(|e| Error::run(&path, format!("not a valid run.toml: {e}")))?;
    let mut others = match found.remove(OTHER_CPUS) {
        Some(toml::Value::Array(others)) => others,
        _ => Vec::new(),
    };
    // Anybody may have a run.toml; those of runs have this key.
    if run.is_bare() && found.contains_key(CPU) && found != mine {
        return Ok(Claim::New);
    }
    let mut newcomer = None;
    if let (Some(theirs), Some(own)) = (found.get(CPU), mine.get(CPU))
        && theirs != own
    {
        if other_cpu == OtherCpu::Refuse {
            return Err(Error::run(
                &path,
                format!(
                    "this run began on a CPU with {theirs}, but this CPU has {own}, so the result would not be \
                     reproducible bit for bit; pass a different --out, or resume with --allow-other-cpu"
                ),
            ));
        }
        newcomer = (other_cpu == OtherCpu::Record).then(|| found.clone());
        let own = own.clone();
        found.insert(CPU.into(), own);
    }
    match first_difference(&found, &mine).map_err(|e| Error::run(&path, e.to_string()))? {
        None => match (newcomer, mine.get(CPU)) {
            (Some(mut table), Some(own)) if !others.contains(own) => {
                others.push(own.clone());
                table.insert(OTHER_CPUS.into(), toml::Value::Array(others));
                Ok(Claim::OtherCpu(table))
            }
            _ => Ok(Claim::Known),
        },
        Some(difference) => Err(Error::run(
            &path,
            format!(
                "this folder belongs to another run ({difference}); pass a different --out, or delete the folder"
            ),
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Serialize)]
    struct Small {
        cpu_features: Vec<&'static str>,
        recipe: toml::Table,
    }

    fn small(cpu: &'static str) -> Small {
        let mut recipe = toml::Table::new();
        recipe.insert("steps".into(), 5.into());
        Small { cpu_features: vec![cpu], recipe }
    }

    #[test]
    fn a_run_s_identity_is_its_manifest_on_any_processor() {
        let of = |small: &Small| identity(small).unwrap();
        assert_eq!(of(&small("avx2")), of(&small("avx512f")));
        let mut other = small("avx2");
        other.recipe.insert("steps".into(), 6.into());
        assert_ne!(of(&small("avx2")), of(&other));
    }

    #[test]
    fn another_kind_of_processor_is_refused_or_recorded() {
        let folder = tempfile::tempdir().unwrap();
        claim(folder.path(), &small("avx2"), OtherCpu::Refuse).unwrap();
        std::fs::write(RunFolder::new(folder.path()).metrics(), "{}\n").unwrap();
        claim(folder.path(), &small("avx512f"), OtherCpu::Ignore).unwrap();
        let error = claim(folder.path(), &small("avx512f"), OtherCpu::Refuse).unwrap_err().to_string();
        assert!(error.contains("avx2") && error.contains("--allow-other-cpu"), "{error}");
        for _ in 0..2 {
            claim(folder.path(), &small("avx512f"), OtherCpu::Record).unwrap();
            claim(folder.path(), &small("avx2"), OtherCpu::Refuse).unwrap();
        }
        let text = std::fs::read_to_string(RunFolder::new(folder.path()).manifest()).unwrap();
        let table: toml::Table = text.parse().unwrap();
        assert_eq!(table["cpu_features"].to_string(), r#"["avx2"]"#);
        assert_eq!(table["other_cpu_features"].to_string(), r#"[["avx512f"]]"#);
        let mut other = small("avx512f");
        other.recipe.insert("steps".into(), 6.into());
        let error = claim(folder.path(), &other, OtherCpu::Record).unwrap_err().to_string();
        assert!(error.contains("recipe.steps = 5"), "{error}");
    }

    #[test]
    fn a_run_that_wrote_nothing_else_is_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let mut other = small("avx512f");
        other.recipe.insert("steps".into(), 6.into());
        claim(folder.path(), &small("avx2"), OtherCpu::Refuse).unwrap();
        check_claim(folder.path(), &other, OtherCpu::Refuse).unwrap();
        claim(folder.path(), &other, OtherCpu::Refuse).unwrap();
        std::fs::create_dir(RunFolder::new(folder.path()).checkpoint_folder()).unwrap();
        claim(folder.path(), &other, OtherCpu::Refuse).unwrap();
        assert!(claim(folder.path(), &small("avx512f"), OtherCpu::Refuse).is_err());
    }

    #[test]
    fn a_folder_with_somebody_s_files_is_no_run_s() {
        for own in ["model", "checkpoint", "metrics.jsonl", "result.json"] {
            let folder = tempfile::tempdir().unwrap();
            std::fs::create_dir(folder.path().join(own)).unwrap();
            let error = claim(folder.path(), &small("avx2"), OtherCpu::Refuse).unwrap_err().to_string();
            assert!(error.contains(own) && error.contains("pass a different --out"), "{error}");
            assert!(!RunFolder::new(folder.path()).is_begun());
        }
        let folder = tempfile::tempdir().unwrap();
        let manifest = folder.path().join("run.toml");
        std::fs::write(&manifest, "[server]\nport = 8080\n").unwrap();
        assert!(claim(folder.path(), &small("avx2"), OtherCpu::Refuse).is_err());
        assert!(std::fs::read_to_string(&manifest).unwrap().contains("8080"));
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("notes.txt"), "notes").unwrap();
        claim(folder.path(), &small("avx2"), OtherCpu::Refuse).unwrap();
    }
}
