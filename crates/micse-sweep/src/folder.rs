//! The sweep folder: one sweep at a time uses it, always with the same cells.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use micse_cli::note;
use micse_files::RunFolder;
use micse_model::{BertConfig, ModelFolder};
use micse_report::{Grid, Tables};
use micse_train::run::{Lock, first_difference};
use serde_json::{Value, json};

use crate::cell::CellSpec;
use crate::file::SweepFile;
use crate::memory::{checkpoint, parameters};
use crate::plan::Plan;
use crate::{models, slurm};

/// Bytes for the small files of a cell.
const SMALL_FILES: u64 = 1 << 20;

/// A sweep folder in use.
pub(crate) struct Taken {
    _lock: Lock,
    pub(crate) file: SweepFile,
    /// `sweep.json` as it was before.
    before: Option<Vec<u8>>,
}

impl Taken {
    /// Restores `sweep.json`, because finished cells do not belong to the new one.
    pub(crate) fn restore(&self, folder: &Path) -> Result<()> {
        match &self.before {
            Some(bytes) => Ok(micse_files::write_whole(&folder.join(Grid::FILE), bytes)?),
            None => Ok(()),
        }
    }
}

/// Checks that no different sweep was started in the folder, and that it has nothing of somebody else.
pub(crate) fn check(plan: &Plan) -> Result<()> {
    if plan.out.join(Grid::FILE).is_file() {
        return check_same(&plan.out, &SweepFile::load(&plan.out)?, &plan.file()?);
    }
    check_foreign(&plan.out)
}

/// Rejects a folder that no sweep made, if it has a file or folder that a sweep would write.
fn check_foreign(out: &Path) -> Result<()> {
    let own = Tables::FILES.into_iter().chain(["cells", slurm::FOLDER]).map(|name| out.join(name));
    match own.into_iter().find(|path| path.exists()) {
        Some(path) if !out.join(Grid::FILE).exists() => bail!(
            "{}: this folder was not made by a sweep (it has no {}), and a sweep would overwrite this; pass a different \
             --out, or move it away",
            path.display(),
            Grid::FILE
        ),
        _ => Ok(()),
    }
}

/// Locks the folder for this sweep, checks that no different sweep was started there and that the disk has enough
/// space, and writes `sweep.json`.
pub(crate) fn take(plan: &Plan) -> Result<Taken> {
    let out = &plan.out;
    // Before the lock, which is a file, too.
    check_foreign(out)?;
    std::fs::create_dir_all(out).with_context(|| {
        format!("{}: cannot create the sweep folder; pass a different --out", out.display())
    })?;
    let lock = Lock::take(out, Duration::from_secs(2))?;
    slurm::refuse_if_queued(out)?;
    micse_files::remove_leftovers(out)?;
    check(plan)?;
    models::note_missing(&plan.cells)?;
    check_room(plan)?;
    let before = match std::fs::read(out.join(Grid::FILE)) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
        read => Some(read.with_context(|| format!("{}", out.join(Grid::FILE).display()))?),
    };
    let file = plan.file()?;
    file.save(out)?;
    Ok(Taken { _lock: lock, file, before })
}

/// Rejects a sweep whose cells differ from those already started in the folder.
fn check_same(out: &Path, old: &SweepFile, new: &SweepFile) -> Result<()> {
    let mut left = 0;
    for planned in &old.cells {
        let (cell, begun) = (&planned.cell, RunFolder::new(&planned.spec.folder).is_begun());
        let Some(now) = new.cells.iter().find(|c| c.cell.folder == cell.folder) else {
            left += usize::from(begun);
            continue;
        };
        if let (true, Some(difference)) =
            (begun, first_difference(&decisive(&planned.spec), &decisive(&now.spec))?)
        {
            bail!(
                "{}: {cell} belongs to another run ({difference}); pass a different --out, or delete {}",
                out.display(),
                cell.folder.display()
            );
        }
    }
    if left > 0 {
        note(format_args!("{left} cells of an earlier command stay in the folder, but not in the tables"));
    }
    Ok(())
}

/// The part of a specification that determines a cell's result. The cell's process compares its inputs by hash.
fn decisive(spec: &CellSpec) -> Value {
    json!({"recipe": spec.recipe(), "chunk": spec.chunk})
}

/// Rejects a sweep that does not fit on the disk.
fn check_room(plan: &Plan) -> Result<()> {
    let open: Vec<&CellSpec> = plan.cells.iter().filter(|cell| !cell.run_folder().is_finished()).collect();
    let need = needed(&open, plan)?;
    let free = fs4::available_space(&plan.out).with_context(|| format!("{}", plan.out.display()))?;
    if need > free {
        bail!(
            "{}: the sweep needs about {} MiB on this disk, but {} MiB are free; free some space, pass a different --out, \
             or use fewer --jobs or --keep-models none",
            plan.out.display(),
            need >> 20,
            free >> 20
        );
    }
    Ok(())
}

fn needed(open: &[&CellSpec], plan: &Plan) -> Result<u64> {
    // Cells share few encoders, whose configurations are read once.
    let mut configs: BTreeMap<&Path, BertConfig> = BTreeMap::new();
    let mut checkpoints = Vec::new();
    for cell in open {
        let Some(recipe) = cell.recipe() else { continue };
        if !configs.contains_key(cell.encoder.as_path()) {
            configs.insert(&cell.encoder, ModelFolder::open(&cell.encoder)?.config()?);
        }
        // An old checkpoint is kept until the new one is complete.
        checkpoints.push(2 * checkpoint(recipe, &configs[cell.encoder.as_path()]));
    }
    // The largest checkpoints, one per concurrent cell, and models of the largest encoder.
    checkpoints.sort_unstable_by(|a, b| b.cmp(a));
    let model = configs.values().map(|config| 4 * parameters(config)).max().unwrap_or(0);
    Ok(open.len() as u64 * SMALL_FILES
        + checkpoints.iter().take(plan.at_once).sum::<u64>()
        + models::bytes(open, model, plan.at_once))
}
