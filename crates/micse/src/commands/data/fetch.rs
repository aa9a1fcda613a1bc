//! `micse data fetch`: the field's data from the Hub, laid out as commands look for it.

use std::fmt::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use clap::Args;
use micse::data::locate::DATA_VARIABLE;
use micse_hub::progress::Download;
use micse_hub::{Dataset, Hub, catalogue, sha256};
use serde::Serialize;

use crate::commands::{print, print_json};
use micse::files::WholeFile;

/// Fetch a dataset of the field's standard protocol from the Hugging Face Hub; without a name, list them
///
/// It is laid out as commands look for it under `MICSE_DATA`. The licence is said; read it.
#[derive(Args)]
#[command(
    after_help = "Example:\n  micse data fetch senteval --to my-data && export MICSE_DATA=$PWD/my-data"
)]
pub(super) struct Fetch {
    /// Which: see the list
    name: Option<String>,
    /// The data folder that it goes to [default: `MICSE_DATA`]
    #[arg(long, value_name = "DIR")]
    to: Option<PathBuf>,
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
    /// Of the file as it came from the Hub.
    sha256: String,
    /// Whether the sum was known beforehand, and compared.
    compared: bool,
}

impl Fetch {
    pub(super) fn run(&self, as_json: bool) -> Result<()> {
        let Some(name) = &self.name else { return list(as_json) };
        let Some(dataset) = catalogue().iter().find(|dataset| dataset.name == name) else {
            let names: Vec<&str> = catalogue().iter().map(|dataset| dataset.name).collect();
            bail!("there is no dataset `{name}`; there are {}", names.join(", "));
        };
        let from_variable =
            std::env::var_os(DATA_VARIABLE).filter(|value| !value.is_empty()).map(PathBuf::from);
        let to = self.to.clone().or(from_variable);
        let to = to.with_context(|| format!("where to? Give --to DIR, or set {DATA_VARIABLE}"))?;
        eprintln!("{}: {}\nlicence: {}", dataset.name, dataset.what, dataset.licence);
        let hub = Hub::from_env()?;
        let mut files = Vec::new();
        for file in dataset.files {
            let mut download = Download::new();
            let path = hub.dataset_file(dataset.id, file.path, dataset.revision, file.sha256, &mut |e| {
                download.tell(e);
            });
            download.finish();
            let path = path?;
            let sha256 = match file.sha256 {
                Some(known) => known.to_owned(),
                None => sha256(&path)?,
            };
            let placed = place(dataset, file.path, &path, &to)?;
            files.push(FetchedFile { path: placed, sha256, compared: file.sha256.is_some() });
        }
        let fetched =
            Fetched { dataset: dataset.name, licence: dataset.licence, citation: dataset.citation, files };
        if as_json {
            return print_json(&fetched);
        }
        let mut text = String::new();
        for file in &fetched.files {
            let how = if file.compared { "compared" } else { "no sum is known to compare with" };
            // Writing into a String cannot fail.
            let _ =
                writeln!(text, "{}\n  SHA-256 of what came: {} ({how})", file.path.display(), file.sha256);
        }
        let _ = writeln!(text, "cite: {}", fetched.citation);
        let _ = writeln!(text, "commands find it with {DATA_VARIABLE}={}", to.display());
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

/// Puts a fetched file where commands look for it: texts under `wiki/`, an archive's content under its own name.
fn place(dataset: &Dataset, name: &str, cached: &Path, to: &Path) -> Result<PathBuf> {
    let file = Path::new(name);
    let archive = file.extension().is_some_and(|extension| extension == "tar");
    let place = if archive { to.join(dataset.name) } else { to.join("wiki").join(file) };
    if place.exists() {
        eprintln!("{}: there already, left as it is; delete it to have it anew", place.display());
        return Ok(place);
    }
    let parent = place.parent().context("a place without a folder")?;
    let failed = || format!("{}: cannot write; make room, or give another --to", place.display());
    std::fs::create_dir_all(parent).with_context(failed)?;
    if archive {
        // Unpacked beside, then renamed: the folder is whole or absent.
        let beside =
            tempfile::Builder::new().prefix(".unpacking-").tempdir_in(parent).with_context(failed)?;
        let reader = std::fs::File::open(cached).with_context(|| format!("{}", cached.display()))?;
        tar::Archive::new(std::io::BufReader::new(reader))
            .unpack(beside.path())
            .with_context(|| format!("{}: cannot unpack into {}", cached.display(), parent.display()))?;
        let root = sts_root(beside.path()).with_context(|| {
            format!("{}: the archive has no folder STS; was it made anew?", cached.display())
        })?;
        micse::files::rename(&root, &place).with_context(failed)?;
    } else {
        let mut source = std::fs::File::open(cached).with_context(|| format!("{}", cached.display()))?;
        let file = WholeFile::create(&place)?;
        std::io::copy(&mut source, &mut file.handle()?).with_context(failed)?;
        file.publish()?;
    }
    Ok(place)
}

/// The folder that holds `STS/`, at most three folders down.
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
        let placed = place(&DATASET, "sets.tar", &archive, &to).expect("a place");
        assert_eq!(placed, to.join("sets"));
        assert_eq!(std::fs::read_to_string(placed.join("STS/one.txt")).expect("text"), "a\tb\n");
        assert!(placed.join("SICK/two.txt").is_file());
        let entries = |folder: &Path| std::fs::read_dir(folder).expect("a folder").count();
        assert_eq!(entries(&to), 1, "nothing is left beside it");

        let bytes = std::fs::read(&archive).expect("bytes");
        std::fs::write(&archive, &bytes[..700]).expect("a file");
        let other = folder.path().join("other");
        let error =
            format!("{:#}", place(&DATASET, "sets.tar", &archive, &other).expect_err("it is cut off"));
        assert!(error.contains("sets.tar"), "{error}");
        assert_eq!(entries(&other), 0, "nothing of it is kept");
    }

    #[test]
    fn a_text_goes_where_commands_look_for_it() {
        let folder = tempfile::tempdir().expect("a folder");
        let cached = folder.path().join("blob");
        std::fs::write(&cached, "It rained.\n").expect("a file");
        let placed = place(&DATASET, "notes.txt", &cached, folder.path()).expect("a place");
        assert_eq!(placed, folder.path().join("wiki/notes.txt"));
        std::fs::write(&placed, "mine").expect("a file");
        place(&DATASET, "notes.txt", &cached, folder.path()).expect("a place");
        assert_eq!(std::fs::read_to_string(&placed).expect("text"), "mine", "what is there stays");
    }
}
