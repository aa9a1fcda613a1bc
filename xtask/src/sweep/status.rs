//! `sweep status` and `sweep collect`: what stands in a sweep's folder, whoever wrote it.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Result, bail};
use clap::Args;
use micse_report::{Failure, Grid, GridCell};
use micse_train::run::Lock;

use super::CompareOptions;
use super::cell::{CellSpec, Work};

/// Which cells of a sweep's folder are done, running, failed or waiting.
#[derive(Args)]
pub(super) struct Status {
    /// The sweep's folder
    folder: PathBuf,
}

/// Write the tables of a sweep's folder from the results that stand.
#[derive(Args)]
pub(super) struct Collect {
    /// The sweep's folder
    folder: PathBuf,
    #[command(flatten)]
    compare: CompareOptions,
}

/// Where a cell is.
#[derive(Clone, Debug, PartialEq, Eq)]
enum State {
    Done,
    Running(String),
    Failed(String),
    Begun(String),
    Waiting,
}

fn state(sweep: &Path, cell: &GridCell) -> Result<State> {
    let folder = sweep.join(&cell.folder);
    if folder.join("result.json").is_file() {
        return Ok(State::Done);
    }
    let at = || step(&folder, sweep, cell);
    Ok(match Failure::load(&folder)? {
        _ if Lock::is_held(&folder) => State::Running(at()),
        Some(failure) => State::Failed(failure.reason),
        None if folder.join("run.toml").is_file() => State::Begun(at()),
        None => State::Waiting,
    })
}

/// `step 120/400`, from the last line of the metrics.
fn step(folder: &Path, sweep: &Path, cell: &GridCell) -> String {
    let metrics = std::fs::read(folder.join("metrics.jsonl")).unwrap_or_default();
    let last = metrics.split(|&b| b == b'\n').rfind(|line| !line.is_empty()).unwrap_or_default();
    let line: serde_json::Value = serde_json::from_slice(last).unwrap_or_default();
    let steps = match CellSpec::of_grid(sweep, cell).map(|spec| spec.work) {
        Ok(Work::Train { recipe, .. }) => recipe.steps,
        _ => return "scoring".into(),
    };
    format!("step {}/{steps}", line["step"].as_u64().unwrap_or(0))
}

impl Status {
    pub(super) fn run(&self) -> Result<ExitCode> {
        let grid = Grid::load(&self.folder)?;
        let states: Vec<(&GridCell, State)> =
            grid.cells.iter().map(|cell| Ok((cell, state(&self.folder, cell)?))).collect::<Result<_>>()?;
        for (cell, state) in &states {
            match state {
                State::Running(at) => println!("running  {cell}: {at}"),
                State::Begun(at) => println!("begun    {cell}: {at}"),
                State::Failed(reason) => println!("failed   {cell}: {reason}"),
                State::Done | State::Waiting => {}
            }
        }
        let count = |of: fn(&State) -> bool| states.iter().filter(|(_, state)| of(state)).count();
        println!(
            "{} cells: {} done, {} running, {} begun and not running, {} failed, {} waiting",
            states.len(),
            count(|s| *s == State::Done),
            count(|s| matches!(s, State::Running(_))),
            count(|s| matches!(s, State::Begun(_))),
            count(|s| matches!(s, State::Failed(_))),
            count(|s| *s == State::Waiting)
        );
        Ok(ExitCode::SUCCESS)
    }
}

impl Collect {
    pub(super) fn run(&self) -> Result<ExitCode> {
        let grid = Grid::load(&self.folder)?;
        let done =
            grid.cells.iter().filter(|c| self.folder.join(&c.folder).join("result.json").is_file()).count();
        if done == 0 {
            bail!("{}: none of its {} cells is done yet", self.folder.display(), grid.cells.len());
        }
        self.compare.write_tables(&self.folder, &grid)?;
        let holes = grid.cells.len() - done;
        if holes > 0 {
            eprintln!("{holes} of {} cells have no result; `sweep status` tells why", grid.cells.len());
            return Ok(ExitCode::FAILURE);
        }
        Ok(ExitCode::SUCCESS)
    }
}
