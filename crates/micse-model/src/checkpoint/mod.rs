//! The weights of a model folder. Opening reads a table of all tensors; tensors are then read one by one on
//! request.
//!
//! | file | module |
//! |---|---|
//! | `model.safetensors`, `int8.safetensors` | `safetensors` |
//! | `pytorch_model.bin` | `archive`, `pickle`, `pytorch` |
//! | `*.index.json` and its shards | `index` |
//!
//! The files are untrusted: nothing in them is executed, every number is checked against the length of the
//! file before it is used, and memory use is limited to a small multiple of that length.

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
use crate::names::OwnPlace;
use crate::weights::{TensorSource, embedding_layout, finite, layer_layout};
use crate::{BertConfig, Error, Names, Result, int8};

/// The weights of an encoder in 8 bits (see [`crate::int8`]).
pub(crate) const INT8: &str = "int8.safetensors";

/// File names of weights in a model folder, in search order.
const NAMES: [&str; 5] = [
    "model.safetensors",
    "model.safetensors.index.json",
    "pytorch_model.bin",
    "pytorch_model.bin.index.json",
    INT8,
];

/// Weights of other libraries, to name them in the error if nothing else is found.
const FOREIGN: [&str; 5] =
    ["tf_model.h5", "flax_model.msgpack", "model.ckpt.index", "adapter_model.safetensors", "onnx"];

/// Bytes that are read at once; a multiple of the size of f32.
const READ: usize = 1 << 20;

/// Bytes per parameter of the smallest supported type.
const SMALLEST: usize = 1;

/// The location of a tensor.
#[derive(Clone, Debug)]
struct Entry {
    /// The index of its file.
    file: usize,
    /// Its type, or the file's name of a type that candle does not have.
    dtype: std::result::Result<DType, String>,
    shape: Vec<usize>,
    /// Its bytes, checked to be within the file.
    start: u64,
    bytes: usize,
}

/// The tensors of one model, in one file or in shards.
#[derive(Clone, Debug)]
pub struct Checkpoint {
    path: PathBuf,
    files: Vec<PathBuf>,
    entries: BTreeMap<String, Entry>,
    names: Names,
}

impl Checkpoint {
    /// The weights in a model folder: `model.safetensors`, `pytorch_model.bin`, or the shards of either;
    /// `None` without weights. `names` are the names of its tensors ([`BertConfig::names`], or BERT's).
    ///
    /// # Errors
    /// Fails if a file cannot be read, is truncated or damaged, or a shard is missing.
    pub fn find(folder: &Path, names: Names) -> Result<Option<Self>> {
        let found = NAMES.map(|name| folder.join(name)).into_iter().find(|path| path.is_file());
        found.map(|path| Ok(Self { names, ..Self::open(&path)? })).transpose()
    }

    /// [`Self::find`], but missing weights are an error.
    ///
    /// # Errors
    /// Those of [`Self::find`], and if the folder has no weights.
    pub fn in_folder(folder: &Path, names: Names) -> Result<Self> {
        if let Some(found) = Self::find(folder, names)? {
            return Ok(found);
        }
        let foreign: Vec<&str> = FOREIGN.into_iter().filter(|name| folder.join(name).exists()).collect();
        let instead = if foreign.is_empty() {
            String::new()
        } else {
            format!(" (found {}, which micse cannot read)", foreign.join(", "))
        };
        Err(Error::Weights {
            path: folder.into(),
            reason: format!("found none of {}{instead}", NAMES.join(", ")),
        })
    }

    /// Reads the table of one weights file, or of the shards in an index. The extension determines the
    /// format: `.safetensors`, `.index.json`, else PyTorch's.
    ///
    /// # Errors
    /// Fails if the file cannot be read, is truncated, or does not have this format.
    pub fn open(path: &Path) -> Result<Self> {
        let (files, entries) = if path.to_string_lossy().ends_with(".index.json") {
            index::read(path)?
        } else {
            (vec![path.to_path_buf()], table(path, 0)?.into_iter().collect())
        };
        Ok(Self { path: path.into(), files, entries, names: Names::default() })
    }

    /// The weights file, or the index of its shards.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The files that contain tensors: one, or the shards.
    pub fn files(&self) -> &[PathBuf] {
        &self.files
    }

    /// Name and shape of every stored tensor, sorted by name.
    pub fn tensors(&self) -> impl Iterator<Item = (&str, &[usize])> {
        self.entries.iter().map(|(name, entry)| (name.as_str(), &entry.shape[..]))
    }

    /// The type of a stored tensor; `None` if the tensor does not exist or candle has no such type.
    pub fn dtype(&self, stored: &str) -> Option<DType> {
        self.entries.get(stored)?.dtype.clone().ok()
    }

    /// Whether linear layers are stored in 8 bits (see [`crate::int8`]).
    pub fn is_int8(&self) -> bool {
        self.path.file_name().is_some_and(|name| name == INT8)
    }

