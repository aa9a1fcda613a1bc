"""Scores of models."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Optional, Union

from ._micse import evaluate as _evaluate
from ._micse import judge as _judge
from ._progress import Progress, wanted
from ._sentences import Sentences, as_list
from .encoder import SentenceEncoder


def _loaded(model: Union[SentenceEncoder, str, Path]) -> SentenceEncoder:
    return model if isinstance(model, SentenceEncoder) else SentenceEncoder(model)


def evaluate(
    model: Union[SentenceEncoder, str, Path],
    sts: Union[str, Path] = "demo",
    *,
    tasks: Optional[Iterable[str]] = None,
    transfer: bool = False,
    show_progress_bar: Optional[bool] = None,
) -> dict[str, Any]:
    """Scores a model on STS sets (Spearman and Pearson x 100) and transfer tasks (accuracy x 100).

    Args:
        model: A model, or its name.
        sts: A folder in SentEval's layout, or ``"demo"`` for small sets that come with this package.
        tasks: Only these: STS12 to STS16, STSBenchmark, SICKRelatedness; MR, CR, SUBJ, MPQA, SST2, TREC, MRPC.
        transfer: Also score the transfer tasks.

    Returns:
        What ``micse eval --json`` prints: ``average``, and ``tasks`` with the scores of each.
    """
    progress = Progress(0, "sentences", wanted(show_progress_bar))
    names = None if tasks is None else list(tasks)
    try:
        text = _evaluate(_loaded(model)._model, str(sts), names, transfer, progress.set)
    finally:
        progress.close()
    return json.loads(text)


def judge(
    before: Union[SentenceEncoder, str, Path],
    after: Union[SentenceEncoder, str, Path],
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
        text = _judge(_loaded(before)._model, _loaded(after)._model, as_list(sentences), progress.set)
    finally:
        progress.close()
    return json.loads(text)
