"""A model with the names and arguments of sentence-transformers."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Optional, Union

import numpy as np

from ._micse import Model
from ._progress import Progress, wanted
from ._sentences import Sentences, as_list

_PRECISIONS = {"float32": "f32", "f32": "f32", "bfloat16": "bf16", "bf16": "bf16"}
_QUANTISED = ("int8", "uint8", "binary", "ubinary")
_SIMILARITIES = ("cosine", "dot", "euclidean", "manhattan")


class SentenceEncoder:
    """Sentence embeddings of a model folder, a run folder, a model ID of the Hub, or ``"demo"``.

    Args:
        model_name_or_path: The model. ``"demo"`` is the encoder that comes with this package (4 layers, 256
            dimensions).
        device: Only ``"cpu"``.
        pooling: ``"cls"``, ``"mean"``, ``"first-last-avg"``, ``"emb-last-avg"`` or ``"top2-avg"``; by default the
            folder's own, else ``"mean"``.
        precision: ``"f32"``, or ``"bf16"`` for products of bfloat16 numbers, faster on processors that have them
            (float32 sums and results in any case). A folder that was exported in int8 needs no precision.
        truncate_dim: Keep only this many leading dimensions of an embedding (Matryoshka models).
        prompts: Prompts by name, in addition to those of the folder.
        default_prompt_name: The prompt of an encoding that names none; by default the folder's.
        similarity_fn_name: ``"cosine"`` (default), ``"dot"``, ``"euclidean"`` or ``"manhattan"``.

    Raises:
        micse.Error: No model has this name, or its folder is incomplete or not supported; the text says why.
    """

    def __init__(
        self,
        model_name_or_path: Union[str, Path] = "demo",
        *,
        device: Optional[str] = None,
        pooling: Optional[str] = None,
        precision: Optional[str] = None,
        truncate_dim: Optional[int] = None,
        prompts: Optional[dict[str, str]] = None,
        default_prompt_name: Optional[str] = None,
        similarity_fn_name: Optional[str] = None,
    ) -> None:
        _check_device(device)
        self.model_name_or_path = str(model_name_or_path)
        self.pooling = pooling
        self.precision = precision
        self.truncate_dim = truncate_dim
        # The limit that the user set.
        self._tokens: Optional[int] = None
        own = None if precision is None else _precision(precision)
        self._model = Model(self.model_name_or_path, pooling, own, "cpu")
        self.prompts: dict[str, str] = {**self._model.prompts, **(prompts or {})}
        self.default_prompt_name = default_prompt_name
        self.similarity_fn_name = similarity_fn_name or "cosine"
        if self.similarity_fn_name not in _SIMILARITIES:
            raise ValueError(f"similarity_fn_name is {similarity_fn_name!r}; it must be one of {_SIMILARITIES}")
        if default_prompt_name is not None:
            self._prompt(None, default_prompt_name)

    def encode(
        self,
        sentences: Sentences,
        prompt_name: Optional[str] = None,
        prompt: Optional[str] = None,
        batch_size: int = 32,
        show_progress_bar: Optional[bool] = None,
        output_value: Optional[str] = "sentence_embedding",
        precision: Optional[str] = None,
        convert_to_numpy: bool = True,
        convert_to_tensor: bool = False,
        device: Optional[str] = None,
        normalize_embeddings: bool = False,
        truncate_dim: Optional[int] = None,
        batch_tokens: Optional[int] = None,
    ) -> np.ndarray:
        """Embeds sentences.

        Args:
            sentences: One text, or a list, tuple, array, pandas or polars column of texts.
            prompt_name: A key of ``prompts``; the text is put before every sentence.
            prompt: The text itself, which takes precedence.
            batch_size: Without effect: batches are formed by tokens (``batch_tokens``), of sentences of similar length.
            show_progress_bar: By default, if the logger ``micse`` shows information.
            output_value: Only ``"sentence_embedding"``.
            precision: That of the products, ``"f32"`` or ``"bf16"``; by default the model's. (sentence-transformers'
                ``"int8"`` and ``"binary"`` quantise embeddings, which this package does not do.)
            convert_to_numpy: Whether to return one array instead of a list of rows.
            convert_to_tensor: Not supported: ``torch.from_numpy(rows)`` makes a tensor without a copy.
            device: Only ``"cpu"``.
            normalize_embeddings: Whether to scale rows to length 1.
            truncate_dim: Keep only this many leading dimensions; by default the model's.
            batch_tokens: Tokens per batch; by default 2,048.

        Returns:
            float32 ``[n, d]``; ``[d]`` for one text. A row does not depend on the other sentences, but for rounding.

        Raises:
            TypeError: An element is not a text; its position is named.
            ValueError: An argument has no meaning here.
            micse.Error: A sentence cannot be encoded.
        """
        _check_device(device)
        if convert_to_tensor:
            raise ValueError("convert_to_tensor is not supported; call torch.from_numpy(model.encode(sentences))")
        if output_value != "sentence_embedding":
            raise ValueError(f"output_value is {output_value!r}; only 'sentence_embedding' is supported")
        if batch_size <= 0:
            raise ValueError(f"batch_size must be a positive integer, got {batch_size}")
        single = isinstance(sentences, str)
        texts = [sentences] if single else as_list(sentences)
        progress = Progress(len(texts), "sentences", wanted(show_progress_bar))
        try:
            rows = self._model.encode(
                texts,
                prompt=self._prompt(prompt, prompt_name),
                precision=None if precision is None else _precision(precision),
                normalize=normalize_embeddings,
                truncate_dim=self.truncate_dim if truncate_dim is None else truncate_dim,
                batch_tokens=batch_tokens,
                progress=progress.add,
            )
        finally:
            progress.close()
        if single:
            return rows[0]
        return rows if convert_to_numpy else list(rows)

    def encode_query(self, sentences: Sentences, prompt_name: Optional[str] = None, **arguments: Any) -> np.ndarray:
        """``encode`` with the prompt ``"query"``, unless a prompt is given."""
        return self._encode_as(("query",), sentences, prompt_name, arguments)

    def encode_document(self, sentences: Sentences, prompt_name: Optional[str] = None, **arguments: Any) -> np.ndarray:
        """``encode`` with the first of the prompts ``"document"``, ``"passage"``, ``"corpus"`` that exists, unless one is
        given."""
        return self._encode_as(("document", "passage", "corpus"), sentences, prompt_name, arguments)

    def similarity(self, embeddings1: Any, embeddings2: Any) -> np.ndarray:
        """The similarity of each row of one array with each of the other: float32 ``[n, m]``."""
        a, b = _rows(embeddings1), _rows(embeddings2)
        if self.similarity_fn_name == "dot":
            return a @ b.T
        if self.similarity_fn_name == "cosine":
            return _unit(a) @ _unit(b).T
        # Row by row, so that memory holds one difference at a time.
        norm = 1 if self.similarity_fn_name == "manhattan" else 2
        return np.stack([-np.linalg.norm(row - b, ord=norm, axis=1) for row in a])

    def similarity_pairwise(self, embeddings1: Any, embeddings2: Any) -> np.ndarray:
        """The similarity of rows at the same position of two arrays: float32 ``[n]``."""
        a, b = _rows(embeddings1), _rows(embeddings2)
        if a.shape != b.shape:
            raise ValueError(f"the arrays have the shapes {a.shape} and {b.shape}; they must be equal")
        if self.similarity_fn_name == "dot":
            return (a * b).sum(axis=1)
        if self.similarity_fn_name == "cosine":
            return (_unit(a) * _unit(b)).sum(axis=1)
        return -np.linalg.norm(a - b, ord=1 if self.similarity_fn_name == "manhattan" else 2, axis=1)

    def get_sentence_embedding_dimension(self) -> int:
        """Dimensions of an embedding."""
        own = self._model.dimension
        return own if self.truncate_dim is None else min(own, self.truncate_dim)

    get_embedding_dimension = get_sentence_embedding_dimension

    def token_ids(self, sentences: Sentences) -> list[list[int]]:
        """The token IDs of each sentence, special tokens included, cut off at ``max_seq_length``."""
        return self._model.token_ids([sentences] if isinstance(sentences, str) else as_list(sentences))

    @property
    def max_seq_length(self) -> Optional[int]:
        """Maximum number of tokens per sentence; longer ones are cut off. ``None`` if there is no limit."""
        return self._model.max_seq_length

    @max_seq_length.setter
    def max_seq_length(self, tokens: int) -> None:
        self._model.max_seq_length = tokens
        self._tokens = tokens

    def get_max_seq_length(self) -> Optional[int]:
        """``max_seq_length``."""
        return self.max_seq_length

    @property
    def device(self) -> str:
        """``"cpu"``."""
        return "cpu"

    @property
    def folder(self) -> Path:
        """The model folder."""
        return Path(self._model.folder)

    def __repr__(self) -> str:
        return (
            f"SentenceEncoder({self.model_name_or_path!r}: {self._model.family}, {self.get_sentence_embedding_dimension()} "
            f"dimensions, {self._model.pooling} pooling, at most {self.max_seq_length or 'any number of'} tokens)"
        )

    # scikit-learn: a step of a Pipeline, without state of its own.

    def fit(self, sentences: Any = None, y: Any = None) -> SentenceEncoder:
        """Does nothing: a model is trained by ``micse.train``."""
        return self

    def transform(self, sentences: Sentences) -> np.ndarray:
        """``encode``, for scikit-learn."""
        return self.encode(sentences)

    def fit_transform(self, sentences: Sentences, y: Any = None) -> np.ndarray:
        """``encode``, for scikit-learn."""
        return self.encode(sentences)

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """The arguments of the constructor, for scikit-learn."""
        return {
            "model_name_or_path": self.model_name_or_path,
            "pooling": self.pooling,
            "precision": self.precision,
            "truncate_dim": self.truncate_dim,
        }

    def set_params(self, **parameters: Any) -> SentenceEncoder:
        """Loads the model anew with other arguments, for scikit-learn."""
        unknown = set(parameters) - set(self.get_params())
        if unknown:
            raise ValueError(f"unknown parameters {sorted(unknown)}; known are {sorted(self.get_params())}")
        self.__init__(**{**self.get_params(), **parameters})  # type: ignore[misc]
        return self

    def __sklearn_is_fitted__(self) -> bool:
        return True

    def __sklearn_tags__(self) -> Any:
        from sklearn.utils import InputTags, Tags, TargetTags, TransformerTags

        return Tags(
            estimator_type=None,
            target_tags=TargetTags(required=False),
            transformer_tags=TransformerTags(),
            input_tags=InputTags(string=True, two_d_array=False, one_d_array=True),
            requires_fit=False,
        )

    # Pickles and copies hold the name, not the weights: multiprocessing and scikit-learn load the model again.

    def __getstate__(self) -> dict[str, Any]:
        state = self.__dict__.copy()
        del state["_model"]
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        own = None if self.precision is None else _precision(self.precision)
        self._model = Model(self.model_name_or_path, self.pooling, own, "cpu")
        if self._tokens is not None:
            self._model.max_seq_length = self._tokens

    def _encode_as(
        self, names: tuple[str, ...], sentences: Sentences, prompt_name: Optional[str], arguments: dict[str, Any]
    ) -> np.ndarray:
        if prompt_name is None and arguments.get("prompt") is None:
            prompt_name = next((name for name in names if name in self.prompts), None)
        return self.encode(sentences, prompt_name=prompt_name, **arguments)

    def _prompt(self, prompt: Optional[str], name: Optional[str]) -> Optional[str]:
        """The text before every sentence; ``None``: the folder's own."""
        if prompt is not None:
            return prompt
        name = self.default_prompt_name if name is None else name
        if name is None:
            return None
        if name not in self.prompts:
            raise ValueError(f"no prompt is named {name!r}; this model has {', '.join(sorted(self.prompts))}")
        return self.prompts[name]


def _check_device(device: Optional[str]) -> None:
    if device is not None and str(device) != "cpu":
        raise ValueError(f"device is {str(device)!r}; this package computes on 'cpu'")


def _precision(name: str) -> str:
    if name in _QUANTISED:
        raise ValueError(
            f"precision {name!r} would quantise the embeddings, which is not supported; for faster products, load a "
            "folder written by 'micse export --precision int8'"
        )
    if name not in _PRECISIONS:
        raise ValueError(f"precision is {name!r}; it must be one of {sorted(_PRECISIONS)}")
    return _PRECISIONS[name]


def _rows(embeddings: Any) -> np.ndarray:
    """An array ``[n, d]`` of float32."""
    rows = np.asarray(embeddings, dtype=np.float32)
    return rows[None, :] if rows.ndim == 1 else rows


def _unit(rows: np.ndarray) -> np.ndarray:
    norms = np.linalg.norm(rows, axis=1, keepdims=True)
    return rows / np.maximum(norms, 1e-12)
