//! Cells on a cluster: one Slurm job array whose tasks run a cell each into the sweep's folder, which all nodes see.
//!
//! A task that is told to stop (SIGUSR1 some time before its limit, SIGTERM) writes a checkpoint, ends with status 75
//! and is put back into the queue; it goes on where it stopped, on whatever node.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::{Context, Result, bail};
use clap::Args;
use micse_files::write_whole;
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
    pub(super) at_once: Option<u32>,
    /// Further options of sbatch, as they are: --slurm-option=--gres=gpu:1 (repeatable)
    #[arg(long = "slurm-option", value_name = "OPTION")]
    options: Vec<String>,
}

/// The command of each open cell.
pub(super) fn commands(plan: &Plan, retry_failed: bool) -> Result<Vec<String>> {
    let executable = std::env::current_exe().context("where this program lies")?;
    let sweep = std::path::absolute(&plan.out)?;
    let line = |cell: &&CellSpec| {
        Ok(format!(
            "{} sweep-cell --sweep {} --cell {}",
            quoted(&executable)?,
            quoted(&sweep)?,
            quoted(cell.folder.strip_prefix(&plan.out)?)?
        ))
    };
    open_cells(plan, retry_failed)?.iter().map(line).collect()
}

/// The cells without a result; those that failed before only if they are to be tried again.
fn open_cells(plan: &Plan, retry_failed: bool) -> Result<Vec<&CellSpec>> {
    let mut open = Vec::new();
    let mut failed = 0;
    for cell in plan.cells.iter().filter(|cell| !cell.result().is_file()) {
        if Failure::load(&cell.folder)?.is_none() {
            open.push(cell);
        } else if retry_failed {
            Failure::forget(&cell.folder)?;
            open.push(cell);
        } else {
            failed += 1;
        }
    }
    if failed > 0 {
        eprintln!("{failed} cells failed before and are left as they are; --retry-failed tries them again");
    }
    Ok(open)
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

    /// Submits the open cells as one array, and behind it a job that writes the tables with these options.
    pub(super) fn submit(&self, plan: &Plan, retry_failed: bool, tables: &[String]) -> Result<ExitCode> {
        let open = open_cells(plan, retry_failed)?;
        if open.is_empty() {
            eprintln!("no cell is open; `sweep collect` writes the tables");
            return Ok(ExitCode::SUCCESS);
        }
        let options = self.with_file()?;
        let folder = plan.out.join("slurm");
        // Tasks find their cell by its line: a list is never written anew under tasks that wait.
        let number = number_of_lists(&folder) + 1;
        let list = format!("cells-{number}.txt");
        let mut lines = String::new();
        for cell in &open {
            let path = cell.folder.strip_prefix(&plan.out)?;
            // As in the commands that are printed: what cannot stand in a list is refused.
            quoted(path)?;
            let _ = writeln!(lines, "{}", path.display());
        }
        write_whole(&folder.join(&list), lines.as_bytes())?;
        let memory = open.iter().map(|cell| estimate(cell)).collect::<Result<Vec<_>>>()?;
        let memory = memory.into_iter().max().unwrap_or(0);
        // Tasks that start tomorrow run what was submitted today, whatever is built meanwhile.
        let program = std::path::absolute(folder.join(format!("program-{number}")))?;
        std::fs::copy(std::env::current_exe().context("where this program lies")?, &program)
            .with_context(|| format!("{}", program.display()))?;
        let task = options.script(plan, &program, &list, open.len(), memory)?;
        let script = folder.join("job.sh");
        write_whole(&script, task.as_bytes())?;
        let job = sbatch(&["--parsable"], &script)?;
        write_whole(&folder.join(JOB), job.as_bytes())?;
        let collect = folder.join("collect.sh");
        write_whole(&collect, options.collect_script(plan, &program, tables)?.as_bytes())?;
        println!("job {job}: {} cells", open.len());
        println!("`sweep status {}` tells how far they are", plan.out.display());
        match sbatch(&["--parsable", &format!("--dependency=afterany:{job}")], &collect) {
            Ok(last) => println!("job {last} writes the tables after them"),
            Err(error) => eprintln!("no job for the tables ({error:#}); `sweep collect` writes them"),
        }
        Ok(ExitCode::SUCCESS)
    }

    /// What both jobs ask for.
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
        let (program, sweep) = (quoted(program)?, quoted(&std::path::absolute(&plan.out)?)?);
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
# Told of the time limit it goes back into the queue; told to end, by scancel say, it ends. Both write a checkpoint.
requeue= child=
trap 'requeue=yes; [ -n "$child" ] && kill -USR1 "$child" 2>/dev/null' USR1
trap '[ -n "$child" ] && kill -TERM "$child" 2>/dev/null' TERM
# The cell of this task: the line of its number.
cell=$(sed -n "${{SLURM_ARRAY_TASK_ID}}p" {sweep}/slurm/{list})
export {threads}="${{SLURM_CPUS_PER_TASK:-1}}"
{program} sweep-cell --sweep {sweep} --cell "$cell" &
child=$!
# A signal ends `wait` early; the status is that of the last one.
while kill -0 "$child" 2>/dev/null; do
    wait "$child"
done
wait "$child"
status=$?
if [ "$status" -eq {stopped} ] && [ -n "$requeue" ]; then
    echo "stopped with a checkpoint, back into the queue"
    scontrol requeue "${{SLURM_ARRAY_JOB_ID}}_${{SLURM_ARRAY_TASK_ID}}"
elif [ "$status" -gt 128 ]; then
    echo "error: ended by signal $((status - 128)); if memory ran out, submit again with a larger --slurm-memory"
fi
exit "$status"
"#,
            threads = micse_model::THREADS_VARIABLE,
            stopped = Stop::STATUS,
        ))
    }

    fn collect_script(&self, plan: &Plan, program: &Path, tables: &[String]) -> Result<String> {
        let sweep = std::path::absolute(&plan.out)?;
        let tables = tables
            .iter()
            .map(|word| Ok(format!(" {}", quoted(Path::new(word))?)))
            .collect::<Result<String>>()?;
        Ok(format!(
            "#!/bin/bash\n#SBATCH --job-name=sweep-{}-tables\n{}#SBATCH --output={}\n\n{} sweep collect {}{tables}\n",
            plan.preset,
            self.common(),
            log(plan, "collect.log")?,
            quoted(program)?,
            quoted(&sweep)?
        ))
    }
}

