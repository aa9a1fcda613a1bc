"""Scores of models."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any, Optional, Union

from ._micse import Model
from ._micse import evaluate as _evaluate
from ._micse import judge as _judge
from ._places import Place, place
from ._progress import Progress, wanted
from ._sentences import Sentences, as_list, names
from .encoder import SentenceEncoder


def _parts(model: Union[SentenceEncoder, Place]) -> tuple[Model, str, Optional[int]]:
    """A model with its default prompt and truncation."""
    encoder = model if isinstance(model, SentenceEncoder) else SentenceEncoder(model)
    return encoder._model, encoder._prompt(None, None), encoder.truncate_dim


def evaluate(
    model: Union[SentenceEncoder, Place],
    sts: Place = "demo",
    *,
    tasks: Optional[Iterable[str]] = None,
    transfer: bool = False,
    show_progress_bar: Optional[bool] = None,
) -> dict[str, Any]:
    """Scores a model on STS sets (Spearman and Pearson x 100) and transfer tasks (accuracy x 100).

    Args:
        model: A model, or its name.
        sts: A folder in SentEval's layout, or ``"demo"`` for small sets that come with this package. A ``pathlib.Path`` is
            always a folder.
        tasks: Only these: STS12 to STS16, STSBenchmark, SICKRelatedness; MR, CR, SUBJ, MPQA, SST2, TREC, MRPC.
        transfer: Also score the transfer tasks.

    Returns:
        What ``micse eval --json`` prints: ``average``, and ``tasks`` with the scores of each.
    """
    progress = Progress(0, "sentences", wanted(show_progress_bar))
    given = None if tasks is None else names(tasks)
    encoder, prompt, truncate_dim = _parts(model)
    try:
        text = _evaluate(encoder, prompt, truncate_dim, place(sts), given, transfer, progress.set)
    finally:
        progress.close()
    return json.loads(text)


def judge(
    before: Union[SentenceEncoder, Place],
    after: Union[SentenceEncoder, Place],
    sentences: Sentences,
    *,
    show_progress_bar: Optional[bool] = None,
) -> dict[str, Any]:
    """Compares two models on sentences without labels, which neither should have been trained on.

    Args:
        sentences: At least 20 distinct texts; at most 2,000 are used, evenly spaced.

    Returns:
        What ``micse judge --json`` prints: ``effects`` says for similarity, search and grouping whether the second model
        is better, worse, or whether that is unclear; each search is a mean reciprocal rank before and after, and the 95 %
        interval of the difference.
    """
    progress = Progress(0, "texts", wanted(show_progress_bar))
    try:
        text = _judge(_parts(before), _parts(after), as_list(sentences), progress.set)
    finally:
        progress.close()
    return json.loads(text)
