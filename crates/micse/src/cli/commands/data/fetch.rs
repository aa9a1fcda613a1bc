//! `micse data fetch`: downloads standard datasets from the Hub, into the layout that commands expect.

use std::fmt::Write;
use std::path::{Path, PathBuf};

use crate::data::locate::DATA_VARIABLE;
use anyhow::{Context, Result, bail};
use clap::Args;
use micse_cli::download::Download;
use micse_hub::{Dataset, Hub, catalogue, sha256};
use serde::Serialize;

use crate::files::WholeFile;
use micse_cli::{note, print, print_json};

/// Download a standard dataset from the Hugging Face Hub; without a name, list the datasets
///
/// The files get the layout that commands expect under `MICSE_DATA`. Read the printed licence.
#[derive(Args, Debug)]
#[command(
    after_help = "Example:\n  micse data fetch senteval --output my-data && export MICSE_DATA=$PWD/my-data"
)]
pub(super) struct Fetch {
    /// Dataset name
    name: Option<String>,
    /// Data folder [default: `MICSE_DATA`]
    #[arg(long, value_name = "FOLDER", alias = "to")]
    output: Option<PathBuf>,
}

#[derive(Serialize)]
struct Fetched {
    dataset: &'static str,
    licence: &'static str,
    citation: &'static str,
    files: Vec<FetchedFile>,
}

#[derive(Serialize)]
struct FetchedFile {
    path: PathBuf,
    /// SHA-256 of the downloaded file.
    sha256: String,
    /// Whether a known checksum was compared with it.
    compared: bool,
    /// Whether a file or folder was there already, which was left as it is.
    kept: bool,
}

impl FetchedFile {
    fn check(&self) -> &'static str {
        match (self.kept, self.compared) {
            (true, _) => "not compared with what was there already",
            (false, true) => "verified",
            (false, false) => "no known checksum to compare with",
        }
    }
}

impl Fetch {
    pub(super) fn run(&self, as_json: bool) -> Result<()> {
        let Some(name) = &self.name else { return list(as_json) };
        let Some(dataset) = catalogue().iter().find(|dataset| dataset.name == name) else {
            let names: Vec<&str> = catalogue().iter().map(|dataset| dataset.name).collect();
            bail!("unknown dataset `{name}`; choose from {}", names.join(", "));
        };
        let from_variable =
            std::env::var_os(DATA_VARIABLE).filter(|value| !value.is_empty()).map(PathBuf::from);
        let to = self.output.clone().or(from_variable);
        let to =
            to.with_context(|| format!("no data folder; pass --output FOLDER, or set {DATA_VARIABLE}"))?;
        note(format_args!("{}: {}\nlicence: {}", dataset.name, dataset.what, dataset.licence));
        let hub = Hub::from_env()?;
        let mut files = Vec::new();
        for file in dataset.files {
            let mut download = Download::new();
            let path = hub.dataset_file(dataset.id, file.path, dataset.revision, file.sha256, &mut |e| {
                download.tell(e);
            });
            drop(download);
            let path = path?;
            let sha256 = match file.sha256 {
                Some(known) => known.to_owned(),
                None => sha256(&path)?,
            };
            let (path, kept) = place(dataset, file.path, &path, &to)?;
            files.push(FetchedFile { path, sha256, compared: file.sha256.is_some(), kept });
        }
        let fetched =
            Fetched { dataset: dataset.name, licence: dataset.licence, citation: dataset.citation, files };
        if as_json {
            return print_json(&fetched);
        }
        let mut text = String::new();
        for file in &fetched.files {
            // Writing into a String cannot fail.
            let _ = writeln!(
                text,
                "{}\n  SHA-256 of the download: {} ({})",
                file.path.display(),
                file.sha256,
                file.check()
            );
        }
        let _ = writeln!(text, "cite: {}", fetched.citation);
        let _ = writeln!(text, "set {DATA_VARIABLE}={} so that commands find it", to.display());
        print(&text)
    }
}

fn list(as_json: bool) -> Result<()> {
    #[derive(Serialize)]
    struct Row {
        name: &'static str,
        what: &'static str,
        repository: &'static str,
        files: usize,
        licence: &'static str,
    }
    let row = |d: &Dataset| Row {
        name: d.name,
        what: d.what,
        repository: d.id,
        files: d.files.len(),
        licence: d.licence,
    };
    let rows: Vec<Row> = catalogue().iter().map(row).collect();
    if as_json {
        return print_json(&rows);
    }
    let mut text = String::new();
    for row in rows {
        let _ = writeln!(text, "{}\n  {}\n  licence: {}", row.name, row.what, row.licence);
    }
    print(&text)
}

