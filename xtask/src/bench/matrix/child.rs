//! A measured process: its output, its time and its peak memory.

use std::fs::File;
use std::io::{Read, Seek};
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

/// Time between two looks at a process's memory. The system keeps the peak itself, so only what grows in the
/// process's last moments is missed.
const PAUSE: Duration = Duration::from_millis(2);

/// A finished process.
pub(super) struct Finished {
    pub(super) stdout: String,
    /// From the start of the process to its end.
    pub(super) seconds: f64,
    /// Peak memory in MiB; `None` if the system does not report it.
    pub(super) peak_mib: Option<f64>,
}

/// Runs a process to its end.
pub(super) fn run(command: &mut Command) -> Result<Finished> {
    let name = command.get_program().display().to_string();
    let (mut stdout, mut stderr) = (tempfile::tempfile()?, tempfile::tempfile()?);
    command.stdin(Stdio::null()).stdout(stdout.try_clone()?).stderr(stderr.try_clone()?);
    let begun = Instant::now();
    let mut child = command.spawn().with_context(|| format!("cannot start {name}"))?;
    let status_file = format!("/proc/{}/status", child.id());
    let mut peak_mib = None;
    let status = loop {
        peak_mib = super::super::machine::peak_in(&status_file).or(peak_mib);
        if let Some(status) = child.try_wait()? {
            break status;
        }
        sleep(PAUSE);
    };
    let seconds = begun.elapsed().as_secs_f64();
    if !status.success() {
        let error = contents(&mut stderr)?;
        let last: Vec<&str> = error.trim().lines().rev().take(20).collect();
        let last: Vec<&str> = last.into_iter().rev().collect();
        bail!("{name} {:?} failed:\n{}", command.get_args().collect::<Vec<_>>(), last.join("\n"));
    }
    Ok(Finished { stdout: contents(&mut stdout)?, seconds, peak_mib })
}

fn contents(file: &mut File) -> Result<String> {
    let mut bytes = Vec::new();
    file.rewind()?;
    file.read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn output_and_failure_of_a_process() {
        let finished = run(Command::new("sh").args(["-c", "echo yes; sleep 0.05"])).expect("it succeeds");
        assert_eq!(finished.stdout, "yes\n");
        assert!(finished.seconds >= 0.05);
        let error =
            run(Command::new("sh").args(["-c", "echo why >&2; exit 3"])).map(|_| ()).expect_err("it fails");
        assert!(error.to_string().contains("why"), "{error}");
    }
}
