//! `sweep status` and `sweep collect`: read a sweep folder, wherever its cells ran.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Result, bail};
use clap::Args;
use micse_cli::{note, print, print_json};
use micse_files::RunFolder;
use micse_report::{Failure, Grid, GridCell};
use micse_train::run::Metrics;
use serde::Serialize;

use crate::cell::Work;
use crate::file::SweepFile;
use crate::options::CompareOptions;

/// Show which cells of a sweep are done, running, failed or waiting.
#[derive(Args, Debug)]
pub(crate) struct Status {
    /// Sweep folder
    folder: PathBuf,
    /// Exit with status 1 unless every cell is done
    #[arg(long)]
    check: bool,
}

/// Write the tables of a sweep from its existing results.
#[derive(Args, Debug)]
pub(crate) struct Collect {
    /// Sweep folder
    folder: PathBuf,
    #[command(flatten)]
    compare: CompareOptions,
}

/// The state of a cell.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "state")]
enum State {
    Done,
    Running { at: String },
    Failed { reason: String },
    Begun { at: String },
    Waiting,
}

#[derive(Serialize)]
struct Row<'a> {
    cell: String,
    folder: &'a Path,
    #[serde(flatten)]
    state: State,
}

fn state(run: &RunFolder, cell: &GridCell, steps: Option<usize>) -> Result<State> {
    if run.is_finished() {
        return Ok(State::Done);
    }
    let at = || place(run, cell, steps);
    Ok(match Failure::load(run)? {
        _ if run.is_running() => State::Running { at: at()? },
        Some(failure) => State::Failed { reason: failure.reason },
        None if run.is_begun() => State::Begun { at: at()? },
        None => State::Waiting,
    })
}

/// `step 120/400`, from the last line of the metrics; `step 120` if the number of steps is not known.
fn place(run: &RunFolder, cell: &GridCell, steps: Option<usize>) -> Result<String> {
    if cell.size.is_none() {
        return Ok("scoring".into());
    }
    let step = Metrics::last_step(run)?.unwrap_or(0);
    Ok(steps.map_or_else(|| format!("step {step}"), |steps| format!("step {step}/{steps}")))
}

/// The number of steps of each cell that trains, by folder. Empty if the sweep file is not of this version, which does
/// not keep the states from being shown.
fn steps_of_cells(sweep: &Path) -> Vec<(PathBuf, usize)> {
    let Ok(file) = SweepFile::load(sweep) else { return Vec::new() };
    let steps = |work: &Work| match work {
        Work::Train { recipe, .. } => Some(recipe.steps),
        _ => None,
    };
    file.cells.iter().filter_map(|p| Some((p.cell.folder.clone(), steps(&p.spec.work)?))).collect()
}

impl Status {
    pub(crate) fn run(&self, json: bool) -> Result<ExitCode> {
        let grid = Grid::load(&self.folder)?;
        let steps = steps_of_cells(&self.folder);
        let row = |cell: &'_ GridCell| -> Result<(String, State)> {
            let steps = steps.iter().find(|(folder, _)| *folder == cell.folder).map(|(_, steps)| *steps);
            let run = RunFolder::new(self.folder.join(&cell.folder));
            Ok((cell.to_string(), state(&run, cell, steps)?))
        };
        let states = grid.cells.iter().map(row).collect::<Result<Vec<_>>>()?;
        let count = |of: fn(&State) -> bool| states.iter().filter(|(_, state)| of(state)).count();
        let done = count(|s| *s == State::Done);
        if json {
            let rows: Vec<Row<'_>> = grid
                .cells
                .iter()
                .zip(&states)
                .map(|(c, (cell, state))| Row { cell: cell.clone(), folder: &c.folder, state: state.clone() })
                .collect();
            print_json(&rows)?;
        } else {
            for (cell, state) in &states {
                match state {
                    State::Running { at } => print(&format!("running  {cell}: {at}"))?,
                    State::Begun { at } => print(&format!("begun    {cell}: {at}"))?,
                    State::Failed { reason } => print(&format!("failed   {cell}: {reason}"))?,
                    State::Done | State::Waiting => {}
                }
            }
            print(&format!(
                "{} cells: {done} done, {} running, {} begun and not running, {} failed, {} waiting",
                states.len(),
                count(|s| matches!(s, State::Running { .. })),
                count(|s| matches!(s, State::Begun { .. })),
                count(|s| matches!(s, State::Failed { .. })),
                count(|s| *s == State::Waiting)
            ))?;
        }
        let complete = done == states.len();
        Ok(if self.check && !complete { ExitCode::FAILURE } else { ExitCode::SUCCESS })
    }
}

impl Collect {
    pub(crate) fn run(&self, json: bool) -> Result<ExitCode> {
        let grid = Grid::load(&self.folder)?;
        let is_done = |cell: &&GridCell| RunFolder::new(self.folder.join(&cell.folder)).is_finished();
        let done = grid.cells.iter().filter(is_done).count();
        if done == 0 {
            bail!("{}: none of the {} cells is done yet", self.folder.display(), grid.cells.len());
        }
        self.compare.write_tables(&self.folder, &grid, json)?;
        let holes = grid.cells.len() - done;
        if holes > 0 {
            note(format_args!(
                "{holes} of {} cells have no result; `sweep status` shows why",
                grid.cells.len()
            ));
            return Ok(ExitCode::FAILURE);
        }
        Ok(ExitCode::SUCCESS)
    }
}