/// Puts a downloaded file where commands expect it: corpora under `wiki/`, the contents of an archive under the
/// dataset's name. Returns the place, and whether something was there already, which stays as it is.
fn place(dataset: &Dataset, name: &str, cached: &Path, to: &Path) -> Result<(PathBuf, bool)> {
    let file = Path::new(name);
    let archive = file.extension().is_some_and(|extension| extension == "tar");
    let place = if archive { to.join(dataset.name) } else { to.join("wiki").join(file) };
    if place.exists() {
        note(format_args!("{}: already exists; delete it to download again", place.display()));
        return Ok((place, true));
    }
    let parent = place.parent().context("a file without a folder")?;
    let failed =
        || format!("{}: cannot write; free some space, or pass a different --output", place.display());
    std::fs::create_dir_all(parent).with_context(failed)?;
    if archive {
        // Unpacked into a folder next to it, then renamed: the folder is complete or absent.
        let unpacked =
            tempfile::Builder::new().prefix(".unpacking-").tempdir_in(parent).with_context(failed)?;
        let reader = std::fs::File::open(cached).with_context(|| format!("{}", cached.display()))?;
        tar::Archive::new(std::io::BufReader::new(reader))
            .unpack(unpacked.path())
            .with_context(|| format!("{}: cannot unpack into {}", cached.display(), parent.display()))?;
        let root = sts_root(unpacked.path()).with_context(|| {
            format!("{}: the archive has no STS folder; its layout may have changed", cached.display())
        })?;
        crate::files::rename(&root, &place).with_context(failed)?;
    } else {
        let mut source = std::fs::File::open(cached).with_context(|| format!("{}", cached.display()))?;
        let file = WholeFile::create(&place)?;
        std::io::copy(&mut source, &mut file.handle()?).with_context(failed)?;
        file.publish()?;
    }
    Ok((place, false))
}

/// The folder that contains `STS/`, at most three levels down.
fn sts_root(folder: &Path) -> Option<PathBuf> {
    let mut level = vec![folder.to_path_buf()];
    for _ in 0..4 {
        if let Some(found) = level.iter().find(|place| place.join("STS").is_dir()) {
            return Some(found.clone());
        }
        let inside = level.iter().filter_map(|place| std::fs::read_dir(place).ok()).flatten().flatten();
        let folders = inside.map(|entry| entry.path()).filter(|path| path.is_dir() && !path.is_symlink());
        level = folders.collect();
        level.sort();
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    const DATASET: Dataset = Dataset {
        name: "sets",
        what: "",
        id: "owner/sets",
        revision: "main",
        files: &[],
        licence: "",
        citation: "",
    };

    #[test]
    fn an_archive_is_unpacked_whole_or_not_at_all() {
        let folder = tempfile::tempdir().expect("a folder");
        let [archive, to] = ["sets.tar", "data"].map(|name| folder.path().join(name));
        let mut builder = tar::Builder::new(std::fs::File::create(&archive).expect("a file"));
        for (name, text) in
            [("data/downstream/STS/one.txt", "a\tb\n"), ("data/downstream/SICK/two.txt", "c\n")]
        {
            let mut header = tar::Header::new_gnu();
            header.set_size(text.len() as u64);
            header.set_mode(0o644);
            header.set_cksum();
            builder.append_data(&mut header, name, text.as_bytes()).expect("an entry");
        }
        builder.into_inner().expect("an archive");
        let (placed, kept) = place(&DATASET, "sets.tar", &archive, &to).expect("a place");
        assert_eq!((&placed, kept), (&to.join("sets"), false));
        assert_eq!(std::fs::read_to_string(placed.join("STS/one.txt")).expect("text"), "a\tb\n");
        assert!(placed.join("SICK/two.txt").is_file());
        let entries = |folder: &Path| std::fs::read_dir(folder).expect("a folder").count();
        assert_eq!(entries(&to), 1, "the temporary folder must be removed");

        let bytes = std::fs::read(&archive).expect("bytes");
        std::fs::write(&archive, &bytes[..700]).expect("a file");
        let other = folder.path().join("other");
        let error =
            format!("{:#}", place(&DATASET, "sets.tar", &archive, &other).expect_err("a truncated archive"));
        assert!(error.contains("sets.tar"), "{error}");
        assert_eq!(entries(&other), 0, "a damaged archive must leave no files");
    }

    #[test]
    fn a_text_goes_where_commands_look_for_it() {
        let folder = tempfile::tempdir().expect("a folder");
        let cached = folder.path().join("blob");
        std::fs::write(&cached, "It rained.\n").expect("a file");
        let (placed, kept) = place(&DATASET, "notes.txt", &cached, folder.path()).expect("a place");
        assert_eq!((&placed, kept), (&folder.path().join("wiki/notes.txt"), false));
        std::fs::write(&placed, "mine").expect("a file");
        let again = place(&DATASET, "notes.txt", &cached, folder.path()).expect("a place");
        assert_eq!(again, (placed.clone(), true));
        assert_eq!(std::fs::read_to_string(&placed).expect("text"), "mine", "an existing file is kept");
    }
}
