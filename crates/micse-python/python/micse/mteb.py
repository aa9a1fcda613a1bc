"""A model for MTEB: ``mteb.evaluate(micse.mteb.Encoder(model), tasks)``. Needs the package ``mteb``, version 2."""

from __future__ import annotations

from typing import Any

import numpy as np

from .encoder import SentenceEncoder


class Encoder:
    """MTEB's encoder protocol.

    Queries and documents get the prompts ``"query"`` and ``"document"``, as ``encode_query`` and ``encode_document``
    choose them; all other texts get the model's default prompt.

    Args:
        model: The model.
        name: Its name in MTEB's files, ``owner/name``.
        revision: Its revision there.
    """

    def __init__(self, model: SentenceEncoder, name: str = "local/model", revision: str = "no_revision") -> None:
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
    def mteb_model_meta(self) -> Any:
        """Facts about the model."""
        from mteb.models import ModelMeta
        from mteb.models.model_meta import ScoringFunction

        return ModelMeta.create_empty(
            {
                "name": self._name,
                "revision": self._revision,
                "max_tokens": self.model.max_seq_length,
                "embed_dim": self.model.get_sentence_embedding_dimension(),
                "similarity_fn_name": ScoringFunction.from_str(self.model.similarity_fn_name),
            }
        )
