"""Sentence embeddings from unlabelled sentences.

>>> import micse
>>> model = micse.SentenceEncoder("demo")
>>> rows = model.encode(["The doctor visited the old hospital.", "A nurse saw the clinic."])
>>> rows.shape
(2, 256)

``SentenceEncoder`` loads and encodes with the names of sentence-transformers. ``train`` adapts a model to a text
without labels, ``evaluate`` scores it on STS sets and transfer tasks, ``judge`` compares two models on a text without
labels, ``search`` finds nearest neighbours, and ``losses`` has training objectives with their gradients.

Computing threads: ``RAYON_NUM_THREADS``, else ``OMP_NUM_THREADS``, else all cores; ``set_num_threads`` changes it.
Events go to the logger ``micse``. What is wrong with a model or a file raises ``micse.Error``; options in its text are
those of the command: ``--keep last`` is ``keep="last"`` here, ``--set`` ``settings``, ``--with`` ``with_terms``, ``--for``
``purpose``, ``--language`` ``languages``, ``--corpus`` ``sentences``.
"""

import os as _os
from pathlib import Path as _Path

# Read by the extension module: the shipped encoder and demo sets; memory is kept between training steps; no second pool.
_os.environ.setdefault("MICSE_SHIPPED_DATA", str(_Path(__file__).parent / "data"))
_os.environ.setdefault("MIMALLOC_PURGE_DELAY", "-1")
_os.environ.setdefault("CANDLE_NUM_THREADS", "1")

from . import losses, mteb
from ._micse import Error, __version__, demo_sentences, num_threads, set_num_threads
from .encoder import SentenceEncoder
from .scores import evaluate, judge
from .searching import search
from .training import Run, train

__all__ = [
    "Error",
    "Run",
    "SentenceEncoder",
    "__version__",
    "demo_sentences",
    "evaluate",
    "judge",
    "losses",
    "mteb",
    "num_threads",
    "search",
    "set_num_threads",
    "train",
]