/// Where a job's log goes, as a line of options has it. Slurm reads % as the start of a pattern.
fn log(plan: &Plan, name: &str) -> Result<String> {
    let folder = std::path::absolute(plan.out.join("slurm"))?;
    let text = folder.to_str().with_context(|| format!("{}: a name that is not UTF-8", folder.display()))?;
    if text.contains(['"', '\n']) {
        bail!("{text:?}: a quote or a line feed in a path; take another folder");
    }
    Ok(format!("\"{}/{name}\"", text.replace('%', "%%")))
}

fn number_of_lists(folder: &Path) -> usize {
    let Ok(entries) = std::fs::read_dir(folder) else { return 0 };
    entries.flatten().filter(|entry| entry.file_name().to_string_lossy().starts_with("cells-")).count()
}

/// The file that has the number of the last job.
const JOB: &str = "job.txt";

/// Refuses to touch a sweep of which a job is queued or running.
pub(super) fn refuse_if_queued(sweep: &Path) -> Result<()> {
    let Ok(job) = std::fs::read_to_string(sweep.join("slurm").join(JOB)) else { return Ok(()) };
    let job = job.trim();
    let queue = match Command::new("squeue").args(["--noheader", "--jobs", job]).output() {
        Ok(queue) => queue,
        // Not on the cluster: nothing can be asked.
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
            eprintln!("job {job} of this sweep may be at work; there is no squeue here to ask");
            return Ok(());
        }
        Err(e) => return Err(e).context("squeue"),
    };
    let said = String::from_utf8_lossy(&queue.stderr);
    if !queue.status.success() && !said.contains("Invalid job id") {
        bail!("squeue cannot tell whether job {job} of this sweep is still queued: {}", said.trim());
    }
    if queue.status.success() && !queue.stdout.trim_ascii().is_empty() {
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
