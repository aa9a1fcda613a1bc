//! Cells on a cluster: a Slurm job array with one task per cell. All nodes share the sweep folder.
//!
//! A task that receives SIGUSR1 (before its time limit) or SIGTERM saves a checkpoint and exits with status 75. After
//! SIGUSR1 it is requeued, and resumes on any node.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::{Context, Result, bail};
use clap::Args;
use micse_cli::exit::STOPPED;
use micse_cli::note;
use micse_cli::output::{print, print_json, quoted, quoted_path};
use micse_files::write_whole;
use micse_report::Failure;
use serde::Deserialize;
use serde_json::json;

use crate::cell::CellSpec;
use crate::memory::estimate;
use crate::plan::Plan;

/// The folder, in the sweep folder, with what belongs to the jobs.
pub(crate) const FOLDER: &str = "slurm";
/// Seconds before the time limit at which a task receives SIGUSR1.
const NOTICE_SECONDS: u32 = 120;

/// The resources that each cell requests from Slurm.
#[derive(Args, Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[command(next_help_heading = "Slurm")]
pub(crate) struct Slurm {
    /// TOML file with the options below, without their prefix, such as partition = "cpu"; the command line takes
    /// precedence
    #[arg(long = "slurm", value_name = "FILE")]
    #[serde(skip)]
    file: Option<PathBuf>,
    /// Partition [default: the cluster's]
    #[arg(long = "slurm-partition", value_name = "NAME")]
    partition: Option<String>,
    /// Account [default: the user's]
    #[arg(long = "slurm-account", value_name = "NAME")]
    account: Option<String>,
    /// Time limit per cell; a cell that needs longer is requeued and resumes [default: the partition's]
    #[arg(long = "slurm-time", value_name = "H:MM:SS")]
    time: Option<String>,
    /// Cores per cell [default: 4]
    #[arg(long = "slurm-cpus", value_name = "N")]
    cpus: Option<u32>,
    /// Memory per cell [default: estimated]
    #[arg(long = "slurm-memory", value_name = "SIZE")]
    memory: Option<String>,
    /// Cells to run at a time on the cluster [default: as many as it allows]
    #[arg(long = "slurm-at-once", value_name = "N")]
    pub(crate) at_once: Option<u32>,
    /// Any other sbatch option: --slurm-option=--gres=gpu:1 (repeatable)
    #[arg(long = "slurm-option", value_name = "OPTION")]
    options: Vec<String>,
}

/// The command of each unfinished cell.
pub(crate) fn commands(plan: &Plan, retry_failed: bool) -> Result<Vec<String>> {
    let executable = std::env::current_exe().context("cannot find this program's file")?;
    let sweep = std::path::absolute(&plan.out)?;
    let line = |cell: &&CellSpec| {
        Ok(format!(
            "{} sweep-cell --sweep {} --cell {}",
            quoted_path(&executable)?,
            quoted_path(&sweep)?,
            quoted_path(cell.folder.strip_prefix(&plan.out)?)?
        ))
    };
    open_cells(plan, retry_failed)?.iter().map(line).collect()
}

/// The cells without a result. Failed cells are included only if they are to be retried.
fn open_cells(plan: &Plan, retry_failed: bool) -> Result<Vec<&CellSpec>> {
    let mut open = Vec::new();
    let mut failed = 0;
    for cell in plan.cells.iter().filter(|cell| !cell.run_folder().is_finished()) {
        if !retry_failed && cell.failure()?.is_some() {
            failed += 1;
        } else {
            Failure::forget(&cell.run_folder())?;
            open.push(cell);
        }
    }
    if failed > 0 {
        note(format_args!("skipping {failed} cells that failed before; --retry-failed retries them"));
    }
    Ok(open)
}

impl Slurm {
    /// The options; values that the command line does not set come from the file.
    fn with_file(&self) -> Result<Self> {
        let Some(file) = &self.file else { return Ok(self.clone()) };
        let text = std::fs::read_to_string(file).with_context(|| format!("{}", file.display()))?;
        let rest: Self = toml::from_str(&text).with_context(|| format!("{}", file.display()))?;
        Ok(Self {
            file: None,
            partition: self.partition.clone().or(rest.partition),
            account: self.account.clone().or(rest.account),
            time: self.time.clone().or(rest.time),
            cpus: self.cpus.or(rest.cpus),
            memory: self.memory.clone().or(rest.memory),
            at_once: self.at_once.or(rest.at_once),
            options: self.options.iter().cloned().chain(rest.options).collect(),
        })
    }