    /// Total size of all tensors in bytes.
    pub fn bytes(&self) -> u64 {
        self.entries.values().map(|entry| entry.bytes as u64).sum()
    }

    /// The stored name of the parameter with this BERT name: in the family's own form, with or without the
    /// family's prefix, possibly with the old LayerNorm names `gamma` and `beta`.
    pub fn stored_name(&self, name: &str) -> Option<&str> {
        self.stored_names(name).into_iter().next()
    }

    /// All stored names of a parameter, in order of preference.
    fn stored_names(&self, name: &str) -> Vec<&str> {
        let own = self.names.own(name).name;
        let old =
            own.replace("LayerNorm.weight", "LayerNorm.gamma").replace("LayerNorm.bias", "LayerNorm.beta");
        let mut names = Vec::new();
        let prefixes = [""].iter().chain(self.names.prefixes());
        let candidates = [&own, &old]
            .into_iter()
            .flat_map(|name| prefixes.clone().map(move |prefix| format!("{prefix}{name}")));
        for candidate in candidates {
            if let Some((name, _)) = self.entries.get_key_value(&candidate)
                && !names.contains(&name.as_str())
            {
                names.push(name.as_str());
            }
        }
        names
    }

    /// Reads a stored tensor onto the CPU, without conversion.
    ///
    /// # Errors
    /// Fails if the tensor does not exist, its type is not supported by candle, or the file cannot be read.
    pub fn read(&self, stored: &str) -> Result<Tensor> {
        self.read_part(stored, None)
    }

    /// [`Self::read`] of part (index, count) of the rows.
    pub(crate) fn read_part(&self, stored: &str, part: Option<(usize, usize)>) -> Result<Tensor> {
        let entry = self.entries.get(stored).ok_or_else(|| self.missing(stored))?;
        let path = &self.files[entry.file];
        let dtype = entry.dtype.clone().map_err(|kind| Error::Weights {
            path: path.clone(),
            reason: format!("tensor `{stored}` has the unsupported type {kind}"),
        })?;
        let (index, count) = part.unwrap_or((0, 1));
        let mut shape = entry.shape.clone();
        if let Some(rows) = shape.first_mut().filter(|_| count > 1) {
            *rows /= count;
        }
        let bytes = entry.bytes / count;
        let start = entry.start + (index * bytes) as u64;
        if dtype == DType::F32 {
            let values = read_f32(path, start, bytes)?;
            return Ok(Tensor::from_vec(values, shape.as_slice(), &Device::Cpu)?);
        }
        let bytes = read_range(path, start, bytes)?;
        Ok(Tensor::from_raw_buffer(&bytes, dtype, &shape, &Device::Cpu)?)
    }

    /// The part of its stored tensor that is the parameter with this BERT name; `None` if it is the whole tensor.
    pub(crate) fn part_of(&self, name: &str) -> Option<(usize, usize)> {
        self.names.own(name).part
    }

    /// [`Self::read`], and also a tensor of signed 8-bit integers, which candle does not have, as F32.
    pub(crate) fn read_number(&self, stored: &str) -> Result<Tensor> {
        let Some(entry) =
            self.entries.get(stored).filter(|entry| entry.dtype.as_ref().is_err_and(|t| t == "I8"))
        else {
            return self.read(stored);
        };
        let path = &self.files[entry.file];
        if tensor_bytes(&entry.shape, 1) != Some(entry.bytes) {
            let (shape, bytes) = (&entry.shape, entry.bytes);
            return Err(damaged(path, format!("tensor `{stored}` of shape {shape:?} has {bytes} bytes")));
        }
        let bytes = read_range(path, entry.start, entry.bytes)?;
        let values: Vec<f32> = bytes.into_iter().map(|byte| f32::from(byte.cast_signed())).collect();
        Ok(Tensor::from_vec(values, entry.shape.as_slice(), &Device::Cpu)?)
    }

    /// Checks that every parameter of an encoder exists with the right shape, without reading any. It stops
    /// at the first mismatch, so that impossible sizes cost nothing.
    ///
    /// # Errors
    /// Fails if a tensor is missing or has a different shape, or if the files are too short for all
    /// parameters.
    pub fn check(&self, config: &BertConfig) -> Result<()> {
        // In a PyTorch file, many tensors may share the same bytes: a short file could demand any amount of
        // memory.
        let whole = self.files.iter().map(|path| length(path)).sum::<Result<u64>>()?;
        let count = config.parameter_count();
        if count * SMALLEST as u128 > u128::from(whole) {
            let reason =
                format!("{whole} bytes are too few for the {count} parameters that config.json requires");
            return Err(damaged(&self.path, reason));
        }
        let layers = (0..config.own_layers()).flat_map(|layer| layer_layout(config, layer));
        embedding_layout(config).into_iter().chain(layers).try_for_each(|info| self.entry(&info).map(drop))
    }

