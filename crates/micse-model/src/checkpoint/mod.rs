//! The weights of a model folder, read tensor by tensor: a table of what lies where, then only what is asked for.
//!
//! | file | module |
//! |---|---|
//! | `model.safetensors` | `safetensors` |
//! | `pytorch_model.bin` | `archive`, `pickle`, `pytorch` |
//! | `*.index.json` and the shards that it names | `index` |
//!
//! Files are a stranger's: nothing in them is executed, no number in them is believed before it is held to the file's
//! length, and no more memory is taken than a few times the files' length.

mod archive;
mod index;
mod pickle;
mod pytorch;
mod safetensors;

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use candle_core::{DType, Device, Tensor};

use crate::encoder::ParameterInfo;
use crate::weights::{TensorSource, embedding_layout, layer_layout};
use crate::{BertConfig, Error, Family, Result};

/// Names of weights in a model folder, in the order in which they are looked for.
const NAMES: [&str; 4] = [
    "model.safetensors",
    "model.safetensors.index.json",
    "pytorch_model.bin",
    "pytorch_model.bin.index.json",
];

/// Weights of other programs, to say so where there are no others.
const FOREIGN: [&str; 5] =
    ["tf_model.h5", "flax_model.msgpack", "model.ckpt.index", "adapter_model.safetensors", "onnx"];

/// Bytes of a parameter in the smallest type that is read.
const SMALLEST: usize = 2;

/// Where a tensor lies.
#[derive(Clone, Debug)]
struct Entry {
    /// Its file's number.
    file: usize,
    /// Its type; where candle has none, the file's name of it.
    dtype: std::result::Result<DType, String>,
    shape: Vec<usize>,
    /// Its bytes, known to lie within the file.
    start: u64,
    bytes: usize,
}

/// The tensors of one model, in one file or in shards.
#[derive(Clone, Debug)]
pub struct Checkpoint {
    path: PathBuf,
    files: Vec<PathBuf>,
    entries: BTreeMap<String, Entry>,
    family: Family,
}

impl Checkpoint {
    /// The weights in a model folder: `model.safetensors`, `pytorch_model.bin`, or the shards of either; `None` if
    /// there are none. Names are those of the family.
    ///
    /// # Errors
    /// A file cannot be read, is cut off or damaged, or a shard is missing.
    pub fn find(folder: &Path, family: Family) -> Result<Option<Self>> {
        let found = NAMES.map(|name| folder.join(name)).into_iter().find(|path| path.is_file());
        found.map(|path| Ok(Self { family, ..Self::open(&path)? })).transpose()
    }

    /// [`Self::find`], where there must be weights.
    ///
    /// # Errors
    /// As [`Self::find`]; there are none.
    pub fn in_folder(folder: &Path, family: Family) -> Result<Self> {
        if let Some(found) = Self::find(folder, family)? {
            return Ok(found);
        }
        let foreign: Vec<&str> = FOREIGN.into_iter().filter(|name| folder.join(name).exists()).collect();
        let instead = if foreign.is_empty() {
            String::new()
        } else {
            format!(" (there is {}, which cannot be read here)", foreign.join(", "))
        };
        Err(Error::Weights {
            path: folder.into(),
            reason: format!("none of {} is in this folder{instead}", NAMES.join(", ")),
        })
    }

    /// Reads the table of one weights file, or of the shards that an index names. The format is told by the ending:
    /// `.safetensors`, `.index.json`, else PyTorch's.
    ///
    /// # Errors
    /// The file cannot be read, is cut off, or is not of its format.
    pub fn open(path: &Path) -> Result<Self> {
        let (files, entries) = if path.to_string_lossy().ends_with(".index.json") {
            index::read(path)?
        } else {
            (vec![path.to_path_buf()], table(path, 0)?.into_iter().collect())
        };
        Ok(Self { path: path.into(), files, entries, family: Family::Bert })
    }

    /// The weights file, or the index of its shards.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The files that hold tensors: one, or the shards.
    pub fn files(&self) -> &[PathBuf] {
        &self.files
    }

    /// Name and shape of every tensor, in the order of names, as they are stored.
    pub fn tensors(&self) -> impl Iterator<Item = (&str, &[usize])> {
        self.entries.iter().map(|(name, entry)| (name.as_str(), &entry.shape[..]))
    }

    /// The type of a stored tensor; `None` if there is no such tensor, or none of candle's types fits.
    pub fn dtype(&self, stored: &str) -> Option<DType> {
        self.entries.get(stored)?.dtype.clone().ok()
    }

    /// Bytes of all tensors.
    pub fn bytes(&self) -> u64 {
        self.entries.values().map(|entry| entry.bytes as u64).sum()
    }

    /// The stored name of the parameter that has this name in BERT: in the family's own form, with the family's prefix or
    /// without, with LayerNorm's old names `gamma` and `beta`.
    pub fn stored_name(&self, name: &str) -> Option<&str> {
        self.stored_names(name).into_iter().next()
    }

    /// All stored names that a parameter may have, those that are taken first before others.
    fn stored_names(&self, name: &str) -> Vec<&str> {
        let own = self.family.own_name(name);
        let old =
            own.replace("LayerNorm.weight", "LayerNorm.gamma").replace("LayerNorm.bias", "LayerNorm.beta");
        let prefix = self.family.prefix();
        let mut names = Vec::new();
        for candidate in [own.clone(), format!("{prefix}{own}"), old.clone(), format!("{prefix}{old}")] {
            if let Some((name, _)) = self.entries.get_key_value(&candidate)
                && !names.contains(&name.as_str())
            {
                names.push(name.as_str());
            }
        }
        names
    }

