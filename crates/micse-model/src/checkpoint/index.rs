//! The index of a sharded checkpoint: which file contains which tensor.

use std::collections::{BTreeMap, HashMap};
use std::path::{Component, Path, PathBuf};

use serde::Deserialize;

use super::{Entry, damaged, table};
use crate::files::read_text;
use crate::{Error, Result};

#[derive(Deserialize)]
struct Index {
    weight_map: BTreeMap<String, String>,
}

/// The shards, and all tensors listed in the index.
pub(super) fn read(path: &Path) -> Result<(Vec<PathBuf>, BTreeMap<String, Entry>)> {
    let Index { weight_map } = serde_json::from_str(&read_text(path)?)
        .map_err(|e| damaged(path, format!("not a valid index of shards: {e}")))?;
    let mut shards: BTreeMap<&str, (usize, HashMap<String, Entry>)> = BTreeMap::new();
    let mut files = Vec::new();
    for (tensor, shard) in &weight_map {
        if shards.contains_key(shard.as_str()) {
            continue;
        }
        let mut parts = Path::new(shard).components();
        if !matches!((parts.next(), parts.next()), (Some(Component::Normal(_)), None)) {
            return Err(damaged(
                path,
                format!("the shard `{shard}` is not the name of a file in the same folder"),
            ));
        }
        let file = path.with_file_name(shard);
        if !file.is_file() {
            let reason =
                format!("the shard `{shard}` (with tensor `{tensor}`) is missing; copy or download it");
            return Err(Error::Weights { path: path.into(), reason });
        }
        let number = files.len();
        shards.insert(shard, (number, table(&file, number)?.into_iter().collect()));
        files.push(file);
    }
    let mut entries = BTreeMap::new();
    for (tensor, shard) in &weight_map {
        let Some((number, of_shard)) = shards.get_mut(shard.as_str()) else { continue };
        let entry = of_shard.remove(tensor).ok_or_else(|| {
            damaged(
                &files[*number],
                format!("tensor `{tensor}` is missing, although the index lists it here"),
            )
        })?;
        entries.insert(tensor.clone(), entry);
    }
    Ok((files, entries))
}
