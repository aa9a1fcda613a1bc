"""Names of models and sets, and places on the disk."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Union

Place = Union[str, Path]


def place(name: Place) -> str:
    """A name as the extension module takes it.

    A ``str`` may be a name, such as ``"demo"`` or a model ID of the Hub. A path is only ever a place on the disk; as
    ``pathlib`` drops the ``./`` that would say so, it is written anew.

    Raises:
        ValueError: It is not valid UTF-8.
    """
    text = os.path.join(os.curdir, os.fsdecode(os.fspath(name))) if isinstance(name, os.PathLike) else str(name)
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise ValueError(f"{text!r} is not valid UTF-8; rename the folder or file") from error
    return text
