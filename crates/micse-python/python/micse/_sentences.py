"""Sentences in the forms in which Python programs hold them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Union

import numpy as np

Sentences = Union[str, Iterable[str]]


def as_list(sentences: Any, what: str = "sentences") -> list[str]:
    """A list of texts from a list, tuple, array, pandas or polars column, or iterator.

    Raises:
        TypeError: It is a single text, bytes or a mapping, or it cannot be iterated.
    """
    if isinstance(sentences, list):
        return sentences
    if isinstance(sentences, (str, bytes, dict)) or not isinstance(sentences, Iterable):
        raise TypeError(f"{what} must be a list of texts (str), not {type(sentences).__name__}")
    if isinstance(sentences, np.ndarray):
        if sentences.ndim != 1:
            raise TypeError(f"{what} must have one dimension, not the shape {sentences.shape}")
        return sentences.tolist()
    for method in ("to_list", "tolist", "to_pylist"):
        # Columns convert faster than element by element.
        if hasattr(sentences, method):
            return getattr(sentences, method)()
    return list(sentences)
