//! Cells on a cluster: one Slurm job array whose tasks run a cell each into the sweep's folder, which all nodes see.
//!
//! A task that is told to stop (SIGUSR1 some time before its limit, SIGTERM) writes a checkpoint, ends with status 75
//! and is put back into the queue; it goes on where it stopped, on whatever node.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::{Context, Result, bail};
use clap::Args;
use micse_model::files::write_whole;
use micse_report::Failure;
use micse_train::Stop;
use serde::Deserialize;

use super::cell::CellSpec;
use super::memory::estimate;
use super::plan::Plan;

/// Seconds before the time limit at which a task is told to stop.
const NOTICE_SECONDS: u32 = 120;

/// What is asked of Slurm for each cell.
#[derive(Args, Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[command(next_help_heading = "Slurm")]
pub(super) struct Slurm {
    /// A TOML file with the options below, without their prefix: partition = "cpu"; options given here come first
    #[arg(long = "slurm", value_name = "FILE")]
    #[serde(skip)]
    file: Option<PathBuf>,
    /// Partition [default: the cluster's]
    #[arg(long = "slurm-partition", value_name = "NAME")]
    partition: Option<String>,
    /// Account
    #[arg(long = "slurm-account", value_name = "NAME")]
    account: Option<String>,
    /// Time limit of a cell; one that needs longer is put back into the queue and goes on [default: the partition's]
    #[arg(long = "slurm-time", value_name = "H:MM:SS")]
    time: Option<String>,
    /// Cores of a cell [default: 4]
    #[arg(long = "slurm-cpus", value_name = "N")]
    cpus: Option<u32>,
    /// Memory of a cell [default: estimated]
    #[arg(long = "slurm-memory", value_name = "SIZE")]
    memory: Option<String>,
    /// Cells that run at a time [default: as many as the cluster lets]
    #[arg(long = "slurm-at-once", value_name = "N")]
    at_once: Option<u32>,
    /// Further options of sbatch, as they are: --slurm-option=--gres=gpu:1 (repeatable)
    #[arg(long = "slurm-option", value_name = "OPTION")]
    options: Vec<String>,
}

/// The command of each open cell.
pub(super) fn commands(plan: &Plan) -> Result<Vec<String>> {
    let (executable, sweep) = places(plan)?;
    let line = |cell: &CellSpec| {
        Ok(format!(
            "{} sweep-cell --sweep {} --cell {}",
            quoted(&executable)?,
            quoted(&sweep)?,
            quoted(cell.folder.strip_prefix(&plan.out)?)?
        ))
    };
    plan.cells.iter().filter(|cell| !cell.result().is_file()).map(line).collect()
}

fn places(plan: &Plan) -> Result<(PathBuf, PathBuf)> {
    let executable = std::env::current_exe().context("where this program lies")?;
    Ok((executable, std::path::absolute(&plan.out)?))
}

/// A path as one word of a shell.
fn quoted(path: &Path) -> Result<String> {
    let text = path.to_str().with_context(|| format!("{}: a name that is not UTF-8", path.display()))?;
    if text.contains('\n') {
        bail!("{text:?}: a line feed in a path; take another folder");
    }
    Ok(format!("'{}'", text.replace('\'', r"'\''")))
}

impl Slurm {
    /// Options, with those of the file where the command line has none.
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

    /// Submits the open cells as one array, and behind it a job that writes the tables.
    pub(super) fn submit(&self, plan: &Plan, retry_failed: bool) -> Result<ExitCode> {
        let folder = plan.out.join("slurm");
        refuse_if_queued(&folder)?;
        let mut open = Vec::new();
        for cell in plan.cells.iter().filter(|cell| !cell.result().is_file()) {
            if Failure::load(&cell.folder)?.is_none() {
                open.push(cell);
            } else if retry_failed {
                Failure::forget(&cell.folder)?;
                open.push(cell);
            }
        }
        if open.is_empty() {
            eprintln!(
                "no cell is open; `sweep status` tells of those that failed, `sweep collect` writes the tables"
            );
            return Ok(ExitCode::SUCCESS);
        }
        let options = self.with_file()?;
        let mut list = String::new();
        for cell in &open {
            let path = cell.folder.strip_prefix(&plan.out)?;
            // As in the commands that are printed: what cannot stand in a list is refused.
            quoted(path)?;
            let _ = writeln!(list, "{}", path.display());
        }
        write_whole(&folder.join("cells.txt"), list.as_bytes())?;
        let memory = open.iter().map(|cell| estimate(cell)).collect::<Result<Vec<_>>>()?;
        let memory = memory.into_iter().max().unwrap_or(0);
        let script = folder.join("job.sh");
        write_whole(&script, options.script(plan, open.len(), memory)?.as_bytes())?;
        let job = sbatch(&["--parsable"], &script)?;
        write_whole(&folder.join("job.txt"), job.as_bytes())?;
        let collect = folder.join("collect.sh");
        write_whole(&collect, options.collect_script(plan)?.as_bytes())?;
        let last = sbatch(&["--parsable", &format!("--dependency=afterany:{job}")], &collect)?;
        println!("job {job}: {} cells; job {last} writes the tables after them", open.len());
        println!("`sweep status {}` tells how far they are", plan.out.display());
        Ok(ExitCode::SUCCESS)
    }

