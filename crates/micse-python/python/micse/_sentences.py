"""Sentences in the forms in which Python programs hold them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Union

Sentences = Union[str, Iterable[str]]


def names(value: Union[str, Iterable[str]]) -> list[str]:
    """One name, or several."""
    return [value] if isinstance(value, str) else list(value)


def as_list(sentences: Any, what: str = "sentences") -> list[str]:
    """A list of texts from a list, tuple, array, pandas or polars column, or iterator.

    Raises:
        TypeError: It is a single text, bytes or a mapping, or it cannot be iterated.
    """
    if isinstance(sentences, list):
        return sentences
    if isinstance(sentences, (str, bytes, dict)) or not isinstance(sentences, Iterable):
        raise TypeError(
            f"{what} must be a list of texts (str), not {type(sentences).__name__}; for a file, pass a pathlib.Path where "
            "files are accepted"
        )
    if getattr(sentences, "ndim", 1) != 1 or hasattr(sentences, "columns"):
        raise TypeError(f"{what} must have one dimension, not the shape {sentences.shape}; pass one column")
    for method in ("to_list", "tolist", "to_pylist"):
        # Columns convert faster than element by element.
        if hasattr(sentences, method):
            return getattr(sentences, method)()
    return list(sentences)
