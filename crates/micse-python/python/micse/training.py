"""Training without labels."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Optional, Union

from ._micse import train as _train
from ._places import Place, place
from ._progress import Downloads, Progress, wanted
from ._sentences import as_list, names
from .encoder import SentenceEncoder, products_precision

#: What helps if an encoder's setting is not that of its folder, with which a run trains.
_REMEDIES = {
    "pooling": "set it by settings",
    "max_seq_length": 'limit the training sentences by settings={"max_length": N}, and set it in run.load(max_seq_length=N)',
    "truncate_dim": "set it in run.load(truncate_dim=N)",
    "default prompt": "change default_prompt_name in the folder's config_sentence_transformers.json",
}


@dataclass(frozen=True)
class Run:
    """A finished run."""

    folder: Path
    """The run folder: ``model``, ``metrics.jsonl``, ``result.json``."""
    result: dict[str, Any]
    """What ``micse train --json`` prints: ``chosen`` in ``result`` says which weights were kept, and why."""

    @property
    def model(self) -> Path:
        """The model folder, which sentence-transformers loads too."""
        return Path(self.result["model"])

    def load(self, **arguments: Any) -> SentenceEncoder:
        """The trained model."""
        return SentenceEncoder(self.model, **arguments)

    def metrics(self) -> list[dict[str, Any]]:
        """The logged steps, one dict each: ``step``, ``loss``, ``terms``, ``learning_rate``, ..."""
        lines = (self.folder / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
        return [json.loads(line) for line in lines]


def train(
    model: Union[SentenceEncoder, Place],
    sentences: Any,
    out: Place,
    *,
    recipe: Optional[Place] = None,
    steps: Optional[int] = None,
    pairs: Any = None,
    sts: Optional[Place] = None,
    size: Union[None, int, str] = None,
    seed: Optional[int] = None,
    keep: Optional[str] = None,
    purpose: Optional[str] = None,
    with_terms: Iterable[str] = (),
    settings: Optional[Mapping[str, Any]] = None,
    published_settings: bool = False,
    precision: Optional[str] = None,
    chunk: Optional[int] = None,
    checkpoint_steps: Optional[int] = None,
    allow_other_cpu: bool = False,
    name: Optional[str] = None,
    languages: Iterable[str] = (),
    license: Optional[str] = None,
    on_step: Optional[Callable[[dict[str, Any]], Any]] = None,
    show_progress_bar: Optional[bool] = None,
) -> Run:
    """Adapts a model to sentences without labels, as ``micse train`` does.

    A judge compares the model before and after on sentences that are held out, and keeps the trained weights, an average
    of both, or the start's. The run is a folder: called again with the same arguments, it resumes, or returns the finished
    result. Ctrl-C, and an exception in ``on_step``, save a checkpoint first; if that fails, the failure is the exception's
    ``__cause__``.

    Args:
        model: Model folder, run folder, model ID of the Hub, ``"demo"``, or a loaded model, whose folder and precision are
            used. Its pooling, token limit, truncation and default prompt must be the folder's, with which a run trains. A
            ``pathlib.Path`` is always a folder.
        sentences: A list or column of texts; or a ``pathlib.Path``, or a list of them, to text files with one sentence per
            line (plain, zstd or gzip).
        out: The run folder.
        recipe: A built-in recipe, such as ``"micse"`` or ``"simcse"``, or a ``.toml`` file; by default the one that did
            best of those measured.
        steps: Optimizer steps; by default 100.
        pairs: Development pairs that choose the weights: a ``.tsv`` file, or a list of (sentence, sentence, score).
        sts: STS sets, scored before and after: a folder, or ``"demo"``.
        size: Sentences to draw, some of them for the judge: ``1000``, ``"0.1%"``.
        seed: Seed of split, order, dropout and initialization, from 0 to 2**63 - 1; by default 48.
        keep: ``"best"`` or ``"last"``.
        purpose: What the model is for: ``"similarity"``, ``"search"`` or ``"grouping"``; not with ``pairs``.
        with_terms: Terms to add to the recipe: ``["ami"]``.
        settings: Changes of the recipe: ``{"optimizer.lr": 1e-4}``.
        published_settings: Whether to use the recipe's published settings.
        precision: ``"f32"`` or ``"bf16"``.
        chunk: Encode this many sentences at a time: less memory, but each is encoded twice.
        checkpoint_steps: Steps between two checkpoints; by default 500, and at least one in five minutes.
        allow_other_cpu: Whether to resume from a checkpoint that another kind of CPU wrote.
        name, languages, license: Facts for the model card.
        on_step: Called after each step with a dict of its ``step``, ``loss``, ``terms`` and so on. The run waits until it returns; if it raises an
            exception, that step is the last.
        show_progress_bar: By default, if the logger ``micse`` shows information.

    Raises:
        micse.Error: A setting, the model or the text cannot be used, or the folder belongs to another run.
        KeyboardInterrupt: Ctrl-C, after a checkpoint.
    """
    if isinstance(model, SentenceEncoder):
        for setting, value in model._unlike_the_folder().items():
            raise ValueError(
                f"the encoder's {setting} is {value!r}, but a run trains with that of its folder; pass the folder, and "
                f"{_REMEDIES[setting]}"
            )
        precision = precision or model.precision
        model = model.folder
    files: list[Path] = []
    texts = None
    if isinstance(sentences, Path):
        files = [sentences]
    elif isinstance(sentences, (list, tuple)) and sentences and all(isinstance(item, Path) for item in sentences):
        files = list(sentences)
    else:
        texts = as_list(sentences)
    options: dict[str, Any] = {
        "recipe": None if recipe is None else place(recipe),
        "steps": steps,
        "pairs": pairs if pairs is None or isinstance(pairs, (str, Path)) else list(pairs),
        "sts": None if sts is None else place(sts),
        "size": size,
        "seed": seed,
        "keep": keep,
        "purpose": purpose,
        "with_terms": names(with_terms),
        "settings": [f"{key}={_toml(value)}" for key, value in (settings or {}).items()],
        "published_settings": published_settings,
        "precision": None if precision is None else products_precision(precision),
        "chunk": chunk,
        "checkpoint_steps": checkpoint_steps,
        "name": name,
        "languages": names(languages),
        "allow_other_cpu": allow_other_cpu,
        "license": license,
    }
    bars: dict[str, Progress] = {}
    downloads = Downloads()
    shown = wanted(show_progress_bar)

    def tell(kind: str, text: str) -> None:
        event = json.loads(text)
        if kind == "progress":
            if event["what"] not in bars:
                bars[event["what"]] = Progress(event["total"], event["what"], shown)
            bars[event["what"]].set(event["done"], event["total"])
        elif kind == "arrived":
            downloads.arrived(event["file"], event["done"], event["total"])
        elif kind == "step":
            if "steps" in bars:
                bars["steps"].add(1)
            if on_step is not None:
                on_step(event)

    try:
        text = _train(place(model), place(out), texts, files, options, tell)
    finally:
        downloads.close()
        for bar in bars.values():
            bar.close()
    return Run(Path(out), json.loads(text))


def _toml(value: Any) -> str:
    """A value of a recipe in its written form."""
    return str(value).lower() if isinstance(value, bool) else str(value)
