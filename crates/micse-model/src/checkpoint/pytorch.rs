//! `pytorch_model.bin`: a ZIP archive with a pickle that describes each tensor, and one file per storage.

use std::collections::HashMap;
use std::path::Path;

use candle_core::DType;

use super::archive::{Stored, entries};
use super::pickle::{self, Id, Pickle, Value};
use super::{Entry, damaged, read_range, tensor_bytes};
use crate::{Error, Result};

/// The first bytes of files written by PyTorch before 1.6: a pickle of a magic number.
const BEFORE_ARCHIVES: &[u8] = b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19.";

/// The tensors of the file.
pub(super) fn table(path: &Path, file: usize) -> Result<Vec<(String, Entry)>> {
    let begins = super::length(path)?.min(BEFORE_ARCHIVES.len() as u64) as usize;
    if read_range(path, 0, begins)? == BEFORE_ARCHIVES {
        return Err(Error::Weights {
            path: path.into(),
            reason:
                "written by PyTorch before 1.6, which used a different format; save it again with a current \
                 PyTorch: torch.save(torch.load(\"pytorch_model.bin\", weights_only=True), \
                 \"pytorch_model.bin\")"
                    .into(),
        });
    }
    let stored = entries(path)?;
    let mut tables = stored.iter().filter(|(name, _)| *name == "data.pkl" || name.ends_with("/data.pkl"));
    let (Some((name, pickled)), None) = (tables.next(), tables.next()) else {
        return Err(damaged(path, "the archive does not contain exactly one data.pkl"));
    };
    let folder = name.trim_end_matches("data.pkl");
    if let Some(order) = stored.get(&format!("{folder}byteorder"))
        && read_range(path, order.start, order.bytes.min(16))? != b"little"
    {
        return Err(damaged(path, "its numbers are not little-endian"));
    }
    let pickle = pickle::read(&read_range(path, pickled.start, pickled.bytes)?)
        .map_err(|reason| damaged(path, reason))?;
    let Value::Dict(named) = pickle.get(pickle.root) else {
        return Err(damaged(path, "its pickle is not a table of tensors (a state_dict)"));
    };
    let mut table = Vec::new();
    for &(name, value) in named {
        // An entry that is not a tensor is not a parameter.
        let (Some(name), Some(tensor)) = (pickle.text(name), Rebuilt::of(&pickle, value)) else { continue };
        let entry = tensor.entry(&stored, folder, file).map_err(|reason| Error::Weights {
            path: path.into(),
            reason: format!("tensor `{name}` {reason}"),
        })?;
        table.push((name.to_owned(), entry));
    }
    Ok(table)
}

/// The pickle's description of a tensor.
struct Rebuilt<'a> {
    /// PyTorch's name of the storage type.
    kind: &'a str,
    /// The file of the storage.
    key: &'a str,
    /// In elements of the storage.
    offset: i64,
    shape: Vec<i64>,
    strides: Vec<i64>,
}

impl<'a> Rebuilt<'a> {
    /// The tensor that a value represents, if any.
    fn of(pickle: &'a Pickle, id: Id) -> Option<Self> {
        let Value::Call(callee, arguments) = pickle.get(id) else { return None };
        let (Value::Global(module, name), arguments) = (pickle.get(*callee), pickle.tuple(*arguments)?)
        else {
            return None;
        };
        match (module.as_str(), name.as_str()) {
            ("torch._utils", "_rebuild_tensor_v2") => Self::of_arguments(pickle, arguments),
            // A parameter has its tensor as the first argument. That tensor must not be a parameter again, to
            // avoid endless nesting.
            ("torch._utils", "_rebuild_parameter") => {
                let Value::Call(callee, arguments) = pickle.get(*arguments.first()?) else { return None };
                let is_tensor = matches!(pickle.get(*callee),
                    Value::Global(module, name) if module == "torch._utils" && name == "_rebuild_tensor_v2");
                is_tensor.then(|| Self::of_arguments(pickle, pickle.tuple(*arguments)?))?
            }
            _ => None,
        }
    }

    /// From (storage, offset, shape, strides, ...), where the storage is ("storage", type, key, device,
    /// elements).
    fn of_arguments(pickle: &'a Pickle, arguments: &[Id]) -> Option<Self> {
        let [storage, offset, shape, strides, ..] = arguments else { return None };
        let Value::Persistent(storage) = pickle.get(*storage) else { return None };
        let [_, kind, key, ..] = pickle.tuple(*storage)? else { return None };
        let Value::Global(_, kind) = pickle.get(*kind) else { return None };
        let ints = |id: Id| pickle.tuple(id)?.iter().map(|&n| pickle.int(n)).collect::<Option<Vec<i64>>>();
        Some(Self {
            kind,
            key: pickle.text(*key)?,
            offset: pickle.int(*offset)?,
            shape: ints(*shape)?,
            strides: ints(*strides)?,
        })
    }

    fn entry(
        &self,
        stored: &HashMap<String, Stored>,
        folder: &str,
        file: usize,
    ) -> std::result::Result<Entry, String> {
        let storage = stored
            .get(&format!("{folder}data/{}", self.key))
            .ok_or_else(|| format!("needs `data/{}`, which is missing from the archive", self.key))?;
        let dtype = dtype(self.kind).ok_or_else(|| self.kind.to_owned());
        let shape: Option<Vec<usize>> = self.shape.iter().map(|&n| usize::try_from(n).ok()).collect();
        let shape = shape.ok_or_else(|| format!("has the invalid shape {:?}", self.shape))?;
        let Ok(kind) = &dtype else {
            // Reading this tensor reports the unsupported type.
            return Ok(Entry { file, dtype, shape, start: storage.start, bytes: 0 });
        };
        if !in_order(&shape, &self.strides) {
            return Err(format!(
                "of shape {shape:?} has the strides {:?}; save it again after `.contiguous()`",
                self.strides
            ));
        }
        let beyond = || format!("of shape {shape:?} extends beyond its storage of {} bytes", storage.bytes);
        let bytes = tensor_bytes(&shape, kind.size_in_bytes()).ok_or_else(beyond)?;
        let offset = usize::try_from(self.offset).ok().and_then(|n| n.checked_mul(kind.size_in_bytes()));
        let offset = offset.ok_or_else(beyond)?;
        if offset.checked_add(bytes).is_none_or(|end| end > storage.bytes) {
            return Err(beyond());
        }
        Ok(Entry { file, dtype, shape, start: storage.start + offset as u64, bytes })
    }
}

/// Whether the elements are contiguous, in row-major order.
fn in_order(shape: &[usize], strides: &[i64]) -> bool {
    let mut next = 1_u128;
    shape.len() == strides.len()
        && shape.iter().zip(strides).rev().all(|(&size, &stride)| {
            let fits = size <= 1 || i128::from(stride) == next as i128;
            next = next.saturating_mul(size as u128).min(1 << 100);
            fits
        })
}

fn dtype(storage: &str) -> Option<DType> {
    Some(match storage {
        "FloatStorage" => DType::F32,
        "DoubleStorage" => DType::F64,
        "HalfStorage" => DType::F16,
        "BFloat16Storage" => DType::BF16,
        "LongStorage" => DType::I64,
        "IntStorage" => DType::I32,
        "ShortStorage" => DType::I16,
        "ByteStorage" => DType::U8,
        _ => return None,
    })
}
