"""The command ``micse``, as the Rust program of that name."""

import signal
import sys


def main() -> None:
    """Runs the command with this process's arguments, and exits with its status."""
    # The command has its own handlers; Python's would swallow Ctrl-C while Rust works.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    import micse

    from ._micse import main as run

    del micse  # imported for the environment that it sets
    sys.exit(run(["micse", *sys.argv[1:]]))
