//! The files of a folder with an ONNX file.

use std::io::Write;
use std::path::Path;

use micse_files::{WholeFile, write_json};

use super::FILE;
use crate::files::object;
use crate::{Error, Result, Tokenizer};

/// Writes the file, in its parts.
pub(crate) fn write(folder: &Path, parts: &[Vec<u8>]) -> Result<()> {
    let path = folder.join(FILE);
    let file = WholeFile::create(&path)?;
    let mut handle = file.handle()?;
    parts.iter().try_for_each(|part| handle.write_all(part)).map_err(Error::io(&path))?;
    Ok(file.publish()?)
}

/// Writes the tokenizer in effect, its token limit and its padding token. Users of ONNX files read `tokenizer.json` as it
/// is, while transformers builds its pipeline from other files; and they know no other limit.
pub(crate) fn write_tokenizer(folder: &Path, tokenizer: &Tokenizer, pad: u32, limit: usize) -> Result<()> {
    tokenizer.save(&folder.join("tokenizer.json"))?;
    let path = folder.join("tokenizer_config.json");
    let mut keys = object(&path)?.unwrap_or_default();
    keys.insert("model_max_length".into(), limit.into());
    if tokenizer.keeps_end() {
        keys.insert("truncation_side".into(), "left".into());
    }
    if let Some(token) = tokenizer.tokens().get(pad as usize) {
        keys.entry("pad_token").or_insert_with(|| token.as_str().into());
    }
    Ok(write_json(&path, &keys)?)
}
