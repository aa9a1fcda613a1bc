"""A model with the names and arguments of sentence-transformers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Optional

import numpy as np

from ._micse import Model
from ._places import Place, place
from ._progress import Downloads, Progress, wanted
from ._sentences import Sentences, as_list

_PRECISIONS = {"float32": "f32", "f32": "f32", "bfloat16": "bf16", "bf16": "bf16"}
_QUANTISED = ("int8", "uint8", "binary", "ubinary")
_SIMILARITIES = ("cosine", "dot", "euclidean", "manhattan")


class SentenceEncoder:
    """Sentence embeddings of a model folder, a run folder, a model ID of the Hub, or ``"demo"``.

    Args:
        model_name_or_path: The model. ``"demo"`` is the encoder that comes with this package (4 layers, 256
            dimensions). A ``pathlib.Path`` is always a folder.
        device: Only ``"cpu"``.
        pooling: ``"cls"``, ``"mean"``, ``"first-last-avg"``, ``"emb-last-avg"`` or ``"top2-avg"``; by default the
            folder's own, else ``"mean"``.
        precision: ``"f32"``, or ``"bf16"`` for products of bfloat16 numbers, faster on processors that have them
            (float32 sums and results in any case). A folder that was exported in int8 needs no precision.
        truncate_dim: Keep only this many leading dimensions of an embedding (Matryoshka models); by default the folder's.
            The attribute can be set, and ``None`` then keeps all.
        prompts: Prompts by name, in addition to those of the folder.
        default_prompt_name: The prompt of an encoding that names none; by default the folder's, and none if it is ``""``.
        similarity_fn_name: ``"cosine"``, ``"dot"``, ``"euclidean"`` or ``"manhattan"``; by default the folder's, else
            cosine.
        max_seq_length: Maximum number of tokens per sentence; by default the folder's.

    Raises:
        micse.Error: No model has this name, or its folder is incomplete or not supported; the text says why.
    """

    def __init__(
        self,
        model_name_or_path: Place = "demo",
        *,
        device: Optional[str] = None,
        pooling: Optional[str] = None,
        precision: Optional[str] = None,
        truncate_dim: Optional[int] = None,
        prompts: Optional[dict[str, str]] = None,
        default_prompt_name: Optional[str] = None,
        similarity_fn_name: Optional[str] = None,
        max_seq_length: Optional[int] = None,
    ) -> None:
        _check_device(device)
        # As given: scikit-learn's clones are made from these.
        self._given = {
            "model_name_or_path": model_name_or_path,
            "device": device,
            "pooling": pooling,
            "precision": precision,
            "truncate_dim": truncate_dim,
            "prompts": prompts,
            "default_prompt_name": default_prompt_name,
            "similarity_fn_name": similarity_fn_name,
            "max_seq_length": max_seq_length,
        }
        self.model_name_or_path = place(model_name_or_path)
        self._load()
        folder = _folder_settings(self.folder)
        self.prompts: dict[str, str] = {**self._model.prompts, **{name: text or "" for name, text in (prompts or {}).items()}}
        own_prompt = folder.get("default_prompt_name")
        self.default_prompt_name = own_prompt if default_prompt_name is None else default_prompt_name or None
        self.similarity_fn_name = similarity_fn_name or folder.get("similarity_fn_name")
        self.truncate_dim = folder.get("truncate_dim") if truncate_dim is None else truncate_dim
        # These fail now rather than with the first sentence.
        self._prompt(None, None)
        self.get_sentence_embedding_dimension()
        self._begun = self._settings()

    def _load(self) -> None:
        precision = self._given["precision"]
        own = None if precision is None else _precision(precision)
        downloads = Downloads()
        try:
            self._model = Model(self.model_name_or_path, self._given["pooling"], own, "cpu", downloads.arrived)
        finally:
            downloads.close()
        self._own_max_seq_length = self._model.max_seq_length
        if self._given["max_seq_length"] is not None:
            self._model.max_seq_length = self._given["max_seq_length"]

    def _settings(self) -> dict[str, Any]:
        """The settings that are plain attributes, by the names of the constructor's arguments."""
        return {
            "truncate_dim": self.truncate_dim,
            "prompts": dict(self.prompts),
            "default_prompt_name": self.default_prompt_name,
            "similarity_fn_name": self.similarity_fn_name,
        }

    def encode(
        self,
        inputs: Optional[Sentences] = None,
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
        *,
        sentences: Optional[Sentences] = None,
    ) -> np.ndarray:
        """Embeds sentences.

        Args:
            inputs: One text, or a list, tuple, array, pandas or polars column of texts.
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
            sentences: The name of ``inputs`` before sentence-transformers 6.

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
        if sentences is not None:
            if inputs is not None:
                raise TypeError("inputs and sentences are the same argument; pass one of them")
            inputs = sentences
        single = isinstance(inputs, str)
        texts = [inputs] if single else as_list(inputs)
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

    def encode_query(
        self,
        inputs: Optional[Sentences] = None,
        prompt_name: Optional[str] = None,
        prompt: Optional[str] = None,
        *arguments: Any,
        **named: Any,
    ) -> np.ndarray:
        """``encode`` with the prompt ``"query"``, unless a prompt is given."""
        if prompt_name is None and prompt is None:
            prompt_name = self._first_prompt("query")
        return self.encode(inputs, prompt_name, prompt, *arguments, **named)

    def encode_document(
        self,
        inputs: Optional[Sentences] = None,
        prompt_name: Optional[str] = None,
        prompt: Optional[str] = None,
        *arguments: Any,
        **named: Any,
    ) -> np.ndarray:
        """``encode`` with the first of the prompts ``"document"``, ``"passage"``, ``"corpus"`` that exists, unless one is
        given."""
        if prompt_name is None and prompt is None:
            prompt_name = self._first_prompt("document", "passage", "corpus")
        return self.encode(inputs, prompt_name, prompt, *arguments, **named)

    def similarity(self, embeddings1: Any, embeddings2: Any) -> np.ndarray:
        """The similarity of each row of one array with each of the other: float32 ``[n, m]``."""
        a, b = _rows(embeddings1), _rows(embeddings2)
        if self.similarity_fn_name == "dot":
            return a @ b.T
        if self.similarity_fn_name == "cosine":
            return _unit(a) @ _unit(b).T
        if len(a) == 0:
            return np.zeros((0, len(b)), dtype=np.float32)
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
        return self._model.dimension(self.truncate_dim)

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
        self._given["max_seq_length"] = tokens

    @property
    def similarity_fn_name(self) -> str:
        """The function of ``similarity``."""
        return self._similarity_fn_name

    @similarity_fn_name.setter
    def similarity_fn_name(self, name: Any) -> None:
        # sentence-transformers has an enum of these names.
        name = "cosine" if name is None else getattr(name, "value", name)
        if name not in _SIMILARITIES:
            raise ValueError(f"similarity_fn_name is {name!r}; it must be one of {_SIMILARITIES}")
        self._similarity_fn_name = name

    def get_max_seq_length(self) -> Optional[int]:
        """``max_seq_length``."""
        return self.max_seq_length

    @property
    def pooling(self) -> Optional[str]:
        """The pooling that was asked for; ``None``: the folder's."""
        return self._given["pooling"]

    @property
    def precision(self) -> Optional[str]:
        """The precision that was asked for; ``None``: float32."""
        return self._given["precision"]

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

    # scikit-learn: a step of a Pipeline.

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
        """The arguments of the constructor that make a model with the present settings, for scikit-learn."""
        # What has not been changed since is returned as given: scikit-learn compares by identity.
        changed = {name: value for name, value in self._settings().items() if value != self._begun[name]}
        # The constructor takes None for the folder's own.
        if "truncate_dim" in changed and changed["truncate_dim"] is None:
            changed["truncate_dim"] = self.get_sentence_embedding_dimension()
        if "default_prompt_name" in changed:
            changed["default_prompt_name"] = changed["default_prompt_name"] or ""
        return {**self._given, **changed}

    def set_params(self, **parameters: Any) -> SentenceEncoder:
        """Loads the model anew with other arguments, for scikit-learn."""
        unknown = set(parameters) - set(self._given)
        if unknown:
            raise ValueError(f"unknown parameters {sorted(unknown)}; known are {sorted(self._given)}")
        if parameters:
            # Complete before it replaces anything: a wrong argument leaves this model as it was.
            self.__dict__ = type(self)(**{**self.get_params(), **parameters}).__dict__
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
        self._load()

    def _unlike_the_folder(self) -> dict[str, Any]:
        """The settings with which an encoding without arguments differs from the folder's own, with their values."""
        folder = _folder_settings(self.folder)
        name = folder.get("default_prompt_name")
        prompt, own_prompt = self._prompt(None, None), "" if name is None else self._model.prompts.get(name, "")
        differs = {
            "pooling": self.pooling is not None,
            "max_seq_length": self.max_seq_length != self._own_max_seq_length,
            "truncate_dim": self.get_sentence_embedding_dimension() != self._model.dimension(folder.get("truncate_dim")),
            "default prompt": prompt != own_prompt,
        }
        values = {"default prompt": prompt}
        return {name: values.get(name, getattr(self, name, None)) for name, other in differs.items() if other}

    def _first_prompt(self, *names: str) -> Optional[str]:
        return next((name for name in names if name in self.prompts), None)

    def _prompt(self, prompt: Optional[str], name: Optional[str]) -> str:
        """The text before every sentence."""
        if prompt is not None:
            return prompt
        name = self.default_prompt_name if name is None else name
        if name is None:
            return ""
        if name not in self.prompts:
            raise ValueError(f"no prompt is named {name!r}; this model has {', '.join(sorted(self.prompts))}")
        return self.prompts[name]


