"""Exact nearest neighbours."""

from __future__ import annotations

from typing import Any, Union

import numpy as np

from ._micse import search as _search
from ._sentences import Sentences, as_list
from .encoder import SentenceEncoder


def search(
    model: SentenceEncoder,
    corpus: Union[Sentences, np.ndarray],
    queries: Union[Sentences, np.ndarray],
    top: int = 5,
) -> list[list[dict[str, Any]]]:
    """The nearest sentences of a corpus for each query, by cosine.

    Args:
        corpus: Texts, or their embeddings ``[n, d]``.
        queries: One or more texts, or their embeddings ``[q, d]``.
        top: Sentences per query.

    Returns:
        For each query a list, best first, of ``{"corpus_id": row, "score": cosine}``, as ``semantic_search`` of
        sentence-transformers; with ``"text"`` if the corpus was given as texts.
    """
    if top < 1:
        raise ValueError(f"top is {top}; it must be at least 1")
    texts = None if _is_rows(corpus) else as_list(corpus, "corpus")
    rows = corpus if texts is None else model.encode_document(texts)
    if _is_rows(queries):
        queries = np.atleast_2d(queries)
    else:
        queries = model.encode_query([queries] if isinstance(queries, str) else as_list(queries, "queries"))
    found = _search(_contiguous(rows, "corpus"), _contiguous(queries, "queries"), top)
    named = (lambda row: {}) if texts is None else (lambda row: {"text": texts[row]})
    return [[{"corpus_id": row, "score": score, **named(row)} for row, score in hits] for hits in found]


def _is_rows(value: Any) -> bool:
    return isinstance(value, np.ndarray) and value.dtype.kind in "fiu"


def _contiguous(rows: np.ndarray, what: str) -> np.ndarray:
    if rows.ndim != 2:
        raise ValueError(f"{what} has the shape {rows.shape}; embeddings have the shape [n, d]")
    return np.ascontiguousarray(rows, dtype=np.float32)
