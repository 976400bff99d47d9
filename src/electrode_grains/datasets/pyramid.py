"""Coarser levels of a volume in zarr, which viewers show first."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import Any, cast

import numpy as np
import zarr
from numpy.typing import NDArray

FINEST = "0"
SHOWN_AT_ONCE = 256  # voxels along an axis of the coarsest level, at most


@dataclass(frozen=True)
class Level:
    """A level of a pyramid.

    Attributes
    ----------
    path : str
        Within the group.
    factors : tuple of int
        Voxels of the finest level in one of this level, along (z, y, x).
    offsets : tuple of float
        Centre of the first voxel, in voxels of the finest level from the first one's.
    """

    path: str
    factors: tuple[int, ...]
    offsets: tuple[float, ...]


def write_pyramid(group: zarr.Group) -> list[Level]:
    """Halve the axes of a volume that are longer than 256 voxels until none is.

    Of whole numbers (labels, classes) every second voxel is kept, of others the mean of what was
    measured. What a chunk of a coarser level needs is in memory at a time.

    Parameters
    ----------
    group : zarr.Group
        Holds the finest level as "0", shape (..., z, y, x); the others are added.

    Returns
    -------
    list of Level
        The finest first.
    """
    levels = [Level(FINEST, (1, 1, 1), (0.0, 0.0, 0.0))]
    finer = cast("zarr.Array[Any]", group[FINEST])
    is_mean = not np.issubdtype(finer.dtype, np.integer)
    while max(finer.shape[-3:]) > SHOWN_AT_ONCE:
        steps = tuple(2 if size > SHOWN_AT_ONCE else 1 for size in finer.shape[-3:])
        last = levels[-1]
        shifts = [(step - 1) / 2 if is_mean else 0.0 for step in steps]
        level = Level(
            path=str(len(levels)),
            factors=tuple(f * s for f, s in zip(last.factors, steps, strict=True)),
            offsets=tuple(
                o + f * s for o, f, s in zip(last.offsets, last.factors, shifts, strict=True)
            ),
        )
        finer = _write_coarser(group, level.path, finer, steps, is_mean)
        levels.append(level)
    return levels


def _write_coarser(
    group: zarr.Group, path: str, finer: zarr.Array[Any], steps: tuple[int, ...], is_mean: bool
) -> zarr.Array[Any]:
    kept = finer.shape[:-3]
    shape = tuple(-(-size // step) for size, step in zip(finer.shape[-3:], steps, strict=True))
    coarser = group.create_array(
        path,
        shape=kept + shape,
        dtype=finer.dtype,
        chunks=tuple(min(c, s) for c, s in zip(finer.chunks, kept + shape, strict=True)),
        compressors=finer.compressors,
        config={"write_empty_chunks": True},
        overwrite=True,
        dimension_names=finer.metadata.dimension_names,  # type: ignore[union-attr]  # format 3
    )
    every = tuple(slice(None, None, step) for step in steps)
    for place in np.ndindex(kept):
        for box in product(*map(_stretches, shape, coarser.chunks[-3:])):
            source = tuple(
                slice(side.start * step, side.stop * step)
                for side, step in zip(box, steps, strict=True)
            )
            values = np.asarray(finer[(*place, *source)])
            coarser[(*place, *box)] = _mean(values, steps) if is_mean else values[every]
    return coarser


def _stretches(size: int, length: int) -> list[slice]:
    return [slice(start, min(start + length, size)) for start in range(0, size, length)]


def _mean(values: NDArray[Any], steps: tuple[int, ...]) -> NDArray[Any]:
    """Mean of the finite values of each cell, NaN where there is none."""
    odd = [(0, -size % step) for size, step in zip(values.shape, steps, strict=True)]
    padded = np.pad(values, odd, constant_values=np.nan)
    cells = padded.reshape(
        [n for size, step in zip(padded.shape, steps, strict=True) for n in (size // step, step)]
    )
    known = np.isfinite(cells)
    count = known.sum(axis=(1, 3, 5))
    total = np.where(known, cells, 0).sum(axis=(1, 3, 5), dtype=np.float64)
    with np.errstate(invalid="ignore"):
        return cast("NDArray[Any]", (total / count).astype(values.dtype))
