"""A model for MTEB: ``mteb.evaluate(micse.mteb.Encoder(model), tasks)``. Needs the package ``mteb``, version 2."""

from __future__ import annotations

import hashlib
import json
import re
from functools import cached_property
from typing import Any, Optional

import numpy as np

from .encoder import SentenceEncoder


class Encoder:
    """MTEB's encoder protocol.

    Queries and documents get the prompts ``"query"`` and ``"document"``, as ``encode_query`` and ``encode_document``
    choose them; all other texts get the model's default prompt.

    MTEB keeps results by name and revision, and does not score what it finds there, so both tell models apart.

    Args:
        model: The model.
        name: Its name in MTEB's files, ``owner/name``; by default its ID on the Hub, else ``local/`` and its folder.
        revision: Its revision there; by default a checksum of the folder's files and of the settings that change an
            embedding or a similarity.
    """

    def __init__(self, model: SentenceEncoder, name: Optional[str] = None, revision: Optional[str] = None) -> None:
        if name is not None and "/" not in name:
            raise ValueError(f"name is {name!r}; MTEB needs the form 'owner/name'")
        self.model = model
        self._name, self._revision = name, revision

    def encode(self, inputs: Any, *, prompt_type: Any = None, **arguments: Any) -> np.ndarray:
        """The embeddings of batches with a key ``"text"``: float32 ``[n, d]``."""
        texts = [text for batch in inputs for text in batch["text"]]
        kind = getattr(prompt_type, "value", prompt_type)
        functions = {"query": self.model.encode_query, "document": self.model.encode_document}
        encode = functions.get(kind, self.model.encode)
        return encode(texts, show_progress_bar=arguments.get("show_progress_bar"))

    def similarity(self, embeddings1: Any, embeddings2: Any) -> np.ndarray:
        """Of each row with each: ``[n, m]``."""
        return self.model.similarity(embeddings1, embeddings2)

    def similarity_pairwise(self, embeddings1: Any, embeddings2: Any) -> np.ndarray:
        """Of rows at the same position: ``[n]``."""
        return self.model.similarity_pairwise(embeddings1, embeddings2)

    @property
    def name(self) -> str:
        """The model's name in MTEB's files."""
        return _name(self.model) if self._name is None else self._name

    @property
    def revision(self) -> str:
        """Its revision there, for its present settings."""
        if self._revision is not None:
            return self._revision
        model = self.model
        settings = {
            "files": self._files,
            "pooling": model._model.pooling,
            "precision": model._model.precision,
            "dimension": model.get_sentence_embedding_dimension(),
            "max_seq_length": model.max_seq_length,
            "prompts": model.prompts,
            "default_prompt_name": model.default_prompt_name,
            "similarity": model.similarity_fn_name,
        }
        # As long as a commit.
        return hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()[:40]

    @cached_property
    def _files(self) -> str:
        return self.model._model.sha256()

    @property
    def mteb_model_meta(self) -> Any:
        """Facts about the model."""
        from mteb.models import ModelMeta
        from mteb.models.model_meta import ScoringFunction

        return ModelMeta.create_empty(
            {
                "name": self.name,
                "revision": self.revision,
                "max_tokens": self.model.max_seq_length,
                "embed_dim": self.model.get_sentence_embedding_dimension(),
                "similarity_fn_name": ScoringFunction.from_str(self.model.similarity_fn_name),
            }
        )


def _name(model: SentenceEncoder) -> str:
    """``owner/name``, of characters that a file may have in its name."""
    hub = model._model.hub_id
    if hub is not None:
        # The oldest models have no owner.
        return hub if "/" in hub else f"local/{hub}"
    if model.model_name_or_path == "demo":
        return "local/demo"
    folder = model.folder.resolve()
    # A run's model is in a folder of this name.
    name = folder.parent.name if folder.name == "model" else folder.name
    return "local/" + (re.sub(r"[^A-Za-z0-9._-]", "-", name).lstrip(".") or "model")
