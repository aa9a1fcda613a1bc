"""The command ``micse``, as the Rust program of that name."""

import signal
import sys

from ._micse import main as run


def main() -> None:
    """Runs the command with this process's arguments, and exits with its status."""
    # The command has its own handlers; Python's would swallow Ctrl-C while Rust works.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    sys.exit(run(["micse", *sys.argv[1:]]))
