//! A full disk: a clear error, nothing lost, and the sweep resumes once there is room.
#![cfg(target_os = "linux")]

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use micse_tests::sweeps::{SmallSweep, assert_same};

const XTASK: &str = env!("CARGO_BIN_EXE_xtask");

/// A small, separate file system.
struct SmallDisk {
    place: PathBuf,
}

impl SmallDisk {
    /// `None` if it cannot be mounted, which needs the superuser.
    fn mount(place: PathBuf) -> Option<Self> {
        std::fs::create_dir_all(&place).expect("a folder");
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", "size=24m", "micse-test"]).arg(&place);
        let mounted = mount.stderr(Stdio::null()).status().is_ok_and(|status| status.success());
        mounted.then_some(Self { place })
    }

    /// Fills the disk completely.
    fn fill(&self) {
        let mut ballast = std::fs::File::create(self.place.join("ballast")).expect("the ballast");
        for size in [1 << 20, 1 << 12] {
            while ballast.write_all(&vec![0; size]).is_ok() {}
        }
    }

    fn make_room(&self) {
        std::fs::remove_file(self.place.join("ballast")).expect("the ballast");
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.place).status();
    }
}

fn checkpoint(sweep: &Path) -> PathBuf {
    sweep.join("cells/micse/20/seed-48/checkpoint/state.safetensors")
}

#[test]
fn a_full_disk_loses_nothing() {
    let small = SmallSweep::new(XTASK);
    let Some(disk) = SmallDisk::mount(small.path("disk")) else {
        let _ = writeln!(std::io::stderr(), "skipped: a full disk (cannot mount a file system here)");
        return;
    };
    let usual = [
        "--methods",
        "micse",
        "--sizes",
        "20",
        "--seeds",
        "48",
        "--steps",
        "400",
        "--checkpoint-steps",
        "10",
        "--jobs",
        "1",
    ];
    small.run("undisturbed", &usual).output();
    let out = disk.place.join("sweep");
    let sweep = small.command(&out, &usual).stdout(Stdio::null()).stderr(Stdio::piped()).spawn();
    let sweep = sweep.expect("the sweep starts");
    let since = Instant::now();
    while !checkpoint(&out).is_file() {
        assert!(since.elapsed() < Duration::from_mins(2), "no checkpoint in two minutes");
        std::thread::sleep(Duration::from_millis(1));
    }
    disk.fill();
    let ended = sweep.wait_with_output().expect("its end");
    let said = String::from_utf8_lossy(&ended.stderr);
    assert_eq!(ended.status.code(), Some(1), "{said}");
    for part in [
        "cells/micse/20/seed-48",
        "No space left on device",
        "free some space and run the same command again",
    ] {
        assert!(said.contains(part), "{part:?} is not in: {said}");
    }
    // The earlier checkpoint is intact.
    let bytes = std::fs::read(checkpoint(&out)).expect("the checkpoint");
    safetensors::SafeTensors::deserialize(&bytes).expect("a whole file");
    // A sweep does not start without enough space.
    small.run(&out, &usual).refused(&["MiB are free", "free some space"]);

    disk.make_room();
    let again = small.run(&out, &usual);
    assert!(again.success, "{}", again.stderr);
    assert_same(&small.path("undisturbed"), &out);
}
