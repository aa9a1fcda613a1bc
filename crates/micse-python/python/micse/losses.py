"""Training objectives: their value, and the gradient for each input, as NumPy arrays.

For tests and teaching; training computes them on whole batches in Rust.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Optional

import numpy as np

from ._micse import ami as _ami
from ._micse import info_nce as _info_nce


def info_nce(
    z1: np.ndarray, z2: np.ndarray, temperature: float = 0.05, queue: Optional[np.ndarray] = None
) -> tuple[float, tuple[np.ndarray, np.ndarray]]:
    """InfoNCE: the mean over i of ``log(sum_j exp s(z1_i, z2_j) + sum_k exp s(z1_i, q_k)) - s(z1_i, z2_i)``.

    ``s`` is the cosine divided by the temperature.

    Args:
        z1, z2: Embeddings of two views, float32 or float64 ``[B, D]``; rows at the same position are positives.
        queue: Further negatives ``[Q, D]``, without gradient.

    Returns:
        The value, and the gradients for ``z1`` and ``z2``.
    """
    value, (first, second) = _info_nce(z1, z2, temperature, queue)
    return value, (first, second)


def ami(
    maps1: np.ndarray,
    maps2: np.ndarray,
    lengths: Optional[Sequence[int]] = None,
    *,
    samples: int = 150,
    heads: int = 2,
    layers: int = 1,
    seed: int = 48,
) -> tuple[float, tuple[np.ndarray, np.ndarray]]:
    """Attention mutual information (miCSE): minus the mean over sentences and slices of ``-1/2 log(1 - rho^2)``.

    ``rho`` is the correlation of the logarithms of both views' attention at the same random positions of a slice.

    Args:
        maps1, maps2: Attention of two views, float32 or float64 ``[B, L, H, n, n]``: sentence, layer, head, query, key.
        lengths: Tokens of each sentence; by default ``n``.
        samples: Positions per slice.
        heads, layers: Adjacent heads and layers that a slice pools.
        seed: Seed of the positions.

    Returns:
        The value, and the gradients for ``maps1`` and ``maps2``.
    """
    given = None if lengths is None else list(lengths)
    value, (first, second) = _ami(maps1, maps2, given, samples, heads, layers, seed)
    return value, (first, second)