    fn missing(&self, name: &str) -> Error {
        Error::MissingTensor {
            path: self.path.clone(),
            name: name.into(),
            prefix: self.names.prefixes().first().unwrap_or(&""),
        }
    }

    fn entry(&self, info: &ParameterInfo) -> Result<&str> {
        let names = self.stored_names(&info.name);
        let OwnPlace { name, part } = self.names.own(&info.name);
        let Some(&stored) = names.first() else { return Err(self.missing(&name)) };
        let entry = &self.entries[stored];
        let path = &self.files[entry.file];
        if names.len() > 1 {
            return Err(Error::Weights {
                path: path.clone(),
                reason: format!(
                    "the parameter `{}` is stored {} times, as {}, and other libraries may choose a \
                     different one; remove all but one",
                    info.name,
                    names.len(),
                    names.join(" and ")
                ),
            });
        }
        let mut expected = info.shape.clone();
        expected[0] *= part.map_or(1, |(_, count)| count);
        if entry.shape != expected {
            return Err(Error::Shape {
                path: path.clone(),
                name: stored.to_owned(),
                found: entry.shape.clone(),
                expected,
            });
        }
        let found = match &entry.dtype {
            Ok(DType::F32 | DType::F64 | DType::F16 | DType::BF16) => return Ok(stored),
            // Vectors (biases, LayerNorm) are never in 8 bits.
            Ok(DType::U8) if self.is_int8() && entry.shape.len() == 2 => return Ok(stored),
            Ok(other) => other.as_str(),
            Err(other) => other,
        };
        Err(Error::Weights {
            path: path.clone(),
            reason: format!(
                "tensor `{stored}` has the type {found}; a parameter must be F32, F64, F16 or BF16. Use a \
                 checkpoint that is not quantized"
            ),
        })
    }
}

impl TensorSource for Checkpoint {
    fn take(&mut self, info: &ParameterInfo, device: &Device) -> Result<Tensor> {
        let stored = self.entry(info)?;
        let part = self.part_of(&info.name);
        let tensor = match self.dtype(stored) {
            Some(DType::U8) => int8::widen(self, stored, part)?,
            _ => self.read_part(stored, part)?,
        };
        let file = &self.files[self.entries[stored].file];
        Ok(finite(&tensor, file, stored)?.to_device(device)?)
    }
}

/// The tensors of the file with index `file` in its checkpoint.
fn table(path: &Path, file: usize) -> Result<Vec<(String, Entry)>> {
    if path.extension().is_some_and(|e| e == "safetensors") {
        safetensors::table(path, file)
    } else {
        pytorch::table(path, file)
    }
}

/// An error in the form of a file.
fn damaged(path: &Path, reason: impl std::fmt::Display) -> Error {
    Error::Weights {
        path: path.into(),
        reason: format!("{reason}; the file may be truncated or damaged: copy or download it again"),
    }
}

fn length(path: &Path) -> Result<u64> {
    Ok(std::fs::metadata(path).map_err(Error::io(path))?.len())
}

/// Reads a range of bytes that must be within the file.
fn read_range(path: &Path, start: u64, bytes: usize) -> Result<Vec<u8>> {
    let mut file = open_range(path, start, bytes)?;
    let mut buffer = vec![0; bytes];
    file.read_exact(&mut buffer).map_err(Error::io(path))?;
    Ok(buffer)
}

/// Reads a range of bytes as f32. A table of words is the largest part of a small encoder, so it is never in memory
/// twice.
fn read_f32(path: &Path, start: u64, bytes: usize) -> Result<Vec<f32>> {
    const SIZE: usize = size_of::<f32>();
    let mut file = open_range(path, start, bytes)?;
    let mut values = Vec::with_capacity(bytes / SIZE);
    let mut buffer = vec![0; READ.min(bytes)];
    let mut left = bytes;
    while left > 0 {
        let part = &mut buffer[..READ.min(left)];
        file.read_exact(part).map_err(Error::io(path))?;
        values.extend(part.as_chunks::<SIZE>().0.iter().map(|value| f32::from_le_bytes(*value)));
        left -= part.len();
    }
    Ok(values)
}

/// Opens a file at the start of a range, which must be within it.
fn open_range(path: &Path, start: u64, bytes: usize) -> Result<File> {
    if start.checked_add(bytes as u64).is_none_or(|end| length(path).is_ok_and(|length| end > length)) {
        return Err(damaged(path, format!("{bytes} bytes at offset {start} extend beyond its end")));
    }
    let mut file = File::open(path).map_err(Error::io(path))?;
    file.seek(SeekFrom::Start(start)).map_err(Error::io(path))?;
    Ok(file)
}

/// Size of a tensor in bytes; `None` if it overflows.
fn tensor_bytes(shape: &[usize], size: usize) -> Option<usize> {
    shape.iter().try_fold(size, |product, &n| product.checked_mul(n))
}