    /// Submits the unfinished cells as one array, followed by a job that writes the tables with these options.
    pub(crate) fn submit(
        &self,
        plan: &Plan,
        retry_failed: bool,
        tables: &[String],
        json: bool,
    ) -> Result<ExitCode> {
        let open = open_cells(plan, retry_failed)?;
        if open.is_empty() {
            note("no cell is left to run; `sweep collect` writes the tables");
            let finished = plan.cells.iter().all(|cell| cell.run_folder().is_finished());
            return Ok(if finished { ExitCode::SUCCESS } else { ExitCode::FAILURE });
        }
        let options = self.with_file()?;
        let folder = plan.out.join(FOLDER);
        // Tasks find their cell by line number, so the list of a waiting job must not change.
        let number = number_of_lists(&folder) + 1;
        let list = format!("cells-{number}.txt");
        let mut lines = String::new();
        for cell in &open {
            let path = cell.folder.strip_prefix(&plan.out)?;
            // As for printed commands: rejects paths that cannot be a line of a list.
            quoted_path(path)?;
            let _ = writeln!(lines, "{}", path.display());
        }
        write_whole(&folder.join(&list), lines.as_bytes())?;
        let memory = open.iter().map(|cell| estimate(cell)).collect::<Result<Vec<_>>>()?;
        let memory = memory.into_iter().max().unwrap_or(0);
        // A copy, so that tasks that start later run the submitted program, even if another one is built meanwhile.
        let program = std::path::absolute(folder.join(format!("program-{number}")))?;
        std::fs::copy(std::env::current_exe().context("cannot find this program's file")?, &program)
            .with_context(|| format!("{}", program.display()))?;
        let task = options.script(plan, &program, &list, open.len(), memory)?;
        let script = folder.join("job.sh");
        write_whole(&script, task.as_bytes())?;
        let job = sbatch(&["--parsable"], &script)?;
        write_whole(&folder.join(JOB), job.as_bytes())?;
        let collect = folder.join("collect.sh");
        write_whole(&collect, options.collect_script(plan, &program, tables)?.as_bytes())?;
        let last = sbatch(&["--parsable", &format!("--dependency=afterany:{job}")], &collect);
        if json {
            let tables_job = last.as_ref().ok();
            print_json(&json!({"job": job, "cells": open.len(), "tables_job": tables_job}))?;
        } else {
            print(&format!("job {job}: {} cells", open.len()))?;
            if let Ok(last) = &last {
                print(&format!("job {last}: writes the tables after job {job}"))?;
            }
        }
        note(format_args!("`sweep status {}` shows their progress", plan.out.display()));
        if let Err(error) = last {
            note(format_args!(
                "cannot submit the job for the tables ({error:#}); `sweep collect` writes them"
            ));
        }
        Ok(ExitCode::SUCCESS)
    }

    /// The requests of both jobs.
    fn common(&self) -> String {
        let mut lines = String::new();
        for (name, value) in
            [("partition", &self.partition), ("account", &self.account), ("time", &self.time)]
        {
            if let Some(value) = value {
                let _ = writeln!(lines, "#SBATCH --{name}={value}");
            }
        }
        for option in &self.options {
            let _ = writeln!(lines, "#SBATCH {option}");
        }
        lines
    }

    fn script(&self, plan: &Plan, program: &Path, list: &str, cells: usize, memory: u64) -> Result<String> {
        let (program, sweep) = (quoted_path(program)?, quoted_path(&std::path::absolute(&plan.out)?)?);
        let mut head = format!("#!/bin/bash\n#SBATCH --job-name=sweep-{}\n{}", plan.preset, self.common());
        let at_once = self.at_once.map_or(String::new(), |n| format!("%{n}"));
        let _ = writeln!(head, "#SBATCH --array=1-{cells}{at_once}");
        let _ = writeln!(head, "#SBATCH --cpus-per-task={}", self.cpus.unwrap_or(4));
        // A fifth more than the estimate.
        let memory = self.memory.clone().unwrap_or_else(|| format!("{}M", (memory >> 20) * 6 / 5 + 64));
        let _ = writeln!(head, "#SBATCH --mem={memory}");
        let _ = writeln!(head, "#SBATCH --signal=B:USR1@{NOTICE_SECONDS}");
        head.push_str("#SBATCH --requeue\n#SBATCH --open-mode=append\n");
        let _ = writeln!(head, "#SBATCH --output={}", log(plan, "%a.log")?);
        Ok(format!(
            r#"{head}
# Near its time limit (USR1) a task is requeued; on TERM, for example from scancel, it ends. Both save a checkpoint.
requeue= child=
trap 'requeue=yes; [ -n "$child" ] && kill -USR1 "$child" 2>/dev/null' USR1
trap '[ -n "$child" ] && kill -TERM "$child" 2>/dev/null' TERM
# The cell of this task is on the line with the task's number.
cell=$(sed -n "${{SLURM_ARRAY_TASK_ID}}p" {sweep}/{FOLDER}/{list})
export {threads}="${{SLURM_CPUS_PER_TASK:-1}}"
{program} sweep-cell --sweep {sweep} --cell "$cell" &
child=$!
# A signal interrupts wait, so repeat it until the cell has ended.
while kill -0 "$child" 2>/dev/null; do
    wait "$child"
done
wait "$child"
status=$?
if [ "$status" -eq {stopped} ] && [ -n "$requeue" ]; then
    echo "saved a checkpoint; back into the queue"
    scontrol requeue "${{SLURM_ARRAY_JOB_ID}}_${{SLURM_ARRAY_TASK_ID}}"
elif [ "$status" -gt 128 ]; then
    echo "error: ended by signal $((status - 128)); if memory ran out, resubmit with a larger --slurm-memory"
fi
exit "$status"
"#,
            threads = micse_model::THREADS_VARIABLE,
            stopped = STOPPED,
        ))
    }

