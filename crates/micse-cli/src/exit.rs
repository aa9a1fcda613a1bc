//! Exit statuses of every command: 0 success, 1 failure, 2 usage, 75 stopped with a checkpoint, 130 interrupted.

use std::process::ExitCode;

use crate::output::say;

/// Stopped with a checkpoint; the same command resumes. `EX_TEMPFAIL`.
pub const STOPPED: u8 = 75;

/// Interrupted without a checkpoint: 128 plus the number of SIGINT.
pub const INTERRUPTED: u8 = 130;

/// A command stopped on request and can resume. The text explains how.
#[derive(Debug)]
pub struct Stopped(pub String);

/// A command was interrupted without a checkpoint. The text states what was written.
#[derive(Debug)]
pub struct Interrupted(pub String);

/// The reader of standard output closed it, as in `micse encode | head`: the command ends without an error.
#[derive(Debug)]
pub struct OutputClosed;

impl std::fmt::Display for OutputClosed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("standard output was closed")
    }
}

impl std::error::Error for OutputClosed {}

/// Implements `Error` for a type that wraps its message.
macro_rules! error_of_text {
    ($type:ty) => {
        impl std::fmt::Display for $type {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl std::error::Error for $type {}
    };
}
error_of_text!(Stopped);
error_of_text!(Interrupted);

/// Prints a command's error, if any, and returns its exit status.
pub(crate) fn status(done: anyhow::Result<ExitCode>) -> ExitCode {
    let error = match done {
        Ok(status) => return status,
        Err(error) => error,
    };
    if let Some(stopped) = error.downcast_ref::<Stopped>() {
        say(stopped);
        return ExitCode::from(STOPPED);
    }
    if let Some(interrupted) = error.downcast_ref::<Interrupted>() {
        say(interrupted);
        return ExitCode::from(INTERRUPTED);
    }
    if error.is::<OutputClosed>() {
        return ExitCode::SUCCESS;
    }
    say(with_causes(&error));
    ExitCode::FAILURE
}

/// An error and its causes, one per line. A cause that the previous line already contains is omitted.
fn with_causes(error: &anyhow::Error) -> String {
    let mut lines = vec![format!("error: {error}")];
    for cause in error.chain().skip(1).map(ToString::to_string) {
        if lines.last().is_none_or(|line| !line.contains(&cause)) {
            lines.push(format!("  caused by: {cause}"));
        }
    }
    let text = lines.join("\n");
    let remedy =
        error.chain().find_map(|cause| cause.downcast_ref().map(micse_files::remedy)).unwrap_or_default();
    if text.contains(remedy) { text } else { text + remedy }
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::anyhow;

    #[test]
    fn only_a_closed_standard_output_ends_without_an_error() {
        let text = |status: ExitCode| format!("{status:?}");
        assert_eq!(text(status(Err(OutputClosed.into()))), text(ExitCode::SUCCESS));
        let socket = std::io::Error::from(std::io::ErrorKind::BrokenPipe);
        let error = anyhow::Error::from(socket).context("cannot download");
        assert_eq!(text(status(Err(error))), text(ExitCode::FAILURE));
    }

    #[test]
    fn causes_are_printed_once() {
        let error = anyhow!("no such file").context("a.txt: no such file").context("cannot read the corpus");
        assert_eq!(with_causes(&error), "error: cannot read the corpus\n  caused by: a.txt: no such file");
        let full = anyhow::Error::from(std::io::Error::from(std::io::ErrorKind::StorageFull))
            .context("cannot write rows.npy");
        assert!(with_causes(&full).contains("free some space"), "{}", with_causes(&full));
    }
}
