//! The origin of a model folder in the Hugging Face Hub cache.

use std::path::Path;

/// A Hub model, identified by the path of its folder in the cache: `models--OWNER--NAME/snapshots/REVISION`.
///
/// ```
/// use micse_eval::HubSnapshot;
///
/// let folder = "/cache/hub/models--google-bert--bert-base-uncased/snapshots/86b5e09";
/// let snapshot = HubSnapshot::of(folder.as_ref()).unwrap();
/// assert_eq!((snapshot.id.as_str(), snapshot.revision.as_str()), ("google-bert/bert-base-uncased", "86b5e09"));
/// assert_eq!(HubSnapshot::of("/home/me/model".as_ref()), None);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HubSnapshot {
    /// `owner/name`, or `name` alone for the Hub's oldest models.
    pub id: String,
    /// The commit.
    pub revision: String,
}

impl HubSnapshot {
    /// The Hub model of a folder; `None` if its path does not have the form of the cache.
    pub fn of(folder: &Path) -> Option<Self> {
        // `.` and `..` would hide the folder name.
        let folder = folder.canonicalize().unwrap_or_else(|_| folder.to_path_buf());
        let mut names = folder.components().rev().map(|part| part.as_os_str().to_str());
        let (revision, snapshots, model) = (names.next()??, names.next()??, names.next()??);
        let id = model.strip_prefix("models--").filter(|id| snapshots == "snapshots" && !id.is_empty())?;
        Some(Self { id: id.replacen("--", "/", 1), revision: revision.to_owned() })
    }
}
