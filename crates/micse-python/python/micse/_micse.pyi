"""What micse computes, in Rust."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Optional

import numpy as np

__version__: str

class Error(Exception): ...

class Model:
    def __init__(
        self,
        name: str,
        pooling: Optional[str] = None,
        precision: Optional[str] = None,
        device: str = "cpu",
        progress: Optional[Callable[[str, int, Optional[int]], Any]] = None,
    ) -> None: ...
    def encode(
        self,
        sentences: list[str],
        prompt: Optional[str] = None,
        precision: Optional[str] = None,
        normalize: bool = False,
        truncate_dim: Optional[int] = None,
        batch_tokens: Optional[int] = None,
        progress: Optional[Callable[[int], Any]] = None,
    ) -> np.ndarray: ...
    def token_ids(self, sentences: list[str]) -> list[list[int]]: ...
    @property
    def prompts(self) -> dict[str, str]: ...
    def dimension(self, truncate_dim: Optional[int] = None) -> int: ...
    max_seq_length: Optional[int]
    @property
    def pooling(self) -> str: ...
    @property
    def precision(self) -> str: ...
    @property
    def folder(self) -> str: ...
    @property
    def hub_id(self) -> Optional[str]: ...
    def sha256(self) -> str: ...
    @property
    def family(self) -> str: ...

def demo_sentences() -> list[str]: ...
def num_threads() -> int: ...
def set_num_threads(threads: int) -> None: ...
def main(arguments: list[str]) -> int: ...
def evaluate(
    model: Model,
    prompt: Optional[str],
    truncate_dim: Optional[int],
    sts: str,
    tasks: Optional[list[str]] = None,
    transfer: bool = False,
    progress: Optional[Callable[[int, int], Any]] = None,
) -> str: ...
def judge(
    before: tuple[Model, Optional[str], Optional[int]],
    after: tuple[Model, Optional[str], Optional[int]],
    sentences: list[str],
    progress: Optional[Callable[[int, int], Any]] = None,
) -> str: ...
def search(corpus: np.ndarray, queries: np.ndarray, top: int) -> list[list[tuple[int, float]]]: ...
def train(
    model: str,
    out: str,
    sentences: Optional[list[str]],
    files: list[Path],
    options: dict[str, Any],
    tell: Callable[[str, str], Any],
) -> str: ...
def info_nce(
    z1: np.ndarray, z2: np.ndarray, temperature: float, queue: Optional[np.ndarray] = None
) -> tuple[float, list[np.ndarray]]: ...
def ami(
    maps1: np.ndarray,
    maps2: np.ndarray,
    lengths: Optional[list[int]],
    samples: int,
    heads: int,
    layers: int,
    seed: int,
) -> tuple[float, list[np.ndarray]]: ...
