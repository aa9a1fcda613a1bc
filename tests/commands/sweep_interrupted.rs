//! Sweeps that are killed, stopped by a signal, or started twice end like undisturbed ones.
#![cfg(unix)]

use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use micse_random::Stream;
use micse_tests::sweeps::{SmallSweep, assert_same};
use micse_train::run::{Lock, Metrics, RunFolder};

const XTASK: &str = env!("CARGO_BIN_EXE_xtask");

/// Runs long enough to be interrupted, with a checkpoint every few steps, selection and a momentum copy.
const USUAL: [&str; 12] = [
    "--methods",
    "simcse,micse",
    "--seeds",
    "48",
    "--steps",
    "800",
    "--checkpoint-steps",
    "25",
    "--set",
    "select=stsb-dev",
    "--set",
    "eval_every=100",
];

/// Starts a sweep in its own process group.
fn start(small: &SmallSweep, out: &str) -> Child {
    let mut command = small.command(out, &USUAL);
    command.process_group(0).stdout(Stdio::null()).stderr(Stdio::piped());
    command.spawn().expect("the sweep starts")
}

/// Sends a signal to a process, or to its group with `-` before the process ID.
fn signal(name: &str, whom: &str) {
    let sent =
        Command::new("kill").args(["-s", name, "--", whom]).stderr(Stdio::null()).status().expect("kill");
    assert!(sent.success() || name == "KILL", "kill -s {name} -- {whom}");
}

/// Waits until some cell has a checkpoint.
fn wait_for_checkpoint(sweep: &Path) {
    let since = Instant::now();
    while !has_checkpoint(sweep) {
        assert!(since.elapsed() < Duration::from_mins(2), "no checkpoint in two minutes");
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn has_checkpoint(folder: &Path) -> bool {
    !checkpoints(folder).is_empty()
}

/// All checkpoints below a folder.
fn checkpoints(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let below = |path: PathBuf| if path.is_dir() { checkpoints(&path) } else { vec![path] };
    let files = entries.flatten().flat_map(|entry| below(entry.path()));
    files.filter(|file| file.file_name().is_some_and(|name| name == "state.safetensors")).collect()
}

/// Finished steps of all cells below a folder, by their metrics.
fn steps_done(folder: &Path) -> usize {
    let own = Metrics::last_step(&RunFolder::new(folder)).expect("metrics").unwrap_or(0);
    let Ok(entries) = std::fs::read_dir(folder) else { return own };
    let folders = entries.flatten().map(|entry| entry.path()).filter(|path| path.is_dir());
    own + folders.map(|path| steps_done(&path)).sum::<usize>()
}

#[test]
fn twenty_kills_at_random_moments_change_nothing() {
    let small = SmallSweep::new(XTASK);
    small.run("undisturbed", &USUAL).output();
    let cells = small.path("killed/cells");

    let mut draws = Stream::new(20).draws();
    for kill in 0..20 {
        let target = steps_done(&cells) + draws.below(60) as usize;
        let mut sweep = start(&small, "killed");
        // A kill lands a random number of steps further on, between two lines of metrics.
        let since = Instant::now();
        while steps_done(&cells) < target {
            assert!(
                since.elapsed() < Duration::from_mins(2),
                "kill {kill}: no {target} steps in two minutes"
            );
            std::thread::sleep(Duration::from_millis(1));
        }
        std::thread::sleep(Duration::from_millis(draws.below(20)));
        assert!(sweep.try_wait().expect("its state").is_none(), "kill {kill} found no running sweep");
        signal("KILL", &format!("-{}", sweep.id()));
        sweep.wait().expect("its end");
    }
    small.run("killed", &USUAL).output();
    assert_same(&small.path("undisturbed"), &small.path("killed"));
}

#[test]
fn asked_to_stop_it_writes_checkpoints_and_can_go_on() {
    let small = SmallSweep::new(XTASK);
    small.run("undisturbed", &USUAL).output();
    for name in ["TERM", "USR1", "INT"] {
        let sweep = start(&small, name);
        let folder = small.path(name);
        // Wait for the first steps of a cell.
        let metrics = folder.join("cells/simcse/20/seed-48/metrics.jsonl");
        let since = Instant::now();
        while std::fs::metadata(&metrics).map_or(0, |m| m.len()) == 0 {
            assert!(since.elapsed() < Duration::from_mins(2), "no step in two minutes");
            std::thread::sleep(Duration::from_millis(2));
        }
        // Signal only the sweep, not its group: it must stop its cells itself.
        signal(name, &sweep.id().to_string());
        let ended = sweep.wait_with_output().expect("its end");
        let said = String::from_utf8_lossy(&ended.stderr);
        assert_eq!(ended.status.code(), Some(75), "{name}: {said}");
        assert!(said.contains("rerun the same command"), "{name}: {said}");
        assert!(has_checkpoint(&folder), "{name}: no checkpoint");
        small.run(name, &USUAL).output();
        assert_same(&small.path("undisturbed"), &folder);
    }
}

#[test]
fn a_second_sweep_is_told_who_holds_the_folder() {
    let small = SmallSweep::new(XTASK);
    let mut first = start(&small, "held");
    wait_for_checkpoint(&small.path("held"));
    small
        .run("held", &USUAL)
        .refused(&["another process is using this folder", &format!("process {} on ", first.id())]);
    signal("TERM", &first.id().to_string());
    first.wait().expect("its end");
}

/// Kill only the sweep process; its cells must stop too.
#[test]
fn cells_do_not_outlive_their_sweep() {
    let small = SmallSweep::new(XTASK);
    // Too many steps to ever finish.
    let long = ["--methods", "simcse", "--sizes", "20", "--seeds", "48", "--steps", "10000000"];
    let mut command = small.command("orphans", &[&long[..], &["--checkpoint-steps", "20"]].concat());
    let mut sweep = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("the sweep starts");
    wait_for_checkpoint(&small.path("orphans"));
    signal("KILL", &sweep.id().to_string());
    sweep.wait().expect("its end");
    let cell = small.path("orphans/cells/simcse/20/seed-48");
    let since = Instant::now();
    while Lock::is_held(&cell) {
        assert!(since.elapsed() < Duration::from_mins(1), "the cell is still running");
        std::thread::sleep(Duration::from_millis(20));
    }
    assert!(!cell.join("result.json").exists() && has_checkpoint(&cell));
}

/// A damaged checkpoint is an error, never a silent fresh start.
#[test]
fn a_damaged_checkpoint_is_named() {
    let small = SmallSweep::new(XTASK);
    let sweep = start(&small, "damaged");
    let cells = small.path("damaged/cells");
    wait_for_checkpoint(&cells);
    signal("TERM", &sweep.id().to_string());
    sweep.wait_with_output().expect("its end");
    for checkpoint in checkpoints(&cells) {
        let bytes = std::fs::read(&checkpoint).expect("a checkpoint");
        std::fs::write(&checkpoint, &bytes[..bytes.len() / 2]).expect("a checkpoint");
    }
    small.run("damaged", &USUAL).refused(&["state.safetensors"]);
}