    /// Reads a stored tensor as it is, onto the CPU.
    ///
    /// # Errors
    /// There is no tensor of this name, its type is none of candle's, or the file cannot be read.
    pub fn read(&self, stored: &str) -> Result<Tensor> {
        let entry = self.entries.get(stored).ok_or_else(|| self.missing(stored))?;
        let path = &self.files[entry.file];
        let dtype = entry.dtype.clone().map_err(|kind| Error::Weights {
            path: path.clone(),
            reason: format!("tensor `{stored}` has the type {kind}, which cannot be read here"),
        })?;
        let bytes = read_range(path, entry.start, entry.bytes)?;
        Ok(Tensor::from_raw_buffer(&bytes, dtype, &entry.shape, &Device::Cpu)?)
    }

    /// Checks that every parameter of an encoder is there in its shape, without reading any. It stops at the first that
    /// is not, so that impossible sizes cost nothing.
    ///
    /// # Errors
    /// A tensor is missing or has another shape; the files are too short for so many parameters.
    pub fn check(&self, config: &BertConfig) -> Result<()> {
        // In PyTorch's files many tensors may share the same bytes: a short file could ask for any amount of memory.
        let whole = self.files.iter().map(|path| length(path)).sum::<Result<u64>>()?;
        let count = config.parameter_count();
        if count * SMALLEST as u128 > u128::from(whole) {
            let reason =
                format!("{whole} bytes cannot hold the {count} parameters that config.json asks for");
            return Err(damaged(&self.path, reason));
        }
        let layers = (0..config.num_hidden_layers).flat_map(|layer| layer_layout(config, layer));
        embedding_layout(config).into_iter().chain(layers).try_for_each(|info| self.entry(&info).map(drop))
    }

    fn missing(&self, name: &str) -> Error {
        Error::MissingTensor { path: self.path.clone(), name: name.into(), prefix: self.family.prefix() }
    }

    fn entry(&self, info: &ParameterInfo) -> Result<&str> {
        let names = self.stored_names(&info.name);
        let Some(&stored) = names.first() else {
            return Err(self.missing(&self.family.own_name(&info.name)));
        };
        let entry = &self.entries[stored];
        let path = &self.files[entry.file];
        if names.len() > 1 {
            return Err(Error::Weights {
                path: path.clone(),
                reason: format!(
                    "it has the parameter `{}` {} times, as {}; other libraries would take another one: remove all but one",
                    info.name,
                    names.len(),
                    names.join(" and ")
                ),
            });
        }
        if entry.shape != info.shape {
            return Err(Error::Shape {
                path: path.clone(),
                name: stored.to_owned(),
                found: entry.shape.clone(),
                expected: info.shape.clone(),
            });
        }
        let found = match &entry.dtype {
            Ok(DType::F32 | DType::F64 | DType::F16 | DType::BF16) => return Ok(stored),
            Ok(other) => other.as_str(),
            Err(other) => other,
        };
        Err(Error::Weights {
            path: path.clone(),
            reason: format!(
                "tensor `{stored}` has the type {found}; a parameter must be F32, F64, F16 or BF16: give the \
                 checkpoint that is not quantized"
            ),
        })
    }
}

impl TensorSource for Checkpoint {
    fn take(&mut self, info: &ParameterInfo, device: &Device) -> Result<Tensor> {
        let tensor = self.read(self.entry(info)?)?;
        Ok(tensor.to_dtype(DType::F32)?.to_device(device)?)
    }
}

/// The tensors of one file, which is number `file` of its checkpoint.
fn table(path: &Path, file: usize) -> Result<Vec<(String, Entry)>> {
    if path.extension().is_some_and(|e| e == "safetensors") {
        safetensors::table(path, file)
    } else {
        pytorch::table(path, file)
    }
}

/// An error of a file's form.
fn damaged(path: &Path, reason: impl std::fmt::Display) -> Error {
    Error::Weights {
        path: path.into(),
        reason: format!("{reason}; the file may be cut off or damaged, copy or download it again"),
    }
}

fn length(path: &Path) -> Result<u64> {
    Ok(std::fs::metadata(path).map_err(Error::io(path))?.len())
}

/// Bytes of a file, which must have them.
fn read_range(path: &Path, start: u64, bytes: usize) -> Result<Vec<u8>> {
    if start.checked_add(bytes as u64).is_none_or(|end| length(path).is_ok_and(|length| end > length)) {
        return Err(damaged(path, format!("{bytes} bytes at {start} are beyond its end")));
    }
    let mut buffer = vec![0; bytes];
    let mut file = File::open(path).map_err(Error::io(path))?;
    file.seek(SeekFrom::Start(start)).map_err(Error::io(path))?;
    file.read_exact(&mut buffer).map_err(Error::io(path))?;
    Ok(buffer)
}

/// Bytes of a tensor; `None` beyond what can be counted.
fn tensor_bytes(shape: &[usize], size: usize) -> Option<usize> {
    shape.iter().try_fold(size, |product, &n| product.checked_mul(n))
}