def _folder_settings(folder: Path) -> dict[str, Any]:
    """What a folder sets for encodings. Its model has been loaded, which checks the file."""
    file = folder / "config_sentence_transformers.json"
    if not (folder / "modules.json").is_file() or not file.is_file():
        return {}
    return json.loads(file.read_text(encoding="utf-8"))


def _check_device(device: Optional[str]) -> None:
    if device is not None and str(device) != "cpu":
        raise ValueError(f"device is {str(device)!r}; this package computes on 'cpu'")


def products_precision(name: str) -> str:
    """The command's name for a precision of products."""
    if name not in _PRECISIONS:
        raise ValueError(f"precision is {name!r}; it must be one of {sorted(_PRECISIONS)}")
    return _PRECISIONS[name]


def _precision(name: str) -> str:
    if name in _QUANTISED:
        raise ValueError(
            f"precision {name!r} would quantise the embeddings, which is not supported; for faster products, load a "
            "folder written by 'micse export --precision int8'"
        )
    return products_precision(name)


def _rows(embeddings: Any) -> np.ndarray:
    """An array ``[n, d]`` of float32."""
    rows = np.asarray(embeddings, dtype=np.float32)
    return rows[None, :] if rows.ndim == 1 else rows


def _unit(rows: np.ndarray) -> np.ndarray:
    norms = np.linalg.norm(rows, axis=1, keepdims=True)
    return rows / np.maximum(norms, 1e-12)
