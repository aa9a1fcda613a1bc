//! A sweep on a real Slurm cluster ends like a local one. `tests/slurm/cluster.sh test` starts a cluster for this test.
#![cfg(unix)]

use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};

use micse_tests::sweeps::{SmallSweep, assert_same};
use micse_tests::{command, ended};

const XTASK: &str = env!("CARGO_BIN_EXE_xtask");

const USUAL: [&str; 8] =
    ["--seeds", "48", "--steps", "1500", "--checkpoint-steps", "200", "--keep-models", "best"];

/// Waits until a condition holds.
fn wait(what: &str, mut holds: impl FnMut() -> bool) {
    let since = Instant::now();
    while !holds() {
        assert!(since.elapsed() < Duration::from_mins(10), "{what}: timed out after ten minutes");
        std::thread::sleep(Duration::from_millis(100));
    }
}

fn slurm(program: &str, arguments: &[&str]) -> String {
    ended(command(program, None).args(arguments)).output()
}

fn log(sweep: &Path, task: usize) -> String {
    std::fs::read_to_string(sweep.join(format!("slurm/{task}.log"))).unwrap_or_default()
}

#[test]
fn a_sweep_through_slurm_equals_the_local_one() {
    if std::env::var_os("MICSE_SLURM").is_none() {
        let _ = writeln!(
            std::io::stderr(),
            "skipped: Slurm (MICSE_SLURM is not set; see tests/slurm/cluster.sh)"
        );
        return;
    }
    let small = SmallSweep::new(XTASK);
    small.run("local", &[&USUAL[..], &["--baseline", "untrained (cls)"]].concat()).output();

    let options = small.path("slurm.toml");
    std::fs::write(&options, "cpus = 1\nmemory = \"1G\"\ntime = \"0:20:00\"\n").expect("the options");
    let options = options.to_str().expect("UTF-8");
    let how = ["--launcher", "slurm", "--slurm", options, "--baseline", "untrained (cls)"];
    let arguments = [&USUAL[..], &how].concat();
    let said = small.run("slurm", &arguments).output();
    let job = said.split(['j', 'o', 'b', ' ', ':']).find(|word| !word.is_empty()).expect("a job").to_owned();
    let sweep = small.path("slurm");

    // The same command again does not submit the cells a second time.
    small.run("slurm", &arguments).refused(&["still queued or running", &job]);

    // A task that is signalled before its time limit saves a checkpoint, is requeued, and resumes.
    let list = std::fs::read_to_string(sweep.join("slurm/cells-1.txt")).expect("the list");
    let cells: Vec<&str> = list.lines().collect();
    assert_eq!(cells.len(), 5, "{cells:?}");
    let trained = cells.iter().position(|cell| cell.contains("micse")).expect("a cell of miCSE");
    let cell = sweep.join(cells[trained]);
    wait("a step", || std::fs::metadata(cell.join("metrics.jsonl")).is_ok_and(|m| m.len() > 0));
    slurm("scancel", &["--signal=USR1", "--batch", &format!("{job}_{}", trained + 1)]);
    wait("back into the queue", || log(&sweep, trained + 1).contains("back into the queue"));

    wait("an empty queue", || slurm("squeue", &["--noheader"]).trim().is_empty());
    let status = slurm(XTASK, &["sweep", "status", sweep.to_str().expect("UTF-8")]);
    assert!(status.contains("5 cells: 5 done"), "{status}");
    assert!(sweep.join("tables.txt").is_file(), "the last job must write the tables");
    let logs: String = (1..=5).map(|task| log(&sweep, task)).collect();
    std::fs::remove_dir_all(sweep.join("slurm")).expect("Slurm's files");
    assert_same(&small.path("local"), &sweep);
    assert!(!logs.lines().any(|line| line.starts_with("error")), "{logs}");

    // Tasks of a cancelled job end with a checkpoint and are not requeued.
    let long = ["--methods", "simcse", "--sizes", "20", "--seeds", "48", "--steps", "10000000"];
    small.run("cancelled", &[&long[..], &["--launcher", "slurm", "--slurm", options]].concat()).output();
    let sweep = small.path("cancelled");
    let cell = sweep.join("cells/simcse/20/seed-48");
    wait("a step", || std::fs::metadata(cell.join("metrics.jsonl")).is_ok_and(|m| m.len() > 0));
    let job = std::fs::read_to_string(sweep.join("slurm/job.txt")).expect("the job");
    slurm("scancel", &[&job]);
    wait("an empty queue", || slurm("squeue", &["--noheader"]).trim().is_empty());
    let logs: String = (1..=2).map(|task| log(&sweep, task)).collect();
    assert!(!logs.contains("back into the queue"), "{logs}");
    assert!(!cell.join("result.json").exists());
}
