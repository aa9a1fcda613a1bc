//! `run.toml`: everything that decided a run. A folder whose `run.toml` says otherwise is another run.

use std::fmt::Write as _;
use std::path::Path;

use micse_data::Corpus;
use micse_model::{WeightsFile, files::write_whole};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::RunInputs;
use crate::recipe::Recipe;
use crate::{Error, Result};

/// Which sentences a run trains on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SplitText {
    /// The corpus: file names, or `demo`.
    pub sources: Vec<String>,
    /// SHA-256 over the corpus's sentences, each followed by a line feed.
    pub sha256: String,
    /// Sentences of the corpus.
    pub corpus_sentences: usize,
    /// The size as it was asked for: `0.1%`, `1000`.
    pub size: String,
    /// Sentences of the split.
    pub sentences: usize,
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
        }
    }

    /// What *train text* says in tables.
    pub fn name(&self) -> String {
        self.sources.join(" + ")
    }
}

/// Everything that decided a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// Version of this crate.
    pub version: String,
    /// The engine that computes the encoder.
    pub engine: String,
    /// `cpu`, `cuda` or `metal`.
    pub device: String,
    /// Vector extensions in use: bits repeat on processors that have the same.
    pub cpu_features: Vec<String>,
    /// Seed of everything random.
    pub seed: u64,
    /// SHA-256 of the base encoder's weights file.
    pub encoder_sha256: String,
    /// Name of the evaluation sets.
    pub evaluation: String,
    /// The sentences.
    pub text: SplitText,
    /// The method.
    pub recipe: Recipe,
}

/// The vector extensions that matrix products choose from at run time.
pub fn cpu_features() -> Vec<String> {
    #[cfg(target_arch = "x86_64")]
    let found = [
        ("avx2", std::arch::is_x86_feature_detected!("avx2")),
        ("fma", std::arch::is_x86_feature_detected!("fma")),
        ("avx512f", std::arch::is_x86_feature_detected!("avx512f")),
    ];
    #[cfg(not(target_arch = "x86_64"))]
    let found = [(std::env::consts::ARCH, true)];
    found.iter().filter(|(_, has)| *has).map(|(name, _)| (*name).to_owned()).collect()
}

impl Manifest {
    pub(super) fn new(inputs: &RunInputs<'_>) -> Result<Self> {
        let weights = WeightsFile::in_folder(inputs.base.path())?.path().to_path_buf();
        let bytes = std::fs::read(&weights).map_err(Error::io(&weights))?;
        let mut hash = String::new();
        for byte in Sha256::digest(&bytes) {
            // Writing into a String cannot fail.
            let _ = write!(hash, "{byte:02x}");
        }
        let device = match inputs.device {
            candle_core::Device::Cpu => "cpu",
            candle_core::Device::Cuda(_) => "cuda",
            candle_core::Device::Metal(_) => "metal",
        };
        Ok(Self {
            version: env!("CARGO_PKG_VERSION").into(),
            engine: "tensor".into(),
            device: device.into(),
            cpu_features: cpu_features(),
            seed: inputs.seed,
            encoder_sha256: hash,
            evaluation: inputs.suite.name.clone(),
            text: inputs.text.described.clone(),
            recipe: inputs.recipe.clone(),
        })
    }

    /// Makes `folder` the folder of this run, or checks that it is.
    pub(super) fn claim(&self, folder: &Path, allow_other_cpu: bool) -> Result<()> {
        let path = folder.join("run.toml");
        if !path.is_file() {
            let text = toml::to_string(self).map_err(|e| Error::run(&path, e.to_string()))?;
            return Ok(write_whole(&path, text.as_bytes())?);
        }
        let text = std::fs::read_to_string(&path).map_err(Error::io(&path))?;
        let mut found: Self =
            toml::from_str(&text).map_err(|e| Error::run(&path, format!("not a run's description: {e}")))?;
        if found.cpu_features != self.cpu_features {
            if !allow_other_cpu {
                return Err(Error::run(
                    &path,
                    format!(
                        "this run began on a processor with {:?}, this one has {:?}, and would not give the same \
                         bits; start anew in another folder, or go on with --allow-other-cpu",
                        found.cpu_features, self.cpu_features
                    ),
                ));
            }
            found.cpu_features.clone_from(&self.cpu_features);
        }
        match self.difference(&found) {
            None => Ok(()),
            Some(difference) => Err(Error::run(
                &path,
                format!(
                    "this folder belongs to another run ({difference}); give another --out, or delete it"
                ),
            )),
        }
    }

    /// The first key that two manifests differ in, with both values.
    fn difference(&self, other: &Self) -> Option<String> {
        let flat = |manifest: &Self| {
            let mut lines = Vec::new();
            if let Ok(value) = toml::Value::try_from(manifest) {
                flatten("", &value, &mut lines);
            }
            lines
        };
        let (mine, theirs) = (flat(self), flat(other));
        let missing = ("nothing".to_owned(), "nothing".to_owned());
        let count = mine.len().max(theirs.len());
        (0..count)
            .map(|i| (mine.get(i).unwrap_or(&missing), theirs.get(i).unwrap_or(&missing)))
            .find(|(a, b)| a != b)
            .map(|(a, b)| format!("it has {} = {}, this one {} = {}", b.0, b.1, a.0, a.1))
    }
}

fn flatten(prefix: &str, value: &toml::Value, lines: &mut Vec<(String, String)>) {
    let path = |key: &str| if prefix.is_empty() { key.to_owned() } else { format!("{prefix}.{key}") };
    match value {
        toml::Value::Table(table) => table.iter().for_each(|(key, v)| flatten(&path(key), v, lines)),
        toml::Value::Array(entries) => {
            entries.iter().enumerate().for_each(|(i, v)| flatten(&path(&i.to_string()), v, lines));
        }
        other => lines.push((prefix.to_owned(), other.to_string())),
    }
}