    fn collect_script(&self, plan: &Plan, program: &Path, tables: &[String]) -> Result<String> {
        let sweep = std::path::absolute(&plan.out)?;
        let tables =
            tables.iter().map(|word| Ok(format!(" {}", quoted(word)?))).collect::<Result<String>>()?;
        Ok(format!(
            "#!/bin/bash\n#SBATCH --job-name=sweep-{}-tables\n{}#SBATCH --output={}\n\n{} sweep collect {}{tables}\n",
            plan.preset,
            self.common(),
            log(plan, "collect.log")?,
            quoted_path(program)?,
            quoted_path(&sweep)?
        ))
    }
}

/// The path of a job's log file, quoted for an #SBATCH line. Percent signs are doubled, because Slurm expands `%x`.
fn log(plan: &Plan, name: &str) -> Result<String> {
    let folder = std::path::absolute(plan.out.join(FOLDER))?;
    let text = folder.to_str().with_context(|| format!("{}: the name is not UTF-8", folder.display()))?;
    if text.contains(['"', '\n']) {
        bail!("{text:?}: the path contains a quote or a line feed; use a different folder");
    }
    Ok(format!("\"{}/{name}\"", text.replace('%', "%%")))
}

fn number_of_lists(folder: &Path) -> usize {
    let Ok(entries) = std::fs::read_dir(folder) else { return 0 };
    entries.flatten().filter(|entry| entry.file_name().to_string_lossy().starts_with("cells-")).count()
}

/// The file that contains the number of the last job.
const JOB: &str = "job.txt";

/// Rejects a sweep with a queued or running job.
pub(crate) fn refuse_if_queued(sweep: &Path) -> Result<()> {
    let Ok(job) = std::fs::read_to_string(sweep.join(FOLDER).join(JOB)) else { return Ok(()) };
    let job = job.trim();
    let queue = match Command::new("squeue").args(["--noheader", "--jobs", job]).output() {
        Ok(queue) => queue,
        // Not on the cluster.
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
            note(format_args!(
                "cannot check whether job {job} of this sweep is still running: squeue not found"
            ));
            return Ok(());
        }
        Err(e) => return Err(e).context("squeue"),
    };
    let said = String::from_utf8_lossy(&queue.stderr);
    if !queue.status.success() && !said.contains("Invalid job id") {
        bail!("squeue cannot report whether job {job} of this sweep is still queued: {}", said.trim());
    }
    if queue.status.success() && !queue.stdout.trim_ascii().is_empty() {
        bail!(
            "job {job} of this sweep is still queued or running; wait for it, or cancel it with `scancel {job}`"
        );
    }
    Ok(())
}

/// Submits a script and returns the job's number.
fn sbatch(options: &[&str], script: &Path) -> Result<String> {
    let done = Command::new("sbatch").args(options).arg(script).output().context(
        "cannot start sbatch; --launcher slurm needs Slurm, --launcher print works with any scheduler",
    )?;
    if !done.status.success() {
        bail!("sbatch {}: {}", script.display(), String::from_utf8_lossy(&done.stderr).trim());
    }
    // With several clusters, the output is NUMBER;CLUSTER.
    let text = String::from_utf8_lossy(&done.stdout);
    Ok(text.trim().split(';').next().unwrap_or_default().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_comes_before_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("slurm.toml");
        std::fs::write(&file, "partition = \"cpu\"\ncpus = 8\noptions = [\"--nice\"]\n").unwrap();
        let options =
            Slurm { file: Some(file.clone()), cpus: Some(2), ..Slurm::default() }.with_file().unwrap();
        assert_eq!((options.partition.as_deref(), options.cpus), (Some("cpu"), Some(2)));
        assert_eq!(options.options, ["--nice"]);
        std::fs::write(&file, "partitoin = \"cpu\"\n").unwrap();
        Slurm { file: Some(file), ..Slurm::default() }.with_file().unwrap_err();
    }
}
