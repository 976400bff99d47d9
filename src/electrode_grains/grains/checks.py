"""What looks wrong with the grains of a particle."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from electrode_grains.errors import ComputationError

LARGEST_SHARE = 0.5  # of the particle, beyond which one grain is suspicious


def check_grains(labels: NDArray[np.integer]) -> tuple[str, ...]:
    """Warn of grains that cannot be right.

    Parameters
    ----------
    labels : ndarray of int, shape (z, y, x)
        Any ids, 0 is no grain.

    Returns
    -------
    tuple of str
        With the numbers that lead there: a single grain, a grain of more than half the
        particle, or no grain that the window leaves whole.

    Raises
    ------
    ComputationError
        If there is no grain.

    Examples
    --------
    >>> check_grains(np.array([[[3, 3, 3, 5]]]))[0].split(";")[0]
    'the largest grain (3) holds 75% of the particle, 3 of 4 voxels'
    """
    ids, sizes = np.unique(labels[labels > 0], return_counts=True)
    if len(ids) == 0:
        raise ComputationError(
            "no grain is left", found=f"{labels.size} voxels of 0", expected="at least one grain",
            remedy="check the edits and the thresholds of background and voids",
        )  # fmt: skip
    largest, voxels, cut = ids[sizes.argmax()], sizes.sum(), count_cut_by_window(labels)
    warnings = []
    if len(ids) == 1:
        warnings.append(
            f"the particle is a single grain of {voxels} voxels; is the depth of minima too great?"
        )
    elif sizes.max() > LARGEST_SHARE * voxels:
        warnings.append(
            f"the largest grain ({largest}) holds {sizes.max() / voxels:.0%} of the particle, "
            f"{sizes.max()} of {voxels} voxels; a weak boundary may have joined many grains: "
            "lower the depth of minima or the boundary threshold"
        )
    if cut == len(ids):
        warnings.append(f"all {cut} grains are cut by the window, so that none can be measured")
    return tuple(warnings)


def count_cut_by_window(labels: NDArray[np.integer]) -> int:
    """Grains with a voxel in the outermost layer of the window."""
    faces = [np.take(labels, end, axis).ravel() for axis in range(3) for end in (0, -1)]
    touching = np.unique(np.concatenate(faces))
    return int((touching > 0).sum())