    fn common(&self) -> String {
        let mut lines = String::new();
        for (name, value) in [("partition", &self.partition), ("account", &self.account)] {
            if let Some(value) = value {
                let _ = writeln!(lines, "#SBATCH --{name}={value}");
            }
        }
        lines
    }

    fn script(&self, plan: &Plan, cells: usize, memory: u64) -> Result<String> {
        let (executable, sweep) = places(plan)?;
        let (executable, sweep) = (quoted(&executable)?, quoted(&sweep)?);
        let mut head = format!("#!/bin/bash\n#SBATCH --job-name=sweep-{}\n{}", plan.preset, self.common());
        let at_once = self.at_once.map_or(String::new(), |n| format!("%{n}"));
        let _ = writeln!(head, "#SBATCH --array=1-{cells}{at_once}");
        let _ = writeln!(head, "#SBATCH --cpus-per-task={}", self.cpus.unwrap_or(4));
        // A fifth more than the estimate.
        let memory = self.memory.clone().unwrap_or_else(|| format!("{}M", (memory >> 20) * 6 / 5 + 64));
        let _ = writeln!(head, "#SBATCH --mem={memory}");
        if let Some(time) = &self.time {
            let _ = writeln!(head, "#SBATCH --time={time}");
        }
        let _ = writeln!(head, "#SBATCH --signal=B:USR1@{NOTICE_SECONDS}");
        head.push_str("#SBATCH --requeue\n#SBATCH --open-mode=append\n");
        let logs = std::path::absolute(plan.out.join("slurm"))?;
        let _ = writeln!(head, "#SBATCH --output={}/%a.log", logs.display());
        for option in &self.options {
            let _ = writeln!(head, "#SBATCH {option}");
        }
        Ok(format!(
            r#"{head}
# The cell of this task: the line of its number.
cell=$(sed -n "${{SLURM_ARRAY_TASK_ID}}p" {sweep}/slurm/cells.txt)
export {threads}="${{SLURM_CPUS_PER_TASK:-1}}"
{executable} sweep-cell --sweep {sweep} --cell "$cell" &
child=$!
trap 'kill -USR1 "$child" 2>/dev/null' USR1
trap 'kill -TERM "$child" 2>/dev/null' TERM
# A signal ends `wait` early; the status is that of the last one.
status=0
while :; do
    wait "$child"
    status=$?
    kill -0 "$child" 2>/dev/null || break
done
if [ "$status" -eq {stopped} ]; then
    echo "stopped with a checkpoint, back into the queue"
    scontrol requeue "${{SLURM_ARRAY_JOB_ID}}_${{SLURM_ARRAY_TASK_ID}}"
fi
exit "$status"
"#,
            threads = micse_model::THREADS_VARIABLE,
            stopped = Stop::STATUS,
        ))
    }

    fn collect_script(&self, plan: &Plan) -> Result<String> {
        let (executable, sweep) = places(plan)?;
        Ok(format!(
            "#!/bin/bash\n#SBATCH --job-name=sweep-{}-tables\n{}#SBATCH --output={}/slurm/collect.log\n\n{} sweep collect {}\n",
            plan.preset,
            self.common(),
            sweep.display(),
            quoted(&executable)?,
            quoted(&sweep)?
        ))
    }
}

/// Refuses to submit cells of which an earlier job is still queued or running.
fn refuse_if_queued(folder: &Path) -> Result<()> {
    let Ok(job) = std::fs::read_to_string(folder.join("job.txt")) else { return Ok(()) };
    let job = job.trim();
    let queue = Command::new("squeue").args(["--noheader", "--jobs", job]).output();
    // squeue fails on a job that it has forgotten; where there is no squeue, sbatch will say so.
    if queue.is_ok_and(|queue| queue.status.success() && !queue.stdout.trim_ascii().is_empty()) {
        bail!(
            "job {job} of this sweep is still queued or running; wait for it, or end it with `scancel {job}`"
        );
    }
    Ok(())
}

/// Submits a script and gives the job's number.
fn sbatch(options: &[&str], script: &Path) -> Result<String> {
    let done = Command::new("sbatch").args(options).arg(script).output().context(
        "sbatch cannot be started; --launcher slurm needs Slurm's commands, --launcher print any scheduler's",
    )?;
    if !done.status.success() {
        bail!("sbatch {}: {}", script.display(), String::from_utf8_lossy(&done.stderr).trim());
    }
    // With several clusters it is NUMBER;CLUSTER.
    let text = String::from_utf8_lossy(&done.stdout);
    Ok(text.trim().split(';').next().unwrap_or_default().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_one_word() {
        assert_eq!(quoted(Path::new("a b/it's")).unwrap(), r"'a b/it'\''s'");
        quoted(Path::new("a\nb")).unwrap_err();
    }

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
