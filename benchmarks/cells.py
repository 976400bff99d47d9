"""Stacks of virtual cells of several kinds, to align or to leave alone."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.spatial import KDTree

KINDS: dict[str, dict[str, object]] = {
    "equiaxed": {},
    "leaning": {"lean": (0.3, -0.5)},
    "leaning and tapering": {"lean": (0.0, 1.0), "taper": 0.01},
    "columns": {"long": 4.0, "lean": (0.7, 0.0)},
    "noisy": {"noise": 1.0},
    "coarse slices": {"long": 0.33},
    "as in tomography": {"edge": 0.0, "noise": 0.1},
    "large": {"diameter": 25.0},
}


def cells(
    shape: tuple[int, int, int],
    seed: int,
    *,
    diameter: float = 12.0,
    lean: tuple[float, float] = (0.0, 0.0),
    taper: float = 0.0,
    long: float = 1.0,
    noise: float = 0.3,
    edge: float = 2.0,
) -> NDArray[np.float64]:
    """Voronoi cells with dark boundaries and noise.

    They lean by pixels (y, x) per slice, widen by `taper` per slice and are `long` times as long
    in slices as in pixels.
    """
    rng = np.random.default_rng(seed)
    reach = 2 * diameter + max(map(abs, lean)) * shape[0]
    box = np.array([shape[0] / long + 2 * diameter, shape[1] + 2 * reach, shape[2] + 2 * reach])
    seeds = rng.uniform(size=(int(box.prod() / (0.6 * diameter**3)), 3)) * box
    seeds -= [diameter, reach, reach]
    z, y, x = np.indices(shape) - (np.array(shape).reshape(3, 1, 1, 1) - 1) / 2
    scale = 1 + taper * z
    points = [
        z / long + shape[0] / long / 2,
        y / scale - lean[0] * z + shape[1] / 2,
        x / scale - lean[1] * z + shape[2] / 2,
    ]
    distance, nearest = KDTree(seeds).query(np.stack(points, -1), k=2)
    grey = rng.normal(size=len(seeds))[nearest[..., 0]] / 2
    boundary = np.exp(-(((distance[..., 1] - distance[..., 0]) / 1.5) ** 2))
    return np.asarray(grey - edge * boundary + noise * rng.standard_normal(shape))


def shifted(volume: NDArray[np.float64], shifts: Iterable[Iterable[float]]) -> NDArray[np.float64]:
    """Slices moved by pixels (y, x)."""
    pairs = zip(volume, shifts, strict=True)
    return np.array([ndimage.shift(image, by, order=3, mode="nearest") for image, by in pairs])
