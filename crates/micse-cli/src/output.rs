//! Results on standard output, notes on standard error.

use std::fmt::Display;
use std::io::{ErrorKind, Write};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context, Result, bail};
use comfy_table::{CellAlignment, Table, presets};
use serde::Serialize;

/// Whether notes and progress are suppressed (`--quiet`).
static QUIET: AtomicBool = AtomicBool::new(false);

pub(crate) fn set_quiet(quiet: bool) {
    QUIET.store(quiet, Ordering::Relaxed);
}

/// Whether `--quiet` was given.
pub fn is_quiet() -> bool {
    QUIET.load(Ordering::Relaxed)
}

/// Whether colours are allowed: <https://no-color.org>.
pub(crate) fn coloured() -> bool {
    std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

/// Prints a line for the user on standard error, unless `--quiet` was given.
pub fn note(line: impl Display) {
    if !is_quiet() {
        say(line);
    }
}

/// Prints an error on standard error. The command continues if standard error cannot be written: its exit status says
/// the same.
pub fn say(line: impl Display) {
    drop(writeln!(std::io::stderr(), "{line}"));
}

/// A [`note`] that the user should act on.
pub fn notice(line: impl Display) {
    note(format_args!("notice: {line}"));
}

/// Prints a result on standard output, with a final line feed.
///
/// If the reader closed the pipe, as in `micse sweep | head`, nothing is printed and the work goes on: its files and its
/// exit status do not depend on the reader.
///
/// # Errors
/// Standard output cannot be written, for example to a full disk.
pub fn print(text: &str) -> Result<()> {
    let end = if text.ends_with('\n') { "" } else { "\n" };
    let mut out = std::io::stdout().lock();
    match write!(out, "{text}{end}").and_then(|()| out.flush()) {
        Err(e) if e.kind() != ErrorKind::BrokenPipe => Err(e).context("cannot write to standard output"),
        _ => Ok(()),
    }
}

/// Rejects an output that is an input, which would be lost. `-` is a standard stream.
///
/// # Errors
/// Both are the same file.
pub fn check_differs(input: &Path, output: &Path) -> Result<()> {
    // A file that does not exist yet is no input.
    if output.as_os_str() != "-"
        && let (Ok(from), Ok(to)) = (input.canonicalize(), output.canonicalize())
        && from == to
    {
        bail!("{}: is the input, which would be lost; write to another file", output.display());
    }
    Ok(())
}

/// Rejects `--json` for a command without a JSON form.
///
/// # Errors
/// `json` is true.
pub fn reject_json(json: bool, what: &str) -> Result<()> {
    if json {
        bail!("{what} has no JSON form; remove --json");
    }
    Ok(())
}

/// Prints a result as one indented JSON document.
///
/// # Errors
/// As [`print()`].
pub fn print_json(value: &impl Serialize) -> Result<()> {
    print(&serde_json::to_string_pretty(value)?)
}

/// A table without borders. Columns from index `numbers` on are right-aligned.
pub fn plain_table(header: &[&str], rows: impl IntoIterator<Item = Vec<String>>, numbers: usize) -> String {
    let mut table = Table::new();
    table.load_preset(presets::NOTHING);
    if !header.is_empty() {
        table.set_header(header);
    }
    for row in rows {
        table.add_row(row);
    }
    for column in table.column_iter_mut().skip(numbers) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table.to_string()
}

/// Quotes an argument as one shell word.
///
/// # Errors
/// It contains a NUL byte.
pub fn quoted(argument: &str) -> Result<String> {
    Ok(shlex::try_quote(argument).with_context(|| format!("{argument:?}"))?.into_owned())
}

/// Quotes a path as one shell word on a single line.
///
/// # Errors
/// It is not UTF-8, or contains a line feed or a NUL byte.
pub fn quoted_path(path: &std::path::Path) -> Result<String> {
    let text = path.to_str().with_context(|| format!("{}: the name is not UTF-8", path.display()))?;
    if text.contains('\n') {
        bail!("{text:?}: the path contains a line feed; use a different folder");
    }
    quoted(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    #[test]
    fn arguments_are_one_word_of_a_shell() {
        assert_eq!(quoted("runs/one.d").unwrap(), "runs/one.d");
        assert_eq!(quoted("").unwrap(), "''");
        for word in ["it's a run", "a b", "$HOME", "a\"b", "*"] {
            assert_eq!(shlex::split(&quoted(word).unwrap()).unwrap(), [word]);
        }
        quoted("a\0b").unwrap_err();
        quoted_path(Path::new("a\nb")).unwrap_err();
    }
}
