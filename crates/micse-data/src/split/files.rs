//! The split files published by the authors of miCSE, used in place of drawn splits.

use std::path::{Path, PathBuf};

use super::SplitSize;
use crate::error::{Error, Result};

/// A folder of `wiki_subset_1M_PPPpercent_seedS.txt` files and, for 100 %, one file for all seeds: a
/// `wiki_subset_1M_100...percent` file without a seed, or `wiki1m_for_simcse.txt`.
#[derive(Clone, Debug)]
pub struct SplitFiles {
    folder: PathBuf,
    files: Vec<SplitFile>,
}

#[derive(Clone, Debug)]
struct SplitFile {
    size: SplitSize,
    /// `None`: one file for all seeds.
    seed: Option<u64>,
    path: PathBuf,
}

impl SplitFiles {
    /// Finds the split files in a folder; ignores other files.
    ///
    /// # Errors
    /// A folder that is missing, unreadable, or has no split file.
    pub fn open(folder: impl AsRef<Path>) -> Result<Self> {
        let folder = folder.as_ref().to_owned();
        let expected = "pass a folder with files such as wiki_subset_1M_001.00percent_seed48.txt";
        let missing = || Error::Missing { path: folder.clone(), remedy: expected.to_owned() };
        let failed = |source| Error::Read { path: folder.clone(), source };
        if !folder.is_dir() {
            return Err(missing());
        }
        let mut files = Vec::new();
        for entry in std::fs::read_dir(&folder).map_err(failed)? {
            let path = entry.map_err(failed)?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            if let Some((size, seed)) = parse_name(&name) {
                files.push(SplitFile { size, seed, path });
            }
        }
        if files.is_empty() {
            return Err(Error::Missing {
                path: folder.join("wiki_subset_1M_*.txt"),
                remedy: expected.to_owned(),
            });
        }
        files.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(Self { folder, files })
    }

    /// The file for a size and a seed. Percentages are compared as numbers (`1%` finds `001.00percent`). A count
    /// matches no file, because the names contain only percentages.
    ///
    /// # Errors
    /// No such file; the error lists the available sizes and seeds.
    pub fn find(&self, size: SplitSize, seed: u64) -> Result<PathBuf> {
        let fits = |file: &&SplitFile| file.size == size && file.seed.is_none_or(|own| own == seed);
        let file = self.files.iter().find(fits).ok_or_else(|| Error::NoSplitFile {
            folder: self.folder.clone(),
            size: size.to_string(),
            seed,
            there: self.files.iter().map(SplitFile::describe).collect::<Vec<_>>().join(", "),
        })?;
        Ok(file.path.clone())
    }
}

impl SplitFile {
    fn describe(&self) -> String {
        match self.seed {
            Some(seed) => format!("{} seed {seed}", self.size),
            None => format!("{} any seed", self.size),
        }
    }
}

/// Size and seed in a file name; `None` for other names.
fn parse_name(name: &str) -> Option<(SplitSize, Option<u64>)> {
    let stem = name.strip_suffix(".zst").unwrap_or(name).strip_suffix(".txt")?;
    if stem == "wiki1m_for_simcse" {
        return Some((SplitSize::Fraction(1.0), None));
    }
    let (percent, seed) = stem.strip_prefix("wiki_subset_1M_")?.split_once("percent")?;
    let size = format!("{percent}%").parse().ok()?;
    let seed = match seed {
        "" => None,
        seed => Some(seed.strip_prefix("_seed")?.parse().ok()?),
    };
    Some((size, seed))
}
