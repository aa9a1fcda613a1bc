//! The header of a safetensors file: 8 bytes with its length, JSON with the type, shape and offsets of each
//! tensor, then the tensor data.

use std::path::Path;

use candle_core::DType;
use serde::Deserialize;
use serde::de::{IgnoredAny, MapAccess, Visitor};

use super::{Entry, damaged, length, read_range, tensor_bytes};
use crate::Result;

/// Limit defined by the format.
const LONGEST_HEADER: u64 = 100_000_000;

#[derive(Deserialize)]
struct Info {
    dtype: String,
    shape: Vec<usize>,
    data_offsets: (u64, u64),
}

/// The header's entries, without metadata.
struct Header(Vec<(String, Info)>);

impl<'de> Deserialize<'de> for Header {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        struct Entries;
        impl<'de> Visitor<'de> for Entries {
            type Value = Header;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a table of tensors")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> std::result::Result<Header, A::Error> {
                let mut entries = Vec::new();
                while let Some(name) = map.next_key::<String>()? {
                    if name == "__metadata__" {
                        map.next_value::<IgnoredAny>()?;
                    } else {
                        entries.push((name, map.next_value()?));
                    }
                }
                Ok(Header(entries))
            }
        }
        deserializer.deserialize_map(Entries)
    }
}

/// The tensors of the file.
pub(super) fn table(path: &Path, file: usize) -> Result<Vec<(String, Entry)>> {
    let whole = length(path)?;
    if whole < 8 {
        return Err(damaged(path, format!("{whole} bytes are too few for a header")));
    }
    let mut size = [0; 8];
    size.copy_from_slice(&read_range(path, 0, 8)?);
    let size = u64::from_le_bytes(size);
    if size > LONGEST_HEADER || size > whole - 8 {
        return Err(damaged(path, format!("its header should have {size} bytes, but the file has {whole}")));
    }
    let begin = 8 + size;
    let Header(entries) = serde_json::from_slice(&read_range(path, 8, size as usize)?)
        .map_err(|e| damaged(path, format!("its header is invalid: {e}")))?;
    let mut spans = Vec::with_capacity(entries.len());
    let mut table = Vec::with_capacity(entries.len());
    for (name, info) in entries {
        let (from, to) = info.data_offsets;
        if from > to || to > whole - begin {
            return Err(damaged(path, format!("tensor `{name}` extends beyond the end of the file")));
        }
        let dtype = dtype(&info.dtype).ok_or(info.dtype);
        if let Ok(dtype) = &dtype
            && tensor_bytes(&info.shape, dtype.size_in_bytes()) != Some((to - from) as usize)
        {
            let (shape, bytes) = (info.shape, to - from);
            return Err(damaged(path, format!("tensor `{name}` of shape {shape:?} has {bytes} bytes")));
        }
        spans.push((from, to));
        let entry =
            Entry { file, dtype, shape: info.shape, start: begin + from, bytes: (to - from) as usize };
        table.push((name, entry));
    }
    // The format allows neither gaps nor overlaps.
    spans.sort_unstable();
    let mut end = 0;
    for (from, to) in spans {
        if from != end {
            return Err(damaged(
                path,
                format!("its tensors leave a gap or overlap at byte {}", begin + end.min(from)),
            ));
        }
        end = to;
    }
    if end != whole - begin {
        return Err(damaged(
            path,
            format!("its tensors end at byte {}, the file at byte {whole}", begin + end),
        ));
    }
    Ok(table)
}

fn dtype(name: &str) -> Option<DType> {
    Some(match name {
        "F64" => DType::F64,
        "F32" => DType::F32,
        "F16" => DType::F16,
        "BF16" => DType::BF16,
        "I64" => DType::I64,
        "I32" => DType::I32,
        "I16" => DType::I16,
        "U32" => DType::U32,
        "U8" => DType::U8,
        _ => return None,
    })
}
