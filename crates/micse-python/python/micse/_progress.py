"""Progress bars: those of tqdm if it is installed, else lines on standard error."""

from __future__ import annotations

import logging
import os
import sys
import time
from typing import Any, Optional

_LINE_SECONDS = 10.0


class Progress:
    """Shows how far some work is."""

    def __init__(self, total: int, unit: str, shown: bool) -> None:
        self._bar: Optional[Any] = None
        self._done, self._total, self._unit, self._shown = 0, total, unit, shown
        self._latest = time.monotonic()
        if not shown:
            return
        try:
            from tqdm.auto import tqdm

            self._bar = tqdm(total=total, unit=f" {unit}", unit_scale=unit.startswith("bytes"))
        except ImportError:
            pass

    def add(self, count: int) -> None:
        """Counts ``count`` more."""
        self.set(self._done + count, self._total)

    def set(self, done: int, total: int) -> None:
        """Sets what is done and its total."""
        added, self._done, self._total = done - self._done, done, total
        if self._bar is not None:
            self._bar.total = total
            self._bar.update(added)
        elif self._shown and (done == total or time.monotonic() - self._latest > _LINE_SECONDS):
            self._latest = time.monotonic()
            print(f"{done} of {total} {self._unit}", file=sys.stderr)

    def close(self) -> None:
        """Ends the bar."""
        if self._bar is not None:
            self._bar.close()


class Downloads:
    """Shows the files that arrive from the Hub, one bar for each that is not small, as huggingface_hub does."""

    _SMALL = 1 << 20

    def __init__(self) -> None:
        self._bars: dict[str, Progress] = {}
        self._shown = os.environ.get("HF_HUB_DISABLE_PROGRESS_BARS", "").upper() not in ("1", "ON", "YES", "TRUE")

    def arrived(self, file: str, done: int, total: Optional[int]) -> None:
        """Takes note of the bytes of a file."""
        if total is None or total < self._SMALL:
            return
        if file not in self._bars:
            self._bars[file] = Progress(total, f"bytes of {file}", self._shown)
        self._bars[file].set(done, total)

    def close(self) -> None:
        """Ends all bars."""
        for bar in self._bars.values():
            bar.close()


def wanted(show: Optional[bool]) -> bool:
    """Whether to show progress; by default if the logger ``micse`` shows information, as in sentence-transformers."""
    return logging.getLogger("micse").isEnabledFor(logging.INFO) if show is None else show
