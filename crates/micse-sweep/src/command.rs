//! The command `sweep`.

use std::process::ExitCode;

use anyhow::{Result, bail};
use clap::{Args, Subcommand};
use micse_cli::exit::STOPPED;
use micse_cli::output::say;
use micse_cli::{note, print, print_json};
use micse_train::Stop;

use crate::file::SweepFile;
use crate::memory::Budget;
use crate::options::{CompareOptions, GridOptions, HowOptions, Launcher};
use crate::plan::Plan;
use crate::pool::Pool;
use crate::{dry_run, folder, slurm, status};

/// Train methods x sizes x seeds and tabulate the scores; without options, run the preset `demo` on shipped files
#[derive(Args, Debug)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "Example:\n  micse sweep --methods simcse,micse --sizes 1000 --corpus notes.txt --model \
                  all-MiniLM-L6-v2/ --sts demo --out runs/notes"
)]
pub struct Sweep {
    #[command(subcommand)]
    action: Option<Action>,
    #[command(flatten)]
    grid: GridOptions,
    #[command(flatten)]
    how: HowOptions,
    #[command(flatten)]
    compare: CompareOptions,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Show which cells of a sweep are done, running, failed or waiting
    Status(status::Status),
    /// Write the tables of a sweep from its existing results
    Collect(status::Collect),
}

impl Sweep {
    /// Runs the sweep, or resumes it.
    ///
    /// # Errors
    /// The options cannot be combined, the folder belongs to another sweep, or a cell fails.
    pub fn run(&self, json: bool) -> Result<ExitCode> {
        match &self.action {
            None => self.sweep(json),
            Some(Action::Status(status)) => status.run(json),
            Some(Action::Collect(collect)) => collect.run(json),
        }
    }

    fn sweep(&self, json: bool) -> Result<ExitCode> {
        // First, so that a request to stop ends cleanly from here on.
        let stop = Stop::on_signals()?;
        // Started here as well, to reject options that cannot be combined before anything runs.
        let compute = self.grid.compute.start()?;
        let mut plan = Plan::new(&self.grid, &self.how)?;
        plan.against = self.compare.against_or(plan.against);
        plan.notes.iter().chain(&plan.remarks).for_each(note);
        self.compare.check(&plan.file()?.grid())?;
        if self.how.dry_run {
            folder::check(&plan)?;
            plan.say_memory(&Budget::of_machine())?;
            dry_run::print_plan(&plan, &compute, self.how.retry_failed, json)?;
            return Ok(ExitCode::SUCCESS);
        }
        let taken = folder::take(&plan)?;
        // The processes that check begun and finished cells read the new sweep.json.
        let checked = self.pool(&plan, &stop).check(&plan.cells);
        if checked.is_err() {
            taken.restore(&plan.out)?;
        }
        if !checked? {
            note("stopped; rerun the same command to resume");
            return Ok(ExitCode::from(STOPPED));
        }
        match self.how.launcher {
            Launcher::Local => self.run_here(&plan, &taken.file, &stop, json),
            Launcher::Slurm => {
                self.how.slurm.submit(&plan, self.how.retry_failed, &self.compare.arguments(), json)
            }
            Launcher::Print => {
                let commands = slurm::commands(&plan, self.how.retry_failed)?;
                if json {
                    print_json(&commands)?;
                } else {
                    commands.iter().try_for_each(|command| print(command))?;
                }
                Ok(ExitCode::SUCCESS)
            }
        }
    }

    fn pool<'a>(&self, plan: &'a Plan, stop: &'a Stop) -> Pool<'a> {
        Pool {
            sweep: &plan.out,
            jobs: plan.jobs,
            budget: Budget::of_machine(),
            stop,
            retry_failed: self.how.retry_failed,
        }
    }

    fn run_here(&self, plan: &Plan, file: &SweepFile, stop: &Stop, json: bool) -> Result<ExitCode> {
        let pool = self.pool(plan, stop);
        plan.say_memory(&pool.budget)?;
        let ended = pool.run(&plan.cells)?;
        // Before the tables, which cannot be written if the disk is full.
        for (cell, reason) in &ended.failed {
            say(format_args!("failed: {cell}: {reason}"));
        }
        if ended.stopped {
            // Tables take time, and the user asked to stop; `sweep collect` writes them.
            note("stopped; rerun the same command to resume");
            return Ok(ExitCode::from(STOPPED));
        }
        // Without any result, the tables of earlier cells in the folder stay.
        if plan.cells.iter().any(|cell| cell.run_folder().is_finished()) {
            self.compare.write_tables(&plan.out, &file.grid(), json)?;
        }
        if !ended.failed.is_empty() {
            bail!(
                "{} of {} cells failed; rerun the same command with --retry-failed to run them again",
                ended.failed.len(),
                plan.cells.len()
            );
        }
        // However its process ended, a cell is done if its result exists.
        let holes = plan.cells.iter().filter(|cell| !cell.run_folder().is_finished()).count();
        if holes > 0 {
            bail!("{holes} of {} cells have no result; rerun the same command", plan.cells.len());
        }
        Ok(ExitCode::SUCCESS)
    }
}
